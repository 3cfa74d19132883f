//! The account in memory. Handlers change users only by [`World::put`], which keeps the indexes.

use super::account::{FieldState, Profile, Role, RoleState};
use super::auth::Token;
use super::clock::Millis;
use super::jobs::Job;
use super::limits::Limits;
use super::options::Options;
use super::reply::{Reply, not_found};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Soft-deleted users go for good after 30 days (Zendesk support, data deletion).
const DELETED_KEPT_MS: u64 = 30 * 86_400_000;

/// A user.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) identities: Vec<Identity>,
    pub(super) external_id: Option<String>,
    pub(super) role: Role,
    pub(super) custom_role_id: Option<u64>,
    pub(super) suspended: bool,
    pub(super) active: bool,
    pub(super) groups: Vec<Link>,
    pub(super) organizations: Vec<Link>,
    pub(super) tags: Vec<String>,
    pub(super) user_fields: BTreeMap<String, Value>,
    pub(super) profile: Profile,
    pub(super) shared: bool,
    pub(super) sessions: Vec<u64>,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

impl User {
    /// The primary email identity.
    pub(super) fn primary(&self) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.primary)
    }

    pub(super) fn email(&self) -> Option<&str> {
        self.primary().map(|identity| identity.value.as_str())
    }

    pub(super) fn default_group(&self) -> Option<u64> {
        self.groups.iter().find(|link| link.default).map(|link| link.target)
    }

    pub(super) fn default_organization(&self) -> Option<u64> {
        self.organizations.iter().find(|link| link.default).map(|link| link.target)
    }
}

/// What an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Email,
    Phone,
}

/// An email address or a direct line of a user.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) value: String,
    pub(super) verified: bool,
    pub(super) primary: bool,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// A membership in a group or an organization.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: u64,
    pub(super) target: u64,
    pub(super) default: bool,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// A group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) deleted: bool,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// An organization.
#[derive(Debug, Clone)]
pub(super) struct Organization {
    pub(super) name: String,
    pub(super) external_id: Option<String>,
    pub(super) domain_names: Vec<String>,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// A ticket that is not closed.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) assignee: Option<u64>,
    pub(super) requester: Option<u64>,
}

/// The account.
#[derive(Debug)]
pub(super) struct World {
    /// Virtual time of the request in hand.
    pub(super) now: Millis,
    /// The URL it is served at.
    pub(super) base: String,
    pub(super) options: Options,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) organizations: BTreeMap<u64, Organization>,
    pub(super) roles: BTreeMap<u64, RoleState>,
    pub(super) fields: Vec<FieldState>,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) jobs: Vec<Job>,
    pub(super) limits: Limits,
    pub(super) seats_total: u32,
    pub(super) owner: u64,
    pub(super) api_user: u64,
    pub(super) default_group: u64,
    /// Attributes that the request in hand sent in vain.
    pub(super) ignored: Vec<String>,
    seats_used: u32,
    emails: HashMap<String, u64>,
    externals: HashMap<String, u64>,
    phones: HashMap<String, u64>,
    group_links: BTreeMap<u64, u64>,
    organization_links: BTreeMap<u64, u64>,
    deleted: BTreeSet<u64>,
    next_id: u64,
}

impl World {
    pub(super) fn new(options: Options, now: Millis) -> Self {
        Self {
            now,
            base: String::new(),
            options,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            organizations: BTreeMap::new(),
            roles: BTreeMap::new(),
            fields: Vec::new(),
            tickets: BTreeMap::new(),
            tokens: HashMap::new(),
            jobs: Vec::new(),
            limits: Limits::default(),
            seats_total: 0,
            owner: 0,
            api_user: 0,
            default_group: 0,
            ignored: Vec::new(),
            seats_used: 0,
            emails: HashMap::new(),
            externals: HashMap::new(),
            phones: HashMap::new(),
            group_links: BTreeMap::new(),
            organization_links: BTreeMap::new(),
            deleted: BTreeSet::new(),
            next_id: 1_900_000_000_000,
        }
    }

    /// A new id, never used before.
    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 20;
        self.next_id
    }

    /// Keeps later ids above those of a seed.
    pub(super) fn reserve_id(&mut self, id: u64) {
        self.next_id = self.next_id.max(id);
    }

    /// A user that is not permanently deleted.
    pub(super) fn user(&self, id: u64) -> Result<&User, Reply> {
        self.users.get(&id).ok_or_else(not_found)
    }

    /// A user that is not deleted at all.
    pub(super) fn active_user(&self, id: u64) -> Result<&User, Reply> {
        self.user(id).and_then(|user| if user.active { Ok(user) } else { Err(not_found()) })
    }

    /// Who has that email as any identity.
    pub(super) fn email_holder(&self, email: &str) -> Option<u64> {
        self.emails.get(&email.to_lowercase()).copied()
    }

    /// Who has that external id, whatever its case.
    pub(super) fn external_holder(&self, external_id: &str) -> Option<u64> {
        self.externals.get(&external_id.to_lowercase()).copied()
    }

    /// Whose direct line that number is.
    pub(super) fn phone_holder(&self, phone: &str) -> Option<u64> {
        self.phones.get(phone).copied()
    }

    pub(super) fn group_link_holder(&self, link: u64) -> Option<u64> {
        self.group_links.get(&link).copied()
    }

    pub(super) fn organization_link_holder(&self, link: u64) -> Option<u64> {
        self.organization_links.get(&link).copied()
    }

    pub(super) fn group_link_ids(&self) -> Vec<u64> {
        self.group_links.keys().copied().collect()
    }

    pub(super) fn organization_link_ids(&self) -> Vec<u64> {
        self.organization_links.keys().copied().collect()
    }

    pub(super) fn deleted_ids(&self) -> Vec<u64> {
        self.deleted.iter().copied().collect()
    }

    pub(super) fn seats_used(&self) -> u32 {
        self.seats_used
    }

    /// Light agents and contributors need no seat; a suspended agent keeps its own (Zendesk support, seats).
    pub(super) fn takes_seat(&self, user: &User) -> bool {
        let free = user.custom_role_id.and_then(|id| self.roles.get(&id)).is_some_and(|role| role.role_type != 0);
        user.active && user.role != Role::EndUser && !free
    }

    /// Stores a user as it now is.
    pub(super) fn put(&mut self, mut user: User) {
        user.updated_at = self.now;
        self.place(user);
    }

    /// Stores a user without touching its times.
    pub(super) fn place(&mut self, user: User) {
        self.forget(user.id);
        self.seats_used += u32::from(self.takes_seat(&user));
        for identity in &user.identities {
            match identity.kind {
                Kind::Email => self.emails.insert(identity.value.to_lowercase(), user.id),
                Kind::Phone => self.phones.insert(identity.value.clone(), user.id),
            };
        }
        if let Some(external_id) = &user.external_id {
            self.externals.insert(external_id.to_lowercase(), user.id);
        }
        self.group_links.extend(user.groups.iter().map(|link| (link.id, user.id)));
        self.organization_links.extend(user.organizations.iter().map(|link| (link.id, user.id)));
        if !user.active {
            self.deleted.insert(user.id);
        }
        self.users.insert(user.id, user);
    }

    /// Removes a user and all that points to it.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(old) = self.users.remove(&id) else { return };
        self.seats_used -= u32::from(self.takes_seat(&old));
        for identity in &old.identities {
            match identity.kind {
                Kind::Email => self.emails.remove(&identity.value.to_lowercase()),
                Kind::Phone => self.phones.remove(&identity.value),
            };
        }
        if let Some(external_id) = &old.external_id {
            self.externals.remove(&external_id.to_lowercase());
        }
        for link in &old.groups {
            self.group_links.remove(&link.id);
        }
        for link in &old.organizations {
            self.organization_links.remove(&link.id);
        }
        self.deleted.remove(&id);
    }

    /// Brings everything that happens on its own up to `now`.
    pub(super) fn settle(&mut self, now: Millis) {
        self.now = now;
        self.ignored.clear();
        super::jobs::settle(self);
        let gone: Vec<u64> = self.deleted.iter().copied().filter(|id| self.deleted_long_ago(*id)).collect();
        for id in gone {
            self.forget(id);
        }
    }

    fn deleted_long_ago(&self, id: u64) -> bool {
        self.users.get(&id).is_some_and(|user| self.now >= user.updated_at.saturating_add(DELETED_KEPT_MS))
    }

    /// A new link to a group or organization.
    pub(super) fn link(&mut self, target: u64, default: bool) -> Link {
        Link { id: self.fresh_id(), target, default, created_at: self.now, updated_at: self.now }
    }

    /// A new identity.
    pub(super) fn identity(&mut self, kind: Kind, value: &str, verified: bool, primary: bool) -> Identity {
        Identity {
            id: self.fresh_id(),
            kind,
            value: value.to_owned(),
            verified,
            primary,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    /// The absolute URL of an API path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/api/v2{path}.json", self.base)
    }
}
