//! Each rule of the service and of directories, broken once; and what stands once in a whole file.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{
    APP, ASSIGNMENT, BASE, BIND, DIRECTORY, FIRST, KIND, PASSWORD, SUBDOMAIN, URLS, beside, faults_of, read, refused,
    section, whole, with,
};
use crate::domain::assignment::{EmptyGroup, Role, RoleGrant};
use crate::domain::brake::{FirstCycle, Limit, Limits};
use crate::domain::change::{CauseCode, Welcome};
use crate::domain::mapping::ExternalIdRule;
use crate::domain::rules::{Removal, Switch};
use crate::domain::settings::{Protection, Ranges, Redaction, SecretPlace, ZendeskAuth};

#[test]
fn the_shortest_file_has_the_defaults() {
    let settings = read(&whole()).unwrap();
    assert_eq!(settings.schedule.as_str(), "*/15 * * * *");
    assert_eq!(settings.schedule.zone(), chrono_tz::Tz::UTC);
    assert_eq!(settings.jitter, Duration::ZERO);
    assert_eq!(settings.state_dir.to_str(), Some("/var/lib/zendesk-dirsync"));
    assert_eq!(settings.limits, Limits::default());
    let report = &settings.report;
    assert_eq!(report.file.to_str(), Some("/var/log/zendesk-dirsync/report.log"));
    assert_eq!((report.max_size, report.max_total), (50 << 20, 2 << 30));
    assert_eq!((report.max_age, report.redact), (Duration::from_secs(400 * 86400), Redaction::None));
    let directory = &settings.directories[0];
    assert_eq!((directory.id_attribute.as_str(), directory.member_attribute.as_str()), ("entryUUID", "member"));
    assert_eq!((directory.page_size, directory.ranges), (1000, Ranges::AsServed));
    assert_eq!((directory.timeout, directory.read_timeout), (Duration::from_secs(30), Duration::from_secs(600)));
    assert_eq!(directory.bind_password, SecretPlace::Credential("ldap".into()));
    let url = &directory.urls[0];
    assert_eq!((url.host.as_str(), url.port, url.protection), ("ldap.example.org", 636, Protection::Ldaps));
    let app = &settings.apps[0];
    assert_eq!(app.base_url.as_str(), "https://acme.zendesk.com/");
    assert_eq!((app.rate_share_percent, app.timeout), (75, Duration::from_secs(30)));
    assert!(
        matches!(&app.auth, ZendeskAuth::Client { scopes, .. } if scopes == &BTreeSet::from(["read".into(), "write".into()]))
    );
    let rules = &app.rules;
    assert_eq!((rules.admins_min, rules.welcome), (2, Welcome::Silent));
    assert_eq!((rules.switches.create, rules.switches.update), (Switch::On, Switch::On));
    assert_eq!((rules.switches.deprovision, rules.switches.reactivate), (Switch::On, Switch::On));
    assert_eq!(rules.mapping.external_id(), &ExternalIdRule::Own);
    assert!(rules.adoption.cases.is_empty() && rules.adoption.domains.is_none());
    assert!(rules.agent_email_domains.is_none() && rules.protected.is_empty());
    assert_eq!(rules.removal(CauseCode::Gone), Removal::Suspend);
    let assignment = &rules.assignments[0];
    assert_eq!(assignment.role, Some(RoleGrant::Plain(Role::Agent)));
    assert_eq!(assignment.empty, EmptyGroup::Holds);
}

#[test]
fn what_is_set_arrives() {
    let service = r#"
daemon = { schedule = "30 0 3 * * *", timezone = "Europe/Berlin", jitter = "90s" }
state.dir = "/srv/state"
report = { file = "/srv/r.log", max_size = "1 MiB", max_age = "30d", max_total = "1MiB", redact = "personal" }
[brake]
first_cycle = "apply"
removals_shown = { count = 1, percent = 2 }
removals_by_absence = { count = 3, percent = 4 }
removals_24h = { count = 9, percent = 10 }
removals_7d = { count = 11, percent = 12 }
takes_or_raises = { count = 5, percent = 6 }
takes_or_raises_24h = { count = 13, percent = 14 }
creations = { count = 7, percent = 8 }
updates = { count = 15, percent = 16 }
source_gone = { count = 0, percent = 0 }
"#;
    let settings = with(FIRST, &format!("{service}{FIRST}")).unwrap();
    assert_eq!(settings.schedule.with_seconds(), "30 0 3 * * *");
    assert_eq!(settings.schedule.zone(), chrono_tz::Tz::Europe__Berlin);
    assert_eq!(settings.jitter, Duration::from_secs(90));
    assert_eq!(settings.state_dir.to_str(), Some("/srv/state"));
    assert_eq!((settings.report.max_size, settings.report.max_total), (1 << 20, 1 << 20));
    assert_eq!(settings.report.redact, Redaction::Personal);
    let limit = |count, percent| Limit { count, percent };
    let wanted = Limits {
        shown: limit(1, 2),
        absence: limit(3, 4),
        removals_24h: limit(9, 10),
        removals_7d: limit(11, 12),
        takes_or_raises: limit(5, 6),
        takes_or_raises_24h: limit(13, 14),
        creations: limit(7, 8),
        updates: limit(15, 16),
        source_gone: limit(0, 0),
        first_cycle: FirstCycle::Apply,
    };
    assert_eq!(settings.limits, wanted);
}

#[test]
fn what_is_set_for_a_directory_arrives() {
    let more = r#"
ca_file = "/etc/ca.pem"
starttls = true
id_attribute = "1.2.840.113556.1.4.2"
people_filter = "(&(objectClass=person)(!(employeeType=te\\28st)))"
group_filter = "(objectClass=posixGroup)"
member_attribute = "memberUid"
canaries = [{ dn = "cn=g,dc=x", attribute = "member" }, { dn = "cn=p,dc=x" }]
ignored_contexts = ["dc=child,dc=example,dc=org"]
ranges = 10
page_size = 10
timeout = "5s"
read_timeout = "5s"
urls = ["ldap://LDAP.example.org", "ldap://[::1]:1389/", "ldaps://10.0.0.1"]"#;
    let directory = with(URLS, more).unwrap().directories.remove(0);
    let urls: Vec<_> = directory.urls.iter().map(|url| (url.host.as_str(), url.port, url.protection)).collect();
    let wanted = [
        ("ldap.example.org", 389, Protection::StartTls),
        ("::1", 1389, Protection::StartTls),
        ("10.0.0.1", 636, Protection::Ldaps),
    ];
    assert_eq!(urls, wanted);
    assert_eq!(directory.ca_file.unwrap().to_str(), Some("/etc/ca.pem"));
    let canaries: Vec<_> =
        directory.canaries.iter().map(|one| (one.dn.as_str().to_owned(), one.attribute.as_deref())).collect();
    assert_eq!(canaries, [("cn=g,dc=x".to_owned(), Some("member")), ("cn=p,dc=x".to_owned(), None)]);
    assert_eq!(directory.ignored_contexts[0].as_str(), "dc=child,dc=example,dc=org");
    assert_eq!((directory.page_size, directory.ranges), (10, Ranges::Forced(10)));
    assert_eq!(directory.people_filter, "(&(objectClass=person)(!(employeeType=te\\28st)))");
    assert_eq!(
        (directory.id_attribute.as_str(), directory.member_attribute.as_str()),
        ("1.2.840.113556.1.4.2", "memberUid")
    );
}

#[test]
fn canaries_and_ignored_contexts_are_named_by_their_dns() {
    beside(URLS, "canaries = [{ attribute = \"mail\" }]", "directory[0].canaries[0]", "`dn` is missing");
    beside(URLS, "canaries = [{ dn = \"alice\" }]", "directory[0].canaries[0].dn", "");
    beside(URLS, "canaries = [{ dn = \"\" }]", "directory[0].canaries[0].dn", "has no name");
    beside(URLS, "canaries = [{ dn = \"cn=a\", attribute = \"a b\" }]", "directory[0].canaries[0].attribute", "");
    beside(URLS, "canaries = [{ dn = \"cn=a\", atribute = \"a\" }]", "directory[0].canaries[0].atribute", "");
    beside(URLS, "canaries = [\"cn=a\"]", "directory[0].canaries[0]", "table");
    beside(URLS, "ignored_contexts = [\"\"]", "directory[0].ignored_contexts[0]", "everything");
    beside(URLS, "ignored_contexts = [\"child\"]", "directory[0].ignored_contexts[0]", "");
    beside(URLS, "ignored_contexts = [\"dc=org\"]", "directory[0].ignored_contexts[0]", "lies in this context");
}

#[test]
fn what_is_ignored_decides_how_a_directory_is_read_and_a_canary_does_not() {
    let scope = |more: &str| with(URLS, &format!("{URLS}\n{more}")).unwrap().directories[0].scope();
    assert_eq!(scope(""), scope("canaries = [{ dn = \"cn=a\" }]"));
    assert_ne!(scope(""), scope("ignored_contexts = [\"dc=child,dc=example,dc=org\"]"));
}

#[test]
fn a_schedule_must_come_round() {
    section("daemon.schedule = \"61 * * * *\"", "daemon.schedule", "is not a schedule");
    section("daemon.schedule = \"0 0 31 2 *\"", "daemon.schedule", "never comes round");
    section("daemon.schedule = \"every day\"", "daemon.schedule", "five fields");
    section("daemon.timezone = \"Europe/Berln\"", "daemon.timezone", "did you mean \"Europe/Berlin\"?");
    section("daemon.timezone = \"the moon\"", "daemon.timezone", "IANA");
    section("daemon.jitter = \"2h\"", "daemon.jitter", "too long");
    section("daemon.jitter = \"soon\"", "daemon.jitter", "is not a duration");
}

#[test]
fn paths_begin_at_the_root() {
    section("state.dir = \"state\"", "state.dir", "not an absolute path");
    section("report.file = \"./report.log\"", "report.file", "not an absolute path");
    section("report.file = \"/var/log/\"", "report.file", "a directory's path");
    section("state.dir = \"/a\\u0007\"", "state.dir", "control characters");
    beside(URLS, "ca_file = \"ca.pem\"", "directory[0].ca_file", "not an absolute path");
    refused(PASSWORD, "password_file = \"password.txt\"", "directory[0].bind.password_file", "doesn't name a file");
    refused(PASSWORD, "password_file = \"credential:../x\"", "directory[0].bind.password_file", "credential");
    refused(PASSWORD, "password_file = \"credential:\"", "directory[0].bind.password_file", "credential");
    refused(PASSWORD, "password_file = \"credential:..\"", "directory[0].bind.password_file", "credential");
}

#[test]
fn the_report_has_bounds() {
    section("report.max_size = \"1 KiB\"", "report.max_size", "too small");
    section("report.max_size = \"lots\"", "report.max_size", "is not a size");
    section("report.max_age = \"1h\"", "report.max_age", "too short");
    section("report.max_total = \"1 MiB\"", "report.max_total", "less than one of them");
    section("report.max_size = \"3 GiB\"", "report.max_size", "less than one of them");
    section("report.redact = \"all\"", "report.redact", "\"none\", \"personal\"");
}

#[test]
fn a_limit_of_the_brake_has_both_halves() {
    section("brake.removals_shown = { count = 0 }", "brake.removals_shown", "`percent` is missing");
    section("brake.creations = { percent = 5 }", "brake.creations", "`count` is missing");
    section("brake.creations = { count = 1, percent = 101 }", "brake.creations.percent", "101 is not from 0 to 100");
    section("brake.creations = { count = -1, percent = 5 }", "brake.creations.count", "-1 is not from");
    section("brake.first_cycle = \"go\"", "brake.first_cycle", "\"hold\", \"apply\"");
    section("brake.creations = 5", "brake.creations", "expected a table, found a whole number");
    section("brake.creations = 3", "brake.creations", "creations = { count = 20, percent = 20 }");
}

#[test]
fn every_limit_of_the_brake_refuses_nonsense() {
    let keys = [
        "removals_shown",
        "removals_by_absence",
        "removals_24h",
        "removals_7d",
        "takes_or_raises",
        "takes_or_raises_24h",
        "creations",
        "updates",
        "source_gone",
    ];
    for key in keys {
        let brake = |value: &str| format!("brake.{key} = {value}");
        section(&brake("{ count = 5 }"), &format!("brake.{key}"), "`percent` is missing");
        section(&brake("{ count = 5, percent = 101 }"), &format!("brake.{key}.percent"), "not from 0 to 100");
        section(&brake("{ count = -5, percent = 1 }"), &format!("brake.{key}.count"), "is not from");
        section(&brake("{ count = 5, percent = 1, days = 2 }"), &format!("brake.{key}.days"), "is not a key");
        section(&brake("\"5 %\""), &format!("brake.{key}"), "expected a table");
    }
}

#[test]
fn a_longer_time_lets_no_fewer_through() {
    let brake = |a: &str, b: &str| {
        format!("brake.{a} = {{ count = 6, percent = 8 }}\nbrake.{b} = {{ count = 6, percent = 7 }}")
    };
    let pairs = [
        ("removals_shown", "removals_24h"),
        ("removals_by_absence", "removals_24h"),
        ("removals_24h", "removals_7d"),
        ("takes_or_raises", "takes_or_raises_24h"),
    ];
    for (shorter, longer) in pairs {
        section(&brake(shorter, longer), &format!("brake.{longer}"), &format!("fewer through than {shorter}"));
    }
}

#[test]
fn what_may_be_done_in_a_cycle_may_be_done_in_a_day() {
    let lax =
        "brake.removals_shown = { count = 50, percent = 60 }\nbrake.takes_or_raises = { count = 70, percent = 80 }\n";
    let limits = with(FIRST, &format!("{lax}{FIRST}")).unwrap().limits;
    let limit = |count, percent| Limit { count, percent };
    assert_eq!((limits.removals_24h, limits.removals_7d), (limit(50, 60), limit(50, 60)));
    assert_eq!(limits.takes_or_raises_24h, limit(70, 80));
}

#[test]
fn a_server_is_reached_by_tls_unless_plaintext_is_wished() {
    let key = "directory[0].urls[0]";
    refused(URLS, "urls = [\"ldap://ldap.example.org\"]", key, "in the clear");
    refused(URLS, "urls = [\"ldap://127.0.0.1\"]", key, "in the clear");
    refused(URLS, "urls = [\"ldap://ldap.example.org\"]\nplaintext = false", key, "in the clear");
    let plain = with(URLS, "urls = [\"ldap://127.0.0.1:3890\"]\nplaintext = true").unwrap();
    assert_eq!(plain.directories[0].urls[0].protection, Protection::Plaintext);
    beside(URLS, "starttls = true\nplaintext = true", "directory[0].plaintext", "can't both hold");
}

#[test]
fn a_server_url_is_a_host_and_a_port() {
    let cases = [
        ("ldap.example.org", "it has no \\\"ldaps://"),
        ("ldapi:///var/run/ldapi", "only ldaps:// and ldap://"),
        ("https://ldap.example.org", "only ldaps:// and ldap://"),
        ("ldaps://", "its host is missing"),
        ("ldaps://a b", "its host is missing"),
        ("ldaps://h:0", "its port is not from 1 to 65535"),
        ("ldaps://h:99999", "its port is not"),
        ("ldaps://h:x", "its port is not"),
        ("ldaps://::1", "needs '[' and ']'"),
        ("ldaps://[::1", "is not closed"),
        ("ldaps://[zz]", "no IPv6 address"),
        ("ldaps://[::1]x", "comes no port"),
        ("ldaps://h/dc=example,dc=org", "more than a host and a port"),
        ("ldaps://h?x", "more than a host and a port"),
        ("ldaps://me@h", "must not hold a login"),
        ("ldaps://dc1:3269", "Global Catalog"),
        ("ldaps://[::1]:3268", "Global Catalog"),
    ];
    for (url, says) in cases {
        refused(URLS, &format!("urls = [\"{url}\"]"), "directory[0].urls[0]", &says.replace('\\', ""));
    }
    refused(URLS, "urls = []", "directory[0].urls", "the list is empty");
    refused(URLS, "", "directory[0]", "`urls` is missing");
    refused(URLS, "urls = [\"ldaps://a\", \"ldaps://A:636\"]", "directory[0].urls[1]", "stands twice");
    refused(URLS, "urls = \"ldaps://a\"", "directory[0].urls", "expected a list, found a text");
    refused(URLS, "urls = [5]", "directory[0].urls[0]", "expected a text in quotes, found a whole number");
}

#[test]
fn a_directory_says_what_it_is_and_where_to_look() {
    refused("name = \"corp\"", "name = \"Corp!\"", "directory[0].name", "is not a name");
    refused(KIND, "kind = \"activedirectory\"", "directory[0].kind", "write kind = \"active-directory\"");
    refused(KIND, "kind = \"389ds\"", "directory[0].kind", "nsUniqueId");
    refused(KIND, "kind = \"freeipa\"", "directory[0].kind", "ipaUniqueID");
    refused(KIND, "kind = \"openldp\"", "directory[0].kind", "did you mean \"openldap\"?");
    refused(KIND, "", "directory[0]", "`kind` is missing");
    refused(BASE, "base = []", "directory[0].base", "the list is empty");
    refused(BASE, "base = [\"\"]", "directory[0].base[0]", "the base is empty");
    refused(BASE, "base = [\"example.org\"]", "directory[0].base[0]", "is not a DN");
    refused(BASE, "base = [\"dc=org\", \"ou=x,DC=org\"]", "directory[0].base[1]", "hold the same entries");
    beside(URLS, "page_size = 5", "directory[0].page_size", "5 is not from 10 to 5000");
    beside(URLS, "page_size = 5001", "directory[0].page_size", "5001 is not from 10 to 5000");
    beside(URLS, "ranges = -1", "directory[0].ranges", "-1 is not from");
    beside(URLS, "timeout = \"0s\"", "directory[0].timeout", "too short");
    beside(URLS, "read_timeout = \"20s\"", "directory[0].read_timeout", "less time than one answer");
    beside(URLS, "id_attribute = \"entry UUID\"", "directory[0].id_attribute", "not the name of an attribute");
    beside(
        URLS,
        "member_attribute = \"member;range=0-*\"",
        "directory[0].member_attribute",
        "not the name of an attribute",
    );
}

#[test]
fn a_filter_is_checked() {
    let deep = format!("{}(a=b){}", "(!".repeat(40), ")".repeat(40));
    let long = format!("(cn={})", "x".repeat(5000));
    let cases = [
        ("objectClass=person", "it doesn't begin with '('"),
        ("(objectClass=person", "1 of its '(' are not closed"),
        ("(objectClass=person))", "a ')' has no '('"),
        ("(objectClass)", "RFC 4515"),
        ("(&(a=b)c)", "RFC 4515"),
        ("(a=\\\\zz)", "RFC 4515"),
        ("", "it doesn't begin with"),
        (deep.as_str(), "more than 32 deep"),
        (long.as_str(), "more than 4096 bytes"),
    ];
    for (filter, says) in cases {
        for key in ["people_filter", "group_filter"] {
            beside(URLS, &format!("{key} = \"{filter}\""), &format!("directory[0].{key}"), says);
        }
    }
}

#[test]
fn somebody_in_particular_reads() {
    refused(BIND, "dn = \"\"", "directory[0].bind.dn", "nobody in particular");
    refused(BIND, "dn = \"svc\"", "directory[0].bind.dn", "is not a DN");
    refused(BIND, "dn = \"svc@example.org\"", "directory[0].bind.dn", "is not a DN");
    refused(BIND, "dn = \"cn=a,b\"", "directory[0].bind.dn", "is not a DN");
    refused("bind = { dn", "#", "directory[0]", "`bind` is missing");
    refused("bind = { dn", "bond = { dn", "directory[0].bond", "did you mean `bind`?");
}

#[test]
fn active_directory_takes_a_principal_too() {
    let ad = |dn: &str| {
        let text = whole().replace(KIND, "kind = \"active-directory\"").replace(BIND, &format!("dn = \"{dn}\""));
        read(&text).map(|settings| settings.directories[0].bind_dn.clone())
    };
    assert_eq!(ad("svc@example.org").unwrap(), "svc@example.org");
    assert_eq!(ad("cn=svc,dc=example").unwrap(), "cn=svc,dc=example");
    for bad in ["svc", "@example.org", "svc@x", "EXAMPLE\\\\svc", "s vc@example.org"] {
        assert!(ad(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_are_taken_once() {
    let twice = format!("{}{}", DIRECTORY, whole());
    assert!(faults_of(&twice).to_string().contains("the directory \"corp\" is directory[0].name already"));
    let app = format!("{}{}{}", whole(), APP.replace("acme", "other"), ASSIGNMENT);
    assert!(faults_of(&app).to_string().contains("the app \"support\" is app[0].name already"));
    let same = APP
        .replace("\"support\"", "\"other\"")
        .replace("subdomain = \"acme\"", "base_url = \"https://ACME.zendesk.com/\"");
    let account = format!("{}{same}{}", whole(), ASSIGNMENT);
    let text = faults_of(&account).to_string();
    assert!(text.contains("the Zendesk account \"https://acme.zendesk.com/\" is app[0].subdomain already"), "{text}");
}

#[test]
fn there_is_a_directory_an_app_and_an_assignment() {
    let missing = |text: &str| faults_of(text).iter().map(|fault| fault.what.clone()).collect::<Vec<_>>();
    assert_eq!(missing(&format!("{}{}", DIRECTORY, APP)), ["the key `assignment` is missing"]);
    assert_eq!(missing(DIRECTORY), ["the key `app` is missing"]);
    assert!(missing(&format!("{}{}", APP, ASSIGNMENT)).contains(&"the key `directory` is missing".into()));
    refused("[[directory]]", "[directory]", "directory", "expected a list of [[directory]], found a table");
}

#[test]
fn a_number_where_a_duration_or_a_size_belongs_is_told_with_an_example() {
    section("daemon.jitter = 10", "daemon.jitter", "write jitter = \"30s\"");
    section("report.max_size = 10", "report.max_size", "write max_size = \"50 MiB\"");
}

#[test]
fn a_text_has_a_limit() {
    beside(SUBDOMAIN, &format!("timeout = \"{}\"", "1".repeat(9000)), "app[0].timeout", "more than 8192");
}
