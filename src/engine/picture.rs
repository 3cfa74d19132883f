//! Picturing: while a complete read is heard, what differs from the image that the store keeps.
//!
//! Only that is held in memory; of everybody else an id is enough.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{Digest, EntryId};
use crate::domain::image::{ImageHead, Portrait};
use crate::domain::scope::Sight;

use super::cycle::Prepared;
use super::ports::{ImageLedger as _, Ledger as _, LedgerFault};
use super::{Abort, Engine, Ports};

/// What a read showed that the store doesn't know yet.
#[derive(Debug, Default)]
pub(super) struct Picture {
    kept: BTreeMap<EntryId, Digest>,
    seen: BTreeSet<EntryId>,
    changed: Vec<(EntryId, Portrait)>,
}

impl Picture {
    /// A picture over the image that is kept.
    pub(super) fn over(kept: BTreeMap<EntryId, Digest>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Notes what the read came upon. Of an entry without an id nothing can be kept.
    pub(super) fn note(&mut self, sight: &Sight) {
        match sight {
            Sight::Person(sighting) => {
                let mut paths: Vec<_> = sighting.memberships.iter().map(|one| one.path.clone()).collect();
                paths.sort();
                paths.dedup();
                let (entry, state) = (sighting.entry.clone(), sighting.state.clone());
                self.add(sighting.entry.id, Portrait::Held { entry, state, paths });
            }
            Sight::Unreadable { id: Some(id), why } => self.add(*id, Portrait::Unreadable { why: why.clone() }),
            Sight::Unreadable { id: None, .. } => {}
        }
    }

    fn add(&mut self, id: EntryId, portrait: Portrait) {
        if self.seen.insert(id) && self.kept.get(&id) != Some(&portrait.digest()) {
            self.changed.push((id, portrait));
        }
    }

    fn gone(&self) -> BTreeSet<EntryId> {
        self.kept.keys().filter(|id| !self.seen.contains(id)).copied().collect()
    }
}

impl<P: Ports> Engine<P> {
    /// Keeps what this cycle's complete reads showed, and the names at Zendesk.
    pub(super) fn keep_pictures(&mut self, prepared: &mut Prepared) -> Result<(), Abort> {
        let complete: Vec<_> =
            prepared.wholes.keys().filter(|name| !prepared.faults.contains_key(*name)).cloned().collect();
        for name in complete {
            let Some(whole) = prepared.wholes.get_mut(&name) else { continue };
            let mut picture = std::mem::take(&mut whole.picture);
            let answers = prepared.looked_up.iter().filter(|((person, _), _)| person.directory == name);
            let mut looked_up: BTreeMap<EntryId, Vec<_>> = BTreeMap::new();
            for ((person, groups), presence) in answers {
                looked_up.entry(person.entry).or_default().push((groups.clone(), presence.clone()));
            }
            for (entry, answers) in looked_up {
                picture.add(entry, Portrait::LookedUp(answers));
            }
            let end = whole.read.end();
            let roots = whole.question.keys.iter().map(|key| key.text.clone()).zip(end.resolved.iter().cloned());
            let head = ImageHead {
                taken: whole.question.order.now,
                server: end.server.name.clone(),
                scope: self.configuration.scopes.get(&name).copied().unwrap_or(Digest([0; 32])),
                attributes: whole.question.order.attributes.clone(),
                roots: roots.collect(),
                groups: end.groups.clone(),
            };
            self.ledger.keep_image(&name, &head, &picture.changed, &picture.gone())?;
        }
        for (app, catalog) in std::mem::take(&mut prepared.catalogs) {
            self.keep_names(&app, &catalog)?;
        }
        Ok(())
    }

    fn keep_names(
        &mut self,
        app: &crate::domain::id::AppName,
        catalog: &crate::domain::account::Catalog,
    ) -> Result<(), LedgerFault> {
        if self.ledger.catalog(app)?.as_ref() == Some(catalog) {
            return Ok(());
        }
        tracing::debug!(app = %app, serial = self.ledger.serial(), "names at Zendesk kept");
        self.ledger.keep_catalog(app, catalog)
    }
}
