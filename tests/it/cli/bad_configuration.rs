//! Configurations and secrets that can't be used: everything wrong is said at once, and nothing is started.

use expect_test::expect;

use crate::support::rig_cli::{Rig, assignment};

#[test]
fn five_faults_are_listed_at_once() {
    let mut rig = Rig::new();
    rig.configure(|config| {
        config.schedule = "*/15 * * *".to_owned();
        config.brake = "frist_cycle = \"hold\"".to_owned();
        config.directory = "page_size = \"many\"\n".to_owned();
        config.app = "admins_min = 0\n".to_owned();
        config.assignments = assignment("support", "role = \"agnet\"");
    });
    let refused = rig.once().expect(3);
    assert_eq!(refused.stdout, "");
    expect![[r#"
        error: DIR/config.toml:1:19: daemon.schedule: "*/15 * * *" is
            not a schedule: Invalid pattern: Pattern must have between 5 and 7 fields.
          |
        1 | daemon.schedule = "*/15 * * *"
          |                   ^^^^^^^^^^^^
          |
          = help: five fields (minute hour day month weekday), or six with seconds
              first, like "*/15 * * * *"

        DIR/config.toml:8:1: brake.frist_cycle: `frist_cycle` is not a
            key of [brake]
          |
        8 | frist_cycle = "hold"
          | ^^^^^^^^^^^
          |
          = help: did you mean `first_cycle`?

        DIR/config.toml:17:13: directory[0].page_size: expected a whole
            number, found a text
           |
        17 | page_size = "many"
           |             ^^^^^^
           |
           = help: write a number from 10 to 5000, without quotes

        DIR/config.toml:25:14: app[0].admins_min: 0 is not from 1 to
            1000
           |
        25 | admins_min = 0
           |              ^
           |
           = help: write a number from 1 to 1000, without quotes

        DIR/config.toml:30:8: app[0].assignment[0].role: "agnet" is none
            of "end-user", "agent", "admin"
           |
        30 | role = "agnet"
           |        ^^^^^^^
           |
           = help: did you mean "agent"?

        DIR/config.toml: 5 faults
    "#]]
    .assert_eq(&rig.neat(&refused.stderr));
    assert!(rig.corp().log().is_empty() && rig.mark() == 0, "nothing was asked");
    assert!(!rig.path("state").exists() && !rig.path("report.log").exists(), "nothing was made");
}

#[test]
fn a_daemon_doesnt_start_either() {
    let mut rig = Rig::new();
    rig.configure(|config| config.schedule = "soon".to_owned());
    expect![[r#"
        error: DIR/config.toml:1:19: daemon.schedule: "soon" is not a
            schedule: Invalid pattern: Pattern must have between 5 and 7 fields.
          |
        1 | daemon.schedule = "soon"
          |                   ^^^^^^
          |
          = help: five fields (minute hour day month weekday), or six with seconds
              first, like "*/15 * * * *"

        DIR/config.toml: 1 fault
    "#]]
    .assert_eq(&rig.neat(&rig.run(&[]).expect(3).stderr));
}

#[test]
fn a_file_that_is_no_toml_is_refused() {
    let rig = Rig::new();
    rig.write("config.toml", "daemon.schedule = */15\n");
    expect![[r#"
        error: DIR/config.toml:1:19: this is not TOML: string values
            must be quoted, expected literal string
          |
        1 | daemon.schedule = */15
          |                   ^^^^
          |
          = help: texts stand in quotes, lists in [ ], one key = value a line; nothing
              else was checked yet

        DIR/config.toml: 1 fault
    "#]]
    .assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_missing_file_is_named() {
    let rig = Rig::new();
    std::fs::remove_file(rig.path("config.toml")).unwrap();
    expect![[r#"
        error: DIR/config.toml can't be read: No such file or directory
            (os error 2)
        help: name the file with --config; config.example.toml is one to begin with
    "#]]
    .assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_configuration_that_anybody_may_write_is_refused() {
    let rig = Rig::new();
    rig.set_mode("config.toml", 0o666);
    expect![[r#"
        error: DIR/config.toml can be written by anybody
        help: run chmod o-w DIR/config.toml
    "#]]
    .assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    for (file, mode) in [("ldap.secret", 0o644), ("zendesk.secret", 0o640)] {
        let rig = Rig::new();
        rig.set_mode(file, mode);
        let refused = rig.once().expect(3);
        assert!(refused.stderr.contains(&format!("{file} can be used by others (mode 0{mode:o})")), "{refused:?}");
        assert!(rig.corp().log().is_empty() && rig.mark() == 0, "nothing was asked");
    }
}

#[test]
fn a_missing_secret_says_where_it_should_be() {
    let rig = Rig::new();
    std::fs::remove_file(rig.path("ldap.secret")).unwrap();
    expect![[r#"
        error: DIR/ldap.secret doesn't exist: write the secret into it,
            then run chmod 600 DIR/ldap.secret
    "#]]
    .assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let rig = Rig::new();
    let text = rig.config_text().replace("password_file = ", "password = \"canary-inline-77\", password_file = ");
    rig.write("config.toml", &text);
    let refused = rig.once().expect(3);
    assert!(!refused.all().contains("canary"), "{refused:?}");
    expect![[r#"
        error: DIR/config.toml:16:58: directory[0].bind.password: a
            secret doesn't belong in this file
           |
        16 | bind = { dn = "cn=reader,ou=services,dc=example,dc=org", password = "…", password_file = "DIR/ldap.secret" }
           |                                                          ^^^^^^^^
           |
           = help: write it into a file that only the service can read (chmod 600) and
               name that file: password_file = "/etc/zendesk-dirsync/credentials/NAME",
               or a systemd credential: password_file = "credential:NAME"

        DIR/config.toml: 1 fault
    "#]].assert_eq(&rig.neat(&refused.stderr));
}
