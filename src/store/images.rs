//! Images in the store: what complete reads showed, and the names at Zendesk.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::SledLedger;
use super::sealed::{Tree, damaged};
use super::vault::Draft;
use super::{keys, records};
use crate::domain::account::Catalog;
use crate::domain::id::{AppName, Digest, DirectoryName, EntryId};
use crate::domain::image::{ImageHead, Portrait};
use crate::engine::ports::{ImageLedger, LedgerFault};

/// So many portraits are kept in one step, so that memory does not grow with the directory.
const STEP_PORTRAITS: usize = 2_000;

impl ImageLedger for SledLedger {
    fn image(&self, directory: &DirectoryName) -> Result<Option<ImageHead>, LedgerFault> {
        self.read(Tree::Meta, &keys::image(directory))
    }

    fn portrait_digests(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Digest>, LedgerFault> {
        let mut digests = BTreeMap::new();
        let tree = Tree::Marks;
        self.vault.each(tree, &keys::directory(directory), |key, payload| {
            let digest = payload.try_into().map_err(|_| damaged(tree, key, "a digest has 32 bytes"))?;
            digests.insert(keys::entry_of(key).map_err(|why| damaged(tree, key, why))?, Digest(digest));
            Ok(())
        })?;
        Ok(digests)
    }

    fn portraits(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Portrait>, LedgerFault> {
        self.gather(Tree::Portraits, &keys::directory(directory), keys::entry_of)
    }

    fn keep_image(
        &mut self,
        directory: &DirectoryName,
        head: &ImageHead,
        changed: &[(EntryId, Portrait)],
        gone: &BTreeSet<EntryId>,
    ) -> Result<(), LedgerFault> {
        for some in changed.chunks(STEP_PORTRAITS) {
            let mut draft = Draft::default();
            for (entry, portrait) in some {
                let key = keys::group(directory, *entry);
                draft.put(Tree::Portraits, key.clone(), &records::write(portrait)?)?;
                draft.put(Tree::Marks, key, &portrait.digest().0)?;
            }
            self.commit(draft)?;
        }
        for some in gone.iter().collect::<Vec<_>>().chunks(STEP_PORTRAITS) {
            let mut draft = Draft::default();
            for entry in some {
                let key = keys::group(directory, **entry);
                draft.remove(Tree::Portraits, key.clone());
                draft.remove(Tree::Marks, key);
            }
            self.commit(draft)?;
        }
        // Last: an image that broke off says that it is older than it is, never newer.
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::image(directory), &records::write(head)?)?;
        self.commit(draft)
    }

    fn catalog(&self, app: &AppName) -> Result<Option<Catalog>, LedgerFault> {
        self.read(Tree::Meta, &keys::catalog(app))
    }

    fn keep_catalog(&mut self, app: &AppName, catalog: &Catalog) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::catalog(app), &records::write(catalog)?)?;
        self.commit(draft)
    }
}
