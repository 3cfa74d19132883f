//! Stories of trying again: a person whose change fails, an app that fails, and the others beside them.

use chrono::{DateTime, TimeDelta, Utc};
use zendesk_dirsync::domain::outcome::Verdict;
use zendesk_dirsync::engine::byhand::{HandOrder, Word};
use zendesk_dirsync::engine::command::{Command, Reply};

use super::*;
use crate::support::memory::{CallTrouble, LedgerState};

/// So many people in `support` of a directory, all with an account in each app.
fn crowd(people: u32, apps: &[&str]) -> Rig {
    let people: Vec<Person> =
        (1..=people).map(|n| Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"))).collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    let support = Group::numbered(1, "support", &ids);
    let given = || vec![gives("corp", "support", Some(Role::Agent), &["Support"])];
    let mut rig = Rig::of(MemoryDirectory::new("corp", people, [support]), desk(), rules(apps[0], given()));
    for app in &apps[1..] {
        rig.add_app(desk(), rules(app, given()));
    }
    (rig.limits.creations.count, rig.limits.updates.count) = (1_000, 1_000);
    rig.settle();
    rig
}

fn mail(n: u32) -> String {
    format!("p{n}@example.org")
}

fn phone(rig: &Rig, n: u32) -> Option<String> {
    rig.user(&mail(n)).unwrap().texts.get(&zendesk_dirsync::domain::mapping::Field::Phone).cloned()
}

/// Times at which changes of somebody were begun since a number of intents.
fn tries(rig: &Rig, n: u32, from: usize) -> Vec<DateTime<Utc>> {
    let begun = rig.ledger.begun();
    begun[from..].iter().filter(|one| one.email.as_str() == mail(n)).map(|one| one.time).collect()
}

fn state(rig: &Rig, app: &str) -> crate::support::memory::BrakeState {
    let snapshot: LedgerState = rig.ledger.snapshot();
    snapshot.brakes.get(&AppName::new(app).unwrap()).cloned().unwrap_or_default()
}

/// Records about a quarantine, by verdict.
fn quarantines(rig: &Rig, verdict: Verdict) -> usize {
    let notices = rig.report.notices();
    notices.iter().filter(|one| one.subject == Subject::Quarantine && one.verdict == verdict).count()
}

#[test]
fn whoever_fails_is_tried_less_and_less_and_delays_nobody() {
    // A fifth of fifty people is poisoned, for sixty days.
    let rig = crowd(50, &["support"]);
    let from = rig.ledger.begun().len();
    rig.desk().poison((1..=10).map(mail));
    for n in 1..=50 {
        set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
    }
    let mut delayed = 0;
    for day in 0..60 {
        for _ in 0..24 {
            rig.clock.advance(TimeDelta::minutes(45));
            rig.cycle();
        }
        let n = 11 + day % 40;
        set(&rig, id(n), "telephoneNumber", &format!("+49 40 {day}"));
        rig.cycle();
        delayed += usize::from(phone(&rig, n) != Some(format!("+49 40 {day}")));
    }
    assert_eq!(delayed, 0, "everybody else is served in the next cycle");
    for n in 1..=10 {
        let tries = tries(&rig, n, from);
        // Every cycle at first, then with pauses that double, then daily, and not after 28 days.
        assert!((30..=38).contains(&tries.len()), "{} tries", tries.len());
        assert!(*tries.last().unwrap() - tries[0] < TimeDelta::days(28));
    }
    assert_eq!(state(&rig, "support").quarantine, None, "the same people failing again are no failing app");
    let parked = |one: &&Notice| one.cause.as_ref().is_some_and(|cause| cause.code == "parked");
    let notices = rig.report.notices();
    assert_eq!(notices.iter().filter(parked).count(), 10, "each is told once");
    let view = rig.engine().status().unwrap().brakes;
    assert_eq!((view.failing.len(), view.failing.iter().filter(|one| one.until.is_none()).count()), (10, 10));
    assert!(view.oldest_age_s.is_some_and(|age| age > 59 * 24 * 3_600), "{:?}", view.oldest_age_s);
}

#[test]
fn a_parked_person_is_tried_again_by_a_word_or_another_change() {
    let rig = crowd(4, &["support"]);
    rig.desk().poison([mail(1), mail(2)]);
    for n in 1..=2 {
        set(&rig, id(n), "telephoneNumber", "+49 30 1");
    }
    for _ in 0..30 {
        rig.clock.advance(TimeDelta::days(1));
        rig.cycle();
    }
    let from = rig.ledger.begun().len();
    rig.desk().mend();
    rig.clock.advance(TimeDelta::days(2));
    rig.cycle();
    assert_eq!(rig.ledger.begun().len(), from, "both are parked");
    let retried = rig.command(Command::Retry { user: Some(mail(1)), app: None });
    assert_eq!(retried, Reply::Retried { people: 1, apps: 0 });
    set(&rig, id(2), "telephoneNumber", "+49 30 2");
    rig.cycle();
    assert_eq!((phone(&rig, 1), phone(&rig, 2)), (Some("+49 30 1".into()), Some("+49 30 2".into())));
    assert!(state(&rig, "support").trials.is_empty());
    let again = rig.command(Command::Retry { user: Some(mail(1)), app: None });
    assert!(matches!(again, Reply::Refused { code: 2, .. }), "{again:?}");
}

#[test]
fn a_plan_shows_until_when_somebody_waits() {
    let rig = crowd(4, &["support"]);
    rig.desk().poison([mail(1)]);
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    for _ in 0..3 {
        rig.cycle();
    }
    let Reply::Plan { plan, .. } = rig.command(Command::Plan { app: None, user: None }) else { panic!("no plan") };
    let deferred = plan.changes[0].deferred.clone().unwrap();
    assert_eq!(deferred.failures, 3);
    let text = deferred.text();
    assert!(text.starts_with("waits until 2026-11-23T") && text.ends_with(" after 3 failures"), "{text}");
    assert_eq!(plan.changes[0].held, None);
    assert_eq!(rig.cycle().ending.code(), 0, "it neither fails nor waits for a person while it is deferred");
}

#[test]
fn an_app_that_fails_is_probed_less_and_less_and_is_served_at_the_first_success() {
    let rig = crowd(50, &["support"]);
    rig.desk().writes_go_wrong(CallTrouble::Refuse);
    for n in 1..=50 {
        set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
    }
    let from = rig.ledger.begun().len();
    assert_eq!(rig.cycle().ending.code(), 6);
    assert_eq!(rig.ledger.begun().len() - from, 5, "five failures are enough");
    assert_eq!(quarantines(&rig, Verdict::Held), 1);
    for _ in 0..14 * 24 {
        rig.clock.advance(TimeDelta::minutes(45));
        assert_eq!(rig.cycle().ending.code(), 6);
    }
    let probes = rig.ledger.begun().len() - from - 5;
    assert!((15..=25).contains(&probes), "{probes} probes in two weeks");
    let last_day = rig.ledger.begun().iter().filter(|one| rig.now() - one.time < TimeDelta::days(2)).count();
    assert!(last_day <= 2, "{last_day} in the last two days");
    rig.desk().mend();
    for _ in 0..30 {
        rig.clock.advance(TimeDelta::minutes(45));
        rig.cycle();
    }
    assert_eq!(quarantines(&rig, Verdict::Done), 1);
    rig.command(Command::Retry { user: None, app: Some("support".into()) });
    rig.settle();
    assert_eq!((1..=50).filter(|n| phone(&rig, *n) == Some(format!("+49 30 {n}"))).count(), 50);
    assert_eq!(rig.cycle().ending.code(), 0);
}

#[test]
fn refused_credentials_are_tried_less_and_less_and_nothing_else() {
    for step in [1, 2, 3, 5] {
        let rig = crowd(8, &["support"]);
        set(&rig, id(1), "telephoneNumber", "+49 30 1");
        set(&rig, id(2), "telephoneNumber", "+49 30 2");
        let calls = rig.desk().calls();
        // who, catalog, observe, the first write, its look, the second write.
        rig.desk().goes_wrong(step, CallTrouble::Unauthorized);
        assert_eq!(rig.cycle().ending.code(), 6, "call {step}");
        assert!(rig.desk().calls() - calls <= step, "nothing follows call {step}");
        assert_eq!(quarantines(&rig, Verdict::Held), 1, "call {step}");
        rig.desk().all_goes_wrong(CallTrouble::Unauthorized);
        let calls = rig.desk().calls();
        for _ in 0..10 * 24 {
            rig.clock.advance(TimeDelta::minutes(45));
            assert_eq!(rig.cycle().ending.code(), 6);
        }
        let asked = rig.desk().calls() - calls;
        assert!((12..=22).contains(&asked), "{asked} sign-ins in ten days");
        rig.desk().mend();
        let retried = rig.command(Command::Retry { user: None, app: Some("support".into()) });
        assert!(matches!(retried, Reply::Retried { apps: 1, .. }), "{retried:?}");
        rig.cycle();
        rig.settle();
        assert_eq!(quarantines(&rig, Verdict::Done), 2, "begun, tried again by a word, ended");
        assert_eq!(phone(&rig, 2), Some("+49 30 2".into()));
    }
}

#[test]
fn a_quarantine_ends_by_a_sign_in_though_there_is_nothing_to_do() {
    let rig = crowd(3, &["support"]);
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    rig.desk().goes_wrong(1, CallTrouble::Unauthorized);
    rig.cycle();
    set(&rig, id(1), "telephoneNumber", "");
    assert_eq!(rig.cycle().ending.code(), 0);
    assert_eq!(state(&rig, "support").quarantine, None);
}

#[test]
fn a_quarantine_is_not_ended_by_what_writes_nothing() {
    let rig = crowd(12, &["support"]);
    rig.desk().writes_go_wrong(CallTrouble::Refuse);
    for n in 1..=11 {
        set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
    }
    rig.cycle();
    assert!(state(&rig, "support").quarantine.is_some());
    // A cycle for somebody of whom nothing is to be done.
    rig.clock.advance(TimeDelta::days(2));
    rig.run_only(Some(&mail(12)));
    assert!(state(&rig, "support").quarantine.is_some(), "nothing was tried");
    // Somebody is unlinked by hand: the next cycle finds the account by its marker and only links it.
    let one = HandOrder::Unlink;
    let unlink = Command::ByHand { order: one, user: mail(12), app: None, word: Word::Do };
    assert!(matches!(rig.order(unlink), Reply::Hand { code: 0, .. }));
    rig.clock.advance(TimeDelta::days(2));
    assert_eq!(rig.cycle().ending.code(), 6);
    assert!(state(&rig, "support").quarantine.is_some(), "a link was made, and no write succeeded");
    assert_eq!(rig.ledger.snapshot().accounts.len(), 12, "the link itself needs no probing");
}

#[test]
fn a_seat_that_is_not_there_keeps_no_app_in_quarantine() {
    let rig = crowd(12, &["support"]);
    rig.desk().writes_go_wrong(CallTrouble::Refuse);
    for n in 1..=11 {
        set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
    }
    rig.cycle();
    assert!(state(&rig, "support").quarantine.is_some());
    rig.desk().mend();
    // Somebody new needs a seat, and there is none.
    let seats = rig.desk().with(|desk| desk.users.values().filter(|user| user.role != Role::EndUser).count());
    rig.desk().by_hand(|desk| desk.seats = seats);
    let frank = Person::numbered(99, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
    join(&rig, frank.id, "support");
    rig.clock.advance(TimeDelta::days(2));
    rig.cycle();
    assert_eq!(state(&rig, "support").quarantine, None, "the one who needs no seat was tried, and it worked");
}

#[test]
fn a_wait_that_zendesk_asks_for_prolongs_no_quarantine() {
    for trouble in [CallTrouble::Throttled, CallTrouble::Unreachable] {
        let rig = crowd(3, &["support"]);
        set(&rig, id(1), "telephoneNumber", "+49 30 1");
        rig.desk().goes_wrong(1, CallTrouble::Unauthorized);
        rig.cycle();
        rig.desk().all_goes_wrong(trouble);
        for _ in 0..12 {
            assert_eq!(rig.cycle().ending.code(), 6);
        }
        rig.desk().mend();
        assert_eq!(rig.cycle().ending.code(), 0, "served as soon as it answers");
        assert_eq!(phone(&rig, 1), Some("+49 30 1".into()));
    }
}

#[test]
fn an_app_in_quarantine_delays_no_other() {
    let rig = crowd(12, &["support", "sales"]);
    rig.apps[0].1.writes_go_wrong(CallTrouble::Refuse);
    for n in 1..=12 {
        set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
    }
    rig.cycle();
    for day in 0..10 {
        set(&rig, id(1), "telephoneNumber", &format!("+49 40 {day}"));
        rig.clock.advance(TimeDelta::days(1));
        rig.cycle();
        let sales = rig.apps[1].1.desk();
        let user = sales.by_email(&zendesk_dirsync::domain::id::Email::parse(&mail(1)).unwrap()).unwrap();
        let phone = user.texts.get(&zendesk_dirsync::domain::mapping::Field::Phone);
        assert_eq!(phone, Some(&format!("+49 40 {day}")));
    }
    assert!(state(&rig, "support").quarantine.is_some() && state(&rig, "sales").quarantine.is_none());
    let told = rig.report.notices();
    let skipped = told.iter().filter_map(|one| one.problem.as_ref()).find(|problem| problem.kind == "quarantine");
    let message = &skipped.unwrap().message;
    assert!(message.starts_with("in quarantine since 2026-11-23T") && message.contains("not before"), "{message}");
}

#[test]
fn pauses_survive_a_clock_that_jumps_ten_years() {
    for years in [10, -10] {
        let rig = crowd(12, &["support"]);
        rig.desk().writes_go_wrong(CallTrouble::Refuse);
        for n in 1..=12 {
            set(&rig, id(n), "telephoneNumber", &format!("+49 30 {n}"));
        }
        for _ in 0..20 {
            rig.clock.advance(TimeDelta::hours(6));
            rig.cycle();
        }
        rig.clock.advance(TimeDelta::days(years * 3_652));
        rig.cycle();
        let from = rig.ledger.begun().len();
        for _ in 0..2 * 96 {
            rig.cycle();
        }
        let probes = rig.ledger.begun().len() - from;
        assert!((1..=2).contains(&probes), "{probes} probes in two days after {years} years");
    }
}
