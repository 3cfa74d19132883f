//! Identities of a user (Zendesk API reference, User identities; recorded: identities, make_primary).

use super::call::Call;
use super::clock::iso;
use super::organizations;
use super::reply::{Answer, Reply, created, invalid, invalid_attribute, invalid_named, not_found, ok};
use super::world::{Identity, Kind, User, World};
use serde_json::{Value, json};

/// One `@`, a dotted domain, no spaces.
pub(super) fn well_formed(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let labels_filled = domain.split('.').all(|label| !label.is_empty());
    let clean =
        !email.chars().any(|letter| letter.is_whitespace() || letter.is_control() || ",;<>\"()".contains(letter));
    !local.is_empty() && domain.contains('.') && labels_filled && clean && !domain.contains('@')
}

fn view(world: &World, user: u64, identity: &Identity) -> Value {
    let kind = match identity.kind {
        Kind::Email => "email",
        Kind::Phone => "phone_number",
    };
    let mut row = json!({
        "url": world.url(&format!("/users/{user}/identities/{}", identity.id)),
        "id": identity.id,
        "user_id": user,
        "type": kind,
        "value": identity.value,
        "verified": identity.verified,
        "primary": identity.primary,
        "created_at": iso(identity.created_at),
        "updated_at": iso(identity.updated_at),
    });
    if identity.kind == Kind::Email {
        row["undeliverable_count"] = json!(0);
        row["deliverable_state"] = json!("deliverable");
    }
    row
}

/// The whole collection, the primary one first.
fn collection(world: &World, user: &User) -> Answer {
    let mut identities: Vec<&Identity> = user.identities.iter().collect();
    identities.sort_by_key(|identity| !identity.primary);
    let rows: Vec<Value> = identities.iter().map(|identity| view(world, user.id, identity)).collect();
    ok(json!({"count": rows.len(), "next_page": null, "previous_page": null, "identities": rows}))
}

fn one(world: &World, user: u64, identity: u64) -> Answer {
    let found = world.user(user)?.identities.iter().find(|have| have.id == identity).ok_or_else(not_found)?;
    ok(json!({"identity": view(world, user, found)}))
}

pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?;
    collection(world, user)
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    one(world, call.id(0), call.id(1))
}

pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let before = world.active_user(call.id(0))?.clone();
    let given = call.object("identity")?;
    let value = given.get("value").and_then(Value::as_str).unwrap_or_default();
    let kind = match given.get("type").and_then(Value::as_str) {
        Some("email") => Kind::Email,
        Some("phone_number") => Kind::Phone,
        _ => return Err(invalid_attribute("type", "must be email or phone_number")),
    };
    check(world, kind, value)?;
    let verified = given.get("verified").and_then(Value::as_bool).unwrap_or(false);
    let primary = kind == Kind::Email && before.primary().is_none();
    let identity = world.identity(kind, value, verified, primary);
    let id = identity.id;
    let mut user = before.clone();
    user.identities.push(identity);
    organizations::map_domains(world, Some(&before), &mut user);
    world.put(user);
    let location = world.url(&format!("/users/{}/identities/{id}", call.id(0)));
    one(world, call.id(0), id).and_then(|reply| match reply.body {
        super::reply::Body::Json(body) => created(body, location),
        super::reply::Body::Empty | super::reply::Body::Text(_) => Err(not_found()),
    })
}

fn check(world: &World, kind: Kind, value: &str) -> Result<(), Reply> {
    let holder = match kind {
        Kind::Email if !well_formed(value) => {
            return Err(invalid("value", &format!("Value: {value} is not properly formatted")));
        }
        Kind::Email => world.email_holder(value),
        Kind::Phone => world.phone_holder(value),
    };
    if holder.is_none() {
        return Ok(());
    }
    // Recorded: POST identities with an email that another user has.
    let text = format!("Value: {value} is already being used by another user");
    Err(invalid_named("value", &text, "DuplicateValue"))
}

/// `value` and `verified` can change, `primary` can't.
pub(super) fn update(world: &mut World, call: &Call) -> Answer {
    let before = world.active_user(call.id(0))?.clone();
    let given = call.object("identity")?;
    let mut user = before.clone();
    let now = world.now;
    let identity = user.identities.iter_mut().find(|have| have.id == call.id(1)).ok_or_else(not_found)?;
    if let Some(value) = given.get("value") {
        let value = value.as_str().ok_or_else(|| invalid_attribute("value", "must be a string"))?;
        if !value.eq_ignore_ascii_case(&identity.value) {
            check(world, identity.kind, value)?;
        }
        value.clone_into(&mut identity.value);
    }
    if let Some(verified) = given.get("verified") {
        identity.verified = verified.as_bool().ok_or_else(|| invalid_attribute("verified", "must be a boolean"))?;
    }
    identity.updated_at = now;
    if given.contains_key("primary") {
        world.ignored.push("primary".to_owned());
    }
    organizations::map_domains(world, Some(&before), &mut user);
    world.put(user);
    one(world, call.id(0), call.id(1))
}

pub(super) fn verify(world: &mut World, call: &Call) -> Answer {
    let before = world.active_user(call.id(0))?.clone();
    let mut user = before.clone();
    user.identities.iter_mut().find(|have| have.id == call.id(1)).ok_or_else(not_found)?.verified = true;
    organizations::map_domains(world, Some(&before), &mut user);
    world.put(user);
    one(world, call.id(0), call.id(1))
}

/// Answers the whole collection.
pub(super) fn make_primary(world: &mut World, call: &Call) -> Answer {
    let mut user = world.active_user(call.id(0))?.clone();
    let chosen = user.identities.iter().find(|have| have.id == call.id(1)).ok_or_else(not_found)?;
    if chosen.kind != Kind::Email {
        return Err(invalid("base", "Only an email can be the primary identity"));
    }
    for identity in user.identities.iter_mut().filter(|identity| identity.kind == Kind::Email) {
        identity.primary = identity.id == call.id(1);
        identity.updated_at = world.now;
    }
    world.put(user);
    list(world, call)
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let mut user = world.active_user(call.id(0))?.clone();
    let chosen = user.identities.iter().find(|have| have.id == call.id(1)).ok_or_else(not_found)?;
    if chosen.primary {
        return Err(invalid("base", "The primary identity cannot be deleted"));
    }
    user.identities.retain(|identity| identity.id != call.id(1));
    world.put(user);
    Ok(Reply::empty())
}
