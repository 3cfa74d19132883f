//! Values of user fields and the tags they bring (Zendesk API reference, User fields; recorded: PUT users).

use super::super::account::FieldState;
use super::super::reply::{Details, Reply, invalid_attribute};
use super::super::world::{User, World};
use serde_json::{Value, json};

/// All fields of the account: an unset checkbox is false, any other unset field null.
pub(super) fn show(world: &World, user: &User) -> Value {
    let value = |field: &FieldState| match user.user_fields.get(&field.key) {
        Some(value) => value.clone(),
        None if field.kind == "checkbox" => json!(false),
        None => Value::Null,
    };
    Value::Object(world.fields.iter().map(|field| (field.key.clone(), value(field))).collect())
}

/// Sets the given values and leaves the others; null clears; unknown keys are ignored.
pub(super) fn set(world: &World, user: &mut User, given: &Value, details: &mut Details) -> Result<(), Reply> {
    let Value::Object(given) = given else {
        return if given.is_null() { Ok(()) } else { Err(invalid_attribute("user_fields", "must be an object")) };
    };
    for field in &world.fields {
        let Some(value) = given.get(&field.key) else { continue };
        match typed(field, value) {
            Some(value) => store(user, field, value),
            None => details.add(&field.key, format!("{}: is not valid", field.key)),
        }
    }
    Ok(())
}

fn store(user: &mut User, field: &FieldState, value: Value) {
    let old = user.user_fields.get(&field.key).map(|value| tags_of(field, value)).unwrap_or_default();
    let new = tags_of(field, &value);
    user.tags.retain(|tag| !old.contains(tag) || new.contains(tag));
    for tag in new {
        if !user.tags.contains(&tag) {
            user.tags.push(tag);
        }
    }
    if value.is_null() || value == json!(false) {
        user.user_fields.remove(&field.key);
    } else {
        user.user_fields.insert(field.key.clone(), value);
    }
}

/// The value as it is stored, null to clear it, or none if it does not fit the type.
fn typed(field: &FieldState, value: &Value) -> Option<Value> {
    if value.is_null() || value.as_str() == Some("") {
        return Some(Value::Null);
    }
    match field.kind.as_str() {
        "checkbox" => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => text.parse::<bool>().ok().map(Value::from),
            _ => None,
        },
        "integer" => value.as_i64().or_else(|| value.as_str()?.parse().ok()).map(Value::from),
        "decimal" => value.as_f64().or_else(|| value.as_str()?.parse().ok()).map(Value::from),
        "date" => midnight(value.as_str()?).map(Value::from),
        "dropdown" => field.options.iter().any(|option| value == option).then(|| value.clone()),
        "multiselect" => {
            let chosen = value.as_array()?;
            let known = chosen.iter().all(|one| field.options.iter().any(|option| one == option));
            known.then(|| value.clone())
        }
        _ => value.as_str().map(Value::from),
    }
}

/// Recorded: `2020-08-19T20:50:04.000Z` comes back as `2020-08-19T00:00:00+00:00`.
fn midnight(text: &str) -> Option<String> {
    let date = text.get(..10)?;
    super::super::clock::parse_iso(&format!("{date}T00:00:00Z"))?;
    Some(format!("{date}T00:00:00+00:00"))
}

fn tags_of(field: &FieldState, value: &Value) -> Vec<String> {
    match (field.kind.as_str(), value) {
        ("checkbox", Value::Bool(true)) => field.tag.iter().cloned().collect(),
        ("dropdown", Value::String(option)) => vec![option.clone()],
        ("multiselect", Value::Array(options)) => {
            options.iter().filter_map(|option| option.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// A field whose tag was taken away loses its value: tags and fields cannot disagree.
pub(in super::super) fn follow_tags(world: &World, user: &mut User) {
    for field in &world.fields {
        let Some(value) = user.user_fields.get(&field.key) else { continue };
        let lost = tags_of(field, value).into_iter().any(|tag| !user.tags.contains(&tag));
        if lost {
            user.user_fields.remove(&field.key);
        }
    }
}
