//! Directories that answer wrongly, in part, or not at all: the cycle says so, and nobody is removed.

use expect_test::expect;
use sandbox::directory::{Do, Fault, Op};

use crate::support::company::{SUPPORT, group_dn, hire, leave, mail};
use crate::support::rig_cli::{Rig, assignment};

/// Everybody is served, somebody left, and somebody was hired.
fn moved_on() -> Rig {
    let mut rig = Rig::unbraked();
    rig.configure(|config| config.directory += "timeout = \"2s\"\n");
    rig.once().expect(0);
    rig.change(&(leave("support", "bob") + &hire("support", "gail", "Gail", "Gray")));
    rig
}

/// The faults strike whenever they can; the cycle ends with 5, writes nothing, and the next one goes on.
#[track_caller]
fn assert_nobody_is_removed(faults: Vec<Fault>) -> (Rig, String) {
    let rig = moved_on();
    let mark = rig.mark();
    rig.corp().push_faults(faults);
    let cycle = rig.once().expect(5);
    assert_eq!(rig.writes_since(mark), []);
    rig.assert_served(&SUPPORT);
    assert!(rig.told("deprovision").is_empty());
    rig.corp().clear_faults();
    rig.once().expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    rig.assert_served(&["alice", "carol", "dave", "erin", "gail"]);
    let text = rig.neat(&cycle.stderr);
    (rig, text)
}

fn people(action: Do) -> Fault {
    Fault::new(Op::Search, action).filter("objectclass=person")
}

#[test]
fn a_wrong_bind_password_ends_the_cycle() {
    let rig = moved_on();
    let mark = rig.mark();
    rig.write_secret("ldap.secret", "not-the-password");
    let cycle = rig.once().expect(5);
    expect![[r#"
        fault: ldaps://localhost:LDAPPORT: the bind as
            cn=reader,ou=services,dc=example,dc=org is refused: invalidCredentials (49);
            the DN or the password is wrong
          hint: check `bind.dn` and the password file
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    expect!["refused - -"].assert_eq(&rig.last_told("cycle"));
    let fault = rig.told("cycle").into_iter().rev().find(|record| record["cause"]["code"] != "ended").unwrap();
    assert_eq!((&fault["directory"], &fault["error"]["type"]), (&"corp".into(), &"directory_bind_refused".into()));
    assert_eq!(rig.requests_since(mark), []);
}

#[test]
fn an_unknown_authority_ends_the_cycle() {
    let mut rig = moved_on();
    let _other = rig.another_directory("other-tls");
    rig.configure(|config| config.ca_file = "other-tls/ca.pem".to_owned());
    let mark = rig.mark();
    let cycle = rig.once().expect(5);
    expect![[r#"
        fault: ldaps://localhost:LDAPPORT: the certificate is refused: its signature
            doesn't fit the CA of that name: `ca_file` may hold a former CA
          hint: give the CA's certificate in `ca_file`, or use the name that the
              certificate bears
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    assert_eq!(rig.requests_since(mark), []);
    // The password went nowhere.
    assert!(rig.corp().log().iter().filter(|entry| entry.op == "bind").count() > 0);
}

#[test]
fn a_server_that_isnt_there_ends_the_cycle() {
    let mut rig = moved_on();
    rig.configure(|config| config.url = Some("ldaps://localhost:1".to_owned()));
    let cycle = rig.once().expect(5);
    expect![[r#"
        fault: ldaps://localhost:1: 127.0.0.1:1: Connection refused (os error 111)
          hint: see that the server runs and that `urls` names it; nobody is removed
              meanwhile
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
}

#[test]
fn another_directory_is_served_all_the_same() {
    let mut rig = moved_on();
    let annex = rig.another_directory("annex-tls");
    rig.write_secret("annex.secret", "not-the-password");
    let table = format!(
        "[[directory]]\nname = \"annex\"\nkind = \"openldap\"\nurls = [\"{}\"]\nbase = [\"dc=example,dc=org\"]\n\
         ca_file = \"DIR/annex-tls/ca.pem\"\nbind = {{ dn = \"cn=reader,ou=services,dc=example,dc=org\", \
         password_file = \"DIR/annex.secret\" }}\n",
        annex.url()
    );
    rig.configure(|config| {
        config.directories = table;
        config.assignments += &assignment("support", "role = \"agent\"").replace("corp", "annex");
    });
    rig.once().expect(5);
    rig.assert_served(&["alice", "gail"]);
    assert!(rig.account(&mail("bob")).unwrap().suspended, "the leaver of the whole directory goes");
}

#[test]
fn a_directory_that_answers_nothing_removes_nobody() {
    let (_, text) = assert_nobody_is_removed(vec![Fault::new(Op::Search, Do::Stall)]);
    expect![[r#"
        fault: ldaps://localhost:LDAPPORT: connecting and binding took longer than 2s
          hint: see that the server runs and that `urls` names it; nobody is removed
              meanwhile
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&text);
}

#[test]
fn half_an_answer_removes_nobody() {
    let (_, text) = assert_nobody_is_removed(vec![people(Do::Torn)]);
    expect![[r#"
        fault: the read is incomplete: page 1 of the search under "dc=example,dc=org":
            the server closed the connection
          hint: the next cycle reads again; nobody is removed on half a read
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&text);
    assert_nobody_is_removed(vec![people(Do::Drop)]);
    assert_nobody_is_removed(vec![people(Do::Garbage)]);
}

#[test]
fn an_error_on_a_middle_page_removes_nobody() {
    let second = || people(Do::Result(51)).nth(2);
    let (_, text) = assert_nobody_is_removed(vec![second()]);
    expect![[r#"
        fault: the read is incomplete: page 2 of the search under "dc=example,dc=org":
            busy (51), the server says "fault by script"; the server is overloaded or
            going down; the next cycle tries again
          hint: the next cycle reads again; nobody is removed on half a read
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts; a directory was not read in full
    "#]]
    .assert_eq(&text);
    assert_nobody_is_removed(vec![people(Do::Result(3)).nth(2)]);
    assert_nobody_is_removed(vec![people(Do::NoControl).nth(2)]);
    assert_nobody_is_removed(vec![people(Do::RepeatCookie)]);
}

#[test]
fn an_answer_that_ends_early_with_success_removes_nobody() {
    // Nothing on the wire shows it: only the groups still name who is missing.
    let rig = moved_on();
    rig.corp().push_faults(vec![people(Do::Truncate).message(0)]);
    let mark = rig.mark();
    let cycle = rig.once();
    assert!(matches!(cycle.code, Some(0 | 4 | 5)), "{cycle:?}");
    for uid in ["alice", "carol", "dave", "erin"] {
        assert!(!rig.account(&mail(uid)).unwrap().suspended, "{uid}");
    }
    let written: Vec<_> = rig.writes_since(mark);
    let bob = rig.account(&mail("bob")).unwrap().id.to_string();
    assert!(written.iter().all(|write| write.path.contains(&bob) || write.method == "POST"), "{written:#?}");
}

#[test]
fn people_whom_the_reader_may_not_see_any_more_are_not_removed() {
    let rig = moved_on();
    rig.corp().hide("uid=alice,ou=people,dc=example,dc=org", None);
    rig.once();
    rig.once();
    assert!(!rig.account(&mail("alice")).unwrap().suspended);
    rig.corp().unhide_all();
    rig.once().expect(0);
    rig.assert_served(&["alice", "gail"]);
}

#[test]
fn a_missing_group_holds_and_the_others_are_served() {
    let mut rig = moved_on();
    rig.configure(|config| config.assignments += &assignment("nobody", "role = \"agent\""));
    let cycle = rig.once().expect(4);
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     deprovision bob@example.org (out_of_scope)
          done     provision gail@example.org (assigned)
        support: held: the assigned group cn=nobody,ou=groups,dc=example,dc=org can't be
            found
        cycle CYCLE ended: support: 2 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    expect!["held held -"].assert_eq(&rig.last_told("hold"));
    rig.assert_served(&["alice", "gail"]);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    // It stays 4 for as long as the group is missing.
    rig.once().expect(4);
}

#[test]
fn a_group_that_was_deleted_removes_nobody() {
    let rig = moved_on();
    rig.change(&format!("dn: {}\nchangetype: delete\n\n", group_dn("leads")));
    rig.once().expect(4);
    rig.once().expect(4);
    assert!(!rig.account(&mail("frank")).unwrap().suspended);
}

#[test]
fn a_group_that_reads_empty_removes_nobody() {
    let rig = moved_on();
    rig.corp().hide(&group_dn("leads"), Some("member"));
    rig.once();
    rig.once();
    assert!(!rig.account(&mail("frank")).unwrap().suspended);
}

#[test]
fn an_ambiguous_group_name_holds_and_the_others_are_served() {
    let mut rig = moved_on();
    let twin = |unit: &str| {
        format!(
            "dn: cn=twins,ou={unit},dc=example,dc=org\nchangetype: add\nobjectClass: groupOfNames\ncn: twins\n\
             member: uid=outsider01,ou=people,dc=example,dc=org\n\n"
        )
    };
    rig.change(&(twin("groups") + &twin("services")));
    rig.configure(|config| {
        config.assignments += "[[app.assignment]]\ndirectory = \"corp\"\ngroup = \"twins\"\nrole = \"agent\"\n";
    });
    let cycle = rig.once().expect(4);
    expect![[r#"
        corp: read in full, 36 entries, 3 groups
          done     deprovision bob@example.org (out_of_scope)
          done     provision gail@example.org (assigned)
        support: held: the assigned group twins (it fits
            cn=twins,ou=groups,dc=example,dc=org;
            cn=twins,ou=services,dc=example,dc=org) can't be found
        cycle CYCLE ended: support: 2 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    rig.assert_served(&["alice", "gail"]);
    rig.assert_unserved(&["outsider01"]);
}

#[test]
fn a_restored_directory_is_not_read_until_it_is_accepted() {
    let rig = Rig::unbraked();
    let backup = rig.corp().backup();
    rig.change(&hire("support", "gail", "Gail", "Gray"));
    rig.once().expect(0);
    let mark = rig.mark();
    rig.corp().restore(&backup);
    let cycle = rig.once().expect(5);
    let text = rig.neat(&cycle.stderr);
    let csns: Vec<&str> = text.split_whitespace().filter(|word| word.ends_with("#000000#000#000000")).collect();
    let text = text.replace(csns[0], "CSN");
    expect![[r#"
        fault: ldaps://localhost:LDAPPORT: its data may be older than those that were read
            before: the last change of provider 000 that it has in dc=example,dc=org is
            20260101000000.000038Z#000000#000#000000, and
            CSN was read before: it lags, or was
            restored
          hint: see to its replication; if it was restored on purpose: `zendesk-dirsync
              servers accept DIRECTORY`. Until then nobody of it is touched
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 7 accounts; a directory was not read in full
    "#]]
    .assert_eq(&text);
    assert_eq!(rig.writes_since(mark), []);
    let fault = rig.told("cycle").into_iter().rev().find(|record| record["cause"]["code"] != "ended").unwrap();
    assert_eq!(fault["error"]["type"], "directory_behind");

    let listed = rig.run(&["servers", "list", "--format", "json"]).expect(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["directory"], &listed[0]["last"]), (&"corp".into(), &"contextCSN".into()));
    rig.run(&["servers", "accept", "corp"]).expect(2);
    rig.run(&["servers", "accept", "corpse", "--yes"]).expect(2);
    expect![[r#"
        corp: no server is remembered; the next complete read is
        The server that is read next counts from then on. Whatever would be done for its
            people waits once: see `holds list` after the next cycle.
    "#]]
    .assert_eq(&rig.run(&["servers", "accept", "corp", "--yes"]).expect(0).stdout);
    assert_eq!(
        rig.told("approve").last().map(|record| record["cause"]["code"].clone()),
        Some("server_accepted".into())
    );
    // gail isn't in the backup at all: the first read only makes a note of it, and the second waits for a look.
    rig.once().expect(0);
    let cycle = rig.once().expect(4);
    assert!(cycle.stderr.contains("waits for a look"), "{}", cycle.stderr);
    assert_eq!(rig.writes_since(mark), [], "what an accepted server shows waits once");
    rig.approve_everything();
    rig.once().expect(0);
    assert!(rig.account(&mail("gail")).unwrap().suspended);
}
