//! What an undoing leaves alone, refuses, or wants a count for.

use super::*;
use zendesk_dirsync::domain::brake::Limit;
use zendesk_dirsync::domain::id::Email;

use crate::support::memory::By;

fn word(shown: &UndoWhole, count: Option<usize>) -> UndoWord {
    UndoWord { digest: shown.digest().to_string(), count }
}

/// Takes the first people out of `support`, in one cycle.
fn lost(rig: &Rig, people: u32) -> CycleId {
    (1..=people).for_each(|n| leave(rig, n, "support"));
    cycle(rig)
}

#[test]
fn what_somebody_changed_since_is_left_and_told() {
    let rig = settled(6);
    set(&rig, 1, "displayName", "By Mistake");
    set(&rig, 1, "telephoneNumber", "0");
    set(&rig, 1, "mail", "mistake@example.org");
    let changed = cycle(&rig);
    by_hand(&rig, "mistake@example.org", |user| {
        user.name = "By Hand".into();
        user.email = Some(Email::parse("hand@example.org").unwrap());
        user.tags.insert("vip".into());
    });
    let (whole, undone) = undo(&rig, &changed);
    assert_eq!(undone.done, 1);
    let now = user(&rig, "hand@example.org");
    assert_eq!((now.name.as_str(), now.tags.contains("vip")), ("By Hand", true));
    assert_eq!(now.texts[&zendesk_dirsync::domain::mapping::Field::Phone], "+49 30 1");
    let told = shorts(&whole);
    for field in ["name", "email"] {
        let line = format!("{field}: changed by somebody else since, and left so");
        assert!(told.contains(&line), "{told:?}");
    }
}

#[test]
fn groups_and_roles_that_are_gone_are_told_and_the_rest_is_brought_back() {
    let rig = settled(6);
    let gone = {
        leave(&rig, 1, "support");
        leave(&rig, 5, "leads");
        leave(&rig, 5, "support");
        cycle(&rig)
    };
    rig.desk().by_hand(|desk| {
        desk.groups.retain(|_, name| name != "Tier 2");
        desk.custom_roles.clear();
    });
    let (whole, undone) = undo(&rig, &gone);
    assert_eq!(undone.done, 2);
    let told = shorts(&whole);
    assert!(told.contains("groups: Tier 2 is not there any more"), "{told:?}");
    assert!(told.contains("role: Lead is not there any more; role and groups stay as they are"), "{told:?}");
    let first = user(&rig, "p1@example.org");
    assert_eq!((first.suspended, first.role), (None, Role::Agent));
    assert_eq!(rig.desk().desk().group_names(&first), text(&["Support"]));
    let lead = user(&rig, "p5@example.org");
    assert_eq!((lead.suspended, lead.role, lead.groups.len()), (None, Role::EndUser, 0));
    assert!(lead.tags.contains("lead"));
}

#[test]
fn a_mail_that_somebody_else_holds_now_is_left_to_them() {
    let rig = settled(6);
    set(&rig, 1, "mail", "other@example.org");
    set(&rig, 1, "displayName", "Other");
    let changed = cycle(&rig);
    let taken = User::there(500, "Customer", "p1@example.org", Role::EndUser);
    rig.desk().by_hand(|desk| desk.add_user(taken.clone()));
    let (whole, undone) = undo(&rig, &changed);
    assert_eq!(undone.done, 1);
    assert!(shorts(&whole).contains("email: p1@example.org belongs to account 500 now"), "{:?}", shorts(&whole));
    assert_eq!(user(&rig, "other@example.org").name, "Person 1");
    assert_eq!(rig.desk().desk().users[&500], taken);
}

#[test]
fn an_account_that_was_deleted_since_is_not_made_again() {
    let rig = settled(6);
    let gone = lost(&rig, 1);
    let account = user(&rig, "p1@example.org").id;
    rig.desk().by_hand(|desk| desk.delete(account));
    let users = rig.desk().with(|desk| desk.users.len());
    let (whole, undone) = undo(&rig, &gone);
    assert_eq!((whys(&whole), undone.done, undone.ending.code()), (vec![CannotUndo::Gone], 0, 1));
    assert_eq!(rig.desk().with(|desk| desk.users.len()), users);
}

#[test]
fn a_link_that_was_given_up_or_handed_on_is_not_taken_back() {
    let rig = settled(6);
    let gone = lost(&rig, 2);
    let mut state = rig.ledger.snapshot();
    let key = |n| (AppName::new("support").unwrap(), corp(id(n)));
    state.accounts.remove(&key(1));
    let second = state.accounts.remove(&key(2)).unwrap();
    let thief = corp(id(77));
    let stolen = zendesk_dirsync::domain::account::KnownAccount { person: thief.clone(), ..second };
    state.accounts.insert(key(77), stolen);
    rig.ledger.restore(state);
    let mark = rig.desk().writes().len();
    let (whole, _) = undo(&rig, &gone);
    assert_eq!(whys(&whole), [CannotUndo::Unlinked, CannotUndo::OtherPerson(thief)]);
    assert_eq!(rig.desk().writes().len(), mark);
}

#[test]
fn protected_accounts_are_never_brought_back() {
    let mut rig = settled(6);
    let gone = lost(&rig, 2);
    rig.apps[0].0.protected.insert(Email::parse("p1@example.org").unwrap());
    let own = user(&rig, "p2@example.org").id;
    rig.desk().by_hand(|desk| desk.own = own);
    let mark = rig.desk().writes().len();
    let (whole, _) = undo(&rig, &gone);
    assert_eq!(
        whys(&whole),
        [CannotUndo::Untouchable("a protected account"), CannotUndo::Untouchable("our own API user")]
    );
    assert_eq!(rig.desk().writes().len(), mark);
}

#[test]
fn the_last_admins_are_not_undone_away() {
    let mut rig = settled(6);
    join(&rig, 1, "chiefs");
    assert_eq!(rig.cycle().ending.code(), 4, "it waits for a person");
    rig.approve_all();
    let raised = cycle(&rig);
    assert_eq!(user(&rig, "p1@example.org").role, Role::Admin);
    rig.apps[0].0.admins_min = 5;
    let (whole, _) = undo(&rig, &raised);
    assert_eq!(whys(&whole), [CannotUndo::LastAdmins(5)]);
    rig.apps[0].0.admins_min = 4;
    undo(&rig, &raised);
    assert_eq!(user(&rig, "p1@example.org").role, Role::Agent);
}

#[test]
fn bringing_an_admin_back_needs_the_count() {
    let rig = settled(6);
    leave(&rig, 7, "chiefs");
    join(&rig, 7, "support");
    let lowered = cycle(&rig);
    assert_eq!(user(&rig, "p7@example.org").role, Role::Agent);
    let shown = look(&rig, &all_of(&lowered));
    assert_eq!((shown.changes(), shown.held(), shown.ending().code()), (1, 1, 4));
    let answer = give_word(&rig, &all_of(&lowered), &word(&shown, None)).unwrap();
    assert_eq!(answer.unwrap_err(), UndoFault::Held { held: 1, of: 1 });
    assert_eq!(user(&rig, "p7@example.org").role, Role::Agent);
    undo(&rig, &lowered);
    assert_eq!(user(&rig, "p7@example.org").role, Role::Admin);
}

#[test]
fn past_a_limit_the_exact_count_is_needed_and_within_it_none() {
    let mut rig = settled(6);
    let gone = lost(&rig, 3);
    let order = all_of(&gone);
    rig.limits.creations = Limit { count: 2, percent: 0 };
    let shown = look(&rig, &order);
    let mark = rig.desk().writes().len();
    let none = give_word(&rig, &order, &word(&shown, None)).unwrap().unwrap_err();
    assert_eq!((none.code(), none), (4, UndoFault::Held { held: 3, of: 3 }));
    let wrong = give_word(&rig, &order, &word(&shown, Some(2))).unwrap().unwrap_err();
    assert_eq!((wrong.code(), wrong), (2, UndoFault::Count { given: 2, shown: 3 }));
    assert_eq!((rig.desk().writes().len(), keeps(&rig).len()), (mark, 0));
    rig.limits.creations = Limit { count: 3, percent: 0 };
    let (_, undone) = give_word(&rig, &order, &word(&shown, None)).unwrap().unwrap();
    assert_eq!(undone.done, 3, "at the limit no count is needed");
}

#[test]
fn a_word_is_for_exactly_what_was_shown() {
    let rig = settled(6);
    let gone = lost(&rig, 2);
    let shown = look(&rig, &all_of(&gone));
    by_hand(&rig, "p1@example.org", |user| user.tags.insert("dirsync".into()));
    let mark = rig.desk().writes().len();
    let answer = give_word(&rig, &all_of(&gone), &word(&shown, Some(2))).unwrap();
    assert_eq!(answer.unwrap_err(), UndoFault::Moved);
    assert_eq!((rig.desk().writes().len(), keeps(&rig).len()), (mark, 0));
}

#[test]
fn an_unknown_cycle_or_app_is_a_clear_refusal() {
    let rig = settled(6);
    let gone = lost(&rig, 1);
    let ask = |order: UndoOrder| {
        let mut engine = rig.engine();
        rig.wait(engine.plan_undo(&order, "alice")).unwrap().unwrap().map(|whole| whole.cycle)
    };
    let named = |cycle: &str| UndoOrder { cycle: cycle.into(), app: None, user: None };
    assert_eq!(ask(named("20991231")), Err(UndoFault::NoSuchCycle("20991231".into())));
    assert_eq!(ask(named("2026")), Err(UndoFault::Ambiguous("2026".into())));
    assert_eq!(ask(named(&gone.as_str()[..gone.as_str().len() - 2])), Ok(gone.clone()));
    let app = UndoOrder { app: Some("sales".into()), ..all_of(&gone) };
    assert_eq!(ask(app), Err(UndoFault::NoSuchApp("sales".into())));
}

#[test]
fn an_undoing_works_once_and_is_undone_itself() {
    let rig = settled(6);
    let before = picture(&rig);
    let gone = lost(&rig, 2);
    let after = picture(&rig);
    let (_, first) = undo(&rig, &gone);
    let (again, second) = undo(&rig, &gone);
    assert_eq!(whys(&again), vec![CannotUndo::Already(first.cycle.clone()); 2]);
    assert_eq!((second.done, second.ending.code()), (0, 0));
    assert_eq!(picture(&rig), before);

    let (_, back) = undo(&rig, &first.cycle);
    assert_eq!((back.done, picture(&rig) == after), (2, true), "{:#?}", picture(&rig));
    assert_eq!(keeps(&rig).len(), 0, "the directory decides again");
    rests(&rig, 3);
    undo(&rig, &back.cycle);
    assert_eq!(picture(&rig), before, "and forth again");
    rests(&rig, 3);
}

#[test]
fn an_earlier_cycle_is_undone_only_after_the_later_one() {
    let rig = settled(6);
    let before = picture(&rig);
    set(&rig, 1, "displayName", "Second Name");
    let first = cycle(&rig);
    set(&rig, 1, "displayName", "Third Name");
    let second = cycle(&rig);
    let (whole, _) = undo(&rig, &first);
    assert_eq!(whys(&whole), [CannotUndo::Later(vec![second.clone()])]);
    undo(&rig, &second);
    assert_eq!(user(&rig, "p1@example.org").name, "Second Name");
    undo(&rig, &first);
    assert_eq!(picture(&rig), before);
    rests(&rig, 3);
}

#[test]
fn what_is_as_it_was_already_is_not_written() {
    let rig = settled(6);
    set(&rig, 1, "displayName", "By Mistake");
    let changed = cycle(&rig);
    by_hand(&rig, "p1@example.org", |user| user.name = "Person 1".into());
    let mark = rig.desk().writes().len();
    let (whole, undone) = undo(&rig, &changed);
    assert_eq!(rig.desk().writes().len(), mark);
    // The store is brought back all the same: it knew another name.
    assert_eq!((whole.changes(), undone.done), (1, 1));
    let (whole, undone) = undo(&rig, &changed);
    assert_eq!((whys(&whole).len(), undone.done, undone.ending.code()), (1, 0, 0));
}

#[test]
fn a_suspension_that_a_person_set_beside_ours_is_not_lifted() {
    let rig = settled(6);
    by_hand(&rig, "p1@example.org", |user| user.suspended = Some(By::Hand));
    let gone = lost(&rig, 1);
    undo(&rig, &gone);
    let now = user(&rig, "p1@example.org");
    assert_eq!((now.suspended, now.role), (Some(By::Hand), Role::Agent));
}

#[test]
fn whoever_was_brought_back_does_not_count_as_gone_from_the_source() {
    let mut rig = settled(40);
    (1..=20).for_each(|n| leave(&rig, n, "support"));
    let gone = cycle(&rig);
    assert_eq!(user(&rig, "p1@example.org").suspended, Some(By::Us));
    assert_eq!(undo(&rig, &gone).1.done, 20);
    rig.limits.source_gone = Limit { count: 5, percent: 15 };
    cycle(&rig);
    leave(&rig, 31, "support");
    assert_eq!(rig.cycle().ending.code(), 0, "one who leaves isn't held for those who were brought back");
    assert_eq!(user(&rig, "p31@example.org").suspended, Some(By::Us));
    assert_eq!(user(&rig, "p1@example.org").suspended, None);
}

#[test]
fn a_suspension_that_somebody_set_before_a_return_was_undone_is_never_taken_for_ours() {
    let rig = settled(6);
    leave(&rig, 1, "support");
    cycle(&rig);
    join(&rig, 1, "support");
    let returned = cycle(&rig);
    assert_eq!(user(&rig, "p1@example.org").suspended, None);
    by_hand(&rig, "p1@example.org", |user| user.suspended = Some(By::Hand));
    undo(&rig, &returned);
    // Whatever the directory says from now on, it stays.
    set(&rig, 1, "telephoneNumber", "+49 40 1");
    for _ in 0..3 {
        rig.cycle();
        assert_eq!(user(&rig, "p1@example.org").suspended, Some(By::Hand));
    }
}
