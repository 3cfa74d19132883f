//! The vault: sealed values in named trees, changed in one step, durable when the step returns.
//!
//! It knows keys and bytes, not people. Only one vault is open on a directory, so what is read before a step still holds
//! in it.

use std::any::Any;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};

use super::manifest::{self, Manifest};
use super::place;
use super::sealed::{self, Tree, VERSION};
use crate::engine::ports::LedgerFault;

/// sled's cache; its default of 1 GiB would be the whole process.
const CACHE_BYTES: u64 = 32 << 20;
/// Less free space than this, and nothing is changed: sled can't go on after a write that failed.
const FREE_MIN: u64 = 4 << 20;

/// Sealed values in named trees.
pub(super) struct Vault {
    trees: Vec<sled::Tree>,
    db: sled::Db,
    /// An own descriptor of sled's file: its flush ends in `sync_file_range`, which isn't durable (sled 0.34.7).
    data: File,
    dir: PathBuf,
    manifest: Manifest,
    /// The serial in the file beside the store.
    beside: u64,
    /// Why nothing more is written: a flush failed, and what is on disk is not known any more.
    broken: Option<String>,
}

/// Values to be put and removed in one step.
#[derive(Default)]
pub(super) struct Draft(BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>);

impl Draft {
    /// Puts a payload under a key.
    pub(super) fn put(&mut self, tree: Tree, key: Vec<u8>, payload: &[u8]) -> Result<(), LedgerFault> {
        let sealed = sealed::seal(tree, &key, payload)?;
        for (number, part) in (1..).zip(sealed.rest) {
            self.0.insert((Tree::Parts, sealed::part_key(tree, &key, number)), Some(part));
        }
        self.0.insert((tree, key), Some(sealed.first));
        Ok(())
    }

    /// Removes a key.
    pub(super) fn remove(&mut self, tree: Tree, key: Vec<u8>) {
        self.0.insert((tree, key), None);
    }
}

/// A payload of the fingerprint tree that a step changed: for whoever counts them.
pub(super) struct Turned {
    pub(super) key: Vec<u8>,
    pub(super) old: Option<Vec<u8>>,
    pub(super) new: Option<Vec<u8>>,
}

/// What a start finds in sled.
pub(super) enum Start {
    /// Nothing at all.
    Empty(Unjudged),
    /// A store whose records are those that its manifest counts.
    Whole(Unjudged, Manifest),
}

/// Reads a payload, to see whether it can be read.
pub(super) type Examine<'a> = dyn FnMut(Tree, &[u8], &[u8]) -> Result<(), LedgerFault> + 'a;

/// An open sled that nobody has judged yet.
pub(super) struct Unjudged {
    trees: Vec<sled::Tree>,
    db: sled::Db,
}

/// Opens sled and looks through every record; `examine` says whether its payload can be read.
///
/// # Errors
/// [`LedgerFault::Damaged`] when anything doesn't fit; [`LedgerFault::Io`] when the system refuses, or the store was
/// written by a newer release.
pub(super) fn inspect(store: &Path, examine: &mut Examine<'_>) -> Result<Start, LedgerFault> {
    calmly(|| {
        let db = sled::Config::new().path(store).cache_capacity(CACHE_BYTES).open().map_err(told)?;
        let open = |tree: Tree| db.open_tree(tree.name()).map_err(told);
        let trees = Tree::ALL.into_iter().map(open).collect::<Result<Vec<sled::Tree>, LedgerFault>>()?;
        let found = Unjudged { trees, db };
        let stated = stated(&found)?;
        let mut counted = Manifest::empty(None);
        for tree in Tree::ALL {
            look_through(&found, tree, &mut counted, examine)?;
        }
        match stated {
            None if counted.records() == 0 => Ok(Start::Empty(found)),
            None => Err(LedgerFault::Damaged(format!("{} records and no manifest", counted.records()))),
            Some(stated) if stated.counts != counted.counts => Err(LedgerFault::Damaged(format!(
                "{} records where the manifest counts {}",
                counted.records(),
                stated.records()
            ))),
            Some(stated) if stated.digest != counted.digest => {
                Err(LedgerFault::Damaged("the records are not those that the manifest was made over".into()))
            }
            Some(stated) => Ok(Start::Whole(found, stated)),
        }
    })
}

/// The manifest in the store.
fn stated(found: &Unjudged) -> Result<Option<Manifest>, LedgerFault> {
    let Some(value) = found.trees[Tree::Meta.index()].get(manifest::KEY).map_err(told)? else { return Ok(None) };
    let opened = sealed::split(Tree::Meta, manifest::KEY, &value)?;
    opened.verify(Tree::Meta, manifest::KEY, opened.first)?;
    if opened.version > VERSION {
        let text = format!("it was written by a newer release (format {}); run that one", opened.version);
        return Err(LedgerFault::Io(text));
    }
    match postcard::from_bytes(opened.first) {
        Ok(manifest) if opened.version == VERSION => Ok(Some(manifest)),
        Ok(_) => Err(sealed::damaged(Tree::Meta, manifest::KEY, format!("version {} is unknown", opened.version))),
        Err(why) => Err(sealed::damaged(Tree::Meta, manifest::KEY, why)),
    }
}

fn look_through(
    found: &Unjudged,
    tree: Tree,
    counted: &mut Manifest,
    examine: &mut Examine<'_>,
) -> Result<(), LedgerFault> {
    for pair in found.trees[tree.index()].iter() {
        let (key, value) = pair.map_err(told)?;
        if tree == Tree::Meta && key == manifest::KEY {
            continue;
        }
        counted.add(tree, &key, &value);
        if tree == Tree::Parts {
            continue; // sealed by the value that they belong to
        }
        examine(tree, &key, &unseal(&found.trees, tree, &key, &value)?)?;
    }
    Ok(())
}

/// Checks a value and brings it together.
fn unseal(trees: &[sled::Tree], tree: Tree, key: &[u8], value: &[u8]) -> Result<Vec<u8>, LedgerFault> {
    let opened = sealed::split(tree, key, value)?;
    let mut payload = opened.first.to_vec();
    for number in 1..=opened.parts {
        let part = trees[Tree::Parts.index()].get(sealed::part_key(tree, key, number)).map_err(told)?;
        payload.extend_from_slice(&part.ok_or_else(|| sealed::damaged(tree, key, "a part is missing"))?);
        if payload.len() > sealed::VALUE_MAX {
            return Err(sealed::damaged(tree, key, "it is too long"));
        }
    }
    opened.verify(tree, key, &payload)?;
    if opened.version != VERSION {
        return Err(sealed::damaged(tree, key, format!("version {} is unknown", opened.version)));
    }
    Ok(payload)
}

impl Vault {
    /// Takes an open sled into use; `beside` is the serial of the file beside it.
    pub(super) fn take(dir: &Path, found: Unjudged, manifest: Manifest, beside: u64) -> Result<Self, LedgerFault> {
        place::settle(dir)?;
        let data = place::data_file(&dir.join(place::STORE))?;
        let Unjudged { trees, db } = found;
        Ok(Self { trees, db, data, dir: dir.to_owned(), manifest, beside, broken: None })
    }

    /// The serial of the last step.
    pub(super) const fn serial(&self) -> u64 {
        self.manifest.serial
    }

    /// The digest over all records.
    pub(super) const fn digest(&self) -> [u8; 32] {
        self.manifest.digest
    }

    /// Brings the file beside the store up to the last step.
    pub(super) fn catch_up(&mut self) -> Result<(), LedgerFault> {
        if self.beside < self.serial() { self.write_beside() } else { Ok(()) }
    }

    /// The payload under a key.
    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerFault> {
        calmly(|| match self.trees[tree.index()].get(key).map_err(told)? {
            Some(value) => unseal(&self.trees, tree, key, &value).map(Some),
            None => Ok(None),
        })
    }

    /// Shows every key and payload below a prefix, in the order of keys.
    pub(super) fn each(
        &self,
        tree: Tree,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), LedgerFault>,
    ) -> Result<(), LedgerFault> {
        calmly(|| {
            for pair in self.trees[tree.index()].scan_prefix(prefix) {
                let (key, value) = pair.map_err(told)?;
                if tree == Tree::Meta && key == manifest::KEY {
                    continue;
                }
                visit(&key, &unseal(&self.trees, tree, &key, &value)?)?;
            }
            Ok(())
        })
    }

    /// The first key that isn't before `from`, if it is below a prefix.
    pub(super) fn first_key(&self, tree: Tree, prefix: &[u8], from: &[u8]) -> Result<Option<Vec<u8>>, LedgerFault> {
        calmly(|| {
            let first = self.trees[tree.index()].range(from..).next().transpose().map_err(told)?;
            Ok(first.map(|(key, _)| key.to_vec()).filter(|key| key.starts_with(prefix)))
        })
    }

    /// Every key below a prefix.
    pub(super) fn keys(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Vec<u8>>, LedgerFault> {
        calmly(|| {
            let keys = self.trees[tree.index()].scan_prefix(prefix).keys();
            keys.map(|key| key.map(|key| key.to_vec()).map_err(told)).collect()
        })
    }

    /// The last key of a tree.
    pub(super) fn last(&self, tree: Tree) -> Result<Option<Vec<u8>>, LedgerFault> {
        calmly(|| Ok(self.trees[tree.index()].last().map_err(told)?.map(|(key, _)| key.to_vec())))
    }

    /// Carries a step out as one, and makes it durable. A step that changes nothing writes nothing.
    ///
    /// # Errors
    /// When it couldn't be made durable. It may or may not be there after a restart, but never in part.
    pub(super) fn commit(&mut self, draft: Draft) -> Result<Vec<Turned>, LedgerFault> {
        // The file beside the store may be one step behind, never more.
        self.catch_up()?;
        let serial = self.serial().saturating_add(1);
        let next = Manifest { serial, before: self.digest(), ..self.manifest.clone() };
        self.step(draft, next, Stir::IfNeeded)
    }

    /// Carries a step out and writes the manifest anew in any case, following on `after`.
    pub(super) fn refound(&mut self, draft: Draft, serial: u64, before: [u8; 32]) -> Result<Vec<Turned>, LedgerFault> {
        let next = Manifest { serial, before, ..self.manifest.clone() };
        self.step(draft, next, Stir::Always)
    }

    fn step(&mut self, draft: Draft, mut next: Manifest, stir: Stir) -> Result<Vec<Turned>, LedgerFault> {
        if let Some(why) = &self.broken {
            return Err(LedgerFault::Io(format!("an earlier write failed ({why}): restart to have it looked through")));
        }
        let (mut writes, turned) = calmly(|| self.differing(draft, &mut next))?;
        if writes.is_empty() && stir == Stir::IfNeeded {
            return Ok(turned);
        }
        if place::free(&self.dir)? < FREE_MIN {
            return Err(place::fault(&self.dir, "no space is left: make room"));
        }
        let text = postcard::to_stdvec(&next).map_err(|why| LedgerFault::Io(why.to_string()))?;
        let sealed = sealed::seal(Tree::Meta, manifest::KEY, &text)?;
        writes.push((Tree::Meta, manifest::KEY.to_vec(), Some(sealed.first)));
        if let Err(why) = self.apply(&writes) {
            self.broken = Some(why.to_string());
            return Err(why);
        }
        self.manifest = next;
        self.write_beside()?;
        Ok(turned)
    }

    /// What of a draft differs from what is stored; counts it into the manifest.
    fn differing(&self, draft: Draft, next: &mut Manifest) -> Result<(Vec<Write>, Vec<Turned>), LedgerFault> {
        let (mut writes, mut turned) = (Vec::new(), Vec::new());
        for ((tree, key), new) in self.with_stale_parts(draft)?.0 {
            let old = self.trees[tree.index()].get(&key).map_err(told)?.map(|value| value.to_vec());
            if old == new {
                continue;
            }
            if let Some(old) = &old {
                next.remove(tree, &key, old);
            }
            if let Some(new) = &new {
                next.add(tree, &key, new);
            }
            if tree == Tree::Fingerprints {
                let payload = |value: &Vec<u8>| Ok(sealed::split(tree, &key, value)?.first.to_vec());
                let (old, new) = (old.as_ref().map(payload).transpose()?, new.as_ref().map(payload).transpose()?);
                turned.push(Turned { key: key.clone(), old, new });
            }
            writes.push((tree, key, new));
        }
        Ok((writes, turned))
    }

    /// Adds the removal of parts that a shorter value leaves over.
    fn with_stale_parts(&self, mut draft: Draft) -> Result<Draft, LedgerFault> {
        let mut stale = Vec::new();
        for ((tree, key), _) in draft.0.iter().filter(|((tree, _), _)| *tree != Tree::Parts) {
            let Some(old) = self.trees[tree.index()].get(key).map_err(told)? else { continue };
            let parts = sealed::split(*tree, key, &old)?.parts;
            stale.extend((1..=parts).map(|number| sealed::part_key(*tree, key, number)));
        }
        for key in stale {
            draft.0.entry((Tree::Parts, key)).or_insert(None);
        }
        Ok(draft)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), LedgerFault> {
        calmly(|| {
            // sled may run this twice; it only puts and removes.
            let done = self.trees.as_slice().transaction(|trees: &Vec<sled::transaction::TransactionalTree>| {
                for (tree, key, value) in writes {
                    let tree = &trees[tree.index()];
                    match value {
                        Some(value) => tree.insert(key.as_slice(), value.as_slice())?,
                        None => tree.remove(key.as_slice())?,
                    };
                }
                Ok::<(), ConflictableTransactionError<Infallible>>(())
            });
            match done {
                Ok(()) => {}
                Err(TransactionError::Abort(never)) => match never {},
                Err(TransactionError::Storage(why)) => return Err(told(why)),
            }
            self.db.flush().map_err(told)?;
            self.data.sync_all().map_err(|why| place::fault(&self.dir, why))
        })
    }

    fn write_beside(&mut self) -> Result<(), LedgerFault> {
        manifest::write(&self.dir, &self.manifest)?;
        self.beside = self.manifest.serial;
        Ok(())
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        place::hand_over_store(&self.dir);
    }
}

/// One value to be put under a key, or a key to be removed.
type Write = (Tree, Vec<u8>, Option<Vec<u8>>);

/// Whether a step that changes nothing is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stir {
    /// It isn't.
    IfNeeded,
    /// It is.
    Always,
}

/// Says what sled's error means: the disk refuses, or the file can't be believed.
///
/// sled makes errors of its own of the kind `Other` where a file's content doesn't fit; the system's errors never have
/// that kind.
fn told(why: sled::Error) -> LedgerFault {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match why {
        sled::Error::Io(why) if !matches!(why.kind(), InvalidData | InvalidInput | Other | UnexpectedEof) => {
            LedgerFault::Io(why.to_string())
        }
        sled::Error::Io(why) => LedgerFault::Damaged(why.to_string()),
        sled::Error::Corruption { .. } => LedgerFault::Damaged("sled finds its file corrupted".into()),
        sled::Error::CollectionNotFound(_) => LedgerFault::Damaged("a tree is gone".into()),
        sled::Error::Unsupported(why) | sled::Error::ReportableBug(why) => LedgerFault::Damaged(why),
    }
}

/// Turns a panic of sled into a fault: on a damaged file it panics as often as it answers (observed).
fn calmly<T>(work: impl FnOnce() -> Result<T, LedgerFault>) -> Result<T, LedgerFault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(LedgerFault::Damaged(format!("sled gave up: {}", text_of(panic.as_ref())))))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".into())
}
