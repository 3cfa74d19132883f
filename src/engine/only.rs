//! A cycle for one person: whom the name fits. One that fits nobody, or several, is refused before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::brake::Review;
use crate::domain::change::Change;
use crate::domain::id::{Digest, Email, PersonId};
use crate::domain::plan::Plan;

use super::apply::Run;
use super::command::Reply;
use super::cycle::Prepared;
use super::naming::{Someone, one};
use super::{CycleReport, Ending, Engine, Ports};

/// Everybody of this name in a plan.
pub(super) fn planned(plan: &Plan, user: &str) -> Vec<Someone> {
    let someone = |person: &PersonId, email: &str, name: &str| Someone {
        app: plan.app.clone(),
        person: person.clone(),
        user: email.to_owned(),
        name: name.to_owned(),
        account: None,
    };
    let text = |email: &Option<Email>| email.as_ref().map(ToString::to_string).unwrap_or_default();
    let changes = plan.changes.iter().map(|one| someone(&one.person, one.email.as_str(), &one.name));
    let conflicts = plan.conflicts.iter().map(|one| someone(&one.person, one.user.as_str(), &one.name));
    let rejected = plan.rejected.iter().map(|one| (&one.person, &one.user, &one.name));
    let kept = plan.kept.iter().map(|one| (&one.person, &one.user, &one.name));
    let named = |(person, user, name): (_, _, &Option<String>)| {
        someone(person, &text(user), name.as_deref().unwrap_or_default())
    };
    let all = changes.chain(conflicts).chain(rejected.chain(kept).map(named));
    all.filter(|one| one.is(user)).collect()
}

/// One person's part of a plan; `people` is whom the name fits. The brake has looked at the whole: one by one is no way
/// around a limit.
pub(super) fn narrow(mut plan: Plan, review: Review, people: &BTreeSet<PersonId>) -> (Plan, Review) {
    let is = |person: &PersonId| people.contains(person) || crate::planted("one is everybody");
    let wanted = |change: &Change| is(&change.person);
    plan.changes.retain(wanted);
    plan.conflicts.retain(|one| is(&one.person));
    plan.rejected.retain(|one| is(&one.person));
    plan.waiting.retain(|one| is(&one.known.person));
    plan.kept.retain(|one| people.contains(&one.person));
    plan.unkept.retain(|person| people.contains(person));
    plan.refreshed.retain(|known| people.contains(&known.person));
    let Review { approved, held, mut deferred } = review;
    let held = held.into_iter().filter(|hold| hold.changes.is_empty() || hold.changes.iter().any(wanted)).collect();
    let digests: BTreeSet<Digest> = plan.changes.iter().map(Change::digest).collect();
    deferred.retain(|digest, _| digests.contains(digest));
    (plan, Review { approved: approved.part(wanted), held, deferred })
}

impl Prepared {
    /// Why a cycle for one person can't be run: nobody is named so, or several are.
    fn misnamed(&self, user: &str) -> Option<Reply> {
        // Whoever isn't seen may be in a directory or an app that didn't answer.
        let whole = self.faults.is_empty() && self.apps.iter().all(|part| part.result.is_ok());
        if self.named.is_empty() && !whole {
            return None;
        }
        let hint = "people are named by mail, name or immutable id";
        one(user, self.named.clone(), ("who is managed or in an assigned group", hint)).err()
    }
}

impl<P: Ports> Engine<P> {
    /// The report of a cycle that wasn't run, because its name fits nobody or several.
    pub(super) fn misnamed(&self, prepared: &Prepared, only: Option<&str>, run: &Run<'_>) -> Option<CycleReport> {
        let refusal = prepared.misnamed(only?)?;
        let summary = self.summary(&run.cycle, run.now, Ending::Failed, BTreeMap::new(), prepared.faults.is_empty());
        let (faults, plans) = (prepared.faults.clone(), BTreeMap::new());
        Some(CycleReport { ending: Ending::Failed, summary, faults, plans, moved: None, refusal: Some(refusal) })
    }
}
