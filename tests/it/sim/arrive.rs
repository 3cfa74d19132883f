//! The end of a history: faults cease, people mend what only people can, everything is let go on. Then all must be as
//! wanted, and quiet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use zendesk_dirsync::domain::assignment::{Role, RoleGrant};
use zendesk_dirsync::domain::id::{Email, PersonId};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field};
use zendesk_dirsync::engine::ports::{Clock as _, HoldState};

use super::oracle::Oracle;
use super::reference::{Truth, Wish};
use super::rig::Ran;
use super::seeds::judged;
use super::world::World;
use crate::support::memory::{By, Desk, User};

/// Cycles after the last fault and the last decision in which everything must be done; the one after them does nothing.
const SETTLING_CYCLES: usize = 2;
/// How often people decide until nothing waits any more: what was let go on may bring forth what waits in its turn.
const DECISIONS_MAX: usize = 4;

/// Faults cease, people mend what only people can, everything is let go on: then all must be as wanted, and quiet.
pub fn arrive(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    world.tell("faults cease");
    world.restart();
    for at in 0..world.rig.directories.len() {
        world.mend_directory(at);
    }
    world.set_clock_right();
    world.names_come_back();
    for (at, group) in std::mem::take(&mut world.stash) {
        world.restore_group(at, group);
    }
    world.bring_people_back();
    for (_, desk) in &world.rig.apps {
        desk.by_hand(|desk| desk.seats = 10_000);
    }
    // Expiries that are near pass now, so that the wish stands still.
    world.rig.clock.advance(TimeDelta::days(4));
    mend_mails(world, oracle);
    world.note_people();
    super::orders::cease(world, oracle)?;
    world.rig.engine().retry(None, None, "alice").unwrap();
    let quiet = settle(world, oracle)?;
    for app in 0..world.rig.apps.len() {
        as_wanted(world, oracle, app)?;
    }
    if !quiet {
        return Err("it doesn't come to rest".into());
    }
    let floor = world.rig.ledger.snapshot().troubles.values().any(|troubles| !troubles.is_empty());
    let calls: Vec<u64> = world.rig.apps.iter().map(|(_, desk)| desk.calls()).collect();
    step_plain(world, oracle)?;
    let now: Vec<u64> = world.rig.apps.iter().map(|(_, desk)| desk.calls()).collect();
    if now != calls && !floor {
        return Err("a cycle with nothing to do called Zendesk".into());
    }
    world.verify_journal()
}

/// Cycles and decisions until nothing waits and nothing is done; whether that was in time.
fn settle(world: &mut World, oracle: &mut Oracle) -> Result<bool, String> {
    let mut since = 0;
    while since <= SETTLING_CYCLES && world.decided_at_the_end <= DECISIONS_MAX {
        let writes = |world: &World| -> usize {
            world.rig.apps.iter().map(|(_, desk)| desk.with(|desk| desk.writes.len())).sum()
        };
        let before = writes(world);
        let ran = step_plain(world, oracle)?;
        since += 1;
        if world.approve_everything() > 0 {
            world.decided_at_the_end += 1;
            since = 0;
        } else if writes(world) == before && matches!(&ran, Ran::Ended(report) if report.ending.code() == 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn step_plain(world: &mut World, oracle: &mut Oracle) -> Result<Ran, String> {
    // What failed is tried again by a person's word.
    oracle.tries.forget();
    world.rig.clock.advance(TimeDelta::minutes(15));
    let before = oracle.before(world);
    judged(world, oracle, &before, None)
}

/// Gives everybody whose address can't be used a fresh one, and everybody a new phone, so that each is looked at.
fn mend_mails(world: &mut World, oracle: &Oracle) {
    let mut used: BTreeSet<Email> = BTreeSet::new();
    let mut fresh = 0;
    for at in 0..world.rig.directories.len() {
        let directory = world.directory_name(at);
        for id in world.people(at) {
            let person = PersonId { directory: directory.clone(), entry: id };
            let entry = world.rig.directories[at].company().people[&id].clone();
            let email = Email::parse(entry.get("mail"));
            let foreign = |email: &Email| {
                world.rig.apps.iter().enumerate().any(|(app, (_, desk))| {
                    let holder = desk.with(|desk| desk.by_email(email).map(|user| user.id));
                    holder.is_some_and(|id| oracle.owners(app).get(&id) != Some(&person))
                })
            };
            let usable = email.as_ref().is_ok_and(|email| !used.contains(email) && !foreign(email));
            fresh += 1;
            let mail = if usable { entry.get("mail").to_owned() } else { format!("fresh{fresh}@example.org") };
            used.insert(Email::parse(&mail).unwrap());
            world.rig.directories[at].change(|company| {
                let person = company.people.get_mut(&id).unwrap();
                person.set("mail", &mail);
                person.set("telephoneNumber", &format!("+49 40 {fresh}"));
                if person.get("displayName").is_empty() {
                    person.set("displayName", "Somebody");
                }
            });
        }
    }
}

/// Compares every account with what is wanted of it, field by field.
fn as_wanted(world: &World, oracle: &Oracle, app: usize) -> Result<(), String> {
    let (rules, desk) = &world.rig.apps[app];
    let desk = desk.desk();
    let truths = world.truths(app, world.rig.clock.now());
    let linked: BTreeMap<u64, PersonId> = world
        .rig
        .ledger
        .snapshot()
        .accounts
        .iter()
        .filter(|((of, _), _)| *of == rules.app)
        .map(|((_, person), known)| (known.account.0, person.clone()))
        .collect();
    for (person, truth) in &truths {
        let Truth::Wanted(wish) = truth else { continue };
        let Some(user) = desk.by_external_id(&world.external_id(app, person)) else {
            return Err(format!("{person} is wanted and has no account in {}", rules.app));
        };
        // Without the link, a marker that the directory fills never leads to an admin's account.
        let marker = matches!(rules.mapping.external_id(), ExternalIdRule::Template(_));
        let floor = user.role == Role::Admin && desk.admins() <= rules.admins_min;
        // What a creation gave whose answer was lost isn't known to be ours.
        let unanswered = desk.writes.iter().any(|write| write.account == Some(user.id) && !write.answered);
        let lost = world.lost_of(app, person) || unanswered;
        if floor || lost && marker && user.role == Role::Admin {
            continue;
        }
        let mut amiss = Vec::new();
        let mut check = |what: &str, fine: bool| {
            if !fine {
                amiss.push(what.to_owned());
            }
        };
        check("name", user.name == wish.name);
        check("email", user.email.as_ref() == Some(&wish.email));
        check("phone", user.texts.get(&Field::Phone).map_or("", String::as_str) == wish.phone);
        role_and_grants(&desk, user, wish, lost, &mut check);
        check("suspension", user.suspended != Some(By::Us) || lost);
        if !amiss.is_empty() {
            return Err(format!(
                "{person} in {}: {} not as wanted: {user:?} against {wish:?}",
                rules.app,
                amiss.join(", ")
            ));
        }
    }
    for (id, person) in oracle.owners(app) {
        let out = matches!(truths.get(person), None | Some(Truth::Out | Truth::Unusable));
        let Some(user) = desk.users.get(id).filter(|user| out && user.live) else { continue };
        let known = linked.get(id) == Some(person);
        let floor = user.role == Role::Admin && desk.admins() <= rules.admins_min;
        // Whom only a group within an administrators' group holds is given nothing, and is told as unseen.
        if held_as_nested_admin(world, app, person) {
            continue;
        }
        if !known && world.lost_of(app, person) || world.touched[app].contains(id) || floor {
            continue;
        }
        if user.suspended.is_none() || user.role != Role::EndUser {
            return Err(format!("{person} is not wanted in {} and has access: {user:?}", rules.app));
        }
    }
    let waiting = world.rig.ledger.snapshot();
    let waits = waiting.holds.values().flatten().any(|hold| hold.state == HoldState::Waiting);
    if waits { Err(format!("something still waits at {}", world.rig.clock.now())) } else { Ok(()) }
}

fn held_as_nested_admin(world: &World, app: usize, person: &PersonId) -> bool {
    let company = &world.companies()[&person.directory];
    let admins = world.given[app].iter().filter(|one| one.role == Some(RoleGrant::Plain(Role::Admin)));
    admins.filter(|one| one.directory == person.directory).any(|one| company.holds(one.group, person.entry))
}

fn role_and_grants(desk: &Desk, user: &User, wish: &Wish, lost: bool, check: &mut impl FnMut(&str, bool)) {
    // Without the link nobody knows who gave a custom role.
    let foreign = lost && user.custom_role.is_some();
    let custom = user.custom_role.and_then(|id| desk.custom_roles.get(&id).cloned());
    let role = custom.map_or(RoleGrant::Plain(user.role), RoleGrant::Custom);
    let by_hand = (user.raised_by_hand || lost) && user.role >= wish.role.role();
    check("role", role == wish.role || by_hand || foreign);
    let groups = desk.group_names(user);
    check("groups", wish.groups.is_subset(&groups));
    let extra: BTreeSet<&String> = groups.difference(&wish.groups).collect();
    let by_hand: BTreeSet<&String> = user.groups_by_hand.iter().map(|id| &desk.groups[id]).collect();
    let automatic = desk.default_group.map(|id| &desk.groups[&id]);
    // A lost store no longer knows what was given; the automatic group may stay after a creation that broke off.
    check("further groups", lost || extra.iter().all(|one| by_hand.contains(*one) || Some(*one) == automatic));
    check("tags", wish.tags.is_subset(&user.tags));
    let extra: BTreeSet<&String> = user.tags.difference(&wish.tags).collect();
    check("further tags", lost || extra.iter().all(|one| user.tags_by_hand.contains(*one)));
    let default = user.default_group.map(|id| &desk.groups[&id]);
    check(
        "default group",
        wish.default_group.is_none() || user.default_group.is_some() && default == wish.default_group.as_ref(),
    );
}
