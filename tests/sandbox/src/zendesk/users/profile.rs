//! Attributes of a user that are only stored: names, texts, locale, phone.

use super::super::account::Profile;
use super::super::catalog::{locale_by_id, supported_locale};
use super::super::reply::{Details, Reply, invalid_attribute};
use super::super::world::{Kind, User, World};
use serde_json::{Map, Value};

/// Sets the given attributes; null clears, and a cleared alias reads back as "".
pub(super) fn set(
    world: &mut World,
    user: &mut User,
    given: &Map<String, Value>,
    details: &mut Details,
) -> Result<(), Reply> {
    if let Some(name) = text(given, "name")? {
        user.name = name.unwrap_or_default().trim().to_owned();
        if user.name.is_empty() {
            details.add("name", "Name: is too short (minimum is 1 characters)".to_owned());
        }
    }
    let Profile { alias, details: notice, notes, signature, time_zone, ticket_restriction, .. } = &mut user.profile;
    if let Some(value) = text(given, "alias")? {
        // Recorded: PUT users with "alias": null.
        *alias = Some(value.unwrap_or_default());
    }
    let texts = [("details", notice), ("notes", notes), ("signature", signature)];
    for (key, slot) in texts {
        if let Some(value) = text(given, key)? {
            *slot = value;
        }
    }
    for key in ["time_zone", "iana_time_zone"] {
        if let Some(value) = text(given, key)? {
            *time_zone = value;
        }
    }
    if let Some(value) = text(given, "ticket_restriction")? {
        let known = ["organization", "groups", "assigned", "requested"];
        if value.as_deref().is_some_and(|value| !known.contains(&value)) {
            details.add("ticket_restriction", "Ticket restriction: is not included in the list".to_owned());
        }
        *ticket_restriction = value;
    }
    if let Some(value) = text(given, "locale")? {
        // An unsupported locale falls back to the account's.
        user.profile.locale = value.filter(|locale| supported_locale(locale));
    }
    if let Some(value) = given.get("locale_id") {
        user.profile.locale = value.as_u64().and_then(locale_by_id).map(str::to_owned);
    }
    for (key, slot) in
        [("moderator", &mut user.profile.moderator), ("only_private_comments", &mut user.profile.only_private_comments)]
    {
        if let Some(value) = flag(given, key)? {
            *slot = value;
        }
    }
    if let Some(value) = flag(given, "suspended")? {
        user.suspended = value;
    }
    if let Some(phone) = text(given, "phone")? {
        set_phone(world, user, phone.filter(|phone| !phone.is_empty()));
    }
    Ok(())
}

/// A number that nobody else has is a direct line, with an identity; any other is shared, without one.
fn set_phone(world: &mut World, user: &mut User, phone: Option<String>) {
    let Some(phone) = phone else {
        user.profile.phone = None;
        user.profile.shared_phone_number = false;
        return;
    };
    let holder = world.phone_holder(&phone);
    user.profile.shared_phone_number = holder.is_some_and(|holder| holder != user.id);
    if holder.is_none() && !user.identities.iter().any(|identity| identity.value == phone) {
        let identity = world.identity(Kind::Phone, &phone, true, false);
        user.identities.push(identity);
    }
    user.profile.phone = Some(phone);
}

/// A string attribute: absent, null, or its text.
pub(super) fn text(given: &Map<String, Value>, key: &str) -> Result<Option<Option<String>>, Reply> {
    match given.get(key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(_) => Err(invalid_attribute(key, "must be a string")),
    }
}

/// A boolean attribute; null leaves it.
pub(super) fn flag(given: &Map<String, Value>, key: &str) -> Result<Option<bool>, Reply> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(invalid_attribute(key, "must be a boolean")),
    }
}
