//! The brake: which changes go on, and which wait for a person.
//!
//! It only sorts. Changes of a class past its limit wait together; what is held doesn't stop the rest.

mod limits;
mod reason;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Class};
use super::edit::Edit;
use super::id::{AppName, Digest, Digester, PersonId};
use super::plan::Plan;
use super::trial::Deferral;

pub use limits::{Experience, FirstCycle, Limit, Limits};
pub use reason::{HoldReason, Open, Undecided};
pub use window::{Kind, Moment, Tally, Window};

/// Changes that wait together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The app.
    pub app: AppName,
    /// Why.
    pub reason: HoldReason,
    /// What waits.
    pub changes: Vec<Change>,
}

impl Hold {
    /// The id: over the digests of what waits, so that another set is another hold.
    pub fn id(&self) -> Digest {
        Self::id_of(&self.app, &self.reason, self.changes.iter().map(Change::digest).collect())
    }

    /// The id of a hold of changes with these digests.
    pub fn id_of(app: &AppName, reason: &HoldReason, digests: BTreeSet<Digest>) -> Digest {
        let mut digest = Digester::new("hold 1");
        digest.text(app.as_str()).text(reason.code());
        if let HoldReason::Guard(guard) = reason {
            digest.text(&format!("{guard:?}"));
        }
        for one in digests {
            digest.bytes(&one.0);
        }
        digest.finish()
    }
}

/// Changes that may be carried out. Only [`review`] and [`approve_exactly`] make it.
///
/// Invariant: each change is within the limits or was approved by a person, by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedPlan {
    changes: Vec<Change>,
    by_word: BTreeSet<Digest>,
}

impl ApprovedPlan {
    /// The changes, in order.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// The part of it that a test lets through: a cycle for one person. Less is always allowed.
    #[must_use]
    pub fn part(mut self, keep: impl Fn(&Change) -> bool) -> Self {
        self.changes.retain(keep);
        self
    }

    /// The changes, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The digests that go on because a person said so: they don't count over time, and the word is used up by it.
    pub const fn by_word(&self) -> &BTreeSet<Digest> {
        &self.by_word
    }
}

/// What a review comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What goes on.
    pub approved: ApprovedPlan,
    /// What waits for a person.
    pub held: Vec<Hold>,
    /// What failed before and isn't tried in this cycle, by digest.
    pub deferred: BTreeMap<Digest, Deferral>,
}

/// What a review looks at beside the plan. More is added by a field here and one in [`Bench::of`].
#[derive(Debug, Clone)]
pub struct Bench {
    /// The limits.
    pub limits: Limits,
    /// Whether the app had a cycle before.
    pub experience: Experience,
    /// Digests that a person approved.
    pub approvals: BTreeSet<Digest>,
    /// Digests that a person decided against.
    pub rejections: BTreeSet<Digest>,
    /// People of whom something waits that nobody has decided about, though it may be within the limits by now.
    pub undecided: BTreeMap<PersonId, BTreeSet<Open>>,
    /// What failed before and isn't to be tried yet.
    pub deferred: BTreeMap<Digest, Deferral>,
    /// Whom the app changed lately without a person's word.
    pub tally: Tally,
    /// How many managed people went missing from the source since the last complete read.
    pub gone: usize,
    /// What the configuration does differently from the accepted one.
    pub edit: Edit,
}

impl Bench {
    /// A bench with limits on it, and nothing that happened before.
    pub fn of(limits: Limits, experience: Experience) -> Self {
        Self {
            limits,
            experience,
            approvals: BTreeSet::new(),
            rejections: BTreeSet::new(),
            undecided: BTreeMap::new(),
            deferred: BTreeMap::new(),
            tally: Tally::default(),
            gone: 0,
            edit: Edit::default(),
        }
    }

    /// Why a change waits that nobody decided about before, if so.
    fn undecided(&self, change: &Change) -> Option<Undecided> {
        let open = self.undecided.get(&change.person)?;
        let bears = |one: &&Open| match one.why {
            // Somebody who came back isn't held for having left.
            Undecided::Window(window) => Kind::of(change.class) == Some(window.kind()),
            Undecided::Others | Undecided::Moved | Undecided::Expired => one.matter == change.action.matter(),
        };
        open.iter().find(bears).map(|one| one.why)
    }

    /// Why a change waits whatever there is beside it.
    fn alone(&self, change: &Change, digest: &Digest, population: usize) -> Option<HoldReason> {
        // Before all else: what somebody decided against mustn't come back among what others are asked to agree to, and a
        // saved plan shows it as that.
        if self.rejections.contains(digest) {
            return Some(HoldReason::Rejected);
        }
        if let Some(guard) = &change.guard {
            return Some(HoldReason::Guard(guard.clone()));
        }
        if self.edit.brings(change) {
            let Edit { adds, changes, removes, of, .. } = self.edit;
            return Some(HoldReason::Edit { adds, changes, removes, of });
        }
        if change.class == Class::Link {
            return None;
        }
        if let Some(undecided) = self.undecided(change) {
            return Some(HoldReason::Undecided(undecided));
        }
        match (self.experience, self.limits.first_cycle) {
            (Experience::First, FirstCycle::Hold) => return Some(HoldReason::FirstCycle),
            (Experience::Replaced, _) => return Some(HoldReason::StoreReplaced),
            (Experience::Doubted, _) => return Some(HoldReason::OtherCopy),
            (Experience::Redirected, _) => return Some(HoldReason::OtherServer),
            (Experience::First, FirstCycle::Apply) | (Experience::Settled, _) => {}
        }
        let limit = self.limits.source_gone.people(population);
        (Kind::of(change.class) == Some(Kind::Removals) && self.gone > limit).then_some(HoldReason::SourceGone {
            gone: self.gone,
            limit,
            population,
        })
    }

    /// Whether a change counts towards the limits of a cycle. What was approved does: letting one go on must not let the
    /// others through below the limit. What waits by itself doesn't, nor what an edit brings: that waits as a whole, and
    /// must not hold what has nothing to do with it.
    fn counts(&self, change: &Change, digest: &Digest) -> bool {
        let waits = change.guard.is_some() || self.rejections.contains(digest);
        let undecided = self.undecided(change).is_some() || self.edit.brings(change);
        !waits && (self.approvals.contains(digest) || !undecided)
    }
}

/// Lets go on what a person approved as a saved plan: the changes of `plan` with exactly these digests, whatever the
/// limits and guards say, because the person saw them. Nothing else goes on; what waits beside them stays held.
pub fn approve_exactly(plan: &Plan, held: Vec<Hold>, digests: &BTreeSet<Digest>) -> Review {
    let approved = |change: &Change| digests.contains(&change.digest());
    let changes: Vec<Change> = plan.changes.iter().filter(|change| approved(change)).cloned().collect();
    let still = |hold: Hold| {
        let bare = hold.changes.is_empty();
        let changes: Vec<Change> = hold.changes.into_iter().filter(|change| !approved(change)).collect();
        (bare || !changes.is_empty()).then_some(Hold { changes, ..hold })
    };
    let by_word = changes.iter().map(Change::digest).collect();
    let held = held.into_iter().filter_map(still).collect();
    Review { approved: ApprovedPlan { changes, by_word }, held, deferred: BTreeMap::new() }
}

/// Sorts a plan into what goes on, what waits, and what is tried later.
pub fn review(plan: &Plan, bench: &Bench) -> Review {
    let population = plan.population;
    let limits = &bench.limits;
    let mut deferred = BTreeMap::new();
    let mut changes: Vec<(&Change, Digest)> = Vec::with_capacity(plan.changes.len());
    for change in &plan.changes {
        let digest = change.digest();
        match bench.deferred.get(&digest) {
            Some(deferral) => drop(deferred.insert(digest, *deferral)),
            None => changes.push((change, digest)),
        }
    }
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    for (change, _) in changes.iter().filter(|(change, digest)| bench.counts(change, digest)) {
        *counts.entry(change.class).or_default() += 1;
    }
    let past_limit = |change: &Change| {
        let limit = match change.class {
            Class::RemovalShown => limits.shown,
            Class::RemovalByAbsence => limits.absence,
            Class::TakesOrRaises => limits.takes_or_raises,
            Class::Creation => limits.creations,
            Class::Plain => limits.updates,
            Class::Link => return None,
        }
        .people(population);
        let count = counts.get(&change.class).copied().unwrap_or_default();
        (count > limit).then_some(HoldReason::Limit { class: change.class, limit, population })
    };
    let mut reasons: Vec<Option<HoldReason>> = Vec::with_capacity(changes.len());
    for (change, digest) in &changes {
        let approved = bench.approvals.contains(digest);
        let reason = (!approved).then(|| bench.alone(change, digest, population).or_else(|| past_limit(change)));
        reasons.push(reason.flatten());
    }
    hold_past_windows(&changes, &mut reasons, bench, population);
    let mut approved = ApprovedPlan { changes: Vec::new(), by_word: BTreeSet::new() };
    let mut held: BTreeMap<HoldReason, Vec<Change>> = BTreeMap::new();
    for ((change, digest), reason) in changes.into_iter().zip(reasons) {
        match reason {
            Some(reason) => held.entry(reason).or_default().push(change.clone()),
            None => {
                approved.changes.push(change.clone());
                if bench.approvals.contains(&digest) {
                    approved.by_word.insert(digest);
                }
            }
        }
    }
    let hold = |(reason, changes)| Hold { app: plan.app.clone(), reason, changes };
    Review { approved, held: held.into_iter().map(hold).collect(), deferred }
}

/// Holds all that would go on without a person's word and would be too much over time.
fn hold_past_windows(
    changes: &[(&Change, Digest)],
    reasons: &mut [Option<HoldReason>],
    bench: &Bench,
    population: usize,
) {
    for window in Window::ALL {
        let limit = window.limit(&bench.limits).people(population);
        let goes = |(at, reason): (usize, &Option<HoldReason>)| {
            let (change, digest) = &changes[at];
            let counts = Kind::of(change.class) == Some(window.kind());
            (counts && reason.is_none() && !bench.approvals.contains(digest)).then_some(at)
        };
        let going: Vec<usize> = reasons.iter().enumerate().filter_map(goes).collect();
        let mut people = bench.tally.used(window);
        people.extend(going.iter().map(|at| &changes[*at].0.person));
        if people.len() > limit {
            let reason = HoldReason::Window { window, people: people.len(), limit };
            going.into_iter().for_each(|at| reasons[at] = Some(reason.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
