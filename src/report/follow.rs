//! Following the report as it grows, over rotations and truncations.
//!
//! It asks the file system, at whatever pace its caller sets; it needs neither the daemon nor a lock.

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::files::{self, Files, Line, LineEnd, Lines, Stamp};
use super::query::{Filter, Found, Judged, Matcher, QueryFault, Search, Who, unreadable};

/// Bytes that one poll takes of a file at a time.
const BLOCK: u64 = 1 << 20;

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the first record of the active file.
    Start,
    /// With the next record that is written.
    End,
}

/// A report that is followed.
pub struct Follower {
    report: PathBuf,
    files: Files,
    matcher: Matcher,
    open: Option<Open>,
    /// The newest closed file that was there when the active one was last looked at.
    closed: Option<Stamp>,
}

/// The file that is being read, and up to which whole line. A line that isn't whole yet is read again: it may be taken
/// off and another one written in its place.
struct Open {
    file: File,
    identity: (u64, u64),
    at: u64,
    number: u64,
}

impl Follower {
    /// Begins to follow a report; it needn't be there yet.
    ///
    /// # Errors
    /// When a file of it can't be read.
    pub fn begin(report: &Path, filter: &Filter, from: Begin) -> Result<Self, QueryFault> {
        let mut who = filter.user.as_deref().map(Who::new);
        if let Some(who) = &mut who {
            Search::over(report, &Filter::default(), None)?.flatten().for_each(|found| who.learn(&found.record));
        }
        let files = Files::of(report);
        let closed = newest_closed(&files)?;
        let mut open = open(report)?;
        if let (Begin::End, Some(open)) = (from, &mut open) {
            open.skip_to_end().map_err(|why| unreadable(report, why))?;
        }
        let matcher = Matcher { filter: filter.clone(), who };
        Ok(Self { report: report.to_owned(), files, matcher, open, closed })
    }

    /// What was written since the last time.
    ///
    /// # Errors
    /// When a file can't be read. Lines that are no records are passed over.
    pub fn poll(&mut self) -> Result<Vec<Found>, QueryFault> {
        let mut found = Vec::new();
        let there = match fs::metadata(&self.report) {
            Ok(meta) => Some(files::identity(&meta)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(unreadable(&self.report, why)),
        };
        if let Some(open) = &mut self.open {
            read_on(open, &self.report, &mut self.matcher, &mut found)?;
        }
        let held = self.open.as_ref().map(|open| open.identity);
        if there.is_some() && there != held {
            self.pass_over_rotations(held, &mut found)?;
            self.open = open(&self.report)?;
            if let Some(open) = &mut self.open {
                read_on(open, &self.report, &mut self.matcher, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Reads the files that were begun and closed since the last time. The first of the new closed ones is the file
    /// that was just read to its end: still the same one, or compressed by now.
    fn pass_over_rotations(&mut self, held: Option<(u64, u64)>, found: &mut Vec<Found>) -> Result<(), QueryFault> {
        let closed = self.files.closed().map_err(|why| unreadable(self.files.dir(), why))?;
        let mut new = closed.iter().filter(|one| Some(one.stamp) > self.closed).peekable();
        if held.is_some() {
            new.next_if(|one| files::identity_of(&one.plain).is_none_or(|plain| Some(plain) == held));
        }
        for one in new {
            let lines = one.open().map_err(|why| unreadable(&one.plain, why))?;
            take(lines, &mut self.matcher, found)?;
        }
        self.closed = closed.last().map(|one| one.stamp);
        Ok(())
    }
}

/// Follows until `each` breaks off; `pause` gives the pace.
///
/// # Errors
/// When a file can't be read.
pub async fn follow<P: Future<Output = ()>>(
    follower: &mut Follower,
    mut pause: impl FnMut() -> P,
    mut each: impl FnMut(&Found) -> ControlFlow<()>,
) -> Result<(), QueryFault> {
    loop {
        for found in follower.poll()? {
            if each(&found).is_break() {
                return Ok(());
            }
        }
        pause().await;
    }
}

fn newest_closed(files: &Files) -> Result<Option<Stamp>, QueryFault> {
    match files.closed() {
        Ok(closed) => Ok(closed.last().map(|one| one.stamp)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unreadable(files.dir(), why)),
    }
}

fn open(report: &Path) -> Result<Option<Open>, QueryFault> {
    let opened = files::open_file(report).and_then(|file| {
        let identity = files::identity(&file.metadata()?);
        Ok(Open { file, identity, at: 0, number: 0 })
    });
    match opened {
        Ok(open) => Ok(Some(open)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unreadable(report, why)),
    }
}

impl Open {
    fn skip_to_end(&mut self) -> io::Result<()> {
        let whole = Lines::of_file(Path::new(""), self.file.try_clone()?);
        for line in whole {
            let line = line?;
            if line.end != LineEnd::Torn {
                self.number = line.number;
                self.at += line.bytes.len() as u64 + 1;
            }
        }
        Ok(())
    }

    /// The next lines that are whole.
    fn lines(&mut self) -> io::Result<Vec<Line>> {
        if self.file.metadata()?.len() < self.at {
            // Somebody emptied it.
            (self.at, self.number) = (0, 0);
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut block = Vec::new();
        (&self.file).take(BLOCK).read_to_end(&mut block)?;
        let mut lines = Vec::new();
        for part in block.split_inclusive(|byte| *byte == b'\n') {
            // What fills a block without an end is no line of ours.
            if part.last() != Some(&b'\n') && part.len() as u64 != BLOCK {
                break;
            }
            self.at += part.len() as u64;
            self.number += 1;
            lines.push(Line { number: self.number, bytes: part.trim_ascii_end().to_vec(), end: LineEnd::Whole });
        }
        Ok(lines)
    }
}

fn read_on(open: &mut Open, path: &Path, matcher: &mut Matcher, found: &mut Vec<Found>) -> Result<(), QueryFault> {
    loop {
        let before = open.at;
        for line in open.lines().map_err(|why| unreadable(path, why))? {
            judge(path, &line, matcher, found);
        }
        if open.at == before {
            return Ok(());
        }
    }
}

fn take(lines: Lines, matcher: &mut Matcher, found: &mut Vec<Found>) -> Result<(), QueryFault> {
    let path = lines.path.clone();
    for line in lines {
        judge(&path, &line.map_err(|why| unreadable(&path, why))?, matcher, found);
    }
    Ok(())
}

fn judge(path: &Path, line: &Line, matcher: &mut Matcher, found: &mut Vec<Found>) {
    // A person may get a new address while they are followed.
    if let Some(who) = &mut matcher.who
        && let Ok(record) = serde_json::from_slice(&line.bytes)
    {
        who.learn(&record);
    }
    if let Judged::Fits(one) = matcher.judge(path, line) {
        found.push(*one);
    }
}
