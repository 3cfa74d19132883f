//! Rotation: closing a file by size or by day, compressing closed ones, and letting the oldest go.
//!
//! Each step leaves files from which the whole chain can be read; whatever a crash leaves undone is done at the next
//! opening. The chain goes on from file to file.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags};

use super::files::{self, Closed, Files, Stamp};
use super::journal::{self, Active, Journal};
use crate::engine::ports::ReportFault;

/// A moment at which a crash or a full disk would leave something half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The record is in the file, and not yet durable.
    Written,
    /// The active file has its closed name; there is no active one.
    Renamed,
    /// The new active file is there.
    Begun,
    /// The head says which record will be the oldest; the files are still there.
    Retiring,
    /// The first of the files to go is gone.
    Retired,
    /// The compressed file is whole, under a name of its own.
    Packed,
    /// The compressed file has its name; the plain one is still there.
    Placed,
}

/// Where tests stop the work.
#[derive(Clone, Default)]
pub(super) struct Hook {
    #[cfg(test)]
    pub(super) stop: Option<std::sync::Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>>,
}

impl Hook {
    pub(super) fn reach(&self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        if let Some(stop) = &self.stop {
            return stop(step);
        }
        let _ = step;
        Ok(())
    }
}

impl Journal {
    /// Begins a new file when this one is full or of another day.
    pub(super) fn rotate_if_due(&mut self, now: DateTime<Utc>, more: u64) -> Result<(), ReportFault> {
        let told = |why: io::Error| journal::fault(self.files.active(), &why);
        let len = self.active.file.metadata().map_err(told)?.len();
        let full = len.saturating_add(more) > self.settings.max_size;
        let another_day = self.active.begun.is_some_and(|begun| now.date_naive() > begun);
        if len == 0 || !(full || another_day) {
            return Ok(());
        }
        self.rotate(now)
    }

    /// Closes the active file and begins a new one.
    pub(super) fn rotate(&mut self, now: DateTime<Utc>) -> Result<(), ReportFault> {
        self.join_packer();
        if let Err(why) = self.close_active(now) {
            // The record can still be written; the next one tries again.
            tracing::warn!(%why, file = %self.files.active().display(), "report not rotated");
            return Ok(());
        }
        let begun = self.hook.reach(Step::Renamed).and_then(|()| Active::open(&self.files));
        self.active = begun.map_err(|why| journal::fault(self.files.active(), &why))?;
        self.hook.reach(Step::Begun).map_err(|why| journal::fault(self.files.active(), &why))?;
        self.tidy(now);
        Ok(())
    }

    fn close_active(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.active.file.sync_all()?;
        let mut stamp = self.next_stamp(now)?;
        while let Err(why) = rename_to_new(self.files.active(), &self.files.closed_at(stamp).plain) {
            if why.kind() != io::ErrorKind::AlreadyExists {
                return Err(why);
            }
            stamp.number += 1;
        }
        self.files.sync_dir()
    }

    /// A stamp after every other one, and not before any record in the file: names keep the order of the chain, and
    /// say up to when a file reaches, even when the clock went back.
    fn next_stamp(&self, now: DateTime<Utc>) -> io::Result<Stamp> {
        let time = self.newest.map_or(now, |newest| newest.max(now));
        let time = time.duration_trunc(TimeDelta::seconds(1)).unwrap_or(time);
        match self.files.closed()?.last() {
            Some(last) if time <= last.stamp.time => {
                Ok(Stamp { time: last.stamp.time, number: last.stamp.number.saturating_add(1) })
            }
            _ => Ok(Stamp { time, number: 1 }),
        }
    }

    /// Lets old files go and has closed ones compressed. Nothing here keeps a record from being written.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        if let Err(why) = self.retire(now) {
            tracing::warn!(%why, "old report files not removed");
        }
        let (files, hook) = (self.files.clone(), self.hook.clone());
        let work = move || {
            if let Err(why) = pack_all(&files, &hook) {
                tracing::warn!(%why, "closed report file not compressed");
            }
        };
        match std::thread::Builder::new().name("report-pack".into()).spawn(work) {
            Ok(packer) => self.packer = Some(packer),
            Err(why) => tracing::warn!(%why, "closed report file not compressed"),
        }
    }

    /// Waits until closed files are compressed.
    pub(super) fn join_packer(&mut self) {
        if let Some(packer) = self.packer.take()
            && packer.join().is_err()
        {
            tracing::warn!("compressing a closed report file panicked");
        }
    }

    /// Removes files that are too old or too many, oldest first; never the active one.
    fn retire(&mut self, now: DateTime<Utc>) -> io::Result<()> {
        let closed = self.files.closed()?;
        let max_age = TimeDelta::from_std(self.settings.max_age).unwrap_or(TimeDelta::MAX);
        // A clock that leaps is not believed at once: by the next rotation somebody may have set it right.
        let believed = self.newest.is_some_and(|newest| now.signed_duration_since(newest) <= max_age);
        let mut total = self.active.file.metadata()?.len();
        total += closed.iter().map(Closed::size).sum::<u64>();
        let mut going = 0;
        for one in &closed {
            let old = believed && now.signed_duration_since(one.stamp.time) > max_age;
            if !old && total <= self.settings.max_total {
                break;
            }
            total = total.saturating_sub(one.size());
            going += 1;
        }
        let (going, staying) = closed.split_at(going);
        if going.is_empty() {
            return Ok(());
        }
        let first = match staying.first() {
            Some(closed) => first_prev(closed)?,
            None => journal::first_record(self.files.active())?.map(|record| record.prev),
        };
        self.head.retire_to(&first.unwrap_or_else(|| self.prev.clone()))?;
        self.hook.reach(Step::Retiring)?;
        for one in going {
            remove(&one.packed)?;
            remove(&one.plain)?;
            self.hook.reach(Step::Retired)?;
        }
        self.files.sync_dir()
    }
}

fn first_prev(closed: &Closed) -> io::Result<Option<String>> {
    let line = closed.open()?.next().transpose()?;
    let record: Option<super::ReportRecord> = line.and_then(|line| serde_json::from_slice(&line.bytes).ok());
    Ok(record.map(|record| record.prev))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

/// Renames, never over a file that is there.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can; we hold the lock, so nobody else makes a file of that name.
        Err(Errno::INVAL | Errno::NOSYS) if !to.exists() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        done => Ok(done?),
    }
}

/// Compresses every closed file that isn't.
fn pack_all(files: &Files, hook: &Hook) -> io::Result<()> {
    for closed in files.closed()? {
        if closed.plain.exists() {
            pack(files, &closed, hook)?;
        }
    }
    Ok(())
}

/// Compresses a closed file: beside it, checked, then in its place.
fn pack(files: &Files, closed: &Closed, hook: &Hook) -> io::Result<()> {
    let mut plain = files::open_file(&closed.plain)?;
    let mut tmp = closed.packed.clone().into_os_string();
    tmp.push(".tmp");
    let tmp = Path::new(&tmp);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o640).custom_flags(files::guard_flags());
    let mut packer = GzEncoder::new(options.open(tmp)?, Compression::default());
    io::copy(&mut plain, &mut packer)?;
    let mut packed = packer.finish()?;
    packed.flush()?;
    packed.set_permissions(plain.metadata()?.permissions())?;
    packed.sync_all()?;
    let again = MultiGzDecoder::new(io::BufReader::new(files::open_file(tmp)?));
    if !same(files::open_file(&closed.plain)?, again)? {
        remove(tmp)?;
        return Err(io::Error::other(format!("{} reads back differently", tmp.display())));
    }
    journal::hand_over(tmp, files.dir());
    hook.reach(Step::Packed)?;
    fs::rename(tmp, &closed.packed)?;
    files.sync_dir()?;
    hook.reach(Step::Placed)?;
    remove(&closed.plain)?;
    files.sync_dir()
}

/// Whether two readers give the same bytes.
fn same(one: impl Read, two: impl Read) -> io::Result<bool> {
    let (mut one, mut two) = (io::BufReader::new(one), io::BufReader::new(two));
    loop {
        let (a, b) = (io::BufRead::fill_buf(&mut one)?, io::BufRead::fill_buf(&mut two)?);
        let shorter = a.len().min(b.len());
        if shorter == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a[..shorter] != b[..shorter] {
            return Ok(false);
        }
        io::BufRead::consume(&mut one, shorter);
        io::BufRead::consume(&mut two, shorter);
    }
}
