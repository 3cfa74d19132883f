//! What cycles did, as Zendesk noted it: what undoing them must bring back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::id::PersonId;

use super::super::rng::Rng;
use super::super::world::World;
use super::wish::WishKey;
use crate::support::memory::{Desk, User, Write, observed};

/// Cycles that are remembered.
const PAST_MAX: usize = 8;

pub const BEFORE: &str = "what is undone is as before, field by field";

/// What a cycle did to somebody.
#[derive(Debug, Clone)]
pub struct Done {
    account: u64,
    before: Option<User>,
    after: Option<User>,
    /// What the directory wished meanwhile; none where that can't be told, or nothing but a word wished it.
    wish: Option<WishKey>,
}

/// What a cycle did, by app and person.
#[derive(Debug, Clone)]
pub struct Past {
    pub cycle: String,
    pub people: BTreeMap<(usize, PersonId), Done>,
    /// To whom anything was sent.
    pub tried: BTreeSet<(usize, PersonId)>,
}

/// The last cycles.
#[derive(Default)]
pub struct History(VecDeque<Rc<Past>>);

impl History {
    /// One of them, rather a late one.
    pub fn pick(&self, rng: &mut Rng) -> Option<Rc<Past>> {
        let late = if rng.one_in(2) { 2 } else { self.0.len() };
        let some: Vec<Rc<Past>> = self.0.iter().rev().take(late).cloned().collect();
        rng.pick(&some)
    }

    pub fn push(&mut self, past: Past) {
        if self.0.len() == PAST_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Rc::new(past));
    }
}

impl Past {
    pub fn new(cycle: String) -> Self {
        Self { cycle, people: BTreeMap::new(), tried: BTreeSet::new() }
    }

    /// Notes a write.
    pub fn note(&mut self, app: usize, person: &PersonId, write: &Write, wish: impl FnOnce() -> Option<WishKey>) {
        self.tried.insert((app, person.clone()));
        let (Some(account), true) = (write.account, write.effect.is_ok()) else { return };
        let done = self.people.entry((app, person.clone())).or_insert_with(|| Done {
            account,
            before: write.before.clone(),
            after: None,
            wish: wish(),
        });
        done.after.clone_from(&write.after);
    }

    /// What the directory wished of somebody.
    pub fn wish(&self, key: &(usize, PersonId)) -> Option<WishKey> {
        self.people.get(key).and_then(|done| done.wish.clone())
    }

    /// The accounts, by app.
    pub fn ids(&self) -> Vec<(usize, u64)> {
        self.people.iter().map(|((app, _), done)| (*app, done.account)).collect()
    }

    /// The accounts as they are now.
    pub fn accounts(&self, world: &World) -> BTreeMap<(usize, PersonId), Option<User>> {
        let now = |(app, _): &(usize, PersonId), done: &Done| {
            world.rig.apps[*app].1.with(|desk| desk.users.get(&done.account).cloned())
        };
        self.people.iter().map(|(key, done)| (key.clone(), now(key, done))).collect()
    }

    /// Whether everybody who was undone is as before the cycle, where nobody had changed anything since.
    pub fn as_before(
        &self,
        world: &World,
        whom: &BTreeSet<(usize, PersonId)>,
        since: &BTreeMap<(usize, PersonId), Option<User>>,
    ) -> Result<(), String> {
        for key in whom {
            let Some(done) = self.people.get(key) else { continue };
            let (Some(before), Some(after)) = (&done.before, &done.after) else { continue };
            if since.get(key) != Some(&Some(after.clone())) {
                continue;
            }
            world.rig.apps[key.0].1.with(|desk| alike(desk, before, after, &key.1))?;
        }
        Ok(())
    }
}

fn alike(desk: &Desk, before: &User, after: &User, person: &PersonId) -> Result<(), String> {
    let now = &desk.users[&before.id];
    let (wanted, mut is) = (observed(before), observed(now));
    // What somebody else has now can't be given back, and whether an address is verified isn't ours.
    let free = |user: &User| {
        user.email
            .iter()
            .chain(&user.further)
            .all(|email| desk.users.values().all(|other| other.id == user.id || !other.has_email(email)))
    };
    if !free(before) {
        is.email.clone_from(&wanted.email);
        is.emails.clone_from(&wanted.emails);
    }
    is.verified = wanted.verified;
    // An agent is in some group, as the product sees it: what there is stays where there was none before.
    if before.groups.is_empty() && now.role != Role::EndUser {
        is.groups.clear();
        is.default_group = wanted.default_group;
    }
    if is == wanted {
        return Ok(());
    }
    Err(format!("{BEFORE}: {person} was {before:?}, was made {after:?}, and is {now:?}"))
}
