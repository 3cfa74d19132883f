//! A look at a store that changes nothing: a copy of it is opened, and goes away with the look.
//!
//! sled writes whenever it opens, and a store that can't be trusted is moved aside when it is judged. Both happen to the
//! copy. So a store on a read-only disk can be looked at, and whoever only looks never takes it from its daemon.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::ledger::SledLedger;
use super::open::Opened;
use super::{manifest, place};
use crate::engine::ports::LedgerFault;

/// Where copies are made. It is for everybody, so each copy lies in a directory that only its owner may enter.
const COPIES: &str = "/tmp";
/// sled keeps large values one folder deep.
const DEPTH_MAX: usize = 4;

/// A copy of a store; it is removed when this is dropped, which must be after the store was.
#[derive(Debug)]
pub struct View {
    dir: PathBuf,
}

impl View {
    /// Its folder: whatever else is to go away with it may lie there.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // What is left behind may be read by its owner alone, and is removed with other temporary files.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl SledLedger {
    /// Opens a copy of the store in a directory. Nothing is written there.
    ///
    /// # Errors
    /// As [`SledLedger::open`]; also when there is no room for the copy.
    pub fn view(dir: &Path) -> Result<(View, Opened), LedgerFault> {
        let copy = Path::new(COPIES).join(format!("zendesk-dirsync-{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&copy).map_err(|why| place::fault(&copy, why))?;
        let view = View { dir: copy };
        {
            let _lock = place::lock_to_look(dir)?;
            if place::has_store(dir)? {
                copy_all(&dir.join(place::STORE), &view.dir.join(place::STORE), DEPTH_MAX)?;
            }
            copy_one(&dir.join(manifest::BESIDE), &view.dir.join(manifest::BESIDE))?;
        }
        let opened = Self::open(&view.dir)?;
        Ok((view, opened))
    }
}

fn copy_all(from: &Path, to: &Path, depth: usize) -> Result<(), LedgerFault> {
    if depth == 0 {
        return Err(place::fault(from, "it lies too deep for a store"));
    }
    place::private_dir(to)?;
    for entry in fs::read_dir(from).map_err(|why| place::fault(from, why))? {
        let entry = entry.map_err(|why| place::fault(from, why))?;
        let kind = entry.file_type().map_err(|why| place::fault(from, why))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_all(&from, &to, depth - 1)?;
        } else if kind.is_file() {
            copy_one(&from, &to)?;
        }
    }
    Ok(())
}

fn copy_one(from: &Path, to: &Path) -> Result<(), LedgerFault> {
    match fs::copy(from, to) {
        Ok(_) => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(place::fault(from, why)),
    }
}
