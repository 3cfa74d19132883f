//! Creating and updating one user, as a whole or not at all.

use super::super::account::{Profile, Role};
use super::super::call::as_id;
use super::super::identities;
use super::super::organizations;
use super::super::reply::{Details, Reply, forbidden, invalid_attribute};
use super::super::tags;
use super::super::world::{Kind, Link, User, World};
use super::profile::{flag, text};
use super::{fields, profile, role};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

type Given = Map<String, Value>;

/// Written at any time.
const WRITABLE: &[&str] = &[
    "name",
    "email",
    "external_id",
    "role",
    "custom_role_id",
    "alias",
    "details",
    "notes",
    "phone",
    "signature",
    "locale",
    "locale_id",
    "time_zone",
    "iana_time_zone",
    "ticket_restriction",
    "moderator",
    "only_private_comments",
    "suspended",
    "verified",
    "skip_verify_email",
    "tags",
    "user_fields",
    "organization_id",
    "default_group_id",
    "remote_photo_url",
    "agent_brand_ids",
    "shared_phone_number",
    "photo",
];
/// Written at creation only.
const AT_CREATION: &[&str] = &["organization_ids", "organization", "group_id", "group_ids", "identities", "password"];

/// Creates a user; never idempotent.
pub(in super::super) fn create(world: &mut World, given: &Given) -> Result<u64, Reply> {
    note_ignored(world, given, true);
    let mut user = blank(world);
    let mut details = Details::default();
    if !given.contains_key("name") {
        details.add("name", "Name: is too short (minimum is 1 characters)".to_owned());
    }
    profile::set(world, &mut user, given, &mut details)?;
    if given.get("alias").is_some_and(Value::is_null) {
        user.profile.alias = None;
    }
    let verified = flag(given, "verified")?.unwrap_or(false);
    if let Some(email) = text(given, "email")?.flatten() {
        add_email(world, &mut user, &email, verified, true, &mut details);
    }
    for identity in given.get("identities").and_then(Value::as_array).into_iter().flatten() {
        if let (Some("email"), Some(email)) = (identity["type"].as_str(), identity["value"].as_str()) {
            let first = user.primary().is_none();
            let verified = identity["verified"].as_bool().unwrap_or(verified);
            add_email(world, &mut user, email, verified, first, &mut details);
        }
    }
    attributes(world, &mut user, given, &mut details)?;
    first_memberships(world, &mut user, given, &mut details)?;
    details.check()?;
    role::settle(world, None, &mut user)?;
    set_default_group(world, &mut user, given)?;
    organizations::map_domains(world, None, &mut user);
    let id = user.id;
    world.put(user);
    Ok(id)
}

/// Updates a user by its id.
pub(in super::super) fn update(world: &mut World, id: u64, given: &Given, actor: u64) -> Result<(), Reply> {
    let before = world.active_user(id)?.clone();
    if before.shared {
        return Err(forbidden("You cannot update a user shared from another account"));
    }
    note_ignored(world, given, false);
    let mut user = before.clone();
    let mut details = Details::default();
    profile::set(world, &mut user, given, &mut details)?;
    let verified = flag(given, "verified")?;
    if let Some(email) = text(given, "email")?.flatten() {
        let own = user.identities.iter_mut().find(|identity| identity.value.eq_ignore_ascii_case(&email));
        match own {
            Some(own) => own.verified |= verified == Some(true),
            // A new email is added as a secondary identity (recorded: PUT users with an email).
            None => {
                let first = user.primary().is_none();
                add_email(world, &mut user, &email, verified.unwrap_or(false), first, &mut details);
            }
        }
    } else if verified == Some(true) {
        user.identities.iter_mut().filter(|identity| identity.primary).for_each(|identity| identity.verified = true);
    }
    attributes(world, &mut user, given, &mut details)?;
    default_organization(world, &mut user, given, &mut details)?;
    details.check()?;
    role::settle(world, Some(&before), &mut user)?;
    set_default_group(world, &mut user, given)?;
    organizations::map_domains(world, Some(&before), &mut user);
    let downgraded = before.role != Role::EndUser && user.role == Role::EndUser;
    world.put(user);
    if downgraded {
        role::hand_over(world, id, actor);
    }
    Ok(())
}

fn blank(world: &mut World) -> User {
    User {
        id: world.fresh_id(),
        name: String::new(),
        identities: Vec::new(),
        external_id: None,
        role: Role::EndUser,
        custom_role_id: None,
        suspended: false,
        active: true,
        groups: Vec::new(),
        organizations: Vec::new(),
        tags: Vec::new(),
        user_fields: BTreeMap::new(),
        profile: Profile::default(),
        shared: false,
        sessions: Vec::new(),
        created_at: world.now,
        updated_at: world.now,
    }
}

/// What creation and update have in common.
fn attributes(world: &mut World, user: &mut User, given: &Given, details: &mut Details) -> Result<(), Reply> {
    if let Some(external_id) = text(given, "external_id")? {
        let external_id = external_id.filter(|id| !id.is_empty());
        let taken = external_id.as_ref().and_then(|id| world.external_holder(id)).is_some_and(|id| id != user.id);
        if taken {
            details.add_named("external_id", "External has already been taken".to_owned(), "DuplicateValue");
        }
        user.external_id = external_id;
    }
    role::set(world, user, given, details)?;
    if let Some(value) = given.get("tags") {
        user.tags = tags::replaced(&user.tags, &tags::read(value)?);
        fields::follow_tags(world, user);
    }
    if let Some(values) = given.get("user_fields") {
        fields::set(world, user, values, details)?;
    }
    Ok(())
}

fn add_email(world: &mut World, user: &mut User, email: &str, verified: bool, primary: bool, details: &mut Details) {
    if !identities::well_formed(email) {
        details.add("email", format!("Email: {email} is not properly formatted"));
    } else if world.email_holder(email).is_some() {
        let text = format!("Email: {email} is already being used by another user");
        details.add_named("email", text, "DuplicateValue");
    } else {
        let identity = world.identity(Kind::Email, email, verified, primary);
        user.identities.push(identity);
    }
}

/// `group_id`, `group_ids`, `organization_id`, `organization_ids`, `organization` of a new user.
fn first_memberships(world: &mut World, user: &mut User, given: &Given, details: &mut Details) -> Result<(), Reply> {
    let groups = ids(given, "group_id", "group_ids")?;
    if !groups.is_empty() && user.role == Role::EndUser {
        details.add("base", "Only agents can be members of a group".to_owned());
    }
    for group in groups {
        if world.groups.get(&group).is_none_or(|group| group.deleted) {
            details.add("group_id", "Group: is invalid".to_owned());
        } else {
            let link = world.link(group, user.groups.is_empty());
            user.groups.push(link);
        }
    }
    let mut organizations = ids(given, "organization_id", "organization_ids")?;
    if let Some(name) = given.get("organization").and_then(|organization| organization["name"].as_str()) {
        organizations.push(organizations::find_or_create(world, name));
    }
    if organizations.len() > 1 && !world.options.plan.many_organizations() {
        details.add("organization_ids", "Organization: only one is allowed".to_owned());
    }
    for organization in organizations {
        if world.organizations.contains_key(&organization) {
            let link = world.link(organization, user.organizations.is_empty());
            user.organizations.push(link);
        } else {
            details.add("organization_id", "Organization: is invalid".to_owned());
        }
    }
    Ok(())
}

/// The ids under a singular and a plural key, each once.
fn ids(given: &Given, one: &str, many: &str) -> Result<Vec<u64>, Reply> {
    let single = given.get(one).filter(|value| !value.is_null());
    let several = given.get(many).filter(|value| !value.is_null());
    let several = several.map(|value| value.as_array().ok_or_else(|| invalid_attribute(many, "must be an array")));
    let several = several.transpose()?.into_iter().flatten();
    let mut ids = Vec::new();
    for value in single.into_iter().chain(several) {
        let id = as_id(value).ok_or_else(|| invalid_attribute(one, "must be a number"))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// `organization_id` sets the default organization and removes all other memberships.
fn default_organization(world: &mut World, user: &mut User, given: &Given, details: &mut Details) -> Result<(), Reply> {
    match given.get("organization_id") {
        None => {}
        Some(Value::Null) => user.organizations.clear(),
        Some(value) => {
            let id = as_id(value).ok_or_else(|| invalid_attribute("organization_id", "must be a number"))?;
            if !world.organizations.contains_key(&id) {
                details.add("organization_id", "Organization: is invalid".to_owned());
                return Ok(());
            }
            let kept = user.organizations.iter().find(|link| link.target == id).cloned();
            let link = kept.unwrap_or_else(|| world.link(id, true));
            user.organizations = vec![Link { default: true, ..link }];
        }
    }
    Ok(())
}

fn set_default_group(world: &World, user: &mut User, given: &Given) -> Result<(), Reply> {
    let Some(id) = given.get("default_group_id").and_then(as_id) else { return Ok(()) };
    if !user.groups.iter().any(|link| link.target == id) {
        return Err(super::super::reply::invalid(
            "default_group_id",
            "Default group: user is not a member of the group",
        ));
    }
    for link in &mut user.groups {
        link.default = link.target == id;
        link.updated_at = world.now;
    }
    Ok(())
}

fn note_ignored(world: &mut World, given: &Given, creating: bool) {
    let known = |key: &&String| WRITABLE.contains(&key.as_str()) || (creating && AT_CREATION.contains(&key.as_str()));
    // An id names the record in bulk calls.
    let unknown = given.keys().filter(|key| !known(key) && key.as_str() != "id").cloned();
    world.ignored.extend(unknown);
}
