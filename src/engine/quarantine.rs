//! Quarantine: an app whose writes keep failing, or that refuses us, is only probed, with pauses that grow; the others go
//! on. It is entered and left here, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::brake::ApprovedPlan;
use crate::domain::change::Change;
use crate::domain::id::{AppName, PersonId};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::plan::Plan;
use crate::domain::trial::{Ground, Quarantine, Turn, failing};

use super::apply::{Carried, Run, takes_seat};
use super::holds::when;
use super::ports::{BrakeLedger as _, CallFault, Clock, Helpdesk, Report};
use super::trials::Scope;
use super::{Abort, Engine, Ports};

/// Which apps are served in a cycle.
#[derive(Default)]
pub(super) struct Gates {
    /// Not served: why, by position.
    pub(super) closed: BTreeMap<usize, Problem>,
    /// Served with one change.
    pub(super) probes: BTreeSet<usize>,
}

/// What a cycle showed of an app.
pub(super) enum Showed {
    /// It couldn't be served.
    Fault(Problem),
    /// Most of its writes failed.
    Failing(Problem),
    /// A write succeeded, or at least a sign-in where that was in doubt.
    Success,
    /// Nothing was written.
    Nothing,
}

impl Showed {
    /// What carrying changes out showed. Any success ends a quarantine; to begin one, much must fail.
    pub(super) fn of(plan: &Plan, carried: &Carried, scope: Scope, before: Option<&Quarantine>) -> Self {
        let tries = &carried.tries;
        let refused = carried.fault.as_ref().filter(|problem| problem.kind == CallFault::UNAUTHORIZED);
        if let Some(problem) = refused {
            return Self::Fault(problem.clone());
        }
        let why = || {
            let what = format!("{} of {} writes failed in one cycle", tries.writes_failed, tries.writes);
            Problem::new("failing", what, "see the records of this cycle")
        };
        match before {
            None if failing(tries.writes, tries.writes_failed) => Self::Failing(why()),
            None => Self::Nothing,
            Some(_) if carried.tries.written() > 0 => Self::Success,
            // Who signs in and may plan is authorized, whatever else there is.
            Some(before) if before.ground == Ground::Authorization && carried.fault.is_none() => Self::Success,
            Some(_) if carried.failed > tries.seats_short => carried.fault.clone().map_or_else(
                || Self::Failing(Problem::new("failing", "the change that was tried failed", "see its record")),
                Self::Fault,
            ),
            // Nothing is left that could fail. For one person that says nothing.
            Some(_) if plan.changes.is_empty() && scope == Scope::Whole => Self::Success,
            Some(_) => Self::Nothing,
        }
    }
}

impl<P: Ports> Engine<P> {
    /// Says which apps are served. Where the credentials were refused, a sign-in is tried first.
    pub(super) async fn gates(&mut self, run: &mut Run<'_>) -> Result<Gates, Abort> {
        let mut gates = Gates::default();
        for at in 0..self.apps.len() {
            let app = self.apps[at].rules.app.clone();
            let Some(quarantine) = self.ledger.quarantine(&app)? else { continue };
            let tally = self.ledger.tally(&app)?;
            if let Turn::Later(next) = quarantine.turn(tally.now)
                && !crate::planted("a quarantine has no pauses")
            {
                gates.closed.insert(at, closed(&app, &quarantine, &when(tally.wall_at(next))));
                continue;
            }
            if quarantine.ground == Ground::Authorization
                && let Err(fault) = self.sign_in(at).await
            {
                self.judge(at, Showed::Fault(fault.problem()), run)?;
                gates.closed.insert(at, fault.problem());
                continue;
            }
            gates.probes.insert(at);
        }
        Ok(gates)
    }

    async fn sign_in(&mut self, at: usize) -> Result<(), CallFault> {
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        desk.catalog().await.map(drop)
    }

    /// The one change with which a quarantined app is probed: one that writes, and rather one that hasn't failed before.
    /// What writes nothing shows nothing, and needs no probing.
    pub(super) fn probe(&self, app: &AppName, approved: ApprovedPlan) -> Result<ApprovedPlan, Abort> {
        if crate::planted("a probe is everything") {
            return Ok(approved);
        }
        let tries = self.tries(app)?;
        let writing = approved.changes().iter().filter(|change| !change.steps.is_empty());
        // A seat that isn't there says nothing of the app.
        let doubt = |change: &&Change| (takes_seat(change), tries.again(&change.person, &change.digest()));
        let one: Option<PersonId> = writing.min_by_key(doubt).map(|change| change.person.clone());
        Ok(approved.part(|change| change.steps.is_empty() || Some(&change.person) == one.as_ref()))
    }

    /// Begins, prolongs or ends a quarantine by what a cycle showed.
    pub(super) fn judge(&mut self, at: usize, showed: Showed, run: &mut Run<'_>) -> Result<(), Abort> {
        let app = self.apps[at].rules.app.clone();
        let now = self.ledger.tally(&app)?.now;
        let before = self.ledger.quarantine(&app)?;
        match (before, showed) {
            (None, Showed::Fault(problem)) if problem.kind == CallFault::UNAUTHORIZED => {
                self.enter(&app, Ground::Authorization, &problem, run)
            }
            (None, Showed::Failing(problem)) => self.enter(&app, Ground::Failing, &problem, run),
            // Who can't be reached, or is asked to wait, has shown nothing: the next cycle tries again.
            (Some(_), Showed::Fault(problem)) if CallFault::WAITED_OUT.contains(&problem.kind) => Ok(()),
            (Some(before), Showed::Fault(problem) | Showed::Failing(problem)) => {
                let after = before.probed(problem.message, now);
                Ok(self.ledger.keep_quarantine(&app, Some(&after))?)
            }
            (Some(before), Showed::Success) => {
                let seq = run.next_seq();
                let mut notice = self.quarantine_notice(&app, Verdict::Done, seq, run);
                let mut cause = Notice::cause_code("ended");
                cause.evidence = Some(format!("in quarantine since {}", when(before.since)));
                notice.cause = Some(cause);
                self.report.tell(&notice)?;
                Ok(self.ledger.keep_quarantine(&app, None)?)
            }
            (None, Showed::Fault(_) | Showed::Success) | (_, Showed::Nothing) => Ok(()),
        }
    }

    fn enter(&mut self, app: &AppName, ground: Ground, problem: &Problem, run: &mut Run<'_>) -> Result<(), Abort> {
        let tally = self.ledger.tally(app)?;
        let begun = Quarantine::begin(ground, problem.message.clone(), (tally.now, run.now));
        let next = when(tally.wall_at(begun.next));
        let seq = run.next_seq();
        let mut notice = self.quarantine_notice(app, Verdict::Held, seq, run);
        notice.cause = Some(Notice::cause_code(match ground {
            Ground::Authorization => CallFault::UNAUTHORIZED,
            Ground::Failing => "failing",
        }));
        notice.problem = Some(closed(app, &begun, &next));
        self.report.tell(&notice)?;
        tracing::warn!(app = %app, error_type = problem.kind, "quarantine began");
        Ok(self.ledger.keep_quarantine(app, Some(&begun))?)
    }

    fn quarantine_notice(&self, app: &AppName, verdict: Verdict, seq: u64, run: &Run<'_>) -> Notice {
        let cycle = run.cycle.clone();
        let mut notice = Notice::new(self.clock.now(), cycle, seq, Subject::Quarantine, verdict, &run.actor);
        notice.app = Some(app.clone());
        notice
    }
}

/// Why a quarantined app isn't served.
fn closed(app: &AppName, quarantine: &Quarantine, next: &str) -> Problem {
    let since = when(quarantine.since);
    let what = format!("in quarantine since {since}, tried again not before {next}: {}", quarantine.why);
    let hint = format!("mend the cause; `zendesk-dirsync retry --app {app}` has the next cycle try at once");
    Problem::new("quarantine", what, hint)
}
