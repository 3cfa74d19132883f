//! From the seed to the account in memory, and back to the form of `/_sandbox/state`.

use super::account::{Account, FieldState, GroupState, OrganizationState, Role, RoleState, Seats, UserState};
use super::clock::{iso, parse_iso};
use super::options::Options;
use super::world::{Group, Identity, Kind, Organization, Ticket, User, World};
use std::collections::{HashMap, HashSet};

/// The owner's email in an account without a seed.
const OWNER_EMAIL: &str = "owner@example.org";
/// The email of the admin whom tokens stand for.
pub(super) const API_EMAIL: &str = "dirsync@example.org";

/// Refuses a seed with an id, email or external id twice, or with a membership in nothing.
pub(super) fn check_seed(seed: &Account) -> Result<(), String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut once = |what: &str, value: String| {
        if taken.insert(format!("{what} {value}")) {
            Ok(())
        } else {
            Err(format!("seed: {what} {value} is there twice"))
        }
    };
    for user in &seed.users {
        if user.id != 0 {
            once("user", user.id.to_string())?;
        }
        let secondary = user.emails.iter().filter(|email| Some(*email) != user.email.as_ref());
        for email in user.email.iter().chain(secondary) {
            once("email", email.to_lowercase())?;
        }
        if let Some(external_id) = &user.external_id {
            once("external id", external_id.to_lowercase())?;
        }
        let known = |what: &str, id: &u64, known: bool| {
            if known {
                Ok(())
            } else {
                Err(format!("seed: user {:?} names {what} {id}, which is not there", user.name))
            }
        };
        for id in user.groups.iter().chain(&user.default_group) {
            known("group", id, seed.groups.iter().any(|group| group.id == *id))?;
        }
        for id in &user.organizations {
            known("organization", id, seed.organizations.iter().any(|organization| organization.id == *id))?;
        }
        if let Some(id) = &user.custom_role_id {
            known("custom role", id, seed.custom_roles.iter().any(|role| role.id == *id))?;
        }
    }
    Ok(())
}

impl World {
    /// Builds the account of the options at virtual time `now`.
    pub(super) fn from_options(mut options: Options, now: u64) -> Self {
        let seed = options.seed.take().unwrap_or_default();
        let seats = options.seats.unwrap_or(if seed.seats.total == 0 { 50 } else { seed.seats.total });
        let mut world = Self::new(options, now);
        world.seats_total = seats;
        world.reserve_ids(&seed);
        world.seed_catalog(&seed);
        for user in &seed.users {
            world.seed_user(user);
        }
        world.owner = world.seed_admin(seed.owner_id, OWNER_EMAIL, "Account Owner");
        world.api_user = world.seed_admin(0, API_EMAIL, "Directory Sync");
        world
    }

    fn reserve_ids(&mut self, seed: &Account) {
        let users = seed.users.iter().map(|user| user.id);
        let groups = seed.groups.iter().map(|group| group.id);
        let organizations = seed.organizations.iter().map(|organization| organization.id);
        let roles = seed.custom_roles.iter().map(|role| role.id);
        let highest = users.chain(groups).chain(organizations).chain(roles).max().unwrap_or(0);
        self.reserve_id(highest);
    }

    fn id_or_fresh(&mut self, id: u64) -> u64 {
        if id == 0 { self.fresh_id() } else { id }
    }

    fn seed_catalog(&mut self, seed: &Account) {
        for group in &seed.groups {
            let id = self.id_or_fresh(group.id);
            self.seed_group(id, &group.name, group.deleted);
        }
        let support = self.groups.iter().find(|(_, group)| group.name == "Support" && !group.deleted);
        let support = support.map(|(id, _)| *id);
        self.default_group = if self.groups.contains_key(&seed.default_group_id) {
            seed.default_group_id
        } else if let Some(id) = support {
            id
        } else {
            let id = self.fresh_id();
            self.seed_group(id, "Support", false);
            id
        };
        for organization in &seed.organizations {
            let id = self.id_or_fresh(organization.id);
            let new = Organization {
                name: organization.name.clone(),
                external_id: organization.external_id.clone(),
                domain_names: organization.domain_names.clone(),
                created_at: self.now,
                updated_at: self.now,
            };
            self.organizations.insert(id, new);
        }
        self.seed_roles(seed);
        for field in &seed.user_fields {
            let id = self.id_or_fresh(field.id);
            self.fields.push(FieldState { id, ..field.clone() });
        }
    }

    fn seed_group(&mut self, id: u64, name: &str, deleted: bool) {
        let (created_at, updated_at) = (self.now, self.now);
        let group = Group { name: name.to_owned(), description: String::new(), deleted, created_at, updated_at };
        self.groups.insert(id, group);
    }

    fn seed_roles(&mut self, seed: &Account) {
        let built_in = [("Staff", 0), ("Light agent", 1), ("Contributor", 3)];
        let built_in = built_in.map(|(name, role_type)| RoleState { id: 0, name: name.to_owned(), role_type });
        let roles = if !seed.custom_roles.is_empty() {
            seed.custom_roles.clone()
        } else if self.options.plan.custom_roles() {
            built_in.to_vec()
        } else {
            Vec::new()
        };
        for role in roles {
            let id = self.id_or_fresh(role.id);
            self.roles.insert(id, RoleState { id, ..role });
        }
    }

    /// Finds the admin by id or email, or makes it.
    fn seed_admin(&mut self, id: u64, email: &str, name: &str) -> u64 {
        if self.users.contains_key(&id) {
            return id;
        }
        if let Some(id) = self.email_holder(email) {
            return id;
        }
        let admin = UserState {
            name: name.to_owned(),
            email: Some(email.to_owned()),
            role: Role::Admin,
            groups: vec![self.default_group],
            default_group: Some(self.default_group),
            ..UserState::default()
        };
        self.seed_user(&admin)
    }

    fn seed_user(&mut self, seed: &UserState) -> u64 {
        let id = self.id_or_fresh(seed.id);
        let primary = seed.email.iter().map(|email| (email, true));
        let secondary = seed.emails.iter().filter(|email| Some(*email) != seed.email.as_ref());
        let emails: Vec<(&String, bool)> = primary.chain(secondary.map(|email| (email, false))).collect();
        let mut identities: Vec<Identity> = Vec::new();
        for (email, primary) in emails {
            identities.push(self.identity(Kind::Email, email, !seed.unverified.contains(email), primary));
        }
        if let Some(phone) = seed.profile.phone.as_ref().filter(|_| !seed.profile.shared_phone_number) {
            identities.push(self.identity(Kind::Phone, phone, true, false));
        }
        let default_group = seed.default_group.or(seed.groups.first().copied());
        let user = User {
            id,
            name: seed.name.clone(),
            identities,
            external_id: seed.external_id.clone(),
            role: seed.role,
            custom_role_id: seed.custom_role_id,
            suspended: seed.suspended,
            active: seed.active,
            groups: seed.groups.iter().map(|group| self.link(*group, Some(*group) == default_group)).collect(),
            organizations: seed
                .organizations
                .iter()
                .enumerate()
                .map(|(n, target)| self.link(*target, n == 0))
                .collect(),
            tags: seed.tags.clone(),
            user_fields: seed.user_fields.clone(),
            profile: seed.profile.clone(),
            shared: seed.shared,
            sessions: (0..seed.sessions).map(|_| self.fresh_id()).collect(),
            created_at: parse_iso(&seed.created_at).unwrap_or(self.now),
            updated_at: parse_iso(&seed.updated_at).unwrap_or(self.now),
        };
        self.place(user);
        for _ in 0..seed.open_tickets {
            let ticket = self.fresh_id();
            self.tickets.insert(ticket, Ticket { assignee: Some(id), requester: None });
        }
        for _ in 0..seed.requested_tickets {
            let ticket = self.fresh_id();
            self.tickets.insert(ticket, Ticket { assignee: None, requester: Some(id) });
        }
        id
    }

    /// The form of `/_sandbox/state`.
    pub(super) fn snapshot(&self) -> Account {
        let (mut assigned, mut requested) = (HashMap::new(), HashMap::new());
        for ticket in self.tickets.values() {
            ticket.assignee.into_iter().for_each(|id| *assigned.entry(id).or_insert(0) += 1);
            ticket.requester.into_iter().for_each(|id| *requested.entry(id).or_insert(0) += 1);
        }
        let count = |counts: &HashMap<u64, u32>, id: u64| counts.get(&id).copied().unwrap_or(0);
        let users = self.users.values();
        let users = users.map(|user| snapshot_user(user, count(&assigned, user.id), count(&requested, user.id)));
        let groups = self.groups.iter();
        let groups = groups.map(|(id, g)| GroupState { id: *id, name: g.name.clone(), deleted: g.deleted });
        let organizations = self.organizations.iter().map(|(id, organization)| OrganizationState {
            id: *id,
            name: organization.name.clone(),
            external_id: organization.external_id.clone(),
            domain_names: organization.domain_names.clone(),
        });
        Account {
            now: iso(self.now),
            owner_id: self.owner,
            default_group_id: self.default_group,
            users: users.collect(),
            groups: groups.collect(),
            organizations: organizations.collect(),
            custom_roles: self.roles.values().cloned().collect(),
            user_fields: self.fields.clone(),
            seats: Seats { total: self.seats_total, used: self.seats_used() },
        }
    }
}

fn snapshot_user(user: &User, open_tickets: u32, requested_tickets: u32) -> UserState {
    let emails = || user.identities.iter().filter(|identity| identity.kind == Kind::Email);
    let mut organizations: Vec<_> = user.organizations.iter().collect();
    organizations.sort_by_key(|link| !link.default);
    UserState {
        id: user.id,
        name: user.name.clone(),
        email: user.email().map(str::to_owned),
        emails: emails().filter(|identity| !identity.primary).map(|identity| identity.value.clone()).collect(),
        unverified: emails().filter(|identity| !identity.verified).map(|identity| identity.value.clone()).collect(),
        external_id: user.external_id.clone(),
        role: user.role,
        custom_role_id: user.custom_role_id,
        suspended: user.suspended,
        active: user.active,
        groups: user.groups.iter().map(|link| link.target).collect(),
        default_group: user.default_group(),
        organizations: organizations.iter().map(|link| link.target).collect(),
        tags: user.tags.clone(),
        user_fields: user.user_fields.clone(),
        open_tickets,
        requested_tickets,
        sessions: u32::try_from(user.sessions.len()).unwrap_or(u32::MAX),
        shared: user.shared,
        profile: user.profile.clone(),
        created_at: iso(user.created_at),
        updated_at: iso(user.updated_at),
    }
}
