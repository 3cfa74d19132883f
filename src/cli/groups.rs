//! Assigned groups: listed, and pinned anew.

use std::fmt::Write as _;

use super::args::Format;
use super::args_hand::{GroupsArgs, GroupsSub};
use super::ask::{ask, print, unexpected, write_out};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::Joined;
use super::orders::{agreed, terminal};
use super::ui::Ui;
use crate::engine::byhand::Word;
use crate::engine::command::{Command, Reply};
use crate::engine::groups::{GroupView, GroupsView, RepinView};
use crate::report::escape::visible;

/// Lists assigned groups, or pins one anew.
///
/// # Errors
/// What kept it from being done.
pub async fn groups(joined: &Joined, args: GroupsArgs) -> Result<Exit, Failure> {
    match args.command.unwrap_or(GroupsSub::List { format: Format::Text }) {
        GroupsSub::List { format } => match ask(joined, Command::Groups, &mut Ui::quiet()).await? {
            Reply::Groups { code, view } => print(format, &*view, list).map(|()| Exit::Engine(code)),
            other => unexpected(other),
        },
        GroupsSub::Repin { text, directory, yes } => repin(joined, text, directory, yes).await,
    }
}

async fn repin(joined: &Joined, text: String, directory: Option<String>, yes: bool) -> Result<Exit, Failure> {
    let command = |word| Command::Repin { text: text.clone(), directory: directory.clone(), word };
    let word = if yes {
        Word::Do
    } else {
        // First whether it can be done at all: --yes doesn't help a wrong text.
        let shown = shown(ask(joined, command(Word::Show), &mut Ui::quiet()).await?)?;
        if !shown.is_same() {
            terminal()?;
        }
        anstream::eprint!("{}", fold(&pins(&shown), width(std::io::stderr())));
        if shown.is_same() {
            return Ok(Exit::Done);
        }
        agreed("Pin the assignment to the new group?")?;
        Word::DoShown(shown.digest)
    };
    let done = shown(ask(joined, command(word), &mut Ui::quiet()).await?)?;
    let mut out = pins(&done);
    if done.done {
        out.push_str("Pinned. What that means for people is planned by the next cycle, and losses wait.\n");
    }
    write_out(&fold(&out, width(std::io::stdout()))).map(|()| Exit::Done)
}

fn shown(reply: Reply) -> Result<RepinView, Failure> {
    match reply {
        Reply::Repin(view) => Ok(*view),
        other => unexpected(other),
    }
}

fn list(groups: &GroupsView) -> String {
    let mut out = String::new();
    for (directory, fault) in &groups.faults {
        let _ = writeln!(out, "{directory}: {}\n  hint: {}\n", visible(&fault.message), visible(&fault.hint));
    }
    if groups.groups.is_empty() {
        out.push_str("No group is assigned.\n");
    }
    for group in &groups.groups {
        let _ = writeln!(
            out,
            "{:10} {}: {}\n    for {}",
            group.state,
            group.directory,
            visible(&group.text),
            group.apps.join(", ")
        );
        if let Some(pin) = &group.pinned {
            let _ = writeln!(out, "    pinned to guid:{pin}");
        }
        for line in [group.there.as_ref().map(there), group.remark.clone()].into_iter().flatten() {
            let _ = writeln!(out, "    {}", visible(&line));
        }
    }
    out
}

fn there(group: &GroupView) -> String {
    let members = if group.members == 1 { "1 direct member" } else { "direct members" };
    let members = if group.members == 1 { members.to_owned() } else { format!("{} {members}", group.members) };
    format!("{}: {members}", group.dn)
}

fn pins(view: &RepinView) -> String {
    let mut out = format!("{}: {}\n", view.directory, visible(&view.text));
    let side = |group: &GroupView| format!("guid:{} {}", group.id, visible(&there(group)));
    let old = match (&view.old, &view.old_id) {
        (Some(group), _) => side(group),
        (None, Some(id)) => format!("guid:{id} (not there any more)"),
        (None, None) => "(none yet)".to_owned(),
    };
    if view.is_same() {
        let _ = writeln!(out, "    pinned to the right group already: {old}");
        return out;
    }
    let _ = writeln!(out, "    from {old}\n    to   {}", side(&view.new));
    out
}
