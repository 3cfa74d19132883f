//! Rules over all writes of a cycle, and of the days before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zendesk_dirsync::domain::brake::Limit;
use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::PersonId;

use super::look::Look;
use crate::support::memory::{Desk, Write};

/// What a rule looks at.
pub struct Cycle<'a> {
    look: &'a Look<'a>,
    owners: &'a BTreeMap<u64, PersonId>,
    recent: &'a Recent,
    writes: &'a [Write],
}

/// When what was done to whom that nobody had let go on.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    removed: Vec<(Duration, PersonId)>,
    taken_or_raised: Vec<(Duration, PersonId)>,
}

impl Recent {
    /// Counts anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

type Rule = fn(&Cycle<'_>) -> Result<(), String>;

const DAY: Duration = Duration::from_secs(86_400);

pub const PACE: &str = "no request before its time, and none above our share";

/// Each with its name; it answers what broke it.
pub const RULES: &[(&str, Rule)] = &[
    ("removals of a cycle stay within the limits", removals),
    ("removals shown outright stay within theirs", shown),
    ("removals by absence stay within theirs", absences),
    ("removals of a day stay within the limit", |cycle| {
        lately(cycle, &cycle.removed(), &cycle.recent.removed, DAY, cycle.look.world.rig.limits.removals_24h)
    }),
    ("removals of a week stay within the limit", |cycle| {
        lately(cycle, &cycle.removed(), &cycle.recent.removed, 7 * DAY, cycle.look.world.rig.limits.removals_7d)
    }),
    ("creations of a cycle stay within the limit", creations),
    ("what takes or raises stays within the limit", takes_or_raises),
    ("what takes or raises in a day stays within the limit", |cycle| {
        let limit = cycle.look.world.rig.limits.takes_or_raises_24h;
        lately(cycle, &cycle.taken_or_raised(), &cycle.recent.taken_or_raised, DAY, limit)
    }),
    ("other updates stay within the limit", updates),
    ("a person has one account", one_account_each),
    ("a creation is not repeated blindly", no_blind_repeat),
    ("no account is two people's", no_account_twice),
];

/// Judges a cycle by every rule.
pub fn judge(
    look: &Look<'_>,
    owners: &BTreeMap<u64, PersonId>,
    recent: &mut Recent,
    writes: &[Write],
) -> Result<(), String> {
    let now = look.world.rig.clock.passed();
    let cycle = Cycle { look, owners, recent, writes };
    let (removed, taken_or_raised) = (cycle.removed(), cycle.taken_or_raised());
    recent.removed.extend(removed.into_iter().map(|who| (now, who)));
    recent.taken_or_raised.extend(taken_or_raised.into_iter().map(|who| (now, who)));
    let cycle = Cycle { look, owners, recent, writes };
    RULES.iter().try_for_each(|(name, rule)| rule(&cycle).map_err(|why| format!("{name}: {why}")))
}

impl Cycle<'_> {
    fn population(&self) -> usize {
        self.look.before.managed[self.look.app].len()
    }

    fn people(&self, of: impl Fn(&Write) -> bool) -> BTreeSet<PersonId> {
        self.look.people(self.owners, self.writes, of)
    }

    fn removed(&self) -> BTreeSet<PersonId> {
        self.look.removed(self.owners, self.writes)
    }

    fn taken_or_raised(&self) -> BTreeSet<PersonId> {
        let (removed, given) = (self.removed(), self.given());
        let mut people = self.people(takes);
        people.retain(|person| !removed.contains(person) && !given.contains(person));
        // Who was not managed before is new, by adoption.
        people.retain(|person| self.look.before.through[self.look.app].contains_key(person));
        people
    }

    fn given(&self) -> BTreeSet<PersonId> {
        let lifts = |write: &Write| matches!(&write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Lift));
        self.people(|write| lifts(write) || matches!(write.step, Step::Create(_)))
    }
}

fn within(count: usize, most: usize, of: usize) -> Result<(), String> {
    if count > most { Err(format!("{count} of {of}, and {most} may be")) } else { Ok(()) }
}

fn removals(cycle: &Cycle<'_>) -> Result<(), String> {
    let (limits, of) = (&cycle.look.world.rig.limits, cycle.population());
    within(cycle.removed().len(), limits.shown.people(of) + limits.absence.people(of), of)
}

/// People to whom something was done in a span until now, when it is done to somebody now.
fn lately(
    cycle: &Cycle<'_>,
    now_done: &BTreeSet<PersonId>,
    done: &[(Duration, PersonId)],
    span: Duration,
    limit: Limit,
) -> Result<(), String> {
    if now_done.is_empty() {
        return Ok(());
    }
    let now = cycle.look.world.rig.clock.passed();
    let recent = done.iter().filter(|(at, _)| *at + span > now);
    let people: BTreeSet<&PersonId> = recent.map(|(_, person)| person).collect();
    let of = cycle.population();
    within(people.len(), limit.people(of), of)
}

/// Whoever is not there, and has no tombstone, is gone by absence.
fn absent(cycle: &Cycle<'_>, person: &PersonId) -> bool {
    let company = &cycle.look.companies[&person.directory];
    !company.people.contains_key(&person.entry) && !company.tombstones.contains(&person.entry)
}

fn shown(cycle: &Cycle<'_>) -> Result<(), String> {
    let of = cycle.population();
    let count = cycle.removed().iter().filter(|person| !absent(cycle, person)).count();
    within(count, cycle.look.world.rig.limits.shown.people(of), of)
}

fn absences(cycle: &Cycle<'_>) -> Result<(), String> {
    let of = cycle.population();
    within(
        cycle.removed().iter().filter(|person| absent(cycle, person)).count(),
        cycle.look.world.rig.limits.absence.people(of),
        of,
    )
}

fn creations(cycle: &Cycle<'_>) -> Result<(), String> {
    let of = cycle.population();
    within(cycle.given().len(), cycle.look.world.rig.limits.creations.people(of), of)
}

/// Whether a write takes something away, or raises.
fn takes(write: &Write) -> bool {
    match &write.step {
        Step::ChangeEmail { .. } | Step::Leave(_) => true,
        Step::Write(patch) => patch.role.is_some() || patch.texts.values().any(String::is_empty),
        Step::Create(_)
        | Step::EndSessions
        | Step::Join(_)
        | Step::MakeDefault(_)
        | Step::AddEmail(_)
        | Step::Unmark
        | Step::AddTags(_)
        | Step::RemoveTags(_)
        | Step::Downgrade(_) => false,
    }
}

fn takes_or_raises(cycle: &Cycle<'_>) -> Result<(), String> {
    let of = cycle.population();
    within(cycle.taken_or_raised().len(), cycle.look.world.rig.limits.takes_or_raises.people(of), of)
}

/// People of whom nothing but other fields was written, and to whom something was added.
fn updates(cycle: &Cycle<'_>) -> Result<(), String> {
    let adds = |write: &Write| match &write.step {
        Step::Write(patch) => {
            !takes(write) && patch.sign_in.is_none() && (patch.name.is_some() || !patch.texts.is_empty())
        }
        Step::Join(_) | Step::AddTags(_) => true,
        Step::Create(_)
        | Step::EndSessions
        | Step::Leave(_)
        | Step::MakeDefault(_)
        | Step::ChangeEmail { .. }
        | Step::AddEmail(_)
        | Step::Unmark
        | Step::RemoveTags(_)
        | Step::Downgrade(_) => false,
    };
    let others = [cycle.removed(), cycle.given(), cycle.people(takes)];
    let mut people = cycle.people(adds);
    people.retain(|person| others.iter().all(|other| !other.contains(person)));
    people.retain(|person| cycle.look.before.through[cycle.look.app].contains_key(person));
    let of = cycle.population();
    within(people.len(), cycle.look.world.rig.limits.updates.people(of), of)
}

fn one_account_each(cycle: &Cycle<'_>) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    let world = cycle.look.world;
    world.rig.apps[cycle.look.app].1.with(|desk| {
        for (id, person) in cycle.owners {
            // What bears no mark is found by nobody whose store is lost.
            let mine = |user: &crate::support::memory::User| {
                !world.lost || user.external_id == Some(world.external_id(cycle.look.app, person))
            };
            if desk.users.get(id).is_some_and(|user| user.live && mine(user))
                && let Some(other) = seen.insert(person.clone(), *id)
            {
                return Err(format!("{person} has two live ones, {other} and {id}"));
            }
        }
        Ok(())
    })
}

/// A creation that wasn't answered is asked about before it is tried again.
fn no_blind_repeat(cycle: &Cycle<'_>) -> Result<(), String> {
    if !cycle.writes.iter().any(|write| matches!(write.step, Step::Create(_))) {
        return Ok(());
    }
    cycle.look.world.rig.apps[cycle.look.app].1.with(|desk| {
        let mut open: BTreeMap<String, u64> = BTreeMap::new();
        for write in &desk.writes {
            let Step::Create(new) = &write.step else { continue };
            let key = new.external_id.as_ref().map_or_else(|| new.email.to_string(), ToString::to_string);
            let key = key.to_lowercase();
            if let Some(first) = open.remove(&key) {
                let asked =
                    |desk: &Desk| desk.asked.iter().any(|(at, what)| *at > first && *at < write.call && *what == key);
                if !asked(desk) {
                    return Err(key);
                }
            }
            if !write.answered {
                open.insert(key, write.call);
            }
        }
        Ok(())
    })
}

fn no_account_twice(cycle: &Cycle<'_>) -> Result<(), String> {
    let app = &cycle.look.rules.app;
    cycle.look.world.rig.ledger.with(|state| {
        let mut seen = BTreeMap::new();
        for ((of, person), known) in &state.accounts {
            if of == app
                && let Some(other) = seen.insert(known.account.0, person)
            {
                return Err(format!("{} is {other}'s and {person}'s", known.account));
            }
        }
        Ok(())
    })
}
