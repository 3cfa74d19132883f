//! Files of the state directory: who may read them, the kernel lock, writing by rename, moving a damaged store aside.
//!
//! It knows nothing of what is in them. No name here comes from a directory or from Zendesk.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use crate::engine::ports::LedgerFault;

/// The directory that sled works in.
pub(super) const STORE: &str = "store";
/// The file that the kernel lock lies on.
const LOCK: &str = "lock";
/// What a damaged store is renamed to, with a number behind it.
const ASIDE: &str = "store.corrupt-";
/// So many damaged stores are kept; beyond it the oldest goes.
const ASIDE_MAX: usize = 8;
/// Less free space than this, and sled is not even opened: it can't come up on a full disk (observed on sled 0.34.7).
const FREE_MIN: u64 = 16 << 20;

/// A fault of a file, with its name.
pub(super) fn fault(path: &Path, why: impl std::fmt::Display) -> LedgerFault {
    LedgerFault::Io(format!("{}: {why}", path.display()))
}

/// Makes the state directory, or takes everybody else's rights on it away.
pub(super) fn prepare(dir: &Path) -> Result<(), LedgerFault> {
    // The service's group must reach the control socket; everything else in it is for the owner alone.
    restricted_dir(dir, 0o750)?;
    let free = rustix::fs::statvfs(dir).map_err(|why| fault(dir, why))?;
    let bytes = free.f_bavail.saturating_mul(free.f_frsize);
    if bytes < FREE_MIN {
        let text = format!("only {} KiB are free, {} are needed: make room", bytes >> 10, FREE_MIN >> 10);
        return Err(fault(dir, text));
    }
    Ok(())
}

/// Makes a directory for its owner alone.
pub(super) fn private_dir(dir: &Path) -> Result<(), LedgerFault> {
    restricted_dir(dir, 0o700)
}

/// Makes a directory with no more rights than these, and takes others away.
fn restricted_dir(dir: &Path, mode: u32) -> Result<(), LedgerFault> {
    DirBuilder::new().recursive(true).mode(mode).create(dir).map_err(|why| fault(dir, why))?;
    let meta = fs::metadata(dir).map_err(|why| fault(dir, why))?;
    if meta.mode() & 0o777 & !mode != 0 {
        fs::set_permissions(dir, Permissions::from_mode(meta.mode() & mode)).map_err(|why| fault(dir, why))?;
    }
    Ok(())
}

/// The room that is left for a write.
pub(super) fn free(dir: &Path) -> Result<u64, LedgerFault> {
    let free = rustix::fs::statvfs(dir).map_err(|why| fault(dir, why))?;
    Ok(free.f_bavail.saturating_mul(free.f_frsize))
}

/// Takes the kernel lock: it ends with the process, whatever ends the process.
///
/// # Errors
/// [`LedgerFault::Busy`] when another process has it.
pub(super) fn lock(dir: &Path) -> Result<File, LedgerFault> {
    let path = dir.join(LOCK);
    let file = private_file(&path, OpenOptions::new().write(true).create(true).truncate(false))?;
    take(&file, &path)?;
    hand_over(&path, dir);
    Ok(file)
}

/// Takes the kernel lock for a look: beside others who look, and not beside one who works there. None when nobody has
/// worked there yet.
///
/// # Errors
/// [`LedgerFault::Busy`] when another process works there.
pub(super) fn lock_to_look(dir: &Path) -> Result<Option<File>, LedgerFault> {
    let path = dir.join(LOCK);
    let file = match OpenOptions::new().read(true).custom_flags(flags()).open(&path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(fault(&path, why)),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerFault::Busy),
        Err(why) => Err(fault(&path, why)),
    }
}

/// Whether another process works on sled's own file without our lock, as an older release would.
pub(super) fn unlocked(store: &Path) -> Result<(), LedgerFault> {
    let path = store.join("db");
    match OpenOptions::new().read(true).custom_flags(flags()).open(&path) {
        Ok(file) => take(&file, &path),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(fault(&path, why)),
    }
}

fn take(file: &File, path: &Path) -> Result<(), LedgerFault> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerFault::Busy),
        Err(why) => Err(fault(path, why)),
    }
}

fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed()
}

fn private_file(path: &Path, options: &mut OpenOptions) -> Result<File, LedgerFault> {
    options.mode(0o600).custom_flags(flags()).open(path).map_err(|why| fault(path, why))
}

/// Opens sled's data file once more, to fsync it.
pub(super) fn data_file(store: &Path) -> Result<File, LedgerFault> {
    let path = store.join("db");
    OpenOptions::new().read(true).custom_flags(flags()).open(&path).map_err(|why| fault(&path, why))
}

/// Writes a whole file so that it is, after a crash, either the old one or the new one.
pub(super) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), LedgerFault> {
    let (path, tmp) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let mut file = private_file(&tmp, OpenOptions::new().write(true).create(true).truncate(true))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|why| fault(&tmp, why))?;
    hand_over(&tmp, dir);
    fs::rename(&tmp, &path).map_err(|why| fault(&path, why))?;
    sync_dir(dir)
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), LedgerFault> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|why| fault(dir, why))
}

/// Whether sled's directory is there; a link in its place is refused.
pub(super) fn has_store(dir: &Path) -> Result<bool, LedgerFault> {
    let path = dir.join(STORE);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() => Ok(true),
        Ok(_) => Err(fault(&path, "it is a link or a file where a directory must be: remove it")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(why) => Err(fault(&path, why)),
    }
}

/// Gives what sled made its mode, makes it durable, and gives it to the owner of the state directory.
pub(super) fn settle(dir: &Path) -> Result<(), LedgerFault> {
    let store = &dir.join(STORE);
    for entry in fs::read_dir(store).map_err(|why| fault(store, why))? {
        let path = entry.map_err(|why| fault(store, why))?.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        if !meta.is_symlink() && meta.mode() & 0o777 != mode {
            fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|why| fault(&path, why))?;
        }
        if meta.is_file() {
            File::open(&path).and_then(|file| file.sync_all()).map_err(|why| fault(&path, why))?;
        }
    }
    hand_over_store(dir);
    sync_dir(store)?;
    sync_dir(dir)
}

/// Gives everything that sled made to the owner of the state directory.
pub(super) fn hand_over_store(dir: &Path) {
    let store = dir.join(STORE);
    for entry in fs::read_dir(&store).into_iter().flatten().flatten() {
        hand_over(&entry.path(), dir);
    }
    hand_over(&store, dir);
}

/// Gives a file that root made to the owner of the state directory, so that the service can still use it.
fn hand_over(path: &Path, dir: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(owner) = fs::metadata(dir) else { return };
    if owner.uid() != 0 {
        // A failure shows itself when the service opens the file; root can go on.
        let _ = std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Renames the store that can't be used, and puts the manifest beside it into it.
pub(super) fn move_aside(dir: &Path, beside: &str) -> Result<PathBuf, LedgerFault> {
    let mut numbers = aside(dir)?;
    while numbers.len() >= ASIDE_MAX {
        let oldest = dir.join(format!("{ASIDE}{}", numbers.remove(0)));
        fs::remove_dir_all(&oldest).map_err(|why| fault(&oldest, why))?;
    }
    let path = dir.join(format!("{ASIDE}{}", numbers.last().copied().unwrap_or(0) + 1));
    fs::rename(dir.join(STORE), &path).map_err(|why| fault(&path, why))?;
    // For whoever looks into it later; the judgement doesn't need it.
    let _ = fs::copy(dir.join(beside), path.join(beside));
    sync_dir(dir)?;
    Ok(path)
}

/// The numbers of the stores that were moved aside, in order.
fn aside(dir: &Path) -> Result<Vec<u64>, LedgerFault> {
    let number = |name: &OsStr| name.to_str()?.strip_prefix(ASIDE)?.parse::<u64>().ok();
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(|why| fault(dir, why))? {
        let entry = entry.map_err(|why| fault(dir, why))?;
        numbers.extend(number(&entry.file_name()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
