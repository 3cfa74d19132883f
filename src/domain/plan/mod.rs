//! The plan: what will be done, decided once, from what was read. Nothing is decided after it.
//!
//! [`plan`] is a pure function. A person has at most one change in a plan; independent changes are ordered by action,
//! app and mail; a change that needs an address waits for the one that frees it.

mod by_hand;
mod departed;
mod inverse;
mod matching;
mod order;
pub mod undo;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Catalog, DesiredAccount, KnownAccount, ObservedAccount};
use super::assignment::Role;
use super::change::{Action, Change, Guard};
use super::dn::Dn;
use super::id::{AccountId, AppName, CycleId, Digest, Digester, Email, ExternalId, PersonId};
use super::keep::Keep;
use super::mapping::Rejection;
use super::rules::AppRules;
use super::scope::Departure;
use super::server::Standpoint;

pub use by_hand::{HandBasis, remarks};
pub use matching::ConflictReason;

/// What was found at Zendesk for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The account that the store links, if Zendesk still answers for it.
    pub linked: Option<ObservedAccount>,
    /// Accounts that carry the wanted external id.
    pub by_external_id: Vec<ObservedAccount>,
    /// Accounts that hold the wanted mail, as primary or further address.
    pub by_email: Vec<ObservedAccount>,
}

/// One person who needs a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Case {
    /// The directory wants an account.
    Wanted {
        /// What is wanted.
        desired: Box<DesiredAccount>,
        /// What the store knows.
        known: Option<Box<KnownAccount>>,
        /// What Zendesk has.
        found: Box<Found>,
        /// Why a change that takes something away must wait.
        guard: Option<Guard>,
    },
    /// A managed person isn't wanted any more.
    Departed {
        /// What the store knows.
        known: Box<KnownAccount>,
        /// What Zendesk has.
        observed: Option<Box<ObservedAccount>>,
        /// What shows the departure.
        departure: Departure,
        /// Why the removal must wait.
        guard: Option<Guard>,
        /// How far the word of the server that shows it goes.
        standpoint: Standpoint,
    },
}

impl Case {
    const fn person(&self) -> &PersonId {
        match self {
            Self::Wanted { desired, .. } => &desired.person,
            Self::Departed { known, .. } => &known.person,
        }
    }
}

/// A person who can't be mapped; left as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The person.
    pub person: PersonId,
    /// The mail, if that much is known.
    pub user: Option<Email>,
    /// The name, if that much is known.
    pub name: Option<String>,
    /// Where the entry is.
    pub dn: Option<Dn>,
    /// Which field and why.
    pub why: Rejection,
}

/// A person who can't be tied to an account without a person's word; left as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The person.
    pub person: PersonId,
    /// The wanted mail.
    pub user: Email,
    /// The wanted name.
    pub name: String,
    /// Where the entry is.
    pub dn: Dn,
    /// The account in the way.
    pub account: Option<AccountId>,
    /// Why.
    pub why: ConflictReason,
}

/// A removal that waits for more evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What the store is to remember.
    pub known: Box<KnownAccount>,
    /// What was seen so far.
    pub departure: Departure,
    /// How far the word of the server that shows it goes.
    pub standpoint: Standpoint,
}

/// A person whose account is left as somebody put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The person.
    pub person: PersonId,
    /// The mail, if it is known.
    pub user: Option<Email>,
    /// The name, if it is known.
    pub name: Option<String>,
    /// Why, and for how long, from now on.
    pub keep: Keep,
}

/// From what a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The store's serial.
    pub store: u64,
    /// The digest of the app's rules.
    pub rules: Digest,
    /// The cycle in which it was made.
    pub cycle: CycleId,
}

/// What is needed to plan one app.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// The rules.
    pub rules: &'a AppRules,
    /// From what it is made.
    pub basis: Basis,
    /// Zendesk's named things.
    pub catalog: &'a Catalog,
    /// Which persons the store links accounts to, for every account that was found.
    pub owners: &'a BTreeMap<AccountId, PersonId>,
    /// How many accounts are managed and active.
    pub population: usize,
    /// Everyone who needs a look.
    pub cases: Vec<Case>,
    /// Everyone who couldn't be mapped.
    pub rejected: Vec<Rejected>,
}

/// What will be done in one app: made by [`plan`], never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The app.
    pub app: AppName,
    /// From what it was made.
    pub based_on: Basis,
    /// The changes, in the order in which they are carried out.
    pub changes: Vec<Change>,
    /// People who can't be mapped.
    pub rejected: Vec<Rejected>,
    /// People who need a person's word.
    pub conflicts: Vec<Conflict>,
    /// Removals that wait for a second complete read or for a readable entry.
    pub waiting: Vec<Waiting>,
    /// People whose accounts are left as a person put them.
    pub kept: Vec<Kept>,
    /// People whose keep ended, because the directory decided.
    pub unkept: Vec<PersonId>,
    /// Accounts that are as wanted already: only the store is brought up to date.
    pub refreshed: Vec<KnownAccount>,
    /// How many changes the switches leave out, by action.
    pub switched_off: BTreeMap<Action, usize>,
    /// Whose changes the switches leave out.
    pub left_out: BTreeSet<PersonId>,
    /// How many accounts are managed and active.
    pub population: usize,
}

impl Plan {
    /// A plan of nothing.
    pub fn empty(app: AppName, based_on: Basis, population: usize) -> Self {
        Self {
            app,
            based_on,
            changes: Vec::new(),
            rejected: Vec::new(),
            conflicts: Vec::new(),
            waiting: Vec::new(),
            kept: Vec::new(),
            unkept: Vec::new(),
            refreshed: Vec::new(),
            switched_off: BTreeMap::new(),
            left_out: BTreeSet::new(),
            population,
        }
    }

    /// The digest over all changes, in order.
    pub fn digest(&self) -> Digest {
        let mut digest = Digester::new("plan 1");
        digest.text(self.app.as_str());
        for change in &self.changes {
            digest.bytes(&change.digest().0);
        }
        digest.finish()
    }

    /// How many changes of an action there are.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

/// What one person's case comes to.
enum Decision {
    Change(Box<Change>),
    Refresh(Box<KnownAccount>),
    Conflict(Conflict),
    Reject(Rejected),
    Wait(Waiting),
    SwitchedOff(Action),
}

/// Plans one app.
pub fn plan(proposal: Proposal<'_>) -> Plan {
    let Proposal { rules, basis, catalog, owners, population, mut cases, rejected } = proposal;
    cases.sort_by(|a, b| a.person().cmp(b.person()));
    let mut plan = Plan::empty(rules.app.clone(), basis, population);
    plan.rejected = rejected;
    let context = Context { rules, catalog, owners, freed: freed(&cases), cycle: plan.based_on.cycle.clone() };
    let mut changes: Vec<Change> = Vec::new();
    for case in cases {
        let person = case.person().clone();
        let decision = match case {
            Case::Wanted { desired, known, found, guard } => wanted::decide(&context, *desired, known, *found, guard),
            Case::Departed { known, observed, departure, guard, standpoint } => {
                match departed::unsure(&context, &known, &departure, standpoint) {
                    Some(waiting) => Decision::Wait(waiting),
                    None => departed::decide(&context, *known, observed.map(|account| *account), departure, guard),
                }
            }
        };
        match decision {
            Decision::Change(change) => changes.push(*change),
            Decision::Refresh(known) => plan.refreshed.push(*known),
            Decision::Conflict(conflict) => plan.conflicts.push(conflict),
            Decision::Reject(rejected) => plan.rejected.push(rejected),
            Decision::Wait(waiting) => plan.waiting.push(waiting),
            Decision::SwitchedOff(action) => {
                *plan.switched_off.entry(action).or_default() += 1;
                plan.left_out.insert(person);
            }
        }
    }
    let mut claims: BTreeMap<AccountId, usize> = BTreeMap::new();
    changes.iter().filter_map(|change| change.account).for_each(|id| *claims.entry(id).or_default() += 1);
    for change in changes {
        // Nobody is the right one by coming first.
        match change.account.filter(|id| claims.get(id).is_some_and(|count| *count > 1)) {
            Some(id) => plan.conflicts.push(Conflict::of_change(&change, ConflictReason::ClaimedTwice(id))),
            None => plan.changes.push(change),
        }
    }
    order::keep_admins(&mut plan, &context);
    order::keep_freed(&mut plan, &context);
    order::arrange(&mut plan);
    plan.rejected.sort_by(|a, b| a.person.cmp(&b.person));
    plan.conflicts.sort_by(|a, b| a.person.cmp(&b.person));
    plan
}

/// What every decision may look at.
struct Context<'a> {
    rules: &'a AppRules,
    catalog: &'a Catalog,
    owners: &'a BTreeMap<AccountId, PersonId>,
    /// Addresses that this very plan takes off their accounts.
    freed: BTreeMap<Email, AccountId>,
    cycle: CycleId,
}

impl Context<'_> {
    /// Why an account must never be written, if so.
    fn untouchable(&self, account: &ObservedAccount) -> Option<&'static str> {
        if crate::planted("nobody is untouchable") {
            return None;
        }
        let listed = account.emails.iter().any(|email| self.rules.protected.contains(email));
        let marks = account.external_id.as_ref().is_some_and(ExternalId::is_lease);
        let what = self.catalog.untouchable.get(&account.id).copied();
        what.or(listed.then_some("a protected account")).or(marks.then_some("the marker of a lease"))
    }
}

/// Addresses that managed people give up in this plan: their primary one, when another is wanted and it was ours.
fn freed(cases: &[Case]) -> BTreeMap<Email, AccountId> {
    let mut freed = BTreeMap::new();
    for case in cases {
        let Case::Wanted { desired, known: Some(known), found, .. } = case else { continue };
        let Some(linked) = found.linked.as_ref().filter(|linked| linked.is_live()) else { continue };
        if let Some(email) =
            linked.email.as_ref().filter(|email| **email != desired.email && **email == known.written.email)
        {
            freed.insert(email.clone(), linked.id);
        }
    }
    freed
}

impl Conflict {
    fn of_change(change: &Change, why: ConflictReason) -> Self {
        Self {
            person: change.person.clone(),
            user: change.email.clone(),
            name: change.name.clone(),
            dn: change.dn.clone(),
            account: change.account,
            why,
        }
    }

    fn of_wish(desired: &DesiredAccount, account: Option<AccountId>, why: ConflictReason) -> Self {
        Self {
            person: desired.person.clone(),
            user: desired.email.clone(),
            name: desired.name.clone(),
            dn: desired.dn.clone(),
            account,
            why,
        }
    }
}

/// The role that an account has once a change is carried out, if the change sets one.
fn role_after(change: &Change) -> Option<Role> {
    change.steps.iter().rev().find_map(super::change::Step::role)
}
