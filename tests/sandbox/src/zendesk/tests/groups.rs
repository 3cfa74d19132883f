//! Groups and their members.

use super::client::{desk, relaxed};
use serde_json::{Value, json};

#[tokio::test]
async fn memberships_come_and_go_as_recorded() {
    let desk = desk(relaxed()).await;
    let ann = desk.create(json!({"name": "Ann", "role": "agent"})).await;
    let group = desk.call("POST", "/groups", json!({"group": {"name": "Tier 1"}})).await;
    assert_eq!(group.status, 201);
    let group = group.json()["group"]["id"].clone();
    let membership = json!({"group_membership": {"user_id": ann, "group_id": group}});
    let got = desk.call("POST", "/group_memberships", membership.clone()).await;
    assert_eq!(got.status, 201);
    let row = got.json()["group_membership"].clone();
    let keys = ["created_at", "default", "group_id", "id", "updated_at", "url", "user_id"];
    assert_eq!(row.as_object().unwrap().keys().collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert_eq!((got.header("location"), &row["default"]), (row["url"].as_str(), &json!(false)));
    assert_eq!(desk.call("POST", "/group_memberships", membership).await.status, 422);
    let path = format!("/users/{ann}/group_memberships");
    let got = desk.call("PUT", &format!("{path}/{}/make_default", row["id"]), Value::Null).await;
    assert_eq!((got.status, got.json()["group_memberships"].as_array().unwrap().len()), (200, 2));
    assert_eq!(desk.user(ann).await["default_group_id"], group);
    let one = format!("/group_memberships/{}", row["id"]);
    assert_eq!(desk.call("DELETE", &one, Value::Null).await.status, 204);
    let got = desk.get(&one).await;
    assert_eq!((got.status, &got.json()["error"]), (404, &json!("RecordNotFound")));
    assert_eq!(desk.call("DELETE", &one, Value::Null).await.status, 404);
    assert_eq!(desk.user(ann).await["default_group_id"], json!(desk.running.state().default_group_id));
}

#[tokio::test]
async fn only_agents_can_be_members() {
    let desk = desk(relaxed()).await;
    let ann = desk.create(json!({"name": "Ann"})).await;
    let group = desk.running.state().default_group_id;
    let membership = json!({"group_membership": {"user_id": ann, "group_id": group}});
    assert_eq!(desk.call("POST", "/group_memberships", membership).await.status, 422);
}

#[tokio::test]
async fn a_deleted_group_is_still_shown_and_loses_its_members() {
    let desk = desk(relaxed()).await;
    let group =
        desk.call("POST", "/groups", json!({"group": {"name": "My Group"}})).await.json()["group"]["id"].clone();
    let ann = desk.create(json!({"name": "Ann", "role": "agent", "group_ids": [group]})).await;
    assert_eq!(desk.running.state().user_by_id(ann).unwrap().groups.len(), 2);
    assert_eq!(desk.call("DELETE", &format!("/groups/{group}"), Value::Null).await.status, 204);
    let got = desk.get(&format!("/groups/{group}")).await;
    assert_eq!((got.status, &got.json()["group"]["deleted"]), (200, &json!(true)));
    assert_eq!(desk.get("/groups").await.json()["count"], 1);
    assert_eq!(desk.running.state().user_by_id(ann).unwrap().groups.len(), 1);
    let support = desk.running.state().default_group_id;
    assert_eq!(desk.call("DELETE", &format!("/groups/{support}"), Value::Null).await.status, 422);
}
