//! Stories of decisions that outlast cycles in which a person's change looks otherwise, or can't be made.

use zendesk_dirsync::domain::id::Digest;
use zendesk_dirsync::engine::byhand::{HandOrder, Word};
use zendesk_dirsync::engine::command::Command;
use zendesk_dirsync::engine::ports::HoldRecord;

use super::*;
use crate::support::memory::{Names, Tombstone};

/// A cycle in which something is otherwise; then it is as it was.
fn meanwhile(rig: &Rig, otherwise: impl FnOnce(&mut crate::support::memory::Company)) {
    let before = rig.directory().company();
    rig.directory().change(otherwise);
    rig.cycle();
    rig.directory().change(|company| *company = before);
}

fn without_the_group(company: &mut crate::support::memory::Company) {
    company.groups.clear();
}

/// Somebody can't be found, and nothing shows why.
fn unseen(n: u32) -> impl FnOnce(&mut crate::support::memory::Company) {
    move |company| drop(company.people.remove(&id(n)))
}

fn reject(rig: &Rig, code: &str, user: Option<&str>) {
    let snapshot = rig.ledger.snapshot();
    let hold = snapshot.holds.values().flatten().find(|hold| hold.code == code).unwrap().id.to_string();
    rig.engine().reject_people(&hold, user, "alice").unwrap().unwrap();
}

#[test]
fn what_was_rejected_stays_so_though_the_change_is_another_one_for_a_while() {
    let disturbances: [fn(&mut crate::support::memory::Company); 3] = [
        without_the_group,
        |company| drop(company.people.remove(&id(1))),
        |company| company.people.get_mut(&id(1)).unwrap().usable = Use::Disabled,
    ];
    for (at, disturbance) in disturbances.into_iter().enumerate() {
        let mut rig = crowd(30);
        rig.limits.shown = NONE;
        all_leave(&rig, [1]);
        rig.cycle();
        reject(&rig, "removals_shown", None);
        meanwhile(&rig, disturbance);
        rig.limits.shown = count(5);
        rig.cycle();
        rig.cycle();
        assert!(suspensions(&rig).is_empty(), "disturbance {at} made the rejection forgotten");
    }
}

#[test]
fn the_others_of_a_hold_wait_on_though_one_is_not_seen_for_a_while() {
    let disturbances: [fn(&mut crate::support::memory::Company); 2] =
        [without_the_group, |company| drop(company.people.remove(&id(1)))];
    for (at, disturbance) in disturbances.into_iter().enumerate() {
        let rig = crowd(30);
        all_leave(&rig, 1..9);
        rig.cycle();
        approve(&rig, "removals_shown", Some(&mail(8)));
        rig.cycle();
        assert_eq!((suspensions(&rig).len(), waiting(&rig)), (1, vec![("others_approved".to_owned(), 7)]));
        all_leave(&rig, [20]);
        meanwhile(&rig, disturbance);
        for n in 2..6 {
            join(&rig, id(n), "support");
        }
        rig.cycle();
        assert!(!suspended(&rig, 1), "disturbance {at} let somebody go on whom nobody has decided about");
        let waits: usize = waiting(&rig).iter().map(|(_, count)| count).sum();
        assert_eq!(waits, 3, "disturbance {at}: {:?}", waiting(&rig));
        assert_eq!(rig.approve_all(), 3);
        rig.cycle();
        assert!(suspended(&rig, 1), "disturbance {at}");
    }
}

#[test]
fn what_was_held_past_a_window_waits_on_though_it_is_not_seen_for_a_while() {
    let rig = crowd(30);
    all_leave(&rig, 1..6);
    rig.cycle();
    all_leave(&rig, [6]);
    rig.cycle();
    assert_eq!(waiting(&rig), [("removals_24h".to_owned(), 1)]);
    meanwhile(&rig, unseen(6));
    rig.clock.advance(TimeDelta::days(2));
    rig.cycle();
    assert_eq!((suspensions(&rig).len(), waiting(&rig)), (5, vec![("removals_24h".to_owned(), 1)]));
}

#[test]
fn an_approval_stands_though_the_change_is_another_one_for_a_while() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..4);
    rig.cycle();
    approve(&rig, "removals_shown", None);
    meanwhile(&rig, without_the_group);
    assert!(suspensions(&rig).is_empty(), "what waits for another reason isn't what was approved");
    rig.cycle();
    assert_eq!((suspensions(&rig).len(), waiting(&rig)), (3, vec![]));
    // Whoever comes back and leaves again is another case.
    join(&rig, id(1), "support");
    rig.cycle();
    all_leave(&rig, [1]);
    rig.cycle();
    assert_eq!((suspensions(&rig).len(), waiting(&rig).len()), (3, 1));
}

#[test]
fn a_later_rejection_withdraws_an_approval_of_the_same_change_in_another_hold() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..4);
    rig.cycle();
    rig.order(Command::Pause { app: None, reason: None, until: None });
    approve(&rig, "removals_shown", Some(&mail(1)));
    rig.cycle();
    approve(&rig, "others_approved", None);
    reject(&rig, "removals_shown", None);
    rig.order(Command::Resume { app: None });
    rig.cycle();
    rig.cycle();
    assert!(suspensions(&rig).is_empty());
}

#[test]
fn an_approval_that_ran_out_is_not_revived_by_another_one() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..4);
    rig.cycle();
    approve(&rig, "removals_shown", Some(&mail(1)));
    rig.clock.advance(TimeDelta::days(8));
    approve(&rig, "removals_shown", Some(&mail(2)));
    rig.cycle();
    assert!(suspended(&rig, 2) && !suspended(&rig, 1));
    rig.cycle();
    assert!(!suspended(&rig, 1));
}

#[test]
fn the_same_person_left_over_of_two_holds_waits_in_one() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..4);
    rig.cycle();
    let mut state = rig.ledger.snapshot();
    let holds = state.holds.values_mut().next().unwrap();
    let [hold] = std::mem::take(holds).try_into().unwrap();
    // As it is when of two holds with the same person somebody else was let go on.
    let of_another = |n: u8| HoldRecord {
        id: Digest([n; 32]),
        state: HoldState::Approved {
            by: "alice".into(),
            at: rig.now(),
            digests: BTreeSet::from([hold.changes[usize::from(n)].digest]),
        },
        changes: vec![hold.changes[0].clone(), hold.changes[usize::from(n)].clone()],
        ..hold.clone()
    };
    holds.extend([of_another(1), of_another(2)]);
    rig.ledger.restore(state);
    meanwhile(&rig, unseen(1));
    assert_eq!((suspensions(&rig).len(), waiting(&rig)), (2, vec![("others_approved".to_owned(), 1)]));
    assert_eq!(rig.approve_all(), 1, "a hold is found by its id");
}

fn holds_of(rig: &Rig, code: &str) -> Vec<Vec<String>> {
    let snapshot = rig.ledger.snapshot();
    let waits = |hold: &&HoldRecord| hold.code == code && hold.state == HoldState::Waiting;
    let mails = |hold: &HoldRecord| hold.changes.iter().map(|one| one.user.clone()).collect();
    snapshot.holds.values().flatten().filter(waits).map(mails).collect()
}

fn is_admin(rig: &Rig, mail: &str) -> bool {
    rig.user(mail).unwrap().role == Role::Admin
}

#[test]
fn whoever_was_decided_against_is_not_among_those_asked_about_later() {
    // Before somebody else comes, and out of the middle of a hold.
    for together in [false, true] {
        let rig = settled();
        join(&rig, id(2), "chiefs");
        if together {
            join(&rig, id(3), "chiefs");
        }
        rig.cycle();
        reject(&rig, "makes_admin", Some("bob@example.org"));
        join(&rig, id(3), "chiefs");
        for _ in 0..2 {
            rig.cycle();
            assert_eq!(holds_of(&rig, "makes_admin"), [vec!["carol@example.org".to_owned()]], "{together}");
        }
        rig.approve_all();
        rig.cycle();
        rig.cycle();
        assert!(is_admin(&rig, "carol@example.org") && !is_admin(&rig, "bob@example.org"), "{together}");
    }
}

#[test]
fn a_word_about_a_name_is_none_about_a_removal() {
    let mut rig = crowd(30);
    rig.limits.updates = NONE;
    for n in 1..=3 {
        set(&rig, id(n), "displayName", "Other");
    }
    rig.cycle();
    reject(&rig, "updates", Some(&mail(1)));
    approve(&rig, "others_approved", Some(&mail(2)));
    rig.cycle();
    // The first and the third leave: neither waits for what was said, or not said, of their names.
    all_leave(&rig, [1, 3]);
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(suspended(&rig, 1) && suspended(&rig, 3));
}

#[test]
fn a_rejected_name_does_not_hide_that_nobody_decided_about_a_removal() {
    let mut rig = crowd(40);
    let usual = rig.limits.updates;
    rig.limits.updates = NONE;
    for n in 20..=24 {
        set(&rig, id(n), "displayName", "Other");
    }
    rig.cycle();
    reject(&rig, "updates", None);
    rig.limits.updates = usual;
    all_leave(&rig, 1..6);
    rig.cycle();
    all_leave(&rig, 20..25);
    rig.cycle();
    let before = suspensions(&rig).len();
    rig.clock.advance(TimeDelta::days(9));
    for _ in 0..3 {
        rig.clock.advance(TimeDelta::days(1));
        rig.cycle();
        assert_eq!(suspensions(&rig).len(), before, "time that goes by is no approval");
    }
}

#[test]
fn a_word_about_some_who_are_gone_releases_no_others() {
    for rejects in [true, false] {
        let mut rig = crowd(100);
        rig.limits.source_gone = count(15);
        rig.limits.shown = count(10);
        rig.limits.removals_24h = count(100);
        rig.limits.removals_7d = count(100);
        all_leave(&rig, 1..11);
        rig.directory().change(|company| (11..21).for_each(|n| company.delete(id(n), Tombstone::None, Names::Left)));
        rig.cycle();
        assert_eq!(holds_of(&rig, "source_gone")[0].len(), 10);
        let before = suspensions(&rig).len();
        if rejects {
            reject(&rig, "unreadable", None);
        } else {
            approve(&rig, "unreadable", None);
        }
        for _ in 0..4 {
            rig.cycle();
        }
        assert!((1..11).all(|n| !suspended(&rig, n)), "rejects: {rejects}");
        assert_eq!(suspensions(&rig).len() - before, if rejects { 0 } else { 10 });
        rig.approve_all();
        rig.cycle();
        assert!((1..11).all(|n| suspended(&rig, n)), "rejects: {rejects}");
    }
}

#[test]
fn whoever_is_removed_by_hand_waits_no_more() {
    let rig = crowd(30);
    all_leave(&rig, 1..6);
    rig.cycle();
    all_leave(&rig, [6]);
    rig.cycle();
    assert_eq!(waiting(&rig), [("removals_24h".to_owned(), 1)]);
    let order = HandOrder::Deprovision;
    rig.order(Command::ByHand { order, user: mail(6), app: None, word: Word::Do });
    rig.cycle();
    assert_eq!((rig.cycle().ending.code(), waiting(&rig)), (0, vec![]));
    assert!(suspended(&rig, 6));
}

#[test]
fn one_who_is_decided_against_does_not_keep_the_app_in_its_first_cycle() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.cycle();
    reject(&rig, "first_cycle", Some("bob@example.org"));
    rig.approve_all();
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.ledger.snapshot().accounts.len(), 4);
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    rig.cycle();
    assert_eq!(holds_of(&rig, "first_cycle"), Vec::<Vec<String>>::new());
    assert!(rig.user("alice@example.org").unwrap().texts.values().any(|text| text == "+49 30 1"));
    assert!(rig.user("bob@example.org").is_none());
}
