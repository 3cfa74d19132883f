//! By hand: one named person deprovisioned at once, released, or unlinked. `link` is beside.
//!
//! Each order is shown before it is carried out, and what is carried out is what was shown: the same plan, by its digest.
//! It passes the brake, because a person looked; it goes the way of every change through intent, call, record and
//! settlement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::account::{Catalog, KnownAccount, ObservedAccount, Standing};
use crate::domain::brake::approve_exactly;
use crate::domain::change::Change;
use crate::domain::id::{AppName, CycleId, Digester, PersonId};
use crate::domain::keep::{Keep, KeepReason, KeepUntil};
use crate::domain::outcome::{Applied, Notice, Outcome, Problem, Subject, Verdict};
use crate::domain::plan::{Basis, HandBasis, Plan};

use super::apply::Run;
use super::command::Reply;
use super::naming::{Someone, one};
use super::ports::{
    CallFault, Clock, Event, HandLedger as _, Helpdesk, KeepLedger as _, Label, Ledger, LedgerFault, Progress, Report,
    Settlement,
};
use super::quarantine::Gates;
use super::view::{FaultView, FieldView, json};
use super::{Abort, Engine, Ports, Stop};

/// What a person orders for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandOrder {
    /// End access now.
    Deprovision,
    /// Stop managing, for good.
    Release,
    /// Give up the link; the next cycle matches anew.
    Unlink,
}

/// Whether an order is shown or carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Show whom and what it is about.
    Show,
    /// Carry it out, whatever it comes to.
    Do,
    /// Carry it out if it is still what was shown, by that digest.
    DoShown(String),
}

impl Word {
    /// Whether something may be carried out, that has this digest now.
    pub(super) fn lets(&self, digest: &str) -> Result<bool, Reply> {
        match self {
            Self::Show => Ok(false),
            Self::Do => Ok(true),
            Self::DoShown(shown) if shown == digest => Ok(true),
            Self::DoShown(_) => {
                let message = "it isn't what was shown any more, so nothing was done";
                Err(Reply::refused(1, "moved", message, "give the command again, and look at what it shows"))
            }
        }
    }
}

/// Whom an order is about, and whether it is carried out.
pub(super) struct Ordered<'a> {
    pub(super) user: &'a str,
    pub(super) app: Option<&'a str>,
    pub(super) word: &'a Word,
}

/// An order, shown or carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandView {
    /// What was ordered.
    pub action: String,
    /// The digest over what it comes to.
    pub digest: String,
    /// Whom it is about, in each app.
    pub people: Vec<HandPersonView>,
}

/// One person in one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandPersonView {
    /// The app.
    pub app: String,
    /// The mail.
    pub user: String,
    /// The name.
    pub name: String,
    /// The immutable id.
    pub directory_id: String,
    /// The account.
    pub zendesk_id: u64,
    /// Its role at Zendesk; none where it wasn't asked.
    pub role: Option<String>,
    /// Its groups at Zendesk.
    pub groups: Vec<String>,
    /// What else should be known.
    pub remarks: Vec<String>,
    /// What changes.
    pub changes: Vec<FieldView>,
    /// What became of it; none before it is carried out.
    pub result: Option<String>,
    /// What keeps it from being done, or kept it.
    pub fault: Option<FaultView>,
}

/// What an order comes to in one app.
struct Part {
    at: usize,
    known: KnownAccount,
    view: HandPersonView,
    plan: Option<Plan>,
}

/// Hears what became of the one change.
struct Ear<'a> {
    inner: &'a mut dyn Progress,
    applied: Option<Applied>,
}

impl Progress for Ear<'_> {
    fn note(&mut self, event: &Event<'_>) {
        if let Event::Applied(applied) = event {
            self.applied = Some((*applied).clone());
        }
        self.inner.note(event);
    }
}

impl HandPersonView {
    /// Somebody whom the store knows, with what Zendesk shows of the account.
    pub(super) fn of(someone: &Someone, account: Option<(&ObservedAccount, &Catalog)>) -> Self {
        Self {
            app: someone.app.to_string(),
            user: someone.user.clone(),
            name: someone.name.clone(),
            directory_id: someone.person.entry.to_string(),
            zendesk_id: someone.account.map_or(0, |id| id.0),
            role: account.map(|(account, catalog)| catalog.role_name(account.role, account.custom_role).to_string()),
            groups: account.map_or_else(Vec::new, |(account, catalog)| {
                account.groups.iter().map(|id| catalog.group_name(*id)).collect()
            }),
            remarks: Vec::new(),
            changes: Vec::new(),
            result: None,
            fault: None,
        }
    }

    pub(super) fn with_change(mut self, change: &Change) -> Self {
        let field = |one: &crate::domain::change::FieldChange| FieldView {
            field: one.field.to_owned(),
            before: json(&one.before),
            after: json(&one.after),
        };
        self.changes = change.fields.iter().map(field).collect();
        self
    }
}

impl HandOrder {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Deprovision => "deprovision",
            Self::Release => "release",
            Self::Unlink => "unlink",
        }
    }

    /// What a person stays in by this order.
    fn keep(self, by: &str, at: chrono::DateTime<chrono::Utc>) -> Option<Keep> {
        let (reason, until) = match self {
            Self::Deprovision if crate::planted("a removal by hand is forgotten") => return None,
            Self::Release if crate::planted("a release is forgotten") => return None,
            Self::Deprovision => (KeepReason::Deprovisioned, KeepUntil::Unusable),
            Self::Release => (KeepReason::Released, KeepUntil::Lifted),
            Self::Unlink => return None,
        };
        Some(Keep { by: by.to_owned(), at, reason, until })
    }
}

impl<P: Ports> Engine<P> {
    /// Shows or carries out an order for one person, in every app that has them or in the named one.
    pub(super) async fn by_hand(
        &mut self,
        order: HandOrder,
        Ordered { user, app, word }: Ordered<'_>,
        mut run: Run<'_>,
    ) -> Result<Reply, Abort> {
        let app = match self.app_named(app) {
            Ok(app) => app,
            Err(refusal) => return Ok(refusal),
        };
        let hint =
            "people are named by mail, name, immutable id or Zendesk id; who isn't managed is changed at Zendesk";
        let managed = self.planner().managed(user, app.as_ref())?;
        let nobody = managed.is_empty();
        let found = match one(user, managed, ("who is managed", hint)) {
            Ok(found) => found,
            Err(refusal) if nobody => return Ok(self.released(user, app.as_ref())?.unwrap_or(refusal)),
            Err(refusal) => return Ok(refusal),
        };
        // Ending access everywhere is meant; letting go everywhere may not be.
        if found.len() > 1 && order != HandOrder::Deprovision {
            let apps: Vec<&str> = found.iter().map(|one| one.app.as_str()).collect();
            let message = format!("{user:?} is managed in several apps: {}", apps.join(", "));
            return Ok(Reply::refused(2, "several_apps", message, "name one of them: --app APP"));
        }
        let faults = self.begin_by_hand(word, &mut run).await?;
        let mut parts = Vec::new();
        for someone in &found {
            parts.extend(self.part(order, someone, &run.cycle).await?);
        }
        let view = view_of(order, &parts);
        if parts.iter().all(|part| part.plan.is_none()) {
            let first = parts.into_iter().find_map(|part| part.view.fault);
            return Ok(first.map_or_else(|| vanished(user), |fault| Reply::Refused { code: code_of(&fault), fault }));
        }
        match word.lets(&view.digest) {
            Ok(true) => {}
            Ok(false) => return Ok(Reply::Hand { code: 0, view: Box::new(view) }),
            Err(refusal) => return Ok(refusal),
        }
        self.report.ready()?;
        let mut views = Vec::new();
        for part in parts {
            let in_flight = faults.get(&part.at).filter(|_| self.is_in_flight(&part).unwrap_or(true));
            views.push(match in_flight {
                Some(problem) => HandPersonView { fault: Some(FaultView::from(problem)), ..part.view },
                None => self.carry_part(order, part, &mut run).await?,
            });
        }
        let code = views.iter().filter_map(|view| view.fault.as_ref()).map(code_of).max().unwrap_or(0);
        Ok(Reply::Hand { code, view: Box::new(HandView { people: views, ..view }) })
    }

    /// What comes before every order: time passes, and what was begun and not settled is asked about. Answers the apps
    /// that couldn't be asked.
    pub(super) async fn begin_by_hand(
        &mut self,
        word: &Word,
        run: &mut Run<'_>,
    ) -> Result<BTreeMap<usize, Problem>, Abort> {
        self.bind()?;
        if *word == Word::Show {
            return Ok(BTreeMap::new());
        }
        self.tick(run.now)?;
        if self.ledger.open_intents()?.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.report.ready()?;
        let unsettled = self.recover(&Gates::default(), run).await?;
        Ok(unsettled.into_iter().map(|one| (one.at, one.fault.problem())).collect())
    }

    /// What runs through an order: a cycle of its own in the report.
    pub(super) fn run_by_hand<'a>(&self, actor: &str, stop: Stop, progress: &'a mut dyn Progress) -> Run<'a> {
        let now = self.clock.now();
        let reached = BTreeMap::new();
        Run { cycle: CycleId::at(now), actor: actor.to_owned(), now, seq: 0, reached, stop, progress }
    }

    /// Whether something of a person was begun and isn't settled.
    fn is_in_flight(&self, part: &Part) -> Result<bool, LedgerFault> {
        let app = &self.apps[part.at].rules.app;
        let mine = |one: &super::ports::Intent| one.app == *app && one.person == part.known.person;
        Ok(self.ledger.open_intents()?.iter().any(mine))
    }

    async fn part(&mut self, order: HandOrder, someone: &Someone, cycle: &CycleId) -> Result<Option<Part>, Abort> {
        let Some(at) = self.apps.iter().position(|one| one.rules.app == someone.app) else { return Ok(None) };
        let Some(known) = self.ledger.known(&someone.app, &someone.person)? else { return Ok(None) };
        let seen = match order {
            // Neither of these writes anything at Zendesk, or needs it.
            HandOrder::Release | HandOrder::Unlink => Ok((Catalog::default(), None)),
            HandOrder::Deprovision => self.look_at(at, &known).await,
        };
        let view = HandPersonView::of(someone, None);
        let (catalog, observed) = match seen {
            Ok(seen) => seen,
            Err(fault) => {
                let view = HandPersonView { fault: Some(again(&fault.problem())), ..view };
                return Ok(Some(Part { at, known, view, plan: None }));
            }
        };
        let basis = self.hand_basis(at, cycle)?;
        let planner = HandBasis { rules: &self.apps[at].rules, catalog: &catalog, basis: basis.0, population: basis.1 };
        let plan = match order {
            HandOrder::Deprovision => planner.deprovision(known.clone(), observed.clone()),
            HandOrder::Release | HandOrder::Unlink => planner.release(known.clone()),
        };
        let mut view = HandPersonView::of(someone, observed.as_ref().map(|account| (account, &catalog)));
        if order == HandOrder::Deprovision && observed.is_none() {
            view.remarks.push("Zendesk has no such account any more; it won't be made again".to_owned());
        }
        if let Some(conflict) = plan.conflicts.first() {
            let problem = Problem::new(conflict.why.code(), &conflict.why, conflict.why.hint());
            view.fault = Some(FaultView::from(&problem));
            return Ok(Some(Part { at, known, view, plan: None }));
        }
        let view = plan.changes.iter().fold(view, HandPersonView::with_change);
        Ok(Some(Part { at, known, view, plan: Some(plan) }))
    }

    /// What planning by hand begins from: the basis, and the population.
    pub(super) fn hand_basis(&self, at: usize, cycle: &CycleId) -> Result<(Basis, usize), LedgerFault> {
        let rules = &self.apps[at].rules;
        let basis = Basis { store: self.ledger.serial(), rules: rules.digest(), cycle: cycle.clone() };
        Ok((basis, self.ledger.app_standing(&rules.app)?.population))
    }

    async fn look_at(
        &mut self,
        at: usize,
        known: &KnownAccount,
    ) -> Result<(Catalog, Option<ObservedAccount>), CallFault> {
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        let catalog = desk.catalog().await?;
        let seen = desk.observe(&[known.account]).await?;
        Ok((catalog, seen.into_iter().find(|account| account.id == known.account && account.is_live())))
    }

    async fn carry_part(&mut self, order: HandOrder, part: Part, run: &mut Run<'_>) -> Result<HandPersonView, Abort> {
        let Part { at, known, mut view, plan } = part;
        let Some(plan) = plan else { return Ok(view) };
        let app = self.apps[at].rules.app.clone();
        if order == HandOrder::Unlink {
            self.unlink(&app, &known, &plan, run)?;
            view.result = Some(Verdict::Done.as_str().to_owned());
            return Ok(view);
        }
        let before = self.ledger.keeps(&app)?.remove(&known.person);
        let keep = order.keep(&run.actor, run.now);
        // Kept first: whatever breaks off after this, the next cycle doesn't decide the opposite.
        let label = Label { user: known.written.email.to_string(), name: known.written.name.clone() };
        self.ledger.set_label(&app, &known.person, Some(&label))?;
        self.ledger.keep(&app, &known.person, keep.as_ref())?;
        let digests = plan.changes.iter().map(Change::digest).collect();
        let approved = approve_exactly(&plan, Vec::new(), &digests).approved;
        let mut ear = Ear { inner: &mut *run.progress, applied: None };
        let mut inner = Run {
            cycle: run.cycle.clone(),
            actor: run.actor.clone(),
            now: run.now,
            seq: run.seq,
            reached: BTreeMap::new(),
            stop: run.stop.clone(),
            progress: &mut ear,
        };
        let carried = self.apply(at, approved, &mut inner).await;
        run.seq = inner.seq;
        let applied = ear.applied;
        carried?;
        if !self.took_effect(&app, &known, applied.as_ref())? {
            self.ledger.keep(&app, &known.person, before.as_ref())?;
        }
        let (result, problem) = match applied.map(|applied| applied.outcome) {
            Some(Outcome::Done(_)) => (Verdict::Done, None),
            Some(Outcome::AlreadySo(_)) => (Verdict::Already, None),
            Some(Outcome::Refused(problem)) => (Verdict::Refused, Some(problem)),
            Some(Outcome::Unknown(problem)) => (Verdict::Unknown, Some(problem)),
            Some(Outcome::NotAttempted(problem)) => (Verdict::Skipped, Some(problem)),
            None => (Verdict::Skipped, Some(Problem::new("stopped", "it was ended before it began", "try again"))),
        };
        view.result = Some(result.as_str().to_owned());
        view.fault = problem.as_ref().map(again);
        Ok(view)
    }

    /// Whether any of it may have happened. If nothing did, what kept the person before keeps them again.
    fn took_effect(
        &self,
        app: &AppName,
        before: &KnownAccount,
        applied: Option<&Applied>,
    ) -> Result<bool, LedgerFault> {
        match applied.map(|applied| &applied.outcome) {
            Some(Outcome::Done(_) | Outcome::AlreadySo(_) | Outcome::Unknown(_)) => Ok(true),
            Some(Outcome::Refused(_)) => {
                let standing = self.ledger.known(app, &before.person)?.map(|known| known.standing);
                let was = Some(before.standing).filter(|standing| *standing != Standing::Ending);
                Ok(standing != was)
            }
            Some(Outcome::NotAttempted(_)) | None => Ok(false),
        }
    }

    fn unlink(&mut self, app: &AppName, known: &KnownAccount, plan: &Plan, run: &mut Run<'_>) -> Result<(), Abort> {
        let Some(change) = plan.changes.first() else { return Ok(()) };
        let seq = run.next_seq();
        let intent = self.intent(change, seq, run);
        self.ledger.intend(&intent)?;
        let notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Unlink, Verdict::Done, &run.actor);
        self.report.tell(&notice.of_change(change))?;
        self.ledger.settle(&intent, &Settlement::Forgotten)?;
        tracing::info!(app = %app, directory_id = %known.person.entry, "link given up");
        Ok(())
    }
}

/// A fault of an order: no cycle makes up for it.
fn again(problem: &Problem) -> FaultView {
    let fault = FaultView::from(problem);
    FaultView { hint: format!("{}; then give this command again", fault.hint), ..fault }
}

/// The digest of what is shown: exactly that is carried out.
fn view_of(order: HandOrder, parts: &[Part]) -> HandView {
    let mut digest = Digester::new("by hand 1");
    digest.text(order.as_str());
    for part in parts {
        let person: &PersonId = &part.known.person;
        digest.text(&part.view.app).text(&person.to_string());
        for change in part.plan.iter().flat_map(|plan| &plan.changes) {
            digest.bytes(&change.digest().0);
        }
    }
    let people = parts.iter().map(|part| part.view.clone()).collect();
    HandView { action: order.as_str().to_owned(), digest: digest.finish().to_string(), people }
}

/// The exit code of a fault: that of Zendesk where it can't be reached or refuses us.
pub(super) fn code_of(fault: &FaultView) -> u8 {
    match fault.kind.as_str() {
        "zendesk_unreachable" | "unauthorized" | "throttled" | "garbled" | "unanswered" => 6,
        _ => 1,
    }
}

fn vanished(user: &str) -> Reply {
    Reply::refused(1, "moved", format!("{user:?} is not managed any more"), "nothing was done")
}
