//! Rate limits and their headers.

use super::super::{Options, Plan};
use super::client::{desk, relaxed};
use serde_json::json;

#[tokio::test]
async fn the_account_has_so_many_requests_a_minute() {
    let desk = desk(Options { plan: Plan::Essential, frozen_clock: true, ..relaxed() }).await;
    let mut last = desk.get("/users/me").await;
    assert_eq!((last.header("x-rate-limit"), last.header("x-rate-limit-remaining")), (Some("10"), Some("9")));
    for _ in 0..9 {
        last = desk.get("/users/me").await;
        assert_eq!(last.status, 200);
    }
    last = desk.get("/users/me").await;
    assert_eq!((last.status, &last.json()["error"]), (429, &json!("APIRateLimitExceeded")));
    let wait: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(last.header("ratelimit-remaining"), Some("0"));
    desk.advance(wait);
    assert_eq!(desk.get("/users/me").await.status, 200);
}

#[tokio::test]
async fn one_user_has_five_updates_a_minute_and_a_text_answer() {
    let desk = desk(relaxed()).await;
    let id = desk.create(json!({"name": "Ann"})).await;
    for n in 0..5 {
        assert_eq!(desk.put(id, json!({"notes": format!("{n}")})).await.status, 200);
    }
    let got = desk.put(id, json!({"notes": "6"})).await;
    assert_eq!(got.status, 429);
    assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(
        got.text,
        "You have exceeded the rate limit for updating a single unique user. user email:  id:  external_id: "
    );
    let wait: u64 = got.header("retry-after").unwrap().parse().unwrap();
    desk.advance(wait);
    assert_eq!(desk.put(id, json!({"notes": "6"})).await.status, 200);
    assert_eq!(desk.user(id).await["notes"], "6");
}

#[tokio::test]
async fn the_account_has_one_single_update_a_second() {
    let desk = desk(Options { frozen_clock: true, ..Options::default() }).await;
    let ann = desk.create(json!({"name": "Ann"})).await;
    let bob = desk.create(json!({"name": "Bob"})).await;
    let got = desk.put(ann, json!({"notes": "1"})).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.header("zendesk-ratelimit-create-update-user"), Some("total=1; remaining=0; resets=1"));
    let got = desk.put(bob, json!({"notes": "1"})).await;
    assert_eq!((got.status, got.header("retry-after")), (429, Some("1")));
    desk.running.advance(std::time::Duration::from_millis(900));
    let got = desk.call("POST", "/users/create_or_update", json!({"user": {"name": "C"}})).await;
    assert_eq!(got.status, 429);
    desk.advance(1);
    assert_eq!(desk.put(bob, json!({"notes": "1"})).await.status, 200);
}
