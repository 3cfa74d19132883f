//! Wrong use, help, and what needs no configuration.

use expect_test::expect;

use crate::support::binary::{Started, command};
use crate::support::rig_cli::Rig;

fn bare(args: &[&str]) -> crate::support::binary::Finished {
    let dir = tempfile::tempdir().unwrap();
    Started::start(command(dir.path(), args, &[])).finish()
}

#[test]
fn an_unknown_option_is_wrong_use() {
    let answer = bare(&["--onse"]).expect(2);
    assert_eq!(answer.stdout, "");
    expect![[]].assert_eq(&answer.stderr);
}

#[test]
fn options_of_a_cycle_dont_go_with_a_subcommand() {
    expect![[]].assert_eq(&bare(&["--once", "status"]).expect(2).all());
}

#[test]
fn a_user_without_a_cycle_is_wrong_use() {
    let rig = Rig::new();
    expect![[]].assert_eq(&rig.run(&["--user", "alice@example.org"]).expect(2).all());
}

#[test]
fn the_help_names_every_command_and_every_exit_code() {
    let help = bare(&["--help"]).expect(0).stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    for word in ["plan", "holds", "report", "status", "check", "--once", "--dry-run", "10  "] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
    assert!(bare(&["--version"]).expect(0).stdout.starts_with("zendesk-dirsync 0."));
}

#[test]
fn completions_and_manual_pages_need_no_configuration() {
    assert!(bare(&["completions", "bash"]).expect(0).stdout.contains("zendesk-dirsync"));
    let dir = tempfile::tempdir().unwrap();
    let args = ["man", &dir.path().display().to_string()];
    bare(&args).expect(0);
    assert!(dir.path().join("zendesk-dirsync.1").exists());
}

#[test]
fn the_check_shows_how_to_repeat_each_line() {
    let rig = Rig::new();
    let checked = rig.run(&["check"]).expect(0);
    expect![[]].assert_eq(&rig.neat(&checked.all()));
    assert_eq!(rig.writes_since(0), []);
    assert!(!checked.all().contains(crate::support::company::LDAP_SECRET));
}
