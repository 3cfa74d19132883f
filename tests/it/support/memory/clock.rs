//! A clock that goes only when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use zendesk_dirsync::engine::ports::Clock;

/// Virtual time, in milliseconds: what the wall says, and what really passed.
#[derive(Debug, Clone)]
pub struct MemoryClock {
    wall: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
}

impl MemoryClock {
    /// A clock that stands at a moment.
    pub fn at(text: &str) -> Self {
        let start: DateTime<Utc> = text.parse().unwrap();
        Self { wall: Arc::new(AtomicI64::new(start.timestamp_millis())), passed: Arc::default() }
    }

    /// Moves on.
    pub fn advance(&self, by: TimeDelta) {
        self.jump(by);
        self.passed.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// Somebody sets the wall's clock; no time passes.
    pub fn jump(&self, by: TimeDelta) {
        self.wall.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// How much time really passed since the start.
    pub fn passed(&self) -> Duration {
        Duration::from_millis(self.passed.load(Ordering::Relaxed).unsigned_abs())
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.wall.load(Ordering::Relaxed)).unwrap()
    }
}
