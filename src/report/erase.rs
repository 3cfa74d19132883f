//! Erasing a person: their personal part is taken out of every record, and the chain stays whole.
//!
//! What stays are ids, actions, results and times: what was done, without to whom. Files are rewritten beside themselves
//! and renamed; a crash leaves some of them erased, and doing it again erases the rest.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::escape;
use super::files::{self, Files, LineEnd};
use super::journal::{self, Journal};
use super::query::{Filter, QueryFault, Search, Who, search};
use super::record::ReportRecord;
use crate::engine::ports::ReportFault;

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Records that lost their personal part.
    pub records: u64,
    /// Files that were rewritten.
    pub files: u64,
}

impl Journal {
    /// Erases a person, named as in a [`Filter`]. The active file is closed first, so that only closed ones are
    /// rewritten.
    ///
    /// # Errors
    /// When a file can't be read or written; the rest may be erased already.
    pub fn erase(&mut self, user: &str, now: DateTime<Utc>) -> Result<Erased, ReportFault> {
        let told = |why: QueryFault| ReportFault(why.to_string());
        let path = self.files.active().to_owned();
        let filter = Filter { user: Some(user.to_owned()), ..Filter::default() };
        let mut who = Who::new(user);
        let all = Search::over(&path, &Filter::default(), None).map_err(told)?;
        all.flatten().for_each(|found| who.learn(&found.record));
        let mut touched = BTreeSet::new();
        for found in search(&path, &filter).map_err(told)?.flatten() {
            if found.record.salt.is_some() {
                touched.insert(found.file);
            }
        }
        if touched.contains(&path) {
            self.rotate(now)?;
        }
        self.join_packer();
        let mut erased = Erased::default();
        let closed = self.files.closed().map_err(|why| journal::fault(self.files.dir(), &why))?;
        for one in closed {
            for file in [&one.packed, &one.plain].into_iter().filter(|file| file.exists()) {
                let records = rewrite(&self.files, file, &who).map_err(|why| journal::fault(file, &why))?;
                erased.records += records;
                erased.files += u64::from(records > 0);
            }
        }
        // Torn lines may be anybody's.
        match fs::remove_file(self.files.torn()) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(journal::fault(&self.files.torn(), &why)),
            _ => Ok(erased),
        }
    }
}

/// Rewrites a closed file without a person; says how many records that changed. A file without one is left as it is.
fn rewrite(files: &Files, path: &Path, who: &Who) -> io::Result<u64> {
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let mut tmp = path.as_os_str().to_owned();
    tmp.push(".tmp");
    let tmp = PathBuf::from(tmp);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o640).custom_flags(files::guard_flags());
    let file = options.open(&tmp)?;
    let kept = file.try_clone()?;
    let records = if packed {
        let mut writer = GzEncoder::new(file, Compression::default());
        let records = copy_without(path, who, &mut writer)?;
        writer.finish()?;
        records
    } else {
        copy_without(path, who, &mut &file)?
    };
    if records == 0 {
        fs::remove_file(&tmp)?;
        return Ok(0);
    }
    kept.set_permissions(fs::metadata(path)?.permissions())?;
    kept.sync_all()?;
    journal::hand_over(&tmp, files.dir());
    fs::rename(&tmp, path)?;
    files.sync_dir()?;
    Ok(records)
}

fn copy_without(path: &Path, who: &Who, to: &mut impl Write) -> io::Result<u64> {
    let mut to = BufWriter::new(to);
    let mut records = 0;
    for line in files::lines_of(path)? {
        let line = line?;
        let record: Option<ReportRecord> = serde_json::from_slice(&line.bytes).ok();
        match record.filter(|record| record.salt.is_some() && who.is(record)) {
            Some(record) => {
                to.write_all(escape::json(&record.blanked()).map_err(io::Error::other)?.as_bytes())?;
                records += 1;
            }
            None => to.write_all(&line.bytes)?,
        }
        match line.end {
            LineEnd::Whole => to.write_all(b"\n")?,
            LineEnd::Torn => {}
            LineEnd::TooLong => return Err(io::Error::other("a line is too long to be copied")),
        }
    }
    to.flush()?;
    Ok(records)
}
