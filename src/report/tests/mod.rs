//! Tests of the report: what is told is there, what is altered is found, what is hostile is harmless.

mod chain;
mod crashes;
mod reading;
mod records;
mod rotation;
mod showing;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::journal::{Journal, Salts};
use super::query::{Filter, search};
use super::record::ReportRecord;
use crate::domain::change::{Action, FieldChange, FieldValue};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, CycleId, DirectoryName, EntryId};
use crate::domain::outcome::{Notice, Problem, Subject, ToldCause, Verdict};
use crate::domain::settings::{Redaction, ReportSettings};
use crate::engine::ports::Report as _;

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// 23 November 2026, three in the afternoon, and some seconds more.
pub(super) fn after(seconds: i64) -> DateTime<Utc> {
    at("2026-11-23T15:00:00.250Z") + TimeDelta::seconds(seconds)
}

/// Salts that count.
pub(super) fn salts() -> Salts {
    let mut number = 0_u128;
    Box::new(move || {
        number += 1;
        number.to_be_bytes()
    })
}

pub(super) fn settings(dir: &Path) -> ReportSettings {
    ReportSettings {
        file: dir.join("report.log"),
        max_size: 50 << 20,
        max_age: Duration::from_secs(400 * 86_400),
        max_total: 1 << 30,
        redact: Redaction::None,
    }
}

pub(super) fn entry(number: u64) -> EntryId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EntryId::from_bytes(bytes)
}

/// The full notice of an agent who left.
pub(super) fn notice(seq: u64) -> Notice {
    let time = after(i64::try_from(seq).unwrap());
    let subject = Subject::Account(Action::Deprovision);
    Notice {
        app: Some(AppName::new("support").unwrap()),
        directory: Some(DirectoryName::new("corp").unwrap()),
        user: Some("ada@example.org".into()),
        name: Some("Ada Lovelace".into()),
        entry: Some(entry(0xada)),
        dn: Some(Dn::parse("uid=ada,ou=people,dc=example,dc=org").unwrap()),
        account: Some(AccountId(1_234)),
        cause: Some(ToldCause {
            code: "out_of_scope".into(),
            groups: vec!["Support ▸ Tier 1".into()],
            evidence: Some("found, and in none of the groups".into()),
        }),
        changes: vec![
            change("role", FieldValue::Text("agent".into()), FieldValue::Text("end-user".into())),
            change("suspended", FieldValue::Flag(false), FieldValue::Flag(true)),
            change("groups", FieldValue::Set(BTreeSet::from(["Billing".into(), "Support".into()])), FieldValue::None),
        ],
        problem: Some(Problem::new("throttled", "Zendesk asks to wait 90 s", "the next cycle goes on")),
        request_id: Some("8c1f".into()),
        elapsed_ms: Some(412),
        ..Notice::new(time, CycleId::at(after(0)), seq, subject, Verdict::Done, "daemon")
    }
}

/// A notice of somebody, in so many seconds.
pub(super) fn of(number: u64, seconds: i64) -> Notice {
    Notice {
        time: after(seconds),
        user: Some(format!("u{number}@example.org")),
        name: Some(format!("User {number}")),
        entry: Some(entry(number)),
        account: Some(AccountId(number)),
        problem: None,
        ..notice(number)
    }
}

pub(super) fn change(field: &'static str, before: FieldValue, after: FieldValue) -> FieldChange {
    FieldChange { field, before, after }
}

pub(super) fn open(settings: &ReportSettings) -> Journal {
    Journal::open(settings, after(0), salts()).unwrap()
}

/// A report of so many records.
pub(super) fn filled(settings: &ReportSettings, records: u64) {
    let mut journal = open(settings);
    for number in 1..=records {
        journal.tell(&of(number, number as i64)).unwrap();
    }
}

/// The file of a report, by what is there: closed ones first, then the active one.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = all.filter(|name| !name.ends_with(".head") && !name.ends_with(".lock")).collect();
    names.sort();
    names
}

pub(super) fn seqs(settings: &ReportSettings) -> Vec<u64> {
    search(&settings.file, &Filter::default()).unwrap().map(|found| found.unwrap().record.seq).collect()
}

pub(super) fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

pub(super) fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

pub(super) fn only_record(settings: &ReportSettings) -> ReportRecord {
    let all = lines(&settings.file);
    assert_eq!(all.len(), 1);
    serde_json::from_str(&all[0]).unwrap()
}

/// A copy of a report's directory.
pub(super) fn copied(from: &Path) -> (tempfile::TempDir, PathBuf) {
    let to = tempfile::tempdir().unwrap();
    for one in fs::read_dir(from).unwrap() {
        let one = one.unwrap();
        fs::copy(one.path(), to.path().join(one.file_name())).unwrap();
    }
    let report = to.path().join("report.log");
    (to, report)
}
