//! Proposing: from what is wanted and known to a plan, asking Zendesk about exactly the people who need a look.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::account::{Catalog, KnownAccount, ObservedAccount};
use crate::domain::change::Guard;
use crate::domain::id::{AccountId, AppName, CycleId, DirectoryName, Email, EntryId, ExternalId, PersonId};
use crate::domain::keep::KeepReason;
use crate::domain::plan::{Basis, Case, Found, Plan, Proposal, plan};
use crate::domain::scope::{CompleteRead, Departure, GroupSeen, Presence, Resolved};
use crate::domain::server::Standpoint;

use super::Ports;
use super::edits::{RuleSet, Side};
use super::gather::{Question, Want, Wants};
use super::picture::Picture;
use super::planner::Planner;
use super::ports::{
    AcceptedLedger as _, CallFault, Directory, Event, Helpdesk, Ledger, LedgerFault, Progress, ReadFault,
};

/// Newcomers are asked about one by one, at Zendesk's pace: a sign of life comes after so many.
const ASKED_BETWEEN_SIGNS: usize = 25;

/// A directory that was read in full, with what was asked.
pub(super) struct Whole {
    pub(super) question: Question,
    pub(super) read: CompleteRead,
    /// How far the word of its server goes.
    pub(super) standpoint: Standpoint,
    /// Groups by the names under which earlier reads came upon them.
    pub(super) former: BTreeMap<EntryId, GroupSeen>,
    /// The groups that the assigned ones of each set of rules led to.
    pub(super) reached: Vec<BTreeSet<EntryId>>,
    /// What the store's image doesn't know yet.
    pub(super) picture: Picture,
}

/// For which set of rules a plan is made, and with what beside it.
pub(super) struct Sought<'a> {
    /// The set, by its place.
    pub(super) set: usize,
    /// All sets.
    pub(super) sets: &'a [RuleSet],
    /// The directories that were read in full.
    pub(super) wholes: &'a BTreeMap<DirectoryName, Whole>,
    /// Only these people; everybody when not set.
    pub(super) only: Option<&'a BTreeSet<PersonId>>,
    /// People whom the former rules want: that the present ones don't is the edit's doing, and nobody is gone.
    pub(super) kept_by_former: &'a BTreeSet<PersonId>,
    /// Directories that are read in another way now: whoever isn't seen there waits with the edit.
    pub(super) blind: &'a BTreeSet<DirectoryName>,
}

impl Sought<'_> {
    fn rules(&self) -> &RuleSet {
        &self.sets[self.set]
    }

    /// The set of the same app's former rules.
    fn former(&self) -> Option<usize> {
        let mine = self.rules();
        let is = |set: &RuleSet| set.app == mine.app && set.side == Side::Former;
        self.sets.iter().position(is).filter(|at| *at != self.set)
    }

    fn seeks(&self, person: &PersonId) -> bool {
        self.only.is_none_or(|only| only.contains(person))
    }
}

/// What was asked of Zendesk and of directories for one plan, so that another plan of the same moment sees the same.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) catalog: Option<Catalog>,
    observed: BTreeMap<AccountId, Option<ObservedAccount>>,
    marked: BTreeMap<ExternalId, Vec<ObservedAccount>>,
    mailed: BTreeMap<Email, Vec<ObservedAccount>>,
    pub(super) present: Answers,
}

/// What look-ups answered, by person and the groups that were tested.
pub(super) type Answers = BTreeMap<(PersonId, BTreeSet<EntryId>), Presence>;

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.read.fmt(f)
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

impl<P: Ports> Planner<'_, P> {
    /// Plans one app by one set of rules over the directories that were read in full.
    pub(super) async fn propose(
        &mut self,
        mut wants: Wants,
        sought: &Sought<'_>,
        asked: &mut Asked,
        faults: &mut BTreeMap<DirectoryName, ReadFault>,
        cycle: &CycleId,
        progress: &mut dyn Progress,
    ) -> Result<Proposed, ProposeFault> {
        let rules = &sought.rules().rules;
        let app = rules.app.clone();
        let standing = self.ledger.app_standing(&app)?;
        let basis = Basis { store: self.ledger.serial(), rules: rules.digest(), cycle: cycle.clone() };
        let (mut candidates, mut missing) = self.departures(sought, &wants, asked, faults).await?;
        let keeps = self.leave_kept(&app, &mut wants, &mut candidates)?;
        // Whoever was brought back by an undoing isn't gone anew.
        for kept in keeps.kept.iter().filter(|one| matches!(one.keep.reason, KeepReason::Undone(_))) {
            missing.remove(&kept.person);
        }
        let mut rejected = Vec::new();
        let mut wanted = Vec::new();
        for (person, want) in wants.people {
            match want {
                Want::Differs(desired) => {
                    let known = self.ledger.known(&app, &person)?;
                    let guard = known.as_ref().and_then(|known| shaken(sought, known));
                    wanted.push((desired, known, guard));
                }
                Want::Rejected(one) => rejected.push(*one),
                Want::Same | Want::Unusable(_) => {}
            }
        }
        if wanted.is_empty() && candidates.is_empty() && !crate::planted("it asks without need") {
            let mut plan = Plan::empty(app, basis, standing.population);
            plan.rejected = rejected;
            (plan.kept, plan.unkept) = (keeps.kept, keeps.ended);
            return Ok(Proposed { plan, missing });
        }
        let ids = wanted.iter().filter_map(|(_, known, _)| known.as_ref().map(|known| known.account));
        let ids: BTreeSet<AccountId> = ids.chain(candidates.iter().map(|one| one.known.account)).collect();
        let desk = &mut self.apps[sought.rules().app].desk;
        asked.observe(desk, ids).await?;
        let unlinked = wanted
            .iter()
            .filter(|(_, known, _)| asked.live(known.as_ref()).is_none())
            .filter_map(|(desired, _, _)| desired.external_id.clone())
            .collect();
        asked.find_marked(desk, unlinked).await?;
        let mut cases = Vec::new();
        let of = wanted.len();
        for (number, (desired, known, guard)) in wanted.into_iter().enumerate() {
            if number % ASKED_BETWEEN_SIGNS == 0 {
                progress.note(&Event::Asking(&app, number, of));
            }
            // An answer that left the account out doesn't untie it: its marker finds it, and what is known of it stands.
            let left_out = || {
                let mut found = desired.external_id.as_ref().and_then(|id| asked.marked.get(id)).into_iter().flatten();
                let known = known.as_ref().map(|known| known.account);
                found.find(|account| Some(account.id) == known && account.is_live()).cloned()
            };
            let linked = asked
                .live(known.as_ref())
                .cloned()
                .or_else(|| if crate::planted("left out is untied") { None } else { left_out() });
            let id = desired.external_id.as_ref().filter(|_| linked.is_none());
            let by_external_id: Vec<ObservedAccount> =
                id.and_then(|id| asked.marked.get(id).cloned()).unwrap_or_default();
            let account = linked.as_ref().or_else(|| by_external_id.first());
            let by_email = match account {
                Some(account) if account.email.as_ref() == Some(&desired.email) => Vec::new(),
                _ => asked.find_mailed(desk, &desired.email).await?,
            };
            let found = Box::new(Found { linked, by_external_id, by_email });
            cases.push(Case::Wanted { desired, known: known.map(Box::new), found, guard });
        }
        for Candidate { known, departure, guard } in candidates {
            let observed = asked.observed.get(&known.account).cloned().flatten().map(Box::new);
            let whole = sought.wholes.get(&known.person.directory);
            let standpoint = whole.map_or(Standpoint::Steady, |whole| whole.standpoint);
            cases.push(Case::Departed { known: Box::new(known), observed, departure, guard, standpoint });
        }
        let owners = self.owners(&app, &cases)?;
        let catalog = asked.catalog.clone().unwrap_or_default();
        let proposal = Proposal {
            rules,
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
        sought: &Sought<'_>,
        wants: &Wants,
        asked: &mut Asked,
        faults: &mut BTreeMap<DirectoryName, ReadFault>,
    ) -> Result<(Vec<Candidate>, BTreeSet<PersonId>), LedgerFault> {
        let app = &sought.rules().rules.app;
        let mut candidates = self.untied(sought)?;
        let mut missing = BTreeSet::new();
        let assigned = &sought.rules().rules.assignments;
        for (name, whole) in sought.wholes {
            // Whoever is left over from a directory without an assignment is untied.
            if !assigned.iter().any(|one| one.directory == *name) {
                continue;
            }
            let reached = &whole.reached[sought.set];
            for trace in self.ledger.traces(app, name)?.into_iter().filter(|trace| trace.standing.in_use()) {
                let person = PersonId { directory: name.clone(), entry: trace.entry };
                let unusable = match wants.people.get(&person) {
                    Some(Want::Unusable(state)) => Some(state.clone()),
                    Some(Want::Same | Want::Differs(_) | Want::Rejected(_)) => continue,
                    None => None,
                };
                if !sought.seeks(&person) {
                    continue;
                }
                let Some(known) = self.ledger.known(app, &person)? else { continue };
                let departure = match unusable {
                    Some(state) => Departure::Unusable(state),
                    None => {
                        let by_edit = sought.kept_by_former.contains(&person) || sought.blind.contains(name);
                        if !by_edit {
                            missing.insert(person.clone());
                        }
                        match self.look_up(&known, reached, whole.question.order.now, asked).await {
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
                let outright =
                    matches!(departure, Departure::Unusable(_) | Departure::MovedOut { .. } | Departure::Tombstone);
                let guard = if outright { None } else { shaken(sought, &known) };
                candidates.push(Candidate { known, departure, guard });
            }
        }
        Ok((candidates, missing))
    }

    /// Managed people of directories that no assignment of the app names any more.
    fn untied(&self, sought: &Sought<'_>) -> Result<Vec<Candidate>, LedgerFault> {
        let rules = &sought.rules().rules;
        let mut candidates = Vec::new();
        for name in self.ledger.directories(&rules.app)? {
            if rules.assignments.iter().any(|one| one.directory == name) {
                continue;
            }
            let how = if self.directories.iter().any(|one| *one.name() == name) {
                format!("no assignment names directory {name} any more")
            } else {
                format!("directory {name} is not configured any more")
            };
            for trace in self.ledger.traces(&rules.app, &name)?.into_iter().filter(|trace| trace.standing.in_use()) {
                let person = PersonId { directory: name.clone(), entry: trace.entry };
                if let Some(known) = self.ledger.known(&rules.app, &person)?.filter(|_| sought.seeks(&person)) {
                    candidates.push(Candidate { known, departure: Departure::Untied(how.clone()), guard: None });
                }
            }
        }
        Ok(candidates)
    }

    /// What shows that a managed person departed. `reached` are the groups to which assigned ones led in this cycle.
    pub(super) async fn look_up(
        &mut self,
        known: &KnownAccount,
        reached: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
        asked: &mut Asked,
    ) -> Result<Departure, ReadFault> {
        let departure: Departure = self.presence(known, &known.through, now, asked).await?.into();
        if !matches!(departure, Departure::StillHeld { .. }) || known.through.is_subset(reached) {
            return Ok(departure);
        }
        // Held by a group to which no assigned one leads any more: that holds nobody, and the removal is guarded.
        let led: BTreeSet<EntryId> = known.through.intersection(reached).copied().collect();
        match self.presence(known, &led, now, asked).await?.into() {
            Departure::LeftGroups => Ok(Departure::LeftGroups),
            Departure::Unusable(_)
            | Departure::MovedOut { .. }
            | Departure::Tombstone
            | Departure::Absent
            | Departure::Unreadable { .. }
            | Departure::StillHeld { .. }
            | Departure::Untied(_) => Ok(departure),
        }
    }

    async fn presence(
        &mut self,
        known: &KnownAccount,
        groups: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
        asked: &mut Asked,
    ) -> Result<Presence, ReadFault> {
        let key = (known.person.clone(), groups.clone());
        if let Some(presence) = asked.present.get(&key) {
            return Ok(presence.clone());
        }
        let name = &known.person.directory;
        let directory = self.directories.iter_mut().find(|directory| directory.name() == name);
        let Some(directory) = directory else {
            return Err(ReadFault::Unfit(format!("directory {name} is not configured")));
        };
        let presence = directory.look_up(known.person.entry, &known.dn, groups, now).await?;
        asked.present.insert(key, presence.clone());
        Ok(presence)
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

impl Asked {
    /// Reads accounts that weren't read yet; at the first question also who we are, and the names of things.
    async fn observe<H: Helpdesk>(&mut self, desk: &mut H, ids: BTreeSet<AccountId>) -> Result<(), CallFault> {
        if self.catalog.is_none() {
            desk.who_am_i().await?;
            self.catalog = Some(desk.catalog().await?);
        }
        let ids: Vec<AccountId> = ids.into_iter().filter(|id| !self.observed.contains_key(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let seen = desk.observe(&ids).await?;
        self.observed.extend(ids.into_iter().map(|id| (id, None)));
        self.observed.extend(seen.into_iter().map(|account| (account.id, Some(account))));
        Ok(())
    }

    async fn find_marked<H: Helpdesk>(&mut self, desk: &mut H, ids: Vec<ExternalId>) -> Result<(), CallFault> {
        let ids: Vec<ExternalId> = ids.into_iter().filter(|id| !self.marked.contains_key(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = desk.find_by_external_id(&ids).await?;
        self.marked.extend(ids.into_iter().map(|id| (id, Vec::new())));
        for account in found {
            if let Some(id) = account.external_id.clone() {
                self.marked.entry(id).or_default().push(account);
            }
        }
        Ok(())
    }

    async fn find_mailed<H: Helpdesk>(
        &mut self,
        desk: &mut H,
        email: &Email,
    ) -> Result<Vec<ObservedAccount>, CallFault> {
        if let Some(found) = self.mailed.get(email) {
            return Ok(found.clone());
        }
        let found = desk.find_by_email(email).await?;
        self.mailed.insert(email.clone(), found.clone());
        Ok(found)
    }

    fn live(&self, known: Option<&KnownAccount>) -> Option<&ObservedAccount> {
        self.observed.get(&known?.account)?.as_ref().filter(|account| account.is_live())
    }
}

/// Whether `--user` names this person: by mail, name or immutable id.
pub(super) fn names(user: &str, email: &str, name: &str, person: &PersonId) -> bool {
    let user = user.trim().to_lowercase();
    !user.is_empty()
        && [
            email.to_lowercase(),
            name.to_lowercase(),
            person.entry.to_string(),
            person.entry.dashed(),
            person.to_string(),
        ]
        .contains(&user)
}

/// Why a loss of this person must wait: a group that held them is missing, reads empty without leave, or isn't reached.
fn shaken(sought: &Sought<'_>, known: &KnownAccount) -> Option<Guard> {
    let whole = sought.wholes.get(&known.person.directory)?;
    let end = whole.read.end();
    let pinned = |at: usize| whole.question.order.groups[at].pin;
    for (position, resolved) in end.resolved.iter().enumerate() {
        let lost = matches!(resolved, Resolved::Missing | Resolved::Ambiguous(_));
        let asks = whole.question.asks(sought.set, position);
        if lost && asks && pinned(position).is_some_and(|id| known.through.contains(&id)) {
            return Some(Guard::GroupMissing(whole.question.keys[position].text.clone()));
        }
    }
    let reached = &whole.reached[sought.set];
    let allowed: BTreeSet<EntryId> = whole.question.may_be_empty(sought.set, end);
    let emptied = |id: &&EntryId| {
        reached.contains(*id) && end.groups.get(*id).is_some_and(|group| group.members == 0) && !allowed.contains(*id)
    };
    if let Some(id) = known.through.iter().find(emptied) {
        return Some(Guard::GroupEmptied(
            end.groups.get(id).map_or_else(|| id.to_string(), |group| group.name.clone()),
        ));
    }
    // A nested group whose right to be read went looks just like one that was taken out. One that the former rules still
    // lead to was taken out by the edit, which waits as such.
    let by_former = sought.former().map(|set| &whole.reached[set]);
    let lost = |id: &&EntryId| !reached.contains(*id) && !by_former.is_some_and(|former| former.contains(*id));
    let unreached = known.through.iter().find(lost)?;
    let name = whole.former.get(unreached).map_or_else(|| unreached.to_string(), |group| group.name.clone());
    Some(Guard::GroupUnreached(name))
}
