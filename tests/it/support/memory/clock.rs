//! A clock that goes only when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use zendesk_dirsync::engine::ports::Clock;

/// Virtual time, in milliseconds.
#[derive(Debug, Clone)]
pub struct MemoryClock(Arc<AtomicI64>);

impl MemoryClock {
    /// A clock that stands at a moment.
    pub fn at(text: &str) -> Self {
        let start: DateTime<Utc> = text.parse().unwrap();
        Self(Arc::new(AtomicI64::new(start.timestamp_millis())))
    }

    /// Moves on.
    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap()
    }
}
