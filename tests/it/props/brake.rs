//! The brake at its boundaries, digests, and grants.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zendesk_dirsync::domain::assignment::{Assignment, Role, RoleGrant, grants};
use zendesk_dirsync::domain::brake::{
    Bench, Experience, FirstCycle, HoldReason, Limit, Limits, Moment, Tally, Window, review,
};
use zendesk_dirsync::domain::change::{
    Action, Cause, CauseCode, Change, Class, Confirm, FieldChange, FieldValue, Guard, Step,
};
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::{AccountId, AppName, CycleId, Digester, DirectoryName, Email, EntryId, PersonId};
use zendesk_dirsync::domain::plan::{Basis, Plan};

use crate::sim::rig::gives;

const CLASSES: [Class; 5] =
    [Class::RemovalShown, Class::RemovalByAbsence, Class::TakesOrRaises, Class::Creation, Class::Plain];

fn change(n: u32, class: Class) -> Change {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    Change {
        app: AppName::new("support").unwrap(),
        person: PersonId { directory: DirectoryName::new("corp").unwrap(), entry: EntryId::from_bytes(bytes) },
        account: Some(AccountId(u64::from(n))),
        before: None,
        action: Action::Update,
        cause: Cause { code: CauseCode::Changed, groups: Vec::new(), evidence: None },
        email: Email::parse("p@example.org").unwrap(),
        name: "Person".into(),
        dn: Dn::parse("uid=p,dc=example").unwrap(),
        fields: vec![FieldChange { field: "name", before: FieldValue::None, after: FieldValue::Text("x".into()) }],
        steps: Vec::new(),
        class,
        guard: None,
        confirm: Confirm::No,
        outcome: None,
    }
}

fn plan(changes: Vec<Change>, population: usize) -> Plan {
    let basis = Basis { store: 1, rules: Digester::new("x").finish(), cycle: CycleId::from_text("c") };
    let mut plan = Plan::empty(AppName::new("support").unwrap(), basis, population);
    plan.changes = changes;
    plan
}

fn limit(limits: &Limits, class: Class) -> Limit {
    match class {
        Class::RemovalShown => limits.shown,
        Class::RemovalByAbsence => limits.absence,
        Class::TakesOrRaises => limits.takes_or_raises,
        Class::Creation => limits.creations,
        Class::Plain => limits.updates,
        Class::Link => Limit { count: usize::MAX, percent: 0 },
    }
}

/// How many go on, and how many wait.
fn sorted(plan: &Plan, gone: usize, experience: Experience) -> (usize, usize) {
    let bench = Bench { gone, ..Bench::of(Limits::default(), experience) };
    let review = review(plan, &bench);
    (review.approved.changes().len(), review.held.iter().map(|hold| hold.changes.len()).sum())
}

/// What the defaults promise: so many people, or so many percent, whichever is more.
fn promised(class: Class, population: usize) -> usize {
    let (count, percent) = match class {
        Class::RemovalShown | Class::TakesOrRaises => (5, 10),
        Class::RemovalByAbsence => (3, 5),
        Class::Creation | Class::Plain => (20, 20),
        Class::Link => unreachable!(),
    };
    count.max(population * percent / 100)
}

#[test]
fn a_limit_lets_exactly_its_number_go_on_for_every_population() {
    let limits = Limits::default();
    for population in 1..=100_000 {
        for class in CLASSES {
            assert_eq!(
                limit(&limits, class).people(population),
                promised(class, population),
                "{class:?} of {population}"
            );
        }
    }
}

/// What the defaults promise over time.
fn promised_over_time(window: Window, population: usize) -> usize {
    let (count, percent) = match window {
        Window::RemovalsDay => (5, 10),
        Window::RemovalsWeek | Window::TakesOrRaisesDay => (10, 20),
    };
    count.max(population * percent / 100)
}

/// How many of so many changes go on when a window has counted so many others.
fn through(window: Window, population: usize, used: usize, new: usize) -> usize {
    let class = match window {
        Window::RemovalsDay | Window::RemovalsWeek => Class::RemovalShown,
        Window::TakesOrRaisesDay => Class::TakesOrRaises,
    };
    // The others left two days ago where only the week is to count them.
    let mut tally = Tally::default();
    (0..used as u32).for_each(|n| tally.count(window.kind(), &change(1_000_000 + n, class).person));
    tally.now = Moment(if window == Window::RemovalsWeek { 2 * 24 * 3_600 } else { 0 });
    let bench = Bench { tally, ..Bench::of(Limits::default(), Experience::Settled) };
    let review = review(&plan((0..new as u32).map(|n| change(n, class)).collect(), population), &bench);
    assert!(review.held.iter().all(|hold| hold.reason.code() == window.code()), "{:?}", review.held);
    review.approved.changes().len()
}

#[test]
fn a_window_lets_exactly_its_number_go_on_for_every_population() {
    let limits = Limits::default();
    for population in 1..=100_000 {
        for window in Window::ALL {
            assert_eq!(window.limit(&limits).people(population), promised_over_time(window, population));
        }
        let gone = limits.source_gone.people(population);
        assert_eq!(gone, 5.max(population * 15 / 100));
    }
    let sizes = (1..300).chain((300..5_000).step_by(97)).chain([100_000]);
    for population in sizes {
        for window in Window::ALL {
            let most = promised_over_time(window, population);
            assert_eq!(through(window, population, most - 1, 1), 1, "{window} of {population}");
            assert_eq!(through(window, population, most, 1), 0, "{window} of {population}");
            assert_eq!(through(window, population, most - 1, 2), 0, "{window} of {population}: as a whole");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_than_the_limit_holds_the_whole_class_and_nothing_else(population in 1_usize..4_000, which in 0_usize..5) {
        let class = CLASSES[which];
        let most = promised(class, population);
        let many = |n: usize| (0..n as u32).map(|n| change(n, class)).collect::<Vec<_>>();
        prop_assert_eq!(sorted(&plan(many(most), population), 0, Experience::Settled), (most, 0));
        let mut over = many(most + 1);
        over.push(change(900_000, Class::Link));
        prop_assert_eq!(sorted(&plan(over, population), 0, Experience::Settled), (1, most + 1));
    }

    #[test]
    fn too_much_of_the_source_gone_holds_every_removal(population in 1_usize..100_000) {
        let most = 5.max(population * 15 / 100);
        let removals = || plan(vec![change(1, Class::RemovalShown), change(2, Class::RemovalByAbsence), change(3, Class::Plain)], population);
        prop_assert_eq!(sorted(&removals(), most, Experience::Settled), (3, 0));
        prop_assert_eq!(sorted(&removals(), most + 1, Experience::Settled), (1, 2));
    }

    #[test]
    fn a_first_cycle_lets_only_links_pass(n in 1_u32..40) {
        let mut changes: Vec<Change> = (0..n).map(|n| change(n, CLASSES[n as usize % 5])).collect();
        changes.push(change(1_000, Class::Plain));
        changes.push(change(1_001, Class::Link));
        prop_assert_eq!(sorted(&plan(changes, 500), 0, Experience::First), (1, n as usize + 1));
    }

    #[test]
    fn an_approval_is_for_these_digests_and_a_rejection_too(n in 8_u32..60, chosen in 0_u32..8) {
        let changes: Vec<Change> = (0..n).map(|n| change(n, Class::RemovalShown)).collect();
        let digests = BTreeSet::from([changes[chosen as usize].digest()]);
        let limits = Limits { first_cycle: FirstCycle::Apply, ..Limits::default() };
        let plan = plan(changes, 1);
        let bench = Bench { approvals: digests.clone(), ..Bench::of(limits, Experience::Settled) };
        let reviewed = review(&plan, &bench);
        prop_assert_eq!(reviewed.approved.changes().len(), 1);
        let bench = Bench { approvals: BTreeSet::new(), rejections: digests, ..bench };
        let reviewed = review(&plan, &bench);
        let rejected = reviewed.held.iter().find(|hold| hold.reason == HoldReason::Rejected).unwrap();
        prop_assert_eq!(rejected.changes.len(), 1);
    }

    #[test]
    fn grants_take_single_values_from_the_first_and_sets_from_all(
        given in prop::collection::vec((0_usize..4, 0_usize..4, any::<bool>()), 1..8),
        holding in prop::collection::btree_set(0_usize..8, 0..8),
    ) {
        let roles = [None, Some(Role::EndUser), Some(Role::Agent), Some(Role::Admin)];
        let assignments: Vec<Assignment> = given.iter().map(|(role, group, default)| {
            let mut one = gives("corp", "g", roles[*role], &[&format!("group {group}")]);
            one.default_group = default.then(|| format!("default {group}"));
            one.tags = BTreeSet::from([format!("tag {group}")]);
            one
        }).collect();
        let granted = grants(&assignments, &holding);
        let held: Vec<&Assignment> = assignments.iter().enumerate().filter(|(at, _)| holding.contains(at)).map(|(_, one)| one).collect();
        let role = held.iter().filter_map(|one| one.role.clone()).next().unwrap_or(RoleGrant::Plain(Role::EndUser));
        prop_assert_eq!(&granted.role, &role);
        let tags: BTreeSet<String> = held.iter().flat_map(|one| one.tags.clone()).collect();
        prop_assert_eq!(&granted.tags, &tags);
        if role == RoleGrant::Plain(Role::EndUser) {
            prop_assert!(granted.groups.is_empty() && granted.default_group.is_none());
        } else {
            let default = held.iter().filter_map(|one| one.default_group.clone()).next();
            prop_assert_eq!(&granted.default_group, &default);
            let mut groups: BTreeSet<String> = held.iter().flat_map(|one| one.groups.clone()).collect();
            groups.extend(default);
            prop_assert_eq!(&granted.groups, &groups);
        }
    }
}

#[test]
fn a_digest_changes_with_each_part_of_a_change() {
    let one = || change(1, Class::Plain);
    let mut digests = BTreeSet::from([one().digest()]);
    let other_person = PersonId { directory: DirectoryName::new("labs").unwrap(), entry: one().person.entry };
    let field = |field, before: &str, after: &str| {
        vec![FieldChange { field, before: FieldValue::text(before), after: FieldValue::text(after) }]
    };
    let cause = Cause { code: CauseCode::Returned, groups: Vec::new(), evidence: None };
    let others = [
        Change { app: AppName::new("sales").unwrap(), ..one() },
        Change { person: other_person, ..one() },
        Change { person: change(2, Class::Plain).person, ..one() },
        Change { account: None, ..one() },
        Change { account: Some(AccountId(7)), ..one() },
        Change { action: Action::Reactivate, ..one() },
        Change { cause, ..one() },
        Change { fields: field("email", "", "x"), ..one() },
        Change { fields: field("name", "y", "x"), ..one() },
        Change { fields: field("name", "", "y"), ..one() },
        Change { fields: Vec::new(), ..one() },
        Change { fields: [field("name", "", "x"), field("name", "", "x")].concat(), ..one() },
        Change { class: Class::Creation, ..one() },
        Change { guard: Some(Guard::Unreadable), ..one() },
        Change { steps: vec![Step::EndSessions], ..one() },
    ];
    for other in &others {
        assert!(digests.insert(other.digest()), "{other:?}");
    }
    // What is only shown isn't part of it.
    let shown = Change { name: "Another".into(), ..one() };
    assert_eq!(shown.digest(), one().digest());
}
