//! Stories of decisions that outlast cycles in which a person's change looks otherwise, or can't be made.

use zendesk_dirsync::domain::id::Digest;
use zendesk_dirsync::engine::command::Command;
use zendesk_dirsync::engine::ports::HoldRecord;

use super::*;

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
