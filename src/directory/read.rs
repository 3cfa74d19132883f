//! A whole read: the groups, then everybody under the bases, then the members whom that didn't show.
//!
//! People are judged as they arrive and handed on page by page; what is kept of them is a key. Whoever is in a group
//! as of the survey is shown, or told as dangling: nobody falls between two moments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lber::structure::StructureTag;
use ldap3::Scope;
use tokio::sync::mpsc;

use super::canaries::all_sing;
use super::code::Code;
use super::decode::{RawEntry, dn_bytes, peek, peek_bytes};
use super::groups::{Keep, Survey, survey, unmoved};
use super::resolve::{SID, outermost};
use super::search::{AskFault, AtBase, Query, Session, Sink, Values, paged};
use crate::domain::account_state::account_state;
use crate::domain::dn::{Dn, DnKey};
use crate::domain::id::EntryId;
use crate::domain::scope::{CompleteRead, ReadEnd, Sight, Sighting, Tally};
use crate::domain::settings::{DirectoryKind, DirectorySettings};
use crate::engine::ports::{ReadFault, ReadOrder};

/// Most dangling members that are told by name.
const DANGLING_MAX: usize = 1_000;

/// AD's attribute that holds the RID of somebody's primary group.
pub(super) const PRIMARY_GROUP: &str = "primaryGroupID";

/// What a read gives, and where its groups lie, for the look-ups that follow.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) read: CompleteRead,
    pub(super) groups: HashMap<EntryId, Dn>,
}

/// Reads everybody whom the ordered groups hold.
pub(super) async fn read(
    session: &mut Session,
    order: &ReadOrder,
    sights: &mpsc::Sender<Sight>,
) -> Result<Finished, ReadFault> {
    let begun = tokio::time::Instant::now();
    let mut tally = Tally::default();
    all_sing(session).await?;
    let surveyed = survey(session, order, Keep::Keys, &mut tally).await?;
    let attributes = attributes(&session.settings, &order.attributes);
    let mut people = People::new(session, order, surveyed, sights);
    search_people(session, &mut people, &attributes, &mut tally).await?;
    let mut dangling = Dangling::default();
    follow_up(session, order, &mut people, &attributes, &mut dangling, &mut tally).await?;
    // Once more: rights that were withdrawn in the middle took people out of what came after.
    all_sing(session).await?;
    let People { survey, sent, primary, unreadable, .. } = people;
    for odd in &survey.odd {
        dangling.note(odd.clone());
    }
    tracing::info!(
        directory = %session.settings.name,
        elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        entries = tally.entries,
        pages = tally.pages_whole,
        groups = survey.nodes.len(),
        members = survey.holders.len(),
        shown = sent.len(),
        unreadable,
        dangling = dangling.count,
        passed_over = dangling.passed_over,
        "search completed"
    );
    let groups = survey.nodes.iter().map(|node| (node.id, node.dn.clone())).collect();
    let end = ReadEnd {
        directory: session.settings.name.clone(),
        server: session.root.identity.clone(),
        tally,
        groups: survey.seen(&primary),
        resolved: survey.resolved,
        dangling: dangling.into_texts(),
    };
    let read = CompleteRead::try_new(end).map_err(|why| {
        let elsewhere = session.referred.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let what = if elsewhere.is_empty() { why.what } else { format!("{} ({elsewhere})", why.what) };
        ReadFault::Incomplete(what)
    })?;
    Ok(Finished { read, groups })
}

/// What is asked of a person: id, state, what mappings need, and AD's primary group.
fn attributes(settings: &DirectorySettings, mapped: &BTreeSet<String>) -> Vec<String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |name: &str| {
        names.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_owned());
    };
    add(&settings.id_attribute);
    for name in settings.kind.state_rules().attributes() {
        add(name);
    }
    match settings.kind {
        DirectoryKind::ActiveDirectory => {
            add(PRIMARY_GROUP);
            add(SID);
        }
        DirectoryKind::OpenLdap | DirectoryKind::Generic => {}
    }
    for name in mapped {
        add(name);
    }
    names.into_values().collect()
}

async fn search_people(
    session: &mut Session,
    people: &mut People<'_>,
    attributes: &[String],
    tally: &mut Tally,
) -> Result<(), ReadFault> {
    let filter = session.settings.people_filter.clone();
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    for base in outermost(&session.settings.bases) {
        let query = Query { base: base.as_str(), scope: Scope::Subtree, filter: &filter, attributes: &attributes };
        tally.bases_asked += 1;
        paged(session, &query, tally, people).await?;
        tally.bases_whole += 1;
    }
    Ok(())
}

/// Members that were shown to be no people of ours.
#[derive(Debug, Default)]
struct Dangling {
    told: BTreeSet<String>,
    count: usize,
    /// Members that are there and are no people: computers, contacts.
    passed_over: usize,
}

impl Dangling {
    fn note(&mut self, text: String) {
        self.count += 1;
        if self.told.len() < DANGLING_MAX {
            self.told.insert(text);
        }
    }

    fn into_texts(self) -> Vec<String> {
        let left_out = self.count.saturating_sub(self.told.len());
        let more = (left_out > 0).then(|| format!("and {left_out} more"));
        self.told.into_iter().chain(more).collect()
    }
}

/// Looks after members whom the search for people didn't show, and after those whom groups took in meanwhile.
async fn follow_up(
    session: &mut Session,
    order: &ReadOrder,
    people: &mut People<'_>,
    attributes: &[String],
    dangling: &mut Dangling,
    tally: &mut Tally,
) -> Result<(), ReadFault> {
    let moved = unmoved(session, &people.survey).await?;
    if moved.is_none() && people.survey.holders.unmet() == 0 {
        return Ok(());
    }
    let mut again = survey(session, order, Keep::NewOrUnmet(&people.survey), tally).await?;
    if again.gained.left_out > 0 {
        let count = again.gained.kept.len() + again.gained.left_out;
        return Err(ReadFault::Incomplete(format!("{count} members were added while people were read")));
    }
    dangling.count += again.unmet.left_out;
    let texts = std::mem::take(&mut again.gained.kept).into_iter().chain(std::mem::take(&mut again.unmet.kept));
    people.survey = again;
    for (text, key) in texts {
        look_after(session, people, attributes, dangling, &text, key).await?;
    }
    people.page_end().await
}

/// Finds out what one such member is.
async fn look_after(
    session: &mut Session,
    people: &mut People<'_>,
    attributes: &[String],
    dangling: &mut Dangling,
    text: &str,
    key: DnKey,
) -> Result<(), ReadFault> {
    let settings = Arc::clone(&session.settings);
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let found = session.at_base(text, &settings.people_filter, &attributes, Values::Wanted).await;
    let entry = match found {
        Ok(AtBase::Entry(entry)) => entry,
        Ok(AtBase::Unmatched) => {
            match session.at_base(text, &settings.group_filter, &["1.1"], Values::Wanted).await {
                Ok(AtBase::Entry(_)) => dangling.note(format!("{text} (a group outside the configured bases)")),
                Ok(AtBase::Unmatched | AtBase::Absent) => dangling.passed_over += 1,
                Err(fault) => return Err(fault.of(format_args!("the member {text}"))),
            }
            return Ok(());
        }
        Ok(AtBase::Absent) => {
            dangling.note(text.to_owned());
            return Ok(());
        }
        Err(fault) => return foreign(fault, dangling, text),
    };
    let within = entry.dn().is_ok_and(|dn| settings.bases.iter().any(|base| dn.lies_within(base)));
    if within {
        let mut groups = people.survey.holders.meet(key).to_vec();
        let first = |attribute| entry.values(attribute).and_then(<[Vec<u8>]>::first).map(Vec::as_slice);
        groups.extend(people.survey.primary(first(SID), first(PRIMARY_GROUP)));
        people.judge(entry, key, groups, Again::Show);
    } else {
        dangling.note(format!("{text} (outside the configured bases)"));
    }
    Ok(())
}

/// A member that this server doesn't hold, or can't name, isn't a fault of the read.
fn foreign(fault: AskFault, dangling: &mut Dangling, text: &str) -> Result<(), ReadFault> {
    const INVALID_NAME: Code = Code(34);
    if fault.is(Code::REFERRAL) {
        dangling.note(format!("{text} (another server holds it)"));
        return Ok(());
    }
    if fault.is(INVALID_NAME) {
        dangling.note(format!("{text} (not a DN for this server)"));
        return Ok(());
    }
    Err(fault.of(format_args!("the member {text}")))
}

/// What becomes of an entry that was shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Nothing: two searches overlap.
    Skip,
    /// It is shown again, and this time counts: it was taken into another group meanwhile.
    Show,
}

/// Takes entries of the search for people and keeps the members among them.
struct People<'a> {
    survey: Survey,
    id_attribute: String,
    kind: DirectoryKind,
    now: DateTime<Utc>,
    /// Who was shown, with where they were met.
    sent: HashMap<EntryId, DnKey>,
    /// How many have a reached group as their primary one.
    primary: HashMap<EntryId, usize>,
    unreadable: usize,
    /// What the page at hand gave.
    page: Vec<Sight>,
    sights: &'a mpsc::Sender<Sight>,
}

impl<'a> People<'a> {
    fn new(session: &Session, order: &ReadOrder, survey: Survey, sights: &'a mpsc::Sender<Sight>) -> Self {
        Self {
            survey,
            id_attribute: session.settings.id_attribute.clone(),
            kind: session.settings.kind,
            now: order.now,
            sent: HashMap::new(),
            primary: HashMap::new(),
            unreadable: 0,
            page: Vec::new(),
            sights,
        }
    }

    fn unreadable(&mut self, id: Option<EntryId>, why: String) {
        self.unreadable += 1;
        self.page.push(Sight::Unreadable { id, why });
    }

    /// Shows a member, or says why they can't be shown.
    fn judge(&mut self, entry: RawEntry, key: DnKey, mut groups: Vec<u32>, again: Again) {
        let id = match entry.id(&self.id_attribute) {
            Ok(id) => id,
            Err(why) => return self.unreadable(None, why),
        };
        match (self.sent.insert(id, key), again) {
            (None, _) => {}
            (Some(before), _) if before != key => {
                return self.unreadable(Some(id), format!("two entries carry the same {}", self.id_attribute));
            }
            (Some(_), Again::Skip) => return,
            (Some(_), Again::Show) => {}
        }
        groups.sort_unstable();
        groups.dedup();
        match entry.decode(id) {
            Err(why) => self.unreadable(Some(id), why),
            Ok(entry) => {
                let state = account_state(self.kind.state_rules(), &entry.attributes, self.now);
                let memberships = self.survey.memberships(&groups);
                self.page.push(Sight::Person(Sighting { entry, state, memberships }));
            }
        }
    }
}

impl Sink for People<'_> {
    fn entry(&mut self, entry: StructureTag) -> Result<(), String> {
        let first = |attribute| peek(&entry, attribute).and_then(<[StructureTag]>::first).map(peek_bytes);
        let primary = if self.survey.has_rids() { self.survey.primary(first(SID), first(PRIMARY_GROUP)) } else { None };
        let Ok(spelled) = std::str::from_utf8(dn_bytes(&entry)?) else {
            self.unreadable(None, "an entry's DN isn't UTF-8".to_owned());
            return Ok(());
        };
        // Most of a directory is nobody's member here: nothing is made of those.
        if primary.is_none() && self.survey.holders.surely_hold_not(spelled) {
            return Ok(());
        }
        let key = match Dn::parse(spelled) {
            Ok(dn) => dn.key(),
            Err(why) => {
                let id = RawEntry::take(entry)?.id(&self.id_attribute).ok();
                self.unreadable(id, why.to_string());
                return Ok(());
            }
        };
        let mut groups = self.survey.holders.meet(key).to_vec();
        groups.extend(primary);
        if groups.is_empty() {
            return Ok(());
        }
        let shown = self.sent.len();
        self.judge(RawEntry::take(entry)?, key, groups, Again::Skip);
        if let Some(primary) = primary.filter(|_| self.sent.len() > shown) {
            *self.primary.entry(self.survey.nodes[primary as usize].id).or_default() += 1;
        }
        Ok(())
    }

    async fn page_end(&mut self) -> Result<(), ReadFault> {
        for sight in self.page.drain(..) {
            let sent = self.sights.send(sight).await;
            sent.map_err(|_| ReadFault::Incomplete("nobody listens to the read any more".to_owned()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
