//! Looking one person up by immutable id, and the groups that hold them. A removal rests on what is said here.
//!
//! Only an answer of success shows that something isn't there. A result that isn't 0, a reference, or a membership that
//! may not be read is a fault, and nobody is removed on a fault.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ldap3::Scope;
use ldap3::controls::{PagedResults, RawControl};

use super::code::Code;
use super::decode::{RawEntry, domain_and_rid};
use super::filter::{ANYTHING, equals, with_id};
use super::line::Paging;
use super::read::PRIMARY_GROUP;
use super::resolve::{SID, group_by_id, group_id_attribute, guid_base, outermost};
use super::search::{AskFault, AtBase, Collect, Query, Session, Values, paged};
use crate::domain::account_state::account_state;
use crate::domain::dn::{Dn, DnKey};
use crate::domain::entry::Attributes;
use crate::domain::id::EntryId;
use crate::domain::scope::{Presence, Tally};
use crate::domain::settings::{DirectoryKind, DirectorySettings};
use crate::engine::ports::ReadFault;

/// AD's control that shows deleted objects (MS-ADTS 3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// Object classes whose groups always have a member (RFC 4519 3.5, 3.6): without one shown, it may not be read.
const NEVER_EMPTY: [&str; 2] = ["groupOfNames", "groupOfUniqueNames"];

/// Whom to look up.
#[derive(Debug, Clone)]
pub(super) struct Whom {
    pub(super) entry: EntryId,
    pub(super) last_dn: Dn,
    pub(super) groups: BTreeSet<EntryId>,
    pub(super) now: DateTime<Utc>,
}

/// Looks a person up. `places` remembers where groups lie.
pub(super) async fn look_up(
    session: &mut Session,
    whom: &Whom,
    places: &mut HashMap<EntryId, Dn>,
) -> Result<Presence, ReadFault> {
    let found = match find(session, whom.entry).await? {
        Some(entry) => Some(entry),
        None => find_outside(session, whom.entry).await?,
    };
    let Some(entry) = found else { return absent(session, whom, places).await };
    let dn = entry.dn().map_err(|why| ReadFault::Incomplete(format!("the entry {}: {why}", whom.entry)))?;
    let mut names = vec![dn.clone()];
    // A group may name the place that the entry was moved from, if nobody else has taken it.
    if whom.last_dn.key() != dn.key() && !taken(session, whom).await? {
        names.push(whom.last_dn.clone());
    }
    let mut held_by = Vec::new();
    for &group in &whom.groups {
        if let Some(name) = holds(session, group, &names, Some(&entry), places).await? {
            held_by.push(name);
        }
    }
    let attributes = attributes_of(entry);
    let state = account_state(session.settings.kind.state_rules(), &attributes, whom.now);
    let within = session.settings.bases.iter().any(|base| dn.lies_within(base));
    Ok(if within { Presence::Found { state, dn, held_by } } else { Presence::Outside { state, dn, held_by } })
}

async fn absent(session: &mut Session, whom: &Whom, places: &mut HashMap<EntryId, Dn>) -> Result<Presence, ReadFault> {
    if buried(session, whom.entry).await? {
        return Ok(Presence::Tombstone);
    }
    let mut named_by = Vec::new();
    for &group in &whom.groups {
        if let Some(name) = holds(session, group, std::slice::from_ref(&whom.last_dn), None, places).await? {
            named_by.push(name);
        }
    }
    Ok(Presence::NotFound { named_by })
}

/// What is asked of an entry that is looked up.
fn asked(settings: &DirectorySettings) -> Vec<&str> {
    let mut attributes = vec![settings.id_attribute.as_str()];
    attributes.extend(settings.kind.state_rules().attributes());
    match settings.kind {
        DirectoryKind::ActiveDirectory => attributes.extend([PRIMARY_GROUP, SID]),
        DirectoryKind::OpenLdap | DirectoryKind::Generic => {}
    }
    attributes
}

/// Finds an entry by id in the naming contexts that hold the bases: one that was moved out of these is there still. Where
/// we may not look it isn't found, and that it isn't shows nothing that the bases didn't.
async fn find_outside(session: &mut Session, id: EntryId) -> Result<Option<RawEntry>, ReadFault> {
    let settings = Arc::clone(&session.settings);
    if guid_base(session, &settings.id_attribute, id).is_some() {
        return Ok(None);
    }
    let attributes = asked(&settings);
    let filter = with_id(&settings.id_attribute, id);
    for context in session.root.contexts.clone() {
        if settings.bases.iter().any(|base| context.lies_within(base)) {
            continue;
        }
        let query = Query { base: context.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &attributes };
        session.tell(&query, Paging::Off);
        let mut found = Vec::new();
        let mut take = |entry| {
            found.push(RawEntry::take(entry)?);
            Ok(())
        };
        match session.ask(&query, Values::Wanted, Vec::new(), &mut take).await {
            Ok(_) => {}
            Err(fault) if [Code::NO_SUCH_OBJECT, Code::INSUFFICIENT_ACCESS].iter().any(|code| fault.is(*code)) => {
                continue;
            }
            Err(fault) => return Err(fault.of(format_args!("the entry {id} under {context}"))),
        }
        match found.pop() {
            Some(_) if !found.is_empty() => {
                return Err(ReadFault::Incomplete(format!("several entries carry the id {id}")));
            }
            Some(entry) => return checked(entry, &settings.id_attribute, id).map(Some),
            None => {}
        }
    }
    Ok(None)
}

/// Finds an entry by id: anywhere in the domain on AD, else under the bases.
///
/// The filter for people isn't used: whether somebody is disabled may be part of it, and that is what is asked here.
async fn find(session: &mut Session, id: EntryId) -> Result<Option<RawEntry>, ReadFault> {
    let settings = Arc::clone(&session.settings);
    let attributes = asked(&settings);
    let what = format!("the entry {id}");
    if let Some(base) = guid_base(session, &settings.id_attribute, id) {
        let found = session.at_base(&base, ANYTHING, &attributes, Values::Wanted).await;
        return match found.map_err(|fault| fault.of(&what))? {
            AtBase::Entry(entry) => checked(entry, &settings.id_attribute, id).map(Some),
            AtBase::Absent => Ok(None),
            AtBase::Unmatched => Err(ReadFault::Incomplete(format!("{what} is there, and may not be read"))),
        };
    }
    let filter = with_id(&settings.id_attribute, id);
    let mut found: BTreeMap<Option<DnKey>, RawEntry> = BTreeMap::new();
    let mut tally = Tally::default();
    for base in outermost(&settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &attributes };
        let mut entries = Collect::default();
        paged(session, &query, &mut tally, &mut entries).await?;
        found.extend(entries.0.into_iter().map(|entry| (entry.dn().ok().map(|dn| dn.key()), entry)));
    }
    let first = found.pop_first().map(|(_, entry)| entry);
    match first {
        Some(_) if !found.is_empty() => Err(ReadFault::Incomplete(format!("several entries carry the id {id}"))),
        Some(entry) => checked(entry, &settings.id_attribute, id).map(Some),
        None if tally.references > 0 => Err(ReadFault::Incomplete(format!("{what} may be on another server"))),
        None => Ok(None),
    }
}

/// An answer about somebody else is no answer.
fn checked(entry: RawEntry, attribute: &str, id: EntryId) -> Result<RawEntry, ReadFault> {
    match entry.id(attribute) {
        Ok(found) if found == id => Ok(entry),
        Ok(found) => Err(ReadFault::Incomplete(format!("the entry {id} was asked for, and {found} came"))),
        Err(why) => Err(ReadFault::Incomplete(format!("the entry {id}: {why}"))),
    }
}

fn attributes_of(entry: RawEntry) -> Attributes {
    let mut attributes = Attributes::new();
    for (kind, values) in entry.attributes {
        attributes.insert(&String::from_utf8_lossy(&kind), values);
    }
    attributes
}

/// Whether another entry is now where somebody was last seen.
async fn taken(session: &mut Session, whom: &Whom) -> Result<bool, ReadFault> {
    let attribute = session.settings.id_attribute.clone();
    let found = session.at_base(whom.last_dn.as_str(), ANYTHING, &[&attribute], Values::Wanted).await;
    match found {
        Ok(AtBase::Entry(entry)) => Ok(entry.id(&attribute).is_ok_and(|id| id != whom.entry)),
        Ok(AtBase::Unmatched | AtBase::Absent) => Ok(false),
        Err(fault) if fault.is(Code::REFERRAL) => Ok(false),
        Err(fault) => Err(fault.of(format_args!("{}", whom.last_dn))),
    }
}

/// Whether AD keeps a tombstone. Ordinary accounts may not see where they lie: then there is none to see.
async fn buried(session: &mut Session, id: EntryId) -> Result<bool, ReadFault> {
    let settings = Arc::clone(&session.settings);
    let domain = match (settings.kind, session.root.default_context.clone()) {
        (DirectoryKind::ActiveDirectory, Some(domain)) => domain,
        (DirectoryKind::ActiveDirectory, None) | (DirectoryKind::OpenLdap | DirectoryKind::Generic, _) => {
            return Ok(false);
        }
    };
    let base = format!("CN=Deleted Objects,{domain}");
    let filter = with_id(&settings.id_attribute, id);
    let attributes = [settings.id_attribute.as_str(), "isDeleted"];
    let query = Query { base: &base, scope: Scope::Subtree, filter: &filter, attributes: &attributes };
    let control = RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None };
    let mut found = Vec::new();
    let mut take = |entry| {
        found.push(RawEntry::take(entry)?);
        Ok(())
    };
    match session.ask(&query, Values::Wanted, vec![control], &mut take).await {
        Ok(_) => {}
        Err(AskFault::Refused(refusal))
            if matches!(refusal.code, Code::NO_SUCH_OBJECT | Code::INSUFFICIENT_ACCESS | Code::REFERRAL) => {}
        Err(fault) => return Err(fault.of("the deleted objects")),
    }
    let deleted = |entry: &RawEntry| entry.text("isDeleted").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    Ok(found.iter().any(|entry| deleted(entry) && entry.id(&settings.id_attribute) == Ok(id)))
}

/// Whether a group holds one of these names, or is the primary group of an entry; answers the group's name if so.
/// A group that isn't there any more holds nobody.
async fn holds(
    session: &mut Session,
    group: EntryId,
    names: &[Dn],
    entry: Option<&RawEntry>,
    places: &mut HashMap<EntryId, Dn>,
) -> Result<Option<String>, ReadFault> {
    if let Some(dn) = places.get(&group).cloned() {
        match test(session, &dn, group, names, entry).await? {
            Test::Holds => return Ok(Some(dn.leaf())),
            Test::HoldsNot => return Ok(None),
            Test::NotThere => {
                places.remove(&group);
            }
        }
    }
    let mut tally = Tally::default();
    let Some(found) = group_by_id(session, group, &mut tally).await? else {
        if tally.references > 0 {
            return Err(ReadFault::Incomplete(format!("the group {group} may be on another server")));
        }
        return Ok(None);
    };
    places.insert(group, found.dn.clone());
    match test(session, &found.dn, group, names, entry).await? {
        Test::Holds => Ok(Some(found.dn.leaf())),
        Test::HoldsNot => Ok(None),
        Test::NotThere => Err(ReadFault::Incomplete(format!("the group {} moved while it was read", found.dn.leaf()))),
    }
}

/// What a test of a membership shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Holds,
    HoldsNot,
    /// The group isn't where it was, or another is there.
    NotThere,
}

async fn test(
    session: &mut Session,
    group: &Dn,
    id: EntryId,
    names: &[Dn],
    entry: Option<&RawEntry>,
) -> Result<Test, ReadFault> {
    let settings = Arc::clone(&session.settings);
    let fault = |fault: AskFault| fault.of(format_args!("the group {group}"));
    let id_attribute = group_id_attribute(&settings);
    let asked = [id_attribute, "objectClass", SID];
    let seen = match session.at_base(group.as_str(), ANYTHING, &asked, Values::Wanted).await.map_err(fault)? {
        AtBase::Entry(seen) => seen,
        AtBase::Unmatched | AtBase::Absent => return Ok(Test::NotThere),
    };
    if seen.id(id_attribute) != Ok(id) {
        return Ok(Test::NotThere);
    }
    match entry {
        Some(entry) if is_primary(entry, &seen) => return Ok(Test::Holds),
        // Somebody who can't be seen may have it as the primary group, of which no member value tells.
        None if is_anybodys_primary(session, &seen).await? => return Ok(Test::Holds),
        Some(_) | None => {}
    }
    for name in names {
        let filter = equals(&settings.member_attribute, name.as_str().as_bytes());
        match session.at_base(group.as_str(), &filter, &["1.1"], Values::Wanted).await.map_err(fault)? {
            AtBase::Entry(_) => return Ok(Test::Holds),
            AtBase::Unmatched => {}
            AtBase::Absent => return Ok(Test::NotThere),
        }
    }
    // A filter on an attribute that may not be read fits nobody (RFC 4511 4.5.1.7): that shows nothing.
    let classes = seen.texts("objectClass");
    if !classes.iter().any(|class| NEVER_EMPTY.iter().any(|known| class.eq_ignore_ascii_case(known))) {
        return Ok(Test::HoldsNot);
    }
    let asked = [settings.member_attribute.as_str()];
    match session.at_base(group.as_str(), ANYTHING, &asked, Values::TypesOnly).await.map_err(fault)? {
        AtBase::Entry(shown) if shown.values(&settings.member_attribute).is_some() => Ok(Test::HoldsNot),
        AtBase::Entry(_) => {
            let why =
                format!("the group {group} shows no {}: the bind account may not read it", settings.member_attribute);
            Err(ReadFault::Incomplete(why))
        }
        AtBase::Unmatched | AtBase::Absent => Ok(Test::NotThere),
    }
}

/// Whether a group of AD is the primary one of somebody whom we see: then it may hold people whom we don't.
async fn is_anybodys_primary(session: &mut Session, group: &RawEntry) -> Result<bool, ReadFault> {
    let settings = Arc::clone(&session.settings);
    let sid = group.values(SID).and_then(<[Vec<u8>]>::first).cloned().unwrap_or_default();
    let (DirectoryKind::ActiveDirectory, Some((_, rid))) = (settings.kind, domain_and_rid(&sid)) else {
        return Ok(false);
    };
    let filter = equals(PRIMARY_GROUP, rid.to_string().as_bytes());
    for base in outermost(&settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &["1.1"] };
        let mut some = false;
        let mut take = |_| {
            some = true;
            Ok(())
        };
        // One is enough: the rest of the pages isn't asked for.
        let one = PagedResults { size: 1, cookie: Vec::new() };
        let asked = session.ask(&query, Values::Wanted, vec![one.into()], &mut take).await;
        asked.map_err(|fault| fault.of("the members of a primary group"))?;
        if some {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a group of AD is an entry's primary one.
fn is_primary(entry: &RawEntry, group: &RawEntry) -> bool {
    let sid = |of: &RawEntry| of.values(SID).and_then(<[Vec<u8>]>::first).cloned();
    let (Some(person), Some(group)) = (sid(entry), sid(group)) else { return false };
    let (Some((domain, _)), Some((group_domain, rid))) = (domain_and_rid(&person), domain_and_rid(&group)) else {
        return false;
    };
    domain == group_domain && entry.text(PRIMARY_GROUP).and_then(|text| text.parse().ok()) == Some(rid)
}

#[cfg(test)]
mod tests;
