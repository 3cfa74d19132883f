//! The part of the store that the brake needs over time: windows, who was missing, words used up, pauses, reminders.

use std::collections::{BTreeMap, BTreeSet};

use super::LedgerFault;
use crate::domain::brake::{Moment, Tally};
use crate::domain::id::{AppName, Digest, PersonId};
use crate::domain::trial::{Quarantine, Trial};

/// What the brake remembers. Every method that changes it is durable when it returns.
pub trait BrakeLedger {
    /// The app's counted time, and whom it changed lately without a person's word.
    fn tally(&self, app: &AppName) -> Result<Tally, LedgerFault>;

    /// Replaces it.
    fn keep_tally(&mut self, app: &AppName, tally: &Tally) -> Result<(), LedgerFault>;

    /// Managed people whom complete reads didn't show, and who aren't news any more.
    fn missing(&self, app: &AppName) -> Result<BTreeSet<PersonId>, LedgerFault>;

    /// Replaces them.
    fn keep_missing(&mut self, app: &AppName, missing: &BTreeSet<PersonId>) -> Result<(), LedgerFault>;

    /// Approved digests that were begun since the app's holds were last replaced.
    fn spent(&self, app: &AppName) -> Result<BTreeSet<Digest>, LedgerFault>;

    /// Notes that an approved change is begun: its approval doesn't count any more, whatever happens next.
    /// [`super::Ledger::keep_holds`] takes these notes away, for holds are kept without what was spent.
    fn spend(&mut self, app: &AppName, digest: &Digest) -> Result<(), LedgerFault>;

    /// Changes that failed and weren't done since.
    fn trials(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trial>, LedgerFault>;

    /// Replaces them.
    fn keep_trials(&mut self, app: &AppName, trials: &BTreeMap<PersonId, Trial>) -> Result<(), LedgerFault>;

    /// The app's quarantine, while it lasts.
    fn quarantine(&self, app: &AppName) -> Result<Option<Quarantine>, LedgerFault>;

    /// Replaces it.
    fn keep_quarantine(&mut self, app: &AppName, quarantine: Option<&Quarantine>) -> Result<(), LedgerFault>;

    /// When each hold was last told in the report.
    fn reminders(&self, app: &AppName) -> Result<BTreeMap<Digest, Moment>, LedgerFault>;

    /// Replaces that.
    fn keep_reminders(&mut self, app: &AppName, reminders: &BTreeMap<Digest, Moment>) -> Result<(), LedgerFault>;
}
