//! A rig: fakes that outlive engines, rules, and one call that runs a cycle, whether it ends, aborts or dies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chrono::TimeDelta;
use zendesk_dirsync::domain::assignment::{Assignment, EmptyGroup, GroupRef, Role, RoleGrant};
use zendesk_dirsync::domain::brake::{FirstCycle, Limits};
use zendesk_dirsync::domain::change::Welcome;
use zendesk_dirsync::domain::id::{AppName, Digest, DirectoryName, Email, EntryId, PersonId};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, FieldMode, Mapping};
use zendesk_dirsync::domain::rules::{Adoption, AppRules, Switch, Switches};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{HoldState, Progress};
use zendesk_dirsync::engine::view::PlanView;
use zendesk_dirsync::engine::{
    Abort, App, Configuration, CycleOrder, CycleReport, Engine, Former, Outline, Reader, Stop,
};

use crate::support::memory::{
    Burnt, Desk, Fuse, InMemory, MemoryClock, MemoryDirectory, MemoryLedger, MemoryReport, MemoryZendesk, Silent, User,
};

/// What a configuration said: the rules by app, and how directories were read.
type Written = (BTreeMap<AppName, AppRules>, BTreeMap<DirectoryName, Digest>);

/// From what a plan is made.
#[derive(Debug, Clone, Copy)]
pub enum From {
    Outside,
    Store,
}

/// How a cycle went.
#[derive(Debug)]
pub enum Ran {
    Ended(Box<CycleReport>),
    Aborted(Abort),
    /// A fuse burnt: the process was gone.
    Died,
    /// A command was answered.
    Answered(Box<Reply>),
}

impl Ran {
    /// Whether the process went on, with a store and a report.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Ended(_) => true,
            Self::Answered(reply) => reply.code() != 7,
            Self::Aborted(_) | Self::Died => false,
        }
    }

    /// The name of the cycle that it was.
    pub fn cycle_name(&self) -> Option<String> {
        match self {
            Self::Ended(report) => Some(report.summary.cycle.to_string()),
            Self::Answered(reply) => match &**reply {
                Reply::Cycle { cycle, .. } => Some(cycle.cycle.clone()),
                Reply::Undo { undo, .. } => undo.carried.as_ref().map(|carried| carried.cycle.clone()),
                _ => None,
            },
            Self::Aborted(_) | Self::Died => None,
        }
    }
}

/// Fakes with the configuration over them.
pub struct Rig {
    pub clock: MemoryClock,
    pub fuse: Fuse,
    pub ledger: MemoryLedger,
    pub report: MemoryReport,
    pub directories: Vec<MemoryDirectory>,
    pub apps: Vec<(AppRules, MemoryZendesk)>,
    pub limits: Limits,
    /// How each directory is read.
    pub scopes: BTreeMap<DirectoryName, Digest>,
    /// What is there, and not configured any more.
    pub out_apps: BTreeSet<AppName>,
    pub out_directories: BTreeSet<DirectoryName>,
    /// What each text said.
    written: RefCell<BTreeMap<String, Written>>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    /// Fakes without directories and apps.
    pub fn new() -> Self {
        let fuse = Fuse::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        Self {
            clock: MemoryClock::at("2026-11-23T08:00:00Z"),
            ledger: MemoryLedger::new(fuse.clone()),
            report: MemoryReport::new(fuse.clone()),
            fuse,
            directories: Vec::new(),
            apps: Vec::new(),
            limits: Limits::default(),
            scopes: BTreeMap::new(),
            out_apps: BTreeSet::new(),
            out_directories: BTreeSet::new(),
            written: RefCell::default(),
            runtime,
        }
    }

    /// One directory and one app, whose first cycle isn't held.
    pub fn of(directory: MemoryDirectory, desk: Desk, rules: AppRules) -> Self {
        let mut rig = Self::new();
        rig.limits.first_cycle = FirstCycle::Apply;
        rig.directories.push(directory);
        rig.add_app(desk, rules);
        rig
    }

    /// Does something where tokio's clock is known.
    pub fn entered<T>(&self, what: impl FnOnce() -> T) -> T {
        let _guard = self.runtime.enter();
        what()
    }

    /// Adds an app.
    pub fn add_app(&mut self, desk: Desk, rules: AppRules) {
        let desk = MemoryZendesk::new(rules.app.as_str(), desk, self.clock.clone(), self.fuse.clone());
        self.apps.push((rules, desk));
    }

    /// The first app's Zendesk.
    pub fn desk(&self) -> &MemoryZendesk {
        &self.apps[0].1
    }

    /// The first directory.
    pub fn directory(&self) -> &MemoryDirectory {
        &self.directories[0]
    }

    /// The live user with a mail, in the first app.
    pub fn user(&self, mail: &str) -> Option<User> {
        self.desk().with(|desk| desk.by_email(&Email::parse(mail).unwrap()).cloned())
    }

    /// A fresh engine over the fakes.
    pub fn engine(&self) -> Engine<InMemory> {
        let app = |(rules, desk): &(AppRules, MemoryZendesk)| App {
            rules: rules.clone(),
            desk: desk.clone(),
            identity: format!("https://{}.zendesk.com", rules.app),
        };
        Engine {
            directories: self
                .directories
                .iter()
                .filter(|one| !self.out_directories.contains(zendesk_dirsync::engine::ports::Directory::name(*one)))
                .cloned()
                .collect(),
            apps: self.apps.iter().filter(|(rules, _)| !self.out_apps.contains(&rules.app)).map(app).collect(),
            ledger: self.ledger.clone(),
            report: self.report.clone(),
            clock: self.clock.clone(),
            limits: self.limits,
            configuration: self.configuration(),
        }
    }

    /// The configuration as a text that stands for it, and what the ledger says was accepted, as it was read then.
    fn configuration(&self) -> Configuration {
        let mut text = String::new();
        for (rules, _) in self.apps.iter().filter(|(rules, _)| !self.out_apps.contains(&rules.app)) {
            text += &format!("{} {}\n", rules.app, rules.digest());
        }
        text += &format!("{:?}", self.scopes);
        let rules = self.apps.iter().map(|(rules, _)| (rules.app.clone(), rules.clone())).collect();
        self.written.borrow_mut().insert(text.clone(), (rules, self.scopes.clone()));
        let written = self.written.borrow();
        let read = |(app, text): (AppName, String)| {
            let former = match written.get(&text) {
                None => Former::Unreadable { why: "of another release".into() },
                Some((rules, scopes)) => {
                    Former::Known { rules: Box::new(rules.get(&app)?.clone()), scopes: scopes.clone() }
                }
            };
            Some((app, former))
        };
        let configurations = self.ledger.with(|state| state.configurations.clone());
        let former = configurations.into_iter().filter_map(read).collect();
        let (texts, limits) = (written.clone(), self.limits);
        let reader = Reader::new(move |text: &str, _| {
            let (rules, scopes) = texts.get(text).ok_or("no such text")?.clone();
            Ok(Outline { rules: rules.into_values().collect(), scopes, limits })
        });
        Configuration { text, scopes: self.scopes.clone(), former, reader }
    }

    /// An app's rules, as the ledger says that they were accepted.
    pub fn accepted(&self, app: usize) -> Option<AppRules> {
        let app = &self.apps[app].0.app;
        let text = self.ledger.with(|state| state.configurations.get(app).cloned())?;
        self.written.borrow().get(&text).and_then(|(rules, _)| rules.get(app).cloned())
    }

    /// Runs a cycle in a fresh engine, a quarter of an hour after the last one.
    pub fn run(&self) -> Ran {
        self.run_only(None)
    }

    /// Runs a cycle for one person.
    pub fn run_only(&self, only: Option<&str>) -> Ran {
        self.clock.advance(TimeDelta::minutes(15));
        self.run_now(only)
    }

    /// Runs a cycle in a fresh engine, now.
    pub fn run_now(&self, only: Option<&str>) -> Ran {
        let stop = self.fuse.stop().map_or_else(Stop::never, Stop::when);
        let order = CycleOrder { actor: "daemon".into(), only: only.map(str::to_owned), stop };
        let mut engine = self.engine();
        let run = AssertUnwindSafe(|| self.runtime.block_on(engine.cycle(order, &mut Silent)));
        match catch_unwind(run) {
            Ok(Ok(report)) => Ran::Ended(Box::new(report)),
            Ok(Err(abort)) => Ran::Aborted(abort),
            Err(why) if why.is::<Burnt>() => Ran::Died,
            Err(why) => resume_unwind(why),
        }
    }

    /// Forgets what only the eye needs: a long run would keep years of it.
    pub fn forget(&self) {
        self.ledger.forget();
        self.report.forget();
        for (_, desk) in &self.apps {
            desk.by_hand(|desk| {
                desk.writes.clear();
                desk.asked.clear();
            });
        }
    }

    /// Has a command carried out by a fresh engine, a minute after whatever was last.
    pub fn order(&self, command: Command) -> Reply {
        self.clock.advance(TimeDelta::minutes(1));
        let mut engine = self.engine();
        self.runtime.block_on(engine.carry_out(command, "alice", Stop::never(), &mut Silent))
    }

    /// Waits for something on the virtual clock; none when a fuse burnt.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(work))) {
            Ok(done) => Some(done),
            Err(why) if why.is::<Burnt>() => None,
            Err(why) => resume_unwind(why),
        }
    }

    /// Plans, and changes nothing.
    pub fn prepare(&self) {
        self.prepare_before(&mut Silent);
    }

    /// Plans, and changes nothing, while somebody watches.
    pub fn prepare_before(&self, progress: &mut dyn Progress) {
        use zendesk_dirsync::domain::id::CycleId;
        use zendesk_dirsync::engine::ports::Clock as _;
        let cycle = CycleId::at(self.clock.now());
        let mut engine = self.engine();
        self.runtime.block_on(engine.prepare(cycle, None, &BTreeMap::new(), progress)).unwrap();
    }

    /// The next plan, as people see it; asked of the outside, or of what the store recalls.
    pub fn shown(&self, from: From) -> PlanView {
        self.clock.advance(TimeDelta::minutes(1));
        let mut engine = self.engine();
        let text = engine.configuration.text.clone();
        let command = match from {
            From::Outside => Command::Plan { app: None, user: None },
            From::Store => Command::Offline { text, app: None, user: None },
        };
        match self.runtime.block_on(engine.carry_out(command, "test", Stop::never(), &mut Silent)) {
            Reply::Plan { plan, .. } => *plan,
            other => panic!("{other:?}"),
        }
    }

    /// The time now.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        zendesk_dirsync::engine::ports::Clock::now(&self.clock)
    }

    /// Has a command carried out, as a person gave it.
    pub fn command(&self, command: Command) -> Reply {
        self.runtime.block_on(self.engine().carry_out(command, "alice", Stop::never(), &mut Silent))
    }

    /// Runs a cycle that must end.
    pub fn cycle(&self) -> CycleReport {
        match self.run() {
            Ran::Ended(report) => *report,
            other => panic!("the cycle didn't end: {other:?}"),
        }
    }

    /// Approves everything that waits; answers how many changes that were.
    pub fn approve_all(&self) -> usize {
        self.clock.advance(TimeDelta::minutes(1));
        let mut approved = 0;
        for hold in self.ledger.snapshot().holds.values().flatten() {
            if hold.state == HoldState::Waiting && !hold.changes.is_empty() {
                let answer = self.engine().approve(&hold.id.to_string(), None, None, "alice").unwrap();
                approved += answer.unwrap().changes;
            }
        }
        approved
    }

    /// Cycles, approving everything in between, until nothing waits and nothing was done.
    pub fn settle(&self) {
        for _ in 0..8 {
            let writes: usize = self.apps.iter().map(|(_, desk)| desk.writes().len()).sum();
            let report = self.cycle();
            let after: usize = self.apps.iter().map(|(_, desk)| desk.writes().len()).sum();
            if self.approve_all() == 0 && writes == after && report.ending.code() == 0 {
                return;
            }
        }
    }
}

/// A mapping of four fields: `notes` is seeded.
pub fn mapping(external_id: ExternalIdRule) -> Mapping {
    let sources = [
        (Field::Name, "{{ displayName }}"),
        (Field::Email, "{{ mail }}"),
        (Field::Phone, "{{ telephoneNumber }}"),
        (Field::Notes, "{{ description }}"),
    ];
    let sources = sources.into_iter().map(|(field, source)| (field, source.to_owned())).collect();
    Mapping::compile(sources, BTreeMap::from([(Field::Notes, FieldMode::Seed)]), external_id).unwrap()
}

/// Rules without assignments: nothing is adopted, everything is on.
pub fn rules(app: &str, assignments: Vec<Assignment>) -> AppRules {
    AppRules {
        app: AppName::new(app).unwrap(),
        mapping: mapping(ExternalIdRule::Own),
        assignments,
        adoption: Adoption::default(),
        agent_email_domains: None,
        switches: Switches { create: Switch::On, update: Switch::On, deprovision: Switch::On, reactivate: Switch::On },
        removals: BTreeMap::new(),
        welcome: Welcome::Silent,
        protected: BTreeSet::new(),
        admins_min: 1,
    }
}

/// An assignment of a group, by name, to a plain role and Zendesk groups.
pub fn gives(directory: &str, group: &str, role: Option<Role>, groups: &[&str]) -> Assignment {
    Assignment {
        directory: DirectoryName::new(directory).unwrap(),
        group: GroupRef::parse(group).unwrap(),
        text: group.to_owned(),
        role: role.map(RoleGrant::Plain),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        default_group: None,
        tags: BTreeSet::new(),
        empty: EmptyGroup::Holds,
    }
}

/// A person of the directory `corp`.
pub fn corp(entry: EntryId) -> PersonId {
    PersonId { directory: DirectoryName::new("corp").unwrap(), entry }
}
