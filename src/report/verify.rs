//! Verifying: whether the chain of records is whole, and where it isn't.
//!
//! Every flipped byte, and every record that was dropped, moved or cut off, breaks a link, a commitment, or the form of
//! a line. Whoever can write all files can make a whole chain anew; against that only a copy elsewhere helps.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::escape;
use super::files::{self, Files, Line, LineEnd, Lines};
use super::head::{self, FoundHead};
use super::query::{QueryFault, unreadable};
use super::record::{self, NOTHING_BEFORE, ReportRecord};

/// So many faults are told; more don't make it clearer.
const FAULTS_MAX: usize = 1_000;

/// A place in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// A line is no record.
    Unreadable(String),
    /// A line is not as it was written, although it says the same.
    Altered,
    /// It is a record of a version that this release doesn't know.
    Version(u32),
    /// The personal part is not the one that was committed to.
    Personal,
    /// The record doesn't follow on the one before it: a record between them is missing, or one of them was moved or
    /// altered.
    Link,
    /// The oldest record isn't the one with which the report began, and retention didn't remove what was before it.
    Start,
    /// Records are missing behind the newest one, or it was altered.
    End,
    /// A closed file ends in the middle of a line.
    Torn,
    /// The small file that says where the chain begins and ends is missing or can't be read.
    NoHead,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "not a record ({why})"),
            Self::Altered => f.write_str("the line is not as it was written"),
            Self::Version(version) => write!(f, "a record of version {version}, which this release doesn't know"),
            Self::Personal => f.write_str("the personal part was altered"),
            Self::Link => {
                f.write_str("it doesn't follow on the record before it: one was dropped, moved or altered here")
            }
            Self::Start => f.write_str("older records are missing that retention didn't remove"),
            Self::End => f.write_str("records behind this one are missing, or this one was altered"),
            Self::Torn => f.write_str("the file ends in the middle of a line"),
            Self::NoHead => {
                f.write_str("the head beside the report is missing: whether records were cut off can't be told")
            }
        }
    }
}

/// One fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub wrong: Wrong,
}

/// What verifying comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// How many records there are.
    pub records: u64,
    /// How many of them have no personal part (any more).
    pub blanked: u64,
    /// What is wrong, in order; at most 1,000 faults.
    pub faults: Vec<Fault>,
    /// From where on the chain is whole; none when not even its last record is.
    pub whole_from: Option<Place>,
    /// Where it begins, if it has a record.
    pub begins: Option<Beginning>,
}

/// Where a chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With the first record ever.
    First,
    /// Later: older records were removed.
    Later,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Verifies a report over all its files.
///
/// # Errors
/// When a file can't be read.
pub fn verify(report: &Path) -> Result<Verification, QueryFault> {
    let files = Files::of(report);
    let head = || head::read(&files).map_err(|why| unreadable(report, why));
    // The head is read first: records that are written meanwhile lie behind it.
    let before = head()?;
    let verification = walk(report, &files, before.clone())?;
    let after = head()?;
    if verification.is_sound() || after == before {
        return Ok(verification);
    }
    // The daemon may have let old files go while we read.
    walk(report, &files, after)
}

fn walk(report: &Path, files: &Files, head: FoundHead) -> Result<Verification, QueryFault> {
    let closed = match files.closed() {
        Ok(closed) => closed,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Verification::default()),
        Err(why) => return Err(unreadable(files.dir(), why)),
    };
    let head = match head {
        FoundHead::None => None,
        FoundHead::Some(head) => Some(head),
    };
    let mut walk = Walk { head, ..Walk::default() };
    for one in closed {
        let lines = one.open().map_err(|why| unreadable(&one.plain, why))?;
        walk.file(lines, Tail::MustBeWhole)?;
    }
    match files::open_file(report) {
        Ok(file) => walk.file(Lines::of_file(report, file), Tail::MayBeTorn)?,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(unreadable(report, why)),
    }
    Ok(walk.finish(report))
}

/// Whether the last line may be one that is just being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    MustBeWhole,
    MayBeTorn,
}

#[derive(Default)]
struct Walk {
    head: Option<head::Head>,
    so_far: Verification,
    /// The hash of the record before, or none when it can't be told.
    before: Option<String>,
    /// Whether the record that the head names was met.
    head_met: bool,
    last: Option<Place>,
}

impl Walk {
    fn file(&mut self, lines: Lines, tail: Tail) -> Result<(), QueryFault> {
        let path = lines.path.clone();
        let mut number = 0;
        for line in lines {
            let line = match line {
                Ok(line) => line,
                // A compressed file that doesn't unpack.
                Err(why) if is_content(&why) => {
                    self.before = None;
                    let place = Place { file: path, line: number + 1 };
                    self.wrong(place.clone(), Wrong::Unreadable(why.to_string()));
                    self.last = Some(place);
                    return Ok(());
                }
                Err(why) => return Err(unreadable(&path, why)),
            };
            number = line.number;
            let place = Place { file: path.clone(), line: line.number };
            if line.end == LineEnd::Torn {
                if tail == Tail::MustBeWhole {
                    self.wrong(place, Wrong::Torn);
                }
                continue;
            }
            self.line(&line, place);
        }
        Ok(())
    }

    fn line(&mut self, line: &Line, place: Place) {
        self.so_far.records += 1;
        let first = self.last.replace(place.clone()).is_none();
        let (value, record) = match parse(&line.bytes) {
            Ok(parsed) => parsed,
            Err(why) => {
                self.before = None;
                return self.wrong(place, Wrong::Unreadable(why));
            }
        };
        let mut sound = true;
        for wrong in self.judge(line, &value, &record, first) {
            sound = false;
            self.wrong(place.clone(), wrong);
        }
        if record.salt.is_none() {
            self.so_far.blanked += 1;
        }
        if sound && self.so_far.whole_from.is_none() {
            self.so_far.whole_from = Some(place);
        }
        let hash = record::chain_hash(&value);
        self.head_met |= self.head.as_ref().is_some_and(|head| head.last == hash);
        self.before = Some(hash);
    }

    fn judge(&mut self, line: &Line, value: &Value, record: &ReportRecord, first: bool) -> Vec<Wrong> {
        let mut all = Vec::new();
        if record.v != record::VERSION {
            all.push(Wrong::Version(record.v));
        } else if escape::json(record).ok().is_none_or(|text| text.as_bytes() != line.bytes) {
            all.push(Wrong::Altered);
        }
        let personal = record::personal(value);
        let committed = match record.salt {
            Some(_) => record::sha256(&record::canonical(&personal)) == record.commit,
            // Left out or erased: then all of it.
            None => personal.as_object().is_none_or(serde_json::Map::is_empty),
        };
        if !committed {
            all.push(Wrong::Personal);
        }
        if first {
            let begins = if record.prev == NOTHING_BEFORE { Beginning::First } else { Beginning::Later };
            self.so_far.begins = Some(begins);
            if self.head.as_ref().is_some_and(|head| !head.first.contains(&record.prev)) {
                all.push(Wrong::Start);
            }
        } else if self.before.as_ref().is_some_and(|before| *before != record.prev) {
            all.push(Wrong::Link);
        }
        all
    }

    fn wrong(&mut self, place: Place, wrong: Wrong) {
        self.so_far.whole_from = None;
        if self.so_far.faults.len() < FAULTS_MAX {
            self.so_far.faults.push(Fault { place, wrong });
        }
    }

    fn finish(mut self, report: &Path) -> Verification {
        let end = self.last.clone().unwrap_or_else(|| Place { file: report.to_owned(), line: 0 });
        match &self.head {
            None if self.last.is_none() => {}
            None => self.wrong(end, Wrong::NoHead),
            Some(head) if self.head_met || (self.last.is_none() && head.last == NOTHING_BEFORE) => {}
            Some(_) => self.wrong(end, Wrong::End),
        }
        self.so_far
    }
}

/// Whether an error is about what is in a file, not about reading it.
fn is_content(why: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(why.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

fn parse(bytes: &[u8]) -> Result<(Value, ReportRecord), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
    let record = serde_json::from_value(value.clone()).map_err(|why| why.to_string())?;
    Ok((value, record))
}
