//! What a directory wishes of somebody, so that two moments can be compared.

use std::collections::BTreeMap;

use zendesk_dirsync::domain::id::PersonId;

use super::super::reference::{Truth, Wish};
use super::super::world::World;
use crate::support::memory::Use;

/// What a directory wishes of somebody in one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WishKey {
    /// With what is only wished at first, too.
    Wanted(Wish, String),
    Rejected,
    Unusable(Use),
    Out,
    Gone,
}

/// What is wished of somebody, by what is truly wanted.
pub fn wish_of(world: &World, truths: &BTreeMap<PersonId, Truth>, person: &PersonId) -> WishKey {
    let companies = world.companies();
    let Some(company) = companies.get(&person.directory) else { return WishKey::Gone };
    match truths.get(person) {
        Some(Truth::Wanted(wish)) => {
            WishKey::Wanted(wish.clone(), company.people[&person.entry].get("description").to_owned())
        }
        Some(Truth::Rejected) => WishKey::Rejected,
        Some(Truth::Unusable) => WishKey::Unusable(company.people[&person.entry].usable.clone()),
        Some(Truth::Out) => WishKey::Out,
        None => WishKey::Gone,
    }
}

/// What is wished of somebody from one moment to now, if it was the same all the time and every directory showed it.
pub fn steady(world: &World, app: usize, since: chrono::DateTime<chrono::Utc>, person: &PersonId) -> Option<WishKey> {
    use zendesk_dirsync::engine::ports::Clock as _;
    steady_by(world, &world.truths(app, since), &world.truths(app, world.rig.clock.now()), person)
}

/// The same, by what is truly wanted then and now.
pub fn steady_by(
    world: &World,
    then: &BTreeMap<PersonId, Truth>,
    now: &BTreeMap<PersonId, Truth>,
    person: &PersonId,
) -> Option<WishKey> {
    let truthful = |at: usize| {
        let trouble = world.rig.directories[at].trouble();
        let unseen =
            [&trouble.hidden, &trouble.hidden_groups, &trouble.unreadable, &trouble.nameless, &trouble.filtered];
        unseen.iter().all(|some| some.is_empty())
            && trouble.withdrawn.is_empty()
            && trouble.lagging.is_none()
            && trouble.vanishes_after.is_none()
    };
    if !(0..world.rig.directories.len()).all(truthful) {
        return None;
    }
    let (then, now) = (wish_of(world, then, person), wish_of(world, now, person));
    (then == now).then_some(then)
}
