//! Trying again: what failed in a cycle, kept so that each person has pauses of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::brake::Moment;
use crate::domain::id::{AppName, CycleId, Digest, DirectoryName, PersonId};
use crate::domain::outcome::{Applied, Notice, Outcome, Problem, Subject, Verdict};
use crate::domain::plan::Plan;
use crate::domain::trial::{Parking, Quarantine, Trial};

use super::apply::Run;
use super::naming::Someone;
use super::ports::{BrakeLedger as _, CallFault, Clock, DeedLedger as _, Intent, Ledger as _, LedgerFault, Report};
use super::{Abort, Engine, Ports};

/// What came of the changes of one app in this cycle, as far as pauses are made of it.
#[derive(Default)]
pub(super) struct Tries {
    before: BTreeMap<PersonId, Trial>,
    failures: BTreeMap<PersonId, Failure>,
    succeeded: BTreeSet<PersonId>,
    /// Changes tried, and those that failed; whoever failed before and fails again isn't counted.
    pub(super) tried: usize,
    pub(super) failed: usize,
    /// The same of writes alone.
    pub(super) writes: usize,
    pub(super) writes_failed: usize,
    /// People for whom no seat was left.
    pub(super) seats_short: usize,
}

struct Failure {
    digest: Digest,
    user: String,
    why: String,
}

/// What is tried anew by a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// People whose changes are tried again.
    pub people: usize,
    /// Apps that are served again.
    pub apps: usize,
}

/// Whether everybody was looked at in a cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everybody was.
    Whole,
    /// Only one person.
    Person,
}

impl Tries {
    /// Whether the very change failed before.
    pub(super) fn again(&self, person: &PersonId, digest: &Digest) -> bool {
        self.before.get(person).is_some_and(|trial| trial.digest == *digest)
    }

    /// Notes what became of a change. A fault that ended the app says nothing about the person.
    pub(super) fn note(&mut self, applied: &Applied, digest: Digest, fault: Option<&Problem>) {
        let person = &applied.change.person;
        let again = usize::from(self.again(person, &digest));
        let fresh = 1 - again;
        let failure = |problem: &Problem| Failure {
            digest,
            user: applied.change.email.to_string(),
            why: problem.message.clone(),
        };
        match &applied.outcome {
            Outcome::Done(_) | Outcome::AlreadySo(_) => {
                self.tried += 1;
                // A link writes nothing: it doesn't show that writes succeed.
                self.writes += usize::from(!applied.change.steps.is_empty());
                self.succeeded.insert(person.clone());
            }
            // The next cycle asks what became of it.
            Outcome::Unknown(_) => {
                self.count(fresh);
                self.count_writes(fresh);
            }
            // A seat is nobody's fault, and may be there in the next cycle.
            Outcome::Refused(problem) | Outcome::NotAttempted(problem) if problem.kind == CallFault::SEATS_SHORT => {
                self.seats_short += 1;
            }
            Outcome::Refused(_) | Outcome::NotAttempted(_) if fault.is_some() => {}
            Outcome::Refused(problem) => {
                self.count(fresh);
                self.count_writes(fresh);
                self.failures.insert(person.clone(), failure(problem));
            }
            Outcome::NotAttempted(problem) => {
                self.count(fresh);
                self.failures.insert(person.clone(), failure(problem));
            }
        }
    }

    /// Writes that succeeded.
    pub(super) const fn written(&self) -> usize {
        self.writes - self.writes_failed
    }

    const fn count(&mut self, fresh: usize) {
        self.tried += fresh;
        self.failed += fresh;
    }

    const fn count_writes(&mut self, fresh: usize) {
        self.writes += fresh;
        self.writes_failed += fresh;
    }
}

impl<P: Ports> Engine<P> {
    /// Tries of an app, with what failed before.
    pub(super) fn tries(&self, app: &AppName) -> Result<Tries, LedgerFault> {
        Ok(Tries { before: self.ledger.trials(app)?, ..Tries::default() })
    }

    /// Keeps the pauses after a cycle, and tells once who isn't tried any more.
    pub(super) fn keep_trials(
        &mut self,
        plan: &Plan,
        tries: &Tries,
        scope: Scope,
        unread: &BTreeSet<DirectoryName>,
        run: &mut Run<'_>,
    ) -> Result<(), Abort> {
        let now = self.ledger.tally(&plan.app)?.now;
        let before = self.ledger.trials(&plan.app)?;
        let planned: BTreeMap<&PersonId, Digest> =
            plan.changes.iter().map(|change| (&change.person, change.digest())).collect();
        let mut trials = before.clone();
        trials.retain(|person, trial| {
            let outstanding = planned.get(person).is_some_and(|digest| *digest == trial.digest);
            let unseen = scope == Scope::Person || unread.contains(&person.directory);
            !tries.succeeded.contains(person) && (outstanding || unseen)
        });
        for (person, failure) in &tries.failures {
            let Failure { digest, user, why } = failure;
            let trial = Trial::failed(before.get(person), *digest, user, why, (now, run.now));
            trials.insert(person.clone(), trial);
        }
        for (person, trial) in &mut trials {
            if trial.is_parked(now) && trial.parking == Parking::Open {
                trial.parking = Parking::Told;
                self.tell_parked(&plan.app, person, trial, run)?;
            }
        }
        if trials != before {
            self.ledger.keep_trials(&plan.app, &trials)?;
        }
        Ok(())
    }

    fn tell_parked(&mut self, app: &AppName, person: &PersonId, trial: &Trial, run: &mut Run<'_>) -> Result<(), Abort> {
        let (time, seq) = (self.clock.now(), run.next_seq());
        let mut notice = Notice::new(time, run.cycle.clone(), seq, Subject::Quarantine, Verdict::Skipped, &run.actor);
        notice.app = Some(app.clone());
        notice.directory = Some(person.directory.clone());
        notice.entry = Some(person.entry);
        notice.user = Some(trial.user.clone());
        notice.cause = Some(Notice::cause_code("parked"));
        let what = format!("not tried any more after {} failures in 28 days: {}", trial.failures, trial.why);
        let hint = format!("mend the cause, then `zendesk-dirsync retry {}`", trial.user);
        notice.problem = Some(Problem::new("parked", what, hint));
        Ok(self.report.tell(&notice)?)
    }

    /// Notes that a change which wasn't answered turned out to have failed.
    pub(super) fn failed_late(&mut self, intent: &Intent, run: &Run<'_>) -> Result<(), Abort> {
        let now = self.ledger.tally(&intent.app)?.now;
        let mut trials = self.ledger.trials(&intent.app)?;
        let why = "the call was not answered and did not take effect";
        let user = intent.email.as_str();
        let before = trials.get(&intent.person);
        let mut trial = Trial::failed(before, intent.digest, user, why, (now, run.now));
        // The pause began with the call, not with the answer to what became of it.
        let passed = u64::try_from((run.now - intent.time).num_seconds()).unwrap_or_default();
        trial.next = Moment(trial.next.0.saturating_sub(passed)).max(now);
        trials.insert(intent.person.clone(), trial);
        Ok(self.ledger.keep_trials(&intent.app, &trials)?)
    }

    /// Has the next cycle try again at once: one person, or all that failed in an app and the app itself.
    ///
    /// # Errors
    /// When the store or the report can't be used.
    pub fn retry(&mut self, user: Option<&str>, app: Option<&str>, actor: &str) -> Result<Retried, Abort> {
        let mut retried = Retried { people: 0, apps: 0 };
        let apps: Vec<AppName> = self.apps.iter().map(|one| one.rules.app.clone()).collect();
        for name in apps.into_iter().filter(|name| app.is_none_or(|app| name.as_str() == app)) {
            let before = self.ledger.trials(&name)?;
            let trials = before.clone();
            let mut left = BTreeMap::new();
            for (person, trial) in trials {
                if let Some(user) = user
                    && !self.someone_tried(&name, &person, &trial)?.is(user)
                {
                    left.insert(person, trial);
                }
            }
            let trials = left;
            for (person, trial) in before.iter().filter(|(person, _)| !trials.contains_key(*person)) {
                self.tell_retry(&name, Some((person, trial)), actor)?;
                retried.people += 1;
            }
            if trials != before {
                self.ledger.keep_trials(&name, &trials)?;
            }
            if let Some(quarantine) = self.ledger.quarantine(&name)?.filter(|_| user.is_none()) {
                self.tell_retry(&name, None, actor)?;
                retried.apps += 1;
                let now = self.ledger.tally(&name)?.now;
                self.ledger.keep_quarantine(&name, Some(&Quarantine { next: now, ..quarantine }))?;
            }
        }
        Ok(retried)
    }

    /// Whom a failed change is about: somebody without an account yet is known by the deed alone.
    fn someone_tried(&self, app: &AppName, person: &PersonId, trial: &Trial) -> Result<Someone, LedgerFault> {
        if let Some(known) = self.ledger.known(app, person)? {
            return Ok(Someone { user: trial.user.clone(), ..Someone::known(app, &known) });
        }
        let name = self.ledger.deeds_of(app, person)?.pop().map(|deed| deed.name).unwrap_or_default();
        Ok(Someone { app: app.clone(), person: person.clone(), user: trial.user.clone(), name, account: None })
    }

    fn tell_retry(&mut self, app: &AppName, of: Option<(&PersonId, &Trial)>, actor: &str) -> Result<(), Abort> {
        let now = self.clock.now();
        self.report.ready()?;
        let mut notice = Notice::new(now, CycleId::at(now), 0, Subject::Quarantine, Verdict::Done, actor);
        notice.app = Some(app.clone());
        if let Some((person, trial)) = of {
            notice.directory = Some(person.directory.clone());
            notice.entry = Some(person.entry);
            notice.user = Some(trial.user.clone());
        }
        notice.cause = Some(Notice::cause_code("retry"));
        Ok(self.report.tell(&notice)?)
    }
}
