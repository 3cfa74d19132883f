//! Organization memberships (Zendesk API reference, Organization memberships; recorded: create).

use super::call::{Call, as_id};
use super::clock::iso;
use super::paging;
use super::reply::{Answer, Reply, created, invalid, invalid_named, not_found, ok};
use super::world::{Link, World};
use serde_json::{Map, Value, json};

/// Organizations a user can be in.
const PER_USER_MAX: usize = 300;

fn view(world: &World, id: u64) -> Value {
    let user = world.organization_link_holder(id).and_then(|user| world.users.get(&user));
    let found = user.and_then(|user| Some((user, user.organizations.iter().find(|link| link.id == id)?)));
    let Some((user, link)) = found else { return Value::Null };
    json!({
        "url": world.url(&format!("/organization_memberships/{id}")),
        "id": id,
        "user_id": user.id,
        "organization_id": link.target,
        "organization_name": world.organizations.get(&link.target).map(|organization| &organization.name),
        "default": link.default,
        "created_at": iso(link.created_at),
        "updated_at": iso(link.updated_at),
    })
}

fn rows(world: &World, call: &Call, mut ids: Vec<u64>) -> Answer {
    ids.sort_unstable();
    paging::list(world, call, "organization_memberships", &ids, |id| view(world, id))
}

pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    rows(world, call, world.organization_link_ids())
}

pub(super) fn of_user(world: &mut World, call: &Call) -> Answer {
    rows(world, call, world.user(call.id(0))?.organizations.iter().map(|link| link.id).collect())
}

pub(super) fn of_target(world: &mut World, call: &Call) -> Answer {
    if !world.organizations.contains_key(&call.id(0)) {
        return Err(not_found());
    }
    let links = world.users.values().flat_map(|user| &user.organizations).filter(|link| link.target == call.id(0));
    rows(world, call, links.map(|link| link.id).collect())
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    world.organization_link_holder(call.id(0)).ok_or_else(not_found)?;
    ok(json!({"organization_membership": view(world, call.id(0))}))
}

pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let given = call.object("organization_membership")?;
    answer_created(world, given.clone())
}

pub(super) fn create_of_user(world: &mut World, call: &Call) -> Answer {
    let mut given = call.object("organization_membership")?.clone();
    given.insert("user_id".to_owned(), json!(call.id(0)));
    answer_created(world, given)
}

fn answer_created(world: &mut World, given: Map<String, Value>) -> Answer {
    let id = join(world, &given)?;
    let location = world.url(&format!("/organization_memberships/{id}"));
    created(json!({"organization_membership": view(world, id)}), location)
}

/// Adds a user to an organization; one that exists already is a 422.
pub(super) fn join(world: &mut World, given: &Map<String, Value>) -> Result<u64, Reply> {
    let id = |key: &str| given.get(key).and_then(as_id).unwrap_or(0);
    let Ok(user) = world.active_user(id("user_id")) else { return Err(invalid("user_id", "User: is invalid")) };
    let mut user = user.clone();
    let organization = id("organization_id");
    if !world.organizations.contains_key(&organization) {
        return Err(invalid("organization_id", "Organization: is invalid"));
    }
    if user.organizations.iter().any(|link| link.target == organization) {
        return Err(invalid_named("user_id", "User: has already been taken", "DuplicateValue"));
    }
    let most = if world.options.plan.many_organizations() { PER_USER_MAX } else { 1 };
    if user.organizations.len() >= most {
        return Err(invalid("base", "User: cannot be a member of more organizations"));
    }
    let default = user.organizations.is_empty() || given.get("default") == Some(&Value::Bool(true));
    if default {
        user.organizations.iter_mut().for_each(|link| link.default = false);
    }
    let link = world.link(organization, default);
    let id = link.id;
    user.organizations.push(link);
    world.put(user);
    Ok(id)
}

/// Removes the memberships that `gone` names; another one becomes the default.
pub(super) fn leave(world: &mut World, user: u64, gone: impl Fn(&Link) -> bool) {
    let Some(mut user) = world.users.get(&user).cloned() else { return };
    user.organizations.retain(|link| !gone(link));
    if !user.organizations.iter().any(|link| link.default) {
        user.organizations.iter_mut().take(1).for_each(|link| link.default = true);
    }
    world.put(user);
}

/// Deletes a membership by its id.
pub(super) fn destroy(world: &mut World, id: u64) -> Result<(), Reply> {
    let user = world.organization_link_holder(id).ok_or_else(not_found)?;
    leave(world, user, |link| link.id == id);
    Ok(())
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    destroy(world, call.id(0))?;
    Ok(Reply::empty())
}

pub(super) fn delete_of_user(world: &mut World, call: &Call) -> Answer {
    if world.organization_link_holder(call.id(1)) != Some(call.id(0)) {
        return Err(not_found());
    }
    destroy(world, call.id(1))?;
    Ok(Reply::empty())
}

pub(super) fn make_default(world: &mut World, call: &Call) -> Answer {
    let mut user = world.active_user(call.id(0))?.clone();
    if !user.organizations.iter().any(|link| link.id == call.id(1)) {
        return Err(not_found());
    }
    for link in &mut user.organizations {
        link.default = link.id == call.id(1);
        link.updated_at = world.now;
    }
    world.put(user);
    of_user(world, &Call { query: Vec::new(), ..call.clone() })
}
