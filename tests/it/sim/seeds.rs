//! Generated histories: each seed is one world over thirty days; every cycle is judged, and in the end everything must be
//! as wanted.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use zendesk_dirsync::domain::outcome::Notice;

use super::arrive::arrive;
use super::faults::Fault;
use super::oracle::{self, Oracle};
use super::orders::{self, Occasion, Order};
use super::rig::Ran;
use super::world::World;

/// Seeds that every test run takes, and days of each.
const SEEDS: u64 = 100;
const DAYS: i64 = 30;
/// The most that a simulated day may cost, in milliseconds.
const DAY_MS_MAX: f64 = 7.0;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks for one seed, or for more; and how long it took is printed"
)]
fn generated_histories_never_harm_and_always_arrive() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let began = std::time::Instant::now();
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    for seed in seeds.clone() {
        let (world, why) = run(seed, std::env::var("SIM_TRACE").is_ok());
        figures.add(&world);
        let Err(why) = why else { continue };
        let lost = if world.lost { " (the store was lost once)" } else { "" };
        let from = world.log.len().saturating_sub(25);
        if number("SIM_SEEDS").is_none() {
            eprintln!("{}", world.log[from..].join("\n"));
        }
        eprintln!("SIM_SEED={seed}: {why}{lost}\n");
        failed.push((seed, why));
        if failed.len() >= number("SIM_FAILURES").unwrap_or(10) as usize {
            break;
        }
    }
    figures.print(began.elapsed().as_secs_f64() * 1_000.0);
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

/// What a run came to.
#[derive(Default)]
struct Figures {
    seeds: u64,
    days: u64,
    cycles: u64,
    writes: u64,
    waits: u64,
    faults: BTreeMap<Fault, u64>,
    orders: BTreeMap<Order, u64>,
    holds: BTreeMap<String, u64>,
}

impl Figures {
    fn add(&mut self, world: &World) {
        self.seeds += 1;
        self.days += world.days;
        self.cycles += world.cycles;
        for (_, desk) in &world.rig.apps {
            self.writes += desk.with(|desk| desk.writes.len() as u64);
            self.waits += desk.told_to_wait();
        }
        for (fault, count) in &world.faults.counts {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (order, count) in &world.orders.counts {
            *self.orders.entry(*order).or_default() += count;
        }
        for (code, count) in &world.holds {
            *self.holds.entry(code.clone()).or_default() += count;
        }
    }

    fn print(&self, ms: f64) {
        let a_day = ms / self.days.max(1) as f64;
        let slow = if a_day > DAY_MS_MAX { " (more than it should be)" } else { "" };
        println!(
            "{} seeds, {} simulated days, {} cycles, {} writes, {} waits asked for; {a_day:.2} ms a day{slow}",
            self.seeds, self.days, self.cycles, self.writes, self.waits
        );
        println!("holds:");
        self.holds.iter().for_each(|(code, count)| println!("  {code}: {count}"));
        println!("faults ({} kinds):", self.faults.len());
        self.faults.iter().for_each(|(fault, count)| println!("  {fault:?}: {count}"));
        println!("orders ({} kinds):", self.orders.len());
        self.orders.iter().for_each(|(order, count)| println!("  {order:?}: {count}"));
    }
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
