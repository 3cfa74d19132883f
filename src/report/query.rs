//! Reading the report: closed files, plain or compressed, and the active one, in order, one record at a time.
//!
//! A search for a person follows the immutable id: what happened under an old address is found by the new one. Nothing
//! is locked; the daemon may write and rotate meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::files::{self, Closed, Files, Line, LineEnd, Lines};
use super::record::ReportRecord;
use crate::domain::id::{AppName, DirectoryName, Email, EntryId};

/// What a search asks for; everything that isn't set fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A person: mail address, name, immutable id, or Zendesk id; each as a whole, without case.
    pub user: Option<String>,
    /// An app.
    pub app: Option<AppName>,
    /// At this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// The value of `action`.
    pub action: Option<String>,
    /// The value of `result`.
    pub result: Option<String>,
    /// A cycle.
    pub cycle: Option<String>,
    /// A directory.
    pub directory: Option<DirectoryName>,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record.
    pub record: ReportRecord,
    /// Its line, safe to show.
    pub line: String,
    /// In which file.
    pub file: PathBuf,
    /// On which line, from 1.
    pub number: u64,
}

/// The report can't be read, in whole or in part.
#[derive(Debug, thiserror::Error)]
pub enum QueryFault {
    /// A file can't be read, or not to its end: the search goes on with the next one.
    #[error("{}: can't be read", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        why: io::Error,
    },
    /// A line is no record: the search goes on behind it.
    #[error("{}:{line}: {why}; `report verify` tells more", file.display())]
    Unreadable {
        /// In which file.
        file: PathBuf,
        /// On which line.
        line: u64,
        /// Why.
        why: String,
    },
}

/// A clock that was set back may leave records in a file whose name doesn't say so.
const CLOCK_MARGIN: TimeDelta = TimeDelta::days(1);

/// Searches a report, oldest records first.
///
/// # Errors
/// When the directory or a file can't be read. A report that has no file yet is empty.
pub fn search(report: &Path, filter: &Filter) -> Result<Search, QueryFault> {
    let mut who = filter.user.as_deref().map(Who::new);
    if let Some(who) = &mut who {
        // First all that this person was ever known by, over the whole report; then what fits.
        // What can't be read is told the second time.
        Search::over(report, &Filter::default(), None)?.flatten().for_each(|found| who.learn(&found.record));
    }
    Search::over(report, filter, who)
}

/// The records that fit, one after the other.
pub struct Search {
    pending: std::vec::IntoIter<Closed>,
    active: Option<Lines>,
    current: Option<Lines>,
    matcher: Matcher,
}

impl Search {
    pub(super) fn over(report: &Path, filter: &Filter, who: Option<Who>) -> Result<Self, QueryFault> {
        let files = Files::of(report);
        // The active file first: when it is rotated after this, it is read to its end all the same.
        let active = match files::open_file(report) {
            Ok(file) => Some(file),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(unreadable(report, why)),
        };
        let identity = active.as_ref().and_then(|file| file.metadata().ok()).map(|meta| files::identity(&meta));
        let mut closed = match files.closed() {
            Ok(closed) => closed,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(why) => return Err(unreadable(files.dir(), why)),
        };
        closed.retain(|one| identity.is_none() || files::identity_of(&one.plain) != identity);
        Ok(Self {
            pending: within(closed, filter).into_iter(),
            active: active.map(|file| Lines::of_file(report, file)),
            current: None,
            matcher: Matcher { filter: filter.clone(), who },
        })
    }

    fn next_lines(&mut self) -> Option<Result<Lines, QueryFault>> {
        match self.pending.next() {
            Some(closed) => match closed.open() {
                Ok(lines) => Some(Ok(lines)),
                // Its time was over while we read.
                Err(why) if why.kind() == io::ErrorKind::NotFound => self.next_lines(),
                Err(why) => Some(Err(unreadable(&closed.plain, why))),
            },
            None => self.active.take().map(Ok),
        }
    }
}

/// Leaves files out whose names say that nothing in them fits.
fn within(closed: Vec<Closed>, filter: &Filter) -> Vec<Closed> {
    let mut begun: Option<DateTime<Utc>> = None;
    let mut kept = Vec::new();
    for one in closed {
        let ended = one.stamp.time + TimeDelta::seconds(1);
        let too_old = filter.since.is_some_and(|since| ended + CLOCK_MARGIN < since);
        let too_new = filter.until.zip(begun).is_some_and(|(until, begun)| begun - CLOCK_MARGIN > until);
        begun = Some(one.stamp.time);
        if !too_old && !too_new {
            kept.push(one);
        }
    }
    kept
}

pub(super) fn unreadable(file: &Path, why: io::Error) -> QueryFault {
    QueryFault::Io { file: file.to_owned(), why }
}

impl Iterator for Search {
    type Item = Result<Found, QueryFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(lines) = &mut self.current else {
                match self.next_lines()? {
                    Ok(lines) => self.current = Some(lines),
                    Err(fault) => return Some(Err(fault)),
                }
                continue;
            };
            let path = lines.path.clone();
            match lines.next() {
                None => self.current = None,
                Some(Err(why)) => {
                    self.current = None;
                    return Some(Err(unreadable(&path, why)));
                }
                Some(Ok(line)) => match self.matcher.judge(&path, &line) {
                    Judged::Fits(found) => return Some(Ok(*found)),
                    Judged::Unreadable(fault) => return Some(Err(fault)),
                    Judged::Not => {}
                },
            }
        }
    }
}

/// Says which lines are wanted.
pub(super) struct Matcher {
    pub(super) filter: Filter,
    pub(super) who: Option<Who>,
}

/// What a line comes to.
pub(super) enum Judged {
    /// It is a record that fits.
    Fits(Box<Found>),
    /// It is one that doesn't, or is still being written.
    Not,
    /// It is none.
    Unreadable(QueryFault),
}

impl Matcher {
    pub(super) fn judge(&mut self, path: &Path, line: &Line) -> Judged {
        if line.end == LineEnd::Torn {
            return Judged::Not;
        }
        let record: ReportRecord = match serde_json::from_slice(&line.bytes) {
            Ok(record) => record,
            Err(why) => {
                let (file, why) = (path.to_owned(), format!("not a record: {why}"));
                return Judged::Unreadable(QueryFault::Unreadable { file, line: line.number, why });
            }
        };
        if !self.fits(&record) {
            return Judged::Not;
        }
        let text = super::escape::line(&String::from_utf8_lossy(&line.bytes));
        Judged::Fits(Box::new(Found { record, line: text, file: path.to_owned(), number: line.number }))
    }

    fn fits(&self, record: &ReportRecord) -> bool {
        let Filter { user: _, app, since, until, action, result, cycle, directory } = &self.filter;
        let is = |wanted: Option<&str>, said: Option<&str>| wanted.is_none() || wanted == said;
        is(app.as_ref().map(AppName::as_str), record.app.as_deref())
            && is(directory.as_ref().map(DirectoryName::as_str), record.directory.as_deref())
            && is(action.as_deref(), Some(&record.action))
            && is(result.as_deref(), Some(&record.result))
            && is(cycle.as_deref(), Some(&record.cycle))
            && since.is_none_or(|since| record.time >= since)
            && until.is_none_or(|until| record.time < until)
            && self.who.as_ref().is_none_or(|who| who.is(record))
    }
}

/// A person, by what was asked, and by every immutable id that it led to.
#[derive(Debug, Clone)]
pub(super) struct Who {
    text: String,
    email: Option<Email>,
    entry: Option<String>,
    ids: BTreeSet<(String, String)>,
}

impl Who {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim();
        Self {
            text: text.to_lowercase(),
            email: Email::parse(text).ok(),
            entry: EntryId::parse(text).ok().map(|id| id.to_string()),
            ids: BTreeSet::new(),
        }
    }

    /// Remembers the id of a record that is about what was asked.
    pub(super) fn learn(&mut self, record: &ReportRecord) {
        if self.named(record)
            && let (Some(directory), Some(id)) = (&record.directory, &record.directory_id)
        {
            self.ids.insert((directory.clone(), id.clone()));
        }
    }

    /// Whether a record is about the person.
    pub(super) fn is(&self, record: &ReportRecord) -> bool {
        let known = match (&record.directory, &record.directory_id) {
            (Some(directory), Some(id)) => self.ids.contains(&(directory.clone(), id.clone())),
            _ => false,
        };
        known || self.named(record)
    }

    /// Whether a record names what was asked, as it stands.
    fn named(&self, record: &ReportRecord) -> bool {
        let same = |text: &str| text.to_lowercase() == self.text;
        let mail = |text: &str| same(text) || (self.email.is_some() && Email::parse(text).ok() == self.email);
        let of_change = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).is_some_and(mail);
        record.user.as_deref().is_some_and(mail)
            || record.name.as_deref().is_some_and(same)
            || record.zendesk_id.is_some_and(|id| id.to_string() == self.text)
            || record.directory_id.is_some() && record.directory_id == self.entry
            || record
                .changes
                .iter()
                .any(|one| one.field == "email" && (of_change(&one.before) || of_change(&one.after)))
    }
}
