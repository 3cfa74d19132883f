//! The port to the store for leases: which store this is, and what it last wrote into each marker.

use super::LedgerFault;
use crate::domain::id::AppName;
use crate::domain::lease::InstanceId;

/// Remembers leases. A change is durable when its method returns.
pub trait LeaseLedger {
    /// The name of this store: made when it is first asked for, and kept for good.
    fn instance(&mut self) -> Result<InstanceId, LedgerFault>;

    /// The last serial that was noted for an app; 0 before the first.
    fn lease_serial(&self, app: &AppName) -> Result<u64, LedgerFault>;

    /// Notes a serial before it is written into the marker.
    fn note_lease(&mut self, app: &AppName, serial: u64) -> Result<(), LedgerFault>;

    /// Notes that others wrote, or an earlier life of this store did, up to this serial: the app counts as replaced, so
    /// that everything waits until a cycle of it is accepted anew.
    fn doubt(&mut self, app: &AppName, serial: u64) -> Result<(), LedgerFault>;
}
