//! The way to the socket: redirects, bodies, credentials, waits, lost answers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server, empty, json, with};
use super::{CANARY, Rig, oauth, user};
use crate::domain::assignment::Role;
use crate::domain::change::{Patch, SignIn, Step};
use crate::domain::id::{AccountId, Email};
use crate::engine::ports::{CallFault, Helpdesk as _};
use crate::zendesk::call::Call;
use crate::zendesk::http::{Answer, BODY_BYTES_MAX};

fn read() -> Call {
    Call::get("users/{id}", &[7])
}

fn write() -> Call {
    Call::post("users", &[], json!({"user": {"name": "Kim"}}))
}

async fn send(rig: &mut Rig, call: &Call) -> Result<Answer, CallFault> {
    rig.client.caller.send(call).await
}

/// A server that answers a first request in one way, and every other with a user.
async fn once(first: impl Fn() -> Reply + Send + 'static) -> Server {
    Server::start(move |_, n| if n == 1 { first() } else { json(200, &json!({"user": user(7, Role::Agent)})) }).await
}

/// A server that always answers in one way.
async fn always(reply: impl Fn() -> Reply + Send + 'static) -> Server {
    Server::start(move |_, _| reply()).await
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_credential_leaves() {
    for status in [301, 302, 303, 307, 308] {
        let sink = always(|| empty(200)).await;
        let location = format!("location: {}api/v2/users/7", sink.url());
        let server = Server::start(move |_, _| with(status, &[&location], b"")).await;
        let mut rig = Rig::plain(&server);
        assert!(matches!(send(&mut rig, &read()).await, Err(CallFault::Garbled(_))), "{status}");
        assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))), "{status}");
        assert_eq!(sink.seen().len(), 0, "{status}");
    }
}

#[tokio::test]
async fn an_address_in_an_answer_is_never_fetched() {
    let sink = always(|| empty(200)).await;
    let elsewhere = format!("{}api/v2/groups?page=2", sink.url());
    let page = json!({"groups": [], "next_page": elsewhere, "links": {"next": elsewhere}});
    let server = Server::start(move |seen, _| match seen.path.as_str() {
        "/api/v2/users/me" => json(200, &json!({"user": user(1, Role::Admin)})),
        _ => json(200, &page),
    })
    .await;
    let mut rig = Rig::plain(&server);
    assert!(matches!(rig.client.catalog().await, Err(CallFault::Garbled(_))), "a list that doesn't end is no list");
    assert_eq!(sink.seen().len(), 0);
}

fn bomb() -> Reply {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![b' '; 1 << 20];
    (0..64).for_each(|_| gzip.write_all(&chunk).unwrap());
    with(200, &["content-type: application/json", "content-encoding: gzip"], &gzip.finish().unwrap())
}

#[tokio::test]
async fn a_body_bomb_is_not_unpacked() {
    let server = always(bomb).await;
    let mut rig = Rig::plain(&server);
    assert!(matches!(send(&mut rig, &read()).await, Err(CallFault::Garbled(why)) if why.contains("too large")));
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))));
    let fitting = always(|| with(200, &["content-type: application/json"], &vec![b' '; BODY_BYTES_MAX])).await;
    assert_eq!(send(&mut Rig::plain(&fitting), &read()).await.unwrap().body.len(), BODY_BYTES_MAX);
}

#[tokio::test]
async fn a_page_of_html_is_no_answer() {
    let html = || with(200, &["content-type: text/html"], b"\n<html><title>Scheduled maintenance\x1b[31m</title>");
    let server = always(html).await;
    let mut rig = Rig::plain(&server);
    let fault = send(&mut rig, &read()).await.unwrap_err();
    assert_eq!(fault, CallFault::Garbled("200 with text/html: <html><title>Scheduled maintenance [31m</title>".into()));
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))), "it may have been carried out");
    assert_eq!(server.seen().len(), 2, "neither is repeated");
}

#[tokio::test]
async fn json_that_is_no_user_is_garbled_for_a_read_and_unknown_for_a_write() {
    for body in ["null", "[]", "{}", "{\"user\":null}", "{\"user\":{\"id\":0}}", "", "{\"user\":[7]}", "{"] {
        let server = always(move || with(201, &["content-type: application/json"], body.as_bytes())).await;
        let mut rig = Rig::known(&server);
        let seen = rig.client.observe(&[AccountId(7)]).await;
        assert!(matches!(seen, Err(CallFault::Garbled(_))), "{body}: {seen:?}");
        let step = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
        let written = rig.client.carry_out(Some(AccountId(7)), &step).await;
        assert!(matches!(written, Err(CallFault::Unanswered(_))), "{body}: {written:?}");
    }
}

#[tokio::test]
async fn a_write_that_was_dropped_is_unanswered_and_never_repeated() {
    for cut in [0, 20, 60] {
        let half = move || match json(201, &json!({"user": user(7, Role::Agent)})) {
            Reply::Bytes(mut bytes) if cut > 0 => {
                bytes.truncate(bytes.len() - cut);
                Reply::Bytes(bytes)
            }
            _ => Reply::Drop,
        };
        let server = always(half).await;
        let mut rig = Rig::plain(&server);
        assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))), "{cut}");
        assert_eq!(server.seen().len(), 1, "{cut}");
    }
    for status in [500, 502, 503, 504] {
        let server = always(move || with(status, &["retry-after: 5", "content-type: text/html"], b"<html>")).await;
        let mut rig = Rig::plain(&server);
        assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))), "{status}");
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_that_is_not_answered_in_time_is_unanswered() {
    let told = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&told);
    let server = Server::start(move |_, _| {
        tell.notify_one();
        Reply::Silence
    })
    .await;
    let mut rig = Rig::plain(&server);
    let call = write();
    let (sent, ()) = tokio::join!(send(&mut rig, &call), async {
        told.notified().await;
        // The clock jumps to the time-out, now that the request is there.
        tokio::time::pause();
    });
    assert!(matches!(sent, Err(CallFault::Unanswered(_))), "{sent:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_read_is_repeated_three_times_with_growing_pauses() {
    for reply in [|| Reply::Drop, || with(502, &["content-type: text/html"], b"<html>Bad gateway")] {
        let server = always(reply).await;
        let mut rig = Rig::plain(&server);
        assert!(matches!(send(&mut rig, &read()).await, Err(CallFault::Unanswered(_))));
        assert_eq!((server.seen().len(), rig.waits()), (4, vec![1, 2, 4]));
        let server = once(reply).await;
        assert!(send(&mut Rig::plain(&server), &read()).await.is_ok());
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable_for_reads_and_writes() {
    let server = always(|| empty(200)).await;
    let mut rig = Rig::plain(&server);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = super::settings(format!("http://{nobody}").parse().unwrap(), super::api_token());
    let http = crate::zendesk::http_client(super::tls(), settings.timeout, &settings.base_url).unwrap();
    let timer = rig.client.caller.timer.clone();
    rig.client = crate::zendesk::ZendeskClient::new(
        &settings,
        Arc::new(super::Rotating::default()),
        Arc::new(super::Fixed),
        http,
    )
    .unwrap();
    rig.client.caller.timer = timer;
    for call in [read(), write()] {
        let fault = send(&mut rig, &call).await.unwrap_err();
        assert!(matches!(&fault, CallFault::Unreachable(why) if !why.contains("users")), "{fault}");
    }
    assert_eq!(rig.waits(), [1, 2, 4, 1, 2, 4], "nothing was sent, so a write may be tried again too");
}

#[tokio::test]
async fn plain_http_is_refused_by_a_client_for_https() {
    let server = always(|| empty(200)).await;
    let https = "https://acme.zendesk.com".parse().unwrap();
    let http = crate::zendesk::http_client(super::tls(), std::time::Duration::from_secs(5), &https).unwrap();
    assert!(http.get(server.url()).send().await.is_err());
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_throttled_request_waits_as_long_as_it_is_asked_to_and_is_repeated() {
    let table = [
        ("retry-after: 27", vec![27]),
        ("retry-after: Mon, 23 Nov 2026 12:00:45 GMT", vec![45]),
        ("retry-after: 0", vec![1]),
        ("retry-after: -3", vec![1]),
        ("x-nothing: 1", vec![1]),
    ];
    for (header, waits) in table {
        for call in [read(), write()] {
            let server = once(move || with(429, &[header, "content-type: text/plain"], b"slow down")).await;
            let mut rig = Rig::plain(&server);
            assert!(send(&mut rig, &call).await.is_ok(), "{header}");
            assert_eq!((rig.waits(), server.seen().len()), (waits.clone(), 2), "{header}");
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_and_kept_by_the_calls_that_follow() {
    let server = once(|| with(429, &["retry-after: 1000000000", "content-type: text/plain"], b"")).await;
    let mut rig = Rig::plain(&server);
    let after = std::time::Duration::from_secs(600);
    assert_eq!(send(&mut rig, &read()).await.unwrap_err(), CallFault::Throttled { after });
    assert!(matches!(send(&mut rig, &read()).await, Err(CallFault::Throttled { .. })));
    assert_eq!((server.seen().len(), rig.waits()), (1, vec![]), "no request before its time");
}

#[tokio::test]
async fn a_503_keeps_the_requests_that_follow_back_too() {
    let server = once(|| with(503, &["retry-after: 30", "content-type: text/html"], b"<html>")).await;
    let mut rig = Rig::plain(&server);
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Unanswered(_))));
    assert!(send(&mut rig, &read()).await.is_ok());
    let waits = rig.waits.lock().unwrap().clone();
    assert!(waits.len() == 1 && waits[0].as_secs_f64() > 29.0, "{waits:?}");
}

#[tokio::test]
async fn a_server_that_always_throttles_is_given_up_within_two_minutes() {
    let server = always(|| with(429, &["retry-after: 1"], b"")).await;
    let mut rig = Rig::plain(&server);
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Throttled { .. })));
    assert!(rig.waits().iter().sum::<u64>() <= 120 && server.seen().len() < 10, "{:?}", rig.waits());
}

#[tokio::test]
async fn a_collision_is_tried_again_even_for_a_write() {
    let collision = || with(409, &["content-type: text/plain"], b"Requester creation collision - please try again");
    let server = once(collision).await;
    assert!(send(&mut Rig::plain(&server), &write()).await.is_ok());
    let server = always(collision).await;
    let mut rig = Rig::plain(&server);
    assert!(matches!(send(&mut rig, &write()).await, Err(CallFault::Refused { kind: "invalid", .. })));
    assert_eq!((server.seen().len(), rig.waits()), (4, vec![1, 2, 4]));
}

#[tokio::test]
async fn updates_of_users_are_a_second_apart() {
    let server = Server::start(|_, _| json(200, &json!({"user": user(7, Role::Agent)}))).await;
    let mut rig = Rig::known(&server);
    let step = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
    for _ in 0..6 {
        rig.client.carry_out(Some(AccountId(7)), &step).await.unwrap();
    }
    let waits = rig.waits.lock().unwrap().clone();
    assert_eq!(waits.len(), 5);
    assert!(waits[4].as_secs() > 50, "the sixth update of one user waits for the minute: {waits:?}");
    rig.client.space_updates(std::time::Duration::ZERO);
    rig.client.carry_out(Some(AccountId(8)), &step).await.unwrap_err();
    assert_eq!(rig.waits.lock().unwrap().len(), 5);
}

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

#[tokio::test]
async fn addresses_are_built_from_the_base_and_parameters_are_encoded() {
    let server = always(|| json(200, &json!({"users": []}))).await;
    let mut rig = Rig::plain(&server);
    let nasty = "a&b=c#d?e/../é \"x\"%2e";
    let call = Call::get("users/search", &[]).with("query", nasty).with("page[size]", 100);
    send(&mut rig, &call).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/api/v2/users/search");
    assert_eq!((seen.asked("query"), seen.asked("page[size]")), (Some(nasty), Some("100")));
    assert_eq!(seen.query.len(), 2);
    assert_eq!(seen.header("user-agent"), Some(concat!("zendesk-dirsync/", env!("CARGO_PKG_VERSION"))));
    assert_eq!((seen.header("referer"), seen.header("accept")), (None, Some("application/json")));
}

#[tokio::test]
async fn protected_accounts_are_not_written_once_they_are_known() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/api/v2/users/me" => json(200, &json!({"user": user(1, Role::Admin)})),
        "/api/v2/account" => json(200, &json!({"account": {"id": 9, "owner_id": 2}})),
        "/api/v2/groups" => json(200, &json!({"groups": [], "meta": {"has_more": false}})),
        "/api/v2/users" => json(200, &json!({"users": [], "meta": {"has_more": false}})),
        "/api/v2/custom_roles" => json(403, &json!({"error": "Forbidden"})),
        _ => json(200, &json!({"user": user(4, Role::Agent)})),
    })
    .await;
    let mut rig = Rig::plain(&server);
    let rename = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
    let refused = |fault: CallFault| matches!(fault, CallFault::Refused { kind: "protected", .. });
    assert!(refused(rig.client.carry_out(Some(AccountId(1)), &rename).await.unwrap_err()));
    assert_eq!(server.lines(), ["GET /api/v2/users/me"], "before the first write it is asked who we are");
    rig.client.catalog().await.unwrap();
    rig.client.protect(BTreeSet::from([AccountId(3)]));
    let steps = [rename.clone(), Step::EndSessions, Step::Downgrade, Step::Join(crate::domain::id::GroupId(5))];
    for id in [1, 2, 3] {
        for step in &steps {
            let fault = rig.client.carry_out(Some(AccountId(id)), step).await.unwrap_err();
            assert!(refused(fault), "{id} {step:?}");
        }
    }
    assert!(server.seen().iter().all(|seen| seen.method == "GET"));
    assert!(rig.client.carry_out(Some(AccountId(4)), &rename).await.is_ok());
}
