//! How faults are found together and shown.

use expect_test::expect;

use super::{faults_of, now, whole};
use crate::config::{Colour, FAULTS_MAX, parse};

const FIVE: &str = r#"[daemon]
shedule = "*/15 * * * *"
jitter = 10

[[directory]]
name = "corp"
kind = "openldap"
urls = ["ldap://ldap.example.org"]
base = ["dc=example,dc=org"]
bind = { dn = "cn=svc,dc=example,dc=org", password_file = "credential:ldap" }

[[app]]
name = "support"
subdomain = "acme"
auth = { client_id = "dirsync", client_secret_file = "credential:zendesk" }
mapping = { name = "{{ displayName }}", email = "{{ mail | lowr }}" }

[[app.assignment]]
directory = "crop"
group = "cn=support,ou=groups,dc=example,dc=org"
"#;

#[test]
fn five_faults_are_listed_as_five() {
    let faults = faults_of(FIVE);
    assert_eq!(faults.count(), 5);
    expect![[r#"
        config.toml:2:1: daemon.shedule: `shedule` is not a key of [daemon]
          |
        2 | shedule = "*/15 * * * *"
          | ^^^^^^^
          |
          = help: did you mean `schedule`?

        config.toml:3:10: daemon.jitter: expected a text in quotes, found a whole number
          |
        3 | jitter = 10
          |          ^^
          |
          = help: write jitter = "30s"

        config.toml:8:9: directory[0].urls[0]: "ldap://ldap.example.org" would send the password and everybody's data in the clear
          |
        8 | urls = ["ldap://ldap.example.org"]
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write ldaps://, or starttls = true; on a wire that nobody else can reach, plaintext = true

        config.toml:16:60: app[0].mapping.email: the template can't be used: there is no filter "lowr"
           |
        16 | mapping = { name = "{{ displayName }}", email = "{{ mail | lowr }}" }
           |                                                            ^^^^
           |
           = help: write attributes as {{ name }}, a default as {{ title | default('-') }}, every value as {{ 'mail' | all | join(' ') }}

        config.toml:19:13: app[0].assignment[0].directory: there is no directory "crop"
           |
        19 | directory = "crop"
           |             ^^^^^^
           |
           = help: did you mean "corp"?

        config.toml: 5 faults
    "#]].assert_eq(&faults.render(Colour::Plain));
}

#[test]
fn faults_know_their_places() {
    let faults = faults_of(FIVE);
    let places: Vec<(usize, usize, &str)> = faults.iter().map(|f| (f.line, f.column, f.key.as_str())).collect();
    expect![[r#"
        [
            (
                2,
                1,
                "daemon.shedule",
            ),
            (
                3,
                10,
                "daemon.jitter",
            ),
            (
                8,
                9,
                "directory[0].urls[0]",
            ),
            (
                16,
                60,
                "app[0].mapping.email",
            ),
            (
                19,
                13,
                "app[0].assignment[0].directory",
            ),
        ]
    "#]]
    .assert_debug_eq(&places);
}

#[test]
fn one_line_for_the_log_holds_them_all() {
    let text = faults_of(FIVE).to_string();
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(text.matches("config.toml:").count(), 5, "{text}");
}

#[test]
fn colour_is_there_when_it_is_wanted_and_changes_no_word() {
    let faults = faults_of(FIVE);
    assert!(!faults.render(Colour::Plain).contains('\u{1b}'));
    let coloured = faults.render(Colour::Coloured);
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), faults.render(Colour::Plain));
}

#[test]
fn a_file_that_is_not_toml_is_one_fault_with_its_place() {
    let faults = faults_of("[daemon]\nschedule = */15\n");
    expect![[r#"
        config.toml:2:12: this is not TOML: string values must be quoted, expected literal string
          |
        2 | schedule = */15
          |            ^^^^
          |
          = help: texts stand in quotes, lists in [ ], one key = value a line; nothing else was checked yet

        config.toml: 1 fault
    "#]]
    .assert_eq(&faults.render(Colour::Plain));
    let twice = faults_of(&format!("{}\n[daemon]\njitter = \"1s\"\njitter = \"2s\"\n", whole()));
    assert_eq!(twice.count(), 1);
    assert!(twice.iter().all(|fault| fault.what.contains("duplicate key")), "{twice}");
}

#[test]
fn an_empty_file_lacks_a_directory_and_an_app() {
    let keys: Vec<String> = faults_of("").iter().map(|fault| fault.what.clone()).collect();
    assert_eq!(keys, ["the key `app` is missing", "the key `directory` is missing"]);
}

#[test]
fn a_secret_in_the_file_is_a_fault_that_does_not_show_it() {
    let text = whole().replace("password_file = \"credential:ldap\"", "password = \"hunter2\"");
    let faults = faults_of(&text);
    let shown = faults.render(Colour::Plain);
    expect![[r#"
        config.toml:7:43: directory[0].bind.password: a secret doesn't belong in this file
          |
        7 | bind = { dn = "cn=svc,dc=example,dc=org", password = "…" }
          |                                           ^^^^^^^^
          |
          = help: write it into a file that only the service can read (chmod 600) and name that file: password_file = "/etc/zendesk-dirsync/credentials/NAME", or a systemd credential: password_file = "credential:NAME"

        config.toml: 1 fault
    "#]].assert_eq(&shown);
    assert!(!format!("{faults:?}{faults}").contains("hunter2"));
}

#[test]
fn no_fault_beside_a_secret_shows_it() {
    let secrets = [
        ("password_file = \"credential:ldap\"", "password_file = \"hunter2\""),
        ("password_file = \"credential:ldap\"", "password_file = \"credential:hunter2 !\""),
        ("password_file = \"credential:ldap\"", "pasword = \"x\", bindpassword = \"hunter2\""),
        ("urls = [\"ldaps://ldap.example.org\"]", "urls = [\"ldaps://svc:hunter2@ldap.example.org\"]"),
        ("subdomain = \"acme\"", "base_url = \"https://svc:hunter2@acme.zendesk.com\""),
        ("subdomain = \"acme\"", "token = \"hunter2\"\nsubdomain = 5"),
        ("client_secret_file = \"credential:zendesk\"", "client_secret = { value = \"hunter2\" }"),
        ("client_secret_file = \"credential:zendesk\"", "client_secret = [\"hunter2\"]"),
        ("password_file = \"credential:ldap\" }", "password = \"hunter2\" "),
        ("password_file = \"credential:ldap\" }", "password = hunter2 }"),
        ("urls = [\"ldaps://ldap.example.org\"]", "urls = [ldaps://svc:hunter2@ldap.example.org]"),
    ];
    for (old, new) in secrets {
        let text = whole();
        assert_eq!(text.matches(old).count(), 1, "{old}");
        let faults = faults_of(&text.replace(old, new));
        for shown in [faults.render(Colour::Plain), faults.to_string(), format!("{faults:?}")] {
            assert!(!shown.contains("hunter2"), "{new}:\n{shown}");
        }
    }
}

#[test]
fn unknown_keys_are_faults_that_say_what_was_meant() {
    let cases = [
        ("[daemon]\ntimezon = \"UTC\"", "daemon.timezon", "did you mean `timezone`?"),
        ("[daemon]\ncron = \"@daily\"", "daemon.cron", "did you mean `schedule`?"),
        ("[daemon]\nmax_age = \"1d\"", "daemon.max_age", "it is a key of [report]: move it there"),
        ("[daemon]\nfoo = 1", "daemon.foo", "known here: jitter, schedule, timezone"),
        ("[report]\n\"a b\" = 1", "report.\"a b\"", "\"a b\" is not a key of [report]"),
        ("[reports]\nfile = \"/x\"", "reports", "did you mean `report`?"),
    ];
    for (text, key, says) in cases {
        let faults = faults_of(&format!("{}\n{text}\n", whole()));
        assert_eq!(faults.count(), 1, "{faults}");
        let fault = faults.iter().next().unwrap();
        assert_eq!(fault.key, key);
        assert!(format!("{} {}", fault.what, fault.remedy).contains(says), "{fault}");
    }
    // A key of the app below an assignment is the usual slip.
    let faults = faults_of(&format!("{}rate_share = 50\n", whole()));
    let fault = faults.iter().next().unwrap();
    assert_eq!(
        (fault.key.as_str(), fault.remedy.as_str()),
        ("app[0].assignment[0].rate_share", "it is a key of [[app]]: move it there")
    );
}

#[test]
fn a_wrong_type_hides_nothing_else() {
    let text = whole()
        .replace("name = \"corp\"", "name = 7")
        .replace("kind = \"openldap\"", "kind = [\"openldap\"]")
        .replace("base = [\"dc=example,dc=org\"]", "base = \"dc=example,dc=org\"")
        .replace("subdomain = \"acme\"", "subdomain = \"acme\"\ncreate = \"yes\"\nadmins_min = 2.5\nmapping.x = 1")
        .replace("mapping = {", "#");
    let keys: Vec<String> = faults_of(&text).iter().map(|fault| fault.key.clone()).collect();
    expect![[r#"
        [
            "directory[0].name",
            "directory[0].kind",
            "directory[0].base",
            "app[0].create",
            "app[0].admins_min",
            "app[0].mapping",
            "app[0].mapping",
            "app[0].mapping.x",
        ]
    "#]]
    .assert_debug_eq(&keys);
}

#[test]
fn a_flood_of_faults_is_counted_and_cut() {
    let flood: String = (0..FAULTS_MAX + 50).map(|number| format!("x{number} = 1\n")).collect();
    let faults = faults_of(&format!("{flood}{}", whole()));
    assert_eq!((faults.count(), faults.iter().count()), (FAULTS_MAX + 50, FAULTS_MAX));
    assert!(faults.render(Colour::Plain).ends_with("config.toml: 150 faults; the first 100 are shown\n"));
}

#[test]
fn a_large_and_senseless_file_is_refused_without_a_flood() {
    let line = |number: usize| format!("password{number} = \"x\"\n");
    let secrets: String = (0..40_000).map(line).collect();
    let one_line = format!("a = [{}]", "\"x\", ".repeat(100_000));
    let nested = format!("a = {}", "[".repeat(500_000));
    for text in [secrets, one_line, nested, "x".repeat(1_000_000), "\"".repeat(1_000_000)] {
        let faults = faults_of(&text);
        assert!(faults.render(Colour::Plain).len() < 200_000);
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_shown_to_it() {
    let template = format!("{}\nmatching.external_id = \"{{{{ a\\u001b[2J\\u009b2J }}}}\"\n", super::APP);
    let texts = [
        "\u{1b}[2J = 1",
        "a = \"\u{1b}[2J\"",
        "\"a\\u001b[2J\" = 1",
        "[daemon]\nschedule = \"\\u001b[2J\"",
        "[daemon]\nschedule = \"\u{9b}2J\"",
        "[daemon]\nschedule = 5 # \u{9b}2J\u{202e}",
        &template,
    ];
    for text in texts {
        for origin in ["config.toml", "a\u{1b}[2J\u{9b}"] {
            let faults = parse(text, origin, now()).unwrap_err();
            for shown in [faults.render(Colour::Plain), faults.to_string(), format!("{faults:?}")] {
                let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
                assert!(!shown.contains(obeyed), "{shown:?}");
            }
        }
    }
}
