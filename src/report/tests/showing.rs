//! Views: a line, a table at two widths, CSV.

use expect_test::expect;
use serde_json::json;

use super::{notice, of};
use crate::domain::id::CycleId;
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::settings::Redaction;
use crate::report::escape;
use crate::report::record::{ChangeRecord, NOTHING_BEFORE, ReportRecord, make};
use crate::report::render::{CsvReport, line, table};

fn record(notice: &Notice) -> ReportRecord {
    make(notice, [1; 16], NOTHING_BEFORE, Redaction::None).unwrap().record
}

fn some() -> Vec<ReportRecord> {
    let cycle = CycleId::at(super::after(0));
    let approved = Notice::new(super::after(9), cycle.clone(), 3, Subject::Approve, Verdict::Done, "root (0)");
    let ended = Notice::new(super::after(9), cycle, 4, Subject::Cycle, Verdict::Done, "daemon");
    vec![record(&notice(7)), record(&of(8, 8)), record(&approved), record(&ended)]
}

const HOSTILE: &str = "\u{1b}[31mEve\u{202e}\u{9b}2J\r\nline\u{2028}";

fn hostile() -> ReportRecord {
    let text = HOSTILE.to_owned();
    let mut record = record(&notice(7));
    for field in [&mut record.user, &mut record.name, &mut record.dn, &mut record.app, &mut record.request_id] {
        *field = Some(text.clone());
    }
    (record.actor, record.action, record.result) = (text.clone(), text.clone(), text.clone());
    record.changes.push(ChangeRecord { field: text.clone(), before: Some(json!(text)), after: Some(json!([text])) });
    if let Some(cause) = &mut record.cause {
        cause.groups = vec![text.clone()];
        cause.evidence = Some(text.clone());
    }
    if let Some(error) = &mut record.error {
        error.message = text;
    }
    record
}

#[test]
fn a_record_on_a_line() {
    let lines: Vec<String> = some().iter().map(line).collect();
    expect![[r#"
        2026-11-23 15:00:07  support  deprovision  done  Ada Lovelace <ada@example.org>  out_of_scope (Support ▸ Tier 1; found, and in none of the groups)  role agent → end-user, suspended no → yes, groups Billing, Support → (none)  throttled: Zendesk asks to wait 90 s
        2026-11-23 15:00:08  support  deprovision  done  User 8 <u8@example.org>  out_of_scope (Support ▸ Tier 1; found, and in none of the groups)  role agent → end-user, suspended no → yes, groups Billing, Support → (none)
        2026-11-23 15:00:09  approve  done  by root (0)
        2026-11-23 15:00:09  cycle  done"#]].assert_eq(&lines.join("\n"));
    expect!["2026-11-23 15:00:07  support  deprovision  done  #00000000000000000000000000000ada  out_of_scope  role, suspended, groups"].assert_eq(&line(&record(&notice(7)).blanked()));
}

#[test]
fn records_in_a_table_of_80() {
    let shown = table(&some(), 80);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    expect![[r#"
        ────────────────────────────────────────────────────────────────────────────────
         Time (UTC)   App       Did           Who                  Why and what
        ════════════════════════════════════════════════════════════════════════════════
         2026-11-23   support   deprovision   Ada Lovelace         out_of_scope
         15:00:07               done          <ada@example.org>    (Support ▸ Tier 1;
                                                                   found, and in none
                                                                   of the groups)
                                                                   role agent →
                                                                   end-user
                                                                   suspended no → yes
                                                                   groups Billing,
                                                                   Support → (none)
                                                                   throttled: Zendesk
                                                                   asks to wait 90 s;
                                                                   the next cycle goes
                                                                   on
        ────────────────────────────────────────────────────────────────────────────────
         2026-11-23   support   deprovision   User 8               out_of_scope
         15:00:08               done          <u8@example.org>     (Support ▸ Tier 1;
                                                                   found, and in none
                                                                   of the groups)
                                                                   role agent →
                                                                   end-user
                                                                   suspended no → yes
                                                                   groups Billing,
                                                                   Support → (none)
        ────────────────────────────────────────────────────────────────────────────────
         2026-11-23             approve                            by root (0)
         15:00:09               done
        ────────────────────────────────────────────────────────────────────────────────
         2026-11-23             cycle
         15:00:09               done
        ────────────────────────────────────────────────────────────────────────────────"#]]
    .assert_eq(&shown);
}

#[test]
fn records_in_blocks_at_40() {
    let shown = table(&some(), 40);
    assert!(shown.lines().all(|line| line.chars().count() <= 40), "{shown}");
    expect![[r#"
        time   2026-11-23 15:00:07
        app    support
        did    deprovision: done
        who    Ada Lovelace <ada@example.org>
        why    out_of_scope (Support ▸ Tier 1;
               found, and in none of the
               groups)
        what   role agent → end-user
               suspended no → yes
               groups Billing, Support →
               (none)
        error  throttled: Zendesk asks to wait
               90 s; the next cycle goes on

        time  2026-11-23 15:00:08
        app   support
        did   deprovision: done
        who   User 8 <u8@example.org>
        why   out_of_scope (Support ▸ Tier 1;
              found, and in none of the
              groups)
        what  role agent → end-user
              suspended no → yes
              groups Billing, Support → (none)

        time  2026-11-23 15:00:09
        did   approve: done
        by    root (0)

        time  2026-11-23 15:00:09
        did   cycle: done"#]]
    .assert_eq(&shown);
}

#[test]
fn no_width_is_too_narrow_or_too_wide() {
    for width in [0, 1, 19, 20, 71, 72, 79, 200, u16::MAX] {
        let shown = table(&some(), width);
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width.max(20)), "{width}: {widest}");
        assert!(shown.contains("Ada"));
    }
    assert!(!table(&[], 80).is_empty());
    assert!(table(&[], 40).is_empty());
}

#[test]
fn nothing_that_was_sent_acts_in_any_view() {
    let record = hostile();
    let mut csv = CsvReport::new(Vec::new()).unwrap();
    csv.write(&record).unwrap();
    let views = [
        line(&record),
        table(std::slice::from_ref(&record), 80),
        table(std::slice::from_ref(&record), 40),
        String::from_utf8(csv.finish().unwrap()).unwrap(),
    ];
    for view in views {
        assert!(!view.chars().any(|c| c != '\n' && escape::acts(c)), "{view:?}");
        assert!(view.contains("\\u{1b}"), "{view}");
    }
    assert_eq!(line(&record).lines().count(), 1);
}

#[test]
fn a_csv_has_these_rows() {
    let mut csv = CsvReport::new(Vec::new()).unwrap();
    for record in some() {
        csv.write(&record).unwrap();
    }
    expect![[r#"
        time,cycle,seq,app,directory,action,result,actor,user,name,directory_id,dn,zendesk_id,cause,groups,evidence,changes,error_type,error,hint,request_id,elapsed_ms
        2026-11-23T15:00:07.250Z,20261123T150000250Z,7,support,corp,deprovision,done,daemon,ada@example.org,Ada Lovelace,00000000000000000000000000000ada,"uid=ada,ou=people,dc=example,dc=org",1234,out_of_scope,Support ▸ Tier 1,"found, and in none of the groups","role agent → end-user, suspended no → yes, groups Billing, Support → (none)",throttled,Zendesk asks to wait 90 s,the next cycle goes on,8c1f,412
        2026-11-23T15:00:08.250Z,20261123T150000250Z,8,support,corp,deprovision,done,daemon,u8@example.org,User 8,00000000000000000000000000000008,"uid=ada,ou=people,dc=example,dc=org",8,out_of_scope,Support ▸ Tier 1,"found, and in none of the groups","role agent → end-user, suspended no → yes, groups Billing, Support → (none)",,,,8c1f,412
        2026-11-23T15:00:09.250Z,20261123T150000250Z,3,,,approve,done,root (0),,,,,,,,,,,,,,
        2026-11-23T15:00:09.250Z,20261123T150000250Z,4,,,cycle,done,daemon,,,,,,,,,,,,,,
    "#]].assert_eq(&String::from_utf8(csv.finish().unwrap()).unwrap());
}

#[test]
fn no_cell_is_a_formula() {
    for start in ["=", "+", "-", "@", "\t", "\r", "\n", "\0"] {
        let text = format!("{start}cmd|' /C calc'!A0");
        let mut record = record(&notice(7));
        for field in [&mut record.user, &mut record.name, &mut record.dn, &mut record.app, &mut record.request_id] {
            *field = Some(text.clone());
        }
        record.actor.clone_from(&text);
        if let Some(cause) = &mut record.cause {
            cause.groups = vec![text.clone()];
            cause.evidence = Some(text.clone());
        }
        if let Some(error) = &mut record.error {
            (error.kind, error.message, error.hint) = (text.clone(), text.clone(), text);
        }
        let mut csv = CsvReport::new(Vec::new()).unwrap();
        csv.write(&record).unwrap();
        let bytes = csv.finish().unwrap();
        let mut read = csv::Reader::from_reader(bytes.as_slice());
        let row = read.records().next().unwrap().unwrap();
        let quoted = row.iter().filter(|cell| cell.starts_with('\'')).count();
        assert_eq!(quoted, 11, "{start:?}: {row:?}");
        assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0'])), "{row:?}");
    }
}
