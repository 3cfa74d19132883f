//! Which configuration people last agreed to, and whose accounts are managed whether they are configured or not.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::SledLedger;
use super::sealed::{Tree, damaged};
use super::vault::Draft;
use super::{keys, records};
use crate::domain::id::{AppName, DirectoryName, Malformed};
use crate::engine::ports::{AcceptedLedger, LedgerFault};

impl AcceptedLedger for SledLedger {
    fn accepted(&self) -> Result<BTreeMap<AppName, String>, LedgerFault> {
        let mut texts = BTreeMap::new();
        self.vault.each(Tree::Meta, keys::ACCEPTED, |key, payload| {
            let wrong = |why: Malformed| damaged(Tree::Meta, key, why);
            texts.insert(keys::accepted_app(key).map_err(wrong)?, records::read(payload).map_err(wrong)?);
            Ok(())
        })?;
        Ok(texts)
    }

    fn keep_accepted(&mut self, app: &AppName, text: &str) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::accepted(app), &records::write(&text.to_owned())?)?;
        self.commit(draft)
    }

    fn directories(&self, app: &AppName) -> Result<BTreeSet<DirectoryName>, LedgerFault> {
        let prefix = keys::app(app);
        let mut found = BTreeSet::new();
        let mut from = prefix.clone();
        // From one directory to the next, past all of its people.
        while let Some(key) = self.vault.first_key(Tree::Fingerprints, &prefix, &from)? {
            let wrong = |why: Malformed| damaged(Tree::Fingerprints, &key, why);
            let directory = keys::directory_of(&key).map_err(wrong)?;
            from = keys::after_directory(app, &directory);
            found.insert(directory);
        }
        Ok(found)
    }

    fn populations(&self) -> Result<BTreeMap<AppName, usize>, LedgerFault> {
        let named = |(app, count): (&String, &usize)| {
            let app = AppName::new(app).map_err(|why| LedgerFault::Damaged(why.to_string()))?;
            Ok((app, *count))
        };
        self.population.iter().map(named).collect()
    }
}
