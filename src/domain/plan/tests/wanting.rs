//! People whom the directory wants: made, brought up to date, given back.

use super::*;
use crate::domain::change::{CauseCode, FieldValue, OldEmail, Patch, SignIn};

/// The change for somebody whose account is linked.
fn updated(wish: DesiredAccount, account: ObservedAccount) -> Change {
    change(&rules(), wanted(wish, Some(known(1)), linked(account)))
}

#[test]
fn a_new_agent_leaves_the_automatic_group() {
    let change = change(&rules(), wanted(desired(1), None, Found::default()));
    let Step::Create(new) = &change.steps[0] else { panic!("{:?}", change.steps) };
    assert_eq!((new.role, new.external_id.clone()), (Role::Agent, desired(1).external_id));
    assert_eq!(change.steps[1..], [Step::Join(SUPPORT), Step::Leave(EVERYONE)]);
    assert_eq!(change.outcome.unwrap().given_groups, set(&["Support"]));
}

#[test]
fn a_new_customer_joins_no_group() {
    let wish = DesiredAccount { grants: grants(Role::EndUser, &[]), ..desired(1) };
    let change = change(&rules(), wanted(wish, None, Found::default()));
    assert_eq!(change.steps.len(), 1);
}

#[test]
fn seeds_are_written_only_at_creation() {
    let new = change(&rules(), wanted(desired(1), None, Found::default()));
    assert!(matches!(&new.steps[0], Step::Create(new) if new.texts[&Field::Notes] == "a seed"));
    let mut account = observed(1);
    account.texts.insert(Field::Notes, "edited by hand".into());
    let plan = planned(&rules(), vec![wanted(desired(1), Some(known(1)), linked(account))]);
    assert!(plan.changes.is_empty());
}

#[test]
fn what_is_as_wanted_is_only_remembered() {
    let plan = planned(&rules(), vec![wanted(desired(1), Some(known(1)), linked(observed(1)))]);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.refreshed[0].fingerprint, Some(desired(1).fingerprint()));
}

#[test]
fn only_what_changed_is_sent() {
    let wish = DesiredAccount { name: "Another".into(), ..desired(1) };
    let change = updated(wish, observed(1));
    assert_eq!(change.steps, [Step::Write(Patch { name: Some("Another".into()), ..Patch::default() })]);
    assert_eq!((change.class, fields(&change)), (Class::Plain, vec!["name"]));
}

#[test]
fn an_emptied_field_is_cleared_and_counts_as_taken() {
    let mut account = observed(1);
    account.texts.insert(Field::Phone, "+49 30 1".into());
    let change = updated(desired(1), account);
    assert_eq!((change.class, change.fields[0].after.clone()), (Class::TakesOrRaises, FieldValue::None));
}

#[test]
fn an_address_of_ours_goes_and_one_of_theirs_stays() {
    let wish = || DesiredAccount { email: email("new@example.org"), ..desired(1) };
    let old = |account: ObservedAccount| match &updated(wish(), account).steps[0] {
        Step::ChangeEmail { old, .. } => *old,
        other => panic!("{other:?}"),
    };
    assert_eq!(old(observed(1)), OldEmail::Removed);
    let theirs = email("theirs@example.org");
    let edited = ObservedAccount { email: Some(theirs.clone()), emails: BTreeSet::from([theirs]), ..observed(1) };
    assert_eq!(old(edited), OldEmail::Kept);
}

#[test]
fn an_address_that_another_account_holds_is_a_conflict() {
    let wish = DesiredAccount { email: mail(2), ..desired(1) };
    let found = Found { linked: Some(observed(1)), by_email: vec![stranger(2)], ..Found::default() };
    let why = conflict(&rules(), wanted(wish, Some(known(1)), found));
    assert_eq!(why, ConflictReason::EmailHeld(AccountId(502), mail(2)));
}

#[test]
fn who_needs_an_address_waits_for_whom_frees_it() {
    let first = DesiredAccount { email: mail(2), ..desired(1) };
    let second = DesiredAccount { email: mail(9), ..desired(2) };
    let found = Found { linked: Some(observed(1)), by_email: vec![observed(2)], ..Found::default() };
    let cases = vec![wanted(first, Some(known(1)), found), wanted(second, Some(known(2)), linked(observed(2)))];
    let order: Vec<PersonId> = planned(&rules(), cases).changes.into_iter().map(|change| change.person).collect();
    assert_eq!(order, [person(2), person(1)]);
}

#[test]
fn addresses_exchanged_in_a_ring_are_conflicts() {
    let swap = |a: u8, b: u8| {
        let wish = DesiredAccount { email: mail(b), ..desired(a) };
        let found = Found { linked: Some(observed(a)), by_email: vec![observed(b)], ..Found::default() };
        wanted(wish, Some(known(a)), found)
    };
    let plan = planned(&rules(), vec![swap(1, 2), swap(2, 1)]);
    assert_eq!((plan.changes.len(), plan.conflicts.len()), (0, 2));
    assert!(plan.conflicts.iter().all(|one| one.why == ConflictReason::EmailRing));
}

#[test]
fn promoted_by_hand_is_kept_and_promoted_by_us_is_not() {
    let admin = || ObservedAccount { role: Role::Admin, ..observed(1) };
    let plan = planned(&rules(), vec![wanted(desired(1), Some(known(1)), linked(admin()))]);
    assert!(plan.changes.is_empty());
    let mut ours = known(1);
    ours.written.role = RoleGrant::Plain(Role::Admin);
    let change = change(&rules(), wanted(desired(1), Some(ours), linked(admin())));
    assert_eq!((fields(&change), change.class), (vec!["role"], Class::TakesOrRaises));
}

#[test]
fn a_custom_role_is_written_with_its_role_and_cleared_when_it_was_ours() {
    let mut wish = desired(1);
    wish.grants.role = RoleGrant::Custom("Light".into());
    let first = updated(wish.clone(), observed(1));
    assert!(matches!(&first.steps[0], Step::Write(patch) if patch.role == Some((Role::Agent, Some(LIGHT)))));
    let light = ObservedAccount { custom_role: Some(LIGHT), ..observed(1) };
    let mut ours = known(1);
    ours.written.role = RoleGrant::Custom("Light".into());
    let change = change(&rules(), wanted(desired(1), Some(ours), linked(light.clone())));
    assert!(matches!(&change.steps[0], Step::Write(patch) if patch.role == Some((Role::Agent, None))));
    // Given by hand, it stays.
    assert!(planned(&rules(), vec![wanted(desired(1), Some(known(1)), linked(light))]).changes.is_empty());
}

#[test]
fn groups_given_by_hand_stay_and_ours_go() {
    let mut account = observed(1);
    account.groups = BTreeSet::from([SUPPORT, TIER2]);
    let other = || DesiredAccount { grants: grants(Role::Agent, &["Tier 2"]), ..desired(1) };
    let change = updated(other(), account.clone());
    assert_eq!((change.steps, change.class), (vec![Step::Leave(SUPPORT)], Class::TakesOrRaises));
    let by_hand = KnownAccount { given_groups: BTreeSet::new(), ..known(1) };
    let plan = planned(&rules(), vec![wanted(other(), Some(by_hand), linked(account))]);
    assert!(plan.changes.is_empty(), "both groups were given by hand");
    assert!(plan.refreshed[0].given_groups.is_empty(), "and they stay theirs");
}

#[test]
fn tags_given_by_hand_stay_and_ours_go() {
    let mut wish = desired(1);
    wish.grants.tags = set(&["new"]);
    let account = ObservedAccount { tags: set(&["old", "vip"]), ..observed(1) };
    let known = KnownAccount { given_tags: set(&["old"]), ..known(1) };
    let change = change(&rules(), wanted(wish, Some(known), linked(account)));
    assert_eq!(change.steps, [Step::AddTags(set(&["new"])), Step::RemoveTags(set(&["old"]))]);
    assert_eq!(change.fields[0].after, FieldValue::Set(set(&["new", "vip"])));
}

#[test]
fn a_default_group_is_joined_before_it_is_set() {
    let mut wish = desired(1);
    wish.grants = Grants { default_group: Some("Tier 2".into()), ..grants(Role::Agent, &["Support", "Tier 2"]) };
    assert_eq!(updated(wish, observed(1)).steps, [Step::Join(TIER2), Step::MakeDefault(TIER2)]);
}

#[test]
fn a_name_that_zendesk_lacks_rejects_the_person() {
    let wishes = [
        DesiredAccount { grants: grants(Role::Agent, &["Nowhere"]), ..desired(1) },
        DesiredAccount {
            grants: Grants { role: RoleGrant::Custom("None".into()), ..grants(Role::Agent, &[]) },
            ..desired(1)
        },
    ];
    for wish in wishes {
        let plan = planned(&rules(), vec![wanted(wish, Some(known(1)), linked(observed(1)))]);
        assert_eq!((plan.changes.len(), plan.rejected.len()), (0, 1));
    }
}

#[test]
fn a_return_lifts_only_our_own_suspension() {
    let account = || ObservedAccount {
        suspended: Suspended::Yes,
        role: Role::EndUser,
        groups: BTreeSet::new(),
        default_group: None,
        ..observed(1)
    };
    let by = |standing| {
        let known = KnownAccount { standing, given_groups: BTreeSet::new(), ..known(1) };
        change(&rules(), wanted(desired(1), Some(known), linked(account())))
    };
    let lifts = |change: &Change| {
        change.steps.iter().any(|step| matches!(step, Step::Write(patch) if patch.sign_in == Some(SignIn::Lift)))
    };
    for standing in [Standing::SuspendedByUs, Standing::Ending] {
        let change = by(standing);
        assert_eq!(
            (change.action, change.class, change.cause.code),
            (Action::Reactivate, Class::Creation, CauseCode::Returned)
        );
        assert!(lifts(&change));
        assert_eq!(change.steps[1..], [Step::Join(SUPPORT), Step::Leave(EVERYONE)]);
    }
    for standing in [Standing::Active, Standing::SuspendedByOthers, Standing::Downgraded] {
        let change = by(standing);
        assert_eq!(change.action, Action::Update);
        assert!(!lifts(&change));
        assert_eq!(change.outcome.unwrap().standing, Standing::Active, "it has grants to lose again");
    }
}

#[test]
fn a_return_is_held_by_its_own_switch() {
    let mut rules = rules();
    rules.switches.reactivate = Switch::Off;
    let known = KnownAccount { standing: Standing::SuspendedByUs, ..known(1) };
    let account = ObservedAccount { suspended: Suspended::Yes, ..observed(1) };
    let plan = planned(&rules, vec![wanted(desired(1), Some(known), linked(account))]);
    assert_eq!((plan.changes.len(), plan.switched_off[&Action::Reactivate]), (0, 1));
}

#[test]
fn what_a_missing_group_would_take_is_guarded_and_the_rest_is_not() {
    let guarded = |wish: DesiredAccount, known: KnownAccount, account: ObservedAccount| {
        let guard = Some(Guard::GroupMissing("support".into()));
        let case = Case::Wanted {
            desired: Box::new(wish),
            known: Some(Box::new(known)),
            found: Box::new(linked(account)),
            guard,
        };
        change(&rules(), case).guard.is_some()
    };
    assert!(!guarded(DesiredAccount { name: "Another".into(), ..desired(1) }, known(1), observed(1)));
    assert!(guarded(DesiredAccount { grants: grants(Role::Agent, &[]), ..desired(1) }, known(1), observed(1)));
    let tagged = ObservedAccount { tags: set(&["ours"]), ..observed(1) };
    assert!(guarded(desired(1), KnownAccount { given_tags: set(&["ours"]), ..known(1) }, tagged));
}

#[test]
fn a_plan_does_not_depend_on_the_order_of_its_cases() {
    let cases = || {
        vec![
            wanted(desired(3), None, Found::default()),
            departed(known(2), Some(observed(2)), Departure::LeftGroups),
            wanted(DesiredAccount { name: "Another".into(), ..desired(1) }, Some(known(1)), linked(observed(1))),
        ]
    };
    let mut turned = cases();
    turned.reverse();
    assert_eq!(planned(&rules(), cases()), planned(&rules(), turned));
    let actions: Vec<Action> = planned(&rules(), cases()).changes.iter().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Deprovision, Action::Update, Action::Provision]);
}
