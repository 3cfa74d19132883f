//! Writing one user: create, update, create or update, delete.

use super::super::account::Role;
use super::super::call::Call;
use super::super::limits;
use super::super::reply::{Answer, Reply, created, forbidden, invalid, ok};
use super::super::world::World;
use super::{apply, view};
use serde_json::{Map, Value, json};

fn created_user(world: &World, id: u64) -> Answer {
    created(json!({"user": view::by_id(world, id)}), world.url(&format!("/users/{id}")))
}

pub(in super::super) fn create(world: &mut World, call: &Call) -> Answer {
    let id = apply::create(world, call.object("user")?)?;
    created_user(world, id)
}

pub(in super::super) fn update(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    world.active_user(id)?;
    limits::user_update(world, id)?;
    apply::update(world, id, call.object("user")?, call.actor.unwrap_or(0))?;
    ok(json!({"user": view::by_id(world, id)}))
}

pub(in super::super) fn create_or_update(world: &mut World, call: &Call) -> Answer {
    match upsert(world, call.object("user")?, call.actor.unwrap_or(0))? {
        Upserted::Created(id) => created_user(world, id),
        Upserted::Updated(id) => ok(json!({"user": view::by_id(world, id)})),
    }
}

/// What a `create_or_update` did.
pub(in super::super) enum Upserted {
    Created(u64),
    Updated(u64),
}

/// Finds by external id, then by email. If both are known and differ, the email's 422 follows from the update.
pub(in super::super) fn upsert(world: &mut World, given: &Map<String, Value>, actor: u64) -> Result<Upserted, Reply> {
    let by_external = given.get("external_id").and_then(Value::as_str).and_then(|id| world.external_holder(id));
    let by_email = || given.get("email").and_then(Value::as_str).and_then(|email| world.email_holder(email));
    match by_external.or_else(by_email) {
        Some(id) => {
            apply::update(world, id, given, actor)?;
            Ok(Upserted::Updated(id))
        }
        None => apply::create(world, given).map(Upserted::Created),
    }
}

pub(in super::super) fn delete(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    destroy(world, id)?;
    ok(json!({"user": view::by_id(world, id)}))
}

/// The soft deletion (recorded: DELETE users/ID): email and external id are free at once.
pub(in super::super) fn destroy(world: &mut World, id: u64) -> Result<(), Reply> {
    let mut user = world.active_user(id)?.clone();
    if id == world.owner {
        return Err(forbidden("The account owner cannot be deleted"));
    }
    if user.role != Role::EndUser {
        return Err(invalid("base", "Agents must be downgraded to end users before they are deleted"));
    }
    let open = world.tickets.values().filter(|ticket| ticket.requester == Some(id)).count();
    if open > 0 {
        return Err(invalid("base", &format!("User is requester on {open} ticket(s) that are not closed.")));
    }
    user.active = false;
    user.identities.clear();
    user.external_id = None;
    user.groups.clear();
    user.organizations.clear();
    user.sessions.clear();
    world.put(user);
    Ok(())
}
