//! Which entries a search finds: filters prepared once, then evaluated with three values (RFC 4511 4.5.1.7).

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::filter::{Filter, Piece};
use super::message::Scope;
use super::rights::{Rights, Who};
use super::schema::{self, Syntax};
use super::store::{Entry, Id, Store};

/// LDAP_MATCHING_RULE_BIT_AND, _BIT_OR, _TRANSITIVE_EVAL (MS-ADTS 3.1.1.3.4.4).
const BIT_AND: &str = "1.2.840.113556.1.4.803";
const BIT_OR: &str = "1.2.840.113556.1.4.804";
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// A filter with its assertion values in normal form.
#[derive(Debug)]
pub(super) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Equal(String, Vec<u8>),
    Exact(String, Vec<u8>),
    Substrings(String, Vec<Piece>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Bits { attribute: String, mask: i64, all: bool },
    Uuid(Option<Uuid>),
    OneOf(HashSet<Id>),
    Undefined,
}

/// A search with everything resolved that does not change from page to page.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) base: Id,
    pub(super) scope: Scope,
    pub(super) test: Test,
    pub(super) show_deleted: bool,
    pub(super) who: Who,
}

/// Prepares a filter for this store.
pub(super) fn prepare(store: &Store, filter: &Filter) -> Test {
    let list = |inner: &[Filter]| inner.iter().map(|filter| prepare(store, filter)).collect();
    let known = |name: &str| Some(schema::base_name(name)).filter(|lower| store.knows(lower));
    let normal = |lower: &str, value: &[u8]| schema::normal(store.syntax(lower), value);
    match filter {
        Filter::And(inner) => Test::And(list(inner)),
        Filter::Or(inner) => Test::Or(list(inner)),
        Filter::Not(inner) => Test::Not(Box::new(prepare(store, inner))),
        Filter::Equal(name, value) | Filter::Approx(name, value) => equal(store, name, value),
        Filter::Present(name) => match known(name) {
            Some(lower) => Test::Present(lower),
            None => Test::Undefined,
        },
        Filter::AtLeast(name, value) => match known(name) {
            Some(lower) => Test::AtLeast(lower.clone(), normal(&lower, value)),
            None => Test::Undefined,
        },
        Filter::AtMost(name, value) => match known(name) {
            Some(lower) => Test::AtMost(lower.clone(), normal(&lower, value)),
            None => Test::Undefined,
        },
        Filter::Substrings(name, pieces) => substrings(store, name, pieces),
        Filter::Extensible { dn_attributes: true, .. } | Filter::Extensible { attribute: None, .. } => Test::Undefined,
        Filter::Extensible { rule, attribute: Some(name), value, dn_attributes: false } => {
            extensible(store, rule.as_deref(), name, value)
        }
    }
}

fn equal(store: &Store, name: &str, value: &[u8]) -> Test {
    let lower = schema::base_name(name);
    match lower.as_str() {
        // Constructed attributes can't be searched for (MS-ADTS 3.1.1.4.5).
        _ if store.is_ad() && schema::operational(&lower, store.kind) => Test::Undefined,
        "objectguid" if store.is_ad() => Test::Uuid(guid_value(value)),
        "entryuuid" if !store.is_ad() => Test::Uuid(std::str::from_utf8(value).ok().and_then(|text| text.parse().ok())),
        "objectsid" => Test::Equal(lower, super::sid::value(value)),
        "objectcategory" if store.is_ad() && !value.contains(&b'=') => category(value),
        "objectclass" => class(value),
        _ if !store.knows(&lower) => Test::Undefined,
        _ => {
            let normal = schema::normal(store.syntax(&lower), value);
            Test::Equal(lower, normal)
        }
    }
}

/// Whether an entry is of a class: its own classes and their superclasses count (X.501 8.4.3).
fn class(value: &[u8]) -> Test {
    let name = String::from_utf8_lossy(value).to_lowercase();
    let subclasses = schema::subclasses(&name).iter().map(|class| (*class).to_owned());
    let of = |class: String| Test::Equal("objectclass".into(), class.into_bytes());
    Test::Or(std::iter::once(name.clone()).chain(subclasses).map(of).collect())
}

/// `(objectCategory=person)` names a class by its default category (MS-ADTS 3.1.1.3.1.3.5): people and contacts are in
/// the category Person, computers in one of their own.
fn category(value: &[u8]) -> Test {
    match String::from_utf8_lossy(value).to_lowercase().as_str() {
        "person" | "user" => Test::And(vec![class(b"person"), Test::Not(Box::new(class(b"computer")))]),
        _ => class(value),
    }
}

/// An objectGUID assertion: 16 bytes, or the printed form that newer servers take too.
fn guid_value(value: &[u8]) -> Option<Uuid> {
    match <[u8; 16]>::try_from(value) {
        Ok(bytes) => Some(Uuid::from_bytes_le(bytes)),
        Err(_) => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
    }
}

fn substrings(store: &Store, name: &str, pieces: &[Piece]) -> Test {
    let lower = schema::base_name(name);
    // DN values have no substring rule, neither in RFC 4517 nor in AD.
    if !store.knows(&lower) || store.syntax(&lower) == Syntax::Dn {
        return Test::Undefined;
    }
    let fold = |value: &[u8]| match store.syntax(&lower) {
        Syntax::Binary | Syntax::Exact => value.to_vec(),
        _ => String::from_utf8_lossy(value).to_lowercase().into_bytes(),
    };
    let pieces = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Initial(value) => Piece::Initial(fold(value)),
            Piece::Any(value) => Piece::Any(fold(value)),
            Piece::Final(value) => Piece::Final(fold(value)),
        })
        .collect();
    Test::Substrings(lower, pieces)
}

fn extensible(store: &Store, rule: Option<&str>, name: &str, value: &[u8]) -> Test {
    let lower = schema::base_name(name);
    if !store.knows(&lower) {
        return Test::Undefined;
    }
    let number = || std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<i64>().ok());
    match rule.map(str::to_ascii_lowercase).as_deref() {
        None | Some("2.5.13.2" | "caseignorematch" | "2.5.13.1" | "distinguishednamematch") => {
            equal(store, name, value)
        }
        Some("2.5.13.5" | "caseexactmatch" | "1.3.6.1.4.1.1466.109.114.1" | "caseexactia5match") => {
            Test::Exact(lower, value.to_vec())
        }
        Some(rule @ (BIT_AND | BIT_OR)) => match number() {
            Some(mask) => Test::Bits { attribute: lower, mask, all: rule == BIT_AND },
            None => Test::Undefined,
        },
        Some(IN_CHAIN) if store.is_ad() => {
            match std::str::from_utf8(value).ok().and_then(|text| store.find_text(text)) {
                Some(target) => Test::OneOf(chain(store, &lower, target)),
                None => Test::OneOf(HashSet::new()),
            }
        }
        Some(_) => Test::Undefined,
    }
}

/// The entries from which a chain of this attribute leads to the target; safe with cycles.
fn chain(store: &Store, lower: &str, target: Id) -> HashSet<Id> {
    let mut found = HashSet::new();
    let mut open = vec![target];
    while let Some(id) = open.pop() {
        let next: Vec<Id> = if lower == "memberof" {
            let values = store.entries.get(&id).map_or(&[][..], |entry| entry.stored("member"));
            values.iter().filter_map(|value| store.find_text(std::str::from_utf8(value).ok()?)).collect()
        } else {
            store.indexed(lower, store.dn_key(id).as_bytes()).into_iter().flatten().copied().collect()
        };
        open.extend(next.into_iter().filter(|id| found.insert(*id)));
    }
    found
}

/// Whether an entry passes; `None` is Undefined.
pub(super) fn passes(store: &Store, rights: &Rights, who: &Who, entry: &Entry, test: &Test) -> Option<bool> {
    let values = |lower: &str| {
        let hidden = rights.hides_attribute(store, who, entry, lower);
        (!hidden).then(|| store.values(entry, lower))
    };
    let any = |lower: &str, check: &dyn Fn(&[u8]) -> bool| Some(values(lower)?.iter().any(|value| check(value)));
    match test {
        Test::And(inner) => all(inner.iter().map(|test| passes(store, rights, who, entry, test))),
        Test::Or(inner) => {
            all(inner.iter().map(|test| passes(store, rights, who, entry, test).map(|is| !is))).map(|is| !is)
        }
        Test::Not(inner) => passes(store, rights, who, entry, inner).map(|is| !is),
        Test::Present(lower) => Some(values(lower).is_some_and(|values| !values.is_empty())),
        Test::Equal(lower, normal) if rights.hides_attribute(store, who, entry, lower) => {
            let _ = normal;
            None
        }
        Test::Equal(lower, normal) if lower == "memberof" => Some(store.is_member_of(entry, normal)),
        Test::Equal(lower, normal) if schema::indexed(lower) => {
            Some(store.indexed(lower, normal).is_some_and(|ids| ids.contains(&entry.id)))
        }
        Test::Equal(lower, normal) => {
            let syntax = store.syntax(lower);
            any(lower, &|value| schema::normal(syntax, value) == *normal)
        }
        Test::Exact(lower, wanted) => any(lower, &|value| value == wanted.as_slice()),
        Test::AtLeast(lower, normal) => {
            let syntax = store.syntax(lower);
            any(lower, &|value| schema::compare(syntax, &schema::normal(syntax, value), normal).is_ge())
        }
        Test::AtMost(lower, normal) => {
            let syntax = store.syntax(lower);
            any(lower, &|value| schema::compare(syntax, &schema::normal(syntax, value), normal).is_le())
        }
        Test::Substrings(lower, pieces) => {
            let syntax = store.syntax(lower);
            any(lower, &|value| {
                let folded = schema::normal(syntax, value);
                contains(&folded, pieces)
            })
        }
        Test::Bits { attribute, mask, all } => any(attribute, &|value| {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<i64>().ok());
            number.is_some_and(|number| if *all { number & mask == *mask } else { number & mask != 0 })
        }),
        Test::Uuid(uuid) => Some(*uuid == Some(entry.uuid)),
        Test::OneOf(ids) => Some(ids.contains(&entry.id)),
        Test::Undefined => None,
    }
}

/// And of three-valued parts.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn contains(value: &[u8], pieces: &[Piece]) -> bool {
    let mut rest = value;
    for piece in pieces {
        match piece {
            Piece::Initial(start) => match rest.strip_prefix(start.as_slice()) {
                Some(tail) => rest = tail,
                None => return false,
            },
            Piece::Any(part) => match position(rest, part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            },
            Piece::Final(end) => return rest.ends_with(end),
        }
    }
    true
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// The few entries that can pass, where an index tells; `None` means any.
fn candidates(store: &Store, test: &Test) -> Option<BTreeSet<Id>> {
    match test {
        Test::Equal(lower, normal) if schema::indexed(lower) => {
            Some(store.indexed(lower, normal).cloned().unwrap_or_default())
        }
        Test::Uuid(uuid) => Some(uuid.and_then(|uuid| store.by_uuid(uuid)).into_iter().collect()),
        Test::OneOf(ids) => Some(ids.iter().copied().collect()),
        Test::And(inner) => inner.iter().filter_map(|test| candidates(store, test)).min_by_key(BTreeSet::len),
        Test::Or(inner) => {
            let sets: Option<Vec<_>> = inner.iter().map(|test| candidates(store, test)).collect();
            Some(sets?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn in_scope(store: &Store, entry: &Entry, search: &Search) -> bool {
    match search.scope {
        Scope::Base => entry.id == search.base,
        Scope::One => entry.parent == Some(search.base),
        Scope::Sub => {
            let mut at = Some(entry);
            while let Some(entry) = at {
                if entry.id == search.base {
                    return true;
                }
                at = entry.parent.and_then(|parent| store.entries.get(&parent));
            }
            false
        }
    }
}

/// The next entries found after `after`, at most `limit`, and whether there are more.
pub(super) fn find(store: &Store, rights: &Rights, search: &Search, after: Id, limit: usize) -> (Vec<Id>, bool) {
    let found = |entry: &&Entry| {
        (!entry.deleted || search.show_deleted)
            && in_scope(store, entry, search)
            && rights.sees(store, &search.who, entry)
            && passes(store, rights, &search.who, entry, &search.test) == Some(true)
    };
    let from = after + 1;
    let chosen = match search.scope {
        Scope::Base => Some(BTreeSet::from([search.base])),
        Scope::One | Scope::Sub => candidates(store, &search.test),
    };
    let mut ids: Vec<Id> = match chosen {
        Some(chosen) => {
            let entries = chosen.range(from..).filter_map(|id| store.entries.get(id));
            entries.filter(found).take(limit.saturating_add(1)).map(|entry| entry.id).collect()
        }
        None => {
            let entries = store.entries.range(from..).map(|(_, entry)| entry);
            entries.filter(found).take(limit.saturating_add(1)).map(|entry| entry.id).collect()
        }
    };
    let more = ids.len() > limit;
    ids.truncate(limit);
    (ids, more)
}
