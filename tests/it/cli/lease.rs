//! Two copies of the service beside one Zendesk account, and the command that says which of them writes.

use expect_test::expect;

use crate::support::company::{dn, mail, set};
use crate::support::rig_cli::Rig;

/// A rig that keeps a lease, with a second configuration whose state and report are others': a second host.
fn two_hosts() -> Rig {
    let mut rig = Rig::new();
    rig.configure(|config| {
        config.brake = "first_cycle = \"apply\"".into();
        config.app = "lease = { enabled = true }\n".into();
    });
    let dir = rig.dir().display().to_string();
    let second = rig.config_text().replace(&format!("{dir}/state"), &format!("{dir}/state2"));
    let second = second.replace(&format!("{dir}/report.log"), &format!("{dir}/report2.log"));
    rig.write("second.toml", &second);
    rig
}

/// Text without the names of stores and the numbers of users.
fn neat(rig: &Rig, text: &str) -> String {
    let mut text = rig.neat(text);
    for user in rig.desk().state().users {
        text = text.replace(&format!("user {}", user.id), "user ID");
    }
    text
}

#[test]
fn a_second_host_is_noticed_before_it_writes_and_takes_over_by_a_persons_word() {
    let rig = two_hosts();
    expect!["support: free; this copy (DIGEST) takes it with its first write\n"]
        .assert_eq(&neat(&rig, &rig.run(&["lease"]).expect(0).stdout));
    rig.once().expect(0);
    assert!(rig.account(&mail("alice")).is_some());
    expect![[r#"
        support: this copy (DIGEST) has it
          written last by DIGEST at TIME
          marker: Zendesk user ID, serial 2
    "#]]
    .assert_eq(&neat(&rig, &rig.run(&["lease", "show"]).expect(0).stdout));
    let checked = rig.run(&["check"]).expect(0).stdout;
    let checked: Vec<&str> = checked.lines().filter(|line| line.contains("lease")).collect();
    assert!(checked[0].starts_with("good     app support: the lease was written last by"), "{checked:?}");
    assert_eq!(checked[1].trim(), "zendesk-dirsync lease show --app support");

    // The second host reads a directory in which somebody got another name.
    rig.change(&set(&dn("alice"), "displayName", &["Alice Adams"]));
    let mark = rig.mark();
    let stopped = rig.run_by("second.toml", &["--once"]).expect(4);
    assert!(stopped.stderr.contains("another copy of this service writes here"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("lease take --app support"), "{}", stopped.stderr);
    assert!(rig.writes_since(mark).is_empty());
    assert!(rig.read("report2.log").contains("lease_foreign"), "{}", rig.read("report2.log"));
    expect![[r#"
        support: another copy has it, not this one (DIGEST)
          written last by DIGEST at TIME
          marker: Zendesk user ID, serial 2
          if this copy is to write: `zendesk-dirsync lease take --app support`
    "#]]
    .assert_eq(&neat(&rig, &rig.run_by("second.toml", &["lease", "show", "--app", "support"]).expect(0).stdout));

    let unasked = rig.run_by("second.toml", &["lease", "take"]).expect(2);
    assert!(
        unasked.stderr.contains("there is no terminal to ask on") && unasked.stderr.contains("--yes"),
        "{unasked:?}"
    );
    assert!(!rig.read("report2.log").contains("lease_taken"));
    expect![[r#"
        support: this copy (DIGEST) has it
          written last by DIGEST at TIME
          marker: Zendesk user ID, serial 3
        If another copy wrote before, everything that this one would do waits once: see
            `holds list` after the next cycle.
    "#]]
    .assert_eq(&neat(&rig, &rig.run_by("second.toml", &["lease", "take", "--yes"]).expect(0).stdout));
    assert!(rig.read("report2.log").contains("lease_taken"));
    let mark = rig.mark();
    rig.run_by("second.toml", &["--once"]).expect(4);
    assert!(rig.writes_since(mark).is_empty(), "what it would do waits for a look");
    let listed = rig.run_by("second.toml", &["holds"]).expect(0).stdout;
    assert!(listed.contains("another copy of this service, or a later state"), "{listed}");
    assert!(!listed.contains("lost"), "no store was lost: {listed}");
    // The first host stops from now on.
    rig.once().expect(4);
    assert!(rig.writes_since(mark).is_empty());
    let json = rig.run(&["lease", "show", "--format", "json"]).expect(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&shown[0]["state"], &shown[0]["serial"]), (&"foreign".into(), &3.into()), "{json}");
}

#[test]
fn without_a_lease_there_is_nothing_to_show_or_take() {
    let rig = Rig::unbraked();
    expect!["support: no lease is kept; `enabled = true` under [app.lease] keeps one\n"]
        .assert_eq(&rig.run(&["lease"]).expect(0).stdout);
    let refused = rig.run(&["lease", "take"]).expect(2);
    assert!(refused.stderr.contains("no lease is kept here"), "{}", refused.stderr);
    let refused = rig.run(&["lease", "show", "--app", "sales"]).expect(2);
    assert!(refused.stderr.contains("no app is named \"sales\""), "{}", refused.stderr);
    rig.once().expect(0);
    let about_it = |request: &sandbox::zendesk::Logged| format!("{request:?}").contains("dirsync-lease");
    assert!(!rig.requests_since(0).iter().any(about_it), "nothing of a lease is sent");
}

#[test]
fn a_lease_is_taken_through_a_running_daemon() {
    let rig = two_hosts();
    rig.run_by("second.toml", &["--once"]).expect(0);
    let daemon = rig.daemon();
    let shown = rig.run(&["lease", "show"]).expect(0).stdout;
    assert!(shown.contains("another copy has it"), "{shown}");
    let taken = rig.run(&["lease", "take", "--app", "support", "--yes"]).expect(0).stdout;
    assert!(taken.contains("has it\n  written last by"), "{taken}");
    drop(daemon);
}
