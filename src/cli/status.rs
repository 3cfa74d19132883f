//! `status` while the configuration file has faults: a running daemon goes on with the configuration that it has, and
//! answers all the same.

use std::path::{Path, PathBuf};

use super::args::{Cli, Format};
use super::ask::{self, tell};
use super::exit::{Exit, Failure};
use crate::config::STATE_DIR_DEFAULT;
use crate::control::client::connect;
use crate::control::socket_path;
use crate::engine::command::{Command, Reply};

/// Asks the daemon that runs in spite of a file with faults; without one, the faults are the answer.
///
/// # Errors
/// The faults, when there is no daemon.
pub async fn beside(cli: &Cli, format: Format, faults: Failure) -> Result<Exit, Failure> {
    let dir = cli.state.clone().unwrap_or_else(|| state_dir(&cli.config));
    let Ok(Some(daemon)) = connect(&socket_path(&dir)).await else { return Err(faults) };
    let Ok(Reply::Status(status)) = daemon.ask(&Command::Status, |_| {}).await else { return Err(faults) };
    ask::show_status(format, &status)?;
    tell("the daemon goes on with the configuration it has; the file on disk has faults:");
    anstream::eprintln!("{}", faults.text());
    Ok(Exit::Done)
}

/// What a file that can't be used as a whole says about the state directory.
fn state_dir(config: &Path) -> PathBuf {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let named = match toml::from_str::<toml::Table>(&text) {
        Ok(table) => table.get("state").and_then(|state| state.get("dir")?.as_str().map(str::to_owned)),
        // Not even TOML: the usual line may still be there.
        Err(_) => text.lines().find_map(|line| {
            let value = line.trim().strip_prefix("state.dir")?.trim_start().strip_prefix('=')?;
            value.trim().strip_prefix('"')?.split_once('"').map(|(dir, _)| dir.to_owned())
        }),
    };
    named.map_or_else(|| STATE_DIR_DEFAULT.into(), PathBuf::from)
}
