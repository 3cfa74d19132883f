//! Bulk calls and their jobs.

use super::super::{Options, Role, UserState};
use super::client::{Desk, desk, relaxed, seeded};
use serde_json::{Value, json};

async fn finish(desk: &Desk, queued: Value) -> Value {
    assert_eq!(queued["job_status"]["status"], "queued");
    assert_eq!(queued["job_status"]["results"], Value::Null);
    desk.advance(60);
    let id = queued["job_status"]["id"].as_str().unwrap();
    let job = desk.get(&format!("/job_statuses/{id}")).await.json()["job_status"].clone();
    assert_eq!(job["status"], "completed");
    job
}

#[tokio::test]
async fn a_job_takes_time_and_completes_with_failed_items() {
    let desk = desk(Options { job_queue_ms: 60_000, job_item_ms: 60_000, ..relaxed() }).await;
    desk.create(json!({"name": "Ann", "email": "ann@example.org"})).await;
    let users = json!({"users": [{"name": "A"}, {"name": "B", "email": "ann@example.org"}, {"name": "C"}]});
    let queued = desk.call("POST", "/users/create_many", users).await.json();
    let path = format!("/job_statuses/{}", queued["job_status"]["id"].as_str().unwrap());
    desk.advance(121);
    let job = desk.get(&path).await.json()["job_status"].clone();
    assert_eq!((&job["status"], &job["progress"], &job["total"]), (&json!("working"), &json!(1), &json!(3)));
    assert_eq!((&job["message"], &job["results"]), (&json!("Creating User #1"), &Value::Null));
    desk.advance(120);
    let job = desk.get(&path).await.json()["job_status"].clone();
    assert_eq!(job["status"], "completed");
    assert!(job["message"].as_str().unwrap().starts_with("Completed at "));
    assert_eq!(job["results"][0]["status"], "Created");
    assert_eq!((&job["results"][1]["success"], &job["results"][1]["index"]), (&json!(false), &json!(1)));
    assert!(job["results"][1]["details"].as_str().unwrap().contains("already being used"));
    assert_eq!(desk.running.state().users.len(), 5);
}

#[tokio::test]
async fn a_malformed_email_looks_successful_in_create_or_update_many() {
    let desk = desk(relaxed()).await;
    let users = json!({"users": [{"name": "A", "email": "bad"}, {"name": "B", "external_id": "b"}]});
    let queued = desk.call("POST", "/users/create_or_update_many", users).await.json();
    let job = finish(&desk, queued).await;
    assert_eq!(job["results"][0]["id"], 1);
    assert_eq!(desk.get("/users/1").await.status, 404);
    assert_eq!(desk.running.state().users.len(), 3);
}

#[tokio::test]
async fn updates_and_deletions_go_in_bulk_by_either_key() {
    let users = (71..75).map(|id| UserState {
        id,
        name: "U".into(),
        external_id: Some(format!("e{id}")),
        ..UserState::default()
    });
    let desk = desk(seeded(users.collect())).await;
    let queued = desk.call("PUT", "/users/update_many?ids=71,72", json!({"user": {"suspended": true}})).await.json();
    finish(&desk, queued).await;
    let patches =
        json!({"users": [{"external_id": "E73", "name": "New"}, {"id": 74, "notes": "n"}, {"id": 9, "notes": "n"}]});
    let queued = desk.call("PUT", "/users/update_many", patches).await.json();
    let job = finish(&desk, queued).await;
    assert_eq!((&job["results"][0]["status"], &job["results"][2]["success"]), (&json!("Updated"), &json!(false)));
    let state = desk.running.state();
    assert!(state.user_by_id(71).unwrap().suspended && state.user_by_id(72).unwrap().suspended);
    assert_eq!(state.user_by_id(73).unwrap().name, "New");
    let queued = desk.call("DELETE", "/users/destroy_many?external_ids=e74", Value::Null).await.json();
    let job = finish(&desk, queued).await;
    let row = json!({"action": "delete", "id": 74, "index": 0, "status": "Deleted", "success": true});
    assert_eq!(job["results"][0], row);
    assert!(!desk.running.state().user_by_id(74).unwrap().active);
}

#[tokio::test]
async fn bulk_import_can_be_off_and_has_its_limit() {
    let mut options = relaxed();
    options.bulk_import = false;
    let desk = desk(options).await;
    assert_eq!(desk.call("POST", "/users/create_many", json!({"users": []})).await.status, 403);
    assert_eq!(desk.call("POST", "/users/create_or_update_many", json!({"users": []})).await.status, 403);
    assert_eq!(desk.call("PUT", "/users/update_many", json!({"users": []})).await.status, 200);
    desk.running.configure(|options| options.bulk_import = true);
    let users: Vec<Value> = (0..101).map(|n| json!({"name": format!("U{n}")})).collect();
    let got = desk.call("POST", "/users/create_many", json!({"users": users})).await;
    let body = json!({"error": "TooManyValues", "description": "Maximum 100 users may be created per call"});
    assert_eq!((got.status, got.json()), (400, body));
}

#[tokio::test]
async fn thirty_jobs_are_enough() {
    let desk = desk(Options { job_queue_ms: 600_000, ..relaxed() }).await;
    for _ in 0..30 {
        assert_eq!(desk.call("PUT", "/users/update_many", json!({"users": []})).await.status, 200);
    }
    let got = desk.call("PUT", "/users/update_many", json!({"users": []})).await;
    assert_eq!((got.status, &got.json()["error"]), (429, &json!("TooManyJobs")));
    assert_eq!(got.json()["current_job_ids"].as_array().unwrap().len(), 30);
    assert_eq!(got.header("zendesk-ratelimit-inflight-jobs"), Some("total=30; remaining=0; resets=60"));
}

#[tokio::test]
async fn a_job_is_forgotten_after_a_day() {
    let mut desk = desk(relaxed()).await;
    let queued = desk.call("PUT", "/users/update_many", json!({"users": []})).await.json();
    let job = finish(&desk, queued).await;
    desk.advance(86_400);
    desk.auth = Some(desk.token("read write").await);
    assert_eq!(desk.get(&format!("/job_statuses/{}", job["id"].as_str().unwrap())).await.status, 404);
}

#[tokio::test]
async fn tickets_and_memberships_change_in_bulk() {
    let agent = |id| UserState { id, name: "A".into(), role: Role::Agent, open_tickets: 2, ..UserState::default() };
    let desk = desk(seeded(vec![agent(71), agent(72)])).await;
    let tickets = desk.get("/users/71/tickets/assigned").await.json()["tickets"].clone();
    let ids: Vec<String> = tickets.as_array().unwrap().iter().map(|ticket| ticket["id"].to_string()).collect();
    let path = format!("/tickets/update_many?ids={}", ids.join(","));
    let queued = desk.call("PUT", &path, json!({"ticket": {"assignee_id": 72}})).await.json();
    finish(&desk, queued).await;
    assert_eq!(desk.running.state().user_by_id(72).unwrap().open_tickets, 4);
    let group = desk.running.state().default_group_id;
    let memberships =
        json!({"group_memberships": [{"user_id": 71, "group_id": group}, {"user_id": 72, "group_id": 5}]});
    let queued = desk.call("POST", "/group_memberships/create_many", memberships).await.json();
    let job = finish(&desk, queued).await;
    assert_eq!(job["results"][1]["success"], false);
    let path = format!("/group_memberships/destroy_many?ids={}", job["results"][0]["id"]);
    let queued = desk.call("DELETE", &path, Value::Null).await.json();
    finish(&desk, queued).await;
    assert!(desk.running.state().user_by_id(71).unwrap().groups.is_empty());
}
