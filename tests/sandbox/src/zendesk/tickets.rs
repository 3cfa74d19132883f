//! Tickets that are not closed, kept only to be counted, listed and reassigned.

use super::call::{Call, as_id};
use super::clock::iso;
use super::paging;
use super::reply::{Answer, Reply, invalid, not_found, ok};
use super::world::{Ticket, World};
use serde_json::{Map, Value, json};

fn view(world: &World, id: u64) -> Value {
    let Some(ticket) = world.tickets.get(&id) else { return Value::Null };
    json!({
        "id": id,
        "url": world.url(&format!("/tickets/{id}")),
        "status": "open",
        "subject": format!("Ticket {id}"),
        "assignee_id": ticket.assignee,
        "requester_id": ticket.requester,
    })
}

fn ids(world: &World, fits: impl Fn(&Ticket) -> bool) -> Vec<u64> {
    world.tickets.iter().filter(|(_, ticket)| fits(ticket)).map(|(id, _)| *id).collect()
}

pub(super) fn assigned(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?.id;
    let ids = ids(world, |ticket| ticket.assignee == Some(user));
    paging::list(world, call, "tickets", &ids, |id| view(world, id))
}

pub(super) fn assigned_count(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?.id;
    let value = ids(world, |ticket| ticket.assignee == Some(user)).len();
    ok(json!({"count": {"value": value, "refreshed_at": iso(world.now)}}))
}

pub(super) fn requested(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?.id;
    let ids = ids(world, |ticket| ticket.requester == Some(user));
    paging::list(world, call, "tickets", &ids, |id| view(world, id))
}

/// Reassigns one ticket; only agents that are not suspended can have tickets.
pub(super) fn update(world: &mut World, id: u64, given: &Map<String, Value>) -> Result<(), Reply> {
    let assignee = given.get("assignee_id").map(as_id);
    if let Some(Some(assignee)) = assignee {
        let able = world.active_user(assignee).is_ok_and(|user| user.role.name() != "end-user" && !user.suspended);
        if !able {
            return Err(invalid("assignee", "Assignee: is invalid"));
        }
    }
    let ticket = world.tickets.get_mut(&id).ok_or_else(not_found)?;
    if let Some(assignee) = assignee {
        ticket.assignee = assignee;
    }
    Ok(())
}
