//! Rotation by size and by day, compression, retention, files that somebody moves.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use tempfile::tempdir;

use super::{after, at, filled, names, notice, of, open, salts, seqs, settings, unpacked};
use crate::domain::id::CycleId;
use crate::domain::outcome::{Notice, Subject};
use crate::domain::settings::ReportSettings;
use crate::engine::ports::{Report as _, Told};
use crate::report::journal::Journal;
use crate::report::verify::{Beginning, verify};

const DAY: i64 = 86_400;

#[test]
fn a_full_file_is_closed_compressed_and_the_chain_goes_on() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 3_000, ..settings(dir.path()) };
    filled(&settings, 20);
    let names = names(dir.path());
    assert!(names.len() > 4, "{names:?}");
    assert_eq!(names.last().unwrap(), "report.log");
    assert!(
        names[..names.len() - 1]
            .iter()
            .all(|name| name.starts_with("report-20261123T1500") && name.ends_with("Z.log.gz"))
    );
    for name in &names[..names.len() - 1] {
        assert!(unpacked(&dir.path().join(name)).len() <= 3_000);
    }
    assert_eq!(seqs(&settings), (1..=20).collect::<Vec<u64>>());
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn a_new_day_begins_a_new_file_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    {
        let mut journal = open(&settings);
        journal.tell(&of(1, 0)).unwrap();
        journal.tell(&of(2, 8 * 3_600)).unwrap();
        journal.tell(&of(3, 9 * 3_600)).unwrap();
    }
    assert_eq!(names(dir.path()), ["report-20261124T000000Z.log.gz", "report.log"]);
    open(&settings).tell(&of(4, 9 * 3_600 + DAY)).unwrap();
    assert_eq!(names(dir.path()).len(), 3);
    assert_eq!(seqs(&settings), [1, 2, 3, 4]);
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn names_keep_the_order_when_seconds_repeat_and_the_clock_goes_back() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 1, ..settings(dir.path()) };
    {
        let mut journal = open(&settings);
        for (number, seconds) in (1..).zip([0, 0, 0, 100, 50, -DAY * 400, 101]) {
            journal.tell(&of(number, seconds)).unwrap();
        }
    }
    assert_eq!(
        names(dir.path()),
        [
            "report-20261123T150000Z-2.log.gz",
            "report-20261123T150000Z.log.gz",
            "report-20261123T150140Z-2.log.gz",
            "report-20261123T150140Z-3.log.gz",
            "report-20261123T150140Z.log.gz",
            "report-20261123T150141Z.log.gz",
            "report.log"
        ]
        .map(str::to_owned)
        .into_iter()
        .filter(|name| names(dir.path()).contains(name))
        .collect::<Vec<_>>()
    );
    assert_eq!(seqs(&settings), [1, 2, 3, 4, 5, 6, 7]);
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 1, ..settings(dir.path()) };
    let mut journal = open(&settings);
    journal.tell(&of(1, 0)).unwrap();
    let planted = dir.path().join("report-20261123T150001Z.log.gz");
    fs::write(&planted, "theirs").unwrap();
    let beside = dir.path().join("report-20261123T150001Z-2.log");
    symlink("/nowhere", &beside).unwrap();
    journal.tell(&of(2, 1)).unwrap();
    drop(journal);
    assert_eq!(fs::read(&planted).unwrap(), b"theirs");
    assert!(
        names(dir.path()).iter().any(|name| name.starts_with("report-20261123T150001Z-3.log")),
        "{:?}",
        names(dir.path())
    );
}

#[test]
fn old_files_go_by_age_and_the_rest_verifies() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_age: Duration::from_secs(3 * 86_400), ..settings(dir.path()) };
    {
        let mut journal = open(&settings);
        for day in 0..9 {
            journal.tell(&of(day + 1, day as i64 * DAY)).unwrap();
        }
    }
    // The files that were closed in the last three days, and the active one.
    assert_eq!(seqs(&settings), [6, 7, 8, 9]);
    let verified = verify(&settings.file).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.faults);
    assert_eq!(verified.begins, Some(Beginning::Later));
}

#[test]
fn old_files_go_by_total_size_and_never_the_active_one() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 2_000, max_total: 4_000, ..settings(dir.path()) };
    filled(&settings, 30);
    let left = seqs(&settings);
    assert!(left.len() < 29 && left.ends_with(&[29, 30]), "{left:?}");
    assert!(verify(&settings.file).unwrap().is_sound());
    let tiny = ReportSettings { max_total: 1, ..settings };
    open(&tiny);
    assert_eq!(names(dir.path()), ["report.log"]);
    assert_eq!(*seqs(&tiny).last().unwrap(), 30);
    assert!(verify(&tiny.file).unwrap().is_sound());
}

#[test]
fn an_old_file_that_somebody_else_removes_is_missed_until_retention_passes_it() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 1, ..settings(dir.path()) };
    filled(&settings, 5);
    let oldest = names(dir.path()).remove(0);
    fs::remove_file(dir.path().join(oldest)).unwrap();
    let verified = verify(&settings.file).unwrap();
    assert_eq!(verified.faults.len(), 1);
    assert_eq!(verified.faults[0].wrong, crate::report::verify::Wrong::Start);
    let tiny = ReportSettings { max_total: 1, ..settings };
    open(&tiny);
    assert!(verify(&tiny.file).unwrap().is_sound());
}

#[test]
fn a_clock_that_leaps_years_ahead_takes_nothing_at_once() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 1, ..settings(dir.path()) };
    filled(&settings, 5);
    let mut journal = Journal::open(&settings, after(3_650 * DAY), salts()).unwrap();
    journal.tell(&of(6, 3_650 * DAY)).unwrap();
    assert_eq!(seqs(&settings).len(), 6);
}

#[test]
fn a_report_that_logrotate_moved_is_begun_anew() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    journal.tell(&of(1, 1)).unwrap();
    fs::rename(&settings.file, dir.path().join("report.log.1")).unwrap();
    journal.ready().unwrap();
    assert!(settings.file.exists());
    journal.tell(&of(2, 2)).unwrap();
    assert_eq!(seqs(&settings), [2]);
    fs::rename(&settings.file, dir.path().join("report.log.2")).unwrap();
    journal.tell(&of(3, 3)).unwrap();
    assert_eq!(seqs(&settings), [3]);
}

#[test]
fn whoever_may_not_read_people_may_not_read_the_report() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 1, ..settings(&dir.path().join("deep/er")) };
    filled(&settings, 2);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(settings.file.parent().unwrap()) & 0o027, 0);
    for name in names(settings.file.parent().unwrap()) {
        assert_eq!(mode(&settings.file.with_file_name(name)), 0o640);
    }
}

#[test]
fn links_in_the_place_of_a_report_are_refused() {
    let (dir, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let target = elsewhere.path().join("target");
    fs::write(&target, "theirs").unwrap();
    for name in ["report.log", "report.log.head", "report.log.lock"] {
        let link = dir.path().join(name);
        let _ = fs::remove_file(&link);
        symlink(&target, &link).unwrap();
        assert!(Journal::open(&settings(dir.path()), after(0), salts()).is_err(), "{name}");
        fs::remove_file(&link).unwrap();
    }
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
}

#[test]
fn only_one_process_writes() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let _first = open(&settings);
    let second = Journal::open(&settings, after(0), salts()).err().unwrap();
    assert!(second.to_string().contains("another process"), "{second}");
}

#[test]
fn it_is_known_what_was_told_over_restarts_and_rotations() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 2_000, ..settings(dir.path()) };
    let cycle = |hour: u32| CycleId::at(at(&format!("2026-11-23T{hour:02}:00:00Z")));
    {
        let mut journal = open(&settings);
        for hour in 1..6 {
            for seq in 1..4 {
                let told = Notice { cycle: cycle(hour), seq, ..notice(seq) };
                journal.tell(&told).unwrap();
            }
            let told = Notice { cycle: cycle(hour), seq: 9, subject: Subject::Hold, ..notice(9) };
            journal.tell(&told).unwrap();
        }
    }
    let mut journal = open(&settings);
    for hour in 1..6 {
        for seq in 1..4 {
            assert_ne!(journal.told(&cycle(hour), seq).unwrap(), Told::No, "{hour} {seq}");
        }
        assert_eq!(journal.told(&cycle(hour), 4).unwrap(), Told::No);
        assert_eq!(journal.told(&cycle(hour), 9).unwrap(), Told::No, "a hold is no account's record");
    }
    assert_eq!(journal.told(&cycle(6), 1).unwrap(), Told::No);
    assert_eq!(journal.told(&cycle(0), 1).unwrap(), Told::No);
}
