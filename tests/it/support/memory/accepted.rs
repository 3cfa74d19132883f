//! The accepted configurations of a ledger in memory.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::id::{AppName, DirectoryName};
use zendesk_dirsync::engine::ports::{AcceptedLedger, LedgerFault};

use super::ledger::MemoryLedger;
use super::lock;

impl AcceptedLedger for MemoryLedger {
    fn accepted(&self) -> Result<BTreeMap<AppName, String>, LedgerFault> {
        Ok(lock(&self.state).configurations.clone())
    }

    fn keep_accepted(&mut self, app: &AppName, text: &str) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.configurations.insert(app.clone(), text.to_owned());
            Ok(())
        })
    }

    fn directories(&self, app: &AppName) -> Result<BTreeSet<DirectoryName>, LedgerFault> {
        let state = lock(&self.state);
        let mine = state.accounts.keys().filter(|(of, _)| of == app);
        Ok(mine.map(|(_, person)| person.directory.clone()).collect())
    }

    fn populations(&self) -> Result<BTreeMap<AppName, usize>, LedgerFault> {
        let mut populations = BTreeMap::new();
        for ((app, _), known) in &lock(&self.state).accounts {
            *populations.entry(app.clone()).or_default() += usize::from(known.standing.in_use());
        }
        Ok(populations)
    }
}
