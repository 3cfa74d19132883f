//! Reading: who we are, the catalog, accounts by id, by external id, by mail.

use serde_json::{Value, json};

use super::server::{Seen, Server, json};
use super::{Rig, user};
use crate::domain::account::{Existence, ObservedAccount};
use crate::domain::assignment::Role;
use crate::domain::id::{AccountId, CustomRoleId, Email, ExternalId, GroupId};
use crate::engine::ports::{CallFault, Helpdesk as _};

fn ids(accounts: &[ObservedAccount]) -> Vec<u64> {
    accounts.iter().map(|account| account.id.0).collect()
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

/// The number in a path like `/api/v2/users/7/identities`.
fn number(seen: &Seen) -> u64 {
    seen.path.split('/').nth(4).and_then(|part| part.parse().ok()).unwrap_or(0)
}

fn identity(id: u64, user: u64, value: &str) -> Value {
    json!({"id": id, "user_id": user, "type": "email", "value": value, "verified": true, "primary": id % 10 == 1})
}

/// The identities of a user in these tests: the primary address and a further one.
fn identities(user: u64) -> Value {
    json!([
        identity(user * 10 + 1, user, &format!("p{user}@example.org")),
        identity(user * 10 + 2, user, &format!("P{user}.old@example.org"))
    ])
}

fn end(mut page: Value) -> Value {
    page["meta"] = json!({"has_more": false, "after_cursor": null});
    page
}

#[tokio::test]
async fn an_anonymous_caller_is_refused_although_it_is_answered_with_200() {
    let anonymous = json!({"id": null, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"});
    let mut deleted = user(1, Role::Admin);
    deleted["active"] = json!(false);
    for answer in [anonymous, user(1, Role::EndUser), deleted, json!({}), Value::Null] {
        let server = Server::start(move |_, _| json(200, &json!({"user": answer}))).await;
        let fault = Rig::plain(&server).client.who_am_i().await.unwrap_err();
        assert!(matches!(fault, CallFault::Unauthorized(_)), "{fault:?}");
    }
    let server = Server::start(|_, _| json(200, &json!({"user": user(1, Role::Admin)}))).await;
    let me = Rig::plain(&server).client.who_am_i().await.unwrap();
    assert_eq!((me.account, me.role, me.label.as_str()), (AccountId(1), Role::Admin, "p1@example.org"));
}

/// A server for the catalog; `owner` is what `account` answers.
async fn catalog(owner: (u16, Value), roles: (u16, Value)) -> Server {
    Server::start(move |seen, _| {
        let after = seen.asked("page[after]");
        match seen.path.as_str() {
            "/api/v2/users/me" => json(200, &json!({"user": user(1, Role::Admin)})),
            "/api/v2/groups" if after.is_none() => json(
                200,
                &json!({"groups": [{"id": 5, "name": "Support", "default": true}, {"id": 6, "name": "Twice"}],
                    "meta": {"has_more": true, "after_cursor": "c1=/+"}}),
            ),
            "/api/v2/groups" if after == Some("c1=/+") => json(
                200,
                &end(json!({"groups": [{"id": 7, "name": "Twice"}, {"id": 8, "name": "Gone", "deleted": true}]})),
            ),
            "/api/v2/users" => {
                let mut suspended = user(3, Role::Admin);
                suspended["suspended"] = json!(true);
                json(
                    200,
                    &end(
                        json!({"users": [user(1, Role::Admin), user(2, Role::Admin), suspended, user(4, Role::Agent)]}),
                    ),
                )
            }
            "/api/v2/custom_roles" => json(roles.0, &roles.1),
            "/api/v2/account" => json(owner.0, &owner.1),
            _ => json(404, &json!({"error": "InvalidEndpoint"})),
        }
    })
    .await
}

#[tokio::test]
async fn the_catalog_has_names_the_owner_and_the_active_admins() {
    let roles = json!({"custom_roles": [{"id": 77, "name": "Light"}, {"id": 78, "name": "Staff"}], "count": 2});
    let server = catalog((200, json!({"account": {"owner_id": 2}})), (200, roles)).await;
    let catalog = Rig::plain(&server).client.catalog().await.unwrap();
    assert_eq!(catalog.groups["Support"], [GroupId(5)].into());
    assert_eq!(catalog.groups["Twice"], [GroupId(6), GroupId(7)].into(), "an ambiguous name keeps both");
    assert_eq!(catalog.groups.len(), 2);
    assert_eq!(catalog.default_group, Some(GroupId(5)));
    assert_eq!(catalog.custom_roles["Light"], [CustomRoleId(77)].into());
    assert_eq!(catalog.active_admins, [AccountId(1), AccountId(2)].into());
    let untouchable: Vec<_> = catalog.untouchable.into_iter().collect();
    assert_eq!(untouchable, [(AccountId(1), "our own API user"), (AccountId(2), "the account owner")]);
    let role = server.seen().into_iter().find(|seen| seen.path == "/api/v2/users").unwrap();
    assert_eq!((role.asked("role"), role.asked("page[size]")), (Some("admin"), Some("100")));
}

#[tokio::test]
async fn a_plan_without_custom_roles_and_an_owner_nobody_tells_are_no_faults() {
    for status in [403, 404] {
        let nothing = || (status, json!({"error": "Forbidden"}));
        let catalog = Rig::plain(&catalog(nothing(), nothing()).await).client.catalog().await.unwrap();
        assert!(catalog.custom_roles.is_empty());
        assert_eq!(catalog.untouchable.len(), 1);
    }
}

#[tokio::test]
async fn a_list_that_repeats_a_cursor_is_no_list() {
    let page = json!({"groups": [{"id": 5, "name": "A"}], "meta": {"has_more": true, "after_cursor": "c"}});
    let server = Server::start(move |seen, _| match seen.path.as_str() {
        "/api/v2/users/me" => json(200, &json!({"user": user(1, Role::Admin)})),
        _ => json(200, &page),
    })
    .await;
    let fault = Rig::plain(&server).client.catalog().await.unwrap_err();
    assert_eq!(fault, CallFault::Garbled("groups: a page repeats a cursor".into()));
    assert_eq!(server.seen().len(), 3);
}

/// A server that knows users 7 (agent), 8 (end user), 9 (deleted), and no other; side-loads if it is told to.
async fn people(side_loads: &'static str) -> Server {
    let known = |id: u64| match id {
        7 => Some(user(7, Role::Agent)),
        8 => Some(user(8, Role::EndUser)),
        9 => {
            let mut gone = user(9, Role::EndUser);
            (gone["active"], gone["email"]) = (json!(false), Value::Null);
            Some(gone)
        }
        _ => None,
    };
    Server::start(move |seen, _| match seen.path.as_str() {
        "/api/v2/users/show_many" => {
            // Another order, deleted ones left out, and somebody nobody asked for.
            let mut users = vec![user(99, Role::Admin)];
            let asked = seen.asked("ids").unwrap_or_default().split(',').filter_map(|id| id.parse().ok());
            users.extend(asked.filter(|id| *id != 9).filter_map(known));
            users.reverse();
            let mut answer = json!({"users": users, "count": 3, "next_page": null});
            if side_loads != "none" {
                let listed = if side_loads == "some" {
                    json!([identities(7)[1]])
                } else {
                    json!([identities(7)[0], identities(7)[1], identities(8)[0], identities(8)[1]])
                };
                answer["identities"] = listed;
            }
            json(200, &answer)
        }
        path if path.ends_with("/identities") => {
            json(200, &json!({"identities": identities(number(seen)), "next_page": null}))
        }
        path if path.ends_with("/group_memberships") => json(
            200,
            &end(json!({"group_memberships": [
                {"id": 50, "user_id": number(seen), "group_id": 5, "default": true},
                {"id": 60, "user_id": number(seen), "group_id": 6, "default": false}]})),
        ),
        _ => match known(number(seen)) {
            Some(user) => json(200, &json!({"user": user})),
            None => json(404, &json!({"error": "RecordNotFound", "description": "Not found"})),
        },
    })
    .await
}

#[tokio::test]
async fn accounts_are_read_whole_with_groups_and_every_address() {
    for side_loads in ["none", "some", "all"] {
        let server = people(side_loads).await;
        let wanted = [9, 7, 8, 7, 10].map(AccountId);
        let observed = Rig::plain(&server).client.observe(&wanted).await.unwrap();
        assert_eq!(ids(&observed), [7, 8, 9], "{side_loads}: nobody twice, nobody who wasn't asked for");
        let agent = &observed[0];
        assert_eq!(agent.groups, [GroupId(5), GroupId(6)].into());
        assert_eq!(agent.default_group, Some(GroupId(5)));
        assert_eq!(agent.emails, [email("p7@example.org"), email("p7.old@example.org")].into(), "{side_loads}");
        assert_eq!((observed[1].groups.len(), observed[1].emails.len()), (0, 2));
        assert_eq!(observed[2].existence, Existence::Deleted, "a deleted user is looked up singly");
        let singly = server.lines().iter().filter(|line| line.ends_with("identities")).count();
        assert_eq!(singly, if side_loads == "all" { 0 } else { 2 }, "{side_loads}");
    }
}

#[tokio::test]
async fn many_accounts_are_read_a_hundred_at_a_time() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/api/v2/users/show_many" => {
            let asked = seen.asked("ids").unwrap_or_default().split(',').filter_map(|id| id.parse().ok());
            let users: Vec<Value> = asked.map(|id| user(id, Role::EndUser)).collect();
            let all: Vec<Value> =
                users.iter().map(|user| identities(user["id"].as_u64().unwrap())[0].clone()).collect();
            json(200, &json!({"users": users, "identities": all}))
        }
        _ => json(500, &json!({})),
    })
    .await;
    let wanted: Vec<AccountId> = (1..=250).map(AccountId).collect();
    assert_eq!(Rig::plain(&server).client.observe(&wanted).await.unwrap().len(), 250);
    let sizes: Vec<usize> = server.seen().iter().map(|seen| seen.asked("ids").unwrap().split(',').count()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert!(Rig::plain(&server).client.observe(&[]).await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 3, "nothing is asked for nobody");
}

#[tokio::test]
async fn an_answer_that_cannot_be_trusted_is_not_an_absence() {
    for body in [json!({}), json!({"users": null}), json!({"users": [{"name": "no id"}]}), json!({"users": {"id": 7}})]
    {
        let server = Server::start(move |_, _| json(200, &body)).await;
        let observed = Rig::plain(&server).client.observe(&[AccountId(7)]).await;
        assert!(matches!(observed, Err(CallFault::Garbled(_))), "{observed:?}");
    }
    let server = Server::start(|_, _| json(404, &json!({"error": "InvalidEndpoint"}))).await;
    let id = ExternalId::parse("dirsync-1").unwrap();
    assert!(Rig::plain(&server).client.find_by_external_id(&[id]).await.is_err(), "a wrong path isn't nobody");
}

#[tokio::test]
async fn another_user_than_the_one_asked_for_is_refused() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/api/v2/users/show_many" => json(200, &json!({"users": []})),
        path if path.ends_with("identities") => json(200, &json!({"identities": []})),
        _ => json(200, &json!({"user": user(1, Role::EndUser)})),
    })
    .await;
    let observed = Rig::plain(&server).client.observe(&[AccountId(7)]).await;
    assert!(matches!(observed, Err(CallFault::Garbled(_))), "{observed:?}");
}

#[tokio::test]
async fn external_ids_are_found_whatever_their_case_and_a_comma_splits_none() {
    let server = Server::start(|seen, _| {
        let mut found = user(7, Role::EndUser);
        found["external_id"] = json!("DIRSYNC-AB");
        let mut other = user(8, Role::EndUser);
        other["external_id"] = json!("dirsync-other");
        let mut comma = user(9, Role::EndUser);
        comma["external_id"] = json!("doe, kim");
        match seen.path.as_str() {
            "/api/v2/users/show_many" => json(200, &json!({"users": [other, found]})),
            "/api/v2/users/search" => json(200, &json!({"users": [comma], "count": 1})),
            _ => json(200, &json!({"identities": []})),
        }
    })
    .await;
    let wanted = ["dirsync-ab", "dirsync-cd", "doe, kim"].map(|id| ExternalId::parse(id).unwrap());
    let found = Rig::plain(&server).client.find_by_external_id(&wanted).await.unwrap();
    assert_eq!(ids(&found), [7, 9]);
    let seen = server.seen();
    assert_eq!(seen[0].asked("external_ids"), Some("dirsync-ab,dirsync-cd"));
    assert_eq!(seen[1].asked("external_id"), Some("doe, kim"));
}

#[tokio::test]
async fn a_mail_is_found_by_identities_that_really_have_it() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/api/v2/users/search" => {
            json(200, &json!({"users": [user(6, Role::EndUser), user(7, Role::EndUser), user(8, Role::EndUser)]}))
        }
        "/api/v2/users/6" => json(200, &json!({"user": user(6, Role::EndUser)})),
        "/api/v2/users/7" => json(200, &json!({"user": user(7, Role::EndUser)})),
        "/api/v2/users/8" => json(404, &json!({"error": "RecordNotFound"})),
        _ => json(200, &json!({"identities": identities(number(seen))})),
    })
    .await;
    let mut rig = Rig::plain(&server);
    let found = rig.client.find_by_email(&email("P7.Old@example.org")).await.unwrap();
    assert_eq!(ids(&found), [7], "a further address counts; a hit of the index alone doesn't");
    assert_eq!(found[0].emails.len(), 2);
    assert_eq!(server.seen()[0].asked("query"), Some("email:\"p7.old@example.org\""));
    assert!(rig.client.find_by_email(&email("p77@example.org")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_quote_in_an_address_does_not_end_the_search_term() {
    let server = Server::start(|_, _| json(200, &json!({"users": []}))).await;
    let nasty = email("\"x\\\" role:admin \"@example.org");
    assert!(Rig::plain(&server).client.find_by_email(&nasty).await.unwrap().is_empty());
    assert_eq!(server.seen()[0].asked("query").unwrap().matches('"').count(), 2);
}
