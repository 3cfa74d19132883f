//! The keys of the store. Names of apps and directories have no NUL, so a NUL ends them; numbers are big-endian, so that
//! keys sort as the numbers do.

use crate::domain::assignment::PinKey;
use crate::domain::id::{AccountId, AppName, CycleId, Digest, Digester, DirectoryName, EntryId, Malformed, PersonId};

/// The record of the store's own format.
pub(super) const SCHEMA: &[u8] = b"schema";
/// What the keys of apps with an accepted cycle begin with.
pub(super) const SETTLED: &[u8] = b"settled\0";
/// That this store took the place of one that was lost, damaged, or newer.
pub(super) const REPLACED: &[u8] = b"replaced";
/// What the keys of accepted texts begin with.
pub(super) const ACCEPTED: &[u8] = b"accepted\0";
/// How far what is known has come.
pub(super) const REVISION: &[u8] = b"revision";
/// The kinds of things that the brake remembers of an app.
pub(super) const BRAKE_TALLY: u8 = b't';
pub(super) const BRAKE_MISSING: u8 = b'm';
pub(super) const BRAKE_QUARANTINE: u8 = b'q';
pub(super) const BRAKE_REMINDERS: u8 = b'r';
pub(super) const BRAKE_SPENT: u8 = b's';
pub(super) const BRAKE_TRIAL: u8 = b'p';
/// What the keys of pauses begin with.
pub(super) const PAUSE: &[u8] = b"pause\0";
/// What the keys of labels begin with.
const LABEL: &[u8] = b"label\0";
/// What the keys of images begin with.
const IMAGE: &[u8] = b"image\0";
/// What the keys of servers begin with.
const SERVERS: &[u8] = b"servers\0";
/// What the keys of names at Zendesk begin with.
const CATALOG: &[u8] = b"catalog\0";
/// The name of this store.
pub(super) const INSTANCE: &[u8] = b"instance";
/// What the keys of leases begin with.
const LEASE: &[u8] = b"lease\0";
/// What the keys of apps begin with whose accounts others may have written.
const DOUBTED: &[u8] = b"doubted\0";
/// What the keys of apps begin with whose directory is another than it was.
const REDIRECTED: &[u8] = b"redirected\0";
/// What the keys of bindings begin with.
const BINDING: &[u8] = b"binding\0";

/// Everything of an app.
pub(super) fn app(app: &AppName) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0"])
}

/// Everything of an app from one directory.
pub(super) fn app_directory(app: &AppName, directory: &DirectoryName) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0", directory.as_str().as_bytes(), b"\0"])
}

/// One person in an app.
pub(super) fn person(app: &AppName, person: &PersonId) -> Vec<u8> {
    let mut key = app_directory(app, &person.directory);
    key.extend(person.entry.as_bytes());
    key
}

/// One account of an app.
pub(super) fn account(app: &AppName, account: AccountId) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0", &account.0.to_be_bytes()])
}

/// The pin of a text; a digest stands for it, so that no key is long.
pub(super) fn pin(pin: &PinKey) -> Vec<u8> {
    let mut digest = Digester::new("pin 1");
    digest.text(&pin.text);
    let mut key = directory(&pin.directory);
    key.extend(digest.finish().0);
    key
}

/// Everything of a directory.
pub(super) fn directory(directory: &DirectoryName) -> Vec<u8> {
    joined(&[directory.as_str().as_bytes(), b"\0"])
}

/// One group of a directory.
pub(super) fn group(name: &DirectoryName, entry: EntryId) -> Vec<u8> {
    let mut key = directory(name);
    key.extend(entry.as_bytes());
    key
}

/// The place of an intent.
pub(super) fn intent(cycle: &CycleId, seq: u64) -> Vec<u8> {
    joined(&[cycle.as_str().as_bytes(), b"\0", &seq.to_be_bytes()])
}

/// Everything of a cycle, by place.
pub(super) fn cycle(cycle: &CycleId) -> Vec<u8> {
    joined(&[cycle.as_str().as_bytes(), b"\0"])
}

/// A deed: by person, in the order of the serials at which they were begun.
pub(super) fn deed(app: &AppName, about: &PersonId, serial: u64) -> Vec<u8> {
    let mut key = person(app, about);
    key.extend(serial.to_be_bytes());
    key
}

/// The number that a key is.
pub(super) fn number_of(key: &[u8]) -> u64 {
    key.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A hold.
pub(super) fn hold(app: &AppName, id: Digest) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0", &id.0])
}

/// One change of a hold.
pub(super) fn hold_change(app: &AppName, id: Digest, number: u32) -> Vec<u8> {
    let mut key = hold(app, id);
    key.extend(number.to_be_bytes());
    key
}

/// One thing that the brake remembers of an app, or all of a kind.
pub(super) fn brake(app: &AppName, kind: u8) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0", &[kind]])
}

/// An approved change that was begun.
pub(super) fn spent(app: &AppName, digest: &Digest) -> Vec<u8> {
    joined(&[&brake(app, BRAKE_SPENT), &digest.0])
}

/// A person whose change failed.
pub(super) fn trial(app: &AppName, person: &PersonId) -> Vec<u8> {
    let directory = person.directory.as_str().as_bytes();
    joined(&[&brake(app, BRAKE_TRIAL), directory, b"\0", person.entry.as_bytes()])
}

/// What kind of thing a key of the brake names.
pub(super) fn brake_kind(key: &[u8]) -> Option<u8> {
    let end = key.iter().position(|byte| *byte == 0)?;
    key.get(end + 1).copied()
}

/// The person whom the key of a trial names.
pub(super) fn trial_person(key: &[u8]) -> Result<PersonId, Malformed> {
    let entry = entry_of(key)?;
    let start = key.iter().position(|byte| *byte == 0).map_or(key.len(), |end| end + 2);
    let name = key.get(start..key.len() - 16).map(text).transpose()?.and_then(|name| name.strip_suffix('\0'));
    let name = name.ok_or_else(|| Malformed("the key names no directory".into()))?;
    Ok(PersonId { directory: DirectoryName::new(name)?, entry })
}

/// The digest at the end of a key.
pub(super) fn digest_of(key: &[u8]) -> Result<Digest, Malformed> {
    let tail = key.last_chunk::<32>().ok_or_else(|| Malformed("the key is too short for a digest".into()))?;
    Ok(Digest(*tail))
}

/// Whether an app had an accepted cycle.
pub(super) fn settled(app: &AppName) -> Vec<u8> {
    joined(&[SETTLED, app.as_str().as_bytes()])
}

/// The head of a directory's image.
pub(super) fn image(directory: &DirectoryName) -> Vec<u8> {
    joined(&[IMAGE, directory.as_str().as_bytes()])
}

/// What is remembered of a directory's servers.
pub(super) fn servers(directory: &DirectoryName) -> Vec<u8> {
    joined(&[SERVERS, directory.as_str().as_bytes()])
}

/// The names at an app's Zendesk.
pub(super) fn catalog(app: &AppName) -> Vec<u8> {
    joined(&[CATALOG, app.as_str().as_bytes()])
}

/// The text of the configuration that was accepted for an app.
pub(super) fn accepted(app: &AppName) -> Vec<u8> {
    joined(&[ACCEPTED, app.as_str().as_bytes()])
}

/// The app of an accepted text.
pub(super) fn accepted_app(key: &[u8]) -> Result<AppName, Malformed> {
    AppName::new(text(key.strip_prefix(ACCEPTED).unwrap_or_default())?)
}

/// The directory in a key of app, directory and entry.
pub(super) fn directory_of(key: &[u8]) -> Result<DirectoryName, Malformed> {
    person_of(key).map(|person| person.directory)
}

/// What sorts after everything of an app from one directory: a NUL ends its name.
pub(super) fn after_directory(app: &AppName, directory: &DirectoryName) -> Vec<u8> {
    joined(&[app.as_str().as_bytes(), b"\0", directory.as_str().as_bytes(), b"\x01"])
}

/// The last mark that was written into the marker of an app's lease.
pub(super) fn lease(app: &AppName) -> Vec<u8> {
    joined(&[LEASE, app.as_str().as_bytes()])
}

/// Whether others may have written an app's accounts.
pub(super) fn doubted(app: &AppName) -> Vec<u8> {
    joined(&[DOUBTED, app.as_str().as_bytes()])
}

/// Whether a person accepted another server of an app's directory.
pub(super) fn redirected(app: &AppName) -> Vec<u8> {
    joined(&[REDIRECTED, app.as_str().as_bytes()])
}

/// What a name is bound to.
pub(super) fn binding(name: &str) -> Vec<u8> {
    joined(&[BINDING, name.as_bytes()])
}

/// The pause of an app, or of everything.
pub(super) fn pause(app: Option<&AppName>) -> Vec<u8> {
    joined(&[PAUSE, app.map_or("", AppName::as_str).as_bytes()])
}

/// The app whose pause a key names; none for that of everything.
pub(super) fn paused_app(key: &[u8]) -> Result<Option<String>, Malformed> {
    let name = text(key.get(PAUSE.len()..).unwrap_or_default())?;
    Ok(Some(name.to_owned()).filter(|name| !name.is_empty()))
}

/// Whom a keep is about.
pub(super) fn label(app: &AppName, about: &PersonId) -> Vec<u8> {
    joined(&[LABEL, &person(app, about)])
}

/// The entry id at the end of a key.
pub(super) fn entry_of(key: &[u8]) -> Result<EntryId, Malformed> {
    let tail = key.last_chunk::<16>().ok_or_else(|| Malformed("the key is too short for an id".into()))?;
    Ok(EntryId::from_bytes(*tail))
}

/// The person whom a key of app, directory and entry names.
pub(super) fn person_of(key: &[u8]) -> Result<PersonId, Malformed> {
    let entry = entry_of(key)?;
    let names = text(&key[..key.len() - 16])?;
    let directory = names.strip_suffix('\0').and_then(|names| names.split_once('\0')).map(|(_, directory)| directory);
    let directory = directory.ok_or_else(|| Malformed("the key names no directory".into()))?;
    Ok(PersonId { directory: DirectoryName::new(directory)?, entry })
}

/// The app with which a key begins.
pub(super) fn app_of(key: &[u8]) -> Option<&str> {
    let end = key.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&key[..end]).ok()
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("the key is not text".into()))
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
