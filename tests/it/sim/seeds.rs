//! Generated histories: each seed is one world; every step is judged, and in the end everything must be as wanted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use zendesk_dirsync::domain::assignment::{Role, RoleGrant};
use zendesk_dirsync::domain::id::{Email, PersonId};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field};
use zendesk_dirsync::engine::ports::{Clock as _, HoldState};

use super::oracle::Oracle;
use super::reference::Truth;
use super::rig::Ran;
use super::world::World;
use crate::support::memory::{By, Desk, User};

/// Seeds that every test run takes, and steps of each.
const SEEDS: u64 = 150;
const STEPS: usize = 40;
/// Cycles in which everything must settle once nothing fails and everything is let go on.
const SETTLING_CYCLES: usize = 8;

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for one seed, or for more of them")]
fn generated_histories_never_harm_and_always_arrive() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let mut world = World::new(seed);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history(&mut world)));
        let lost = if world.lost { " (the store was lost once)" } else { "" };
        let why = match ran {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why + lost,
            Err(_) => "it panicked".to_owned(),
        };
        let from = world.log.len().saturating_sub(25);
        if number("SIM_SEEDS").is_none() {
            eprintln!("{}", world.log[from..].join("\n"));
        }
        eprintln!("SIM_SEED={seed}: {why}\n");
        failed.push((seed, why));
        if failed.len() >= 10 {
            break;
        }
    }
    assert!(failed.is_empty(), "replay with SIM_SEED=n SIM_TRACE=1: {failed:#?}");
}

fn history(world: &mut World) -> Result<(), String> {
    let mut oracle = Oracle::new(world.rig.apps.len());
    for _ in 0..STEPS {
        for _ in 0..world.rng.below(3) {
            world.company_event();
        }
        if world.rng.one_in(4) {
            world.hand_event();
        }
        if world.rng.one_in(3) {
            world.trouble_event();
        }
        if world.rng.one_in(3) {
            world.decide();
        }
        if world.rng.one_in(8) {
            planning_changes_nothing(world)?;
        }
        world.cycle_trouble();
        step(world, &mut oracle)?;
        world.restart();
    }
    arrive(world, &mut oracle)
}

/// One judged cycle.
fn step(world: &mut World, oracle: &mut Oracle) -> Result<Ran, String> {
    let before = oracle.before(world);
    let only = if world.rng.one_in(12) {
        world.rng.pick(&world.everyone.keys().map(|person| person.entry.to_string()).collect::<Vec<_>>())
    } else {
        None
    };
    let ran = world.rig.run_only(only.as_deref());
    let how = match &ran {
        Ran::Ended(report) => report.summary.text.clone(),
        Ran::Aborted(why) => why.to_string(),
        Ran::Died => "died".to_owned(),
    };
    world.tell(format!("cycle{}: {how}", only.as_deref().map(|one| format!(" for {one}")).unwrap_or_default()));
    world.rig.fuse.set(None);
    if matches!(&ran, Ran::Ended(report) if report.faults.is_empty() && only.is_none()) {
        for at in 0..world.stable.len() {
            let trouble = world.rig.directories[at].trouble();
            // With whom the app could not be served the store is not up to date either.
            let served = matches!(&ran, Ran::Ended(report) if report.plans.len() == world.rig.apps.len());
            world.stable[at] |= served && trouble.lagging.is_none() && trouble.hidden.is_empty();
        }
    }
    oracle.judge(world, &before, &ran)?;
    Ok(ran)
}

fn planning_changes_nothing(world: &World) -> Result<(), String> {
    let look = || {
        let writes: Vec<usize> = world.rig.apps.iter().map(|(_, desk)| desk.writes().len()).collect();
        (world.rig.ledger.snapshot(), world.rig.report.notices().len(), writes)
    };
    let before = look();
    world.rig.prepare();
    if look() == before { Ok(()) } else { Err("planning changed something".into()) }
}

/// Faults cease, people mend what only people can, everything is let go on: then all must be as wanted, and quiet.
fn arrive(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    world.tell("faults cease");
    world.restart();
    for at in 0..world.rig.directories.len() {
        world.mend_directory(at);
    }
    for (at, group) in std::mem::take(&mut world.stash) {
        world.rig.directories[at].change(|company| company.groups.insert(group.id, group));
    }
    for (_, desk) in &world.rig.apps {
        desk.by_hand(|desk| desk.seats = 10_000);
    }
    // Somebody has what failed be tried again.
    world.rig.engine().retry(None, None, "alice").unwrap();
    // Expiries that are near pass now, so that the wish stands still.
    world.rig.clock.advance(TimeDelta::hours(2));
    mend_mails(world, oracle);
    world.note_people();
    let mut quiet = false;
    for _ in 0..SETTLING_CYCLES {
        let writes: usize = world.rig.apps.iter().map(|(_, desk)| desk.writes().len()).sum();
        let ran = step_plain(world, oracle)?;
        let approved = world.approve_everything();
        let after: usize = world.rig.apps.iter().map(|(_, desk)| desk.writes().len()).sum();
        let tried = world.rig.ledger.snapshot().brakes.values().all(|brake| brake.trials.is_empty());
        quiet = tried
            && approved == 0
            && writes == after
            && matches!(&ran, Ran::Ended(report) if report.ending.code() == 0);
        if quiet {
            break;
        }
    }
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
    Ok(())
}

fn step_plain(world: &mut World, oracle: &mut Oracle) -> Result<Ran, String> {
    let before = oracle.before(world);
    let ran = world.rig.run();
    if let Ran::Ended(report) = &ran {
        world.tell(format!("settling: {}", report.summary.text));
    }
    oracle.judge(world, &before, &ran)?;
    Ok(ran)
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
    let truths = world.truths(app);
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
        if floor || world.lost && marker && user.role == Role::Admin {
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
        role_and_grants(&desk, user, wish, world, &mut check);
        check("suspension", user.suspended != Some(By::Us) || world.lost);
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
        if !known && world.lost || world.touched[app].contains(id) || floor {
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

fn role_and_grants(
    desk: &Desk,
    user: &User,
    wish: &super::reference::Wish,
    world: &World,
    check: &mut impl FnMut(&str, bool),
) {
    // Without the link nobody knows who gave a custom role.
    let foreign = world.lost && user.custom_role.is_some();
    let custom = user.custom_role.and_then(|id| desk.custom_roles.get(&id).cloned());
    let role = custom.map_or(RoleGrant::Plain(user.role), RoleGrant::Custom);
    let by_hand = (user.raised_by_hand || world.lost) && user.role >= wish.role.role();
    check("role", role == wish.role || by_hand || foreign);
    let groups = desk.group_names(user);
    check("groups", wish.groups.is_subset(&groups));
    let extra: BTreeSet<&String> = groups.difference(&wish.groups).collect();
    let by_hand: BTreeSet<&String> = user.groups_by_hand.iter().map(|id| &desk.groups[id]).collect();
    let automatic = desk.default_group.map(|id| &desk.groups[&id]);
    // A lost store no longer knows what was given; the automatic group may stay after a creation that broke off.
    check("further groups", world.lost || extra.iter().all(|one| by_hand.contains(*one) || Some(*one) == automatic));
    check("tags", wish.tags.is_subset(&user.tags));
    let extra: BTreeSet<&String> = user.tags.difference(&wish.tags).collect();
    check("further tags", world.lost || extra.iter().all(|one| user.tags_by_hand.contains(*one)));
    let default = user.default_group.map(|id| &desk.groups[&id]);
    check(
        "default group",
        wish.default_group.is_none() || user.default_group.is_some() && default == wish.default_group.as_ref(),
    );
}
