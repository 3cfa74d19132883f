//! What waits for a person: listed, shown, approved, rejected.

use expect_test::expect;

use crate::support::company::{SUPPORT, mail};
use crate::support::rig_cli::{Rig, me};

fn waiting() -> (Rig, String) {
    let rig = Rig::new();
    rig.once().expect(4);
    let holds = rig.holds();
    assert_eq!(holds.len(), 1);
    let id = holds[0]["id"].as_str().unwrap()[..8].to_owned();
    (rig, id)
}

#[test]
fn what_waits_is_listed_and_shown() {
    let (rig, id) = waiting();
    expect![[r#"
        DIGEST  support  6 changes  waiting  since TIME
            the first cycle of this app waits for a look
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
    expect![[r#"
        DIGEST  support  6 changes  waiting  since TIME
            the first cycle of this app waits for a look

        provision    alice@example.org  Alice Archer
            because assigned (support)
            name: (none) → Alice Archer
            email: (none) → alice@example.org
            external_id: (none) → dirsync-00000000000040008000000000000001
            role: (none) → agent
            groups: (none) → Support

        provision    bob@example.org  Bob Baker
            because assigned (support)
            name: (none) → Bob Baker
            email: (none) → bob@example.org
            external_id: (none) → dirsync-00000000000040008000000000000002
            role: (none) → agent
            groups: (none) → Support

        provision    carol@example.org  Carol Cook
            because assigned (support)
            name: (none) → Carol Cook
            email: (none) → carol@example.org
            external_id: (none) → dirsync-00000000000040008000000000000003
            role: (none) → agent
            groups: (none) → Support

        provision    dave@example.org  Dave Dyer
            because assigned (support ▸ tier1)
            name: (none) → Dave Dyer
            email: (none) → dave@example.org
            external_id: (none) → dirsync-00000000000040008000000000000004
            role: (none) → agent
            groups: (none) → Support

        provision    erin@example.org  Erin Ekdahl
            because assigned (support ▸ tier1)
            name: (none) → Erin Ekdahl
            email: (none) → erin@example.org
            external_id: (none) → dirsync-00000000000040008000000000000005
            role: (none) → agent
            groups: (none) → Support

        provision    frank@example.org  Frank Fisher
            because assigned (leads)
            name: (none) → Frank Fisher
            email: (none) → frank@example.org
            external_id: (none) → dirsync-00000000000040008000000000000006
            role: (none) → agent (Team lead)
            groups: (none) → Escalations, Support

        To let these 6 go on: zendesk-dirsync holds approve DIGEST --count 6
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["holds", "show", &id]).expect(0).stdout));
    assert_eq!(rig.run(&["holds", "list"]).expect(0).stdout, rig.run(&["holds"]).expect(0).stdout);
    let shown = rig.run(&["holds", "show", &id, "--format", "json"]).expect(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["changes"].as_array().unwrap().len(), 6);
    assert_eq!((&shown["state"], &shown["code"]), (&"waiting".into(), &"first_cycle".into()));
}

#[test]
fn off_a_terminal_an_approval_needs_the_count_that_was_shown() {
    let (rig, id) = waiting();
    let without = rig.run(&["holds", "approve", &id]).expect(2);
    expect![[r#"
        error: without a terminal to ask on, the number of changes must be given
          hint: after `holds show DIGEST`: --count N
    "#]]
    .assert_eq(&rig.neat(&without.all()));
    let wrong = rig.run(&["holds", "approve", &id, "--count", "5"]).expect(2);
    expect![[r#"
        error: 5 was given, but 6 changes wait: look at `holds show DIGEST` again
          hint: `zendesk-dirsync holds list` shows what waits
    "#]]
    .assert_eq(&rig.neat(&wrong.all()));
    let unknown = rig.run(&["holds", "approve", "ffffffff", "--count", "6"]).expect(2);
    expect![[r#"
        error: no hold has the id ffffffff; it may have been replaced because what waits
            has changed: see `holds list`
          hint: `zendesk-dirsync holds list` shows what waits
    "#]]
    .assert_eq(&unknown.all());
    rig.once().expect(4);
    assert_eq!(rig.writes_since(0), []);

    let approved = rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    expect![[r#"
        hold DIGEST: 6 changes go on in the next cycle (`zendesk-dirsync --once` runs
            one now).
    "#]]
    .assert_eq(&rig.neat(&approved.all()));
    let told = rig.told("approve");
    assert_eq!((told.len(), told[0]["actor"].as_str()), (1, Some(me().as_str())));
    rig.once().expect(0);
    rig.assert_served(&SUPPORT);
}

#[test]
fn an_approval_works_once() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    rig.once().expect(0);
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(2);
    expect![[r#"
        Nothing waits.
    "#]]
    .assert_eq(&rig.run(&["holds"]).expect(0).stdout);
}

#[test]
fn one_persons_part_can_be_approved_alone() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--user", &mail("alice"), "--count", "1"]).expect(0);
    rig.once().expect(4);
    rig.assert_served(&["alice"]);
    rig.assert_unserved(&["bob", "frank"]);
    rig.run(&["holds", "approve", &id, "--user", "nobody@example.org", "--count", "1"]).expect(2);
}

#[test]
fn several_people_can_be_approved_and_rejected_by_name() {
    let (rig, id) = waiting();
    rig.run(&["holds", "reject", &id, "--user", "nobody@example.org"]).expect(2);
    let rejected = rig.run(&["holds", "reject", &id, "--user", &mail("bob"), "--user", "Carol Cook"]).expect(0);
    expect![[r#"
        hold DIGEST: 2 changes rejected; they stay undone.
    "#]]
    .assert_eq(&rig.neat(&rejected.all()));
    rig.once().expect(4);
    assert_eq!(rig.writes_since(0), []);
    expect![[r#"
        DIGEST  support  4 changes  waiting  since TIME
            others of this hold were decided about, these not
        DIGEST  support  2 changes  rejected  since TIME
            the first cycle of this app waits for a look
            ACTOR decided against it at TIME
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
    let holds = rig.holds();
    let left = holds.iter().find(|hold| hold["state"] == "waiting").unwrap()["id"].as_str().unwrap().to_owned();
    let named = ["holds", "approve", &left, "--user", &mail("alice"), "--user", "Frank Fisher", "--count", "2"];
    expect![[r#"
        hold DIGEST: 2 changes go on in the next cycle (`zendesk-dirsync --once` runs
            one now).
    "#]]
    .assert_eq(&rig.neat(&rig.run(&named).expect(0).all()));
    let shown = rig.run(&["holds", "show", &left]).expect(0).stdout;
    let people: Vec<&str> = shown.lines().filter(|line| line.starts_with("provision")).collect();
    expect![[r#"
        provision    alice@example.org  Alice Archer
        provision    dave@example.org  Dave Dyer  [waiting]
        provision    erin@example.org  Erin Ekdahl  [waiting]
        provision    frank@example.org  Frank Fisher"#]]
    .assert_eq(&people.join("\n"));
    let hold = rig.holds().into_iter().find(|hold| hold["id"] == left.as_str()).unwrap();
    let time = |value: &serde_json::Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let (since, until) = (time(&hold["since"]), time(&hold["until"]));
    assert_eq!((until - since).num_days(), 7, "{hold}");
    assert!(shown.contains(hold["until"].as_str().unwrap()), "{shown}");
    rig.once().expect(4);
    rig.assert_served(&["alice"]);
    assert!(rig.account(&mail("frank")).is_some());
    rig.assert_unserved(&["bob", "carol", "dave", "erin"]);
    let told = rig.told("reject");
    assert_eq!((told.len(), told[0]["actor"].as_str()), (1, Some(me().as_str())));
}

#[test]
fn what_is_read_on_a_terminal_fits_eighty_columns() {
    let (rig, id) = waiting();
    for args in [&["holds"][..], &["holds", "show", &id], &["plan"], &["status"], &["--once"]] {
        let said = rig.run(args).all();
        let long: Vec<&str> = said.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(long, Vec::<&str>::new(), "{args:?}");
    }
}

#[test]
fn a_rejected_hold_stays_undone_and_no_longer_counts_as_waiting() {
    let (rig, id) = waiting();
    let rejected = rig.run(&["holds", "reject", &id]).expect(0);
    expect![[r#"
        hold DIGEST: 6 changes rejected; they stay undone.
    "#]]
    .assert_eq(&rig.neat(&rejected.all()));
    rig.once().expect(0);
    assert_eq!(rig.writes_since(0), []);
    assert_eq!(rig.told("reject").len(), 1);
    expect![[r#"
        DIGEST  support  6 changes  rejected  since TIME
            the first cycle of this app waits for a look
            ACTOR decided against it at TIME
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["holds"]).expect(0).stdout));
}

#[test]
fn what_changes_meanwhile_makes_another_hold() {
    let (rig, id) = waiting();
    rig.run(&["holds", "approve", &id, "--count", "6"]).expect(0);
    rig.change(&crate::support::company::hire("support", "gail", "Gail", "Gray"));
    rig.once().expect(4);
    rig.assert_served(&SUPPORT);
    rig.assert_unserved(&["gail"]);
    rig.approve_everything();
    rig.once().expect(0);
    rig.assert_served(&["gail"]);
}

#[test]
fn the_status_tells_what_waits_and_since_when() {
    let (rig, _) = waiting();
    expect![[r#"
        daemon         not running
        last cycle     CYCLE ended TIME with 4: support: 0
            done, 0 failed, 6 held, 0 rejected, 0 in conflict, of 0 accounts
        last complete  0s ago (CYCLE)
        accounts       support: 0 managed and active
        waiting        6 changes for a person since TIME
    "#]]
    .assert_eq(&rig.neat(&rig.run(&["status"]).expect(0).stdout));
    let status = rig.run(&["status", "--format", "json"]).expect(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["held"], &status["daemon"]), (&6.into(), &serde_json::Value::Null));
    assert!(status["held_since"].is_string() && status["read_age_s"].is_number(), "{status}");
}
