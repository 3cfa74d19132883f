//! The five ports in memory: a company, a helpdesk, a ledger, a report and a clock.
//!
//! Each is a handle on state that outlives the engine, so that an engine can be dropped and built again. They answer as
//! strictly as the real things, keep their own lists of what was asked of them, and fail on demand.

mod accepted;
mod brakes;
mod clock;
mod company;
mod deeds;
mod desk;
mod directory;
mod fuse;
mod halves;
mod hand;
mod helpdesk;
mod images;
mod keeps;
mod lease;
mod ledger;
mod report;
mod servers;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use brakes::BrakeState;
pub use clock::MemoryClock;
pub use company::{Company, Group, Names, Person, Tombstone, Use};
pub use desk::{By, Desk, User, Write};
pub use directory::{MemoryDirectory, ReadTrouble, Refusal, STATE, Short};
pub use fuse::{Burnt, Fuse};
pub use helpdesk::{CallKind, CallTrouble, MemoryZendesk, observed};
pub use lease::{Turnstile, read_marker};
pub use ledger::{LedgerState, MemoryLedger, Noted};
pub use report::MemoryReport;
pub use wire::{Dialect, Wire};

use zendesk_dirsync::engine::Ports;
use zendesk_dirsync::engine::ports::{Event, Progress};

/// The ports of an engine that runs in memory.
pub struct InMemory;

impl Ports for InMemory {
    type Directory = MemoryDirectory;
    type Helpdesk = MemoryZendesk;
    type Ledger = MemoryLedger;
    type Report = MemoryReport;
    type Clock = MemoryClock;
}

/// Hears nothing.
pub struct Silent;

impl Progress for Silent {
    fn note(&mut self, _event: &Event<'_>) {}
}

/// A burnt fuse unwinds through a lock now and then; what it guards is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
