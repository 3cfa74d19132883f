//! Stories in which every part works: people come, change, go and return.

use super::*;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::id::ExternalId;
use zendesk_dirsync::domain::outcome::Verdict;
use zendesk_dirsync::engine::ports::HoldState;

use crate::support::memory::{By, Names, Tombstone, Use, User};

#[test]
fn a_first_cycle_waits_and_an_approval_makes_everybody() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    assert_eq!(rig.cycle().ending.code(), 4);
    assert!(rig.desk().writes().is_empty());
    assert_eq!(rig.approve_all(), 5);
    assert_eq!(rig.cycle().ending.code(), 0);
    let alice = rig.user("alice@example.org").unwrap();
    assert_eq!((alice.role, rig.desk().desk().group_names(&alice)), (Role::Agent, names(&["Support", "Tier 2"])));
    assert_eq!(rig.user("erin@example.org").unwrap().role, Role::Admin);
}

#[test]
fn a_cycle_with_nothing_to_do_makes_no_call() {
    let rig = settled();
    let calls = rig.desk().calls();
    assert_eq!(rig.cycle().ending.code(), 0);
    assert_eq!(rig.desk().calls(), calls);
}

#[test]
fn a_leaver_loses_access_first_and_a_return_gives_it_back() {
    let rig = settled();
    leave(&rig, id(2), "support");
    rig.cycle();
    let bob = rig.user("bob@example.org").unwrap();
    assert_eq!((bob.suspended, bob.role, bob.groups.len()), (Some(By::Us), Role::EndUser, 0));
    join(&rig, id(2), "support");
    rig.cycle();
    let bob = rig.user("bob@example.org").unwrap();
    assert_eq!((bob.suspended, bob.role), (None, Role::Agent));
    assert_eq!(rig.desk().desk().group_names(&bob), names(&["Support"]));
}

#[test]
fn a_first_absence_is_only_noted_and_a_second_removes() {
    let rig = settled();
    rig.directory().change(|company| company.delete(id(2), Tombstone::None, Names::Cleaned));
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_tombstone_removes_at_once() {
    let rig = settled();
    rig.directory().change(|company| company.delete(id(2), Tombstone::Kept, Names::Cleaned));
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_missing_group_does_not_use_the_first_cycle_up() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    let all = rig.directory().change(|company| std::mem::take(&mut company.groups));
    assert_eq!(rig.cycle().ending.code(), 4);
    rig.directory().change(|company| company.groups = all);
    rig.cycle();
    assert!(rig.desk().writes().is_empty(), "the first look at everybody must still wait");
}

#[test]
fn every_missing_group_is_shown() {
    let rig = rig();
    rig.directory().change(|company| company.groups.clear());
    rig.cycle();
    assert_eq!(rig.ledger.snapshot().holds.values().flatten().count(), 3);
}

#[test]
fn a_changed_person_under_a_hand_made_suspension_is_told_as_done() {
    let rig = settled();
    let bob = rig.user("bob@example.org").unwrap().id;
    rig.desk().by_hand(|desk| desk.users.get_mut(&bob).unwrap().suspended = Some(By::Hand));
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    assert_eq!(rig.cycle().ending.code(), 0);
    assert_eq!(told(&rig, "bob@example.org").last().unwrap().verdict, Verdict::Done);
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Hand));
}

#[test]
fn who_left_returned_and_left_again_under_others_suspension_keeps_no_seat() {
    let rig = settled();
    let bob = rig.user("bob@example.org").unwrap().id;
    rig.desk().by_hand(|desk| desk.users.get_mut(&bob).unwrap().suspended = Some(By::Hand));
    for _ in 0..2 {
        leave(&rig, id(2), "support");
        rig.settle();
        assert_eq!(rig.user("bob@example.org").unwrap().role, Role::EndUser);
        join(&rig, id(2), "support");
        rig.settle();
        assert_eq!(rig.user("bob@example.org").unwrap().role, Role::Agent);
    }
    let calls = rig.desk().calls();
    rig.cycle();
    assert_eq!(rig.desk().calls(), calls, "nothing is left to do");
}

#[test]
fn an_approval_in_a_cycle_for_one_person_works_once() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.cycle();
    rig.approve_all();
    rig.run_only(Some("alice@example.org"));
    let alice = rig.user("alice@example.org").unwrap();
    rig.desk().by_hand(|desk| desk.delete(alice.id));
    let mut state = rig.ledger.snapshot();
    state.accounts.clear();
    rig.ledger.restore(state);
    rig.run_only(Some("alice@example.org"));
    assert!(rig.user("alice@example.org").is_none(), "the approval was used up");
}

#[test]
fn a_rejected_removal_stays_undone_when_the_others_shrink() {
    let mut rig = settled();
    rig.limits.shown.count = 1;
    rig.limits.shown.percent = 0;
    leave(&rig, id(2), "support");
    leave(&rig, id(3), "support");
    rig.cycle();
    let hold = rig.ledger.snapshot().holds.values().flatten().next().unwrap().id;
    rig.engine().reject(&hold.to_string(), "alice").unwrap().unwrap();
    join(&rig, id(3), "support");
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn a_group_taken_out_of_another_is_shown_and_an_approval_lets_its_people_go() {
    let rig = settled();
    let (support, tier2) = (group(&rig, "support"), group(&rig, "chiefs"));
    let nested = Group::numbered(7, "nested", &[id(2), id(3)]);
    let inner = nested.id;
    rig.directory().change(|company| {
        company.groups.insert(inner, nested);
        let members = &mut company.groups.get_mut(&support).unwrap().members;
        members.remove(&id(2));
        members.remove(&id(3));
        members.insert(inner);
    });
    let _ = tier2;
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
    rig.directory().change(|company| company.groups.get_mut(&support).unwrap().members.remove(&inner));
    assert_eq!(rig.cycle().ending.code(), 4, "it waits for a person");
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_rehired_person_with_the_old_mail_is_a_conflict() {
    let rig = settled();
    rig.directory().change(|company| {
        company.delete(id(2), Tombstone::Kept, Names::Cleaned);
        let again = Person::numbered(12, "Bob", "bob@example.org");
        company.people.insert(again.id, again);
    });
    join(&rig, id(12), "support");
    let report = rig.cycle();
    assert_eq!(report.summary.apps[&AppName::new("support").unwrap()].conflicts, 1);
    assert_eq!(rig.user("bob@example.org").unwrap().external_id, Some(ExternalId::own(id(2))));
}

#[test]
fn a_lost_store_is_found_again_by_the_markers_without_a_duplicate() {
    let mut rig = settled();
    rig.limits.first_cycle = FirstCycle::Hold;
    let users = rig.desk().with(|desk| desk.users.len());
    rig.ledger.restore(Default::default());
    assert_eq!(rig.cycle().ending.code(), 0, "links that change nothing pass");
    assert_eq!(rig.desk().with(|desk| desk.users.len()), users);
    assert_eq!(rig.ledger.snapshot().accounts.len(), 5);
}

#[test]
fn the_disabled_and_the_locked_out_are_told_apart() {
    let rig = settled();
    rig.directory().change(|company| {
        company.people.get_mut(&id(2)).unwrap().usable = Use::Locked;
        company.people.get_mut(&id(3)).unwrap().usable = Use::Disabled;
        company.people.get_mut(&id(4)).unwrap().usable = Use::Unsaid;
    });
    rig.cycle();
    rig.cycle();
    let suspended = |mail: &str| rig.user(mail).unwrap().suspended;
    assert_eq!(suspended("bob@example.org"), None);
    assert_eq!(suspended("carol@example.org"), Some(By::Us));
    assert_eq!(suspended("dave@example.org"), None);
}

#[test]
fn a_customers_account_is_not_adopted_unasked() {
    let rig = rig();
    let mut there = User::there(500, "Bob", "bob@example.org", Role::EndUser);
    there.tags.insert("vip".into());
    rig.desk().by_hand(|desk| desk.add_user(there.clone()));
    rig.settle();
    assert_eq!(rig.user("bob@example.org"), Some(there));
}

#[test]
fn an_approved_hold_names_who_and_expires() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.cycle();
    rig.approve_all();
    let held = rig.ledger.snapshot().holds.values().flatten().next().unwrap().state.clone();
    assert!(matches!(held, HoldState::Approved { by, .. } if by == "alice"));
    rig.clock.advance(chrono::TimeDelta::days(8));
    rig.cycle();
    assert!(rig.desk().writes().is_empty());
}
