//! Single cycles.

use expect_test::expect;

use crate::support::company::{
    self, ESCALATIONS_GROUP, LEADS, STRANGER, SUPPORT, delete, disable, dn, hire, join, leave, mail, set,
};
use crate::support::rig_cli::Rig;

#[test]
fn the_first_cycle_waits_and_the_one_after_the_approval_serves_everybody() {
    let rig = Rig::new();
    let first = rig.once().expect(4);
    assert_eq!(first.stdout, "");
    expect![[r#"
        corp: read in full, 33 entries, 3 groups
        support: 6 changes wait: the first cycle of this app waits for a look
            (zendesk-dirsync holds show DIGEST)
        cycle CYCLE ended: support: 0 done, 0 failed, 6 held, 0 rejected,
            0 in conflict, of 0 accounts
    "#]]
    .assert_eq(&rig.neat(&first.stderr));
    assert_eq!(rig.writes_since(0), []);

    rig.approve_everything();
    let second = rig.once().expect(0);
    expect![[r#"
        corp: read in full, 33 entries, 3 groups
          done     provision alice@example.org (assigned)
          done     provision bob@example.org (assigned)
          done     provision carol@example.org (assigned)
          done     provision dave@example.org (assigned)
          done     provision erin@example.org (assigned)
          done     provision frank@example.org (assigned)
        cycle CYCLE ended: support: 6 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts
    "#]]
    .assert_eq(&rig.neat(&second.stderr));
    rig.assert_served(&SUPPORT);
    rig.assert_served(&LEADS);
    let lead = rig.account(&mail("frank")).unwrap();
    assert_eq!((lead.custom_role_id, lead.groups.contains(&ESCALATIONS_GROUP)), (Some(21), true));
    assert_eq!(rig.desk().state().users.len(), 3 + 1 + SUPPORT.len() + LEADS.len(), "nobody else");
}

#[test]
fn a_cycle_with_nothing_to_do_asks_zendesk_nothing() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let mark = rig.mark();
    let again = rig.once().expect(0);
    assert_eq!(rig.requests_since(mark), []);
    expect![[r#"
        corp: read in full, 33 entries, 3 groups
        cycle CYCLE ended: support: 0 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 6 accounts
    "#]]
    .assert_eq(&rig.neat(&again.stderr));
}

#[test]
fn each_kind_of_change_arrives_and_nothing_else_is_written() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let before = rig.desk().state();
    let mark = rig.mark();
    let renamed = [set(&dn("carol"), "displayName", &["Carol Chef"]), set(&dn("carol"), "mail", &["chef@example.org"])];
    rig.change(&hire("tier1", "gail", "Gail", "Gray"));
    rig.change(&leave("support", "bob"));
    rig.change(&renamed.concat());
    rig.change(&join("leads", "alice"));
    rig.change(&disable("dave"));
    let cycle = rig.once().expect(0);
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     deprovision bob@example.org (out_of_scope)
          done     deprovision dave@example.org (disabled)
          done     update alice@example.org (changed)
          done     update chef@example.org (changed)
          done     provision gail@example.org (assigned)
        cycle CYCLE ended: support: 5 done, 0 failed, 0 held, 0 rejected,
            0 in conflict, of 5 accounts
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));

    rig.assert_served(&["gail", "alice", "erin", "frank"]);
    for gone in ["bob", "dave"] {
        let account = rig.account(&mail(gone)).unwrap();
        assert!(account.suspended && account.groups.is_empty(), "{account:?}");
        assert_eq!(account.role, sandbox::zendesk::Role::EndUser);
    }
    let carol = rig.account("chef@example.org").unwrap();
    assert_eq!((carol.name.as_str(), carol.emails.as_slice()), ("Carol Chef", [].as_slice()));
    assert_eq!(carol.id, before.user(&mail("carol")).unwrap().id);
    assert_eq!(rig.account(&mail("alice")).unwrap().custom_role_id, Some(21));

    let after = rig.desk().state();
    let touched = ["gail", "bob", "carol", "alice", "dave"];
    let changed: Vec<_> = after.users.iter().filter(|user| before.user_by_id(user.id) != Some(*user)).collect();
    assert_eq!(changed.len(), touched.len(), "{changed:#?}");
    assert!(!rig.writes_since(mark).is_empty());

    let mark = rig.mark();
    rig.once().expect(0);
    assert_eq!(rig.writes_since(mark), []);
}

#[test]
fn a_deleted_person_goes_in_the_cycle_after_the_one_that_misses_them() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    rig.change(&delete("erin"));
    let mark = rig.mark();
    rig.once().expect(0);
    assert_eq!(rig.writes_since(mark), []);
    rig.once().expect(0);
    assert!(rig.account(&mail("erin")).unwrap().suspended);
}

#[test]
fn somebody_who_returns_gets_the_same_account_back() {
    let rig = Rig::unbraked();
    rig.once().expect(0);
    let before = rig.account(&mail("bob")).unwrap();
    rig.change(&leave("support", "bob"));
    rig.once().expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended);
    rig.change(&join("support", "bob"));
    rig.once().expect(0);
    rig.assert_served(&["bob"]);
    assert_eq!(rig.account(&mail("bob")).unwrap().id, before.id);
}

#[test]
fn a_cycle_for_one_person_serves_nobody_else() {
    let rig = Rig::unbraked();
    rig.run(&["--once", "--user", &mail("alice")]).expect(0);
    rig.assert_served(&["alice"]);
    rig.assert_unserved(&["bob", "carol", "dave", "erin", "frank"]);
    rig.run(&["--once", "--user", "Bob Baker"]).expect(0);
    rig.assert_served(&["alice", "bob"]);
    rig.assert_unserved(&["carol"]);
}

#[test]
fn owner_admins_and_strangers_are_never_written() {
    let rig = Rig::unbraked();
    let before = rig.desk().state();
    rig.once().expect(0);
    rig.change(&(leave("support", "bob") + &disable("carol")));
    rig.once().expect(0);
    let after = rig.desk().state();
    for id in [101, 102, STRANGER] {
        assert_eq!(before.user_by_id(id), after.user_by_id(id));
    }
    assert!(after.user(company::STRANGER_MAIL).is_some());
}

#[test]
fn too_many_leavers_wait_and_the_others_are_served() {
    let mut rig = Rig::unbraked();
    rig.once().expect(0);
    rig.configure(|config| config.brake = "removals_shown = { count = 1, percent = 1 }".to_owned());
    rig.change(&(leave("support", "bob") + &disable("carol") + &hire("support", "gail", "Gail", "Gray")));
    let cycle = rig.once().expect(4);
    expect![[r#"
        corp: read in full, 34 entries, 3 groups
          done     provision gail@example.org (assigned)
        support: 2 changes wait: more than 1 removals shown outright in one cycle (6
            accounts are managed) (zendesk-dirsync holds show DIGEST)
        cycle CYCLE ended: support: 1 done, 0 failed, 2 held, 0 rejected,
            0 in conflict, of 7 accounts
    "#]]
    .assert_eq(&rig.neat(&cycle.stderr));
    rig.assert_served(&["alice", "bob", "carol", "gail"]);
    // Waiting is no news.
    rig.once().expect(4);
    rig.approve_everything();
    rig.once().expect(0);
    assert!(rig.account(&mail("bob")).unwrap().suspended && rig.account(&mail("carol")).unwrap().suspended);
}
