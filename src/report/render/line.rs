//! The view for following: one line a record.

use super::{cause, changes, error, time, visible, who};
use crate::report::record::ReportRecord;

/// One record on one line: time, app, action, result, person, cause, changes, error, two spaces apart; what is absent
/// is left out.
pub fn line(record: &ReportRecord) -> String {
    let plain = |text: &str| visible(text);
    let parts = [
        time(record),
        record.app.as_deref().map(plain).unwrap_or_default(),
        plain(&record.action),
        plain(&record.result),
        who(record),
        cause(record),
        changes(record, ", "),
        error(record),
        if record.actor == "daemon" { String::new() } else { format!("by {}", visible(&record.actor)) },
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<String>>().join("  ")
}
