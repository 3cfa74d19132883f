//! Plans of people who pass addresses on: chains, rings, swaps, in any order of their cases.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use zendesk_dirsync::domain::account::{Catalog, DesiredAccount, KnownAccount, Standing, Written};
use zendesk_dirsync::domain::assignment::{Grants, Role, RoleGrant};
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::{AccountId, CycleId, DirectoryName, Email, EntryId, ExternalId, PersonId};
use zendesk_dirsync::domain::plan::{Basis, Case, ConflictReason, Found, Plan, Proposal, plan};

use crate::sim::rig::rules;
use crate::support::memory::{User, observed};

fn mail(n: u32) -> Email {
    Email::parse(&format!("p{n}@example.org")).unwrap()
}

fn person(n: u32) -> PersonId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    PersonId { directory: DirectoryName::new("corp").unwrap(), entry: EntryId::from_bytes(bytes) }
}

fn user(n: u32) -> User {
    let mut user = User::there(u64::from(n) + 100, &format!("Person {n}"), mail(n).as_str(), Role::EndUser);
    user.external_id = Some(ExternalId::own(person(n).entry));
    user
}

/// Person `n`, who has their own address and wants that of `to`.
fn wants(n: u32, to: u32, holders: u32) -> Case {
    let grants = Grants {
        role: RoleGrant::Plain(Role::EndUser),
        default_group: None,
        groups: BTreeSet::new(),
        tags: BTreeSet::new(),
    };
    let desired = DesiredAccount {
        person: person(n),
        dn: Dn::parse(&format!("uid=p{n},dc=example")).unwrap(),
        external_id: Some(ExternalId::own(person(n).entry)),
        name: format!("Person {n}"),
        email: mail(to),
        texts: BTreeMap::new(),
        grants: grants.clone(),
        memberships: Vec::new(),
        chosen: BTreeMap::new(),
    };
    let known = KnownAccount {
        person: person(n),
        account: AccountId(u64::from(n) + 100),
        standing: Standing::Active,
        dn: desired.dn.clone(),
        written: Written { name: desired.name.clone(), email: mail(n), role: grants.role, texts: BTreeMap::new() },
        given_groups: BTreeSet::new(),
        given_tags: BTreeSet::new(),
        adopted_role: None,
        through: BTreeSet::new(),
        group_paths: Vec::new(),
        chosen: BTreeMap::new(),
        missed: None,
        fingerprint: None,
        wish: None,
    };
    let by_email = if to < holders { vec![observed(&user(to))] } else { Vec::new() };
    let found = Found { linked: Some(observed(&user(n))), by_external_id: Vec::new(), by_email };
    Case::Wanted { desired: Box::new(desired), known: Some(Box::new(known)), found: Box::new(found), guard: None }
}

fn planned(cases: Vec<Case>) -> Plan {
    let rules = rules("support", Vec::new());
    let basis = Basis { store: 1, rules: rules.digest(), cycle: CycleId::from_text("c") };
    let (catalog, owners) = (Catalog::default(), BTreeMap::new());
    let population = cases.len();
    plan(Proposal { rules: &rules, basis, catalog: &catalog, owners: &owners, population, cases, rejected: Vec::new() })
}

#[test]
fn a_chain_of_a_hundred_is_freed_from_its_end() {
    // Each wants the next one's address; the last one's is new.
    let plan = planned((0..100).map(|n| wants(n, n + 1, 100)).collect());
    let order: Vec<PersonId> = plan.changes.iter().map(|change| change.person.clone()).collect();
    assert_eq!(order, (0..100).rev().map(person).collect::<Vec<_>>());
}

#[test]
fn a_swap_and_a_ring_of_three_change_nothing() {
    for size in [2, 3] {
        let plan = planned((0..size).map(|n| wants(n, (n + 1) % size, size)).collect());
        assert!(plan.changes.is_empty());
        assert!(plan.conflicts.iter().all(|one| one.why == ConflictReason::EmailRing));
        assert_eq!(plan.conflicts.len(), size as usize);
    }
}

#[test]
fn who_waits_for_a_ring_waits_with_it() {
    let plan = planned(vec![wants(0, 1, 3), wants(1, 0, 3), wants(2, 0, 3)]);
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
}

#[test]
fn an_address_is_not_taken_from_somebody_who_has_to_keep_it() {
    // 0 can't have the address of 2, who keeps it: so 1 can't have that of 0, and 3 not that of 1.
    let plan = planned(vec![wants(0, 2, 4), wants(1, 0, 4), wants(3, 1, 4)]);
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
    assert!(plan.conflicts.iter().all(|one| matches!(one.why, ConflictReason::EmailHeld(..))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_exchange_is_ordered_or_refused_and_nobody_changes_twice(
        to in prop::collection::vec(0_u32..16, 1..12),
        turn in any::<prop::sample::Index>(),
    ) {
        let holders = to.len() as u32;
        // Two people who want one address are rejected before a plan: keep the first of each.
        let mut taken = BTreeSet::new();
        let pairs: Vec<(u32, u32)> = (0..).zip(to).filter(|(_, to)| taken.insert(*to)).collect();
        let cases = |pairs: &[(u32, u32)]| pairs.iter().map(|(n, to)| wants(*n, *to, holders)).collect::<Vec<_>>();
        let first = planned(cases(&pairs));
        let mut turned = pairs.clone();
        turned.rotate_left(turn.index(pairs.len()));
        turned.reverse();
        prop_assert_eq!(&first, &planned(cases(&turned)));
        let mut people = BTreeSet::new();
        let mut held: BTreeMap<Email, u32> = (0..holders).map(|n| (mail(n), n)).collect();
        for change in &first.changes {
            prop_assert!(people.insert(change.person.clone()), "two changes for {}", change.person);
            prop_assert!(!change.fields.is_empty() && !change.steps.is_empty());
            let (n, to) = *pairs.iter().find(|(n, _)| person(*n) == change.person).unwrap();
            prop_assert!(!held.contains_key(&mail(to)), "{} is taken before it is free", mail(to));
            held.remove(&mail(n));
            held.insert(mail(to), n);
        }
        let all = first.changes.len() + first.conflicts.len() + first.refreshed.len();
        prop_assert_eq!(all, pairs.len());
    }
}
