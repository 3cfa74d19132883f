//! Stories of the brake over time: drips, clocks that jump, approvals of a part, what moved, a source that went.

mod decided;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use zendesk_dirsync::domain::brake::{FirstCycle, Limit};
use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::outcome::Verdict;
use zendesk_dirsync::engine::ports::HoldState;

use super::*;
use crate::sim::rig::Ran;
use crate::support::memory::{By, CallTrouble, Use};

const NONE: Limit = Limit { count: 0, percent: 0 };

fn count(count: usize) -> Limit {
    Limit { count, percent: 0 }
}

/// So many people in the group `support`, all with an account; limits by count alone.
fn crowd(people: u32) -> Rig {
    let people: Vec<Person> =
        (1..=people).map(|n| Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"))).collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    let support = Group::numbered(1, "support", &ids);
    let mut rig = Rig::of(
        MemoryDirectory::new("corp", people, [support]),
        desk(),
        rules("support", vec![gives("corp", "support", Some(Role::Agent), &["Support"])]),
    );
    rig.limits.creations = count(1_000);
    rig.settle();
    assert_eq!(rig.ledger.snapshot().accounts.len(), ids.len());
    rig.limits.shown = count(5);
    rig.limits.removals_24h = count(5);
    rig.limits.removals_7d = count(10);
    rig.limits.source_gone = count(1_000);
    rig
}

fn mail(n: u32) -> String {
    format!("p{n}@example.org")
}

fn all_leave(rig: &Rig, people: impl IntoIterator<Item = u32>) {
    people.into_iter().for_each(|n| leave(rig, id(n), "support"));
}

/// When each account was suspended, as Zendesk saw it.
fn suspensions(rig: &Rig) -> Vec<(DateTime<Utc>, u64)> {
    let suspends = |step: &Step| matches!(step, Step::Write(patch) if patch.sign_in == Some(SignIn::Suspend));
    let writes = rig.desk().writes();
    let mine = writes.iter().filter(|write| write.effect.is_ok() && suspends(&write.step));
    mine.filter_map(|write| Some((write.at, write.account?))).collect()
}

/// The most people that were suspended within any such time.
fn most_within(suspensions: &[(DateTime<Utc>, u64)], time: TimeDelta) -> usize {
    let from = |start: DateTime<Utc>| {
        let within = suspensions.iter().filter(|(at, _)| *at >= start && *at - start < time);
        within.map(|(_, account)| account).collect::<BTreeSet<_>>().len()
    };
    suspensions.iter().map(|(at, _)| from(*at)).max().unwrap_or_default()
}

fn suspended(rig: &Rig, n: u32) -> bool {
    rig.user(&mail(n)).unwrap().suspended == Some(By::Us)
}

/// Codes of what waits, with how many.
fn waiting(rig: &Rig) -> Vec<(String, usize)> {
    let snapshot = rig.ledger.snapshot();
    let waits = snapshot.holds.values().flatten().filter(|hold| hold.state == HoldState::Waiting);
    waits.map(|hold| (hold.code.clone(), hold.changes.len())).collect()
}

fn approve(rig: &Rig, code: &str, user: Option<&str>) {
    let snapshot = rig.ledger.snapshot();
    let hold = snapshot.holds.values().flatten().find(|hold| hold.code == code).unwrap().id.to_string();
    rig.engine().approve(&hold, user, None, "alice").unwrap().unwrap();
}

#[test]
fn a_drip_below_the_limit_of_a_cycle_is_caught_by_day_and_week() {
    // Each cycle is a fresh engine over the same ledger.
    let mut rig = crowd(105);
    rig.limits.shown = count(2);
    rig.limits.removals_24h = count(2);
    rig.limits.removals_7d = count(4);
    for n in 1..=100 {
        all_leave(&rig, [n]);
        // At first every quarter of an hour, then for more than a week.
        rig.clock.advance(TimeDelta::minutes(if n > 40 { 225 } else { 0 }));
        rig.cycle();
    }
    let seen = suspensions(&rig);
    assert_eq!((most_within(&seen, TimeDelta::days(1)), most_within(&seen, TimeDelta::days(7))), (2, 4));
    let total: usize = waiting(&rig).iter().map(|(_, count)| count).sum();
    assert_eq!(total + seen.len(), 100, "what wasn't done waits");
}

#[test]
fn time_that_goes_by_is_no_approval() {
    let rig = crowd(30);
    all_leave(&rig, 1..5);
    rig.cycle();
    all_leave(&rig, 5..9);
    assert_eq!(rig.cycle().ending.code(), 4);
    rig.clock.advance(TimeDelta::days(9));
    for _ in 0..3 {
        rig.clock.advance(TimeDelta::days(1));
        assert_eq!(rig.cycle().ending.code(), 4);
        assert_eq!(waiting(&rig), [("removals_24h".to_owned(), 4)]);
    }
    all_leave(&rig, 9..11);
    rig.cycle();
    assert_eq!(suspensions(&rig).len(), 6, "others go on beside it");
    assert_eq!(rig.approve_all(), 4);
    rig.cycle();
    assert_eq!(suspensions(&rig).len(), 10);
}

#[test]
fn a_clock_that_jumps_ten_years_at_any_step_lets_no_more_through() {
    for years in [10, -10] {
        for step in 0..12 {
            let rig = crowd(60);
            for cycle in 0..12 {
                all_leave(&rig, (1 + cycle * 4)..(5 + cycle * 4));
                if cycle == step {
                    rig.clock.advance(TimeDelta::days(years * 3_652));
                }
                rig.cycle();
            }
            let seen = suspensions(&rig).len();
            assert!((4..=10).contains(&seen), "{seen} after a jump of {years} years at {step}");
        }
    }
}

#[test]
fn a_clock_that_went_back_does_not_freeze_the_windows() {
    let rig = crowd(60);
    all_leave(&rig, 1..6);
    rig.cycle();
    rig.clock.advance(TimeDelta::days(-3_652));
    for _ in 0..8 {
        rig.clock.advance(TimeDelta::days(1));
        rig.cycle();
    }
    all_leave(&rig, 6..11);
    rig.cycle();
    assert_eq!(suspensions(&rig).len(), 10, "a week is over, however far back it began");
}

#[test]
fn the_others_of_a_hold_wait_on_when_a_part_is_approved() {
    let rig = crowd(30);
    all_leave(&rig, 1..9);
    rig.cycle();
    for n in [2, 3, 4, 5] {
        approve(&rig, "removals_shown", Some(&mail(n)));
    }
    for _ in 0..4 {
        assert_eq!(rig.cycle().ending.code(), 4);
        assert_eq!(suspensions(&rig).len(), 4, "four are below the limit, and nobody approved them");
        assert_eq!(waiting(&rig), [("others_approved".to_owned(), 4)]);
    }
    // One of them returns: that one isn't held for a new phone number.
    join(&rig, id(1), "support");
    rig.cycle();
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    rig.cycle();
    assert_eq!(waiting(&rig), [("others_approved".to_owned(), 3)]);
    approve(&rig, "others_approved", None);
    rig.cycle();
    assert_eq!((suspensions(&rig).len(), waiting(&rig)), (7, vec![]));
}

#[test]
fn what_was_approved_does_not_fill_the_windows() {
    let rig = crowd(60);
    all_leave(&rig, 1..31);
    rig.cycle();
    rig.approve_all();
    rig.cycle();
    assert_eq!(suspensions(&rig).len(), 30);
    all_leave(&rig, 31..36);
    assert_eq!(rig.cycle().ending.code(), 0);
}

#[test]
fn the_others_of_a_first_plan_wait_when_a_few_are_approved() {
    let mut rig = rig();
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.cycle();
    approve(&rig, "first_cycle", Some("alice@example.org"));
    for _ in 0..3 {
        rig.cycle();
        assert_eq!(rig.ledger.snapshot().accounts.len(), 1);
    }
    // Nor does anybody new slip in.
    let frank = Person::numbered(9, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
    join(&rig, frank.id, "support");
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.ledger.snapshot().accounts.len(), 1);
    rig.settle();
    assert_eq!(rig.ledger.snapshot().accounts.len(), 6);
}

#[test]
fn what_moved_since_it_was_approved_waits_again_and_the_rest_goes_on() {
    let rig = crowd(30);
    all_leave(&rig, 1..7);
    rig.cycle();
    approve(&rig, "removals_shown", None);
    let one = rig.user(&mail(1)).unwrap().id;
    let other = rig.desk().by_hand(|desk| {
        let other = desk.add_group("Other");
        desk.users.get_mut(&one).unwrap().groups.insert(other);
        other
    });
    for _ in 0..3 {
        assert_eq!(rig.cycle().ending.code(), 4);
        assert_eq!((suspensions(&rig).len(), waiting(&rig)), (5, vec![("moved".to_owned(), 1)]));
    }
    let _ = other;
    approve(&rig, "moved", None);
    rig.cycle();
    assert!(suspended(&rig, 1));
}

#[test]
fn what_moved_since_it_was_rejected_waits_again() {
    let mut rig = crowd(30);
    rig.limits.shown = NONE;
    all_leave(&rig, 1..3);
    rig.cycle();
    let hold = rig.ledger.snapshot().holds.values().flatten().next().unwrap().id.to_string();
    rig.engine().reject(&hold, "alice").unwrap().unwrap();
    rig.limits.shown = count(5);
    let one = rig.user(&mail(1)).unwrap().id;
    rig.desk().by_hand(|desk| desk.users.get_mut(&one).unwrap().groups.clear());
    rig.cycle();
    rig.cycle();
    assert_eq!((suspensions(&rig).len(), waiting(&rig)), (0, vec![("moved".to_owned(), 1)]));
}

#[test]
fn an_approval_works_once_whenever_the_process_dies() {
    let mut deaths = 0;
    for passages in 1..30 {
        let mut rig = crowd(3);
        rig.limits.shown = NONE;
        all_leave(&rig, [1]);
        rig.cycle();
        rig.approve_all();
        // The suspension is sent and doesn't arrive.
        rig.desk().writes_go_wrong(CallTrouble::UnansweredBefore);
        rig.fuse.set(Some(passages));
        let died = matches!(rig.run(), Ran::Died);
        rig.fuse.set(None);
        rig.desk().mend();
        if died && rig.desk().writes().iter().any(|write| !write.answered) {
            deaths += 1;
            for _ in 0..3 {
                rig.clock.advance(TimeDelta::hours(1));
                rig.cycle();
            }
            assert!(!suspended(&rig, 1), "died at passage {passages}: the approval worked twice");
            rig.approve_all();
            rig.cycle();
            assert!(suspended(&rig, 1), "a second word lets it go on");
        }
    }
    assert!(deaths > 3, "only {deaths} deaths fell after the call");
}

#[test]
fn a_source_that_went_holds_every_removal_until_it_is_back() {
    let mut rig = crowd(40);
    rig.limits.source_gone = Limit { count: 5, percent: 15 };
    rig.limits.shown = count(1_000);
    rig.limits.removals_24h = count(1_000);
    rig.limits.removals_7d = count(1_000);
    all_leave(&rig, 1..8);
    rig.directory().change(|company| company.people.get_mut(&id(20)).unwrap().usable = Use::Disabled);
    for _ in 0..4 {
        assert_eq!(rig.cycle().ending.code(), 4);
        assert_eq!((suspensions(&rig).len(), waiting(&rig)), (0, vec![("source_gone".to_owned(), 8)]));
    }
    join(&rig, id(1), "support");
    rig.cycle();
    assert_eq!(suspensions(&rig).len(), 7, "six are not too many");
}

#[test]
fn whoever_has_been_missing_for_long_does_not_count_as_gone() {
    let mut rig = crowd(40);
    rig.limits.source_gone = count(5);
    rig.limits.shown = NONE;
    for n in 0..5 {
        all_leave(&rig, (1 + n * 3)..(4 + n * 3));
        rig.cycle();
        assert_eq!(waiting(&rig), [("removals_shown".to_owned(), 3 + n as usize * 3)]);
    }
    // A read that broke off is no read to count from.
    all_leave(&rig, 30..33);
    let broken = crate::support::memory::ReadTrouble { base_fails: true, ..Default::default() };
    rig.directory().trouble_is(broken);
    rig.cycle();
    rig.directory().trouble_is(Default::default());
    all_leave(&rig, 33..36);
    rig.cycle();
    assert_eq!(waiting(&rig), [("source_gone".to_owned(), 21)]);
}

#[test]
fn what_waits_is_told_again_every_day() {
    let rig = crowd(30);
    all_leave(&rig, 1..8);
    let before = rig.report.notices().len();
    for _ in 0..30 * 4 {
        rig.clock.advance(TimeDelta::minutes(345));
        rig.cycle();
    }
    let notices = rig.report.notices().split_off(before);
    let told: Vec<_> = notices.iter().filter(|one| one.subject == Subject::Hold).collect();
    assert!((28..=31).contains(&told.len()), "told {} times", told.len());
    assert!(told.iter().all(|one| one.verdict == Verdict::Held));
    let text = told.last().unwrap().problem.as_ref().unwrap().message.clone();
    assert!(text.starts_with("7 changes wait since 2026-11-23T"), "{text}");
    let ended = notices.iter().filter(|one| one.subject == Subject::Cycle);
    let says = |text: &str| text.contains("7 changes wait for a person since 2026-11-23T");
    let evidence = |one: &Notice| one.cause.as_ref().and_then(|cause| cause.evidence.clone()).unwrap_or_default();
    assert_eq!(ended.filter(|one| says(&evidence(one))).count(), 120, "every cycle says so");
}

#[test]
fn the_last_admins_stay_whatever_is_approved_or_rejected() {
    let mut rig = rig();
    rig.limits.shown = NONE;
    let chiefs: Vec<EntryId> = (1..=4).map(id).collect();
    rig.directory().change(|company| {
        let group = company.groups.values_mut().find(|group| group.name == "chiefs").unwrap();
        group.members.extend(chiefs);
    });
    rig.apps[0].0.admins_min = 5;
    rig.settle();
    assert_eq!(rig.desk().with(|desk| desk.admins()), 7);
    for person in [2, 3, 4] {
        leave(&rig, id(person), "support");
        leave(&rig, id(person), "chiefs");
    }
    rig.cycle();
    let snapshot = rig.ledger.snapshot();
    let hold = snapshot.holds.values().flatten().find(|hold| hold.code == "removals_shown").unwrap();
    assert_eq!(hold.changes.len(), 2, "the third is the floor's");
    let first = hold.changes[0].user.clone();
    rig.engine().approve(&hold.id.to_string(), [first.as_str()], None, "alice").unwrap().unwrap();
    for _ in 0..8 {
        rig.cycle();
        rig.approve_all();
        assert!(rig.desk().with(|desk| desk.admins()) >= 5);
    }
    assert_eq!(rig.desk().with(|desk| desk.admins()), 5);
}

#[test]
fn a_script_that_spoils_every_name_makes_them_all_wait() {
    let rig = crowd(30);
    (1..=21).for_each(|n| set(&rig, id(n), "displayName", "{{ displayName }}"));
    let before = rig.desk().writes().len();
    assert_eq!(rig.cycle().ending.code(), 4);
    assert_eq!((rig.desk().writes().len(), waiting(&rig)), (before, vec![("updates".to_owned(), 21)]));
    // Repaired, nothing waits any more.
    (1..=21).for_each(|n| set(&rig, id(n), "displayName", &format!("Person {n}")));
    assert_eq!((rig.cycle().ending.code(), waiting(&rig)), (0, vec![]));
    (1..=20).for_each(|n| set(&rig, id(n), "telephoneNumber", "+49 30 1"));
    assert_eq!(rig.cycle().ending.code(), 0, "twenty may be");
}
