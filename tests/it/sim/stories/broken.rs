//! Stories in which a directory, Zendesk or the process breaks off in the middle.

use super::*;
use chrono::TimeDelta;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::mapping::ExternalIdRule;
use zendesk_dirsync::domain::outcome::Verdict;

use crate::sim::rig::{Ran, mapping};
use crate::support::memory::{By, CallKind, CallTrouble, Names, ReadTrouble, Tombstone};

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
fn a_demotion_that_broke_off_is_finished_in_the_next_cycle() {
    let rig = settled();
    join(&rig, id(5), "support");
    rig.settle();
    leave(&rig, id(5), "chiefs");
    set(&rig, id(5), "telephoneNumber", "+49 30 1");
    // who, catalog, observe, observe again, then the first write: refused with the role unchanged.
    let (rules, _) = &rig.apps[0];
    assert_eq!(rules.assignments.len(), 3);
    rig.desk().goes_wrong(5, CallTrouble::UnansweredBefore);
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
    // who, catalog, observe, observe again, suspend, sessions.
    rig.desk().goes_wrong(6, CallTrouble::Refuse);
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
    rig.desk().goes_wrong(5, CallTrouble::UnansweredAfter);
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
fn somebody_gone_while_the_clock_was_years_ahead_is_removed_once_it_is_right() {
    let rig = settled();
    rig.clock.jump(TimeDelta::days(3_650));
    rig.directory().change(|company| company.delete(id(2), Tombstone::None, Names::Cleaned));
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None, "once is not enough");
    rig.clock.jump(TimeDelta::days(-3_650));
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us), "not in ten years only");
}

#[test]
fn a_demotion_that_zendesk_answers_with_success_and_drops_is_not_taken_for_done() {
    let rig = settled();
    join(&rig, id(5), "support");
    rig.settle();
    leave(&rig, id(5), "chiefs");
    rig.desk().goes_wrong_at(CallKind::Write, 1, CallTrouble::Partial, 0);
    rig.run();
    assert_eq!(rig.user("erin@example.org").unwrap().role, Role::Admin, "the fault must hit the demotion");
    rig.settle();
    assert_eq!(rig.user("erin@example.org").unwrap().role, Role::Agent, "what we gave isn't a gift by hand");
}
