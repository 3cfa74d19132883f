//! Pauses, and orders for one person by hand.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use zendesk_dirsync::domain::id::{Email, PersonId};
use zendesk_dirsync::engine::byhand::{HandOrder, Word};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::Clock as _;

use super::super::oracle::Oracle;
use super::super::world::World;
use super::{Kept, Occasion, Order, Paused, give};

pub fn pause(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let rng = &mut world.orders.rng;
    let at = if rng.one_in(2) { None } else { Some(rng.below(world.rig.apps.len())) };
    let hours = if rng.one_in(2) { Some(1 + rng.below(60) as i64) } else { None };
    let app = at.map(|at| world.rig.apps[at].0.app.to_string());
    let until = hours.map(|hours| world.rig.clock.now() + TimeDelta::hours(hours));
    let passed = hours.map(|hours| world.rig.clock.passed() + TimeDelta::hours(hours).to_std().unwrap());
    let reply = give(world, oracle, Occasion::Word, Command::Pause { app, reason: Some("moving".into()), until })?;
    let breaks = world.breaks;
    let pauses = &mut world.decisions.words.pauses;
    if matches!(reply, Some(Reply::Pauses(_))) {
        pauses.insert(at, Paused { until: passed, breaks });
        world.orders.count(if hours.is_some() {
            Order::PausedUntil
        } else if at.is_some() {
            Order::PausedApp
        } else {
            Order::PausedAll
        });
    } else {
        pauses.remove(&at);
    }
    Ok(())
}

/// Ends one of the pauses, or one that isn't there.
pub fn resume(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let pauses: Vec<Option<usize>> = world.decisions.words.pauses.keys().copied().collect();
    let Some(at) = world.orders.rng.pick(&pauses) else { return Ok(()) };
    end_pause(world, oracle, at)
}

fn end_pause(world: &mut World, oracle: &mut Oracle, at: Option<usize>) -> Result<(), String> {
    let app = at.map(|at| world.rig.apps[at].0.app.to_string());
    let reply = give(world, oracle, Occasion::Word, Command::Resume { app })?;
    world.decisions.words.pauses.remove(&at);
    if matches!(reply, Some(Reply::Pauses(_))) {
        world.orders.count(Order::Resumed);
    }
    Ok(())
}

/// Ends every pause that a person began.
pub fn resume_all(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    // The store may know more of them: of an order that broke off.
    let app = |app: &_| world.rig.apps.iter().position(|(rules, _)| rules.app == *app);
    let all: BTreeSet<Option<usize>> =
        world.rig.ledger.with(|state| state.pauses.0.keys().map(|key| key.as_ref().and_then(app)).collect());
    for at in all {
        end_pause(world, oracle, at)?;
    }
    world.decisions.words.pauses.clear();
    Ok(())
}

/// Somebody can't wait for the directory.
pub fn deprovision(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let managed = world.managed();
    let Some((_, person, _)) = world.orders.rng.pick(&managed) else { return Ok(()) };
    let apps: Vec<usize> = (0..world.rig.apps.len()).collect();
    world.orders.let_go = apps.iter().map(|at| (*at, person.clone())).collect();
    let words = &world.decisions.words;
    let paused = apps.iter().any(|at| words.paused(*at, world.rig.clock.passed(), world.breaks));
    let command = by_hand(HandOrder::Deprovision, &person, None);
    let reply = give(world, oracle, Occasion::Deprovision(person.clone()), command)?;
    let mut done = false;
    for at in apps {
        if answered(world, &reply, at) {
            done = true;
            world.decisions.words.kept.insert((at, person.clone()), Kept::ByHand);
        } else if managed.iter().any(|one| one.0 == at && one.1 == person) {
            world.decisions.words.kept.remove(&(at, person.clone()));
        }
    }
    if done {
        world.orders.count(if paused { Order::DeprovisionedInPause } else { Order::DeprovisionedNow });
    }
    Ok(())
}

fn by_hand(order: HandOrder, person: &PersonId, app: Option<String>) -> Command {
    Command::ByHand { order, user: person.entry.to_string(), app, word: Word::Do }
}

/// Whether an order was carried out in an app.
fn answered(world: &World, reply: &Option<Reply>, at: usize) -> bool {
    let Some(Reply::Hand { view, .. }) = reply else { return false };
    let result = |one: &&zendesk_dirsync::engine::byhand::HandPersonView| world.app_named(&one.app) == at;
    view.people.iter().find(result).is_some_and(|one| matches!(one.result.as_deref(), Some("done" | "already")))
}

pub fn release(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let managed = world.managed();
    let Some((at, person, account)) = world.orders.rng.pick(&managed) else { return Ok(()) };
    let app = Some(world.rig.apps[at].0.app.to_string());
    let reply = give(world, oracle, Occasion::Word, by_hand(HandOrder::Release, &person, app))?;
    let key = (at, person);
    if answered(world, &reply, at) {
        world.orders.count(Order::Released);
        world.decisions.words.kept.insert(key.clone(), Kept::Released(Some(account)));
    } else {
        world.decisions.words.kept.remove(&key);
    }
    forget(world, key, account);
    oracle.forget(world, at, account);
    Ok(())
}

pub fn unlink(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let managed = world.managed();
    let Some((at, person, account)) = world.orders.rng.pick(&managed) else { return Ok(()) };
    let app = Some(world.rig.apps[at].0.app.to_string());
    let reply = give(world, oracle, Occasion::Word, by_hand(HandOrder::Unlink, &person, app))?;
    if answered(world, &reply, at) {
        world.orders.count(Order::Unlinked);
    }
    forget(world, (at, person), account);
    oracle.forget(world, at, account);
    Ok(())
}

/// What was known of somebody's account is given up: an account that nobody ties again stays as it is.
fn forget(world: &mut World, key: (usize, PersonId), account: u64) {
    world.touched[key.0].insert(account);
    world.orders.tied.remove(&(key.0, account));
    world.orders.forgotten.insert(key);
}

/// Ties somebody who has no account to the one that bears their mark or their address.
pub fn link(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let managed: BTreeSet<(usize, PersonId)> =
        world.managed().into_iter().map(|(at, person, _)| (at, person)).collect();
    let mut fits = Vec::new();
    for at in 0..world.rig.apps.len() {
        for directory in 0..world.rig.directories.len() {
            for entry in world.people(directory) {
                let person = PersonId { directory: world.directory_name(directory), entry };
                if managed.contains(&(at, person.clone())) {
                    continue;
                }
                fits.extend(account_of(world, at, directory, &person).map(|account| (at, person, account)));
            }
        }
    }
    let Some((at, person, account)) = world.orders.rng.pick(&fits) else { return Ok(()) };
    let app = Some(world.rig.apps[at].0.app.to_string());
    let command = Command::Link { user: person.entry.to_string(), account, app, word: Word::Do };
    let reply = give(world, oracle, Occasion::Word, command)?;
    let key = (at, person.clone());
    if matches!(reply, Some(Reply::Hand { code: 0, .. })) {
        world.orders.count(Order::Linked);
    }
    // A full disk may have come after the link.
    if !matches!(reply, Some(Reply::Refused { code, .. }) if code != 7) {
        oracle.forget(world, at, account);
        world.decisions.words.kept.remove(&key);
        forget(world, key, account);
        world.orders.tied.insert((at, account), person);
    }
    Ok(())
}

/// The account that bears somebody's mark; else the one with their address that nobody's mark is on.
fn account_of(world: &World, at: usize, directory: usize, person: &PersonId) -> Option<u64> {
    let mark = world.external_id(at, person);
    let mail = world.rig.directories[directory]
        .with(|company| company.people.get(&person.entry).map(|one| one.get("mail").to_owned()))?;
    world.rig.apps[at].1.with(|desk| {
        if let Some(user) = desk.by_external_id(&mark) {
            return Some(user.id);
        }
        let user = desk.by_email(&Email::parse(&mail).ok()?)?;
        user.external_id.is_none().then_some(user.id)
    })
}

pub fn lift(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let kept = stored(world);
    let Some((at, person)) = world.orders.rng.pick(&kept) else { return Ok(()) };
    lift_one(world, oracle, at, person)
}

fn lift_one(world: &mut World, oracle: &mut Oracle, at: usize, person: PersonId) -> Result<(), String> {
    let app = Some(world.rig.apps[at].0.app.to_string());
    let reply = give(world, oracle, Occasion::Word, Command::Lift { user: person.entry.to_string(), app })?;
    world.decisions.words.kept.remove(&(at, person));
    if matches!(reply, Some(Reply::Lifted(_))) {
        world.orders.count(Order::KeepLifted);
    }
    Ok(())
}

/// Whom the store keeps.
fn stored(world: &World) -> Vec<(usize, PersonId)> {
    let app = |app: &_| world.rig.apps.iter().position(|(rules, _)| rules.app == *app);
    world.rig.ledger.with(|state| {
        let of = |(name, keeps): (&_, &std::collections::BTreeMap<PersonId, _>)| {
            let at = app(name);
            keeps.keys().filter_map(move |person| Some((at?, person.clone()))).collect::<Vec<_>>()
        };
        state.keeps.iter().flat_map(of).collect()
    })
}

pub fn lift_all(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    for (at, person) in stored(world) {
        lift_one(world, oracle, at, person)?;
    }
    world.decisions.words.kept.clear();
    Ok(())
}
