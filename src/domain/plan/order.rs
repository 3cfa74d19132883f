//! The order of a plan, and the floor of admins.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::assignment::Role;
use crate::domain::change::{Change, OldEmail, SignIn, Step};
use crate::domain::id::Email;

use super::{Conflict, ConflictReason, Context, Plan, role_after};

/// Takes changes out of the plan that would leave too few active admins; each becomes a conflict.
pub(super) fn keep_admins(plan: &mut Plan, context: &Context<'_>) {
    let admins = &context.catalog.active_admins;
    let mut remaining = admins.len();
    let floor = context.rules.admins_min;
    let mut kept = Vec::with_capacity(plan.changes.len());
    for change in std::mem::take(&mut plan.changes) {
        let is_admin = change.account.is_some_and(|id| admins.contains(&id));
        let suspends = change.steps.iter().any(|step| step.sign_in() == Some(SignIn::Suspend));
        let ends = suspends || role_after(&change).is_some_and(|role| role != Role::Admin);
        if is_admin && ends {
            if remaining <= floor && !crate::planted("no floor of admins") {
                plan.conflicts.push(Conflict::of_change(&change, ConflictReason::LastAdmins(floor)));
                continue;
            }
            remaining -= 1;
        }
        kept.push(change);
    }
    plan.changes = kept;
}

/// The address that a change takes off an account.
fn frees(change: &Change) -> Option<&Email> {
    change.steps.iter().find_map(|step| {
        if let Step::ChangeEmail { from, old: OldEmail::Removed, .. } = step { from.as_ref() } else { None }
    })
}

/// The address that a change needs free.
fn needs(change: &Change) -> Option<&Email> {
    change.steps.iter().find_map(Step::primary_email)
}

/// Takes changes out of the plan that need an address which nobody gives up after all: whoever was to free it has a
/// conflict of their own, or isn't written at all.
pub(super) fn keep_freed(plan: &mut Plan, context: &Context<'_>) {
    loop {
        let freeing: BTreeSet<Email> = plan.changes.iter().filter_map(frees).cloned().collect();
        let stuck = |change: &Change| {
            let email = needs(change)?;
            let holder = context.freed.get(email).filter(|holder| change.account != Some(**holder))?;
            (!freeing.contains(email)).then(|| ConflictReason::EmailHeld(*holder, email.clone()))
        };
        let Some(at) = plan.changes.iter().position(|change| stuck(change).is_some()) else { return };
        let change = plan.changes.remove(at);
        if let Some(why) = stuck(&change) {
            plan.conflicts.push(Conflict::of_change(&change, why));
        }
    }
}

/// Orders by action and mail, moves a change behind the one that frees its address, and turns rings into conflicts.
pub(super) fn arrange(plan: &mut Plan) {
    let mut changes = std::mem::take(&mut plan.changes);
    changes.sort_by(|a, b| (a.action, &a.email, &a.person).cmp(&(b.action, &b.email, &b.person)));
    let freeing: BTreeMap<Email, usize> =
        changes.iter().enumerate().filter_map(|(at, change)| Some((frees(change)?.clone(), at))).collect();
    let behind =
        |at: usize| needs(&changes[at]).and_then(|email| freeing.get(email)).copied().filter(|&other| other != at);
    let mut order = Vec::with_capacity(changes.len());
    let mut placed = BTreeSet::new();
    let mut ringed = BTreeSet::new();
    for start in 0..changes.len() {
        // Each change waits for at most one other: follow the chain to its head, then place it from there.
        let mut chain = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| !placed.contains(here) && !ringed.contains(here)) {
            if let Some(first) = chain.iter().position(|&seen| seen == here) {
                ringed.extend(chain.drain(first..));
                break;
            }
            chain.push(here);
            at = behind(here);
        }
        // Whoever waits for a ring waits with it.
        let blocked = behind(*chain.last().unwrap_or(&start)).is_some_and(|other| ringed.contains(&other));
        for here in chain.into_iter().rev() {
            if blocked {
                ringed.insert(here);
            } else if placed.insert(here) {
                order.push(here);
            }
        }
    }
    let mut slots: Vec<Option<Change>> = changes.into_iter().map(Some).collect();
    for at in ringed {
        if let Some(change) = slots[at].take() {
            plan.conflicts.push(Conflict::of_change(&change, ConflictReason::EmailRing));
        }
    }
    plan.changes = order.into_iter().filter_map(|at| slots[at].take()).collect();
}
