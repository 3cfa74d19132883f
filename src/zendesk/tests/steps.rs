//! Steps: what is sent for each, what a repetition does, and what an answer of success must show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server, empty, json, with};
use super::{Rig, user};
use crate::domain::assignment::Role;
use crate::domain::change::{NewAccount, OldEmail, Patch, SignIn, Step, Suspension, Welcome};
use crate::domain::id::{AccountId, CustomRoleId, Email, ExternalId, GroupId};
use crate::domain::mapping::Field;
use crate::engine::ports::{CallFault, Effect, Helpdesk as _, StepDone};

const KIM: AccountId = AccountId(7);

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn new_account() -> NewAccount {
    NewAccount {
        external_id: Some(ExternalId::parse("dirsync-7").unwrap()),
        name: "Kim Doe".into(),
        email: email("p7@example.org"),
        texts: BTreeMap::from([(Field::Phone, "+4930".into()), (Field::Notes, String::new())]),
        role: Role::Agent,
        custom_role: Some(CustomRoleId(77)),
        tags: ["a".into(), "b".into()].into(),
        welcome: Welcome::Silent,
    }
}

async fn carry_out(server: &Server, step: &Step) -> Result<StepDone, CallFault> {
    Rig::known(server).client.carry_out(Some(KIM), step).await
}

async fn effect(server: &Server, step: &Step) -> Effect {
    carry_out(server, step).await.unwrap().effect
}

async fn always(status: u16, body: Value) -> Server {
    Server::start(move |_, _| json(status, &body)).await
}

/// A server that answers a PUT or POST of a user as Zendesk would: with what was sent.
async fn echo() -> Server {
    Server::start(|seen, _| {
        let mut answer = user(7, Role::EndUser);
        for (key, value) in seen.json()["user"].as_object().into_iter().flatten() {
            answer[key] = value.clone();
        }
        let status = if seen.method == "POST" { 201 } else { 200 };
        let body = json!({"user": answer}).to_string();
        with(status, &["content-type: application/json", "x-request-id: r-9"], body.as_bytes())
    })
    .await
}

#[tokio::test]
async fn a_creation_is_one_post_with_everything() {
    let server = echo().await;
    let mut rig = Rig::known(&server);
    let done = rig.client.carry_out(None, &Step::Create(new_account())).await.unwrap();
    assert_eq!(done, StepDone { account: KIM, effect: Effect::Done, request_id: Some("r-9".into()) });
    assert_eq!(server.lines(), ["POST /api/v2/users"]);
    let sent = json!({"user": {
        "name": "Kim Doe", "email": "p7@example.org", "external_id": "dirsync-7", "role": "agent", "custom_role_id": 77,
        "phone": "+4930", "tags": ["a", "b"], "verified": true, "skip_verify_email": true}});
    assert_eq!(server.seen()[0].json(), sent);
    let plain = NewAccount {
        external_id: None,
        custom_role: None,
        texts: BTreeMap::new(),
        tags: Default::default(),
        welcome: Welcome::Mail,
        ..new_account()
    };
    rig.client.carry_out(None, &Step::Create(plain)).await.unwrap();
    let sent =
        json!({"user": {"name": "Kim Doe", "email": "p7@example.org", "role": "agent", "skip_verify_email": false}});
    assert_eq!(server.seen()[1].json(), sent);
}

#[tokio::test]
async fn a_creation_whose_success_names_no_account_or_another_person_is_in_doubt() {
    let mut other_mail = user(7, Role::Agent);
    other_mail["email"] = json!("somebody@example.org");
    let mut other_id = user(7, Role::Agent);
    other_id["external_id"] = json!("dirsync-8");
    for answer in [
        json!({}),
        json!({"user": null}),
        json!({"user": {"id": null}}),
        json!({"user": other_mail}),
        json!({"user": other_id}),
    ] {
        let server = always(201, answer.clone()).await;
        let made = Rig::known(&server).client.carry_out(None, &Step::Create(new_account())).await;
        assert!(matches!(made, Err(CallFault::Unanswered(_))), "{answer} {made:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn refusals_of_a_creation_are_told_apart() {
    let refusal = |field: &str, error: &str| {
        json!({"error": "RecordInvalid", "description": "Record validation errors",
            "details": {field: [{"description": "no", "error": error}]}})
    };
    for (field, error, kind) in [
        ("email", "DuplicateValue", "email_taken"),
        ("external_id", "DuplicateValue", "external_id_taken"),
        ("base", "MaxAgentExceeded", "seats_short"),
        ("name", "InvalidValue", "invalid"),
    ] {
        let server = always(422, refusal(field, error)).await;
        let fault = Rig::known(&server).client.carry_out(None, &Step::Create(new_account())).await.unwrap_err();
        assert_eq!(fault.kind(), kind);
    }
}

#[tokio::test]
async fn a_step_and_its_account_must_fit_together() {
    let server = echo().await;
    let mut rig = Rig::known(&server);
    assert!(rig.client.carry_out(Some(KIM), &Step::Create(new_account())).await.is_err());
    assert!(rig.client.carry_out(None, &Step::EndSessions).await.is_err());
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_write_is_one_put_with_only_what_is_set() {
    let server = echo().await;
    let full = Patch {
        name: Some("Kim".into()),
        external_id: Some(ExternalId::parse("x-1").unwrap()),
        texts: BTreeMap::from([(Field::Phone, "+49".into()), (Field::Alias, String::new())]),
        role: Some((Role::Agent, None)),
        sign_in: Some(SignIn::Lift),
    };
    let parts = [
        (
            full,
            json!({"name": "Kim", "external_id": "x-1", "phone": "+49", "alias": null, "role": "agent",
            "custom_role_id": null, "suspended": false}),
        ),
        (Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() }, json!({"suspended": true})),
        (Patch { role: Some((Role::Admin, None)), ..Patch::default() }, json!({"role": "admin"})),
        (
            Patch { role: Some((Role::EndUser, Some(CustomRoleId(77)))), ..Patch::default() },
            json!({"role": "end-user"}),
        ),
        (
            Patch { role: Some((Role::Agent, Some(CustomRoleId(77)))), ..Patch::default() },
            json!({"role": "agent", "custom_role_id": 77}),
        ),
    ];
    for (n, (patch, sent)) in parts.into_iter().enumerate() {
        assert_eq!(effect(&server, &Step::Write(patch)).await, Effect::Done);
        assert_eq!(server.seen()[n].line(), "PUT /api/v2/users/7");
        assert_eq!(server.seen()[n].json(), json!({"user": sent}));
    }
    let before = server.seen().len();
    assert_eq!(effect(&server, &Step::Write(Patch::default())).await, Effect::AlreadySo);
    assert_eq!(server.seen().len(), before, "nothing to write is no request");
}

#[tokio::test]
async fn a_success_that_left_role_or_suspension_as_they_were_is_no_success() {
    let server = always(200, json!({"user": user(7, Role::Agent)})).await;
    let ignored = [
        Step::Write(Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() }),
        Step::Write(Patch { role: Some((Role::Admin, None)), ..Patch::default() }),
    ];
    for step in ignored {
        assert!(matches!(carry_out(&server, &step).await, Err(CallFault::Refused { kind: "invalid", .. })), "{step:?}");
    }
    let other = always(200, json!({"user": user(8, Role::Agent)})).await;
    let rename = Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() });
    assert!(matches!(carry_out(&other, &rename).await, Err(CallFault::Unanswered(_))));
}

/// A server with the identities of account 7.
async fn mailbox(addresses: &[&str]) -> Server {
    let kept: Arc<Mutex<Vec<(u64, String)>>> = Arc::default();
    kept.lock().unwrap().extend((1..).zip(addresses.iter().map(|text| (*text).to_owned())));
    let show = |(n, (id, value)): (usize, &(u64, String))| json!({"id": id, "user_id": 7, "type": "email", "value": value, "verified": true, "primary": n == 0});
    Server::start(move |seen, _| {
        let mut kept = kept.lock().unwrap();
        let id = seen.path.split('/').nth(6).and_then(|id| id.parse::<u64>().ok());
        match (seen.method.as_str(), id) {
            ("POST", _) => {
                let value = seen.json()["identity"]["value"].as_str().unwrap().to_owned();
                let id = 100 + kept.len() as u64;
                kept.push((id, value.clone()));
                return json(201, &json!({"identity": {"id": id, "user_id": 7, "type": "email", "value": value}}));
            }
            ("PUT", Some(id)) => kept.sort_by_key(|(have, _)| *have != id),
            ("DELETE", Some(id)) => {
                let before = kept.len();
                kept.retain(|(have, _)| *have != id);
                return empty(if kept.len() < before { 204 } else { 404 });
            }
            _ => {}
        }
        let all: Vec<Value> = kept.iter().enumerate().map(show).collect();
        json(200, &json!({"identities": all, "next_page": null, "count": all.len()}))
    })
    .await
}

fn change(old: OldEmail) -> Step {
    Step::ChangeEmail { from: Some(email("old@example.org")), to: email("new@example.org"), old }
}

const LIST: &str = "GET /api/v2/users/7/identities";

#[tokio::test]
async fn an_address_is_changed_by_identities_and_a_repetition_finds_it_done() {
    let server = mailbox(&["Old@Example.org", "third@example.org"]).await;
    assert_eq!(effect(&server, &change(OldEmail::Removed)).await, Effect::Done);
    let add = "POST /api/v2/users/7/identities";
    let primary = "PUT /api/v2/users/7/identities/102/make_primary";
    assert_eq!(server.lines(), [LIST, add, primary, "DELETE /api/v2/users/7/identities/1"]);
    let sent =
        json!({"identity": {"type": "email", "value": "new@example.org", "verified": true, "skip_verify_email": true}});
    assert_eq!(server.seen()[1].json(), sent);
    let put = &server.seen()[2];
    assert_eq!((put.header("content-type"), put.body.as_str()), (Some("application/json"), ""));
    assert_eq!(effect(&server, &change(OldEmail::Removed)).await, Effect::AlreadySo);
    assert_eq!(server.seen().len(), 5, "one look, no write");
}

#[tokio::test]
async fn an_address_that_is_there_is_used_and_a_kept_one_stays() {
    let server = mailbox(&["old@example.org", "New@example.org"]).await;
    assert_eq!(effect(&server, &change(OldEmail::Kept)).await, Effect::Done);
    assert_eq!(server.lines(), [LIST, "PUT /api/v2/users/7/identities/2/make_primary"]);
    // What an interrupted change left behind is brought to its end.
    let server = mailbox(&["new@example.org", "old@example.org"]).await;
    assert_eq!(effect(&server, &change(OldEmail::Removed)).await, Effect::Done);
    assert_eq!(server.lines(), [LIST, "DELETE /api/v2/users/7/identities/2"]);
}

#[tokio::test]
async fn an_address_of_somebody_else_is_refused_before_anything_changes() {
    let server = Server::start(|seen, _| match seen.method.as_str() {
        "GET" => json(200, &json!({"identities": []})),
        _ => json(
            422,
            &json!({"error": "RecordInvalid", "details": {"value": [
                {"description": "Value: new@example.org is already being used by another user", "error": "DuplicateValue"}]}}),
        ),
    })
    .await;
    let fault = carry_out(&server, &change(OldEmail::Removed)).await.unwrap_err();
    assert_eq!((fault.kind(), server.seen().len()), ("email_taken", 2));
}

/// A server with memberships of account 7: group 5 is the default one, then 6. What else is asked is answered so.
async fn member(other: fn(&Seen) -> Reply) -> Server {
    Server::start(move |seen, _| match seen.method.as_str() {
        "GET" => json(
            200,
            &json!({"group_memberships": [
                {"id": 50, "user_id": 7, "group_id": 5, "default": true},
                {"id": 60, "user_id": 7, "group_id": 6, "default": false},
                {"id": 90, "user_id": 8, "group_id": 9, "default": false}], "meta": {"has_more": false}}),
        ),
        _ => other(seen),
    })
    .await
}

const MEMBERSHIPS: &str = "GET /api/v2/users/7/group_memberships";

#[tokio::test]
async fn groups_are_joined_and_a_membership_that_exists_is_no_fault() {
    let joined = member(|_| json(201, &json!({"group_membership": {"id": 61, "user_id": 7, "group_id": 6}}))).await;
    assert_eq!(effect(&joined, &Step::Join(GroupId(6))).await, Effect::Done);
    assert_eq!(joined.lines(), ["POST /api/v2/group_memberships"]);
    assert_eq!(joined.seen()[0].json(), json!({"group_membership": {"user_id": 7, "group_id": 6}}));
    let refused = member(|_| json(422, &json!({"error": "RecordInvalid", "description": "some wording"}))).await;
    assert_eq!(effect(&refused, &Step::Join(GroupId(6))).await, Effect::AlreadySo);
    assert_eq!(
        carry_out(&refused, &Step::Join(GroupId(9))).await.unwrap_err().kind(),
        "invalid",
        "group 9 is another's"
    );
}

#[tokio::test]
async fn groups_are_left_by_a_path_that_names_the_user() {
    let left = member(|_| empty(204)).await;
    assert_eq!(effect(&left, &Step::Leave(GroupId(6))).await, Effect::Done);
    assert_eq!(left.lines(), [MEMBERSHIPS, "DELETE /api/v2/users/7/group_memberships/60"]);
    assert_eq!(effect(&left, &Step::Leave(GroupId(9))).await, Effect::AlreadySo);
    assert_eq!(left.seen().len(), 3, "what isn't there isn't deleted");
    let gone = member(|_| json(404, &json!({"error": "RecordNotFound"}))).await;
    assert_eq!(effect(&gone, &Step::Leave(GroupId(6))).await, Effect::AlreadySo);
}

#[tokio::test]
async fn the_default_group_is_made_of_a_membership() {
    let server = member(|_| json(200, &json!({"group_memberships": []}))).await;
    assert_eq!(effect(&server, &Step::MakeDefault(GroupId(6))).await, Effect::Done);
    assert_eq!(server.lines(), [MEMBERSHIPS, "PUT /api/v2/users/7/group_memberships/60/make_default"]);
    assert_eq!(effect(&server, &Step::MakeDefault(GroupId(5))).await, Effect::AlreadySo);
    assert!(matches!(carry_out(&server, &Step::MakeDefault(GroupId(9))).await, Err(CallFault::NotFound(_))));
    assert_eq!(server.seen().iter().filter(|seen| seen.method == "PUT").count(), 1);
}

#[tokio::test]
async fn tags_are_added_and_removed_without_touching_others_and_sessions_end() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/api/v2/users/7/sessions" => empty(204),
        _ => json(200, &json!({"tags": []})),
    })
    .await;
    assert_eq!(effect(&server, &Step::AddTags(["b".into(), "a".into()].into())).await, Effect::Done);
    assert_eq!(effect(&server, &Step::RemoveTags(["c".into()].into())).await, Effect::Done);
    assert_eq!(effect(&server, &Step::EndSessions).await, Effect::Done);
    let lines = ["PUT /api/v2/users/7/tags", "DELETE /api/v2/users/7/tags", "DELETE /api/v2/users/7/sessions"];
    assert_eq!(server.lines(), lines);
    assert_eq!(server.seen()[0].json(), json!({"tags": ["a", "b"]}));
    assert_eq!(server.seen()[1].json(), json!({"tags": ["c"]}));
}

/// A Zendesk that refuses to downgrade a suspended user, if `strict`; `fail` names a request of users/7 that is dropped.
async fn picky(suspended: bool, fail: Option<usize>) -> Server {
    let mut state = user(7, Role::Agent);
    state["suspended"] = json!(suspended);
    Server::start(move |seen, n| {
        if fail == Some(n) {
            return Reply::Drop;
        }
        let sent = seen.json()["user"].clone();
        let refused = json!({"error": "RecordInvalid", "details": {"base": [{"description": "cannot be downgraded"}]}});
        if sent["role"] == json!("end-user") && (state["suspended"] == json!(true) || !suspended) {
            return json(422, &refused);
        }
        for (key, value) in sent.as_object().into_iter().flatten() {
            state[key] = value.clone();
        }
        json(200, &json!({"user": state}))
    })
    .await
}

fn puts(server: &Server) -> Vec<Value> {
    server.seen().iter().filter(|seen| seen.method == "PUT").map(|seen| seen.json()["user"].clone()).collect()
}

#[tokio::test]
async fn a_downgrade_is_one_put_where_zendesk_takes_it() {
    let server = echo().await;
    assert_eq!(effect(&server, &Step::Downgrade(Suspension::Ours)).await, Effect::Done);
    assert_eq!(puts(&server), [json!({"role": "end-user"})]);
}

#[tokio::test]
async fn a_refused_downgrade_of_a_suspended_user_lifts_downgrades_and_suspends_again() {
    let server = picky(true, None).await;
    assert_eq!(effect(&server, &Step::Downgrade(Suspension::Ours)).await, Effect::Done);
    let order = [
        json!({"role": "end-user"}),
        json!({"suspended": false}),
        json!({"role": "end-user"}),
        json!({"suspended": true}),
    ];
    assert_eq!(puts(&server), order);
}

#[tokio::test]
async fn a_refused_downgrade_of_an_active_user_is_only_refused() {
    let server = picky(false, None).await;
    assert_eq!(carry_out(&server, &Step::Downgrade(Suspension::Ours)).await.unwrap_err().kind(), "invalid");
    assert_eq!(puts(&server).len(), 1);
}

#[tokio::test]
async fn somebody_elses_suspension_is_never_lifted_for_a_downgrade() {
    let server = picky(true, None).await;
    let fault = carry_out(&server, &Step::Downgrade(Suspension::NotOurs)).await.unwrap_err();
    assert_eq!(fault.kind(), "invalid");
    assert_eq!(puts(&server), [json!({"role": "end-user"})]);
}

#[tokio::test]
async fn an_account_that_was_opened_for_a_downgrade_is_closed_whatever_happens() {
    // Requests: PUT role, GET, PUT lift (3), PUT role (4), PUT suspend.
    for failing in [3, 4] {
        let server = picky(true, Some(failing)).await;
        let fault = carry_out(&server, &Step::Downgrade(Suspension::Ours)).await.unwrap_err();
        assert!(matches!(fault, CallFault::Unanswered(_)), "{fault:?}");
        assert_eq!(puts(&server).last(), Some(&json!({"suspended": true})), "{failing}");
    }
}

#[tokio::test]
async fn an_account_that_is_gone_is_not_found() {
    let server = always(404, json!({"error": "RecordNotFound", "description": "Not found"})).await;
    let steps = [
        Step::Write(Patch { name: Some("Kim".into()), ..Patch::default() }),
        Step::EndSessions,
        Step::AddTags(["a".into()].into()),
        Step::Leave(GroupId(5)),
        Step::Downgrade(Suspension::Ours),
    ];
    for step in steps {
        assert!(matches!(carry_out(&server, &step).await, Err(CallFault::NotFound(_))), "{step:?}");
    }
}
