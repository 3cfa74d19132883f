//! A fuse that burns at the n-th mutating call of any port: the process is gone from there on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a crash unwinds with. It says nothing on the terminal.
#[derive(Debug)]
pub struct Burnt;

/// Counts mutating calls down. Each call passes it twice: before its effect and after it.
#[derive(Debug, Clone, Default)]
pub struct Fuse(Arc<AtomicI64>);

impl Fuse {
    /// The process dies at the n-th passage from now, from 1; none for never.
    pub fn set(&self, passages: Option<u32>) {
        self.0.store(passages.map_or(0, i64::from), Ordering::Relaxed);
    }

    /// Passes; dies here if it is time. No lock may be held.
    pub fn pass(&self) {
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
            if left == 1 {
                std::panic::resume_unwind(Box::new(Burnt));
            }
        }
    }
}
