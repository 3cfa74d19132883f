//! Tests of the configuration: each rule once, all faults at once, the example, and text that was damaged.

mod app;
mod example;
mod faults;
mod rules;
mod secrets;

use chrono::{DateTime, Utc};

use super::{Faults, parse};
use crate::domain::settings::Settings;

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

pub(super) const DIRECTORY: &str = r#"
[[directory]]
name = "corp"
kind = "openldap"
urls = ["ldaps://ldap.example.org"]
base = ["dc=example,dc=org"]
bind = { dn = "cn=svc,dc=example,dc=org", password_file = "credential:ldap" }
"#;

pub(super) const APP: &str = r#"
[[app]]
name = "support"
subdomain = "acme"
auth = { client_id = "dirsync", client_secret_file = "credential:zendesk" }
mapping = { name = "{{ displayName }}", email = "{{ mail }}" }
"#;

pub(super) const ASSIGNMENT: &str = r#"
[[app.assignment]]
directory = "corp"
group = "cn=support,ou=groups,dc=example,dc=org"
role = "agent"
groups = ["Support"]
"#;

/// The shortest whole file.
pub(super) fn whole() -> String {
    format!("{DIRECTORY}{APP}{ASSIGNMENT}")
}

pub(super) fn read(text: &str) -> Result<Settings, Faults> {
    parse(text, "config.toml", now())
}

/// The faults of a file that must have some.
pub(super) fn faults_of(text: &str) -> Faults {
    match read(text) {
        Ok(_) => panic!("no fault was found in:\n{text}"),
        Err(faults) => faults,
    }
}

/// The shortest file with one piece of it replaced.
pub(super) fn replaced(old: &str, new: &str) -> String {
    let whole = whole();
    assert_eq!(whole.matches(old).count(), 1, "{old:?} must stand once in the file");
    whole.replace(old, new)
}

/// The settings of the shortest file with one piece of it replaced.
pub(super) fn with(old: &str, new: &str) -> Result<Settings, Faults> {
    read(&replaced(old, new))
}

/// The one fault of the shortest file with one piece of it replaced: `key: what (remedy)`.
pub(super) fn fault(old: &str, new: &str) -> String {
    let faults = faults_of(&replaced(old, new));
    let lines: Vec<String> = faults.iter().map(|one| format!("{}: {} ({})", one.key, one.what, one.remedy)).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

/// Asserts that replacing a piece makes one fault, of this key, that says this.
pub(super) fn refused(old: &str, new: &str, key: &str, says: &str) {
    let fault = fault(old, new);
    assert!(fault.starts_with(&format!("{key}: ")) && fault.contains(says), "{new:?} gives: {fault}");
}

pub(super) const URLS: &str = "urls = [\"ldaps://ldap.example.org\"]";
pub(super) const BASE: &str = "base = [\"dc=example,dc=org\"]";
pub(super) const BIND: &str = "dn = \"cn=svc,dc=example,dc=org\"";
pub(super) const PASSWORD: &str = "password_file = \"credential:ldap\"";
pub(super) const KIND: &str = "kind = \"openldap\"";
pub(super) const SUBDOMAIN: &str = "subdomain = \"acme\"";
pub(super) const AUTH: &str = "auth = { client_id = \"dirsync\", client_secret_file = \"credential:zendesk\" }";
pub(super) const MAPPING: &str = "mapping = { name = \"{{ displayName }}\", email = \"{{ mail }}\" }";
pub(super) const GROUP: &str = "group = \"cn=support,ou=groups,dc=example,dc=org\"";
pub(super) const ROLE: &str = "role = \"agent\"";
pub(super) const GROUPS: &str = "groups = [\"Support\"]";
/// Before it, sections of the service may stand.
pub(super) const FIRST: &str = "[[directory]]";

/// Asserts that this section at the top makes one fault.
pub(super) fn section(text: &str, key: &str, says: &str) {
    refused(FIRST, &format!("{text}\n{FIRST}"), key, says);
}

/// Asserts that this beside a piece of the file makes one fault.
pub(super) fn beside(piece: &str, text: &str, key: &str, says: &str) {
    refused(piece, &format!("{piece}\n{text}"), key, says);
}
