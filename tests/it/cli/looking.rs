//! Commands that only look: what they find, and that they leave everything as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect;
use rustix::process::Signal;
use sandbox::zendesk::{Act, Fault};

use crate::support::company::{dn, group_dn, mail, set};
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until};

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

const LOOKS: [&[&str]; 5] =
    [&["plan"], &["--dry-run"], &["status"], &["holds", "list"], &["plan", "--out", "plan.json"]];

#[test]
fn looking_leaves_every_byte_of_the_state_directory() {
    let rig = Rig::new();
    rig.run(&["status"]).expect(0);
    assert!(!rig.path("state").exists(), "a look makes no store");
    rig.once().expect(4);
    let before = files(&rig.path("state"));
    assert!(before.len() > 2, "{:?}", before.keys());
    for args in LOOKS {
        rig.run(args).expect(0);
        assert!(files(&rig.path("state")) == before, "{args:?} changed the state directory");
    }
    let id = rig.holds()[0]["id"].as_str().unwrap().to_owned();
    rig.run(&["holds", "show", &id]).expect(0);
    assert!(files(&rig.path("state")) == before);
    let left = fs::read_dir("/tmp").unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        let mine = |file: &str| fs::read_to_string(entry.as_ref().unwrap().path().join(file)).unwrap_or_default();
        name.starts_with("zendesk-dirsync-") && mine("manifest.json") == rig.read("state/manifest.json")
    });
    assert_eq!(left.count(), 0, "no copy of the store is left behind");
}

#[test]
fn a_damaged_store_is_told_by_a_look_and_left_where_it_is() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    for (path, _) in files(&rig.path("state/store")) {
        fs::write(path, b"this is no store").unwrap();
    }
    let before = files(&rig.path("state"));
    let status = rig.run(&["status"]).expect(0);
    assert!(status.stderr.contains("everything is matched anew and waits for a person"), "{}", status.stderr);
    assert!(files(&rig.path("state")) == before);
    assert!(!rig.read("report.log").contains("store_replaced"), "it is told by whoever acts on it");
}

#[test]
fn the_status_is_told_beside_a_daemon_though_the_file_has_faults() {
    let mut rig = Rig::new();
    let daemon = rig.daemon();
    let good = rig.config_text();
    rig.configure(|config| config.schedule = "now and then".to_owned());
    let status = rig.run(&["status"]).expect(0);
    assert!(status.stdout.starts_with("daemon         idle"), "{}", status.stdout);
    assert!(status.stderr.contains("the file on disk has faults"), "{}", status.stderr);
    assert!(status.stderr.contains("now and then"), "{}", status.stderr);
    rig.write("config.toml", &(good.clone() + "\n]] not TOML"));
    rig.run(&["status", "--format", "json"]).expect(0);
    rig.run(&["plan"]).expect(3);
    daemon.signal(Signal::TERM);
    daemon.finish().expect(0);
    rig.run(&["status"]).expect(3);
}

#[test]
fn an_empty_report_and_an_empty_search_say_so() {
    let rig = Rig::unbraked();
    let empty = rig.run(&["report"]).expect(0);
    expect![[r#"
        the report has no record yet (DIR/report.log)
    "#]]
    .assert_eq(&rig.neat(&empty.all()));
    rig.once().expect(0);
    let nobody = rig.run(&["report", "--user", "nobody@example.org"]).expect(0);
    expect![[r#"
        no record fits (DIR/report.log)
    "#]]
    .assert_eq(&rig.neat(&nobody.all()));
}

#[test]
fn a_cycle_that_broke_off_is_the_last_one_in_the_status() {
    let rig = Rig::unbraked();
    let daemon = rig.daemon();
    fs::remove_file(rig.path("report.log")).ok();
    fs::create_dir(rig.path("report.log")).unwrap();
    rig.once().expect(7);
    let status = rig.run(&["status"]).expect(0).stdout;
    let last: Vec<&str> = status.lines().skip_while(|line| !line.starts_with("last cycle")).take(2).collect();
    expect![[r#"
        last cycle     CYCLE ended TIME with 7: the report
            can't be written: DIR/report.log: Is a directory (os error"#]]
    .assert_eq(&rig.neat(&last.join("\n")));
    fs::remove_dir(rig.path("report.log")).unwrap();
    drop(daemon);
    assert!(rig.run(&["status"]).expect(0).stdout.contains(" with 7: "), "the store keeps it as well");
}

#[test]
fn a_pinned_group_isnt_counted_among_the_entries() {
    let rig = Rig::unbraked();
    let read = || rig.run(&["plan"]).stderr.lines().next().unwrap_or_default().to_owned();
    let before = read();
    rig.once().expect(0);
    assert_eq!(read(), before);
}

#[test]
fn a_group_that_isnt_reached_any_more_is_named() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let left = ["alice", "bob", "carol"].map(dn);
    rig.change(&set(&group_dn("support"), "member", &left.each_ref().map(String::as_str)));
    rig.once().expect(4);
    expect![[r#"
        DIGEST  support  2 changes  waiting  since TIME
            the group tier1, which held people, is not reached from an assigned group
                any more
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
}

#[test]
fn people_who_share_a_mail_are_told_by_their_entries() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&set(&dn("bob"), "mail", &[&mail("alice")]));
    let plan = rig.run(&["plan"]).expect(0).stdout;
    expect![[r#"
        rejected     alice@example.org
            email: alice@example.org is also that of
                uid=bob,ou=people,dc=example,dc=org: give one of them another
        rejected     alice@example.org
            email: alice@example.org is also that of
                uid=alice,ou=people,dc=example,dc=org: give one of them another
        Nothing to do.
    "#]]
    .assert_eq(&plan);
}

#[test]
fn a_new_configuration_is_taken_even_when_many_commands_wait() {
    let mut rig = Rig::unbraked();
    rig.desk().push_faults(vec![Fault {
        method: Some("POST".to_owned()),
        path: "/api/v2/users".to_owned(),
        nth: None,
        act: Act::Delay { delay_ms: 700 },
    }]);
    let daemon = rig.daemon();
    daemon.signal(Signal::USR1);
    daemon.says("cycle began");
    let waiting: Vec<_> = (0..20).map(|_| rig.start(&["holds"])).collect();
    // The last ones are refused: the queue is full by now.
    until(SOON, "a refusal", || {
        waiting.iter().any(|one| one.stderr().contains("too many commands wait already")).then_some(())
    });
    rig.configure(|config| {
        config.assignments =
            config.assignments.replace("groups = [\"Support\"]", "groups = [\"Support\"]\ntags = [\"dirsync\"]");
    });
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded");
    assert!(!daemon.stderr().contains("cycle ended"), "the cycle still runs");
    for one in waiting {
        one.finish();
    }
    rig.desk().clear_faults();
    // What the edit would do waits: it was taken.
    rig.once().expect(4);
    rig.approve_everything();
    rig.once().expect(0);
    assert_eq!(rig.account(&mail("alice")).unwrap().tags, ["dirsync"]);
}
