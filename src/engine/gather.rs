//! Gathering: one directory read, turned person by person into what each app wants.
//!
//! Only people who differ from what was last carried out are kept whole; of the others an id is enough.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::account::{DesiredAccount, Trace};
use crate::domain::account_state::AccountState;
use crate::domain::assignment::{Assignment, EmptyGroup, Membership, PinKey, Role, grants};
use crate::domain::dn::Dn;
use crate::domain::id::{DirectoryName, Email, EntryId, ExternalId, PersonId};
use crate::domain::mapping::{ExternalIdRule, Mapped, Rejection};
use crate::domain::plan::Rejected;
use crate::domain::rules::AppRules;
use crate::domain::scope::{CompleteRead, ReadEnd, Resolved, Sight, Sighting};
use crate::domain::server::{Acquaintance, Standpoint};

use super::Ports;
use super::edits::{RuleSet, Side};
use super::picture::Picture;
use super::planner::Planner;
use super::ports::{
    Directory, Event, GroupOrder, ImageLedger as _, Ledger, LedgerFault, Progress, ReadFault, ReadOrder,
};
use super::reach::{Depth, Ways};

/// Sights under way between a directory and the engine.
const SIGHTS_UNDER_WAY: usize = 256;

/// What an app wants of one person.
#[derive(Debug)]
pub(super) enum Want {
    /// As it was last carried out.
    Same,
    /// Something else.
    Differs(Box<DesiredAccount>),
    /// Nothing: the directory account may not be used.
    Unusable(AccountState),
    /// Unknown: the entry can't be mapped.
    Rejected(Box<Rejected>),
}

/// What one app wants of everybody whom complete reads showed.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) people: BTreeMap<PersonId, Want>,
    /// Who was first to claim a mail or an external id.
    emails: BTreeMap<Email, PersonId>,
    external_ids: BTreeMap<ExternalId, PersonId>,
}

impl Wants {
    /// Takes back what a directory told that couldn't be read in full.
    pub(super) fn forget(&mut self, directory: &DirectoryName) {
        self.people.retain(|person, _| person.directory != *directory);
        self.emails.retain(|_, person| person.directory != *directory);
        self.external_ids.retain(|_, person| person.directory != *directory);
    }
}

/// A directory's read is refused, or the store can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum GatherFault {
    #[error(transparent)]
    Read(#[from] ReadFault),
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// What to ask of a directory, and where the assignments of each set of rules are in it.
pub(super) struct Question {
    pub(super) order: ReadOrder,
    pub(super) keys: Vec<PinKey>,
    /// By set: for each position in the order, the assignments that it stands for.
    assignments: Vec<BTreeMap<usize, Vec<usize>>>,
    /// By set: how deep each position leads.
    depths: Vec<BTreeMap<usize, Depth>>,
    /// By set: positions whose groups may be empty.
    may_be_empty: Vec<BTreeSet<usize>>,
}

impl Question {
    /// The groups that may be empty for a set of rules, by id.
    pub(super) fn may_be_empty(&self, set: usize, end: &ReadEnd) -> BTreeSet<EntryId> {
        let found = |at: &usize| match end.resolved.get(*at) {
            Some(Resolved::Found(id)) => Some(*id),
            Some(Resolved::Missing | Resolved::Ambiguous(_)) | None => None,
        };
        self.may_be_empty.get(set).into_iter().flatten().filter_map(found).collect()
    }

    /// Whether a set of rules asks for the group at a position.
    pub(super) fn asks(&self, set: usize, position: usize) -> bool {
        self.assignments.get(set).is_some_and(|mine| mine.contains_key(&position))
    }

    /// The groups that each set of rules leads to.
    fn reached(&self, ways: &Ways, end: &ReadEnd) -> Vec<BTreeSet<EntryId>> {
        self.depths.iter().map(|mine| ways.reached(end, mine)).collect()
    }
}

/// Which sets of rules a read is to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serving {
    /// All of them.
    Both,
    /// The present ones only.
    Present,
}

pub(super) fn question(
    directory: &DirectoryName,
    sets: &[RuleSet],
    serving: Serving,
    pins: &BTreeMap<PinKey, EntryId>,
    known: Option<&Acquaintance>,
    now: DateTime<Utc>,
) -> Question {
    let mut order = ReadOrder { groups: Vec::new(), attributes: BTreeSet::new(), now, known: known.cloned() };
    let mut keys: Vec<PinKey> = Vec::new();
    let mut assignments = Vec::new();
    let (mut depths, mut may_be_empty) = (Vec::new(), Vec::new());
    for set in sets {
        let mut deep: BTreeMap<usize, Depth> = BTreeMap::new();
        let mut mine: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut empty = BTreeSet::new();
        for (position, assignment) in set.rules.assignments.iter().enumerate() {
            if assignment.directory != *directory || (set.side == Side::Former && serving == Serving::Present) {
                continue;
            }
            let key = assignment.pin_key();
            let at = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                order.groups.push(GroupOrder { group: assignment.group.clone(), pin: pins.get(&key).copied() });
                keys.push(key);
                keys.len() - 1
            });
            if assignment.empty == EmptyGroup::Allowed {
                empty.insert(at);
            }
            mine.entry(at).or_default().push(position);
            match depth(assignment) {
                Depth::Nested => drop(deep.insert(at, Depth::Nested)),
                Depth::Listed => drop(deep.entry(at).or_insert(Depth::Listed)),
            }
        }
        if !mine.is_empty() {
            order.attributes.extend(set.rules.mapping.attributes().iter().cloned());
        }
        assignments.push(mine);
        depths.push(deep);
        may_be_empty.push(empty);
    }
    Question { order, keys, assignments, depths, may_be_empty }
}

/// How deep an assignment leads. Only a directly listed member becomes an admin: whoever may edit a nested group must not
/// make one.
fn depth(assignment: &Assignment) -> Depth {
    let admin = assignment.role.as_ref().is_some_and(|grant| grant.role() == Role::Admin);
    if admin && !crate::planted("nested admins") { Depth::Listed } else { Depth::Nested }
}

/// What a read brought, beside what each set of rules wants.
pub(super) struct Gathered {
    pub(super) read: CompleteRead,
    /// How far the server's word goes.
    pub(super) standpoint: Standpoint,
    /// The groups that each set of rules leads to.
    pub(super) reached: Vec<BTreeSet<EntryId>>,
    /// What the store's image doesn't know yet.
    pub(super) picture: Picture,
}

impl<P: Ports> Planner<'_, P> {
    /// Reads one directory and notes what each set of rules wants of the people it shows.
    pub(super) async fn gather(
        &mut self,
        at: usize,
        question: &Question,
        sets: &[RuleSet],
        wants: &mut [Wants],
        progress: &mut dyn Progress,
    ) -> Result<Gathered, GatherFault> {
        let ledger = self.ledger;
        let directory = &mut self.directories[at];
        let name = &directory.name().clone();
        let mut traces = Vec::new();
        for set in sets {
            let known = ledger.traces(&set.rules.app, name)?;
            traces.push(known.into_iter().map(|trace| (trace.entry, trace)).collect::<BTreeMap<EntryId, Trace>>());
        }
        let mut picture = Picture::over(ledger.portrait_digests(name)?);
        let (sender, mut sights) = mpsc::channel(SIGHTS_UNDER_WAY);
        let read = directory.read(question.order.clone(), sender);
        let listen = async move {
            let mut count = 0;
            let mut fault = None;
            let mut ways = Ways::default();
            while let Some(sight) = sights.recv().await {
                count += 1;
                if count % 1_000 == 0 {
                    progress.note(&Event::Reading(name, count));
                }
                picture.note(&sight);
                if let Sight::Person(sighting) = &sight {
                    ways.note(sighting);
                }
                for (index, set) in sets.iter().enumerate() {
                    let listener = Listener {
                        rules: &set.rules,
                        directory: name,
                        traces: &traces[index],
                        assignments: &question.assignments[index],
                    };
                    // The stream is drained to its end whatever happens, so that the directory isn't blocked.
                    if let Err(why) = listener.hear(&sight, &mut wants[index], ledger) {
                        fault = fault.or(Some(why));
                    }
                }
            }
            (fault, ways, picture)
        };
        let (read, (fault, ways, picture)) = tokio::join!(read, listen);
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        let read = read?;
        // Whatever the adapter made of it: no older state and no other directory comes further than this.
        let server = &read.end().server;
        let judged = question.order.known.as_ref().map_or(Ok(Standpoint::Steady), |known| known.judge(server));
        let standpoint = judged.map_err(|why| ReadFault::estranged(&server.url, why))?;
        let reached = question.reached(&ways, read.end());
        Ok(Gathered { read, standpoint, reached, picture })
    }
}

/// One app, hearing what one directory shows.
struct Listener<'a> {
    rules: &'a AppRules,
    directory: &'a DirectoryName,
    traces: &'a BTreeMap<EntryId, Trace>,
    assignments: &'a BTreeMap<usize, Vec<usize>>,
}

impl Listener<'_> {
    fn hear<L: Ledger>(&self, sight: &Sight, wants: &mut Wants, ledger: &L) -> Result<(), LedgerFault> {
        match sight {
            Sight::Person(sighting) => self.person(sighting, wants, ledger),
            Sight::Unreadable { id: Some(id), why } => {
                let person = PersonId { directory: self.directory.clone(), entry: *id };
                // Only for apps that know the person: for the others there is nothing to keep.
                if self.traces.contains_key(id) {
                    let why = Rejection::new(Rejection::ENTRY, why);
                    let rejected = Rejected { person: person.clone(), user: None, name: None, dn: None, why };
                    if !crate::planted("unreadable is absent") {
                        wants.people.insert(person, Want::Rejected(Box::new(rejected)));
                    }
                }
                Ok(())
            }
            // Without an id nobody can be named; the look-up of each removal protects whoever it is.
            Sight::Unreadable { id: None, .. } => Ok(()),
        }
    }

    fn person<L: Ledger>(&self, sighting: &Sighting, wants: &mut Wants, ledger: &L) -> Result<(), LedgerFault> {
        let memberships = self.memberships(sighting);
        if memberships.is_empty() {
            return Ok(());
        }
        let person = PersonId { directory: self.directory.clone(), entry: sighting.entry.id };
        let want = match &sighting.state {
            AccountState::Disabled { .. } | AccountState::Expired { .. } => Want::Unusable(sighting.state.clone()),
            AccountState::Unknown { why } => self.reject(sighting, &person, Rejection::new(Rejection::STATE, why)),
            AccountState::Usable { .. } | AccountState::Locked { .. } => match self.map(sighting, &person, ledger)? {
                Err(why) => self.reject(sighting, &person, why),
                Ok(mapped) => match self.claim(sighting, &person, &mapped, wants, ledger)? {
                    Err(why) => self.reject(sighting, &person, why),
                    Ok(external_id) => self.desire(sighting, person.clone(), mapped, external_id, memberships),
                },
            },
        };
        wants.people.insert(person, want);
        Ok(())
    }

    fn memberships(&self, sighting: &Sighting) -> Vec<Membership> {
        let mut memberships: Vec<Membership> = sighting
            .memberships
            .iter()
            .flat_map(|one| {
                let positions = self.assignments.get(&one.assignment).map_or(&[][..], Vec::as_slice);
                let nested = one.path.0.len() > 1;
                let listed_only = |at: usize| self.rules.assignments.get(at).map(depth) == Some(Depth::Listed);
                let gives = move |assignment: &&usize| !(nested && listed_only(**assignment));
                positions.iter().filter(gives).map(|&assignment| Membership { assignment, path: one.path.clone() })
            })
            .collect();
        memberships.sort();
        memberships
    }

    fn map<L: Ledger>(
        &self,
        sighting: &Sighting,
        person: &PersonId,
        ledger: &L,
    ) -> Result<Result<Mapped, Rejection>, LedgerFault> {
        let attributes = &sighting.entry.attributes;
        let mapped = match self.rules.mapping.apply(attributes, &BTreeMap::new()) {
            Ok(mapped) if mapped.chosen.is_empty() => return Ok(Ok(mapped)),
            other => other,
        };
        // Only where a choice had to be made does the last one matter.
        if !self.traces.contains_key(&person.entry) {
            return Ok(mapped);
        }
        let last = ledger.known(&self.rules.app, person)?.map(|known| known.chosen).unwrap_or_default();
        Ok(self.rules.mapping.apply(attributes, &last))
    }

    /// Notes the mail and the external id; when somebody else has either already, both people are rejected.
    fn claim<L: Ledger>(
        &self,
        sighting: &Sighting,
        person: &PersonId,
        mapped: &Mapped,
        wants: &mut Wants,
        ledger: &L,
    ) -> Result<Result<Option<ExternalId>, Rejection>, LedgerFault> {
        let external_id = match self.rules.mapping.external_id() {
            ExternalIdRule::Own => Some(ExternalId::own(person.entry)),
            ExternalIdRule::Template(_) => mapped.external_id.clone(),
            ExternalIdRule::Off => None,
        };
        let mut shared = None;
        let first = wants.emails.entry(mapped.email.clone()).or_insert_with(|| person.clone());
        if first != person && !crate::planted("two people share a mail") {
            shared = Some((first.clone(), "email", mapped.email.to_string()));
        }
        if let Some(id) = &external_id {
            let first = wants.external_ids.entry(id.clone()).or_insert_with(|| person.clone());
            if first != person {
                shared = Some((first.clone(), "external_id", id.to_string()));
            }
        }
        let Some((other, field, value)) = shared else { return Ok(Ok(external_id)) };
        // People find an entry by its DN; the id is left for one that isn't known any more.
        let why = |with: Option<&Dn>, id: &PersonId| {
            let with = with.map_or_else(|| id.to_string(), ToString::to_string);
            Rejection::new(field, format!("{value} is also that of {with}: give one of them another"))
        };
        let known = ledger.known(&self.rules.app, &other)?.map(|known| known.dn);
        let theirs = match wants.people.get(&other) {
            Some(Want::Rejected(rejected)) => rejected.dn.clone().or(known),
            Some(Want::Differs(desired)) => Some(desired.dn.clone()),
            Some(Want::Same | Want::Unusable(_)) | None => known,
        };
        let mine = || why(Some(&sighting.entry.dn), person);
        let displaced = match wants.people.get(&other) {
            Some(Want::Rejected(rejected)) => Rejected { why: mine(), ..(**rejected).clone() },
            Some(Want::Differs(desired)) => Rejected {
                person: other.clone(),
                user: Some(desired.email.clone()),
                name: Some(desired.name.clone()),
                dn: Some(desired.dn.clone()),
                why: mine(),
            },
            Some(Want::Same | Want::Unusable(_)) | None => {
                let user = Some(mapped.email.clone());
                Rejected { person: other.clone(), user, name: None, dn: theirs.clone(), why: mine() }
            }
        };
        wants.people.insert(other.clone(), Want::Rejected(Box::new(displaced)));
        Ok(Err(why(theirs.as_ref(), &other)))
    }

    fn desire(
        &self,
        sighting: &Sighting,
        person: PersonId,
        mapped: Mapped,
        external_id: Option<ExternalId>,
        memberships: Vec<Membership>,
    ) -> Want {
        let holding = memberships.iter().map(|membership| membership.assignment).collect();
        let desired = DesiredAccount {
            dn: sighting.entry.dn.clone(),
            external_id,
            name: mapped.name,
            email: mapped.email,
            texts: mapped.texts,
            grants: grants(&self.rules.assignments, &holding),
            memberships,
            chosen: mapped.chosen,
            person,
        };
        let trace = self.traces.get(&sighting.entry.id);
        let same = trace.is_some_and(|trace| {
            trace.standing == crate::domain::account::Standing::Active
                && trace.fingerprint == Some(desired.fingerprint())
        });
        if same { Want::Same } else { Want::Differs(Box::new(desired)) }
    }

    fn reject(&self, sighting: &Sighting, person: &PersonId, why: Rejection) -> Want {
        let attributes = &sighting.entry.attributes;
        Want::Rejected(Box::new(Rejected {
            person: person.clone(),
            user: attributes.text("mail").and_then(|mail| Email::parse(mail).ok()),
            name: attributes.text("displayName").or_else(|| attributes.text("cn")).map(str::to_owned),
            dn: Some(sighting.entry.dn.clone()),
            why,
        }))
    }
}
