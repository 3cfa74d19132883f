//! Who is asking: OAuth tokens, API tokens, scopes (Zendesk API reference, Security and authentication).

use super::clock::Millis;
use super::reply::{Answer, Reply, forbidden, invalid_token, unauthenticated};
use super::world::World;
use base64::Engine;
use serde_json::{Value, json};

const CLIENT_ID: &str = "dirsync";
const CLIENT_SECRET: &str = "sandbox-secret";
const API_TOKEN: &str = "sandbox-token";
const API_TOKEN_EMAIL: &str = "admin@example.org";

/// Granular scopes and the broad ones (Zendesk support, OAuth scopes).
const SCOPES: &[&str] = &[
    "read",
    "write",
    "impersonate",
    "users:read",
    "users:write",
    "groups:read",
    "groups:write",
    "organizations:read",
    "organizations:write",
    "tickets:read",
    "tickets:write",
    "account_settings:read",
    "account_settings:write",
];

/// An issued access token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    scopes: Vec<String>,
    expires_at: Millis,
    user: u64,
}

/// What a route needs of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Answers without a login too.
    Anyone,
    /// The granular scope of this resource, or the broad one.
    Scope(&'static str),
    /// Only the broad scope of the method.
    Broad,
    /// Identities refuse granular scopes: broad `write`, or broad `read` for reading.
    Identities,
}

/// Who asks, and with which scopes.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) user: u64,
    scopes: Option<Vec<String>>,
}

/// Answers `POST /oauth/tokens`.
pub(super) fn issue(world: &mut World, content_type: &str, bytes: &[u8]) -> Answer {
    let json = content_type.starts_with("application/json");
    let form = content_type.starts_with("application/x-www-form-urlencoded") && world.options.form_tokens;
    let ask: Value = match (json, form) {
        (true, _) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        (_, true) => form_object(bytes),
        _ => Value::Null,
    };
    let field = |name: &str| ask[name].as_str().unwrap_or_default();
    if !ask.is_object() || field("grant_type").is_empty() {
        return Err(refuse(400, "invalid_request", "The request is missing a required parameter, or is malformed."));
    }
    if field("grant_type") != "client_credentials" {
        return Err(refuse(400, "unsupported_grant_type", "The authorization grant type is not supported."));
    }
    if field("client_id") != CLIENT_ID || field("client_secret") != CLIENT_SECRET {
        let text = "Client authentication failed due to unknown client, no client authentication included, \
                    or unsupported authentication method.";
        return Err(refuse(401, "invalid_client", text));
    }
    let scopes: Vec<String> = field("scope").split_whitespace().map(str::to_owned).collect();
    let outside = |scope: &String| {
        let allowed = world.options.client_scopes.as_ref();
        SCOPES.contains(&scope.as_str()) && allowed.is_some_and(|allowed| !allowed.contains(scope))
    };
    if scopes.iter().any(outside) {
        return Err(refuse(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed."));
    }
    // An empty scope is full access.
    let scopes = if scopes.is_empty() { vec!["read".to_owned(), "write".to_owned()] } else { scopes };
    let expires_in = match &ask["expires_in"] {
        Value::Null => world.options.token_expires_s,
        value => match value.as_u64().filter(|seconds| (300..=172_800).contains(seconds)) {
            Some(seconds) => seconds,
            None => return Err(refuse(400, "invalid_request", "expires_in must be between 300 and 172800.")),
        },
    };
    let secret = uuid::Uuid::new_v4().simple().to_string();
    let scope = scopes.join(" ");
    let expires_at = world.now.saturating_add(expires_in.saturating_mul(1000));
    world.tokens.insert(secret.clone(), Token { scopes, expires_at, user: world.api_user });
    let body = json!({"access_token": secret, "token_type": "bearer", "scope": scope, "expires_in": expires_in});
    Ok(Reply::json(world.options.token_status, body).with("Cache-Control", "no-store"))
}

fn refuse(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, json!({"error": error, "error_description": description}))
}

fn form_object(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let uri = format!("http://form/?{text}").parse::<axum::http::Uri>().ok();
    let pairs = uri.and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    let pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
    Value::Object(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect())
}

/// Reads the `Authorization` header; none is anonymous.
pub(super) fn login(world: &World, header: Option<&str>) -> Result<Option<Login>, Reply> {
    let Some(header) = header else { return Ok(None) };
    let Some((scheme, value)) = header.split_once(' ') else { return Err(unauthenticated()) };
    let login = if scheme.eq_ignore_ascii_case("bearer") {
        let token = world.tokens.get(value.trim()).filter(|token| world.now < token.expires_at);
        token.map(|token| Login { user: token.user, scopes: Some(token.scopes.clone()) }).ok_or_else(invalid_token)?
    } else {
        basic(world, value).ok_or_else(unauthenticated)?
    };
    // A token stops when its user loses access.
    let user = world.users.get(&login.user).filter(|user| user.active && !user.suspended);
    if user.is_none() {
        return Err(if login.scopes.is_some() { invalid_token() } else { unauthenticated() });
    }
    Ok(Some(login))
}

/// `email/token:TOKEN`; passwords ended in January 2026.
fn basic(world: &World, value: &str) -> Option<Login> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    let email = name.strip_suffix("/token")?;
    let user = match world.email_holder(email) {
        Some(user) => user,
        None if email == API_TOKEN_EMAIL => world.api_user,
        None => return None,
    };
    (secret == API_TOKEN).then_some(Login { user, scopes: None })
}

impl Login {
    /// Refuses a call that the token's scopes do not cover.
    pub(super) fn permit(&self, need: Need, method: &str) -> Result<(), Reply> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        // Recorded by third parties: a token with an unknown scope name is issued, and refused everywhere.
        let known = scopes.iter().all(|scope| SCOPES.contains(&scope.as_str()));
        let has = |wanted: &str| known && scopes.iter().any(|scope| scope == wanted);
        let verb = if method == "GET" { "read" } else { "write" };
        let (granted, missing) = match need {
            Need::Anyone => (known, verb.to_owned()),
            Need::Scope(resource) => {
                let granular = format!("{resource}:{verb}");
                (has(verb) || has(&granular), granular)
            }
            Need::Broad => (has(verb), verb.to_owned()),
            Need::Identities => (has("write") || has(verb), "write".to_owned()),
        };
        if granted {
            return Ok(());
        }
        Err(forbidden(&format!("You are missing the following required scopes: {missing}")))
    }
}
