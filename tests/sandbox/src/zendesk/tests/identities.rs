//! Emails of a user.

use super::client::{desk, relaxed};
use serde_json::{Value, json};

#[tokio::test]
async fn an_email_changes_by_a_new_identity_made_primary() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann", "email": "old@example.org", "verified": true})).await;
    let path = format!("/users/{id}/identities");
    let new =
        json!({"identity": {"type": "email", "value": "new@example.org", "verified": true, "skip_verify_email": true}});
    let got = desk.call("POST", &path, new.clone()).await;
    assert_eq!((got.status, &got.json()["identity"]["primary"]), (201, &json!(false)));
    let identity = got.json()["identity"]["id"].as_u64().unwrap();
    let got = desk.call("PUT", &format!("{path}/{identity}/make_primary"), Value::Null).await;
    assert_eq!(got.status, 200);
    let rows = got.json()["identities"].clone();
    assert_eq!((&rows[0]["value"], &rows[0]["primary"]), (&json!("new@example.org"), &json!(true)));
    assert_eq!((&rows[1]["primary"], &rows[1]["deliverable_state"]), (&json!(false), &json!("deliverable")));
    assert_eq!(desk.user(id).await["email"], "new@example.org");
    let old = rows[1]["id"].as_u64().unwrap();
    let refused = desk.call("DELETE", &format!("{path}/{identity}"), Value::Null).await;
    assert_eq!(refused.status, 422, "the primary one stays");
    assert_eq!(desk.call("DELETE", &format!("{path}/{old}"), Value::Null).await.status, 204);
    assert_eq!(desk.get(&path).await.json()["count"], 1);
    desk.create(json!({"name": "Bob", "email": "old@example.org"})).await;
}

#[tokio::test]
async fn a_taken_email_is_refused_as_recorded() {
    let desk = desk(relaxed()).await;
    desk.create(json!({"name": "Ann", "email": "abcdef@example.com"})).await;
    let bob = desk.create(json!({"name": "Bob"})).await;
    let identity = json!({"identity": {"type": "email", "value": "abcdef@example.com"}});
    let got = desk.call("POST", &format!("/users/{bob}/identities"), identity).await;
    let description = "Value: abcdef@example.com is already being used by another user";
    let details = json!({"value": [{"description": description, "error": "DuplicateValue"}]});
    let body = json!({"error": "RecordInvalid", "description": "Record validation errors", "details": details});
    assert_eq!((got.status, got.json()), (422, body));
}

#[tokio::test]
async fn an_update_changes_the_value_but_never_the_primary() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann", "email": "a@example.org"})).await;
    desk.put(id, json!({"email": "b@example.org"})).await;
    let path = format!("/users/{id}/identities");
    let second = desk.get(&path).await.json()["identities"][1]["id"].as_u64().unwrap();
    let change = json!({"identity": {"value": "c@example.org", "verified": true, "primary": true}});
    let got = desk.call("PUT", &format!("{path}/{second}"), change).await.json()["identity"].clone();
    assert_eq!(
        (&got["value"], &got["verified"], &got["primary"]),
        (&json!("c@example.org"), &json!(true), &json!(false))
    );
    desk.create(json!({"name": "Bob", "email": "b@example.org"})).await;
}

#[tokio::test]
async fn a_number_of_someone_else_is_shared_and_no_identity() {
    let desk = desk(relaxed()).await;
    let ann = desk.create(json!({"name": "Ann", "phone": "+49301234"})).await;
    let bob = desk.create(json!({"name": "Bob", "phone": "+49301234"})).await;
    assert_eq!(desk.user(ann).await["shared_phone_number"], false);
    assert_eq!(desk.user(bob).await["shared_phone_number"], true);
    assert_eq!(desk.get(&format!("/users/{bob}/identities")).await.json()["count"], 0);
    assert_eq!(desk.get(&format!("/users/{ann}/identities")).await.json()["identities"][0]["type"], "phone_number");
}
