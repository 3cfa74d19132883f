//! Keys that nothing asked for, and what their writer may have meant.

use std::collections::BTreeSet;

use super::fault::Found;
use super::hidden;
use super::reader::{Known, Place};
use super::values::{closest, shown};

/// A key that no read asked for.
#[derive(Debug, Clone)]
pub(super) struct Unknown {
    /// The key alone.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The key of its table: `app[0].auth`.
    pub parent: String,
    /// Its table, as `app[].auth` names it.
    pub table: String,
    /// Whether it is set to a text.
    pub text: bool,
}

/// Names that other programs use for what has another name here.
const OTHER_NAMES: [(&str, &str); 17] = [
    ("base_dn", "base"),
    ("search_base", "base"),
    ("host", "urls"),
    ("hosts", "urls"),
    ("server", "urls"),
    ("servers", "urls"),
    ("uri", "urls"),
    ("cron", "schedule"),
    ("interval", "schedule"),
    ("tz", "timezone"),
    ("user_filter", "people_filter"),
    ("username", "dn"),
    ("bind_dn", "bind"),
    ("type", "kind"),
    ("organization", "subdomain"),
    ("group_dn", "group"),
    ("dir", "directory"),
];

/// The fault of an unknown key, and the key of the same table that was probably meant.
pub(super) fn fault(unknown: &Unknown, known: &Known) -> (Found, Option<&'static str>) {
    let here = known.get(&unknown.table).cloned().unwrap_or_default();
    let (what, remedy, meant) = if hidden::names_secret(&unknown.name) && unknown.text {
        let (remedy, meant) = move_to_file(unknown, &here, known);
        ("a secret doesn't belong in this file".to_owned(), remedy, meant)
    } else {
        let what = format!("{} is not a key of {}", quoted(&unknown.name), heading(&unknown.table));
        let meant = meant(&unknown.name, &here);
        let remedy = match meant {
            Some(key) => format!("did you mean `{key}`?"),
            None => elsewhere(unknown, &here, known),
        };
        (what, remedy, meant)
    };
    (Found { key: unknown.place.key.clone(), span: unknown.place.span.clone(), what, remedy }, meant)
}

fn move_to_file(unknown: &Unknown, here: &BTreeSet<&'static str>, known: &Known) -> (String, Option<&'static str>) {
    let is_secret_file =
        |key: &&&'static str| key.ends_with("_file") && hidden::names_secret(key.trim_end_matches("_file"));
    let files: BTreeSet<&'static str> = here.iter().filter(is_secret_file).copied().collect();
    let everywhere: BTreeSet<&'static str> = known.values().flatten().filter(is_secret_file).copied().collect();
    let wanted = format!("{}_file", unknown.name);
    let meant = nearest(&wanted, &files);
    let key = meant.or_else(|| nearest(&wanted, &everywhere)).unwrap_or("password_file");
    let remedy = format!(
        "write it into a file that only the service can read (chmod 600) and name that file: {key} = \"/etc/zendesk-dirsync/credentials/NAME\", or a systemd credential: {key} = \"credential:NAME\""
    );
    (remedy, meant)
}

/// The candidate that is least far, however far that is.
fn nearest(word: &str, candidates: &BTreeSet<&'static str>) -> Option<&'static str> {
    candidates.iter().copied().min_by_key(|candidate| super::values::distance(word, candidate))
}

/// The key of the same table that was probably meant.
fn meant(name: &str, here: &BTreeSet<&'static str>) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(theirs, ours)| *theirs == name && here.contains(ours)).map(|(_, ours)| *ours);
    other.or_else(|| closest(name, here.iter().copied()))
}

/// What to do with a key that isn't like any of its table.
fn elsewhere(unknown: &Unknown, here: &BTreeSet<&'static str>, known: &Known) -> String {
    let name = unknown.name.as_str();
    let tables: Vec<String> =
        known.iter().filter(|(_, keys)| keys.contains(name)).map(|(table, _)| heading(table)).collect();
    if !tables.is_empty() {
        return format!("it is a key of {}: move it there", tables.join(" and of "));
    }
    let keys: Vec<&str> = here.iter().copied().collect();
    format!("take it out; known here: {}", keys.join(", "))
}

fn quoted(name: &str) -> String {
    if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        format!("`{name}`")
    } else {
        shown(name)
    }
}

/// A table as the file names it: `[[app.assignment]]`, `[daemon]`.
fn heading(table: &str) -> String {
    let name = table.replace("[]", "");
    match table {
        "" => "the file's top level".to_owned(),
        table if table.ends_with("[]") => format!("[[{name}]]"),
        _ => format!("[{name}]"),
    }
}
