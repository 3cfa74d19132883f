//! The control socket: commands given beside a running daemon are carried out by it.
//!
//! JSON over HTTP on a Unix socket in the state directory. Its permissions are the gate: root, the service's own user and
//! its group. The peer's user is who the report names. The socket carries [`crate::engine::command`] and decides nothing.

pub mod client;
pub mod server;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::command::Reply;
use crate::engine::progress::ProgressView;

/// The largest command that is read, in bytes: a saved plan is sent as a digest of 64 digits a change, and so fits for
/// some hundred thousand people.
const COMMAND_BYTES_MAX: usize = 64 << 20;

/// The path of every command.
const COMMAND_PATH: &str = "/v1/command";

/// One line of an answer: progress, as long as it goes on, then the reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Something happened.
    Progress(ProgressView),
    /// The command ended.
    Reply(Box<Reply>),
}

/// Where the socket lies.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}
