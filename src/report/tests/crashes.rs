//! Crashes: at each step of a rotation, in the middle of a line, on a full disk.

use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::tempdir;

use super::{after, filled, lines, names, of, open, salts, seqs, settings};
use crate::domain::id::CycleId;
use crate::domain::outcome::Notice;
use crate::domain::settings::ReportSettings;
use crate::engine::ports::{Report as _, Told};
use crate::report::journal::Journal;
use crate::report::rotate::{Hook, Step};
use crate::report::verify::verify;

/// A hook that stops everything from a step on, as a crash would.
fn dead_from(step: Step) -> Hook {
    let dead = Arc::new(AtomicBool::new(false));
    let stop = move |reached: Step| {
        if reached == step {
            dead.store(true, Ordering::SeqCst);
        }
        if dead.load(Ordering::SeqCst) { Err(io::Error::other("stopped by the test")) } else { Ok(()) }
    };
    Hook { stop: Some(Arc::new(stop)) }
}

#[test]
fn every_step_of_a_rotation_leaves_a_readable_chain() {
    let steps = [Step::Renamed, Step::Begun, Step::Retiring, Step::Retired, Step::Packed, Step::Placed];
    for step in steps {
        let dir = tempdir().unwrap();
        // Three records a file; when something must be retired, only the newest closed file stays.
        let max_total = if matches!(step, Step::Retiring | Step::Retired) { 5_000 } else { 1 << 30 };
        let settings = ReportSettings { max_size: 3_000, max_total, ..settings(dir.path()) };
        let mut told = Vec::new();
        {
            let mut journal = Journal::open_with(&settings, after(0), salts(), dead_from(step)).unwrap();
            for number in 1..=40 {
                if journal.tell(&of(number, number as i64)).is_err() {
                    break;
                }
                told.push(number);
            }
        }
        let there = seqs(&settings);
        assert!(told.ends_with(&there), "{step:?}: told {told:?}, there {there:?}");
        let verified = verify(&settings.file).unwrap();
        assert!(verified.is_sound(), "{step:?}: {:?} {:?}", verified.faults, names(dir.path()));

        // And it goes on from there, with nothing left half done.
        let next = told.last().unwrap() + 1;
        open(&settings).tell(&of(next, 100)).unwrap();
        told.push(next);
        assert!(told.ends_with(&seqs(&settings)), "{step:?}");
        assert!(verify(&settings.file).unwrap().is_sound(), "{step:?}");
        let left = names(dir.path());
        assert!(left.iter().all(|name| name == "report.log" || name.ends_with(".log.gz")), "{step:?}: {left:?}");
        if max_total == 1 << 30 {
            assert_eq!(seqs(&settings), told, "{step:?}");
        }
    }
}

#[test]
fn a_torn_last_line_is_taken_off_kept_aside_and_not_told() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 4);
    let whole = fs::read(&settings.file).unwrap();
    let last = lines(&settings.file).pop().unwrap();
    let before = whole.len() - last.len() - 1;
    let notice = of(4, 4);
    for left in [1, 2, last.len() / 2, last.len()] {
        fs::write(&settings.file, &whole[..before + left]).unwrap();
        // The head can't know of a record whose line isn't whole.
        let mut journal = open(&settings);
        assert_eq!(journal.told(&notice.cycle, 4).unwrap(), Told::No, "{left} bytes");
        assert_eq!(lines(&settings.file).len(), 3);
        let torn = fs::read(dir.path().join("report.torn")).unwrap();
        assert!(torn.ends_with(&[&whole[before..before + left], b"\n"].concat()));
    }
    // A tail of zeros, as a file system may leave after a power loss.
    let mut file = fs::OpenOptions::new().append(true).open(&settings.file).unwrap();
    file.write_all(&[0; 70_000]).unwrap();
    open(&settings).tell(&of(5, 5)).unwrap();
    assert_eq!(seqs(&settings), [1, 2, 3, 5]);
}

#[test]
fn a_torn_line_that_was_never_told_leaves_the_chain_whole() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 3);
    let mut file = fs::OpenOptions::new().append(true).open(&settings.file).unwrap();
    file.write_all(b"{\"v\":1,\"time\":\"2026-").unwrap();
    assert!(verify(&settings.file).unwrap().is_sound(), "a line may just be written");
    assert_eq!(seqs(&settings), [1, 2, 3]);
    open(&settings).tell(&of(4, 4)).unwrap();
    assert_eq!(seqs(&settings), [1, 2, 3, 4]);
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn a_crash_between_a_record_and_the_head_is_no_fault() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 3);
    let head = fs::read(dir.path().join("report.log.head")).unwrap();
    open(&settings).tell(&of(4, 4)).unwrap();
    fs::write(dir.path().join("report.log.head"), head).unwrap();
    assert!(verify(&settings.file).unwrap().is_sound());
    open(&settings).tell(&of(5, 5)).unwrap();
    assert!(verify(&settings.file).unwrap().is_sound());
    assert_eq!(seqs(&settings), [1, 2, 3, 4, 5]);
}

#[test]
fn a_record_that_a_full_disk_refused_leaves_nothing_and_the_next_one_follows() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let full = Arc::new(AtomicBool::new(false));
    let said = Arc::clone(&full);
    let stop = move |step| match step {
        Step::Written if said.load(Ordering::SeqCst) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    };
    let hook = Hook { stop: Some(Arc::new(stop)) };
    let mut journal = Journal::open_with(&settings, after(0), salts(), hook).unwrap();
    journal.tell(&of(1, 1)).unwrap();
    full.store(true, Ordering::SeqCst);
    let fault = journal.tell(&of(2, 2)).unwrap_err();
    assert!(fault.to_string().contains("make room"), "{fault}");
    assert_eq!(journal.told(&of(2, 2).cycle, 2).unwrap(), Told::No);
    assert_eq!(seqs(&settings), [1]);
    full.store(false, Ordering::SeqCst);
    journal.tell(&of(2, 2)).unwrap();
    assert_eq!(seqs(&settings), [1, 2]);
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn a_last_record_that_cannot_be_read_does_not_stop_the_report() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 3);
    let mut all = lines(&settings.file);
    all[2] = "not a record".into();
    fs::write(&settings.file, all.join("\n") + "\n").unwrap();
    open(&settings).tell(&of(4, 4)).unwrap();
    let verified = verify(&settings.file).unwrap();
    assert_eq!(verified.faults.len(), 1);
    assert_eq!(verified.faults[0].place.line, 3);
    assert_eq!(verified.whole_from.unwrap().line, 4);
}

#[test]
fn a_record_is_found_though_the_clock_went_back_and_the_file_was_rotated_since() {
    let dir = tempdir().unwrap();
    let mut settings = settings(dir.path());
    settings.max_size = 1;
    let mut journal = open(&settings);
    let ahead = Notice { cycle: CycleId::at(after(86_400)), ..of(7, 86_400) };
    journal.tell(&ahead).unwrap();
    for number in 1..=3 {
        journal.tell(&of(number, number as i64)).unwrap();
    }
    assert!(names(dir.path()).len() > 2, "{:?}", names(dir.path()));
    assert_ne!(journal.told(&ahead.cycle, 7).unwrap(), Told::No);
    assert_eq!(journal.told(&ahead.cycle, 8).unwrap(), Told::No);
}

#[test]
fn an_old_file_that_cannot_be_read_is_passed_over_in_a_search() {
    let dir = tempdir().unwrap();
    let mut settings = settings(dir.path());
    settings.max_size = 1;
    let mut journal = open(&settings);
    for number in 1..=4 {
        journal.tell(&of(number, number as i64)).unwrap();
    }
    drop(journal);
    let packed: Vec<_> = names(dir.path()).into_iter().filter(|name| name.ends_with(".gz")).collect();
    assert!(packed.len() > 1, "{packed:?}");
    for name in &packed[1..] {
        fs::write(dir.path().join(name), "no report").unwrap();
    }
    let mut journal = open(&settings);
    let found = |number, journal: &mut Journal| journal.told(&of(number, number as i64).cycle, number).unwrap();
    assert_ne!(found(1, &mut journal), Told::No, "{packed:?}");
    assert_eq!(found(9, &mut journal), Told::No);
}
