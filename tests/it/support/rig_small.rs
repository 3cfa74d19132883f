//! A small company in memory, for tests that are about Zendesk or the store: agents and end users by number.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::zendesk::{Account, GroupState, RoleState, Seats, UserState};
use zendesk_dirsync::domain::assignment::{Assignment, EmptyGroup, GroupRef, Role, RoleGrant};
use zendesk_dirsync::domain::change::Welcome;
use zendesk_dirsync::domain::id::{AppName, DirectoryName, EntryId};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, Mapping};
use zendesk_dirsync::domain::rules::{AdoptCase, Adoption, AppRules, Switch, Switches};

use super::memory::{Group, MemoryDirectory, Person};

pub const DIRECTORY: &str = "corp";
pub const APP: &str = "support";
pub const AGENTS: &str = "cn=agents,ou=groups,dc=example,dc=org";
pub const USERS: &str = "cn=users,ou=groups,dc=example,dc=org";
/// Zendesk's groups and roles.
pub const SUPPORT: u64 = 501;
pub const ESCALATIONS: u64 = 502;
pub const TEAM_LEAD: u64 = 701;
/// Accounts that were there before.
pub const OWNER: u64 = 9001;
pub const STRANGER: u64 = 9002;

/// The person with a number; `mail(n)` is theirs.
pub fn person(number: u32) -> Person {
    let mut person = Person::numbered(number, &format!("Person {number}"), &mail(number));
    person.set("telephoneNumber", &format!("+49301234{number:04}"));
    person
}

pub fn mail(number: u32) -> String {
    format!("person-{number}@example.org")
}

/// A directory of agents and end users.
pub fn directory(agents: &[u32], users: &[u32]) -> MemoryDirectory {
    let everybody: BTreeSet<u32> = agents.iter().chain(users).copied().collect();
    let ids = |numbers: &[u32]| numbers.iter().map(|number| person(*number).id).collect::<Vec<EntryId>>();
    let groups = [Group::numbered(1, "agents", &ids(agents)), Group::numbered(2, "users", &ids(users))];
    MemoryDirectory::new(DIRECTORY, everybody.into_iter().map(person), groups)
}

/// The rules: agents in two Zendesk groups with a custom role and a tag, users with a tag.
pub fn rules() -> AppRules {
    let sources =
        [(Field::Name, "{{ displayName }}"), (Field::Email, "{{ mail }}"), (Field::Phone, "{{ telephoneNumber }}")];
    let sources: BTreeMap<Field, String> = sources.map(|(field, source)| (field, source.to_owned())).into();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let assignment = |text: &str, role: RoleGrant, groups: &[&str], default: Option<&str>, tag: &str| Assignment {
        directory: DirectoryName::new(DIRECTORY).expect("a name"),
        group: GroupRef::parse(text).expect("a DN"),
        text: text.to_owned(),
        role: Some(role),
        groups: names(groups),
        default_group: default.map(str::to_owned),
        tags: names(&[tag]),
        empty: EmptyGroup::Holds,
    };
    AppRules {
        app: AppName::new(APP).expect("a name"),
        mapping: Mapping::compile(sources, BTreeMap::new(), ExternalIdRule::Own).expect("templates that compile"),
        assignments: vec![
            assignment(
                AGENTS,
                RoleGrant::Custom("Team lead".into()),
                &["Support", "Escalations"],
                Some("Escalations"),
                "agent",
            ),
            assignment(USERS, RoleGrant::Plain(Role::EndUser), &[], None, "staff"),
        ],
        adoption: Adoption { cases: BTreeSet::from([AdoptCase::Agents, AdoptCase::EndUsers]), domains: None },
        agent_email_domains: None,
        switches: Switches { create: Switch::On, update: Switch::On, deprovision: Switch::On, reactivate: Switch::On },
        removals: BTreeMap::new(),
        welcome: Welcome::Silent,
        protected: BTreeSet::new(),
        admins_min: 1,
    }
}

/// The account before the first cycle: an owner, a stranger, two groups, a custom role.
pub fn seed(seats: u32) -> Account {
    let user = |id, name: &str, email: &str, role| UserState {
        id,
        name: name.into(),
        email: Some(email.into()),
        role,
        ..UserState::default()
    };
    let mut owner = user(OWNER, "Olga Owner", "owner@example.org", sandbox::zendesk::Role::Admin);
    owner.groups = vec![SUPPORT];
    owner.default_group = Some(SUPPORT);
    Account {
        now: "2026-11-02T08:00:00Z".into(),
        owner_id: OWNER,
        default_group_id: SUPPORT,
        users: vec![owner, user(STRANGER, "Connie", "connie@customer.example", sandbox::zendesk::Role::EndUser)],
        groups: [(SUPPORT, "Support"), (ESCALATIONS, "Escalations")]
            .map(|(id, name)| GroupState { id, name: name.into(), deleted: false })
            .into(),
        custom_roles: vec![RoleState { id: TEAM_LEAD, name: "Team lead".into(), role_type: 0 }],
        seats: Seats { total: seats, used: 0 },
        ..Account::default()
    }
}
