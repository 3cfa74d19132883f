//! What an edited configuration does differently: the changes of a plan that the plan under the accepted configuration,
//! made from the same moment, doesn't have.
//!
//! It only compares. That these changes wait is the brake's part.

use std::collections::BTreeSet;

use super::change::{Action, Change, Confirm};
use super::id::{Digest, DirectoryName, PersonId};
use super::plan::Plan;

/// What is known of the configuration that was accepted before.
#[derive(Debug, Clone, Copy)]
pub enum Before<'a> {
    /// None was accepted yet, or it decides just the same.
    Same,
    /// It decides otherwise.
    Other {
        /// What it would do now, of the people for whom the present one would do something.
        plan: &'a Plan,
        /// Directories for which nobody can say what it would do: they are read in another way now.
        blind: &'a BTreeSet<DirectoryName>,
        /// People who had a trouble before: theirs isn't the edit's.
        troubled: &'a BTreeSet<PersonId>,
    },
}

/// What an edit does differently.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// The changes that it brings.
    pub digests: BTreeSet<Digest>,
    /// Accounts that it makes or gives back.
    pub adds: usize,
    /// Accounts that it changes.
    pub changes: usize,
    /// Accounts that it takes away.
    pub removes: usize,
    /// How many accounts are managed and active.
    pub of: usize,
    /// People who can't be mapped or tied to an account because of it.
    pub upsets: usize,
    /// People whose removal because of it waits for a second look, or of whom nothing could be read.
    pub pending: usize,
}

impl Edit {
    /// Compares a plan with what the accepted configuration would do.
    pub fn of(plan: &Plan, before: Before<'_>) -> Self {
        let mut edit = Self { of: plan.population, ..Self::default() };
        let known: BTreeSet<Digest> = match before {
            Before::Same => BTreeSet::new(),
            Before::Other { plan, .. } => plan.changes.iter().map(Change::digest).collect(),
        };
        let differs = |change: &Change| match before {
            _ if change.confirm == Confirm::Configuration => true,
            Before::Same => false,
            Before::Other { blind, .. } => {
                blind.contains(&change.person.directory) || !known.contains(&change.digest())
            }
        };
        for change in plan.changes.iter().filter(|change| differs(change)) {
            edit.digests.insert(change.digest());
            match change.action {
                Action::Provision | Action::Reactivate | Action::Link | Action::Adopt => edit.adds += 1,
                Action::Update => edit.changes += 1,
                Action::Deprovision | Action::Release => edit.removes += 1,
            }
        }
        if let Before::Other { plan: former, blind, troubled } = before {
            let upset_before: BTreeSet<&PersonId> = troubled_in(former).collect();
            let upset = |person: &&PersonId| {
                let known = if blind.contains(&person.directory) {
                    troubled.contains(*person)
                } else {
                    upset_before.contains(*person)
                };
                !known
            };
            edit.upsets = troubled_in(plan).filter(upset).count();
            let waited: BTreeSet<&PersonId> = former.waiting.iter().map(|one| &one.known.person).collect();
            let waits = |person: &&PersonId| blind.contains(&person.directory) || !waited.contains(*person);
            // What the edit does for whom nothing can be read of, nobody knows yet.
            let unread = plan.rejected.iter().filter(|one| one.why.is_of_reading()).count();
            edit.pending = unread + plan.waiting.iter().map(|one| &one.known.person).filter(waits).count();
        }
        edit
    }

    /// Whether a change is the edit's doing.
    pub fn brings(&self, change: &Change) -> bool {
        self.digests.contains(&change.digest())
    }

    /// Whether it does anything differently.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }
}

fn troubled_in(plan: &Plan) -> impl Iterator<Item = &PersonId> {
    plan.rejected.iter().map(|one| &one.person).chain(plan.conflicts.iter().map(|one| &one.person))
}
