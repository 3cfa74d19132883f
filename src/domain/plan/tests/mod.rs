//! Tests of planning: one person, one story, one decision. The fixtures are here; the stories lie beside.

mod departing;
mod matching;
mod wanting;

use std::collections::BTreeSet;

use super::*;
use crate::domain::account::{Existence, Standing, Suspended, Verified, Written};
use crate::domain::assignment::{Grants, Membership, RoleGrant};
use crate::domain::change::{Class, Step, Welcome};
use crate::domain::entry::{GroupPath, GroupStep};
use crate::domain::id::{CustomRoleId, DirectoryName, EntryId, ExternalId, GroupId};
use crate::domain::mapping::{ExternalIdRule, Field, FieldMode, Mapping};
use crate::domain::rules::{AdoptCase, Adoption, Switch, Switches};

const EVERYONE: GroupId = GroupId(10);
const SUPPORT: GroupId = GroupId(11);
const TIER2: GroupId = GroupId(12);
const LIGHT: CustomRoleId = CustomRoleId(90);

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

fn person(n: u8) -> PersonId {
    let mut bytes = [0; 16];
    bytes[15] = n;
    PersonId { directory: DirectoryName::new("corp").unwrap(), entry: EntryId::from_bytes(bytes) }
}

fn mail(n: u8) -> Email {
    email(&format!("p{n}@example.org"))
}

fn mapping(external_id: ExternalIdRule) -> Mapping {
    let sources = [
        (Field::Name, "{{ cn }}"),
        (Field::Email, "{{ mail }}"),
        (Field::Phone, "{{ tel }}"),
        (Field::Notes, "{{ d }}"),
    ];
    let sources = sources.into_iter().map(|(field, text)| (field, text.to_owned())).collect();
    Mapping::compile(sources, BTreeMap::from([(Field::Notes, FieldMode::Seed)]), external_id).unwrap()
}

fn rules() -> AppRules {
    AppRules {
        app: AppName::new("support").unwrap(),
        mapping: mapping(ExternalIdRule::Own),
        assignments: Vec::new(),
        adoption: Adoption::default(),
        agent_email_domains: None,
        switches: Switches { create: Switch::On, update: Switch::On, deprovision: Switch::On, reactivate: Switch::On },
        removals: BTreeMap::new(),
        welcome: Welcome::Silent,
        protected: BTreeSet::new(),
        admins_min: 1,
    }
}

fn adopting() -> AppRules {
    AppRules {
        adoption: Adoption { cases: BTreeSet::from([AdoptCase::EndUsers, AdoptCase::Agents]), domains: None },
        ..rules()
    }
}

fn catalog() -> Catalog {
    let group = |name: &str, id: GroupId| (name.to_owned(), BTreeSet::from([id]));
    Catalog {
        groups: BTreeMap::from([group("Everyone", EVERYONE), group("Support", SUPPORT), group("Tier 2", TIER2)]),
        default_group: Some(EVERYONE),
        custom_roles: BTreeMap::from([("Light".to_owned(), BTreeSet::from([LIGHT]))]),
        untouchable: BTreeMap::from([(AccountId(1), "the account owner")]),
        active_admins: BTreeSet::from([AccountId(1), AccountId(2)]),
    }
}

fn grants(role: Role, groups: &[&str]) -> Grants {
    Grants { role: RoleGrant::Plain(role), default_group: None, groups: set(groups), tags: BTreeSet::new() }
}

/// An agent in the Zendesk group Support.
fn desired(n: u8) -> DesiredAccount {
    let step = GroupStep { id: EntryId::from_bytes([9; 16]), name: "support".into() };
    DesiredAccount {
        person: person(n),
        dn: Dn::parse(&format!("uid=p{n},dc=example")).unwrap(),
        external_id: Some(ExternalId::own(person(n).entry)),
        name: format!("Person {n}"),
        email: mail(n),
        texts: BTreeMap::from([(Field::Phone, String::new()), (Field::Notes, "a seed".to_owned())]),
        grants: grants(Role::Agent, &["Support"]),
        memberships: vec![Membership { assignment: 0, path: GroupPath(vec![step]) }],
        chosen: BTreeMap::new(),
    }
}

fn account_id(n: u8) -> AccountId {
    AccountId(100 + u64::from(n))
}

/// The account that is just as [`desired`] wants it.
fn observed(n: u8) -> ObservedAccount {
    ObservedAccount {
        id: account_id(n),
        external_id: Some(ExternalId::own(person(n).entry)),
        name: format!("Person {n}"),
        email: Some(mail(n)),
        emails: BTreeSet::from([mail(n)]),
        verified: Verified::Yes,
        role: Role::Agent,
        custom_role: None,
        suspended: Suspended::No,
        existence: Existence::Live,
        texts: BTreeMap::new(),
        groups: BTreeSet::from([SUPPORT]),
        default_group: Some(SUPPORT),
        tags: BTreeSet::new(),
    }
}

/// Somebody's account that nobody linked: a customer's, with a verified mail.
fn stranger(n: u8) -> ObservedAccount {
    ObservedAccount {
        id: AccountId(500 + u64::from(n)),
        external_id: None,
        role: Role::EndUser,
        groups: BTreeSet::new(),
        default_group: None,
        ..observed(n)
    }
}

/// What the store knows of [`observed`]: all of it given by us.
fn known(n: u8) -> KnownAccount {
    let wish = desired(n);
    KnownAccount {
        person: wish.person.clone(),
        account: account_id(n),
        standing: Standing::Active,
        dn: wish.dn.clone(),
        written: Written {
            name: wish.name.clone(),
            email: wish.email.clone(),
            role: wish.grants.role.clone(),
            texts: wish.texts.clone(),
        },
        given_groups: wish.grants.groups.clone(),
        given_tags: BTreeSet::new(),
        adopted_role: None,
        through: wish.through(),
        group_paths: wish.group_paths(),
        chosen: BTreeMap::new(),
        missed: None,
        fingerprint: None,
        wish: None,
    }
}

fn linked(account: ObservedAccount) -> Found {
    Found { linked: Some(account), ..Found::default() }
}

fn marked(account: ObservedAccount) -> Found {
    Found { by_external_id: vec![account], ..Found::default() }
}

fn by_mail(account: ObservedAccount) -> Found {
    Found { by_email: vec![account], ..Found::default() }
}

fn wanted(desired: DesiredAccount, known: Option<KnownAccount>, found: Found) -> Case {
    Case::Wanted { desired: Box::new(desired), known: known.map(Box::new), found: Box::new(found), guard: None }
}

fn departed(known: KnownAccount, observed: Option<ObservedAccount>, departure: Departure) -> Case {
    Case::Departed {
        known: Box::new(known),
        observed: observed.map(Box::new),
        departure,
        guard: None,
        standpoint: Standpoint::Steady,
    }
}

fn cycle(name: &str) -> CycleId {
    CycleId::from_text(name)
}

fn planned_with(rules: &AppRules, owners: &BTreeMap<AccountId, PersonId>, cases: Vec<Case>) -> Plan {
    let basis = Basis { store: 1, rules: rules.digest(), cycle: cycle("20261123T100000000Z") };
    let catalog = catalog();
    plan(Proposal { rules, basis, catalog: &catalog, owners, population: 20, cases, rejected: Vec::new() })
}

fn planned(rules: &AppRules, cases: Vec<Case>) -> Plan {
    planned_with(rules, &BTreeMap::new(), cases)
}

/// The only change of a plan of one case.
fn change(rules: &AppRules, case: Case) -> Change {
    let mut plan = planned(rules, vec![case]);
    assert_eq!((plan.conflicts.len(), plan.rejected.len()), (0, 0), "{:?} {:?}", plan.conflicts, plan.rejected);
    assert_eq!(plan.changes.len(), 1);
    plan.changes.remove(0)
}

/// The only conflict of a plan of one case, which changes nothing.
fn conflict(rules: &AppRules, case: Case) -> ConflictReason {
    let mut plan = planned(rules, vec![case]);
    assert_eq!((plan.changes.len(), plan.conflicts.len()), (0, 1), "{:?}", plan.changes);
    plan.conflicts.remove(0).why
}

fn fields(change: &Change) -> Vec<&'static str> {
    change.fields.iter().map(|field| field.field).collect()
}
