//! `undo`: shows what a cycle did and how it is brought back, asks, and has it done.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use super::args::{Format, UndoArgs};
use super::ask::{ask, print, tell, unexpected};
use super::exit::{Exit, Failure};
use super::join::Joined;
use super::show::change_block;
use super::ui::Ui;
use crate::engine::Ending;
use crate::engine::command::{Command, Reply};
use crate::engine::undo::{UndoOrder, UndoView, UndoWord};
use crate::report::escape::visible;

/// So often it is shown again because something moved between the look and the word.
const LOOKS_MAX: usize = 3;
/// So many people are named for one thing that isn't brought back.
const NAMED_MAX: usize = 3;

/// Undoes a cycle.
///
/// # Errors
/// What kept it from being undone.
pub async fn undo(joined: &Joined, args: UndoArgs) -> Result<Exit, Failure> {
    let order = UndoOrder { cycle: args.cycle, app: args.app, user: args.user };
    let mut ui = if args.format == Format::Json { Ui::quiet() } else { Ui::default() };
    for look in 1..=LOOKS_MAX {
        let command = Command::Undo { order: order.clone(), word: None };
        let (code, shown) = match ask(joined, command, &mut ui).await? {
            Reply::Undo { code, undo } => (code, undo),
            other => return unexpected(other),
        };
        // As JSON one object is printed: what came of it, if it is carried out.
        let nothing = shown.changes.is_empty();
        if args.format == Format::Text || args.dry_run || nothing {
            print(args.format, &*shown, text)?;
        }
        if args.dry_run || nothing {
            return Ok(Exit::Engine(code));
        }
        let count = agreed(&shown, args.count)?;
        let word = UndoWord { digest: shown.digest.clone(), count };
        let command = Command::Undo { order: order.clone(), word: Some(word) };
        match ask(joined, command, &mut ui).await? {
            Reply::Undo { code, undo } => {
                if args.format == Format::Json {
                    print(args.format, &*undo, text)?;
                }
                tell(&carried(&undo));
                return Ok(Exit::Engine(code));
            }
            Reply::Refused { fault, .. } if fault.kind == "moved" && look < LOOKS_MAX && on_terminal() => {
                tell("Something changed meanwhile; this is how it is now:\n");
            }
            other => return unexpected(other),
        }
    }
    Err(Failure::new(Exit::Failed, "what would be undone changes each time", "try again when things are at rest"))
}

fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, where there is somebody to ask; answers the count, where one is needed or was given.
fn agreed(shown: &UndoView, count: Option<usize>) -> Result<Option<usize>, Failure> {
    let n = shown.changes.len();
    if count.is_some() {
        return Ok(count);
    }
    let past: usize = shown.past.iter().map(|past| past.changes).sum();
    match (past > 0, on_terminal()) {
        (false, false) => Ok(None),
        (false, true) => question("Undo it? [y/N] ", "y").map(|()| None),
        (true, true) => question("Type how many changes are undone: ", &n.to_string()).map(|()| Some(n)),
        (true, false) => {
            let message = format!("{past} of {} past a limit of the brake", changes_are(n));
            let hint = format!("look at it with --dry-run; `--count {n}` lets all of it go on");
            Err(Failure::new(Exit::Engine(Ending::Held.code()), message, hint))
        }
    }
}

fn question(question: &str, expected: &str) -> Result<(), Failure> {
    anstream::eprint!("\n{question}");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|why| Failure::new(Exit::Usage, why, ""))?;
    if answer.trim().eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "not undone", "nothing was changed"))
}

fn changes_are(n: usize) -> String {
    if n == 1 { "1 change is".to_owned() } else { format!("{n} changes are") }
}

/// What is brought back, what isn't, and what it needs.
fn text(undo: &UndoView) -> String {
    let mut out = String::new();
    for (name, fault) in &undo.faults {
        let _ = writeln!(out, "{name}: {}\n  hint: {}\n", visible(&fault.message), visible(&fault.hint));
    }
    for change in &undo.changes {
        out.push_str(&change_block(change));
    }
    for one in &undo.refused {
        let _ = writeln!(out, "not undone   {}  {}\n    {}", visible(&one.user), visible(&one.name), visible(&one.why));
    }
    if !undo.short.is_empty() {
        out.push_str("\nWhat isn't brought back:\n");
    }
    for one in &undo.short {
        let named: Vec<&str> = one.users.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = one.users.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "  {}\n    {}{more}", visible(&one.what), visible(&named.join(", ")));
    }
    let n = undo.changes.len();
    if n == 0 && !undo.faults.is_empty() {
        return out;
    }
    if n == 0 {
        let _ = writeln!(out, "\nNothing of cycle {} is to be undone.", visible(&undo.cycle));
        return out;
    }
    let refused = undo.refused.len();
    let rest = if refused > 0 { format!(", {refused} can't be") } else { String::new() };
    let changes = if n == 1 { "1 change".to_owned() } else { format!("{n} changes") };
    let _ = writeln!(out, "\nUndo of cycle {}: {changes}{rest}", visible(&undo.cycle));
    for past in &undo.past {
        let _ = writeln!(out, "  {} past the brake: {}", past.changes, visible(&past.reason));
    }
    out.push_str("The next cycles leave these people so until the directory says something new.\n");
    out
}

/// One line on what came of it.
fn carried(undo: &UndoView) -> String {
    let Some(carried) = &undo.carried else { return "nothing was undone".to_owned() };
    let faults: Vec<String> = undo.faults.iter().map(|(app, fault)| format!("{app}: {}", fault.message)).collect();
    let faults = if faults.is_empty() { String::new() } else { format!("; {}", visible(&faults.join("; "))) };
    format!(
        "cycle {} undid {}: {} done, {} failed{faults}\n  (`zendesk-dirsync undo {}` takes it back)",
        carried.cycle, undo.cycle, carried.done, carried.failed, carried.cycle
    )
}
