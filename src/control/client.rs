//! A command's side of the control socket.

use std::io;
use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{COMMAND_PATH, Line};
use crate::engine::command::{Command, Reply};
use crate::engine::progress::ProgressView;

/// The longest line that is read, in bytes: a plan over a whole company fits.
const LINE_BYTES_MAX: usize = 1 << 30;

/// The daemon couldn't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// The socket is there, but not for us.
    #[error("the daemon's control socket {0} may only be used by root and by the service's own user and group")]
    Forbidden(String),
    /// The daemon went away before it answered.
    #[error("the daemon ended before it answered: {0}")]
    Broken(String),
}

/// A connection to a running daemon.
#[derive(Debug)]
pub struct Daemon(UnixStream);

/// Connects to a daemon that runs beside us; none when there isn't one.
///
/// # Errors
/// [`ClientFault::Forbidden`] when there is one that we may not ask.
pub async fn connect(socket: &Path) -> Result<Option<Daemon>, ClientFault> {
    match UnixStream::connect(socket).await {
        Ok(stream) => Ok(Some(Daemon(stream))),
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => {
            Err(ClientFault::Forbidden(socket.display().to_string()))
        }
        // Not there, or left by one that is dead.
        Err(_) => Ok(None),
    }
}

impl Daemon {
    /// Gives a command, hears its progress, and returns its reply.
    ///
    /// # Errors
    /// [`ClientFault::Broken`] when the daemon ends first.
    pub async fn ask(self, command: &Command, mut progress: impl FnMut(&ProgressView)) -> Result<Reply, ClientFault> {
        let broken = |why: &dyn std::fmt::Display| ClientFault::Broken(why.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.0)).await.map_err(|why| broken(&why))?;
        let driver = tokio::spawn(connection);
        let body = serde_json::to_vec(command).map_err(|why| broken(&why))?;
        let request = hyper::Request::post(COMMAND_PATH)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|why| broken(&why))?;
        let mut response = sender.send_request(request).await.map_err(|why| broken(&why))?;
        if !response.status().is_success() {
            return Err(ClientFault::Broken(format!("it answered {}", response.status())));
        }
        let mut pending = Vec::new();
        // Up to here there is no line end: a long answer arrives in many frames, and is looked through once.
        let mut looked = 0;
        while let Some(frame) = response.frame().await {
            let frame = frame.map_err(|why| broken(&why))?;
            pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if pending.len() > LINE_BYTES_MAX {
                return Err(ClientFault::Broken("its answer has no end".into()));
            }
            while let Some(end) = pending[looked..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=looked + end).collect();
                looked = 0;
                match serde_json::from_slice(&line).map_err(|why| broken(&why))? {
                    Line::Progress(view) => progress(&view),
                    Line::Reply(reply) => {
                        driver.abort();
                        return Ok(*reply);
                    }
                }
            }
            looked = pending.len();
        }
        Err(ClientFault::Broken("no reply came".into()))
    }
}
