//! The revision of what the store knows: raised in the same step as whatever it counts.

use uuid::Uuid;

use super::keys;
use super::ledger::SledLedger;
use super::records::{self, Stored};
use super::sealed::Tree;
use super::vault::Draft;
use crate::domain::account::KnownAccount;
use crate::domain::id::Malformed;
use crate::engine::ports::{LedgerFault, Revision, Revisions};

impl Stored for Revision {
    type Record = (String, u64);

    fn record(&self) -> Self::Record {
        (self.store.clone(), self.number)
    }

    fn restore((store, number): Self::Record) -> Result<Self, Malformed> {
        Ok(Self { store, number })
    }
}

impl Revisions for SledLedger {
    fn revision(&self) -> Result<Revision, LedgerFault> {
        // A store of an earlier release has none: it begins with the next change.
        Ok(self.read(Tree::Meta, keys::REVISION)?.unwrap_or_default())
    }
}

impl SledLedger {
    /// Raises the revision in this step; twice in one step raises it once.
    pub(super) fn revise(&self, draft: &mut Draft) -> Result<(), LedgerFault> {
        let Revision { store, number } = self.revision()?;
        // The name only has to differ from that of any other store.
        let store = if store.is_empty() { Uuid::new_v4().simple().to_string() } else { store };
        let next = Revision { store, number: number.saturating_add(1) };
        draft.put(Tree::Meta, keys::REVISION.to_vec(), &records::write(&next)?)
    }
}

/// Whether something is known otherwise that plans are made from, or undone by. Where the entry was seen, the ways to it
/// and the notes of a cycle are bookkeeping.
pub(super) fn is_other(before: Option<&KnownAccount>, now: &KnownAccount) -> bool {
    let Some(before) = before else { return true };
    let kept = |known: &KnownAccount| {
        let KnownAccount { account, standing, written, given_groups, given_tags, adopted_role, .. } = known.clone();
        (account, standing, written, given_groups, given_tags, adopted_role)
    };
    kept(before) != kept(now)
}
