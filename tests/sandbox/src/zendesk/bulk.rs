//! Calls for up to 100 records, each a job (Zendesk API reference, Users, bulk; recorded: create_many).

use super::call::{Call, as_id};
use super::jobs::queue;
use super::reply::{Answer, Reply, forbidden, invalid_attribute, not_found, too_many_records, too_many_values};
use super::users::{apply, write};
use super::world::World;
use super::{group_memberships, identities, organization_memberships, tickets};
use serde_json::{Map, Value, json};

const MANY_MAX: usize = 100;

/// How a record is named.
#[derive(Debug, Clone)]
pub(super) enum Key {
    Id(u64),
    External(String),
    Missing,
}

/// One record of a job.
#[derive(Debug, Clone)]
pub(super) enum Item {
    CreateUser(Value),
    CreateOrUpdateUser(Value),
    UpdateUser(Key, Value),
    DestroyUser(Key),
    JoinGroup(Value),
    LeaveGroup(u64),
    JoinOrganization(Value),
    LeaveOrganization(u64),
    UpdateTicket(u64, Value),
}

fn actor(call: &Call) -> u64 {
    call.actor.unwrap_or(0)
}

fn records(call: &Call, root: &str) -> Result<Vec<Value>, Reply> {
    let records = call.array(root)?;
    if records.len() > MANY_MAX {
        return Err(too_many_records(root));
    }
    Ok(records.clone())
}

fn check_import(world: &World) -> Result<(), Reply> {
    if world.options.bulk_import {
        return Ok(());
    }
    Err(forbidden("Data imports are not enabled for this account"))
}

pub(super) fn create_many(world: &mut World, call: &Call) -> Answer {
    check_import(world)?;
    let items = records(call, "users")?.into_iter().map(Item::CreateUser).collect();
    queue(world, "Bulk Create User", "Creating User", items, actor(call))
}

pub(super) fn create_or_update_many(world: &mut World, call: &Call) -> Answer {
    check_import(world)?;
    let items = records(call, "users")?.into_iter().map(Item::CreateOrUpdateUser).collect();
    queue(world, "Bulk Create Or Update User", "Creating User", items, actor(call))
}

/// The records that `ids` or `external_ids` name.
fn keys(call: &Call) -> Result<Option<Vec<Key>>, Reply> {
    if let Some(ids) = call.csv("ids")? {
        return Ok(Some(ids.iter().map(|id| id.parse().map_or(Key::Missing, Key::Id)).collect()));
    }
    Ok(call.csv("external_ids")?.map(|ids| ids.into_iter().map(Key::External).collect()))
}

/// Either one change for the named users, or a list of changes that name theirs.
pub(super) fn update_many(world: &mut World, call: &Call) -> Answer {
    let items: Vec<Item> = match keys(call)? {
        Some(keys) => {
            let patch = Value::Object(call.object("user")?.clone());
            keys.into_iter().map(|key| Item::UpdateUser(key, patch.clone())).collect()
        }
        None => records(call, "users")?.into_iter().map(|patch| Item::UpdateUser(key_of(&patch), patch)).collect(),
    };
    queue(world, "Bulk Update User", "Updating User", items, actor(call))
}

fn key_of(patch: &Value) -> Key {
    match (as_id(&patch["id"]), patch["external_id"].as_str()) {
        (Some(id), _) => Key::Id(id),
        (None, Some(external_id)) => Key::External(external_id.to_owned()),
        (None, None) => Key::Missing,
    }
}

pub(super) fn destroy_many(world: &mut World, call: &Call) -> Answer {
    let keys = keys(call)?.ok_or_else(|| invalid_attribute("ids", "must be a list of ids"))?;
    queue(world, "Bulk Delete User", "Deleting User", keys.into_iter().map(Item::DestroyUser).collect(), actor(call))
}

pub(super) fn create_group_memberships(world: &mut World, call: &Call) -> Answer {
    let items = records(call, "group_memberships")?.into_iter().map(Item::JoinGroup).collect();
    queue(world, "Bulk Create Group Membership", "Creating Group Membership", items, actor(call))
}

pub(super) fn destroy_group_memberships(world: &mut World, call: &Call) -> Answer {
    let items = ids(call)?.into_iter().map(Item::LeaveGroup).collect();
    queue(world, "Bulk Delete Group Membership", "Deleting Group Membership", items, actor(call))
}

pub(super) fn create_organization_memberships(world: &mut World, call: &Call) -> Answer {
    let items = records(call, "organization_memberships")?.into_iter().map(Item::JoinOrganization).collect();
    queue(world, "Bulk Create Organization Membership", "Creating Organization Membership", items, actor(call))
}

pub(super) fn destroy_organization_memberships(world: &mut World, call: &Call) -> Answer {
    let items = ids(call)?.into_iter().map(Item::LeaveOrganization).collect();
    queue(world, "Bulk Delete Organization Membership", "Deleting Organization Membership", items, actor(call))
}

pub(super) fn update_tickets(world: &mut World, call: &Call) -> Answer {
    let items: Vec<Item> = match call.csv("ids")? {
        Some(ids) => {
            let patch = Value::Object(call.object("ticket")?.clone());
            ids.iter().map(|id| Item::UpdateTicket(id.parse().unwrap_or(0), patch.clone())).collect()
        }
        None => {
            let patches = call.array("tickets")?;
            if patches.len() > MANY_MAX {
                return Err(too_many_values());
            }
            patches.iter().map(|patch| Item::UpdateTicket(as_id(&patch["id"]).unwrap_or(0), patch.clone())).collect()
        }
    };
    queue(world, "Bulk Update Ticket", "Updating Ticket", items, actor(call))
}

fn ids(call: &Call) -> Result<Vec<u64>, Reply> {
    let ids = call.csv("ids")?.ok_or_else(|| invalid_attribute("ids", "must be a list of ids"))?;
    Ok(ids.iter().map(|id| id.parse().unwrap_or(0)).collect())
}

/// Carries out one item; its result as the finished job shows it.
pub(super) fn carry_out(world: &mut World, item: &Item, index: usize, actor: u64) -> Value {
    let none = Map::new();
    let object = |value: &Value| value.as_object().unwrap_or(&none).clone();
    let made = |id: u64| json!({"id": id, "index": index, "status": "Created"});
    let done = |action: &str, id: u64, status: &str| json!({"action": action, "id": id, "index": index, "status": status, "success": true});
    let outcome = match item {
        Item::CreateUser(user) => apply::create(world, &object(user)).map(made),
        Item::CreateOrUpdateUser(user) => {
            // Second hand: a malformed email was answered with a bogus id, and no error.
            if user["email"].as_str().is_some_and(|email| !identities::well_formed(email)) {
                return json!({"id": 1, "index": index, "status": "Created"});
            }
            write::upsert(world, &object(user), actor).map(|upserted| match upserted {
                write::Upserted::Created(id) => made(id),
                write::Upserted::Updated(id) => done("update", id, "Updated"),
            })
        }
        Item::UpdateUser(key, patch) => find(world, key).and_then(|id| {
            apply::update(world, id, &object(patch), actor)?;
            Ok(done("update", id, "Updated"))
        }),
        Item::DestroyUser(key) => find(world, key).and_then(|id| {
            write::destroy(world, id)?;
            Ok(done("delete", id, "Deleted"))
        }),
        Item::JoinGroup(link) => group_memberships::join(world, &object(link)).map(made),
        Item::LeaveGroup(id) => group_memberships::destroy(world, *id).map(|()| done("delete", *id, "Deleted")),
        Item::JoinOrganization(link) => organization_memberships::join(world, &object(link)).map(made),
        Item::LeaveOrganization(id) => {
            organization_memberships::destroy(world, *id).map(|()| done("delete", *id, "Deleted"))
        }
        Item::UpdateTicket(id, patch) => {
            tickets::update(world, *id, &object(patch)).map(|()| done("update", *id, "Updated"))
        }
    };
    outcome.unwrap_or_else(|refusal| failed(world, item, index, &refusal))
}

fn failed(world: &World, item: &Item, index: usize, refusal: &Reply) -> Value {
    let (error, details) = refusal.summary();
    let (action, id, error) = match item {
        Item::CreateUser(_) | Item::CreateOrUpdateUser(_) => ("create", None, "UserCreateFailed".to_owned()),
        Item::UpdateUser(key, _) => ("update", find(world, key).ok(), "UserUpdateFailed".to_owned()),
        Item::DestroyUser(key) => ("delete", find(world, key).ok(), error),
        Item::JoinGroup(_) | Item::JoinOrganization(_) => ("create", None, error),
        Item::LeaveGroup(id) | Item::LeaveOrganization(id) => ("delete", Some(*id), error),
        Item::UpdateTicket(id, _) => ("update", Some(*id), "TicketUpdateFailed".to_owned()),
    };
    let mut row = json!({"index": index, "action": action, "error": error, "details": details, "success": false});
    if let Some(id) = id {
        row["id"] = json!(id);
    }
    row
}

fn find(world: &World, key: &Key) -> Result<u64, Reply> {
    let id = match key {
        Key::Id(id) => Some(*id),
        Key::External(external_id) => world.external_holder(external_id),
        Key::Missing => None,
    };
    id.filter(|id| world.users.get(id).is_some_and(|user| user.active)).ok_or_else(not_found)
}
