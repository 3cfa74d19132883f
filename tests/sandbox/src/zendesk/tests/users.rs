//! Users: creation, update, search, lists, deletion.

use super::super::{Account, FieldState, Options, UserState};
use super::client::{desk, relaxed, seeded};
use serde_json::{Value, json};

/// Recorded: the keys of a user.
const KEYS: &[&str] = &[
    "active",
    "alias",
    "created_at",
    "custom_role_id",
    "default_group_id",
    "details",
    "email",
    "external_id",
    "iana_time_zone",
    "id",
    "last_login_at",
    "locale",
    "locale_id",
    "moderator",
    "name",
    "notes",
    "only_private_comments",
    "organization_id",
    "phone",
    "photo",
    "report_csv",
    "restricted_agent",
    "role",
    "role_type",
    "shared",
    "shared_agent",
    "shared_phone_number",
    "signature",
    "suspended",
    "tags",
    "ticket_restriction",
    "time_zone",
    "two_factor_auth_enabled",
    "updated_at",
    "url",
    "user_fields",
    "verified",
];

#[tokio::test]
async fn a_created_user_has_the_recorded_shape_and_a_location() {
    let desk = desk(relaxed()).await;
    let user =
        json!({"verified": true, "name": "John Doe", "email": "john@demo.com", "external_id": "john1", "tags": []});
    let got = desk.call("POST", "/users/create_or_update.json", json!({"user": user})).await;
    assert_eq!(got.status, 201);
    let user = &got.json()["user"];
    assert_eq!(got.header("location"), user["url"].as_str());
    assert_eq!(user.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS.iter().collect::<Vec<_>>());
    assert_eq!((&user["role"], &user["ticket_restriction"]), (&json!("end-user"), &json!("requested")));
    assert_eq!(
        (&user["alias"], &user["verified"], &user["restricted_agent"]),
        (&Value::Null, &json!(true), &json!(true))
    );
    assert_eq!(got.header("x-zendesk-api-version"), Some("v2"));
}

#[tokio::test]
async fn validation_errors_have_their_recorded_wording() {
    let desk = desk(relaxed()).await;
    desk.create(json!({"name": "Ann", "email": "ann@example.org", "external_id": "A1"})).await;
    let post = |user: Value| desk.call("POST", "/users", json!({"user": user}));
    let got = post(json!({"name": "Bad", "email": "badmail"})).await;
    assert_eq!(got.status, 422);
    let details = json!({"email": [{"description": "Email: badmail is not properly formatted"}]});
    let body = json!({"error": "RecordInvalid", "description": "Record validation errors", "details": details});
    assert_eq!(got.json(), body);
    let got = post(json!({"name": "Ann", "email": "ANN@example.org"})).await;
    let description = "Email: ANN@example.org is already being used by another user";
    assert_eq!(got.json()["details"]["email"], json!([{"description": description, "error": "DuplicateValue"}]));
    let got = post(json!({"name": "Ann", "external_id": "a1"})).await;
    assert_eq!(got.status, 422, "external ids are compared without case");
    let got = post(json!({"name": ""})).await;
    assert_eq!(got.json()["details"]["name"][0]["description"], "Name: is too short (minimum is 1 characters)");
    assert_eq!(post(json!({"email": "x@example.org"})).await.status, 422);
    assert_eq!(desk.running.state().users.len(), 3);
}

#[tokio::test]
async fn a_create_is_not_idempotent() {
    let desk = desk(relaxed()).await;
    let first = desk.create(json!({"name": "Twin"})).await;
    assert_ne!(first, desk.create(json!({"name": "Twin"})).await);
}

#[tokio::test]
async fn create_or_update_adopts_by_email_and_refuses_split_keys() {
    let desk = desk(relaxed()).await;
    let ann = desk.create(json!({"name": "Ann", "email": "ann@example.org"})).await;
    let upsert = |user: Value| desk.call("POST", "/users/create_or_update", json!({"user": user}));
    let got = upsert(json!({"name": "Ann", "email": "ann@example.org", "external_id": "X1"})).await;
    assert_eq!((got.status, &got.json()["user"]["id"]), (200, &json!(ann)));
    let got = upsert(json!({"external_id": "x1", "name": "Ann"})).await;
    assert_eq!(got.json()["user"]["external_id"], "x1", "stored in the case last used to find it");
    desk.create(json!({"name": "Bob", "email": "bob@example.org"})).await;
    let got = upsert(json!({"external_id": "x1", "email": "bob@example.org"})).await;
    assert_eq!(got.status, 422);
}

#[tokio::test]
async fn an_email_in_an_update_becomes_a_secondary_identity() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann", "email": "ann@example.org", "verified": true})).await;
    let got = desk.put(id, json!({"email": "new@example.org"})).await;
    assert_eq!((got.status, &got.json()["user"]["email"]), (200, &json!("ann@example.org")));
    let state = desk.running.state();
    let ann = state.user_by_id(id).unwrap();
    assert_eq!(
        (ann.emails.as_slice(), ann.unverified.as_slice()),
        (&["new@example.org".to_owned()][..], &["new@example.org".to_owned()][..])
    );
    assert_eq!(desk.put(id, json!({"email": "new@example.org", "verified": true})).await.status, 200);
    assert!(desk.running.state().user_by_id(id).unwrap().unverified.is_empty());
}

#[tokio::test]
async fn an_update_with_a_taken_email_fails_as_a_whole() {
    let desk = desk(relaxed()).await;
    desk.create(json!({"name": "Bob", "email": "bob@example.org"})).await;
    let id = desk.create(json!({"name": "Ann"})).await;
    assert_eq!(desk.put(id, json!({"name": "Anna", "email": "bob@example.org"})).await.status, 422);
    assert_eq!(desk.user(id).await["name"], "Ann");
}

#[tokio::test]
async fn unknown_attributes_are_ignored_with_a_warning_and_wrong_types_refused() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann"})).await;
    let got = desk.put(id, json!({"favourite": "tea", "alias": null})).await;
    assert!(got.header("x-zendesk-api-warn").unwrap().contains("favourite"));
    assert_eq!(got.json()["user"]["alias"], "");
    let got = desk.put(id, json!({"notes": 7})).await;
    let message = "You passed an invalid value for the notes attribute. must be a string";
    assert_eq!((got.status, got.json()), (400, json!({"error": {"title": "Invalid attribute", "message": message}})));
}

#[tokio::test]
async fn a_soft_deletion_frees_email_and_external_id_at_once() {
    let desk = desk(relaxed()).await;
    let user = json!({"name": "Ann", "email": "ann@example.org", "external_id": "a1", "verified": true});
    let old = desk.create(user.clone()).await;
    let got = desk.call("DELETE", &format!("/users/{old}"), Value::Null).await;
    assert_eq!(got.status, 200);
    let gone = &got.json()["user"];
    assert_eq!(
        (&gone["active"], &gone["email"], &gone["external_id"], &gone["verified"]),
        (&json!(false), &Value::Null, &Value::Null, &json!(false))
    );
    assert_eq!(desk.user(old).await["active"], false, "200, not 404");
    assert_ne!(desk.create(user).await, old);
    assert_eq!(desk.put(old, json!({"name": "Back"})).await.status, 404);
    assert_eq!(desk.get("/deleted_users").await.json()["count"], 1);
    assert_eq!(desk.call("DELETE", &format!("/deleted_users/{old}"), Value::Null).await.status, 200);
    assert_eq!(desk.get(&format!("/users/{old}")).await.json()["error"], "RecordNotFound");
}

#[tokio::test]
async fn a_soft_deletion_is_final_after_thirty_days() {
    let mut desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann"})).await;
    desk.call("DELETE", &format!("/users/{id}"), Value::Null).await;
    desk.advance(30 * 86_400);
    desk.auth = Some(desk.token("read write").await);
    assert_eq!(desk.get(&format!("/users/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_requester_of_open_tickets_and_a_shared_user_are_protected() {
    let requester = UserState { id: 71, name: "Ann".into(), requested_tickets: 2, ..UserState::default() };
    let shared = UserState { id: 72, name: "Partner".into(), shared: true, ..UserState::default() };
    let desk = desk(seeded(vec![requester, shared])).await;
    let got = desk.call("DELETE", "/users/71", Value::Null).await;
    assert_eq!(
        got.json()["details"]["base"][0]["description"],
        "User is requester on 2 ticket(s) that are not closed."
    );
    assert_eq!(desk.get("/users/71/related").await.json()["user_related"]["requested_tickets"], 2);
    assert_eq!(desk.put(72, json!({"name": "Mine"})).await.status, 403);
}

#[tokio::test]
async fn search_by_external_id_is_exact_and_by_query_lags() {
    let desk = desk(Options { index_lag_s: 60, ..relaxed() }).await;
    let got = desk.get("/users/search?external_id=nobody").await.json();
    assert_eq!(got, json!({"users": [], "next_page": null, "previous_page": null, "count": 0}));
    let id = desk.create(json!({"name": "Ann", "email": "ann@example.org", "external_id": "Ab"})).await;
    desk.put(id, json!({"email": "second@example.org"})).await;
    assert_eq!(desk.get("/users/search?external_id=aB").await.json()["users"][0]["id"], id);
    assert_eq!(desk.get("/users/search?query=email:second@example.org").await.json()["count"], 0);
    desk.advance(60);
    assert_eq!(desk.get("/users/search?query=email:second@example.org").await.json()["count"], 1);
    assert_eq!(desk.get("/users/search?query=ANN%40example.org").await.json()["count"], 1);
    assert_eq!(desk.get("/search?query=type:user%20email:ann@example.org").await.json()["results"][0]["id"], id);
}

#[tokio::test]
async fn show_many_takes_a_hundred_and_has_its_own_order() {
    let users = (100..110).map(|id| UserState {
        id,
        name: "U".into(),
        external_id: Some(format!("e{id}")),
        ..UserState::default()
    });
    let desk = desk(seeded(users.collect())).await;
    let ids = |got: Value| {
        got["users"].as_array().unwrap().iter().map(|user| user["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let asked: Vec<String> = (100..110).map(|id| id.to_string()).collect();
    let mut got = ids(desk.get(&format!("/users/show_many?ids={},999", asked.join(","))).await.json());
    assert_ne!(got, (100..110).collect::<Vec<_>>());
    got.sort_unstable();
    assert_eq!(got, (100..110).collect::<Vec<_>>());
    assert_eq!(ids(desk.get("/users/show_many.json?external_ids=E101,nobody").await.json()), [101]);
    let many: Vec<String> = (0..101).map(|id| id.to_string()).collect();
    let got = desk.get(&format!("/users/show_many?ids={}", many.join(","))).await;
    assert_eq!(
        (got.status, &got.json()["error"], &got.json()["max_count"]),
        (400, &json!("TooManyValues"), &json!(100))
    );
}

#[tokio::test]
async fn lists_page_by_cursor_and_by_offset_but_not_by_both() {
    let users = (1..=250).map(|n| UserState { name: format!("U{n}"), ..UserState::default() });
    let desk = desk(seeded(users.collect())).await;
    let (mut seen, mut path) = (0, "/users?page[size]=100".to_owned());
    loop {
        let got = desk.get(&path).await.json();
        seen += got["users"].as_array().unwrap().len();
        if got["meta"]["has_more"] != true {
            assert_eq!(got["links"]["next"], Value::Null);
            break;
        }
        path = got["links"]["next"].as_str().unwrap().split("/api/v2").nth(1).unwrap().to_owned();
    }
    assert_eq!(seen, 252);
    let got = desk.get("/users?page=3&per_page=100").await.json();
    assert_eq!(
        (got["users"].as_array().unwrap().len(), &got["count"], &got["next_page"]),
        (52, &json!(252), &Value::Null)
    );
    assert_eq!(desk.get("/users?page=101").await.json()["errors"][0]["code"], "InvalidPaginationDepth");
    assert_eq!(desk.get("/users?page=1&page[size]=10").await.status, 400);
    assert_eq!(desk.get("/users?role[]=admin&role[]=agent").await.json()["count"], 2);
}

#[tokio::test]
async fn user_fields_are_typed_and_bring_their_tags() {
    let field = |key: &str, kind: &str| FieldState { key: key.into(), kind: kind.into(), ..FieldState::default() };
    let fields = vec![
        field("text_field", "text"),
        FieldState { tag: Some("checkedbox".into()), ..field("checkbox_field", "checkbox") },
        field("date_field", "date"),
        FieldState { options: vec!["gold".into(), "tin".into()], ..field("level", "dropdown") },
    ];
    let seed = Account { user_fields: fields, ..Account::default() };
    let desk = desk(Options { seed: Some(seed), ..relaxed() }).await;
    let user = json!({"name": "Ann", "tags": ["existing", "here"], "user_fields": {"checkbox_field": true, "text_field": "x"}});
    let id = desk.create(user).await;
    assert_eq!(desk.user(id).await["tags"], json!(["existing", "here", "checkedbox"]));
    let tags = json!(["checkedbox", "existing", "here", "recent"]);
    let got = desk
        .put(id, json!({"tags": tags, "user_fields": {"date_field": "2020-08-19T20:50:04.000Z", "level": "gold"}}))
        .await;
    assert_eq!(got.json()["user"]["tags"], json!(["existing", "here", "checkedbox", "recent", "gold"]));
    assert_eq!(got.json()["user"]["user_fields"]["date_field"], "2020-08-19T00:00:00+00:00");
    assert_eq!(got.json()["user"]["user_fields"]["text_field"], "x");
    let got = desk.put(id, json!({"user_fields": {"text_field": null, "level": "tin", "unknown": 1}})).await;
    assert_eq!(got.json()["user"]["user_fields"]["text_field"], Value::Null);
    assert!(got.json()["user"]["tags"].as_array().unwrap().contains(&json!("tin")));
    desk.call("DELETE", &format!("/users/{id}/tags"), json!({"tags": ["tin"]})).await;
    assert_eq!(desk.user(id).await["user_fields"]["level"], Value::Null);
    let got = desk.put(id, json!({"tags": []})).await;
    assert_eq!(got.json()["user"]["user_fields"]["checkbox_field"], false, "a lost tag clears its field");
    assert_eq!(desk.put(id, json!({"user_fields": {"level": "iron"}})).await.status, 422);
}

#[tokio::test]
async fn tags_are_set_added_and_removed() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann", "tags": ["One", "two"]})).await;
    let path = format!("/users/{id}/tags");
    assert_eq!(desk.get(&path).await.json(), json!({"tags": ["one", "two"]}));
    assert_eq!(
        desk.call("PUT", &path, json!({"tags": ["three"]})).await.json(),
        json!({"tags": ["one", "two", "three"]})
    );
    assert_eq!(desk.call("DELETE", &path, json!({"tags": ["two"]})).await.json(), json!({"tags": ["one", "three"]}));
    assert_eq!(desk.call("POST", &path, json!({"tags": ["four"]})).await.json(), json!({"tags": ["four"]}));
}

#[tokio::test]
async fn sessions_end_and_unsupported_locales_fall_back() {
    let ann = UserState { id: 71, name: "Ann".into(), sessions: 2, ..UserState::default() };
    let desk = desk(seeded(vec![ann])).await;
    assert_eq!(desk.get("/users/71/sessions").await.json()["count"], 2);
    assert_eq!(desk.call("DELETE", "/users/71/sessions", Value::Null).await.status, 204);
    assert_eq!(desk.get("/users/71/sessions").await.json()["count"], 0);
    assert_eq!(desk.put(71, json!({"locale": "de"})).await.json()["user"]["locale_id"], 8);
    assert_eq!(desk.put(71, json!({"locale": "tlh"})).await.json()["user"]["locale"], "en-US");
}

#[tokio::test]
async fn wrong_paths_bodies_and_types_have_their_errors() {
    let desk = desk(relaxed()).await;
    assert_eq!(desk.get("/nothing").await.json()["error"], "InvalidEndpoint");
    assert_eq!(desk.get("/users/nobody").await.json()["error"], "InvalidEndpoint");
    assert_eq!(desk.get("/users/1").await.json(), json!({"error": "RecordNotFound", "description": "Not found"}));
    let auth = desk.auth.clone();
    let got = desk.send("POST", "/api/v2/users", "application/json", "{nope", auth.as_deref()).await.unwrap();
    assert_eq!(got.status, 400);
    let got = desk.send("POST", "/api/v2/users", "text/plain", "{}", auth.as_deref()).await.unwrap();
    assert_eq!(got.status, 415);
    assert_eq!(desk.call("POST", "/users", json!({"person": {}})).await.status, 400);
}

#[tokio::test]
async fn the_incremental_export_ends_and_shows_the_deleted() {
    let desk = desk(relaxed()).await;
    let ids = [desk.create(json!({"name": "A"})).await, desk.create(json!({"name": "B"})).await];
    desk.advance(1);
    desk.call("DELETE", &format!("/users/{}", ids[0]), Value::Null).await;
    assert_eq!(desk.get("/incremental/users/cursor?start_time=1").await.json()["users"], json!([]));
    desk.advance(61);
    let first = desk.get("/incremental/users/cursor?start_time=1&per_page=3").await.json();
    assert_eq!((first["users"].as_array().unwrap().len(), &first["end_of_stream"]), (3, &json!(false)));
    let path = format!("/incremental/users/cursor.json?cursor={}", first["after_cursor"].as_str().unwrap());
    let last = desk.get(&path).await.json();
    assert_eq!((last["users"][0]["active"].clone(), &last["end_of_stream"]), (json!(false), &json!(true)));
    let path = format!("/incremental/users/cursor?cursor={}", last["after_cursor"].as_str().unwrap());
    assert_eq!(desk.get(&path).await.json()["users"], json!([]));
}
