//! A generated world: companies, their directories, Zendesk accounts, and what a person did and knows about them.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::assignment::{Assignment, Role, RoleGrant};
use zendesk_dirsync::domain::brake::{FirstCycle, Limit, Limits};
use zendesk_dirsync::domain::id::{Digest, DirectoryName, Email, EntryId, ExternalId, PersonId};
use zendesk_dirsync::domain::mapping::ExternalIdRule;
use zendesk_dirsync::domain::rules::AdoptCase;
use zendesk_dirsync::engine::ports::{Clock as _, HoldState};

use super::reference::{Given, Truth, truths};
use super::rig::{Rig, gives, mapping, rules};
use super::rng::Rng;
use crate::support::memory::{Company, Desk, Group, MemoryDirectory, Person, User};

/// A world with its one generator.
pub struct World {
    pub rng: Rng,
    pub rig: Rig,
    /// By app: assignments by the true ids of their groups.
    pub given: Vec<Vec<Given>>,
    pub next_person: u32,
    /// Everyone there ever was, with the employee number.
    pub everyone: BTreeMap<PersonId, String>,
    /// Deleted groups, to be restored.
    pub stash: Vec<(usize, Group)>,
    /// States that a lagging server may tell, by directory.
    pub past: Vec<Option<Company>>,
    /// Whether nothing of the structure changed since the last whole cycle, by directory.
    pub stable: Vec<bool>,
    /// What a person let go on, by app.
    pub approved: Vec<BTreeMap<Digest, PersonId>>,
    /// Accounts that an administrator touched after they were given up, by app.
    pub touched: Vec<BTreeSet<u64>>,
    /// Whether the store was lost once.
    pub lost: bool,
    pub log: Vec<String>,
}

const GROUPS: [&str; 5] = ["support", "tier2", "chiefs", "portal", "light"];

impl World {
    /// A world from a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::new();
        let directories = 1 + rng.below(2);
        for at in 0..directories {
            rig.directories.push(company(["corp", "labs"][at], at as u32, &mut rng));
        }
        rig.limits = Limits {
            shown: Limit { count: 1 + rng.below(3), percent: 10 },
            absence: Limit { count: 1 + rng.below(2), percent: 5 },
            removals_24h: Limit { count: 4, percent: 10 },
            removals_7d: Limit { count: 8, percent: 20 },
            takes_or_raises: Limit { count: 1 + rng.below(4), percent: 10 },
            takes_or_raises_24h: Limit { count: 8, percent: 20 },
            creations: Limit { count: 2 + rng.below(6), percent: 20 },
            source_gone: Limit { count: 2 + rng.below(3), percent: 15 },
            first_cycle: if rng.one_in(2) { FirstCycle::Hold } else { FirstCycle::Apply },
        };
        let mut given = Vec::new();
        for at in 0..1 + rng.below(2) {
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
        }
        let apps = rig.apps.len();
        let mut world = Self {
            rng,
            rig,
            given,
            next_person: 1_000,
            everyone: BTreeMap::new(),
            stash: Vec::new(),
            past: vec![None; directories],
            stable: vec![false; directories],
            approved: vec![BTreeMap::new(); apps],
            touched: vec![BTreeSet::new(); apps],
            lost: false,
            log: Vec::new(),
        };
        world.note_people();
        world
    }

    /// Remembers everybody who is there now.
    pub fn note_people(&mut self) {
        for directory in &self.rig.directories {
            let name = zendesk_dirsync::engine::ports::Directory::name(directory).clone();
            for person in directory.company().people.values() {
                let id = PersonId { directory: name.clone(), entry: person.id };
                self.everyone.insert(id, person.get("employeeNumber").to_owned());
            }
        }
    }

    /// The name of a directory.
    pub fn directory_name(&self, at: usize) -> DirectoryName {
        zendesk_dirsync::engine::ports::Directory::name(&self.rig.directories[at]).clone()
    }

    /// The companies as their servers would truthfully tell them now: an older state for one that lags.
    pub fn companies(&self) -> BTreeMap<DirectoryName, Company> {
        let told = |at: usize| {
            let directory = &self.rig.directories[at];
            let company = directory.trouble().lagging.map_or_else(|| directory.company(), |past| *past);
            (self.directory_name(at), company)
        };
        (0..self.rig.directories.len()).map(told).collect()
    }

    /// What is truly wanted in an app now.
    pub fn truths(&self, app: usize) -> BTreeMap<PersonId, Truth> {
        truths(&self.companies(), &self.given[app], self.rig.clock.now())
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
        self.everyone.keys().find(|person| self.external_id(app, person) == *id).cloned()
    }

    /// Writes a line of history down.
    #[expect(clippy::disallowed_methods, reason = "a person asks to see the history of a seed")]
    pub fn tell(&mut self, what: impl Into<String>) {
        let line = format!("{} {}", self.rig.clock.now().format("%d %H:%M"), what.into());
        if std::env::var("SIM_TRACE").is_ok() {
            eprintln!("{line}");
        }
        self.log.push(line);
    }

    /// A person decides on what waits: all, one hold, one user, or against one.
    pub fn decide(&mut self) {
        let waiting: Vec<_> = self
            .rig
            .ledger
            .snapshot()
            .holds
            .into_values()
            .flatten()
            .filter(|hold| hold.state == HoldState::Waiting && !hold.changes.is_empty())
            .collect();
        let Some(hold) = self.rng.pick(&waiting) else { return };
        let app = self.rig.apps.iter().position(|(rules, _)| rules.app == hold.app).unwrap();
        let id = hold.id.to_string();
        let mut engine = self.rig.engine();
        if self.rng.one_in(6) {
            engine.reject(&id, "alice").unwrap().unwrap();
            return self.tell(format!("rejects {} of {}", hold.changes.len(), hold.code));
        }
        let user = if self.rng.one_in(3) { self.rng.pick(&hold.changes).map(|change| change.user) } else { None };
        engine.approve(&id, user.as_deref(), None, "alice").unwrap().unwrap();
        let named = hold.changes.iter().filter(|change| user.as_ref().is_none_or(|user| change.user == *user));
        let mine: Vec<_> = named.map(|change| (change.digest, change.person.clone())).collect();
        self.tell(format!("approves {} of {}", mine.len(), hold.code));
        self.approved[app].extend(mine);
    }

    /// A person lets everything go on.
    pub fn approve_everything(&mut self) -> usize {
        let mut count = 0;
        for hold in self.rig.ledger.snapshot().holds.into_values().flatten() {
            if matches!(hold.state, HoldState::Approved { .. }) || hold.changes.is_empty() {
                continue;
            }
            let app = self.rig.apps.iter().position(|(rules, _)| rules.app == hold.app).unwrap();
            self.rig.engine().approve(&hold.id.to_string(), None, None, "alice").unwrap().unwrap();
            self.approved[app].extend(hold.changes.iter().map(|change| (change.digest, change.person.clone())));
            count += hold.changes.len();
        }
        count
    }

    /// Everybody who is in a directory now.
    pub fn people(&self, directory: usize) -> Vec<EntryId> {
        self.rig.directories[directory].company().people.keys().copied().collect()
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
    use zendesk_dirsync::engine::ports::Directory as _;
    let directory = directories.iter().find(|one| *one.name() == assignment.directory).unwrap();
    let group = directory.company().groups.into_values().find(|group| group.name == assignment.text).unwrap().id;
    Given {
        directory: assignment.directory.clone(),
        group,
        role: assignment.role.clone(),
        groups: assignment.groups.clone(),
        default_group: assignment.default_group.clone(),
        tags: assignment.tags.clone(),
    }
}

fn company(name: &str, at: u32, rng: &mut Rng) -> MemoryDirectory {
    let count = 4 + rng.below(12) as u32;
    let people: Vec<Person> = (1..=count)
        .map(|n| {
            let n = 100 * at + n;
            Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"))
        })
        .collect();
    let mut groups: Vec<Group> = (1..).zip(GROUPS).map(|(n, name)| Group::numbered(100 * at + n, name, &[])).collect();
    let mut nested = Group::numbered(100 * at + 50, "nested", &[]);
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
