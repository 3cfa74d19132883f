//! `servers`: which directory servers were read, in words.

use std::fmt::Write as _;

use super::args::Format;
use super::args_hand::{ServersArgs, ServersSub};
use super::ask::{ask, print, unexpected, write_out};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::Joined;
use super::orders::{agreed, terminal};
use super::ui::Ui;
use crate::engine::command::{Command, Reply};
use crate::engine::servers::ServersView;
use crate::report::escape::visible;

/// Shows what is remembered of servers, or forgets it.
///
/// # Errors
/// What kept it from being done.
pub async fn servers(joined: &Joined, args: ServersArgs) -> Result<Exit, Failure> {
    let (command, format, after) = match args.command.unwrap_or(ServersSub::List { format: Format::Text }) {
        ServersSub::List { format } => (Command::Servers, format, ""),
        ServersSub::Accept { directory, yes } => {
            if !yes {
                terminal()?;
                agreed(&format!("Take the server of {directory} that is read next for the right one?"))?;
            }
            let after = "The server that is read next counts from then on. Whatever would be done for its people waits once: see \
             `holds list` after the next cycle.\n";
            (Command::AcceptServers { directory }, Format::Text, after)
        }
    };
    match ask(joined, command, &mut Ui::quiet()).await? {
        Reply::Servers(views) => {
            let width = width(std::io::stdout());
            print(format, &views, |views| fold(&shown(views), width))?;
            write_out(&fold(after, width)).map(|()| Exit::Done)
        }
        other => unexpected(other),
    }
}

fn shown(views: &[ServersView]) -> String {
    let mut out = String::new();
    for view in views {
        let Some(last) = &view.last else {
            let _ = writeln!(out, "{}: no server is remembered; the next complete read is", view.directory);
            continue;
        };
        let trees = if view.trees.is_empty() { "unnamed".to_owned() } else { view.trees.join("; ") };
        let _ = writeln!(out, "{}: {}", view.directory, visible(&trees));
        let _ = writeln!(out, "    read last from {}", visible(last));
        for one in &view.replicas {
            let change = one.change.as_ref().map(|change| format!(", change {change}")).unwrap_or_default();
            let _ = writeln!(out, "    {}{}", visible(&one.replica), visible(&change));
            if let Some(server) = &one.server {
                let _ = writeln!(out, "        {}", visible(server));
            }
        }
    }
    if out.is_empty() {
        out.push_str("No directory is configured.\n");
    }
    out
}
