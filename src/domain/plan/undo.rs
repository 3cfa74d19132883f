//! Undoing: from what a cycle did, and what Zendesk has now, to the plan that brings back what was before.
//!
//! Only what the deed changed is brought back, and only where it is still as the deed left it: what somebody changed
//! since is theirs. It says what can't be undone. The steps themselves are made in `inverse`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::account::{Catalog, KnownAccount, ObservedAccount};
use crate::domain::deed::{Deed, Lasting, Since};
use crate::domain::id::{AccountId, AppName, CycleId, Digest, Digester, Email, PersonId};
use crate::domain::rules::AppRules;

use super::{Basis, Conflict, ConflictReason, Context, Plan, inverse, order};

/// One person's deed that is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoCase {
    /// What was done.
    pub deed: Deed,
    /// What happened to the person since.
    pub since: Since,
    /// What the store knows now.
    pub known: Option<KnownAccount>,
    /// Whose the store says the account is.
    pub owner: Option<PersonId>,
    /// What Zendesk has now.
    pub observed: Option<ObservedAccount>,
    /// Other live accounts that hold an address which the deed took away.
    pub holders: BTreeMap<Email, AccountId>,
}

/// What is needed to plan the undoing of one app's part of a cycle.
#[derive(Debug)]
pub struct UndoProposal<'a> {
    /// The rules.
    pub rules: &'a AppRules,
    /// From what it is made; its cycle is that of the undoing.
    pub basis: Basis,
    /// Zendesk's named things.
    pub catalog: &'a Catalog,
    /// How many accounts are managed and active.
    pub population: usize,
    /// The cycle that is undone.
    pub cycle: CycleId,
    /// Everyone to whom it did something.
    pub cases: Vec<UndoCase>,
}

/// Why a person's change can't be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotUndo {
    /// It was undone already.
    Already(CycleId),
    /// Later cycles changed the person.
    Later(Vec<CycleId>),
    /// Everything is as it was before.
    AsBefore,
    /// The account isn't there any more.
    Gone,
    /// The account was not seen before it was changed.
    NoImage,
    /// Such an account is never written.
    Untouchable(&'static str),
    /// The link was given up since.
    Unlinked,
    /// The person has another account now.
    OtherAccount(AccountId),
    /// The account is another person's now.
    OtherPerson(PersonId),
    /// An agent's mail must have one of the configured domains.
    AgentDomain,
    /// Too few admins would remain.
    LastAdmins(usize),
    /// Another change of this plan is in the way.
    InTheWay(ConflictReason),
}

impl fmt::Display for CannotUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Already(by) => write!(f, "it was undone already, by {by}"),
            Self::Later(cycles) => {
                let newest_first: Vec<&str> = cycles.iter().rev().map(CycleId::as_str).collect();
                write!(f, "changed again since: undo {} first", newest_first.join(", then "))
            }
            Self::AsBefore => f.write_str("everything is as it was before"),
            Self::Gone => f.write_str("the account was deleted since: nothing brings it back"),
            Self::NoImage => {
                f.write_str("the account was not seen before the change, so there is nothing to go back to")
            }
            Self::Untouchable(what) => write!(f, "the account is {what}, and is never written"),
            Self::Unlinked => f.write_str("the link to the account was given up since: link it first"),
            Self::OtherAccount(id) => write!(f, "the person has another account now: {id}"),
            Self::OtherPerson(person) => {
                write!(
                    f,
                    "the account is another person's now: that of {} in directory {}",
                    person.entry, person.directory
                )
            }
            Self::AgentDomain => f.write_str("agents are made only with the mail domains in `agent_email_domains`"),
            Self::LastAdmins(floor) => write!(f, "fewer than {floor} active admins would remain"),
            Self::InTheWay(why) => why.fmt(f),
        }
    }
}

/// Why something of a change isn't brought back, though the rest is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Short {
    /// Nothing takes it back.
    Lasting(Lasting),
    /// Somebody changed it since.
    Moved(&'static str),
    /// The group isn't there any more.
    GroupGone(String),
    /// The custom role isn't there any more: role and groups stay as they are.
    RoleGone(String),
    /// The address is another account's now.
    MailHeld(Email, AccountId),
    /// There was no address before; an account that has one keeps it.
    MailStays,
    /// Somebody put the account into groups since; as an end user it loses them.
    GroupsLost(String),
    /// There was no group before, or none of them is left; an agent is in one at least.
    GroupStays(String),
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting(lasting) => lasting.fmt(f),
            Self::Moved(field) => write!(f, "{field}: changed by somebody else since, and left so"),
            Self::GroupGone(name) => write!(f, "groups: {name} is not there any more"),
            Self::RoleGone(name) => {
                write!(f, "role: {name} is not there any more; role and groups stay as they are")
            }
            Self::MailHeld(email, id) => write!(f, "email: {email} belongs to account {id} now"),
            Self::MailStays => f.write_str("email: there was none before; the one that is there stays"),
            Self::GroupStays(names) => write!(f, "groups: {names} stays, because an agent must be in one at least"),
            Self::GroupsLost(names) => write!(f, "groups: an end user has none, so {names} is lost as well"),
        }
    }
}

/// A person whose change isn't undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUndone {
    /// The person.
    pub person: PersonId,
    /// The mail.
    pub user: Email,
    /// The name.
    pub name: String,
    /// The account.
    pub account: Option<AccountId>,
    /// Why.
    pub why: CannotUndo,
}

/// Something of a person's change that isn't undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The person.
    pub person: PersonId,
    /// The mail.
    pub user: Email,
    /// What.
    pub what: Short,
}

/// What undoing one app's part of a cycle comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoPlan {
    /// The changes that bring back.
    pub plan: Plan,
    /// People whose change isn't undone.
    pub refused: Vec<NotUndone>,
    /// What isn't brought back of those that are.
    pub short: Vec<Shortfall>,
}

impl UndoPlan {
    /// The digest over what is shown.
    pub fn digest(&self) -> Digest {
        let mut digest = Digester::new("undo 1");
        digest.bytes(&self.plan.digest().0);
        for one in &self.refused {
            digest.text(&one.person.to_string()).text(&one.why.to_string());
        }
        for one in &self.short {
            digest.text(&one.person.to_string()).text(&one.what.to_string());
        }
        digest.finish()
    }

    /// The app.
    pub const fn app(&self) -> &AppName {
        &self.plan.app
    }
}

/// Plans the undoing of one app's part of a cycle.
pub fn undo(proposal: UndoProposal<'_>) -> UndoPlan {
    let UndoProposal { rules, basis, catalog, population, cycle, mut cases } = proposal;
    cases.sort_by(|a, b| a.deed.person.cmp(&b.deed.person));
    let owners = BTreeMap::new();
    let context = Context { rules, catalog, owners: &owners, freed: freed(&cases), cycle: basis.cycle.clone() };
    let mut plan = Plan::empty(rules.app.clone(), basis, population);
    let mut refused = Vec::new();
    let mut short = Vec::new();
    for case in &cases {
        match inverse::of(&context, case, &cycle) {
            Ok(inverse) => {
                let told = inverse.short.into_iter().map(|what| Shortfall {
                    person: case.deed.person.clone(),
                    user: inverse.change.email.clone(),
                    what,
                });
                short.extend(told);
                plan.changes.push(inverse.change);
            }
            Err(why) => refused.push(NotUndone {
                person: case.deed.person.clone(),
                user: case.deed.email.clone(),
                name: case.deed.name.clone(),
                account: case.deed.account,
                why,
            }),
        }
    }
    order::keep_admins(&mut plan, &context);
    order::keep_freed(&mut plan, &context);
    order::arrange(&mut plan);
    refused.extend(std::mem::take(&mut plan.conflicts).into_iter().map(NotUndone::of));
    refused.sort_by(|a, b| a.person.cmp(&b.person));
    let planned: BTreeSet<&PersonId> = plan.changes.iter().map(|change| &change.person).collect();
    short.retain(|one| planned.contains(&one.person));
    UndoPlan { plan, refused, short }
}

impl NotUndone {
    fn of(conflict: Conflict) -> Self {
        let why = match conflict.why {
            ConflictReason::LastAdmins(floor) => CannotUndo::LastAdmins(floor),
            other => CannotUndo::InTheWay(other),
        };
        Self { person: conflict.person, user: conflict.user, name: conflict.name, account: conflict.account, why }
    }
}

/// Addresses that this very undoing takes off their accounts: another person may be waiting for theirs.
fn freed(cases: &[UndoCase]) -> BTreeMap<Email, AccountId> {
    let mut freed = BTreeMap::new();
    for case in cases.iter().filter(|case| matches!(case.since, Since::Nothing | Since::UnderWay)) {
        let (Some(before), Some(left), Some(now)) = (&case.deed.before, &case.deed.left, &case.observed) else {
            continue;
        };
        if let Some(email) = now.email.as_ref().filter(|email| {
            before.email != left.email && left.email.as_ref() == Some(*email) && !before.emails.contains(*email)
        }) {
            freed.insert(email.clone(), now.id);
        }
    }
    freed
}
