//! Roles, custom roles and seats (Zendesk API reference, Users; Zendesk support, seats and downgrades).

use super::super::account::Role;
use super::super::call::as_id;
use super::super::reply::{Details, Reply, invalid, invalid_attribute, invalid_named};
use super::super::world::{User, World};
use serde_json::{Map, Value};

/// Applies `role` and `custom_role_id`.
pub(super) fn set(
    world: &World,
    user: &mut User,
    given: &Map<String, Value>,
    details: &mut Details,
) -> Result<(), Reply> {
    let custom = match given.get("custom_role_id") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => Some(Some(as_id(value).ok_or_else(|| invalid_attribute("custom_role_id", "must be a number"))?)),
    };
    if let Some(Some(id)) = custom
        && (!world.options.plan.custom_roles() || !world.roles.contains_key(&id))
    {
        details.add("custom_role_id", "Custom role: is invalid".to_owned());
        return Ok(());
    }
    let role = match given.get("role").filter(|role| !role.is_null()) {
        None => None,
        Some(value) => match value.as_str().ok_or_else(|| invalid_attribute("role", "must be a string"))? {
            "end-user" => Some(Role::EndUser),
            "agent" => Some(Role::Agent),
            "admin" => Some(Role::Admin),
            other => {
                details.add("role", format!("Role: {other} is not included in the list"));
                return Ok(());
            }
        },
    };
    match (role, custom) {
        // An end user with a custom role becomes an agent.
        (Some(Role::EndUser | Role::Agent) | None, Some(Some(id))) => {
            (user.role, user.custom_role_id) = (Role::Agent, Some(id));
        }
        (Some(Role::EndUser), Some(None) | None) => (user.role, user.custom_role_id) = (Role::EndUser, None),
        (Some(Role::Admin), _) => (user.role, user.custom_role_id) = (Role::Admin, None),
        (Some(Role::Agent), Some(None)) | (None, Some(None)) => {
            user.custom_role_id = None;
            user.role = role.unwrap_or(user.role);
        }
        (Some(Role::Agent), None) => user.role = Role::Agent,
        (None, None) => {}
    }
    Ok(())
}

/// Refuses what may not happen to the owner, and what there is no seat for; gives and takes groups.
pub(super) fn settle(world: &mut World, before: Option<&User>, user: &mut User) -> Result<(), Reply> {
    if user.id == world.owner && (user.role != Role::Admin || user.suspended) {
        return Err(invalid("base", "The account owner cannot be downgraded or suspended"));
    }
    let was = before.map_or(Role::EndUser, |before| before.role);
    let downgraded = was != Role::EndUser && user.role == Role::EndUser;
    if downgraded && user.suspended && before.is_some_and(|old| old.suspended) && !world.options.downgrade_suspended {
        return Err(invalid("base", "A suspended agent cannot be downgraded"));
    }
    let had_seat = before.is_some_and(|before| world.takes_seat(before));
    if world.takes_seat(user) && !had_seat && world.seats_used() >= world.seats_total {
        // The status and shape are not documented; clients are to look for the name.
        return Err(invalid_named("base", "Subscription limit reached: MaxAgentExceeded", "MaxAgentExceeded"));
    }
    if downgraded {
        // Groups are lost, and do not come back with a later promotion.
        user.groups.clear();
    }
    if user.role != Role::EndUser && was == Role::EndUser {
        // Each new agent lands in the default group.
        let group = world.default_group;
        if !user.groups.iter().any(|link| link.target == group) {
            let default = !user.groups.iter().any(|link| link.default);
            let link = world.link(group, default);
            user.groups.push(link);
        }
    }
    Ok(())
}

/// A downgraded agent's open tickets go to the admin who downgrades.
pub(super) fn hand_over(world: &mut World, user: u64, actor: u64) {
    for ticket in world.tickets.values_mut().filter(|ticket| ticket.assignee == Some(user)) {
        ticket.assignee = Some(actor);
    }
}
