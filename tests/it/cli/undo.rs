//! `undo`: by the program, over the wire, judged by the sandbox's own state and its record of requests.

use sandbox::zendesk::{Role, UserState};
use serde_json::Value;

use crate::support::company::{delete, disable, dn, hire, leave, mail, set};
use crate::support::rig_cli::{Config, Rig, assignment, me};

/// So many people are lost, beside the company's own.
const HIRED: usize = 10;

fn hired(n: usize) -> String {
    format!("agent{n:02}")
}

/// A company whose agents have a default group and a tag, with more people, and a brake that is wide open.
fn served() -> Rig {
    let mut rig = Rig::unbraked();
    rig.configure(|config: &mut Config| {
        config.brake = "first_cycle = \"apply\"\nremovals_shown = { count = 100, percent = 100 }\n\
                        takes_or_raises = { count = 100, percent = 100 }\ncreations = { count = 100, percent = 100 }\n\
                        source_gone = { count = 100, percent = 100 }"
            .to_owned();
        config.assignments =
            assignment("leads", "custom_role = \"Team lead\"\ngroups = [\"Support\", \"Escalations\"]")
                + &assignment(
                    "support",
                    "role = \"agent\"\ngroups = [\"Support\", \"Escalations\"]\ndefault_group = \"Escalations\"\n\
                 tags = [\"dirsync\"]",
                );
    });
    for n in 0..HIRED {
        rig.change(&hire("tier1", &hired(n), "Agent", &format!("Number {n}")));
    }
    rig.once().expect(0);
    rig
}

/// Every account, with its sets in order, but for when it was written.
fn accounts(rig: &Rig) -> Vec<UserState> {
    let mut users = rig.desk().state().users;
    for user in &mut users {
        user.groups.sort_unstable();
        user.tags.sort();
        user.emails.sort();
        (user.updated_at, user.sessions) = (String::new(), 0);
    }
    users
}

fn last_cycle(rig: &Rig) -> String {
    let last = rig.told("cycle").pop().expect("a cycle");
    last["cycle"].as_str().expect("a name").to_owned()
}

/// Half of the people hired are disabled, the others leave; one of the company's own gets another mail.
fn mishap(rig: &Rig) -> String {
    for n in 0..HIRED {
        rig.change(&if n % 2 == 0 { disable(&hired(n)) } else { leave("tier1", &hired(n)) });
    }
    rig.change(&set(&dn("carol"), "mail", &["chef@example.org"]));
    rig.once().expect(0);
    last_cycle(rig)
}

#[test]
fn a_mishap_is_undone_field_by_field_and_stays_undone() {
    let rig = served();
    let before = accounts(&rig);
    let cycle = mishap(&rig);
    let lost = rig.account(&mail(&hired(0))).unwrap();
    assert!(lost.suspended && lost.groups.is_empty() && lost.role == Role::EndUser, "{lost:?}");

    let mark = rig.mark();
    let shown = rig.run(&["undo", &cycle, "--dry-run"]).expect(0);
    assert!(shown.stdout.contains("suspended: yes → no"), "{}", shown.stdout);
    assert!(shown.stdout.contains("sessions were ended"), "{}", shown.stdout);
    assert!(shown.stdout.contains(&format!("Undo of cycle {cycle}: {} changes", HIRED + 1)), "{}", shown.stdout);
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80), "{}", shown.stdout);
    assert_eq!(rig.writes_since(mark), []);

    let done = rig.run(&["undo", &cycle]).expect(0);
    assert!(done.stderr.contains(&format!("{} done, 0 failed", HIRED + 1)), "{}", done.stderr);
    assert_eq!(accounts(&rig), before);
    let mark = rig.mark();
    for _ in 0..3 {
        rig.once().expect(0);
    }
    assert_eq!(rig.writes_since(mark), []);
    let told: Vec<Value> = rig.told("undo");
    assert_eq!(told.len(), HIRED + 2, "one a person, and one of the whole");
    assert!(told.iter().all(|record| record["actor"] == me().as_str()), "{told:#?}");
    rig.run(&["report", "verify"]).expect(0);

    // The directory says something new of one of them.
    rig.change(&delete(&hired(1)));
    rig.once();
    rig.once();
    assert!(rig.account(&mail(&hired(1))).unwrap().suspended);
    assert!(!rig.account(&mail(&hired(3))).unwrap().suspended);
}

#[test]
fn beside_a_daemon_it_is_carried_out_there() {
    let rig = served();
    let before = accounts(&rig);
    let cycle = mishap(&rig);
    let daemon = rig.daemon();
    let one = mail(&hired(0));
    let done = rig.run(&["undo", &cycle, "--user", &one, "--format", "json"]).expect(0);
    let view: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&view["carried"]["done"], &view["carried"]["failed"]), (&1.into(), &0.into()));
    assert!(!rig.account(&one).unwrap().suspended);
    assert!(rig.account(&mail(&hired(2))).unwrap().suspended, "nobody else");
    rig.run(&["undo", &cycle]).expect(0);
    assert_eq!(accounts(&rig), before);
    let undoing = view["carried"]["cycle"].as_str().unwrap().to_owned();
    rig.run(&["undo", &undoing]).expect(0);
    assert!(rig.account(&one).unwrap().suspended, "an undoing is undone itself");
    assert!(rig.told("undo").iter().all(|record| record["actor"] == me().as_str()));
    drop(daemon);
}

#[test]
fn past_a_limit_it_takes_the_count_off_a_terminal() {
    let mut rig = served();
    let cycle = mishap(&rig);
    rig.configure(|config| config.brake = "creations = { count = 3, percent = 0 }".to_owned());
    let mark = rig.mark();
    let held = rig.run(&["undo", &cycle]).expect(4);
    let all = (HIRED + 1).to_string();
    assert!(held.stderr.contains(&format!("--count {all}")), "{}", held.stderr);
    let wrong = rig.run(&["undo", &cycle, "--count", "3"]).expect(2);
    assert!(wrong.stderr.contains(&format!("3 was given, but {all} would be changed")), "{}", wrong.stderr);
    assert_eq!(rig.writes_since(mark), []);
    rig.run(&["undo", &cycle, "--count", &all]).expect(0);
    assert!(!rig.account(&mail(&hired(0))).unwrap().suspended);
}

#[test]
fn what_cannot_be_found_is_a_wrong_use() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let cycle = last_cycle(&rig);
    for (args, says) in [
        (vec!["undo", "19990101"], "of a cycle 19990101 nothing is kept"),
        (vec!["undo", cycle.as_str(), "--user", "nobody@example.org"], "nobody named nobody@example.org"),
        (vec!["undo", cycle.as_str(), "--app", "sales"], "no app is named \"sales\""),
    ] {
        let refused = rig.run(&args).expect(2);
        let text = refused.stderr.replace("to anybody named", "nobody named");
        assert!(text.contains(says), "{}", refused.stderr);
        assert!(text.contains("hint: "), "{}", refused.stderr);
    }
}
