//! Searching and following.

use std::fs;
use std::ops::ControlFlow;

use tempfile::tempdir;

use super::{after, change, filled, names, notice, of, open, settings};
use crate::domain::change::{Action, FieldValue};
use crate::domain::id::{AppName, CycleId, DirectoryName};
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::settings::ReportSettings;
use crate::engine::ports::Report as _;
use crate::report::follow::{Begin, Follower, follow};
use crate::report::query::{Filter, QueryFault, search};

fn found(settings: &ReportSettings, filter: &Filter) -> Vec<u64> {
    search(&settings.file, filter).unwrap().map(|found| found.unwrap().record.seq).collect()
}

fn by_user(text: &str) -> Filter {
    Filter { user: Some(text.into()), ..Filter::default() }
}

#[test]
fn each_filter_leaves_out_what_doesnt_fit() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    let all = [
        notice(1),
        Notice { app: Some(AppName::new("sales").unwrap()), ..notice(2) },
        Notice { directory: Some(DirectoryName::new("other").unwrap()), ..notice(3) },
        Notice { subject: Subject::Account(Action::Update), ..notice(4) },
        Notice { verdict: Verdict::Refused, ..notice(5) },
        Notice { cycle: CycleId::from_text("20271123T150000000Z"), ..notice(6) },
        notice(7),
    ];
    all.iter().for_each(|one| journal.tell(one).unwrap());
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        (Filter { app: AppName::new("sales").ok(), ..Filter::default() }, vec![2]),
        (Filter { directory: DirectoryName::new("other").ok(), ..Filter::default() }, vec![3]),
        (Filter { action: text("update"), ..Filter::default() }, vec![4]),
        (Filter { result: text("refused"), ..Filter::default() }, vec![5]),
        (Filter { cycle: text("20271123T150000000Z"), ..Filter::default() }, vec![6]),
        (Filter { since: Some(after(6)), ..Filter::default() }, vec![6, 7]),
        (Filter { until: Some(after(3)), ..Filter::default() }, vec![1, 2]),
        (Filter { since: Some(after(2)), until: Some(after(4)), ..Filter::default() }, vec![2, 3]),
        (Filter { app: AppName::new("sales").ok(), action: text("update"), ..Filter::default() }, vec![]),
        (Filter::default(), vec![1, 2, 3, 4, 5, 6, 7]),
    ];
    for (filter, expected) in filters {
        assert_eq!(found(&settings, &filter), expected, "{filter:?}");
    }
}

#[test]
fn a_search_for_a_person_follows_the_immutable_id_over_a_change_of_address_and_rotations() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { max_size: 2_500, ..settings(dir.path()) };
    let mut journal = open(&settings);
    let mut told = |seq: u64, user: &str, name: &str, entry: u64| {
        let one = Notice {
            user: Some(user.into()),
            name: Some(name.into()),
            entry: Some(super::entry(entry)),
            account: Some(crate::domain::id::AccountId(9_000 + entry)),
            changes: Vec::new(),
            ..of(seq, seq as i64)
        };
        journal.tell(&one).unwrap();
    };
    told(1, "ada.byron@example.org", "Ada Byron", 1);
    told(2, "bob@example.org", "Bob", 2);
    told(3, "ada.byron@example.org", "Ada Byron", 1);
    told(4, "ada.lovelace@example.org", "Ada Lovelace", 1);
    told(5, "bob@example.org", "Bob", 2);
    told(6, "ada.lovelace@example.org", "Ada King", 1);
    told(7, "ada.byron@example.org.evil", "Eve", 3);
    assert!(names(dir.path()).len() > 2);
    let id = super::entry(1);
    for text in [
        "ada.lovelace@example.org",
        "ADA.Byron@Example.org",
        "ada byron",
        "Ada King",
        "9001",
        &id.to_string(),
        &id.dashed(),
    ] {
        assert_eq!(found(&settings, &by_user(text)), [1, 3, 4, 6], "{text}");
    }
    assert_eq!(found(&settings, &by_user("bob@example.org")), [2, 5]);
    assert_eq!(found(&settings, &by_user("ada")), [] as [u64; 0]);
    // The span doesn't keep the id from being learnt.
    let late = Filter { since: Some(after(5)), ..by_user("ada.byron@example.org") };
    assert_eq!(found(&settings, &late), [6]);
}

#[test]
fn an_address_that_is_only_named_in_a_change_leads_to_the_person() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    let email = |text: &str| FieldValue::Text(text.into());
    let changes = vec![change("email", email("old@example.org"), email("new@example.org"))];
    journal.tell(&Notice { changes, user: Some("new@example.org".into()), ..of(1, 1) }).unwrap();
    journal.tell(&Notice { user: Some("newest@example.org".into()), ..of(1, 2) }).unwrap();
    assert_eq!(found(&settings, &by_user("old@example.org")).len(), 2);
}

#[test]
fn a_span_of_time_leaves_closed_files_unread_but_loses_nothing_to_a_clock_that_went_back() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let day = 86_400;
    {
        let mut journal = open(&settings);
        for number in 0..8 {
            journal.tell(&of(number, number as i64 * day)).unwrap();
        }
        // The clock is set back by some hours, and right again.
        journal.tell(&of(8, 7 * day - 20 * 3_600)).unwrap();
        journal.tell(&of(9, 8 * day)).unwrap();
    }
    // Whoever opens what can't be in the span fails here.
    let oldest = names(dir.path()).remove(0);
    fs::write(dir.path().join(oldest), "not gzip").unwrap();
    let span = |since: i64, until: i64| Filter {
        since: Some(after(since * day - 1)),
        until: Some(after(until * day - 1)),
        ..Filter::default()
    };
    assert_eq!(found(&settings, &span(4, 6)), [4, 5]);
    assert_eq!(found(&settings, &span(6, 7)), [6, 8]);
    assert_eq!(found(&settings, &span(8, 20)), [9]);
    assert!(search(&settings.file, &Filter::default()).unwrap().any(|one| matches!(one, Err(QueryFault::Io { .. }))));
}

#[test]
fn a_line_that_is_no_record_is_told_and_passed() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 3);
    let mut all = super::lines(&settings.file);
    all[1] = "\u{1b}[2Jnot a record".into();
    all.push("x".repeat(3 << 20));
    all.push(all[0].clone());
    fs::write(&settings.file, all.join("\n") + "\n").unwrap();
    let results: Vec<_> = search(&settings.file, &Filter::default()).unwrap().collect();
    let seen: Vec<Option<u64>> = results.iter().map(|one| one.as_ref().ok().map(|found| found.record.seq)).collect();
    assert_eq!(seen, [Some(1), None, Some(3), None, Some(1)]);
    assert!(!results[1].as_ref().unwrap_err().to_string().contains('\u{1b}'));
    let by_id = search(&settings.file, &by_user("u3@example.org")).unwrap().filter_map(Result::ok);
    assert_eq!(by_id.count(), 1);
}

#[test]
fn a_report_that_is_rotated_while_it_is_read_is_read_to_its_end() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    (1..6).for_each(|number| journal.tell(&of(number, 1)).unwrap());
    let mut reading = search(&settings.file, &Filter::default()).unwrap();
    assert_eq!(reading.next().unwrap().unwrap().record.seq, 1);
    journal.rotate(after(2)).unwrap();
    journal.join_packer();
    let rest: Vec<u64> = reading.map(|found| found.unwrap().record.seq).collect();
    assert_eq!(rest, [2, 3, 4, 5]);
}

#[test]
fn no_report_is_an_empty_one() {
    let dir = tempdir().unwrap();
    assert_eq!(search(&dir.path().join("none/report.log"), &by_user("x")).unwrap().count(), 0);
}

#[test]
fn a_foreign_line_is_safe_to_show() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 1);
    let line = super::lines(&settings.file).remove(0).replace("User 1", "\u{9b}2J\u{202e}");
    fs::write(&settings.file, line + "\n").unwrap();
    let found = search(&settings.file, &Filter::default()).unwrap().next().unwrap().unwrap();
    assert!(found.line.contains("\\u009b2J\\u202e"), "{}", found.line);
    assert!(!found.line.chars().any(crate::report::escape::acts));
}

fn polled(follower: &mut Follower) -> Vec<u64> {
    follower.poll().unwrap().iter().map(|found| found.record.seq).collect()
}

#[test]
fn following_shows_each_record_once_over_rotations() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut none_yet = Follower::begin(&settings.file, &Filter::default(), Begin::End).unwrap();
    let mut journal = open(&settings);
    journal.tell(&of(1, 1)).unwrap();
    let mut from_end = Follower::begin(&settings.file, &Filter::default(), Begin::End).unwrap();
    let mut from_start = Follower::begin(&settings.file, &Filter::default(), Begin::Start).unwrap();
    journal.tell(&of(2, 2)).unwrap();
    assert_eq!(polled(&mut from_end), [2]);
    assert_eq!(polled(&mut from_start), [1, 2]);
    assert_eq!(polled(&mut none_yet), [1, 2]);
    assert_eq!(polled(&mut from_end), [] as [u64; 0]);

    journal.tell(&of(3, 3)).unwrap();
    journal.rotate(after(4)).unwrap();
    journal.tell(&of(4, 4)).unwrap();
    journal.join_packer();
    assert_eq!(polled(&mut from_end), [3, 4]);
    // Three rotations between two looks.
    for number in 5..9 {
        journal.tell(&of(number, number as i64)).unwrap();
        if number < 8 {
            journal.rotate(after(number as i64)).unwrap();
        }
    }
    journal.join_packer();
    assert_eq!(polled(&mut from_end), [5, 6, 7, 8]);
    assert_eq!(polled(&mut from_start), [3, 4, 5, 6, 7, 8]);
    assert_eq!(polled(&mut from_start), [] as [u64; 0]);
}

#[test]
fn following_waits_for_the_end_of_a_line_and_bears_truncation() {
    use std::io::Write as _;
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    filled(&settings, 2);
    let mut follower = Follower::begin(&settings.file, &Filter::default(), Begin::Start).unwrap();
    assert_eq!(polled(&mut follower), [1, 2]);
    let line = super::lines(&settings.file).pop().unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&settings.file).unwrap();
    file.write_all(&line.as_bytes()[..100]).unwrap();
    assert_eq!(polled(&mut follower), [] as [u64; 0]);
    file.write_all(&line.as_bytes()[100..]).unwrap();
    file.write_all(b"\n").unwrap();
    assert_eq!(polled(&mut follower), [2]);
    // Torn, and mended at the next opening: nothing is shown twice.
    file.write_all(&line.as_bytes()[..100]).unwrap();
    assert_eq!(polled(&mut follower), [] as [u64; 0]);
    open(&settings).tell(&of(3, 3)).unwrap();
    assert_eq!(polled(&mut follower), [3]);
    // Emptied by somebody: begun anew.
    fs::write(&settings.file, "").unwrap();
    assert_eq!(polled(&mut follower), [] as [u64; 0]);
    open(&settings).tell(&of(4, 4)).unwrap();
    assert_eq!(polled(&mut follower), [4]);
}

#[test]
fn a_person_is_followed_through_a_change_of_address() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    let mut follower = Follower::begin(&settings.file, &by_user("u1@example.org"), Begin::End).unwrap();
    journal.tell(&of(1, 1)).unwrap();
    journal.tell(&of(2, 2)).unwrap();
    journal.tell(&Notice { user: Some("new@example.org".into()), seq: 9, ..of(1, 3) }).unwrap();
    assert_eq!(polled(&mut follower), [1, 9]);
}

#[tokio::test]
async fn following_pauses_between_looks_until_it_is_broken_off() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let mut journal = open(&settings);
    let mut follower = Follower::begin(&settings.file, &Filter::default(), Begin::Start).unwrap();
    let mut pauses = 0;
    let mut seen = Vec::new();
    let pause = || {
        pauses += 1;
        journal.tell(&of(pauses, pauses as i64)).unwrap();
        std::future::ready(())
    };
    let each = |found: &crate::report::Found| {
        seen.push(found.record.seq);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    follow(&mut follower, pause, each).await.unwrap();
    assert_eq!((seen, pauses), (vec![1, 2, 3], 3));
}
