//! Running the daemon.

use std::path::PathBuf;

use super::env::SystemClock;
use super::exit::{Exit, Failure};
use super::join::{self, Joined, Reach, Real};
use crate::config::Colour;
use crate::control::server::bind;
use crate::control::socket_path;
use crate::daemon::{Daemon, Renewed};
use crate::engine::Renewal;
use crate::engine::ports::Clock as _;

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// What kept it from starting.
pub async fn daemon(config: PathBuf, state: Option<PathBuf>, joined: Joined) -> Result<Exit, Failure> {
    let engine = join::engine(&joined, Reach::Outside)?;
    let socket = socket_path(&joined.settings.state_dir);
    let listener = bind(&socket).map_err(|why| {
        let hint = "see that the state directory can be written by the user that runs this";
        Failure::new(Exit::Storage, format!("{}: {why}", socket.display()), hint)
    })?;
    let Joined { settings, environment, .. } = joined;
    let fixed = (settings.state_dir.clone(), settings.report.clone());
    let reload = move || -> Result<Renewed<Real>, String> {
        let (renewed, text) = join::settings(&config, state.as_deref(), Colour::Plain)?;
        if (&renewed.state_dir, &renewed.report) != (&fixed.0, &fixed.1) {
            return Err("state.dir and [report] take effect at a restart only; restart the service".into());
        }
        let (directories, apps) = join::outside(&renewed, &environment).map_err(|failure| failure.text())?;
        let (limits, scopes) = (renewed.limits, join::scopes(&renewed));
        let parts = Renewal { directories, apps, limits, text, scopes };
        Ok(Renewed { parts, schedule: renewed.schedule, jitter: renewed.jitter })
    };
    let daemon = Daemon {
        engine,
        schedule: settings.schedule,
        jitter: settings.jitter,
        listener,
        reload: Box::new(reload),
        now: Box::new(|| SystemClock.now()),
        chance: Box::new(|most| {
            u64::from_le_bytes(uuid::Uuid::new_v4().into_bytes()[..8].try_into().unwrap_or_default()) % most
        }),
    };
    let ended = daemon.run().await;
    // The socket of a daemon that ended in order doesn't lie about.
    let _ = std::fs::remove_file(&socket);
    ended.map_err(|fault| Failure::new(Exit::Failed, fault, "see the log"))?;
    Ok(Exit::Done)
}
