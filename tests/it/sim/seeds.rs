//! Generated histories: each seed is one world over thirty days; every cycle is judged, and in the end everything must be
//! as wanted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use chrono::TimeDelta;
use rustix::time::ClockId;
use zendesk_dirsync::domain::outcome::Notice;

use super::arrive::arrive;
use super::faults::Fault;
use super::oracle::{self, Oracle};
use super::orders::{self, Occasion, Order};
use super::rig::Ran;
use super::world::World;

/// Seeds that every test run takes, and days of each.
const SEEDS: u64 = 200;
const DAYS: i64 = 30;
/// The most that a simulated day may take, in milliseconds, with a seed on each processor.
const DAY_MS_MAX: f64 = 7.0;

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for one seed, or for more")]
fn generated_histories_never_harm_and_always_arrive() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let tracing = std::env::var("SIM_TRACE").is_ok();
    let failures_max = number("SIM_FAILURES").unwrap_or(10) as usize;
    let began = at(ClockId::Monotonic);
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    run_all(seeds.clone(), tracing, |seed, done| {
        figures.add(&done.figures);
        let Err(why) = done.why else { return Go::On };
        let lost = if done.lost { " (the store was lost once)" } else { "" };
        if number("SIM_SEEDS").is_none() {
            eprintln!("{}", done.last.join("\n"));
        }
        eprintln!("SIM_SEED={seed}: {why}{lost}\n");
        failed.push((seed, why));
        if failed.len() < failures_max { Go::On } else { Go::Stop }
    });
    figures.print(at(ClockId::Monotonic).saturating_sub(began));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    failed.iter().for_each(|(_, why)| *kinds.entry(why.split(':').next().unwrap_or_default()).or_default() += 1);
    assert!(failed.is_empty(), "{kinds:#?} replay with SIM_SEED=n SIM_TRACE=1: {failed:#?}");
    if seeds.end - seeds.start >= SEEDS {
        let never: Vec<&Fault> = Fault::ALL.iter().filter(|fault| !figures.faults.contains_key(fault)).collect();
        assert!(never.is_empty(), "kinds of fault that never happened: {never:?}");
        let never: Vec<&Order> = Order::ALL.iter().filter(|order| !figures.orders.contains_key(order)).collect();
        assert!(never.is_empty(), "kinds of order that were never given: {never:?}");
    }
}

#[test]
fn a_seed_is_the_same_history_whenever_it_is_run() {
    for seed in [3, 17] {
        let trace = |seed| {
            let (world, why) = run(seed, false);
            let writes: Vec<_> = world.rig.apps.iter().map(|(_, desk)| format!("{:?}", desk.writes())).collect();
            (
                world.log,
                why,
                writes,
                format!("{:?}", world.rig.ledger.snapshot()),
                format!("{:?}", world.rig.report.notices()),
            )
        };
        assert!(trace(seed) == trace(seed), "seed {seed} isn't the same twice");
    }
}

#[test]
fn at_least_forty_kinds_of_fault_and_twenty_rules_are_there() {
    assert!(Fault::ALL.len() >= 40, "{}", Fault::ALL.len());
    let names: std::collections::BTreeSet<_> = oracle::names().into_iter().collect();
    assert!(names.len() >= 20, "{names:#?}");
}

/// What runs came to.
#[derive(Default)]
struct Figures {
    seeds: u64,
    days: u64,
    cycles: u64,
    writes: u64,
    waits: u64,
    /// What they took of a processor.
    took: Duration,
    faults: BTreeMap<Fault, u64>,
    orders: BTreeMap<Order, u64>,
    holds: BTreeMap<String, u64>,
    /// How often people had to decide in the end, until nothing waited.
    decisions: BTreeMap<usize, u64>,
}

impl Figures {
    fn of(world: &World, took: Duration) -> Self {
        let mut writes = 0;
        let mut waits = 0;
        for (_, desk) in &world.rig.apps {
            writes += desk.with(|desk| desk.writes.len() as u64);
            waits += desk.told_to_wait();
        }
        let (faults, holds) = (world.faults.counts.clone(), world.holds.clone());
        let orders = world.orders.counts.clone();
        let decisions = BTreeMap::from([(world.decided_at_the_end, 1)]);
        Self { seeds: 1, days: world.days, cycles: world.cycles, writes, waits, took, faults, orders, holds, decisions }
    }

    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.days += other.days;
        self.cycles += other.cycles;
        self.writes += other.writes;
        self.waits += other.waits;
        self.took += other.took;
        add_up(&mut self.faults, &other.faults);
        add_up(&mut self.orders, &other.orders);
        add_up(&mut self.holds, &other.holds);
        add_up(&mut self.decisions, &other.decisions);
    }

    fn print(&self, lasted: Duration) {
        let a_day = |time: Duration| time.as_secs_f64() * 1_000.0 / self.days.max(1) as f64;
        let (took, a_day) = (a_day(self.took), a_day(lasted));
        let slow = if a_day > DAY_MS_MAX { " (more than it should be)" } else { "" };
        println!(
            "{} seeds, {} simulated days, {} cycles, {} writes, {} waits asked for; {a_day:.2} ms a day{slow}, {took:.2} of a processor",
            self.seeds, self.days, self.cycles, self.writes, self.waits
        );
        println!("rounds of decisions in the end: {:?}", self.decisions);
        println!("holds:");
        self.holds.iter().for_each(|(code, count)| println!("  {code}: {count}"));
        println!("faults ({} kinds):", self.faults.len());
        self.faults.iter().for_each(|(fault, count)| println!("  {fault:?}: {count}"));
        println!("orders ({} kinds):", self.orders.len());
        self.orders.iter().for_each(|(order, count)| println!("  {order:?}: {count}"));
    }
}

fn add_up<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    more.iter().for_each(|(key, count)| *sums.entry(key.clone()).or_default() += count);
}

/// How one history went.
pub struct Done {
    figures: Figures,
    pub why: Result<(), String>,
    lost: bool,
    /// The end of its log.
    last: Vec<String>,
}

/// Whether more seeds are to be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Go {
    On,
    Stop,
}

/// Runs seeds, on as many threads as there are processors, and tells how each went, in their order.
pub fn run_all(seeds: Range<u64>, tracing: bool, mut each: impl FnMut(u64, Done) -> Go) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, stopped) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (sender, done) = mpsc::channel();
        for _ in 0..threads.min((seeds.end - seeds.start) as usize) {
            let (sender, next, stopped, end) = (sender.clone(), &next, &stopped, seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end
                        || stopped.load(Ordering::Relaxed)
                        || sender.send((seed, one(seed, tracing))).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut turn = seeds.start;
        for (seed, one) in done {
            early.insert(seed, one);
            while let Some(one) = early.remove(&turn) {
                if !stopped.load(Ordering::Relaxed) && each(turn, one) == Go::Stop {
                    stopped.store(true, Ordering::Relaxed);
                }
                turn += 1;
            }
        }
    });
}

fn one(seed: u64, tracing: bool) -> Done {
    let began = at(ClockId::ThreadCPUTime);
    let (world, why) = run(seed, tracing);
    let last = world.log[world.log.len().saturating_sub(25)..].to_vec();
    Done { figures: Figures::of(&world, at(ClockId::ThreadCPUTime).saturating_sub(began)), why, lost: world.lost, last }
}

/// A moment on a clock of the machine: for figures only.
fn at(clock: ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Runs one history.
pub fn run(seed: u64, tracing: bool) -> (World, Result<(), String>) {
    let mut world = World::new(seed);
    world.tracing = tracing;
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history(&mut world)));
    let why = ran.unwrap_or_else(|_| Err("it panicked".to_owned()));
    (world, why)
}

fn history(world: &mut World) -> Result<(), String> {
    let mut oracle = Oracle::new(world.rig.apps.len());
    let end = TimeDelta::days(DAYS).to_std().unwrap_or_default();
    let begun = world.rig.clock.passed();
    for minutes in world.style.rhythm.iter().cycle() {
        if world.rig.clock.passed() - begun >= end {
            break;
        }
        events(world)?;
        orders::event(world, &mut oracle)?;
        world.rig.clock.advance(TimeDelta::minutes(*minutes));
        step(world, &mut oracle)?;
        world.restart();
    }
    world.days = DAYS.unsigned_abs();
    arrive(world, &mut oracle)
}

/// What happens between two cycles.
fn events(world: &mut World) -> Result<(), String> {
    if world.rng.one_in(world.style.event_in) {
        for _ in 0..1 + world.rng.below(3) {
            world.company_event();
        }
    }
    world.mistakes_are_mended();
    if world.rng.one_in(6) {
        world.hand_event();
    }
    if world.rng.one_in(8) {
        world.remember_state();
    }
    if world.rng.one_in(world.style.look_in) {
        world.decide();
    }
    if world.rng.one_in(20) {
        planning_changes_nothing(world)?;
    }
    world.fault_event();
    Ok(())
}

/// One judged cycle.
fn step(world: &mut World, oracle: &mut Oracle) -> Result<Ran, String> {
    let before = oracle.before(world);
    let only = if world.rng.one_in(15) {
        world.rng.pick(&world.everyone.keys().map(|person| person.entry.to_string()).collect::<Vec<_>>())
    } else {
        None
    };
    let ran = judged(world, oracle, &before, only.as_deref())?;
    if only.is_none() && matches!(ran, Ran::Ended(_)) {
        orders::trouble::after_cycle(world)?;
    }
    if matches!(&ran, Ran::Ended(report) if report.faults.is_empty() && only.is_none()) {
        for at in 0..world.stable.len() {
            let trouble = world.rig.directories[at].trouble();
            // With whom the app could not be served the store is not up to date either.
            let served = matches!(&ran, Ran::Ended(report) if report.plans.len() == world.rig.apps.len());
            world.stable[at] |= served && trouble.lagging.is_none() && trouble.hidden.is_empty();
        }
    }
    Ok(ran)
}

/// Runs a cycle, and judges it.
pub fn judged(
    world: &mut World,
    oracle: &mut Oracle,
    before: &oracle::Before,
    only: Option<&str>,
) -> Result<Ran, String> {
    let told = world.rig.report.with(<[_]>::len);
    world.orders.occasion = Occasion::Cycle(only.map(str::to_owned));
    let ran = world.rig.run_now(only);
    world.cycles += 1;
    if world.tracing {
        world.rig.report.with(|notices| notices[told..].iter().for_each(trace));
    }
    let how = match &ran {
        Ran::Ended(report) => report.summary.text.clone(),
        Ran::Aborted(why) => why.to_string(),
        Ran::Died => "died".to_owned(),
        Ran::Answered(reply) => format!("{reply:?}"),
    };
    world.tell(format!("cycle{}: {how}", only.map(|one| format!(" for {one}")).unwrap_or_default()));
    world.rig.fuse.mend();
    world.note_holds();
    oracle.judge(world, before, &ran)?;
    if only.is_some() && matches!(ran, Ran::Ended(_)) {
        world.orders.count(Order::OnceUser);
    }
    if !matches!(ran, Ran::Ended(_)) {
        world.new_process();
    }
    Ok(ran)
}

/// Shows what was told, for a person who looks at one seed.
fn trace(notice: &Notice) {
    let what = notice.changes.iter().map(|one| format!("{}: {} -> {}", one.field, one.before, one.after));
    let problem = notice.problem.as_ref().map(|problem| problem.message.clone());
    eprintln!(
        "    {} {:?} {:?} of {:?} at {:?}, {:?}: {} {problem:?}",
        notice.app.as_ref().map_or("", |app| app.as_str()),
        notice.subject,
        notice.verdict,
        notice.entry,
        notice.account.map(|id| id.0),
        notice.cause.as_ref().map(|cause| &cause.code),
        what.collect::<Vec<_>>().join(", "),
    );
}

fn planning_changes_nothing(world: &World) -> Result<(), String> {
    let look = || {
        let writes: Vec<usize> = world.rig.apps.iter().map(|(_, desk)| desk.with(|desk| desk.writes.len())).collect();
        (world.rig.ledger.snapshot(), world.rig.report.with(<[_]>::len), writes)
    };
    let before = look();
    world.rig.prepare();
    if look() == before { Ok(()) } else { Err("planning changed something".into()) }
}
