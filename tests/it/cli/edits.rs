//! An edited configuration: what it does differently waits, whether it comes by a signal, a restart or a single cycle.

use expect_test::expect;
use rustix::process::Signal;

use crate::support::company::{leave, mail};
use crate::support::rig_cli::{Config, Rig};

/// A rig after its first cycle, with the configuration that was agreed to.
fn settled() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig
}

fn tagged(config: &mut Config) {
    config.assignments =
        config.assignments.replace("groups = [\"Support\"]", "groups = [\"Support\"]\ntags = [\"dirsync\"]");
}

/// What waits, by reason.
fn reasons(rig: &Rig) -> Vec<String> {
    let waiting = rig.holds().into_iter().filter(|hold| hold["state"] == "waiting");
    waiting.map(|hold| hold["reason"].as_str().unwrap().to_owned()).collect()
}

const ADDS_TAGS: &str = "this edit adds 0, changes 5, removes 0 of 6 accounts";

/// The edit is in the file; a cycle is run by whoever is there. Nothing but the leaver goes on.
fn holds_the_difference(rig: &Rig) {
    rig.change(&leave("support", "bob"));
    let mark = rig.mark();
    rig.once().expect(4);
    assert_eq!(reasons(rig), [ADDS_TAGS.replace('5', "4")]);
    let written: Vec<String> = rig.writes_since(mark).into_iter().map(|write| write.path).collect();
    let bob = rig.account(&mail("bob")).unwrap();
    assert!(
        bob.suspended
            && written.iter().all(|path| path.contains(&bob.id.to_string()) || path.contains("group_memberships")),
        "{written:?}"
    );
    assert!(rig.account(&mail("alice")).unwrap().tags.is_empty());
    rig.approve_everything();
    rig.once().expect(0);
    assert_eq!(rig.account(&mail("alice")).unwrap().tags, ["dirsync"]);
    // It was agreed to: the same once more is no edit any more.
    rig.change(&leave("support", "alice"));
    rig.once().expect(0);
    assert!(rig.account(&mail("alice")).unwrap().suspended);
}

#[test]
fn an_edit_that_comes_by_a_signal_holds_its_difference() {
    let mut rig = settled();
    let daemon = rig.daemon();
    rig.configure(tagged);
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded");
    holds_the_difference(&rig);
}

#[test]
fn an_edit_that_comes_by_a_restart_holds_its_difference() {
    let mut rig = settled();
    let daemon = rig.daemon();
    daemon.signal(Signal::TERM);
    daemon.finish().expect(0);
    rig.configure(tagged);
    let _daemon = rig.daemon();
    holds_the_difference(&rig);
}

#[test]
fn an_edit_that_is_met_by_a_single_cycle_holds_its_difference() {
    let mut rig = settled();
    rig.configure(tagged);
    holds_the_difference(&rig);
}

#[test]
fn a_restart_neither_ends_nor_agrees_to_an_edit_that_waits() {
    let mut rig = settled();
    rig.configure(tagged);
    rig.once().expect(4);
    let daemon = rig.daemon();
    let mark = rig.mark();
    rig.once().expect(4);
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded");
    rig.once().expect(4);
    assert_eq!((reasons(&rig), rig.writes_since(mark)), (vec![ADDS_TAGS.to_owned()], Vec::new()));
}

#[test]
fn a_revert_by_a_signal_ends_what_waits() {
    let mut rig = settled();
    let daemon = rig.daemon();
    rig.configure(tagged);
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded");
    rig.once().expect(4);
    let mark = rig.mark();
    rig.configure(|config| *config = Config { brake: config.brake.clone(), ..Config::default() });
    daemon.signal(Signal::HUP);
    daemon.says_times("configuration reloaded", 2);
    rig.once().expect(0);
    assert_eq!((reasons(&rig), rig.writes_since(mark)), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_no_rule_is_agreed_to_without_a_word() {
    let mut rig = settled();
    rig.configure(|config| config.schedule = "0 5 1 1 *".to_owned());
    rig.change(&leave("support", "bob"));
    rig.once().expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
}

#[test]
fn another_filter_for_people_holds_what_it_shows_differently() {
    let mut rig = settled();
    // Nobody has this class: everybody is unseen, and groups go on naming them.
    rig.configure(|config| config.directory += "people_filter = \"(objectClass=dirsyncNobody)\"\n");
    let mark = rig.mark();
    for _ in 0..3 {
        rig.once();
    }
    assert_eq!(rig.writes_since(mark), []);
    rig.configure(|config| *config = Config { brake: config.brake.clone(), ..Config::default() });
    rig.once().expect(0);
    assert_eq!(rig.writes_since(mark), []);
}

#[test]
fn another_base_removes_nobody_without_a_word() {
    let rig = settled();
    let mark = rig.mark();
    let whole = rig.config_text();
    rig.write(
        "narrow.toml",
        &whole.replace("base = [\"dc=example,dc=org\"]", "base = [\"ou=groups,dc=example,dc=org\"]"),
    );
    for _ in 0..3 {
        rig.run_by("narrow.toml", &["--once"]);
    }
    assert_eq!(rig.writes_since(mark), []);
    rig.once().expect(0);
    assert_eq!(rig.writes_since(mark), []);
}

#[test]
fn an_app_that_is_taken_out_is_told_in_every_cycle_and_in_the_status() {
    let rig = settled();
    let text = rig.config_text().replace("name = \"support\"", "name = \"helpdesk\"");
    rig.write("renamed.toml", &text);
    for _ in 0..2 {
        let told = rig.run_by("renamed.toml", &["--once"]).expect(4);
        assert!(told.stderr.contains("app support is not configured any more"), "{}", told.stderr);
    }
    let status = rig.run_by("renamed.toml", &["status"]).expect(0).stdout;
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains("its 6 managed accounts stay as they are"), "{status}");
}

/// The configuration with another tag, in a file of its own, without secrets that could be read.
fn without_secrets(rig: &mut Rig) {
    let mut edited =
        rig.config_text().replace("groups = [\"Support\"]", "groups = [\"Support\"]\ntags = [\"dirsync\"]");
    edited = edited.replace(".secret\"", ".gone\"");
    rig.write("new.toml", &edited);
}

#[test]
fn an_edit_is_shown_without_a_network_and_without_secrets() {
    let mut rig = settled();
    without_secrets(&mut rig);
    rig.stop_desk();
    let mark = rig.read("report.log");
    let shown = rig.run_by("new.toml", &["plan", "--offline", "--user", &mail("bob")]).expect(0);
    expect![[r#"
        support: this edit adds 0, changes 5, removes 0 of 6 accounts
        corp: as it was read at TIME; Zendesk as it was last written

        update       bob@example.org  Bob Baker  [waits: edit]
            because changed (support)
            tags: (none) → dirsync

        Plan DIGEST: 1 update of 6 accounts; 1 of 1 change waits for a person
    "#]]
    .assert_eq(&rig.neat(&shown.stdout));
    rig.run_by("new.toml", &["plan", "--offline", "--exit-code"]).expect(10);
    assert_eq!(rig.read("report.log"), mark);
    expect!["corp: recalled as it was read at TIME: 6 people\n"].assert_eq(&rig.neat(&shown.stderr));
}

#[test]
fn an_edit_is_shown_by_a_daemon_that_runs_with_another_configuration() {
    let mut rig = settled();
    without_secrets(&mut rig);
    let _daemon = rig.daemon();
    let mark = rig.mark();
    let shown = rig.run_by("new.toml", &["plan", "--offline"]).expect(0);
    assert!(shown.stdout.starts_with("support: this edit adds 0, changes 5, removes 0 of 6 accounts\n"), "{shown:?}");
    assert_eq!(rig.requests_since(mark), []);
    let unedited = rig.run(&["plan", "--offline"]).expect(0);
    assert!(unedited.stdout.contains("nothing that is known differs from the accepted configuration"), "{unedited:?}");
}

#[test]
fn a_plan_without_a_network_needs_an_image() {
    let rig = Rig::unbraked();
    let shown = rig.run(&["plan", "--offline"]).expect(5);
    assert!(shown.stdout.contains("directory corp was never read in full"), "{shown:?}");
    rig.run(&["plan", "--offline", "--out", "plan.json"]).expect(2);
}
