//! Undoing a cycle: plans the inverse of what was done, and carries it out under the brake, by a person's word.
//!
//! What is undone is kept: the next cycle leaves it so until the directory or a person decides. Nothing here writes by
//! itself; the way is the one of every change: intent, calls, read back, record, settlement, deed.

mod fault;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::account::ObservedAccount;
use crate::domain::brake::{Bench, Review, approve_exactly, review};
use crate::domain::change::{Action, CauseCode};
use crate::domain::deed::{Deed, DeedEnd, Since, found, root};
use crate::domain::id::{AccountId, AppName, CycleId, Digest, Digester, Email, PersonId};
use crate::domain::keep::{Keep, KeepReason, KeepUntil, Wish};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::plan::Basis;
use crate::domain::plan::undo::{CannotUndo, UndoCase, UndoPlan, UndoProposal, undo};

use super::apply::{Carried, Run};
use super::ports::{CallFault, Clock, DeedLedger, Helpdesk, KeepLedger, Ledger, Progress, Report};
use super::quarantine::Gates;
use super::{Abort, Ending, Engine, Ports, Stop};

pub use fault::UndoFault;
pub use view::{CarriedView, NotUndoneView, PastView, ShortView, UndoOrder, UndoView, UndoWord};

/// Who stays as they are afterwards; none for whom the directory decides again.
type Keeps = BTreeMap<PersonId, Option<Keep>>;

/// One app's part of an undoing.
#[derive(Debug)]
pub struct UndoPart {
    at: usize,
    /// What is brought back, and what isn't.
    pub undone: UndoPlan,
    /// What of it the brake lets through.
    pub review: Review,
    /// Who stays as they are from then on; none for whom the directory decides again.
    keeps: Keeps,
}

/// An undoing, planned: nothing was changed.
#[derive(Debug)]
pub struct UndoWhole {
    /// The cycle that is undone.
    pub cycle: CycleId,
    /// By app, in the order of the configuration.
    pub parts: Vec<UndoPart>,
    /// Apps that couldn't be asked.
    pub faults: BTreeMap<AppName, Problem>,
}

impl UndoWhole {
    /// The digest over all that is shown.
    pub fn digest(&self) -> Digest {
        let mut digest = Digester::new("undos 1");
        digest.text(self.cycle.as_str());
        for part in &self.parts {
            digest.bytes(&part.undone.digest().0);
        }
        digest.finish()
    }

    /// How many changes there are.
    pub fn changes(&self) -> usize {
        self.parts.iter().map(|part| part.undone.plan.changes.len()).sum()
    }

    /// How many of them are past a limit, or guarded.
    pub fn held(&self) -> usize {
        self.parts.iter().flat_map(|part| &part.review.held).map(|hold| hold.changes.len()).sum()
    }

    /// How it would end if nothing were carried out.
    pub fn ending(&self) -> Ending {
        let settled = |why: &CannotUndo| matches!(why, CannotUndo::Already(_) | CannotUndo::AsBefore);
        let refused = self.parts.iter().flat_map(|part| &part.undone.refused).any(|one| !settled(&one.why));
        match (self.faults.is_empty(), self.held() > 0, self.changes() == 0 && refused) {
            (false, _, _) => Ending::Zendesk,
            (true, true, _) => Ending::Held,
            (true, false, true) => Ending::Failed,
            (true, false, false) => Ending::Done,
        }
    }
}

/// An undoing that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The cycle that did it, to be named when this is to be undone.
    pub cycle: CycleId,
    /// Changes done.
    pub done: usize,
    /// Changes that failed, or were not begun.
    pub failed: usize,
    /// How it ended.
    pub ending: Ending,
}

impl<P: Ports> Engine<P> {
    /// Plans the undoing of a cycle, and changes nothing.
    ///
    /// # Errors
    /// The outer one when the store can't be read, the inner one when the order doesn't fit.
    pub async fn plan_undo(&mut self, order: &UndoOrder, actor: &str) -> Result<Result<UndoWhole, UndoFault>, Abort> {
        if let Some(app) = order.app.as_ref().filter(|app| !self.apps.iter().any(|one| one.rules.app.as_str() == **app))
        {
            return Ok(Err(UndoFault::NoSuchApp(app.clone())));
        }
        let cycle = match self.cycle_named(&order.cycle)? {
            Ok(cycle) => cycle,
            Err(fault) => return Ok(Err(fault)),
        };
        let deeds = self.ledger.deeds(&cycle)?;
        let mut whole = UndoWhole { cycle, parts: Vec::new(), faults: BTreeMap::new() };
        let mut somebody = false;
        for at in 0..self.apps.len() {
            let app = self.apps[at].rules.app.clone();
            if order.app.as_ref().is_some_and(|only| app.as_str() != only) {
                continue;
            }
            let one = order.user.as_deref().filter(|_| !crate::planted("an undoing of one is of all"));
            let named = |deed: &&Deed| deed.app == app && one.is_none_or(|user| is_named(user, deed));
            let people: BTreeSet<PersonId> = deeds.iter().filter(named).map(|deed| deed.person.clone()).collect();
            if people.is_empty() {
                continue;
            }
            somebody = true;
            let (cases, keeps) = self.undo_cases(&app, people, &whole.cycle, actor)?;
            match self.propose_undo(at, cases, &whole.cycle).await? {
                Ok(undone) => {
                    let review = self.review_undo(&undone)?;
                    whole.parts.push(UndoPart { at, undone, review, keeps });
                }
                Err(fault) => {
                    whole.faults.insert(app, fault.problem());
                }
            }
        }
        if let Some(user) = order.user.as_ref().filter(|_| !somebody) {
            return Ok(Err(UndoFault::NoSuchUser(user.clone())));
        }
        Ok(Ok(whole))
    }

    /// The cycle with this name, or the only one that begins so.
    fn cycle_named(&self, text: &str) -> Result<Result<CycleId, UndoFault>, Abort> {
        let cycles = self.ledger.deed_cycles()?;
        if let Some(exact) = cycles.iter().find(|one| one.cycle.as_str() == text) {
            return Ok(Ok(exact.cycle.clone()));
        }
        let mut fits = cycles.into_iter().filter(|one| !text.is_empty() && one.cycle.as_str().starts_with(text));
        Ok(match (fits.next(), fits.next()) {
            (Some(one), None) => Ok(one.cycle),
            (Some(_), Some(_)) => Err(UndoFault::Ambiguous(text.to_owned())),
            (None, _) => Err(UndoFault::NoSuchCycle(text.to_owned())),
        })
    }

    /// What the store tells of everybody, and who is to be kept afterwards.
    fn undo_cases(
        &self,
        app: &AppName,
        people: BTreeSet<PersonId>,
        cycle: &CycleId,
        actor: &str,
    ) -> Result<(Vec<UndoCase>, Keeps), Abort> {
        let mut cases = Vec::new();
        let mut keeps = BTreeMap::new();
        for person in people {
            let all = self.ledger.deeds_of(app, &person)?;
            let Some((deed, since)) = found(&all, cycle) else { continue };
            let known = self.ledger.known(app, &person)?;
            let owner = match deed.account {
                Some(account) => self.ledger.owner(app, account)?,
                None => None,
            };
            keeps.insert(person, keep_after(&all, &deed, actor, self.clock.now()));
            cases.push(UndoCase { deed, since, known, owner, observed: None, holders: BTreeMap::new() });
        }
        Ok((cases, keeps))
    }

    /// Asks Zendesk about everybody and plans.
    async fn propose_undo(
        &mut self,
        at: usize,
        mut cases: Vec<UndoCase>,
        cycle: &CycleId,
    ) -> Result<Result<UndoPlan, CallFault>, Abort> {
        let app = self.apps[at].rules.app.clone();
        let standing = self.ledger.app_standing(&app)?;
        let basis = Basis {
            store: self.ledger.serial(),
            rules: self.apps[at].rules.digest(),
            cycle: CycleId::at(self.clock.now()),
        };
        let asked = look(&mut self.apps[at].desk, &mut cases).await;
        let catalog = match asked {
            Ok(catalog) => catalog,
            Err(fault) => return Ok(Err(fault)),
        };
        let rules = &self.apps[at].rules;
        let (catalog, population, cycle) = (&catalog, standing.population, cycle.clone());
        Ok(Ok(undo(UndoProposal { rules, basis, catalog, population, cycle, cases })))
    }

    /// The brake's word on what is brought back.
    fn review_undo(&self, undone: &UndoPlan) -> Result<Review, Abort> {
        let experience = self.ledger.app_standing(undone.app())?.experience;
        // What went on lately without a word counts against it as against a cycle.
        let tally = self.tally(undone.app(), self.clock.now())?;
        let bench = Bench { tally, ..Bench::of(self.limits, experience) };
        Ok(review(&undone.plan, &bench))
    }

    /// Undoes a cycle, by a person's word for what was shown.
    ///
    /// # Errors
    /// The outer one when the store or the report can't be used, the inner one when the word doesn't fit.
    pub async fn undo(
        &mut self,
        order: &UndoOrder,
        word: &UndoWord,
        actor: &str,
        stop: Stop,
        progress: &mut dyn Progress,
    ) -> Result<Result<(UndoWhole, Undone), UndoFault>, Abort> {
        let began = self.clock.now();
        let cycle = CycleId::at(began);
        let reached = BTreeMap::new();
        let mut run =
            Run { cycle: cycle.clone(), actor: actor.to_owned(), now: began, seq: 0, reached, stop, progress };
        self.bind()?;
        self.report.ready()?;
        self.tick(began)?;
        let unsettled = self.recover(&Gates::default(), &mut run).await?;
        let mut whole = match self.plan_undo(order, actor).await? {
            Ok(whole) => whole,
            Err(fault) => return Ok(Err(fault)),
        };
        for one in unsettled {
            let app = self.apps[one.at].rules.app.clone();
            whole.parts.retain(|part| part.at != one.at);
            whole.faults.insert(app, one.fault.problem());
        }
        if let Err(fault) = fits(&whole, word) {
            return Ok(Err(fault));
        }
        let mut undone = Undone { cycle, done: 0, failed: 0, ending: whole.ending() };
        // With the count every change was let go on.
        undone.ending = if undone.ending == Ending::Held { Ending::Done } else { undone.ending };
        for part in &mut whole.parts {
            if word.count.is_some() {
                let all = part.undone.plan.changes.iter().map(|change| change.digest()).collect();
                let held = std::mem::take(&mut part.review.held);
                part.review = approve_exactly(&part.undone.plan, held, &all);
            }
            let carried = self.carry_undo(part, &mut run).await?;
            undone.done += carried.done;
            undone.failed += carried.failed + carried.left;
            if let Some(problem) = carried.fault {
                undone.ending = undone.ending.min(Ending::Zendesk);
                whole.faults.insert(part.undone.app().clone(), problem);
            }
        }
        if undone.failed > 0 {
            undone.ending = undone.ending.min(Ending::Failed);
        }
        self.tell_undone(&whole, &undone, &mut run)?;
        self.ledger.prune_deeds()?;
        Ok(Ok((whole, undone)))
    }

    /// Keeps everybody, then carries the changes out, and keeps nobody on whom that failed: a crash in between leaves
    /// people alone, and never undoes twice.
    async fn carry_undo(&mut self, part: &UndoPart, run: &mut Run<'_>) -> Result<Carried, Abort> {
        let app = part.undone.app();
        let before = self.ledger.keeps(app)?;
        let people: Vec<PersonId> = part.review.approved.changes().iter().map(|change| change.person.clone()).collect();
        for person in &people {
            if let Some(Some(keep)) = part.keeps.get(person) {
                self.ledger.keep(app, person, Some(keep))?;
            }
        }
        let carried = self.apply(part.at, part.review.approved.clone(), run).await?;
        let (deeds, now) = (self.ledger.deeds(&run.cycle)?, self.ledger.keeps(app)?);
        let ends: BTreeMap<&PersonId, DeedEnd> =
            deeds.iter().filter(|deed| deed.app == *app).map(|deed| (&deed.person, deed.end)).collect();
        for person in &people {
            let keep = match ends.get(person) {
                Some(DeedEnd::Done) => part.keeps.get(person).and_then(Option::as_ref),
                // It may have been done: the person is left alone until it is known.
                Some(DeedEnd::Begun | DeedEnd::Unknown | DeedEnd::Partly) => continue,
                Some(DeedEnd::Refused) | None => before.get(person),
            };
            if now.get(person) != keep {
                self.ledger.keep(app, person, keep)?;
            }
        }
        Ok(carried)
    }

    fn tell_undone(&mut self, whole: &UndoWhole, undone: &Undone, run: &mut Run<'_>) -> Result<(), Abort> {
        for (app, problem) in &whole.faults {
            let seq = run.next_seq();
            let mut notice =
                Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Undo, Verdict::Refused, &run.actor);
            notice.app = Some(app.clone());
            notice.cause = Some(Notice::cause_code(problem.kind));
            notice.problem = Some(problem.clone());
            self.report.tell(&notice)?;
        }
        let verdict = if undone.ending == Ending::Done { Verdict::Done } else { Verdict::Refused };
        let seq = run.next_seq();
        let mut notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Undo, verdict, &run.actor);
        let refused: usize = whole.parts.iter().map(|part| part.undone.refused.len()).sum();
        let mut cause = Notice::cause_code("ended");
        cause.evidence = Some(format!(
            "cycle {}: {} undone, {} failed, {refused} can't be undone",
            whole.cycle, undone.done, undone.failed
        ));
        notice.cause = Some(cause);
        Ok(self.report.tell(&notice)?)
    }
}

/// Whether a word is for what was shown.
fn fits(whole: &UndoWhole, word: &UndoWord) -> Result<(), UndoFault> {
    if whole.digest().to_string() != word.digest {
        return Err(UndoFault::Moved);
    }
    let (of, held) = (whole.changes(), whole.held());
    match word.count {
        Some(given) if given != of => Err(UndoFault::Count { given, shown: of }),
        None if held > 0 => Err(UndoFault::Held { held, of }),
        Some(_) | None => Ok(()),
    }
}

/// Fills in what Zendesk has now; answers its named things.
async fn look<H: Helpdesk>(desk: &mut H, cases: &mut [UndoCase]) -> Result<crate::domain::account::Catalog, CallFault> {
    desk.who_am_i().await?;
    let catalog = desk.catalog().await?;
    let open = |case: &UndoCase| matches!(case.since, Since::Nothing | Since::UnderWay);
    let ids: Vec<AccountId> = cases.iter().filter(|case| open(case)).filter_map(|case| case.deed.account).collect();
    if ids.is_empty() {
        return Ok(catalog);
    }
    let seen: BTreeMap<AccountId, ObservedAccount> =
        desk.observe(&ids).await?.into_iter().map(|account| (account.id, account)).collect();
    for case in cases.iter_mut().filter(|case| open(case)) {
        case.observed = case.deed.account.and_then(|id| seen.get(&id)).cloned();
        for email in wanted_back(case) {
            let others = desk.find_by_email(&email).await?;
            let other = others.into_iter().find(|one| one.is_live() && Some(one.id) != case.deed.account);
            case.holders.extend(other.map(|other| (email, other.id)));
        }
    }
    Ok(catalog)
}

/// Addresses that the deed took away, and that the account doesn't have now.
fn wanted_back(case: &UndoCase) -> Vec<Email> {
    let (Some(before), Some(left), Some(now)) = (&case.deed.before, &case.deed.left, &case.observed) else {
        return Vec::new();
    };
    let mut taken: BTreeSet<Email> = before.emails.difference(&left.emails).cloned().collect();
    if before.email != left.email {
        taken.extend(before.email.clone());
    }
    taken.into_iter().filter(|email| !now.emails.contains(email)).collect()
}

/// Whether `--user` names this person, by what they were called then.
fn is_named(user: &str, deed: &Deed) -> bool {
    let before = deed.before.as_ref();
    let email = before.and_then(|account| account.email.as_ref()).unwrap_or(&deed.email);
    let name = before.map_or(&deed.name, |account| &account.name);
    super::propose::names(user, deed.email.as_str(), &deed.name, &deed.person)
        || super::propose::names(user, email.as_str(), name, &deed.person)
}

/// Who is left as they are after a deed was undone, so that the next cycle doesn't do it again. An undo that is undone
/// may lead back to what the directory wishes, or to what was done by hand: the former keeps nobody, the latter as then.
fn keep_after(all: &[Deed], deed: &Deed, actor: &str, now: DateTime<Utc>) -> Option<Keep> {
    if crate::planted("an undoing keeps nobody") {
        return None;
    }
    let (root, undos) = root(all, deed);
    let effective = |one: &&Deed| one.undoes.is_none() && one.end != DeedEnd::Refused;
    let last = all.iter().rfind(effective);
    if undos % 2 == 1 && last.is_some_and(|last| last.cycle == root.cycle) {
        let (reason, until) = match (root.cause, root.action) {
            (CauseCode::ByHand, Action::Deprovision) => (KeepReason::Deprovisioned, KeepUntil::Unusable),
            (CauseCode::ByHand, Action::Release) => (KeepReason::Released, KeepUntil::Lifted),
            _ => return None,
        };
        return Some(Keep { by: root.actor.clone(), at: root.time, reason, until });
    }
    // What the directory wishes now is what was last done for it, whichever deed is undone.
    let wished = all.iter().rfind(|one| effective(one) && one.cause != CauseCode::ByHand);
    let wish = wished.map_or(Wish::Unknown, |last| match last.action {
        Action::Deprovision | Action::Release => Wish::Removal(last.cause),
        Action::Reactivate | Action::Update | Action::Link | Action::Adopt | Action::Provision => {
            last.known_after.as_ref().and_then(|known| known.wish).map_or(Wish::Unknown, Wish::Account)
        }
    });
    let reason = KeepReason::Undone(deed.cycle.clone());
    Some(Keep { by: actor.to_owned(), at: now, reason, until: KeepUntil::Changes(wish) })
}
