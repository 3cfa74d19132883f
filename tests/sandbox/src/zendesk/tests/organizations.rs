//! Organizations and their members.

use super::super::{Account, Options, OrganizationState, Plan};
use super::client::{desk, relaxed};
use serde_json::{Value, json};

fn two() -> Account {
    let acme = OrganizationState {
        id: 11,
        name: "Acme".into(),
        domain_names: vec!["acme.example".into()],
        ..Default::default()
    };
    let other = OrganizationState { id: 12, name: "Other".into(), ..Default::default() };
    Account { organizations: vec![acme, other], ..Account::default() }
}

#[tokio::test]
async fn a_verified_email_of_a_mapped_domain_brings_a_membership() {
    let desk = desk(Options { seed: Some(two()), ..relaxed() }).await;
    let ann = desk.create(json!({"name": "Ann", "email": "ann@acme.example", "verified": true})).await;
    assert_eq!(desk.user(ann).await["organization_id"], 11);
    let bob = desk.create(json!({"name": "Bob", "email": "bob@acme.example"})).await;
    assert_eq!(desk.user(bob).await["organization_id"], Value::Null);
    let identity = desk.get(&format!("/users/{bob}/identities")).await.json()["identities"][0]["id"].clone();
    desk.call("PUT", &format!("/users/{bob}/identities/{identity}/verify"), Value::Null).await;
    assert_eq!(desk.user(bob).await["organization_id"], 11);
}

#[tokio::test]
async fn organization_id_in_an_update_removes_the_other_memberships() {
    let desk = desk(Options { seed: Some(two()), ..relaxed() }).await;
    let ann = desk.create(json!({"name": "Ann", "organization_ids": [11, 12]})).await;
    assert_eq!(desk.running.state().user_by_id(ann).unwrap().organizations, [11, 12]);
    desk.put(ann, json!({"organization_id": 12})).await;
    assert_eq!(desk.running.state().user_by_id(ann).unwrap().organizations, [12]);
    let membership = json!({"organization_membership": {"user_id": ann, "organization_id": 12}});
    assert_eq!(desk.call("POST", "/organization_memberships", membership).await.status, 422);
}

#[tokio::test]
async fn a_small_plan_has_one_organization_a_user() {
    let desk = desk(Options { seed: Some(two()), plan: Plan::Team, ..relaxed() }).await;
    let ann = desk.create(json!({"name": "Ann", "organization_id": 11})).await;
    let membership = json!({"organization_membership": {"user_id": ann, "organization_id": 12}});
    assert_eq!(desk.call("POST", "/organization_memberships", membership).await.status, 422);
}

#[tokio::test]
async fn names_are_unique_and_a_deletion_ends_memberships() {
    let desk = desk(Options { seed: Some(two()), ..relaxed() }).await;
    let got = desk.call("POST", "/organizations", json!({"organization": {"name": " Acme "}})).await;
    assert_eq!(got.json()["details"]["name"][0]["description"], "Name: Acme has already been taken");
    let ann = desk.create(json!({"name": "Ann", "organization_id": 11})).await;
    assert_eq!(desk.call("DELETE", "/organizations/11", Value::Null).await.status, 204);
    assert_eq!(desk.get("/organizations/11").await.status, 404);
    assert!(desk.running.state().user_by_id(ann).unwrap().organizations.is_empty());
}
