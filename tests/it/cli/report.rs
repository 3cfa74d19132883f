//! The report: searched, followed, checked.

use std::fs;

use expect_test::expect;
use serde_json::Value;

use crate::support::binary::Finished;
use crate::support::company::{SUPPORT, disable, dn, hire, leave, mail, person, set};
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until};

/// Two cycles: everybody is made, then bob leaves, dave is disabled and carol gets another mail.
fn lived_in() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&(leave("support", "bob") + &disable("dave") + &set(&dn("carol"), "mail", &["chef@example.org"])));
    rig.once().expect(0);
    rig
}

/// A text with every day and time of day in it made the same.
fn timeless(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let fits = |at: usize, shape: &str| {
        let like = |(i, c): (usize, char)| {
            chars.get(at + i).is_some_and(|o| if c == '0' { o.is_ascii_digit() } else { *o == c })
        };
        shape.chars().enumerate().all(like)
    };
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        let known =
            [("0000-00-00", "YYYY-MM-DD"), ("00:00:00", "HH:MM:SS")].into_iter().find(|(shape, _)| fits(at, shape));
        match known {
            Some((shape, word)) => {
                out.push_str(word);
                at += shape.len();
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn records(finished: Finished) -> Vec<Value> {
    finished.expect(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn search(rig: &Rig, filter: &[&str]) -> Vec<Value> {
    records(rig.run(&[&["report", "--format", "json"], filter].concat()))
}

#[test]
fn the_report_is_a_table_that_fits_eighty_columns() {
    let rig = lived_in();
    let shown = rig.run(&["report"]).expect(0).stdout;
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    expect![[r#"
        ────────────────────────────────────────────────────────────────────────────────
         Time (UTC)   App       Did           Who                  Why and what
        ════════════════════════════════════════════════════════════════════════════════
         YYYY-MM-DD   support   provision     Alice Archer <alic   assigned (support)
         HH:MM:SS               done          e@example.org>       name (none) → Alice
                                                                   Archer
                                                                   email (none) →
                                                                   alice@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000001
                                                                   role (none) → agent
                                                                   groups (none) →
                                                                   Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   provision     Bob Baker            assigned (support)
         HH:MM:SS               done          <bob@example.org>    name (none) → Bob
                                                                   Baker
                                                                   email (none) →
                                                                   bob@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000002
                                                                   role (none) → agent
                                                                   groups (none) →
                                                                   Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   provision     Carol Cook <carol@   assigned (support)
         HH:MM:SS               done          example.org>         name (none) → Carol
                                                                   Cook
                                                                   email (none) →
                                                                   carol@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000003
                                                                   role (none) → agent
                                                                   groups (none) →
                                                                   Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   provision     Dave Dyer            assigned (support ▸
         HH:MM:SS               done          <dave@example.org>   tier1)
                                                                   name (none) → Dave
                                                                   Dyer
                                                                   email (none) →
                                                                   dave@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000004
                                                                   role (none) → agent
                                                                   groups (none) →
                                                                   Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   provision     Erin Ekdahl          assigned (support ▸
         HH:MM:SS               done          <erin@example.org>   tier1)
                                                                   name (none) → Erin
                                                                   Ekdahl
                                                                   email (none) →
                                                                   erin@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000005
                                                                   role (none) → agent
                                                                   groups (none) →
                                                                   Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   provision     Frank Fisher <fran   assigned (leads)
         HH:MM:SS               done          k@example.org>       name (none) → Frank
                                                                   Fisher
                                                                   email (none) →
                                                                   frank@example.org
                                                                   external_id (none) →
                                                                   dirsync-000000000000
                                                                   40008000000000000006
                                                                   role (none) → agent
                                                                   (Team lead)
                                                                   groups (none) →
                                                                   Escalations, Support
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD             cycle                              ended (support: 6
         HH:MM:SS               done                               done, 0 failed, 0
                                                                   held, 0 rejected, 0
                                                                   in conflict, of 6
                                                                   accounts)
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   deprovision   Bob Baker            out_of_scope
         HH:MM:SS               done          <bob@example.org>    (support; found, and
                                                                   in none of the
                                                                   groups)
                                                                   suspended no → yes
                                                                   groups Support →
                                                                   (none)
                                                                   role agent →
                                                                   end-user
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   deprovision   Dave Dyer            disabled (support ▸
         HH:MM:SS               done          <dave@example.org>   tier1;
                                                                   pwdAccountLockedTime
                                                                   000001010000Z)
                                                                   suspended no → yes
                                                                   groups Support →
                                                                   (none)
                                                                   role agent →
                                                                   end-user
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD   support   update        Carol Cook           changed (support;
         HH:MM:SS               done          <chef@example.org>   another mail)
                                                                   email
                                                                   carol@example.org →
                                                                   chef@example.org
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
         YYYY-MM-DD             cycle                              ended (support: 3
         HH:MM:SS               done                               done, 0 failed, 0
                                                                   held, 0 rejected, 0
                                                                   in conflict, of 4
                                                                   accounts)
                                                                   by ACTOR
        ────────────────────────────────────────────────────────────────────────────────
    "#]]
    .assert_eq(&timeless(&rig.neat(&shown)));
}

#[test]
fn each_filter_finds_its_records() {
    let rig = lived_in();
    let all = search(&rig, &[]);
    assert_eq!(search(&rig, &["--app", "support"]).len() + search_without_app(&all), all.len());
    assert_eq!(search(&rig, &["--app", "sales"]).len(), 0);
    assert_eq!(search(&rig, &["--action", "deprovision"]).len(), 2);
    assert_eq!(search(&rig, &["--action", "provision"]).len(), SUPPORT.len() + 1);
    assert_eq!(search(&rig, &["--result", "done", "--action", "update"]).len(), 1);
    assert_eq!(search(&rig, &["--result", "refused"]).len(), 0);
    let cycles: Vec<&str> = all.iter().filter_map(|record| record["cycle"].as_str()).collect();
    let (first, last) = (cycles[0], cycles[cycles.len() - 1]);
    let of = |cycle: &str| cycles.iter().filter(|one| **one == cycle).count();
    assert_eq!(search(&rig, &["--cycle", first]).len(), of(first));
    assert_eq!(search(&rig, &["--cycle", last]).len(), of(last));
    assert_eq!(search(&rig, &["--since", "1h"]).len(), all.len());
    assert_eq!(search(&rig, &["--until", "2020-01-01"]).len(), 0);
    assert_eq!(search(&rig, &["--since", "2020-01-01", "--until", "2999-12-31T00:00:00Z"]).len(), all.len());
    let time = all[all.len() - 1]["time"].as_str().unwrap();
    let since = search(&rig, &["--since", time]);
    assert!(!since.is_empty() && since.len() < all.len(), "{time}: {}", since.len());
}

fn search_without_app(all: &[Value]) -> usize {
    all.iter().filter(|record| record["app"].is_null()).count()
}

#[test]
fn a_person_is_found_by_the_new_mail_and_by_the_old_one() {
    let rig = lived_in();
    let by_new = search(&rig, &["--user", "chef@example.org"]);
    assert_eq!(
        by_new.iter().map(|record| record["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["provision", "update"]
    );
    assert_eq!(search(&rig, &["--user", &mail("carol")]), by_new);
    assert_eq!(search(&rig, &["--user", "Carol Cook"]), by_new);
    let id = by_new[0]["directory_id"].as_str().unwrap();
    assert_eq!(search(&rig, &["--user", id]), by_new);
    let zendesk = by_new[0]["zendesk_id"].to_string();
    assert_eq!(search(&rig, &["--user", &zendesk]), by_new);
    assert_eq!(search(&rig, &["--user", "nobody@example.org"]), Vec::<Value>::new());
}

#[test]
fn wrong_filters_are_wrong_use() {
    let rig = lived_in();
    for filter in [["--since", "yesterday"], ["--action", "promote"], ["--result", "maybe"]] {
        let refused = rig.run(&[&["report"][..], &filter].concat()).expect(2);
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains("hint: ") || refused.stderr.contains("possible values"), "{}", refused.stderr);
    }
}

#[test]
fn the_report_can_go_to_a_file_and_to_a_spreadsheet() {
    let rig = lived_in();
    let sheet = rig.run(&["report", "--format", "csv"]).expect(0).stdout;
    let mut lines = sheet.lines();
    expect!["time,cycle,seq,app,directory,action,result,actor,user,name,directory_id,dn,zendesk_id,cause,groups,evidence,changes,error_type,error,hint,request_id,elapsed_ms"].assert_eq(lines.next().unwrap());
    assert_eq!(lines.count(), search(&rig, &[]).len());
    let file = rig.path("out.csv").display().to_string();
    let quiet = rig.run(&["report", "--format", "csv", "--out", &file]).expect(0);
    assert_eq!(quiet.stdout, "");
    assert_eq!(rig.read("out.csv"), sheet);
}

#[test]
fn the_records_have_the_fields_of_version_1() {
    let rig = lived_in();
    let record = search(&rig, &["--user", "chef@example.org", "--action", "update"]).remove(0);
    let keys: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
    expect!["action actor app cause changes commit cycle directory directory_id dn elapsed_ms name prev request_id result salt seq time user v zendesk_id"].assert_eq(&keys.join(" "));
    assert_eq!(
        record["changes"][0],
        serde_json::json!({
            "field": "email", "before": "carol@example.org", "after": "chef@example.org"
        })
    );
}

#[test]
fn verifying_a_report_that_nobody_touched_succeeds() {
    let rig = lived_in();
    expect![[r#"
        11 records, 0 faults; the chain begins with the first record
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["report", "verify"]).expect(0).all()));
}

#[test]
fn one_fault_is_one_fault_and_what_verifying_says_is_folded() {
    let rig = lived_in();
    let text = rig.read("report.log").replacen("\"done\"", "\"held\"", 1);
    rig.write("report.log", &text);
    let said = rig.run(&["report", "verify"]).expect(1).stdout;
    assert!(said.contains("11 records, 1 fault; the chain begins with the first record"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn a_record_that_was_changed_dropped_or_moved_is_found() {
    let tamper: [fn(&mut Vec<String>); 4] = [
        |lines| lines[2] = lines[2].replace("agent", "admin"),
        |lines| drop(lines.remove(2)),
        |lines| lines.swap(1, 2),
        |lines| drop(lines.drain(..2)),
    ];
    for change in tamper {
        let rig = lived_in();
        let mut lines: Vec<String> = rig.read("report.log").lines().map(str::to_owned).collect();
        let before = lines.clone();
        change(&mut lines);
        assert_ne!(lines, before);
        rig.write("report.log", &(lines.join("\n") + "\n"));
        let verified = rig.run(&["report", "verify"]);
        assert!(verified.code != Some(0), "{verified:?}");
    }
}

#[test]
fn following_shows_new_records_and_survives_a_rotation() {
    let mut rig = Rig::unbraked();
    rig.configure(|config| {
        config.brake += "\ncreations = { count = 1000, percent = 100 }";
        config.report = "max_size = \"64 KiB\"".to_owned();
    });
    rig.once().expect(0);
    let follow = rig.start(&["report", "--follow"]);
    let hire_many = |from: usize| {
        let one = |n| hire("support", &format!("new{n:03}"), "New", &format!("Hire{n:03}"));
        rig.change(&(from..from + 60).map(one).collect::<String>());
    };
    for from in [0, 60] {
        hire_many(from);
        rig.once().expect(0);
    }
    let files = fs::read_dir(rig.dir()).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let rotated = files.filter(|name| name.starts_with("report.log")).count();
    assert!(rotated > 1, "the report was not rotated");
    until(SOON, "the last record", || follow.stdout().contains(&mail("new119")).then_some(()));
    for n in 0..120 {
        let whom = format!("<{}>", mail(&format!("new{n:03}")));
        assert_eq!(follow.stdout().matches(&whom).count(), 1, "new{n:03}");
    }
    let shown = follow.stdout();
    assert_eq!(follow.kill().signal, Some(9));
    expect!["YYYY-MM-DD HH:MM:SS  support  provision  done  New Hire000 <new000@example.org>  assigned (support)  name (none) → New Hire000, email (none) → new000@example.org, external_id (none) → dirsync-2643e98de0ac59b69cfcaf45a5197265, role (none) → agent, groups (none) → Support  by ACTOR"].assert_eq(&timeless(&rig.neat(shown.lines().find(|line| line.contains("new000")).unwrap())));
    rig.run(&["report", "verify"]).expect(0);
    assert_eq!(
        search(&rig, &["--action", "provision"]).len(),
        120 + SUPPORT.len() + 1,
        "closed files are searched too"
    );
}

#[test]
fn a_torn_last_line_is_mended_and_nothing_is_lost() {
    let rig = lived_in();
    let whole = search(&rig, &[]).len();
    let text = rig.read("report.log");
    rig.write("report.log", &(text + "{\"v\":1,\"time\":\"2026-"));
    rig.change(&person("later", "Lara", "Later", Some(&mail("later"))));
    rig.change(&crate::support::company::join("support", "later"));
    rig.once().expect(0);
    assert_eq!(search(&rig, &[]).len(), whole + 2);
    rig.run(&["report", "verify"]).expect(0);
}
