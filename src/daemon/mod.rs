//! The daemon: one loop over a closed set of events, and one worker that owns the engine.
//!
//! Cycles never overlap, and a tick that comes while one runs is not made up for. The loop never waits for the worker, so
//! that signals and `status` are answered while a cycle runs.

mod cron;
mod service;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::control::Line;
use crate::control::server::{Ask, serve};
use crate::domain::schedule::Schedule;
use crate::engine::command::{Command, Reply};
use crate::engine::pause::next_look;
use crate::engine::view::{StatusView, wait_text};
use crate::engine::{Engine, Ports, Renewal, Stop};

use worker::{Job, Stops, Worker};

/// Events under way to the loop.
const EVENTS_UNDER_WAY: usize = 64;
/// How long a stop waits for the change in hand.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// How long a cycle may go on without a sign of life before the watchdog isn't fed any more. Every call has a limit of its
/// own; planning for thousands of newcomers asks Zendesk about each, at its pace.
const SILENCE_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// Everything that can happen to the daemon.
#[derive(Debug)]
enum Event {
    /// The schedule came round.
    Tick,
    /// The jitter after a tick is over.
    Due,
    /// SIGUSR1: run a cycle now.
    RunNow,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT.
    Stop,
    /// A command came over the control socket.
    Asked(Ask),
    /// The worker is free again.
    Idle,
    /// Time to look whether a pause is over.
    Look,
    /// Time to feed the watchdog.
    Beat,
}

/// What a new configuration brings.
pub struct Renewed<P: Ports> {
    /// What the engine is built of.
    pub parts: Renewal<P>,
    /// When cycles run.
    pub schedule: Schedule,
    /// How much later than its tick a cycle may begin.
    pub jitter: Duration,
}

/// What the loop and the worker both know.
#[derive(Debug, Default)]
struct Shared {
    status: StatusView,
    /// What is being done; none while idle.
    phase: Option<String>,
    last_sign: Option<Instant>,
    /// Commands that wait for which a cycle ends early.
    urgent: usize,
}

/// Never held over an await; a poisoned lock still holds a status worth showing.
fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The daemon's parts.
pub struct Daemon<P: Ports> {
    /// The engine; it goes to the worker.
    pub engine: Engine<P>,
    /// When cycles run.
    pub schedule: Schedule,
    /// How much later than its tick a cycle may begin.
    pub jitter: Duration,
    /// The control socket.
    pub listener: UnixListener,
    /// Reads the configuration again.
    pub reload: Box<dyn FnMut() -> Result<Renewed<P>, String> + Send>,
    /// Tells the time, for the next run in `status`.
    pub now: Box<dyn Fn() -> chrono::DateTime<chrono::Utc> + Send>,
    /// A number below the given one, for jitter.
    pub chance: Box<dyn FnMut(u64) -> u64 + Send>,
}

/// The daemon can't go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonFault {
    /// A signal handler couldn't be installed.
    #[error("signals can't be heard: {0}")]
    Signals(#[source] std::io::Error),
    /// The worker ended, and the engine with it: nothing would be done any more.
    #[error("the worker ended by a fault of the program: the service must be started anew")]
    Worker,
    /// The schedule couldn't be set.
    #[error("the schedule can't be set: {0}")]
    Schedule(String),
}

impl<P> Daemon<P>
where
    P: Ports + 'static,
    Engine<P>: Send,
    P::Directory: 'static,
    P::Helpdesk: 'static,
    P::Ledger: 'static,
    P::Report: 'static,
    P::Clock: 'static,
{
    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// [`DaemonFault`] when it can't begin or go on.
    pub async fn run(self) -> Result<(), DaemonFault> {
        let (sender, mut events) = mpsc::channel(EVENTS_UNDER_WAY);
        let Self { engine, schedule, jitter, listener, reload, now, chance } = self;
        hear_signals(&sender)?;
        let watchdog = service::watchdog_interval();
        hear_commands(listener, &sender);
        if let Some(every) = watchdog {
            beat(every, &sender);
        }
        let cron = cron::Cron::start(schedule.clone(), sender.clone()).await.map_err(DaemonFault::Schedule)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let status = engine.status().unwrap_or_default();
        lock(&shared).status = status;
        let halt = Arc::new(watch::Sender::new(false));
        let stops = Stops { daemon: Stop::when(stopped), halt: Arc::clone(&halt) };
        let (jobs, mut worker) = Worker::spawn(engine, sender.clone(), Arc::clone(&shared), stops);
        let mut state = State {
            jobs,
            events: sender,
            shared,
            cron,
            schedule,
            jitter,
            reload,
            now,
            chance,
            queued: 0,
            halt,
            renewed: None,
            look: None,
        };
        state.look_later();
        service::ready(&state.next_text());
        tracing::info!(schedule = %state.schedule, "daemon began");
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                _ = &mut worker => return Err(DaemonFault::Worker),
            };
            let Some(event) = event else { break };
            match event {
                Event::Stop => break,
                Event::Tick => state.tick().await,
                Event::Due => state.run("daemon"),
                Event::RunNow => state.run("signal"),
                Event::Reload => state.reload().await,
                Event::Asked(ask) => state.asked(ask).await,
                Event::Idle => state.idle(),
                Event::Look => state.give(Job::Look),
                Event::Beat => state.feed(),
            }
        }
        service::stopping();
        tracing::info!("daemon is stopping");
        let _ = stop.send(true);
        drop(state);
        if tokio::time::timeout(STOP_WAIT, worker).await.is_err() {
            tracing::warn!("the change in hand did not end in time; it will be asked about at the next start");
        }
        Ok(())
    }
}

/// What the loop keeps between events.
struct State<P: Ports> {
    jobs: mpsc::Sender<Job<P>>,
    events: mpsc::Sender<Event>,
    shared: Arc<Mutex<Shared>>,
    cron: cron::Cron,
    schedule: Schedule,
    jitter: Duration,
    reload: Box<dyn FnMut() -> Result<Renewed<P>, String> + Send>,
    now: Box<dyn Fn() -> chrono::DateTime<chrono::Utc> + Send>,
    chance: Box<dyn FnMut(u64) -> u64 + Send>,
    /// Jobs given and not yet ended.
    queued: usize,
    /// Asks the cycle that is running to end, because something can't wait for it.
    halt: Arc<watch::Sender<bool>>,
    /// A new configuration that found no place among the jobs; only the newest counts.
    renewed: Option<Box<Renewed<P>>>,
    /// Waits until pauses have to be looked at.
    look: Option<(Instant, tokio::task::JoinHandle<()>)>,
}

impl<P: Ports> State<P> {
    async fn tick(&mut self) {
        // The scheduler keeps the zone's offset of the day a job was added on: a job lives for one firing only.
        self.cron.renew(&self.schedule).await;
        if self.queued > 0 {
            tracing::info!("tick passed over: a cycle is running");
            return;
        }
        let most = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let wait = if most == 0 { 0 } else { (self.chance)(most) };
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let _ = events.send(Event::Due).await;
        });
    }

    fn run(&mut self, actor: &str) {
        let command = Command::Cycle { user: None };
        self.give(Job::Command { command, actor: actor.to_owned(), answers: None });
    }

    fn give(&mut self, job: Job<P>) {
        // Noted before it is given: the worker takes the note away when it begins with it.
        let urgent = job.is_urgent();
        if urgent {
            worker::urgent(&self.shared, &self.halt, |count| count + 1);
        }
        match self.jobs.try_send(job) {
            Ok(()) => self.queued += 1,
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => {
                if urgent {
                    worker::urgent(&self.shared, &self.halt, |count| count.saturating_sub(1));
                }
                job.refuse();
            }
        }
    }

    /// Gives a new configuration to the worker as soon as there is a place: unlike a tick it isn't made up for later.
    fn renew(&mut self) {
        let Some(renewed) = self.renewed.take() else { return };
        match self.jobs.try_send(Job::Renew(renewed)) {
            Ok(()) => self.queued += 1,
            Err(mpsc::error::TrySendError::Full(Job::Renew(renewed))) => self.renewed = Some(renewed),
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => job.refuse(),
        }
    }

    async fn reload(&mut self) {
        service::reloading();
        match (self.reload)() {
            Ok(renewed) => {
                self.schedule = renewed.schedule.clone();
                self.jitter = renewed.jitter;
                self.cron.renew(&self.schedule).await;
                lock(&self.shared).status.reload = None;
                self.renewed = Some(Box::new(renewed));
                self.renew();
                tracing::info!("configuration reloaded");
            }
            Err(why) => {
                tracing::error!("the new configuration is refused, the old one stays: {why}");
                lock(&self.shared).status.reload = Some(why);
            }
        }
        service::ready(&self.next_text());
    }

    async fn asked(&mut self, ask: Ask) {
        // Answered from what is known, so that it doesn't wait for a cycle.
        if ask.command == Command::Status {
            let status = self.status();
            let _ = ask.answers.send(Line::Reply(Box::new(Reply::Status(Box::new(status))))).await;
            return;
        }
        let Ask { command, actor, answers } = ask;
        self.give(Job::Command { command, actor, answers: Some(answers) });
    }

    fn status(&self) -> StatusView {
        let shared = lock(&self.shared);
        let now = (self.now)();
        let mut status = shared.status.clone();
        status.brakes.age_at(now);
        status.paused.iter_mut().for_each(|pause| pause.age_at(now));
        status.daemon = Some(shared.phase.clone().unwrap_or_else(|| "idle".into()));
        status.next = self.next().map(|next| next.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        status.read_age_s = status.last_complete.as_ref().and_then(|cycle| {
            let ended = chrono::DateTime::parse_from_rfc3339(&cycle.ended).ok()?;
            Some((now - ended.with_timezone(&chrono::Utc)).num_seconds())
        });
        status
    }

    fn next(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        self.schedule.next_after((self.now)())
    }

    fn next_text(&self) -> String {
        let status = &lock(&self.shared).status;
        let last = status.last.as_ref().map_or("no cycle yet".to_owned(), |last| last.text.clone());
        let next = self.next().map_or("never".to_owned(), |next| next.format("%H:%M:%S UTC").to_string());
        let held = if status.held > 0 { format!("; {} for a person", wait_text(status.held)) } else { String::new() };
        let paused: String = status.paused.iter().map(|pause| format!("paused: {}; ", pause.text())).collect();
        format!("{paused}{last}{held}; next at {next}")
    }

    fn idle(&mut self) {
        self.queued = self.queued.saturating_sub(1);
        self.renew();
        self.look_later();
        service::status(&self.next_text());
    }

    /// Sees to it that a pause ends at its time, though no cycle may be due for long.
    fn look_later(&mut self) {
        let wait = next_look(&lock(&self.shared).status.paused, (self.now)());
        let due = wait.map(|wait| Instant::now() + wait);
        if let Some((before, waiting)) = self.look.take() {
            // Commands that come all the time must not put it off.
            if due.is_some_and(|due| before <= due) && !waiting.is_finished() {
                self.look = Some((before, waiting));
                return;
            }
            waiting.abort();
        }
        let Some(due) = due else { return };
        let events = self.events.clone();
        let waiting = tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            let _ = events.send(Event::Look).await;
        });
        self.look = Some((due, waiting));
    }

    fn feed(&self) {
        let shared = lock(&self.shared);
        let alive = shared.phase.is_none() || shared.last_sign.is_none_or(|sign| sign.elapsed() < SILENCE_MAX);
        if alive {
            service::feed_watchdog();
        } else {
            tracing::error!("the cycle shows no sign of life: the watchdog is not fed");
        }
    }
}

fn hear_signals(events: &mpsc::Sender<Event>) -> Result<(), DaemonFault> {
    type Make = fn() -> Event;
    let heard: [(SignalKind, Make); 4] = [
        (SignalKind::terminate(), || Event::Stop),
        (SignalKind::interrupt(), || Event::Stop),
        (SignalKind::hangup(), || Event::Reload),
        (SignalKind::user_defined1(), || Event::RunNow),
    ];
    for (kind, event) in heard {
        let mut signals = signal(kind).map_err(DaemonFault::Signals)?;
        let events = events.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && events.send(event()).await.is_ok() {} });
    }
    Ok(())
}

fn hear_commands(listener: UnixListener, events: &mpsc::Sender<Event>) {
    let (sender, mut asks) = mpsc::channel(EVENTS_UNDER_WAY);
    tokio::spawn(async move {
        if let Err(fault) = serve(listener, sender).await {
            tracing::error!("the control socket failed: {fault}");
        }
    });
    let events = events.clone();
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            if events.send(Event::Asked(ask)).await.is_err() {
                break;
            }
        }
    });
}

fn beat(every: Duration, events: &mpsc::Sender<Event>) {
    let events = events.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            if events.send(Event::Beat).await.is_err() {
                break;
            }
        }
    });
}
