//! The part of the store that remembers which configuration people last agreed to, app by app.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{AppName, DirectoryName};

use super::LedgerFault;

/// What the store remembers of configurations.
pub trait AcceptedLedger {
    /// The text of the configuration that was last accepted, by app. It holds no secrets: those have files of their own.
    fn accepted(&self) -> Result<BTreeMap<AppName, String>, LedgerFault>;

    /// Keeps a text as the one accepted for an app.
    fn keep_accepted(&mut self, app: &AppName, text: &str) -> Result<(), LedgerFault>;

    /// The directories from which an app has accounts, whether they are configured or not.
    fn directories(&self, app: &AppName) -> Result<BTreeSet<DirectoryName>, LedgerFault>;

    /// How many accounts are managed and active, by app, whether it is configured or not.
    fn populations(&self) -> Result<BTreeMap<AppName, usize>, LedgerFault>;
}
