//! What the brake counts and whom it makes wait: its lines in `status`, and the `retry` command.

use super::args::RetryArgs;
use super::ask::{ask, say};
use super::exit::{Exit, Failure};
use super::join::Joined;
use super::ui::Ui;
use crate::engine::brake_view::{BrakesView, FailingView};
use crate::engine::command::{Command, Reply};

/// Has the next cycle try again at once.
///
/// # Errors
/// When nothing of that name waits, or nobody could be asked.
pub async fn retry(joined: &Joined, args: RetryArgs) -> Result<Exit, Failure> {
    let command = Command::Retry { user: args.user, app: args.app };
    match ask(joined, command, &mut Ui::quiet()).await? {
        Reply::Retried { people, apps } => {
            let people = if people == 1 { "1 person".to_owned() } else { format!("{people} people") };
            let apps = match apps {
                0 => String::new(),
                1 => " and 1 app".to_owned(),
                n => format!(" and {n} apps"),
            };
            say(&format!("{people}{apps} will be tried again in the next cycle.\n")).map(|()| Exit::Done)
        }
        other => super::ask::unexpected(other),
    }
}

/// Its lines in `status`, by name.
pub fn lines(brakes: &BrakesView, held_since: Option<&str>) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    // What is held was told of in the line above.
    if let (Some(oldest), Some(age)) = (&brakes.oldest, brakes.oldest_age_s)
        && held_since != Some(oldest)
    {
        lines.push(("not applied", format!("the oldest change waits since {oldest}{}", age_text(age))));
    }
    for window in brakes.windows.iter().filter(|window| window.used > 0) {
        lines.push(("without a word", format!("{}: {}", window.app, window.text)));
    }
    for one in &brakes.quarantine {
        let text = format!("{}: since {}, tried again not before {}: {}", one.app, one.since, one.until, one.why);
        lines.push(("quarantine", text));
    }
    lines.extend(brakes.failing.iter().map(|one| ("failing", failing(one))));
    lines
}

fn failing(one: &FailingView) -> String {
    let FailingView { app, user, why, .. } = one;
    let failures = if one.failures == 1 { "1 failure".to_owned() } else { format!("{} failures", one.failures) };
    match &one.until {
        Some(until) => format!("{app}: {user} waits until {until} after {failures}: {why}"),
        None => format!("{app}: {user} is not tried any more after {failures}: {why}"),
    }
}

/// Whole hours and days: what is younger needs no age beside its time.
fn age_text(seconds: i64) -> String {
    match seconds / 3_600 {
        ..1 => String::new(),
        hours @ 1..48 => format!(", {hours} h ago"),
        hours => format!(", {} days ago", hours / 24),
    }
}
