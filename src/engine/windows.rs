//! What the brake is told beside a plan, and what it counts over time: reserved before the first call, given back for
//! what wasn't begun.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::brake::{ApprovedPlan, Bench, Kind, Tally};
use crate::domain::edit::Edit;
use crate::domain::id::{AppName, Digest, DirectoryName, PersonId};
use crate::domain::plan::Plan;
use crate::domain::trial::{Deferral, Turn};

use super::holds::{approvals, rejections, standing_holds, undecided};
use super::planner::Planner;
use super::ports::{BrakeLedger as _, Clock, HoldState, Ledger, LedgerFault};
use super::{Abort, Engine, Ports};

/// What was counted before the first call of an app's changes.
pub(super) struct Reserved {
    before: Tally,
    counted: Vec<(Digest, Kind, PersonId)>,
}

/// An app's tally at a moment; nothing is kept.
fn tally<L: Ledger>(ledger: &L, app: &AppName, now: DateTime<Utc>) -> Result<Tally, LedgerFault> {
    let mut tally = ledger.tally(app)?;
    tally.advance(now);
    Ok(tally)
}

impl<P: Ports> Planner<'_, P> {
    /// What the brake looks at beside a plan. `missing` are the managed people whom this cycle's reads didn't show.
    pub(super) fn bench(&self, plan: &Plan, missing: &BTreeSet<PersonId>, edit: Edit) -> Result<Bench, LedgerFault> {
        let (app, now) = (&plan.app, self.clock.now());
        let holds = standing_holds(self.ledger, app)?;
        let tally = tally(self.ledger, app, now)?;
        let trials = self.ledger.trials(app)?;
        let mut deferred = BTreeMap::new();
        for change in &plan.changes {
            let Some(trial) = trials.get(&change.person) else { continue };
            let digest = change.digest();
            let until = match trial.turn(&digest, tally.now) {
                Turn::Now => continue,
                Turn::Later(next) => Some(tally.wall_at(next)),
                Turn::Parked => None,
            };
            deferred.insert(digest, Deferral { failures: trial.failures, until });
        }
        let known = self.ledger.missing(app)?;
        Ok(Bench {
            approvals: approvals(&holds, now),
            rejections: rejections(&holds),
            undecided: undecided(&holds, now),
            deferred,
            gone: missing.difference(&known).count(),
            tally,
            edit,
            ..Bench::of(self.limits, self.ledger.app_standing(app)?.experience)
        })
    }
}

impl<P: Ports> Engine<P> {
    /// Lets every app's counted time pass.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) -> Result<(), LedgerFault> {
        for at in 0..self.apps.len() {
            let app = self.apps[at].rules.app.clone();
            let tally = self.tally(&app, now)?;
            self.ledger.keep_tally(&app, &tally)?;
        }
        Ok(())
    }

    /// An app's tally at a moment; nothing is kept.
    pub(super) fn tally(&self, app: &AppName, now: DateTime<Utc>) -> Result<Tally, LedgerFault> {
        tally(&self.ledger, app, now)
    }

    /// Counts what will go on without a person's word, before its first call: a process that dies in the middle has
    /// counted too much, never too little.
    pub(super) fn reserve(&mut self, app: &AppName, approved: &ApprovedPlan) -> Result<Reserved, Abort> {
        let unasked = |digest: &Digest| !approved.by_word().contains(digest);
        let counted = approved.changes().iter().filter_map(|change| {
            let kind = Kind::of(change.class)?;
            let digest = change.digest();
            unasked(&digest).then(|| (digest, kind, change.person.clone()))
        });
        let reserved = Reserved { before: self.ledger.tally(app)?, counted: counted.collect() };
        if !reserved.counted.is_empty() {
            let tally = reserved.with(|_| true);
            self.ledger.keep_tally(app, &tally)?;
        }
        Ok(reserved)
    }

    /// Gives back what wasn't begun.
    pub(super) fn give_back(
        &mut self,
        app: &AppName,
        reserved: &Reserved,
        begun: &BTreeSet<Digest>,
    ) -> Result<(), Abort> {
        if reserved.counted.iter().any(|(digest, ..)| !begun.contains(digest)) {
            let tally = reserved.with(|digest| begun.contains(digest));
            self.ledger.keep_tally(app, &tally)?;
        }
        Ok(())
    }

    /// Keeps who was missing, so that the next cycle counts only who went missing since.
    ///
    /// While too many are gone at once nobody becomes old news: removals must wait until people return or somebody
    /// decides, not until the next read says the same.
    pub(super) fn keep_missing(
        &mut self,
        plan: &Plan,
        missing: &BTreeSet<PersonId>,
        complete: &BTreeSet<DirectoryName>,
    ) -> Result<(), Abort> {
        let app = &plan.app;
        let known = self.ledger.missing(app)?;
        let rejected: BTreeSet<PersonId> = standing_holds(&self.ledger, app)?
            .iter()
            .filter(|hold| matches!(hold.state, HoldState::Rejected { .. }))
            .flat_map(|hold| hold.changes.iter().filter(|change| change.action.is_removal()))
            .map(|change| change.person.clone())
            .collect();
        let new = missing.difference(&known).count();
        let usual = new <= self.limits.source_gone.people(plan.population);
        let still = |person: &&PersonId| missing.contains(*person) || !complete.contains(&person.directory);
        let mut now: BTreeSet<PersonId> = known.iter().filter(still).cloned().collect();
        now.extend(missing.iter().filter(|person| usual || rejected.contains(person)).cloned());
        if now != known {
            self.ledger.keep_missing(app, &now)?;
        }
        Ok(())
    }
}

impl Reserved {
    /// The tally with the reserved ones that pass a test.
    fn with(&self, passes: impl Fn(&Digest) -> bool) -> Tally {
        let mut tally = self.before.clone();
        for (_, kind, person) in self.counted.iter().filter(|(digest, ..)| passes(digest)) {
            tally.count(*kind, person);
        }
        tally
    }
}
