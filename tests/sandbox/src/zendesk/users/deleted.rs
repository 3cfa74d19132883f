//! Soft-deleted users, and their deletion for good (Zendesk API reference, Users).

use super::super::call::Call;
use super::super::clock::iso;
use super::super::limits;
use super::super::paging;
use super::super::reply::{Answer, Reply, not_found, ok};
use super::super::world::World;
use serde_json::{Value, json};

fn view(world: &World, id: u64) -> Value {
    let Some(user) = world.users.get(&id) else { return Value::Null };
    json!({
        "id": user.id,
        "url": world.url(&format!("/deleted_users/{id}")),
        "name": user.name,
        "email": user.email(),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
        "role": user.role.name(),
        "active": user.active,
        "organization_id": user.default_organization(),
        "phone": user.profile.phone,
        "photo": null,
        "shared_phone_number": null,
    })
}

fn find(world: &World, id: u64) -> Result<(), Reply> {
    if world.users.get(&id).is_some_and(|user| !user.active) { Ok(()) } else { Err(not_found()) }
}

pub(in super::super) fn list(world: &mut World, call: &Call) -> Answer {
    paging::list(world, call, "deleted_users", &world.deleted_ids(), |id| view(world, id))
}

pub(in super::super) fn count(world: &mut World, _: &Call) -> Answer {
    ok(json!({"count": {"value": world.deleted_ids().len(), "refreshed_at": iso(world.now)}}))
}

pub(in super::super) fn show(world: &mut World, call: &Call) -> Answer {
    find(world, call.id(0))?;
    ok(json!({"deleted_user": view(world, call.id(0))}))
}

pub(in super::super) fn destroy(world: &mut World, call: &Call) -> Answer {
    find(world, call.id(0))?;
    limits::permanent_deletion(world)?;
    let body = json!({"deleted_user": view(world, call.id(0))});
    world.forget(call.id(0));
    ok(body)
}
