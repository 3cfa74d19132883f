//! What is done by hand: pauses and keeps.

use super::args::Format;
use super::args_hand::{KeepsArgs, KeepsSub, PauseArgs};
use super::ask::{ask, print, say, unexpected};
use super::env::SystemClock;
use super::exit::{Exit, Failure};
use super::join::Joined;
use super::time::parse_ahead;
use super::ui::Ui;
use crate::engine::command::{Command, Reply};
use crate::engine::kept::KeepView;
use crate::engine::pause::PauseView;
use crate::engine::ports::Clock as _;
use crate::report::escape::visible;

/// Pauses an app, or everything.
///
/// # Errors
/// What kept it from being done.
pub async fn pause(joined: &Joined, args: PauseArgs) -> Result<Exit, Failure> {
    let until = args.until.map(|until| parse_ahead(&until, SystemClock.now())).transpose()?;
    pauses(joined, Command::Pause { app: args.app, reason: args.reason, until }).await
}

/// Ends a pause.
///
/// # Errors
/// What kept it from being done.
pub async fn resume(joined: &Joined, app: Option<String>) -> Result<Exit, Failure> {
    pauses(joined, Command::Resume { app }).await
}

async fn pauses(joined: &Joined, command: Command) -> Result<Exit, Failure> {
    match ask(joined, command, &mut Ui::quiet()).await? {
        Reply::Pauses(pauses) => say(&pauses_text(&pauses)).map(|()| Exit::Done),
        other => unexpected(other),
    }
}

/// Each on a line.
fn pauses_text(pauses: &[PauseView]) -> String {
    if pauses.is_empty() {
        return "Nothing is paused.\n".to_owned();
    }
    pauses.iter().map(|pause| format!("Paused: {}\n", visible(&pause.text()))).collect()
}

/// Lists or lifts keeps.
///
/// # Errors
/// What kept it from being done.
pub async fn keeps(joined: &Joined, args: KeepsArgs) -> Result<Exit, Failure> {
    match args.command.unwrap_or(KeepsSub::List { format: Format::Text }) {
        KeepsSub::List { format } => match ask(joined, Command::Keeps, &mut Ui::quiet()).await? {
            Reply::Keeps(keeps) => print(format, &keeps, |keeps| keeps_text(keeps)).map(|()| Exit::Done),
            other => unexpected(other),
        },
        KeepsSub::Lift { user, app } => match ask(joined, Command::Lift { user, app }, &mut Ui::quiet()).await? {
            Reply::Lifted(keeps) => {
                let line = |keep: &KeepView| format!("{}: {} is managed again\n", keep.app, who(keep));
                say(&keeps.iter().map(line).collect::<String>()).map(|()| Exit::Done)
            }
            other => unexpected(other),
        },
    }
}

fn who(keep: &KeepView) -> String {
    visible(keep.user.as_deref().or(keep.name.as_deref()).unwrap_or(&keep.directory_id))
}

fn keeps_text(keeps: &[KeepView]) -> String {
    if keeps.is_empty() {
        return "Nobody is kept as they are.\n".to_owned();
    }
    let block = |keep: &KeepView| {
        let name = visible(keep.name.as_deref().unwrap_or_default());
        let by = visible(&keep.by);
        format!(
            "{}  {}  {name}  {}\n    {}, by {by} at {}\n    {}\n",
            keep.app,
            who(keep),
            keep.directory_id,
            visible(&keep.reason),
            keep.at,
            keep.until
        )
    };
    keeps.iter().map(block).collect()
}
