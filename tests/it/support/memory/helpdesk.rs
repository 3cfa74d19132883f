//! The helpdesk port over a [`Desk`], with faults at chosen calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zendesk_dirsync::domain::account::{Catalog, Existence, ObservedAccount, Suspended, Verified};
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::change::Step;
use zendesk_dirsync::domain::id::{AccountId, AppName, CustomRoleId, Email, ExternalId, GroupId};
use zendesk_dirsync::domain::lease::{LeaseMark, Marker};
use zendesk_dirsync::engine::ports::{CallFault, Clock as _, Effect, Helpdesk, Myself, StepDone};

use super::clock::MemoryClock;
use super::desk::{Desk, User, Write};
use super::fuse::Fuse;
use super::halves::{Answer, part, read_back};
use super::lease::{Turnstile, read_marker, write_marker};
use super::lock;
use super::wire::Wire;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallTrouble {
    /// Zendesk refuses it.
    Refuse,
    /// No answer, and no effect.
    UnansweredBefore,
    /// No answer, but it took effect.
    UnansweredAfter,
    /// It took effect, and the answer is rubbish.
    GarbledAfter,
    /// The credentials don't count any more.
    Unauthorized,
    /// The limit is used up.
    Throttled,
    /// The host can't be reached.
    Unreachable,
    /// What was named isn't there, Zendesk says.
    NotFound,
    /// No seat is left, Zendesk says.
    SeatsShort,
    /// Success is answered, and nothing was done.
    Dropped,
    /// Success is answered, and a part was done.
    Partial,
    /// A read's answer leaves out the first of what it should tell.
    Lacks,
    /// A read's answer tells of nothing.
    Blank,
}

/// The kinds of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    SignIn,
    Catalog,
    Observe,
    FindById,
    FindByMail,
    Write,
}

/// Something that goes wrong with the n-th call of a kind from now, once.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    kind: CallKind,
    nth: usize,
    trouble: CallTrouble,
    tag: usize,
}

/// What somebody else does to the account while we are at work.
struct Edit(Box<dyn FnOnce(&mut Desk) + Send>);

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edit")
    }
}

/// What goes wrong until it is mended.
#[derive(Debug, Default)]
struct Lasting {
    /// Every write to these people is refused, by mail.
    poisoned: BTreeSet<Email>,
    /// Every write.
    writes: Option<CallTrouble>,
    /// Every call.
    calls: Option<CallTrouble>,
}

/// A Zendesk account in memory.
#[derive(Debug, Clone)]
pub struct MemoryZendesk {
    app: AppName,
    desk: Arc<Mutex<Desk>>,
    troubles: Arc<Mutex<BTreeMap<u64, CallTrouble>>>,
    ahead: Arc<Mutex<Vec<Ahead>>>,
    /// Tags of what went wrong.
    hits: Arc<Mutex<Vec<usize>>>,
    wire: Option<Arc<Mutex<Wire>>>,
    edits: Arc<Mutex<BTreeMap<u64, Edit>>>,
    lasting: Arc<Mutex<Lasting>>,
    /// Accounts to which a write was refused, and whether we were.
    refused: Arc<Mutex<(Vec<u64>, bool)>>,
    /// Where a lease is kept: what its calls must pass, if anything.
    lease: Option<Arc<Turnstile>>,
    clock: MemoryClock,
    fuse: Fuse,
}

impl MemoryZendesk {
    /// The port over an account.
    pub fn new(app: &str, desk: Desk, clock: MemoryClock, fuse: Fuse) -> Self {
        Self {
            app: AppName::new(app).unwrap(),
            desk: Arc::new(Mutex::new(desk)),
            troubles: Arc::default(),
            ahead: Arc::default(),
            hits: Arc::default(),
            wire: None,
            edits: Arc::default(),
            lasting: Arc::default(),
            refused: Arc::default(),
            lease: None,
            clock,
            fuse,
        }
    }

    /// Puts the real pace in front of it, and limits behind.
    pub fn paced(&mut self, wire: Wire) {
        self.wire = Some(Arc::new(Mutex::new(wire)));
    }

    /// The n-th request from now is told to wait so long.
    pub fn asks_to_wait(&self, nth: usize, wait: Duration) {
        if let Some(wire) = &self.wire {
            lock(wire).asks_to_wait(nth, wait);
        }
    }

    /// The client is a new one: it knows nothing of what was sent.
    pub fn restart(&self) {
        if let Some(wire) = &self.wire {
            lock(wire).restart();
        }
    }

    /// What the limits behind saw break; none without a wire.
    pub fn pace_broken(&self) -> Option<String> {
        self.wire.as_ref().and_then(|wire| lock(wire).broken())
    }

    /// How often the limits said to wait.
    pub fn told_to_wait(&self) -> u64 {
        self.wire.as_ref().map_or(0, |wire| lock(wire).told_to_wait())
    }

    /// The n-th call of a kind from now, from 1, goes wrong; the tag comes back from [`MemoryZendesk::hits`] when it did.
    pub fn goes_wrong_at(&self, kind: CallKind, nth: usize, trouble: CallTrouble, tag: usize) {
        lock(&self.ahead).push(Ahead { kind, nth, trouble, tag });
    }

    /// Tags of what went wrong since this was asked last.
    pub fn hits(&self) -> Vec<usize> {
        std::mem::take(&mut lock(&self.hits))
    }

    /// The same account, for a copy of the service that keeps a lease. Its calls about it pass a turnstile that lets
    /// everybody pass, until [`Self::with_turnstile`] puts up another.
    #[must_use]
    pub fn with_lease(&self) -> Self {
        self.with_turnstile(&Arc::new(Turnstile::open()))
    }

    /// The same account, for a copy of the service whose calls about its lease pass one by one.
    #[must_use]
    pub fn with_turnstile(&self, turnstile: &Arc<Turnstile>) -> Self {
        Self { lease: Some(Arc::clone(turnstile)), ..self.clone() }
    }

    /// A copy of the account.
    pub fn desk(&self) -> Desk {
        lock(&self.desk).clone()
    }

    /// Looks at the account without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&Desk) -> T) -> T {
        look(&lock(&self.desk))
    }

    /// An administrator's hand.
    pub fn by_hand<T>(&self, edit: impl FnOnce(&mut Desk) -> T) -> T {
        edit(&mut lock(&self.desk))
    }

    /// Every write received so far.
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.desk).writes.clone()
    }

    /// How many calls were received.
    pub fn calls(&self) -> u64 {
        lock(&self.desk).calls
    }

    /// The n-th call from now, from 1, goes wrong.
    pub fn goes_wrong(&self, nth: u64, trouble: CallTrouble) {
        let at = self.calls() + nth;
        lock(&self.troubles).insert(at, trouble);
    }

    /// Somebody else edits the account just before the n-th call from now, from 1.
    pub fn meanwhile(&self, nth: u64, edit: impl FnOnce(&mut Desk) + Send + 'static) {
        let at = self.calls() + nth;
        lock(&self.edits).insert(at, Edit(Box::new(edit)));
    }

    /// The accounts to which a write was refused, and whether we were refused as such, since this was asked last.
    pub fn take_refused(&self) -> (Vec<u64>, bool) {
        std::mem::take(&mut lock(&self.refused))
    }

    /// From now on everything goes right.
    pub fn mend(&self) {
        lock(&self.troubles).clear();
        lock(&self.ahead).clear();
        *lock(&self.lasting) = Lasting::default();
    }

    /// From now on every write to these people is refused.
    pub fn poison(&self, mails: impl IntoIterator<Item = String>) {
        lock(&self.lasting).poisoned = mails.into_iter().map(|mail| Email::parse(&mail).unwrap()).collect();
    }

    /// From now on every write goes wrong.
    pub fn writes_go_wrong(&self, trouble: CallTrouble) {
        lock(&self.lasting).writes = Some(trouble);
    }

    /// From now on every call goes wrong.
    pub fn all_goes_wrong(&self, trouble: CallTrouble) {
        lock(&self.lasting).calls = Some(trouble);
    }

    /// What goes wrong with a step for as long as it isn't mended.
    fn lasting(&self, account: Option<AccountId>, step: &Step) -> Option<CallTrouble> {
        let lasting = lock(&self.lasting);
        let is = |email: &Email| lasting.poisoned.contains(email);
        let poisoned = match step {
            Step::Create(new) => is(&new.email),
            _ => self.with(|desk| {
                let user = account.and_then(|id| desk.users.get(&id.0));
                user.and_then(|user| user.email.as_ref()).is_some_and(is)
            }),
        };
        lasting.writes.or(poisoned.then_some(CallTrouble::Refuse))
    }

    /// Waits for its turn and counts a call; answers its number and what goes wrong with it.
    fn call(&self, kind: CallKind, updates: Option<AccountId>) -> Result<(u64, Option<CallTrouble>), CallFault> {
        if let Some(wire) = &self.wire {
            lock(wire).pass(kind, updates, &self.clock)?;
        }
        let number = {
            let mut desk = lock(&self.desk);
            desk.calls += 1;
            if let Some(Edit(edit)) = lock(&self.edits).remove(&desk.calls) {
                edit(&mut desk);
            }
            desk.calls
        };
        let mut ahead = lock(&self.ahead);
        ahead.iter_mut().filter(|one| one.kind == kind).for_each(|one| one.nth = one.nth.saturating_sub(1));
        let due = ahead.iter().position(|one| one.kind == kind && one.nth == 0);
        if let Some(one) = due.map(|at| ahead.remove(at)) {
            lock(&self.hits).push(one.tag);
            lock(&self.refused).1 |= one.trouble == CallTrouble::Unauthorized;
            return Ok((number, Some(one.trouble)));
        }
        let trouble = lock(&self.troubles).remove(&number).or(lock(&self.lasting).calls);
        lock(&self.refused).1 |= trouble == Some(CallTrouble::Unauthorized);
        Ok((number, trouble))
    }

    /// Asks; answers what the answer leaves out.
    fn reading(&self, kind: CallKind) -> Result<Answer, CallFault> {
        match self.call(kind, None)?.1 {
            None | Some(CallTrouble::Dropped | CallTrouble::Partial) => Ok(Answer::Whole),
            Some(CallTrouble::Lacks) => Ok(Answer::Lacks),
            Some(CallTrouble::Blank) => Ok(Answer::Blank),
            Some(trouble) => Err(fault(trouble)),
        }
    }

    fn asked(&self, key: &str) {
        let mut desk = lock(&self.desk);
        let at = desk.calls;
        desk.asked.push((at, key.to_lowercase()));
    }

    fn perform(
        &self,
        account: Option<AccountId>,
        step: &Step,
        call: u64,
        answered: bool,
    ) -> Result<StepDone, CallFault> {
        let mut desk = lock(&self.desk);
        let target = account.map(|id| id.0);
        let before = target.and_then(|id| desk.users.get(&id).cloned());
        let admins = desk.admins();
        let done = desk.apply(target, step);
        let target = done.as_ref().map_or(target, |(id, _)| Some(*id));
        let write = Write {
            at: self.clock.now(),
            call,
            account: target,
            step: step.clone(),
            effect: done.clone().map(|(_, effect)| effect),
            answered,
            tick: self.fuse.passed(),
            before,
            after: target.and_then(|id| desk.users.get(&id).cloned()),
            admins: (admins, desk.admins()),
        };
        desk.writes.push(write);
        done.map(|(id, effect)| StepDone { account: AccountId(id), effect, request_id: Some(format!("r{call}")) })
    }
}

fn fault(trouble: CallTrouble) -> CallFault {
    match trouble {
        CallTrouble::Refuse => CallFault::Refused { kind: "invalid", message: "a value is invalid".into() },
        CallTrouble::UnansweredBefore | CallTrouble::UnansweredAfter => CallFault::Unanswered("timed out".into()),
        CallTrouble::GarbledAfter => CallFault::Garbled("text/html".into()),
        CallTrouble::Unauthorized => CallFault::Unauthorized("invalid_token".into()),
        CallTrouble::Throttled => CallFault::Throttled { after: Duration::from_secs(3_600) },
        CallTrouble::Unreachable => CallFault::Unreachable("no route to host".into()),
        CallTrouble::NotFound => CallFault::NotFound("RecordNotFound".into()),
        CallTrouble::SeatsShort => CallFault::SeatsShort("Subscription limit reached".into()),
        CallTrouble::Dropped | CallTrouble::Partial | CallTrouble::Lacks | CallTrouble::Blank => {
            CallFault::Garbled("half an answer".into())
        }
    }
}

/// A user as an admin sees it.
pub fn observed(user: &User) -> ObservedAccount {
    ObservedAccount {
        id: AccountId(user.id),
        external_id: user.external_id.clone(),
        name: user.name.clone(),
        email: user.email.clone(),
        emails: user.further.iter().chain(&user.email).cloned().collect(),
        verified: if user.verified { Verified::Yes } else { Verified::No },
        role: user.role,
        custom_role: user.custom_role.map(CustomRoleId),
        suspended: if user.suspended.is_some() { Suspended::Yes } else { Suspended::No },
        existence: if user.live { Existence::Live } else { Existence::Deleted },
        texts: user.texts.clone(),
        groups: user.groups.iter().map(|id| GroupId(*id)).collect(),
        default_group: user.default_group.map(GroupId),
        tags: user.tags.clone(),
    }
}

impl Helpdesk for MemoryZendesk {
    fn app(&self) -> &AppName {
        &self.app
    }

    async fn who_am_i(&mut self) -> Result<Myself, CallFault> {
        self.reading(CallKind::SignIn)?;
        let own = self.with(|desk| desk.own);
        Ok(Myself { account: AccountId(own), role: Role::Admin, label: "dirsync".into() })
    }

    async fn catalog(&mut self) -> Result<Catalog, CallFault> {
        let answer = self.reading(CallKind::Catalog)?;
        let desk = lock(&self.desk);
        let mut catalog = Catalog { default_group: desk.default_group.map(GroupId), ..Catalog::default() };
        for (id, name) in answer.of(desk.groups.iter().rev().collect()) {
            catalog.groups.entry(name.clone()).or_default().insert(GroupId(*id));
        }
        for (id, name) in answer.of(desk.custom_roles.iter().collect()) {
            catalog.custom_roles.entry(name.clone()).or_default().insert(CustomRoleId(*id));
        }
        catalog.untouchable =
            BTreeMap::from([(AccountId(desk.owner), "the account owner"), (AccountId(desk.own), "our own API user")]);
        let active = |user: &&User| user.live && user.role == Role::Admin && user.suspended.is_none();
        catalog.active_admins = desk.users.values().filter(active).map(|user| AccountId(user.id)).collect();
        Ok(catalog)
    }

    async fn observe(&mut self, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
        let answer = self.reading(CallKind::Observe)?;
        Ok(answer.of(self.with(|desk| ids.iter().filter_map(|id| desk.users.get(&id.0)).map(observed).collect())))
    }

    async fn find_by_external_id(&mut self, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
        let answer = self.reading(CallKind::FindById)?;
        ids.iter().for_each(|id| self.asked(id.as_str()));
        Ok(answer.of(self.with(|desk| ids.iter().filter_map(|id| desk.by_external_id(id)).map(observed).collect())))
    }

    async fn find_by_email(&mut self, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
        let answer = self.reading(CallKind::FindByMail)?;
        self.asked(email.as_str());
        Ok(answer.of(self.with(|desk| desk.by_email(email).map(observed).into_iter().collect())))
    }

    async fn carry_out(&mut self, account: Option<AccountId>, step: &Step) -> Result<StepDone, CallFault> {
        self.fuse.pass();
        let updates = account.filter(|_| matches!(step, Step::Write(_)));
        let (call, trouble) = self.call(CallKind::Write, updates)?;
        let trouble = trouble.or_else(|| self.lasting(account, step));
        if trouble == Some(CallTrouble::Refuse) {
            lock(&self.refused).0.extend(account.map(|id| id.0));
        }
        let done = match trouble {
            Some(CallTrouble::Dropped) if read_back(step) => {
                let id = account.unwrap_or(AccountId(0));
                Ok(StepDone { account: id, effect: Effect::Done, request_id: Some(format!("r{call}")) })
            }
            Some(CallTrouble::Partial) => self.perform(account, &part(step), call, true),
            None | Some(CallTrouble::Lacks | CallTrouble::Blank | CallTrouble::Dropped) => {
                self.perform(account, step, call, true)
            }
            Some(CallTrouble::UnansweredAfter | CallTrouble::GarbledAfter) => {
                let _ = self.perform(account, step, call, false);
                Err(fault(trouble.unwrap_or(CallTrouble::UnansweredAfter)))
            }
            Some(CallTrouble::UnansweredBefore) => {
                // It was sent: the caller can't know that it didn't arrive.
                let mut desk = lock(&self.desk);
                let (at, admins) = (self.clock.now(), desk.admins());
                let (step, account) = (step.clone(), account.map(|id| id.0));
                let effect = Err(CallFault::Unanswered("timed out".into()));
                let admins = (admins, admins);
                let tick = self.fuse.passed();
                desk.writes.push(Write {
                    at,
                    tick,
                    call,
                    account,
                    step,
                    effect,
                    answered: false,
                    before: None,
                    after: None,
                    admins,
                });
                Err(fault(CallTrouble::UnansweredBefore))
            }
            Some(other) => Err(fault(other)),
        };
        self.fuse.pass();
        done
    }

    async fn read_lease(&mut self) -> Result<Marker, CallFault> {
        let Some(turnstile) = &self.lease else { return Ok(Marker::Off) };
        turnstile.pass().await;
        self.reading(CallKind::SignIn)?;
        Ok(self.with(|desk| read_marker(desk, &self.app)))
    }

    async fn write_lease(&mut self, over: Option<AccountId>, mark: &LeaseMark) -> Result<(), CallFault> {
        let Some(turnstile) = &self.lease else { return Ok(()) };
        turnstile.pass().await;
        self.fuse.pass();
        let refused = lock(&self.refused).1;
        let (_, trouble) = self.call(CallKind::Write, None)?;
        // The marker after the last write may be refused: that says nothing of the account.
        lock(&self.refused).1 = refused;
        let takes_effect = matches!(trouble, None | Some(CallTrouble::UnansweredAfter | CallTrouble::GarbledAfter));
        let written = if takes_effect { write_marker(&mut lock(&self.desk), &self.app, over, mark) } else { Ok(()) };
        self.fuse.pass();
        match trouble {
            None => written,
            Some(trouble) => Err(fault(trouble)),
        }
    }
}
