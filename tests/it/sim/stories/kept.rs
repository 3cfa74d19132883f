//! Stories of people whose accounts are left as a person put them.

use std::collections::BTreeMap;

use super::*;
use zendesk_dirsync::domain::change::CauseCode;
use zendesk_dirsync::domain::id::CycleId;
use zendesk_dirsync::domain::keep::{Keep, KeepReason, KeepUntil, Wish};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{Clock as _, KeepLedger as _};

use crate::support::memory::{By, Use};

fn keep(rig: &Rig, until: KeepUntil) {
    let reason = match until {
        KeepUntil::Changes(_) => KeepReason::Undone(CycleId::at(rig.clock.now())),
        KeepUntil::Unusable | KeepUntil::Lifted => KeepReason::Deprovisioned,
    };
    let keep = Keep { by: "alice".into(), at: rig.clock.now(), reason, until };
    rig.ledger.clone().keep(&app(), &corp(id(2)), Some(&keep)).unwrap();
}

fn app() -> AppName {
    AppName::new("support").unwrap()
}

fn may_be_used(rig: &Rig, usable: Use) {
    rig.directory().change(|company| company.people.get_mut(&id(2)).unwrap().usable = usable);
}

fn kept(rig: &Rig) -> usize {
    rig.ledger.snapshot().keeps.values().map(BTreeMap::len).sum()
}

#[test]
fn whoever_is_kept_is_not_removed_while_the_directory_wishes_the_same() {
    let rig = settled();
    keep(&rig, KeepUntil::Changes(Wish::Removal(CauseCode::OutOfScope)));
    leave(&rig, id(2), "support");
    let before = rig.desk().writes().len();
    assert_eq!((rig.cycle().ending.code(), rig.cycle().ending.code()), (0, 0));
    assert_eq!((rig.desk().writes().len(), kept(&rig)), (before, 1));
    // A return is another wish; leaving once more is acted on.
    join(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(kept(&rig), 0);
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn whoever_is_kept_is_not_changed_until_the_directory_says_something_new() {
    let rig = settled();
    set(&rig, id(2), "displayName", "Robert");
    keep(&rig, KeepUntil::Changes(Wish::Unknown));
    let before = rig.desk().writes().len();
    rig.cycle();
    rig.cycle();
    assert_eq!((rig.desk().writes().len(), kept(&rig)), (before, 1));
    set(&rig, id(2), "displayName", "Bobby");
    rig.cycle();
    assert_eq!((rig.user("bob@example.org").unwrap().name.as_str(), kept(&rig)), ("Bobby", 0));
}

#[test]
fn whoever_was_removed_by_hand_stays_so_though_the_directory_hides_and_shows_them() {
    let rig = settled();
    leave(&rig, id(2), "support");
    rig.cycle();
    keep(&rig, KeepUntil::Unusable);
    for _ in 0..2 {
        join(&rig, id(2), "support");
        rig.cycle();
        assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
        leave(&rig, id(2), "support");
        rig.cycle();
    }
    join(&rig, id(2), "support");
    may_be_used(&rig, Use::Disabled);
    rig.cycle();
    assert_eq!(kept(&rig), 0);
    may_be_used(&rig, Use::Usable);
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn keeps_are_listed_and_lifted_by_name_and_the_report_tells_who_lifted_them() {
    let rig = settled();
    keep(&rig, KeepUntil::Lifted);
    let Reply::Keeps(keeps) = rig.order(Command::Keeps) else { panic!("keeps") };
    let [kept] = keeps.as_slice() else { panic!("{keeps:?}") };
    assert_eq!((kept.user.as_deref(), kept.by.as_str()), (Some("bob@example.org"), "alice"));
    let lift = |user: &str| rig.order(Command::Lift { user: user.to_owned(), app: None });
    assert!(matches!(lift("carol@example.org"), Reply::Refused { code: 2, .. }));
    assert!(matches!(lift("bob@example.org"), Reply::Lifted(lifted) if lifted.len() == 1));
    assert!(rig.ledger.snapshot().keeps.values().all(BTreeMap::is_empty));
    let lifted = rig.report.notices().into_iter().filter(|notice| notice.subject == Subject::Lift);
    assert_eq!(lifted.map(|notice| notice.user.unwrap()).collect::<Vec<_>>(), ["bob@example.org"]);
}

#[test]
fn a_keep_stands_though_the_entry_moves_and_another_group_leads_to_it() {
    let rig = settled();
    set(&rig, id(2), "displayName", "Robert");
    keep(&rig, KeepUntil::Changes(Wish::Unknown));
    rig.cycle();
    let before = rig.desk().writes().len();
    let elsewhere = zendesk_dirsync::domain::dn::Dn::parse("uid=u2,ou=moved,dc=example,dc=org").unwrap();
    rig.directory().change(|company| company.people.get_mut(&id(2)).unwrap().dn = elsewhere);
    rig.cycle();
    // Somebody nests a group with him in the one that gives the same.
    let nested = Group::numbered(9, "nested", &[id(2)]);
    rig.directory().change(|company| company.groups.insert(nested.id, nested.clone()));
    join(&rig, nested.id, "support");
    rig.cycle();
    assert_eq!((rig.desk().writes().len(), kept(&rig)), (before, 1));
    // Another grant is another wish.
    join(&rig, id(2), "tier2");
    rig.cycle();
    assert_eq!((rig.user("bob@example.org").unwrap().name.as_str(), kept(&rig)), ("Robert", 0));
}

#[test]
fn a_first_absence_and_an_unreadable_entry_end_no_keep() {
    let rig = settled();
    keep(&rig, KeepUntil::Changes(Wish::Removal(CauseCode::OutOfScope)));
    leave(&rig, id(2), "support");
    rig.cycle();
    let bob = rig.directory().company().people[&id(2)].clone();
    rig.directory().change(|company| company.people.remove(&id(2)));
    rig.cycle();
    assert_eq!(kept(&rig), 1, "one read that doesn't show him");
    rig.directory().change(|company| company.people.insert(bob.id, bob.clone()));
    rig.cycle();
    assert_eq!(kept(&rig), 1);
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn whose_removal_by_hand_had_no_effect_is_removed_when_the_directory_says_so() {
    let rig = settled();
    keep(&rig, KeepUntil::Unusable);
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}
