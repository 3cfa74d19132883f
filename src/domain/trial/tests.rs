//! Tests of the pauses.

use super::*;
use crate::domain::id::Digester;

fn digest(text: &str) -> Digest {
    Digester::new(text).finish()
}

fn wall() -> DateTime<Utc> {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

const DAY: u64 = 24 * 60 * 60;

#[test]
fn pauses_double_from_five_minutes_to_a_day() {
    let minutes: Vec<u64> = (1..=11).map(|failures| pause(failures) / 60).collect();
    assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
    assert_eq!(pause(u32::MAX), DAY);
    assert_eq!(pause(0), 5 * 60);
}

#[test]
fn a_failing_person_is_tried_less_and_less_and_parked_after_28_days() {
    let one = digest("one");
    let mut now = Moment(1_000);
    let mut trial = None;
    let mut tries = 0;
    // Looked at every quarter of an hour, for 60 days.
    for _ in 0..60 * 96 {
        let turn = trial.as_ref().map_or(Turn::Now, |trial: &Trial| trial.turn(&one, now));
        if turn == Turn::Now {
            tries += 1;
            trial = Some(Trial::failed(trial.as_ref(), one, "p@example.org", "no", (now, wall())));
        }
        now = now.after(15 * 60);
    }
    assert_eq!(trial.as_ref().map(|trial| trial.turn(&one, now)), Some(Turn::Parked));
    assert!((33..=38).contains(&tries), "{tries} tries");
}

#[test]
fn another_change_begins_anew() {
    let (one, two) = (digest("one"), digest("two"));
    let first = Trial::failed(None, one, "p@example.org", "no", (Moment(0), wall()));
    assert_eq!(first.turn(&one, Moment(299)), Turn::Later(Moment(300)));
    assert_eq!((first.turn(&one, Moment(300)), first.turn(&two, Moment(1))), (Turn::Now, Turn::Now));
    let again = Trial::failed(Some(&first), one, "p@example.org", "no", (Moment(300), wall()));
    assert_eq!((again.failures, again.first, again.next), (2, Moment(0), Moment(900)));
    let other = Trial::failed(Some(&again), two, "p@example.org", "no", (Moment(900), wall()));
    assert_eq!((other.failures, other.first, other.next), (1, Moment(900), Moment(1_200)));
}

#[test]
fn a_parked_one_is_tried_again_when_its_change_is_another() {
    let one = Trial::failed(None, digest("one"), "p@example.org", "no", (Moment(0), wall()));
    let later = Moment(28 * DAY);
    assert_eq!(one.turn(&digest("one"), Moment(28 * DAY - 1)), Turn::Now);
    assert_eq!((one.turn(&digest("one"), later), one.turn(&digest("two"), later)), (Turn::Parked, Turn::Now));
}

#[test]
fn a_moment_further_away_than_any_pause_is_not_believed() {
    let mut one = Trial::failed(None, digest("one"), "p@example.org", "no", (Moment(0), wall()));
    one.next = Moment(DAY);
    assert_eq!(one.turn(&digest("one"), Moment(0)), Turn::Later(Moment(DAY)));
    one.next = Moment(DAY + 1);
    assert_eq!(one.turn(&digest("one"), Moment(0)), Turn::Now);
}

#[test]
fn a_quarantine_is_probed_less_and_less() {
    let mut one = Quarantine::begin(Ground::Failing, "no".into(), (Moment(0), wall()));
    assert_eq!((one.turn(Moment(299)), one.turn(Moment(300))), (Turn::Later(Moment(300)), Turn::Now));
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let now = one.next;
        one = one.probed("still".into(), now);
        pauses.push(one.next.since(now) / 60);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
    assert_eq!((one.why.as_str(), one.since), ("still", wall()));
}

#[test]
fn five_failures_of_more_than_forty_percent_are_too_many() {
    assert!(!failing(4, 4) && failing(5, 5) && failing(12, 5) && !failing(13, 5));
    assert!(!failing(100, 40) && failing(100, 41) && failing(99, 40));
}
