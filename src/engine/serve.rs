//! Serving one app in a cycle: what was let through is carried out, and what came of it is kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::brake::Hold;
use crate::domain::id::DirectoryName;
use crate::domain::outcome::Problem;
use crate::domain::pause::Pauses;
use crate::domain::plan::Plan;

use super::apply::{Carried, Run};
use super::conclude::{Brakes, Concluded, Reads};
use super::cycle::{AppPlan, lost_groups};
use super::edits::Course;
use super::holds::{rejections, standing_holds};
use super::lease::Barred;
use super::ports::{AppCounts, BrakeLedger as _, Event, HoldRecord, Ledger as _, ReadFault};
use super::propose::Whole;
use super::quarantine::Showed;
use super::renewal::visible;
use super::trials::Scope;
use super::{Abort, Ending, Engine, Ports};

/// What is the same for every app in a cycle.
pub(super) struct Round<'a> {
    /// Directories that were read in full.
    pub(super) complete: &'a BTreeSet<DirectoryName>,
    /// Those that weren't.
    pub(super) faults: &'a BTreeMap<DirectoryName, ReadFault>,
    /// What was read.
    pub(super) wholes: &'a BTreeMap<DirectoryName, Whole>,
    /// The pauses that stand.
    pub(super) pauses: &'a Pauses,
    /// Apps that aren't served, by position.
    pub(super) skip: &'a BTreeMap<usize, Problem>,
    /// Apps that are served with one change.
    pub(super) probes: &'a BTreeSet<usize>,
    /// Whether everybody was looked at.
    pub(super) scope: Scope,
}

impl<P: Ports> Engine<P> {
    /// Serves one app; answers its plan and what became of it, if there was a plan.
    pub(super) async fn serve(
        &mut self,
        at: usize,
        part: AppPlan,
        round: &Round<'_>,
        endings: &mut BTreeSet<Ending>,
        run: &mut Run<'_>,
    ) -> Result<Option<(Plan, AppCounts)>, Abort> {
        let (plan, reviewed) = match part.result {
            Ok(pair) => pair,
            Err(problem) => {
                endings.insert(Ending::Zendesk);
                if !round.skip.contains_key(&at) {
                    self.judge(at, Showed::Fault(problem.clone()), run)?;
                }
                self.tell_fault(run, Some(&part.app), None, problem)?;
                return Ok(None);
            }
        };
        let through = reviewed.approved.changes().len();
        let mut approved = reviewed.approved;
        let pause = round.pauses.of(&part.app).filter(|_| !crate::planted("a pause isn't kept"));
        let mut paused = 0;
        if let Some(pause) = pause {
            run.progress.note(&Event::Paused(&part.app, pause, through));
            (approved, paused) = (approved.part(|_| false), through);
        } else if round.probes.contains(&at) {
            approved = self.probe(&part.app, approved)?;
        }
        let passed_over = through - paused - approved.changes().len();
        let reached = |(name, whole): (&DirectoryName, &Whole)| (name.clone(), whole.reached[at].clone());
        run.reached = round.wholes.iter().map(reached).collect();
        let mut carried = self.apply(at, approved, run).await?;
        carried.left += passed_over;
        let of_app = |name: &&DirectoryName| {
            self.apps[at].rules.assignments.iter().any(|assignment| assignment.directory == **name)
        };
        let unread = round.faults.keys().filter(of_app).cloned().collect();
        self.keep_trials(&plan, &carried.tries, round.scope, &unread, run)?;
        // A cycle for one person says nothing about the others' troubles and holds.
        let concluded = match round.scope {
            Scope::Whole => {
                let reads = Reads { complete: round.complete, unread: &unread, barred: carried.barred, pause };
                let concluded = self.conclude(&plan, &reviewed.held, &carried.begun, &reads, run)?;
                let lost = self.configuration.newly_lost(lost_groups(&self.apps[at].rules, round.wholes), &plan.app);
                let edit = &part.edit;
                let rejected = &rejections(&standing_holds(&self.ledger, &part.app)?);
                let begun = &carried.begun;
                // An edit whose plan nobody carried out yet isn't agreed to.
                if pause.is_none() {
                    self.settle_edit(at, &Course { edit, begun, rejected, unread: &unread, lost })?;
                }
                self.keep_missing(&plan, &part.missing, round.complete)?;
                concluded
            }
            Scope::Person => {
                self.conclude_people(&plan)?;
                self.keep_spent(&part.app)?;
                self.point_out(&plan, &reviewed.held, run)?;
                let held = plan.changes.len().saturating_sub(through + reviewed.deferred.len());
                let brakes = if held > 0 { Brakes::On } else { Brakes::Off };
                Concluded { held, brakes, troubles_new: plan.conflicts.len() + plan.rejected.len() }
            }
        };
        let concluded = Concluded { held: concluded.held + paused, ..concluded };
        endings.extend(endings_of(&carried, &concluded));
        endings.extend((paused > 0).then_some(Ending::Held));
        let showed = Showed::of(&plan, &carried, round.scope, self.ledger.quarantine(&part.app)?.as_ref());
        self.judge(at, showed, run)?;
        if self.ledger.quarantine(&part.app)?.is_some() {
            endings.insert(Ending::Zendesk);
        }
        if let Some(problem) = carried.fault.clone() {
            run.progress.note(&Event::Fault(&problem));
            self.tell_fault(run, Some(&part.app), None, problem)?;
        }
        let population = self.ledger.app_standing(&part.app)?.population;
        let counts = app_counts(&plan, &carried, &concluded, population);
        Ok(Some((plan, counts)))
    }
}

impl<P: Ports> Engine<P> {
    /// Says of each change of one person that waits why it does, and in which hold people decide about it.
    fn point_out(&self, plan: &Plan, held: &[Hold], run: &mut Run<'_>) -> Result<(), Abort> {
        let kept = visible(&standing_holds(&self.ledger, &plan.app)?);
        for hold in held {
            if hold.changes.is_empty() {
                run.progress.note(&Event::Held(hold));
            }
            for change in plan.changes.iter().filter(|change| hold.changes.contains(change)) {
                let digest = change.digest();
                let has = |record: &&HoldRecord| record.changes.iter().any(|one| one.digest == digest);
                let id = kept.iter().find(has).map(|record| record.id);
                run.progress.note(&Event::HeldAlone(change, hold, id));
            }
        }
        Ok(())
    }
}

fn endings_of(carried: &Carried, concluded: &Concluded) -> impl Iterator<Item = Ending> {
    let barred = carried.barred == Barred::Lease;
    let zendesk = (carried.fault.is_some() && !barred).then_some(Ending::Zendesk);
    let held = (concluded.brakes == Brakes::On || barred).then_some(Ending::Held);
    let failed = (carried.failed > 0 || carried.left > 0 || concluded.troubles_new > 0).then_some(Ending::Failed);
    [zendesk, held, failed].into_iter().flatten()
}

const fn app_counts(plan: &Plan, carried: &Carried, concluded: &Concluded, population: usize) -> AppCounts {
    AppCounts {
        done: carried.done,
        failed: carried.failed + carried.left,
        held: concluded.held,
        rejected: plan.rejected.len(),
        conflicts: plan.conflicts.len(),
        population,
    }
}
