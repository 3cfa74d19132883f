//! Each rule of apps and assignments, broken once.

use std::collections::BTreeSet;

use super::{
    AUTH, GROUP, GROUPS, MAPPING, ROLE, SUBDOMAIN, beside, fault, faults_of, read, refused, replaced, whole, with,
};
use crate::domain::assignment::{EmptyGroup, GroupRef, RoleGrant};
use crate::domain::change::{CauseCode, Welcome};
use crate::domain::id::Email;
use crate::domain::mapping::{ExternalIdRule, Field, FieldMode};
use crate::domain::rules::{AdoptCase, Removal, Switch};
use crate::domain::settings::{LeaseSettings, SecretPlace, ZendeskAuth};

#[test]
fn what_is_set_for_an_app_arrives() {
    let more = r#"
base_url = "http://127.0.0.1:8080"
auth = { email = "Admin@example.org", token_file = "/etc/token" }
mapping = { name = { template = "{{ cn }}", mode = "seed" }, email = "{{ mail }}", notes = { template = "x" } }
matching = { external_id = "{{ employeeNumber }}", adopt = ["end-users", "agents"], adopt_domains = ["Example.org"] }
agent_email_domains = ["example.org"]
protected = ["Boss@example.org"]
admins_min = 1
welcome_mail = true
rate_share = 50
timeout = "1m"
create = false
update = false
deprovision = false
reactivate = false
deprovisioning = { out_of_scope = "downgrade", gone = "release" }"#;
    let whole = whole().replace(SUBDOMAIN, more).replace(AUTH, "").replace(MAPPING, "");
    let app = read(&whole).unwrap().apps.remove(0);
    assert_eq!((app.base_url.as_str(), app.rate_share_percent), ("http://127.0.0.1:8080/", 50));
    let token = SecretPlace::File("/etc/token".into());
    assert_eq!(app.auth, ZendeskAuth::ApiToken { email: "admin@example.org".into(), token });
    let rules = app.rules;
    assert_eq!(rules.mapping.mode(Field::Name), FieldMode::Seed);
    assert_eq!(rules.mapping.mode(Field::Notes), FieldMode::Seed, "the default of notes");
    assert_eq!(rules.mapping.external_id(), &ExternalIdRule::Template("{{ employeeNumber }}".into()));
    assert_eq!(rules.adoption.cases, BTreeSet::from([AdoptCase::EndUsers, AdoptCase::Agents]));
    assert_eq!(rules.adoption.domains, Some(BTreeSet::from(["example.org".into()])));
    assert_eq!(rules.protected.iter().next().unwrap().as_str(), "boss@example.org");
    assert_eq!((rules.welcome, rules.admins_min), (Welcome::Mail, 1));
    assert_eq!((rules.switches.create, rules.switches.update), (Switch::Off, Switch::Off));
    assert_eq!((rules.switches.deprovision, rules.switches.reactivate), (Switch::Off, Switch::Off));
    assert_eq!(rules.removal(CauseCode::OutOfScope), Removal::Downgrade);
    assert_eq!(rules.removal(CauseCode::Gone), Removal::Release);
    assert_eq!(rules.removal(CauseCode::Disabled), Removal::Suspend);
}

#[test]
fn a_lease_is_kept_only_where_it_is_switched_on() {
    let lease = |lines: &str| with(SUBDOMAIN, &format!("{SUBDOMAIN}\n{lines}")).unwrap().apps.remove(0).lease;
    assert_eq!(lease(""), None);
    assert_eq!(lease("lease = { email = \"marker@example.org\" }"), None);
    assert_eq!(lease("lease = { enabled = false }"), None);
    assert_eq!(lease("lease = { enabled = true }"), Some(LeaseSettings { email: None }));
    let email = Email::parse("marker@example.org").ok();
    let whole = "lease = { enabled = true, email = \"Marker@example.org\" }";
    assert_eq!(lease(whole), Some(LeaseSettings { email }));
}

#[test]
fn a_lease_that_cannot_be_kept_is_refused() {
    beside(SUBDOMAIN, "lease = true", "app[0].lease", "begin a section");
    let wrong = |inside: &str, key: &str, says: &str| {
        beside(SUBDOMAIN, &format!("lease = {{ {inside} }}"), &format!("app[0].lease.{key}"), says);
    };
    wrong("enabled = \"yes\"", "enabled", "without quotes");
    wrong("enabled = true, email = \"nobody\"", "email", "write an address like");
    wrong("enabled = true, emial = \"a@example.org\"", "emial", "did you mean `email`?");
    let guarded = "protected = [\"a@example.org\"]\nlease = { enabled = true, email = \"A@example.org\" }";
    beside(SUBDOMAIN, guarded, "app[0].lease.email", "an address of its own");
}

#[test]
fn what_is_set_for_an_assignment_arrives() {
    let more = r#"
group = "guid:11111111-2222-3333-4444-555555555555"
custom_role = "Team lead"
default_group = "Support"
tags = ["vip"]
may_be_empty = true"#;
    let whole = whole().replace(GROUP, more).replace(ROLE, "");
    let assignment = read(&whole).unwrap().apps.remove(0).rules.assignments.remove(0);
    assert!(matches!(assignment.group, GroupRef::Id(_)));
    assert_eq!(assignment.text, "guid:11111111-2222-3333-4444-555555555555");
    assert_eq!(assignment.role, Some(RoleGrant::Custom("Team lead".into())));
    assert_eq!((assignment.default_group.as_deref(), assignment.empty), (Some("Support"), EmptyGroup::Allowed));
    assert_eq!(assignment.tags, BTreeSet::from(["vip".into()]));
}

#[test]
fn an_app_is_one_zendesk_account() {
    let cases = [
        ("subdomain = \"acme.zendesk.com\"", "app[0].subdomain", "write subdomain = \"acme\""),
        ("subdomain = \"https://Acme.zendesk.com/agent\"", "app[0].subdomain", "write subdomain = \"acme\""),
        ("subdomain = \"-\"", "app[0].subdomain", "the part before .zendesk.com"),
        ("subdomain = \"a@b\"", "app[0].subdomain", "is not a subdomain"),
        ("base_url = \"http://acme.zendesk.com\"", "app[0].base_url", "in the clear"),
        ("base_url = \"http://10.0.0.1\"", "app[0].base_url", "in the clear"),
        ("base_url = \"https://acme.zendesk.com/api/v2\"", "app[0].base_url", "more than a host and a port"),
        ("base_url = \"https://h?x\"", "app[0].base_url", "more than a host and a port"),
        ("base_url = \"ftp://h\"", "app[0].base_url", "only https://"),
        ("base_url = \"acme\"", "app[0].base_url", "is not a base URL"),
        ("base_url = \"https://a:b@h\"", "app[0].base_url", "must not hold a login"),
        ("base_url = \"https://h\"\nsubdomain = \"acme\"", "app[0]", "are both set"),
        ("", "app[0]", "`subdomain` is missing"),
    ];
    for (new, key, says) in cases {
        refused(SUBDOMAIN, new, key, says);
    }
    for good in ["http://localhost:1", "http://[::1]:80", "https://help.example.org", "http://127.0.0.1"] {
        assert!(with(SUBDOMAIN, &format!("base_url = \"{good}\"")).is_ok(), "{good}");
    }
}

#[test]
fn an_app_shows_who_it_is_in_one_way() {
    let cases = [
        ("auth = {}", "app[0].auth", "`client_id` is missing"),
        ("auth = { client_id = \"x\" }", "app[0].auth", "`client_secret_file` is missing"),
        ("auth = { email = \"a@example.org\" }", "app[0].auth", "`token_file` is missing"),
        ("auth = { token_file = \"/t\" }", "app[0].auth", "`email` is missing"),
        ("auth = { email = \"a\", token_file = \"/t\" }", "app[0].auth.email", "is not a mail address"),
        ("auth = { client_id = \"x\", client_secret_file = \"/x\", token_file = \"/t\" }", "app[0].auth", "both given"),
        ("auth = { client_id = \"x\", client_secret_file = \"/x\", scopes = [] }", "app[0].auth.scopes", "every right"),
        (
            "auth = { client_id = \"x\", client_secret_file = \"/x\", scopes = [\"all\"] }",
            "app[0].auth.scopes[0]",
            "not a scope",
        ),
        (
            "auth = { client_id = \"x\", client_secret_file = \"/x\", client_secret = \"s\" }",
            "app[0].auth.client_secret",
            "client_secret_file = ",
        ),
        (
            "auth = { email = \"a@example.org\", token_file = \"/t\", token = \"s\" }",
            "app[0].auth.token",
            "token_file = ",
        ),
        ("auth = \"credential:zendesk\"", "app[0].auth", "expected a table, found a text"),
        ("", "app[0]", "`auth` is missing"),
    ];
    for (new, key, says) in cases {
        if new == "auth = {}" {
            assert_eq!(faults_of(&replaced(AUTH, new)).count(), 2);
        } else {
            refused(AUTH, new, key, says);
        }
    }
}

#[test]
fn templates_are_compiled() {
    let mapping = |inner: &str| format!("mapping = {{ {inner} }}");
    let good = "name = \"{{ cn }}\", email = \"{{ mail }}\"";
    let cases = [
        ("email = \"{{ mail }}\"", "app[0].mapping", "`name` is missing"),
        ("name = \"{{ cn }}\"", "app[0].mapping", "`email` is missing"),
        ("name = \"cn\", email = \"{{ mail }}\"", "app[0].mapping.name", "put the attribute in braces: \"{{ cn }}\""),
        ("name = \"{{ cn\", email = \"{{ mail }}\"", "app[0].mapping.name", "the template can't be used"),
        (&format!("{good}, notes = \"{{{{ cn | nosuch }}}}\""), "app[0].mapping.notes", "the template can't be used"),
        (&format!("{good}, notes = {{ mode = \"own\" }}"), "app[0].mapping.notes", "`template` is missing"),
        (
            &format!("{good}, notes = {{ template = \"x\", mode = \"fill\" }}"),
            "app[0].mapping.notes.mode",
            "\"own\", \"seed\"",
        ),
        (&format!("{good}, note = \"x\""), "app[0].mapping.note", "did you mean `notes`?"),
        (&format!("{good}, notes = \"{}\"", "x".repeat(3000)), "app[0].mapping.notes", "more than 2048"),
    ];
    for (inner, key, says) in cases {
        refused(MAPPING, &mapping(inner), key, says);
    }
    refused(MAPPING, "", "app[0]", "`mapping` is missing");
}

#[test]
fn a_template_fault_points_into_the_template() {
    for (quotes, before) in [("\"", 1), ("'", 1), ("'''", 3)] {
        let text = format!(
            "mapping = {{ name = {quotes}{{{{ cn }}}} {{{{ sn | nosuch }}}}{quotes}, email = \"{{{{ mail }}}}\" }}"
        );
        let faults = faults_of(&replaced(MAPPING, &text));
        let column = faults.iter().next().unwrap().column;
        let begin = "mapping = { name = ".len() + before;
        assert!(column > begin + "{{ cn }}".len(), "{quotes}: column {column}\n{faults}");
        assert!(column < text.find("email").unwrap(), "{quotes}: column {column}\n{faults}");
    }
}

#[test]
fn matching_and_adoption_are_checked() {
    let matching = |inner: &str| format!("matching = {{ {inner} }}");
    let cases = [
        ("external_id = \"of\"", "app[0].matching.external_id", "did you mean \"off\"?"),
        ("external_id = \"employeeNumber\"", "app[0].matching.external_id", "nor a template"),
        ("external_id = \"{{ x | nosuch }}\"", "app[0].matching.external_id", "the template can't be used"),
        ("adopt = [\"admins\"]", "app[0].matching.adopt[0]", "\"end-users\", \"agents\""),
        ("adopt = [\"agents\", \"agents\"]", "app[0].matching.adopt[1]", "stands twice"),
        ("adopt = \"agents\"", "app[0].matching.adopt", "expected a list"),
        ("adopt_domains = [\"@example.org\"]", "app[0].matching.adopt_domains[0]", "write \"example.org\""),
        ("adopt_domains = [\"example\"]", "app[0].matching.adopt_domains[0]", "is not a mail domain"),
    ];
    for (inner, key, says) in cases {
        beside(SUBDOMAIN, &matching(inner), key, says);
    }
}

#[test]
fn the_other_keys_of_an_app_are_checked() {
    let cases = [
        ("agent_email_domains = [\"a b.org\"]", "app[0].agent_email_domains[0]", "is not a mail domain"),
        ("protected = [\"boss\"]", "app[0].protected[0]", "is not a mail address"),
        ("admins_min = 0", "app[0].admins_min", "0 is not from 1"),
        ("welcome_mail = \"no\"", "app[0].welcome_mail", "expected true or false, found a text"),
        ("rate_share = \"0%\"", "app[0].rate_share", "from 1% to 100%"),
        ("rate_share = \"75\"", "app[0].rate_share", "from 1% to 100%"),
        ("rate_share = 101", "app[0].rate_share", "101 is not from 1 to 100"),
        ("timeout = \"1h\"", "app[0].timeout", "too long"),
        ("create = 1", "app[0].create", "expected true or false"),
        (
            "deprovisioning = { gone = \"delete\" }",
            "app[0].deprovisioning.gone",
            "\"suspend\", \"downgrade\", \"release\"",
        ),
        (
            "deprovisioning = { left = \"suspend\" }",
            "app[0].deprovisioning.left",
            "known here: disabled, expired, gone",
        ),
    ];
    for (text, key, says) in cases {
        beside(SUBDOMAIN, text, key, says);
    }
}

#[test]
fn an_assignment_names_a_configured_directory_and_a_group() {
    let directory = "directory = \"corp\"";
    refused(directory, "directory = \"crop\"", "app[0].assignment[0].directory", "did you mean \"corp\"?");
    refused(directory, "directory = \"elsewhere\"", "app[0].assignment[0].directory", "there is no directory");
    refused(directory, "", "app[0].assignment[0]", "`directory` is missing");
    refused(GROUP, "", "app[0].assignment[0]", "`group` is missing");
    refused(GROUP, "group = \"guid:12\"", "app[0].assignment[0].group", "immutable id");
    refused(GROUP, "group = \"cn=x,y\"", "app[0].assignment[0].group", "is not a DN");
    refused(GROUP, "group = \" support\"", "app[0].assignment[0].group", "spaces at its ends");
    refused(GROUP, "group = \"\"", "app[0].assignment[0].group", "this is empty");
    // A malformed name is told once, where the directory is.
    let text = whole().replace("\"corp\"", "\"Corp\"");
    assert_eq!(faults_of(&text).count(), 1);
}

#[test]
fn an_assignment_stands_once() {
    let pairs = [
        ("cn=support,ou=groups,dc=example,dc=org", "CN=Support, OU=groups,DC=example,DC=org"),
        ("Support", "support"),
        ("guid:11111111-2222-3333-4444-555555555555", "guid:11111111222233334444555555555555"),
    ];
    for (one, other) in pairs {
        let text = whole().replace("cn=support,ou=groups,dc=example,dc=org", one);
        let twice = format!("{text}\n[[app.assignment]]\ndirectory = \"corp\"\ngroup = \"{other}\"\n");
        let faults = faults_of(&twice);
        assert_eq!(faults.count(), 1, "{faults}");
        let fault = faults.iter().next().unwrap();
        assert_eq!(fault.key, "app[0].assignment[1].group");
        assert!(fault.what.contains("assignment[0] names the same group"), "{fault}");
    }
}

#[test]
fn admin_needs_a_group_that_cannot_be_imitated() {
    refused(ROLE, "role = \"admin\"", "app[0].assignment[0].role", "must be named by its immutable id");
    let by_name = fault(GROUP, "group = \"admins\"\nrole = \"admin\"").to_owned();
    assert!(by_name.contains("duplicate key"), "two roles are no TOML: {by_name}");
    let guid = whole()
        .replace(GROUP, "group = \"guid:11111111-2222-3333-4444-555555555555\"")
        .replace(ROLE, "role = \"admin\"");
    assert!(read(&guid).is_ok());
    let name = whole().replace(GROUP, "group = \"admins\"").replace(ROLE, "role = \"admin\"");
    assert!(read(&name).is_err());
}

#[test]
fn what_an_assignment_gives_is_checked() {
    let cases = [
        ("role = \"agnet\"", "app[0].assignment[0].role", "did you mean \"agent\"?"),
        ("role = \"owner\"", "app[0].assignment[0].role", "\"end-user\", \"agent\", \"admin\""),
        ("role = \"end-user\"", "app[0].assignment[0]", "an end user can't be in a Zendesk group"),
        ("custom_role = \"\"", "app[0].assignment[0].custom_role", "this is empty"),
        ("tags = [\"V I P\"]", "app[0].assignment[0].tags[0]", "write \"v_i_p\""),
        ("tags = [\"VIP\"]", "app[0].assignment[0].tags[0]", "write \"vip\""),
        ("tags = [\"\"]", "app[0].assignment[0].tags[0]", "take it out"),
        ("default_group = \" x\"", "app[0].assignment[0].default_group", "write \"x\""),
        ("may_be_empty = 0", "app[0].assignment[0].may_be_empty", "expected true or false"),
    ];
    for (new, key, says) in cases {
        refused(ROLE, new, key, says);
    }
    refused(GROUPS, "custom_role = \"Lead\"\nrolle = 1", "app[0].assignment[0].rolle", "did you mean `role`?");
    let custom_end_user =
        whole().replace(ROLE, "role = \"end-user\"\ncustom_role = \"Light agent\"").replace(GROUPS, "");
    assert!(faults_of(&custom_end_user).to_string().contains("a custom role is an agent's"));
    refused(GROUPS, "groups = [\"A\", \"A\"]", "app[0].assignment[0].groups[1]", "stands twice");
}
