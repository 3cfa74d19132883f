//! A stateful Zendesk account over HTTP, as strict as the published facts.
//!
//! Each rule names the fact it stands for: a page of the Zendesk API reference, or a recorded answer.
//! The outside is [`start`] with [`Options`], and [`Running`]; everything is in memory and on a virtual
//! clock (real time plus what a test adds), so nothing here waits.

mod account;
mod auth;
mod bulk;
mod call;
mod catalog;
mod clock;
mod faults;
mod group_memberships;
mod groups;
mod identities;
mod jobs;
mod limits;
mod options;
mod organization_memberships;
mod organizations;
mod paging;
mod reply;
mod routes;
mod seed;
mod server;
mod sessions;
mod tags;
#[cfg(test)]
mod tests;
mod tickets;
mod users;
mod wire;
mod world;

pub use account::{
    Account, FieldState, GroupState, Logged, OrganizationState, Profile, Role, RoleState, Seats, UserState,
};
pub use faults::{Act, Drop, Fault};
pub use options::{Limit, Options, Plan};
pub use server::{Running, start};

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The command line of `sandbox zendesk`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: std::net::SocketAddr,
    /// What the account holds: JSON in the form of `GET /_sandbox/state`.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// The subscription.
    #[arg(long, value_enum, default_value = "enterprise")]
    pub plan: Plan,
    /// Answer 403 to `create_many` and `create_or_update_many`.
    #[arg(long)]
    pub no_bulk_import: bool,
    /// Faults from the start on: JSON in the form of `POST /_sandbox/faults`.
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
///
/// When a file can't be read or the address can't be listened on.
pub async fn run(args: Args) -> io::Result<()> {
    let options = Options {
        seed: args.seed.as_deref().map(read_json).transpose()?,
        plan: args.plan,
        bulk_import: !args.no_bulk_import,
        faults: args.faults.as_deref().map(read_json).transpose()?.unwrap_or_default(),
        ..Options::default()
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let running = start(args.listen, options).await?;
    let mut out = io::stdout();
    writeln!(out, "listening {}", running.url())?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    running.shutdown().await;
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    let problem = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let text = std::fs::read(path).map_err(|error| problem(&error))?;
    serde_json::from_slice(&text).map_err(|error| problem(&error))
}
