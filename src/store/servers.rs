//! The servers of each directory in the store.

use std::collections::BTreeMap;

use super::ledger::SledLedger;
use super::sealed::Tree;
use super::vault::Draft;
use super::{keys, records};
use crate::domain::id::{AppName, DirectoryName, Malformed};
use crate::domain::server::Acquaintance;
use crate::engine::ports::{LedgerFault, ServerLedger};

/// Trees, the last replica, replicas, names of servers, and changes by context and provider.
type AcquaintanceRecord = (
    BTreeMap<String, Option<String>>,
    String,
    BTreeMap<String, u64>,
    BTreeMap<String, String>,
    Vec<(String, String, String)>,
);

impl records::Stored for Acquaintance {
    type Record = AcquaintanceRecord;

    fn record(&self) -> Self::Record {
        let csn =
            |((context, provider), csn): (&(String, String), &String)| (context.clone(), provider.clone(), csn.clone());
        let csns = self.csns.iter().map(csn).collect();
        (self.trees.clone(), self.last.clone(), self.replicas.clone(), self.names.clone(), csns)
    }

    fn restore((trees, last, replicas, names, csns): Self::Record) -> Result<Self, Malformed> {
        let csns = csns.into_iter().map(|(context, provider, csn)| ((context, provider), csn)).collect();
        Ok(Self { trees, last, replicas, names, csns })
    }
}

impl ServerLedger for SledLedger {
    fn acquaintance(&self, directory: &DirectoryName) -> Result<Option<Acquaintance>, LedgerFault> {
        self.read(Tree::Meta, &keys::servers(directory))
    }

    fn acquaint(&mut self, directory: &DirectoryName, known: Option<&Acquaintance>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        match known {
            Some(known) => draft.put(Tree::Meta, keys::servers(directory), &records::write(known)?)?,
            None => draft.remove(Tree::Meta, keys::servers(directory)),
        }
        self.commit(draft)
    }

    fn redirect(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::redirected(app), &[])?;
        draft.remove(Tree::Meta, keys::settled(app));
        self.commit(draft)
    }
}
