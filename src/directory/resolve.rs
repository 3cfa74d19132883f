//! Finding groups: by pinned id, by DN, by name. A group that can't be found is missing, never empty.

use std::collections::BTreeMap;

use ldap3::Scope;

use super::decode::RawEntry;
use super::filter::{both, group_named, with_id};
use super::search::{AtBase, Collect, Query, Session, Values, paged};
use crate::domain::assignment::GroupRef;
use crate::domain::dn::{Dn, DnKey};
use crate::domain::id::EntryId;
use crate::domain::scope::Tally;
use crate::domain::settings::{DirectoryKind, DirectorySettings};
use crate::engine::ports::{GroupOrder, ReadFault};

/// A group as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundGroup {
    pub(super) id: EntryId,
    pub(super) dn: Dn,
    /// AD's security identifier.
    pub(super) sid: Option<Vec<u8>>,
}

/// What became of looking for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolution {
    Found(FoundGroup),
    Missing,
    /// Several fit, by their DNs.
    Ambiguous(Vec<String>),
}

/// The attribute of AD that identifies for access control.
pub(super) const SID: &str = "objectSid";

/// The attribute that holds a group's immutable id. `mS-DS-ConsistencyGuid` is given to people alone, as a rule: groups
/// are known by what their kind of server gives every entry.
pub(super) fn group_id_attribute(settings: &DirectorySettings) -> &str {
    if settings.id_attribute.eq_ignore_ascii_case("mS-DS-ConsistencyGuid") {
        return settings.kind.id_attribute();
    }
    &settings.id_attribute
}

/// What is asked of a group: its id, and AD's SID.
pub(super) fn group_attributes(session: &Session) -> Vec<String> {
    let mut attributes = vec![group_id_attribute(&session.settings).to_owned()];
    match session.settings.kind {
        DirectoryKind::ActiveDirectory => attributes.push(SID.to_owned()),
        DirectoryKind::OpenLdap | DirectoryKind::Generic => {}
    }
    attributes
}

/// Finds the group that is ordered: the pin wins, then the DN, then the name.
pub(super) async fn resolve(
    session: &mut Session,
    order: &GroupOrder,
    tally: &mut Tally,
) -> Result<Resolution, ReadFault> {
    if let Some(pin) = order.pin {
        if let Some(found) = group_by_id(session, pin, tally).await? {
            return Ok(Resolution::Found(found));
        }
        // It may lie outside the bases, where no search by id comes; another group at its place is not it.
        return Ok(match &order.group {
            GroupRef::Dn(dn) => match group_at(session, dn).await? {
                Some(found) if found.id == pin => Resolution::Found(found),
                Some(_) | None => Resolution::Missing,
            },
            GroupRef::Name(_) | GroupRef::Id(_) => Resolution::Missing,
        });
    }
    let found = match &order.group {
        GroupRef::Id(id) => group_by_id(session, *id, tally).await?,
        GroupRef::Dn(dn) => group_at(session, dn).await?,
        GroupRef::Name(name) => return group_by_name(session, name, tally).await,
    };
    Ok(found.map_or(Resolution::Missing, Resolution::Found))
}

/// The group at a DN, if there is one.
async fn group_at(session: &mut Session, dn: &Dn) -> Result<Option<FoundGroup>, ReadFault> {
    let filter = session.settings.group_filter.clone();
    at(session, dn.as_str(), &filter, &format!("the group {dn}")).await
}

async fn at(session: &mut Session, base: &str, filter: &str, what: &str) -> Result<Option<FoundGroup>, ReadFault> {
    let attributes = group_attributes(session);
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    match session.at_base(base, filter, &attributes, Values::Wanted).await.map_err(|fault| fault.of(what))? {
        AtBase::Entry(entry) => found(session, &entry).map(Some),
        AtBase::Unmatched | AtBase::Absent => Ok(None),
    }
}

/// The group with an id, wherever a search by id comes.
pub(super) async fn group_by_id(
    session: &mut Session,
    id: EntryId,
    tally: &mut Tally,
) -> Result<Option<FoundGroup>, ReadFault> {
    if let Some(base) = guid_base(session, group_id_attribute(&session.settings), id) {
        let filter = session.settings.group_filter.clone();
        return at(session, &base, &filter, &format!("the group with the id {id}")).await;
    }
    let filter = both(&session.settings.group_filter, &with_id(group_id_attribute(&session.settings), id));
    let mut groups = under_bases(session, &filter, tally).await?;
    let first = groups.pop_first().map(|(_, group)| group);
    match groups.first_key_value() {
        None => Ok(first),
        Some(_) => Err(ReadFault::Incomplete(format!("several groups carry the id {id}"))),
    }
}

/// AD finds an object by GUID wherever in the domain it lies (MS-ADTS 3.1.1.3.1.2.4).
pub(super) fn guid_base(session: &Session, id_attribute: &str, id: EntryId) -> Option<String> {
    match session.settings.kind {
        DirectoryKind::ActiveDirectory if id_attribute.eq_ignore_ascii_case("objectGUID") => {
            Some(format!("<GUID={}>", id.dashed()))
        }
        DirectoryKind::ActiveDirectory | DirectoryKind::OpenLdap | DirectoryKind::Generic => None,
    }
}

async fn group_by_name(session: &mut Session, name: &str, tally: &mut Tally) -> Result<Resolution, ReadFault> {
    let filter = group_named(&session.settings, name);
    let mut groups = under_bases(session, &filter, tally).await?;
    Ok(match groups.len() {
        0 => Resolution::Missing,
        1 => groups.pop_first().map_or(Resolution::Missing, |(_, group)| Resolution::Found(group)),
        2.. => {
            let mut dns: Vec<String> = groups.into_values().map(|group| group.dn.to_string()).collect();
            dns.sort();
            Resolution::Ambiguous(dns)
        }
    })
}

/// The groups that fit a filter under any base, each once.
async fn under_bases(
    session: &mut Session,
    filter: &str,
    tally: &mut Tally,
) -> Result<BTreeMap<DnKey, FoundGroup>, ReadFault> {
    let attributes = group_attributes(session);
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let mut groups = BTreeMap::new();
    for base in outermost(&session.settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter, attributes: &attributes };
        let mut entries = Collect::default();
        // A look for one group is no part of what the read came upon: pinned groups would be counted twice.
        let counted = tally.entries;
        paged(session, &query, tally, &mut entries).await?;
        tally.entries = counted;
        for entry in &entries.0 {
            let group = found(session, entry)?;
            groups.insert(group.dn.key(), group);
        }
    }
    Ok(groups)
}

fn found(session: &Session, entry: &RawEntry) -> Result<FoundGroup, ReadFault> {
    let unreadable =
        |why: String| ReadFault::Incomplete(format!("the group {}: {why}", String::from_utf8_lossy(&entry.dn)));
    let dn = entry.dn().map_err(unreadable)?;
    let id = entry.id(group_id_attribute(&session.settings)).map_err(unreadable)?;
    let sid = entry.values(SID).and_then(<[Vec<u8>]>::first).cloned();
    Ok(FoundGroup { id, dn, sid })
}

/// The bases without those that lie within another: each part of the tree is read once.
pub(super) fn outermost(bases: &[Dn]) -> Vec<Dn> {
    let mut kept: Vec<Dn> = Vec::new();
    for base in bases {
        if kept.iter().any(|other| base.lies_within(other)) {
            continue;
        }
        kept.retain(|other| !other.lies_within(base));
        kept.push(base.clone());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_within_another_is_read_once() {
        let dn = |text| Dn::parse(text).unwrap();
        let bases = ["ou=a,dc=x", "dc=X", "ou=b,dc=x", "dc=y", "DC=y"].map(dn);
        assert_eq!(outermost(&bases), ["dc=X", "dc=y"].map(dn));
    }
}
