//! A store, a report or a Zendesk account that can't be used.

use expect_test::expect;
use sandbox::zendesk::{Act, Fault};

use crate::support::company::{SUPPORT, ZENDESK_SECRET, hire, mail};
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until};

#[test]
fn a_report_that_cant_be_written_lets_nothing_be_done() {
    let rig = Rig::unbraked();
    // A folder stands where the file should be: nobody can write it, not even root.
    std::fs::create_dir(rig.path("report.log")).unwrap();
    let cycle = rig.once().expect(7);
    expect![[r#"
        error: the report can't be written: DIR/report.log: Is a
            directory (os error 21)
          hint: see that DIR/report.log can be written and its disk has
              space
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    assert_eq!(rig.writes_since(0), []);
}

#[test]
fn a_report_that_goes_away_stops_a_daemons_cycle_before_it_writes() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    std::fs::remove_file(rig.path("report.log")).ok();
    std::fs::create_dir(rig.path("report.log")).unwrap();
    let cycle = rig.once().expect(7);
    expect![[r#"
        error: the report can't be written: DIR/report.log: Is a
            directory (os error 21)
          hint: free space for the report or correct its permissions; nothing is done
              that can't be told
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    assert_eq!(rig.writes_since(0), []);
    std::fs::remove_dir(rig.path("report.log")).unwrap();
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
    drop(daemon);
}

#[test]
fn a_store_that_another_process_uses_is_busy() {
    let rig = Rig::unbraked();
    rig.desk().push_faults(vec![Fault {
        method: None,
        path: "/api/v2/users/me".to_owned(),
        nth: Some(1),
        act: Act::Delay { delay_ms: 3_000 },
    }]);
    let first = rig.start(&["--once"]);
    // It holds the store by the time it is asked for a token.
    until(SOON, "a request", || rig.desk().requests().first().map(|_| ()));
    let second = rig.run(&["plan"]).expect(7);
    expect![[r#"
        error: DIR/state: the store is in use by another process
          hint: a zendesk-dirsync is at work in DIR/state: the daemon
              (see `status`), or a command that will end soon
    "#]]
    .assert_eq(&rig.neat(&second.stderr));
    first.finish().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn a_second_daemon_doesnt_start() {
    let rig = Rig::new();
    let first = rig.daemon();
    let second = rig.run(&[]).expect(7);
    expect![[r#"
        error: DIR/state: the store is in use by another process
          hint: a zendesk-dirsync is at work in DIR/state: the daemon
              (see `status`), or a command that will end soon
    "#]]
    .assert_eq(&rig.neat(&second.stderr));
    rig.run(&["status"]).expect(0);
    drop(first);
}

#[test]
fn a_damaged_store_is_put_aside_and_everything_waits() {
    let mut rig = Rig::unbraked();
    rig.once().expect(0);
    rig.configure(|config| config.brake.clear());
    for entry in std::fs::read_dir(rig.path("state/store")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::write(&path, b"this is no store").unwrap();
        }
    }
    let mark = rig.mark();
    let cycle = rig.once();
    assert!(matches!(cycle.code, Some(0 | 4)), "{cycle:?}");
    assert_eq!(rig.writes_since(mark), []);
    rig.approve_everything();
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
    assert_eq!(rig.desk().state().users.len(), 10, "nobody has a second account");
}

#[test]
fn a_wrong_client_secret_ends_the_cycle() {
    let rig = Rig::unbraked();
    rig.write_secret("zendesk.secret", "not-the-secret");
    let cycle = rig.once().expect(6);
    expect![[r#"
        corp: read in full, 33 entries, 3 groups
        fault: Zendesk refuses our credentials: the token endpoint refuses:
            invalid_client: Client authentication failed due to unknown client, no
            client authentication included, or unsupported authentication method.
          hint: check the client's id, secret and scopes, and that its user is an admin
        TIME  WARN zendesk_dirsync::engine::quarantine: quarantine began app=support error_type="unauthorized"
        cycle CYCLE ended: Zendesk could not be served
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    let fault = rig.told("cycle").into_iter().find(|record| record["cause"]["code"] != "ended").unwrap();
    assert_eq!((&fault["app"], &fault["error"]["type"]), (&"support".into(), &"unauthorized".into()));
    // The right one is read at the next cycle, without a restart of anything.
    rig.write_secret("zendesk.secret", ZENDESK_SECRET);
    rig.run(&["retry", "--app", "support"]).expect(0);
    // The app is probed with one change; when that succeeds, the next cycle serves everybody.
    rig.once().expect(1);
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn a_zendesk_that_isnt_there_ends_the_cycle() {
    let mut rig = Rig::unbraked();
    rig.stop_desk();
    let cycle = rig.once().expect(6);
    expect![[r#"
        corp: read in full, 33 entries, 3 groups
        fault: can't reach Zendesk: the token endpoint: error sending request: client
            error (Connect): tcp connect error: Connection refused (os error 111)
          hint: see that the subdomain is right and Zendesk is up; cycles try again by
              themselves
        cycle CYCLE ended: Zendesk could not be served
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
}

#[test]
fn one_refused_person_doesnt_stop_the_others() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&(hire("support", "gail", "Gail", "Gray") + &hire("support", "hugo", "Hugo", "Hill")));
    rig.desk().push_faults(vec![Fault {
        method: Some("POST".to_owned()),
        path: "/api/v2/users".to_owned(),
        nth: Some(1),
        act: Act::Answer {
            status: 422,
            headers: std::collections::BTreeMap::new(),
            body: serde_json::json!({"error": "RecordInvalid", "description": "Record validation errors", "details": {}}),
        },
    }]);
    let cycle = rig.once().expect(1);
    expect![[r#"
        corp: read in full, 35 entries, 3 groups
          refused  provision gail@example.org: Zendesk refuses: Record validation errors
              (422); correct the value in the directory, or at Zendesk
          done     provision hugo@example.org (assigned)
        cycle CYCLE ended: support: 1 done, 1 failed, 0 held, 0 rejected,
            0 in conflict, of 7 accounts
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    let served = [mail("gail"), mail("hugo")].iter().filter(|mail| rig.account(mail).is_some()).count();
    assert_eq!(served, 1);
    // Who was refused is tried again after a pause, or when somebody says so.
    rig.once().expect(0);
    assert!([mail("gail"), mail("hugo")].iter().any(|mail| rig.account(mail).is_none()));
    rig.run(&["retry", "--app", "support"]).expect(0);
    rig.once().expect(0);
    rig.assert_served(&["gail", "hugo"]);
}
