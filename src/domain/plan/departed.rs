//! A managed person whom the directory doesn't want any more: removal, release, or waiting for more evidence.

use crate::domain::account::{KnownAccount, ObservedAccount, Standing, Suspended};
use crate::domain::account_state::AccountState;
use crate::domain::assignment::Role;
use crate::domain::change::{
    Action, Cause, CauseCode, Change, Class, Confirm, FieldChange, FieldValue, Guard, Patch, SignIn, Step, Suspension,
};
use crate::domain::mapping::Rejection;
use crate::domain::rules::{Removal, Switch};
use crate::domain::scope::Departure;
use crate::domain::server::Standpoint;

use super::{Conflict, ConflictReason, Context, Decision, Rejected, Waiting};

/// Whether a departure waits because its server can't be compared with the one of the last read: it may not have heard
/// yet of what that one showed. Its first word on anything counts for nothing; that of one which was read before is a
/// first word on whoever is gone, like any other.
pub(super) fn unsure(
    context: &Context<'_>,
    known: &KnownAccount,
    departure: &Departure,
    standpoint: Standpoint,
) -> Option<Waiting> {
    // Nobody was looked up for the one; the other is no removal.
    if matches!(departure, Departure::Untied(_) | Departure::StillHeld { .. }) {
        return None;
    }
    let mut known = Box::new(known.clone());
    match standpoint {
        Standpoint::Steady => return None,
        Standpoint::New => {}
        Standpoint::Other if known.missed.as_ref().is_some_and(|first| *first != context.cycle) => return None,
        Standpoint::Other => {
            known.missed = Some(context.cycle.clone());
            known.fingerprint = None;
        }
    }
    Some(Waiting { known, departure: departure.clone(), standpoint })
}

pub(super) fn decide(
    context: &Context<'_>,
    mut known: KnownAccount,
    observed: Option<ObservedAccount>,
    departure: Departure,
    guard: Option<Guard>,
) -> Decision {
    let (code, class) = match &departure {
        Departure::Unusable(AccountState::Expired { .. }) => (CauseCode::Expired, Class::RemovalShown),
        Departure::Unusable(_) => (CauseCode::Disabled, Class::RemovalShown),
        Departure::LeftGroups | Departure::MovedOut { .. } | Departure::Untied(_) => {
            (CauseCode::OutOfScope, Class::RemovalShown)
        }
        Departure::Tombstone => (CauseCode::Gone, Class::RemovalShown),
        Departure::Absent => match &known.missed {
            // The first complete read without the person only makes a note of it.
            None => {
                known.missed = Some(context.cycle.clone());
                // Without a fingerprint the person is looked at again on return, which takes this note away.
                known.fingerprint = None;
                return Decision::Wait(Waiting { known: Box::new(known), departure, standpoint: Standpoint::Steady });
            }
            // By name, not by order: a note from a clock that was ahead counts as well, once the clock is right again.
            Some(first) if *first == context.cycle => {
                return Decision::Wait(Waiting { known: Box::new(known), departure, standpoint: Standpoint::Steady });
            }
            Some(_) => (CauseCode::Gone, Class::RemovalByAbsence),
        },
        Departure::Unreadable { .. } => (CauseCode::Gone, Class::RemovalByAbsence),
        Departure::StillHeld { .. } => return unseen(known, &departure),
    };
    if context.rules.switches.deprovision == Switch::Off {
        return Decision::SwitchedOff(Action::Deprovision);
    }
    let guard = guard.or_else(|| matches!(departure, Departure::Unreadable { .. }).then_some(Guard::Unreadable));
    // An account that is no longer there needs nothing but to be forgotten.
    let observed = observed.filter(ObservedAccount::is_live);
    if let Some(conflict) = untouchable(context, &known, observed.as_ref()) {
        return Decision::Conflict(conflict);
    }
    let removal = if observed.is_none() { Removal::Release } else { context.rules.removal(code) };
    let evidence = Some(departure.to_string());
    let why = Why { cause: Cause { code, groups: known.group_paths.clone(), evidence }, class, guard };
    let confirm = match departure {
        Departure::Untied(_) => Confirm::Configuration,
        Departure::Unusable(_)
        | Departure::LeftGroups
        | Departure::MovedOut { .. }
        | Departure::Tombstone
        | Departure::Absent
        | Departure::Unreadable { .. }
        | Departure::StillHeld { .. } => Confirm::Departure,
    };
    Decision::Change(Box::new(Change { confirm, ..change(context, known, observed, removal, why) }))
}

/// A removal that a person orders, whatever the directory says and the switches and policies say: suspension.
///
/// # Errors
/// The conflict, when the account is one that is never written.
pub(super) fn by_hand(
    context: &Context<'_>,
    known: KnownAccount,
    observed: Option<ObservedAccount>,
) -> Result<Change, Box<Conflict>> {
    let observed = observed.filter(ObservedAccount::is_live);
    if let Some(conflict) = untouchable(context, &known, observed.as_ref()) {
        return Err(Box::new(conflict));
    }
    let removal = if observed.is_none() { Removal::Release } else { Removal::Suspend };
    let cause = Cause { code: CauseCode::ByHand, groups: known.group_paths.clone(), evidence: None };
    Ok(change(context, known, observed, removal, Why { cause, class: Class::RemovalShown, guard: None }))
}

/// A link that a person gives up: the account is left exactly as it is.
pub(super) fn release_by_hand(context: &Context<'_>, known: KnownAccount) -> Change {
    let cause = Cause { code: CauseCode::ByHand, groups: known.group_paths.clone(), evidence: None };
    change(context, known, None, Removal::Release, Why { cause, class: Class::Link, guard: None })
}

/// The conflict of an account that is never written, if it is one.
fn untouchable(context: &Context<'_>, known: &KnownAccount, observed: Option<&ObservedAccount>) -> Option<Conflict> {
    let account = observed?;
    let what = context.untouchable(account)?;
    Some(Conflict {
        person: known.person.clone(),
        user: known.written.email.clone(),
        name: known.written.name.clone(),
        dn: known.dn.clone(),
        account: Some(account.id),
        why: ConflictReason::Untouchable(what),
    })
}

/// Why access ends, and what the brake makes of it.
struct Why {
    cause: Cause,
    class: Class,
    guard: Option<Guard>,
}

fn change(
    context: &Context<'_>,
    mut known: KnownAccount,
    observed: Option<ObservedAccount>,
    removal: Removal,
    why: Why,
) -> Change {
    let before = observed.clone().map(Box::new);
    let parts = match (removal, observed) {
        (Removal::Release, _) | (_, None) => Parts::release(),
        (Removal::Suspend, Some(account)) => Parts::removal(context, &known, &account, SignInPart::Suspend),
        (Removal::Downgrade, Some(account)) => Parts::removal(context, &known, &account, SignInPart::Left),
    };
    Change {
        app: context.rules.app.clone(),
        person: known.person.clone(),
        account: Some(known.account),
        before,
        action: if removal == Removal::Release { Action::Release } else { Action::Deprovision },
        cause: why.cause,
        email: known.written.email.clone(),
        name: known.written.name.clone(),
        dn: known.dn.clone(),
        fields: parts.fields,
        steps: parts.steps,
        class: why.class,
        guard: why.guard,
        confirm: Confirm::No,
        outcome: parts.standing.map(|standing| {
            known.standing = standing;
            known.given_groups.clear();
            known.given_tags.clear();
            known.fingerprint = None;
            known.missed = None;
            Box::new(known)
        }),
    }
}

/// A member whom the read didn't come upon: the filter for people, or our rights, hide the entry. Somebody must hear of it.
fn unseen(known: KnownAccount, departure: &Departure) -> Decision {
    let why = format!("{departure}, but not among the people that are read: see the filter and our rights");
    Decision::Reject(Rejected {
        person: known.person,
        user: Some(known.written.email),
        name: Some(known.written.name),
        dn: Some(known.dn),
        why: Rejection::new("entry", why),
    })
}

/// Whether a removal blocks sign-in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignInPart {
    Suspend,
    Left,
}

/// What a removal consists of. No standing: the link is given up.
pub(super) struct Parts {
    pub(super) fields: Vec<FieldChange>,
    pub(super) steps: Vec<Step>,
    pub(super) standing: Option<Standing>,
}

impl Parts {
    const fn release() -> Self {
        Self { fields: Vec::new(), steps: Vec::new(), standing: None }
    }

    /// In the order that ends access first: suspend, end sessions, leave groups, free the seat, take tags back.
    pub(super) fn removal(
        context: &Context<'_>,
        known: &KnownAccount,
        account: &ObservedAccount,
        sign_in: SignInPart,
    ) -> Self {
        let mut fields = Vec::new();
        let mut steps = Vec::new();
        let mut note = |field, before, after| fields.push(FieldChange { field, before, after });
        let suspends = sign_in == SignInPart::Suspend && account.suspended == Suspended::No;
        if suspends {
            note("suspended", FieldValue::Flag(false), FieldValue::Flag(true));
            steps.push(Step::Write(Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() }));
        }
        steps.push(Step::EndSessions);
        let catalog = context.catalog;
        let given = known.given_groups.iter().filter_map(|name| catalog.groups.get(name)).flatten();
        let leave: Vec<_> = given.filter(|id| account.groups.contains(id)).copied().collect();
        let has_seat = account.role != Role::EndUser;
        if has_seat && !account.groups.is_empty() {
            let names = account.groups.iter().map(|id| catalog.group_name(*id)).collect();
            note("groups", FieldValue::Set(names), FieldValue::None);
        }
        steps.extend(leave.into_iter().map(Step::Leave));
        if has_seat {
            let before = catalog.role_name(account.role, account.custom_role);
            note("role", FieldValue::Text(before.to_string()), FieldValue::Text(Role::EndUser.to_string()));
            let suspension = if suspends { Suspension::Ours } else { Suspension::NotOurs };
            steps.push(Step::Downgrade(suspension));
        }
        let tags: std::collections::BTreeSet<String> = known.given_tags.intersection(&account.tags).cloned().collect();
        if !tags.is_empty() {
            let left = account.tags.difference(&tags).cloned().collect();
            note("tags", FieldValue::Set(account.tags.clone()), FieldValue::Set(left));
            steps.push(Step::RemoveTags(tags));
        }
        let standing = match (sign_in, account.suspended) {
            (SignInPart::Suspend, Suspended::No) => Standing::SuspendedByUs,
            (SignInPart::Suspend, Suspended::Yes) if known.standing.suspended_by_us() => Standing::SuspendedByUs,
            (SignInPart::Suspend, Suspended::Yes) => Standing::SuspendedByOthers,
            (SignInPart::Left, _) => Standing::Downgraded,
        };
        Self { fields, steps, standing: Some(standing) }
    }
}
