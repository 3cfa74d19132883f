//! Commands beside a running daemon: it carries them out.

use expect_test::expect;
use sandbox::zendesk::{Act, Fault};

use crate::support::company::{SUPPORT, mail};
use crate::support::rig_cli::{Rig, me};
use crate::support::until::{SOON, until};

#[test]
fn a_cycle_beside_a_daemon_is_run_by_it_and_shown() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    let cycle = rig.once().expect(0);
    let alone = Rig::unbraked();
    let expected = alone.once().expect(0);
    assert_eq!(rig.neat(&cycle.stderr), alone.neat(&expected.stderr), "it looks as if there were no daemon");
    assert_eq!(daemon.stderr().matches("cycle ended").count(), 1);
    rig.assert_served(&SUPPORT);
    assert!(rig.told("provision").iter().all(|record| record["actor"] == me().as_str()));
}

#[test]
fn who_approves_is_named_by_the_kernel() {
    let rig = Rig::new();
    let daemon = rig.daemon();
    rig.once().expect(4);
    rig.approve_everything();
    let told = rig.told("approve");
    assert_eq!((told.len(), told[0]["actor"].as_str()), (1, Some(me().as_str())));
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
    drop(daemon);
}

#[test]
fn the_status_is_told_while_a_cycle_runs() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    rig.desk().push_faults(vec![Fault {
        method: None,
        path: "/api/v2/users/me".to_owned(),
        nth: Some(1),
        act: Act::Delay { delay_ms: 5_000 },
    }]);
    let mut cycle = rig.start(&["--once"]);
    until(SOON, "a request", || rig.desk().requests().first().map(|_| ()));
    let status = rig.run(&["status"]).expect(0);
    assert!(cycle.runs(), "the status had to wait for the cycle");
    expect![[r#"
        daemon         running a cycle
        last cycle     none yet
        last complete  no complete read yet
        accounts       support: 0 managed and active
        waiting        0 changes for a person
    "#]]
    .assert_eq(&rig.neat(&without_next(&status.stdout)));
    cycle.finish().expect(0);
    let status = rig.run(&["status"]).expect(0);
    assert!(status.stdout.starts_with("daemon         idle\n"), "{}", status.stdout);
    drop(daemon);
}

/// The next run is a date of the calendar.
fn without_next(status: &str) -> String {
    status.lines().filter(|line| !line.starts_with("next")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn plans_and_holds_are_shown_beside_a_daemon() {
    let rig = Rig::new();
    let alone = rig.run(&["plan"]).expect(0).stdout;
    let daemon = rig.daemon();
    assert_eq!(rig.run(&["plan"]).expect(0).stdout, alone);
    rig.run(&["plan", "--exit-code"]).expect(10);
    rig.once().expect(4);
    let holds = rig.run(&["holds"]).expect(0).stdout;
    assert!(holds.contains("6 changes"), "{holds}");
    let refused = rig.run(&["holds", "approve", "ffffffff", "--count", "1"]).expect(2);
    assert!(refused.stderr.contains("no hold has the id ffffffff"), "{refused:?}");
    drop(daemon);
    assert_eq!(rig.run(&["holds"]).expect(0).stdout, holds);
}

#[test]
fn one_person_can_be_served_beside_a_daemon() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    rig.run(&["--once", "--user", &mail("alice")]).expect(0);
    rig.assert_served(&["alice"]);
    rig.assert_unserved(&["bob"]);
    drop(daemon);
}

#[test]
fn a_daemon_that_dies_is_told_to_who_asked() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    rig.desk().push_faults(vec![Fault {
        method: None,
        path: "/api/v2/users/me".to_owned(),
        nth: Some(1),
        act: Act::Delay { delay_ms: 5_000 },
    }]);
    let cycle = rig.start(&["--once"]);
    until(SOON, "a request", || rig.desk().requests().first().map(|_| ()));
    daemon.kill();
    let told = cycle.finish().expect(7);
    assert!(told.stderr.contains("the daemon ended before it answered"), "{told:?}");
}

#[test]
fn only_the_services_own_user_and_group_may_use_the_socket() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::new();
    let daemon = rig.daemon();
    let mode = std::fs::metadata(rig.path("state/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(daemon);
}
