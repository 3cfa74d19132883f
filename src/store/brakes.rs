//! What the brake remembers over time, in the store. Each kind of thing has its own key; [`keys`] names them.

use std::collections::{BTreeMap, BTreeSet};

use super::keys;
use super::ledger::{SledLedger, parse};
use super::records::{self, Stored};
use super::sealed::{Tree, damaged};
use super::vault::Draft;
use crate::domain::brake::{Moment, Tally};
use crate::domain::id::{AppName, Digest, PersonId};
use crate::domain::trial::{Quarantine, Trial};
use crate::engine::ports::{BrakeLedger, LedgerFault};

const TREE: Tree = Tree::Brakes;

/// Reads one record at a start.
pub(super) fn examine(key: &[u8], payload: &[u8]) -> Result<(), LedgerFault> {
    match keys::brake_kind(key) {
        Some(keys::BRAKE_TALLY) => parse::<Tally>(TREE, key, payload).map(drop),
        Some(keys::BRAKE_MISSING) => parse::<BTreeSet<PersonId>>(TREE, key, payload).map(drop),
        Some(keys::BRAKE_QUARANTINE) => parse::<Quarantine>(TREE, key, payload).map(drop),
        Some(keys::BRAKE_REMINDERS) => parse::<BTreeMap<Digest, Moment>>(TREE, key, payload).map(drop),
        Some(keys::BRAKE_TRIAL) => parse::<Trial>(TREE, key, payload).map(drop),
        Some(keys::BRAKE_SPENT) => keys::digest_of(key).map(drop).map_err(|why| damaged(TREE, key, why)),
        Some(_) | None => Err(damaged(TREE, key, "its kind is unknown")),
    }
}

impl SledLedger {
    fn one<T: Stored + Default>(&self, app: &AppName, kind: u8) -> Result<T, LedgerFault> {
        Ok(self.read(TREE, &keys::brake(app, kind))?.unwrap_or_default())
    }

    fn keep_one<T: Stored>(&mut self, app: &AppName, kind: u8, value: &T) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(TREE, keys::brake(app, kind), &records::write(value)?)?;
        self.commit(draft)
    }
}

impl BrakeLedger for SledLedger {
    fn tally(&self, app: &AppName) -> Result<Tally, LedgerFault> {
        self.one(app, keys::BRAKE_TALLY)
    }

    fn keep_tally(&mut self, app: &AppName, tally: &Tally) -> Result<(), LedgerFault> {
        self.keep_one(app, keys::BRAKE_TALLY, tally)
    }

    fn missing(&self, app: &AppName) -> Result<BTreeSet<PersonId>, LedgerFault> {
        self.one(app, keys::BRAKE_MISSING)
    }

    fn keep_missing(&mut self, app: &AppName, missing: &BTreeSet<PersonId>) -> Result<(), LedgerFault> {
        self.keep_one(app, keys::BRAKE_MISSING, missing)
    }

    fn spent(&self, app: &AppName) -> Result<BTreeSet<Digest>, LedgerFault> {
        self.keys_below(TREE, &keys::brake(app, keys::BRAKE_SPENT), keys::digest_of)
    }

    fn spend(&mut self, app: &AppName, digest: &Digest) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(TREE, keys::spent(app, digest), &[])?;
        self.commit(draft)
    }

    fn trials(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trial>, LedgerFault> {
        self.gather(TREE, &keys::brake(app, keys::BRAKE_TRIAL), keys::trial_person)
    }

    fn keep_trials(&mut self, app: &AppName, trials: &BTreeMap<PersonId, Trial>) -> Result<(), LedgerFault> {
        let mut draft = self.clearing(&[(TREE, keys::brake(app, keys::BRAKE_TRIAL))])?;
        for (person, trial) in trials {
            draft.put(TREE, keys::trial(app, person), &records::write(trial)?)?;
        }
        self.commit(draft)
    }

    fn quarantine(&self, app: &AppName) -> Result<Option<Quarantine>, LedgerFault> {
        self.read(TREE, &keys::brake(app, keys::BRAKE_QUARANTINE))
    }

    fn keep_quarantine(&mut self, app: &AppName, quarantine: Option<&Quarantine>) -> Result<(), LedgerFault> {
        let Some(quarantine) = quarantine else {
            let mut draft = Draft::default();
            draft.remove(TREE, keys::brake(app, keys::BRAKE_QUARANTINE));
            return self.commit(draft);
        };
        self.keep_one(app, keys::BRAKE_QUARANTINE, quarantine)
    }

    fn reminders(&self, app: &AppName) -> Result<BTreeMap<Digest, Moment>, LedgerFault> {
        self.one(app, keys::BRAKE_REMINDERS)
    }

    fn keep_reminders(&mut self, app: &AppName, reminders: &BTreeMap<Digest, Moment>) -> Result<(), LedgerFault> {
        self.keep_one(app, keys::BRAKE_REMINDERS, reminders)
    }
}
