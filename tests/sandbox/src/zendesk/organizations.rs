//! Organizations, and the memberships that domains bring (Zendesk API reference, Organizations).

use super::call::Call;
use super::clock::iso;
use super::paging;
use super::reply::{Answer, Reply, created, invalid, invalid_attribute, invalid_named, not_found, ok};
use super::world::{Kind, Organization, User, World};
use serde_json::{Map, Value, json};

fn view(world: &World, id: u64) -> Value {
    let Some(organization) = world.organizations.get(&id) else { return Value::Null };
    json!({
        "url": world.url(&format!("/organizations/{id}")),
        "id": id,
        "name": organization.name,
        "external_id": organization.external_id,
        "domain_names": organization.domain_names,
        "details": null,
        "notes": null,
        "group_id": null,
        "shared_tickets": false,
        "shared_comments": false,
        "tags": [],
        "organization_fields": {},
        "created_at": iso(organization.created_at),
        "updated_at": iso(organization.updated_at),
    })
}

fn by_name(world: &World, name: &str) -> Option<u64> {
    let name = name.trim().to_lowercase();
    world.organizations.iter().find(|(_, have)| have.name.to_lowercase() == name).map(|(id, _)| *id)
}

fn by_external_id(world: &World, external_id: &str) -> Option<u64> {
    let same = |have: &Organization| have.external_id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(external_id));
    world.organizations.iter().find(|(_, have)| same(have)).map(|(id, _)| *id)
}

/// `"organization": {"name"}` of a new user.
pub(super) fn find_or_create(world: &mut World, name: &str) -> u64 {
    if let Some(id) = by_name(world, name) {
        return id;
    }
    let id = world.fresh_id();
    let (created_at, updated_at) = (world.now, world.now);
    let name = name.trim().to_owned();
    let new = Organization { name, external_id: None, domain_names: Vec::new(), created_at, updated_at };
    world.organizations.insert(id, new);
    id
}

/// A verified email whose domain is mapped brings a membership.
pub(super) fn map_domains(world: &mut World, before: Option<&User>, user: &mut User) {
    let verified_before = |value: &str| {
        before.is_some_and(|before| before.identities.iter().any(|have| have.verified && have.value == value))
    };
    let emails = user.identities.iter().filter(|have| have.kind == Kind::Email && have.verified);
    let domains: Vec<String> = emails
        .filter(|have| !verified_before(&have.value))
        .filter_map(|have| have.value.rsplit('@').next().map(str::to_lowercase))
        .collect();
    let mapped = |organization: &Organization| {
        organization.domain_names.iter().any(|domain| domains.contains(&domain.to_lowercase()))
    };
    let targets: Vec<u64> = world.organizations.iter().filter(|(_, have)| mapped(have)).map(|(id, _)| *id).collect();
    for target in targets {
        let full = !user.organizations.is_empty() && !world.options.plan.many_organizations();
        if full || user.organizations.iter().any(|link| link.target == target) {
            continue;
        }
        let link = world.link(target, user.organizations.is_empty());
        user.organizations.push(link);
    }
}

pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let ids: Vec<u64> = world.organizations.keys().copied().collect();
    paging::list(world, call, "organizations", &ids, |id| view(world, id))
}

pub(super) fn of_user(world: &mut World, call: &Call) -> Answer {
    let mut ids: Vec<u64> = world.user(call.id(0))?.organizations.iter().map(|link| link.target).collect();
    ids.sort_unstable();
    paging::list(world, call, "organizations", &ids, |id| view(world, id))
}

pub(super) fn search(world: &mut World, call: &Call) -> Answer {
    let found = match (call.ask("external_id"), call.ask("name")) {
        (Some(external_id), _) => by_external_id(world, external_id),
        (None, Some(name)) => by_name(world, name),
        (None, None) => return Err(invalid_attribute("external_id", "must be a string")),
    };
    let ids: Vec<u64> = found.into_iter().collect();
    paging::by_offset(world, call, "organizations", &ids, |id| view(world, id))
}

pub(super) fn show_many(world: &mut World, call: &Call) -> Answer {
    let mut ids: Vec<u64> = match (call.csv("ids")?, call.csv("external_ids")?) {
        (Some(ids), _) => ids.iter().filter_map(|id| id.parse().ok()).collect(),
        (None, Some(ids)) => ids.iter().filter_map(|id| by_external_id(world, id)).collect(),
        (None, None) => return Err(invalid_attribute("ids", "must be a list of ids")),
    };
    ids.retain(|id| world.organizations.contains_key(id));
    ids.sort_unstable();
    ids.dedup();
    paging::by_offset(world, call, "organizations", &ids, |id| view(world, id))
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    if !world.organizations.contains_key(&call.id(0)) {
        return Err(not_found());
    }
    ok(json!({"organization": view(world, call.id(0))}))
}

/// Checks and reads the writable attributes into `organization`.
fn set(world: &World, id: u64, organization: &mut Organization, given: &Map<String, Value>) -> Result<(), Reply> {
    if let Some(name) = given.get("name") {
        let name = name.as_str().ok_or_else(|| invalid_attribute("name", "must be a string"))?.trim();
        if by_name(world, name).is_some_and(|holder| holder != id) {
            return Err(invalid_named("name", &format!("Name: {name} has already been taken"), "DuplicateValue"));
        }
        name.clone_into(&mut organization.name);
    }
    if organization.name.is_empty() {
        return Err(invalid("name", "Name: cannot be blank"));
    }
    if let Some(value) = given.get("external_id") {
        let external_id = value.as_str().map(str::to_owned);
        let holder = external_id.as_ref().and_then(|external_id| by_external_id(world, external_id));
        if holder.is_some_and(|holder| holder != id) {
            return Err(invalid_named("external_id", "External has already been taken", "DuplicateValue"));
        }
        organization.external_id = external_id;
    }
    if let Some(domains) = given.get("domain_names").and_then(Value::as_array) {
        // An update overwrites the whole list.
        organization.domain_names = domains.iter().filter_map(|domain| domain.as_str().map(str::to_owned)).collect();
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let given = call.object("organization")?;
    let (created_at, updated_at) = (world.now, world.now);
    let mut new =
        Organization { name: String::new(), external_id: None, domain_names: Vec::new(), created_at, updated_at };
    set(world, 0, &mut new, given)?;
    let id = world.fresh_id();
    world.organizations.insert(id, new);
    created(json!({"organization": view(world, id)}), world.url(&format!("/organizations/{id}")))
}

pub(super) fn update(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    let mut changed = world.organizations.get(&id).cloned().ok_or_else(not_found)?;
    set(world, id, &mut changed, call.object("organization")?)?;
    changed.updated_at = world.now;
    world.organizations.insert(id, changed);
    ok(json!({"organization": view(world, id)}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let id = call.id(0);
    world.organizations.remove(&id).ok_or_else(not_found)?;
    let members = world.users.values().filter(|user| user.organizations.iter().any(|link| link.target == id));
    for member in members.map(|user| user.id).collect::<Vec<_>>() {
        super::organization_memberships::leave(world, member, |link| link.target == id);
    }
    Ok(Reply::empty())
}
