//! The servers of each directory, of a ledger in memory.

use zendesk_dirsync::domain::id::{AppName, DirectoryName};
use zendesk_dirsync::domain::server::Acquaintance;
use zendesk_dirsync::engine::ports::{LedgerFault, ServerLedger};

use super::ledger::MemoryLedger;
use super::lock;

impl ServerLedger for MemoryLedger {
    fn acquaintance(&self, directory: &DirectoryName) -> Result<Option<Acquaintance>, LedgerFault> {
        Ok(lock(&self.state).servers.get(directory).cloned())
    }

    fn acquaint(&mut self, directory: &DirectoryName, known: Option<&Acquaintance>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            match known {
                Some(known) => drop(state.servers.insert(directory.clone(), known.clone())),
                None => drop(state.servers.remove(directory)),
            }
            Ok(())
        })
    }

    fn redirect(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.redirected.insert(app.clone());
            state.accepted.remove(app);
            Ok(())
        })
    }
}
