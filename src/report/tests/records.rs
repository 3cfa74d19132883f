//! One record: its form, its limits, what is personal in it.

use expect_test::expect;
use serde_json::Value;
use tempfile::tempdir;

use super::{change, filled, lines, notice, only_record, open, settings};
use crate::domain::change::FieldValue;
use crate::domain::id::CycleId;
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::settings::{Redaction, ReportSettings};
use crate::engine::ports::Report as _;
use crate::report::escape;
use crate::report::record::{self, LINE_MAX, NOTHING_BEFORE, make};
use crate::report::verify::verify;

#[test]
fn a_full_record_has_this_form() {
    let written = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::None).unwrap();
    expect![[r#"{"v":1,"time":"2026-11-23T15:00:07.250Z","cycle":"20261123T150000250Z","seq":7,"app":"support","directory":"corp","action":"deprovision","result":"done","actor":"daemon","user":"ada@example.org","name":"Ada Lovelace","directory_id":"00000000000000000000000000000ada","dn":"uid=ada,ou=people,dc=example,dc=org","zendesk_id":1234,"cause":{"code":"out_of_scope","groups":["Support ▸ Tier 1"],"evidence":"found, and in none of the groups"},"changes":[{"field":"role","before":"agent","after":"end-user"},{"field":"suspended","before":false,"after":true},{"field":"groups","before":["Billing","Support"],"after":null}],"error":{"type":"throttled","message":"Zendesk asks to wait 90 s","hint":"the next cycle goes on"},"request_id":"8c1f","elapsed_ms":412,"salt":"01010101010101010101010101010101","commit":"44a7caf7edb7b11ff68092f3a2af065f3736f0ee24a566276e70b7db8be3e746","prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#]].assert_eq(&written.line);
    expect!["1c5a9e9e5a7239b01df633642afa93530f208d81ddb1df574014a4cb1b3e8e87"].assert_eq(&written.hash);
}

#[test]
fn a_record_of_no_person_has_this_form() {
    let time = super::after(3);
    let bare = Notice::new(time, CycleId::at(super::after(0)), 1, Subject::Cycle, Verdict::Done, "daemon");
    let written = make(&bare, [1; 16], NOTHING_BEFORE, Redaction::None).unwrap();
    expect![[r#"{"v":1,"time":"2026-11-23T15:00:03.250Z","cycle":"20261123T150000250Z","seq":1,"action":"cycle","result":"done","actor":"daemon","changes":[],"salt":"01010101010101010101010101010101","commit":"b861ac0f22bf50cc9cbd0d4fde7069764e58ed247df7d3664b13d71df785dc0f","prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#]].assert_eq(&written.line);
}

#[test]
fn a_redacted_record_has_no_personal_part_and_the_same_place_in_the_chain() {
    let open = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::None).unwrap();
    let redacted = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::Personal).unwrap();
    expect![[r#"{"v":1,"time":"2026-11-23T15:00:07.250Z","cycle":"20261123T150000250Z","seq":7,"app":"support","directory":"corp","action":"deprovision","result":"done","actor":"daemon","directory_id":"00000000000000000000000000000ada","zendesk_id":1234,"cause":{"code":"out_of_scope"},"changes":[{"field":"role"},{"field":"suspended"},{"field":"groups"}],"request_id":"8c1f","elapsed_ms":412,"commit":"44a7caf7edb7b11ff68092f3a2af065f3736f0ee24a566276e70b7db8be3e746","prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#]].assert_eq(&redacted.line);
    assert_eq!(redacted.hash, open.hash);
    assert_eq!(redacted.record.commit, open.record.commit);
}

#[test]
fn the_personal_part_is_exactly_what_is_left_out() {
    let written = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::None).unwrap();
    let value: Value = serde_json::from_str(&written.line).unwrap();
    expect![[r#"{"cause":{"evidence":"found, and in none of the groups","groups":["Support ▸ Tier 1"]},"changes":[{"after":"end-user","before":"agent"},{"after":true,"before":false},{"after":null,"before":["Billing","Support"]}],"dn":"uid=ada,ou=people,dc=example,dc=org","error":{"hint":"the next cycle goes on","message":"Zendesk asks to wait 90 s","type":"throttled"},"name":"Ada Lovelace","salt":"01010101010101010101010101010101","user":"ada@example.org"}"#]].assert_eq(&record::canonical(&record::personal(&value)));
    for personal in ["ada@", "uid=ada", "Ada", "Support", "agent", "throttled", "none of the groups"] {
        let redacted = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::Personal).unwrap();
        assert!(written.line.contains(personal) && !redacted.line.contains(personal), "{personal}");
    }
}

#[test]
fn the_salt_keeps_equal_people_apart() {
    let one = make(&notice(7), [1; 16], NOTHING_BEFORE, Redaction::Personal).unwrap();
    let two = make(&notice(7), [2; 16], NOTHING_BEFORE, Redaction::Personal).unwrap();
    assert_ne!(one.record.commit, two.record.commit);
}

#[test]
fn canonical_json_is_sorted_and_tight() {
    let value: Value =
        serde_json::from_str(r#"{"b": [1, true, null], "a": {"é\u001b\n": "\u2028/"}, "C": {}}"#).unwrap();
    assert_eq!(record::canonical(&value), "{\"C\":{},\"a\":{\"é\\u001b\\n\":\"\u{2028}/\"},\"b\":[1,true,null]}");
}

#[test]
fn whatever_a_name_holds_it_is_one_record_that_acts_on_nothing() {
    let hostile = [
        "line\nbreak\r\n{\"v\":1}",
        "\u{1b}]0;title\u{7}\u{1b}[2J",
        "\u{85}\u{9b}31m\u{7f}\0",
        "\u{2028}\u{2029}",
        "\u{202e}gnp.exe\u{2066}\u{200f}\u{61c}",
        "\u{feff}\u{fff9}\u{e0041}",
        "\"},\"result\":\"done\",\"x\":{\"",
        "\\u001b\\",
    ];
    for text in hostile {
        let dir = tempdir().unwrap();
        let settings = settings(dir.path());
        let told = Notice {
            name: Some(text.into()),
            user: Some(text.into()),
            actor: text.into(),
            request_id: Some(text.into()),
            changes: vec![change("name", FieldValue::Text(text.into()), FieldValue::Set([text.to_owned()].into()))],
            ..notice(1)
        };
        open(&settings).tell(&told).unwrap();
        let bytes = std::fs::read_to_string(&settings.file).unwrap();
        assert!(!bytes.trim_end_matches('\n').chars().any(escape::acts), "{bytes:?}");
        let record = only_record(&settings);
        assert_eq!(record.name.as_deref(), Some(text));
        assert_eq!(record.changes[0].before, Some(text.into()));
        assert_eq!(record.result, "done");
        assert!(verify(&settings.file).unwrap().is_sound(), "{text:?}");
    }
}

#[test]
fn every_acting_character_is_escaped_in_json_and_on_a_terminal() {
    for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| escape::acts(*c)) {
        let json = escape::json(&c.to_string()).unwrap();
        assert!(!json.chars().any(escape::acts), "{c:?}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), c.to_string());
        assert_eq!(escape::visible(&c.to_string()), format!("\\u{{{:x}}}", c as u32));
        assert_eq!(
            serde_json::from_str::<String>(&escape::line(&format!("\"{}\"", c)).replace("\"\"", "\"")).ok(),
            Some(c.to_string())
        );
    }
    for c in ['a', 'é', '▸', '→', ' ', '\u{1f600}'] {
        assert!(!escape::acts(c));
    }
}

#[test]
fn a_record_that_is_too_long_is_shortened_with_a_mark_and_still_verifies() {
    let dir = tempdir().unwrap();
    let settings = settings(dir.path());
    let names: std::collections::BTreeSet<String> = (0..5_000).map(|number| format!("group {number}")).collect();
    let long = Notice {
        changes: vec![
            change("notes", FieldValue::Text("\u{1b}".repeat(16_000)), FieldValue::Text("ä".repeat(16_000))),
            change("groups", FieldValue::Set(names.clone()), FieldValue::None),
        ],
        name: Some("\u{202e}".repeat(40_000)),
        ..notice(1)
    };
    let mut journal = open(&settings);
    journal.tell(&long).unwrap();
    journal.tell(&notice(2)).unwrap();
    let all = lines(&settings.file);
    assert!(all.iter().all(|line| line.len() < LINE_MAX));
    assert!(all[0].contains("… (shortened from 32000 bytes)") && all[0].contains("more)"), "{}", all[0]);
    assert!(verify(&settings.file).unwrap().is_sound());
}

#[test]
fn a_record_that_just_fits_is_left_whole() {
    let fitting = |bytes: usize| {
        let told = Notice { name: Some("x".repeat(bytes)), ..notice(1) };
        make(&told, [1; 16], NOTHING_BEFORE, Redaction::None).unwrap()
    };
    let frame = fitting(1).line.len() - 1;
    assert_eq!(fitting(LINE_MAX - 1 - frame).line.len(), LINE_MAX - 1);
    assert!(fitting(LINE_MAX - frame).line.contains("shortened"));
}

#[test]
fn redaction_keeps_people_out_of_the_file_and_the_chain_whole() {
    let dir = tempdir().unwrap();
    let settings = ReportSettings { redact: Redaction::Personal, ..settings(dir.path()) };
    filled(&settings, 5);
    let text = std::fs::read_to_string(&settings.file).unwrap();
    assert!(!text.contains("example.org") && !text.contains("User") && !text.contains("agent"), "{text}");
    let verified = verify(&settings.file).unwrap();
    assert!(verified.is_sound());
    assert_eq!((verified.records, verified.blanked), (5, 5));
}
