//! People and names that can't be served: each is told when it begins, everybody else is served.

use expect_test::expect;

use crate::support::company::{LEADS, STRANGER, STRANGER_MAIL, SUPPORT, dn, hire, join, mail, person, set};
use crate::support::rig_cli::{Rig, assignment, brief};

/// The cycle in which the trouble begins ends with 1, the next with 0 and without news; `gail` is served meanwhile.
#[track_caller]
fn assert_told_once(rig: &Rig, kind: &str) -> String {
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    let begins = rig.once().expect(1);
    rig.assert_served(&["gail"]);
    let told: Vec<String> = rig.told(kind).iter().map(brief).collect();
    assert!(!told.is_empty(), "no record of {kind}");
    let mark = rig.mark();
    rig.once().expect(0);
    assert_eq!(rig.writes_since(mark), []);
    assert_eq!(rig.told(kind).len(), told.len(), "it is told once");
    let why: Vec<_> =
        rig.told(kind).iter().map(|record| record["error"]["message"].as_str().unwrap().to_owned()).collect();
    format!("{}{}\n{}\n", rig.neat(&begins.stderr), told.join("\n"), why.join("\n"))
}

fn served() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig
}

#[test]
fn a_person_without_a_mail_is_told_once_and_stays_as_they_are() {
    let rig = served();
    rig.change(&set(&dn("alice"), "mail", &[]));
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 1 done, 0 failed, 0 held, 1 rejected,
            0 in conflict, of 7 accounts
        skipped rejected -
        email: no mail address
    "#]]
    .assert_eq(&assert_told_once(&rig, "rejected"));
    rig.assert_served(&["alice"]);
    rig.change(&set(&dn("alice"), "mail", &[&mail("alice")]));
    rig.once().expect(0);
    expect!["done - -"].assert_eq(&rig.last_told("rejected"));
}

#[test]
fn a_new_person_without_a_mail_gets_no_account() {
    let rig = served();
    rig.change(&(person("nomail", "Nora", "Nomail", None) + &join("support", "nomail")));
    let before = rig.desk().state().users.len();
    assert_told_once(&rig, "rejected");
    assert_eq!(rig.desk().state().users.len(), before + 1, "gail alone");
}

#[test]
fn two_people_with_one_mail_are_both_told_and_left_alone() {
    let rig = served();
    let twins = person("twin1", "Tim", "Twin", Some("twin@example.org"))
        + &person("twin2", "Tom", "Twin", Some("twin@example.org"))
        + &join("support", "twin1")
        + &join("support", "twin2");
    rig.change(&twins);
    let text = assert_told_once(&rig, "rejected");
    assert_eq!(text.matches("give one of them another").count(), 2, "{text}");
    assert!(rig.account("twin@example.org").is_none());
    assert_eq!(rig.told("rejected").len(), 2);
}

#[test]
fn a_mail_that_a_strangers_account_holds_is_a_conflict() {
    let rig = served();
    let before = rig.desk().state().user_by_id(STRANGER).cloned();
    rig.change(&(person("casey", "Casey", "Clash", Some(STRANGER_MAIL)) + &join("support", "casey")));
    expect![[r#"
        corp: read in full, 35 entries, 3 groups
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 1 done, 0 failed, 0 held, 0 rejected,
            1 in conflict, of 7 accounts
        skipped conflict casey@customer.test
        an end user with this mail existed before, and `adopt` doesn't list its kind
    "#]]
    .assert_eq(&assert_told_once(&rig, "conflict"));
    assert_eq!(rig.desk().state().user_by_id(STRANGER).cloned(), before);
}

#[test]
fn a_new_mail_that_a_stranger_holds_is_a_conflict_and_changes_nothing() {
    let rig = served();
    rig.change(&set(&dn("alice"), "mail", &[STRANGER_MAIL]));
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 1 done, 0 failed, 0 held, 0 rejected,
            1 in conflict, of 7 accounts
        skipped conflict casey@customer.test
        account 103 holds the wanted address casey@customer.test
    "#]]
    .assert_eq(&assert_told_once(&rig, "conflict"));
    rig.assert_served(&["alice"]);
}

#[test]
fn an_admins_account_is_never_adopted() {
    let rig = served();
    rig.change(&(person("adam", "Adam", "Admin", Some("adam@example.org")) + &join("support", "adam")));
    let before = rig.account("adam@example.org");
    expect![[r#"
        corp: read in full, 35 entries, 3 groups
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 1 done, 0 failed, 0 held, 0 rejected,
            1 in conflict, of 7 accounts
        skipped conflict adam@example.org
        the account with this mail is an admin's
    "#]]
    .assert_eq(&assert_told_once(&rig, "conflict"));
    assert_eq!(rig.account("adam@example.org"), before);
}

#[test]
fn an_unknown_custom_role_is_told_once_and_the_others_are_served() {
    let mut rig = Rig::unbraked();
    rig.configure(|config| config.assignments = config.assignments.replace("Team lead", "Wizard"));
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     provision alice@example.org (assigned)
          done     provision bob@example.org (assigned)
          done     provision carol@example.org (assigned)
          done     provision dave@example.org (assigned)
          done     provision erin@example.org (assigned)
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 6 done, 0 failed, 0 held, 1 rejected,
            0 in conflict, of 6 accounts
        skipped rejected frank@example.org
        role: Zendesk has no custom role named "Wizard"
    "#]]
    .assert_eq(&assert_told_once(&rig, "rejected"));
    rig.assert_served(&SUPPORT);
    rig.assert_unserved(&LEADS);
}

#[test]
fn an_unknown_zendesk_group_is_told_once_and_the_others_are_served() {
    let mut rig = Rig::unbraked();
    rig.configure(|config| {
        config.assignments = assignment("leads", "role = \"agent\"\ngroups = [\"Nowhere\"]")
            + &assignment("support", "role = \"agent\"\ngroups = [\"Support\"]");
    });
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     provision alice@example.org (assigned)
          done     provision bob@example.org (assigned)
          done     provision carol@example.org (assigned)
          done     provision dave@example.org (assigned)
          done     provision erin@example.org (assigned)
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 6 done, 0 failed, 0 held, 1 rejected,
            0 in conflict, of 6 accounts
        skipped rejected frank@example.org
        groups: Zendesk has no group named "Nowhere"
    "#]]
    .assert_eq(&assert_told_once(&rig, "rejected"));
    rig.assert_served(&SUPPORT);
    rig.assert_unserved(&LEADS);
}

#[test]
fn hostile_text_from_the_directory_reaches_neither_terminal_nor_sheet() {
    let rig = served();
    let name = "\u{1b}[31mEve\u{202e} =1+1";
    rig.change(&hire("support", "eve", "Eve", "Evil"));
    rig.change(&set(&dn("eve"), "displayName", &[name]));
    let plan = rig.run(&["plan"]).expect(0);
    let cycle = rig.once().expect(0);
    let shown = rig.run(&["report", "--user", &mail("eve")]).expect(0);
    let sheet = rig.run(&["report", "--user", &mail("eve"), "--format", "csv"]).expect(0);
    for text in [plan.all(), cycle.all(), shown.all(), sheet.all()] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
    assert!(rig.account(&mail("eve")).is_some());
}
