//! What people ordered by hand, in memory.

use zendesk_dirsync::domain::account::KnownAccount;
use zendesk_dirsync::domain::id::{AppName, PersonId};
use zendesk_dirsync::domain::pause::{Pause, Pauses};
use zendesk_dirsync::engine::ports::{HandLedger, Label, LedgerFault};

use super::MemoryLedger;

impl HandLedger for MemoryLedger {
    fn pauses(&self) -> Result<Pauses, LedgerFault> {
        Ok(self.with(|state| state.pauses.clone()))
    }

    fn pause(&mut self, app: Option<&AppName>, pause: Option<&Pause>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            match pause {
                Some(pause) => state.pauses.0.insert(app.cloned(), pause.clone()),
                None => state.pauses.0.remove(&app.cloned()),
            };
            Ok(())
        })
    }

    fn label(&self, app: &AppName, person: &PersonId) -> Result<Option<Label>, LedgerFault> {
        Ok(self.with(|state| state.labels.get(&(app.clone(), person.clone())).cloned()))
    }

    fn set_label(&mut self, app: &AppName, person: &PersonId, label: Option<&Label>) -> Result<(), LedgerFault> {
        let key = (app.clone(), person.clone());
        self.mutate(|state| {
            match label {
                Some(label) => state.labels.insert(key, label.clone()),
                None => state.labels.remove(&key),
            };
            Ok(())
        })
    }

    fn tie(&mut self, app: &AppName, known: &KnownAccount) -> Result<(), LedgerFault> {
        let key = (app.clone(), known.person.clone());
        self.mutate(|state| {
            state.revision += 1;
            state.keeps.entry(app.clone()).or_default().remove(&known.person);
            state.labels.remove(&key);
            state.accounts.insert(key, known.clone());
            Ok(())
        })
    }
}
