//! The head: a small file beside the report that says where its chain begins and ends.
//!
//! The chain alone can't show that records were cut off at its end, or its oldest ones taken away. The head is written
//! after each record, in place and without fsync: it may be behind the report after a crash, never ahead of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{self, Files};
use super::record::NOTHING_BEFORE;

/// What is added to the report's name.
const SUFFIX: &str = ".head";

/// Where the chain begins and ends. Its text always has the same length, so that one write replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    v: u32,
    /// What the oldest record's `prev` is; two while retention removes files.
    pub(super) first: [String; 2],
    /// The hash of the newest record.
    pub(super) last: String,
}

impl Head {
    /// The head of a report without records.
    pub(super) fn empty() -> Self {
        Self::over(NOTHING_BEFORE, NOTHING_BEFORE)
    }

    /// The head of a report between these.
    pub(super) fn over(first: &str, last: &str) -> Self {
        Self { v: 1, first: [first.to_owned(), first.to_owned()], last: last.to_owned() }
    }

    /// The same with another end.
    pub(super) fn up_to(self, last: &str) -> Self {
        Self { last: last.to_owned(), ..self }
    }
}

/// What was found beside the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FoundHead {
    /// Nothing that can be read.
    None,
    /// This.
    Some(Head),
}

/// Reads the head of a report.
pub(super) fn read(files: &Files) -> io::Result<FoundHead> {
    let file = match files::open_file(&files.beside(SUFFIX)) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(FoundHead::None),
        Err(why) => return Err(why),
    };
    parse(file)
}

fn parse(file: File) -> io::Result<FoundHead> {
    let mut text = String::new();
    if file.take(4_096).read_to_string(&mut text).is_err() {
        return Ok(FoundHead::None);
    }
    let head: Option<Head> = serde_json::from_str(&text).ok();
    let sound = |head: &Head| head.v == 1 && head.first.iter().chain([&head.last]).all(|hash| hash.len() == 64);
    Ok(head.filter(sound).map_or(FoundHead::None, FoundHead::Some))
}

/// The head, open for writing.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    head: Head,
}

impl HeadFile {
    /// Opens the head for writing and says this in it.
    pub(super) fn open(files: &Files, head: Head) -> io::Result<Self> {
        let path = files.beside(SUFFIX);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o640).custom_flags(files::guard_flags());
        let file = files::regular(options.open(&path)?)?;
        super::journal::hand_over(&path, Path::new(files.dir()));
        let file = Self { file, head };
        file.write()?;
        Ok(file)
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string(&self.head).map_err(io::Error::other)? + "\n";
        self.file.write_all_at(text.as_bytes(), 0)?;
        // Whatever stood there before may have been longer.
        self.file.set_len(text.len() as u64)
    }

    /// Says that this is the newest record now.
    pub(super) fn advance(&mut self, last: &str) -> io::Result<()> {
        last.clone_into(&mut self.head.last);
        self.write()
    }

    /// Says that the oldest record is about to be another, and makes that durable before files go.
    pub(super) fn retire_to(&mut self, first: &str) -> io::Result<()> {
        let [_, newest] = self.head.first.clone();
        self.head.first = [newest, first.to_owned()];
        self.write()?;
        self.file.sync_data()
    }
}
