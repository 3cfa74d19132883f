//! Credentials: how they are fetched, renewed and shown, and where they must never be seen.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server, json, with};
use super::{CANARY, Rig, always, oauth, once, read, send, user, write};
use crate::domain::assignment::Role;
use crate::domain::change::{Patch, SignIn, Step};
use crate::domain::id::{AccountId, Email};
use crate::engine::ports::{CallFault, Helpdesk as _};

/// A server with an OAuth endpoint that gives `token-N`, and an API that takes only the tokens in `good`.
async fn guarded(good: &'static [&'static str], scope: &'static str) -> Server {
    let mut issued = 0;
    Server::start(move |seen, _| {
        if seen.path == "/oauth/tokens" {
            issued += 1;
            let token = format!("token-{issued}");
            return json(
                201,
                &json!({"access_token": token, "token_type": "bearer", "scope": scope, "expires_in": 1800}),
            );
        }
        match seen.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) if good.contains(&token) => json(200, &json!({"user": user(7, Role::Admin)})),
            _ => json(401, &json!({"error": "invalid_token", "error_description": "expired"})),
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_fetched_as_json_and_used_until_four_fifths_of_its_life() {
    let server = guarded(&["token-1", "token-2"], "read write").await;
    let mut rig = Rig::with(&server, oauth("read write"));
    send(&mut rig, &read()).await.unwrap();
    send(&mut rig, &read()).await.unwrap();
    assert_eq!(server.lines(), ["POST /oauth/tokens", "GET /api/v2/users/7", "GET /api/v2/users/7"]);
    let asked = &server.seen()[0];
    assert_eq!(asked.header("content-type"), Some("application/json"));
    let wanted = json!({"grant_type": "client_credentials", "client_id": "dirsync",
        "client_secret": format!("{CANARY}-1"), "scope": "read write"});
    assert_eq!(asked.json(), wanted);
    rig.client.caller.timer.sleep(std::time::Duration::from_secs(1430)).await;
    send(&mut rig, &read()).await.unwrap();
    assert_eq!(server.seen().len(), 4);
    rig.client.caller.timer.sleep(std::time::Duration::from_secs(11)).await;
    send(&mut rig, &read()).await.unwrap();
    assert_eq!(server.lines()[4], "POST /oauth/tokens", "1,440 s are four fifths of 1,800 s");
    let secret = server.seen()[4].json()["client_secret"].clone();
    assert_eq!(secret, Value::from(format!("{CANARY}-2")), "the secret is read again each time");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = guarded(&["token-2"], "read write").await;
    let mut rig = Rig::with(&server, oauth("read write"));
    assert!(send(&mut rig, &write()).await.is_ok(), "a 401 had no effect: even a write is repeated");
    assert_eq!(
        server.lines(),
        ["POST /oauth/tokens", "POST /api/v2/users", "POST /oauth/tokens", "POST /api/v2/users"]
    );
    let server = guarded(&[], "read write").await;
    let mut rig = Rig::with(&server, oauth("read write"));
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unauthorized(_))));
    assert_eq!(server.seen().len(), 4, "once, not for ever");
    let server = once(|| json(401, &json!({"error": "Couldn't authenticate you"}))).await;
    assert!(send(&mut Rig::plain(&server), &read()).await.is_ok(), "an API token that was replaced is read again");
}

#[tokio::test]
async fn scopes_that_were_not_granted_stop_before_the_first_call() {
    let server = guarded(&["token-1"], "users:read").await;
    let mut rig = Rig::with(&server, oauth("users:read groups:read"));
    let fault = send(&mut rig, &read()).await.unwrap_err();
    assert_eq!(fault, CallFault::Unauthorized("the client wasn't granted the scopes groups:read".into()));
    assert_eq!(server.lines(), ["POST /oauth/tokens"]);
}

#[tokio::test]
async fn a_token_endpoint_that_wants_a_form_gets_one() {
    for (status, kind, body) in [(415, "text/plain", ""), (400, "application/json", r#"{"error":"invalid_request"}"#)] {
        let server = Server::start(move |seen, _| match seen.path.as_str() {
            "/oauth/tokens" if seen.header("content-type") == Some("application/x-www-form-urlencoded") => {
                json(200, &json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300}))
            }
            "/oauth/tokens" => with(status, &[&format!("content-type: {kind}")], body.as_bytes()),
            _ => json(200, &json!({})),
        })
        .await;
        let mut rig = Rig::with(&server, oauth("read write"));
        assert!(send(&mut rig, &read()).await.is_ok());
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(server.seen()[1].body.as_bytes()).into_owned().collect();
        assert!(form.contains(&("scope".into(), "read write".into())), "{form:?}");
        assert!(form.contains(&("grant_type".into(), "client_credentials".into())), "{form:?}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_fails_leaves_no_doubt_about_the_write() {
    type Case = (fn() -> Reply, &'static str, usize);
    let table: [Case; 9] = [
        (|| Reply::Drop, "zendesk_unreachable", 4),
        (|| with(500, &[], b"oops"), "zendesk_unreachable", 4),
        (|| with(429, &["retry-after: 500"], b""), "throttled", 1),
        (|| with(302, &["location: http://elsewhere.example/"], b""), "garbled", 1),
        (|| with(200, &["content-type: text/html"], b"<html>"), "garbled", 1),
        (|| json(401, &json!({"error": "invalid_client", "error_description": "unknown client"})), "unauthorized", 1),
        (|| json(400, &json!({"error": "invalid_scope", "error_description": "unknown"})), "unauthorized", 1),
        // What is said may repeat what was sent, or hold the token itself.
        (
            || json(401, &json!({"error": "invalid_client", "error_description": format!("not {CANARY}-1")})),
            "unauthorized",
            1,
        ),
        (|| json(200, &json!({"access_token": CANARY, "token_type": "bearer", "expires_in": "1800"})), "garbled", 1),
    ];
    for (reply, kind, requests) in table {
        let server = always(reply).await;
        let mut rig = Rig::with(&server, oauth("read write"));
        let fault = send(&mut rig, &write()).await.unwrap_err();
        assert_eq!((fault.kind(), server.seen().len()), (kind, requests), "{fault}");
        assert!(server.lines().iter().all(|line| line == "POST /oauth/tokens"));
        assert!(!fault.to_string().contains(CANARY));
    }
}

#[tokio::test]
async fn an_api_token_is_shown_as_basic_and_its_end_is_told_once() {
    let server = always(|| json(200, &json!({}))).await;
    let mut rig = Rig::plain(&server);
    let log = logged(async {
        send(&mut rig, &read()).await.unwrap();
        send(&mut rig, &write()).await.unwrap();
    })
    .await;
    // bot@example.org/token:s3cr3t-canary-1
    let shown = "Basic Ym90QGV4YW1wbGUub3JnL3Rva2VuOnMzY3IzdC1jYW5hcnktMQ==";
    assert!(server.seen().iter().all(|seen| seen.header("authorization") == Some(shown)));
    assert_eq!(log.matches("2027-04-30").count(), 1, "{log}");
}

/// Everything that is logged meanwhile, down to the last detail.
async fn logged(work: impl Future<Output = ()>) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn neither_secrets_nor_people_reach_the_log_or_a_debug_print() {
    let warning = "x-zendesk-api-warn: Removed restricted keys [\"verified\"] from parameters";
    let server = Server::start(move |seen: &Seen, _| match seen.path.as_str() {
        "/oauth/tokens" => json(201, &json!({"access_token": CANARY, "token_type": "bearer", "expires_in": 1800})),
        "/api/v2/users/me" => json(200, &json!({"user": user(1, Role::Admin)})),
        _ => with(422, &[warning, "content-type: application/json", "x-request-id: r-1"], b"{}"),
    })
    .await;
    let mut rig = Rig::with(&server, oauth("read write"));
    let email = Email::parse("kim@example.org").unwrap();
    let mut debug = String::new();
    let log = logged(async {
        let _ = rig.client.find_by_email(&email).await;
        let _ = rig.client.who_am_i().await;
        rig.learn();
        let step = Step::Write(Patch { name: Some("Kim Doe".into()), sign_in: Some(SignIn::Lift), ..Patch::default() });
        let _ = rig.client.carry_out(Some(AccountId(7)), &step).await;
        let _ = rig.client.carry_out(Some(AccountId(7)), &step).await;
        debug = format!("{:?} {:#?}", rig.client, rig.client);
    })
    .await;
    assert!(log.contains("request ended") && log.contains("users/{id}") && log.contains("r-1"), "{log}");
    assert_eq!(log.matches("Removed restricted keys").count(), 1, "a warning is told once: {log}");
    for text in [&log, &debug] {
        for hidden in [CANARY, "kim@example.org", "kim%40", "Kim Doe", "p1@example.org"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
    let header = rig.client.caller.auth_header_for_tests().await;
    assert!(header.is_sensitive());
}
