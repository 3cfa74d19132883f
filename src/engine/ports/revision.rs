//! The part of the store's port that tells how far its knowledge has come: what a saved plan is bound to.

use super::LedgerFault;

/// How far what the store knows has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revision {
    /// Which store it is; empty before it knows anything.
    pub store: String,
    /// Raised with every change of an account, a link or a pin, and by nothing else: a cycle's bookkeeping (holds, notes
    /// of an absence, where an entry was seen, when a cycle ended) leaves it.
    pub number: u64,
}

/// Tells the revision.
pub trait Revisions {
    /// The revision now.
    fn revision(&self) -> Result<Revision, LedgerFault>;
}
