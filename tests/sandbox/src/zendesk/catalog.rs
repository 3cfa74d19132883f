//! What a client looks up once: custom roles, user fields, locales, the account.

use super::account::{FieldState, RoleState};
use super::call::Call;
use super::clock::iso;
use super::paging;
use super::reply::{Answer, Reply, forbidden, invalid_endpoint, not_found, ok};
use super::world::World;
use serde_json::{Value, json};

/// Locales the account allows, by id.
const LOCALES: &[(u64, &str, &str)] = &[
    (1, "en-US", "English"),
    (2, "es", "Español"),
    (5, "en-GB", "English (UK)"),
    (8, "de", "Deutsch"),
    (16, "fr", "Français"),
    (67, "ja", "日本語"),
];

/// The id of a locale; the account's own if it is unknown.
pub(super) fn locale_id(locale: &str) -> u64 {
    LOCALES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(locale)).map_or(1, |(id, ..)| *id)
}

pub(super) fn locale_by_id(wanted: u64) -> Option<&'static str> {
    LOCALES.iter().find(|(id, ..)| *id == wanted).map(|(_, name, _)| *name)
}

pub(super) fn supported_locale(locale: &str) -> bool {
    LOCALES.iter().any(|(_, name, _)| name.eq_ignore_ascii_case(locale))
}

fn check_plan(world: &World) -> Result<(), Reply> {
    if world.options.plan.custom_roles() {
        return Ok(());
    }
    Err(forbidden("Custom roles are not available on this plan"))
}

fn role_view(world: &World, role: &RoleState) -> Value {
    json!({
        "id": role.id,
        "name": role.name,
        "description": "",
        "role_type": role.role_type,
        "team_member_count": world.users.values().filter(|user| user.custom_role_id == Some(role.id)).count(),
        "configuration": {},
        "created_at": iso(0),
        "updated_at": iso(0),
    })
}

pub(super) fn roles(world: &mut World, _: &Call) -> Answer {
    check_plan(world)?;
    let rows: Vec<Value> = world.roles.values().map(|role| role_view(world, role)).collect();
    ok(json!({"count": rows.len(), "next_page": null, "previous_page": null, "custom_roles": rows}))
}

pub(super) fn role(world: &mut World, call: &Call) -> Answer {
    check_plan(world)?;
    let role = world.roles.get(&call.id(0)).ok_or_else(not_found)?;
    ok(json!({"custom_role": role_view(world, role)}))
}

fn field_view(world: &World, field: &FieldState) -> Value {
    let option = |(n, value): (usize, &String)| json!({"id": n + 1, "name": value, "raw_name": value, "value": value});
    let mut row = json!({
        "url": world.url(&format!("/user_fields/{}", field.id)),
        "id": field.id,
        "key": field.key,
        "type": field.kind,
        "title": field.key,
        "description": "",
        "active": true,
        "system": false,
        "position": 0,
        "tag": field.tag,
        "regexp_for_validation": null,
        "created_at": iso(0),
        "updated_at": iso(0),
    });
    if matches!(field.kind.as_str(), "dropdown" | "multiselect") {
        row["custom_field_options"] = field.options.iter().enumerate().map(option).collect();
    }
    row
}

pub(super) fn fields(world: &mut World, call: &Call) -> Answer {
    let mut ids: Vec<u64> = world.fields.iter().map(|field| field.id).collect();
    ids.sort_unstable();
    let row = |id| world.fields.iter().find(|field| field.id == id).map(|field| field_view(world, field));
    paging::list(world, call, "user_fields", &ids, |id| json!(row(id)))
}

pub(super) fn field(world: &mut World, call: &Call) -> Answer {
    let field = world.fields.iter().find(|field| field.id == call.id(0)).ok_or_else(not_found)?;
    ok(json!({"user_field": field_view(world, field)}))
}

pub(super) fn locales(world: &mut World, _: &Call) -> Answer {
    let row = |(id, locale, name): &(u64, &str, &str)| {
        json!({
            "id": id,
            "url": world.url(&format!("/locales/{locale}")),
            "locale": locale,
            "name": name,
            "native_name": name,
            "presentation_name": name,
            "rtl": false,
            "default": *id == 1,
            "created_at": iso(0),
            "updated_at": iso(0),
        })
    };
    let rows: Vec<Value> = LOCALES.iter().map(row).collect();
    ok(json!({"count": rows.len(), "next_page": null, "previous_page": null, "locales": rows}))
}

pub(super) fn settings(world: &mut World, _: &Call) -> Answer {
    let plan = world.options.plan;
    ok(json!({"settings": {
        "active_features": {"user_tagging": true, "user_org_fields": true},
        "limits": {"attachment_size": 52_428_800},
        "localization": {"locale_ids": LOCALES.iter().map(|(id, ..)| id).collect::<Vec<_>>()},
        "groups": {"check_group_name_uniqueness": false},
        "user": {
            "tagging": true,
            "time_zone_selection": true,
            "language_selection": true,
            "multiple_organizations": plan.many_organizations(),
            "have_gravatars_enabled": false,
        },
    }}))
}

/// In use by Zendesk's own clients, but in no published reference: a product must do without it.
pub(super) fn account(world: &mut World, _: &Call) -> Answer {
    if !world.options.account_route {
        return Err(invalid_endpoint());
    }
    ok(json!({"account": {
        "id": 1_000_001,
        "url": world.base,
        "name": "Sandbox",
        "subdomain": "sandbox",
        "time_zone": "Arizona",
        "owner_id": world.owner,
        "sandbox": true,
    }}))
}
