//! Which groups a set of rules leads to, in a read that is heard with several sets.
//!
//! A group that only other rules name holds nobody for these ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::EntryId;
use crate::domain::scope::{ReadEnd, Resolved, Sighting};

/// How deep a position of the order leads for a set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Into the groups within the group.
    Nested,
    /// Nowhere but to the group itself: only who is listed in it is held by it.
    Listed,
}

/// From which positions of the order each group was seen to be reached: as the group itself, and as one within it.
#[derive(Debug, Default)]
pub(super) struct Ways {
    listed: BTreeMap<EntryId, BTreeSet<usize>>,
    nested: BTreeMap<EntryId, BTreeSet<usize>>,
}

impl Ways {
    /// Notes the ways to a person.
    pub(super) fn note(&mut self, sighting: &Sighting) {
        for membership in &sighting.memberships {
            for (depth, step) in membership.path.0.iter().enumerate() {
                let ways = if depth == 0 { &mut self.listed } else { &mut self.nested };
                ways.entry(step.id).or_default().insert(membership.assignment);
            }
        }
    }

    /// The groups that these positions lead to. One of which nothing shows by which way it was reached counts for all.
    pub(super) fn reached(&self, end: &ReadEnd, positions: &BTreeMap<usize, Depth>) -> BTreeSet<EntryId> {
        let mut roots: BTreeMap<EntryId, BTreeSet<usize>> = BTreeMap::new();
        for (at, resolved) in end.resolved.iter().enumerate() {
            if let Resolved::Found(id) = resolved {
                roots.entry(*id).or_default().insert(at);
            }
        }
        let leads = |id: &EntryId| {
            let mut listed = [self.listed.get(id), roots.get(id)].into_iter().flatten().flatten().peekable();
            let mut nested = self.nested.get(id).into_iter().flatten().peekable();
            let unseen = listed.peek().is_none() && nested.peek().is_none();
            let within = |at: &usize| positions.get(at) == Some(&Depth::Nested);
            unseen || listed.any(|at| positions.contains_key(at)) || nested.any(within)
        };
        end.groups.keys().filter(|id| leads(id)).copied().collect()
    }
}
