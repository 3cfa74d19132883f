//! Stories in which somebody else changes the account between our plan and our write.

use super::*;
use zendesk_dirsync::domain::id::{Email, ExternalId};
use zendesk_dirsync::domain::outcome::Verdict;

use crate::support::memory::{By, CallTrouble, Desk};

/// What another automation may do to Bob's account, each with the word that the report has for it.
/// Something that somebody does to an account at Zendesk.
type Edit = (&'static str, fn(&mut Desk, u64));

fn edits() -> Vec<Edit> {
    vec![
        ("the role", |desk, id| desk.set_role(id, Role::Admin, None).unwrap()),
        ("the custom role", |desk, id| {
            desk.custom_roles.insert(77, "Auditor".into());
            desk.set_role(id, Role::Agent, Some(77)).unwrap();
        }),
        ("the suspension", |desk, id| desk.users.get_mut(&id).unwrap().suspended = Some(By::Hand)),
        ("the groups", |desk, id| {
            let tier2 = *desk.groups.iter().find(|(_, name)| *name == "Tier 2").unwrap().0;
            desk.users.get_mut(&id).unwrap().groups.insert(tier2);
        }),
        ("the mails", |desk, id| {
            desk.users.get_mut(&id).unwrap().further.insert(Email::parse("b@example.net").unwrap());
        }),
        ("the external_id", |desk, id| {
            desk.users.get_mut(&id).unwrap().external_id = ExternalId::parse("other-1").ok();
        }),
        ("it was deleted", |desk, id| desk.delete(id)),
    ]
}

#[test]
fn a_removal_of_an_account_that_was_changed_meanwhile_is_not_written() {
    for (what, edit) in edits() {
        let rig = settled();
        leave(&rig, id(2), "support");
        let bob = rig.user("bob@example.org").unwrap().id;
        let (writes, told_before) = (rig.desk().writes().len(), told(&rig, "bob@example.org").len());
        // who, catalog, observe for the plan; then observe just before the write.
        rig.desk().meanwhile(4, move |desk| edit(desk, bob));
        let report = rig.cycle();
        assert_eq!(report.ending.code(), 1, "{what}");
        assert_eq!(rig.desk().writes().len(), writes, "{what}: nothing is written");
        let told = told(&rig, "bob@example.org")[told_before..].to_vec();
        let problem = told[0].problem.clone().unwrap();
        assert_eq!((told[0].verdict, problem.kind), (Verdict::Skipped, "moved_at_zendesk"), "{what}");
        assert!(problem.message.contains(what), "{what}: {}", problem.message);
    }
}

#[test]
fn the_next_cycle_plans_a_removal_anew_over_what_was_changed() {
    let rig = settled();
    leave(&rig, id(2), "support");
    let bob = rig.user("bob@example.org").unwrap().id;
    rig.desk().meanwhile(4, move |desk| desk.users.get_mut(&bob).unwrap().suspended = Some(By::Hand));
    rig.cycle();
    rig.settle();
    let bob = rig.user("bob@example.org").unwrap();
    assert_eq!((bob.role, bob.suspended), (Role::EndUser, Some(By::Hand)), "somebody else's suspension stays theirs");
    assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByOthers));
}

#[test]
fn a_lowered_role_is_not_written_over_a_role_that_was_raised_meanwhile() {
    let rig = settled();
    join(&rig, id(5), "support");
    rig.settle();
    leave(&rig, id(5), "chiefs");
    let erin = rig.user("erin@example.org").unwrap().id;
    let writes = rig.desk().writes().len();
    rig.desk().meanwhile(4, move |desk| {
        desk.custom_roles.insert(77, "Auditor".into());
        desk.set_role(erin, Role::Agent, Some(77)).unwrap();
    });
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), writes);
}

#[test]
fn a_removal_whose_account_cannot_be_read_again_is_not_written() {
    for (trouble, code) in [(CallTrouble::Unreachable, 6), (CallTrouble::GarbledAfter, 1)] {
        let rig = settled();
        leave(&rig, id(2), "support");
        let writes = rig.desk().writes().len();
        rig.desk().goes_wrong(4, trouble);
        assert_eq!(rig.cycle().ending.code(), code, "{trouble:?}");
        assert_eq!(rig.desk().writes().len(), writes, "{trouble:?}");
        rig.settle();
        assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs));
    }
}

#[test]
fn what_takes_nothing_away_is_written_without_another_look() {
    let rig = settled();
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    let calls = rig.desk().calls();
    rig.cycle();
    // who, catalog, observe, the write, and the account read back.
    assert_eq!(rig.desk().calls() - calls, 5);
}
