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
    expect![[r#"
        error: unexpected argument '--onse' found

          tip: a similar argument exists: '--once'

        Usage: zendesk-dirsync --once

        For more information, try '--help'.
    "#]]
    .assert_eq(&answer.stderr);
}

#[test]
fn options_of_a_cycle_dont_go_with_a_subcommand() {
    expect![[r#"
        error: these options don't go with a subcommand
          hint: --once, --dry-run and --user without a subcommand run or show a cycle;
              subcommands have their own
    "#]]
    .assert_eq(&bare(&["--once", "status"]).expect(2).all());
}

#[test]
fn a_user_without_a_cycle_is_wrong_use() {
    let rig = Rig::new();
    expect![[r#"
        error: --user needs --once or --dry-run
          hint: the daemon serves everybody
    "#]]
    .assert_eq(&rig.run(&["--user", "alice@example.org"]).expect(2).all());
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
    expect![[r#"
        good     the configuration is in order
        good     directory corp: ldaps://localhost:LDAPPORT: TLS, bound as
            cn=reader,ou=services,dc=example,dc=org; The OpenLDAP Project
            dc=example,dc=org; contextCSN of 1 provider, the newest
            20260101000000.000038Z#000000#000#000000
                 tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT=DIR/tls/ca.pem ldapsearch -x -LLL -o ldif-wrap=no -H ldaps://localhost:LDAPPORT -D cn=reader,ou=services,dc=example,dc=org -y /dev/stdin -b '' -s base '(objectClass=*)' namingContexts
        good     directory corp: the base dc=example,dc=org is there
                 tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT=DIR/tls/ca.pem ldapsearch -x -LLL -o ldif-wrap=no -H ldaps://localhost:LDAPPORT -D cn=reader,ou=services,dc=example,dc=org -y /dev/stdin -b dc=example,dc=org -s base '(objectClass=*)' 1.1
        good     directory corp: the group cn=leads,ou=groups,dc=example,dc=org is
            cn=leads,ou=groups,dc=example,dc=org with
            guid:404055a8-36e6-597d-884d-b9cdcf20ded9: 1 direct member
                 tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT=DIR/tls/ca.pem ldapsearch -x -LLL -o ldif-wrap=no -H ldaps://localhost:LDAPPORT -D cn=reader,ou=services,dc=example,dc=org -y /dev/stdin -b cn=leads,ou=groups,dc=example,dc=org -s base '(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))' entryUUID member
        good     directory corp: the group cn=support,ou=groups,dc=example,dc=org is
            cn=support,ou=groups,dc=example,dc=org with
            guid:3628c5f3-9f70-5795-ac43-967aa8223023: 4 direct members
                 tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT=DIR/tls/ca.pem ldapsearch -x -LLL -o ldif-wrap=no -H ldaps://localhost:LDAPPORT -D cn=reader,ou=services,dc=example,dc=org -y /dev/stdin -b cn=support,ou=groups,dc=example,dc=org -s base '(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))' entryUUID member
        good     directory corp: 30 people under dc=example,dc=org
                 tr -d '\n' <PASSWORDFILE | LDAPTLS_CACERT=DIR/tls/ca.pem ldapsearch -x -LLL -o ldif-wrap=no -H ldaps://localhost:LDAPPORT -D cn=reader,ou=services,dc=example,dc=org -y /dev/stdin -b dc=example,dc=org -s sub -E pr=10/noprompt '(objectClass=person)' entryUUID
                 app support: $TOKEN in the commands below is an access token; this asks
                     for one:
                 TOKEN=$(tr -d '\n' <'DIR/zendesk.secret' | curl -s -d grant_type=client_credentials --data-urlencode 'client_id=dirsync' --data-urlencode 'scope=read write' --data-urlencode client_secret@- 'http://127.0.0.1:DESKPORT/oauth/tokens' | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
        good     app support: we are dirsync@example.org (account 1900000000080, admin)
                 curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:DESKPORT/api/v2/users/me'
        good     app support: 2 groups, 1 custom roles, 3 active admins
                 curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:DESKPORT/api/v2/groups'
    "#]].assert_eq(&rig.neat(&checked.all()));
    assert_eq!(rig.writes_since(0), []);
    assert!(!checked.all().contains(crate::support::company::LDAP_SECRET));
}
