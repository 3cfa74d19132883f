//! Applying: carries approved changes out, one after the other, and chooses nothing.
//!
//! Before the first call of a change an intent is on disk; after it the report is told and the intent settled. An
//! unanswered call leaves its intent open, to be asked about before anything new is planned.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::domain::account::{KnownAccount, ObservedAccount, Suspended};
use crate::domain::assignment::Role;
use crate::domain::brake::ApprovedPlan;
use crate::domain::change::{CauseCode, Change, Class, Confirm, Guard, SignIn, Step};
use crate::domain::deed::{Deed, DeedEnd};
use crate::domain::id::{AccountId, CycleId, Digest, DirectoryName, EntryId};
use crate::domain::outcome::{Applied, Notice, Outcome, Problem, Subject, Verdict};
use crate::domain::scope::Departure;
use crate::domain::trial::failing;

use super::deeds::ended;
use super::lease::{Barred, Turn};
use super::midway::{Midway, Suspends, finished, interrupted, mismatch, role_written};
use super::ports::{
    BrakeLedger as _, CallFault, Clock, DeedLedger, Effect, Event, Helpdesk, Intent, Ledger, Progress, Report,
    Settlement,
};
use super::propose::Asked;
use super::trials::Tries;
use super::{Abort, Engine, Ports, Stop};

/// What runs through a whole cycle.
pub(super) struct Run<'a> {
    pub(super) cycle: CycleId,
    pub(super) actor: String,
    /// The moment at which account states are judged.
    pub(super) now: DateTime<Utc>,
    pub(super) seq: u64,
    /// The groups that assigned ones led to, in each directory that was read in full.
    pub(super) reached: BTreeMap<DirectoryName, BTreeSet<EntryId>>,
    pub(super) stop: Stop,
    pub(super) progress: &'a mut dyn Progress,
}

impl Run<'_> {
    pub(super) const fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// What became of the changes of one app.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) done: usize,
    pub(super) failed: usize,
    /// Changes that were not begun, because the app or the cycle ended.
    pub(super) left: usize,
    /// The fault that ended the app.
    pub(super) fault: Option<Problem>,
    /// Whether that was its lease.
    pub(super) barred: Barred,
    /// The digests of which something was sent.
    pub(super) begun: BTreeSet<Digest>,
    /// Those that were carried out whole.
    pub(super) finished: BTreeSet<Digest>,
    /// What the pauses are made of.
    pub(super) tries: Tries,
}

/// Unanswered changes after which an app is left alone: each is one more that must be asked about.
const UNKNOWN_MAX: usize = 3;
/// Why nothing more should be tried in this app for now, if so. Whoever fails again isn't counted: one poisoned person
/// must not stop the others.
fn gone_wrong(tried: usize, failed: usize, unknown: usize) -> Option<Problem> {
    let hint = "see the records of this cycle; the app is tried again after a pause";
    if unknown >= UNKNOWN_MAX {
        let why = format!("{unknown} calls were not answered: the rest of the plan waits");
        return Some(Problem::new("unanswered", why, hint));
    }
    (failing(tried, failed) || failed > 0 && crate::planted("one failure ends the app")).then(|| {
        let why = format!("{failed} of {tried} changes failed: the rest of the plan waits");
        Problem::new("failing", why, hint)
    })
}

/// How the steps of one change went.
struct Walked {
    account: Option<AccountId>,
    /// Steps answered with success.
    steps: usize,
    effect: Effect,
    request_id: Option<String>,
    fault: Option<CallFault>,
    /// Whether the account is suspended, as it was read back; none when it wasn't.
    suspended: Option<Suspended>,
}

impl<P: Ports> Engine<P> {
    /// Carries out the approved changes of one app.
    pub(super) async fn apply(
        &mut self,
        at: usize,
        approved: ApprovedPlan,
        run: &mut Run<'_>,
    ) -> Result<Carried, Abort> {
        let app = self.apps[at].rules.app.clone();
        let reserved = self.reserve(&app, &approved)?;
        let by_word = approved.by_word().clone();
        let changes = approved.into_changes();
        let mut carried = Carried { tries: self.tries(&app)?, ..Carried::default() };
        let mut turn = Turn::Unasked;
        let mut seats_short = false;
        let mut unknown = 0;
        if !changes.is_empty() {
            run.progress.note(&Event::Applying(&app, changes.len()));
        }
        let total = changes.len();
        for (index, change) in changes.into_iter().enumerate() {
            if run.stop.requested() || carried.fault.is_some() {
                carried.left = total - index;
                break;
            }
            let digest = change.digest();
            let seq = run.next_seq();
            let started = Instant::now();
            let skip = if seats_short && takes_seat(&change) {
                let why = "no agent seat was left for an earlier person in this cycle";
                Some(Problem::new(CallFault::SEATS_SHORT, why, "free a seat or buy one; the next cycle tries again"))
            } else {
                let reached = run.reached.get(&change.person.directory).cloned().unwrap_or_default();
                self.unconfirmed(&change, &reached, run.now).await
            };
            let skip = match skip {
                None => self.last_look(at, &change, &mut turn, &mut carried).await?,
                some => some,
            };
            let applied = if let Some(problem) = skip {
                let outcome = Outcome::NotAttempted(problem);
                let applied = Applied { change, outcome, request_id: None, elapsed_ms: elapsed(started) };
                self.tell(&applied, seq, run)?;
                applied
            } else {
                if by_word.contains(&digest) {
                    // Used up before anything is sent: it works once, whenever the process dies.
                    self.report.ready()?;
                    self.ledger.spend(&app, &digest)?;
                }
                carried.begun.insert(digest);
                let (applied, fault) = self.carry(at, change, seq, started, run).await?;
                seats_short |= matches!(fault, Some(CallFault::SeatsShort(_)));
                carried.fault = fault.filter(CallFault::ends_app).map(|fault| fault.problem());
                applied
            };
            carried.tries.note(&applied, digest, carried.fault.as_ref());
            match &applied.outcome {
                Outcome::Done(_) | Outcome::AlreadySo(_) => {
                    carried.done += 1;
                    carried.finished.insert(digest);
                }
                Outcome::Unknown(_) => {
                    carried.failed += 1;
                    unknown += 1;
                }
                Outcome::Refused(_) | Outcome::NotAttempted(_) => carried.failed += 1,
            }
            let tries = &carried.tries;
            carried.fault = carried.fault.or_else(|| gone_wrong(tries.tried, tries.failed, unknown));
            run.progress.note(&Event::Applied(&applied));
        }
        self.close_lease(at, &turn, &mut carried).await?;
        self.give_back(&app, &reserved, &carried.begun)?;
        Ok(carried)
    }

    /// Writes the record of a change.
    fn tell(&mut self, applied: &Applied, seq: u64, run: &Run<'_>) -> Result<(), Abort> {
        if crate::planted("no record") {
            return Ok(());
        }
        let undone = applied.change.cause.code == CauseCode::Undone;
        let subject = if undone { Subject::Undo } else { Subject::Account(applied.change.action) };
        let notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, subject, Verdict::Done, &run.actor);
        self.report.tell(&notice.of_change(&applied.change).of_outcome(applied))?;
        Ok(())
    }

    /// Looks a departed person up once more; answers why the removal isn't confirmed, if it isn't.
    async fn unconfirmed(
        &mut self,
        change: &Change,
        reached: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
    ) -> Option<Problem> {
        match change.confirm {
            // A person approved what the configuration says, and it is frozen in a cycle.
            Confirm::No | Confirm::Configuration => return None,
            Confirm::Departure => {}
        }
        let hint = "nothing was written; the next cycle looks again";
        let known = match self.ledger.known(&change.app, &change.person) {
            Ok(Some(known)) => known,
            Ok(None) | Err(_) => {
                return Some(Problem::new("not_confirmed", "the store no longer knows the account", hint));
            }
        };
        let departure = match self.planner().look_up(&known, reached, now, &mut Asked::default()).await {
            Ok(departure) => departure,
            Err(fault) => return Some(Problem::new("not_confirmed", fault, hint)),
        };
        // What was approved for an unreadable person or a lost group may look just as it did when it was shown.
        let excused = matches!(
            change.guard,
            Some(Guard::Unreadable | Guard::GroupMissing(_) | Guard::GroupEmptied(_) | Guard::GroupUnreached(_))
        );
        match departure {
            Departure::Unusable(_) | Departure::LeftGroups | Departure::MovedOut { .. } | Departure::Tombstone => None,
            // What was shown outright and can't be found any more is an absence, and a first one.
            Departure::Absent if change.class == Class::RemovalByAbsence => None,
            Departure::Unreadable { .. } if excused => None,
            Departure::Absent | Departure::Unreadable { .. } | Departure::StillHeld { .. } | Departure::Untied(_) => {
                Some(Problem::new("not_confirmed", departure, hint))
            }
        }
    }

    /// Notes the intent, walks the steps, reads the result back, tells and settles.
    async fn carry(
        &mut self,
        at: usize,
        change: Change,
        seq: u64,
        started: Instant,
        run: &mut Run<'_>,
    ) -> Result<(Applied, Option<CallFault>), Abort> {
        self.report.ready()?;
        let intent = self.intent(&change, seq, run);
        let deed = self.begin(&intent, &change, &run.actor)?;
        let mut walked = self.walk(at, &change).await;
        let mut known = finished(&change, walked.account);
        let mut amiss = None;
        let mut unproven = None;
        let mut seen = None;
        if walked.fault.is_none() && !change.steps.is_empty() {
            match self.read_back(at, &change, known.as_ref()).await {
                Ok((problem, account)) => {
                    walked.suspended = account.as_ref().map(|account| account.suspended);
                    (amiss, seen) = (problem, account);
                }
                Err(fault) => unproven = Some(fault),
            }
        }
        // What broke off half-way is looked at, too: whether a suspension of ours still stands decides who may lift it.
        let refused = walked.fault.as_ref().is_some_and(|fault| !fault.ends_app());
        if refused
            && walked.steps > 0
            && let Ok((_, account)) = self.read_back(at, &change, known.as_ref()).await
        {
            walked.suspended = account.as_ref().map(|account| account.suspended);
            seen = account;
        }
        let outcome = match (&walked.fault, &unproven, amiss) {
            (Some(fault @ (CallFault::Unanswered(_) | CallFault::Garbled(_))), ..) => Outcome::Unknown(fault.problem()),
            (Some(fault), ..) => Outcome::Refused(fault.problem()),
            // Every step was answered with success: what couldn't be read back isn't refused.
            (None, Some(fault), _) => Outcome::Unknown(fault.problem()),
            (None, None, Some(problem)) => Outcome::Refused(problem),
            (None, None, None) => match (walked.effect, walked.account.unwrap_or(AccountId(0))) {
                (Effect::Done, id) => Outcome::Done(id),
                (Effect::AlreadySo, id) => Outcome::AlreadySo(id),
            },
        };
        let succeeded = matches!(outcome, Outcome::Done(_) | Outcome::AlreadySo(_));
        let elapsed_ms = elapsed(started);
        // An account that was made has an id to be told, whatever came after.
        let change = Change { account: change.account.or(walked.account), ..change };
        let applied = Applied { change, outcome, request_id: walked.request_id.clone(), elapsed_ms };
        self.tell(&applied, seq, run)?;
        if matches!(applied.outcome, Outcome::Unknown(_)) {
            // Told once as unknown; what it turns out to be is told under a place of its own.
            let again = Intent { seq: run.next_seq(), account: walked.account, ..intent.clone() };
            self.ledger.begin(&again, &Deed { seq: again.seq, end: DeedEnd::Unknown, ..deed.clone() })?;
            let deed = ended(deed, &applied.outcome, &applied.change, walked.steps, None);
            self.ledger.finish(&intent, &Settlement::Unchanged, Some(&deed))?;
            return Ok((applied, walked.fault.or(unproven)));
        }
        let settlement = if succeeded {
            known.take().map_or(Settlement::Forgotten, |known| Settlement::Known(Box::new(known)))
        } else {
            self.partial(&applied.change, &walked)?
        };
        let deed = ended(deed, &applied.outcome, &applied.change, walked.steps, seen.as_ref());
        self.ledger.finish(&intent, &settlement, Some(&deed))?;
        Ok((applied, walked.fault))
    }

    pub(super) fn intent(&self, change: &Change, seq: u64, run: &Run<'_>) -> Intent {
        let marks = |step: &Step| {
            let patched = step.patch().and_then(|patch| patch.external_id.clone());
            step.creation().and_then(|new| new.external_id.clone()).or(patched)
        };
        let external_id = change.steps.iter().find_map(marks);
        Intent {
            cycle: run.cycle.clone(),
            seq,
            time: self.clock.now(),
            app: change.app.clone(),
            person: change.person.clone(),
            account: change.account,
            action: change.action,
            digest: change.digest(),
            external_id,
            email: change.email.clone(),
            name: change.name.clone(),
            dn: change.dn.clone(),
            outcome: change.outcome.as_deref().cloned(),
        }
    }

    async fn walk(&mut self, at: usize, change: &Change) -> Walked {
        let desk = &mut self.apps[at].desk;
        let mut walked = Walked {
            account: change.account,
            steps: 0,
            effect: Effect::AlreadySo,
            request_id: None,
            fault: None,
            suspended: None,
        };
        for step in &change.steps {
            match desk.carry_out(walked.account, step).await {
                Ok(done) => {
                    walked.account = Some(done.account);
                    walked.steps += 1;
                    walked.request_id = done.request_id.or(walked.request_id);
                    if done.effect == Effect::Done {
                        walked.effect = Effect::Done;
                    }
                }
                Err(fault) => {
                    walked.fault = Some(fault);
                    break;
                }
            }
        }
        // A link writes nothing, and is done all the same.
        if change.steps.is_empty() {
            walked.effect = Effect::Done;
        }
        walked
    }

    /// Reads an account back; answers what isn't as it was written, and the account.
    async fn read_back(
        &mut self,
        at: usize,
        change: &Change,
        known: Option<&KnownAccount>,
    ) -> Result<(Option<Problem>, Option<ObservedAccount>), CallFault> {
        let Some(known) = known else { return Ok((None, None)) };
        let seen = self.apps[at].desk.observe(&[known.account]).await?;
        let account = seen.into_iter().find(|account| account.id == known.account);
        Ok((mismatch(change.action, role_written(change), known, account.as_ref()), account))
    }

    /// What is known after a change that broke off.
    fn partial(&self, change: &Change, walked: &Walked) -> Result<Settlement, Abort> {
        if walked.steps == 0 {
            return Ok(Settlement::Unchanged);
        }
        let before = self.ledger.known(&change.app, &change.person)?;
        let mut now = Midway {
            account: walked.account,
            suspended: Suspends::from(before.as_ref().is_some_and(|known| known.standing.suspended_by_us())),
        };
        if let Some(sign_in) = change.steps.iter().take(walked.steps).filter_map(Step::sign_in).next_back() {
            now.suspended = Suspends::from(sign_in == SignIn::Suspend);
        }
        // A step that was answered with success and had no effect left the suspension as it was: still ours.
        let lifted = now.suspended == Suspends::No && walked.suspended == Some(Suspended::Yes);
        if lifted && before.as_ref().is_some_and(|known| known.standing.suspended_by_us()) {
            now.suspended = Suspends::Yes;
        }
        Ok(interrupted(change.action, change.outcome.as_deref(), before, &now))
    }
}

pub(super) fn takes_seat(change: &Change) -> bool {
    change.steps.iter().any(|step| step.role().is_some_and(|role| role != Role::EndUser))
}

fn elapsed(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
