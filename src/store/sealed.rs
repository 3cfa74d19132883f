//! The seal around each stored value: a version, and a checksum over where it lies and what it says.
//!
//! A value that doesn't fit its seal is a fault that names tree and key; it is never taken for absent. Long values are
//! cut into parts, because sled 0.34.7 writes a leaf of more than 128 KB into a file that it never deletes (observed).

use crate::engine::ports::LedgerFault;

/// The named trees of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    /// By app, directory and entry: standing and fingerprint. The ordered scan.
    Fingerprints,
    /// By app, directory and entry: the whole account.
    Accounts,
    /// By app and account: the person.
    Owners,
    /// By directory and text: the group that an assignment is pinned to.
    Pins,
    /// By directory and entry: a group as last seen.
    Groups,
    /// By cycle and place: what was begun and isn't settled.
    Intents,
    /// By app and id: a hold without its changes.
    Holds,
    /// By app, id and number: the changes of a hold.
    HoldChanges,
    /// By app, directory and entry: a person's trouble.
    Troubles,
    /// By app, directory and entry: why a person is left as they are.
    Keeps,
    /// By directory and entry: what was last seen of it.
    Portraits,
    /// By directory and entry: the digest of that. The ordered scan.
    Marks,
    /// By number: how a cycle ended.
    Cycles,
    /// By app, directory, entry and serial: what was done to a person.
    Deeds,
    /// By cycle and place: the key of a deed.
    DeedPlaces,
    /// By number: a cycle of which deeds are kept.
    DeedCycles,
    /// The manifest, bindings, and which apps had an accepted cycle.
    Meta,
    /// By app and kind: what the brake remembers over time.
    Brakes,
    /// By tree, key and number: the rest of values that are too long for one.
    Parts,
}

impl Tree {
    /// All of them, by position.
    pub(super) const ALL: [Self; 19] = [
        Self::Fingerprints,
        Self::Accounts,
        Self::Owners,
        Self::Pins,
        Self::Groups,
        Self::Intents,
        Self::Holds,
        Self::HoldChanges,
        Self::Troubles,
        Self::Keeps,
        Self::Portraits,
        Self::Marks,
        Self::Cycles,
        Self::Deeds,
        Self::DeedPlaces,
        Self::DeedCycles,
        Self::Meta,
        Self::Brakes,
        Self::Parts,
    ];

    /// The name in sled, in the manifest and in faults.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fingerprints => "fingerprints",
            Self::Accounts => "accounts",
            Self::Owners => "owners",
            Self::Pins => "pins",
            Self::Groups => "groups",
            Self::Intents => "intents",
            Self::Holds => "holds",
            Self::HoldChanges => "hold_changes",
            Self::Troubles => "troubles",
            Self::Keeps => "keeps",
            Self::Portraits => "portraits",
            Self::Marks => "marks",
            Self::Cycles => "cycles",
            Self::Deeds => "deeds",
            Self::DeedPlaces => "deed_places",
            Self::DeedCycles => "deed_cycles",
            Self::Meta => "meta",
            Self::Brakes => "brakes",
            Self::Parts => "parts",
        }
    }

    /// The position in [`Tree::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// The version of every record that this release writes.
pub(super) const VERSION: u8 = 1;
/// Bytes of one stored value at most: a leaf of sled holds 17 of them, and must stay below 128 KB.
const PART_MAX: usize = 6 * 1024;
/// Bytes of a value in all its parts at most: an approval of every change of 300,000 people fits.
pub(super) const VALUE_MAX: usize = 32 << 20;
/// Version, number of parts, checksum.
const HEAD: usize = 1 + 2 + 4;

/// A value, ready to be stored: the first part with the seal, and the parts that didn't fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// What is stored under the key itself.
    pub(super) first: Vec<u8>,
    /// What is stored under [`part_key`], in order.
    pub(super) rest: Vec<Vec<u8>>,
}

/// Seals a value for its place.
///
/// # Errors
/// When it is longer than [`VALUE_MAX`].
pub(super) fn seal(tree: Tree, key: &[u8], payload: &[u8]) -> Result<Sealed, LedgerFault> {
    seal_as(VERSION, tree, key, payload)
}

/// Seals a value as a release with this version of records does.
pub(super) fn seal_as(version: u8, tree: Tree, key: &[u8], payload: &[u8]) -> Result<Sealed, LedgerFault> {
    let mut chunks = payload.chunks(PART_MAX);
    let first = chunks.next().unwrap_or_default();
    let rest: Vec<Vec<u8>> = chunks.map(<[u8]>::to_vec).collect();
    let parts = u16::try_from(rest.len()).ok().filter(|_| payload.len() <= VALUE_MAX);
    let Some(parts) = parts else {
        let text = format!("{}: a value of {} bytes is longer than {VALUE_MAX}", place(tree, key), payload.len());
        return Err(LedgerFault::Io(text));
    };
    let mut value = Vec::with_capacity(HEAD + first.len());
    value.push(version);
    value.extend(parts.to_le_bytes());
    value.extend(checksum(tree, key, version, parts, payload).to_le_bytes());
    value.extend(first);
    Ok(Sealed { first: value, rest })
}

/// A stored value, taken apart but not yet believed.
pub(super) struct Opened<'a> {
    pub(super) version: u8,
    pub(super) parts: u16,
    check: u32,
    pub(super) first: &'a [u8],
}

/// Takes the first part of a value apart.
///
/// # Errors
/// When it is too short to be one.
pub(super) fn split<'a>(tree: Tree, key: &[u8], value: &'a [u8]) -> Result<Opened<'a>, LedgerFault> {
    let [version, p0, p1, c0, c1, c2, c3, first @ ..] = value else {
        return Err(damaged(tree, key, "it is cut short"));
    };
    Ok(Opened {
        version: *version,
        parts: u16::from_le_bytes([*p0, *p1]),
        check: u32::from_le_bytes([*c0, *c1, *c2, *c3]),
        first,
    })
}

impl Opened<'_> {
    /// Checks the seal over the whole payload.
    ///
    /// # Errors
    /// When the checksum doesn't fit.
    pub(super) fn verify(&self, tree: Tree, key: &[u8], payload: &[u8]) -> Result<(), LedgerFault> {
        if checksum(tree, key, self.version, self.parts, payload) != self.check {
            return Err(damaged(tree, key, "the checksum doesn't fit"));
        }
        Ok(())
    }
}

/// The place is part of it, so that a value under another's key is noticed.
fn checksum(tree: Tree, key: &[u8], version: u8, parts: u16, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(tree.name().as_bytes());
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(key);
    crc.update(&[version]);
    crc.update(&parts.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// The key under which a further part of a value lies, from 1.
pub(super) fn part_key(tree: Tree, key: &[u8], number: u16) -> Vec<u8> {
    let mut part = tree.name().as_bytes().to_vec();
    part.push(0);
    part.extend(key);
    part.extend(number.to_be_bytes());
    part
}

/// A record that can't be believed.
pub(super) fn damaged(tree: Tree, key: &[u8], why: impl std::fmt::Display) -> LedgerFault {
    LedgerFault::Damaged(format!("{}: {why}", place(tree, key)))
}

/// Tree and key, for people.
fn place(tree: Tree, key: &[u8]) -> String {
    format!("{} {}", tree.name(), key.escape_ascii())
}
