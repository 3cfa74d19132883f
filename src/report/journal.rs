//! The journal: appends records, one durable line each, and takes up where it left off after a crash.
//!
//! A record that can't be written is a fault before anything is done that it should tell. Reading is not its work, but
//! for [`Report::told`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread::JoinHandle;

use chrono::{DateTime, NaiveDate, Utc};
use rustix::fs::{FlockOperation, StatVfsMountFlags};
use serde_json::Value;

use super::files::{self, Files, LineEnd, Lines};
use super::head::{self, FoundHead, Head, HeadFile};
use super::record::{self, NOTHING_BEFORE, ReportRecord};
use super::rotate::{Hook, Step};
use crate::domain::change::Action;
use crate::domain::id::CycleId;
use crate::domain::outcome::{Notice, Verdict};
use crate::domain::settings::ReportSettings;
use crate::engine::ports::{Report, ReportFault, Told};

/// Gives 16 bytes of chance for each record.
pub type Salts = Box<dyn FnMut() -> [u8; 16] + Send>;

/// Less free space than this, and the next record is not promised.
const FREE_MIN: u64 = 1 << 20;
/// How much of a file's end is looked at for its last line, which has 64 KiB at most.
const TAIL: u64 = 1 << 20;
/// The file of torn lines starts anew when it is longer.
const TORN_MAX: u64 = 1 << 20;

/// The report, open for writing.
pub struct Journal {
    pub(super) files: Files,
    pub(super) settings: ReportSettings,
    salts: Salts,
    pub(super) active: Active,
    /// The hash of the newest record.
    pub(super) prev: String,
    /// The time of the newest record.
    pub(super) newest: Option<DateTime<Utc>>,
    pub(super) head: HeadFile,
    pub(super) packer: Option<JoinHandle<()>>,
    pub(super) hook: Hook,
    _lock: File,
}

/// The file that is written to.
pub(super) struct Active {
    pub(super) file: File,
    identity: (u64, u64),
    /// The day of its first record.
    pub(super) begun: Option<NaiveDate>,
    /// Whether a write failed half-way and couldn't be undone.
    state: Ending,
}

/// How the active file ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With a whole line.
    Whole,
    /// Perhaps in the middle of one.
    Doubtful,
}

/// A fault of a file, with its name, and what to do when the disk is full.
pub(super) fn fault(path: &Path, why: &io::Error) -> ReportFault {
    let hint = match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room; nothing is changed until then",
        _ => "",
    };
    ReportFault(format!("{}: {why}{hint}", path.display()))
}

impl Journal {
    /// Opens the report for writing: mends a torn last line, and finds the end of the chain.
    ///
    /// # Errors
    /// When another process writes it, or the system refuses.
    pub fn open(settings: &ReportSettings, now: DateTime<Utc>, salts: Salts) -> Result<Self, ReportFault> {
        Self::open_with(settings, now, salts, Hook::default())
    }

    pub(super) fn open_with(
        settings: &ReportSettings,
        now: DateTime<Utc>,
        salts: Salts,
        hook: Hook,
    ) -> Result<Self, ReportFault> {
        let files = Files::of(&settings.file);
        let told = |why: io::Error| fault(files.active(), &why);
        files.make_dir().map_err(|why| fault(files.dir(), &why))?;
        let lock = lock(&files)?;
        for half_made in files.leftovers().map_err(told)? {
            fs::remove_file(half_made).map_err(told)?;
        }
        let mut active = Active::open(&files).map_err(told)?;
        mend(&files, &active.file).map_err(told)?;
        active.begun = first_record(files.active()).map_err(told)?.map(|record| record.time.date_naive());
        let end = End::find(&files).map_err(told)?;
        let (prev, said) = end.reconcile(&files).map_err(told)?;
        let head = HeadFile::open(&files, said).map_err(told)?;
        let mut journal = Self {
            files,
            settings: settings.clone(),
            salts,
            active,
            prev,
            newest: end.time,
            head,
            packer: None,
            hook,
            _lock: lock,
        };
        journal.tidy(now);
        Ok(journal)
    }

    /// Opens the file anew when somebody moved it, and mends it when a write failed.
    fn attend(&mut self) -> Result<(), ReportFault> {
        let path = self.files.active().to_owned();
        let told = |why: io::Error| fault(&path, &why);
        let there = match fs::symlink_metadata(&path) {
            Ok(meta) => Some(files::identity(&meta)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(told(why)),
        };
        if there != Some(self.active.identity) {
            tracing::warn!(file = %path.display(), "report reopened, somebody moved it");
            self.active = Active::open(&self.files).map_err(told)?;
            mend(&self.files, &self.active.file).map_err(told)?;
            self.active.begun = first_record(&path).map_err(told)?.map(|record| record.time.date_naive());
        }
        if self.active.state == Ending::Doubtful {
            mend(&self.files, &self.active.file).map_err(told)?;
            self.active.state = Ending::Whole;
        }
        Ok(())
    }

    fn append(&mut self, line: &str) -> Result<(), ReportFault> {
        let path = self.files.active();
        let before = self.active.file.metadata().map_err(|why| fault(path, &why))?.len();
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let written = self.active.file.write_all(&bytes).and_then(|()| self.hook.reach(Step::Written));
        let written = written.and_then(|()| self.active.file.sync_data());
        if let Err(why) = written {
            // What is there of the record must not be taken for one.
            if self.active.file.set_len(before).is_err() {
                self.active.state = Ending::Doubtful;
            }
            return Err(fault(path, &why));
        }
        Ok(())
    }
}

impl Report for Journal {
    fn ready(&mut self) -> Result<(), ReportFault> {
        self.attend()?;
        let dir = self.files.dir();
        let disk = rustix::fs::statvfs(dir).map_err(|why| fault(dir, &why.into()))?;
        if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err(fault(dir, &io::ErrorKind::ReadOnlyFilesystem.into()));
        }
        if disk.f_bavail.saturating_mul(disk.f_frsize) < FREE_MIN {
            return Err(fault(dir, &io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    fn tell(&mut self, notice: &Notice) -> Result<(), ReportFault> {
        self.attend()?;
        let written = record::make(notice, (self.salts)(), &self.prev, self.settings.redact)?;
        self.rotate_if_due(notice.time, written.line.len() as u64 + 1)?;
        self.append(&written.line)?;
        self.prev = written.hash;
        self.newest = self.newest.max(Some(written.record.time));
        self.active.begun.get_or_insert(written.record.time.date_naive());
        if let Err(why) = self.head.advance(&self.prev) {
            tracing::warn!(%why, "report head not written");
        }
        Ok(())
    }

    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault> {
        self.attend()?;
        let listed = self.files.closed().map_err(|why| fault(self.files.dir(), &why))?;
        let active = files::open_file(self.files.active()).map(|file| Lines::of_file(self.files.active(), file));
        let told = active.and_then(|lines| search(lines, cycle, seq));
        let told = told.map_err(|why| fault(self.files.active(), &why))?;
        if told != Told::No {
            return Ok(told);
        }
        for closed in listed.iter().rev() {
            match closed.open().and_then(|lines| search(lines, cycle, seq)) {
                Ok(Told::No) => {}
                Ok(told) => return Ok(told),
                // At worst something is told twice: a file that nobody needs must not keep a leaver in.
                Err(why) => tracing::warn!(file = ?closed, %why, "closed report not searched"),
            }
        }
        Ok(Told::No)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.join_packer();
    }
}

impl Active {
    pub(super) fn open(files: &Files) -> io::Result<Self> {
        let path = files.active();
        let mut options = OpenOptions::new();
        options.append(true).mode(0o640).custom_flags(files::guard_flags());
        let file = match options.clone().create_new(true).open(path) {
            Ok(file) => {
                // The umask of a service may take more away than it should: a group of readers is meant to read.
                file.set_permissions(fs::Permissions::from_mode(0o640))?;
                hand_over(path, files.dir());
                files.sync_dir()?;
                file
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => files::regular(options.open(path)?)?,
            Err(why) => return Err(why),
        };
        let identity = files::identity(&file.metadata()?);
        Ok(Self { file, identity, begun: None, state: Ending::Whole })
    }
}

/// What a file has of an account's record of a cycle and place. Names of cycles don't tell in which file to look: a
/// clock that went back names later cycles as if they were earlier ones.
fn search(lines: Lines, cycle: &CycleId, seq: u64) -> io::Result<Told> {
    let name = cycle.as_str().as_bytes();
    for line in lines {
        let bytes = line?.bytes;
        // Most lines are of other cycles, and needn't be understood.
        if !bytes.windows(name.len()).any(|part| part == name) {
            continue;
        }
        let Ok(record) = serde_json::from_slice::<ReportRecord>(&bytes) else { continue };
        // Records of no account have places of their own.
        let of_account = Action::parse(&record.action).is_some();
        if of_account && record.seq == seq && record.cycle == cycle.as_str() {
            let done = [Verdict::Done, Verdict::Already].iter().any(|verdict| record.result == verdict.as_str());
            return Ok(if done { Told::Done } else { Told::Otherwise });
        }
    }
    Ok(Told::No)
}

/// Keeps other processes from writing: a lock file of its own, because the report itself is renamed.
fn lock(files: &Files) -> Result<File, ReportFault> {
    let path = files.beside(".lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(files::guard_flags());
    let file = options.open(&path).and_then(files::regular).map_err(|why| fault(&path, &why))?;
    hand_over(&path, files.dir());
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(ReportFault(format!("{}: another process writes it", files.active().display())))
        }
        Err(why) => Err(fault(&path, &why.into())),
    }
}

/// Gives a file that root made to the owner of its directory, so that the service can still use it.
pub(super) fn hand_over(path: &Path, dir: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(owner) = fs::metadata(dir) else { return };
    if owner.uid() != 0 {
        // A failure shows itself when the service opens the file; root can go on.
        let _ = std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Takes a torn last line off the active file, after copying it to `report.torn`.
fn mend(files: &Files, active: &File) -> io::Result<()> {
    let mut reader = files::open_file(files.active())?;
    let len = reader.metadata()?.len();
    let whole = whole_lines(&mut reader, len)?;
    if whole == len {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(files::guard_flags());
    let mut torn = files::regular(options.open(files.torn())?)?;
    hand_over(&files.torn(), files.dir());
    if torn.metadata()?.len() > TORN_MAX {
        torn.set_len(0)?;
    }
    reader.seek(SeekFrom::Start(whole))?;
    io::copy(&mut reader.take(TORN_MAX), &mut torn)?;
    torn.write_all(b"\n")?;
    torn.sync_data()?;
    active.set_len(whole)?;
    active.sync_data()?;
    tracing::warn!(bytes = len - whole, kept = %files.torn().display(), "torn line taken off the report");
    Ok(())
}

/// The length of a file up to the end of its last whole line.
fn whole_lines(reader: &mut File, len: u64) -> io::Result<u64> {
    let mut end = len;
    let mut block = vec![0; 64 * 1024];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).map_err(io::Error::other)?];
        reader.seek(SeekFrom::Start(start))?;
        reader.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The first record of a file, if it has one that can be read.
pub(super) fn first_record(path: &Path) -> io::Result<Option<ReportRecord>> {
    let mut lines = Lines::of_file(path, files::open_file(path)?);
    let first = lines.next().transpose()?;
    Ok(first.and_then(|line| serde_json::from_slice(&line.bytes).ok()))
}

/// The end of the chain, as the files show it.
struct End {
    /// The hash of the newest record, if there is one that can be read.
    hash: Option<String>,
    /// Its own `prev`.
    before: Option<String>,
    /// Its time.
    time: Option<DateTime<Utc>>,
}

impl End {
    fn find(files: &Files) -> io::Result<Self> {
        let mut line = last_line(files.active())?;
        if line.is_none()
            && let Some(closed) = files.closed()?.last()
        {
            line = last_of(closed.open()?)?;
        }
        let value: Option<Value> = line.as_ref().and_then(|line| serde_json::from_slice(line).ok());
        let record: Option<ReportRecord> = value.clone().and_then(|value| serde_json::from_value(value).ok());
        if line.is_some() && record.is_none() {
            tracing::warn!(file = %files.active().display(), "last record of the report can't be read");
        }
        Ok(Self {
            hash: value.filter(|_| record.is_some()).map(|value| record::chain_hash(&value)),
            before: record.as_ref().map(|record| record.prev.clone()),
            time: record.map(|record| record.time),
        })
    }

    /// Holds the end against the head. What the head knows and the files lack was cut off: the chain then goes on from
    /// the head, so that the gap stays to be seen.
    fn reconcile(&self, files: &Files) -> io::Result<(String, Head)> {
        let (said, hash) = match (head::read(files)?, &self.hash) {
            (FoundHead::None, None) => return Ok((NOTHING_BEFORE.to_owned(), Head::empty())),
            (FoundHead::None, Some(hash)) => {
                let first = oldest_prev(files)?.unwrap_or_else(|| NOTHING_BEFORE.to_owned());
                return Ok((hash.clone(), Head::over(&first, hash)));
            }
            (FoundHead::Some(said), hash) => (said, hash),
        };
        let behind = self.before.as_ref() == Some(&said.last);
        match hash {
            Some(hash) if *hash == said.last || behind || is_recent(files, &said.last)? => {
                Ok((hash.clone(), said.up_to(hash)))
            }
            _ => {
                if said.last != NOTHING_BEFORE {
                    tracing::warn!(file = %files.active().display(), "records are missing at the report's end");
                }
                Ok((said.last.clone(), said))
            }
        }
    }
}

/// The `prev` of the oldest record that is kept.
pub(super) fn oldest_prev(files: &Files) -> io::Result<Option<String>> {
    let mut first = match files.closed()?.first() {
        Some(closed) => closed.open()?,
        None => Lines::of_file(files.active(), files::open_file(files.active())?),
    };
    let line = first.next().transpose()?;
    let record: Option<ReportRecord> = line.and_then(|line| serde_json::from_slice(&line.bytes).ok());
    Ok(record.map(|record| record.prev))
}

/// Whether a hash is that of a record in the active file or the newest closed one: after a power loss the head may be
/// some records behind.
fn is_recent(files: &Files, hash: &str) -> io::Result<bool> {
    let active = Lines::of_file(files.active(), files::open_file(files.active())?);
    let closed = files.closed()?;
    for lines in [Some(active), closed.last().map(files::Closed::open).transpose()?].into_iter().flatten() {
        for line in lines {
            let Ok(value) = serde_json::from_slice::<Value>(&line?.bytes) else { continue };
            if record::chain_hash(&value) == hash {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The last line of a plain file.
fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = files::open_file(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    last_of(Lines::of_file(path, file))
}

fn last_of(lines: Lines) -> io::Result<Option<Vec<u8>>> {
    let mut last = None;
    for line in lines {
        last = Some(line?).filter(|line| line.end == LineEnd::Whole).map(|line| line.bytes);
    }
    Ok(last)
}
