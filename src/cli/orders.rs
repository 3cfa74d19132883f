//! Orders for one named person: shown, asked about, and carried out as they were shown.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use super::args::Format;
use super::args_hand::{DeprovisionArgs, LinkArgs, PersonArgs};
use super::ask::{ask, print, unexpected};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::Joined;
use super::show::field_line;
use super::ui::Ui;
use crate::engine::byhand::{HandOrder, HandPersonView, HandView, Word};
use crate::engine::command::{Command, Reply};
use crate::report::escape::visible;

/// Whether a person is asked before an order is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// They are.
    First,
    /// `--yes` was given.
    Answered,
}

impl From<bool> for Asking {
    fn from(yes: bool) -> Self {
        if yes { Self::Answered } else { Self::First }
    }
}

/// Ends one person's access.
///
/// # Errors
/// What kept it from being done.
pub async fn deprovision(joined: &Joined, args: DeprovisionArgs) -> Result<Exit, Failure> {
    if !args.now {
        let hint = "leavers are deprovisioned by cycles; for the one who can't wait, add --now";
        return Err(Failure::new(Exit::Usage, "deprovision is done at once, and needs --now", hint));
    }
    let (user, app) = (args.user, args.app);
    let command = |word| {
        let (user, app) = (user.clone(), app.clone());
        Command::ByHand { order: HandOrder::Deprovision, user, app, word }
    };
    carry_out(joined, command, args.yes.into(), args.format).await
}

/// Releases or unlinks one person.
///
/// # Errors
/// What kept it from being done.
pub async fn person(joined: &Joined, order: HandOrder, args: PersonArgs) -> Result<Exit, Failure> {
    let (user, app) = (args.user, args.app);
    let command = |word| Command::ByHand { order, user: user.clone(), app: app.clone(), word };
    carry_out(joined, command, args.yes.into(), args.format).await
}

/// Ties one person to an account.
///
/// # Errors
/// What kept it from being done.
pub async fn link(joined: &Joined, args: LinkArgs) -> Result<Exit, Failure> {
    let (user, app, account) = (args.user, args.app, args.account);
    let command = |word| Command::Link { user: user.clone(), account, app: app.clone(), word };
    carry_out(joined, command, args.yes.into(), args.format).await
}

async fn carry_out(
    joined: &Joined,
    command: impl Fn(Word) -> Command,
    asking: Asking,
    format: Format,
) -> Result<Exit, Failure> {
    let word = match asking {
        Asking::Answered => Word::Do,
        Asking::First => {
            if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
                let hint = "add --yes; whom it is about is shown on a terminal";
                return Err(Failure::new(Exit::Usage, "there is no terminal to ask on", hint));
            }
            let (_, shown) = order(joined, command(Word::Show)).await?;
            anstream::eprint!("{}", fold(&shown_text(&shown), width(std::io::stderr())));
            confirmed()?;
            Word::DoShown(shown.digest)
        }
    };
    let (code, done) = order(joined, command(word)).await?;
    print(format, &done, done_text)?;
    Ok(Exit::Engine(code))
}

async fn order(joined: &Joined, command: Command) -> Result<(u8, HandView), Failure> {
    match ask(joined, command, &mut Ui::quiet()).await? {
        Reply::Hand { code, view } => Ok((code, *view)),
        other => unexpected(other),
    }
}

fn confirmed() -> Result<(), Failure> {
    anstream::eprint!("\nGo on? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|why| Failure::new(Exit::Usage, why, ""))?;
    if answer.trim().eq_ignore_ascii_case("y") {
        Ok(())
    } else {
        Err(Failure::new(Exit::Usage, "not confirmed", "nothing was changed"))
    }
}

/// Whom an order is about, and what it comes to.
fn shown_text(view: &HandView) -> String {
    let mut out = String::new();
    for one in &view.people {
        let _ = writeln!(out, "{:12} {}  {}", view.action, visible(&one.user), visible(&one.name));
        let _ = writeln!(out, "    {}", account_text(one));
        for remark in &one.remarks {
            let _ = writeln!(out, "    {}", visible(remark));
        }
        for field in &one.changes {
            let _ = writeln!(out, "    {}", field_line(field));
        }
        if let Some(fault) = &one.fault {
            let _ = writeln!(out, "    not possible: {}\n    hint: {}", visible(&fault.message), visible(&fault.hint));
        }
    }
    let _ = writeln!(out, "{}", what_follows(&view.action));
    out
}

fn account_text(one: &HandPersonView) -> String {
    let mut text = format!("{}, account {}", one.app, one.zendesk_id);
    if let Some(role) = &one.role {
        let _ = write!(text, ", {}", visible(role));
    }
    if !one.groups.is_empty() {
        let _ = write!(text, ", in {}", visible(&one.groups.join(", ")));
    }
    text
}

/// What became of an order.
fn done_text(view: &HandView) -> String {
    let mut out = String::new();
    for one in &view.people {
        let result = one.result.as_deref().unwrap_or("not done");
        let (user, app) = (visible(&one.user), &one.app);
        let _ = writeln!(out, "{result:8} {} {user} ({app}, account {})", view.action, one.zendesk_id);
        for remark in &one.remarks {
            let _ = writeln!(out, "    {}", visible(remark));
        }
        if let Some(fault) = &one.fault {
            let _ = writeln!(out, "    {}\n    hint: {}", visible(&fault.message), visible(&fault.hint));
        }
    }
    if view.people.iter().any(|one| one.fault.is_none()) {
        let _ = writeln!(out, "{}", what_follows(&view.action));
    }
    out
}

/// What an order means for the cycles that follow.
fn what_follows(action: &str) -> &'static str {
    match action {
        "deprovision" => "Stays so until the directory shows the entry disabled or expired, or `keeps lift`.",
        "release" => "The account stays as it is, and isn't managed until `keeps lift` or `link`.",
        "unlink" => "The next cycle matches this person anew, by external_id and mail.",
        _ => "The next cycle brings the account up to date, under the brake.",
    }
}
