//! Stories of decisions that outlast cycles in which a person's change looks otherwise, or can't be made.

use super::*;
use crate::support::memory::ReadTrouble;

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
fn a_later_rejection_withdraws_an_approval_of_the_same_change() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..4);
    rig.cycle();
    approve(&rig, "removals_shown", Some(&mail(1)));
    // Before the next cycle somebody joins what waits: the same change waits in another hold as well.
    rig.directory().trouble_is(ReadTrouble { base_fails: true, ..Default::default() });
    rig.cycle();
    rig.directory().trouble_is(ReadTrouble::default());
    reject(&rig, "removals_shown", Some(&mail(1)));
    rig.limits.shown = count(5);
    for _ in 0..3 {
        rig.cycle();
        assert!(!suspended(&rig, 1));
    }
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
