//! State, request log, faults, clock, start and stop.

use super::super::{Account, Logged, Options, Role, UserState, start};
use super::client::{desk, relaxed, seeded};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn the_state_is_a_seed_that_gives_the_same_state() {
    let ann = UserState {
        name: "Ann".into(),
        email: Some("ann@example.org".into()),
        emails: vec!["a2@example.org".into()],
        unverified: vec!["a2@example.org".into()],
        external_id: Some("A1".into()),
        role: Role::Agent,
        tags: vec!["vip".into()],
        user_fields: BTreeMap::from([("level".into(), json!("gold"))]),
        open_tickets: 2,
        sessions: 1,
        ..UserState::default()
    };
    let first = desk(seeded(vec![ann])).await;
    first.create(json!({"name": "Bob", "role": "agent", "notes": "n", "phone": "+491", "alias": "b"})).await;
    let state = first.control("GET", "state", Value::Null).await.json();
    let typed: Account = serde_json::from_value(state.clone()).unwrap();
    assert_eq!(json!(typed), state);
    assert_eq!(typed.seats.used, 4);
    let mut again = desk(Options { seed: Some(typed.clone()), ..relaxed() }).await.running.state();
    assert!(again.now >= typed.now, "the clock starts where the seed was");
    again.now.clone_from(&typed.now);
    assert_eq!(again, typed);
}

#[tokio::test]
async fn requests_are_logged_with_what_they_could_change() {
    let desk = desk(relaxed()).await;
    desk.create(json!({"name": "Ann"})).await;
    desk.get("/users.json?role=admin").await;
    let log: Vec<Logged> = serde_json::from_value(desk.control("GET", "requests", Value::Null).await.json()).unwrap();
    assert_eq!(log.len(), 3, "control requests are left out");
    assert_eq!(
        (log[0].path.as_str(), log[0].write, &log[0].body["client_secret"]),
        ("/oauth/tokens", false, &json!("[removed]"))
    );
    assert_eq!((log[1].seq, log[1].status, log[1].write), (2, Some(201), true));
    assert_eq!(log[1].body, json!({"user": {"name": "Ann"}}));
    assert_eq!(
        (log[2].path.as_str(), log[2].query.as_str(), log[2].write),
        ("/api/v2/users.json", "role=admin", false)
    );
}

#[tokio::test]
async fn a_dropped_connection_has_its_effect_or_not() {
    let desk = desk(relaxed()).await;
    let faults = json!([
        {"method": "POST", "path": "/api/v2/users", "nth": 1, "do": "drop_before"},
        {"method": "POST", "path": "/api/v2/users", "nth": 2, "do": "drop_after"},
    ]);
    assert_eq!(desk.control("POST", "faults", faults).await.status, 204);
    let users = || desk.running.state().users.len();
    let before = users();
    assert!(desk.try_call("POST", "/users", json!({"user": {"name": "Ann"}})).await.is_none());
    assert_eq!(users(), before);
    assert!(desk.try_call("POST", "/users.json", json!({"user": {"name": "Ann"}})).await.is_none());
    assert_eq!(users(), before + 1);
    desk.create(json!({"name": "Ann"})).await;
    let log = desk.running.requests();
    let struck: Vec<_> = log.iter().filter_map(|line| Some((line.fault.clone()?, line.status, line.write))).collect();
    assert_eq!(struck, [("drop_before".to_owned(), None, true), ("drop_after".to_owned(), None, true)]);
}

#[tokio::test]
async fn an_answer_can_be_planted_and_taken_away() {
    let desk = desk(relaxed()).await;
    let fault = json!([{"path": "/api/v2/users/*/identities", "do": {"status": 503, "headers": {"Retry-After": "7"}, "body": "down"}}]);
    desk.control("POST", "faults", fault).await;
    let id = desk.create(json!({"name": "Ann"})).await;
    let got = desk.get(&format!("/users/{id}/identities.json")).await;
    assert_eq!((got.status, got.header("retry-after"), got.text.as_str()), (503, Some("7"), "down"));
    assert_eq!(desk.control("DELETE", "faults", Value::Null).await.status, 204);
    assert_eq!(desk.get(&format!("/users/{id}/identities")).await.status, 200);
    let late = json!([{"method": "GET", "path": "/api/v2/users/me", "do": {"delay_ms": 5}}]);
    assert_eq!(desk.control("POST", "faults", late).await.status, 204);
    assert_eq!(desk.get("/users/me").await.status, 200);
    assert_eq!(desk.control("POST", "faults", json!([{"path": "/x", "do": "explode"}])).await.status, 400);
}

#[tokio::test]
async fn the_clock_moves_forward_only() {
    let desk = desk(relaxed()).await;
    let before = desk.running.state().now;
    let got = desk.control("POST", "clock", json!({"advance_s": 86_400})).await;
    assert_eq!(got.status, 200);
    assert!(desk.running.state().now > before);
    assert_eq!(desk.control("POST", "clock", json!({"advance_s": -1})).await.status, 400);
}

#[tokio::test]
async fn it_stops_when_told() {
    let running = start("127.0.0.1:0".parse().unwrap(), Options::default()).await.unwrap();
    let address = running.url().replace("http://", "");
    running.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_seed_that_contradicts_itself_is_refused() {
    let user = |groups: Vec<u64>| UserState {
        name: "A".into(),
        external_id: Some("x".into()),
        groups,
        ..UserState::default()
    };
    for users in [vec![user(vec![]), user(vec![])], vec![user(vec![9])]] {
        let refused = start("127.0.0.1:0".parse().unwrap(), seeded(users)).await;
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
