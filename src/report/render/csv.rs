//! The view for spreadsheets: CSV (RFC 4180), one record a row.
//!
//! A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP ASVS 5.0, 1.2.10).

use std::io;

use super::{changes, visible};
use crate::report::record::ReportRecord;

/// The columns.
const HEADER: [&str; 22] = [
    "time",
    "cycle",
    "seq",
    "app",
    "directory",
    "action",
    "result",
    "actor",
    "user",
    "name",
    "directory_id",
    "dn",
    "zendesk_id",
    "cause",
    "groups",
    "evidence",
    "changes",
    "error_type",
    "error",
    "hint",
    "request_id",
    "elapsed_ms",
];

/// Writes records as CSV.
pub struct CsvReport<W: io::Write>(csv::Writer<W>);

impl<W: io::Write> CsvReport<W> {
    /// Begins with the row of names.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn new(to: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(HEADER)?;
        Ok(Self(writer))
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, record: &ReportRecord) -> io::Result<()> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let (cause, error) = (record.cause.as_ref(), record.error.as_ref());
        let of_error = |pick: fn(&crate::report::record::ErrorRecord) -> &String| error.map(pick).cloned();
        let cells: [String; 22] = [
            record.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            record.cycle.clone(),
            record.seq.to_string(),
            text(&record.app),
            text(&record.directory),
            record.action.clone(),
            record.result.clone(),
            record.actor.clone(),
            text(&record.user),
            text(&record.name),
            text(&record.directory_id),
            text(&record.dn),
            number(record.zendesk_id),
            cause.map(|cause| cause.code.clone()).unwrap_or_default(),
            cause.map(|cause| cause.groups.join("; ")).unwrap_or_default(),
            cause.and_then(|cause| cause.evidence.clone()).unwrap_or_default(),
            changes(record, ", "),
            of_error(|error| &error.kind).unwrap_or_default(),
            of_error(|error| &error.message).unwrap_or_default(),
            of_error(|error| &error.hint).unwrap_or_default(),
            text(&record.request_id),
            number(record.elapsed_ms),
        ];
        Ok(self.0.write_record(cells.iter().map(|cell| harmless(cell)))?)
    }

    /// Ends, and gives back what was written to.
    ///
    /// # Errors
    /// When the rest can't be written.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(|why| io::Error::other(why.to_string()))
    }
}

/// A cell that neither a spreadsheet nor a terminal acts on.
fn harmless(cell: &str) -> String {
    let text = visible(cell);
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']) { format!("'{text}") } else { text }
}
