//! People whom the directory doesn't want any more.

use super::*;
use crate::domain::account_state::AccountState;
use crate::domain::change::{CauseCode, Confirm, Patch, SignIn, Suspension};
use crate::domain::rules::Removal;

fn disabled() -> Departure {
    Departure::Unusable(AccountState::Disabled { evidence: "userAccountControl 514".into() })
}

#[test]
fn access_ends_before_anything_else() {
    let mut account = observed(1);
    account.groups = BTreeSet::from([EVERYONE, SUPPORT]);
    account.tags = set(&["ours", "vip"]);
    let known = KnownAccount { given_tags: set(&["ours"]), ..known(1) };
    let change = change(&rules(), departed(known, Some(account), Departure::LeftGroups));
    let suspend = Step::Write(Patch { sign_in: Some(SignIn::Suspend), ..Patch::default() });
    let steps = [
        suspend,
        Step::EndSessions,
        Step::Leave(SUPPORT),
        Step::Downgrade(Suspension::Ours),
        Step::RemoveTags(set(&["ours"])),
    ];
    assert_eq!(change.steps, steps);
    assert_eq!(fields(&change), ["suspended", "groups", "role", "tags"]);
    assert_eq!(
        (change.action, change.class, change.confirm),
        (Action::Deprovision, Class::RemovalShown, Confirm::Departure)
    );
    assert_eq!(change.outcome.unwrap().standing, Standing::SuspendedByUs);
}

#[test]
fn each_departure_has_its_cause_and_class() {
    let expired = AccountState::Expired { since: chrono::DateTime::UNIX_EPOCH, evidence: "accountExpires".into() };
    let cases = [
        (disabled(), CauseCode::Disabled),
        (Departure::Unusable(expired), CauseCode::Expired),
        (Departure::LeftGroups, CauseCode::OutOfScope),
        (Departure::MovedOut { dn: Dn::parse("cn=a,ou=former").unwrap() }, CauseCode::OutOfScope),
        (Departure::Tombstone, CauseCode::Gone),
    ];
    for (departure, code) in cases {
        let change = change(&rules(), departed(known(1), Some(observed(1)), departure));
        assert_eq!((change.cause.code, change.class, change.guard), (code, Class::RemovalShown, None));
    }
}

#[test]
fn a_first_absence_is_only_noted() {
    let plan = planned(&rules(), vec![departed(known(1), Some(observed(1)), Departure::Absent)]);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.waiting[0].known.missed, Some(plan.based_on.cycle.clone()));
    // Looked at again by the cycle of the note itself, nothing more is known.
    let again =
        planned(&rules(), vec![departed((*plan.waiting[0].known).clone(), Some(observed(1)), Departure::Absent)]);
    assert_eq!((again.changes.len(), again.waiting.len()), (0, 1));
}

#[test]
fn a_second_absence_in_another_cycle_removes_whatever_the_clock_said_in_between() {
    for noted in ["20261122T100000000Z", "20361122T100000000Z"] {
        let missed = KnownAccount { missed: Some(cycle(noted)), ..known(1) };
        let change = change(&rules(), departed(missed, Some(observed(1)), Departure::Absent));
        assert_eq!((change.class, change.cause.code), (Class::RemovalByAbsence, CauseCode::Gone));
    }
}

#[test]
fn somebody_unreadable_is_guarded_and_somebody_still_held_is_told_as_unseen() {
    let unreadable = Departure::Unreadable { named_by: vec!["support".into()] };
    let change = change(&rules(), departed(known(1), Some(observed(1)), unreadable));
    assert_eq!((change.guard, change.class), (Some(Guard::Unreadable), Class::RemovalByAbsence));
    let held = Departure::StillHeld { held_by: vec!["support".into()], outside: None };
    let plan = planned(&rules(), vec![departed(known(1), Some(observed(1)), held)]);
    assert_eq!((plan.changes.len(), plan.rejected.len()), (0, 1));
}

#[test]
fn a_downgrade_leaves_sign_in_alone() {
    let rules = AppRules { removals: BTreeMap::from([(CauseCode::OutOfScope, Removal::Downgrade)]), ..rules() };
    let change = change(&rules, departed(known(1), Some(observed(1)), Departure::LeftGroups));
    assert_eq!(change.steps, [Step::EndSessions, Step::Leave(SUPPORT), Step::Downgrade(Suspension::NotOurs)]);
    assert_eq!(change.outcome.unwrap().standing, Standing::Downgraded);
}

#[test]
fn a_release_and_a_vanished_account_only_give_the_link_up() {
    let release = AppRules { removals: BTreeMap::from([(CauseCode::OutOfScope, Removal::Release)]), ..rules() };
    let gone = ObservedAccount { existence: Existence::Deleted, ..observed(1) };
    for (rules, account) in [(&release, Some(observed(1))), (&rules(), None), (&rules(), Some(gone))] {
        let change = change(rules, departed(known(1), account, Departure::LeftGroups));
        assert_eq!((change.action, change.steps.len(), change.outcome), (Action::Release, 0, None));
    }
}

#[test]
fn a_suspension_by_others_is_never_taken_for_ours() {
    let account = || ObservedAccount { suspended: Suspended::Yes, ..observed(1) };
    let by = |standing| {
        let known = KnownAccount { standing, ..known(1) };
        let change = change(&rules(), departed(known, Some(account()), disabled()));
        assert_eq!(change.steps[0], Step::EndSessions, "there is nothing to suspend");
        change.outcome.unwrap().standing
    };
    assert_eq!(by(Standing::Active), Standing::SuspendedByOthers);
    assert_eq!(by(Standing::Ending), Standing::SuspendedByUs);
}

#[test]
fn a_removal_that_is_switched_off_is_counted() {
    let mut rules = rules();
    rules.switches.deprovision = Switch::Off;
    let plan = planned(&rules, vec![departed(known(1), Some(observed(1)), disabled())]);
    assert_eq!((plan.changes.len(), plan.switched_off[&Action::Deprovision]), (0, 1));
}

#[test]
fn enough_admins_always_remain() {
    let admin = |n: u8| {
        let account = ObservedAccount { id: AccountId(u64::from(n)), role: Role::Admin, ..observed(n) };
        departed(KnownAccount { account: account.id, ..known(n) }, Some(account), disabled())
    };
    // The fixture's catalog has the admins 1, who is the owner, and 2.
    let floor = |admins_min| planned(&AppRules { admins_min, ..rules() }, vec![admin(2)]);
    assert_eq!(floor(1).changes.len(), 1);
    assert_eq!(floor(2).conflicts[0].why, ConflictReason::LastAdmins(2));
    let demoted = {
        let account = ObservedAccount { id: AccountId(2), role: Role::Admin, ..observed(2) };
        let mut known = KnownAccount { account: AccountId(2), ..known(2) };
        known.written.role = RoleGrant::Plain(Role::Admin);
        wanted(desired(2), Some(known), linked(account))
    };
    let plan = planned(&AppRules { admins_min: 2, ..rules() }, vec![demoted]);
    assert_eq!((plan.changes.len(), plan.conflicts.len()), (0, 1));
}

#[test]
fn a_change_keeps_the_account_as_it_was_seen_and_its_digest_does_not() {
    let mut account = observed(1);
    account.texts.insert(Field::Phone, "+49 30 1".into());
    let leaves = change(&rules(), departed(known(1), Some(account.clone()), Departure::LeftGroups));
    assert_eq!(leaves.before.as_deref(), Some(&account));
    let other = Change { before: None, ..leaves.clone() };
    assert_eq!(other.digest(), leaves.digest());
    let gone = change(&rules(), departed(known(1), None, Departure::LeftGroups));
    assert_eq!((gone.action, gone.before), (Action::Release, None));
    let wish = DesiredAccount { name: "Another".into(), ..desired(1) };
    let updated = change(&rules(), wanted(wish, Some(known(1)), linked(account.clone())));
    assert_eq!(updated.before.as_deref(), Some(&account));
    let new = change(&rules(), wanted(desired(1), None, Found::default()));
    assert_eq!(new.before, None);
}

#[test]
fn every_cause_of_a_departure_has_words_of_its_own() {
    let named = || vec!["Support".to_owned()];
    let causes = [
        disabled(),
        Departure::LeftGroups,
        Departure::MovedOut { dn: Dn::parse("cn=a,ou=former").unwrap() },
        Departure::Tombstone,
        Departure::Absent,
        Departure::Unreadable { named_by: named() },
        Departure::StillHeld { held_by: named(), outside: None },
        Departure::StillHeld { held_by: named(), outside: Some(Dn::parse("cn=a,ou=former").unwrap()) },
    ];
    let words: Vec<String> = causes.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "userAccountControl 514",
            "found, and in none of the groups",
            "found at cn=a,ou=former, outside of the configured bases, and in none of the groups",
            "deleted: the directory keeps a tombstone",
            "not found in two complete reads, and no group names the entry",
            "can't be read any more: not found, but still named by Support",
            "still held by Support",
            "found at cn=a,ou=former, outside of the configured bases, and still held by Support",
        ]
    );
}

#[test]
fn by_a_server_that_was_never_read_before_nobody_goes_and_by_another_only_whoever_went_before() {
    let decided = |standpoint, missed: Option<&str>, departure: Departure| {
        let known = KnownAccount { missed: missed.map(cycle), ..known(1) };
        let mut case = departed(known, Some(observed(1)), departure);
        if let Case::Departed { standpoint: one, .. } = &mut case {
            *one = standpoint;
        }
        let plan = planned(&rules(), vec![case]);
        let noted = plan.waiting.first().is_some_and(|one| one.known.missed == Some(plan.based_on.cycle.clone()));
        (plan.changes.len(), plan.waiting.len(), noted)
    };
    for departure in [Departure::LeftGroups, disabled(), Departure::Tombstone, Departure::Absent] {
        let shown = departure != Departure::Absent;
        let at_once = (usize::from(shown), usize::from(!shown), !shown);
        assert_eq!(decided(Standpoint::Steady, None, departure.clone()), at_once, "{departure:?}");
        assert_eq!(decided(Standpoint::Steady, Some("c0"), departure.clone()), (1, 0, false), "{departure:?}");
        assert_eq!(decided(Standpoint::Other, None, departure.clone()), (0, 1, true), "{departure:?}");
        assert_eq!(decided(Standpoint::Other, Some("c0"), departure.clone()), (1, 0, false), "{departure:?}");
        assert_eq!(decided(Standpoint::New, None, departure.clone()), (0, 1, false), "{departure:?}");
        assert_eq!(decided(Standpoint::New, Some("c0"), departure.clone()), (0, 1, false), "{departure:?}");
    }
}
