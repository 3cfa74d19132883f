//! The part of the store that remembers what was last seen outside, so that a plan can be made without a network.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Catalog;
use crate::domain::id::{AppName, Digest, DirectoryName, EntryId};
use crate::domain::image::{ImageHead, Portrait};

use super::LedgerFault;

/// What the store remembers of the outside.
pub trait ImageLedger {
    /// What the last complete read of a directory was asked and came to.
    fn image(&self, directory: &DirectoryName) -> Result<Option<ImageHead>, LedgerFault>;

    /// The digest of every portrait of a directory.
    fn portrait_digests(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Digest>, LedgerFault>;

    /// Every portrait of a directory.
    fn portraits(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Portrait>, LedgerFault>;

    /// Keeps a complete read: portraits that differ from what is kept, and entries that aren't seen any more.
    fn keep_image(
        &mut self,
        directory: &DirectoryName,
        head: &ImageHead,
        changed: &[(EntryId, Portrait)],
        gone: &BTreeSet<EntryId>,
    ) -> Result<(), LedgerFault>;

    /// Zendesk's named things as an app last saw them.
    fn catalog(&self, app: &AppName) -> Result<Option<Catalog>, LedgerFault>;

    /// Keeps them.
    fn keep_catalog(&mut self, app: &AppName, catalog: &Catalog) -> Result<(), LedgerFault>;
}
