//! Answers as they were recorded, re-created with invented values, read by `wire`.

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::domain::account::{Existence, ObservedAccount, Suspended, Verified};
use crate::domain::assignment::Role;
use crate::domain::id::{CustomRoleId, Email, GroupId};
use crate::domain::mapping::Field;
use crate::zendesk::wire::{Group, GroupMembership, Identity, ManyUsers, OneUser, User};

fn read<T: DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn observed(value: serde_json::Value) -> ObservedAccount {
    read::<User>(value).observed(std::collections::BTreeSet::new(), &[]).unwrap()
}

/// A whole user as an answer to a creation has it (recorded: POST users/create_or_update).
fn created() -> serde_json::Value {
    json!({
        "id": 421941820731_u64, "url": "https://acme.zendesk.com/api/v2/users/421941820731.json", "name": "Kim Doe",
        "email": "Kim@Example.org", "created_at": "2021-11-15T23:20:11Z", "updated_at": "2021-11-15T23:20:11Z",
        "time_zone": "Arizona", "iana_time_zone": "America/Phoenix", "phone": null, "shared_phone_number": null,
        "photo": null, "locale_id": 1, "locale": "en-US", "organization_id": null, "role": "end-user",
        "verified": true, "external_id": "Kim123", "tags": [], "alias": null, "active": true, "shared": false,
        "shared_agent": false, "last_login_at": null, "two_factor_auth_enabled": false, "signature": null,
        "details": null, "notes": null, "role_type": null, "custom_role_id": null, "moderator": false,
        "ticket_restriction": "requested", "only_private_comments": false, "restricted_agent": true,
        "suspended": false, "default_group_id": null, "report_csv": false,
        "user_fields": {"checkbox_field": false, "date_field": null, "numeric_field": 3039}
    })
}

#[test]
fn a_created_user_is_read() {
    let answer: OneUser = read(json!({"user": created()}));
    let account = answer.user.unwrap().observed(Default::default(), &[]).unwrap();
    assert_eq!(account.id.0, 421_941_820_731);
    assert_eq!(account.name, "Kim Doe");
    assert_eq!(account.email, Some(Email::parse("kim@example.org").unwrap()));
    assert_eq!(account.emails.len(), 1, "the primary address is one of them");
    assert_eq!(account.external_id.unwrap().as_str(), "Kim123");
    assert_eq!((account.verified, account.suspended), (Verified::Yes, Suspended::No));
    assert_eq!((account.role, account.existence), (Role::EndUser, Existence::Live));
    assert!(account.texts.is_empty() && account.tags.is_empty());
}

#[test]
fn a_deleted_user_is_read_as_deleted() {
    // Recorded: DELETE of a user, and GET of a deleted one, answer 200 with these.
    let mut value = created();
    for (key, gone) in
        [("email", json!(null)), ("external_id", json!(null)), ("verified", json!(false)), ("active", json!(false))]
    {
        value[key] = gone;
    }
    let account = observed(value);
    assert_eq!(account.existence, Existence::Deleted);
    assert_eq!((account.email, account.external_id, account.emails.len()), (None, None, 0));
}

#[test]
fn null_absent_and_empty_are_the_same() {
    let mut cleared = created();
    cleared["alias"] = json!("");
    cleared["notes"] = json!("");
    let bare = json!({
        "id": 421941820731_u64, "name": "Kim Doe", "email": "kim@example.org", "role": "end-user", "verified": true,
        "external_id": "kim123", "active": true, "suspended": false
    });
    assert_eq!(observed(cleared), observed(created()), "an alias that was cleared comes back as \"\"");
    assert_eq!(observed(bare), observed(created()), "ids that differ in case only are the same");
}

#[test]
fn an_agents_fields_groups_and_roles_are_read() {
    let mut value = created();
    for (key, text) in [("alias", "K"), ("phone", "+4930"), ("details", "d"), ("notes", "n"), ("signature", "s")] {
        value[key] = json!(text);
    }
    value["role"] = json!("agent");
    value["custom_role_id"] = json!(77);
    value["tags"] = json!(["existing", "here", "checkedbox"]);
    value["suspended"] = json!(true);
    // Recorded: POST group_memberships.
    let memberships: Vec<GroupMembership> = read(json!([
        {"url": "https://acme.zendesk.com/api/v2/group_memberships/1.json", "id": 1, "user_id": 421941820731_u64,
         "group_id": 5, "default": false, "created_at": "2015-12-30T01:37:41Z", "updated_at": "2015-12-30T01:37:41Z"},
        {"id": 2, "user_id": 421941820731_u64, "group_id": 6, "default": true}
    ]));
    let account = read::<User>(value.clone()).observed(Default::default(), &memberships).unwrap();
    assert_eq!(account.groups, [GroupId(5), GroupId(6)].into());
    assert_eq!(account.default_group, Some(GroupId(6)));
    assert_eq!(account.custom_role, Some(CustomRoleId(77)));
    assert_eq!(account.suspended, Suspended::Yes);
    assert_eq!(account.text(Field::Phone), "+4930");
    assert_eq!(account.texts.len(), 5);
    assert_eq!(account.tags.len(), 3);
    value["role"] = json!("end-user");
    let end_user = read::<User>(value).observed(Default::default(), &memberships).unwrap();
    assert!(end_user.groups.is_empty(), "end users are in no groups");
    assert_eq!((end_user.default_group, end_user.custom_role), (None, None));
}

#[test]
fn a_search_is_read() {
    let none: ManyUsers = read(json!({"users": [], "next_page": null, "previous_page": null, "count": 0}));
    assert!(none.users.unwrap().is_empty());
    let one: ManyUsers = read(json!({"users": [created()], "next_page": null, "count": 1}));
    assert_eq!(one.users.unwrap().len(), 1);
}

#[test]
fn identities_are_read() {
    // Recorded: GET users/ID/identities.
    let identities: Vec<Identity> = read(json!([
        {"url": "u", "id": 390986545211_u64, "user_id": 7, "type": "email", "value": "Kim@example.org", "verified": true,
         "primary": true, "undeliverable_count": 0, "deliverable_state": "deliverable"},
        {"id": 390986545212_u64, "user_id": 7, "type": "phone_number", "value": "+4930", "primary": false},
        {"id": 390986545213_u64, "user_id": 7, "type": "email", "value": "not an address"}
    ]));
    let emails: Vec<_> = identities.iter().map(Identity::email).collect();
    assert_eq!(emails, [Some(Email::parse("kim@example.org").unwrap()), None, None]);
    assert!(identities[0].is_primary() && !identities[1].is_primary());
}

#[test]
fn a_deleted_group_is_left_out() {
    // Recorded: GET of a deleted group answers 200 with deleted true.
    let gone: Group = read(json!({"id": 5, "name": "My Group", "deleted": true, "created_at": "2015-12-30T01:37:46Z"}));
    assert_eq!(gone.live(), None);
    let live: Group = read(json!({"id": 5, "name": "My Group"}));
    assert_eq!(live.live(), Some((GroupId(5), "My Group")));
}

#[test]
fn a_user_without_id_or_with_a_strange_role_is_not_made_up() {
    for (key, value) in [("id", json!(null)), ("id", json!(0)), ("role", json!(null)), ("role", json!("superuser"))] {
        let mut user = created();
        user[key] = value.clone();
        assert!(read::<User>(user).observed(Default::default(), &[]).is_err(), "{key} {value}");
    }
}

#[test]
fn ids_that_are_no_numbers_and_repeated_keys_are_refused() {
    for text in [
        r#"{"id":"7"}"#,
        r#"{"id":7.5}"#,
        r#"{"id":-7}"#,
        r#"{"id":1e999}"#,
        r#"{"id":18446744073709551616}"#,
        r#"{"id":7,"id":8}"#,
        r#"{"name":"\ud800"}"#,
        r#"[7,"Kim"]"#,
    ] {
        assert!(serde_json::from_str::<User>(text).is_err(), "{text}");
    }
    let deep = format!(r#"{{"unheard_of":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(serde_json::from_str::<User>(&deep).is_err(), "depth is limited");
}
