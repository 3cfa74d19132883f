//! Groups; their deletion is soft (Zendesk API reference, Groups; recorded: DELETE groups/ID).

use super::call::Call;
use super::clock::iso;
use super::paging;
use super::reply::{Answer, Reply, created, invalid, invalid_attribute, not_found, ok};
use super::world::{Group, World};
use serde_json::{Value, json};

fn view(world: &World, id: u64) -> Value {
    let Some(group) = world.groups.get(&id) else { return Value::Null };
    json!({
        "url": world.url(&format!("/groups/{id}")),
        "id": id,
        "name": group.name,
        "description": group.description,
        "default": id == world.default_group,
        "is_public": true,
        "deleted": group.deleted,
        "created_at": iso(group.created_at),
        "updated_at": iso(group.updated_at),
    })
}

/// A group that is not deleted.
pub(super) fn live(world: &World, id: u64) -> bool {
    world.groups.get(&id).is_some_and(|group| !group.deleted)
}

fn checked_name(value: Option<&Value>) -> Result<String, Reply> {
    match value {
        Some(Value::String(name)) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Some(Value::String(_)) | None => Err(invalid("name", "Name: cannot be blank")),
        Some(_) => Err(invalid_attribute("name", "must be a string")),
    }
}

pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let ids: Vec<u64> = world.groups.iter().filter(|(_, group)| !group.deleted).map(|(id, _)| *id).collect();
    paging::list(world, call, "groups", &ids, |id| view(world, id))
}

pub(super) fn of_user(world: &mut World, call: &Call) -> Answer {
    let mut ids: Vec<u64> = world.user(call.id(0))?.groups.iter().map(|link| link.target).collect();
    ids.sort_unstable();
    paging::list(world, call, "groups", &ids, |id| view(world, id))
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    if !world.groups.contains_key(&call.id(0)) {
        return Err(not_found());
    }
    ok(json!({"group": view(world, call.id(0))}))
}

/// Two groups may have the same name: creating is not idempotent.
pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let given = call.object("group")?;
    let name = checked_name(given.get("name"))?;
    let description = given.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = world.fresh_id();
    let group = Group { name, description, deleted: false, created_at: world.now, updated_at: world.now };
    world.groups.insert(id, group);
    created(json!({"group": view(world, id)}), world.url(&format!("/groups/{id}")))
}

pub(super) fn update(world: &mut World, call: &Call) -> Answer {
    let given = call.object("group")?;
    let name = given.get("name").map(|name| checked_name(Some(name))).transpose()?;
    let now = world.now;
    let group = world.groups.get_mut(&call.id(0)).filter(|group| !group.deleted).ok_or_else(not_found)?;
    if let Some(name) = name {
        group.name = name;
    }
    if let Some(description) = given.get("description").and_then(Value::as_str) {
        description.clone_into(&mut group.description);
    }
    group.updated_at = now;
    ok(json!({"group": view(world, call.id(0))}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    if id == world.default_group {
        return Err(invalid("base", "The default group cannot be deleted"));
    }
    let now = world.now;
    let group = world.groups.get_mut(&id).filter(|group| !group.deleted).ok_or_else(not_found)?;
    (group.deleted, group.updated_at) = (true, now);
    let members = world.users.values().filter(|user| user.groups.iter().any(|link| link.target == id));
    for member in members.map(|user| user.id).collect::<Vec<_>>() {
        super::group_memberships::leave(world, member, |link| link.target == id);
    }
    Ok(Reply::empty())
}
