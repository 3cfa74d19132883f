//! Tests of the adapter as a whole, against a server in this process that answers what the test says.

mod credentials;
mod pace;
mod reading;
mod server;
mod shapes;
mod steps;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

use crate::domain::assignment::Role;
use crate::domain::change::Welcome;
use crate::domain::id::{AccountId, AppName};
use crate::domain::mapping::{ExternalIdRule, Field, Mapping};
use crate::domain::rules::{Adoption, AppRules, Switch, Switches};
use crate::domain::settings::{AppSettings, SecretPlace, ZendeskAuth};
use crate::engine::ports::{CallFault, Clock, Secret, SecretFault};

use super::call::Call;
use super::http::Answer;
use super::wait::Timer;
use super::{ZendeskClient, http_client};
use server::Server;

/// A secret that tests look for where it must not be.
const CANARY: &str = "s3cr3t-canary";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").unwrap().to_utc()
    }
}

/// A secret that changes each time it is read: `s3cr3t-canary-1`, `-2`, …
#[derive(Default)]
struct Rotating(Mutex<usize>);

impl Secret for Rotating {
    fn read(&self) -> Result<SecretString, SecretFault> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        Ok(SecretString::from(format!("{CANARY}-{count}")))
    }
}

fn oauth(scopes: &str) -> ZendeskAuth {
    ZendeskAuth::Client {
        client_id: "dirsync".into(),
        secret: SecretPlace::Credential("zendesk".into()),
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
    }
}

fn api_token() -> ZendeskAuth {
    ZendeskAuth::ApiToken { email: "bot@example.org".into(), token: SecretPlace::Credential("zendesk".into()) }
}

fn settings(base_url: Url, auth: ZendeskAuth) -> AppSettings {
    let sources = [(Field::Name, "{{ cn }}".to_owned()), (Field::Email, "{{ mail }}".to_owned())].into();
    let app = AppName::new("support").unwrap();
    let on = Switches { create: Switch::On, update: Switch::On, deprovision: Switch::On, reactivate: Switch::On };
    let rules = AppRules {
        app: app.clone(),
        mapping: Mapping::compile(sources, Default::default(), ExternalIdRule::Own).unwrap(),
        assignments: Vec::new(),
        adoption: Adoption::default(),
        agent_email_domains: None,
        switches: on,
        removals: Default::default(),
        welcome: Welcome::Silent,
        protected: BTreeSet::new(),
        admins_min: 2,
    };
    let timeout = Duration::from_secs(30);
    AppSettings { name: app, base_url, auth, rate_share_percent: 50, timeout, lease: None, rules }
}

fn tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// A client, and the waits that it would have waited.
struct Rig {
    client: ZendeskClient,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Rig {
    /// A client of a server, with an API token: one request is one request.
    fn plain(server: &Server) -> Self {
        Self::with(server, api_token())
    }

    fn with(server: &Server, auth: ZendeskAuth) -> Self {
        let settings = settings(server.url(), auth);
        let http = http_client(tls(), settings.timeout, &settings.base_url).unwrap();
        let mut client = ZendeskClient::new(&settings, Arc::new(Rotating::default()), Arc::new(Fixed), http).unwrap();
        let waits = Arc::new(Mutex::new(Vec::new()));
        client.caller.timer = Timer::Noted(Arc::clone(&waits));
        Self { client, waits }
    }

    /// A client that knows already which account is its own, number 1, and has looked at 7 and 8.
    fn known(server: &Server) -> Self {
        let mut rig = Self::plain(server);
        rig.learn();
        rig
    }

    /// Lets the gate know all that tests of other things need, if it knows nothing yet.
    fn learn(&mut self) {
        let now = self.client.caller.timer.now();
        if !self.client.caller.gate.is_fresh(now) {
            let own = BTreeMap::from([(AccountId(1), "our own API user")]);
            self.client.caller.gate.begin(now, &own);
            [7, 8].into_iter().for_each(|id| self.client.caller.gate.made(AccountId(id)));
        }
    }

    fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

/// A user as Zendesk answers for one.
fn user(id: u64, role: Role) -> serde_json::Value {
    serde_json::json!({
        "id": id, "name": format!("Person {id}"), "email": format!("p{id}@example.org"), "role": role.as_str(),
        "active": true, "suspended": false, "verified": true, "external_id": null, "tags": [], "alias": null,
        "custom_role_id": null, "default_group_id": null, "user_fields": {"a": 1}, "unheard_of": [1, {"b": null}],
    })
}

/// A read, for tests of the way to the socket.
fn read() -> Call {
    Call::get("users/{id}", &[7])
}

/// A write, for tests of the way to the socket.
fn write() -> Call {
    Call::post("users", &[], serde_json::json!({"user": {"name": "Kim"}}))
}

async fn send(rig: &mut Rig, call: &Call) -> Result<Answer, CallFault> {
    rig.learn();
    rig.client.caller.send(call).await
}

/// A server that answers a first request in one way, and every other with a user.
async fn once(first: impl Fn() -> server::Reply + Send + 'static) -> Server {
    let then = || server::json(200, &serde_json::json!({"user": user(7, Role::Agent)}));
    Server::start(move |_, n| if n == 1 { first() } else { then() }).await
}

/// A server that always answers in one way.
async fn always(reply: impl Fn() -> server::Reply + Send + 'static) -> Server {
    Server::start(move |_, _| reply()).await
}
