//! The port to the audit record, and to whoever hears how a cycle goes on.

use crate::domain::id::{AppName, CycleId, DirectoryName};
use crate::domain::outcome::{Notice, Problem};
use crate::domain::scope::CompleteRead;

/// The report can't be written: nothing may be done that couldn't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the report can't be written: {0}")]
pub struct ReportFault(pub String);

/// The audit record.
pub trait Report: Send {
    /// Makes sure that the next record can be written.
    fn ready(&mut self) -> Result<(), ReportFault>;

    /// Writes a record; it is on disk when this returns.
    fn tell(&mut self, notice: &Notice) -> Result<(), ReportFault>;

    /// Whether a record of this cycle and place was written: asked after a crash.
    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault>;
}

/// Whether a record was written, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was, and says that all is as it should be.
    Done,
    /// It was, and says something else.
    Otherwise,
    /// It wasn't.
    No,
}

/// Hears how a cycle goes on: a progress bar, a service manager, a stream to a client.
pub trait Progress: Send {
    /// Something happened.
    fn note(&mut self, event: &Event<'_>);
}

/// What a cycle tells while it runs.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A directory is being read; so many people were come upon.
    Reading(&'a DirectoryName, usize),
    /// A directory was read in full.
    Read(&'a CompleteRead),
    /// Zendesk is asked about the people of an app who aren't as wanted: so many of so many so far.
    Asking(&'a AppName, usize, usize),
    /// An app's plan will be carried out: so many changes.
    Applying(&'a AppName, usize),
    /// A change was carried out, or not.
    Applied(&'a crate::domain::outcome::Applied),
    /// A directory was recalled in full, as it was read at this moment.
    Recalled(&'a CompleteRead, chrono::DateTime<chrono::Utc>),
    /// The change of one person waits: for this, and in the hold of this id, if a cycle for everybody made it already.
    HeldAlone(&'a crate::domain::change::Change, &'a crate::domain::brake::Hold, Option<crate::domain::id::Digest>),
    /// Changes wait.
    Held(&'a crate::domain::brake::Hold),
    /// So many changes of a paused app wait for its end.
    Paused(&'a AppName, &'a crate::domain::pause::Pause, usize),
    /// A fault ended a part of the cycle.
    Fault(&'a Problem),
}
