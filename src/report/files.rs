//! The files of the report: the active one, and closed ones beside it, plain or compressed, in their order.
//!
//! A closed file's name is made of the report's own name, a time and a number: nothing that a directory sent is in it.
//! `report-20261123T150211Z.log` was closed then, so no record in it is younger.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use flate2::bufread::MultiGzDecoder;
use rustix::fs::OFlags;

/// Longest line that is read; ours are at most 64 KiB.
const LINE_READ_MAX: u64 = 1 << 20;
/// How the time of a closed file is written.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// Where a report lies.
#[derive(Debug, Clone)]
pub(super) struct Files {
    active: PathBuf,
    dir: PathBuf,
    stem: String,
    /// With its dot, or empty.
    extension: String,
}

/// The time at which a file was closed, and a number when several were in that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) time: DateTime<Utc>,
    pub(super) number: u32,
}

/// A closed file; after a crash it may be there plain and compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) stamp: Stamp,
    pub(super) plain: PathBuf,
    pub(super) packed: PathBuf,
}

impl Files {
    /// The files of a report.
    pub(super) fn of(active: &Path) -> Self {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let dir = active.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self {
            active: active.to_owned(),
            dir: dir.to_owned(),
            stem: text(active.file_stem()).unwrap_or_default(),
            extension: text(active.extension()).map(|one| format!(".{one}")).unwrap_or_default(),
        }
    }

    /// The file that is written to.
    pub(super) fn active(&self) -> &Path {
        &self.active
    }

    /// The directory of all of them.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file beside the active one, by what is added to its name.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.active.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// `report.torn`: where the bytes of torn lines are kept.
    pub(super) fn torn(&self) -> PathBuf {
        self.dir.join(format!("{}.torn", self.stem))
    }

    /// The closed file of a stamp.
    pub(super) fn closed_at(&self, stamp: Stamp) -> Closed {
        let number = if stamp.number > 1 { format!("-{}", stamp.number) } else { String::new() };
        let name = format!("{}-{}{number}{}", self.stem, stamp.time.format(STAMP), self.extension);
        Closed { stamp, packed: self.dir.join(format!("{name}.gz")), plain: self.dir.join(name) }
    }

    fn stamp_of(&self, name: &str) -> Option<Stamp> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        let rest = rest.strip_suffix(".gz").unwrap_or(rest).strip_suffix(&self.extension)?;
        let (time, number) = match rest.split_once("Z-") {
            Some((time, number)) => (format!("{time}Z"), number.parse().ok().filter(|number| *number > 1)?),
            None => (rest.to_owned(), 1),
        };
        let time = NaiveDateTime::parse_from_str(&time, STAMP).ok()?.and_utc();
        Some(Stamp { time, number })
    }

    /// All closed files, oldest first.
    pub(super) fn closed(&self) -> io::Result<Vec<Closed>> {
        let mut stamps = Vec::new();
        for one in fs::read_dir(&self.dir)? {
            stamps.extend(one?.file_name().to_str().and_then(|name| self.stamp_of(name)));
        }
        stamps.sort_unstable();
        stamps.dedup();
        Ok(stamps.into_iter().map(|stamp| self.closed_at(stamp)).collect())
    }

    /// Half-made compressed files that a crash left.
    pub(super) fn leftovers(&self) -> io::Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for one in fs::read_dir(&self.dir)? {
            let one = one?;
            let name = one.file_name();
            let ours = name.to_str().and_then(|name| name.strip_suffix(".tmp"));
            if ours.is_some_and(|name| self.stamp_of(name).is_some()) {
                all.push(one.path());
            }
        }
        Ok(all)
    }

    /// Makes the names in the directory durable.
    pub(super) fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// Makes the directory, if it isn't there.
    pub(super) fn make_dir(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.dir)
    }
}

impl Closed {
    /// Opens it for reading, whichever way it is there.
    pub(super) fn open(&self) -> io::Result<Lines> {
        match lines_of(&self.plain) {
            // It may be compressed and removed just between the listing and now.
            Err(why) if why.kind() == io::ErrorKind::NotFound => lines_of(&self.packed),
            opened => opened,
        }
    }

    /// The bytes that it takes on disk.
    pub(super) fn size(&self) -> u64 {
        [&self.plain, &self.packed].into_iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum()
    }
}

/// The lines of a closed file, plain or compressed by its name.
pub(super) fn lines_of(path: &Path) -> io::Result<Lines> {
    let file = BufReader::new(open_file(path)?);
    let reader: Box<dyn BufRead + Send> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        _ => Box::new(file),
    };
    Ok(Lines::new(path, reader))
}

/// Opens a file for reading; a link or a pipe in its place is refused.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(guard_flags()).open(path)?;
    regular(file)
}

/// No links are followed, and nothing waits for the other end of a pipe.
pub(super) fn guard_flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed()
}

/// Refuses what isn't a file.
pub(super) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// What tells a file from another one of the same name.
pub(super) fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// The same of a path, if there is something.
pub(super) fn identity_of(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| identity(&meta))
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Without the line's end; cut when it was too long to be ours.
    pub(super) bytes: Vec<u8>,
    /// How it ended.
    pub(super) end: LineEnd,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// With a line feed.
    Whole,
    /// With the file.
    Torn,
    /// It was too long to be read whole.
    TooLong,
}

/// The lines of one file.
pub(super) struct Lines {
    pub(super) path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// The lines of a reader; the path is for messages.
    pub(super) fn new(path: &Path, reader: Box<dyn BufRead + Send>) -> Self {
        Self { path: path.to_owned(), reader, number: 0 }
    }

    /// The lines of the active file.
    pub(super) fn of_file(path: &Path, file: File) -> Self {
        Self::new(path, Box::new(BufReader::new(file)))
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(LINE_READ_MAX).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let mut end = LineEnd::Torn;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            end = LineEnd::Whole;
        } else if bytes.len() as u64 == LINE_READ_MAX {
            end = LineEnd::TooLong;
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(Line { number: self.number, bytes, end }))
    }
}

impl Iterator for Lines {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        self.read().transpose()
    }
}
