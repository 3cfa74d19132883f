//! Concluding: what the store keeps and the report tells at the end of an app's part of a cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::KnownAccount;
use crate::domain::brake::{Experience, Hold, HoldReason};
use crate::domain::change::Confirm;
use crate::domain::id::{AppName, Digest, DirectoryName, PersonId};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::pause::Pause;
use crate::domain::plan::{Conflict, ConflictReason, Plan, Rejected};

use super::apply::Run;
use super::holds::{Telling, hold_problem, standing_holds};
use super::lease::Barred;
use super::ports::{BrakeLedger as _, Clock, Event, HoldRecord, HoldState, Ledger, LedgerFault, Report, Trouble};
use super::renewal::{Shown, renew, visible};
use super::{Abort, Engine, Ports};

/// What waits is told again after so many seconds: a daily cycle may begin a little earlier than the last one.
const REMIND_AFTER: u64 = 23 * 60 * 60;

/// What concluding an app found new.
pub(super) struct Concluded {
    /// Changes that wait for a person, and weren't rejected by one.
    pub(super) held: usize,
    /// Whether anything waits at all, a missing group included.
    pub(super) brakes: Brakes,
    /// People whose rejection or conflict began or changed.
    pub(super) troubles_new: usize,
}

/// Which directories were read in this cycle.
pub(super) struct Reads<'a> {
    /// In full.
    pub(super) complete: &'a BTreeSet<DirectoryName>,
    /// Not in full, of those that the app has assignments in.
    pub(super) unread: &'a BTreeSet<DirectoryName>,
    /// Whether the app's lease kept it from being written.
    pub(super) barred: Barred,
    /// The pause in which nothing was carried out, if there is one.
    pub(super) pause: Option<&'a Pause>,
}

/// Whether the brake holds something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Brakes {
    On,
    Off,
}

impl<P: Ports> Engine<P> {
    /// Keeps what is known now, renews holds, and tells what began, changed or ended.
    pub(super) fn conclude(
        &mut self,
        plan: &Plan,
        held: &[Hold],
        begun: &BTreeSet<Digest>,
        reads: &Reads<'_>,
        run: &mut Run<'_>,
    ) -> Result<Concluded, Abort> {
        let noted_now = |known: &&KnownAccount| known.missed.as_ref() == Some(&run.cycle);
        let absent = plan.waiting.iter().map(|waiting| &*waiting.known).filter(noted_now);
        let absent: Vec<KnownAccount> = absent.cloned().collect();
        if !absent.is_empty() {
            self.ledger.remember(&plan.app, &absent)?;
        }
        self.conclude_people(plan)?;
        let troubles_new = self.troubles(plan, reads.complete, run)?;
        let now = self.clock.now();
        let standing = standing_holds(&self.ledger, &plan.app)?;
        let shown = Shown::of(plan, begun, reads.unread).with(self.unseen(plan, &standing)?);
        let (records, new) = renew(&standing, &plan.app, held, &shown, now);
        for record in &new {
            let seq = run.next_seq();
            let mut notice = Notice::new(now, run.cycle.clone(), seq, Subject::Hold, Verdict::Held, &run.actor);
            notice.app = Some(plan.app.clone());
            notice.cause = Some(Notice::cause_code(&record.code));
            notice.problem = Some(hold_problem(record, Telling::New));
            self.report.tell(&notice)?;
        }
        self.remind(&plan.app, &records, &new, run)?;
        for hold in held.iter().filter(|hold| hold.reason != HoldReason::Rejected) {
            run.progress.note(&Event::Held(hold));
        }
        let before = self.ledger.holds()?;
        let mine: Vec<_> = before.into_iter().filter(|record| record.app == plan.app).collect();
        // What was spent by a saved plan is in no hold.
        if mine != records || !self.ledger.spent(&plan.app)?.is_empty() {
            self.ledger.keep_holds(&plan.app, &records)?;
        }
        let shown = visible(&records);
        let waits = |record: &&HoldRecord| matches!(record.state, HoldState::Waiting);
        let waiting: Vec<_> = shown.iter().filter(waits).collect();
        let held_count = waiting.iter().map(|record| record.changes.len()).sum();
        // Half a look isn't the first look: a directory or an assigned group was missing from it.
        let missing = |hold: &Hold| hold.changes.is_empty();
        // Whoever was decided against holds nobody else up, once something of the plan went on.
        let waits_for_first = |hold: &Hold| match hold.reason {
            HoldReason::Rejected => begun.is_empty(),
            _ => waits_for_first(&hold.reason),
        };
        let undecided = held.iter().any(|hold| waits_for_first(hold) || missing(hold));
        // Nor is one after which more evidence is waited for: what that leads to was not shown yet.
        let undecided = undecided || !plan.waiting.is_empty();
        // Nor is one that may have been made over what others wrote.
        let no_first = undecided || !reads.unread.is_empty() || reads.barred == Barred::Lease;
        let standing = self.ledger.app_standing(&plan.app)?;
        let carried_something = reads.pause.is_none() && (!begun.is_empty() || standing.population > 0);
        if standing.experience != Experience::Settled && !no_first && carried_something {
            self.ledger.accept(&plan.app)?;
        }
        let brakes = if waiting.is_empty() { Brakes::Off } else { Brakes::On };
        Ok(Concluded { held: held_count, brakes, troubles_new })
    }

    /// People who were decided against and have no account in use: nothing is planned for them while they can't be seen,
    /// and they are nobody's leavers. What was decided stands until they are seen again, however long that takes.
    fn unseen(&self, plan: &Plan, standing: &[HoldRecord]) -> Result<BTreeSet<PersonId>, LedgerFault> {
        let kept: BTreeSet<&PersonId> = plan.kept.iter().map(|one| &one.person).collect();
        let mut unseen = BTreeSet::new();
        for record in standing.iter().filter(|record| matches!(record.state, HoldState::Rejected { .. })) {
            for change in record.changes.iter().filter(|change| !kept.contains(&change.person)) {
                let known = self.ledger.known(&plan.app, &change.person)?;
                if known.is_none_or(|known| !known.standing.in_use()) {
                    unseen.insert(change.person.clone());
                }
            }
        }
        Ok(unseen)
    }

    /// Keeps what a plan shows of each of its people, whether it is that of everybody or of one.
    pub(super) fn conclude_people(&mut self, plan: &Plan) -> Result<(), Abort> {
        if !plan.refreshed.is_empty() {
            self.ledger.remember(&plan.app, &plan.refreshed)?;
        }
        self.end_notes(plan)?;
        self.conclude_keeps(plan)
    }

    /// Tells once a day again what waits still: one record that nobody saw must not be the last word.
    fn remind(
        &mut self,
        app: &AppName,
        records: &[HoldRecord],
        new: &[HoldRecord],
        run: &mut Run<'_>,
    ) -> Result<(), Abort> {
        let before = self.ledger.reminders(app)?;
        let now = self.ledger.tally(app)?.now;
        let mut reminders = BTreeMap::new();
        for record in visible(records).iter().filter(|record| record.state == HoldState::Waiting) {
            let told = before.get(&record.id).copied().filter(|_| new.iter().all(|one| one.id != record.id));
            let due = told.is_some_and(|told| now.since(told) >= REMIND_AFTER);
            if due {
                let seq = run.next_seq();
                let time = self.clock.now();
                let mut notice = Notice::new(time, run.cycle.clone(), seq, Subject::Hold, Verdict::Held, &run.actor);
                notice.app = Some(app.clone());
                notice.cause = Some(Notice::cause_code(&record.code));
                notice.problem = Some(hold_problem(record, Telling::Again));
                self.report.tell(&notice)?;
            }
            reminders.insert(record.id, told.filter(|_| !due).unwrap_or(now));
        }
        if reminders != before {
            self.ledger.keep_reminders(app, &reminders)?;
        }
        Ok(())
    }

    /// Ends the notes of an absence for people who were seen again, though nothing could be done for them.
    fn end_notes(&mut self, plan: &Plan) -> Result<(), Abort> {
        let rejected = plan.rejected.iter().map(|one| &one.person);
        // These two befall departed people as well, who weren't seen.
        let perhaps =
            |why: &ConflictReason| matches!(why, ConflictReason::Untouchable(_) | ConflictReason::LastAdmins(_));
        let conflicts = plan.conflicts.iter().filter(|one| !perhaps(&one.why)).map(|one| &one.person);
        let wanted = plan.changes.iter().filter(|change| change.confirm == Confirm::No).map(|change| &change.person);
        let mut seen = Vec::new();
        for person in rejected.chain(conflicts).chain(wanted) {
            let noted = self.ledger.known(&plan.app, person)?.filter(|known| known.missed.is_some());
            seen.extend(noted.map(|known| KnownAccount { missed: None, ..known }));
        }
        if !seen.is_empty() {
            self.ledger.remember(&plan.app, &seen)?;
        }
        Ok(())
    }

    /// Tells which people's rejections and conflicts began, changed or ended. Those of directories that weren't read in
    /// full stay as they were.
    fn troubles(&mut self, plan: &Plan, complete: &BTreeSet<DirectoryName>, run: &mut Run<'_>) -> Result<usize, Abort> {
        let before = self.ledger.troubles(&plan.app)?;
        let mut now: BTreeMap<PersonId, Trouble> = BTreeMap::new();
        let mut new = 0;
        for rejected in &plan.rejected {
            let trouble = Trouble { kind: "rejected".into(), text: rejected.why.to_string() };
            if before.get(&rejected.person) != Some(&trouble) {
                new += 1;
                self.tell_rejected(plan, rejected, run)?;
            }
            now.insert(rejected.person.clone(), trouble);
        }
        for conflict in &plan.conflicts {
            let trouble = Trouble { kind: "conflict".into(), text: conflict.why.to_string() };
            if before.get(&conflict.person) != Some(&trouble) {
                new += 1;
                self.tell_conflict(plan, conflict, run)?;
            }
            now.insert(conflict.person.clone(), trouble);
        }
        for (person, trouble) in &before {
            if now.contains_key(person) {
                continue;
            }
            if complete.contains(&person.directory) {
                self.tell_ended(plan, person, trouble, run)?;
            } else {
                now.insert(person.clone(), trouble.clone());
            }
        }
        if now != before {
            self.ledger.keep_troubles(&plan.app, &now)?;
        }
        Ok(new)
    }

    fn trouble_notice(
        &self,
        plan: &Plan,
        person: &PersonId,
        subject: Subject,
        verdict: Verdict,
        run: &mut Run<'_>,
    ) -> Notice {
        let seq = run.next_seq();
        let mut notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, subject, verdict, &run.actor);
        notice.app = Some(plan.app.clone());
        notice.directory = Some(person.directory.clone());
        notice.entry = Some(person.entry);
        notice
    }

    fn tell_rejected(&mut self, plan: &Plan, rejected: &Rejected, run: &mut Run<'_>) -> Result<(), Abort> {
        let mut notice = self.trouble_notice(plan, &rejected.person, Subject::Rejected, Verdict::Skipped, run);
        notice.user = rejected.user.as_ref().map(|email| email.as_str().to_owned());
        notice.name.clone_from(&rejected.name);
        notice.dn.clone_from(&rejected.dn);
        notice.cause = Some(Notice::cause_code(&rejected.why.field));
        let hint = "the account, if there is one, stays as it is; correct the entry in the directory";
        let problem = Problem::new("rejected", &rejected.why, hint);
        notice.problem = Some(problem);
        Ok(self.report.tell(&notice)?)
    }

    fn tell_conflict(&mut self, plan: &Plan, conflict: &Conflict, run: &mut Run<'_>) -> Result<(), Abort> {
        let mut notice = self.trouble_notice(plan, &conflict.person, Subject::Conflict, Verdict::Skipped, run);
        notice.user = Some(conflict.user.as_str().to_owned());
        notice.name = Some(conflict.name.clone());
        notice.dn = Some(conflict.dn.clone());
        notice.account = conflict.account;
        notice.cause = Some(Notice::cause_code(conflict.why.code()));
        notice.problem = Some(Problem::new("conflict", &conflict.why, conflict.why.hint()));
        Ok(self.report.tell(&notice)?)
    }

    fn tell_ended(
        &mut self,
        plan: &Plan,
        person: &PersonId,
        trouble: &Trouble,
        run: &mut Run<'_>,
    ) -> Result<(), Abort> {
        let subject = if trouble.kind == "conflict" { Subject::Conflict } else { Subject::Rejected };
        let mut notice = self.trouble_notice(plan, person, subject, Verdict::Done, run);
        let mut cause = Notice::cause_code("ended");
        cause.evidence = Some(trouble.text.clone());
        notice.cause = Some(cause);
        Ok(self.report.tell(&notice)?)
    }
}

/// Whether a hold says that nobody has agreed to the app's first plan yet. A rejected one was looked at and not agreed to.
const fn waits_for_first(reason: &HoldReason) -> bool {
    matches!(
        reason,
        HoldReason::FirstCycle
            | HoldReason::StoreReplaced
            | HoldReason::OtherCopy
            | HoldReason::OtherServer
            | HoldReason::Rejected
            | HoldReason::Undecided(_)
    )
}
