//! Saved plans: made, and applied at once, after a change in the directory, after a decision, or twice.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::PersonId;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{Clock as _, HoldRecord, HoldState};
use zendesk_dirsync::engine::view::{ChangeView, PlanView};

use super::super::oracle::{Oracle, wish::WishKey, wish::steady};
use super::super::world::World;
use super::{Occasion, Order, give};
use crate::support::memory::Write;

pub const SHOWN: &str = "a saved plan writes exactly what it showed, or nothing";

pub fn apply(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let app = if world.orders.rng.one_in(2) { None } else { Some(world.rig.apps[0].0.app.to_string()) };
    let user = if world.orders.rng.one_in(4) {
        let people: Vec<PersonId> = world.everyone.keys().cloned().collect();
        world.orders.rng.pick(&people).map(|person| person.entry.to_string())
    } else {
        None
    };
    let Some(Reply::Plan { plan, .. }) = give(world, oracle, Occasion::Word, Command::Plan { app, user })? else {
        return Ok(());
    };
    let mut plan = *plan;
    if plan.changes.is_empty() || plan.seal().is_err() {
        return Ok(());
    }
    let kind = world.orders.rng.below(4);
    let (then, against) = (wishes(world, &plan), against(world));
    match kind {
        0 => world.company_event(),
        1 => world.decide(),
        _ => {}
    }
    let now_against = self::against(world);
    let (reply, wrote) = carry_out(world, oracle, &plan)?;
    let done = matches!(reply, Some(Reply::Cycle { .. }));
    let moved = matches!(reply, Some(Reply::Moved { .. }));
    if done && moved_on(&then, &wishes(world, &plan)) {
        return Err(format!("{SHOWN}: it was carried out, though the directory had moved: {then:?}"));
    }
    let since = |one: &&ChangeView| now_against.contains(&one.digest) && !against.contains(&one.digest);
    if let Some(one) = plan.changes.iter().find(since).filter(|_| done) {
        return Err(format!("{SHOWN}: it was carried out, though somebody had decided against {one:?}"));
    }
    if matches!(reply, Some(Reply::Cycle { code: 0, .. })) {
        all_written(world, &plan, &wrote)?;
    }
    match (kind, done, moved) {
        (0, _, true) => world.orders.count(Order::PlanMoved),
        (1, true, _) => world.orders.count(Order::PlanAfterDecision),
        (_, true, _) => world.orders.count(Order::PlanApplied),
        _ => {}
    }
    // What failed of it may be tried again.
    let whole = matches!(reply, Some(Reply::Cycle { code: 0, .. }));
    if kind == 3 && whole && !wrote.is_empty() {
        let (_, again) = carry_out(world, oracle, &plan)?;
        if !again.is_empty() {
            return Err(format!("{SHOWN}: applied twice, it wrote twice: {again:?}"));
        }
        world.orders.count(Order::PlanAppliedTwice);
    }
    Ok(())
}

/// What is on record as decided against.
fn against(world: &World) -> BTreeSet<String> {
    let rejected = |hold: &&HoldRecord| matches!(hold.state, HoldState::Rejected { .. });
    world.rig.ledger.with(|state| {
        let holds = state.holds.values().flatten().filter(rejected);
        holds.flat_map(|hold| &hold.changes).map(|change| change.digest.to_string()).collect()
    })
}

/// Accounts that were written, by app.
type Wrote = BTreeSet<(usize, u64)>;

/// Applies a plan; answers whose accounts were written.
fn carry_out(world: &mut World, oracle: &mut Oracle, plan: &PlanView) -> Result<(Option<Reply>, Wrote), String> {
    let Ok(order) = plan.order() else {
        return Err(format!("{SHOWN}: its seal is broken"));
    };
    let counts: Vec<usize> = world.rig.apps.iter().map(|(_, desk)| desk.with(|desk| desk.writes.len())).collect();
    world.orders.let_go = people(world, plan).into_keys().collect();
    let shown = Occasion::Saved(Box::new(plan.clone()));
    let reply = give(world, oracle, shown, Command::Apply(Box::new(order)))?;
    let mut wrote = BTreeSet::new();
    for (app, from) in counts.into_iter().enumerate() {
        world.rig.apps[app].1.with(|desk| {
            wrote.extend(desk.writes[from..].iter().filter_map(|write| write.account.map(|id| (app, id))));
        });
    }
    Ok((reply, wrote))
}

/// Whom a plan is about.
fn people<'a>(world: &World, plan: &'a PlanView) -> BTreeMap<(usize, PersonId), &'a ChangeView> {
    let one = |change: &'a ChangeView| {
        Some(((world.app_named(&change.app), world.person_with(&change.directory_id)?), change))
    };
    plan.changes.iter().filter_map(one).collect()
}

/// What the directory wishes of everybody in a plan, where that is certain.
fn wishes(world: &World, plan: &PlanView) -> BTreeMap<(usize, PersonId), Option<WishKey>> {
    let now = world.rig.clock.now();
    let of = |key: (usize, PersonId)| {
        let wish = steady(world, key.0, now, &key.1);
        (key, wish)
    };
    people(world, plan).into_keys().map(of).collect()
}

/// Whether the directory wishes something else of somebody. What is only wished at first doesn't count.
fn moved_on(
    then: &BTreeMap<(usize, PersonId), Option<WishKey>>,
    now: &BTreeMap<(usize, PersonId), Option<WishKey>>,
) -> bool {
    let other = |(key, then): (&(usize, PersonId), &Option<WishKey>)| match (then, now.get(key)) {
        (Some(WishKey::Wanted(then, _)), Some(Some(WishKey::Wanted(now, _)))) => then != now,
        (Some(then), Some(Some(now))) => matches!(then, WishKey::Wanted(..)) != matches!(now, WishKey::Wanted(..)),
        _ => false,
    };
    then.iter().any(other)
}

/// Whether everybody was written of whom something was shown that is written.
fn all_written(world: &World, plan: &PlanView, wrote: &BTreeSet<(usize, u64)>) -> Result<(), String> {
    for ((app, person), change) in people(world, plan) {
        let Some(account) = change.zendesk_id else {
            continue;
        };
        let tied = |field: &str| matches!(field, "account" | "managed");
        if change.changes.iter().all(|field| tied(&field.field)) || wrote.contains(&(app, account)) {
            continue;
        }
        // What stands so by now isn't written again.
        if change.action != "update" {
            continue;
        }
        return Err(format!("{SHOWN}: {person} was shown in it, and isn't written: {change:?}"));
    }
    Ok(())
}

/// Whether a write was shown.
pub fn was_shown(world: &World, app: usize, plan: &PlanView, person: &PersonId, write: &Write) -> bool {
    let name = world.rig.apps[app].0.app.as_str();
    let mine = |one: &&ChangeView| one.app == name && one.directory_id == person.entry.to_string();
    let Some(change) = plan.changes.iter().find(mine) else {
        return false;
    };
    let field = |name: &str| change.changes.iter().find(|one| one.field == name);
    let is = |name: &str, value: &str| field(name).is_some_and(|one| one.after.as_str() == Some(value));
    let set = |value: &serde_json::Value| -> BTreeSet<String> {
        value
            .as_array()
            .map_or_else(BTreeSet::new, |all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
    };
    let after = |name: &str| field(name).map_or_else(BTreeSet::new, |one| set(&one.after));
    let group = |id: u64| world.rig.apps[app].1.with(|desk| desk.groups[&id].clone());
    match &write.step {
        Step::Create(new) => is("name", &new.name) && is("email", new.email.as_str()) && after("tags") == new.tags,
        Step::Write(patch) => {
            patch.name.as_ref().is_none_or(|name| is("name", name))
                && (patch.role.is_none() || field("role").is_some())
                && (patch.sign_in != Some(SignIn::Suspend) || field("suspended").is_some())
                && (patch.sign_in != Some(SignIn::Lift) || field("suspended").is_some())
        }
        Step::ChangeEmail { to, .. } => is("email", to.as_str()),
        Step::Join(id) => after("groups").contains(&group(id.0)),
        Step::Leave(id) => !after("groups").contains(&group(id.0)),
        Step::AddTags(tags) => tags.is_subset(&after("tags")),
        Step::RemoveTags(tags) => tags.is_disjoint(&after("tags")),
        Step::Downgrade(_) => field("role").is_some(),
        Step::EndSessions | Step::MakeDefault(_) | Step::AddEmail(_) | Step::Unmark => true,
    }
}
