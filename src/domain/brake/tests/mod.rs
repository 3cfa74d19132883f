//! Tests of the brake: what goes on, what waits, and for which reason.

use super::*;
use crate::domain::change::{Action, Cause, CauseCode, Confirm, FieldChange, FieldValue, Guard};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, CycleId, DirectoryName, Email, EntryId, PersonId};
use crate::domain::plan::Basis;

mod over_time;

fn change(n: u8, class: Class, guard: Option<Guard>) -> Change {
    Change {
        app: AppName::new("support").unwrap(),
        person: PersonId { directory: DirectoryName::new("corp").unwrap(), entry: EntryId::from_bytes([n; 16]) },
        account: Some(AccountId(u64::from(n))),
        before: None,
        action: Action::Deprovision,
        cause: Cause { code: CauseCode::OutOfScope, groups: Vec::new(), evidence: None },
        email: Email::parse("p@example.org").unwrap(),
        name: "Person".into(),
        dn: Dn::parse("uid=p,dc=example").unwrap(),
        fields: vec![FieldChange {
            field: "suspended",
            before: FieldValue::Flag(false),
            after: FieldValue::Flag(true),
        }],
        steps: Vec::new(),
        class,
        guard,
        confirm: Confirm::Departure,
        outcome: None,
    }
}

fn many(from: u8, count: u8, class: Class) -> Vec<Change> {
    (from..from + count).map(|n| change(n, class, None)).collect()
}

struct Case {
    experience: Experience,
    approvals: BTreeSet<Digest>,
    rejections: BTreeSet<Digest>,
    gone: usize,
}

impl Default for Case {
    fn default() -> Self {
        Self { experience: Experience::Settled, approvals: BTreeSet::new(), rejections: BTreeSet::new(), gone: 0 }
    }
}

fn reviewed(changes: Vec<Change>, case: &Case) -> Review {
    let basis = Basis { store: 1, rules: Digester::new("x").finish(), cycle: CycleId::from_text("c") };
    let mut plan = Plan::empty(AppName::new("support").unwrap(), basis, 20);
    plan.changes = changes;
    let Case { experience, approvals, rejections, gone } = case;
    let (approvals, rejections) = (approvals.clone(), rejections.clone());
    review(&plan, &Bench { approvals, rejections, gone: *gone, ..Bench::of(Limits::default(), *experience) })
}

fn codes(review: &Review) -> Vec<(&'static str, usize)> {
    review.held.iter().map(|hold| (hold.reason.code(), hold.changes.len())).collect()
}

#[test]
fn what_is_held_does_not_stop_the_rest() {
    let mut changes = many(0, 6, Class::RemovalShown);
    changes.extend(many(20, 3, Class::RemovalByAbsence));
    changes.extend(many(40, 20, Class::Plain));
    let review = reviewed(changes, &Case::default());
    assert_eq!((review.approved.changes().len(), codes(&review)), (23, vec![("removals_shown", 6)]));
}

#[test]
fn each_class_past_its_limit_waits_by_itself() {
    let mut changes = many(0, 4, Class::RemovalByAbsence);
    changes.extend(many(20, 6, Class::TakesOrRaises));
    changes.extend(many(40, 21, Class::Creation));
    changes.extend(many(70, 21, Class::Plain));
    let mut codes = codes(&reviewed(changes, &Case::default()));
    codes.sort_unstable();
    assert_eq!(codes, [("creations", 21), ("removals_by_absence", 4), ("takes_or_raises", 6), ("updates", 21)]);
}

#[test]
fn the_guarded_wait_alone_and_do_not_count() {
    let mut changes = many(0, 5, Class::RemovalShown);
    changes.push(change(9, Class::RemovalShown, Some(Guard::GroupMissing("support".into()))));
    let review = reviewed(changes, &Case::default());
    assert_eq!((review.approved.changes().len(), codes(&review)), (5, vec![("group_missing", 1)]));
}

#[test]
fn an_approval_lets_pass_through_guard_limit_and_first_cycle() {
    let guarded = change(1, Class::RemovalShown, Some(Guard::Unreadable));
    let case = Case {
        experience: Experience::First,
        approvals: BTreeSet::from([guarded.digest()]),
        gone: 99,
        ..Case::default()
    };
    let review = reviewed(vec![guarded, change(2, Class::Plain, None)], &case);
    assert_eq!((review.approved.changes().len(), codes(&review)), (1, vec![("first_cycle", 1)]));
}

#[test]
fn what_was_rejected_waits_even_within_the_limit() {
    let one = change(1, Class::RemovalShown, None);
    let case = Case { rejections: BTreeSet::from([one.digest()]), ..Case::default() };
    let review = reviewed(vec![one.clone(), change(2, Class::RemovalShown, None)], &case);
    assert_eq!((review.approved.changes().len(), codes(&review)), (1, vec![("rejected", 1)]));
    let case = Case { approvals: case.rejections.clone(), ..case };
    assert_eq!(reviewed(vec![one], &case).approved.changes().len(), 1, "a later approval wins");
}

#[test]
fn half_the_source_gone_holds_removals_and_nothing_else() {
    let mut changes = many(0, 1, Class::RemovalShown);
    changes.extend(many(20, 1, Class::Creation));
    let review = reviewed(changes, &Case { gone: 6, ..Case::default() });
    assert_eq!((review.approved.changes().len(), codes(&review)), (1, vec![("source_gone", 1)]));
}

#[test]
fn another_set_is_another_hold() {
    let hold = |changes| Hold { app: AppName::new("support").unwrap(), reason: HoldReason::FirstCycle, changes };
    let two = hold(many(0, 2, Class::Plain)).id();
    assert_ne!(two, hold(many(0, 3, Class::Plain)).id());
    assert_ne!(two, hold(many(1, 2, Class::Plain)).id());
    let mut turned = many(0, 2, Class::Plain);
    turned.reverse();
    assert_eq!(two, hold(turned).id());
    let other = Hold { reason: HoldReason::Rejected, ..hold(many(0, 2, Class::Plain)) };
    assert_ne!(two, other.id());
}
