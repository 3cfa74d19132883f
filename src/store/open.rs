//! A start: what is found in the state directory, and whether it can be trusted.
//!
//! A store that can't be is moved aside, never repaired and never deleted, and a fresh one begun; every app is then new
//! to it, so that the brake holds everything until a person approves. That survives restarts, because it is simply what
//! a fresh store says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ledger::{self, SledLedger};
use super::manifest::{self, Beside, Found, Manifest};
use super::place;
use super::sealed::Tree;
use super::vault::{self, Draft, Start, Unjudged, Vault};
use super::{keys, records};
use crate::engine::ports::LedgerFault;

/// An open store, and what it was found to be.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub ledger: SledLedger,
    /// What it was found to be.
    pub condition: Condition,
}

/// What a start found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was there: a new store.
    Fresh,
    /// It is as it was left.
    Sound,
    /// There was a store, and it is empty or gone. Every app is new again.
    Lost {
        /// Where what was left of it is now, if anything was.
        moved_to: Option<PathBuf>,
    },
    /// It can't be trusted. Every app is new again.
    Damaged {
        /// Where it is now.
        moved_to: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is whole, but not the newest, or can't be shown to be. It is kept; every app counts as new again.
    Older {
        /// Its serial.
        serial: u64,
        /// The serial that the file beside it names, if it could be read.
        expected: Option<u64>,
    },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("a new store was begun"),
            Self::Sound => f.write_str("the store is as it was left"),
            Self::Lost { moved_to: None } => f.write_str("the store is gone; a new one was begun"),
            Self::Lost { moved_to: Some(path) } => {
                write!(f, "the store is empty; it was moved to {} and a new one begun", path.display())
            }
            Self::Damaged { moved_to, why } => {
                write!(f, "{why}; the store was moved to {} and a new one begun", moved_to.display())
            }
            Self::Older { serial, expected: Some(expected) } => {
                write!(f, "the store is not the newest: it ends at {serial}, and {expected} was written")
            }
            Self::Older { serial, expected: None } => {
                write!(f, "the store ends at {serial}, and nothing shows that this is the newest")
            }
        }
    }
}

impl SledLedger {
    /// Opens the store in a directory that is nobody else's.
    ///
    /// # Errors
    /// [`LedgerFault::Busy`] when another process has it; [`LedgerFault::Io`] when the system refuses, the disk is full,
    /// or a newer release wrote it. A damaged store is no fault here: see [`Condition`].
    pub fn open(dir: &Path) -> Result<Opened, LedgerFault> {
        place::prepare(dir)?;
        let lock = place::lock(dir)?;
        let found = manifest::read(dir)?;
        let store = dir.join(place::STORE);
        let existed = place::has_store(dir)?;
        place::unlocked(&store)?;
        place::private_dir(&store)?;

        let mut population = BTreeMap::new();
        let started =
            vault::inspect(&store, &mut |tree, key, payload| ledger::examine(&mut population, tree, key, payload));
        let (vault, condition) = match started {
            Ok(Start::Empty(sled)) if found == Found::Missing => (begin(dir, sled, None)?, Condition::Fresh),
            Ok(Start::Empty(sled)) if !existed => {
                (begin(dir, sled, found.beside())?, Condition::Lost { moved_to: None })
            }
            Ok(Start::Empty(sled)) => {
                drop(sled);
                let moved_to = Some(place::move_aside(dir, manifest::BESIDE)?);
                (begin_anew(dir, found.beside())?, Condition::Lost { moved_to })
            }
            Ok(Start::Whole(sled, stated)) => judge(dir, sled, stated, &found)?,
            Err(LedgerFault::Damaged(why)) => condemn(dir, &found, why)?,
            Err(other) => return Err(other),
        };
        if matches!(condition, Condition::Damaged { .. }) {
            population.clear();
        }
        Ok(Opened { ledger: SledLedger::new(vault, population, lock), condition })
    }
}

/// Holds a whole store against the file beside it.
fn judge(dir: &Path, sled: Unjudged, stated: Manifest, found: &Found) -> Result<(Vault, Condition), LedgerFault> {
    let serial = stated.serial;
    let Found::Says(beside) = found else {
        // A crash between the first step and the first file beside it.
        if serial == 1 && *found == Found::Missing {
            let mut vault = Vault::take(dir, sled, stated, 0)?;
            vault.catch_up()?;
            return Ok((vault, Condition::Fresh));
        }
        let vault = Vault::take(dir, sled, stated.clone(), 0)?;
        return Ok((start_over(vault, serial, stated.digest)?, Condition::Older { serial, expected: None }));
    };
    let same = serial == beside.serial && stated.digest == beside.digest && stated.counts == beside.counts;
    // The crash window: the step is in the store, and the file wasn't renamed yet.
    let one_behind = serial.checked_sub(1) == Some(beside.serial) && stated.before == beside.digest;
    if same || one_behind {
        let mut vault = Vault::take(dir, sled, stated, beside.serial)?;
        vault.catch_up()?;
        return Ok((vault, Condition::Sound));
    }
    if serial == beside.serial || serial.checked_sub(1) == Some(beside.serial) {
        drop(sled);
        return condemn(dir, found, "the store and its manifest are of different making".into());
    }
    let vault = Vault::take(dir, sled, stated, beside.serial)?;
    let newest = serial.max(beside.serial);
    let condition = Condition::Older { serial, expected: Some(beside.serial) };
    // It follows on the file beside it, so that a crash before that is written again looks like any other one.
    if newest == beside.serial {
        return Ok((start_over(vault, newest, beside.digest)?, condition));
    }
    let digest = vault.digest();
    Ok((start_over(vault, newest, digest)?, condition))
}

/// Makes every app new to a store that is otherwise kept.
fn start_over(mut vault: Vault, serial: u64, before: [u8; 32]) -> Result<Vault, LedgerFault> {
    let mut draft = Draft::default();
    for key in vault.keys(Tree::Meta, keys::SETTLED)? {
        draft.remove(Tree::Meta, key);
    }
    draft.put(Tree::Meta, keys::REPLACED.to_vec(), &[])?;
    vault.refound(draft, serial.saturating_add(1), before)?;
    Ok(vault)
}

/// Moves a store aside that can't be trusted.
fn condemn(dir: &Path, found: &Found, why: String) -> Result<(Vault, Condition), LedgerFault> {
    let moved_to = place::move_aside(dir, manifest::BESIDE)?;
    Ok((begin_anew(dir, found.beside())?, Condition::Damaged { moved_to, why }))
}

fn begin_anew(dir: &Path, after: Option<&Beside>) -> Result<Vault, LedgerFault> {
    let store = dir.join(place::STORE);
    place::private_dir(&store)?;
    match vault::inspect(&store, &mut |_, _, _| Ok(()))? {
        Start::Empty(sled) => begin(dir, sled, after),
        Start::Whole(..) => Err(LedgerFault::Damaged("a new store isn't empty".into())),
    }
}

/// Writes the first manifest of an empty store, which follows on the one that was lost.
fn begin(dir: &Path, sled: Unjudged, after: Option<&Beside>) -> Result<Vault, LedgerFault> {
    let manifest = Manifest::empty(after);
    let (serial, before) = (manifest.serial, manifest.before);
    let mut vault = Vault::take(dir, sled, manifest, serial)?;
    let mut draft = Draft::default();
    draft.put(Tree::Meta, keys::SCHEMA.to_vec(), &records::schema()?)?;
    if after.is_some() {
        draft.put(Tree::Meta, keys::REPLACED.to_vec(), &[])?;
    }
    vault.refound(draft, serial, before)?;
    Ok(vault)
}
