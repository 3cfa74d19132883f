//! The daemon: its schedule, its signals, its end.

use std::time::Duration;

use rustix::process::Signal;
use sandbox::zendesk::{Act, Fault};

use crate::support::company::{LEADS, SUPPORT, hire, mail};
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until, within};

/// Makes creations so slow that a signal meets one.
fn slow_creations(rig: &Rig, delay_ms: u64) {
    let path = "/api/v2/users".to_owned();
    rig.desk().push_faults(vec![Fault {
        method: Some("POST".to_owned()),
        path,
        nth: None,
        act: Act::Delay { delay_ms },
    }]);
}

#[test]
fn the_schedule_runs_cycles() {
    let mut rig = Rig::unbraked();
    rig.configure(|config| config.schedule = "* * * * * *".to_owned());
    let daemon = rig.daemon();
    daemon.says_times("cycle ended", 2);
    rig.assert_served(&SUPPORT);
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    until(SOON, "an account for gail", || rig.account(&mail("gail")));
    daemon.signal(Signal::TERM);
    let ended = daemon.finish().expect(0);
    assert_eq!(ended.stdout, "");
    let told = rig.report();
    assert!(told.iter().all(|record| record["actor"] == "daemon"), "{told:#?}");
}

#[test]
fn without_a_tick_nothing_happens() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    assert_eq!(rig.mark(), 0);
    daemon.signal(Signal::INT);
    daemon.finish().expect(0);
    assert_eq!(rig.mark(), 0);
    assert!(rig.report().is_empty());
}

#[test]
fn a_signal_runs_a_cycle_now() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    daemon.signal(Signal::USR1);
    daemon.says("cycle ended");
    rig.assert_served(&SUPPORT);
}

#[test]
fn a_new_configuration_is_taken_at_a_signal() {
    let mut rig = Rig::unbraked();
    let daemon = rig.daemon();
    rig.once().expect(0);
    rig.configure(|config| {
        config.assignments =
            config.assignments.replace("groups = [\"Support\"]", "groups = [\"Support\"]\ntags = [\"dirsync\"]");
    });
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded");
    rig.once().expect(4);
    rig.approve_everything();
    rig.once().expect(0);
    assert_eq!(rig.account(&mail("alice")).unwrap().tags, ["dirsync"]);
    drop(daemon);
}

#[test]
fn a_wrong_configuration_is_refused_at_a_signal_and_the_old_one_goes_on() {
    let mut rig = Rig::unbraked();
    let daemon = rig.daemon();
    rig.once().expect(0);
    let good = rig.config_text();
    rig.configure(|config| config.schedule = "now and then".to_owned());
    daemon.signal(Signal::HUP);
    daemon.says("the new configuration is refused");
    // A command reads the file itself: this one reads a copy that is right.
    rig.write("good.toml", &good);
    let status = rig.run_by("good.toml", &["status"]).expect(0);
    assert!(status.stdout.contains("the last reload was refused"), "{}", status.stdout);
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    daemon.signal(Signal::USR1);
    until(SOON, "an account for gail", || rig.account(&mail("gail")));
}

#[test]
fn a_term_finishes_the_change_in_hand() {
    let rig = Rig::unbraked();
    slow_creations(&rig, 400);
    let daemon = rig.daemon();
    daemon.signal(Signal::USR1);
    let made = || rig.desk().state().users.len() - 4;
    until(SOON, "a second account", || (made() >= 2).then_some(()));
    daemon.signal(Signal::TERM);
    let mut daemon = daemon;
    let ended = within(Duration::from_secs(10), || (!daemon.runs()).then_some(()));
    assert!(ended.is_some(), "it doesn't end within 10 s");
    daemon.finish().expect(0);
    let made = made();
    assert!(made < SUPPORT.len() + LEADS.len(), "the cycle was over before the signal came");
    // Whoever was begun is finished, and told.
    let told = rig.told("provision");
    assert_eq!(told.len(), made);
    for record in &told {
        assert_eq!(record["result"], "done", "{record}");
        let account = rig.desk().state().user_by_id(record["zendesk_id"].as_u64().unwrap()).cloned().unwrap();
        assert!(!account.groups.is_empty(), "{account:?}");
    }
    rig.desk().clear_faults();
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
    assert_eq!(rig.told("provision").len(), SUPPORT.len() + LEADS.len());
}

#[test]
fn a_single_cycle_ends_in_order_too() {
    let rig = Rig::unbraked();
    slow_creations(&rig, 400);
    let once = rig.start(&["--once"]);
    until(SOON, "an account", || (rig.desk().state().users.len() > 4).then_some(()));
    once.signal(Signal::INT);
    let ended = once.finish();
    assert_eq!(ended.code, Some(1), "some changes were left: {ended:?}");
    rig.desk().clear_faults();
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
    assert_eq!(rig.told("provision").len(), SUPPORT.len() + LEADS.len());
}

#[test]
fn a_killed_daemons_socket_is_no_hindrance() {
    let rig = Rig::unbraked();
    rig.daemon().kill();
    assert!(rig.path("state/control.sock").exists());
    rig.run(&["status"]).expect(0);
    rig.once().expect(0);
    let daemon = rig.daemon();
    rig.once().expect(0);
    daemon.signal(Signal::TERM);
    daemon.finish().expect(0);
    assert!(!rig.path("state/control.sock").exists());
}

#[test]
fn a_pause_ends_at_its_time_and_what_was_due_is_done_though_no_tick_is_near() {
    let mut rig = Rig::unbraked();
    rig.configure(|config| config.schedule = "0 3 1 1 *".to_owned());
    rig.once().expect(0);
    let daemon = rig.daemon();
    let paused = rig.run(&["pause", "moving house", "--until", "2s"]).expect(0);
    assert!(paused.stdout.starts_with("Paused: everything by "), "{paused:?}");
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    until(SOON, "an account for gail", || rig.account(&mail("gail")));
    let status = rig.run(&["status"]).expect(0).stdout;
    assert!(!status.contains("paused"), "{status}");
    let ended = rig.told("resume");
    assert_eq!((ended.len(), ended[0]["actor"].as_str()), (1, Some("daemon")), "{ended:?}");
    drop(daemon);
}
