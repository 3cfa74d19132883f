//! Tests of the windows, and of what nobody has decided about.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;

const HOUR: u64 = 60 * 60;

fn start() -> DateTime<Utc> {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

fn at_work(tally: Tally, changes: Vec<Change>) -> Review {
    review(&planned(changes), &Bench { tally, ..Bench::of(Limits::default(), Experience::Settled) })
}

fn planned(changes: Vec<Change>) -> Plan {
    let basis = Basis { store: 1, rules: Digester::new("x").finish(), cycle: CycleId::from_text("c") };
    let mut plan = Plan::empty(AppName::new("support").unwrap(), basis, 20);
    plan.changes = changes;
    plan
}

/// A tally that counted people so many hours ago.
fn counted(kind: Kind, people: &[Change], hours: u64) -> Tally {
    let mut tally = Tally::default();
    people.iter().for_each(|change| tally.count(kind, &change.person));
    tally.now = Moment(hours * HOUR);
    tally
}

#[test]
fn a_day_counts_both_kinds_of_removals_together() {
    let mut changes = many(0, 3, Class::RemovalShown);
    changes.extend(many(20, 2, Class::RemovalByAbsence));
    assert_eq!(codes(&at_work(Tally::default(), changes.clone())), []);
    changes.push(change(9, Class::RemovalByAbsence, None));
    let review = at_work(Tally::default(), changes);
    assert_eq!((review.approved.changes().len(), codes(&review)), (0, vec![("removals_24h", 6)]));
    assert_eq!(review.held[0].reason.to_string(), "6 removals in 24 hours, and 5 may be");
}

#[test]
fn a_day_ends_after_a_day_and_a_week_after_a_week() {
    let before = many(100, 5, Class::RemovalShown);
    let one = || vec![change(0, Class::RemovalShown, None)];
    let after = |hours| codes(&at_work(counted(Kind::Removals, &before, hours), one()));
    assert_eq!((after(23), after(24)), (vec![("removals_24h", 1)], vec![]));
    let before = many(100, 10, Class::RemovalShown);
    let after = |hours| codes(&at_work(counted(Kind::Removals, &before, hours), one()));
    assert_eq!((after(7 * 24 - 1), after(7 * 24)), (vec![("removals_7d", 1)], vec![]));
    let before = many(100, 10, Class::TakesOrRaises);
    let one = || vec![change(0, Class::TakesOrRaises, None)];
    let after = |hours| codes(&at_work(counted(Kind::TakesOrRaises, &before, hours), one()));
    assert_eq!((after(23), after(24)), (vec![("takes_or_raises_24h", 1)], vec![]));
}

#[test]
fn kinds_do_not_count_for_each_other() {
    let tally = counted(Kind::Removals, &many(100, 9, Class::RemovalShown), 0);
    let review = at_work(tally, many(0, 3, Class::TakesOrRaises));
    assert_eq!(review.approved.changes().len(), 3);
}

#[test]
fn whoever_is_tried_again_counts_once() {
    let five = many(0, 5, Class::RemovalShown);
    let tally = counted(Kind::Removals, &five, 1);
    assert_eq!(at_work(tally, five).approved.changes().len(), 5);
}

#[test]
fn what_waits_already_does_not_fill_a_window() {
    // Four by absence are past the limit of a cycle; the three others are not past that of a day.
    let mut changes = many(0, 3, Class::RemovalShown);
    changes.extend(many(20, 4, Class::RemovalByAbsence));
    let review = at_work(Tally::default(), changes);
    assert_eq!((review.approved.changes().len(), codes(&review)), (3, vec![("removals_by_absence", 4)]));
}

#[test]
fn what_a_person_let_go_on_passes_a_full_window_and_is_marked() {
    let one = change(0, Class::RemovalShown, None);
    let tally = counted(Kind::Removals, &many(100, 9, Class::RemovalShown), 0);
    let approvals = BTreeSet::from([one.digest()]);
    let bench = Bench { tally, approvals: approvals.clone(), ..Bench::of(Limits::default(), Experience::Settled) };
    let review = review(&planned(vec![one, change(1, Class::RemovalShown, None)]), &bench);
    assert_eq!((review.approved.changes().len(), codes(&review)), (1, vec![("removals_24h", 1)]));
    assert_eq!(review.approved.by_word(), &approvals);
}

#[test]
fn counted_time_goes_on_by_a_day_at_most_and_never_back() {
    let mut tally = Tally::default();
    tally.advance(start());
    assert_eq!(tally.now, Moment(0));
    tally.advance(start() + TimeDelta::minutes(15));
    assert_eq!(tally.now, Moment(900));
    tally.advance(start() + TimeDelta::days(3_650));
    assert_eq!(tally.now, Moment(900 + 24 * HOUR));
    tally.advance(start());
    assert_eq!(tally.now, Moment(900 + 24 * HOUR));
    tally.advance(start() + TimeDelta::minutes(15));
    assert_eq!(tally.now, Moment(1_800 + 24 * HOUR), "a clock that went back doesn't stand still");
}

#[test]
fn one_jump_of_ten_years_leaves_a_week_counted() {
    let mut tally = Tally::default();
    tally.advance(start());
    tally.count(Kind::Removals, &change(0, Class::Plain, None).person);
    for jump in [3_650, -3_650, 3_650, -7_300] {
        tally.advance(start() + TimeDelta::days(jump));
        assert_eq!(tally.used(Window::RemovalsWeek).len(), 1);
    }
}

#[test]
fn what_is_older_than_a_week_is_forgotten() {
    let mut tally = counted(Kind::Removals, &many(0, 3, Class::Plain), 7 * 24);
    tally.advance(start());
    assert_eq!(tally.people, BTreeMap::new());
}

#[test]
fn the_others_of_a_hold_wait_below_the_limit() {
    let changes = many(0, 3, Class::RemovalShown);
    let undecided = |why| {
        let open = Open { why, matter: changes[1].action.matter() };
        BTreeMap::from([(changes[1].person.clone(), BTreeSet::from([open]))])
    };
    let codes_of = |why| {
        let bench = Bench { undecided: undecided(why), ..Bench::of(Limits::default(), Experience::Settled) };
        codes(&review(&planned(changes.clone()), &bench))
    };
    assert_eq!(codes_of(Undecided::Others), [("others_approved", 1)]);
    assert_eq!(codes_of(Undecided::Moved), [("moved", 1)]);
    assert_eq!(codes_of(Undecided::Expired), [("approval_expired", 1)]);
    assert_eq!(codes_of(Undecided::Window(Window::RemovalsWeek)), [("removals_7d", 1)]);
    assert_eq!(codes_of(Undecided::Window(Window::TakesOrRaisesDay)), [], "it isn't held for what it is not");
    assert_eq!(Undecided::of_code("removals_shown"), None);
}

#[test]
fn what_is_deferred_neither_goes_on_nor_waits_nor_counts() {
    let changes = many(0, 6, Class::RemovalShown);
    let deferral = Deferral { failures: 2, until: None };
    let deferred = BTreeMap::from([(changes[0].digest(), deferral)]);
    let bench = Bench { deferred: deferred.clone(), ..Bench::of(Limits::default(), Experience::Settled) };
    let review = review(&planned(changes), &bench);
    assert_eq!((review.approved.changes().len(), codes(&review), review.deferred), (5, vec![], deferred));
}
