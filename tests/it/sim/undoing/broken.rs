//! Undoings that break off, are refused, or aren't answered; and undone once all the same.

use super::*;
use zendesk_dirsync::domain::deed::DeedEnd;

use crate::support::memory::{By, CallTrouble};

/// Two people lose everything, one a little, in one cycle.
fn mixed(rig: &Rig) -> CycleId {
    leave(rig, 1, "support");
    leave(rig, 5, "leads");
    leave(rig, 5, "support");
    set(rig, 2, "mail", "married@example.org");
    cycle(rig)
}

/// Deaths at every call of the store, the report and Zendesk.
fn dies_everywhere(between: impl Fn(&Rig)) {
    let mut deaths = 0;
    for passage in 1.. {
        let rig = settled(6);
        by_hand(&rig, "p1@example.org", |user| user.groups.insert(14));
        let before = picture(&rig);
        let gone = mixed(&rig);
        let mark = rig.desk().writes().len();
        rig.fuse.set(Some(passage));
        let died = try_undo(&rig, &all_of(&gone)).is_none();
        rig.fuse.set(None);
        between(&rig);
        // What was begun is settled first, which may change what was shown: then it is looked at again.
        let again = (0..2).find_map(|_| try_undo(&rig, &all_of(&gone)).unwrap().ok());
        assert!(again.is_some(), "died at passage {passage}");
        assert_eq!(picture(&rig), before, "died at passage {passage}");
        let lifts = rig.desk().writes().split_off(mark).into_iter().filter(|write| {
            write.before.as_ref().is_some_and(|user| user.suspended.is_some())
                && write.after.as_ref().is_some_and(|user| user.suspended.is_none())
        });
        assert_eq!(lifts.count(), 2, "nobody is undone twice: died at passage {passage}");
        rests(&rig, 3);
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 50, "{deaths}");
}

#[test]
fn an_undoing_that_dies_at_any_call_is_gone_on_with() {
    dies_everywhere(|_| {});
}

#[test]
fn cycles_between_a_death_and_the_next_try_leave_the_people_alone() {
    dies_everywhere(|rig| {
        rig.cycle();
        rig.cycle();
    });
}

#[test]
fn with_too_few_seats_some_are_brought_back_and_the_others_not_kept() {
    let rig = settled(6);
    (1..=3).for_each(|n| leave(&rig, n, "support"));
    let gone = cycle(&rig);
    rig.desk().by_hand(|desk| {
        let used = desk.users.values().filter(|user| user.live && user.role != Role::EndUser).count();
        desk.seats = used + 1;
    });
    let (_, undone) = undo(&rig, &gone);
    assert_eq!((undone.done, undone.failed, undone.ending.code()), (1, 2, 1));
    assert_eq!(user(&rig, "p1@example.org").suspended, None);
    for mail in ["p2@example.org", "p3@example.org"] {
        assert_eq!(user(&rig, mail).suspended, Some(By::Us), "nobody gets half of it back");
    }
    assert_eq!(keeps(&rig).keys().copied().collect::<Vec<_>>(), [id(1)]);
    rests(&rig, 3);
    rig.desk().by_hand(|desk| desk.seats = 1_000);
    let (_, rest) = undo(&rig, &gone);
    assert_eq!((rest.done, rest.failed), (2, 0));
    rests(&rig, 3);
}

#[test]
fn a_refused_undoing_keeps_nobody_and_an_unanswered_one_leaves_them_alone() {
    for (trouble, ends, kept) in [
        (CallTrouble::Refuse, DeedEnd::Refused, 0),
        (CallTrouble::UnansweredBefore, DeedEnd::Unknown, 1),
        (CallTrouble::UnansweredAfter, DeedEnd::Unknown, 1),
        (CallTrouble::GarbledAfter, DeedEnd::Unknown, 1),
    ] {
        let rig = settled(6);
        let before = picture(&rig);
        leave(&rig, 1, "support");
        let gone = cycle(&rig);
        let shown = look(&rig, &all_of(&gone));
        let word = UndoWord { digest: shown.digest().to_string(), count: Some(1) };
        // Three reads, then the first write.
        rig.desk().goes_wrong(4, trouble);
        let (_, undone) = give_word(&rig, &all_of(&gone), &word).unwrap().unwrap();
        assert_eq!((undone.done, undone.failed, undone.ending.code()), (0, 1, 1), "{trouble:?}");
        let deeds = rig.ledger.snapshot().deeds;
        assert!(deeds.iter().any(|deed| deed.undoes.is_some() && deed.end == ends), "{trouble:?}: {deeds:#?}");
        assert_eq!(keeps(&rig).len(), kept, "{trouble:?}");
        rests(&rig, 2);
        undo(&rig, &gone);
        assert_eq!(picture(&rig), before, "{trouble:?}");
        rests(&rig, 2);
    }
}

#[test]
fn an_app_that_does_not_answer_is_told_and_nothing_is_written() {
    let rig = settled(6);
    leave(&rig, 1, "support");
    let gone = cycle(&rig);
    rig.desk().goes_wrong(1, CallTrouble::Unauthorized);
    let shown = look(&rig, &all_of(&gone));
    assert_eq!((shown.ending().code(), shown.faults.len(), shown.changes()), (6, 1, 0));
}

#[test]
fn a_removal_that_broke_off_is_undone_from_where_it_stands() {
    let rig = settled(6);
    let before = picture(&rig);
    leave(&rig, 1, "support");
    // The reads of a plan, then suspension and sessions; the group can't be left.
    rig.desk().goes_wrong(6, CallTrouble::Refuse);
    let report = rig.cycle();
    assert_eq!(report.ending.code(), 1);
    assert!(user(&rig, "p1@example.org").suspended.is_some());
    assert_eq!(rig.ledger.snapshot().deeds.last().unwrap().end, DeedEnd::Partly);
    undo(&rig, &report.summary.cycle);
    assert_eq!(picture(&rig), before);
    rests(&rig, 3);
}

#[test]
fn what_went_through_without_an_answer_is_undone_with_the_default_group_that_zendesk_chose() {
    let mut unanswered = 0;
    for call in 1.. {
        let rig = settled(6);
        let before = picture(&rig);
        let deeds = rig.ledger.snapshot().deeds.len();
        // Tier 2, the default group, is left: Zendesk makes another one that.
        leave(&rig, 5, "support");
        rig.desk().goes_wrong(call, CallTrouble::UnansweredAfter);
        let report = rig.cycle();
        if report.ending.code() == 0 {
            break;
        }
        let failed = report.summary.text.contains("1 failed");
        assert_eq!(rig.cycle().ending.code(), 0, "call {call}");
        let new = rig.ledger.snapshot().deeds.split_off(deeds);
        let gone = &new[0].cycle;
        // What was cut off in the middle took two cycles.
        if new.iter().any(|deed| deed.cycle != *gone) {
            continue;
        }
        unanswered += usize::from(failed);
        assert_ne!(picture(&rig), before, "call {call}");
        let (shown, _) = undo(&rig, gone);
        assert_eq!(shorts(&shown), text(&[]), "call {call}");
        assert_eq!(picture(&rig), before, "call {call}");
        rests(&rig, 2);
    }
    assert!(unanswered > 0);
}
