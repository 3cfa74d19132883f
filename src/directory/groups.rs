//! The groups of a read: resolved, walked through their nesting, and who they hold.
//!
//! Nesting is followed here, each reached group read once: AD's rule for it (1.2.840.113556.1.4.1941) takes seconds at
//! 10,000 objects, and other servers have none. A cycle ends where it closes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use lber::structure::StructureTag;
use ldap3::Scope;

use super::decode::{RawEntry, domain_and_rid};
use super::holders::{Holders, Met};
use super::members::{Marker, MembersFault, marker, members, named_dn};
use super::resolve::{FoundGroup, Resolution, SID, group_attributes, group_id_attribute, outermost, resolve};
use super::search::{Query, Session, Sink, paged};
use crate::domain::assignment::Membership;
use crate::domain::dn::{Dn, DnKey};
use crate::domain::entry::{GroupPath, GroupStep};
use crate::domain::id::EntryId;
use crate::domain::scope::{GroupSeen, Resolved, Tally};
use crate::engine::ports::{ReadFault, ReadOrder};

/// Deepest nesting below an assigned group.
pub(super) const NESTING_MAX: usize = 50;

/// Most groups reached from the assigned ones.
pub(super) const GROUPS_MAX: usize = 10_000;

/// Most member values that are kept to be shown because they can't be used.
pub(super) const ODD_MAX: usize = 100;

/// How often a walk is repeated when groups change under it.
const WALKS_MAX: usize = 3;

/// A group that was reached.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: EntryId,
    pub(super) name: String,
    pub(super) dn: Dn,
    children: BTreeSet<u32>,
    /// Values of its membership, placeholders left out.
    pub(super) members: usize,
    marker: Marker,
}

/// Which members' DNs a walk keeps as text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keep<'a> {
    /// None: keys are enough.
    Keys,
    /// Those that another survey's search for people didn't come upon, or that it holds otherwise.
    NewOrUnmet(&'a Survey),
}

/// Most members' DNs of one sort that are kept as text.
const TEXTS_MAX: usize = 2_000;

/// Members' DNs, as far as there is room.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) kept: BTreeMap<String, DnKey>,
    pub(super) left_out: usize,
}

impl Texts {
    fn keep(&mut self, dn: &Dn, key: DnKey) {
        if self.kept.len() < TEXTS_MAX {
            self.kept.insert(dn.to_string(), key);
        } else {
            self.left_out += 1;
        }
    }
}

/// What the groups hold, as of one moment.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// What became of each ordered group, by position.
    pub(super) resolved: Vec<Resolved>,
    /// The ordered groups among the nodes, by position.
    roots: Vec<Option<u32>>,
    pub(super) nodes: Vec<Node>,
    places: HashMap<DnKey, u32>,
    pub(super) holders: Holders,
    /// Member values that are no DN.
    pub(super) odd: BTreeSet<String>,
    /// Members whom an earlier survey doesn't know in the same groups.
    pub(super) gained: Texts,
    /// Members whom the search for people didn't come upon.
    pub(super) unmet: Texts,
    /// From each ordered group to each reached one: the group before it on the shortest way.
    ways: Vec<HashMap<u32, Option<u32>>>,
    /// Reached groups of AD by domain and RID.
    rids: HashMap<(Vec<u8>, u32), u32>,
}

/// Every group under the bases, by DN.
#[derive(Debug, Default)]
struct Index(HashMap<DnKey, IndexEntry>);

#[derive(Debug)]
struct IndexEntry {
    id: Option<EntryId>,
    sid: Option<Vec<u8>>,
}

struct IndexSink<'a> {
    index: &'a mut Index,
    id_attribute: String,
}

impl Sink for IndexSink<'_> {
    fn entry(&mut self, entry: StructureTag) -> Result<(), String> {
        let entry = RawEntry::take(entry)?;
        // A group whose name can't be parsed can't be named by a member value that can.
        if let Ok(dn) = entry.dn() {
            let id = entry.id(&self.id_attribute).ok();
            let sid = entry.values(SID).and_then(<[Vec<u8>]>::first).cloned();
            self.index.0.insert(dn.key(), IndexEntry { id, sid });
        }
        Ok(())
    }

    async fn page_end(&mut self) -> Result<(), ReadFault> {
        Ok(())
    }
}

/// Surveys the ordered groups. When they change meanwhile, it is done again; only a moment of rest counts.
pub(super) async fn survey(
    session: &mut Session,
    order: &ReadOrder,
    keep: Keep<'_>,
    tally: &mut Tally,
) -> Result<Survey, ReadFault> {
    let mut moved = String::new();
    for _ in 0..WALKS_MAX {
        match survey_once(session, order, keep, tally).await {
            Ok(survey) => match unmoved(session, &survey).await? {
                None => return Ok(survey),
                Some(name) => moved = name,
            },
            Err(MembersFault::Moved(name)) => {
                // What was asked of a group that went away is no debt.
                tally.groups_asked = tally.groups_whole;
                tally.ranges_asked = tally.ranges_whole;
                moved = name;
            }
            Err(MembersFault::Read(fault)) => return Err(fault),
        }
        tracing::debug!(directory = %session.settings.name, group = moved, "groups moved");
    }
    Err(ReadFault::Incomplete(format!("groups kept changing while they were read, {WALKS_MAX} times: {moved}")))
}

/// Whether each reached group is as it was when its members were read; else the name of one that isn't.
pub(super) async fn unmoved(session: &mut Session, survey: &Survey) -> Result<Option<String>, ReadFault> {
    for node in &survey.nodes {
        match marker(session, node.dn.as_str()).await {
            Ok(now) if now == node.marker => {}
            Ok(_) => return Ok(Some(node.name.clone())),
            Err(MembersFault::Moved(name)) => return Ok(Some(name)),
            Err(MembersFault::Read(fault)) => return Err(fault),
        }
    }
    Ok(None)
}

async fn survey_once(
    session: &mut Session,
    order: &ReadOrder,
    keep: Keep<'_>,
    tally: &mut Tally,
) -> Result<Survey, MembersFault> {
    let mut survey = Survey::default();
    for one in &order.groups {
        let (resolved, root) = match resolve(session, one, tally).await.map_err(MembersFault::Read)? {
            Resolution::Found(group) => (Resolved::Found(group.id), Some(survey.place(&group)?)),
            Resolution::Missing => (Resolved::Missing, None),
            Resolution::Ambiguous(dns) => (Resolved::Ambiguous(dns), None),
        };
        survey.resolved.push(resolved);
        survey.roots.push(root);
    }
    // Without a group to walk there is no nesting to know of.
    if !survey.nodes.is_empty() {
        let index = index(session, tally).await.map_err(MembersFault::Read)?;
        let mut at = 0;
        while at < survey.nodes.len() {
            walk_one(session, &mut survey, at, &index, keep, tally).await?;
            at += 1;
        }
        survey.find_ways()?;
    }
    Ok(survey)
}

async fn index(session: &mut Session, tally: &mut Tally) -> Result<Index, ReadFault> {
    let mut index = Index::default();
    let filter = session.settings.group_filter.clone();
    let attributes = group_attributes(session);
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let id_attribute = group_id_attribute(&session.settings).to_owned();
    for base in outermost(&session.settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &attributes };
        tally.bases_asked += 1;
        paged(session, &query, tally, &mut IndexSink { index: &mut index, id_attribute: id_attribute.clone() }).await?;
        tally.bases_whole += 1;
    }
    Ok(index)
}

/// Reads the members of one reached group.
async fn walk_one(
    session: &mut Session,
    survey: &mut Survey,
    at: usize,
    index: &Index,
    keep: Keep<'_>,
    tally: &mut Tally,
) -> Result<(), MembersFault> {
    let dn = survey.nodes[at].dn.clone();
    let attribute = session.settings.member_attribute.clone();
    let mut values = 0;
    let marker = members(session, dn.as_str(), tally, &mut |value| {
        values += usize::from(survey.member(at, &attribute, &value, index, keep)?);
        Ok(())
    })
    .await?;
    let node = &mut survey.nodes[at];
    node.members = values;
    node.marker = marker;
    Ok(())
}

impl Survey {
    /// The place of a group among the nodes, made if need be.
    fn place(&mut self, group: &FoundGroup) -> Result<u32, MembersFault> {
        if let Some(&at) = self.places.get(&group.dn.key()) {
            return Ok(at);
        }
        if self.nodes.len() == GROUPS_MAX {
            let why = format!("more than {GROUPS_MAX} groups are reached from the assigned ones");
            return Err(MembersFault::Read(ReadFault::Incomplete(why)));
        }
        // Bounded by the limit just tested.
        let at = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.places.insert(group.dn.key(), at);
        if let Some((domain, rid)) = group.sid.as_deref().and_then(domain_and_rid) {
            self.rids.insert((domain.to_vec(), rid), at);
        }
        self.nodes.push(Node {
            id: group.id,
            name: group.dn.leaf(),
            dn: group.dn.clone(),
            children: BTreeSet::new(),
            members: 0,
            marker: Marker::default(),
        });
        Ok(at)
    }

    /// Takes one member value of a group; answers whether it counts as a member.
    fn member(
        &mut self,
        at: usize,
        attribute: &str,
        value: &[u8],
        index: &Index,
        keep: Keep<'_>,
    ) -> Result<bool, ReadFault> {
        if value.iter().all(u8::is_ascii_whitespace) {
            return Ok(false);
        }
        let parsed = std::str::from_utf8(value).ok().and_then(|text| Dn::parse(named_dn(attribute, text)).ok());
        let Some(dn) = parsed else {
            if self.odd.len() < ODD_MAX {
                self.odd.insert(format!("{} (not a DN)", String::from_utf8_lossy(value)));
            }
            return Ok(true);
        };
        let key = dn.key();
        // groupOfNames must have a member (RFC 4519 3.5): an empty group often names itself.
        if key == self.nodes[at].dn.key() {
            return Ok(false);
        }
        let group = match (self.places.get(&key), index.0.get(&key)) {
            (Some(&child), _) => Some(child),
            (None, Some(IndexEntry { id: Some(id), sid })) => {
                let group = FoundGroup { id: *id, dn: dn.clone(), sid: sid.clone() };
                Some(self.place(&group).map_err(|fault| match fault {
                    MembersFault::Read(fault) => fault,
                    MembersFault::Moved(what) => ReadFault::Incomplete(what),
                })?)
            }
            (None, Some(IndexEntry { id: None, .. })) => {
                return Err(ReadFault::Incomplete(format!("the nested group {dn} shows no immutable id")));
            }
            (None, None) => None,
        };
        if let Some(child) = group {
            self.nodes[at].children.insert(child);
        } else {
            self.holders.add(&dn, u32::try_from(at).unwrap_or(u32::MAX));
            self.keep_text(&dn, key, at, keep);
        }
        Ok(true)
    }

    fn keep_text(&mut self, dn: &Dn, key: DnKey, at: usize, keep: Keep<'_>) {
        let Keep::NewOrUnmet(before) = keep else { return };
        if !before.knows(key, self.nodes[at].id) {
            self.gained.keep(dn, key);
        } else if before.holders.met(key) == Some(Met::NotYet) {
            self.unmet.keep(dn, key);
        }
    }

    /// Whether a member was known to be in a group.
    fn knows(&self, key: DnKey, group: EntryId) -> bool {
        self.holders.groups(key).iter().any(|&at| self.nodes[at as usize].id == group)
    }

    /// Finds the shortest way from each ordered group to each one that is reached from it.
    fn find_ways(&mut self) -> Result<(), MembersFault> {
        for root in &self.roots {
            let mut way: HashMap<u32, Option<u32>> = HashMap::new();
            if let Some(root) = *root {
                way.insert(root, None);
                let mut next = VecDeque::from([(root, 0)]);
                while let Some((at, depth)) = next.pop_front() {
                    let mut children: Vec<u32> = self.nodes[at as usize].children.iter().copied().collect();
                    // The server's order of values must not decide which way is told.
                    children.sort_by_key(|&child| (&self.nodes[child as usize].name, self.nodes[child as usize].id));
                    for child in children {
                        if way.contains_key(&child) {
                            continue;
                        }
                        if depth == NESTING_MAX {
                            let name = &self.nodes[child as usize].name;
                            let why = format!("the group {name} is nested deeper than {NESTING_MAX} levels");
                            return Err(MembersFault::Read(ReadFault::Incomplete(why)));
                        }
                        way.insert(child, Some(at));
                        next.push_back((child, depth + 1));
                    }
                }
            }
            self.ways.push(way);
        }
        Ok(())
    }

    /// The way from an ordered group to a reached one.
    fn path(&self, root: usize, group: u32) -> Option<GroupPath> {
        let way = self.ways.get(root)?;
        let mut steps = Vec::new();
        let mut at = Some(group);
        while let Some(group) = at {
            let node = &self.nodes[group as usize];
            steps.push(GroupStep { id: node.id, name: node.name.clone() });
            at = *way.get(&group)?;
        }
        steps.reverse();
        Some(GroupPath(steps))
    }

    /// By which ways the ordered groups hold whoever is directly in these groups: the shortest of each.
    pub(super) fn memberships(&self, groups: &[u32]) -> Vec<Membership> {
        let shortest = |assignment: usize| {
            let paths = groups.iter().filter_map(|&group| self.path(assignment, group));
            paths.min_by(|one, other| (one.0.len(), one).cmp(&(other.0.len(), other)))
        };
        let holding = (0..self.roots.len()).filter_map(|assignment| Some((assignment, shortest(assignment)?)));
        holding.map(|(assignment, path)| Membership { assignment, path }).collect()
    }

    /// The reached group that is somebody's primary one: AD keeps it as a RID, not among the members. A RID means a
    /// group of the person's own domain.
    pub(super) fn primary(&self, sid: Option<&[u8]>, primary: Option<&[u8]>) -> Option<u32> {
        let (domain, _) = domain_and_rid(sid?)?;
        let rid = std::str::from_utf8(primary?).ok()?.parse().ok()?;
        self.rids.get(&(domain.to_vec(), rid)).copied()
    }

    /// Whether any reached group can be somebody's primary one.
    pub(super) fn has_rids(&self) -> bool {
        !self.rids.is_empty()
    }

    /// Each reached group with what it holds; `primary` adds people who have it as their primary one.
    pub(super) fn seen(&self, primary: &HashMap<EntryId, usize>) -> BTreeMap<EntryId, GroupSeen> {
        let each = self.nodes.iter().map(|node| {
            let members = node.members + primary.get(&node.id).copied().unwrap_or_default();
            (node.id, GroupSeen { name: node.name.clone(), members })
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests;
