//! The edge: sockets, faults, the request log and the control routes. It knows no Zendesk rules.

use super::account::{Account, Logged};
use super::clock::{Clock, iso_millis, parse_iso};
use super::faults::{Act, Drop as Cut, Fault, Planted};
use super::options::Options;
use super::reply::{Body as ReplyBody, Reply};
use super::routes::{Inbound, answer, is_write};
use super::seed::check_seed;
use super::wire::{Line, Wires};
use super::world::World;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const BODY_BYTES_MAX: usize = 8 << 20;
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

/// Everything behind the one lock.
struct Sandbox {
    clock: Clock,
    world: World,
    faults: Planted,
    log: Vec<Logged>,
}

type Shared = Arc<Mutex<Sandbox>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Sandbox> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A running sandbox account; it stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: SharedDebug,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

struct SharedDebug(Shared);

impl std::fmt::Debug for SharedDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandbox")
    }
}

/// Serves an account at `listen` on the caller's runtime; port 0 picks a free one.
///
/// # Errors
///
/// When the seed contradicts itself, or the address can't be listened on.
pub async fn start(listen: SocketAddr, mut options: Options) -> io::Result<Running> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let mut faults = Planted::default();
    faults.push(std::mem::take(&mut options.faults));
    if let Some(seed) = &options.seed {
        check_seed(seed).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))?;
    }
    let seeded = options.seed.as_ref().and_then(|seed| parse_iso(&seed.now));
    let clock = Clock::new(seeded, options.frozen_clock);
    let mut world = World::from_options(options, clock.now());
    world.base = format!("http://{address}");
    let shared: Shared = Arc::new(Mutex::new(Sandbox { clock, world, faults, log: Vec::new() }));
    let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<Line>();
        let until = async move {
            let _ = stopped.await;
        };
        // It only ends by the signal; accept errors are retried.
        let _ = axum::serve(Wires(listener), service).with_graceful_shutdown(until).await;
    });
    Ok(Running { address, shared: SharedDebug(shared), stop: Some(stop), task: Some(task) })
}

impl Running {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account as it is now.
    #[must_use]
    pub fn state(&self) -> Account {
        lock(&self.shared.0).snapshot()
    }

    /// All requests so far, in the order of their answers.
    #[must_use]
    pub fn requests(&self) -> Vec<Logged> {
        lock(&self.shared.0).log.clone()
    }

    /// Plants further faults.
    pub fn push_faults(&self, faults: Vec<Fault>) {
        lock(&self.shared.0).faults.push(faults);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        lock(&self.shared.0).faults.clear();
    }

    /// Moves the virtual clock forward.
    pub fn advance(&self, by: Duration) {
        lock(&self.shared.0).clock.advance(by);
    }

    /// Changes what the account is started with, such as seats or limits, while it runs.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        let mut sandbox = lock(&self.shared.0);
        let world = &mut sandbox.world;
        change(&mut world.options);
        world.seats_total = world.options.seats.unwrap_or(world.seats_total);
    }

    /// Stops listening and waits for the connections to end, two seconds at most.
    pub async fn shutdown(mut self) {
        self.stop.take();
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(SHUTDOWN_WAIT, task).await;
        }
    }
}

impl Sandbox {
    fn snapshot(&mut self) -> Account {
        let now = self.clock.now();
        self.world.settle(now);
        self.world.snapshot()
    }

    fn record(&mut self, inbound: &Inbound, status: Option<u16>, fault: Option<&str>) {
        self.log.push(Logged {
            seq: self.log.len() as u64 + 1,
            at: iso_millis(self.clock.now()),
            method: inbound.method.clone(),
            path: inbound.path.clone(),
            query: inbound.query_text.clone(),
            body: logged_body(&inbound.bytes),
            status,
            write: is_write(&inbound.method, &inbound.path),
            fault: fault.map(str::to_owned),
        });
    }
}

async fn serve(State(shared): State<Shared>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return respond(Reply::json(413, json!({"error": "PayloadTooLarge"})));
    };
    let inbound = Inbound::read(&parts, bytes.to_vec());
    if let Some(path) = inbound.path.strip_prefix("/_sandbox/") {
        return respond(control(&shared, &inbound, path));
    }
    let verdict = lock(&shared).faults.judge(&inbound.method, &inbound.path);
    if verdict.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
    }
    let mut sandbox = lock(&shared);
    match verdict.act {
        Some(Act::Drop(Cut::DropBefore)) => {
            sandbox.record(&inbound, None, Some("drop_before"));
            line.cut();
            respond(Reply::empty())
        }
        Some(Act::Answer { status, headers, body }) => {
            sandbox.record(&inbound, Some(status), Some("answer"));
            planted(status, &headers, body)
        }
        Some(Act::Drop(Cut::DropAfter)) => {
            let now = sandbox.clock.now();
            answer(&mut sandbox.world, &inbound, now);
            sandbox.record(&inbound, None, Some("drop_after"));
            line.cut();
            respond(Reply::empty())
        }
        Some(Act::Delay { .. }) | None => {
            let now = sandbox.clock.now();
            let reply = answer(&mut sandbox.world, &inbound, now);
            sandbox.record(&inbound, Some(reply.status), None);
            respond(reply)
        }
    }
}

/// The control routes; they need no login and are not logged.
fn control(shared: &Shared, inbound: &Inbound, path: &str) -> Reply {
    let body = || serde_json::from_slice::<Value>(&inbound.bytes).unwrap_or(Value::Null);
    let bad = |problem: String| Reply::json(400, json!({"error": problem}));
    let mut sandbox = lock(shared);
    match (inbound.method.as_str(), path) {
        ("GET", "state") => Reply::json(200, json!(sandbox.snapshot())),
        ("GET", "requests") => Reply::json(200, json!(sandbox.log)),
        ("POST", "faults") => match serde_json::from_value::<Vec<Fault>>(body()) {
            Ok(faults) => {
                sandbox.faults.push(faults);
                Reply::empty()
            }
            Err(problem) => bad(problem.to_string()),
        },
        ("DELETE", "faults") => {
            sandbox.faults.clear();
            Reply::empty()
        }
        ("POST", "clock") => match body()["advance_s"].as_f64().filter(|s| (0.0..1e10).contains(s)) {
            Some(seconds) => {
                sandbox.clock.advance(Duration::from_secs_f64(seconds));
                Reply::json(200, json!({"now": sandbox.snapshot().now}))
            }
            None => bad("advance_s must be a number of seconds, not negative".to_owned()),
        },
        _ => Reply::json(404, json!({"error": "no such control route"})),
    }
}

fn planted(status: u16, headers: &std::collections::BTreeMap<String, String>, body: Value) -> Response {
    let body = match body {
        Value::Null => ReplyBody::Empty,
        Value::String(text) => ReplyBody::Text(text),
        body => ReplyBody::Json(body),
    };
    let mut response = respond(Reply { status, headers: Vec::new(), body });
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn respond(reply: Reply) -> Response {
    let (kind, body) = match reply.body {
        ReplyBody::Empty => (None, Body::empty()),
        ReplyBody::Json(value) => (Some("application/json; charset=utf-8"), Body::from(value.to_string())),
        ReplyBody::Text(text) => (Some("text/plain; charset=utf-8"), Body::from(text)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The body as it is logged: JSON without secrets, else text (a form of the token endpoint: nothing).
fn logged_body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut body) => {
            for secret in ["client_secret", "password", "refresh_token", "code", "access_token"] {
                if let Some(value) = body.get_mut(secret) {
                    *value = json!("[removed]");
                }
            }
            body
        }
        Err(_) if bytes.windows(6).any(|window| window == b"secret") => json!("[removed]"),
        Err(_) => json!(String::from_utf8_lossy(bytes)),
    }
}
