//! Tags of a user: POST sets, PUT adds, DELETE removes (Zendesk API reference, Tags).

use super::call::Call;
use super::reply::{Answer, Reply, invalid_attribute, ok};
use super::users::fields::follow_tags;
use super::world::World;
use serde_json::{Value, json};

/// Tags from an array, or from text with commas or spaces; lower case, each once.
pub(super) fn read(value: &Value) -> Result<Vec<String>, Reply> {
    let words: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::Array(values) => {
            let word = |value: &Value| value.as_str().map(str::to_owned);
            let words: Option<Vec<String>> = values.iter().map(word).collect();
            words.ok_or_else(|| invalid_attribute("tags", "must be an array of strings"))?
        }
        Value::String(text) => text.split([',', ' ']).map(str::to_owned).collect(),
        _ => return Err(invalid_attribute("tags", "must be an array of strings")),
    };
    let mut tags: Vec<String> = Vec::new();
    for word in words {
        let tag = word.trim().to_lowercase().replace(' ', "_");
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// Recorded: kept tags stay where they were, new ones come after them.
pub(super) fn replaced(old: &[String], new: &[String]) -> Vec<String> {
    let kept = old.iter().filter(|tag| new.contains(tag));
    let added = new.iter().filter(|tag| !old.contains(tag));
    kept.chain(added).cloned().collect()
}

fn change(world: &mut World, call: &Call, status: u16, set: fn(&[String], &[String]) -> Vec<String>) -> Answer {
    let mut user = world.active_user(call.id(0))?.clone();
    let given = match (&call.body["tags"], call.ask("tags")) {
        (Value::Null, Some(text)) => read(&json!(text))?,
        (Value::Null, None) => return Err(invalid_attribute("tags", "must be an array of strings")),
        (value, _) => read(value)?,
    };
    user.tags = set(&user.tags, &given);
    follow_tags(world, &mut user);
    let body = json!({"tags": user.tags});
    world.put(user);
    Ok(Reply::json(status, body))
}

pub(super) fn show(world: &mut World, call: &Call) -> Answer {
    ok(json!({"tags": world.user(call.id(0))?.tags}))
}

pub(super) fn set(world: &mut World, call: &Call) -> Answer {
    change(world, call, 201, replaced)
}

pub(super) fn add(world: &mut World, call: &Call) -> Answer {
    change(world, call, 200, |old, new| {
        old.iter().chain(new.iter().filter(|tag| !old.contains(tag))).cloned().collect()
    })
}

pub(super) fn remove(world: &mut World, call: &Call) -> Answer {
    change(world, call, 200, |old, gone| old.iter().filter(|tag| !gone.contains(tag)).cloned().collect())
}
