//! What waits for a person: listed, shown, approved, rejected.

use expect_test::expect;

use crate::support::company::{SUPPORT, mail};
use crate::support::rig_cli::{Rig, me};

fn waiting() -> (Rig, String) {
    let rig = Rig::new();
    rig.once().expect(4);
    let holds = rig.holds();
    assert_eq!(holds.len(), 1);
    let id = holds[0]["id"].as_str().unwrap()[..8].to_owned();
    (rig, id)
}

#[test]
fn what_waits_is_listed_and_shown() {
    let (rig, id) = waiting();
    expect![[]].assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
    expect![[]].assert_eq(&rig.neat(&rig.run(&["holds", "show", &id]).expect(0).stdout));
    assert_eq!(rig.run(&["holds", "list"]).expect(0).stdout, rig.run(&["holds"]).expect(0).stdout);
    let shown = rig.run(&["holds", "show", &id, "--format", "json"]).expect(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["changes"].as_array().unwrap().len(), 6);
    assert_eq!((&shown["state"], &shown["code"]), (&"waiting".into(), &"first_cycle".into()));
}

#[test]
fn off_a_terminal_an_approval_needs_the_count_that_was_shown() {
    let (rig, id) = waiting();
    let without = rig.run(&["holds", "approve", &id]).expect(2);
    expect![[]].assert_eq(&rig.neat(&without.all()));
    let wrong = rig.run(&["holds", "approve", &id, "--count", "5"]).expect(2);
    expect![[]].assert_eq(&rig.neat(&wrong.all()));
    let unknown = rig.run(&["holds", "approve", "ffffffff", "--count", "6"]).expect(2);
    expect![[]].assert_eq(&unknown.all());
    rig.once().expect(4);
    assert_eq!(rig.writes_since(0), []);

    let approved = rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    expect![[]].assert_eq(&rig.neat(&approved.all()));
    let told = rig.told("approve");
    assert_eq!((told.len(), told[0]["actor"].as_str()), (1, Some(me().as_str())));
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn an_approval_works_once() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    rig.once().expect(0);
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(2);
    expect![[]].assert_eq(&rig.run(&["holds"]).expect(0).stdout);
}

#[test]
fn one_persons_part_can_be_approved_alone() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--user", &mail("alice"), "--count", "1"]).expect(0);
    rig.once().expect(4);
    rig.assert_served(&["alice"]);
    rig.assert_unserved(&["bob", "frank"]);
    rig.run(&["holds", "approve", &id, "--user", "nobody@example.org", "--count", "1"]).expect(2);
}

#[test]
fn a_rejected_hold_stays_undone_and_no_longer_counts_as_waiting() {
    let (rig, id) = waiting();
    let rejected = rig.run(&["holds", "reject", &id]).expect(0);
    expect![[]].assert_eq(&rig.neat(&rejected.all()));
    rig.once().expect(0);
    assert_eq!(rig.writes_since(0), []);
    assert_eq!(rig.told("reject").len(), 1);
    expect![[]].assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
}

#[test]
fn what_changes_meanwhile_makes_another_hold() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    rig.change(&crate::support::company::hire("support", "gail", "Gail", "Gray"));
    rig.once().expect(4);
    rig.assert_served(&SUPPORT);
    rig.assert_unserved(&["gail"]);
    rig.approve_everything();
    rig.once().expect(0);
    rig.assert_served(&["gail"]);
}

#[test]
fn the_status_tells_what_waits_and_since_when() {
    let (rig, _) = waiting();
    expect![[]].assert_eq(&rig.neat(&rig.run(&["status"]).expect(0).stdout));
    let status = rig.run(&["status", "--format", "json"]).expect(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["held"], &status["daemon"]), (&6.into(), &serde_json::Value::Null));
    assert!(status["held_since"].is_string() && status["read_age_s"].is_number(), "{status}");
}
