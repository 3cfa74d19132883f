//! LDIF from the scenario's company, exactly as `scenario/README.md` says: the first content, and a record for each
//! change. It reads nothing from a server.

use base64_standard::encode;
use chrono::NaiveDate;

use super::scenario::{Change, Group, Person, State};
use super::scenario_company::Company;

/// The two ways to tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenLdap,
    ActiveDirectory,
}

/// One attribute with its values.
type Attribute = (String, Vec<String>);

/// The seconds from AD's epoch, 1601, to 1970.
const AD_EPOCH_S: i64 = 11_644_473_600;
const AD_NEVER: &str = "9223372036854775807";

/// Renders for one kind of server below one base.
#[derive(Debug, Clone)]
pub struct Renderer {
    pub dialect: Dialect,
    pub base: String,
}

/// The three files of the first content.
#[derive(Debug, Clone)]
pub struct Files {
    pub people: String,
    pub groups: String,
    pub nesting: String,
}

impl Renderer {
    pub fn new(dialect: Dialect, base: &str) -> Self {
        Self { dialect, base: base.to_owned() }
    }

    /// `dc=ad,dc=example,dc=org` as `ad.example.org`.
    fn domain(&self) -> String {
        self.base.to_lowercase().replace("dc=", "").replace(',', ".")
    }

    pub fn unit_dn(&self, company: &Company, key: &str) -> String {
        let unit = company.unit(key);
        let above = unit.parent.as_ref().map_or_else(|| self.base.clone(), |parent| self.unit_dn(company, parent));
        format!("{},{above}", rdn("ou", &unit.name))
    }

    pub fn person_dn(&self, company: &Company, key: &str) -> String {
        let person = company.person(key);
        format!("{},{}", rdn("cn", &person.cn), self.unit_dn(company, &person.unit))
    }

    pub fn group_dn(&self, company: &Company, key: &str) -> String {
        let group = company.group(key);
        format!("{},{}", rdn("cn", &group.name), self.unit_dn(company, &group.unit))
    }

    /// The members of a group as this kind of server has them.
    fn members(&self, company: &Company, group: &Group) -> Vec<String> {
        let people = group.people.iter().map(|key| self.person_dn(company, key));
        let nested = group.groups.iter().map(|key| self.group_dn(company, key));
        let members: Vec<String> = people.chain(nested).collect();
        // groupOfNames demands one (RFC 4519 3.5).
        if members.is_empty() && self.dialect == Dialect::OpenLdap {
            return vec![self.group_dn(company, &group.key)];
        }
        members
    }

    /// What a person has, the RDN's own attribute included.
    fn person(&self, person: &Person) -> Vec<Attribute> {
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let mut attributes = vec![match self.dialect {
            Dialect::OpenLdap => ("objectClass".to_owned(), vec!["inetOrgPerson".into(), "shadowAccount".into()]),
            Dialect::ActiveDirectory => one("objectClass", "user"),
        }];
        match self.dialect {
            Dialect::OpenLdap => attributes.push(one("uid", &person.key)),
            Dialect::ActiveDirectory => {
                attributes.push(one("sAMAccountName", &person.key));
                attributes.push(one("userPrincipalName", &format!("{}@{}", person.key, self.domain())));
            }
        }
        attributes.extend([one("cn", &person.cn), one("sn", &person.surname), one("givenName", &person.given)]);
        let optional = [("displayName", &person.display), ("title", &person.title), ("telephoneNumber", &person.phone)];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some(one(name, value.as_ref()?))));
        attributes.extend(self.mails(&person.mails));
        attributes.extend(self.state(person));
        attributes.extend(person.extra.iter().map(|(name, value)| one(name, value)));
        attributes.retain(|(_, values)| values.iter().any(|value| !value.is_empty()));
        attributes
    }

    fn mails(&self, mails: &[String]) -> Vec<Attribute> {
        let Some((first, others)) = mails.split_first() else { return Vec::new() };
        match self.dialect {
            Dialect::OpenLdap => vec![("mail".to_owned(), mails.to_vec())],
            Dialect::ActiveDirectory => {
                let mut proxies = vec![format!("SMTP:{first}")];
                proxies.extend(others.iter().map(|mail| format!("smtp:{mail}")));
                vec![("mail".to_owned(), vec![first.clone()]), ("proxyAddresses".to_owned(), proxies)]
            }
        }
    }

    fn state(&self, person: &Person) -> Vec<Attribute> {
        let one = |name: &str, value: String| (name.to_owned(), vec![value]);
        let day = match person.expires.as_deref() {
            None | Some("never") => None,
            Some(text) => Some(days(text)),
        };
        match self.dialect {
            Dialect::OpenLdap => {
                let locked =
                    (person.state == State::Disabled).then(|| one("pwdAccountLockedTime", "000001010000Z".to_owned()));
                locked.into_iter().chain(day.map(|day| one("shadowExpire", day.to_string()))).collect()
            }
            Dialect::ActiveDirectory => {
                // 32, no password needed, is in both.
                let flags = if person.state == State::Disabled { "546" } else { "544" };
                let mut attributes = vec![one("userAccountControl", flags.to_owned())];
                let expires = match (person.expires.as_deref(), day) {
                    (_, Some(day)) => Some(((day * 86_400 + AD_EPOCH_S) * 10_000_000).to_string()),
                    (Some(_), None) => Some(AD_NEVER.to_owned()),
                    (None, None) => None,
                };
                attributes.extend(expires.map(|at| one("accountExpires", at)));
                attributes
            }
        }
    }

    /// The first content.
    pub fn files(&self, company: &Company) -> Files {
        let mut people = String::new();
        for unit in &company.units {
            let attributes = [
                ("objectClass".to_owned(), vec!["organizationalUnit".to_owned()]),
                ("ou".to_owned(), vec![unit.name.clone()]),
            ];
            record(&mut people, &self.unit_dn(company, &unit.key), None, &attributes);
        }
        for person in &company.people {
            record(&mut people, &self.person_dn(company, &person.key), None, &self.person(person));
        }
        let mut groups = String::new();
        let mut nesting = String::new();
        for group in &company.groups {
            let bare = Group { groups: Vec::new(), ..group.clone() };
            let (dn, before) = (self.group_dn(company, &group.key), self.members(company, &bare));
            let mut attributes = match self.dialect {
                Dialect::OpenLdap => {
                    vec![
                        ("objectClass".to_owned(), vec!["groupOfNames".to_owned()]),
                        ("cn".to_owned(), vec![group.name.clone()]),
                    ]
                }
                Dialect::ActiveDirectory => vec![
                    ("objectClass".to_owned(), vec!["group".to_owned()]),
                    ("cn".to_owned(), vec![group.name.clone()]),
                    ("sAMAccountName".to_owned(), vec![group.key.clone()]),
                    ("groupType".to_owned(), vec!["-2147483646".to_owned()]),
                ],
            };
            if !before.is_empty() {
                attributes.push(("member".to_owned(), before.clone()));
            }
            record(&mut groups, &dn, None, &attributes);
            if !group.groups.is_empty() {
                membership(&mut nesting, &dn, &before, &self.members(company, group));
            }
        }
        Files { people, groups, nesting }
    }

    /// The records of one change, which leads from `before` to `after`.
    pub fn change(&self, before: &Company, after: &Company, change: &Change) -> String {
        let mut out = String::new();
        match change {
            Change::AddPerson { person } => {
                let person = after.person(&person.key);
                record(&mut out, &self.person_dn(after, &person.key), Some("add"), &self.person(person));
            }
            Change::DeletePerson { person } => {
                if self.dialect == Dialect::OpenLdap {
                    for group in after.groups.iter() {
                        let (old, new) = (self.members(before, before.group(&group.key)), self.members(after, group));
                        membership(&mut out, &self.group_dn(after, &group.key), &old, &new);
                    }
                }
                record(&mut out, &self.person_dn(before, person), Some("delete"), &[]);
            }
            Change::Set(setting) => {
                let (old, new) = (before.person(&setting.person), after.person(&setting.person));
                self.replace(&mut out, &self.person_dn(after, &setting.person), old, new);
            }
            Change::Join { group, .. }
            | Change::Leave { group, .. }
            | Change::Nest { group, .. }
            | Change::Unnest { group, .. } => {
                let (old, new) = (self.members(before, before.group(group)), self.members(after, after.group(group)));
                membership(&mut out, &self.group_dn(after, group), &old, &new);
            }
            Change::RenamePerson { person, .. } => {
                let (old, new) = (self.person_dn(before, person), self.person_dn(after, person));
                self.rename(&mut out, before, after, &old, &new, None);
            }
            Change::MovePerson { person, .. } => {
                let (old, new) = (self.person_dn(before, person), self.person_dn(after, person));
                let above = self.unit_dn(after, &after.person(person).unit);
                self.rename(&mut out, before, after, &old, &new, Some(&above));
            }
            Change::RenameUnit { unit, .. } => {
                let (old, new) = (self.unit_dn(before, unit), self.unit_dn(after, unit));
                self.rename(&mut out, before, after, &old, &new, None);
            }
            Change::MoveUnit { unit, parent } => {
                let (old, new) = (self.unit_dn(before, unit), self.unit_dn(after, unit));
                self.rename(&mut out, before, after, &old, &new, Some(&self.unit_dn(after, parent)));
            }
            Change::RenameGroup { group, .. } => {
                let (old, new) = (self.group_dn(before, group), self.group_dn(after, group));
                self.rename(&mut out, before, after, &old, &new, None);
            }
        }
        out
    }

    /// `replace:` for each attribute whose values differ.
    fn replace(&self, out: &mut String, dn: &str, old: &Person, new: &Person) {
        let (old, new) = (self.person(old), self.person(new));
        let values = |of: &[Attribute], name: &str| {
            of.iter().find(|(have, _)| have == name).map(|(_, values)| values.clone()).unwrap_or_default()
        };
        let mut names: Vec<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let mut parts = String::new();
        for name in names {
            let mut wanted = values(&new, name);
            if values(&old, name) == wanted {
                continue;
            }
            // It can't be emptied in AD.
            if name == "accountExpires" && wanted.is_empty() {
                wanted.push(AD_NEVER.to_owned());
            }
            part(&mut parts, "replace", name, &wanted);
        }
        modification(out, dn, &parts);
    }

    /// One modrdn; on OpenLDAP then the members of every group that names somebody whose DN is another one now.
    fn rename(
        &self,
        out: &mut String,
        before: &Company,
        after: &Company,
        old: &str,
        new: &str,
        superior: Option<&str>,
    ) {
        let leaf = new.strip_suffix(superior.unwrap_or_else(|| parent(old))).unwrap_or(new).trim_end_matches(',');
        line(out, "dn", old);
        line(out, "changetype", "modrdn");
        line(out, "newrdn", leaf);
        line(out, "deleteoldrdn", "1");
        if let Some(above) = superior {
            line(out, "newsuperior", above);
        }
        out.push('\n');
        if self.dialect == Dialect::ActiveDirectory {
            return;
        }
        for group in &after.groups {
            let (had, has) = (self.members(before, before.group(&group.key)), self.members(after, group));
            if had != has {
                let mut parts = String::new();
                part(&mut parts, "replace", "member", &has);
                modification(out, &self.group_dn(after, &group.key), &parts);
            }
        }
    }
}

/// The DN above one whose first RDN has no unescaped comma but the one that ends it.
fn parent(dn: &str) -> &str {
    let mut escaped = false;
    for (at, c) in dn.char_indices() {
        match c {
            ',' if !escaped => return &dn[at + 1..],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    ""
}

fn days(date: &str) -> i64 {
    let date: NaiveDate = date.parse().expect("expires is a date, or never");
    (date - NaiveDate::default()).num_days()
}

/// An RDN, escaped as RFC 4514 2.4 says.
fn rdn(kind: &str, value: &str) -> String {
    let mut out = format!("{kind}=");
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let always = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=');
        let first = at == 0 && matches!(c, ' ' | '#');
        if c == '\0' {
            out.push_str("\\00");
            continue;
        }
        if always || first || (at == last && c == ' ') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// One line: plain where RFC 2849's SAFE-STRING allows it, else base64.
fn line(out: &mut String, name: &str, value: &str) {
    let bytes = value.as_bytes();
    let safe = bytes.iter().all(|byte| matches!(byte, 1..=9 | 11 | 12 | 14..=127))
        && !bytes.first().is_some_and(|byte| matches!(byte, b' ' | b':' | b'<'))
        && bytes.last() != Some(&b' ');
    if safe {
        out.push_str(&format!("{name}: {value}\n"));
    } else {
        out.push_str(&format!("{name}:: {}\n", encode(bytes)));
    }
}

fn record(out: &mut String, dn: &str, changetype: Option<&str>, attributes: &[Attribute]) {
    line(out, "dn", dn);
    changetype.into_iter().for_each(|kind| line(out, "changetype", kind));
    for (name, values) in attributes {
        values.iter().for_each(|value| line(out, name, value));
    }
    out.push('\n');
}

fn part(out: &mut String, verb: &str, name: &str, values: &[String]) {
    line(out, verb, name);
    values.iter().for_each(|value| line(out, name, value));
    out.push_str("-\n");
}

fn modification(out: &mut String, dn: &str, parts: &str) {
    if parts.is_empty() {
        return;
    }
    line(out, "dn", dn);
    line(out, "changetype", "modify");
    out.push_str(parts);
    out.push('\n');
}

/// First what is new, then what is gone, so that no moment is without a member.
fn membership(out: &mut String, dn: &str, old: &[String], new: &[String]) {
    let but = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|one| !those.contains(one)).cloned().collect()
    };
    let mut parts = String::new();
    for (verb, values) in [("add", but(new, old)), ("delete", but(old, new))] {
        if !values.is_empty() {
            part(&mut parts, verb, "member", &values);
        }
    }
    modification(out, dn, &parts);
}

/// Standard base64 with padding (RFC 4648 4).
mod base64_standard {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub fn encode(bytes: &[u8]) -> String {
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for at in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * at) & 63) as usize];
                out.push(if at <= chunk.len() { digit as char } else { '=' });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::scenario::Scenario;

    #[test]
    fn names_are_escaped_as_rfc_4514_says() {
        assert_eq!(rdn("cn", "Müller, Jürgen"), "cn=Müller\\, Jürgen");
        assert_eq!(rdn("cn", "#Hash \"Quoted\" + Plus; <x>=y"), "cn=\\#Hash \\\"Quoted\\\" \\+ Plus\\; \\<x\\>\\=y");
        assert_eq!(rdn("cn", " a #"), "cn=\\ a #");
        assert_eq!(rdn("cn", "a "), "cn=a\\ ");
        assert_eq!(rdn("cn", "Back \\ slash"), "cn=Back \\\\ slash");
        assert_eq!(parent("cn=a\\, b\\\\,ou=c,dc=d"), "ou=c,dc=d");
    }

    #[test]
    fn unsafe_values_are_base64() {
        let told = |value: &str| {
            let mut out = String::new();
            line(&mut out, "x", value);
            out
        };
        assert_eq!(told("plain"), "x: plain\n");
        assert_eq!(told("ü"), "x:: w7w=\n");
        assert_eq!(told(" a"), "x:: IGE=\n");
        assert_eq!(told("a "), "x:: YSA=\n");
        assert_eq!(told("<a"), "x:: PGE=\n");
        assert_eq!(told("a\nb"), "x:: YQpi\n");
        assert_eq!(told("ü€a"), "x:: w7zigqxh\n");
    }

    #[test]
    fn an_expiry_is_a_day_in_both_dialects() {
        let company = Scenario::load().with_bulk(0).company();
        let expired = company.person("expired");
        let told = |dialect| Renderer::new(dialect, "dc=example,dc=org").state(expired);
        assert_eq!(told(Dialect::OpenLdap), [("shadowExpire".into(), vec!["18262".into()])]);
        assert_eq!(told(Dialect::ActiveDirectory)[1], ("accountExpires".into(), vec!["132223104000000000".into()]));
    }

    #[test]
    fn a_change_of_people_never_leaves_a_group_empty_on_openldap() {
        let scenario = Scenario::load().with_bulk(0);
        let before = scenario.company();
        let mut after = before.clone();
        let change = Change::Join { group: "empty".into(), people: vec!["outsider".into()] };
        after.apply(&change);
        let told = Renderer::new(Dialect::OpenLdap, "dc=example,dc=org").change(&before, &after, &change);
        let (add, delete) = (told.find("add: member").unwrap(), told.find("delete: member").unwrap());
        assert!(add < delete && told.ends_with("-\n\n"), "{told}");
    }
}
