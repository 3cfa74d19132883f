//! Tokens, scopes, basic authentication.

use super::client::{desk, relaxed};
use base64::Engine;
use serde_json::{Value, json};

#[tokio::test]
async fn a_token_is_issued_and_expires_on_the_virtual_clock() {
    let desk = desk(relaxed()).await;
    let got = desk.ask_token("users:read").await.json();
    assert_eq!(
        (&got["token_type"], &got["expires_in"], &got["scope"]),
        (&json!("bearer"), &json!(1800), &json!("users:read"))
    );
    assert_eq!(desk.get("/users/me").await.json()["user"]["email"], "dirsync@example.org");
    desk.advance(1800);
    let got = desk.get("/users/me").await;
    assert_eq!((got.status, &got.json()["error"]), (401, &json!("invalid_token")));
}

#[tokio::test]
async fn a_wrong_secret_a_form_and_a_forbidden_scope_are_refused() {
    let mut options = relaxed();
    options.client_scopes = Some(vec!["read".into(), "write".into(), "users:read".into()]);
    let desk = desk(options).await;
    let wrong = json!({"grant_type": "client_credentials", "client_id": "dirsync", "client_secret": "x"}).to_string();
    let got = desk.send("POST", "/oauth/tokens", "application/json", &wrong, None).await.unwrap();
    assert_eq!((got.status, &got.json()["error"]), (401, &json!("invalid_client")));
    let form = "grant_type=client_credentials&client_id=dirsync&client_secret=sandbox-secret";
    let got = desk.send("POST", "/oauth/tokens", "application/x-www-form-urlencoded", form, None).await.unwrap();
    assert_eq!(got.status, 400);
    let got = desk.ask_token("groups:write").await;
    assert_eq!((got.status, &got.json()["error"]), (400, &json!("invalid_scope")));
    let log = desk.running.requests();
    assert!(log.iter().all(|line| !line.body.to_string().contains("sandbox-secret")));
    desk.running.configure(|options| options.form_tokens = true);
    let got = desk.send("POST", "/oauth/tokens", "application/x-www-form-urlencoded", form, None).await.unwrap();
    assert_eq!(got.status, 201);
}

#[tokio::test]
async fn an_unknown_scope_gives_a_token_that_can_do_nothing() {
    let mut desk = desk(relaxed()).await;
    desk.auth = Some(desk.token("users:red").await);
    assert_eq!(desk.get("/users").await.status, 403);
    assert_eq!(desk.get("/users/me").await.status, 403);
}

#[tokio::test]
async fn granular_scopes_reach_users_but_not_identities_or_search() {
    let mut desk = desk(relaxed()).await;
    desk.auth = Some(desk.token("users:read users:write").await);
    let id = desk.create(json!({"name": "Ann", "email": "ann@example.org"})).await;
    assert_eq!(desk.get("/groups").await.status, 403);
    assert_eq!(desk.get("/users/search?query=ann").await.status, 403);
    let got = desk.get(&format!("/users/{id}/identities")).await;
    let text = "You are missing the following required scopes: write";
    assert_eq!((got.status, got.json()), (403, json!({"error": "Forbidden", "description": text})));
    desk.auth = Some(desk.token("users:read write").await);
    assert_eq!(desk.get(&format!("/users/{id}/identities")).await.status, 200);
    desk.auth = Some(desk.token("users:read").await);
    assert_eq!(desk.put(id, json!({"notes": "x"})).await.status, 403);
}

#[tokio::test]
async fn me_is_anonymous_without_a_login_and_others_are_401() {
    let mut desk = desk(relaxed()).await;
    desk.auth = None;
    let got = desk.get("/users/me.json").await;
    assert_eq!((got.status, &got.json()["user"]["id"]), (200, &Value::Null));
    assert_eq!(got.json()["user"]["name"], "Anonymous user");
    let got = desk.get("/users").await;
    assert_eq!((got.status, got.json()), (401, json!({"error": "Couldn't authenticate you"})));
}

#[tokio::test]
async fn an_api_token_logs_in_and_a_password_does_not() {
    let mut desk = desk(relaxed()).await;
    let basic = |text: &str| Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text)));
    desk.auth = basic("admin@example.org/token:sandbox-token");
    assert_eq!(desk.get("/users/me").await.json()["user"]["role"], "admin");
    desk.auth = basic("admin@example.org:sandbox-token");
    assert_eq!(desk.get("/users").await.status, 401);
}

#[tokio::test]
async fn a_token_stops_when_its_user_loses_access() {
    let desk = desk(relaxed()).await;
    let me = desk.get("/users/me").await.json()["user"]["id"].as_u64().unwrap();
    assert_eq!(desk.put(me, json!({"suspended": true})).await.status, 200);
    assert_eq!(desk.get("/users").await.status, 401);
}
