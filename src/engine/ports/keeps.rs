//! The port to the store for keeps: people whose accounts stay as a person put them.

use std::collections::BTreeMap;

use super::LedgerFault;
use crate::domain::id::{AppName, PersonId};
use crate::domain::keep::Keep;

/// Remembers keeps. A change is durable when its method returns.
pub trait KeepLedger {
    /// Everybody of an app who is kept.
    fn keeps(&self, app: &AppName) -> Result<BTreeMap<PersonId, Keep>, LedgerFault>;

    /// Keeps a person's account from now on; none ends it.
    fn keep(&mut self, app: &AppName, person: &PersonId, keep: Option<&Keep>) -> Result<(), LedgerFault>;
}
