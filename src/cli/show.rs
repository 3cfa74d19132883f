//! Answers as text for people: plans, holds, status. Narrow terminals get narrower lines, never cut ones.

use std::fmt::Write as _;

use serde_json::Value;

use crate::engine::view::{ChangeView, CycleView, FieldView, HoldView, PlanView, StatusView, changes_text, wait_text};
use crate::report::escape::visible;

/// A plan, one block a change.
pub fn plan(plan: &PlanView) -> String {
    let mut out = String::new();
    for (app, edit) in &plan.edits {
        let _ = writeln!(
            out,
            "{app}: this edit adds {}, changes {}, removes {} of {}",
            edit.adds,
            edit.changes,
            edit.removes,
            accounts_text(edit.of)
        );
    }
    if let Some(offline) = &plan.offline {
        for (directory, taken) in &offline.images {
            let _ = writeln!(out, "{directory}: as it was read at {taken}; Zendesk as it was last written");
        }
        for note in &offline.notes {
            let _ = writeln!(out, "{}", visible(note));
        }
    }
    if !plan.edits.is_empty() || plan.offline.is_some() {
        out.push('\n');
    }
    for (name, fault) in &plan.faults {
        let _ = writeln!(out, "{name}: {}\n  hint: {}\n", visible(&fault.message), visible(&fault.hint));
    }
    for change in &plan.changes {
        out.push_str(&change_block(change));
    }
    for one in &plan.rejected {
        let who = one.user.as_deref().unwrap_or(&one.directory_id);
        let _ = writeln!(out, "rejected     {}\n    {}: {}", visible(who), one.field, visible(&one.why));
    }
    for one in &plan.conflicts {
        let account = one.zendesk_id.map(|id| format!(" (account {id})")).unwrap_or_default();
        let _ = writeln!(
            out,
            "conflict     {}\n    {}{account}\n    hint: {}",
            visible(&one.user),
            visible(&one.why),
            one.hint
        );
    }
    for one in &plan.waiting {
        let _ = writeln!(out, "waiting      {}\n    {}", visible(&one.user), visible(&one.why));
    }
    for notice in &plan.notices {
        let _ = writeln!(out, "{}", visible(notice));
    }
    out.push_str(&counts(plan));
    out
}

/// One change.
pub(super) fn change_block(change: &ChangeView) -> String {
    let mut out = String::new();
    let held = change.held.as_ref().map(|held| format!("  [waits: {}]", held.limit)).unwrap_or_default();
    let held = change.deferred.as_ref().map_or(held, |deferred| format!("  [{}]", deferred.text()));
    let _ = writeln!(out, "{:12} {}  {}{held}", change.action, visible(&change.user), visible(&change.name));
    let mut because = change.cause.code.clone();
    if !change.cause.groups.is_empty() {
        let _ = write!(because, " ({})", visible(&change.cause.groups.join("; ")));
    }
    if let Some(evidence) = &change.cause.evidence {
        let _ = write!(because, ": {}", visible(evidence));
    }
    let _ = writeln!(out, "    because {because}");
    for field in &change.changes {
        let _ = writeln!(out, "    {}", field_line(field));
    }
    out
}

/// A field with its value before and after.
pub fn field_line(field: &FieldView) -> String {
    format!("{}: {} → {}", field.field, value(&field.before), value(&field.after))
}

/// A value of a field.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => visible(text),
        Value::Array(items) if items.is_empty() => "(none)".to_owned(),
        Value::Array(items) => visible(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        Value::Number(_) | Value::Object(_) => visible(&value.to_string()),
    }
}

fn accounts_text(n: usize) -> String {
    if n == 1 { "1 account".to_owned() } else { format!("{n} accounts") }
}

fn counts(plan: &PlanView) -> String {
    if plan.counts.is_empty() {
        return if plan.faults.is_empty() { "Nothing to do.\n".to_owned() } else { String::new() };
    }
    let parts: Vec<String> = plan
        .counts
        .iter()
        .map(|(action, count)| format!("{} {action} of {}", count.n, accounts_text(count.of)))
        .collect();
    let held = plan.changes.iter().filter(|change| change.held.is_some()).count();
    let held =
        if held > 0 { format!("; {held} of {} for a person", wait_text(plan.changes.len())) } else { String::new() };
    format!("\nPlan {}: {}{held}\n", &plan.digest.get(..8).unwrap_or_default(), parts.join(", "))
}

/// Holds, one line each.
pub fn holds(holds: &[HoldView]) -> String {
    if holds.is_empty() {
        return "Nothing waits.\n".to_owned();
    }
    let mut out = String::new();
    for hold in holds {
        let _ = writeln!(
            out,
            "{}  {}  {}  {}  since {}\n    {}",
            hold.id.get(..8).unwrap_or(&hold.id),
            hold.app,
            changes_text(hold.changes.len()),
            hold.state,
            hold.since,
            visible(&hold.reason)
        );
        if let Some(decided) = &hold.decided {
            let _ = writeln!(out, "    {}", visible(decided));
        }
    }
    out
}

/// One hold with everybody in it.
pub fn hold(hold: &HoldView) -> String {
    let mut out = holds(std::slice::from_ref(hold));
    for change in &hold.changes {
        let state = if change.state == hold.state { String::new() } else { format!("  [{}]", change.state) };
        let _ = writeln!(out, "\n{:12} {}  {}{state}", change.action, visible(&change.user), visible(&change.name));
        let why = if change.why.is_empty() { String::new() } else { format!(" ({})", change.why.join("; ")) };
        let _ = writeln!(out, "    because {}{}", change.cause, visible(&why));
        for field in &change.fields {
            let _ = writeln!(out, "    {}", visible(field));
        }
    }
    let n = hold.changes.len();
    let id = hold.id.get(..8).unwrap_or(&hold.id);
    let left = hold.changes.iter().filter(|change| change.state == "waiting").count();
    if n > left && left > 0 {
        let _ =
            writeln!(out, "\n{}; to let all go on: zendesk-dirsync holds approve {id} --count {n}", wait_text(left));
    }
    if n > 0 && hold.state == "waiting" {
        let these = if n == 1 { "this 1".to_owned() } else { format!("these {n}") };
        let _ = writeln!(out, "\nTo let {these} go on: zendesk-dirsync holds approve {id} --count {n}");
    }
    out
}

/// How the service is.
pub fn status(status: &StatusView) -> String {
    let mut out = String::new();
    let cycle =
        |cycle: &CycleView| format!("{} ended {} with {}: {}", cycle.cycle, cycle.ended, cycle.code, cycle.text);
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "{name:14} {}", visible(&text));
    };
    line("daemon", status.daemon.clone().unwrap_or_else(|| "not running".into()));
    if let Some(next) = &status.next {
        line("next cycle", next.clone());
    }
    line("last cycle", status.last.as_ref().map_or("none yet".into(), cycle));
    line(
        "last complete",
        match (&status.last_complete, status.read_age_s) {
            (Some(last), Some(age)) => format!("{} ago ({})", age_text(age), last.cycle),
            _ => "no complete read yet".into(),
        },
    );
    for pause in &status.paused {
        line("paused", pause.text());
    }
    for (app, accounts) in &status.accounts {
        line("accounts", format!("{app}: {accounts} managed and active"));
    }
    let since = status.held_since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    line("waiting", format!("{} for a person{since}", changes_text(status.held)));
    for (name, text) in super::brakes::lines(&status.brakes, status.held_since.as_deref()) {
        line(name, text);
    }
    for sign in &status.signs {
        line("notice", sign.clone());
    }
    if let Some(reload) = &status.reload {
        let first = reload.lines().next().unwrap_or_default();
        line("configuration", format!("the last reload was refused: {first}"));
    }
    out
}

fn age_text(seconds: i64) -> String {
    let whole = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    humantime::format_duration(whole).to_string()
}
