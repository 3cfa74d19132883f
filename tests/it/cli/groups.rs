//! Assigned groups, listed and pinned anew, and a cycle for one person: with the program against the sandbox.

use expect_test::expect;

use crate::support::company::{SUPPORT, dn, group, group_dn, mail, set};
use crate::support::rig_cli::{Rig, me};

fn served() -> Rig {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig
}

/// Text without its folds.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The group support is deleted and made anew under its name, without alice.
fn made_anew(rig: &Rig) {
    let members = [dn("bob"), dn("carol"), group_dn("tier1")];
    let anew = group("support", &members);
    rig.change(&format!("dn: {}\nchangetype: delete\n\n{anew}", group_dn("support")));
}

#[test]
fn assigned_groups_are_listed_as_the_directory_has_them_now() {
    let rig = Rig::unbraked();
    let before = rig.run(&["groups"]).expect(0).stdout;
    assert_eq!(before.matches("new ").count(), 2, "{before}");
    rig.once().expect(0);
    let mark = rig.mark();
    expect![[r#"
        found      corp: cn=leads,ou=groups,dc=example,dc=org
            for support
            pinned to guid:404055a8-36e6-597d-884d-b9cdcf20ded9
            cn=leads,ou=groups,dc=example,dc=org: 1 direct member
        found      corp: cn=support,ou=groups,dc=example,dc=org
            for support
            pinned to guid:3628c5f3-9f70-5795-ac43-967aa8223023
            cn=support,ou=groups,dc=example,dc=org: 4 direct members
    "#]]
    .assert_eq(&rig.run(&["groups", "list"]).expect(0).stdout);
    made_anew(&rig);
    let listed = rig.run(&["groups", "list", "--format", "json"]).expect(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["groups"][1]["state"], "recreated");
    assert!(rig.requests_since(mark).is_empty(), "Zendesk isn't asked");
}

#[test]
fn a_directory_that_is_down_is_told_and_the_pins_are_shown() {
    let mut rig = served();
    rig.configure(|config| config.url = Some("ldaps://127.0.0.1:1".to_owned()));
    let listed = rig.run(&["groups"]).expect(5).stdout;
    assert!(listed.contains("unknown") && listed.contains("pinned to guid:404055a8"), "{listed}");
    rig.run(&["groups", "repin", &group_dn("support"), "--yes"]).expect(5);
}

#[test]
fn a_group_that_was_made_anew_is_pinned_by_a_persons_word_and_its_losses_wait() {
    let rig = served();
    made_anew(&rig);
    rig.once().expect(4);
    let text = group_dn("support");
    rig.run(&["groups", "repin", &text]).expect(2);
    rig.run(&["groups", "repin", "support", "--yes"]).expect(2);
    let wrong = flat(&rig.run(&["groups", "repin", "support"]).expect(2).all());
    assert!(wrong.contains("no assignment has the text \"support\"") && !wrong.contains("--yes"), "{wrong}");
    let done = rig.run(&["groups", "repin", &text, "--yes"]).expect(0);
    let text_of = flat(&done.stdout);
    let from = "from guid:3628c5f3-9f70-5795-ac43-967aa8223023 (not there any more)";
    let to = " cn=support,ou=groups,dc=example,dc=org: 3 direct members Pinned.";
    assert!(text_of.contains(from) && text_of.contains(to), "{text_of}");
    assert_eq!(rig.told("repin")[0]["actor"].as_str(), Some(me().as_str()));
    let mark = rig.mark();
    rig.once().expect(4);
    assert!(rig.writes_since(mark).is_empty(), "alice's removal waits");
    rig.assert_served(&SUPPORT);
    rig.approve_everything();
    rig.once().expect(0);
    assert!(rig.account(&mail("alice")).unwrap().suspended);
    rig.assert_served(&SUPPORT[1..]);
    let again = rig.run(&["groups", "repin", &text, "--yes"]).expect(0);
    assert!(flat(&again.stdout).contains("pinned to the right group already"), "{}", again.stdout);
}

#[test]
fn a_cycle_for_one_person_refuses_a_name_that_fits_nobody_or_several() {
    let rig = served();
    rig.change(&set(&dn("bob"), "displayName", &["Robin Reed"]));
    rig.change(&set(&dn("carol"), "displayName", &["Robin Reed"]));
    let mark = rig.mark();
    let nobody = flat(&rig.run(&["--once", "--user", "zoe@example.org"]).expect(2).all());
    let expected = "error: nobody who is managed or in an assigned group is named \"zoe@example.org\" hint: people are \
                    named by mail, name or immutable id";
    assert!(nobody.ends_with(expected), "{nobody}");
    let several = rig.run(&["--once", "--user", "Robin Reed"]).expect(2).all();
    assert!(several.contains("2 people are named") && several.contains(&mail("carol")), "{several}");
    assert!(rig.writes_since(mark).is_empty());
    rig.run(&["--once", "--user", &mail("bob")]).expect(0);
    assert_eq!(rig.account(&mail("bob")).unwrap().name, "Robin Reed");
    assert_eq!(rig.account(&mail("carol")).unwrap().name, "Carol Cook");
}

#[test]
fn a_cycle_for_one_person_says_what_their_change_waits_for_and_the_command() {
    let mut rig = served();
    rig.configure(|config| config.brake = "removals_shown = { count = 0, percent = 0 }".to_owned());
    rig.change(&format!("dn: {}\nchangetype: modify\ndelete: member\nmember: {}\n", group_dn("support"), dn("bob")));
    let alone = flat(&rig.run(&["--once", "--user", &mail("bob")]).expect(4).all());
    assert!(alone.contains("the change of bob@example.org waits: more than 0 removals shown outright"), "{alone}");
    assert!(alone.contains("a cycle for everybody makes a hold of it: `zendesk-dirsync --once`"), "{alone}");
    rig.once().expect(4);
    let alone = flat(&rig.run(&["--once", "--user", &mail("bob")]).expect(4).all());
    let id = rig.holds()[0]["id"].as_str().unwrap()[..8].to_owned();
    let approve = format!("`zendesk-dirsync holds approve {id} --user bob@example.org` lets it go on");
    assert!(alone.contains(&approve), "{alone}");
    rig.run(&["holds", "approve", &id, "--user", &mail("bob"), "--count", "1"]).expect(0);
    rig.run(&["--once", "--user", &mail("bob")]).expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
}
