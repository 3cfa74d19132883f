//! Renewal: the holds of an app after a cycle, made of what waits now and of what was decided before.
//!
//! What a person decided, and what waits for a decision, outlasts cycles in which the person's change looks otherwise or
//! can't be made: a group that can't be found for an hour must not let through what was decided against.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::domain::brake::{Hold, HoldReason, Undecided};
use crate::domain::change::{Change, Matter};
use crate::domain::id::{AppName, Digest, DirectoryName, PersonId};
use crate::domain::keep::KeepReason;
use crate::domain::plan::Plan;

use super::holds::{fresh, undecided};
use super::ports::{HeldChange, HoldRecord, HoldState};

/// What a cycle showed of an app, as far as holds are about it.
#[derive(Default)]
pub(super) struct Shown {
    planned: BTreeSet<Digest>,
    /// What something was sent of.
    begun: BTreeSet<Digest>,
    begun_people: BTreeSet<PersonId>,
    /// Directories that weren't read in full.
    unread: BTreeSet<DirectoryName>,
    /// People who aren't as they should be, whatever is planned for them.
    unsettled: BTreeSet<PersonId>,
    /// People who were decided against and can't be seen.
    unseen: BTreeSet<PersonId>,
}

impl Shown {
    pub(super) fn of(plan: &Plan, begun: &BTreeSet<Digest>, unread: &BTreeSet<DirectoryName>) -> Self {
        let begun_people = plan.changes.iter().filter(|change| begun.contains(&change.digest()));
        let mut unsettled: BTreeSet<PersonId> = plan.changes.iter().map(|change| change.person.clone()).collect();
        unsettled.extend(plan.waiting.iter().map(|one| one.known.person.clone()));
        unsettled.extend(plan.rejected.iter().map(|one| one.person.clone()));
        unsettled.extend(plan.conflicts.iter().map(|one| one.person.clone()));
        // A switch that is off for a while says nothing about what was decided.
        unsettled.extend(plan.left_out.iter().cloned());
        // Whom a person removed or released by hand is settled: nothing is left to be decided about them.
        let undone = plan.kept.iter().filter(|one| matches!(one.keep.reason, KeepReason::Undone(_)));
        unsettled.extend(undone.map(|one| one.person.clone()));
        Self {
            planned: plan.changes.iter().map(Change::digest).collect(),
            begun_people: begun_people.map(|change| change.person.clone()).collect(),
            begun: begun.clone(),
            unread: unread.clone(),
            unsettled,
            unseen: BTreeSet::new(),
        }
    }

    /// With people who were decided against, and of whom nothing shows that they are as they should be.
    pub(super) fn with(self, unseen: BTreeSet<PersonId>) -> Self {
        Self { unseen, ..self }
    }

    /// Whether a record is about somebody of whose directory nothing is planned: nothing of it is forgotten.
    fn silent(&self, record: &HoldRecord) -> bool {
        record.changes.iter().any(|change| self.unread.contains(&change.person.directory))
    }

    /// Whether somebody may yet be planned as before.
    fn unsettled(&self, change: &HeldChange) -> bool {
        self.unsettled.contains(&change.person) && !crate::planted("what was decided is forgotten at once")
    }

    /// Whether what was decided about a change has still to be known.
    fn outstanding(&self, change: &HeldChange) -> bool {
        self.planned.contains(&change.digest) || self.unsettled(change)
    }
}

/// The holds of an app after a cycle: what waits now with the history of what waited before, and decisions that still
/// have something to do. Answers the records, and those that are new.
pub(super) fn renew(
    before: &[HoldRecord],
    app: &AppName,
    held: &[Hold],
    shown: &Shown,
    now: DateTime<Utc>,
) -> (Vec<HoldRecord>, Vec<HoldRecord>) {
    let before: Vec<&HoldRecord> = before.iter().filter(|record| record.app == *app).collect();
    let mut kept = Vec::new();
    let mut new = Vec::new();
    // What was rejected is kept by the record of the rejection.
    for hold in held.iter().filter(|hold| hold.reason != HoldReason::Rejected) {
        let id = hold.id();
        let known = before.iter().find(|record| record.id == id);
        let record = HoldRecord {
            id,
            app: app.clone(),
            code: hold.reason.code().to_owned(),
            reason: hold.reason.to_string(),
            since: known.map_or_else(|| eldest(&before, hold, now), |known| known.since),
            state: known.map_or(HoldState::Waiting, |known| known.state.clone()),
            changes: hold.changes.iter().map(HeldChange::from).collect(),
        };
        if known.is_none() {
            new.push(record.clone());
        }
        kept.push(record);
    }
    for record in &before {
        carry_over(record, &mut kept, shown, now);
    }
    let open = undecided(&kept, now).into_iter();
    let mut waits: BTreeSet<(PersonId, Matter)> =
        open.flat_map(|(person, open)| open.into_iter().map(move |one| (person.clone(), one.matter))).collect();
    for record in &before {
        let Some(rest) = left_over(record, &waits, shown, now) else { continue };
        // Of two records that leave the same people over, one is enough: the same set has one id.
        waits.extend(rest.changes.iter().map(matter));
        if before.iter().all(|one| one.id != rest.id) && !hidden(&rest, &kept) {
            new.push(rest.clone());
        }
        kept.push(rest);
    }
    (kept, new)
}

fn matter(change: &HeldChange) -> (PersonId, Matter) {
    (change.person.clone(), change.action.matter())
}

/// Whether everybody in a record waits in another one as well, which shows them.
fn hidden(record: &HoldRecord, holds: &[HoldRecord]) -> bool {
    visible(holds.iter().chain([record])).iter().all(|one| one.id != record.id)
}

/// What waits, each person in one hold: whoever is remembered as not decided about, and waits for another reason now,
/// is shown with that.
pub(super) fn visible<'a>(holds: impl IntoIterator<Item = &'a HoldRecord>) -> Vec<HoldRecord> {
    let holds: Vec<&HoldRecord> = holds.into_iter().collect();
    let remembered = |hold: &HoldRecord| Undecided::of_code(&hold.code).is_some() && hold.state == HoldState::Waiting;
    let elsewhere: BTreeSet<(&AppName, (PersonId, Matter))> = holds
        .iter()
        .filter(|hold| hold.state == HoldState::Waiting && !remembered(hold))
        .flat_map(|hold| hold.changes.iter().map(|change| (&hold.app, matter(change))))
        .collect();
    let seen = |hold: &&HoldRecord| {
        let mut shown = (*hold).clone();
        if remembered(hold) {
            shown.changes.retain(|change| !elsewhere.contains(&(&hold.app, matter(change))));
        }
        (!shown.changes.is_empty() || hold.changes.is_empty()).then_some(shown)
    };
    holds.iter().filter_map(seen).collect()
}

/// Keeps what is still to be known of a record: a rejection, an approval, all of it where the directory is silent.
fn carry_over(record: &HoldRecord, kept: &mut Vec<HoldRecord>, shown: &Shown, now: DateTime<Utc>) {
    let silent = shown.silent(record);
    let same = kept.iter_mut().find(|one| one.id == record.id);
    match (&record.state, same) {
        (HoldState::Rejected { .. } | HoldState::Waiting, Some(_)) => {}
        (HoldState::Rejected { .. }, None) => {
            let mut record = record.clone();
            record
                .changes
                .retain(|change| silent || shown.outstanding(change) || shown.unseen.contains(&change.person));
            if !record.changes.is_empty() {
                kept.push(record);
            }
        }
        (HoldState::Waiting, None) => kept.extend(silent.then(|| record.clone())),
        (HoldState::Approved { by, at, digests }, same) => {
            let begun = |change: &HeldChange| {
                let spent = shown.begun.contains(&change.digest) && !crate::planted("an approval isn't spent");
                // What somebody else's word or the limits let go on for the same person came after it.
                spent || (shown.begun_people.contains(&change.person) && !shown.planned.contains(&change.digest))
            };
            let stands = |change: &&HeldChange| {
                digests.contains(&change.digest) && !begun(change) && (silent || shown.outstanding(change))
            };
            let left: BTreeSet<Digest> = record.changes.iter().filter(stands).map(|change| change.digest).collect();
            let (none, fresh) = (left.is_empty(), fresh(*at, now));
            let state = HoldState::Approved { by: by.clone(), at: *at, digests: left };
            match same {
                // The very same set waits again: what was let go was begun already, or the approval ran out.
                Some(same) => same.state = if none || !fresh { HoldState::Waiting } else { state },
                // Those of a hold who weren't approved stay with it until they are planned again.
                None if !none && fresh || silent && !record.changes.is_empty() => {
                    kept.push(HoldRecord { state, ..record.clone() });
                }
                None => {}
            }
        }
    }
}

/// How many changes wait for a person, and since when the eldest: those of a hold that an approval of others leaves out
/// wait as well.
pub(super) fn awaited(holds: &[HoldRecord], now: DateTime<Utc>) -> (usize, Option<DateTime<Utc>>) {
    let waits = |hold: &HoldRecord, change: &HeldChange| match &hold.state {
        HoldState::Waiting => true,
        HoldState::Approved { at, digests, .. } => !fresh(*at, now) || !digests.contains(&change.digest),
        HoldState::Rejected { .. } => false,
    };
    let mut people = BTreeSet::new();
    let mut since = None;
    for hold in holds {
        let waiting = hold.changes.iter().filter(|change| waits(hold, change));
        let before = people.len();
        people.extend(waiting.map(|change| (&hold.app, matter(change))));
        if people.len() > before || (hold.changes.is_empty() && hold.state == HoldState::Waiting) {
            since = since.into_iter().chain([hold.since]).min();
        }
    }
    (people.len(), since)
}

/// What waited for a decision for its own sake, of people who wait in nothing else now and may yet be planned as before.
fn left_over(
    record: &HoldRecord,
    waits: &BTreeSet<(PersonId, Matter)>,
    shown: &Shown,
    now: DateTime<Utc>,
) -> Option<HoldRecord> {
    let (why, approved) = match &record.state {
        HoldState::Waiting => (Undecided::of_code(&record.code)?, None),
        HoldState::Approved { at, .. } if !fresh(*at, now) => (Undecided::Expired, None),
        HoldState::Approved { digests, .. } => (Undecided::Others, Some(digests)),
        HoldState::Rejected { .. } => return None,
    };
    let rest = |change: &&HeldChange| {
        let decided = approved.is_some_and(|digests| digests.contains(&change.digest));
        let waits = waits.contains(&matter(change));
        !decided && !waits && shown.unsettled(change) && !shown.begun_people.contains(&change.person)
    };
    let changes: Vec<HeldChange> = record.changes.iter().filter(rest).cloned().collect();
    let reason = HoldReason::Undecided(why);
    let digests = changes.iter().map(|change| change.digest).collect();
    (!changes.is_empty()).then(|| HoldRecord {
        id: Hold::id_of(&record.app, &reason, digests),
        app: record.app.clone(),
        code: reason.code().to_owned(),
        reason: reason.to_string(),
        since: record.since,
        state: HoldState::Waiting,
        changes,
    })
}

/// Since when the eldest of these changes waits: somebody who joins a hold doesn't make it a new one.
fn eldest(before: &[&HoldRecord], hold: &Hold, now: DateTime<Utc>) -> DateTime<Utc> {
    let digests: BTreeSet<Digest> = hold.changes.iter().map(Change::digest).collect();
    let waits = |record: &&&HoldRecord| !matches!(record.state, HoldState::Rejected { .. });
    let shares = |record: &&&HoldRecord| record.changes.iter().any(|change| digests.contains(&change.digest));
    before.iter().filter(waits).filter(shares).map(|record| record.since).min().unwrap_or(now)
}
