//! The view for people: a table, or, where that would be too narrow to read, a list of blocks.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, TableStyle, Width};

use super::{cause, changes, error, time, visible, who};
use crate::report::record::ReportRecord;

/// Narrower than this, a table of six columns can't be read.
const TABLE_WIDTH_MIN: u16 = 72;
/// Narrower than this nothing is laid out; lines just run on.
const WIDTH_MIN: u16 = 20;

/// Records for people, in a given width of characters.
pub fn table(records: &[ReportRecord], width: u16) -> String {
    if width < TABLE_WIDTH_MIN { blocks(records, width.max(WIDTH_MIN)) } else { columns(records, width) }
}

fn columns(records: &[ReportRecord], width: u16) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(["Time (UTC)", "App", "Did", "Who", "Why and what"]);
    for record in records {
        let by = by(record).map(|actor| format!("by {actor}")).unwrap_or_default();
        let what = [cause(record), changes(record, "\n"), with_hint(record), by];
        let what: Vec<String> = what.into_iter().filter(|part| !part.is_empty()).collect();
        table.add_row([
            time(record),
            visible(record.app.as_deref().unwrap_or_default()),
            format!("{}\n{}", visible(&record.action), visible(&record.result)),
            who(record),
            what.join("\n"),
        ]);
    }
    // Most of the room is for why and what; dates and times break between each other.
    let most = |percent: u16| ColumnConstraint::UpperBoundary(Width::Percentage(percent));
    let time = if width < 100 { ColumnConstraint::Absolute(Width::Fixed(12)) } else { most(25) };
    table.set_constraints([time, most(15), most(18), most(27), most(60)]);
    trimmed(&table)
}

fn blocks(records: &[ReportRecord], width: u16) -> String {
    let one = |record: &ReportRecord| {
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        let did = format!("{}: {}", visible(&record.action), visible(&record.result));
        let rows = [
            ("time", time(record)),
            ("app", visible(record.app.as_deref().unwrap_or_default())),
            ("did", did),
            ("who", who(record)),
            ("why", cause(record)),
            ("what", changes(record, "\n")),
            ("error", with_hint(record)),
            ("by", by(record).unwrap_or_default()),
        ];
        for (name, text) in rows.into_iter().filter(|(_, text)| !text.is_empty()) {
            table.add_row([name.to_owned(), text]);
        }
        // The table's own margin is of no use without lines.
        trimmed(&table).lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<&str>>().join("\n")
    };
    records.iter().map(one).collect::<Vec<String>>().join("\n\n")
}

/// Who asked for it, if it wasn't the daemon by itself.
fn by(record: &ReportRecord) -> Option<String> {
    (record.actor != "daemon").then(|| visible(&record.actor))
}

fn with_hint(record: &ReportRecord) -> String {
    record.error.as_ref().map(|one| format!("{}; {}", error(record), visible(&one.hint))).unwrap_or_default()
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<String>>().join("\n")
}
