//! Stories of pauses: what goes on, what doesn't, and what ends them.

use chrono::TimeDelta;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{Clock as _, Ledger as _};

use super::*;
use crate::support::memory::By;

fn pause(rig: &Rig, app: Option<&str>, hours: Option<i64>) {
    let until = hours.map(|hours| rig.clock.now() + TimeDelta::hours(hours));
    let reason = Some("moving house".to_owned());
    let reply = rig.order(Command::Pause { app: app.map(str::to_owned), reason, until });
    assert!(matches!(reply, Reply::Pauses(_)), "{reply:?}");
}

fn told_of(rig: &Rig, subject: Subject) -> Vec<(String, Option<String>)> {
    let notices = rig.report.notices().into_iter().filter(|notice| notice.subject == subject);
    notices.map(|notice| (notice.actor, notice.cause.and_then(|cause| cause.evidence))).collect()
}

fn suspended(rig: &Rig) -> bool {
    rig.user("bob@example.org").unwrap().suspended == Some(By::Us)
}

#[test]
fn a_paused_app_is_planned_and_nothing_is_carried_out_until_it_goes_on() {
    let rig = settled();
    pause(&rig, Some("support"), None);
    leave(&rig, id(2), "support");
    set(&rig, id(3), "displayName", "Caroline");
    let before = rig.desk().writes().len();
    for _ in 0..3 {
        let report = rig.cycle();
        assert_eq!(report.ending.code(), 4);
        assert!(report.summary.text.starts_with("support is paused; "), "{}", report.summary.text);
        assert_eq!(report.summary.apps.values().next().unwrap().held, 2);
    }
    assert_eq!(rig.desk().writes().len(), before);
    let reason = Some("support by alice since 2026-11-23T09:04:00Z: moving house".to_owned());
    assert_eq!(told_of(&rig, Subject::Pause), [("alice".to_owned(), reason.clone())]);
    rig.order(Command::Resume { app: Some("support".to_owned()) });
    assert_eq!(told_of(&rig, Subject::Resume), [("alice".to_owned(), reason)]);
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(suspended(&rig));
}

#[test]
fn a_pause_with_nothing_to_do_ends_well() {
    let rig = settled();
    pause(&rig, None, None);
    assert_eq!(rig.cycle().ending.code(), 0);
    let Reply::Status(status) = rig.order(Command::Status) else { panic!("a status") };
    assert_eq!(status.paused.iter().map(|pause| pause.what()).collect::<Vec<_>>(), ["everything"]);
}

#[test]
fn another_app_than_the_paused_one_is_served() {
    let mut rig = rig();
    rig.add_app(desk(), rules("sales", vec![gives("corp", "support", Some(Role::Agent), &["Support"])]));
    pause(&rig, Some("support"), None);
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), 0);
    assert!(!rig.apps[1].1.writes().is_empty());
}

#[test]
fn a_first_plan_that_was_only_looked_at_in_a_pause_is_still_a_first_one() {
    let rig = rig();
    pause(&rig, None, None);
    rig.cycle();
    assert!(rig.ledger.snapshot().accepted.is_empty());
}

#[test]
fn what_is_held_stays_held_and_an_approval_is_not_spent_in_a_pause() {
    let mut rig = settled();
    rig.limits.shown.count = 0;
    rig.limits.shown.percent = 0;
    leave(&rig, id(2), "support");
    assert_eq!(rig.cycle().ending.code(), 4);
    pause(&rig, None, None);
    assert_eq!(rig.approve_all(), 1);
    rig.cycle();
    rig.cycle();
    assert!(!suspended(&rig));
    rig.order(Command::Resume { app: None });
    rig.cycle();
    assert!(suspended(&rig));
}

#[test]
fn a_call_that_was_not_answered_is_settled_in_a_pause_and_nothing_follows() {
    use crate::support::memory::CallTrouble;
    let rig = settled();
    set(&rig, id(3), "displayName", "Caroline");
    rig.desk().goes_wrong(4, CallTrouble::UnansweredAfter);
    rig.cycle();
    assert_eq!(rig.ledger.open_intents().unwrap().len(), 1);
    pause(&rig, None, None);
    set(&rig, id(1), "displayName", "Alicia");
    let before = rig.desk().writes().len();
    assert_eq!(rig.cycle().ending.code(), 4);
    assert_eq!((rig.ledger.open_intents().unwrap().len(), rig.desk().writes().len()), (0, before));
}

#[test]
fn a_pause_ends_by_itself_at_its_time_and_not_by_a_leap_of_the_clock() {
    let rig = settled();
    pause(&rig, None, Some(2));
    leave(&rig, id(2), "support");
    rig.cycle();
    rig.clock.advance(TimeDelta::days(30));
    rig.cycle();
    assert!(!suspended(&rig), "the clock leapt");
    rig.clock.advance(-TimeDelta::days(30));
    for _ in 0..5 {
        rig.cycle();
        assert!(!suspended(&rig));
    }
    rig.cycle();
    assert!(suspended(&rig), "two hours went by");
    let ended = told_of(&rig, Subject::Resume);
    assert_eq!(ended.iter().map(|(actor, _)| actor.as_str()).collect::<Vec<_>>(), ["daemon"]);
}

#[test]
fn what_is_not_paused_cannot_be_resumed_by_mistake() {
    let rig = settled();
    let refused = |reply: Reply| match reply {
        Reply::Refused { code, fault } => (code, fault.kind),
        other => (other.code(), String::new()),
    };
    let resume = |app: Option<&str>| refused(rig.order(Command::Resume { app: app.map(str::to_owned) }));
    assert_eq!(resume(None), (0, String::new()));
    assert_eq!(resume(Some("sales")).1, "no_such_app");
    pause(&rig, Some("support"), None);
    assert_eq!(resume(None).1, "paused_apps");
    pause(&rig, None, None);
    assert_eq!(resume(None).0, 0);
    pause(&rig, None, None);
    rig.order(Command::Resume { app: Some("support".to_owned()) });
    assert_eq!(resume(Some("support")).1, "paused_all");
}
