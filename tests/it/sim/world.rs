//! A generated world: companies, their directories, Zendesk accounts, and what a person did and knows about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::assignment::{Assignment, Role, RoleGrant};
use zendesk_dirsync::domain::brake::{FirstCycle, Limit, Limits};
use zendesk_dirsync::domain::id::{Digest, DirectoryName, Email, EntryId, ExternalId, PersonId};
use zendesk_dirsync::domain::mapping::ExternalIdRule;
use zendesk_dirsync::domain::rules::AdoptCase;
use zendesk_dirsync::domain::settings::{Redaction, ReportSettings};
use zendesk_dirsync::engine::ports::{Clock as _, Directory as _};
use zendesk_dirsync::report::verify::verify;

use super::faults::Faults;
use super::orders::{Orders, Words};
use super::reference::{Given, Truth, truths};
use super::rig::{Rig, gives, mapping, rules};
use super::rng::Rng;
use crate::support::memory::{Company, Desk, Dialect, Group, LedgerState, MemoryDirectory, Person, User, Wire};

/// A change that a person let go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub person: PersonId,
    pub at: DateTime<Utc>,
}

/// What a person decided, by app.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    pub approved: Vec<BTreeMap<Digest, Approval>>,
    /// What a person ordered.
    pub words: Words,
}

/// How a world goes, for all of its days.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Minutes between cycles, one after the other, over and over.
    pub rhythm: &'static [i64],
    /// One fault in so many cycles.
    pub fault_in: usize,
    /// One event of a company in so many cycles, beside the daily ones.
    pub event_in: usize,
    /// The person looks at what waits once in so many cycles.
    pub look_in: usize,
}

/// A world with its one generator.
pub struct World {
    pub rng: Rng,
    pub rig: Rig,
    pub style: Style,
    /// By app: assignments by the true ids of their groups.
    pub given: Vec<Vec<Given>>,
    pub next_person: u32,
    /// Everyone there ever was, with the employee number.
    pub everyone: BTreeMap<PersonId, String>,
    /// Whose an external id is, by app.
    pub ids: Vec<BTreeMap<ExternalId, PersonId>>,
    /// Deleted groups, to be restored.
    pub stash: Vec<(usize, Group)>,
    /// People who are deleted by mistake, with their groups, to be restored.
    pub away: Vec<(usize, Person, Vec<EntryId>)>,
    /// Groups that bear another's name.
    pub renamed: Vec<(usize, EntryId, String)>,
    /// States that a lagging server may tell, by directory.
    pub past: Vec<Option<Arc<Company>>>,
    /// Whether nothing of the structure changed since the last whole cycle, by directory.
    pub stable: Vec<bool>,
    /// What a person decided.
    pub decisions: Decisions,
    /// An older copy of the store, with what had been decided then.
    pub copy: Option<(LedgerState, Decisions)>,
    /// Accounts that an administrator touched after they were given up, by app.
    pub touched: Vec<BTreeSet<u64>>,
    /// Whether the store was lost once, or put back from a copy.
    pub lost: bool,
    pub faults: Faults,
    pub orders: Orders,
    /// How often the clock jumped or the store was another: windows count anew.
    pub breaks: u64,
    /// Days and cycles that passed.
    pub days: u64,
    pub cycles: u64,
    /// How often people decided after faults had ceased.
    pub decided_at_the_end: usize,
    /// Holds that were ever told, by code.
    pub holds: BTreeMap<String, u64>,
    held: BTreeSet<Digest>,
    /// Where the real journal is, in the worlds that keep one.
    journal: Option<tempfile::TempDir>,
    pub log: Vec<String>,
    pub tracing: bool,
}

const GROUPS: [&str; 5] = ["support", "tier2", "chiefs", "portal", "light"];
/// Two quarters of an hour, and then nothing until the next morning.
const BURST: [i64; 3] = [15, 15, 1_410];

impl World {
    /// A world from a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::new();
        let directories = if rng.one_in(3) { 2 } else { 1 };
        let large = rng.one_in(50);
        for at in 0..directories {
            let count = if large { 60 + rng.below(40) } else { 4 + rng.below(7) };
            rig.directories.push(company(["corp", "labs"][at], at as u32, count as u32, &mut rng));
        }
        rig.limits = limits(&mut rng);
        let style = Style {
            rhythm: match rng.below(20) {
                0..=11 => &BURST,
                12..=15 => &[720],
                16 | 17 => &[1_440],
                18 => &[360],
                _ => &[180],
            },
            fault_in: [1, 2, 3, 6, 20][rng.below(5)],
            event_in: [1, 1, 1, 2][rng.below(4)],
            look_in: [1, 2, 4, 12][rng.below(4)],
        };
        let mut given = Vec::new();
        for at in 0..if rng.one_in(3) { 2 } else { 1 } {
            let mut assignments = Vec::new();
            for name in ["corp", "labs"].iter().take(directories) {
                assignments.extend(offers(name));
            }
            given.push(assignments.iter().map(|one| truly(one, &rig.directories)).collect());
            let mut rules = rules(["support", "sales"][at], assignments);
            if at == 1 {
                rules.mapping = mapping(ExternalIdRule::Template("{{ employeeNumber }}".into()));
            }
            if rng.one_in(3) {
                rules.adoption.cases = BTreeSet::from([AdoptCase::EndUsers, AdoptCase::Agents]);
            }
            rules.admins_min = 1 + rng.below(4);
            rules.protected = BTreeSet::from([Email::parse("boss@example.org").unwrap()]);
            let seats = if rng.one_in(3) { 8 + rng.below(10) } else { 1_000 };
            rig.add_app(desk(seats), rules);
            let dialect = [Dialect::Classic, Dialect::Draft, Dialect::Draft6][rng.below(3)];
            let limit = [60, 200, 700][rng.below(3)];
            let share = [30, 50, 90][rng.below(3)];
            let wire = { rig.entered(|| Wire::new(limit, share, dialect)) };
            rig.apps[at].1.paced(wire);
        }
        let apps = rig.apps.len();
        let decisions = Decisions { approved: vec![BTreeMap::new(); apps], words: Words::default() };
        let mut world = Self {
            rng,
            rig,
            style,
            given,
            next_person: 1_000,
            everyone: BTreeMap::new(),
            ids: vec![BTreeMap::new(); apps],
            stash: Vec::new(),
            away: Vec::new(),
            renamed: Vec::new(),
            past: vec![None; directories],
            stable: vec![false; directories],
            decisions,
            copy: None,
            touched: vec![BTreeSet::new(); apps],
            lost: false,
            faults: Faults::default(),
            orders: Orders::new(seed),
            breaks: 0,
            days: 0,
            cycles: 0,
            decided_at_the_end: 0,
            holds: BTreeMap::new(),
            held: BTreeSet::new(),
            journal: None,
            log: Vec::new(),
            tracing: false,
        };
        world.note_people();
        super::orders::begin(&mut world);
        if world.rng.one_in(4) {
            world.journal = Some(memory_dir());
            world.take_journal_up();
        }
        world
    }

    fn take_journal_up(&self) {
        let Some(dir) = &self.journal else { return };
        let settings = ReportSettings {
            file: dir.path().join("report.log"),
            max_size: 1 << 30,
            max_age: Duration::from_secs(100 * 365 * 86_400),
            max_total: 1 << 40,
            redact: Redaction::None,
        };
        self.rig.report.journal(&settings, self.rig.clock.now(), self.days).unwrap();
    }

    /// Whether the real journal, where there is one, is whole, and holds every notice.
    pub fn verify_journal(&self) -> Result<(), String> {
        let Some(dir) = &self.journal else { return Ok(()) };
        self.rig.report.close();
        let verified = verify(&dir.path().join("report.log")).map_err(|why| why.to_string())?;
        let told = self.rig.report.with(<[_]>::len) as u64;
        if !verified.is_sound() || verified.records < told {
            return Err(format!("the journal isn't whole: {verified:?} of {told}"));
        }
        Ok(())
    }

    /// Remembers everybody who is there now.
    pub fn note_people(&mut self) {
        for directory in &self.rig.directories {
            let name = directory.name();
            let known = &mut self.everyone;
            directory.with(|company| {
                for person in company.people.values() {
                    let id = PersonId { directory: name.clone(), entry: person.id };
                    known.entry(id).or_insert_with(|| person.get("employeeNumber").to_owned());
                }
            });
        }
        for app in 0..self.ids.len() {
            if self.ids[app].len() < self.everyone.len() {
                let all = self.everyone.keys().map(|person| (self.external_id(app, person), person.clone()));
                self.ids[app] = all.collect();
            }
        }
    }

    /// The name of a directory.
    pub fn directory_name(&self, at: usize) -> DirectoryName {
        self.rig.directories[at].name().clone()
    }

    /// The companies as their servers would truthfully tell them now: an older state for one that lags.
    pub fn companies(&self) -> BTreeMap<DirectoryName, Arc<Company>> {
        let told = |at: usize| {
            let directory = &self.rig.directories[at];
            let company = directory.trouble().lagging.unwrap_or_else(|| directory.truth());
            (self.directory_name(at), company)
        };
        (0..self.rig.directories.len()).map(told).collect()
    }

    /// What is truly wanted in an app at a moment.
    pub fn truths(&self, app: usize, now: DateTime<Utc>) -> BTreeMap<PersonId, Truth> {
        let suffix = self.orders.edits.suffix.get(app).copied().unwrap_or_default();
        self.truths_of(&self.given[app], suffix, now)
    }

    /// What is truly wanted by other assignments, with something behind each name.
    pub fn truths_of(&self, given: &[Given], suffix: &str, now: DateTime<Utc>) -> BTreeMap<PersonId, Truth> {
        let mut all = truths(&self.companies(), given, now);
        if !suffix.is_empty() {
            let wanted = all.values_mut().filter_map(|truth| match truth {
                Truth::Wanted(wish) => Some(wish),
                Truth::Rejected | Truth::Unusable | Truth::Out => None,
            });
            wanted.for_each(|wish| wish.name.push_str(suffix));
        }
        all
    }

    /// The external id that a person's account must carry in an app.
    pub fn external_id(&self, app: usize, person: &PersonId) -> ExternalId {
        match self.rig.apps[app].0.mapping.external_id() {
            ExternalIdRule::Own | ExternalIdRule::Off => ExternalId::own(person.entry),
            ExternalIdRule::Template(_) => ExternalId::parse(&self.everyone[person]).unwrap(),
        }
    }

    /// Whose external id it is.
    pub fn person_of(&self, app: usize, id: &ExternalId) -> Option<PersonId> {
        self.ids[app].get(id).cloned()
    }

    /// Writes a line of history down.
    pub fn tell(&mut self, what: impl Into<String>) {
        let line = format!("{} {}", self.rig.clock.now().format("%m-%d %H:%M"), what.into());
        if self.tracing {
            eprintln!("{line}");
        }
        self.log.push(line);
    }

    /// Counts the holds that are new.
    pub fn note_holds(&mut self) {
        let now: BTreeMap<Digest, String> = self
            .rig
            .ledger
            .with(|state| state.holds.values().flatten().map(|hold| (hold.id, hold.code.clone())).collect());
        for (_, code) in now.iter().filter(|(id, _)| !self.held.contains(id)) {
            *self.holds.entry(code.clone()).or_default() += 1;
        }
        self.held = now.into_keys().collect();
    }

    /// The process is a new one.
    pub fn new_process(&self) {
        for (_, desk) in &self.rig.apps {
            desk.restart();
        }
        self.take_journal_up();
    }

    /// Everybody who is in a directory now.
    pub fn people(&self, directory: usize) -> Vec<EntryId> {
        self.rig.directories[directory].with(|company| company.people.keys().copied().collect())
    }

    /// Every group of a directory.
    pub fn groups_of(&self, at: usize) -> Vec<EntryId> {
        self.rig.directories[at].with(|company| company.groups.keys().copied().collect())
    }
}

/// A directory that costs no disk, where the machine has one.
fn memory_dir() -> tempfile::TempDir {
    let shared = std::path::Path::new("/dev/shm");
    let made = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    made.unwrap()
}

fn limits(rng: &mut Rng) -> Limits {
    if rng.one_in(4) {
        return Limits::default();
    }
    Limits {
        shown: Limit { count: 1 + rng.below(3), percent: 10 },
        absence: Limit { count: 1 + rng.below(2), percent: 5 },
        takes_or_raises: Limit { count: 1 + rng.below(4), percent: 10 },
        removals_24h: Limit { count: 2 + rng.below(3), percent: 10 },
        removals_7d: Limit { count: 3 + rng.below(4), percent: 20 },
        takes_or_raises_24h: Limit { count: 2 + rng.below(5), percent: 20 },
        creations: Limit { count: 2 + rng.below(6), percent: 20 },
        updates: Limit { count: 4, percent: 20 },
        source_gone: Limit { count: 2 + rng.below(3), percent: 15 },
        first_cycle: if rng.one_in(2) { FirstCycle::Hold } else { FirstCycle::Apply },
    }
}

/// What the groups of a directory give, first come first.
fn offers(directory: &str) -> Vec<Assignment> {
    let mut chiefs = gives(directory, "chiefs", Some(Role::Admin), &[]);
    chiefs.tags = BTreeSet::from(["chief".to_owned()]);
    let mut light = gives(directory, "light", None, &["Light"]);
    light.role = Some(RoleGrant::Custom("Light agent".into()));
    let mut tier2 = gives(directory, "tier2", Some(Role::Agent), &["Tier 2"]);
    tier2.default_group = Some("Tier 2".into());
    let support = gives(directory, "support", Some(Role::Agent), &["Support"]);
    let mut portal = gives(directory, "portal", None, &[]);
    portal.tags = BTreeSet::from(["portal".to_owned(), directory.to_owned()]);
    vec![chiefs, tier2, support, light, portal]
}

fn truly(assignment: &Assignment, directories: &[MemoryDirectory]) -> Given {
    let directory = directories.iter().find(|one| *one.name() == assignment.directory).unwrap();
    let named = |company: &Company| company.groups.values().find(|group| group.name == assignment.text).unwrap().id;
    let group = directory.with(named);
    Given {
        directory: assignment.directory.clone(),
        group,
        role: assignment.role.clone(),
        groups: assignment.groups.clone(),
        default_group: assignment.default_group.clone(),
        tags: assignment.tags.clone(),
    }
}

fn company(name: &str, at: u32, count: u32, rng: &mut Rng) -> MemoryDirectory {
    let people: Vec<Person> = (1..=count)
        .map(|n| {
            let n = 200 * at + n;
            Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"))
        })
        .collect();
    let mut groups: Vec<Group> = (1..).zip(GROUPS).map(|(n, name)| Group::numbered(200 * at + n, name, &[])).collect();
    let mut nested = Group::numbered(200 * at + 50, "nested", &[]);
    for person in &people {
        for _ in 0..1 + rng.below(2) {
            let into = rng.below(8);
            // Most people are in the group of everyday work.
            let group = match into {
                0..=2 => &mut groups[0],
                3 => &mut nested,
                other => &mut groups[other - 3],
            };
            group.members.insert(person.id);
        }
    }
    groups[0].members.insert(nested.id);
    groups.push(nested);
    MemoryDirectory::new(name, people, groups)
}

fn desk(seats: usize) -> Desk {
    let mut desk = Desk::new();
    desk.seats = seats;
    for name in ["Support", "Tier 2", "Light", "Extra"] {
        desk.add_group(name);
    }
    desk.custom_roles.insert(90, "Light agent".into());
    desk.add_user(User::there(3, "Deputy", "deputy@zendesk.example.org", Role::Admin));
    desk.add_user(User::there(4, "Boss", "boss@example.org", Role::Agent));
    desk.add_user(User::there(5, "Customer", "customer@example.net", Role::EndUser));
    desk
}
