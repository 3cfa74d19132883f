//! The way to the socket: redirects, bodies, credentials, waits, lost answers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::server::{Reply, Server, empty, json, with};
use super::{Rig, always, once, read, send, user, write};
use crate::domain::assignment::Role;
use crate::domain::change::{Patch, Step, Suspension};
use crate::domain::id::{AccountId, Email};
use crate::engine::ports::{CallFault, Helpdesk as _};
use crate::zendesk::call::Call;
use crate::zendesk::gate::Gate;
use crate::zendesk::http::BODY_BYTES_MAX;

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

#[tokio::test]
async fn a_limit_on_updates_of_one_user_holds_nobody_else() {
    let text = "You have exceeded the rate limit for updating a single unique user. user email:  id:  external_id: ";
    let slow = move || with(429, &["content-type: text/plain; charset=UTF-8", "retry-after: 300"], text.as_bytes());
    let server = once(slow).await;
    let mut rig = Rig::known(&server);
    let step = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
    let throttled = |fault: CallFault| matches!(fault, CallFault::Throttled { .. });
    assert!(throttled(rig.client.carry_out(Some(AccountId(7)), &step).await.unwrap_err()));
    assert!(send(&mut rig, &read()).await.is_ok());
    assert!(rig.client.carry_out(Some(AccountId(8)), &step).await.is_err_and(|fault| !throttled(fault)));
    assert!(throttled(rig.client.carry_out(Some(AccountId(7)), &step).await.unwrap_err()));
    assert_eq!(server.lines(), ["PUT /api/v2/users/7", "GET /api/v2/users/7", "PUT /api/v2/users/8"]);
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
        "/api/v2/users/search" => json(200, &json!({"users": [{"id": 3}]})),
        "/api/v2/users/show_many" => json(200, &json!({"users": []})),
        "/api/v2/users/3" => json(200, &json!({"user": user(3, Role::EndUser)})),
        "/api/v2/users/4/identities" => json(200, &json!({"identities": []})),
        "/api/v2/users/4/group_memberships" => json(200, &json!({"group_memberships": []})),
        "/api/v2/users/3/identities" => json(
            200,
            &json!({"identities": [{"id": 30, "type": "email", "value": "listed@example.org", "primary": true}]}),
        ),
        _ => json(200, &json!({"user": user(4, Role::Agent)})),
    })
    .await;
    let mut rig = Rig::plain(&server);
    rig.client.caller.gate = Gate::new(BTreeSet::from([Email::parse("listed@example.org").unwrap()]));
    let rename = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
    let refused = |fault: CallFault| matches!(fault, CallFault::Refused { kind: "protected", .. });
    assert!(refused(rig.client.carry_out(Some(AccountId(1)), &rename).await.unwrap_err()));
    let asked = ["GET /api/v2/users/me", "GET /api/v2/account"];
    assert_eq!(server.lines(), asked, "before the first write it is asked who we are and who owns the account");
    for id in [2, 3] {
        // Not seen in this session yet: looked at first.
        assert!(refused(rig.client.carry_out(Some(AccountId(id)), &rename).await.unwrap_err()), "{id}");
    }
    rig.client.catalog().await.unwrap();
    let steps = [
        rename.clone(),
        Step::EndSessions,
        Step::Downgrade(Suspension::Ours),
        Step::Join(crate::domain::id::GroupId(5)),
    ];
    for id in [1, 2, 3] {
        for step in &steps {
            let fault = rig.client.carry_out(Some(AccountId(id)), step).await.unwrap_err();
            assert!(refused(fault), "{id} {step:?}");
        }
    }
    assert!(server.seen().iter().all(|seen| seen.method == "GET"));
    assert!(rig.client.carry_out(Some(AccountId(4)), &rename).await.is_ok());
}
