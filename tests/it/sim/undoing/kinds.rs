//! Each kind of change, undone.

use super::*;
use zendesk_dirsync::domain::change::CauseCode;
use zendesk_dirsync::domain::id::{Email, ExternalId};
use zendesk_dirsync::domain::mapping::Field;
use zendesk_dirsync::domain::outcome::{Subject, Verdict};
use zendesk_dirsync::domain::rules::{AdoptCase, Removal};

use crate::support::memory::By;

fn known(rig: &Rig, n: u32) -> Option<zendesk_dirsync::domain::account::KnownAccount> {
    let key = (AppName::new("support").unwrap(), corp(id(n)));
    rig.ledger.snapshot().accounts.remove(&key)
}

#[test]
fn a_made_account_is_suspended_and_stays_so_until_the_directory_changes() {
    let rig = settled(6);
    let newcomer = Person::numbered(50, "New", "new@example.org");
    rig.directory().change(|company| drop(company.people.insert(newcomer.id, newcomer.clone())));
    join(&rig, 50, "support");
    let made = cycle(&rig);
    let (whole, undone) = undo(&rig, &made);
    assert_eq!(undone.done, 1);
    assert!(shorts(&whole).iter().any(|what| what.contains("an account was made")), "{:?}", shorts(&whole));
    let account = user(&rig, "new@example.org");
    assert_eq!((account.suspended, account.role, account.groups.len()), (Some(By::Us), Role::EndUser, 0));
    assert!(account.tags.is_empty());
    rests(&rig, 3);
    set(&rig, 50, "telephoneNumber", "+49 1");
    cycle(&rig);
    let account = user(&rig, "new@example.org");
    assert_eq!((account.suspended, account.role), (None, Role::Agent), "the directory decided");
    assert_eq!(keeps(&rig).len(), 0);
}

#[test]
fn a_change_of_mail_name_phone_groups_and_tags_is_undone_whole() {
    let rig = settled(6);
    let before = picture(&rig);
    set(&rig, 1, "mail", "married@example.org");
    set(&rig, 1, "displayName", "Married");
    set(&rig, 1, "telephoneNumber", "");
    join(&rig, 1, "leads");
    leave(&rig, 1, "support");
    let changed = cycle(&rig);
    let now = user(&rig, "married@example.org");
    assert_eq!((now.custom_role, rig.desk().desk().group_names(&now)), (Some(900), text(&["Escalations"])));
    undo(&rig, &changed);
    assert_eq!(picture(&rig), before);
    rests(&rig, 3);
    set(&rig, 1, "displayName", "Married Again");
    cycle(&rig);
    assert_eq!(user(&rig, "married@example.org").name, "Married Again");
}

#[test]
fn people_who_took_over_a_mail_are_undone_in_the_order_that_frees_it() {
    let rig = settled(6);
    let before = picture(&rig);
    set(&rig, 1, "mail", "first@example.org");
    set(&rig, 2, "mail", "p1@example.org");
    let changed = cycle(&rig);
    assert_eq!(user(&rig, "p1@example.org").name, "Person 2");
    let (_, undone) = undo(&rig, &changed);
    assert_eq!((undone.done, undone.failed), (2, 0));
    assert_eq!(picture(&rig), before);
}

#[test]
fn an_adopted_account_is_given_up_as_it_was_found() {
    let rig = settled_by(6, |rules| rules.adoption.cases = [AdoptCase::EndUsers].into());
    let mut there = User::there(500, "Customer", "new@example.org", Role::EndUser);
    there.tags.insert("vip".into());
    there.texts.insert(Field::Phone, "12".into());
    rig.desk().by_hand(|desk| desk.add_user(there));
    let before = picture(&rig);
    let newcomer = Person::numbered(50, "New", "new@example.org");
    rig.directory().change(|company| drop(company.people.insert(newcomer.id, newcomer.clone())));
    join(&rig, 50, "support");
    let adopted = cycle(&rig);
    assert_eq!(user(&rig, "new@example.org").external_id, Some(ExternalId::own(id(50))));
    undo(&rig, &adopted);
    assert_eq!(picture(&rig), before, "the marker is taken off again");
    assert_eq!(known(&rig, 50), None);
    rests(&rig, 3);
}

#[test]
fn a_link_by_the_marker_is_given_up() {
    let rig = settled(6);
    rig.ledger.restore(Default::default());
    let linked = cycle(&rig);
    assert_eq!(rig.ledger.snapshot().accounts.len(), 8);
    let before = picture(&rig);
    undo(&rig, &linked);
    assert_eq!(rig.ledger.snapshot().accounts.len(), 0);
    rests(&rig, 3);
    assert_eq!(picture(&rig), before);
}

#[test]
fn a_released_account_is_linked_again() {
    let rig = settled_by(6, |rules| rules.removals = [(CauseCode::OutOfScope, Removal::Release)].into());
    let (before, was) = (picture(&rig), known(&rig, 2).unwrap());
    leave(&rig, 2, "support");
    let released = cycle(&rig);
    assert_eq!(known(&rig, 2), None);
    undo(&rig, &released);
    let now = known(&rig, 2).unwrap();
    assert_eq!((now.account, &now.given_groups, now.standing), (was.account, &was.given_groups, was.standing));
    rests(&rig, 3);
    assert_eq!(picture(&rig), before);
}

#[test]
fn a_reactivation_is_taken_back_access_first() {
    let rig = settled(6);
    leave(&rig, 2, "support");
    cycle(&rig);
    let before = picture(&rig);
    join(&rig, 2, "support");
    let back = cycle(&rig);
    assert_eq!(user(&rig, "p2@example.org").suspended, None);
    let mark = rig.desk().writes().len();
    undo(&rig, &back);
    assert_eq!(picture(&rig), before);
    let first = rig.desk().writes()[mark].after.clone().unwrap();
    assert!(first.suspended.is_some(), "access ends first");
    rests(&rig, 3);
}

#[test]
fn a_downgrade_without_a_suspension_is_undone() {
    let rig = settled_by(6, |rules| rules.removals = [(CauseCode::OutOfScope, Removal::Downgrade)].into());
    by_hand(&rig, "p5@example.org", |user| user.groups.insert(14));
    let before = picture(&rig);
    leave(&rig, 5, "support");
    leave(&rig, 5, "leads");
    let gone = cycle(&rig);
    assert_eq!(user(&rig, "p5@example.org").role, Role::EndUser);
    undo(&rig, &gone);
    assert_eq!(picture(&rig), before);
    assert_eq!(user(&rig, "p5@example.org").custom_role, Some(900));
    rests(&rig, 3);
}

#[test]
fn a_former_address_that_was_cleared_away_comes_back_as_a_further_one() {
    let rig = settled(6);
    set(&rig, 1, "mail", "married@example.org");
    // The change breaks off after the new address became the primary one.
    cycle(&rig);
    let mut state = rig.ledger.snapshot();
    let key = (AppName::new("support").unwrap(), corp(id(1)));
    let former = Email::parse("p1@example.org").unwrap();
    let known = state.accounts.get_mut(&key).unwrap();
    (known.written.email, known.fingerprint) = (former.clone(), None);
    rig.ledger.restore(state);
    by_hand(&rig, "married@example.org", |user| user.further.insert(former.clone()));
    let before = picture(&rig);
    let cleared = cycle(&rig);
    assert!(user(&rig, "married@example.org").further.is_empty());
    undo(&rig, &cleared);
    assert_eq!(picture(&rig), before);
}

#[test]
fn the_report_tells_who_undid_what() {
    let rig = settled(6);
    leave(&rig, 2, "support");
    let gone = cycle(&rig);
    let (_, undone) = undo(&rig, &gone);
    let notices = rig.report.notices();
    let told = notices.iter().find(|one| one.cycle == undone.cycle && one.user.is_some()).unwrap();
    assert_eq!((told.subject, told.verdict, told.actor.as_str()), (Subject::Undo, Verdict::Done, "alice"));
    let cause = told.cause.clone().unwrap();
    assert_eq!((cause.code.as_str(), cause.evidence), ("undone", Some(gone.to_string())));
    let fields: Vec<&str> = told.changes.iter().map(|change| change.field).collect();
    assert_eq!(fields, ["suspended", "role", "groups", "default_group", "tags"]);
    assert_eq!(notices.iter().filter(|one| one.cycle == undone.cycle).count(), 2, "and one of the whole");
}

#[test]
fn one_person_is_undone_and_the_others_stay() {
    let rig = settled(6);
    leave(&rig, 2, "support");
    leave(&rig, 3, "support");
    let gone = cycle(&rig);
    try_undo(&rig, &of_user(&gone, "p2@example.org")).unwrap().unwrap();
    assert_eq!(user(&rig, "p2@example.org").suspended, None);
    assert_eq!(user(&rig, "p3@example.org").suspended, Some(By::Us));
    let rest = look(&rig, &all_of(&gone));
    assert_eq!(rest.changes(), 1, "the other one is still to be undone");
    let nobody = of_user(&gone, "p4@example.org");
    let mut engine = rig.engine();
    let answer = rig.wait(engine.plan_undo(&nobody, "alice")).unwrap().unwrap();
    assert!(matches!(answer, Err(UndoFault::NoSuchUser(_))), "{answer:?}");
}

#[test]
fn a_removal_by_hand_is_undone_and_comes_back_with_its_keep() {
    use zendesk_dirsync::domain::keep::KeepReason;
    use zendesk_dirsync::engine::byhand::{HandOrder, Word};
    use zendesk_dirsync::engine::command::Command;
    let rig = settled(6);
    let before = picture(&rig);
    rig.clock.advance(chrono::TimeDelta::seconds(1));
    let user_named = "p2@example.org".to_owned();
    let order = Command::ByHand { order: HandOrder::Deprovision, user: user_named, app: None, word: Word::Do };
    let mut engine = rig.engine();
    let reply = rig.wait(engine.carry_out(order, "bob", Stop::never(), &mut Silent)).unwrap();
    assert_eq!(reply.code(), 0, "{reply:?}");
    assert_eq!(user(&rig, "p2@example.org").suspended, Some(By::Us));
    let by_hand = rig.ledger.snapshot().deeds.last().unwrap().cycle.clone();
    let (_, undone) = undo(&rig, &by_hand);
    assert_eq!(picture(&rig), before);
    rests(&rig, 3);
    undo(&rig, &undone.cycle);
    assert_eq!(user(&rig, "p2@example.org").suspended, Some(By::Us));
    rests(&rig, 3);
    let keep = keeps(&rig).remove(&id(2)).unwrap();
    assert_eq!((keep.reason, keep.by.as_str()), (KeepReason::Deprovisioned, "bob"), "the directory still wants them");
}

#[test]
fn what_the_directory_says_between_a_cycle_and_its_undoing_is_carried_out() {
    let rig = settled(6);
    set(&rig, 1, "telephoneNumber", "0");
    let wrong = cycle(&rig);
    // Somebody loses a role and a group, and nobody has run a cycle since.
    set(&rig, 1, "displayName", "Another Name");
    undo(&rig, &wrong);
    cycle(&rig);
    assert_eq!(user(&rig, "p1@example.org").name, "Another Name");
    assert!(keeps(&rig).is_empty());
}
