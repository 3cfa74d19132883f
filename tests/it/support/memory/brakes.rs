//! What the brake remembers over time, in memory.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::brake::{Moment, Tally};
use zendesk_dirsync::domain::id::{AppName, Digest, PersonId};
use zendesk_dirsync::domain::trial::{Quarantine, Trial};
use zendesk_dirsync::engine::ports::{BrakeLedger, LedgerFault};

use super::ledger::{LedgerState, MemoryLedger};
use super::lock;

/// What is kept of one app.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BrakeState {
    pub tally: Tally,
    pub missing: BTreeSet<PersonId>,
    pub spent: BTreeSet<Digest>,
    pub trials: BTreeMap<PersonId, Trial>,
    pub quarantine: Option<Quarantine>,
    pub reminders: BTreeMap<Digest, Moment>,
}

impl MemoryLedger {
    fn brake(&self, app: &AppName) -> BrakeState {
        lock(&self.state).brakes.get(app).cloned().unwrap_or_default()
    }

    fn set(&self, app: &AppName, change: impl FnOnce(&mut BrakeState)) -> Result<(), LedgerFault> {
        self.mutate(|state: &mut LedgerState| {
            change(state.brakes.entry(app.clone()).or_default());
            Ok(())
        })
    }
}

impl BrakeLedger for MemoryLedger {
    fn tally(&self, app: &AppName) -> Result<Tally, LedgerFault> {
        Ok(self.brake(app).tally)
    }

    fn keep_tally(&mut self, app: &AppName, tally: &Tally) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.tally.clone_from(tally))
    }

    fn missing(&self, app: &AppName) -> Result<BTreeSet<PersonId>, LedgerFault> {
        Ok(self.brake(app).missing)
    }

    fn keep_missing(&mut self, app: &AppName, missing: &BTreeSet<PersonId>) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.missing.clone_from(missing))
    }

    fn spent(&self, app: &AppName) -> Result<BTreeSet<Digest>, LedgerFault> {
        Ok(self.brake(app).spent)
    }

    fn spend(&mut self, app: &AppName, digest: &Digest) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.spent.extend([*digest]))
    }

    fn trials(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trial>, LedgerFault> {
        Ok(self.brake(app).trials)
    }

    fn keep_trials(&mut self, app: &AppName, trials: &BTreeMap<PersonId, Trial>) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.trials.clone_from(trials))
    }

    fn quarantine(&self, app: &AppName) -> Result<Option<Quarantine>, LedgerFault> {
        Ok(self.brake(app).quarantine)
    }

    fn keep_quarantine(&mut self, app: &AppName, quarantine: Option<&Quarantine>) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.quarantine = quarantine.cloned())
    }

    fn reminders(&self, app: &AppName) -> Result<BTreeMap<Digest, Moment>, LedgerFault> {
        Ok(self.brake(app).reminders)
    }

    fn keep_reminders(&mut self, app: &AppName, reminders: &BTreeMap<Digest, Moment>) -> Result<(), LedgerFault> {
        self.set(app, |brake| brake.reminders.clone_from(reminders))
    }
}
