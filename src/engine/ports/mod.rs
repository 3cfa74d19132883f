//! The ports: what the engine needs of a directory, a helpdesk, a ledger, a report and a clock.
//!
//! Adapters implement these and know nothing of one another. Faults answer what to do, not what went wrong inside.

mod accepted;
mod brakes;
mod deeds;
mod directory;
mod hand;
mod helpdesk;
mod images;
mod keeps;
mod lease;
mod ledger;
mod report;
mod revision;
mod servers;

pub use accepted::AcceptedLedger;
pub use brakes::BrakeLedger;
pub use deeds::{DeedCycle, DeedLedger, cycles_kept};
pub use directory::{Directory, GroupLook, GroupOrder, GroupThere, Named, ReadFault, ReadOrder};
pub use hand::{HandLedger, Label};
pub use helpdesk::{CallFault, Effect, Helpdesk, Myself, StepDone};
pub use images::ImageLedger;
pub use keeps::KeepLedger;
pub use lease::LeaseLedger;
pub use ledger::{
    AppCounts, AppStanding, Completeness, CycleSummary, HeldChange, HoldRecord, HoldState, Intent, Ledger, LedgerFault,
    Settlement, Trouble,
};
pub use report::{Event, Progress, Report, ReportFault, Told};
pub use revision::{Revision, Revisions};
pub use servers::ServerLedger;

use chrono::{DateTime, Utc};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// A secret can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretFault(pub String);

/// Reads a secret each time it is needed, so that a new one takes effect without a restart.
pub trait Secret: Send + Sync {
    /// The secret.
    fn read(&self) -> Result<secrecy::SecretString, SecretFault>;
}
