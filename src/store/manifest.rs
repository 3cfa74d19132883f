//! The manifest: how many records there are, and one digest over all of them; in the store, and in a file beside it.
//!
//! sled 0.34.7 may open a damaged file with records missing and say nothing (observed: 91 of 180 damaged files). What
//! is counted and hashed here can't go missing unnoticed.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::place;
use super::sealed::Tree;
use crate::engine::ports::LedgerFault;

/// The file beside the store.
pub(super) const BESIDE: &str = "manifest.json";
/// The key in the `meta` tree; the manifest doesn't count itself.
pub(super) const KEY: &[u8] = b"manifest";
/// Longer than this the file beside the store can't be.
const BESIDE_MAX: u64 = 64 * 1024;

/// What the store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Raised with every durable change.
    pub(super) serial: u64,
    /// Records by tree.
    pub(super) counts: BTreeMap<String, u64>,
    /// Over all records: each one's hash, joined by exclusive or, so that a change costs as much as it is large.
    pub(super) digest: [u8; 32],
    /// The digest before the last change: ties the store to a file beside it that is one step behind.
    pub(super) before: [u8; 32],
}

impl Manifest {
    /// The manifest of an empty store that follows another, or none.
    pub(super) fn empty(after: Option<&Beside>) -> Self {
        let (serial, before) = after.map_or((1, [0; 32]), |beside| (beside.serial.saturating_add(1), beside.digest));
        Self { serial, counts: BTreeMap::new(), digest: [0; 32], before }
    }

    /// Counts a record in that wasn't there.
    pub(super) fn add(&mut self, tree: Tree, key: &[u8], value: &[u8]) {
        *self.counts.entry(tree.name().to_owned()).or_default() += 1;
        self.join(tree, key, value);
    }

    /// Counts a record out.
    pub(super) fn remove(&mut self, tree: Tree, key: &[u8], value: &[u8]) {
        if let Some(count) = self.counts.get_mut(tree.name()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(tree.name());
            }
        }
        self.join(tree, key, value);
    }

    fn join(&mut self, tree: Tree, key: &[u8], value: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(tree.name().as_bytes());
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key);
        hash.update(value);
        let hash: [u8; 32] = hash.finalize().into();
        self.digest.iter_mut().zip(hash).for_each(|(sum, byte)| *sum ^= byte);
    }

    /// How many records there are.
    pub(super) fn records(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// What the file beside the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside {
    /// The serial.
    pub(super) serial: u64,
    /// Records by tree.
    pub(super) counts: BTreeMap<String, u64>,
    /// The digest.
    pub(super) digest: [u8; 32],
}

/// The file beside the store, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It isn't there.
    Missing,
    /// It is there, and can't be believed.
    Unreadable,
    /// It says this.
    Says(Beside),
}

impl Found {
    /// What it says, if it can be believed.
    pub(super) const fn beside(&self) -> Option<&Beside> {
        match self {
            Self::Says(beside) => Some(beside),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

/// The file's shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideFile {
    format: u32,
    serial: u64,
    counts: BTreeMap<String, u64>,
    digest: String,
    /// CRC-32 over the rest: a file that was damaged by itself must not condemn a sound store.
    check: String,
}

impl BesideFile {
    fn check(serial: u64, counts: &BTreeMap<String, u64>, digest: &str) -> String {
        let mut crc = crc32fast::Hasher::new();
        crc.update(format!("{serial} {digest}").as_bytes());
        for (tree, count) in counts {
            crc.update(format!(" {tree} {count}").as_bytes());
        }
        format!("{:08x}", crc.finalize())
    }
}

/// Writes the file beside the store.
pub(super) fn write(dir: &Path, manifest: &Manifest) -> Result<(), LedgerFault> {
    let digest = crate::domain::id::Digest(manifest.digest).to_string();
    let check = BesideFile::check(manifest.serial, &manifest.counts, &digest);
    let file = BesideFile { format: 1, serial: manifest.serial, counts: manifest.counts.clone(), digest, check };
    let text = serde_json::to_vec(&file).map_err(|why| place::fault(&dir.join(BESIDE), why))?;
    place::replace(dir, BESIDE, &text)
}

/// Reads the file beside the store.
///
/// # Errors
/// Only when it is there and the system won't let it be read.
pub(super) fn read(dir: &Path) -> Result<Found, LedgerFault> {
    let path = dir.join(BESIDE);
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(why) => return Err(place::fault(&path, why)),
    };
    let mut bytes = Vec::new();
    file.take(BESIDE_MAX).read_to_end(&mut bytes).map_err(|why| place::fault(&path, why))?;
    Ok(parse(&bytes).map_or(Found::Unreadable, Found::Says))
}

fn parse(bytes: &[u8]) -> Option<Beside> {
    let file: BesideFile = serde_json::from_slice(bytes).ok()?;
    let sound = file.format == 1 && BesideFile::check(file.serial, &file.counts, &file.digest) == file.check;
    let digest = crate::domain::id::Digest::parse(&file.digest).ok()?.0;
    sound.then_some(Beside { serial: file.serial, counts: file.counts, digest })
}
