//! The operations received, in the order in which faults count them.

use super::LogEntry;

/// The log. An operation is in it before any of its answer is sent, and whole before the last of it is: whoever has the
/// answer finds it there, and nothing of an earlier operation comes after a later one.
#[derive(Debug, Default)]
pub(super) struct Log {
    next: u64,
    entries: Vec<(Ticket, LogEntry)>,
}

/// An operation's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

impl Log {
    pub(super) fn begin(&mut self, entry: LogEntry) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.entries.push((ticket, entry));
        ticket
    }

    /// Writes down how an operation ended, unless the log has been cleared since.
    pub(super) fn end(&mut self, ticket: Ticket, result: u32, shown: usize) {
        if let Some((_, entry)) = self.entries.iter_mut().rev().find(|(other, _)| *other == ticket) {
            entry.result = Some(result);
            entry.entries = shown;
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn entries(&self) -> Vec<LogEntry> {
        self.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }
}
