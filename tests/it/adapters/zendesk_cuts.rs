//! A connection to Zendesk that is cut at any call, before or after its effect: what comes of it in the end is what
//! comes without, and nobody ever has two accounts.

use std::collections::BTreeMap;

use sandbox::zendesk::{Account, Act, Drop as Cut, Fault, Logged, Running};
use serde_json::Value;
use tokio::task::JoinSet;
use zendesk_dirsync::engine::Ending;

use crate::support::memory::{MemoryClock, MemoryDirectory, MemoryLedger, MemoryReport};
use crate::support::rig::{AnyDirectory, Rig, no_limits};
use crate::support::rig_desk::{start, unlimited, wired};
use crate::support::rig_small::{AGENTS, USERS, directory, person, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";
/// Cycles after a fault within which everything must be as wanted.
const CYCLES_MAX: usize = 4;
/// How many cases run beside one another: they mostly wait for the pauses between repetitions.
const BESIDE: usize = 24;

type SmallRig = Rig<MemoryLedger, MemoryReport>;

struct Case {
    running: Running,
    company: MemoryDirectory,
    rig: SmallRig,
}

impl Case {
    async fn new() -> Self {
        let running = start(unlimited(seed(50))).await;
        let company = directory(&[1, 2], &[3, 4]);
        let clock = MemoryClock::at(NOW);
        let app = wired(&running, rules(), &clock);
        let directory = AnyDirectory::Memory(company.clone());
        let rig = Rig::over(directory, app, no_limits(), clock, MemoryLedger::default(), MemoryReport::default());
        Self { running, company, rig }
    }

    /// Everybody is changed in another way: a leaver, a promotion, another name and mail, somebody new.
    fn change(&self) {
        self.company.change(|company| {
            for one in company.groups.values_mut() {
                if one.dn.as_str() == AGENTS {
                    one.members.remove(&person(1).id);
                    one.members.insert(person(3).id);
                }
                if one.dn.as_str() == USERS {
                    one.members.insert(person(5).id);
                }
            }
            company.people.insert(person(5).id, person(5));
            let two = company.people.get_mut(&person(2).id).expect("the second");
            two.set("mail", "another@example.org");
            two.set("displayName", "Another Name");
        });
    }

    /// Runs cycles until nothing is left to do; answers how many it took.
    async fn settle(&mut self, what: &str) {
        for _ in 0..CYCLES_MAX {
            self.running.clear_faults();
            let report = self.rig.cycle().await;
            if report.ending == Ending::Done && self.rig.plan().await.changes.is_empty() {
                return;
            }
        }
        panic!("{what}: not settled after {CYCLES_MAX} cycles: {:#?}", self.rig.plan().await);
    }
}

/// The account without what may differ: ids and times.
fn shape(state: &Account) -> Value {
    let mut json = serde_json::to_value(state).expect("an account is JSON");
    json["now"] = Value::Null;
    let users = json["users"].as_array_mut().expect("users");
    for user in users.iter_mut() {
        for field in ["created_at", "updated_at", "id", "sessions"] {
            user[field] = Value::Null;
        }
    }
    users.sort_by_key(|user| user["external_id"].to_string() + &user["email"].to_string());
    json
}

/// Each request with how often the same was sent before it, which is how a fault is aimed.
fn aims(requests: &[Logged]) -> Vec<(String, String, u64)> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut aims = Vec::new();
    for request in requests {
        let count = counts.entry((request.method.clone(), request.path.clone())).or_default();
        *count += 1;
        aims.push((request.method.clone(), request.path.clone(), *count));
    }
    aims
}

fn cut(method: &str, path: &str, nth: u64, cut: Cut) -> Fault {
    Fault { method: Some(method.to_owned()), path: path.to_owned(), nth: Some(nth), act: Act::Drop(cut) }
}

/// Runs cases a few at a time.
async fn beside<F: Future<Output = ()> + Send + 'static>(cases: impl IntoIterator<Item = F>) -> usize {
    let mut set = JoinSet::new();
    let mut count = 0;
    for case in cases {
        if set.len() >= BESIDE {
            set.join_next().await.expect("a case").expect("it holds");
        }
        set.spawn(case);
        count += 1;
    }
    while let Some(done) = set.join_next().await {
        done.expect("it holds");
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_cycle_that_is_cut_at_any_call_makes_one_account_a_person() {
    let mut whole = Case::new().await;
    whole.settle("whole").await;
    let wanted = shape(&whole.running.state());
    let aims = aims(&whole.running.requests());
    let cases = aims.into_iter().flat_map(|(method, path, nth)| {
        [Cut::DropBefore, Cut::DropAfter].map(|how| (method.clone(), path.clone(), nth, how))
    });
    let wanted = &wanted;
    let count = beside(cases.map(|(method, path, nth, how)| {
        let wanted = wanted.clone();
        async move {
            let what = format!("{how:?} at {method} {path}, number {nth}");
            let mut case = Case::new().await;
            case.running.push_faults(vec![cut(&method, &path, nth, how)]);
            case.rig.cycle().await;
            case.settle(&what).await;
            assert_eq!(shape(&case.running.state()), wanted, "{what}");
        }
    }))
    .await;
    assert!(count > 40, "only {count} cases");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_changes_that_is_cut_at_any_call_ends_as_if_it_was_not() {
    let mut whole = Case::new().await;
    whole.settle("whole").await;
    let made = whole.running.requests().len();
    whole.change();
    whole.settle("whole, changed").await;
    let wanted = shape(&whole.running.state());
    let aims = aims(&whole.running.requests()[made..]);
    let writes: Vec<(String, String, u64)> = aims.into_iter().filter(|(method, _, _)| method != "GET").collect();
    let cases = writes.into_iter().flat_map(|(method, path, nth)| {
        [Cut::DropBefore, Cut::DropAfter].map(|how| (method.clone(), path.clone(), nth, how))
    });
    let wanted = &wanted;
    let count = beside(cases.map(|(method, path, nth, how)| {
        let wanted = wanted.clone();
        async move {
            let what = format!("{how:?} at {method} {path}, number {nth}");
            let mut case = Case::new().await;
            case.settle("before").await;
            case.change();
            case.running.push_faults(vec![cut(&method, &path, nth, how)]);
            case.rig.cycle().await;
            case.settle(&what).await;
            assert_eq!(shape(&case.running.state()), wanted, "{what}");
        }
    }))
    .await;
    assert!(count > 15, "only {count} cases");
}
