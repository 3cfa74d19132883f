//! A user as the API shows it to an admin (recorded: POST users/create_or_update).

use super::super::account::Role;
use super::super::catalog::locale_id;
use super::super::clock::iso;
use super::super::world::{User, World};
use super::fields;
use serde_json::{Value, json};

/// The user object of that id; null if there is none.
pub(in super::super) fn by_id(world: &World, id: u64) -> Value {
    world.users.get(&id).map_or(Value::Null, |user| show(world, user))
}

pub(in super::super) fn show(world: &World, user: &User) -> Value {
    let profile = &user.profile;
    let role_type = match user.role {
        Role::EndUser => None,
        Role::Admin => Some(4),
        Role::Agent => user.custom_role_id.and_then(|id| world.roles.get(&id)).map(|role| role.role_type),
    };
    let restriction = match user.role {
        Role::EndUser => Some("requested"),
        Role::Agent | Role::Admin => None,
    };
    let locale = profile.locale.as_deref().unwrap_or("en-US");
    let time_zone = profile.time_zone.as_deref().unwrap_or("Arizona");
    let iana = if time_zone == "Arizona" { "America/Phoenix" } else { time_zone };
    json!({
        "id": user.id,
        "url": world.url(&format!("/users/{}", user.id)),
        "name": user.name,
        "email": user.email(),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
        "time_zone": time_zone,
        "iana_time_zone": iana,
        "phone": profile.phone,
        "shared_phone_number": profile.phone.as_ref().map(|_| profile.shared_phone_number),
        "photo": null,
        "locale_id": locale_id(locale),
        "locale": locale,
        "organization_id": user.default_organization(),
        "role": user.role.name(),
        "verified": user.primary().is_some_and(|identity| identity.verified),
        "external_id": user.external_id,
        "tags": user.tags,
        "alias": profile.alias,
        "active": user.active,
        "shared": user.shared,
        "shared_agent": false,
        "last_login_at": null,
        "two_factor_auth_enabled": false,
        "signature": profile.signature,
        "details": profile.details,
        "notes": profile.notes,
        "role_type": role_type,
        "custom_role_id": user.custom_role_id,
        "moderator": profile.moderator,
        "ticket_restriction": profile.ticket_restriction.as_deref().or(restriction),
        "only_private_comments": profile.only_private_comments,
        "restricted_agent": user.role != Role::Admin,
        "suspended": user.suspended,
        "default_group_id": user.default_group(),
        "report_csv": false,
        "user_fields": fields::show(world, user),
    })
}

/// What `users/me` answers without a login: 200, not 401.
pub(in super::super) fn anonymous() -> Value {
    json!({
        "id": null,
        "url": null,
        "name": "Anonymous user",
        "email": "invalid@example.com",
        "created_at": null,
        "updated_at": null,
        "role": "end-user",
        "verified": false,
        "external_id": null,
        "tags": [],
        "active": false,
        "suspended": false,
        "default_group_id": null,
        "user_fields": {},
    })
}
