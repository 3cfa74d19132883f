//! What a start finds: after an orderly end, a crash at any step, a loss, an older copy.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::tempdir;

use super::{app, copy, corp, cycle, hold, intent, known, open, person};
use crate::domain::brake::Experience;
use crate::engine::ports::{HoldState, Ledger, LedgerFault, Settlement};
use crate::store::{Condition, SledLedger};

/// Everything that a ledger tells.
fn everything(ledger: &SledLedger) -> String {
    let support = app("support");
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        ledger.app_standing(&support),
        ledger.traces(&support, &corp()),
        (0..5).map(|number| ledger.known(&support, &person(number))).collect::<Vec<_>>(),
        ledger.open_intents(),
        ledger.holds(),
        ledger.last_cycles(10),
        ledger.pins(),
    )
}

/// A ledger with something of everything.
fn filled(dir: &Path) -> SledLedger {
    let mut ledger = open(dir).unwrap().ledger;
    let support = app("support");
    ledger.remember(&support, &(0..4).map(known).collect::<Vec<_>>()).unwrap();
    ledger.accept(&support).unwrap();
    ledger.keep_holds(&support, &[hold(1, HoldState::Waiting, 3)]).unwrap();
    ledger.end_cycle(&cycle(1)).unwrap();
    ledger
}

fn experience(ledger: &SledLedger) -> Experience {
    ledger.app_standing(&app("support")).unwrap().experience
}

#[test]
fn a_second_opening_is_busy() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    assert_eq!(first.condition, Condition::Fresh);
    assert_eq!(open(dir.path()).unwrap_err(), LedgerFault::Busy);
    drop(first);
}

#[test]
fn a_process_that_has_sleds_own_lock_is_busy_too() {
    let dir = tempdir().unwrap();
    drop(filled(dir.path()));
    let copied = tempdir().unwrap();
    copy(dir.path(), copied.path());
    let file = fs::File::open(copied.path().join("store/db")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(open(copied.path()).unwrap_err(), LedgerFault::Busy);
}

#[test]
fn nobody_else_may_read_what_is_kept() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let _ledger = filled(&state);
    let mode = |path: &str| fs::metadata(state.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("store"), mode("store/blobs")], [0o750, 0o700, 0o700]);
    assert_eq!([mode("lock"), mode("manifest.json"), mode("store/db"), mode("store/conf")], [0o600; 4]);
}

#[test]
fn links_planted_in_the_directory_are_refused() {
    let elsewhere = tempdir().unwrap();
    for name in ["lock", "store", "manifest.json.tmp", "manifest.json"] {
        let dir = tempdir().unwrap();
        let target = elsewhere.path().join(name);
        fs::write(&target, "theirs").unwrap();
        symlink(&target, dir.path().join(name)).unwrap();
        assert!(matches!(open(dir.path()), Err(LedgerFault::Io(_))), "{name}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs", "{name}");
    }
}

#[test]
fn everything_is_there_after_a_crash_at_any_step() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    type Step<'a> = Box<dyn Fn(&mut SledLedger) -> Result<(), LedgerFault> + 'a>;
    let steps: Vec<Step<'_>> = vec![
        Box::new(|l| l.bind("app:support", "acme")),
        Box::new(|l| l.remember(&support, &(0..3).map(known).collect::<Vec<_>>())),
        Box::new(|l| l.intend(&intent(3))),
        Box::new(|l| l.settle(&intent(3), &Settlement::Known(Box::new(known(3))))),
        Box::new(|l| l.keep_holds(&support, &[hold(1, HoldState::Waiting, 3)])),
        Box::new(|l| l.accept(&support)),
        Box::new(|l| l.intend(&intent(1))),
        Box::new(|l| l.end_cycle(&cycle(1))),
        Box::new(|l| l.keep_holds(&support, &[])),
        Box::new(|l| l.settle(&intent(1), &Settlement::Forgotten)),
    ];
    for (number, step) in steps.iter().enumerate() {
        let manifest = fs::read(dir.path().join("manifest.json")).unwrap();
        step(&mut ledger).unwrap();
        let (serial, said) = (ledger.serial(), everything(&ledger));

        let crashed = tempdir().unwrap();
        copy(dir.path(), crashed.path());
        let opened = open(crashed.path()).unwrap();
        assert_eq!(opened.condition, Condition::Sound, "step {number}");
        assert_eq!((opened.ledger.serial(), everything(&opened.ledger)), (serial, said.clone()), "step {number}");
        drop(opened);

        // The crash between the step and the renaming of the file beside it.
        let crashed = tempdir().unwrap();
        copy(dir.path(), crashed.path());
        fs::write(crashed.path().join("manifest.json"), &manifest).unwrap();
        let opened = open(crashed.path()).unwrap();
        assert_eq!(opened.condition, Condition::Sound, "step {number}, manifest behind");
        assert_eq!(everything(&opened.ledger), said, "step {number}, manifest behind");
        let caught_up = fs::read(crashed.path().join("manifest.json")).unwrap();
        assert_eq!(caught_up, fs::read(dir.path().join("manifest.json")).unwrap(), "step {number}");
    }
}

#[test]
fn a_crash_before_the_first_manifest_is_a_fresh_start() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let crashed = tempdir().unwrap();
    copy(dir.path(), crashed.path());
    fs::remove_file(crashed.path().join("manifest.json")).unwrap();
    let mut opened = open(crashed.path()).unwrap();
    assert_eq!(opened.condition, Condition::Fresh);
    opened.ledger.accept(&app("support")).unwrap();
    let again = tempdir().unwrap();
    copy(crashed.path(), again.path());
    assert_eq!(open(again.path()).unwrap().condition, Condition::Sound);
}

#[test]
fn a_store_that_is_gone_is_lost_and_every_app_is_new_for_good() {
    let dir = tempdir().unwrap();
    let serial = filled(dir.path()).serial();
    for emptied in [false, true] {
        let lost = tempdir().unwrap();
        copy(dir.path(), lost.path());
        fs::remove_dir_all(lost.path().join("store")).unwrap();
        if emptied {
            fs::create_dir(lost.path().join("store")).unwrap();
        }
        let opened = open(lost.path()).unwrap();
        let moved_to = emptied.then(|| lost.path().join("store.corrupt-1"));
        assert_eq!(opened.condition, Condition::Lost { moved_to });
        assert_eq!(experience(&opened.ledger), Experience::Replaced);
        assert!(opened.ledger.serial() > serial);
        drop(opened);
        let again = tempdir().unwrap();
        copy(lost.path(), again.path());
        let opened = open(again.path()).unwrap();
        assert_eq!(opened.condition, Condition::Sound);
        assert_eq!(experience(&opened.ledger), Experience::Replaced);
    }
}

#[test]
fn only_sleds_data_file_gone_is_noticed_too() {
    let dir = tempdir().unwrap();
    drop(filled(dir.path()));
    let lost = tempdir().unwrap();
    copy(dir.path(), lost.path());
    fs::remove_file(lost.path().join("store/db")).unwrap();
    let opened = open(lost.path()).unwrap();
    assert!(matches!(opened.condition, Condition::Lost { .. } | Condition::Damaged { .. }), "{}", opened.condition);
    assert_eq!(experience(&opened.ledger), Experience::Replaced);
    assert_eq!(opened.ledger.traces(&app("support"), &corp()).unwrap(), []);
}

#[test]
fn an_older_store_is_kept_and_every_app_is_new_for_good() {
    let dir = tempdir().unwrap();
    let mut ledger = filled(dir.path());
    let backup = tempdir().unwrap();
    copy(dir.path(), backup.path());
    let old = ledger.serial();
    for number in 2..5 {
        ledger.end_cycle(&cycle(number)).unwrap();
    }
    let newest = ledger.serial();
    // The backup of the store alone, or of the manifest alone, put back.
    for (store, beside) in [(&backup, &dir), (&dir, &backup)] {
        let restored = tempdir().unwrap();
        copy(&store.path().join("store"), &restored.path().join("store"));
        fs::copy(beside.path().join("manifest.json"), restored.path().join("manifest.json")).unwrap();
        let opened = open(restored.path()).unwrap();
        let Condition::Older { serial, expected } = opened.condition else { panic!("{}", opened.condition) };
        assert!([(old, newest), (newest, old)].contains(&(serial, expected.unwrap())));
        assert_eq!(experience(&opened.ledger), Experience::Replaced);
        assert_eq!(opened.ledger.known(&app("support"), &person(1)).unwrap(), Some(known(1)));
        assert!(opened.ledger.serial() > newest);
        drop(opened);
        // Also when the crash comes before the manifest is written again.
        for crash in [false, true] {
            let again = tempdir().unwrap();
            copy(restored.path(), again.path());
            if crash {
                fs::copy(beside.path().join("manifest.json"), again.path().join("manifest.json")).unwrap();
            }
            let opened = open(again.path()).unwrap();
            assert_eq!(experience(&opened.ledger), Experience::Replaced);
            assert_eq!(opened.ledger.known(&app("support"), &person(1)).unwrap(), Some(known(1)));
        }
    }
}

#[test]
fn without_a_manifest_beside_it_a_store_is_not_taken_for_the_newest() {
    let dir = tempdir().unwrap();
    let serial = filled(dir.path()).serial();
    let spoilt: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"{\"format\":1}")];
    for content in spoilt {
        let bare = tempdir().unwrap();
        copy(dir.path(), bare.path());
        fs::remove_file(bare.path().join("manifest.json")).unwrap();
        if let Some(content) = content {
            fs::write(bare.path().join("manifest.json"), content).unwrap();
        }
        let opened = open(bare.path()).unwrap();
        assert_eq!(opened.condition, Condition::Older { serial, expected: None });
        assert_eq!(experience(&opened.ledger), Experience::Replaced);
        assert_eq!(opened.ledger.app_standing(&app("support")).unwrap().population, 4);
    }
}

#[test]
fn any_flipped_byte_of_the_manifest_holds_everything_and_keeps_the_store() {
    let dir = tempdir().unwrap();
    drop(filled(dir.path()));
    let manifest = fs::read(dir.path().join("manifest.json")).unwrap();
    for at in (0..manifest.len()).step_by(9) {
        let spoilt = tempdir().unwrap();
        copy(dir.path(), spoilt.path());
        let mut bytes = manifest.clone();
        bytes[at] ^= 1;
        fs::write(spoilt.path().join("manifest.json"), bytes).unwrap();
        let opened = open(spoilt.path()).unwrap();
        assert!(matches!(opened.condition, Condition::Older { expected: None, .. }), "{at}: {}", opened.condition);
        assert_eq!(opened.ledger.known(&app("support"), &person(1)).unwrap(), Some(known(1)));
    }
}

#[test]
fn a_manifest_of_another_store_condemns_this_one() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let serial = filled(one.path()).serial();
    let mut other = open(two.path()).unwrap().ledger;
    // Of the same serial, and of the one before: the crash window is no excuse for it.
    for behind in [1, 0] {
        while other.serial() + behind < serial {
            other.end_cycle(&cycle(7)).unwrap();
        }
        let mixed = tempdir().unwrap();
        copy(one.path(), mixed.path());
        fs::copy(two.path().join("manifest.json"), mixed.path().join("manifest.json")).unwrap();
        let opened = open(mixed.path()).unwrap();
        assert!(matches!(opened.condition, Condition::Damaged { .. }), "{behind}: {}", opened.condition);
        assert_eq!(opened.ledger.app_standing(&app("support")).unwrap().population, 0);
    }
}

#[test]
fn while_the_manifest_cannot_be_written_nothing_more_is() {
    let dir = tempdir().unwrap();
    let mut ledger = filled(dir.path());
    let serial = ledger.serial();
    let in_the_way = dir.path().join("manifest.json.tmp");
    fs::create_dir(&in_the_way).unwrap();
    for number in 0..3 {
        assert!(matches!(ledger.end_cycle(&cycle(10 + number)), Err(LedgerFault::Io(_))));
    }
    assert_eq!(ledger.serial(), serial + 1);
    let crashed = tempdir().unwrap();
    copy(dir.path(), crashed.path());
    fs::remove_dir(crashed.path().join("manifest.json.tmp")).unwrap();
    assert_eq!(open(crashed.path()).unwrap().condition, Condition::Sound);
    fs::remove_dir(&in_the_way).unwrap();
    ledger.end_cycle(&cycle(20)).unwrap();
    assert_eq!(ledger.last_cycles(2).unwrap(), [cycle(20), cycle(10)]);
}
