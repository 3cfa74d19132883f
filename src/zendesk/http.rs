//! The one way to Zendesk's socket: every request of this adapter goes through [`Caller::send_as`], and what is sent was
//! cleared by the [`Gate`]. Only tokens are asked for elsewhere (`auth`).
//!
//! It builds addresses from the configured base and fixed paths only, follows no redirect, and fetches nothing that an
//! answer names. It knows nothing of users or groups.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::domain::id::AppName;
use crate::engine::ports::{CallFault, Clock};

use super::auth::{Auth, Credential, NoCredential};
use super::call::Call;
use super::error::clean;
use super::gate::{Cleared, Errand, Gate};
use super::judge::{Broken, Received, Throttle, Verdict, judge, unusable};
use super::pace::Pace;
use super::wait::{Patience, Timer};

/// The largest body that is read, in bytes after decompression.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest that connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: shorter than servers keep theirs, so that none is written to as it closes.
const IDLE_MAX: Duration = Duration::from_secs(15);
/// How many different warnings of Zendesk are told of.
const WARNINGS_MAX: usize = 32;
/// The longest text of a fault of the connection, in characters.
const FAULT_CHARS_MAX: usize = 200;
/// The most requests that one call may come to: two credentials, and what [`Patience`] allows.
const TURNS_MAX: u32 = 32;

/// The client can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupFault {
    /// The base URL isn't one to which credentials may go.
    #[error("{url} can't be used: {why}")]
    BaseUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The HTTP client can't be built.
    #[error("the HTTP client can't be built: {0}")]
    Client(String),
}

/// Builds the HTTP client: no redirects, HTTPS only unless the base is loopback HTTP, no repetitions of its own.
///
/// `tls` says whom to trust; HTTP/1.1 is spoken, so it needs no ALPN.
///
/// # Errors
/// [`SetupFault`] when the base URL can't be used or the client can't be built.
pub fn http_client(
    tls: rustls::ClientConfig,
    timeout: Duration,
    base_url: &Url,
) -> Result<reqwest::Client, SetupFault> {
    check_base(base_url)?;
    let secure = base_url.scheme() == "https";
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(secure)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(timeout.min(CONNECT_MAX))
        .read_timeout(timeout)
        .timeout(timeout)
        .pool_idle_timeout(IDLE_MAX)
        .user_agent(concat!("zendesk-dirsync/", env!("CARGO_PKG_VERSION")));
    // A proxy is for the way out; loopback needs none.
    let builder = if secure { builder } else { builder.no_proxy() };
    builder.build().map_err(|error| SetupFault::Client(told(error)))
}

/// Whether credentials may be sent to a URL: HTTPS anywhere, HTTP on loopback, and nothing but scheme, host and port.
pub(super) fn check_base(url: &Url) -> Result<(), SetupFault> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let why = match url.scheme() {
        "https" if url.host().is_none() => "it has no host",
        "http" if !loopback => "plain http is for loopback only",
        "https" | "http" if !bare || url.path() != "/" || url.fragment().is_some() => {
            "it must have a scheme, a host and a port only"
        }
        "https" | "http" => return Ok(()),
        _ => "it must be https",
    };
    let mut shown = url.clone();
    let _ = shown.set_password(None);
    Err(SetupFault::BaseUrl { url: shown.to_string(), why })
}

/// A good answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) request_id: Option<String>,
}

/// Sends requests, one at a time.
pub(super) struct Caller {
    app: AppName,
    http: reqwest::Client,
    base: Url,
    auth: Auth,
    clock: Arc<dyn Clock>,
    pub(super) gate: Gate,
    pub(super) pace: Pace,
    pub(super) timer: Timer,
    warned: BTreeSet<String>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("app", &self.app).field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Caller {
    /// A caller for an app. `base` has passed [`check_base`].
    pub(super) fn new(
        app: AppName,
        http: reqwest::Client,
        base: Url,
        auth: Auth,
        clock: Arc<dyn Clock>,
        pace: Pace,
        gate: Gate,
    ) -> Self {
        let (timer, warned) = (Timer::default(), BTreeSet::new());
        Self { app, http, base, auth, clock, gate, pace, timer, warned }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// What to do about it; a success that can't be read is [`CallFault::Garbled`] for a read, and
    /// [`CallFault::Unanswered`] for a write.
    pub(super) async fn fetch<T: DeserializeOwned>(&mut self, call: &Call) -> Result<(T, Option<String>), CallFault> {
        self.fetch_as(call, Errand::People).await
    }

    /// Sends a request on an errand and reads the answer.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub(super) async fn fetch_as<T: DeserializeOwned>(
        &mut self,
        call: &Call,
        errand: Errand,
    ) -> Result<(T, Option<String>), CallFault> {
        let answer = self.send_as(call, errand).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(value) => Ok((value, answer.request_id)),
            // The place and the kind only: the message could quote a person's data.
            Err(error) => {
                let (line, column, kind) = (error.line(), error.column(), error.classify());
                let why =
                    format!("{}: {kind:?} at {line}:{column} of a {} byte body", call.endpoint, answer.body.len());
                Err(unusable(call.purpose(), why))
            }
        }
    }

    /// Sends a request: waits for its turn, repeats what may be repeated, and says what to do about the rest.
    ///
    /// # Errors
    /// See [`CallFault`]. [`CallFault::Unreachable`] and [`CallFault::Throttled`] mean that it had no effect.
    pub(super) async fn send(&mut self, call: &Call) -> Result<Answer, CallFault> {
        self.send_as(call, Errand::People).await
    }

    /// Sends a request on an errand, if the gate lets it pass.
    ///
    /// # Errors
    /// As [`Self::send`]; [`CallFault::Refused`] when it is about a protected account.
    pub(super) async fn send_as(&mut self, call: &Call, errand: Errand) -> Result<Answer, CallFault> {
        let cleared = self.gate.admit(call, errand)?;
        self.send_cleared(&cleared).await
    }

    /// Sends what the gate let pass.
    async fn send_cleared(&mut self, cleared: &Cleared<'_>) -> Result<Answer, CallFault> {
        let call = cleared.call();
        if let Some(warning) = self.auth.take_warning() {
            tracing::warn!(app = %self.app, "{warning}");
        }
        let mut patience = Patience::default();
        let mut renewed = false;
        for attempt in 1..=TURNS_MAX {
            let credential = match self.auth.credential(&self.http, self.timer.now(), self.clock.now()).await {
                Ok(credential) => credential,
                Err(NoCredential::Fault(fault)) => return Err(fault),
                Err(NoCredential::Again(fault)) => {
                    let pause = patience.again(None, fault)?;
                    self.pause("token not answered", attempt, pause).await;
                    continue;
                }
                Err(NoCredential::Throttled(asked)) => {
                    let wait = patience.throttled(asked)?;
                    self.pause("token request throttled", attempt, wait).await;
                    continue;
                }
            };
            self.turn(call, &mut patience).await?;
            let came = self.exchange(cleared, &credential, attempt).await;
            match judge(call.purpose(), &came, self.clock.now()) {
                Verdict::Good => {
                    let Received { body, request_id, .. } = came.unwrap_or_default();
                    return Ok(Answer { body, request_id });
                }
                Verdict::Renew(fault) if renewed => return Err(fault),
                Verdict::Renew(_) => {
                    renewed = true;
                    self.auth.forget();
                }
                Verdict::Throttled { asked, scope } => {
                    self.hold(call, asked, scope);
                    let wait = patience.throttled(asked)?;
                    self.pause("request throttled", attempt, wait).await;
                }
                Verdict::Again(asked, fault) => {
                    self.hold(call, asked, Throttle::Account);
                    let pause = patience.again(asked, fault)?;
                    self.pause("request to be repeated", attempt, pause).await;
                }
                Verdict::Fail(fault) => {
                    let asked = came
                        .ok()
                        .and_then(|answer| super::wait::retry_after(answer.retry_after.as_deref(), self.clock.now()));
                    self.hold(call, asked, Throttle::Account);
                    return Err(fault);
                }
            }
        }
        Err(CallFault::Throttled { after: super::wait::RETRY_AFTER_MAX })
    }

    /// Waits until the pace lets the request go.
    async fn turn(&mut self, call: &Call, patience: &mut Patience) -> Result<(), CallFault> {
        let kind = call.kind();
        let wait = self.pace.wait_before(&kind, self.timer.now());
        if !wait.is_zero() {
            let wait = patience.wait(wait)?;
            tracing::debug!(app = %self.app, endpoint = call.endpoint, wait_ms = millis(wait), "turn awaited");
            self.timer.sleep(wait).await;
        }
        Ok(())
    }

    /// Keeps further requests back for as long as an answer asked.
    fn hold(&mut self, call: &Call, asked: Option<Duration>, scope: Throttle) {
        let Some(until) = asked.map(|asked| self.timer.now() + asked) else { return };
        match (scope, call.kind().updates) {
            (Throttle::User, Some(user)) => self.pace.hold_user(user, until),
            (Throttle::User, None) | (Throttle::Account, _) => self.pace.hold(until),
        }
    }

    async fn pause(&self, what: &'static str, attempt: u32, wait: Duration) {
        tracing::debug!(app = %self.app, attempt, wait_ms = millis(wait), "{what}");
        self.timer.sleep(wait).await;
    }

    /// Sends it once and reads the answer to its end.
    async fn exchange(
        &mut self,
        cleared: &Cleared<'_>,
        credential: &Credential,
        attempt: u32,
    ) -> Result<Received, Broken> {
        let call = cleared.call();
        let kind = call.kind();
        let began = self.timer.now();
        self.pace.sent(&kind, began);
        let came = self.send_once(cleared, credential).await;
        let ended = self.timer.now();
        self.pace.ended(&kind, ended);
        let (headers, came) = match came {
            Ok((headers, received)) => (headers, received),
            Err(broken) => (HeaderMap::new(), Err(broken)),
        };
        self.pace.learn(&kind, &headers, ended);
        self.tell_warning(call, &headers);
        tracing::debug!(
            app = %self.app,
            method = %call.method,
            endpoint = call.endpoint,
            status = came.as_ref().map_or(0, |received| received.status),
            request_id = came.as_ref().ok().and_then(|received| received.request_id.as_deref()),
            attempt,
            elapsed_ms = millis(ended.saturating_duration_since(began)),
            "request ended"
        );
        came
    }

    async fn send_once(
        &self,
        cleared: &Cleared<'_>,
        credential: &Credential,
    ) -> Result<(HeaderMap, Result<Received, Broken>), Broken> {
        let call = cleared.call();
        let url = self.address(call).ok_or_else(|| Broken::NotSent("no address can be built".to_owned()))?;
        let request = self.http.request(call.method.clone(), url).header(ACCEPT, "application/json");
        let request = credential.apply(request);
        // Without the suffix `.json`, writes need it even when they have no body (API reference, Conventions).
        let request = match (&call.body, call.purpose()) {
            (Some(body), _) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            (None, super::call::Purpose::Write) => request.header(CONTENT_TYPE, "application/json"),
            (None, super::call::Purpose::Read) => request,
        };
        let answer = request.send().await.map_err(unsent)?;
        let headers = answer.headers().clone();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(|text| clean(text, 100));
        let mut received = Received {
            status: answer.status().as_u16(),
            content_type: text(CONTENT_TYPE.as_str()),
            retry_after: text(RETRY_AFTER.as_str()),
            request_id: text("x-request-id").or_else(|| text("x-zendesk-request-id")),
            body: Vec::new(),
        };
        let whole = match read_body(answer, BODY_BYTES_MAX).await {
            Ok(body) => {
                received.body = body;
                Ok(received)
            }
            Err(broken) => Err(broken),
        };
        Ok((headers, whole))
    }

    /// The address of a request: the configured base, a fixed path, numbers, and parameters percent-encoded.
    fn address(&self, call: &Call) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.clear().extend(["api", "v2"]).extend(call.segments());
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        Some(url)
    }

    /// Tells of attributes that Zendesk ignored, once each (recorded: `X-Zendesk-API-Warn`).
    fn tell_warning(&mut self, call: &Call, headers: &HeaderMap) {
        let Some(text) = headers.get("x-zendesk-api-warn").and_then(|value| value.to_str().ok()) else { return };
        let text = clean(text, FAULT_CHARS_MAX);
        if self.warned.len() < WARNINGS_MAX && self.warned.insert(text.clone()) {
            tracing::warn!(app = %self.app, endpoint = call.endpoint, warning = text, "zendesk warned");
        }
    }
}

#[cfg(test)]
impl Caller {
    /// The header that a request would carry.
    pub(super) async fn auth_header_for_tests(&mut self) -> http::HeaderValue {
        let (now, utc) = (self.timer.now(), self.clock.now());
        let Ok(credential) = self.auth.credential(&self.http, now, utc).await else { panic!("no credential") };
        let Ok(request) = credential.apply(self.http.get(self.base.clone())).build() else { panic!("no request") };
        request.headers()["authorization"].clone()
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a body to its end, with a limit on its decoded bytes.
pub(super) async fn read_body(mut answer: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, Broken> {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > bytes_max => {
                return Err(Broken::TooLarge(status));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Broken::Lost(told(error))),
        }
    }
}

/// Tells a request that never left from one whose fate isn't known.
pub(super) fn unsent(error: reqwest::Error) -> Broken {
    if error.is_builder() || error.is_connect() { Broken::NotSent(told(error)) } else { Broken::Lost(told(error)) }
}

/// A fault of the connection in words, with its causes, without the address: its parameters may name a person.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    clean(&text, FAULT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_https_or_to_loopback() {
        for good in [
            "https://acme.zendesk.com",
            "https://acme.zendesk.com:8443",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert_eq!(check_base(&Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "http://acme.zendesk.com",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "https://user@acme.zendesk.com",
            "https://user:secret@acme.zendesk.com",
            "https://acme.zendesk.com/api",
            "https://acme.zendesk.com/?a=b",
            "https://acme.zendesk.com/#a",
            "ftp://acme.zendesk.com",
            "file:///etc/passwd",
        ] {
            let fault = check_base(&Url::parse(bad).unwrap()).unwrap_err();
            assert!(!fault.to_string().contains("secret"), "{fault}");
        }
    }
}
