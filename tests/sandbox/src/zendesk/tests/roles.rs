//! Roles, seats, the owner, suspension.

use super::super::{Options, Plan, Role, UserState};
use super::client::{desk, relaxed, seeded};
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_agent_takes_a_seat_and_lands_in_the_default_group() {
    let desk = desk(Options { seats: Some(3), ..relaxed() }).await;
    let ann = desk.create(json!({"name": "Ann", "role": "agent"})).await;
    let state = desk.running.state();
    assert_eq!(state.user_by_id(ann).unwrap().default_group, Some(state.default_group_id));
    assert_eq!((state.seats.total, state.seats.used), (3, 3));
    let bob = desk.create(json!({"name": "Bob"})).await;
    let got = desk.put(bob, json!({"role": "agent"})).await;
    assert_eq!(got.status, 422);
    assert!(got.text.contains("MaxAgentExceeded"));
    assert_eq!(desk.put(ann, json!({"suspended": true})).await.status, 200);
    assert_eq!(desk.running.state().seats.used, 3, "a suspended agent keeps the seat");
    assert_eq!(desk.put(ann, json!({"role": "end-user"})).await.status, 200);
    assert!(desk.running.state().user_by_id(ann).unwrap().groups.is_empty());
    assert_eq!(desk.put(bob, json!({"role": "agent"})).await.status, 200);
}

#[tokio::test]
async fn light_agents_need_no_seat_and_an_end_user_with_a_custom_role_is_an_agent() {
    let desk = desk(Options { seats: Some(2), ..relaxed() }).await;
    let roles = desk.get("/custom_roles").await.json();
    let id = |name: &str| {
        roles["custom_roles"].as_array().unwrap().iter().find(|role| role["name"] == name).unwrap()["id"].clone()
    };
    let got = desk
        .call(
            "POST",
            "/users",
            json!({"user": {"name": "Ann", "role": "end-user", "custom_role_id": id("Light agent")}}),
        )
        .await;
    assert_eq!(
        (got.status, &got.json()["user"]["role"], &got.json()["user"]["role_type"]),
        (201, &json!("agent"), &json!(1))
    );
    let got = desk.call("POST", "/users", json!({"user": {"name": "Bob", "custom_role_id": id("Staff")}})).await;
    assert!(got.text.contains("MaxAgentExceeded"));
    let got = desk.call("POST", "/users", json!({"user": {"name": "Bob", "custom_role_id": 5}})).await;
    assert_eq!(got.status, 422);
}

#[tokio::test]
async fn custom_roles_are_for_enterprise() {
    let desk = desk(Options { plan: Plan::Professional, ..relaxed() }).await;
    assert_eq!(desk.get("/custom_roles").await.status, 403);
}

#[tokio::test]
async fn the_owner_is_out_of_reach() {
    let desk = desk(relaxed()).await;
    let owner = desk.get("/account").await.json()["account"]["owner_id"].as_u64().unwrap();
    assert_eq!(owner, desk.running.state().owner_id);
    for change in [json!({"role": "end-user"}), json!({"role": "agent"}), json!({"suspended": true})] {
        assert_eq!(desk.put(owner, change).await.status, 422);
    }
    assert_eq!(desk.call("DELETE", &format!("/users/{owner}"), Value::Null).await.status, 403);
    desk.running.configure(|options| options.account_route = false);
    assert_eq!(desk.get("/account").await.json()["error"], "InvalidEndpoint");
}

#[tokio::test]
async fn a_downgrade_hands_the_tickets_over_and_a_promotion_brings_no_groups_back() {
    let ann = UserState { id: 71, name: "Ann".into(), role: Role::Agent, open_tickets: 3, ..UserState::default() };
    let desk = desk(seeded(vec![ann])).await;
    let group = desk.call("POST", "/groups", json!({"group": {"name": "Tier 2"}})).await.json()["group"]["id"].clone();
    desk.call("POST", "/group_memberships", json!({"group_membership": {"user_id": 71, "group_id": group}})).await;
    assert_eq!(desk.get("/users/71/tickets/assigned/count").await.json()["count"]["value"], 3);
    assert_eq!(desk.call("DELETE", "/users/71", Value::Null).await.status, 422, "an agent is not deleted");
    desk.put(71, json!({"role": "end-user"})).await;
    let state = desk.running.state();
    assert_eq!(state.user_by_id(71).unwrap().open_tickets, 0);
    assert_eq!(state.user("dirsync@example.org").unwrap().open_tickets, 3);
    desk.put(71, json!({"role": "agent"})).await;
    let state = desk.running.state();
    assert_eq!(state.user_by_id(71).unwrap().groups, [state.default_group_id]);
}

#[tokio::test]
async fn a_suspended_agent_may_be_refused_the_downgrade() {
    let desk = desk(Options { downgrade_suspended: false, ..relaxed() }).await;
    let ann = desk.create(json!({"name": "Ann", "role": "agent", "suspended": true})).await;
    assert_eq!(desk.put(ann, json!({"role": "end-user"})).await.status, 422);
    assert_eq!(desk.put(ann, json!({"role": "end-user", "suspended": false})).await.status, 200);
}
