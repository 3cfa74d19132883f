//! The oracle: judges every step by the list of writes that Zendesk itself kept, against the reference.
//!
//! It never asks the product what it did, except to compare the report with the writes, both ways.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::change::{Action, SignIn, Step};
use zendesk_dirsync::domain::id::{Digest, EntryId, PersonId};
use zendesk_dirsync::domain::outcome::{Notice, Subject, Verdict};
use zendesk_dirsync::domain::rules::AppRules;
use zendesk_dirsync::engine::ports::{Effect, HoldState};

use super::reference::Truth;
use super::rig::Ran;
use super::world::World;
use crate::support::memory::{By, LedgerState, User, Write};

/// What the oracle remembers.
pub struct Oracle {
    /// Whose an account is, by app: learnt from creations and first writes.
    owners: Vec<BTreeMap<u64, PersonId>>,
    /// Writes judged so far, by app.
    judged: Vec<usize>,
    /// Writes and notices compared so far.
    compared: (Vec<usize>, usize),
}

/// The moment before a cycle.
pub struct Before {
    ledger: LedgerState,
    begun: usize,
    reads_broken: Vec<usize>,
    live: Vec<usize>,
}

/// One app in one cycle, as the rules look at it.
struct Look<'a> {
    world: &'a World,
    app: usize,
    rules: &'a AppRules,
    truths: BTreeMap<PersonId, Truth>,
    /// People of whom a person let some change go on.
    approved: BTreeSet<PersonId>,
    /// People whose group is missing or reads empty.
    guarded: BTreeSet<PersonId>,
    before: &'a Before,
    /// The owner and our own user, and the groups.
    desk: (BTreeSet<u64>, BTreeMap<u64, String>),
}

impl Oracle {
    /// An oracle that has seen nothing.
    pub fn new(apps: usize) -> Self {
        Self { owners: vec![BTreeMap::new(); apps], judged: vec![0; apps], compared: (vec![0; apps], 0) }
    }

    /// Looks at the world before a cycle.
    pub fn before(&self, world: &World) -> Before {
        Before {
            ledger: world.rig.ledger.snapshot(),
            begun: world.rig.ledger.begun().len(),
            reads_broken: world.rig.directories.iter().map(|one| one.reads_broken()).collect(),
            live: world.rig.apps.iter().map(|(_, desk)| desk.with(|desk| desk.users.len())).collect(),
        }
    }

    /// Judges a cycle.
    pub fn judge(&mut self, world: &mut World, before: &Before, ran: &Ran) -> Result<(), String> {
        let begun: BTreeSet<Digest> =
            world.rig.ledger.begun()[before.begun..].iter().map(|intent| intent.digest).collect();
        for app in 0..world.rig.apps.len() {
            let approved = world.approved[app].values().cloned().collect();
            let look = Look {
                world,
                app,
                rules: &world.rig.apps[app].0,
                truths: world.truths(app),
                approved,
                guarded: guarded(world, app, before),
                before,
                desk: world.rig.apps[app].1.with(|desk| (BTreeSet::from([desk.owner, desk.own]), desk.groups.clone())),
            };
            let from = self.judged[app];
            let new = world.rig.apps[app].1.with(|desk| desk.writes[from..].to_vec());
            self.judged[app] = from + new.len();
            for write in &new {
                self.learn(&look, write)?;
                look.each(&self.owners[app], write)?;
            }
            look.together(&self.owners[app], &new)?;
            self.one_account_each(world, app)?;
            if new.iter().any(|write| matches!(write.step, Step::Create(_))) {
                no_blind_repeat(world, app, &world.rig.apps[app].1.writes())?;
            }
        }
        if let Ran::Ended(report) = ran {
            // What was let go on was begun: it doesn't count again.
            if report.faults.is_empty() {
                world.approved.iter_mut().for_each(|approved| approved.retain(|digest, _| !begun.contains(digest)));
            }
            spent(world, &begun)?;
            if world.rig.ledger.snapshot().intents.is_empty() {
                self.agree(world)?;
            }
        }
        Ok(())
    }

    /// Learns whose an account is; a first write to one that was there before must be allowed.
    fn learn(&mut self, look: &Look<'_>, write: &Write) -> Result<(), String> {
        let Some(id) = write.account else { return Ok(()) };
        if self.owners[look.app].contains_key(&id) {
            return Ok(());
        }
        let person = match (&write.step, &write.before) {
            (Step::Create(new), _) => new.external_id.as_ref().and_then(|id| look.world.person_of(look.app, id)),
            (_, Some(user)) => look.rightful(user),
            (_, None) => None,
        };
        let Some(person) = person else {
            return Err(format!("account {id} belongs to nobody and was written: {:?}", write.step));
        };
        if write.effect.is_ok() {
            self.owners[look.app].insert(id, person);
        }
        Ok(())
    }

    fn one_account_each(&self, world: &World, app: usize) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        world.rig.apps[app].1.with(|desk| {
            for (id, person) in &self.owners[app] {
                if desk.users.get(id).is_some_and(|user| user.live)
                    && let Some(other) = seen.insert(person.clone(), *id)
                {
                    return Err(format!("{person} has two live accounts, {other} and {id}"));
                }
            }
            Ok(())
        })
    }

    /// Every write has a record, and every record of something done has a write.
    fn agree(&mut self, world: &World) -> Result<(), String> {
        let notices = world.rig.report.notices();
        let new = &notices[self.compared.1..];
        for (app, (rules, desk)) in world.rig.apps.iter().enumerate() {
            let from = self.compared.0[app];
            let writes = &desk.with(|desk| desk.writes[from..].to_vec());
            let of_app = |notice: &&Notice| notice.app.as_ref() == Some(&rules.app);
            let told: Vec<&Notice> = new.iter().filter(of_app).filter(|one| attempted(one)).collect();
            for write in writes {
                if !told.iter().any(|notice| matches(notice, write)) {
                    return Err(format!("a write has no record: {:?} to {:?}", write.step, write.account));
                }
            }
            for notice in told.iter().filter(|notice| notice.verdict == Verdict::Done && writes_something(notice)) {
                let done = |write: &&Write| write.effect == Ok(Effect::Done) && matches(notice, write);
                if !writes.iter().any(|write| done(&write)) {
                    return Err(format!("a record tells of something done that was not: {notice:?}"));
                }
            }
            self.compared.0[app] = from + writes.len();
        }
        self.compared.1 = notices.len();
        Ok(())
    }
}

fn attempted(notice: &Notice) -> bool {
    let verdict = matches!(notice.verdict, Verdict::Done | Verdict::Already | Verdict::Refused | Verdict::Unknown);
    verdict && matches!(notice.subject, Subject::Account(_))
}

fn writes_something(notice: &Notice) -> bool {
    matches!(notice.subject, Subject::Account(action) if !matches!(action, Action::Link | Action::Release))
}

fn matches(notice: &Notice, write: &Write) -> bool {
    let by_mail = match &write.step {
        Step::Create(new) => notice.user.as_deref() == Some(new.email.as_str()),
        _ => false,
    };
    by_mail || (write.account.is_some() && notice.account.map(|id| id.0) == write.account)
}

/// People of whom an assigned group that held them is missing, or is there and empty.
fn guarded(world: &World, app: usize, before: &Before) -> BTreeSet<PersonId> {
    let companies = world.companies();
    let name = &world.rig.apps[app].0.app;
    let mut guarded = BTreeSet::new();
    for ((of, person), known) in &before.ledger.accounts {
        let Some(company) = companies.get(&person.directory).filter(|_| of == name) else { continue };
        let shaky = |id: &EntryId| company.groups.get(id).is_none_or(|group| group.members.is_empty());
        if known.through.iter().any(shaky) {
            guarded.insert(person.clone());
        }
    }
    guarded
}

/// An approval works once: nothing that was begun is still allowed.
fn spent(world: &World, begun: &BTreeSet<Digest>) -> Result<(), String> {
    for hold in world.rig.ledger.snapshot().holds.values().flatten() {
        if let HoldState::Approved { digests, .. } = &hold.state
            && let Some(digest) = digests.intersection(begun).next()
        {
            return Err(format!("the approval of {} outlived its use", digest.short()));
        }
    }
    Ok(())
}

/// A creation that wasn't answered is asked about before it is tried again.
fn no_blind_repeat(world: &World, app: usize, writes: &[Write]) -> Result<(), String> {
    let mut open: BTreeMap<String, u64> = BTreeMap::new();
    for write in writes {
        let Step::Create(new) = &write.step else { continue };
        let key = new.external_id.as_ref().map_or_else(|| new.email.to_string(), ToString::to_string).to_lowercase();
        if let Some(first) = open.remove(&key) {
            let asked = |desk: &crate::support::memory::Desk| {
                desk.asked.iter().any(|(at, what)| *at > first && *at < write.call && *what == key)
            };
            if !world.rig.apps[app].1.with(asked) {
                return Err(format!("the creation of {key} was repeated blindly"));
            }
        }
        if !write.answered {
            open.insert(key, write.call);
        }
    }
    Ok(())
}

impl Look<'_> {
    /// The person to whom an account that was there before may be tied.
    fn rightful(&self, user: &User) -> Option<PersonId> {
        let marked = user.external_id.as_ref().and_then(|id| self.world.person_of(self.app, id));
        if marked.is_some() {
            return marked;
        }
        let adoption = &self.rules.adoption;
        let fits =
            user.external_id.is_none() && user.verified && user.suspended.is_none() && adoption.allows(user.role);
        let holds = |truth: &Truth| matches!(truth, Truth::Wanted(wish) if user.has_email(&wish.email));
        self.truths.iter().find(|(_, truth)| fits && holds(truth)).map(|(person, _)| person.clone())
    }

    /// Rules over a single write.
    fn each(&self, owners: &BTreeMap<u64, PersonId>, write: &Write) -> Result<(), String> {
        let desk = &self.desk;
        let broken = |what: &str| Err(format!("{what}: {:?} to {:?}", write.step, write.account));
        if write.account.is_some_and(|id| desk.0.contains(&id)) {
            return broken("the owner or our own user was written");
        }
        if write.before.iter().any(|user| self.rules.protected.iter().any(|email| user.has_email(email))) {
            return broken("a protected account was written");
        }
        let (had, has) = write.admins;
        if has < had && has < self.rules.admins_min {
            return broken("too few admins remain");
        }
        let lifts = matches!(&write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Lift));
        if lifts && write.before.as_ref().is_some_and(|user| user.suspended == Some(By::Hand)) {
            return broken("a suspension by hand was lifted");
        }
        let Some(person) = write.account.and_then(|id| owners.get(&id)) else { return Ok(()) };
        if self.approved.contains(person) {
            return Ok(());
        }
        let app = &self.rules.app;
        if self.world.rig.limits.first_cycle == FirstCycle::Hold && !self.before.ledger.accepted.contains_key(app) {
            return broken("the first cycle wrote what nobody let go on");
        }
        match self.truths.get(person) {
            Some(Truth::Wanted(wish)) => {
                let takes = match &write.step {
                    Step::Write(patch) => {
                        let had = write.before.as_ref().map_or(Role::EndUser, |user| user.role);
                        let lowers = patch.role.is_some_and(|(role, _)| role < wish.role.role() && role < had);
                        lowers || patch.sign_in == Some(SignIn::Suspend)
                    }
                    Step::Downgrade(_) => wish.role.role() != Role::EndUser,
                    Step::Leave(group) => wish.groups.contains(&desk.1[&group.0]),
                    Step::RemoveTags(tags) => !tags.is_disjoint(&wish.tags),
                    Step::EndSessions => true,
                    Step::Create(_)
                    | Step::ChangeEmail { .. }
                    | Step::Join(_)
                    | Step::MakeDefault(_)
                    | Step::AddEmail(_)
                    | Step::Unmark
                    | Step::AddTags(_) => false,
                };
                if takes {
                    return broken("somebody wanted loses something");
                }
            }
            Some(Truth::Rejected) => {
                if self.whole() || self.removes(write) {
                    return broken("somebody rejected was touched");
                }
            }
            Some(Truth::Out) if self.removes(write) && self.guarded.contains(person) => {
                return broken("somebody was removed by a missing or emptied group");
            }
            Some(Truth::Unusable | Truth::Out) | None => {}
        }
        let trouble = self.world.rig.directories.iter().enumerate();
        for (at, directory) in trouble.filter(|(at, _)| self.world.directory_name(*at) == person.directory) {
            if self.removes(write) && directory.reads_broken() > self.before.reads_broken[at] {
                return broken("somebody was removed on a broken read");
            }
            let there = matches!(self.truths.get(person), Some(Truth::Wanted(_) | Truth::Rejected));
            if there && directory.trouble().unreadable.contains(&person.entry) {
                return broken("somebody unreadable was touched");
            }
        }
        Ok(())
    }

    /// Whether every directory was read in full.
    fn whole(&self) -> bool {
        let broken = |(at, one): (usize, &crate::support::memory::MemoryDirectory)| {
            let trouble = one.trouble();
            one.reads_broken() > self.before.reads_broken[at]
                || !trouble.hidden.is_empty()
                || !trouble.hidden_groups.is_empty()
                || !trouble.unreadable.is_empty()
        };
        !self.world.rig.directories.iter().enumerate().any(broken)
    }

    fn removes(&self, write: &Write) -> bool {
        match &write.step {
            Step::Write(patch) => patch.sign_in == Some(SignIn::Suspend),
            Step::EndSessions | Step::Downgrade(_) => true,
            Step::Create(_)
            | Step::ChangeEmail { .. }
            | Step::Join(_)
            | Step::Leave(_)
            | Step::MakeDefault(_)
            | Step::AddEmail(_)
            | Step::Unmark
            | Step::AddTags(_)
            | Step::RemoveTags(_) => false,
        }
    }

    /// Rules over all writes of a cycle: the limits, for people whom nobody let go on.
    fn together(&self, owners: &BTreeMap<u64, PersonId>, writes: &[Write]) -> Result<(), String> {
        let mut removed = BTreeSet::new();
        let mut given = BTreeSet::new();
        for write in writes {
            let person = match &write.step {
                Step::Create(new) => new.external_id.as_ref().and_then(|id| self.world.person_of(self.app, id)),
                _ => write.account.and_then(|id| owners.get(&id).cloned()),
            };
            let Some(person) = person.filter(|person| !self.approved.contains(person)) else { continue };
            let lifts = matches!(&write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Lift));
            if lifts || matches!(write.step, Step::Create(_)) {
                given.insert(person);
            } else if matches!(write.step, Step::EndSessions)
                || matches!(&write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Suspend))
            {
                removed.insert(person);
            }
        }
        // No fewer accounts can be managed than this: the share of a limit is at most that of all users.
        let population = self.before.live[self.app];
        let limits = &self.world.rig.limits;
        let most = limits.shown.people(population) + limits.absence.people(population);
        if removed.len() > most {
            return Err(format!("{} removals in one cycle, more than {most}", removed.len()));
        }
        let most = limits.creations.people(population);
        if given.len() > most {
            return Err(format!("{} creations in one cycle, more than {most}", given.len()));
        }
        Ok(())
    }
}

impl Oracle {
    /// Whose an account is.
    pub fn owners(&self, app: usize) -> &BTreeMap<u64, PersonId> {
        &self.owners[app]
    }
}
