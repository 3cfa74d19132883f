//! Which account is a person's: the link, the external id, the mail; and why it may not be taken.

use std::fmt;

use crate::domain::account::{DesiredAccount, KnownAccount, ObservedAccount, Suspended, Verified};
use crate::domain::assignment::Role;
use crate::domain::id::{AccountId, Email, ExternalId, PersonId};
use crate::domain::mapping::ExternalIdRule;

use super::{Context, Found};

/// Why a person can't be tied to an account, or given an address, without a person's word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConflictReason {
    /// The account with that mail carries an external id that isn't this person's.
    #[error("the account with this mail carries another external_id, {0}")]
    OtherExternalId(ExternalId),
    /// The account belongs to another person.
    #[error("the account with this mail is that of the person {} in directory {}", .0.entry, .0.directory)]
    OtherPerson(PersonId),
    /// The account is one that is never taken unasked.
    #[error("the account with this mail is {0}")]
    Untouchable(&'static str),
    /// An account of this role existed before, and the configuration doesn't let it be adopted.
    #[error("{} with this mail existed before, and `adopt` doesn't list its kind", role_with_article(*.0))]
    NotAdoptable(Role),
    /// The mail isn't verified there: anybody could have typed it.
    #[error("the account with this mail never verified it")]
    Unverified,
    /// The mail's domain isn't one that may be adopted.
    #[error("the mail's domain is not in `adopt_domains`")]
    Domain,
    /// The account was suspended by somebody else.
    #[error("the account with this mail was suspended by somebody else")]
    SuspendedByOthers,
    /// Several accounts fit.
    #[error("{0} accounts fit")]
    Several(usize),
    /// Another account holds the address that is wanted.
    #[error("account {0} holds the wanted address {1}")]
    EmailHeld(AccountId, Email),
    /// People exchange addresses in a ring.
    #[error("addresses are exchanged in a ring; change one of them first")]
    EmailRing,
    /// An agent's mail must have one of the configured domains.
    #[error("agents are made only with the mail domains in `agent_email_domains`")]
    AgentDomain,
    /// Two people want one account.
    #[error("two people want account {0}")]
    ClaimedTwice(AccountId),
    /// Too few admins would remain.
    #[error("fewer than {0} active admins would remain")]
    LastAdmins(usize),
}

impl ConflictReason {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::OtherExternalId(_) | Self::OtherPerson(_) | Self::Several(_) | Self::ClaimedTwice(_) => {
                "see whose account it is; free the mail there, or correct it in the directory"
            }
            Self::Untouchable(_) => "such an account is never written; give the person another mail, or leave it so",
            Self::NotAdoptable(_) => "list its kind in `matching.adopt`, or free the mail at Zendesk",
            Self::Unverified => "let the person verify the mail at Zendesk",
            Self::Domain => "add the domain to `adopt_domains`, or free the mail at Zendesk",
            Self::SuspendedByOthers => "lift the suspension at Zendesk if the person should have the account",
            Self::EmailHeld(..) => "free the address at Zendesk, or correct it in the directory",
            Self::EmailRing => "give one of the people another address for one cycle",
            Self::AgentDomain => "add the domain to `agent_email_domains`, or correct the mail",
            Self::LastAdmins(_) => "make another admin first, or lower `admins_min`",
        }
    }

    /// A short code for reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherExternalId(_) => "other_external_id",
            Self::OtherPerson(_) => "other_person",
            Self::Untouchable(_) => "untouchable",
            Self::NotAdoptable(_) => "not_adoptable",
            Self::Unverified => "unverified",
            Self::Domain => "adopt_domain",
            Self::SuspendedByOthers => "suspended_by_others",
            Self::Several(_) => "several_accounts",
            Self::EmailHeld(..) => "email_held",
            Self::EmailRing => "email_ring",
            Self::AgentDomain => "agent_domain",
            Self::ClaimedTwice(_) => "claimed_twice",
            Self::LastAdmins(_) => "last_admins",
        }
    }
}

fn role_with_article(role: Role) -> impl fmt::Display {
    match role {
        Role::EndUser => "an end user",
        Role::Agent => "an agent",
        Role::Admin => "an admin",
    }
}

/// What the person's account is.
pub(super) enum Match {
    /// The one that the store links.
    Linked(Box<ObservedAccount>),
    /// One that carries the person's external id.
    Marked(Box<ObservedAccount>),
    /// One that holds the person's mail and may be adopted.
    ByEmail(Box<ObservedAccount>),
    /// None.
    Nobody,
    /// One that may not be taken.
    Conflict(Option<AccountId>, ConflictReason),
}

/// Finds the person's account: link, then external id, then mail.
pub(super) fn find(
    context: &Context<'_>,
    desired: &DesiredAccount,
    known: Option<&KnownAccount>,
    found: Found,
) -> Match {
    if known.is_some()
        && let Some(linked) = found.linked.filter(ObservedAccount::is_live)
    {
        return match context.untouchable(&linked) {
            Some(what) => Match::Conflict(Some(linked.id), ConflictReason::Untouchable(what)),
            None => Match::Linked(Box::new(linked)),
        };
    }
    if let Some(matched) = marked(context, desired, found.by_external_id) {
        return matched;
    }
    by_email(context, desired, found.by_email)
}

fn marked(context: &Context<'_>, desired: &DesiredAccount, accounts: Vec<ObservedAccount>) -> Option<Match> {
    let mut live: Vec<ObservedAccount> = accounts.into_iter().filter(ObservedAccount::is_live).collect();
    let account = match live.len() {
        0 => return None,
        1 => live.remove(0),
        several => return Some(Match::Conflict(None, ConflictReason::Several(several))),
    };
    let why = if let Some(what) = context.untouchable(&account) {
        ConflictReason::Untouchable(what)
    } else if let Some(owner) = other_owner(context, desired, &account) {
        ConflictReason::OtherPerson(owner)
    } else if account.role == Role::Admin && *context.rules.mapping.external_id() != ExternalIdRule::Own {
        // A template's value is a directory attribute: whoever can edit it must not reach an admin's account. What isn't
        // an admin's waits for a person all the same: see Guard::Unproven.
        ConflictReason::Untouchable("an admin's")
    } else {
        return Some(Match::Marked(Box::new(account)));
    };
    Some(Match::Conflict(Some(account.id), why))
}

fn by_email(context: &Context<'_>, desired: &DesiredAccount, accounts: Vec<ObservedAccount>) -> Match {
    let gives_up = |account: &ObservedAccount| context.freed.get(&desired.email) == Some(&account.id);
    let mut live: Vec<ObservedAccount> =
        accounts.into_iter().filter(ObservedAccount::is_live).filter(|account| !gives_up(account)).collect();
    let account = match live.len() {
        0 => return Match::Nobody,
        1 => live.remove(0),
        several => return Match::Conflict(None, ConflictReason::Several(several)),
    };
    match refusal(context, desired, &account) {
        Some(why) => Match::Conflict(Some(account.id), why),
        None => Match::ByEmail(Box::new(account)),
    }
}

/// Why an account that was found by mail may not be adopted.
fn refusal(context: &Context<'_>, desired: &DesiredAccount, account: &ObservedAccount) -> Option<ConflictReason> {
    if crate::planted("anybody is adopted") {
        return None;
    }
    let adoption = &context.rules.adoption;
    if let Some(what) = context.untouchable(account) {
        return Some(ConflictReason::Untouchable(what));
    }
    if let Some(owner) = other_owner(context, desired, account) {
        return Some(ConflictReason::OtherPerson(owner));
    }
    if account.role == Role::Admin {
        return Some(ConflictReason::Untouchable("an admin's"));
    }
    if let Some(other) = account.external_id.as_ref().filter(|id| Some(*id) != desired.external_id.as_ref()) {
        let left_alone = *context.rules.mapping.external_id() == ExternalIdRule::Off;
        let ours = other.as_str().to_lowercase().starts_with(ExternalId::OWN_PREFIX);
        if !left_alone || ours {
            return Some(ConflictReason::OtherExternalId(other.clone()));
        }
    }
    if !adoption.allows(account.role) {
        return Some(ConflictReason::NotAdoptable(account.role));
    }
    if account.verified == Verified::No {
        return Some(ConflictReason::Unverified);
    }
    if adoption.domains.as_ref().is_some_and(|domains| !domains.contains(desired.email.domain())) {
        return Some(ConflictReason::Domain);
    }
    (account.suspended == Suspended::Yes).then_some(ConflictReason::SuspendedByOthers)
}

fn other_owner(context: &Context<'_>, desired: &DesiredAccount, account: &ObservedAccount) -> Option<PersonId> {
    context.owners.get(&account.id).filter(|owner| **owner != desired.person).cloned()
}
