//! Midway: what is known of an account after a change that broke off, and whether it reads back as it was written.

use crate::domain::account::{KnownAccount, ObservedAccount, Standing, Suspended};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::{Action, Change, Step};
use crate::domain::id::AccountId;
use crate::domain::outcome::Problem;

use super::ports::Settlement;

/// Where an account stands after a change that was begun and not finished.
pub(super) struct Midway {
    pub(super) account: Option<AccountId>,
    /// Whether a suspension of ours is on it.
    pub(super) suspended: Suspends,
}

/// What is known when a change was begun but not finished: its wish counts as outstanding, and what was given before
/// or may have been given now counts as ours.
pub(super) fn interrupted(
    action: Action,
    outcome: Option<&KnownAccount>,
    before: Option<KnownAccount>,
    now: &Midway,
) -> Settlement {
    if crate::planted("what broke off is forgotten") {
        return Settlement::Unchanged;
    }
    let known = match action {
        Action::Deprovision | Action::Release => before,
        Action::Provision | Action::Link | Action::Adopt | Action::Update | Action::Reactivate => {
            let same = before.filter(|before| Some(before.account) == now.account);
            outcome.cloned().map(|after| same.map_or(after.clone(), |before| joined(before, after)))
        }
    };
    match (known, now.account) {
        (Some(mut known), Some(account)) => {
            known.account = account;
            known.fingerprint = None;
            known.standing = match (now.suspended, known.standing) {
                (Suspends::Yes, _) => Standing::Ending,
                (Suspends::No, Standing::Ending) => Standing::Active,
                (Suspends::No, standing) => standing,
            };
            Settlement::Known(Box::new(known))
        }
        (_, None) | (None, _) => Settlement::Unchanged,
    }
}

/// What is known midway from one state to another: a grant of either may be there, and is ours to take.
fn joined(before: KnownAccount, mut after: KnownAccount) -> KnownAccount {
    let (had, gets) = (&before.written.role, &after.written.role);
    let gains = gets.role() > had.role() || (gets.role() == had.role() && matches!(gets, RoleGrant::Custom(_)));
    if !gains {
        after.written.role = before.written.role;
    }
    // Whichever is the primary one by now: the former may still be there, and is ours to take.
    after.written.email = before.written.email;
    after.given_groups.extend(before.given_groups);
    after.given_tags.extend(before.given_tags);
    after
}

/// Whether a suspension of ours is on an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspends {
    Yes,
    No,
}

impl From<bool> for Suspends {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What the store will know of a change that was carried out whole; none when the link is given up.
pub(super) fn finished(change: &Change, account: Option<AccountId>) -> Option<KnownAccount> {
    let mut known = change.outcome.as_deref().cloned()?;
    if let Some(id) = account {
        known.account = id;
    }
    Some(known)
}

/// The role that a change writes, if it writes one.
pub(super) fn role_written(change: &Change) -> Option<Role> {
    change.steps.iter().filter_map(Step::patch).find_map(|patch| patch.role.map(|(role, _)| role))
}

/// What of an account isn't as it was written, if anything. `role` is the one that was just written, if one was.
pub(super) fn mismatch(
    action: Action,
    role: Option<Role>,
    known: &KnownAccount,
    account: Option<&ObservedAccount>,
) -> Option<Problem> {
    let hint = "the next cycle compares again and writes what is missing";
    let Some(account) = account.filter(|account| account.is_live()) else {
        return Some(Problem::new("not_kept", "Zendesk answered with success, but has no such account", hint));
    };
    let mut amiss = Vec::new();
    if known.standing == Standing::Active {
        if account.email.as_ref() != Some(&known.written.email) {
            amiss.push("the mail");
        }
        if account.name != known.written.name {
            amiss.push("the name");
        }
        // Higher than what is wanted, a role may be somebody else's gift; but not when we have just written it.
        if account.role < known.written.role.role() || role.is_some_and(|role| account.role != role) {
            amiss.push("the role");
        }
        // A suspension that we didn't mean to lift is somebody else's.
        if action == Action::Reactivate && account.suspended == Suspended::Yes {
            amiss.push("the suspension");
        }
    }
    if known.standing == Standing::SuspendedByUs && account.suspended == Suspended::No {
        amiss.push("the suspension");
    }
    let what = amiss.join(", ");
    (!amiss.is_empty()).then(|| {
        Problem::new("not_kept", format!("Zendesk answered with success, but {what} reads back otherwise"), hint)
    })
}
