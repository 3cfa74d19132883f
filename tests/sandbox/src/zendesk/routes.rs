//! The routing table, and the way of one request: route, login, limits, body, handler.

use super::auth::{self, Need};
use super::call::Call;
use super::clock::http_date;
use super::limits;
use super::reply::{Answer, Body, Reply, invalid_endpoint, unauthenticated};
use super::world::World;
use super::{bulk, catalog, group_memberships, groups, identities, jobs, organization_memberships, organizations};
use super::{sessions, tags, tickets, users};
use axum::extract::Query;
use axum::http::header;
use axum::http::request::Parts;
use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query_text: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Inbound {
    pub(super) fn read(parts: &Parts, bytes: Vec<u8>) -> Self {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query_text: parts.uri.query().unwrap_or_default().to_owned(),
            query: Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default(),
            authorization: text(header::AUTHORIZATION),
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            bytes,
        }
    }
}

type Handler = fn(&mut World, &Call) -> Answer;

/// `{id}` stands for digits, `{key}` for anything.
struct Route(&'static str, &'static str, Need, Handler);

const USERS: Need = Need::Scope("users");
const GROUPS: Need = Need::Scope("groups");
const ORGANIZATIONS: Need = Need::Scope("organizations");
const TICKETS: Need = Need::Scope("tickets");
const SETTINGS: Need = Need::Scope("account_settings");

/// Every endpoint under `/api/v2`.
const ROUTES: &[Route] = &[
    Route("GET", "/users/me", Need::Anyone, users::read::me),
    Route("GET", "/users", USERS, users::read::list),
    Route("GET", "/users/count", USERS, users::read::count),
    Route("GET", "/users/show_many", USERS, users::read::show_many),
    Route("GET", "/users/search", Need::Broad, users::search::users),
    Route("GET", "/search", Need::Broad, users::search::all),
    Route("GET", "/incremental/users/cursor", USERS, users::incremental::export),
    Route("GET", "/users/{id}", USERS, users::read::show),
    Route("GET", "/users/{id}/related", USERS, users::read::related),
    Route("POST", "/users", USERS, users::write::create),
    Route("PUT", "/users/{id}", USERS, users::write::update),
    Route("DELETE", "/users/{id}", USERS, users::write::delete),
    Route("POST", "/users/create_or_update", USERS, users::write::create_or_update),
    Route("POST", "/users/create_many", USERS, bulk::create_many),
    Route("POST", "/users/create_or_update_many", USERS, bulk::create_or_update_many),
    Route("PUT", "/users/update_many", USERS, bulk::update_many),
    Route("DELETE", "/users/destroy_many", USERS, bulk::destroy_many),
    Route("GET", "/deleted_users", USERS, users::deleted::list),
    Route("GET", "/deleted_users/count", USERS, users::deleted::count),
    Route("GET", "/deleted_users/{id}", USERS, users::deleted::show),
    Route("DELETE", "/deleted_users/{id}", USERS, users::deleted::destroy),
    Route("GET", "/users/{id}/identities", Need::Identities, identities::list),
    Route("POST", "/users/{id}/identities", Need::Identities, identities::create),
    Route("GET", "/users/{id}/identities/{id}", Need::Identities, identities::show),
    Route("PUT", "/users/{id}/identities/{id}", Need::Identities, identities::update),
    Route("DELETE", "/users/{id}/identities/{id}", Need::Identities, identities::delete),
    Route("PUT", "/users/{id}/identities/{id}/make_primary", Need::Identities, identities::make_primary),
    Route("PUT", "/users/{id}/identities/{id}/verify", Need::Identities, identities::verify),
    Route("GET", "/users/{id}/sessions", USERS, sessions::list),
    Route("DELETE", "/users/{id}/sessions", USERS, sessions::delete),
    Route("GET", "/users/{id}/tags", USERS, tags::show),
    Route("POST", "/users/{id}/tags", USERS, tags::set),
    Route("PUT", "/users/{id}/tags", USERS, tags::add),
    Route("DELETE", "/users/{id}/tags", USERS, tags::remove),
    Route("GET", "/groups", GROUPS, groups::list),
    Route("POST", "/groups", GROUPS, groups::create),
    Route("GET", "/groups/{id}", GROUPS, groups::show),
    Route("PUT", "/groups/{id}", GROUPS, groups::update),
    Route("DELETE", "/groups/{id}", GROUPS, groups::delete),
    Route("GET", "/groups/{id}/memberships", GROUPS, group_memberships::of_group),
    Route("GET", "/users/{id}/groups", GROUPS, groups::of_user),
    Route("GET", "/group_memberships", GROUPS, group_memberships::list),
    Route("POST", "/group_memberships", GROUPS, group_memberships::create),
    Route("POST", "/group_memberships/create_many", GROUPS, bulk::create_group_memberships),
    Route("DELETE", "/group_memberships/destroy_many", GROUPS, bulk::destroy_group_memberships),
    Route("GET", "/group_memberships/{id}", GROUPS, group_memberships::show),
    Route("DELETE", "/group_memberships/{id}", GROUPS, group_memberships::delete),
    Route("GET", "/users/{id}/group_memberships", GROUPS, group_memberships::of_user),
    Route("POST", "/users/{id}/group_memberships", GROUPS, group_memberships::create_of_user),
    Route("DELETE", "/users/{id}/group_memberships/{id}", GROUPS, group_memberships::delete_of_user),
    Route("PUT", "/users/{id}/group_memberships/{id}/make_default", GROUPS, group_memberships::make_default),
    Route("GET", "/organizations", ORGANIZATIONS, organizations::list),
    Route("POST", "/organizations", ORGANIZATIONS, organizations::create),
    Route("GET", "/organizations/search", ORGANIZATIONS, organizations::search),
    Route("GET", "/organizations/show_many", ORGANIZATIONS, organizations::show_many),
    Route("GET", "/organizations/{id}", ORGANIZATIONS, organizations::show),
    Route("PUT", "/organizations/{id}", ORGANIZATIONS, organizations::update),
    Route("DELETE", "/organizations/{id}", ORGANIZATIONS, organizations::delete),
    Route("GET", "/users/{id}/organizations", ORGANIZATIONS, organizations::of_user),
    Route("GET", "/organization_memberships", ORGANIZATIONS, organization_memberships::list),
    Route("POST", "/organization_memberships", ORGANIZATIONS, organization_memberships::create),
    Route("POST", "/organization_memberships/create_many", ORGANIZATIONS, bulk::create_organization_memberships),
    Route("DELETE", "/organization_memberships/destroy_many", ORGANIZATIONS, bulk::destroy_organization_memberships),
    Route("GET", "/organization_memberships/{id}", ORGANIZATIONS, organization_memberships::show),
    Route("DELETE", "/organization_memberships/{id}", ORGANIZATIONS, organization_memberships::delete),
    Route("GET", "/organizations/{id}/organization_memberships", ORGANIZATIONS, organization_memberships::of_target),
    Route("GET", "/users/{id}/organization_memberships", ORGANIZATIONS, organization_memberships::of_user),
    Route("POST", "/users/{id}/organization_memberships", ORGANIZATIONS, organization_memberships::create_of_user),
    Route(
        "DELETE",
        "/users/{id}/organization_memberships/{id}",
        ORGANIZATIONS,
        organization_memberships::delete_of_user,
    ),
    Route(
        "PUT",
        "/users/{id}/organization_memberships/{id}/make_default",
        ORGANIZATIONS,
        organization_memberships::make_default,
    ),
    Route("GET", "/custom_roles", USERS, catalog::roles),
    Route("GET", "/custom_roles/{id}", USERS, catalog::role),
    Route("GET", "/user_fields", USERS, catalog::fields),
    Route("GET", "/user_fields/{id}", USERS, catalog::field),
    Route("GET", "/locales", SETTINGS, catalog::locales),
    Route("GET", "/account/settings", SETTINGS, catalog::settings),
    Route("GET", "/account", SETTINGS, catalog::account),
    Route("GET", "/users/{id}/tickets/assigned", TICKETS, tickets::assigned),
    Route("GET", "/users/{id}/tickets/assigned/count", TICKETS, tickets::assigned_count),
    Route("GET", "/users/{id}/tickets/requested", TICKETS, tickets::requested),
    Route("PUT", "/tickets/update_many", TICKETS, bulk::update_tickets),
    Route("GET", "/job_statuses", USERS, jobs::list),
    Route("GET", "/job_statuses/show_many", USERS, jobs::show_many),
    Route("GET", "/job_statuses/{key}", USERS, jobs::show),
];

/// Whether a request changes state, or could.
pub(super) fn is_write(method: &str, path: &str) -> bool {
    method != "GET" && method != "HEAD" && path.starts_with("/api/")
}

/// Answers one request at virtual time `now`.
pub(super) fn answer(world: &mut World, inbound: &Inbound, now: u64) -> Reply {
    world.settle(now);
    if inbound.path == "/oauth/tokens" && inbound.method == "POST" {
        let reply = auth::issue(world, &inbound.content_type, &inbound.bytes).unwrap_or_else(|refusal| refusal);
        return reply.with("Date", http_date(now));
    }
    let reply = api(world, inbound).unwrap_or_else(|refusal| refusal);
    let reply = if world.ignored.is_empty() {
        reply
    } else {
        // Recorded: an attribute that is not permitted is named here, and otherwise ignored.
        let text = format!("Removed restricted keys {:?} from parameters according to whitelist", world.ignored);
        reply.with("X-Zendesk-API-Warn", text)
    };
    limits::headers(world, reply).with("X-Request-Id", uuid::Uuid::new_v4()).with("Date", http_date(now))
}

fn api(world: &mut World, inbound: &Inbound) -> Answer {
    let path = inbound.path.strip_suffix(".json").unwrap_or(&inbound.path);
    let path = path.strip_prefix("/api/v2").ok_or_else(invalid_endpoint)?;
    let (route, params) = find(&inbound.method, path).ok_or_else(invalid_endpoint)?;
    let Route(method, pattern, need, handler) = route;
    let login = auth::login(world, inbound.authorization.as_deref())?;
    if login.is_none() && *need != Need::Anyone {
        return Err(unauthenticated());
    }
    limits::account(world)?;
    if let Some(login) = &login {
        login.permit(*need, method)?;
        users::read::permit(world, login.user, *need)?;
    }
    let call = Call {
        path: path.to_owned(),
        params,
        query: inbound.query.clone(),
        body: read_body(inbound)?,
        actor: login.map(|login| login.user),
    };
    let limited = matches!((*method, *pattern), ("PUT", "/users/{id}") | ("POST", "/users/create_or_update"));
    if limited {
        limits::update(world)?;
    }
    let reply = handler(world, &call);
    if limited {
        let header = |reply: Reply| reply.with(limits::UPDATE_HEADER, "total=1; remaining=0; resets=1");
        return reply.map(header).map_err(header);
    }
    reply
}

fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<String>)> {
    let given: Vec<&str> = path.split('/').collect();
    ROUTES.iter().filter(|route| route.0 == method).find_map(|route| Some((route, fit(route.1, &given)?)))
}

/// The variable segments, if the path has that form.
fn fit(pattern: &str, given: &[&str]) -> Option<Vec<String>> {
    let wanted: Vec<&str> = pattern.split('/').collect();
    if wanted.len() != given.len() {
        return None;
    }
    let mut params = Vec::new();
    for (want, have) in wanted.iter().zip(given) {
        match *want {
            "{id}" if !have.is_empty() && have.bytes().all(|byte| byte.is_ascii_digit()) => {
                params.push((*have).to_owned());
            }
            "{key}" if !have.is_empty() => params.push((*have).to_owned()),
            literal if literal == *have => {}
            _ => return None,
        }
    }
    Some(params)
}

fn read_body(inbound: &Inbound) -> Result<Value, Reply> {
    if inbound.bytes.is_empty() {
        return Ok(Value::Null);
    }
    if !inbound.content_type.starts_with("application/json") {
        let body = json!({"error": "UnsupportedMediaType", "description": "Content-Type must be application/json"});
        return Err(Reply::json(415, body));
    }
    serde_json::from_slice(&inbound.bytes).map_err(|_| {
        let body = Body::Json(json!({"error": "Unprocessable Entity", "message": "Server could not parse JSON"}));
        Reply { status: 400, headers: Vec::new(), body }
    })
}
