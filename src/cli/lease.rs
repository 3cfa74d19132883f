//! `lease`: who may write, in words.

use std::fmt::Write as _;

use super::args::LeaseSub;
use super::ask::{ask, print, say, unexpected};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::Joined;
use super::orders::{agreed, terminal};
use super::ui::Ui;
use crate::engine::command::{Command, Reply};
use crate::engine::lease_view::LeaseView;
use crate::report::escape::visible;

/// Shows the leases, or takes one over.
///
/// # Errors
/// What kept it from being done.
pub async fn lease(joined: &Joined, sub: LeaseSub) -> Result<Exit, Failure> {
    match sub {
        LeaseSub::Show { app, format } => match ask(joined, Command::Leases { app }, &mut Ui::quiet()).await? {
            Reply::Leases(leases) => print(format, &leases, |leases| shown(leases)).map(|()| Exit::Done),
            other => unexpected(other),
        },
        LeaseSub::Take { app, yes } => {
            if !yes {
                consent(joined, app.clone()).await?;
            }
            match ask(joined, Command::TakeLease { app }, &mut Ui::quiet()).await? {
                Reply::Leases(leases) => {
                    let text = shown(&leases)
                        + "If another copy wrote before, everything that this one would do waits once: see `holds list` \
                           after the next cycle.\n";
                    say(&text).map(|()| Exit::Done)
                }
                other => unexpected(other),
            }
        }
    }
}

/// Shows from whom a lease would be taken, and asks. Where nothing would be taken there is nothing to ask.
async fn consent(joined: &Joined, app: Option<String>) -> Result<(), Failure> {
    let leases = match ask(joined, Command::Leases { app }, &mut Ui::quiet()).await? {
        Reply::Leases(leases) => leases,
        other => return unexpected(other),
    };
    if leases.iter().all(|one| matches!(one.state.as_str(), "off" | "ours")) {
        return Ok(());
    }
    terminal()?;
    anstream::eprint!("{}", fold(&shown(&leases), width(std::io::stderr())));
    agreed("Is the other copy stopped, and shall this one write from now on?")
}

fn short(instance: Option<&String>) -> &str {
    instance.and_then(|text| text.get(..8)).unwrap_or("?")
}

/// Each app's lease, within 80 columns.
fn shown(leases: &[LeaseView]) -> String {
    let mut out = String::new();
    for one in leases {
        let (app, own) = (&one.app, short(one.own.as_ref()));
        let line = match one.state.as_str() {
            "off" => "no lease is kept; `enabled = true` under [app.lease] keeps one".to_owned(),
            "free" => format!("free; this copy ({own}) takes it with its first write"),
            "ours" => format!("this copy ({own}) has it"),
            "behind" => format!("this copy ({own}) has it, and its store is not the newest"),
            "foreign" => format!("another copy has it, not this one ({own})"),
            _ => format!("unusable: {}", one.why.as_deref().unwrap_or("the marker can't be read")),
        };
        let _ = writeln!(out, "{app}: {}", visible(&line));
        if let Some((instance, since)) = one.instance.as_ref().zip(one.since.as_deref()) {
            let _ = writeln!(out, "  written last by {} at {}", short(Some(instance)), visible(since));
        }
        if let Some(id) = one.zendesk_id {
            let serial = one.serial.map(|serial| format!(", serial {serial}")).unwrap_or_default();
            let _ = writeln!(out, "  marker: Zendesk user {id}{serial}");
        }
        match one.state.as_str() {
            "foreign" | "unreadable" => {
                let _ = writeln!(out, "  if this copy is to write: `zendesk-dirsync lease take --app {app}`");
            }
            "behind" => {
                let _ = writeln!(out, "  with its next write everything of this app waits for a look");
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_words_that_fit() {
        for state in ["off", "free", "ours", "behind", "foreign", "unreadable"] {
            let view = LeaseView {
                app: "support".into(),
                state: state.into(),
                own: Some("ab".repeat(16)),
                instance: Some("cd".repeat(16)),
                serial: Some(41),
                since: Some("2026-11-23T08:15:00Z".into()),
                zendesk_id: Some(9_007_199_254_740_993),
                why: Some("2 users carry its external_id".into()),
            };
            let text = shown(&[view]);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(!text.contains('?'), "{text}");
        }
    }
}
