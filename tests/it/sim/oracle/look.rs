//! One app in one cycle, as the rules look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::{Digest, DirectoryName, Email, PersonId};
use zendesk_dirsync::domain::rules::AppRules;
use zendesk_dirsync::engine::ports::{Clock as _, Intent};

use super::super::reference::Truth;
use super::super::world::World;
use super::Before;
use super::edits::Former;
use crate::support::memory::{Company, Noted, Use, User, Write};

/// One app in one cycle.
pub struct Look<'a> {
    pub world: &'a World,
    pub app: usize,
    pub rules: &'a AppRules,
    pub before: &'a Before,
    pub companies: BTreeMap<DirectoryName, Arc<Company>>,
    pub truths: BTreeMap<PersonId, Truth>,
    /// People of whom a person let go on the very change that was begun.
    pub approved: BTreeSet<PersonId>,
    /// People of whom a change was begun that a person had decided against.
    pub against: BTreeSet<PersonId>,
    /// People of whom a change was begun that a person had left out when they let others of its hold go on.
    pub beside: BTreeSet<PersonId>,
    /// Of whom the configuration that was agreed to wishes something else.
    pub former: Former,
    /// The owner and our own user.
    pub untouchable: BTreeSet<u64>,
    pub groups: BTreeMap<u64, String>,
    /// When which intent was noted, and settled.
    pub intents: Vec<(u64, Intent, u64)>,
}

impl<'a> Look<'a> {
    pub fn new(world: &'a World, app: usize, before: &'a Before, noted: &[Noted]) -> Self {
        let (rules, desk) = &world.rig.apps[app];
        let mut intents: Vec<(u64, Intent, u64)> = Vec::new();
        for one in noted {
            match one {
                Noted::Begun(at, intent) if intent.app == rules.app => {
                    intents.push((*at, (**intent).clone(), u64::MAX))
                }
                Noted::Settled(at, cycle, seq) => {
                    let same = intents.iter_mut().filter(|(_, intent, _)| intent.cycle == *cycle && intent.seq == *seq);
                    same.for_each(|(_, _, settled)| *settled = *at);
                }
                Noted::Begun(..) => {}
            }
        }
        // An approval that stood at any moment of the cycle counts.
        let mut standing: BTreeMap<Digest, PersonId> = world.standing(app, before.now);
        standing.extend(world.standing(app, world.rig.clock.now()));
        let begun = |of: &dyn Fn(&Digest) -> bool| -> BTreeSet<PersonId> {
            intents.iter().filter(|(_, one, _)| of(&one.digest)).map(|(_, one, _)| one.person.clone()).collect()
        };
        let mut approved = begun(&|digest| standing.contains_key(digest));
        approved.extend(world.orders.let_go.iter().filter(|(at, _)| *at == app).map(|(_, person)| person.clone()));
        // Whoever is named in an order was decided about anew.
        let unordered = |mut people: BTreeSet<PersonId>| {
            people.retain(|person| !world.orders.let_go.contains(&(app, person.clone())));
            people
        };
        let unsaid =
            |of: &BTreeSet<Digest>| unordered(begun(&|digest| of.contains(digest) && !standing.contains_key(digest)));
        Self {
            approved,
            against: unsaid(&before.against[app]),
            beside: unsaid(&before.beside),
            former: super::edits::former(world, app, before.now),
            world,
            app,
            rules,
            before,
            companies: world.companies(),
            truths: world.truths(app, before.now),
            untouchable: desk.with(|desk| BTreeSet::from([desk.owner, desk.own])),
            groups: desk.with(|desk| desk.groups.clone()),
            intents,
        }
    }

    /// Whose account a write was to.
    pub fn person(&self, owners: &BTreeMap<u64, PersonId>, write: &Write) -> Option<PersonId> {
        match &write.step {
            Step::Create(new) => new.external_id.as_ref().and_then(|id| self.world.person_of(self.app, id)),
            _ => write.account.and_then(|id| owners.get(&id).cloned()),
        }
    }

    /// The people to whom an account that was there before may be tied: of several who can't be told apart, any.
    pub fn rightful(&self, user: &User) -> Vec<PersonId> {
        let marked = user.external_id.as_ref().and_then(|id| self.world.person_of(self.app, id));
        if let Some(marked) = marked {
            return vec![marked];
        }
        let adoption = &self.rules.adoption;
        let fits =
            user.external_id.is_none() && user.verified && user.suspended.is_none() && adoption.allows(user.role);
        // Of two people with one address, the one who can't be seen isn't known to be the other.
        let whole = self.whole();
        let named = |person: &PersonId| {
            let one = self.companies[&person.directory].people.get(&person.entry);
            one.and_then(|one| Email::parse(one.get("mail")).ok()).is_some_and(|mail| user.has_email(&mail))
        };
        let holds = |person: &PersonId, truth: &Truth| match truth {
            Truth::Wanted(wish) => user.has_email(&wish.email),
            Truth::Rejected => !whole && named(person),
            Truth::Unusable | Truth::Out => false,
        };
        let fitting = self.truths.iter().filter(|(person, truth)| fits && holds(person, truth));
        fitting.map(|(person, _)| person.clone()).collect()
    }

    /// What the company says of a person; nothing while it changes by itself.
    pub fn truth(&self, person: &PersonId) -> Option<&Truth> {
        let now = self.world.rig.clock.now();
        let expires = |at: &DateTime<Utc>| *at > self.before.now && *at <= now;
        let one = self.companies.get(&person.directory).and_then(|company| company.people.get(&person.entry));
        if one.is_some_and(|one| matches!(&one.usable, Use::Until(at) if expires(at))) {
            return Some(&Truth::Unusable);
        }
        self.truths.get(person)
    }

    /// Whether an assigned group that held somebody is missing, or is there and empty.
    pub fn guarded(&self, person: &PersonId) -> bool {
        let Some(company) = self.companies.get(&person.directory) else { return false };
        let Some(through) = self.before.through[self.app].get(person) else { return false };
        through.iter().any(|id| company.groups.get(id).is_none_or(|group| group.members.is_empty()))
    }

    /// The place of a person's directory.
    pub fn directory(&self, person: &PersonId) -> usize {
        let name = |at: &usize| self.world.directory_name(*at) == person.directory;
        (0..self.world.rig.directories.len()).find(name).unwrap()
    }

    /// Whether the last read of a directory in this cycle broke off: what an edit no longer names is left out of a second.
    pub fn broken(&self, at: usize) -> bool {
        let (reads, whole) = self.world.rig.directories[at].reads();
        reads > self.before.reads[at] && !whole
    }

    /// Whether every directory was read in full, and showed everything.
    pub fn whole(&self) -> bool {
        let troubled = |at: usize| {
            let trouble = self.world.rig.directories[at].trouble();
            self.broken(at)
                || !trouble.hidden.is_empty()
                || !trouble.hidden_groups.is_empty()
                || !trouble.unreadable.is_empty()
                || !trouble.nameless.is_empty()
                || !trouble.filtered.is_empty()
                || !trouble.withdrawn.is_empty()
        };
        !(0..self.world.rig.directories.len()).any(troubled)
    }

    /// People whose access was ended, and whom nobody let go on.
    pub fn removed(&self, owners: &BTreeMap<u64, PersonId>, writes: &[Write]) -> BTreeSet<PersonId> {
        self.people(owners, writes, |write| {
            matches!(write.step, Step::EndSessions)
                || matches!(&write.step, Step::Write(patch) if patch.sign_in == Some(SignIn::Suspend))
        })
    }

    /// People with a write of a kind, whom nobody let go on.
    pub fn people(
        &self,
        owners: &BTreeMap<u64, PersonId>,
        writes: &[Write],
        of: impl Fn(&Write) -> bool,
    ) -> BTreeSet<PersonId> {
        let writes = writes.iter().filter(|write| of(write));
        writes.filter_map(|write| self.person(owners, write)).filter(|who| !self.approved.contains(who)).collect()
    }
}

/// Whether a write ends access.
pub fn removes(write: &Write) -> bool {
    match &write.step {
        Step::Write(patch) => patch.sign_in == Some(SignIn::Suspend),
        Step::EndSessions | Step::Downgrade(_) => true,
        Step::Create(_)
        | Step::ChangeEmail { .. }
        | Step::Join(_)
        | Step::Leave(_)
        | Step::MakeDefault(_)
        | Step::AddEmail(_)
        | Step::Unmark
        | Step::AddTags(_)
        | Step::RemoveTags(_) => false,
    }
}
