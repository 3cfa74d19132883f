//! Trouble that lasts: a person whose writes are refused, an app that refuses us; and that nobody else is delayed by it.

use zendesk_dirsync::domain::account::Standing;
use zendesk_dirsync::domain::id::PersonId;
use zendesk_dirsync::domain::mapping::Field;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::Clock as _;

use super::super::oracle::Oracle;
use super::super::reference::Truth;
use super::super::world::World;
use super::{Occasion, Order, give};
use crate::support::memory::{CallTrouble, ReadTrouble, Use};

pub const DELAY: &str = "one who fails delays nobody else";

/// What goes wrong for some cycles.
#[derive(Default)]
pub struct Trouble {
    /// An address whose writes are refused, by app.
    poisoned: Option<(usize, String, usize)>,
    /// An app that refuses us.
    refuses: Option<(usize, usize)>,
    /// Whether no other fault was done in this step.
    pub calm: bool,
    expected: Option<Expected>,
}

/// Whose phone or name must be this after the next cycle.
struct Expected {
    app: usize,
    account: u64,
    what: What,
    value: String,
    person: PersonId,
    /// How often the app had asked us to wait.
    waits: u64,
}

/// What is changed of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Name,
    Phone,
}

/// Trouble begins, goes on or ends; it is done to Zendesk again before each cycle.
pub fn before_cycle(world: &mut World) {
    let calm = std::mem::replace(&mut world.orders.trouble.calm, true);
    let trouble = &mut world.orders.trouble;
    trouble.expected = None;
    if let Some((app, mail, left)) = trouble.poisoned.take() {
        world.rig.apps[app].1.poison([mail.clone()]);
        world.orders.trouble.poisoned = left.checked_sub(1).map(|left| (app, mail.clone(), left));
        if calm && world.orders.rng.one_in(2) {
            nudge(world, app, &mail);
            expect(world, app, Some(&mail));
        }
    }
    if let Some((app, left)) = world.orders.trouble.refuses.take() {
        world.rig.apps[app].1.all_goes_wrong(CallTrouble::Unauthorized);
        world.orders.trouble.refuses = left.checked_sub(1).map(|left| (app, left));
        if calm && world.rig.apps.len() > 1 {
            expect(world, 1 - app, None);
        }
    }
}

/// Trouble begins.
pub fn begin(world: &mut World) {
    let app = world.orders.rng.below(world.rig.apps.len());
    let left = 1 + world.orders.rng.below(12);
    if world.orders.rng.one_in(3) {
        world.orders.trouble.refuses = Some((app, left));
        world.tell(format!("app {app} refuses us for {left} cycles"));
        return world.orders.count(Order::AppRefuses);
    }
    let mails: Vec<String> = world.rig.apps[app].1.with(|desk| {
        let ours = desk.users.values().filter(|user| user.live && user.id >= 1_000);
        ours.filter_map(|user| user.email.as_ref().map(ToString::to_string)).collect()
    });
    let Some(mail) = world.orders.rng.pick(&mails) else {
        return;
    };
    world.tell(format!("app {app}: {mail} is poisoned for {left} cycles"));
    world.orders.trouble.poisoned = Some((app, mail, left));
    world.orders.count(Order::PersonPoisoned);
}

/// The poisoned person is changed, so that there is something to be refused.
fn nudge(world: &mut World, app: usize, mail: &str) {
    let found = world.rig.ledger.with(|state| {
        let name = &world.rig.apps[app].0.app;
        let id = world.rig.apps[app].1.with(|desk| {
            desk.users
                .values()
                .find(|user| user.email.as_ref().is_some_and(|one| one.as_str() == mail))
                .map(|user| user.id)
        });
        state
            .accounts
            .iter()
            .find(|((of, _), known)| of == name && Some(known.account.0) == id)
            .map(|((_, who), _)| who.clone())
    });
    let Some(person) = found else { return };
    phone(world, &person);
}

/// Gives somebody another phone; answers it.
fn phone(world: &mut World, person: &PersonId) -> Option<String> {
    let at = (0..world.rig.directories.len()).find(|at| world.directory_name(*at) == person.directory)?;
    let phone = format!("+49 89 {}", world.orders.rng.below(1_000_000));
    if !world.people(at).contains(&person.entry) {
        return None;
    }
    world.set(at, person.entry, "telephoneNumber", &phone);
    Some(phone)
}

/// Gives somebody another name; answers it as it is to be written.
fn rename(world: &mut World, app: usize, person: &PersonId) -> Option<String> {
    let at = (0..world.rig.directories.len()).find(|at| world.directory_name(*at) == person.directory)?;
    let name = format!("Named {}", world.orders.rng.below(1_000_000));
    if !world.people(at).contains(&person.entry) {
        return None;
    }
    world.set(at, person.entry, "displayName", &name);
    match world.truths(app, world.rig.clock.now()).remove(person) {
        Some(Truth::Wanted(wish)) => Some(wish.name),
        Some(Truth::Rejected | Truth::Unusable | Truth::Out) | None => None,
    }
}

/// Somebody of whom nothing else is to be done gets another phone or name, which must be there after the cycle.
fn expect(world: &mut World, app: usize, but: Option<&str>) {
    let fine = (0..world.rig.directories.len())
        .all(|at| format!("{:?}", world.rig.directories[at].trouble()) == format!("{:?}", ReadTrouble::default()));
    let name = world.rig.apps[app].0.app.clone();
    let words = &world.decisions.words;
    let agreed = words.accepted.get(&app).is_some_and(|one| one.rules.digest() == world.rig.apps[app].0.digest());
    let quiet = world.rig.ledger.with(|state| {
        state.intents.is_empty()
            && state.accepted.contains_key(&name)
            && state.pauses.0.is_empty()
            && state.brakes.get(&name).is_none_or(|brakes| brakes.quarantine.is_none())
            && state.holds.get(&name).is_none_or(|holds| holds.iter().all(|hold| hold.code != "edit"))
    });
    let refuses = matches!(world.orders.trouble.refuses, Some((of, _)) if of == app);
    let copies = &world.orders.copies;
    let barred = copies.behind.contains(&app) || copies.foreign.contains(&app);
    if refuses
        || barred
        || !fine
        || !agreed
        || !quiet
        || world.rig.out_apps.contains(&name)
        || !world.rig.scopes.is_empty()
    {
        return;
    }
    let truths = world.truths(app, world.rig.clock.now());
    let companies = world.companies();
    let fits: Vec<(PersonId, u64)> = world.rig.ledger.with(|state| {
        let is = |((of, person), known): (&(_, PersonId), &zendesk_dirsync::domain::account::KnownAccount)| {
            let kept = state.keeps.get(&name).is_some_and(|keeps| keeps.contains_key(person));
            let held = |hold: &zendesk_dirsync::engine::ports::HoldRecord| {
                hold.changes.iter().any(|one| one.person == *person)
            };
            let waits = state.holds.get(&name).is_some_and(|holds| holds.iter().any(held));
            if *of != name || known.standing != Standing::Active || kept || waits || known.fingerprint.is_none() {
                return None;
            }
            let Some(Truth::Wanted(wish)) = truths.get(person) else { return None };
            // Nobody whose access ends by itself meanwhile.
            if companies[&person.directory].people[&person.entry].usable != Use::Usable {
                return None;
            }
            world.rig.apps[app].1.with(|desk| {
                let user = desk.users.get(&known.account.0).filter(|user| user.live)?;
                let mine = user.email.as_ref() == Some(&wish.email) && Some(wish.email.as_str()) != but;
                let phone = user.texts.get(&Field::Phone).map_or("", String::as_str) == wish.phone;
                let same = user.name == wish.name && phone && user.suspended.is_none() && user.custom_role.is_none();
                let exact = user.role == wish.role.role()
                    && desk.group_names(user) == wish.groups
                    && user.tags == wish.tags
                    && (wish.default_group.is_none()
                        || wish.default_group == user.default_group.map(|id| desk.groups[&id].clone()));
                (mine && same && exact).then(|| (person.clone(), user.id))
            })
        };
        state.accounts.iter().filter_map(is).collect()
    });
    let Some((person, account)) = world.orders.rng.pick(&fits) else {
        return;
    };
    let what = if world.orders.rng.one_in(3) { What::Name } else { What::Phone };
    let value = match what {
        What::Name => rename(world, app, &person),
        What::Phone => phone(world, &person),
    };
    if let Some(value) = value {
        let waits = world.rig.apps[app].1.told_to_wait();
        world.orders.trouble.expected = Some(Expected { app, account, what, value, person, waits });
        world.orders.count(Order::DelayLookedFor);
    }
}

/// After a whole cycle: whether the one who was expected to be changed was.
pub fn after_cycle(world: &World) -> Result<(), String> {
    let Some(Expected { app, account, what, value, person, waits }) = &world.orders.trouble.expected else {
        return Ok(());
    };
    // What was armed earlier may strike now.
    if world.rig.apps[*app].1.told_to_wait() > *waits {
        return Ok(());
    }
    let there = world.rig.apps[*app].1.with(|desk| {
        let user = &desk.users[account];
        match what {
            What::Name => Some(user.name.clone()),
            What::Phone => user.texts.get(&Field::Phone).cloned(),
        }
    });
    // With many others it may be past a limit: then a person is asked.
    let asked = world.rig.ledger.with(|state| {
        state.holds.values().flatten().flat_map(|hold| &hold.changes).any(|change| change.person == *person)
    });
    if asked || there.as_ref() == Some(value) {
        return Ok(());
    }
    Err(format!("{DELAY}: the {what:?} of {account} in app {app} is {there:?}, and {value:?} was to be written"))
}

/// A person has what failed tried again.
pub fn retry(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let apps: Vec<String> = world.rig.apps.iter().map(|(rules, _)| rules.app.to_string()).collect();
    let app = world.orders.rng.pick(&apps);
    let one = world.rig.ledger.with(|state| {
        state.brakes.values().flat_map(|brakes| brakes.trials.keys()).next().map(|person| person.entry.to_string())
    });
    let user = one.filter(|_| world.orders.rng.one_in(2));
    let app = app.filter(|_| user.is_none());
    let command = Command::Retry { user, app };
    if let Some(Reply::Retried { .. }) = give(world, oracle, Occasion::Word, command)? {
        world.orders.count(Order::Retried);
    }
    oracle.tries.forget();
    Ok(())
}
