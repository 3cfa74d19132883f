//! Stories of what people do by hand: ending access at once, letting go, linking, pinning.

use zendesk_dirsync::domain::change::{Action, CauseCode};
use zendesk_dirsync::domain::id::{Email, ExternalId};
use zendesk_dirsync::engine::Stop;
use zendesk_dirsync::engine::byhand::{HandOrder, HandView, Word};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::groups::RepinView;
use zendesk_dirsync::engine::ports::Ledger as _;

use super::*;
use crate::support::memory::{By, CallTrouble, ReadTrouble, Silent, Use, User};

fn command(order: HandOrder, user: &str, word: Word) -> Command {
    Command::ByHand { order, user: user.to_owned(), app: None, word }
}

fn done(rig: &Rig, order: HandOrder, user: &str) -> HandView {
    match rig.order(command(order, user, Word::Do)) {
        Reply::Hand { code: 0, view } => *view,
        other => panic!("{other:?}"),
    }
}

fn refused(reply: Reply) -> String {
    match reply {
        Reply::Refused { fault, .. } => fault.kind,
        other => panic!("it should be refused: {other:?}"),
    }
}

fn writes(rig: &Rig) -> usize {
    rig.desk().writes().len()
}

fn kept(rig: &Rig) -> usize {
    rig.ledger.snapshot().keeps.values().map(std::collections::BTreeMap::len).sum()
}

fn blind(rig: &Rig) {
    rig.directory().trouble_is(ReadTrouble { break_at: Some(0), base_fails: true, ..ReadTrouble::default() });
}

#[test]
fn the_leaver_who_cannot_wait_loses_access_though_no_directory_answers() {
    let mut rig = settled();
    // Neither a limit of nothing nor a directory that is down stands in the way.
    rig.limits.shown.count = 0;
    rig.limits.shown.percent = 0;
    blind(&rig);
    let view = done(&rig, HandOrder::Deprovision, "bob@example.org");
    assert_eq!(view.people[0].result.as_deref(), Some("done"));
    let bob = rig.user("bob@example.org").unwrap();
    assert_eq!((bob.suspended, bob.role, bob.groups.len()), (Some(By::Us), Role::EndUser, 0));
    assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs));
    let last = told(&rig, "bob@example.org").pop().unwrap();
    assert_eq!((last.actor.as_str(), last.cause.unwrap().code.as_str()), ("alice", CauseCode::ByHand.as_str()));
}

#[test]
fn whoever_was_deprovisioned_by_hand_is_not_given_back_until_the_directory_decides() {
    let rig = settled();
    done(&rig, HandOrder::Deprovision, "bob@example.org");
    let before = writes(&rig);
    set(&rig, id(2), "displayName", "Robert");
    for _ in 0..3 {
        assert_eq!(rig.cycle().ending.code(), 0);
    }
    assert_eq!((writes(&rig), kept(&rig)), (before, 1));
    rig.directory().change(|company| company.people.get_mut(&id(2)).unwrap().usable = Use::Disabled);
    rig.cycle();
    assert_eq!((writes(&rig), kept(&rig)), (before, 0));
    rig.directory().change(|company| company.people.get_mut(&id(2)).unwrap().usable = Use::Usable);
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
}

#[test]
fn showing_an_order_changes_nothing_and_only_what_was_shown_is_carried_out() {
    let rig = settled();
    let before = (writes(&rig), rig.ledger.snapshot().accounts, kept(&rig));
    let show = |rig: &Rig| match rig.order(command(HandOrder::Deprovision, "bob@example.org", Word::Show)) {
        Reply::Hand { view, .. } => *view,
        other => panic!("{other:?}"),
    };
    let shown = show(&rig);
    let bob = &shown.people[0];
    assert_eq!(
        (bob.name.as_str(), bob.role.as_deref(), bob.groups.as_slice()),
        ("Bob", Some("agent"), &["Support".to_owned()][..])
    );
    assert_eq!((writes(&rig), rig.ledger.snapshot().accounts, kept(&rig)), before);
    // Somebody raises the account at Zendesk before the answer.
    let account = bob.zendesk_id;
    rig.desk().by_hand(|desk| desk.set_role(account, Role::Admin, None)).unwrap();
    let word = Word::DoShown(shown.digest);
    assert_eq!(refused(rig.order(command(HandOrder::Deprovision, "bob@example.org", word))), "moved");
    assert_eq!((writes(&rig), kept(&rig)), (before.0, 0));
    let word = Word::DoShown(show(&rig).digest);
    assert!(matches!(rig.order(command(HandOrder::Deprovision, "bob@example.org", word)), Reply::Hand { code: 0, .. }));
}

#[test]
fn the_owner_and_the_protected_and_the_last_admin_are_refused_by_hand_too() {
    let mut rig = settled();
    let refuse = |rig: &Rig, user: &str| refused(rig.order(command(HandOrder::Deprovision, user, Word::Do)));
    let before = writes(&rig);
    let erin = rig.user("erin@example.org").map(|user| user.id);
    rig.apps[0].0.protected.insert(Email::parse("bob@example.org").unwrap());
    assert_eq!(refuse(&rig, "bob@example.org"), "untouchable");
    let alice = rig.user("alice@example.org").unwrap().id;
    rig.desk().by_hand(|desk| desk.owner = alice);
    assert_eq!(refuse(&rig, "alice@example.org"), "untouchable");
    if erin.is_some() {
        rig.apps[0].0.admins_min = 100;
        assert_eq!(refuse(&rig, "erin@example.org"), "last_admins");
    }
    assert_eq!((writes(&rig), kept(&rig)), (before, 0));
}

#[test]
fn nobody_and_several_of_one_name_are_told_apart() {
    let rig = settled();
    let refuse = |user: &str| refused(rig.order(command(HandOrder::Deprovision, user, Word::Do)));
    assert_eq!(refuse("zoe@example.org"), "nobody");
    assert_eq!(refuse(""), "nobody");
    set(&rig, id(3), "displayName", "Bob");
    rig.cycle();
    assert_eq!(refuse("Bob"), "several");
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, None);
    done(&rig, HandOrder::Deprovision, &id(2).to_string());
    assert_eq!(rig.user("carol@example.org").unwrap().suspended, None);
}

#[test]
fn an_order_that_breaks_off_leaves_the_person_kept_and_can_be_given_again() {
    // Whichever call isn't answered.
    for nth in 5..12 {
        let rig = settled();
        rig.desk().goes_wrong(nth, CallTrouble::UnansweredAfter);
        rig.order(command(HandOrder::Deprovision, "bob@example.org", Word::Do));
        for _ in 0..2 {
            rig.cycle();
        }
        rig.desk().mend();
        done(&rig, HandOrder::Deprovision, "bob@example.org");
        let bob = rig.user("bob@example.org").unwrap();
        assert_eq!((bob.suspended, bob.role, kept(&rig)), (Some(By::Us), Role::EndUser, 1), "call {nth}");
    }
}

#[test]
fn an_order_that_zendesk_refused_outright_keeps_nobody() {
    let rig = settled();
    // Who we are, the catalog, the look, the look before the write; then the suspension.
    rig.desk().goes_wrong(5, CallTrouble::Refuse);
    let reply = rig.order(command(HandOrder::Deprovision, "bob@example.org", Word::Do));
    assert!(matches!(&reply, Reply::Hand { code: 1, view } if view.people[0].fault.is_some()), "{reply:?}");
    assert_eq!((kept(&rig), rig.user("bob@example.org").unwrap().suspended), (0, None));
}

#[test]
fn an_order_that_took_no_effect_before_the_process_died_keeps_nobody_and_says_so() {
    let (mut before_the_intent, mut after) = (0, 0);
    for passages in 1..16 {
        let rig = settled();
        rig.clock.advance(chrono::TimeDelta::minutes(1));
        rig.fuse.set(Some(passages));
        let order = command(HandOrder::Deprovision, "bob@example.org", Word::Do);
        let mut engine = rig.engine();
        let answer = rig.wait(engine.carry_out(order, "alice", Stop::never(), &mut Silent));
        rig.fuse.set(None);
        let begun = !rig.ledger.open_intents().unwrap().is_empty();
        let untouched = rig.user("bob@example.org").unwrap().suspended.is_none();
        let was_kept = kept(&rig);
        rig.cycle();
        if answer.is_some() || !untouched || was_kept == 0 {
            continue;
        }
        assert_eq!((kept(&rig), standing(&rig, id(2))), (0, Some(Standing::Active)), "died at {passages}");
        *(if begun { &mut after } else { &mut before_the_intent }) += 1;
        if begun {
            let about = |notice: &Notice| notice.subject == Subject::Account(Action::Deprovision);
            let last = told(&rig, "bob@example.org").into_iter().rfind(about).unwrap();
            assert_eq!(last.problem.unwrap().hint, "access was not ended: give `deprovision --now` again");
        }
        set(&rig, id(2), "displayName", "Robert");
        rig.cycle();
        assert_eq!(rig.user("bob@example.org").unwrap().name, "Robert", "the directory decides again");
    }
    assert!(before_the_intent > 0 && after > 0, "{before_the_intent} deaths before the intent, {after} after it");
}

#[test]
fn deprovision_works_in_a_pause() {
    let rig = settled();
    rig.order(Command::Pause { app: None, reason: None, until: None });
    done(&rig, HandOrder::Deprovision, "bob@example.org");
    assert_eq!(rig.user("bob@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn whoever_is_released_keeps_the_account_as_it_is_and_is_left_alone_until_somebody_says_otherwise() {
    let rig = settled();
    let account = rig.user("bob@example.org").unwrap();
    let before = writes(&rig);
    blind(&rig);
    done(&rig, HandOrder::Release, "bob@example.org");
    rig.directory().trouble_is(ReadTrouble::default());
    set(&rig, id(2), "displayName", "Robert");
    rig.cycle();
    rig.cycle();
    leave(&rig, id(2), "support");
    rig.cycle();
    assert_eq!((writes(&rig), rig.user("bob@example.org").unwrap()), (before, account));
    assert_eq!(standing(&rig, id(2)), None);
    // Nothing but the keep knows them, and it knows their mail.
    let lift = Command::Lift { user: "bob@example.org".to_owned(), app: None };
    assert!(matches!(rig.order(lift), Reply::Lifted(lifted) if lifted.len() == 1));
    join(&rig, id(2), "support");
    rig.cycle();
    assert_eq!(rig.user("bob@example.org").unwrap().name, "Robert");
}

#[test]
fn whoever_is_unlinked_is_matched_anew_by_the_next_cycle() {
    let rig = settled();
    let before = writes(&rig);
    done(&rig, HandOrder::Unlink, "bob@example.org");
    assert_eq!((standing(&rig, id(2)), kept(&rig)), (None, 0));
    rig.cycle();
    assert_eq!((standing(&rig, id(2)), writes(&rig)), (Some(Standing::Active), before));
    let subjects: Vec<Subject> = rig.report.notices().into_iter().map(|notice| notice.subject).collect();
    assert!(subjects.contains(&Subject::Unlink));
}

/// Frank wants an account, and an admin's that carries another external id stands in the way.
fn in_conflict() -> Rig {
    let rig = settled();
    let mut user = User::there(700, "F. Fox", "frank@example.org", Role::Admin);
    user.external_id = Some(ExternalId::parse("hr-42").unwrap());
    rig.desk().by_hand(|desk| desk.add_user(user));
    let frank = Person::numbered(6, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank));
    join(&rig, id(6), "support");
    rig.cycle();
    assert_eq!(standing(&rig, id(6)), None);
    rig
}

fn link(rig: &Rig, user: &str, account: u64, word: Word) -> Reply {
    rig.order(Command::Link { user: user.to_owned(), account, app: None, word })
}

#[test]
fn an_account_that_is_never_taken_unasked_is_linked_by_a_persons_word() {
    let rig = in_conflict();
    let before = writes(&rig);
    let Reply::Hand { view, .. } = link(&rig, "frank@example.org", 700, Word::Show) else { panic!("a view") };
    let remarks = view.people[0].remarks.join("\n");
    assert!(remarks.contains("an admin's") && remarks.contains("hr-42"), "{remarks}");
    assert_eq!(standing(&rig, id(6)), None);
    let Reply::Hand { code: 0, .. } = link(&rig, "frank@example.org", 700, Word::DoShown(view.digest)) else {
        panic!("it is linked")
    };
    assert_eq!((standing(&rig, id(6)), writes(&rig)), (Some(Standing::Active), before));
    rig.cycle();
    let frank = rig.user("frank@example.org").unwrap();
    assert_eq!((frank.id, frank.name.as_str(), frank.role), (700, "Frank", Role::Admin));
    assert_eq!(frank.external_id, Some(ExternalId::own(id(6))));
}

#[test]
fn a_link_is_refused_to_the_owner_to_the_protected_to_somebody_elses_account_and_to_strangers() {
    let mut rig = in_conflict();
    let before = (writes(&rig), rig.ledger.snapshot().accounts);
    let refuse = |rig: &Rig, user: &str, account| refused(link(rig, user, account, Word::Do));
    assert_eq!(refuse(&rig, "frank@example.org", 1), "untouchable", "the owner");
    assert_eq!(refuse(&rig, "frank@example.org", 2), "untouchable", "ourselves");
    let bob = rig.user("bob@example.org").unwrap().id;
    assert_eq!(refuse(&rig, "frank@example.org", bob), "other_person");
    assert_eq!(refuse(&rig, "frank@example.org", 4_711), "no_such_account");
    assert_eq!(refuse(&rig, "bob@example.org", 700), "linked");
    assert_eq!(refuse(&rig, "zoe@example.org", 700), "nobody");
    rig.apps[0].0.protected.insert(Email::parse("frank@example.org").unwrap());
    assert_eq!(refuse(&rig, "frank@example.org", 700), "untouchable", "protected");
    assert_eq!((writes(&rig), rig.ledger.snapshot().accounts), before);
}

#[test]
fn a_link_lifts_what_kept_the_person() {
    let rig = settled();
    let bob = rig.user("bob@example.org").unwrap().id;
    done(&rig, HandOrder::Release, "bob@example.org");
    assert_eq!(kept(&rig), 1);
    assert!(matches!(link(&rig, "bob@example.org", bob, Word::Do), Reply::Hand { code: 0, .. }));
    assert_eq!((kept(&rig), standing(&rig, id(2))), (0, Some(Standing::Active)));
}

fn repin(rig: &Rig, text: &str) -> Reply {
    rig.order(Command::Repin { text: text.to_owned(), directory: None, word: Word::Do })
}

fn states(rig: &Rig) -> Vec<(String, String)> {
    match rig.order(Command::Groups) {
        Reply::Groups { view, .. } => view.groups.into_iter().map(|group| (group.text, group.state)).collect(),
        other => panic!("{other:?}"),
    }
}

fn pair(text: &str, state: &str) -> (String, String) {
    (text.to_owned(), state.to_owned())
}

/// Support is deleted and made anew under its name, without Dave.
fn made_anew(rig: &Rig) {
    let old = group(rig, "support");
    rig.directory().change(|company| {
        company.groups.remove(&old);
        let anew = Group::numbered(9, "support", &[id(1), id(2), id(3)]);
        company.groups.insert(anew.id, anew);
    });
}

#[test]
fn a_group_that_was_made_anew_is_taken_by_a_persons_word_and_its_losses_wait() {
    let rig = settled();
    assert_eq!(states(&rig), [pair("chiefs", "found"), pair("support", "found"), pair("tier2", "found")]);
    made_anew(&rig);
    assert_eq!(states(&rig)[1], pair("support", "recreated"));
    let before = writes(&rig);
    assert_eq!(rig.cycle().ending.code(), 4, "a missing group holds");
    let Reply::Repin(view) = repin(&rig, "support") else { panic!("it is pinned") };
    let RepinView { done: true, old: None, .. } = *view else { panic!("{view:?}") };
    assert_eq!(states(&rig)[1], pair("support", "found"));
    assert_eq!(rig.cycle().ending.code(), 4);
    assert_eq!((writes(&rig), rig.user("dave@example.org").unwrap().suspended), (before, None), "the loss waits");
    assert_eq!(rig.approve_all(), 1);
    rig.cycle();
    assert_eq!(rig.user("dave@example.org").unwrap().suspended, Some(By::Us));
    let pinned: Vec<Notice> =
        rig.report.notices().into_iter().filter(|notice| notice.subject == Subject::Repin).collect();
    assert_eq!(pinned.iter().map(|notice| notice.actor.as_str()).collect::<Vec<_>>(), ["alice"]);
}

#[test]
fn a_text_that_names_no_group_or_several_or_the_pinned_one_repins_nothing() {
    let rig = settled();
    let pins = rig.ledger.snapshot().pins;
    assert_eq!(refused(repin(&rig, "sales")), "nobody");
    assert!(matches!(repin(&rig, "support"), Reply::Repin(view) if !view.done && view.is_same()));
    rig.directory().change(|company| {
        let twin = Group::numbered(9, "tier2", &[]);
        company.groups.insert(twin.id, twin);
    });
    assert_eq!(refused(repin(&rig, "tier2")), "ambiguous");
    let old = group(&rig, "support");
    rig.directory().change(|company| company.groups.remove(&old));
    assert_eq!(refused(repin(&rig, "support")), "missing");
    assert_eq!(rig.ledger.snapshot().pins, pins);
}

#[test]
fn a_cycle_for_one_person_refuses_a_name_that_fits_nobody_or_several() {
    let rig = settled();
    set(&rig, id(2), "displayName", "Robert");
    set(&rig, id(3), "displayName", "Robert");
    let before = writes(&rig);
    let cycle = |user: &str| rig.order(Command::Cycle { user: Some(user.to_owned()) });
    assert_eq!(refused(cycle("zoe@example.org")), "nobody");
    assert_eq!(refused(cycle("Robert")), "several");
    assert_eq!(writes(&rig), before);
    assert!(matches!(cycle("bob@example.org"), Reply::Cycle { code: 0, .. }));
    assert_eq!(rig.user("bob@example.org").unwrap().name, "Robert");
    assert!(matches!(cycle("alice@example.org"), Reply::Cycle { code: 0, .. }), "nothing to do is no fault");
}
