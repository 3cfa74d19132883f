//! The images of a ledger in memory.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::account::Catalog;
use zendesk_dirsync::domain::id::{AppName, Digest, DirectoryName, EntryId};
use zendesk_dirsync::domain::image::{ImageHead, Portrait};
use zendesk_dirsync::engine::ports::{ImageLedger, LedgerFault};

use super::ledger::MemoryLedger;
use super::lock;

/// What was last seen outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Images {
    pub heads: BTreeMap<DirectoryName, ImageHead>,
    pub portraits: BTreeMap<DirectoryName, BTreeMap<EntryId, (Digest, Portrait)>>,
    pub catalogs: BTreeMap<AppName, Catalog>,
    /// Portraits that were ever handed over to be kept.
    pub handed_over: usize,
}

impl ImageLedger for MemoryLedger {
    fn image(&self, directory: &DirectoryName) -> Result<Option<ImageHead>, LedgerFault> {
        Ok(lock(&self.state).images.heads.get(directory).cloned())
    }

    fn portrait_digests(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Digest>, LedgerFault> {
        let state = lock(&self.state);
        let portraits = state.images.portraits.get(directory);
        Ok(portraits.into_iter().flatten().map(|(id, (digest, _))| (*id, *digest)).collect())
    }

    fn portraits(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Portrait>, LedgerFault> {
        let state = lock(&self.state);
        let portraits = state.images.portraits.get(directory);
        Ok(portraits.into_iter().flatten().map(|(id, (_, portrait))| (*id, portrait.clone())).collect())
    }

    fn keep_image(
        &mut self,
        directory: &DirectoryName,
        head: &ImageHead,
        changed: &[(EntryId, Portrait)],
        gone: &BTreeSet<EntryId>,
    ) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.images.handed_over += changed.len();
            state.images.heads.insert(directory.clone(), head.clone());
            let portraits = state.images.portraits.entry(directory.clone()).or_default();
            portraits.extend(changed.iter().map(|(id, portrait)| (*id, (portrait.digest(), portrait.clone()))));
            portraits.retain(|id, _| !gone.contains(id));
            Ok(())
        })
    }

    fn catalog(&self, app: &AppName) -> Result<Option<Catalog>, LedgerFault> {
        Ok(lock(&self.state).images.catalogs.get(app).cloned())
    }

    fn keep_catalog(&mut self, app: &AppName, catalog: &Catalog) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.images.catalogs.insert(app.clone(), catalog.clone());
            Ok(())
        })
    }
}
