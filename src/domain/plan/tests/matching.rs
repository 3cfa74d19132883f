//! Which account is a person's, and which may never be.

use super::*;

#[test]
fn the_link_of_the_store_comes_before_everything_else() {
    let found = Found { linked: Some(observed(1)), by_external_id: vec![observed(2)], by_email: vec![observed(3)] };
    let plan = planned(&rules(), vec![wanted(desired(1), Some(known(1)), found)]);
    assert_eq!(plan.refreshed[0].account, account_id(1));
    assert!(plan.changes.is_empty() && plan.conflicts.is_empty());
}

#[test]
fn without_a_link_the_marker_ties_and_changes_nothing() {
    let change = change(&rules(), wanted(desired(1), None, marked(observed(1))));
    assert_eq!((change.action, change.class, change.steps.len()), (Action::Link, Class::Link, 0));
    assert_eq!(change.outcome.unwrap().account, account_id(1));
}

#[test]
fn a_marker_wins_over_a_mail() {
    let found = Found { by_external_id: vec![observed(1)], by_email: vec![stranger(1)], ..Found::default() };
    let moved = DesiredAccount { email: email("new@example.org"), ..desired(1) };
    let why = conflict(&adopting(), wanted(moved, None, found));
    assert!(matches!(why, ConflictReason::EmailHeld(AccountId(501), _)), "{why:?}");
}

#[test]
fn somebody_unknown_gets_a_new_account() {
    let change = change(&rules(), wanted(desired(1), None, Found::default()));
    assert_eq!(
        (change.action, change.class, change.cause.code.as_str()),
        (Action::Provision, Class::Creation, "assigned")
    );
}

#[test]
fn an_account_deleted_by_hand_is_made_again_and_the_cause_says_so() {
    let gone = ObservedAccount { existence: Existence::Deleted, email: None, emails: BTreeSet::new(), ..observed(1) };
    let change = change(&rules(), wanted(desired(1), Some(known(1)), linked(gone)));
    assert_eq!((change.action, change.cause.code.as_str()), (Action::Provision, "deleted_at_zendesk"));
}

#[test]
fn nothing_is_adopted_by_default() {
    for role in [Role::EndUser, Role::Agent] {
        let why = conflict(&rules(), wanted(desired(1), None, by_mail(ObservedAccount { role, ..stranger(1) })));
        assert_eq!(why, ConflictReason::NotAdoptable(role));
    }
}

#[test]
fn an_adoption_marks_the_account_and_remembers_its_role() {
    let change = change(&adopting(), wanted(desired(1), None, by_mail(stranger(1))));
    assert_eq!((change.action, change.account), (Action::Adopt, Some(AccountId(501))));
    assert_eq!(change.outcome.as_ref().unwrap().adopted_role, Some(Role::EndUser));
    assert!(matches!(&change.steps[0], Step::Write(patch) if patch.external_id == desired(1).external_id));
    assert!(fields(&change).contains(&"account"));
}

#[test]
fn each_kind_is_adopted_only_where_it_is_listed() {
    let only = |case| AppRules { adoption: Adoption { cases: BTreeSet::from([case]), domains: None }, ..rules() };
    let agent = || wanted(desired(1), None, by_mail(ObservedAccount { role: Role::Agent, ..stranger(1) }));
    let customer = || wanted(desired(1), None, by_mail(stranger(1)));
    assert_eq!(change(&only(AdoptCase::Agents), agent()).action, Action::Adopt);
    assert_eq!(change(&only(AdoptCase::EndUsers), customer()).action, Action::Adopt);
    assert_eq!(conflict(&only(AdoptCase::EndUsers), agent()), ConflictReason::NotAdoptable(Role::Agent));
    assert_eq!(conflict(&only(AdoptCase::Agents), customer()), ConflictReason::NotAdoptable(Role::EndUser));
}

#[test]
fn an_admin_is_never_adopted() {
    let admin = ObservedAccount { role: Role::Admin, ..stranger(1) };
    let why = conflict(&adopting(), wanted(desired(1), None, by_mail(admin)));
    assert_eq!(why, ConflictReason::Untouchable("an admin's"));
}

#[test]
fn an_unverified_mail_proves_nothing() {
    let account = ObservedAccount { verified: Verified::No, ..stranger(1) };
    assert_eq!(conflict(&adopting(), wanted(desired(1), None, by_mail(account))), ConflictReason::Unverified);
}

#[test]
fn a_domain_that_is_not_listed_is_not_adopted() {
    let mut rules = adopting();
    rules.adoption.domains = Some(set(&["example.com"]));
    assert_eq!(conflict(&rules, wanted(desired(1), None, by_mail(stranger(1)))), ConflictReason::Domain);
}

#[test]
fn an_account_that_others_suspended_is_not_adopted() {
    let account = ObservedAccount { suspended: Suspended::Yes, ..stranger(1) };
    assert_eq!(conflict(&adopting(), wanted(desired(1), None, by_mail(account))), ConflictReason::SuspendedByOthers);
}

#[test]
fn an_account_with_another_external_id_is_somebody_elses() {
    let id = ExternalId::parse("okta-7").unwrap();
    let account = || ObservedAccount { external_id: Some(id.clone()), ..stranger(1) };
    let why = conflict(&adopting(), wanted(desired(1), None, by_mail(account())));
    assert_eq!(why, ConflictReason::OtherExternalId(id.clone()));
    // Where external ids are left alone only our own mark keeps others away.
    let off = AppRules { mapping: mapping(ExternalIdRule::Off), ..adopting() };
    let wish = || DesiredAccount { external_id: None, ..desired(1) };
    assert_eq!(change(&off, wanted(wish(), None, by_mail(account()))).guard, Some(Guard::Unproven));
    let own = ObservedAccount { external_id: Some(ExternalId::own(person(2).entry)), ..stranger(1) };
    assert!(matches!(conflict(&off, wanted(wish(), None, by_mail(own))), ConflictReason::OtherExternalId(_)));
}

#[test]
fn an_account_linked_to_another_person_is_theirs() {
    let owners = BTreeMap::from([(AccountId(501), person(2)), (account_id(1), person(2))]);
    for found in [by_mail(stranger(1)), marked(observed(1))] {
        let plan = planned_with(&adopting(), &owners, vec![wanted(desired(1), None, found)]);
        assert_eq!((plan.changes.len(), plan.conflicts[0].why.clone()), (0, ConflictReason::OtherPerson(person(2))));
    }
}

#[test]
fn several_accounts_that_fit_are_nobodys() {
    let two = vec![stranger(1), stranger(2)];
    let mail = Found { by_email: two.clone(), ..Found::default() };
    assert_eq!(conflict(&adopting(), wanted(desired(1), None, mail)), ConflictReason::Several(2));
    let marked = Found { by_external_id: two, ..Found::default() };
    assert_eq!(conflict(&rules(), wanted(desired(1), None, marked)), ConflictReason::Several(2));
}

#[test]
fn a_marker_from_an_attribute_never_leads_to_an_admin() {
    let template = AppRules { mapping: mapping(ExternalIdRule::Template("{{ uid }}".into())), ..rules() };
    let admin = || marked(ObservedAccount { role: Role::Admin, ..observed(1) });
    assert_eq!(conflict(&template, wanted(desired(1), None, admin())), ConflictReason::Untouchable("an admin's"));
    assert_eq!(change(&rules(), wanted(desired(1), None, admin())).action, Action::Link);
}

#[test]
fn the_owner_and_the_protected_are_never_written() {
    let owner = || ObservedAccount { id: AccountId(1), ..observed(1) };
    let known_owner = KnownAccount { account: AccountId(1), ..known(1) };
    let renamed = || DesiredAccount { name: "Another".into(), ..desired(1) };
    for found in [marked(owner()), by_mail(owner()), linked(owner())] {
        let known = found.linked.is_some().then(|| known_owner.clone());
        let why = conflict(&adopting(), wanted(renamed(), known, found));
        assert_eq!(why, ConflictReason::Untouchable("the account owner"));
    }
    let listed = AppRules { protected: BTreeSet::from([mail(1)]), ..adopting() };
    for found in [marked(observed(1)), by_mail(stranger(1)), linked(observed(1))] {
        let known = found.linked.is_some().then(|| known(1));
        let why = conflict(&listed, wanted(renamed(), known, found));
        assert_eq!(why, ConflictReason::Untouchable("a protected account"));
    }
    let gone = departed(known(1), Some(observed(1)), Departure::Tombstone);
    assert_eq!(conflict(&listed, gone), ConflictReason::Untouchable("a protected account"));
}

#[test]
fn two_people_who_claim_one_account_both_wait() {
    let mut both = stranger(1);
    both.emails = BTreeSet::from([mail(1), mail(2)]);
    let off = AppRules { mapping: mapping(ExternalIdRule::Off), ..adopting() };
    let wish = |n| DesiredAccount { external_id: None, ..desired(n) };
    let cases = vec![wanted(wish(1), None, by_mail(both.clone())), wanted(wish(2), None, by_mail(both))];
    let plan = planned(&off, cases);
    assert_eq!((plan.changes.len(), plan.conflicts.len()), (0, 2));
    assert!(plan.conflicts.iter().all(|one| one.why == ConflictReason::ClaimedTwice(AccountId(501))));
}

#[test]
fn agents_are_made_only_with_the_configured_domains() {
    let rules = AppRules { agent_email_domains: Some(set(&["example.com"])), ..adopting() };
    assert_eq!(conflict(&rules, wanted(desired(1), None, Found::default())), ConflictReason::AgentDomain);
    assert_eq!(conflict(&rules, wanted(desired(1), None, by_mail(stranger(1)))), ConflictReason::AgentDomain);
    let customer = DesiredAccount { grants: grants(Role::EndUser, &[]), ..desired(1) };
    assert_eq!(change(&rules, wanted(customer, None, Found::default())).action, Action::Provision);
    let agent = DesiredAccount { name: "Another".into(), ..desired(1) };
    assert_eq!(change(&rules, wanted(agent, Some(known(1)), linked(observed(1)))).action, Action::Update);
}
