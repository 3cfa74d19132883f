//! Views of records: one line each, a table, CSV. JSON lines need none: a found line is safe as it is.
//!
//! Every text that may come from a directory goes through [`visible`] here, once.

mod csv;
mod line;
mod table;

pub use csv::CsvReport;
pub use line::line;
pub use table::table;

use serde_json::Value;

use super::escape::visible;
use super::record::{ChangeRecord, ReportRecord};

/// When, in UTC, to the second.
fn time(record: &ReportRecord) -> String {
    record.time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Whom it is about: `Ada Lovelace <ada@example.org>`, or what is known of that.
fn who(record: &ReportRecord) -> String {
    let text = match (&record.name, &record.user) {
        (Some(name), Some(user)) => format!("{name} <{user}>"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => record.directory_id.as_ref().map(|id| format!("#{id}")).unwrap_or_default(),
    };
    visible(&text)
}

/// Why: `out_of_scope (Support ▸ Tier 1)`.
fn cause(record: &ReportRecord) -> String {
    let Some(cause) = &record.cause else { return String::new() };
    let mut why = cause.groups.clone();
    why.extend(cause.evidence.clone());
    let text = if why.is_empty() { cause.code.clone() } else { format!("{} ({})", cause.code, why.join("; ")) };
    visible(&text)
}

/// What changed: `role agent → end-user` and `alias (none) → Ada`, with this between them.
fn changes(record: &ReportRecord, between: &str) -> String {
    record.changes.iter().map(change).collect::<Vec<String>>().join(between)
}

fn change(change: &ChangeRecord) -> String {
    let text = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{} {} → {}", change.field, value(before), value(after)),
        (None, None) => change.field.clone(),
        (Some(one), None) | (None, Some(one)) => format!("{} {}", change.field, value(one)),
    };
    visible(&text)
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "(none)".to_owned(),
        Value::Array(list) => list.iter().map(self::value).collect::<Vec<String>>().join(", "),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// What went wrong, and what to do.
fn error(record: &ReportRecord) -> String {
    record.error.as_ref().map_or_else(String::new, |error| visible(&format!("{}: {}", error.kind, error.message)))
}
