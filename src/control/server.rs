//! The daemon's side of the control socket.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::IncomingStream;
use axum::{Json, Router};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::{COMMAND_BYTES_MAX, COMMAND_PATH, Line};
use crate::engine::command::{Command, Reply};

/// Lines under way to one client; a client that doesn't read misses progress, never the reply.
const LINES_UNDER_WAY: usize = 256;

/// A command with who gave it and where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// The command.
    pub command: Command,
    /// Who gave it: the peer's user.
    pub actor: String,
    /// Where progress and the reply go.
    pub answers: mpsc::Sender<Line>,
}

/// The user at the other end of a connection, as the kernel tells it.
#[derive(Debug, Clone)]
struct Peer {
    actor: String,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let actor = match stream.io().peer_cred() {
            Ok(peer) => user_name(peer.uid()),
            Err(_) => "unknown".to_owned(),
        };
        Self { actor }
    }
}

/// The name of a user, from `/etc/passwd`; the number when it isn't there.
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    });
    named.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// Binds the socket. Whoever calls this holds the store, so that a socket which lies there is a dead one's.
///
/// # Errors
/// When the path can't be bound or its permissions not set.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
        Err(fault) => return Err(fault),
    }
    let listener = UnixListener::bind(path)?;
    // The service runs with a mask that would shut its own group out.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves commands until the process ends.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: UnixListener, asks: mpsc::Sender<Ask>) -> io::Result<()> {
    let router = Router::new()
        .route(COMMAND_PATH, post(command))
        .layer(DefaultBodyLimit::max(COMMAND_BYTES_MAX))
        .with_state(asks);
    axum::serve(listener, router.into_make_service_with_connect_info::<Peer>()).await
}

async fn command(
    State(asks): State<mpsc::Sender<Ask>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(command): Json<Command>,
) -> Response {
    let (answers, lines) = mpsc::channel(LINES_UNDER_WAY);
    if asks.send(Ask { command, actor: peer.actor, answers }).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping").into_response();
    }
    Body::new(http_body_util::StreamBody::new(Frames { lines })).into_response()
}

/// Lines as body frames.
struct Frames {
    lines: mpsc::Receiver<Line>,
}

impl futures_util::Stream for Frames {
    type Item = Result<hyper::body::Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.lines.poll_recv(context).map(|line| {
            let line = line?;
            let mut text = serde_json::to_vec(&line).unwrap_or_else(|why| {
                let reply = Reply::refused(1, "answer", why, "this is a fault of the program");
                serde_json::to_vec(&Line::Reply(Box::new(reply))).unwrap_or_default()
            });
            text.push(b'\n');
            Some(Ok(hyper::body::Frame::data(Bytes::from(text))))
        })
    }
}
