//! Keeps in the store.

use std::collections::BTreeMap;

use super::ledger::SledLedger;
use super::sealed::Tree;
use super::vault::Draft;
use super::{keys, records};
use crate::domain::id::{AppName, PersonId};
use crate::domain::keep::Keep;
use crate::engine::ports::{KeepLedger, LedgerFault};

impl KeepLedger for SledLedger {
    fn keeps(&self, app: &AppName) -> Result<BTreeMap<PersonId, Keep>, LedgerFault> {
        self.gather(Tree::Keeps, &keys::app(app), keys::person_of)
    }

    fn keep(&mut self, app: &AppName, person: &PersonId, keep: Option<&Keep>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        let key = keys::person(app, person);
        match keep {
            Some(keep) => draft.put(Tree::Keeps, key, &records::write(keep)?)?,
            None => draft.remove(Tree::Keeps, key),
        }
        self.commit(draft)
    }
}
