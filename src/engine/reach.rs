//! Which groups a set of rules leads to, in a read that is heard with several sets.
//!
//! A group that only other rules name holds nobody for these ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::EntryId;
use crate::domain::scope::{ReadEnd, Resolved, Sighting};

/// From which positions of the order each group was seen to be reached.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<EntryId, BTreeSet<usize>>);

impl Ways {
    /// Notes the ways to a person.
    pub(super) fn note(&mut self, sighting: &Sighting) {
        for membership in &sighting.memberships {
            for step in &membership.path.0 {
                self.0.entry(step.id).or_default().insert(membership.assignment);
            }
        }
    }

    /// The groups that these positions lead to. One of which nothing shows by which way it was reached counts for all.
    pub(super) fn reached(&self, end: &ReadEnd, positions: &BTreeSet<usize>) -> BTreeSet<EntryId> {
        let mut roots: BTreeMap<EntryId, BTreeSet<usize>> = BTreeMap::new();
        for (at, resolved) in end.resolved.iter().enumerate() {
            if let Resolved::Found(id) = resolved {
                roots.entry(*id).or_default().insert(at);
            }
        }
        let leads = |id: &EntryId| {
            let by = [self.0.get(id), roots.get(id)];
            let mut known = by.into_iter().flatten().flatten().peekable();
            known.peek().is_none() || known.any(|at| positions.contains(at))
        };
        end.groups.keys().filter(|id| leads(id)).copied().collect()
    }
}
