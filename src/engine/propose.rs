//! Proposing: from what is wanted and known to a plan, asking Zendesk about exactly the people who need a look.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::account::{KnownAccount, ObservedAccount};
use crate::domain::change::Guard;
use crate::domain::id::{AccountId, AppName, CycleId, DirectoryName, EntryId, ExternalId, PersonId};
use crate::domain::plan::{Basis, Case, Found, Plan, Proposal, plan};
use crate::domain::scope::{CompleteRead, Departure, GroupSeen, Resolved};

use super::gather::{Question, Want, Wants};
use super::ports::{CallFault, Directory, Event, Helpdesk, Ledger, LedgerFault, Progress, ReadFault};
use super::{Engine, Ports};

/// Newcomers are asked about one by one, at Zendesk's pace: a sign of life comes after so many.
const ASKED_BETWEEN_SIGNS: usize = 25;

/// A directory that was read in full, with what was asked.
pub(super) struct Whole {
    pub(super) question: Question,
    pub(super) read: CompleteRead,
    /// Groups by the names under which earlier reads came upon them.
    pub(super) former: BTreeMap<EntryId, GroupSeen>,
}

impl Whole {
    /// The groups that were reached from assigned ones.
    pub(super) fn reached(&self) -> BTreeSet<EntryId> {
        self.read.end().groups.keys().copied().collect()
    }
}

/// Why no plan could be made for an app.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProposeFault {
    #[error(transparent)]
    Call(#[from] CallFault),
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

/// A plan with what the brake must know beside it.
pub(super) struct Proposed {
    pub(super) plan: Plan,
    /// Managed people whom the reads didn't show.
    pub(super) missing: BTreeSet<PersonId>,
}

/// People who may have departed, and why a removal of theirs would have to wait.
pub(super) struct Candidate {
    pub(super) known: KnownAccount,
    pub(super) departure: Departure,
    guard: Option<Guard>,
}

impl<P: Ports> Engine<P> {
    /// Plans one app over the directories that were read in full.
    pub(super) async fn propose(
        &mut self,
        at: usize,
        mut wants: Wants,
        wholes: &BTreeMap<DirectoryName, Whole>,
        faults: &mut BTreeMap<DirectoryName, ReadFault>,
        cycle: &CycleId,
        progress: &mut dyn Progress,
    ) -> Result<Proposed, ProposeFault> {
        let app = self.apps[at].rules.app.clone();
        let standing = self.ledger.app_standing(&app)?;
        let basis = Basis { store: self.ledger.serial(), rules: self.apps[at].rules.digest(), cycle: cycle.clone() };
        let (mut candidates, missing) = self.departures(at, &wants, wholes, faults).await?;
        let keeps = self.leave_kept(&app, &mut wants, &mut candidates)?;
        let mut rejected = Vec::new();
        let mut wanted = Vec::new();
        for (person, want) in wants.people {
            match want {
                Want::Differs(desired) => {
                    let known = self.ledger.known(&app, &person)?;
                    let guard = known.as_ref().and_then(|known| shaken(at, known, wholes));
                    wanted.push((desired, known, guard));
                }
                Want::Rejected(one) => rejected.push(*one),
                Want::Same | Want::Unusable(_) => {}
            }
        }
        if wanted.is_empty() && candidates.is_empty() {
            let mut plan = Plan::empty(app, basis, standing.population);
            plan.rejected = rejected;
            (plan.kept, plan.unkept) = (keeps.kept, keeps.ended);
            return Ok(Proposed { plan, missing });
        }
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        let catalog = desk.catalog().await?;
        let mut cases = Vec::new();
        let ids = wanted.iter().filter_map(|(_, known, _)| known.as_ref().map(|known| known.account));
        let ids: BTreeSet<AccountId> = ids.chain(candidates.iter().map(|one| one.known.account)).collect();
        let ids: Vec<AccountId> = ids.into_iter().collect();
        let mut observed: BTreeMap<AccountId, ObservedAccount> = BTreeMap::new();
        if !ids.is_empty() {
            observed.extend(desk.observe(&ids).await?.into_iter().map(|account| (account.id, account)));
        }
        let mut marked = BTreeMap::new();
        let unlinked: Vec<ExternalId> = wanted
            .iter()
            .filter(|(_, known, _)| live(known.as_ref(), &observed).is_none())
            .filter_map(|(desired, _, _)| desired.external_id.clone())
            .collect();
        if !unlinked.is_empty() {
            for account in desk.find_by_external_id(&unlinked).await? {
                if let Some(id) = account.external_id.clone() {
                    marked.entry(id).or_insert_with(Vec::new).push(account);
                }
            }
        }
        let of = wanted.len();
        for (asked, (desired, known, guard)) in wanted.into_iter().enumerate() {
            if asked % ASKED_BETWEEN_SIGNS == 0 {
                progress.note(&Event::Asking(&app, asked, of));
            }
            let linked = live(known.as_ref(), &observed).cloned();
            let id = desired.external_id.as_ref().filter(|_| linked.is_none());
            let by_external_id: Vec<ObservedAccount> = id.and_then(|id| marked.get(id).cloned()).unwrap_or_default();
            let account = linked.as_ref().or_else(|| by_external_id.first());
            let by_email = match account {
                Some(account) if account.email.as_ref() == Some(&desired.email) => Vec::new(),
                _ => desk.find_by_email(&desired.email).await?,
            };
            let found = Box::new(Found { linked, by_external_id, by_email });
            cases.push(Case::Wanted { desired, known: known.map(Box::new), found, guard });
        }
        for Candidate { known, departure, guard } in candidates {
            let observed = observed.remove(&known.account).map(Box::new);
            cases.push(Case::Departed { known: Box::new(known), observed, departure, guard });
        }
        let owners = self.owners(&app, &cases)?;
        let proposal = Proposal {
            rules: &self.apps[at].rules,
            basis,
            catalog: &catalog,
            owners: &owners,
            population: standing.population,
            cases,
            rejected,
        };
        let mut plan = plan(proposal);
        (plan.kept, plan.unkept) = (keeps.kept, keeps.ended);
        Ok(Proposed { plan, missing })
    }

    /// Managed people whom no complete read shows as wanted, each looked up by immutable id.
    async fn departures(
        &mut self,
        at: usize,
        wants: &Wants,
        wholes: &BTreeMap<DirectoryName, Whole>,
        faults: &mut BTreeMap<DirectoryName, ReadFault>,
    ) -> Result<(Vec<Candidate>, BTreeSet<PersonId>), LedgerFault> {
        let app = &self.apps[at].rules.app.clone();
        let mut candidates = Vec::new();
        let mut missing = BTreeSet::new();
        for (name, whole) in wholes {
            let reached = whole.reached();
            for trace in self.ledger.traces(app, name)?.into_iter().filter(|trace| trace.standing.in_use()) {
                let person = PersonId { directory: name.clone(), entry: trace.entry };
                let unusable = match wants.people.get(&person) {
                    Some(Want::Unusable(state)) => Some(state.clone()),
                    Some(Want::Same | Want::Differs(_) | Want::Rejected(_)) => continue,
                    None => None,
                };
                let Some(known) = self.ledger.known(app, &person)? else { continue };
                let departure = match unusable {
                    Some(state) => Departure::Unusable(state),
                    None => {
                        missing.insert(person.clone());
                        match self.look_up(&known, &reached, whole.question.order.now).await {
                            Ok(departure) => departure,
                            Err(fault) => {
                                // Without look-ups nobody of this directory is shown to have departed.
                                candidates.retain(|one: &Candidate| one.known.person.directory != *name);
                                missing.retain(|one: &PersonId| one.directory != *name);
                                faults.insert(name.clone(), fault);
                                break;
                            }
                        }
                    }
                };
                let outright = matches!(departure, Departure::Unusable(_) | Departure::Tombstone);
                let guard = if outright { None } else { shaken(at, &known, wholes) };
                candidates.push(Candidate { known, departure, guard });
            }
        }
        Ok((candidates, missing))
    }

    /// What shows that a managed person departed. `reached` are the groups to which assigned ones led in this cycle.
    pub(super) async fn look_up(
        &mut self,
        known: &KnownAccount,
        reached: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
    ) -> Result<Departure, ReadFault> {
        let name = &known.person.directory;
        let directory = self.directories.iter_mut().find(|directory| directory.name() == name);
        let Some(directory) = directory else {
            return Err(ReadFault::Unfit(format!("directory {name} is not configured")));
        };
        let departure: Departure = directory.look_up(known.person.entry, &known.dn, &known.through, now).await?.into();
        if !matches!(departure, Departure::StillHeld { .. }) || known.through.is_subset(reached) {
            return Ok(departure);
        }
        // Held by a group to which no assigned one leads any more: that holds nobody, and the removal is guarded.
        let led: BTreeSet<EntryId> = known.through.intersection(reached).copied().collect();
        match directory.look_up(known.person.entry, &known.dn, &led, now).await?.into() {
            Departure::LeftGroups => Ok(Departure::LeftGroups),
            Departure::Unusable(_)
            | Departure::Tombstone
            | Departure::Absent
            | Departure::Unreadable { .. }
            | Departure::StillHeld { .. } => Ok(departure),
        }
    }

    fn owners(&self, app: &AppName, cases: &[Case]) -> Result<BTreeMap<AccountId, PersonId>, LedgerFault> {
        let mut owners = BTreeMap::new();
        for case in cases {
            let Case::Wanted { found, .. } = case else { continue };
            for account in found.by_external_id.iter().chain(&found.by_email) {
                if let Some(owner) = self.ledger.owner(app, account.id)? {
                    owners.insert(account.id, owner);
                }
            }
        }
        Ok(owners)
    }
}

fn live<'a>(
    known: Option<&KnownAccount>,
    observed: &'a BTreeMap<AccountId, ObservedAccount>,
) -> Option<&'a ObservedAccount> {
    observed.get(&known?.account).filter(|account| account.is_live())
}

/// Whether `--user` names this person: by mail, name or immutable id.
pub(super) fn names(user: &str, email: &str, name: &str, person: &PersonId) -> bool {
    let user = user.trim().to_lowercase();
    [email.to_lowercase(), name.to_lowercase(), person.entry.to_string(), person.entry.dashed(), person.to_string()]
        .contains(&user)
}

/// Why a loss of this person must wait: a group that held them is missing, reads empty without leave, or isn't reached.
fn shaken(at: usize, known: &KnownAccount, wholes: &BTreeMap<DirectoryName, Whole>) -> Option<Guard> {
    let whole = wholes.get(&known.person.directory)?;
    let end = whole.read.end();
    let pinned = |at: usize| whole.question.order.groups[at].pin;
    for (position, resolved) in end.resolved.iter().enumerate() {
        let lost = matches!(resolved, Resolved::Missing | Resolved::Ambiguous(_));
        if lost && pinned(position).is_some_and(|id| known.through.contains(&id)) {
            return Some(Guard::GroupMissing(whole.question.keys[position].text.clone()));
        }
    }
    let allowed: BTreeSet<EntryId> = whole.question.may_be_empty(at, end);
    let emptied = |id: &&EntryId| end.groups.get(*id).is_some_and(|group| group.members == 0) && !allowed.contains(*id);
    if let Some(id) = known.through.iter().find(emptied) {
        return Some(Guard::GroupEmptied(
            end.groups.get(id).map_or_else(|| id.to_string(), |group| group.name.clone()),
        ));
    }
    // A nested group whose right to be read went looks just like one that was taken out.
    let unreached = known.through.iter().find(|id| !end.groups.contains_key(*id))?;
    let name = whole.former.get(unreached).map_or_else(|| unreached.to_string(), |group| group.name.clone());
    Some(Guard::GroupUnreached(name))
}
