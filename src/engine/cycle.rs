//! The cycle: recover, gather, plan, brake, apply, conclude.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Catalog;
use crate::domain::assignment::Assignment;
use crate::domain::brake::{Review, review};
use crate::domain::edit::Edit;
use crate::domain::id::{AppName, CycleId, DirectoryName, PersonId};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::plan::Plan;
use crate::domain::rules::AppRules;
use crate::domain::scope::Resolved;

use super::apply::Run;
use super::compare::{Both, Compared, Heard};
use super::gather::{GatherFault, Wants};
use super::holds::missing_group;
use super::naming::Someone;
use super::only::{narrow, planned};
use super::planner::Planner;
use super::ports::{
    AppCounts, Clock, Completeness, CycleSummary, DeedLedger, Directory, Event, Ledger, Progress, ReadFault, Report,
};
use super::propose::{Answers, ProposeFault, Whole};
use super::quarantine::Showed;
use super::saved::SavedOrder;
use super::serve::Round;
use super::trials::Scope;
use super::view::PlanView;
use super::{Abort, CycleReport, Ending, Engine, Ports, Stop};

/// Groups that aren't reached any more and whose names are kept; they only serve messages.
const FORMER_GROUPS_MAX: usize = 1_000;

/// What is asked of a cycle.
#[derive(Debug, Clone)]
pub struct CycleOrder {
    /// Who asked: `daemon`, or a person.
    pub actor: String,
    /// Only this person: by mail, name or immutable id.
    pub only: Option<String>,
    /// When to stop early.
    pub stop: Stop,
}

/// One app's part of what was prepared.
#[derive(Debug)]
pub struct AppPlan {
    /// The app.
    pub app: AppName,
    /// What the configuration does differently from the accepted one.
    pub edit: Edit,
    /// The plan with its review, or why there is none.
    pub result: Result<(Plan, Review), Problem>,
    /// Managed people whom the reads didn't show.
    pub(super) missing: BTreeSet<PersonId>,
}

/// Everything up to the brake: nothing was changed, neither outside nor in the store.
#[derive(Debug)]
pub struct Prepared {
    /// The cycle's name.
    pub cycle: CycleId,
    /// Directories that weren't read in full.
    pub faults: BTreeMap<DirectoryName, ReadFault>,
    /// The apps, in the order of the configuration.
    pub apps: Vec<AppPlan>,
    pub(super) wholes: BTreeMap<DirectoryName, Whole>,
    /// What look-ups answered.
    pub(super) looked_up: Answers,
    /// The names at Zendesk, by app that was asked.
    pub(super) catalogs: BTreeMap<AppName, Catalog>,
    /// For a cycle for one person: everybody whom the name fits.
    pub(super) named: Vec<Someone>,
}

impl Prepared {
    /// The server that answered, by directory.
    pub fn servers(&self) -> BTreeMap<String, String> {
        let name = |(name, whole): (&DirectoryName, &Whole)| (name.to_string(), whole.read.end().server.name.clone());
        self.wholes.iter().map(name).collect()
    }
}

impl<P: Ports> Engine<P> {
    /// Plans every app, and changes nothing.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn prepare(
        &mut self,
        cycle: CycleId,
        only: Option<&str>,
        skip: &BTreeMap<usize, Problem>,
        progress: &mut dyn Progress,
    ) -> Result<Prepared, Abort> {
        self.planner().prepare(cycle, only, skip, progress).await
    }
}

impl<P: Ports> Planner<'_, P> {
    /// Plans every app, and changes nothing.
    pub(super) async fn prepare(
        &mut self,
        cycle: CycleId,
        only: Option<&str>,
        skip: &BTreeMap<usize, Problem>,
        progress: &mut dyn Progress,
    ) -> Result<Prepared, Abort> {
        let sets = self.sets();
        let mut wants: Vec<Wants> = sets.iter().map(|_| Wants::default()).collect();
        let mut wholes = BTreeMap::new();
        let mut faults = BTreeMap::new();
        let mut unheard = BTreeSet::new();
        for at in 0..self.directories.len() {
            let name = self.directories[at].name().clone();
            match self.read(at, &sets, &mut wants, &mut unheard, progress).await {
                Ok(Some(whole)) => {
                    progress.note(&Event::Read(&whole.read));
                    wholes.insert(name, whole);
                }
                Ok(None) => {}
                Err(GatherFault::Ledger(fault)) => return Err(fault.into()),
                Err(GatherFault::Read(fault)) => {
                    progress.note(&Event::Fault(&fault.problem()));
                    faults.insert(name, fault);
                }
            }
        }
        let mut former: BTreeMap<usize, Wants> = BTreeMap::new();
        for (set, wants) in sets.iter().skip(self.apps.len()).zip(wants.split_off(self.apps.len())) {
            former.insert(set.app, wants);
        }
        let (mut looked_up, mut catalogs, mut named) = (Answers::new(), BTreeMap::new(), Vec::new());
        let mut apps = Vec::new();
        for (at, wants) in wants.into_iter().enumerate() {
            let app = self.apps[at].rules.app.clone();
            let mut missing = BTreeSet::new();
            if let Some(problem) = skip.get(&at) {
                apps.push(AppPlan { app, edit: Edit::default(), result: Err(problem.clone()), missing });
                continue;
            }
            if let Some(user) = only {
                named.extend(self.managed(user, Some(&app))?);
            }
            let heard = Heard { sets: &sets, wholes: &wholes, unheard: &unheard };
            let wants = Both { present: wants, former: former.remove(&at) };
            let part = match self.compare(at, wants, &heard, &mut faults, &cycle, progress).await {
                Ok(Compared { proposed, edit, asked }) => {
                    looked_up.extend(asked.present);
                    catalogs.extend(asked.catalog.map(|catalog| (app.clone(), catalog)));
                    missing = proposed.missing;
                    let (plan, review) = self.brake(at, proposed.plan, &missing, &edit, &wholes)?;
                    named.extend(only.map(|user| planned(&plan, user)).unwrap_or_default());
                    let pair = match only {
                        Some(_) => {
                            let mine = named.iter().filter(|one| one.app == app).map(|one| one.person.clone());
                            narrow(plan, review, &mine.collect())
                        }
                        None => (plan, review),
                    };
                    AppPlan { app, edit, result: Ok(pair), missing }
                }
                Err(ProposeFault::Ledger(fault)) => return Err(fault.into()),
                Err(ProposeFault::Call(fault)) => {
                    progress.note(&Event::Fault(&fault.problem()));
                    AppPlan { app, edit: Edit::default(), result: Err(fault.problem()), missing }
                }
            };
            apps.push(part);
        }
        Ok(Prepared { cycle, faults, apps, wholes, looked_up, catalogs, named })
    }

    fn brake(
        &self,
        at: usize,
        plan: Plan,
        missing: &BTreeSet<PersonId>,
        edit: &Edit,
        wholes: &BTreeMap<DirectoryName, Whole>,
    ) -> Result<(Plan, Review), Abort> {
        let rules = &self.apps[at].rules;
        let bench = self.bench(&plan, missing, edit.clone())?;
        #[cfg(feature = "planted")]
        let (plan, bench) = super::loose::loosened(plan, bench);
        let mut reviewed = review(&plan, &bench);
        for (assignment, text) in lost_groups(rules, wholes) {
            let shown = [missing_group(&rules.app, &assignment.text), missing_group(&rules.app, &text)];
            if !reviewed.held.iter().any(|hold| shown.iter().any(|one| one.reason == hold.reason)) {
                reviewed.held.push(missing_group(&rules.app, &text));
            }
        }
        Ok((plan, reviewed))
    }
}

/// The assignments whose groups were not found, each with what there is to say of it.
pub(super) fn lost_groups<'a>(
    rules: &'a AppRules,
    wholes: &'a BTreeMap<DirectoryName, Whole>,
) -> impl Iterator<Item = (&'a Assignment, String)> {
    rules.assignments.iter().filter_map(|assignment| {
        let whole = wholes.get(&assignment.directory)?;
        let key = assignment.pin_key();
        let position = whole.question.keys.iter().position(|one| *one == key);
        match position.and_then(|at| whole.read.end().resolved.get(at))? {
            Resolved::Missing => Some((assignment, assignment.text.clone())),
            Resolved::Ambiguous(fits) => {
                Some((assignment, format!("{} (it fits {})", assignment.text, fits.join("; "))))
            }
            Resolved::Found(_) => None,
        }
    })
}

impl<P: Ports> Engine<P> {
    /// Runs one cycle.
    ///
    /// # Errors
    /// When the store or the report can't be used: nothing more is written then.
    pub async fn cycle(&mut self, order: CycleOrder, progress: &mut dyn Progress) -> Result<CycleReport, Abort> {
        self.cycle_of(order, None, progress).await
    }

    /// Runs one cycle, or exactly a saved plan in one; one that breaks off leaves its trace where that is possible.
    pub(super) async fn cycle_of(
        &mut self,
        order: CycleOrder,
        saved: Option<&SavedOrder>,
        progress: &mut dyn Progress,
    ) -> Result<CycleReport, Abort> {
        let began = self.clock.now();
        let done = self.run_through(order, saved, progress).await;
        if let Err(abort) = &done {
            let mut summary = self.summary(&CycleId::at(began), began, Ending::Storage, BTreeMap::new(), false);
            summary.text = abort.to_string();
            // What keeps the cycle from going on may keep this from being noted as well.
            let _ = self.ledger.end_cycle(&summary);
        }
        done
    }

    async fn run_through(
        &mut self,
        order: CycleOrder,
        saved: Option<&SavedOrder>,
        progress: &mut dyn Progress,
    ) -> Result<CycleReport, Abort> {
        let began = self.clock.now();
        let cycle = CycleId::at(began);
        tracing::info!(cycle = %cycle, "cycle began");
        let reached = BTreeMap::new();
        let mut run =
            Run { cycle: cycle.clone(), actor: order.actor, now: began, seq: 0, reached, stop: order.stop, progress };
        self.bind()?;
        self.report.ready()?;
        self.tick(began)?;
        let gates = self.gates(&mut run).await?;
        let mut skip = gates.closed.clone();
        for one in self.recover(&gates, &mut run).await? {
            self.judge(one.at, Showed::Fault(one.fault.problem()), &mut run)?;
            skip.insert(one.at, one.fault.problem());
        }
        let mut prepared = self.prepare(cycle.clone(), order.only.as_deref(), &skip, run.progress).await?;
        if let Some(saved) = saved
            && let Some(now) = self.hold_to(saved, &mut prepared, &mut run)?
        {
            return Ok(self.refused(&run, now));
        }
        let only = order.only.as_deref().filter(|_| saved.is_none());
        if let Some(report) = self.misnamed(&prepared, only, &run) {
            return Ok(report);
        }
        let pauses = self.renew_pauses(&run)?;
        self.pin(&prepared.wholes)?;
        self.keep_groups(&prepared.wholes)?;
        self.keep_servers(&prepared)?;
        self.keep_pictures(&mut prepared)?;
        let complete: BTreeSet<DirectoryName> =
            prepared.wholes.keys().filter(|name| !prepared.faults.contains_key(*name)).cloned().collect();
        let mut endings = BTreeSet::from([Ending::Done]);
        if !prepared.faults.is_empty() {
            endings.insert(Ending::Directory);
        }
        let scope = if order.only.is_none() { Scope::Whole } else { Scope::Person };
        let faults = &prepared.faults;
        let (wholes, probes) = (&prepared.wholes, &gates.probes);
        let round = Round { complete: &complete, faults, wholes, skip: &skip, probes, pauses: &pauses, scope };
        let mut counts = BTreeMap::new();
        let mut plans = BTreeMap::new();
        for part in prepared.apps {
            // By name: of a saved plan only a part of the apps is left.
            let Some(at) = self.apps.iter().position(|app| app.rules.app == part.app) else { continue };
            let app = part.app.clone();
            if let Some((plan, count)) = self.serve(at, part, &round, &mut endings, &mut run).await? {
                counts.insert(app.clone(), count);
                plans.insert(app, plan);
            } else if crate::planted("one app that fails ends the cycle") {
                break;
            }
        }
        for (name, fault) in &prepared.faults {
            self.tell_fault(&mut run, None, Some(name), fault.problem())?;
        }
        if order.only.is_none() && self.tell_apps_gone(&mut run)? > 0 {
            endings.insert(Ending::Held);
        }
        let ending = endings.first().copied().unwrap_or(Ending::Done);
        let mut summary = self.summary(&cycle, began, ending, counts, prepared.faults.is_empty());
        summary.text = super::pause::told_first(&pauses, summary.text, began);
        let waits = self.waits()?;
        self.tell_cycle(&mut run, &summary, ending, waits.as_deref())?;
        self.ledger.end_cycle(&summary)?;
        self.ledger.prune_deeds()?;
        tracing::info!(cycle = %cycle, code = ending.code(), outcome = %summary.text, waits, "cycle ended");
        Ok(CycleReport { ending, summary, faults: prepared.faults, plans, moved: None, refusal: None })
    }

    /// A saved plan that moved: nothing was done, and there was no cycle to be kept.
    fn refused(&self, run: &Run<'_>, now: Box<PlanView>) -> CycleReport {
        let is_directory = |name: &String| self.directories.iter().any(|one| one.name().as_str() == name);
        let ending = match now.faults.keys().next() {
            Some(_) if now.faults.keys().any(is_directory) => Ending::Directory,
            Some(_) => Ending::Zendesk,
            None => Ending::Held,
        };
        let summary = self.summary(&run.cycle, run.now, ending, BTreeMap::new(), now.faults.is_empty());
        CycleReport {
            ending,
            summary,
            faults: BTreeMap::new(),
            plans: BTreeMap::new(),
            moved: Some(now),
            refusal: None,
        }
    }

    /// The store belongs to these Zendesk accounts and no others.
    pub(super) fn bind(&mut self) -> Result<(), Abort> {
        for app in &self.apps {
            self.ledger.bind(&format!("app:{}", app.rules.app), &app.identity)?;
        }
        Ok(())
    }

    /// Pins the groups that were found for the first time.
    fn pin(&mut self, wholes: &BTreeMap<DirectoryName, Whole>) -> Result<(), Abort> {
        let mut pins = self.ledger.pins()?;
        let before = pins.len();
        for whole in wholes.values() {
            for (key, resolved) in whole.question.keys.iter().zip(&whole.read.end().resolved) {
                if let Resolved::Found(id) = resolved {
                    pins.entry(key.clone()).or_insert(*id);
                }
            }
        }
        if pins.len() > before {
            self.ledger.pin(&pins)?;
        }
        Ok(())
    }

    /// Keeps the groups that were reached, and those that earlier reads reached: they have names only there.
    fn keep_groups(&mut self, wholes: &BTreeMap<DirectoryName, Whole>) -> Result<(), Abort> {
        for (name, whole) in wholes {
            let mut groups = whole.read.end().groups.clone();
            let gone = whole.former.iter().filter(|(id, _)| !whole.read.end().groups.contains_key(*id));
            groups.extend(gone.take(FORMER_GROUPS_MAX).map(|(id, group)| (*id, group.clone())));
            if groups != whole.former {
                self.ledger.keep_groups(name, &groups)?;
            }
        }
        Ok(())
    }

    /// Tells of a directory or app that couldn't be served.
    pub(super) fn tell_fault(
        &mut self,
        run: &mut Run<'_>,
        app: Option<&AppName>,
        directory: Option<&DirectoryName>,
        problem: Problem,
    ) -> Result<(), Abort> {
        let seq = run.next_seq();
        let mut notice =
            Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Cycle, Verdict::Refused, &run.actor);
        notice.app = app.cloned();
        notice.directory = directory.cloned();
        notice.cause = Some(Notice::cause_code(problem.kind));
        notice.problem = Some(problem);
        Ok(self.report.tell(&notice)?)
    }

    fn tell_cycle(
        &mut self,
        run: &mut Run<'_>,
        summary: &CycleSummary,
        ending: Ending,
        waits: Option<&str>,
    ) -> Result<(), Abort> {
        let verdict = match ending {
            Ending::Done => Verdict::Done,
            Ending::Held => Verdict::Held,
            Ending::Storage | Ending::Directory | Ending::Zendesk | Ending::Failed => Verdict::Refused,
        };
        let seq = run.next_seq();
        let mut notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Cycle, verdict, &run.actor);
        let mut cause = Notice::cause_code("ended");
        // A reminder in every cycle: nobody reads on from a hold that was told once.
        cause.evidence = Some([&*summary.text].into_iter().chain(waits).collect::<Vec<_>>().join("; "));
        notice.cause = Some(cause);
        notice.elapsed_ms = u64::try_from((summary.ended - summary.began).num_milliseconds()).ok();
        Ok(self.report.tell(&notice)?)
    }

    pub(super) fn summary(
        &self,
        cycle: &CycleId,
        began: chrono::DateTime<chrono::Utc>,
        ending: Ending,
        apps: BTreeMap<AppName, AppCounts>,
        complete: bool,
    ) -> CycleSummary {
        let line = |(app, c): (&AppName, &AppCounts)| {
            format!(
                "{app}: {} done, {} failed, {} held, {} rejected, {} in conflict, of {} accounts",
                c.done, c.failed, c.held, c.rejected, c.conflicts, c.population
            )
        };
        let mut text: Vec<String> = apps.iter().map(line).collect();
        if !complete {
            text.push("a directory was not read in full".into());
        }
        if ending == Ending::Zendesk {
            text.push("Zendesk could not be served".into());
        }
        let complete = if complete { Completeness::Complete } else { Completeness::Incomplete };
        CycleSummary {
            cycle: cycle.clone(),
            began,
            ended: self.clock.now(),
            code: ending.code(),
            complete,
            apps,
            text: text.join("; "),
        }
    }
}
