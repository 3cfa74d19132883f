//! Told scenarios over whole cycles: one story each, ended by what Zendesk, the ledger and the report show.

use std::collections::BTreeSet;

use zendesk_dirsync::domain::account::Standing;
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::id::{AppName, EntryId, ExternalId};
use zendesk_dirsync::domain::mapping::ExternalIdRule;
use zendesk_dirsync::domain::outcome::{Notice, Subject, Verdict};
use zendesk_dirsync::engine::ports::HoldState;

use super::rig::{Ran, Rig, corp, gives, mapping, rules};
use crate::support::memory::{
    By, CallTrouble, Desk, Group, MemoryDirectory, Names, Person, ReadTrouble, Tombstone, Use, User,
};

/// Alice to Dave in the group `support`, agents in the Zendesk group `Support`; Erin is in `chiefs`, too.
fn company() -> MemoryDirectory {
    let names = ["Alice", "Bob", "Carol", "Dave", "Erin"];
    let people: Vec<Person> = (1..)
        .zip(names)
        .map(|(n, name)| Person::numbered(n, name, &format!("{}@example.org", name.to_lowercase())))
        .collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    let groups = [
        Group::numbered(1, "support", &ids[..4]),
        Group::numbered(2, "chiefs", &[ids[4]]),
        Group::numbered(3, "tier2", &[ids[0]]),
    ];
    MemoryDirectory::new("corp", people, groups)
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.add_group("Support");
    desk.add_group("Tier 2");
    desk
}

fn rig() -> Rig {
    let assignments = vec![
        gives("corp", "chiefs", Some(Role::Admin), &[]),
        gives("corp", "tier2", Some(Role::Agent), &["Tier 2"]),
        gives("corp", "support", Some(Role::Agent), &["Support"]),
    ];
    Rig::of(company(), desk(), rules("support", assignments))
}

/// A rig after its first cycle: everybody has an account.
fn settled() -> Rig {
    let rig = rig();
    rig.settle();
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(rig.user("alice@example.org").is_some_and(|user| user.role == Role::Agent));
    rig
}

fn id(n: u32) -> EntryId {
    Person::numbered(n, "x", "x@example.org").id
}

fn group(rig: &Rig, name: &str) -> EntryId {
    let company = rig.directory().company();
    company.groups.values().find(|group| group.name == name).unwrap().id
}

fn leave(rig: &Rig, person: EntryId, from: &str) {
    let from = group(rig, from);
    rig.directory().change(|company| company.groups.get_mut(&from).unwrap().members.remove(&person));
}

fn join(rig: &Rig, person: EntryId, to: &str) {
    let to = group(rig, to);
    rig.directory().change(|company| company.groups.get_mut(&to).unwrap().members.insert(person));
}

fn set(rig: &Rig, person: EntryId, kind: &str, value: &str) {
    rig.directory().change(|company| company.people.get_mut(&person).unwrap().set(kind, value));
}

fn told(rig: &Rig, mail: &str) -> Vec<Notice> {
    let about = |notice: &Notice| notice.user.as_deref() == Some(mail) && matches!(notice.subject, Subject::Account(_));
    rig.report.notices().into_iter().filter(about).collect()
}

fn standing(rig: &Rig, person: EntryId) -> Option<Standing> {
    let key = (AppName::new("support").unwrap(), corp(person));
    rig.ledger.snapshot().accounts.get(&key).map(|known| known.standing)
}

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

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
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
fn a_directory_that_could_not_be_read_does_not_use_the_first_cycle_up() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.directory().trouble_is(ReadTrouble { base_fails: true, ..ReadTrouble::default() });
    assert_eq!(rig.cycle().ending.code(), 5);
    rig.directory().trouble_is(ReadTrouble::default());
    rig.cycle();
    assert!(rig.desk().writes().is_empty(), "the first look at everybody must still wait");
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
fn a_demotion_that_broke_off_is_finished_in_the_next_cycle() {
    let rig = settled();
    join(&rig, id(5), "support");
    rig.settle();
    leave(&rig, id(5), "chiefs");
    set(&rig, id(5), "telephoneNumber", "+49 30 1");
    // who, catalog, observe, then the first write: refused with the role unchanged.
    let (rules, _) = &rig.apps[0];
    assert_eq!(rules.assignments.len(), 3);
    rig.desk().goes_wrong(4, CallTrouble::UnansweredBefore);
    rig.run();
    rig.settle();
    assert_eq!(rig.user("erin@example.org").unwrap().role, Role::Agent);
}

#[test]
fn a_membership_to_be_left_is_left_although_the_first_try_broke_off() {
    let rig = settled();
    leave(&rig, id(1), "tier2");
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    // who, catalog, observe, the write of the phone, then leaving the group.
    rig.desk().goes_wrong(5, CallTrouble::Refuse);
    rig.cycle();
    let alice = rig.user("alice@example.org").unwrap();
    assert_eq!(alice.groups.len(), 2, "the fault must hit the departure from the group");
    rig.settle();
    let alice = rig.user("alice@example.org").unwrap();
    assert_eq!(rig.desk().desk().group_names(&alice), names(&["Support"]));
}

#[test]
fn an_address_that_is_replaced_goes_although_the_first_try_broke_off() {
    let rig = settled();
    set(&rig, id(1), "displayName", "Alice Doe");
    set(&rig, id(1), "mail", "alice.doe@example.org");
    // who, catalog, observe, search, the name, then the address.
    rig.desk().goes_wrong(6, CallTrouble::Refuse);
    rig.cycle();
    assert!(rig.user("alice@example.org").is_some());
    rig.settle();
    assert!(rig.user("alice.doe@example.org").is_some_and(|user| user.further.is_empty()));
}

#[test]
fn a_reactivation_that_was_not_answered_is_done_in_the_next_cycle() {
    let rig = settled();
    leave(&rig, id(2), "support");
    rig.settle();
    join(&rig, id(2), "support");
    rig.desk().goes_wrong(4, CallTrouble::UnansweredBefore);
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us), "the fault must hit the lift");
    rig.settle();
    let bob = rig.user("bob@example.org").unwrap();
    assert_eq!((bob.suspended, bob.role), (None, Role::Agent));
}

#[test]
fn a_removal_that_broke_off_still_counts_as_our_suspension() {
    let rig = settled();
    leave(&rig, id(2), "support");
    // who, catalog, observe, suspend, sessions.
    rig.desk().goes_wrong(5, CallTrouble::Refuse);
    rig.cycle();
    assert_eq!(standing(&rig, id(2)), Some(Standing::Ending));
    rig.settle();
    assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs));
    join(&rig, id(2), "support");
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn a_removal_that_broke_off_does_not_make_others_suspension_ours() {
    let rig = settled();
    let bob = rig.user("bob@example.org").unwrap().id;
    rig.desk().by_hand(|desk| desk.users.get_mut(&bob).unwrap().suspended = Some(By::Hand));
    leave(&rig, id(2), "support");
    rig.desk().goes_wrong(4, CallTrouble::UnansweredAfter);
    rig.cycle();
    rig.settle();
    join(&rig, id(2), "support");
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Hand));
}

#[test]
fn somebody_moved_out_of_sight_is_unreadable_and_not_gone() {
    let rig = settled();
    let moved = "uid=u2,ou=elsewhere,dc=example,dc=org";
    rig.directory().change(|company| {
        company.people.get_mut(&id(2)).unwrap().dn = zendesk_dirsync::domain::dn::Dn::parse(moved).unwrap();
    });
    rig.cycle();
    rig.directory().trouble_is(ReadTrouble { hidden: BTreeSet::from([id(2)]), ..ReadTrouble::default() });
    rig.cycle();
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
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
fn an_approval_outlives_a_directory_that_could_not_be_read() {
    let mut rig = settled();
    rig.limits.shown.count = 0;
    rig.limits.shown.percent = 0;
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(rig.approve_all(), 1);
    rig.directory().trouble_is(ReadTrouble { base_fails: true, ..ReadTrouble::default() });
    rig.cycle();
    rig.directory().trouble_is(ReadTrouble::default());
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
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
fn an_answer_that_is_rubbish_is_asked_about() {
    let rig = rig();
    rig.directory().change(|company| company.people.retain(|one, _| *one == id(2)));
    // who, catalog, by external id, by mail, create.
    rig.desk().goes_wrong(5, CallTrouble::GarbledAfter);
    rig.cycle();
    assert_eq!(told(&rig, "bob@example.org")[0].verdict, Verdict::Unknown);
    rig.settle();
    assert_eq!(rig.user("bob@example.org").unwrap().role, Role::Agent);
    assert!(standing(&rig, id(2)).is_some());
}

#[test]
fn a_change_that_could_not_be_read_back_is_not_told_as_refused() {
    let rig = settled();
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    // who, catalog, observe, write, observe.
    rig.desk().goes_wrong(5, CallTrouble::Throttled);
    rig.cycle();
    rig.settle();
    let verdicts: Vec<Verdict> = told(&rig, "bob@example.org").iter().map(|notice| notice.verdict).collect();
    assert_eq!(verdicts, [Verdict::Done, Verdict::Unknown, Verdict::Done]);
}

#[test]
fn an_unanswered_creation_is_not_tied_to_somebody_elses_account() {
    let mut rig = settled();
    rig.apps[0].0.mapping = mapping(ExternalIdRule::Off);
    // Carol takes over Bob's address while his own change of address is refused.
    set(&rig, id(2), "mail", "robert@example.org");
    let mut frank = Person::numbered(9, "Frank", "bob@example.org");
    frank.set("description", "");
    rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
    join(&rig, frank.id, "support");
    let bob = rig.user("bob@example.org").unwrap().id;
    for nth in 1..40 {
        let state = rig.ledger.snapshot();
        let desk = rig.desk().desk();
        rig.desk().goes_wrong(nth, CallTrouble::UnansweredBefore);
        rig.desk().goes_wrong(nth + 1, CallTrouble::UnansweredBefore);
        rig.run();
        rig.run();
        let owners = rig.ledger.snapshot().accounts;
        let mine = owners.values().filter(|known| known.account.0 == bob).count();
        assert!(mine <= 1, "call {nth}: two people share account {bob}");
        rig.desk().mend();
        rig.ledger.restore(state);
        rig.desk().by_hand(|now| *now = desk);
    }
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
fn a_note_of_absence_ends_when_the_person_is_seen_even_rejected() {
    let rig = settled();
    let gone = |rig: &Rig, hidden: bool| {
        let support = group(rig, "support");
        rig.directory().change(|company| {
            let members = &mut company.groups.get_mut(&support).unwrap().members;
            if hidden { members.remove(&id(2)) } else { members.insert(id(2)) }
        });
        let people = if hidden { BTreeSet::from([id(2)]) } else { BTreeSet::new() };
        rig.directory().trouble_is(ReadTrouble { hidden: people, ..ReadTrouble::default() });
        rig.cycle();
    };
    gone(&rig, true);
    set(&rig, id(2), "mail", "no mail");
    gone(&rig, false);
    gone(&rig, true);
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None, "absent once, seen, absent once");
    gone(&rig, true);
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_removal_shown_outright_is_not_confirmed_by_an_absence() {
    // The look-up of the plan sees him out of every group; then the right to see him goes.
    let rig = settled();
    leave(&rig, id(2), "support");
    let directory = rig.directory().clone();
    directory.trouble_is(ReadTrouble { vanishes_after: Some((1, id(2))), ..ReadTrouble::default() });
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn an_update_that_died_before_its_call_is_not_told_as_done() {
    let rig = settled();
    join(&rig, id(2), "tier2");
    let writes = rig.desk().writes().len();
    for passages in 1..40 {
        rig.fuse.set(Some(passages));
        if !matches!(rig.run(), Ran::Died) {
            break;
        }
        rig.fuse.set(None);
        if rig.desk().writes().len() == writes && !rig.ledger.snapshot().intents.is_empty() {
            rig.run();
            let done = told(&rig, "bob@example.org").iter().filter(|one| one.verdict == Verdict::Done).count();
            assert_eq!(done, 2, "one creation and one change, and no change that never was");
            return;
        }
    }
    panic!("no crash fell between the intent and the call");
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
