//! The chain: every manipulation is found, at every record.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::{after, copied, filled, lines, of, open, settings};
use crate::engine::ports::Report as _;
use crate::report::record::ReportRecord;
use crate::report::verify::{Beginning, Verification, Wrong, verify};

const RECORDS: usize = 6;

/// A copy of a report with its lines changed.
fn manipulated(original: &Path, work: impl FnOnce(&mut Vec<String>)) -> Verification {
    let (_dir, report) = copied(original);
    let mut all = lines(&report);
    work(&mut all);
    fs::write(&report, all.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    verify(&report).unwrap()
}

fn original() -> tempfile::TempDir {
    let dir = tempdir().unwrap();
    filled(&settings(dir.path()), RECORDS as u64);
    dir
}

#[test]
fn an_untouched_report_is_sound_from_its_first_record() {
    let dir = original();
    let verified = verify(&dir.path().join("report.log")).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.faults);
    assert_eq!((verified.records, verified.begins), (6, Some(Beginning::First)));
    assert_eq!(verified.whole_from.unwrap().line, 1);
}

#[test]
fn every_flipped_bit_is_found() {
    let dir = original();
    let report = dir.path().join("report.log");
    let text = fs::read(&report).unwrap();
    let (_copy, target) = copied(dir.path());
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= [1, 2, 4, 0x20][at % 4];
        fs::write(&target, &flipped).unwrap();
        assert!(!verify(&target).unwrap().is_sound(), "byte {at}");
    }
}

#[test]
fn every_dropped_record_is_found() {
    let dir = original();
    for at in 0..RECORDS {
        let verified = manipulated(dir.path(), |all| drop(all.remove(at)));
        assert!(!verified.is_sound(), "record {at}");
        let line = if at == RECORDS - 1 { at as u64 } else { at as u64 + 1 };
        assert_eq!(verified.faults[0].place.line, line, "record {at}: {:?}", verified.faults);
    }
}

#[test]
fn every_swapped_pair_is_found() {
    let dir = original();
    for one in 0..RECORDS {
        for two in one + 1..RECORDS {
            let verified = manipulated(dir.path(), |all| all.swap(one, two));
            assert!(!verified.is_sound(), "records {one} and {two}");
        }
    }
}

#[test]
fn every_cut_is_found_at_either_end() {
    let dir = original();
    for at in 0..RECORDS {
        let cut = manipulated(dir.path(), |all| all.truncate(at));
        assert_eq!(cut.faults.last().unwrap().wrong, Wrong::End, "first {at} left");
        let cut = manipulated(dir.path(), |all| drop(all.drain(..=at)));
        assert!(!cut.is_sound(), "first {} gone", at + 1);
    }
}

#[test]
fn a_repeated_and_a_foreign_record_are_found() {
    let dir = original();
    for at in 0..RECORDS {
        let repeated = manipulated(dir.path(), |all| all.insert(at, all[at].clone()));
        assert!(!repeated.is_sound(), "record {at} twice");
    }
    let other = tempdir().unwrap();
    filled(&settings(other.path()), 9);
    let foreign = lines(&other.path().join("report.log")).pop().unwrap();
    let verified = manipulated(dir.path(), |all| all.push(foreign));
    assert_eq!(verified.faults[0].wrong, Wrong::Link);
}

#[test]
fn a_line_that_says_the_same_in_another_way_is_found() {
    let dir = original();
    let ways: [fn(&str) -> String; 3] = [
        |line| line.replacen("{\"v\":1,", "{\"v\":1, ", 1),
        |line| line.replacen("\"seq\"", "\"user\":\"eve@example.org\",\"seq\"", 1),
        |line| line.replacen("agent", "\\u0061gent", 1),
    ];
    for way in ways {
        let verified = manipulated(dir.path(), |all| all[2] = way(&all[2]));
        assert!(!verified.is_sound());
        assert_eq!(verified.faults[0].place.line, 3);
    }
}

#[test]
fn a_blanked_person_is_fine_and_a_half_blanked_one_is_not() {
    let dir = original();
    let record = |line: &String| serde_json::from_str::<ReportRecord>(line).unwrap();
    let write = |record: &ReportRecord| crate::report::escape::json(record).unwrap();
    for at in 0..RECORDS {
        let verified = manipulated(dir.path(), |all| all[at] = write(&record(&all[at]).blanked()));
        assert!(verified.is_sound(), "{:?}", verified.faults);
        assert_eq!(verified.blanked, 1);
        let verified = manipulated(dir.path(), |all| {
            all[at] = write(&ReportRecord { name: Some("Eve".into()), ..record(&all[at]).blanked() });
        });
        assert_eq!(verified.faults[0].wrong, Wrong::Personal);
        let verified = manipulated(dir.path(), |all| {
            all[at] = write(&ReportRecord { dn: None, ..record(&all[at]) });
        });
        assert_eq!(verified.faults[0].wrong, Wrong::Personal);
    }
}

#[test]
fn it_is_said_from_where_the_chain_is_whole() {
    let dir = original();
    let verified = manipulated(dir.path(), |all| drop(all.remove(2)));
    assert_eq!(verified.faults.len(), 1);
    assert_eq!(verified.whole_from.unwrap().line, 4);
}

#[test]
fn what_was_cut_off_while_nobody_wrote_stays_visible_afterwards() {
    let dir = original();
    let (_copy, report) = copied(dir.path());
    let mut all = lines(&report);
    all.truncate(RECORDS - 2);
    fs::write(&report, all.join("\n") + "\n").unwrap();
    let mut journal = open(&settings(report.parent().unwrap()));
    for number in 0..3 {
        journal.tell(&of(20 + number, 100)).unwrap();
    }
    let verified = verify(&report).unwrap();
    assert_eq!(verified.faults.len(), 1);
    assert_eq!((verified.faults[0].place.line, &verified.faults[0].wrong), (5, &Wrong::Link));
}

#[test]
fn a_head_that_is_some_records_behind_after_a_power_loss_is_no_fault() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 3);
    let head = fs::read(dir.path().join("report.log.head")).unwrap();
    {
        let mut journal = open(&settings);
        (4..8).for_each(|number| journal.tell(&of(number, 10)).unwrap());
    }
    fs::write(dir.path().join("report.log.head"), head).unwrap();
    assert!(verify(&settings.file).unwrap().is_sound());
    open(&settings).tell(&of(9, 11)).unwrap();
    let verified = verify(&settings.file).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.faults);
    assert_eq!(verified.records, 8);
}

#[test]
fn a_missing_head_is_told_and_made_anew() {
    let dir = original();
    let (_copy, report) = copied(dir.path());
    fs::remove_file(report.with_extension("log.head")).unwrap();
    assert_eq!(verify(&report).unwrap().faults[0].wrong, Wrong::NoHead);
    open(&settings(report.parent().unwrap())).tell(&of(1, 100)).unwrap();
    assert!(verify(&report).unwrap().is_sound());
}

#[test]
fn a_report_that_was_never_written_is_sound() {
    let dir = tempdir().unwrap();
    assert!(verify(&dir.path().join("report.log")).unwrap().is_sound());
    assert!(verify(&dir.path().join("none/report.log")).unwrap().is_sound());
    drop(open(&settings(dir.path())));
    assert_eq!(verify(&dir.path().join("report.log")).unwrap(), Verification::default());
}

#[test]
fn erasing_a_person_leaves_no_trace_of_them_and_a_whole_chain() {
    let dir = tempdir().unwrap();
    let settings = crate::domain::settings::ReportSettings { max_size: 2_500, ..settings(dir.path()) };
    let mut journal = open(&settings);
    for number in 0..12 {
        let mut told = of(number % 2, number as i64);
        // Their address changed half-way.
        if number == 8 {
            told.user = Some("new@example.org".into());
        }
        journal.tell(&told).unwrap();
    }
    let erased = journal.erase("new@example.org", after(20)).unwrap();
    assert_eq!(erased.records, 6);
    assert!(erased.files > 1);
    drop(journal);
    let mut left = String::new();
    for name in super::names(dir.path()) {
        let path = dir.path().join(&name);
        let bytes = if name.ends_with(".gz") { super::unpacked(&path) } else { fs::read(&path).unwrap() };
        left.push_str(&String::from_utf8(bytes).unwrap());
    }
    assert!(!left.contains("new@") && !left.contains("u0@") && left.contains("u1@"), "{left}");
    let verified = verify(&settings.file).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.faults);
    assert_eq!((verified.records, verified.blanked), (12, 6));
    let mut journal = open(&settings);
    assert_eq!(journal.erase("new@example.org", after(21)).unwrap().records, 0);
    journal.tell(&of(30, 30)).unwrap();
    assert!(verify(&settings.file).unwrap().is_sound());
}
