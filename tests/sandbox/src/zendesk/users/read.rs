//! Reading users: one, many, lists, counts.

use super::super::account::Role;
use super::super::auth::Need;
use super::super::call::Call;
use super::super::clock::iso;
use super::super::paging;
use super::super::reply::{Answer, Reply, forbidden, invalid_attribute, not_found, ok};
use super::super::world::{User, World};
use super::view;
use serde_json::{Value, json};

/// The rights of the login's user: everything here is for admins, but `users/me`.
pub(in super::super) fn permit(world: &World, user: u64, need: Need) -> Result<(), Reply> {
    let admin = world.users.get(&user).is_some_and(|user| user.role == Role::Admin);
    if admin || need == Need::Anyone {
        return Ok(());
    }
    let text = "You do not have access to this page. Please contact the account owner of this help desk for help.";
    Err(forbidden(text))
}

pub(in super::super) fn me(world: &mut World, call: &Call) -> Answer {
    ok(json!({"user": call.actor.map_or_else(view::anonymous, |id| view::by_id(world, id))}))
}

pub(in super::super) fn show(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?;
    ok(json!({"user": view::show(world, user)}))
}

pub(in super::super) fn show_many(world: &mut World, call: &Call) -> Answer {
    let mut ids: Vec<u64> = match (call.csv("ids")?, call.csv("external_ids")?) {
        (Some(ids), _) => ids.iter().filter_map(|id| id.parse().ok()).collect(),
        (None, Some(ids)) => ids.iter().filter_map(|id| world.external_holder(id)).collect(),
        (None, None) => return Err(invalid_attribute("ids", "must be a list of ids")),
    };
    let deleted = call.ask("include_deleted") == Some("true");
    ids.retain(|id| world.users.get(id).is_some_and(|user| user.active || deleted));
    // The order is not that of the request, nor of the ids.
    ids.sort_by_key(|id| id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    ids.dedup();
    let users: Vec<Value> = ids.iter().map(|id| view::by_id(world, *id)).collect();
    ok(json!({"count": users.len(), "next_page": null, "previous_page": null, "users": users}))
}

pub(in super::super) fn list(world: &mut World, call: &Call) -> Answer {
    let ids = filtered(world, call);
    paging::list(world, call, "users", &ids, |id| view::by_id(world, id))
}

pub(in super::super) fn count(world: &mut World, call: &Call) -> Answer {
    ok(json!({"count": {"value": filtered(world, call).len(), "refreshed_at": iso(world.now)}}))
}

fn filtered(world: &World, call: &Call) -> Vec<u64> {
    let roles: Vec<&str> = call.all("role").chain(call.all("role[]")).collect();
    let custom = call.ask("permission_set").map(|id| id.parse::<u64>().ok());
    let external = call.ask("external_id").map(|id| world.external_holder(id));
    let fits = |user: &&User| {
        user.active
            && (roles.is_empty() || roles.contains(&user.role.name()))
            && custom.is_none_or(|custom| user.custom_role_id == custom)
            && external.is_none_or(|holder| holder == Some(user.id))
    };
    world.users.values().filter(fits).map(|user| user.id).collect()
}

pub(in super::super) fn related(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    if !world.users.contains_key(&id) {
        return Err(not_found());
    }
    let assigned = world.tickets.values().filter(|ticket| ticket.assignee == Some(id)).count();
    let requested = world.tickets.values().filter(|ticket| ticket.requester == Some(id)).count();
    ok(json!({"user_related": {
        "assigned_tickets": assigned,
        "requested_tickets": requested,
        "ccd_tickets": 0,
        "organization_subscriptions": 0,
    }}))
}
