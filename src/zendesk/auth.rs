//! Credentials: OAuth client credentials, or an API token while those last.
//!
//! An access token lives in memory only. The secret is read each time it is needed, so that a new one takes effect
//! without a restart. Nobody else sees either: no `Debug` prints them, and headers with them are marked sensitive.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use crate::domain::settings::ZendeskAuth;
use crate::engine::ports::{CallFault, Secret};

use super::error::clean;
use super::http::{read_body, unsent};
use super::judge::Broken;
use super::wait::retry_after;

/// The life of a token whose answer doesn't tell: the default of clients made since 30 April 2026.
const LIFE_ASSUMED: Duration = Duration::from_secs(1800);
/// The longest life that is believed (Zendesk's OAuth documentation: 300 to 172,800 s).
const LIFE_MAX: Duration = Duration::from_secs(172_800);
/// A token is renewed when so many percent of its life are over.
const RENEW_PERCENT: u32 = 80;
/// The largest answer of the token endpoint, in bytes.
const TOKEN_BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest access token, in bytes: it has to fit a header.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// The longest text of a refusal that is shown, in characters.
const SAID_CHARS_MAX: usize = 200;
/// Errors of RFC 6749 5.2 that another encoding of the same request can't mend.
const FINAL_ERRORS: [&str; 5] =
    ["invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"];

/// What a request shows.
#[derive(Clone)]
pub(super) enum Credential {
    /// An access token.
    Bearer(SecretString),
    /// A mail and an API token.
    Basic(String, SecretString),
}

impl Credential {
    /// Puts it on a request; reqwest marks both headers sensitive.
    pub(super) fn apply(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Self::Bearer(token) => request.bearer_auth(token.expose_secret()),
            // API reference, Security and authentication: `{email}/token:{api_token}`.
            Self::Basic(email, token) => request.basic_auth(format!("{email}/token"), Some(token.expose_secret())),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Basic(..) => "Basic",
        })
    }
}

/// Why there are no credentials; nothing of the request itself was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoCredential {
    /// Wait, and ask again.
    Throttled(Option<Duration>),
    /// Pause, and ask again.
    Again(CallFault),
    /// Give up.
    Fault(CallFault),
}

/// A token with the moment from which another is fetched.
struct Held {
    credential: Credential,
    renew_at: Option<Instant>,
}

/// Gives credentials. Used through `&mut`, so that no two requests ever fetch a token at once.
pub(super) struct Auth {
    settings: ZendeskAuth,
    secret: Arc<dyn Secret>,
    token_url: TokenUrl,
    held: Option<Held>,
    warning: Option<&'static str>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("settings", &self.settings).field("held", &self.held.is_some()).finish()
    }
}

/// Told once to those who still use an API token (Zendesk's OAuth migration guide).
const API_TOKENS_END: &str = "Zendesk ends API tokens on 2027-04-30; set `auth.client_id` and \
                              `auth.client_secret_file` of an OAuth client with the client credentials grant";

impl Auth {
    /// Credentials for an app whose token endpoint is at `token_url`.
    pub(super) fn new(settings: ZendeskAuth, secret: Arc<dyn Secret>, token_url: TokenUrl) -> Self {
        let warning = match &settings {
            ZendeskAuth::Client { .. } => None,
            ZendeskAuth::ApiToken { .. } => Some(API_TOKENS_END),
        };
        Self { settings, secret, token_url, held: None, warning }
    }

    /// What the operator should be told, once.
    pub(super) const fn take_warning(&mut self) -> Option<&'static str> {
        self.warning.take()
    }

    /// Forgets what was given out last: Zendesk didn't take it.
    pub(super) fn forget(&mut self) {
        self.held = None;
    }

    /// The credentials to show now; fetches a token if there is none, or it is getting old.
    pub(super) async fn credential(
        &mut self,
        http: &reqwest::Client,
        now: Instant,
        utc: DateTime<Utc>,
    ) -> Result<Credential, NoCredential> {
        let fresh = |held: &&Held| held.renew_at.is_none_or(|renew_at| now < renew_at);
        if let Some(held) = self.held.as_ref().filter(fresh) {
            return Ok(held.credential.clone());
        }
        let secret = self.secret.read().map_err(|fault| {
            NoCredential::Fault(CallFault::Unauthorized(format!("the secret can't be read: {fault}")))
        })?;
        if secret.expose_secret().trim().is_empty() {
            return Err(NoCredential::Fault(CallFault::Unauthorized("the secret is empty".to_owned())));
        }
        let held = match &self.settings {
            ZendeskAuth::ApiToken { email, .. } => {
                Held { credential: Credential::Basic(email.clone(), secret), renew_at: None }
            }
            ZendeskAuth::Client { client_id, scopes, .. } => {
                let (token, life) = fetch(&self.token_url, client_id, &secret, scopes, http, utc).await?;
                let renew_at = now + life.min(LIFE_MAX) * RENEW_PERCENT / 100;
                Held { credential: Credential::Bearer(token), renew_at: Some(renew_at) }
            }
        };
        let credential = held.credential.clone();
        self.held = Some(held);
        Ok(credential)
    }
}

/// Fetches an access token by client credentials (RFC 6749 4.4).
async fn fetch(
    token_url: &TokenUrl,
    client_id: &str,
    secret: &SecretString,
    scopes: &BTreeSet<String>,
    http: &reqwest::Client,
    utc: DateTime<Utc>,
) -> Result<(SecretString, Duration), NoCredential> {
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
        .set_token_uri(token_url.clone())
        // In the body, where Zendesk documents it; the crate's default is a Basic header.
        .set_auth_type(AuthType::RequestBody);
    let endpoint = TokenEndpoint { http, utc };
    let request = client.exchange_client_credentials().add_scopes(scopes.iter().cloned().map(Scope::new));
    let answer = request.request_async(&endpoint).await.map_err(|fault| no_token(fault, secret))?;
    check(&answer, scopes).map_err(NoCredential::Fault)?;
    let life = answer.expires_in().unwrap_or(LIFE_ASSUMED);
    Ok((SecretString::from(answer.access_token().secret().clone()), life))
}

/// Whether a token can be used for what was asked for.
fn check(answer: &BasicTokenResponse, wanted: &BTreeSet<String>) -> Result<(), CallFault> {
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(CallFault::Garbled("the token endpoint gave a token that isn't a bearer token".to_owned()));
    }
    let token = answer.access_token().secret();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CallFault::Garbled("the token endpoint gave a token that fits no header".to_owned()));
    }
    // RFC 6749 5.1: no scope in the answer means the one that was asked for.
    let Some(granted) = answer.scopes() else { return Ok(()) };
    let granted: BTreeSet<&str> = granted.iter().map(|scope| scope.as_str()).collect();
    // A broad scope covers the granular ones: `read` covers `users:read`.
    let covered =
        |scope: &str| granted.contains(scope) || scope.rsplit_once(':').is_some_and(|(_, verb)| granted.contains(verb));
    let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|scope| !covered(scope)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(CallFault::Unauthorized(format!("the client wasn't granted the scopes {}", missing.join(" "))))
}

/// Why the token endpoint gave no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum TokenBreak {
    #[error("{0}")]
    NotAnswered(String),
    #[error("throttled")]
    Throttled(Option<Duration>),
    #[error("{0}")]
    Unusable(String),
}

/// Tells why there is no token. No body is shown: it may hold a token, or the secret that was sent.
fn no_token(fault: RequestTokenError<TokenBreak, BasicErrorResponse>, secret: &SecretString) -> NoCredential {
    let garbled = |why: &str| NoCredential::Fault(CallFault::Garbled(format!("the token endpoint answered {why}")));
    match fault {
        // That a token was asked for has no effect on any account: nothing was sent, as far as that goes.
        RequestTokenError::Request(TokenBreak::NotAnswered(why)) => {
            NoCredential::Again(CallFault::Unreachable(format!("the token endpoint: {why}")))
        }
        RequestTokenError::Request(TokenBreak::Throttled(asked)) => NoCredential::Throttled(asked),
        RequestTokenError::Request(TokenBreak::Unusable(why)) => garbled(&why),
        RequestTokenError::ServerResponse(refusal) => {
            let said = refusal.error_description().map_or(String::new(), |text| format!(": {text}"));
            let said = format!("{}{said}", refusal.error().as_ref()).replace(secret.expose_secret(), "…");
            let text = format!("the token endpoint refuses: {}", clean(&said, SAID_CHARS_MAX));
            NoCredential::Fault(CallFault::Unauthorized(text))
        }
        RequestTokenError::Parse(_, body) => garbled(&format!("{} bytes that are no token", body.len())),
        RequestTokenError::Other(_) => garbled("nothing that can be read"),
    }
}

/// Carries the oauth2 crate's requests: as JSON, which Zendesk documents, and as a form, which its own clients send,
/// if JSON isn't understood.
struct TokenEndpoint<'h> {
    http: &'h reqwest::Client,
    utc: DateTime<Utc>,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = TokenBreak;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TokenBreak>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

impl TokenEndpoint<'_> {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, TokenBreak> {
        let url = request.uri().to_string();
        let form = request.into_body();
        let pairs = url::form_urlencoded::parse(&form).into_owned().map(|(key, value)| (key, Value::String(value)));
        let json = Value::Object(pairs.collect()).to_string().into_bytes();
        let answer = self.post(&url, "application/json", json).await?;
        if !other_encoding_may_help(&answer) {
            return Ok(answer);
        }
        self.post(&url, "application/x-www-form-urlencoded", form).await
    }

    async fn post(&self, url: &str, kind: &'static str, body: Vec<u8>) -> Result<HttpResponse, TokenBreak> {
        let request = self.http.post(url).header(http::header::CONTENT_TYPE, kind);
        let request = request.header(http::header::ACCEPT, "application/json").body(body);
        let lost = |broken: Broken| match broken {
            Broken::NotSent(why) | Broken::Lost(why) => TokenBreak::NotAnswered(why),
            Broken::TooLarge(status) => TokenBreak::Unusable(format!("{status} with too large a body")),
        };
        let answer = request.send().await.map_err(|error| lost(unsent(error)))?;
        let status = answer.status();
        let asked = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = retry_after(asked, self.utc);
        let body = read_body(answer, TOKEN_BODY_BYTES_MAX).await.map_err(lost)?;
        match status.as_u16() {
            429 => return Err(TokenBreak::Throttled(asked)),
            300..=399 => {
                return Err(TokenBreak::Unusable(format!("with a redirect ({status}), which is never followed")));
            }
            500.. => return Err(TokenBreak::NotAnswered(status.to_string())),
            _ => {}
        }
        // The crate takes 200 only; Zendesk documents 201.
        let told = if status.is_success() { http::StatusCode::OK } else { status };
        let mut response = HttpResponse::new(body);
        *response.status_mut() = told;
        Ok(response)
    }
}

/// Whether a refusal may be about how the request was encoded: 400 or 415 without an OAuth error that says more.
fn other_encoding_may_help(answer: &HttpResponse) -> bool {
    if !matches!(answer.status().as_u16(), 400 | 415) {
        return false;
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    !body.get("error").and_then(Value::as_str).is_some_and(|error| FINAL_ERRORS.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(scope: &str, kind: &str, token: &str) -> BasicTokenResponse {
        let scope = if scope.is_empty() { String::new() } else { format!(r#","scope":"{scope}""#) };
        let text = format!(r#"{{"access_token":"{token}","token_type":"{kind}","expires_in":1800{scope}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn wanted(scopes: &str) -> BTreeSet<String> {
        scopes.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn granted_scopes_must_cover_the_wanted_ones() {
        let missing = |granted, asked| check(&answer(granted, "bearer", "t"), &wanted(asked));
        assert_eq!(missing("read write", "read write"), Ok(()));
        assert_eq!(missing("read write", "users:read groups:write"), Ok(()));
        assert_eq!(missing("", "read write"), Ok(()), "no scope in the answer means the wanted one");
        let fault = missing("read users:write", "read users:write groups:write").unwrap_err();
        assert_eq!(fault, CallFault::Unauthorized("the client wasn't granted the scopes groups:write".into()));
    }

    #[test]
    fn only_a_bearer_token_that_fits_a_header_is_taken() {
        assert!(check(&answer("", "Bearer", "abc.DEF-1"), &BTreeSet::new()).is_ok());
        assert!(check(&answer("", "mac", "abc"), &BTreeSet::new()).is_err());
        assert!(check(&answer("", "bearer", ""), &BTreeSet::new()).is_err());
        assert!(check(&answer("", "bearer", "a b"), &BTreeSet::new()).is_err());
        assert!(check(&answer("", "bearer", &"a".repeat(TOKEN_BYTES_MAX + 1)), &BTreeSet::new()).is_err());
    }

    #[test]
    fn another_encoding_is_tried_only_where_it_may_help() {
        let refused = |status: u16, body: &str| {
            let mut response = HttpResponse::new(body.as_bytes().to_vec());
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
            other_encoding_may_help(&response)
        };
        assert!(refused(415, ""));
        assert!(refused(400, "<html>"));
        assert!(refused(400, r#"{"error":"invalid_request"}"#), "it may not have seen the parameters");
        for error in FINAL_ERRORS {
            assert!(!refused(400, &format!(r#"{{"error":"{error}"}}"#)), "{error}");
        }
        assert!(!refused(401, ""));
        assert!(!refused(200, ""));
    }
}
