//! Stories of two copies of the service over one Zendesk account, and of a store put back from a backup.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;
use zendesk_dirsync::domain::brake::FirstCycle;
use zendesk_dirsync::domain::lease::Marker;
use zendesk_dirsync::engine::{Abort, CycleOrder, CycleReport, Stop};

use crate::sim::rig::Ran;
use crate::support::memory::{CallTrouble, LedgerState, MemoryZendesk, Silent, Turnstile, read_marker};

fn support() -> AppName {
    AppName::new("support").unwrap()
}

/// A copy of the service with a name, over an account where it keeps a lease.
fn copy(name: u8, desk: MemoryZendesk) -> Rig {
    let mut rig = rig();
    rig.ledger.identify([name; 16]);
    rig.apps[0].1 = desk;
    rig
}

/// One copy that keeps a lease, after its first cycles.
fn leased() -> Rig {
    let rig = copy(1, rig().desk().with_lease());
    rig.settle();
    assert_eq!(rig.cycle().ending.code(), 0);
    rig
}

fn marker(rig: &Rig) -> Marker {
    rig.desk().with(|desk| read_marker(desk, &support()))
}

fn serial(rig: &Rig) -> Option<u64> {
    match marker(rig) {
        Marker::Held { mark, .. } => Some(mark.serial),
        Marker::Off | Marker::Free | Marker::Unreadable { .. } => None,
    }
}

/// The kinds of problems that the last cycle told.
fn problems(rig: &Rig) -> Vec<&'static str> {
    let notices = rig.report.notices();
    let last = notices.last().map(|notice| notice.cycle.clone());
    let of_last = notices.iter().filter(|notice| Some(&notice.cycle) == last.as_ref());
    of_last.filter_map(|notice| notice.problem.as_ref().map(|problem| problem.kind)).collect()
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<CycleReport, Abort>> + 'a>>;

/// How many writes of people each of two copies makes in one cycle each, whose calls about the lease come in an order.
fn interleaved(rigs: [&Rig; 2], doors: [&Turnstile; 2], order: &[usize]) -> [usize; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _inside = runtime.enter();
    let mut engines = rigs.map(Rig::engine);
    let mut silent = [Silent, Silent];
    let mut runs: Vec<Option<Running<'_>>> = engines
        .iter_mut()
        .zip(&mut silent)
        .map(|(engine, silent)| {
            let order = CycleOrder { actor: "daemon".into(), only: None, stop: Stop::never() };
            Some(Box::pin(engine.cycle(order, silent)) as Running<'_>)
        })
        .collect();
    let mut wrote = [0, 0];
    let mut go_on = |who: usize| {
        let before = rigs[who].desk().with(|desk| desk.writes.len());
        for _ in 0..10_000 {
            let Some(run) = &mut runs[who] else { return false };
            match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ended) => {
                    ended.unwrap();
                    runs[who] = None;
                }
                Poll::Pending if doors[who].is_awaited() => break,
                Poll::Pending => {}
            }
        }
        wrote[who] += rigs[who].desk().with(|desk| desk.writes.len()) - before;
        true
    };
    go_on(0);
    go_on(1);
    // What the order leaves over ends one after the other.
    for who in order.iter().copied().chain([0; 8]).chain([1; 8]) {
        doors[who].let_one();
        go_on(who);
    }
    assert!(!go_on(0) && !go_on(1), "both cycles ended");
    wrote
}

/// Every order of five calls of each of two copies.
fn orders() -> Vec<Vec<usize>> {
    let all = (0_u32..1 << 10).filter(|bits| bits.count_ones() == 5);
    all.map(|bits| (0..10).map(|at| usize::from(bits & (1 << at) != 0)).collect()).collect()
}

/// Two copies over the account of a rig, each with a turnstile before its lease.
fn two(account: &MemoryZendesk, names: [u8; 2]) -> ([Rig; 2], [Arc<Turnstile>; 2]) {
    let doors = [Arc::new(Turnstile::default()), Arc::new(Turnstile::default())];
    let rig = |at: usize| copy(names[at], account.with_turnstile(&doors[at]));
    ([rig(0), rig(1)], doors)
}

#[test]
fn two_copies_that_find_no_marker_never_both_write_in_whatever_order() {
    let mut winners = BTreeSet::new();
    for order in orders() {
        let ([a, b], doors) = two(rig().desk(), [1, 2]);
        let wrote = interleaved([&a, &b], [&*doors[0], &*doors[1]], &order);
        assert!(wrote[0] == 0 || wrote[1] == 0, "{order:?}: {wrote:?}");
        assert!(wrote != [0, 0], "{order:?}: one of them does the work");
        winners.insert(wrote[0] > 0);
        let stopped = if wrote[0] > 0 { &b } else { &a };
        assert!(problems(stopped).contains(&"lease_foreign"), "{order:?}: {:?}", problems(stopped));
    }
    assert_eq!(winners.len(), 2, "either may come first");
}

#[test]
fn only_the_copy_that_has_the_lease_writes_in_whatever_order() {
    for order in orders() {
        let ([a, b], doors) = two(rig().desk(), [1, 2]);
        // The first copy worked alone before.
        let alone = copy(1, a.desk().with_lease());
        alone.settle();
        a.ledger.restore(alone.ledger.snapshot());
        for copy in [&a, &b] {
            set(copy, id(1), "telephoneNumber", "+49 30 1");
        }
        let wrote = interleaved([&a, &b], [&*doors[0], &*doors[1]], &order);
        assert!(wrote[0] > 0 && wrote[1] == 0, "{order:?}: {wrote:?}");
    }
}

#[test]
fn two_runs_of_one_store_are_noticed_at_the_latest_in_the_next_cycle() {
    for order in orders() {
        let ([a, b], doors) = two(rig().desk(), [1, 1]);
        let alone = copy(1, a.desk().with_lease());
        alone.settle();
        for copy in [&a, &b] {
            copy.ledger.restore(alone.ledger.snapshot());
            set(copy, id(1), "telephoneNumber", "+49 30 1");
        }
        // The clocks of two hosts are never the same to the millisecond.
        b.clock.advance(chrono::TimeDelta::milliseconds(7));
        interleaved([&a, &b], [&*doors[0], &*doors[1]], &order);
        for (rig, door, phone) in [(&a, &doors[0], "+49 30 2"), (&b, &doors[1], "+49 30 3")] {
            (0..16).for_each(|_| door.let_one());
            set(rig, id(2), "telephoneNumber", phone);
            rig.cycle();
        }
        let told = [&a, &b].map(|copy| {
            let kinds = copy.report.notices().into_iter().filter_map(|notice| notice.problem);
            kinds.map(|problem| problem.kind).any(|kind| kind.starts_with("lease_"))
        });
        assert!(told != [false, false], "{order:?}");
    }
}

#[test]
fn a_copy_without_the_lease_stops_says_who_has_it_and_goes_on_after_a_persons_word() {
    let first = leased();
    let second = copy(2, first.desk().clone());
    set(&second, id(1), "telephoneNumber", "+49 30 1");
    let writes = first.desk().writes().len();
    let report = second.cycle();
    assert_eq!(report.ending.code(), 4, "{:?}", report.summary);
    assert_eq!(first.desk().writes().len(), writes);
    let told = second.report.notices();
    let problem = told.iter().filter_map(|notice| notice.problem.clone()).next_back().unwrap();
    assert_eq!(problem.kind, "lease_foreign");
    assert!(problem.message.contains("instance 01010101, last at 2026-11-23T"), "{}", problem.message);
    assert!(problem.hint.contains("lease take --app support"), "{}", problem.hint);

    take(&second);
    assert_eq!(second.cycle().ending.code(), 4, "what the other wrote isn't known here: everything waits once");
    assert_eq!(first.desk().writes().len(), writes);
    assert!(second.approve_all() > 0);
    second.settle();
    assert_eq!(first.user("alice@example.org").unwrap().texts.len(), 1, "and is done then");
    assert_eq!(second.cycle().ending.code(), 0);
    // The one that had it stops from now on.
    set(&first, id(1), "displayName", "Alice Doe");
    let writes = first.desk().writes().len();
    assert_eq!(first.cycle().ending.code(), 4);
    assert_eq!((first.desk().writes().len(), problems(&first).contains(&"lease_foreign")), (writes, true));
}

fn take(rig: &Rig) -> zendesk_dirsync::engine::command::Reply {
    use zendesk_dirsync::engine::command::Command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let command = Command::TakeLease { app: None };
    let mut engine = rig.engine();
    let reply = runtime.block_on(engine.carry_out(command, "alice", Stop::never(), &mut Silent));
    assert_eq!(reply.code(), 0, "{reply:?}");
    reply
}

/// A history with an approval in it, filmed; the account at its end, and every copy of the store from it.
fn history() -> (Rig, Vec<LedgerState>) {
    let mut rig = copy(1, rig().desk().with_lease());
    rig.limits.first_cycle = FirstCycle::Hold;
    rig.ledger.film();
    rig.cycle();
    rig.approve_all();
    rig.cycle();
    leave(&rig, id(2), "support");
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    rig.cycle();
    join(&rig, id(2), "support");
    rig.cycle();
    rig.settle();
    let film = rig.ledger.film();
    (rig, film)
}

#[test]
fn whatever_older_copy_of_the_store_is_put_back_everything_waits() {
    let (rig, film) = history();
    let newest = serial(&rig).unwrap();
    let account = rig.desk().desk();
    let (mut older, mut newer) = (0, 0);
    for state in film {
        let known = state.leases.get(&support()).map_or(0, |mark| mark.serial);
        let mut put_back = copy(1, rig.desk().clone());
        put_back.limits.first_cycle = FirstCycle::Hold;
        put_back.directories.clone_from(&rig.directories);
        put_back.clock = rig.clock.clone();
        put_back.desk().by_hand(|desk| *desk = account.clone());
        put_back.ledger.restore(state);
        set(&put_back, id(1), "displayName", "Alice Doe");
        let writes = put_back.desk().writes().len();
        put_back.cycle();
        if known == newest {
            newer += 1;
            continue;
        }
        older += 1;
        put_back.cycle();
        assert_eq!(put_back.desk().writes().len(), writes, "serial {known} of {newest}");
        assert!(put_back.approve_all() > 0, "serial {known} of {newest}");
        put_back.settle();
        assert!(put_back.user("alice@example.org").is_some_and(|user| user.name == "Alice Doe"));
    }
    assert!(older > 20 && newer > 0, "{older} {newer}");
}

#[test]
fn an_approval_in_a_store_that_is_put_back_counts_no_more() {
    let mut rig = copy(1, rig().desk().with_lease());
    rig.settle();
    rig.limits.takes_or_raises.count = 0;
    rig.limits.takes_or_raises.percent = 0;
    let held = |rig: &Rig| {
        leave(rig, id(1), "tier2");
        assert_eq!(rig.cycle().ending.code(), 4);
        assert_eq!(rig.approve_all(), 1);
    };
    held(&rig);
    let approved = rig.ledger.snapshot();
    rig.cycle();
    join(&rig, id(1), "tier2");
    rig.settle();
    // The same is due again, and the copy that is put back holds an approval of just that.
    leave(&rig, id(1), "tier2");
    rig.ledger.restore(approved);
    let writes = rig.desk().writes().len();
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.desk().writes().len(), writes);
}

#[test]
fn a_marker_is_written_only_where_something_else_is() {
    let rig = leased();
    let (before, calls) = (serial(&rig), rig.desk().calls());
    rig.cycle();
    assert_eq!((serial(&rig), rig.desk().calls()), (before, calls), "nothing to do: nothing is asked");
    // Only what waits: the marker is not even read.
    let mut held = copy(2, rig.desk().clone());
    held.limits.first_cycle = FirstCycle::Hold;
    held.cycle();
    assert_eq!(serial(&held), before);
    assert!(problems(&held).iter().all(|kind| !kind.starts_with("lease_")));
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    rig.cycle();
    assert_eq!(serial(&rig), before.map(|serial| serial + 2), "before the first write, and after the last");
}

#[test]
fn a_fault_at_any_call_about_the_lease_lets_nothing_be_written_without_it() {
    let troubles = [
        CallTrouble::Refuse,
        CallTrouble::UnansweredBefore,
        CallTrouble::UnansweredAfter,
        CallTrouble::GarbledAfter,
        CallTrouble::Unauthorized,
        CallTrouble::Throttled,
        CallTrouble::Unreachable,
    ];
    for trouble in troubles {
        // who, catalog, observe; then read, write and read back.
        for (nth, may) in [(4, false), (5, true), (6, false)] {
            let rig = leased();
            set(&rig, id(1), "telephoneNumber", "+49 30 1");
            let writes = rig.desk().writes().len();
            rig.desk().goes_wrong(nth, trouble);
            rig.run();
            // A write of the marker that was only not answered is found to have been done.
            let done = may && matches!(trouble, CallTrouble::UnansweredAfter | CallTrouble::GarbledAfter);
            assert_eq!(rig.desk().writes().len() > writes, done, "{trouble:?} at {nth}");
            rig.settle();
            assert_eq!(rig.user("alice@example.org").unwrap().texts.len(), 1, "{trouble:?} at {nth}");
            assert!(rig.ledger.snapshot().doubted.is_empty(), "{trouble:?} at {nth}: nobody else was here");
        }
    }
}

#[test]
fn a_crash_at_any_moment_is_not_taken_for_an_older_store() {
    for passage in 1..200 {
        let rig = leased();
        set(&rig, id(1), "telephoneNumber", "+49 30 1");
        leave(&rig, id(2), "support");
        rig.fuse.set(Some(passage));
        let ran = rig.run();
        rig.fuse.set(None);
        rig.settle();
        assert!(rig.ledger.snapshot().doubted.is_empty(), "{passage}");
        assert_eq!(standing(&rig, id(2)), Some(Standing::SuspendedByUs), "{passage}");
        if !matches!(ran, Ran::Died) {
            assert!(passage > 20, "{passage} passages are few");
            return;
        }
    }
    panic!("a cycle has fewer passages");
}

#[test]
fn a_marker_that_was_edited_stops_the_app_until_it_is_taken_and_one_that_was_deleted_is_made_anew() {
    use zendesk_dirsync::domain::mapping::Field;
    let rig = leased();
    let Marker::Held { account, .. } = marker(&rig) else { panic!("no marker") };
    rig.desk().by_hand(|desk| {
        desk.users.get_mut(&account.0).unwrap().texts.insert(Field::Notes, "what is this?".into());
    });
    set(&rig, id(1), "telephoneNumber", "+49 30 1");
    let writes = rig.desk().writes().len();
    assert_eq!(rig.cycle().ending.code(), 4);
    assert_eq!((rig.desk().writes().len(), problems(&rig).contains(&"lease_unreadable")), (writes, true));
    take(&rig);
    rig.cycle();
    rig.approve_all();
    rig.settle();
    assert_eq!(rig.user("alice@example.org").unwrap().texts.len(), 1);

    rig.desk().by_hand(|desk| desk.delete(account.0));
    set(&rig, id(1), "displayName", "Alice Doe");
    rig.cycle();
    assert!(rig.user("alice@example.org").is_some_and(|user| user.name == "Alice Doe"));
    assert!(matches!(marker(&rig), Marker::Held { account: new, .. } if new != account));
}

#[test]
fn the_marker_is_nobodys_account_whatever_mail_it_is_given() {
    use zendesk_dirsync::domain::id::Email;
    use zendesk_dirsync::domain::rules::AdoptCase;
    let mut rig = leased();
    rig.apps[0].0.adoption.cases.insert(AdoptCase::EndUsers);
    let Marker::Held { account, .. } = marker(&rig) else { panic!("no marker") };
    rig.desk().by_hand(|desk| {
        desk.users.get_mut(&account.0).unwrap().email = Some(Email::parse("frank@example.org").unwrap());
    });
    let frank = Person::numbered(6, "Frank", "frank@example.org");
    rig.directory().change(|company| company.people.insert(frank.id, frank.clone()));
    join(&rig, frank.id, "support");
    let report = rig.cycle();
    let plan = report.plans.values().next().unwrap();
    assert_eq!((plan.changes.len(), plan.conflicts.len()), (0, 1), "{:?}", plan.changes);
    assert!(plan.conflicts[0].why.to_string().contains("the marker of a lease"), "{}", plan.conflicts[0].why);
    assert!(rig.desk().writes().iter().all(|write| write.account != Some(account.0)));
}
