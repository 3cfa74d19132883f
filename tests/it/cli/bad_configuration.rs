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
    expect![[]].assert_eq(&rig.neat(&refused.stderr));
    assert!(rig.corp().log().is_empty() && rig.mark() == 0, "nothing was asked");
    assert!(!rig.path("state").exists() && !rig.path("report.log").exists(), "nothing was made");
}

#[test]
fn a_daemon_doesnt_start_either() {
    let mut rig = Rig::new();
    rig.configure(|config| config.schedule = "soon".to_owned());
    expect![[]].assert_eq(&rig.neat(&rig.run(&[]).expect(3).stderr));
}

#[test]
fn a_file_that_is_no_toml_is_refused() {
    let rig = Rig::new();
    rig.write("config.toml", "daemon.schedule = */15\n");
    expect![[]].assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_missing_file_is_named() {
    let rig = Rig::new();
    std::fs::remove_file(rig.path("config.toml")).unwrap();
    expect![[]].assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_configuration_that_anybody_may_write_is_refused() {
    let rig = Rig::new();
    rig.set_mode("config.toml", 0o666);
    expect![[]].assert_eq(&rig.neat(&rig.once().expect(3).stderr));
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
    expect![[]].assert_eq(&rig.neat(&rig.once().expect(3).stderr));
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let rig = Rig::new();
    let text = rig.config_text().replace("password_file = ", "password = \"canary-inline-77\", password_file = ");
    rig.write("config.toml", &text);
    let refused = rig.once().expect(3);
    assert!(!refused.all().contains("canary"), "{refused:?}");
    expect![[]].assert_eq(&rig.neat(&refused.stderr));
}
