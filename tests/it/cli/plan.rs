//! Plans: shown, and nothing is changed by it.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;

use crate::support::company::{STRANGER_MAIL, disable, dn, hire, join, leave, mail, person, set};
use crate::support::rig_cli::Rig;

fn json(rig: &Rig, args: &[&str]) -> Value {
    let shown = rig.run(&[&["plan", "--format", "json"], args].concat());
    assert_eq!(shown.stderr, "", "nothing beside the JSON");
    serde_json::from_str(&shown.stdout).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Somebody of every kind is in the plan.
fn varied() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&hire("tier1", "gail", "Gail", "Gray"));
    rig.change(&(leave("support", "bob") + &disable("dave") + &join("leads", "alice")));
    rig.change(&(set(&dn("carol"), "mail", &["chef@example.org"]) + &set(&dn("erin"), "mail", &[])));
    rig.change(&(person("casey", "Casey", "Clash", Some(STRANGER_MAIL)) + &join("support", "casey")));
    rig
}

#[test]
fn a_plan_is_readable_at_eighty_columns() {
    let rig = varied();
    let shown = rig.run(&["plan"]).expect(0);
    expect![[r#"
        deprovision  bob@example.org  Bob Baker
            because out_of_scope (support): found, and in none of the groups
            suspended: no → yes
            groups: Support → (none)
            role: agent → end-user
        deprovision  dave@example.org  Dave Dyer
            because disabled (support ▸ tier1): pwdAccountLockedTime 000001010000Z
            suspended: no → yes
            groups: Support → (none)
            role: agent → end-user
        update       alice@example.org  Alice Archer
            because changed (leads; support): another role
            role: agent → agent (Team lead)
            groups: Support → Escalations, Support
        update       chef@example.org  Carol Cook
            because changed (support): another mail
            email: carol@example.org → chef@example.org
        provision    gail@example.org  Gail Gray
            because assigned (support ▸ tier1)
            name: (none) → Gail Gray
            email: (none) → gail@example.org
            external_id: (none) → dirsync-29f296db51c65c348bfa2e1431488f65
            role: (none) → agent
            groups: (none) → Support
        rejected     Erin Ekdahl
            email: no mail address
        conflict     casey@customer.test
            an end user with this mail existed before, and `adopt` doesn't list its kind
                (account 103)
            hint: list its kind in `matching.adopt`, or free the mail at Zendesk

        Plan DIGEST: 2 deprovision of 6 accounts, 1 provision of 6 accounts, 2 update
            of 6 accounts
    "#]]
    .assert_eq(&rig.neat(&shown.stdout));
}

#[test]
fn a_dry_run_shows_the_plan() {
    let rig = varied();
    let (plan, dry) = (rig.run(&["plan"]).expect(0), rig.run(&["--dry-run"]).expect(0));
    assert_eq!(plan.stdout, dry.stdout);
}

#[test]
fn showing_a_plan_changes_nothing() {
    let rig = varied();
    let mark = rig.mark();
    let (report, status) = (rig.read("report.log"), rig.run(&["status"]).expect(0).stdout);
    for args in [&["plan"][..], &["--dry-run"], &["plan", "--user", &mail("bob")], &["plan", "--format", "json"]] {
        rig.run(args).expect(0);
    }
    assert_eq!(rig.writes_since(mark), []);
    assert_eq!(rig.read("report.log"), report);
    let words =
        |text: &str| text.lines().filter(|line| !line.contains("complete")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&rig.run(&["status"]).expect(0).stdout), words(&status));
}

#[test]
fn a_script_can_ask_whether_there_is_something_to_do() {
    let rig = Rig::unbraked();
    rig.run(&["plan", "--exit-code"]).expect(10);
    rig.run(&["plan"]).expect(0);
    rig.once().expect(0);
    let empty = rig.run(&["plan", "--exit-code"]).expect(0);
    expect![[r#"
        Nothing to do.
    "#]]
    .assert_eq(&empty.stdout);
}

#[test]
fn what_waits_is_something_to_do() {
    let rig = Rig::new();
    rig.run(&["plan", "--exit-code"]).expect(10);
    rig.once().expect(4);
    let plan = json(&rig, &[]);
    assert!(plan["changes"].as_array().unwrap().iter().all(|change| change["held"]["limit"] == "first_cycle"));
}

#[test]
fn the_same_directory_gives_the_same_plan_byte_for_byte() {
    let rig = varied();
    let [first, second] = [(); 2].map(|()| rig.run(&["plan", "--format", "json"]).expect(0).stdout);
    assert_eq!(first, second);
}

#[test]
fn the_json_is_plan_format_1() {
    let rig = varied();
    let plan = json(&rig, &[]);
    assert_eq!(plan["format"], 1);
    let contract = BTreeSet::from(["format", "digest", "based_on", "changes", "rejected", "conflicts", "counts"]);
    assert!(keys(&plan).is_superset(&contract), "{:?}", keys(&plan));
    assert_eq!(keys(&plan["based_on"]), BTreeSet::from(["store", "config", "directories", "apps"]));
    let fields =
        BTreeSet::from(["digest", "app", "action", "user", "directory_id", "zendesk_id", "cause", "changes", "held"]);
    for change in plan["changes"].as_array().unwrap() {
        assert!(keys(change).is_superset(&fields), "{change}");
        assert!(change["cause"]["code"].is_string());
        assert_eq!(change["digest"].as_str().map(str::len), Some(64));
        for field in change["changes"].as_array().unwrap() {
            assert_eq!(keys(field), BTreeSet::from(["field", "before", "after"]));
        }
    }
    let kinds: Vec<String> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", text(&change["action"]), text(&change["user"]), text(&change["cause"]["code"]))
        })
        .collect();
    expect![[r#"
        deprovision bob@example.org out_of_scope
        deprovision dave@example.org disabled
        update alice@example.org changed
        update chef@example.org changed
        provision gail@example.org assigned"#]]
    .assert_eq(&kinds.join("\n"));
    assert!(keys(&plan["rejected"][0]).contains("why"));
    assert_eq!(plan["rejected"].as_array().unwrap().len(), 1);
    assert_eq!(plan["conflicts"][0]["user"], STRANGER_MAIL);
    expect![[r#"{"deprovision":{"n":2,"of":6},"provision":{"n":1,"of":6},"update":{"n":2,"of":6}}"#]]
        .assert_eq(&plan["counts"].to_string());
}

#[test]
fn a_plan_can_be_narrowed_to_a_person_and_an_app() {
    let rig = varied();
    let plan = json(&rig, &["--user", &mail("bob"), "--app", "support"]);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!((changes.len(), changes[0]["user"].as_str()), (1, Some(mail("bob").as_str())));
    let unknown = rig.run(&["plan", "--app", "sales"]).expect(2);
    expect![[r#"
        error: no app is named "sales"; the configuration has support
          hint: use one of these names
    "#]]
    .assert_eq(&unknown.all());
}
