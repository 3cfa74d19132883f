//! The port to the store for leases: which store this is, and what it last wrote into each marker.

use super::LedgerFault;
use crate::domain::id::AppName;
use crate::domain::lease::{InstanceId, LeaseMark};

/// Remembers leases. A change is durable when its method returns.
pub trait LeaseLedger {
    /// The name of this store: made when it is first asked for, and kept for good.
    fn instance(&mut self) -> Result<InstanceId, LedgerFault>;

    /// The last mark that was noted for an app.
    fn noted_lease(&self, app: &AppName) -> Result<Option<LeaseMark>, LedgerFault>;

    /// Notes a mark before it is written into the marker.
    fn note_lease(&mut self, app: &AppName, mark: &LeaseMark) -> Result<(), LedgerFault>;

    /// Notes that others wrote, or a later life of this store did, up to this mark where there is one: the app counts as
    /// replaced, so that everything waits until a cycle of it is accepted anew.
    fn doubt(&mut self, app: &AppName, mark: Option<&LeaseMark>) -> Result<(), LedgerFault>;
}
