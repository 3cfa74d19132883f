//! Stories of what a close reading found: a cycle for one person, orders that died half-way, switches, pauses with an end.

use chrono::TimeDelta;
use zendesk_dirsync::domain::change::Action;
use zendesk_dirsync::domain::outcome::Verdict;
use zendesk_dirsync::domain::rules::Switch;
use zendesk_dirsync::engine::Stop;
use zendesk_dirsync::engine::byhand::{HandOrder, Word};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{Clock as _, HoldState};
use zendesk_dirsync::engine::undo::{UndoOrder, UndoView};

use super::super::rig::Ran;
use super::*;
use crate::support::memory::{By, CallTrouble, ReadTrouble, Silent};

const BOB: &str = "bob@example.org";

fn kept(rig: &Rig) -> usize {
    rig.ledger.snapshot().keeps.values().map(std::collections::BTreeMap::len).sum()
}

fn only(rig: &Rig, user: &str) {
    match rig.run_only(Some(user)) {
        Ran::Ended(_) => {}
        other => panic!("the cycle didn't end: {other:?}"),
    }
}

fn undo(rig: &Rig, cycle: &str, word: bool) -> UndoView {
    let order = UndoOrder { cycle: cycle.to_owned(), app: None, user: None };
    let shown = match rig.order(Command::Undo { order: order.clone(), word: None }) {
        Reply::Undo { undo, .. } => *undo,
        other => panic!("{other:?}"),
    };
    if !word {
        return shown;
    }
    let count = Some(shown.changes.len());
    let word = zendesk_dirsync::engine::undo::UndoWord { digest: shown.digest, count };
    match rig.order(Command::Undo { order, word: Some(word) }) {
        Reply::Undo { undo, .. } => *undo,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cycle_for_one_person_ends_their_keep_and_their_note_and_nobody_elses() {
    let rig = settled();
    set(&rig, id(2), "displayName", "Robert");
    set(&rig, id(3), "displayName", "Carola");
    let cycle = rig.cycle().summary.cycle.to_string();
    undo(&rig, &cycle, true);
    assert_eq!(kept(&rig), 2);
    set(&rig, id(2), "displayName", "Bobby");
    set(&rig, id(3), "displayName", "Caro");
    only(&rig, BOB);
    assert_eq!((rig.user(BOB).unwrap().name.as_str(), kept(&rig)), ("Bobby", 1));
    assert_eq!(rig.user("carol@example.org").unwrap().name, "Carol");
    // Dave isn't seen once, and is in sight again when a cycle looks for him alone.
    let dave = rig.directory().company().people[&id(4)].clone();
    rig.directory().change(|company| company.people.remove(&id(4)));
    leave(&rig, id(4), "support");
    rig.cycle();
    let noted = || rig.ledger.snapshot().accounts.values().filter(|known| known.missed.is_some()).count();
    assert_eq!(noted(), 1);
    rig.directory().change(|company| company.people.insert(id(4), dave));
    join(&rig, id(4), "support");
    only(&rig, "dave@example.org");
    assert_eq!(noted(), 0);
}

/// Everybody of `support` is an end user.
fn customers() -> Rig {
    let assignments = vec![gives("corp", "support", Some(Role::EndUser), &[])];
    let rig = Rig::of(company(), desk(), rules("support", assignments));
    rig.settle();
    assert_eq!(rig.user(BOB).unwrap().role, Role::EndUser);
    rig
}

#[test]
fn a_removal_by_hand_that_died_before_it_was_told_is_never_told_as_done() {
    let (mut half, mut again) = (0, 0);
    for passages in 1..20 {
        let rig = customers();
        rig.clock.advance(TimeDelta::minutes(1));
        rig.fuse.set(Some(passages));
        let by_hand = |word| Command::ByHand { order: HandOrder::Deprovision, user: BOB.to_owned(), app: None, word };
        let mut engine = rig.engine();
        let answer = rig.wait(engine.carry_out(by_hand(Word::Do), "alice", Stop::never(), &mut Silent));
        rig.fuse.set(None);
        let was_told = |rig: &Rig| {
            let removal = |notice: &Notice| notice.subject == Subject::Account(Action::Deprovision);
            told(rig, BOB).into_iter().rfind(removal)
        };
        let suspended = rig.user(BOB).unwrap().suspended == Some(By::Us);
        // Told as done it is done; told as anything else it isn't known to be.
        let said = was_told(&rig).map(|notice| notice.verdict);
        if answer.is_some() || !suspended || said == Some(Verdict::Done) {
            continue;
        }
        half += 1;
        rig.cycle();
        let last = was_told(&rig).expect("it is told");
        assert_eq!(last.verdict, Verdict::Refused, "died at {passages}");
        assert!(last.problem.unwrap().hint.contains("give `deprovision --now` again"), "died at {passages}");
        rig.cycle();
        assert_eq!((rig.user(BOB).unwrap().suspended, kept(&rig)), (Some(By::Us), 1), "nobody gives it back");
        if let Reply::Hand { code: 0, .. } = rig.order(by_hand(Word::Do)) {
            again += 1;
        }
        assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs));
    }
    assert!(half > 1 && again == half, "{half} died half-way, {again} were finished");
}

#[test]
fn a_removal_by_hand_whose_sessions_were_not_ended_and_that_died_before_it_was_settled_stays_open() {
    let mut open = 0;
    for (call, passages) in (1..8).flat_map(|call| (1..20).map(move |passages| (call, passages))) {
        let rig = customers();
        rig.clock.advance(TimeDelta::minutes(1));
        let by_hand =
            || Command::ByHand { order: HandOrder::Deprovision, user: BOB.to_owned(), app: None, word: Word::Do };
        rig.desk().goes_wrong(call, CallTrouble::Refuse);
        rig.fuse.set(Some(passages));
        let mut engine = rig.engine();
        let answer = rig.wait(engine.carry_out(by_hand(), "alice", Stop::never(), &mut Silent));
        rig.fuse.set(None);
        let removal = |notice: &Notice| notice.subject == Subject::Account(Action::Deprovision);
        let said = told(&rig, BOB).into_iter().rfind(removal).map(|notice| notice.verdict);
        let suspended = rig.user(BOB).unwrap().suspended == Some(By::Us);
        if answer.is_some() || !suspended || said != Some(Verdict::Refused) {
            continue;
        }
        open += 1;
        rig.cycle();
        assert_ne!(standing(&rig, id(2)), Some(Standing::SuspendedByUs), "call {call}, died at {passages}");
        assert!(matches!(rig.order(by_hand()), Reply::Hand { code: 0, .. }), "call {call}, died at {passages}");
        assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs));
    }
    assert!(open > 0);
}

#[test]
fn a_switch_that_is_off_for_a_while_forgets_no_rejection() {
    let mut rig = settled();
    rig.limits.shown.count = 0;
    rig.limits.shown.percent = 0;
    leave(&rig, id(4), "support");
    assert_eq!(rig.cycle().ending.code(), 4);
    let hold = rig.ledger.snapshot().holds.values().flatten().next().unwrap().id.to_string();
    rig.clock.advance(TimeDelta::minutes(1));
    rig.engine().reject(&hold, "alice").unwrap().unwrap();
    rig.cycle();
    rig.apps[0].0.switches.deprovision = Switch::Off;
    rig.cycle();
    rig.apps[0].0.switches.deprovision = Switch::On;
    rig.cycle();
    let holds = rig.ledger.snapshot().holds;
    let rejected = |hold: &&zendesk_dirsync::engine::ports::HoldRecord| {
        matches!(hold.state, HoldState::Rejected { .. }) && hold.changes.iter().any(|one| one.person == corp(id(4)))
    };
    assert_eq!(holds.values().flatten().filter(rejected).count(), 1, "{holds:?}");
    assert_eq!(rig.user("dave@example.org").unwrap().suspended, None);
}

#[test]
fn whoever_was_decided_against_and_cannot_be_seen_for_a_while_is_not_made_when_they_are_back() {
    for days in [0, 27, 40] {
        let mut rig = settled();
        let wide = rig.limits.creations;
        (rig.limits.creations.count, rig.limits.creations.percent) = (0, 0);
        let frank = Person::numbered(6, "Frank", "frank@example.org");
        rig.directory().change(|company| company.people.insert(frank.id, frank));
        join(&rig, id(6), "support");
        assert_eq!(rig.cycle().ending.code(), 4);
        let hold = rig.ledger.snapshot().holds.values().flatten().next().unwrap().id.to_string();
        rig.clock.advance(TimeDelta::minutes(1));
        rig.engine().reject(&hold, "alice").unwrap().unwrap();
        rig.limits.creations = wide;
        rig.cycle();
        // However long ago it was said.
        rig.clock.advance(TimeDelta::days(40));
        rig.cycle();
        // A filter passes him over, with success.
        rig.directory().trouble_is(ReadTrouble { filtered: [id(6)].into(), ..ReadTrouble::default() });
        rig.cycle();
        rig.clock.advance(TimeDelta::days(days));
        rig.cycle();
        rig.directory().trouble_is(ReadTrouble::default());
        rig.cycle();
        assert_eq!(rig.user("frank@example.org"), None, "unseen for {days} days");
    }
}

#[test]
fn a_leaver_whose_return_was_decided_against_stays_out_though_they_come_and_go() {
    let mut rig = settled();
    let wide = rig.limits.creations;
    leave(&rig, id(4), "support");
    rig.cycle();
    assert_eq!(rig.user("dave@example.org").unwrap().suspended, Some(By::Us));
    (rig.limits.creations.count, rig.limits.creations.percent) = (0, 0);
    join(&rig, id(4), "support");
    assert_eq!(rig.cycle().ending.code(), 4);
    let hold = rig.ledger.snapshot().holds.values().flatten().next().unwrap().id.to_string();
    rig.clock.advance(TimeDelta::minutes(1));
    rig.engine().reject(&hold, "alice").unwrap().unwrap();
    rig.limits.creations = wide;
    leave(&rig, id(4), "support");
    rig.cycle();
    join(&rig, id(4), "support");
    rig.cycle();
    assert_eq!(rig.user("dave@example.org").unwrap().suspended, Some(By::Us));
}

#[test]
fn a_name_of_several_people_is_told_as_that_though_one_of_them_was_released() {
    let rig = settled();
    let by_hand = |order, user: &str| {
        rig.clock.advance(TimeDelta::minutes(1));
        rig.order(Command::ByHand { order, user: user.to_owned(), app: None, word: Word::Do })
    };
    for n in [1, 2, 3] {
        set(&rig, id(n), "displayName", "Alex Kim");
    }
    rig.cycle();
    assert_eq!(by_hand(HandOrder::Release, "alice@example.org").code(), 0);
    match by_hand(HandOrder::Deprovision, "Alex Kim") {
        Reply::Refused { fault, .. } => assert_eq!(fault.kind, "several", "{fault:?}"),
        other => panic!("{other:?}"),
    }
    match by_hand(HandOrder::Deprovision, "alice@example.org") {
        Reply::Refused { fault, .. } => assert!(fault.hint.contains("--app support"), "{fault:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pause_ends_at_its_time_without_a_cycle_and_is_shown_as_past_until_a_second_look() {
    let rig = settled();
    let until = rig.clock.now() + TimeDelta::hours(3);
    rig.order(Command::Pause { app: None, reason: None, until: Some(until) });
    let shown = || match rig.order(Command::Status) {
        Reply::Status(status) => status.paused,
        other => panic!("{other:?}"),
    };
    let wait = |rig: &Rig| zendesk_dirsync::engine::pause::next_look(&shown(), rig.clock.now());
    let mut looks = 0;
    while let Some(wait) = wait(&rig) {
        rig.clock.advance(TimeDelta::from_std(wait).unwrap());
        looks += 1;
        let ended = rig.engine().look_at_pauses("daemon").unwrap();
        assert_eq!(ended, rig.clock.now() >= until, "look {looks}");
        assert!(!shown().iter().any(|pause| pause.past));
    }
    assert!(rig.clock.now() - until < TimeDelta::minutes(3), "it ended {} late", rig.clock.now() - until);
    // Nobody looked for long: the clock may have leapt.
    let until = rig.clock.now() + TimeDelta::hours(3);
    rig.order(Command::Pause { app: None, reason: None, until: Some(until) });
    rig.clock.advance(TimeDelta::hours(30));
    assert!(shown()[0].past && shown()[0].text().contains("past"));
    assert!(!rig.engine().look_at_pauses("daemon").unwrap());
    // A look just after, or a cycle, ends it no sooner than half an hour later.
    rig.clock.advance(TimeDelta::seconds(2));
    assert!(!rig.engine().look_at_pauses("daemon").unwrap());
    let writes = rig.desk().writes().len();
    leave(&rig, id(4), "support");
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), writes, "the pause stands");
    rig.clock.advance(TimeDelta::minutes(30));
    assert!(rig.engine().look_at_pauses("daemon").unwrap());
    assert!(shown().is_empty());
}

#[test]
fn an_undoing_tells_of_the_group_that_zendesk_does_not_let_go() {
    let rig = settled();
    let bob = rig.user(BOB).unwrap().id;
    rig.desk().by_hand(|desk| desk.users.get_mut(&bob).unwrap().groups.clear());
    set(&rig, id(2), "displayName", "Robert");
    let cycle = rig.cycle().summary.cycle.to_string();
    assert_eq!(rig.user(BOB).unwrap().groups.len(), 1);
    let shown = undo(&rig, &cycle, false);
    let short: Vec<&str> = shown.short.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(short, ["groups: Support stays, because an agent must be in one at least"]);
    undo(&rig, &cycle, true);
    assert_eq!(rig.user(BOB).unwrap().groups.len(), 1);
}

#[test]
fn whatever_write_fails_a_link_is_answered_as_it_is() {
    let (mut refused, mut tied) = (0, 0);
    for left in 0..8 {
        let rig = settled();
        let bob = rig.user(BOB).unwrap().id;
        let release = Command::ByHand { order: HandOrder::Release, user: BOB.to_owned(), app: None, word: Word::Do };
        rig.order(release);
        assert_eq!((kept(&rig), standing(&rig, id(2))), (1, None));
        rig.ledger.fails_after(Some(left));
        let reply = rig.order(Command::Link { user: BOB.to_owned(), account: bob, app: None, word: Word::Do });
        rig.ledger.fails_after(None);
        let is = (kept(&rig), standing(&rig, id(2)));
        if reply.code() == 0 {
            assert_eq!(is, (0, Some(Standing::Active)), "{left} writes");
            tied += 1;
        } else {
            assert_eq!(is, (1, None), "{left} writes: {reply:?}");
            let last = told(&rig, BOB).pop().unwrap();
            let done = last.subject == Subject::Account(Action::Link) && last.verdict == Verdict::Done;
            assert!(!done, "{left} writes: the report says that it was linked");
            refused += 1;
        }
    }
    assert!(refused > 0 && tied > 0, "{refused} refused, {tied} tied");
}

fn refused(reply: Reply) -> (String, String) {
    match reply {
        Reply::Refused { fault, .. } => (fault.kind, fault.message),
        other => panic!("it should be refused: {other:?}"),
    }
}

#[test]
fn whoever_was_released_is_found_by_name_and_told_of() {
    let rig = settled();
    let order = |order| Command::ByHand { order, user: "bob".to_owned(), app: None, word: Word::Do };
    assert_eq!(rig.order(order(HandOrder::Release)).code(), 0);
    for again in [HandOrder::Release, HandOrder::Unlink, HandOrder::Deprovision] {
        let (kind, message) = refused(rig.order(order(again)));
        assert_eq!(kind, "not_managed");
        assert!(message.contains("released by hand, by alice"), "{message}");
    }
    // Nor is the name unknown to a cycle when the directory doesn't want them any more.
    leave(&rig, id(2), "support");
    assert_eq!(rig.order(Command::Cycle { user: Some("Bob".to_owned()) }).code(), 0);
    assert_eq!(refused(rig.order(Command::Cycle { user: Some("Zoe".to_owned()) })).0, "nobody");
}

#[test]
fn whoever_failed_is_tried_again_by_any_name() {
    let rig = settled();
    let bob = rig.user(BOB).unwrap().id.to_string();
    rig.desk().poison([BOB.to_owned()]);
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    let failing = || rig.ledger.snapshot().brakes[&AppName::new("support").unwrap()].trials.len();
    let retry = |user: &str| rig.order(Command::Retry { user: Some(user.to_owned()), app: None });
    for name in [BOB, "Bob", &bob, &id(2).to_string()] {
        rig.cycle();
        assert_eq!(failing(), 1);
        assert_eq!(refused(retry("Carol")).0, "nothing_to_retry");
        assert!(matches!(retry(name), Reply::Retried { people: 1, apps: 0 }), "{name}");
        assert_eq!(failing(), 0);
    }
    // Somebody without an account is known by what was tried.
    let frank = Person::numbered(6, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank));
    rig.desk().poison(["frank@example.org".to_owned()]);
    join(&rig, id(6), "support");
    rig.cycle();
    assert!(matches!(retry("frank"), Reply::Retried { people: 1, .. }));
}
