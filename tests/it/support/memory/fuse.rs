//! A fuse that burns at the n-th mutating call of any port: the process is gone from there on.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::lock;

/// What a crash unwinds with. It says nothing on the terminal.
#[derive(Debug)]
pub struct Burnt;

/// After which pass a cycle is asked to stop.
type StopAt = (u64, watch::Sender<bool>);

/// Counts mutating calls down. Each call passes it twice: before its effect and after it.
#[derive(Debug, Clone, Default)]
pub struct Fuse {
    left: Arc<AtomicI64>,
    passed: Arc<AtomicU64>,
    /// Somebody asks the process to stop, at this passage.
    stop: Arc<Mutex<Option<StopAt>>>,
}

impl Fuse {
    /// The process dies at the n-th passage from now, from 1; none for never.
    pub fn set(&self, passages: Option<u32>) {
        self.left.store(passages.map_or(0, i64::from), Ordering::Relaxed);
    }

    /// Somebody asks the process to stop at the n-th passage from now.
    pub fn asks_to_stop(&self, passages: u64) {
        *lock(&self.stop) = Some((self.passed() + passages, watch::Sender::new(false)));
    }

    /// What a cycle listens to; nobody asks it to stop any more afterwards.
    pub fn stop(&self) -> Option<watch::Receiver<bool>> {
        lock(&self.stop).as_ref().map(|(_, sender)| sender.subscribe())
    }

    /// Nobody asks for anything any more.
    pub fn mend(&self) {
        self.set(None);
        *lock(&self.stop) = None;
    }

    /// How often it was passed: the order in which things happened, over all ports.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Passes; dies here if it is time. No lock may be held.
    pub fn pass(&self) {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((_, sender)) = lock(&self.stop).as_ref().filter(|(at, _)| *at <= passed) {
            sender.send_replace(true);
        }
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            if left == 1 {
                std::panic::resume_unwind(Box::new(Burnt));
            }
        }
    }
}
