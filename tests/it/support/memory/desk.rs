//! A Zendesk account as it is inside: users, groups, seats, and the rules of what may be written.
//!
//! The rules are those of the API reference and of recorded answers: unique mails over all identities, unique external
//! ids whatever their case, creates that are not idempotent, groups for agents only, a downgrade that drops every
//! membership, new agents in the default group, an owner whom nobody writes, soft deletion that frees both keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::change::{NewAccount, OldEmail, Patch, SignIn, Step};
use zendesk_dirsync::domain::id::{Email, ExternalId};
use zendesk_dirsync::domain::mapping::Field;
use zendesk_dirsync::engine::ports::{CallFault, Effect};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The product under test.
    Us,
    /// An administrator of the account.
    Hand,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: u64,
    pub external_id: Option<ExternalId>,
    pub name: String,
    pub email: Option<Email>,
    /// Further addresses.
    pub further: BTreeSet<Email>,
    pub verified: bool,
    pub role: Role,
    pub custom_role: Option<u64>,
    pub suspended: Option<By>,
    pub live: bool,
    pub texts: BTreeMap<Field, String>,
    pub groups: BTreeSet<u64>,
    /// Groups among them that a person gave.
    pub groups_by_hand: BTreeSet<u64>,
    pub default_group: Option<u64>,
    pub tags: BTreeSet<String>,
    /// Tags among them that a person gave.
    pub tags_by_hand: BTreeSet<String>,
    /// Whether the role was raised by a person.
    pub raised_by_hand: bool,
    /// Who made it.
    pub made_by: By,
}

impl User {
    /// A user that was there before, with a verified mail.
    pub fn there(id: u64, name: &str, email: &str, role: Role) -> Self {
        Self {
            id,
            external_id: None,
            name: name.to_owned(),
            email: Some(Email::parse(email).unwrap()),
            further: BTreeSet::new(),
            verified: true,
            role,
            custom_role: None,
            suspended: None,
            live: true,
            texts: BTreeMap::new(),
            groups: BTreeSet::new(),
            groups_by_hand: BTreeSet::new(),
            default_group: None,
            tags: BTreeSet::new(),
            tags_by_hand: BTreeSet::new(),
            raised_by_hand: role != Role::EndUser,
            made_by: By::Hand,
        }
    }

    /// Whether it holds an address.
    pub fn has_email(&self, email: &Email) -> bool {
        self.live && (self.email.as_ref() == Some(email) || self.further.contains(email))
    }
}

/// A write as the account received it.
#[derive(Debug, Clone)]
pub struct Write {
    pub at: DateTime<Utc>,
    /// When, in the order of all ports.
    pub tick: u64,
    /// The number of the call, over all calls.
    pub call: u64,
    /// The target; for a creation that succeeded, the new user.
    pub account: Option<u64>,
    pub step: Step,
    /// What came of it inside, whatever was answered.
    pub effect: Result<Effect, CallFault>,
    /// Whether the answer reached the caller.
    pub answered: bool,
    pub before: Option<User>,
    pub after: Option<User>,
    /// Admins in use before and after.
    pub admins: (usize, usize),
}

/// A Zendesk account from inside.
#[derive(Debug, Clone)]
pub struct Desk {
    pub users: BTreeMap<u64, User>,
    pub groups: BTreeMap<u64, String>,
    pub custom_roles: BTreeMap<u64, String>,
    pub default_group: Option<u64>,
    pub owner: u64,
    pub own: u64,
    pub seats: usize,
    pub next_id: u64,
    pub writes: Vec<Write>,
    pub calls: u64,
    /// Addresses and external ids that were asked about, by call.
    pub asked: Vec<(u64, String)>,
}

fn refused(kind: &'static str, message: &str) -> CallFault {
    CallFault::Refused { kind, message: message.to_owned() }
}

impl Desk {
    /// An account with an owner (1) and our own API user (2), both admins, and a default group (10).
    pub fn new() -> Self {
        let owner = User::there(1, "Owner", "owner@zendesk.example.org", Role::Admin);
        let own = User::there(2, "Dirsync", "dirsync@zendesk.example.org", Role::Admin);
        Self {
            users: BTreeMap::from([(1, owner), (2, own)]),
            groups: BTreeMap::from([(10, "Everyone".to_owned())]),
            custom_roles: BTreeMap::new(),
            default_group: Some(10),
            owner: 1,
            own: 2,
            seats: 1_000,
            next_id: 1_000,
            writes: Vec::new(),
            calls: 0,
            asked: Vec::new(),
        }
    }

    /// Adds a group and answers its id.
    pub fn add_group(&mut self, name: &str) -> u64 {
        let id = 10 + self.groups.len() as u64;
        self.groups.insert(id, name.to_owned());
        id
    }

    /// Adds a user that was there before; its id is taken as given.
    pub fn add_user(&mut self, user: User) {
        self.users.insert(user.id, user);
    }

    /// The live user that holds an address.
    pub fn by_email(&self, email: &Email) -> Option<&User> {
        self.users.values().find(|user| user.has_email(email))
    }

    /// The live user that carries an external id.
    pub fn by_external_id(&self, id: &ExternalId) -> Option<&User> {
        self.users.values().find(|user| user.live && user.external_id.as_ref() == Some(id))
    }

    /// The names of a user's groups.
    pub fn group_names(&self, user: &User) -> BTreeSet<String> {
        user.groups.iter().map(|id| self.groups[id].clone()).collect()
    }

    /// Admins who can sign in.
    pub fn admins(&self) -> usize {
        let active = |user: &&User| user.live && user.role == Role::Admin && user.suspended.is_none();
        self.users.values().filter(active).count()
    }

    /// Deletes softly, by hand.
    pub fn delete(&mut self, id: u64) {
        if let Some(user) = self.users.get_mut(&id) {
            user.live = false;
            user.email = None;
            user.further.clear();
            user.external_id = None;
            user.groups.clear();
            user.default_group = None;
        }
    }

    /// Sets the role, by anyone: a raise takes a seat and brings the default group, the end of an agent drops all groups.
    ///
    /// # Errors
    /// When no seat is left.
    pub fn set_role(&mut self, id: u64, role: Role, custom: Option<u64>) -> Result<(), CallFault> {
        let used = self.users.values().filter(|user| user.live && user.role != Role::EndUser).count();
        let default_group = self.default_group;
        let Some(user) = self.users.get_mut(&id) else { return Err(CallFault::NotFound(id.to_string())) };
        if user.role == Role::EndUser && role != Role::EndUser {
            if used >= self.seats {
                return Err(CallFault::SeatsShort("Subscription limit reached".into()));
            }
            user.groups.extend(default_group);
            user.default_group = user.default_group.or(default_group);
        }
        if role == Role::EndUser {
            user.groups.clear();
            user.groups_by_hand.clear();
            user.default_group = None;
            user.raised_by_hand = false;
        }
        user.role = role;
        user.custom_role = custom.filter(|_| role == Role::Agent);
        Ok(())
    }

    /// Carries a step out as Zendesk would; answers the account it was done to.
    pub fn apply(&mut self, account: Option<u64>, step: &Step) -> Result<(u64, Effect), CallFault> {
        if let Step::Create(new) = step {
            return self.create(new).map(|id| (id, Effect::Done));
        }
        let Some(id) = account else { return Err(refused("invalid", "no user was named")) };
        let Some(user) = self.users.get(&id).filter(|user| user.live) else {
            return Err(CallFault::NotFound(format!("user {id}")));
        };
        if id == self.owner {
            return Err(refused("protected", "the account owner can't be changed"));
        }
        let before = user.clone();
        match step {
            Step::Create(_) => {}
            Step::Write(patch) => self.write(id, patch)?,
            Step::ChangeEmail { from, to, old } => self.change_email(id, from.as_ref(), to, *old)?,
            Step::Unmark => self.user(id).external_id = None,
            Step::AddEmail(email) => {
                if self.by_email(email).is_some_and(|other| other.id != id) {
                    return Err(refused("email_taken", "Value: is already being used by another user"));
                }
                if !before.has_email(email) {
                    self.user(id).further.insert(email.clone());
                }
            }
            Step::EndSessions => return Ok((id, Effect::Done)),
            Step::Join(group) => self.join(id, group.0)?,
            Step::Leave(group) => self.leave(id, group.0)?,
            Step::MakeDefault(group) => {
                if !before.groups.contains(&group.0) {
                    return Err(refused("invalid", "not a member of this group"));
                }
                self.user(id).default_group = Some(group.0);
            }
            Step::AddTags(tags) => self.user(id).tags.extend(tags.iter().cloned()),
            Step::RemoveTags(tags) => {
                let user = self.user(id);
                user.tags.retain(|tag| !tags.contains(tag));
                user.tags_by_hand.retain(|tag| !tags.contains(tag));
            }
            Step::Downgrade(_) => self.set_role(id, Role::EndUser, None)?,
        }
        let effect = if *self.user(id) == before { Effect::AlreadySo } else { Effect::Done };
        Ok((id, effect))
    }

    fn user(&mut self, id: u64) -> &mut User {
        self.users.get_mut(&id).unwrap()
    }

    fn create(&mut self, new: &NewAccount) -> Result<u64, CallFault> {
        if new.name.is_empty() {
            return Err(refused("invalid", "Name: is too short (minimum is 1 characters)"));
        }
        if self.by_email(&new.email).is_some() {
            return Err(refused("email_taken", "Email: is already being used by another user"));
        }
        if new.external_id.as_ref().is_some_and(|id| self.by_external_id(id).is_some()) {
            return Err(refused("external_id_taken", "External has already been taken"));
        }
        let id = self.next_id;
        let mut user = User::there(id, &new.name, new.email.as_str(), Role::EndUser);
        user.external_id = new.external_id.clone();
        user.texts = new.texts.clone();
        user.tags = new.tags.clone();
        user.made_by = By::Us;
        self.users.insert(id, user);
        if let Err(fault) = self.set_role(id, new.role, new.custom_role.map(|id| id.0)) {
            self.users.remove(&id);
            return Err(fault);
        }
        self.next_id += 1;
        Ok(id)
    }

    fn write(&mut self, id: u64, patch: &Patch) -> Result<(), CallFault> {
        if let Some(external_id) = &patch.external_id
            && self.by_external_id(external_id).is_some_and(|other| other.id != id)
        {
            return Err(refused("external_id_taken", "External has already been taken"));
        }
        if patch.name.as_ref().is_some_and(String::is_empty) {
            return Err(refused("invalid", "Name: is too short (minimum is 1 characters)"));
        }
        if let Some((role, custom)) = patch.role {
            self.set_role(id, role, custom.map(|id| id.0))?;
        }
        let user = self.user(id);
        if let Some(name) = &patch.name {
            user.name.clone_from(name);
        }
        if let Some(external_id) = &patch.external_id {
            user.external_id = Some(external_id.clone());
        }
        for (field, text) in &patch.texts {
            if text.is_empty() {
                user.texts.remove(field);
            } else {
                user.texts.insert(*field, text.clone());
            }
        }
        match patch.sign_in {
            Some(SignIn::Suspend) => user.suspended = user.suspended.or(Some(By::Us)),
            Some(SignIn::Lift) => user.suspended = None,
            None => {}
        }
        Ok(())
    }

    fn change_email(&mut self, id: u64, from: Option<&Email>, to: &Email, old: OldEmail) -> Result<(), CallFault> {
        if self.by_email(to).is_some_and(|other| other.id != id) {
            return Err(refused("email_taken", "Value: is already being used by another user"));
        }
        let user = self.user(id);
        if user.email.as_ref() == Some(to) {
            if let Some(from) = from.filter(|_| old == OldEmail::Removed) {
                user.further.remove(from);
            }
            return Ok(());
        }
        user.further.remove(to);
        if let Some(former) = user.email.replace(to.clone())
            && old == OldEmail::Kept
        {
            user.further.insert(former);
        }
        user.verified = true;
        Ok(())
    }

    fn join(&mut self, id: u64, group: u64) -> Result<(), CallFault> {
        if !self.groups.contains_key(&group) {
            return Err(CallFault::NotFound(format!("group {group}")));
        }
        let user = self.user(id);
        if user.role == Role::EndUser {
            return Err(refused("invalid", "only agents can be members of groups"));
        }
        user.groups.insert(group);
        user.default_group = user.default_group.or(Some(group));
        Ok(())
    }

    fn leave(&mut self, id: u64, group: u64) -> Result<(), CallFault> {
        let user = self.user(id);
        user.groups.remove(&group);
        user.groups_by_hand.remove(&group);
        if user.default_group == Some(group) {
            user.default_group = user.groups.first().copied();
        }
        Ok(())
    }
}
