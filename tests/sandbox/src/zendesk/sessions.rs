//! Sessions of a user (Zendesk API reference, Sessions).

use super::call::Call;
use super::clock::iso;
use super::reply::{Answer, Reply, ok};
use super::world::World;
use serde_json::{Value, json};

pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let user = world.user(call.id(0))?;
    let row = |id: &u64| {
        json!({
            "id": id,
            "user_id": user.id,
            "url": world.url(&format!("/users/{}/sessions/{id}", user.id)),
            "authenticated_at": iso(user.created_at),
            "last_seen_at": iso(world.now),
        })
    };
    let rows: Vec<Value> = user.sessions.iter().map(row).collect();
    ok(json!({"count": rows.len(), "next_page": null, "previous_page": null, "sessions": rows}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let mut user = world.active_user(call.id(0))?.clone();
    user.sessions.clear();
    // Ending sessions is not a change of the user.
    world.place(user);
    Ok(Reply::empty())
}
