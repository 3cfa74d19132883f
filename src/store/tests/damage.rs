//! Damaged files: never a wrong value, never a silent loss, never a panic that gets out.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::{app, copy, corp, cycle, known, open, person};
use crate::domain::account::KnownAccount;
use crate::domain::brake::Experience;
use crate::engine::ports::{Ledger as _, LedgerFault};
use crate::store::Condition;

const PEOPLE: u64 = 120;

fn fill(dir: &Path) {
    let mut ledger = open(dir).unwrap().ledger;
    let support = app("support");
    ledger.accept(&support).unwrap();
    for some in (0..PEOPLE).collect::<Vec<_>>().chunks(20) {
        ledger.remember(&support, &some.iter().map(|number| known(*number)).collect::<Vec<_>>()).unwrap();
        ledger.end_cycle(&cycle(some[0] as u32)).unwrap();
    }
    let renamed: Vec<KnownAccount> = (0..PEOPLE).map(|number| KnownAccount { missed: None, ..known(number) }).collect();
    ledger.remember(&support, &renamed).unwrap();
}

/// Opens a damaged copy; says whether it was found sound, and checks that it then tells the truth.
fn judge(dir: &Path, what: &str) -> bool {
    let opened = match open(dir) {
        Ok(opened) => opened,
        Err(LedgerFault::Io(_)) => return false,
        Err(other) => panic!("{what}: {other}"),
    };
    let (support, ledger) = (app("support"), &opened.ledger);
    let standing = ledger.app_standing(&support).unwrap();
    match &opened.condition {
        Condition::Sound => {
            assert_eq!(standing.experience, Experience::Settled, "{what}");
            assert_eq!(standing.population, PEOPLE as usize, "{what}");
            for number in 0..PEOPLE {
                let expected = KnownAccount { missed: None, ..known(number) };
                assert_eq!(ledger.known(&support, &person(number)).unwrap(), Some(expected), "{what}");
            }
            assert_eq!(ledger.last_cycles(100).unwrap().len(), 6, "{what}");
            return true;
        }
        Condition::Fresh => panic!("{what}: a loss was not noticed"),
        Condition::Lost { .. } | Condition::Damaged { .. } => {
            assert_eq!(ledger.traces(&support, &corp()).unwrap(), [], "{what}");
        }
        Condition::Older { .. } => {}
    }
    assert_eq!(standing.experience, Experience::Replaced, "{what}: {}", opened.condition);
    false
}

fn files(store: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(store).unwrap().map(|one| one.unwrap().path());
    all.filter(|path| path.is_file()).collect()
}

#[test]
fn no_damage_gives_a_wrong_value_or_a_silent_loss() {
    // The panics of sled that are caught here would fill the terminal.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("sled-")) {
            usual(panic);
        }
    }));
    let dir = tempdir().unwrap();
    fill(dir.path());
    let original = tempdir().unwrap();
    copy(dir.path(), original.path());
    let (mut trials, mut sound) = (0, 0);
    for file in files(&original.path().join("store")) {
        let name = file.file_name().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        // sled grows its file in steps of 512 KiB: the places lie denser where there is something.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let places = (0..24).map(|step| step * used / 24).chain([used.saturating_sub(1)]);
        for place in places.filter(|place| *place < bytes.len()) {
            for damage in ["flip", "zero", "cut", "swap"] {
                let mut spoilt = bytes.clone();
                match damage {
                    "flip" => spoilt[place] ^= 0x10,
                    "zero" => spoilt[place..].iter_mut().take(64).for_each(|byte| *byte = 0),
                    "cut" => spoilt.truncate(place),
                    _ => {
                        let end = (place + 4_096).min(spoilt.len());
                        spoilt[place..end].reverse();
                    }
                }
                let copied = tempdir().unwrap();
                copy(original.path(), copied.path());
                fs::write(copied.path().join("store").join(&name), spoilt).unwrap();
                trials += 1;
                sound += usize::from(judge(copied.path(), &format!("{damage} at {place} of {name:?}")));
            }
        }
    }
    eprintln!("{trials} damaged copies, {sound} still sound");
    assert!(trials > 150 && sound < trials);
}

#[test]
fn a_damaged_store_is_moved_aside_and_the_oldest_of_many_goes() {
    let dir = tempdir().unwrap();
    fill(dir.path());
    let state = tempdir().unwrap();
    copy(dir.path(), state.path());
    for number in 1..=8 {
        fs::create_dir(state.path().join(format!("store.corrupt-{number}"))).unwrap();
    }
    fs::write(state.path().join("store/db"), b"not sled's").unwrap();
    let opened = open(state.path()).unwrap();
    let moved = state.path().join("store.corrupt-9");
    match &opened.condition {
        Condition::Damaged { moved_to, .. } => assert_eq!(*moved_to, moved),
        Condition::Lost { moved_to } => assert_eq!(*moved_to, Some(moved.clone())),
        other => panic!("{other}"),
    }
    assert!(moved.join("db").exists() && moved.join("manifest.json").exists());
    assert!(!state.path().join("store.corrupt-1").exists());
    assert!(state.path().join("store.corrupt-2").exists());
}

#[test]
fn a_record_that_this_release_cannot_read_is_found_at_the_start() {
    use crate::store::manifest::Manifest;
    use crate::store::sealed::{Tree, seal};
    let dir = tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let state = tempdir().unwrap();
    copy(dir.path(), state.path());
    {
        // Sealed, counted and hashed as it should be, and yet no account.
        let db = sled::open(state.path().join("store")).unwrap();
        let meta = db.open_tree("meta").unwrap();
        let stored = meta.get(b"manifest").unwrap().unwrap();
        let mut manifest: Manifest = postcard::from_bytes(&stored[7..]).unwrap();
        let value = seal(Tree::Accounts, b"support\0corp\0", b"no account").unwrap().first;
        manifest.add(Tree::Accounts, b"support\0corp\0", &value);
        db.open_tree("accounts").unwrap().insert(b"support\0corp\0", value).unwrap();
        let text = postcard::to_stdvec(&manifest).unwrap();
        meta.insert(b"manifest", seal(Tree::Meta, b"manifest", &text).unwrap().first).unwrap();
        crate::store::manifest::write(state.path(), &manifest).unwrap();
        db.flush().unwrap();
    }
    let copied = tempdir().unwrap();
    copy(state.path(), copied.path());
    match open(copied.path()).unwrap().condition {
        Condition::Damaged { why, .. } => assert!(why.contains("accounts support"), "{why}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_record_under_anothers_key_is_damaged_not_believed() {
    use crate::store::sealed::{Tree, seal, split};
    let sealed = seal(Tree::Accounts, b"one", b"payload").unwrap();
    let opened = split(Tree::Accounts, b"one", &sealed.first).unwrap();
    assert!(opened.verify(Tree::Accounts, b"one", b"payload").is_ok());
    for (tree, key, payload) in
        [(Tree::Accounts, b"two", b"payload"), (Tree::Owners, b"one", b"payload"), (Tree::Accounts, b"one", b"paylord")]
    {
        let fault = opened.verify(tree, key, payload).unwrap_err().to_string();
        assert!(fault.contains(tree.name()) && fault.contains(&*String::from_utf8_lossy(key)), "{fault}");
    }
}

#[test]
fn a_store_of_a_newer_release_is_left_alone() {
    let dir = tempdir().unwrap();
    fill(dir.path());
    let state = tempdir().unwrap();
    copy(dir.path(), state.path());
    {
        let db = sled::open(state.path().join("store")).unwrap();
        let meta = db.open_tree("meta").unwrap();
        let newer = crate::store::sealed::seal_as(2, crate::store::sealed::Tree::Meta, b"manifest", b"?").unwrap();
        meta.insert(b"manifest", newer.first).unwrap();
        db.flush().unwrap();
    }
    let copied = tempdir().unwrap();
    copy(state.path(), copied.path());
    let fault = open(copied.path()).unwrap_err().to_string();
    assert!(fault.contains("newer release"), "{fault}");
    assert!(copied.path().join("store").exists() && !copied.path().join("store.corrupt-1").exists());
}
