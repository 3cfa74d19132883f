//! The brake: which changes go on, and which wait for a person.
//!
//! It only sorts. Changes of a class past its limit wait together; what is held doesn't stop the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::change::{Change, Class, Guard};
use super::edit::Edit;
use super::id::{AppName, Digest, Digester};
use super::plan::Plan;

/// A limit: a count of people, or a share of the managed active accounts, whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// People.
    pub count: usize,
    /// Percent of the managed active accounts.
    pub percent: usize,
}

impl Limit {
    /// How many people may change.
    pub const fn people(self, population: usize) -> usize {
        let share = population.saturating_mul(self.percent) / 100;
        if share > self.count { share } else { self.count }
    }
}

/// What waits in an app's first cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstCycle {
    /// Everything but links that change nothing.
    Hold,
    /// Nothing more than in any other cycle.
    Apply,
}

/// The limits of one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Removals that the directory shows outright.
    pub shown: Limit,
    /// Removals because the person isn't there any more.
    pub absence: Limit,
    /// Role changes, lost memberships, cleared fields, other mails.
    pub takes_or_raises: Limit,
    /// New and reactivated accounts.
    pub creations: Limit,
    /// People gone from the source since the last complete read: past it every removal waits.
    pub source_gone: Limit,
    /// The first cycle.
    pub first_cycle: FirstCycle,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shown: Limit { count: 5, percent: 10 },
            absence: Limit { count: 3, percent: 5 },
            takes_or_raises: Limit { count: 5, percent: 10 },
            creations: Limit { count: 20, percent: 20 },
            source_gone: Limit { count: 5, percent: 15 },
            first_cycle: FirstCycle::Hold,
        }
    }
}

/// Whether an app had an accepted cycle before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experience {
    /// This is its first.
    First,
    /// Its store took the place of one that was lost, damaged or newer: everything waits, whatever the settings say.
    Replaced,
    /// It had.
    Settled,
}

/// Why changes wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldReason {
    /// The first cycle of the app.
    FirstCycle,
    /// The store was lost, damaged, or is older than it should be.
    StoreReplaced,
    /// Too many changes of a class.
    Limit {
        /// The class.
        class: Class,
        /// How many may be.
        limit: usize,
        /// Of how many accounts.
        population: usize,
    },
    /// Too much of the source is gone since the last complete read.
    SourceGone {
        /// How many are gone.
        gone: usize,
        /// How many may be.
        limit: usize,
        /// Of how many accounts.
        population: usize,
    },
    /// A fact of a single person or group.
    Guard(Guard),
    /// The configuration was edited, and this is what it does differently from the accepted one.
    Edit {
        /// Accounts that it makes or gives back.
        adds: usize,
        /// Accounts that it changes.
        changes: usize,
        /// Accounts that it takes away.
        removes: usize,
        /// Of how many accounts.
        of: usize,
    },
    /// The app isn't in the configuration any more, and managed accounts are left there.
    AppGone {
        /// The app.
        app: AppName,
        /// How many.
        managed: usize,
    },
    /// A person decided against it.
    Rejected,
}

impl HoldReason {
    /// The name of the reason in plans and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FirstCycle => "first_cycle",
            Self::StoreReplaced => "store_replaced",
            Self::Limit { class: Class::RemovalShown, .. } => "removals_shown",
            Self::Limit { class: Class::RemovalByAbsence, .. } => "removals_by_absence",
            Self::Limit { class: Class::TakesOrRaises, .. } => "takes_or_raises",
            Self::Limit { class: Class::Creation, .. } => "creations",
            Self::Limit { .. } => "limit",
            Self::SourceGone { .. } => "source_gone",
            Self::Guard(Guard::GroupMissing(_)) => "group_missing",
            Self::Guard(Guard::GroupEmptied(_)) => "group_emptied",
            Self::Guard(Guard::GroupUnreached(_)) => "group_unreached",
            Self::Guard(Guard::Unreadable) => "unreadable",
            Self::Guard(Guard::Unproven) => "unproven_account",
            Self::Guard(Guard::MakesAdmin) => "makes_admin",
            Self::Edit { .. } => "edit",
            Self::AppGone { .. } => "app_removed",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstCycle => f.write_str("the first cycle of this app waits for a look"),
            Self::StoreReplaced => f.write_str(
                "the store was lost, damaged, or replaced by an older one: what it would do anew waits for a look",
            ),
            Self::Limit { class, limit, population } => {
                write!(f, "more than {limit} {} in one cycle ({population} accounts are managed)", class.as_str())
            }
            Self::SourceGone { gone, limit, population } => write!(
                f,
                "{gone} of {population} managed people are gone from the directory since the last complete read; more than {limit} is suspicious"
            ),
            Self::Guard(Guard::GroupMissing(name)) => write!(f, "the assigned group {name} can't be found"),
            Self::Guard(Guard::GroupEmptied(name)) => write!(f, "the group {name} held people and now reads empty"),
            Self::Guard(Guard::GroupUnreached(name)) => {
                write!(f, "the group {name}, which held people, is not reached from an assigned group any more")
            }
            Self::Guard(Guard::Unreadable) => f.write_str("the entry can't be read, but a group still names it"),
            Self::Guard(Guard::Unproven) => f.write_str(
                "the account was found by its mail or a template's external_id alone, and no record links it",
            ),
            Self::Guard(Guard::MakesAdmin) => f.write_str("it makes an admin"),
            Self::Edit { adds, changes, removes, of } => {
                write!(f, "this edit adds {adds}, changes {changes}, removes {removes} of {of} accounts")
            }
            Self::AppGone { app, managed: 1 } => write!(
                f,
                "app {app} is not configured any more; its managed account stays as it is: put it back, or release it"
            ),
            Self::AppGone { app, managed } => write!(
                f,
                "app {app} is not configured any more; its {managed} managed accounts stay as they are: put it back, or release them"
            ),
            Self::Rejected => f.write_str("a person decided against it"),
        }
    }
}

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
        let mut digest = Digester::new("hold 1");
        digest.text(self.app.as_str()).text(self.reason.code());
        if let HoldReason::Guard(guard) = &self.reason {
            digest.text(&format!("{guard:?}"));
        }
        let digests: BTreeSet<Digest> = self.changes.iter().map(Change::digest).collect();
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
}

/// What a review comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What goes on.
    pub approved: ApprovedPlan,
    /// What waits.
    pub held: Vec<Hold>,
}

/// What a review looks at beside the plan.
#[derive(Debug, Clone)]
pub struct Bench<'a> {
    /// The limits.
    pub limits: Limits,
    /// Whether the app had a cycle before.
    pub experience: Experience,
    /// Digests that a person approved.
    pub approvals: &'a BTreeSet<Digest>,
    /// Digests that a person decided against.
    pub rejections: &'a BTreeSet<Digest>,
    /// How many managed people are gone from the source since the last complete read.
    pub gone: usize,
    /// What the configuration does differently from the accepted one.
    pub edit: &'a Edit,
}

/// Lets go on what a person approved as a saved plan: the changes of `plan` with exactly these digests, whatever the
/// limits and guards say, because the person saw them. Nothing else goes on; what waits beside them stays held.
pub fn approve_exactly(plan: &Plan, held: Vec<Hold>, digests: &BTreeSet<Digest>) -> Review {
    let approved = |change: &Change| digests.contains(&change.digest());
    let changes = plan.changes.iter().filter(|change| approved(change)).cloned().collect();
    let still = |hold: Hold| {
        let bare = hold.changes.is_empty();
        let changes: Vec<Change> = hold.changes.into_iter().filter(|change| !approved(change)).collect();
        (bare || !changes.is_empty()).then_some(Hold { changes, ..hold })
    };
    Review { approved: ApprovedPlan { changes }, held: held.into_iter().filter_map(still).collect() }
}

/// Sorts a plan into what goes on and what waits.
pub fn review(plan: &Plan, bench: &Bench<'_>) -> Review {
    let population = plan.population;
    let limits = &bench.limits;
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    let approved = |change: &Change| bench.approvals.contains(&change.digest());
    let rejected = |change: &Change| bench.rejections.contains(&change.digest());
    // What was approved counts too: letting one go on must not let the others through below the limit.
    // What an edit brings doesn't: it waits as a whole, and must not hold what has nothing to do with it.
    let edited = |change: &Change| bench.edit.brings(change) && !approved(change);
    let counted = |change: &&Change| change.guard.is_none() && !rejected(change) && !edited(change);
    for change in plan.changes.iter().filter(counted) {
        *counts.entry(change.class).or_default() += 1;
    }
    let gone_limit = limits.source_gone.people(population);
    let reason = |change: &Change| -> Option<HoldReason> {
        if approved(change) {
            return None;
        }
        if let Some(guard) = &change.guard {
            return Some(HoldReason::Guard(guard.clone()));
        }
        if rejected(change) {
            return Some(HoldReason::Rejected);
        }
        if edited(change) {
            let Edit { adds, changes, removes, of, .. } = *bench.edit;
            return Some(HoldReason::Edit { adds, changes, removes, of });
        }
        if change.class == Class::Link {
            return None;
        }
        match (bench.experience, limits.first_cycle) {
            (Experience::First, FirstCycle::Hold) => return Some(HoldReason::FirstCycle),
            (Experience::Replaced, _) => return Some(HoldReason::StoreReplaced),
            (Experience::First, FirstCycle::Apply) | (Experience::Settled, _) => {}
        }
        let removal = matches!(change.class, Class::RemovalShown | Class::RemovalByAbsence);
        if removal && bench.gone > gone_limit {
            return Some(HoldReason::SourceGone { gone: bench.gone, limit: gone_limit, population });
        }
        let limit = match change.class {
            Class::RemovalShown => limits.shown,
            Class::RemovalByAbsence => limits.absence,
            Class::TakesOrRaises => limits.takes_or_raises,
            Class::Creation => limits.creations,
            Class::Plain | Class::Link => return None,
        }
        .people(population);
        let count = counts.get(&change.class).copied().unwrap_or_default();
        (count > limit).then_some(HoldReason::Limit { class: change.class, limit, population })
    };
    let mut changes = Vec::new();
    let mut held: BTreeMap<HoldReason, Vec<Change>> = BTreeMap::new();
    for change in &plan.changes {
        match reason(change) {
            None => changes.push(change.clone()),
            Some(reason) => held.entry(reason).or_default().push(change.clone()),
        }
    }
    let hold = |(reason, changes)| Hold { app: plan.app.clone(), reason, changes };
    Review { approved: ApprovedPlan { changes }, held: held.into_iter().map(hold).collect() }
}

#[cfg(test)]
mod tests;
