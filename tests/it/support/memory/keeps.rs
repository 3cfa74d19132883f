//! Keeps in memory.

use std::collections::BTreeMap;

use zendesk_dirsync::domain::id::{AppName, PersonId};
use zendesk_dirsync::domain::keep::Keep;
use zendesk_dirsync::engine::ports::{KeepLedger, LedgerFault};

use super::MemoryLedger;

impl KeepLedger for MemoryLedger {
    fn keeps(&self, app: &AppName) -> Result<BTreeMap<PersonId, Keep>, LedgerFault> {
        Ok(self.with(|state| state.keeps.get(app).cloned().unwrap_or_default()))
    }

    fn keep(&mut self, app: &AppName, person: &PersonId, keep: Option<&Keep>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            let keeps = state.keeps.entry(app.clone()).or_default();
            match keep {
                Some(keep) => keeps.insert(person.clone(), keep.clone()),
                None => keeps.remove(person),
            };
            Ok(())
        })
    }
}
