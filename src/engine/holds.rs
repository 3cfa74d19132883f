//! Holds: what waits for a person, kept, listed, approved and rejected.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::brake::{Hold, HoldReason, Open, Undecided};
use crate::domain::change::Guard;
use crate::domain::id::{AppName, CycleId, Digest, PersonId};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};

use super::ports::{BrakeLedger as _, Clock, HeldChange, HoldRecord, HoldState, Ledger, LedgerFault, Report};
use super::renewal::awaited;
use super::view::{changes_text, wait_text};
use super::{Abort, Engine, Ports};

/// The code of what waits because too many are gone at once.
const SOURCE_GONE: &str = "source_gone";

/// How long an approval holds good.
pub const APPROVAL_DAYS: i64 = 7;

/// A word about a hold that can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldFault {
    /// No hold has this id.
    #[error("no hold has the id {0}; it may have been replaced because what waits has changed: see `holds list`")]
    NoSuch(String),
    /// Several holds begin with it.
    #[error("several holds begin with {0}: give more of the id")]
    Ambiguous(String),
    /// The count isn't that of what waits.
    #[error("{given} was given, but {}: look at `holds show {id}` again", wait_text(*shown))]
    Count {
        /// The hold.
        id: String,
        /// What was given.
        given: usize,
        /// What waits.
        shown: usize,
    },
    /// Nobody in it is named so.
    #[error("nobody in this hold is {0}: name people by mail, as `holds show` does")]
    NoSuchUser(String),
    /// Several people in it are named so.
    #[error("several people in this hold are {user}; name one of them by mail or id: {all}")]
    SeveralUsers {
        /// What was given.
        user: String,
        /// They, each with the id.
        all: String,
    },
    /// There is nothing in it to decide about.
    #[error("this hold only says that something is missing; it goes when that is mended: {0}")]
    NothingWaits(String),
}

/// What an approval or a rejection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldAnswer {
    /// The hold's id.
    pub id: Digest,
    /// Its app.
    pub app: AppName,
    /// How many changes it was about.
    pub changes: usize,
}

/// Whether an approval still holds good.
pub(super) fn fresh(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    if crate::planted("an approval never runs out") {
        return true;
    }
    // A clock that went back makes an approval look as if it came from the future: that one isn't trusted either.
    now - at < TimeDelta::days(APPROVAL_DAYS) && at - now < TimeDelta::minutes(5)
}

/// The digests that people let go on, in the holds of one app.
pub(super) fn approvals(holds: &[HoldRecord], now: DateTime<Utc>) -> BTreeSet<Digest> {
    let approved = |hold: &HoldRecord| match &hold.state {
        HoldState::Approved { at, digests, .. } if fresh(*at, now) => digests.clone(),
        HoldState::Approved { .. } | HoldState::Waiting | HoldState::Rejected { .. } => BTreeSet::new(),
    };
    holds.iter().flat_map(approved).collect()
}

/// The digests that people decided against, in the holds of one app.
pub(super) fn rejections(holds: &[HoldRecord]) -> BTreeSet<Digest> {
    let rejected = |hold: &&HoldRecord| matches!(hold.state, HoldState::Rejected { .. });
    holds.iter().filter(rejected).flat_map(|hold| hold.changes.iter().map(|change| change.digest)).collect()
}

/// What nobody has decided about the people of one app, whatever the limits say by now. Approvals and rejections of the
/// very change count before this.
pub(super) fn undecided(holds: &[HoldRecord], now: DateTime<Utc>) -> BTreeMap<PersonId, BTreeSet<Open>> {
    let mut people: BTreeMap<PersonId, BTreeSet<Open>> = BTreeMap::new();
    for hold in holds {
        for change in &hold.changes {
            let why = match &hold.state {
                HoldState::Waiting => Undecided::of_code(&hold.code),
                HoldState::Approved { at, .. } if !fresh(*at, now) => Some(Undecided::Expired),
                HoldState::Approved { digests, .. } if digests.contains(&change.digest) => Some(Undecided::Moved),
                HoldState::Approved { .. } => Some(Undecided::Others),
                HoldState::Rejected { .. } => Some(Undecided::Moved),
            };
            if let Some(why) = why {
                let open = Open { why, matter: change.action.matter() };
                people.entry(change.person.clone()).or_default().insert(open);
            }
        }
    }
    people
}

/// A hold without what was begun of it: an approval works once.
pub(super) fn unspent(mut hold: HoldRecord, spent: &BTreeSet<Digest>) -> HoldRecord {
    if let HoldState::Approved { digests, .. } = &mut hold.state
        && !crate::planted("an approval isn't spent")
    {
        hold.changes.retain(|change| !(digests.contains(&change.digest) && spent.contains(&change.digest)));
        digests.retain(|digest| !spent.contains(digest));
    }
    hold
}

/// The holds of every app, without what was begun since they were kept.
pub(super) fn all_holds<L: Ledger>(ledger: &L) -> Result<Vec<HoldRecord>, LedgerFault> {
    let holds = ledger.holds()?;
    let apps: BTreeSet<&AppName> = holds.iter().map(|hold| &hold.app).collect();
    let spent = apps.into_iter().map(|app| Ok((app.clone(), ledger.spent(app)?)));
    let spent = spent.collect::<Result<BTreeMap<AppName, BTreeSet<Digest>>, LedgerFault>>()?;
    let none = BTreeSet::new();
    let without = |hold: HoldRecord| {
        let spent = spent.get(&hold.app).unwrap_or(&none);
        unspent(hold, spent)
    };
    Ok(holds.into_iter().map(without).collect())
}

/// The same of one app.
pub(super) fn standing_holds<L: Ledger>(ledger: &L, app: &AppName) -> Result<Vec<HoldRecord>, LedgerFault> {
    Ok(all_holds(ledger)?.into_iter().filter(|hold| hold.app == *app).collect())
}

/// Finds a hold by the beginning of its id.
pub fn find<'a>(holds: &'a [HoldRecord], id: &str) -> Result<&'a HoldRecord, HoldFault> {
    let mut fits = holds.iter().filter(|hold| !id.is_empty() && hold.id.to_string().starts_with(&id.to_lowercase()));
    match (fits.next(), fits.next()) {
        (Some(hold), None) => Ok(hold),
        (Some(_), Some(_)) => Err(HoldFault::Ambiguous(id.to_owned())),
        (None, _) => Err(HoldFault::NoSuch(id.to_owned())),
    }
}

/// The digests of the changes of named people; of all when nobody is named.
fn named<'a>(hold: &HoldRecord, users: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<Digest>, HoldFault> {
    let mut digests = BTreeSet::new();
    let mut somebody = false;
    for user in users {
        somebody = true;
        let is = |change: &&HeldChange| super::propose::names(user, &change.user, &change.name, &change.person);
        let fits: Vec<&HeldChange> = hold.changes.iter().filter(is).collect();
        let people: BTreeSet<&PersonId> = fits.iter().map(|change| &change.person).collect();
        match people.len() {
            0 => return Err(HoldFault::NoSuchUser(user.to_owned())),
            1 => digests.extend(fits.iter().map(|change| change.digest)),
            _ => {
                let one = |change: &&HeldChange| format!("{} ({})", change.user, change.person.entry);
                let all: BTreeSet<String> = fits.iter().map(one).collect();
                let all = all.into_iter().collect::<Vec<_>>().join(", ");
                return Err(HoldFault::SeveralUsers { user: user.to_owned(), all });
            }
        }
    }
    if !somebody {
        digests.extend(hold.changes.iter().map(|change| change.digest));
    }
    Ok(digests)
}

/// The holds after a person decided against changes of one: an approval of the same changes in another doesn't stand.
fn withdrawn(mut holds: Vec<HoldRecord>, hold: &HoldRecord, decided: &BTreeSet<Digest>) -> Vec<HoldRecord> {
    for other in holds.iter_mut().filter(|other| other.app == hold.app && other.id != hold.id) {
        if let HoldState::Approved { digests, .. } = &mut other.state {
            digests.retain(|digest| !decided.contains(digest));
        }
    }
    holds
}

/// Splits a hold into the part that a person decided against, and what is left of it.
fn split(hold: &HoldRecord, digests: &BTreeSet<Digest>, state: HoldState) -> (HoldRecord, HoldRecord) {
    let (part, left): (Vec<HeldChange>, Vec<HeldChange>) =
        hold.changes.iter().cloned().partition(|change| digests.contains(&change.digest));
    let id = Hold::id_of(&hold.app, &HoldReason::Rejected, digests.clone());
    let part = HoldRecord { id, state, changes: part, ..hold.clone() };
    let state = match &hold.state {
        HoldState::Approved { by, at, digests: approved } => {
            HoldState::Approved { by: by.clone(), at: *at, digests: approved.difference(digests).copied().collect() }
        }
        HoldState::Waiting | HoldState::Rejected { .. } => HoldState::Waiting,
    };
    (part, HoldRecord { state, ..left_of(hold, left) })
}

/// What is left of a hold of which a part was decided about: nobody has decided about these, though they may be within
/// the limits by now. The hold's own id isn't theirs: should it wait once more as a whole, that is another hold.
fn left_of(hold: &HoldRecord, left: Vec<HeldChange>) -> HoldRecord {
    let reason = HoldReason::Undecided(Undecided::Others);
    let digests = left.iter().map(|change| change.digest).collect();
    HoldRecord {
        id: Hold::id_of(&hold.app, &reason, digests),
        code: reason.code().to_owned(),
        reason: reason.to_string(),
        changes: left,
        ..hold.clone()
    }
}

/// The holds of an app after a decision about people who are gone from the source: what is left of that event waits for
/// a word of its own, though it may look small by itself.
fn event_broken(mut holds: Vec<HoldRecord>, hold: &HoldRecord) -> Vec<HoldRecord> {
    let ends = hold.changes.iter().any(|change| change.action.is_removal());
    let same = |one: &&mut HoldRecord| one.app == hold.app && one.id != hold.id && one.state == HoldState::Waiting;
    for one in holds.iter_mut().filter(same).filter(|one| ends && one.code == SOURCE_GONE) {
        let left = std::mem::take(&mut one.changes);
        *one = left_of(one, left);
    }
    holds
}

impl<P: Ports> Engine<P> {
    /// How much waits for a person, and since when, if anything does: every cycle says so.
    pub(super) fn waits(&self) -> Result<Option<String>, LedgerFault> {
        let (count, since) = awaited(&all_holds(&self.ledger)?, self.clock.now());
        let Some(since) = since.filter(|_| count > 0) else { return Ok(None) };
        Ok(Some(format!("{} for a person since {}", wait_text(count), when(since))))
    }

    /// Takes what was begun out of the holds of an app.
    pub(super) fn keep_spent(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        if self.ledger.spent(app)?.is_empty() {
            return Ok(());
        }
        let holds = standing_holds(&self.ledger, app)?;
        self.ledger.keep_holds(app, &holds)
    }

    /// Lets what waits in a hold go on: all of it, or the parts of the named people. The next cycle carries it out.
    ///
    /// # Errors
    /// The outer one when the store or the report can't be used, the inner one when the word doesn't fit.
    pub fn approve<'a>(
        &mut self,
        id: &str,
        users: impl IntoIterator<Item = &'a str>,
        count: Option<usize>,
        actor: &str,
    ) -> Result<Result<HoldAnswer, HoldFault>, Abort> {
        let now = self.clock.now();
        let holds = all_holds(&self.ledger)?;
        let hold = match find(&holds, id) {
            Ok(hold) => hold.clone(),
            Err(fault) => return Ok(Err(fault)),
        };
        if hold.changes.is_empty() {
            return Ok(Err(HoldFault::NothingWaits(hold.reason)));
        }
        let users: Vec<&str> = users.into_iter().collect();
        let mut digests = match named(&hold, users.iter().copied()) {
            Ok(digests) => digests,
            Err(fault) => return Ok(Err(fault)),
        };
        if users.is_empty() {
            // A word for all of it is none for what somebody decided against elsewhere; naming the person is.
            let others: Vec<HoldRecord> =
                holds.iter().filter(|one| one.app == hold.app && one.id != hold.id).cloned().collect();
            let rejected = rejections(&others);
            digests.retain(|digest| !rejected.contains(digest));
        }
        if let Some(given) = count.filter(|given| *given != digests.len()) {
            return Ok(Err(HoldFault::Count { id: hold.id.short(), given, shown: digests.len() }));
        }
        let answer = HoldAnswer { id: hold.id, app: hold.app.clone(), changes: digests.len() };
        let mut since = now;
        // An earlier word that ran out isn't revived, and one that stands isn't made to stand longer.
        if let HoldState::Approved { at, digests: before, .. } = &hold.state
            && fresh(*at, now)
        {
            digests.extend(before);
            since = since.min(*at);
        }
        let state = HoldState::Approved { by: actor.to_owned(), at: since, digests };
        let holds = event_broken(holds, &hold);
        self.decide(&holds, &hold, state, Subject::Approve, answer.changes, actor)?;
        Ok(Ok(answer))
    }

    /// Decides against what waits in a hold. It stays undone, and isn't shown as waiting while it stays the same.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub fn reject(&mut self, id: &str, actor: &str) -> Result<Result<HoldAnswer, HoldFault>, Abort> {
        self.reject_people(id, [], actor)
    }

    /// Decides against the parts of the named people in a hold, or against all of it when nobody is named. What is left
    /// waits on, whatever the limits say about so few.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub fn reject_people<'a>(
        &mut self,
        id: &str,
        users: impl IntoIterator<Item = &'a str>,
        actor: &str,
    ) -> Result<Result<HoldAnswer, HoldFault>, Abort> {
        let holds = all_holds(&self.ledger)?;
        let hold = match find(&holds, id) {
            Ok(hold) => hold.clone(),
            Err(fault) => return Ok(Err(fault)),
        };
        if hold.changes.is_empty() {
            return Ok(Err(HoldFault::NothingWaits(hold.reason)));
        }
        let digests = match named(&hold, users) {
            Ok(digests) => digests,
            Err(fault) => return Ok(Err(fault)),
        };
        let holds = event_broken(withdrawn(holds, &hold, &digests), &hold);
        let answer = HoldAnswer { id: hold.id, app: hold.app.clone(), changes: digests.len() };
        let state = HoldState::Rejected { by: actor.to_owned(), at: self.clock.now() };
        if digests.len() == hold.changes.len() {
            self.decide(&holds, &hold, state, Subject::Reject, answer.changes, actor)?;
        } else {
            let (part, left) = split(&hold, &digests, state);
            self.tell_decision(&hold, Subject::Reject, answer.changes, actor)?;
            let replaced = [hold.id, left.id, part.id];
            let mine = holds.iter().filter(|other| other.app == hold.app && !replaced.contains(&other.id)).cloned();
            let kept: Vec<HoldRecord> = mine.chain([left, part]).collect();
            self.ledger.keep_holds(&hold.app, &kept)?;
        }
        Ok(Ok(answer))
    }

    fn tell_decision(&mut self, hold: &HoldRecord, subject: Subject, count: usize, actor: &str) -> Result<(), Abort> {
        let now = self.clock.now();
        // Told first: a decision that isn't on record doesn't count.
        self.report.ready()?;
        // Cycles count from 1: a cycle that begins in the same millisecond has no place 0.
        let mut notice = Notice::new(now, CycleId::at(now), 0, subject, Verdict::Done, actor);
        notice.app = Some(hold.app.clone());
        let mut cause = Notice::cause_code(&hold.code);
        cause.evidence =
            Some(format!("hold {}: {count} of {}; {}", hold.id.short(), changes_text(hold.changes.len()), hold.reason));
        notice.cause = Some(cause);
        self.report.tell(&notice)?;
        Ok(())
    }

    fn decide(
        &mut self,
        holds: &[HoldRecord],
        hold: &HoldRecord,
        state: HoldState,
        subject: Subject,
        count: usize,
        actor: &str,
    ) -> Result<(), Abort> {
        self.tell_decision(hold, subject, count, actor)?;
        let mine = holds.iter().filter(|other| other.app == hold.app).cloned();
        let kept: Vec<HoldRecord> = mine
            .map(|other| if other.id == hold.id { HoldRecord { state: state.clone(), ..other } } else { other })
            .collect();
        self.ledger.keep_holds(&hold.app, &kept)?;
        Ok(())
    }
}

/// A hold that says only that an assigned group is missing: nobody needs to be affected for it to be shown.
pub(super) fn missing_group(app: &AppName, text: &str) -> Hold {
    Hold { app: app.clone(), reason: HoldReason::Guard(Guard::GroupMissing(text.to_owned())), changes: Vec::new() }
}

/// A moment as people read it.
pub(super) fn when(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What a hold tells in the report: when it is new, and once a day while it waits.
pub(super) fn hold_problem(record: &HoldRecord, telling: Telling) -> Problem {
    let count = record.changes.len();
    let since = match telling {
        Telling::New => String::new(),
        Telling::Again => format!(" since {}", when(record.since)),
    };
    let what = match count {
        0 => format!("{}{since}", record.reason),
        _ => format!("{}{since}: {}", wait_text(count), record.reason),
    };
    let hint = if record.code == "app_removed" {
        "put the app back into the configuration, or release its accounts".to_owned()
    } else if count == 0 {
        "restore the group, or take the assignment out".to_owned()
    } else {
        format!("see `holds show {0}`, then `holds approve {0}` or repair the cause", record.id.short())
    };
    Problem::new("held", what, hint)
}

/// Whether a hold is told for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// It is.
    New,
    /// It waits still.
    Again,
}
