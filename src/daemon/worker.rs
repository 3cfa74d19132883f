//! The worker: owns the engine and carries out one job at a time. A panic ends the job, not the daemon.

use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::control::Line;
use crate::domain::id::CycleId;
use crate::engine::command::{Command, Reply};
use crate::engine::ports::{Clock as _, Event, Progress};
use crate::engine::progress::ProgressView;
use crate::engine::view::{CycleView, changes_text};
use crate::engine::{Engine, Ports, Stop};

use super::{Renewed, Shared, lock};

/// Jobs that may wait; more are refused with a word.
const JOBS_WAITING: usize = 16;

/// Something for the worker to do.
pub(super) enum Job<P: Ports> {
    /// A command, from a tick, a signal or the control socket.
    Command { command: Command, actor: String, answers: Option<mpsc::Sender<Line>> },
    /// A new configuration takes the place of the old one.
    Renew(Box<Renewed<P>>),
    /// A look whether a pause is over.
    Look,
}

impl<P: Ports> Job<P> {
    /// Whether a cycle that is running ends for it.
    pub(super) const fn is_urgent(&self) -> bool {
        match self {
            Self::Command { command, .. } => command.is_urgent(),
            Self::Renew(_) | Self::Look => false,
        }
    }

    /// Answers a job that can't be taken.
    pub(super) fn refuse(self) {
        match self {
            Self::Command { answers: Some(answers), .. } => {
                let reply = Reply::refused(7, "busy", "too many commands wait already", "try again in a minute");
                let _ = answers.try_send(Line::Reply(Box::new(reply)));
            }
            Self::Command { answers: None, .. } | Self::Renew(_) | Self::Look => {
                tracing::warn!("a job was passed over: too many wait")
            }
        }
    }
}

/// Counts the urgent commands that wait; the cycle that is running is asked to end while there are any.
pub(super) fn urgent(shared: &Mutex<Shared>, halt: &watch::Sender<bool>, count: impl FnOnce(usize) -> usize) {
    let mut shared = lock(shared);
    shared.urgent = count(shared.urgent);
    halt.send_replace(shared.urgent > 0);
}

/// What ends work early.
pub(super) struct Stops {
    /// The daemon is ending.
    pub(super) daemon: Stop,
    /// Something can't wait for a cycle.
    pub(super) halt: Arc<watch::Sender<bool>>,
}

/// What a job leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Rest,
    /// A cycle, though no tick came.
    Cycle,
}

pub(super) struct Worker<P: Ports> {
    engine: Engine<P>,
    shared: Arc<Mutex<Shared>>,
    stops: Stops,
}

impl<P> Worker<P>
where
    P: Ports + 'static,
    Engine<P>: Send,
    P::Directory: 'static,
    P::Helpdesk: 'static,
    P::Ledger: 'static,
    P::Report: 'static,
    P::Clock: 'static,
{
    pub(super) fn spawn(
        engine: Engine<P>,
        events: mpsc::Sender<super::Event>,
        shared: Arc<Mutex<Shared>>,
        stops: Stops,
    ) -> (mpsc::Sender<Job<P>>, JoinHandle<()>) {
        let (sender, mut jobs) = mpsc::channel(JOBS_WAITING);
        let mut worker = Self { engine, shared, stops };
        let handle = tokio::spawn(async move {
            while let Some(job) = jobs.recv().await {
                // What was due in a pause isn't left until the next tick, which may be a day away.
                if worker.work(job).await == Then::Cycle && events.send(super::Event::Due).await.is_err() {
                    break;
                }
                if events.send(super::Event::Idle).await.is_err() {
                    break;
                }
            }
        });
        (sender, handle)
    }

    async fn work(&mut self, job: Job<P>) -> Then {
        let (command, actor, answers) = match job {
            Job::Renew(renewed) => {
                self.engine.renew(renewed.parts);
                return Then::Rest;
            }
            Job::Look => return self.look(),
            Job::Command { command, actor, answers } => (command, actor, answers),
        };
        let is_urgent = command.is_urgent();
        if is_urgent {
            urgent(&self.shared, &self.stops.halt, |count| count.saturating_sub(1));
        }
        // Whoever asked and went away doesn't want it any more.
        if self.stops.daemon.requested() || answers.as_ref().is_some_and(mpsc::Sender::is_closed) {
            return Then::Rest;
        }
        self.begin(&command);
        let is_cycle = matches!(command, Command::Cycle { .. } | Command::Apply(_));
        let mut relay = Relay { answers: answers.clone(), shared: Arc::clone(&self.shared) };
        let stop = self.stops.daemon.clone();
        let stop = if is_urgent { stop } else { stop.or_when(self.stops.halt.subscribe()) };
        let carried = self.engine.carry_out(command, &actor, stop, &mut relay);
        let reply = AssertUnwindSafe(carried).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a cycle ended in a panic; what was begun will be asked about");
            Reply::refused(1, "panic", "the command ended in a fault of the program", "see the log; nothing is lost")
        });
        if let Reply::Refused { fault, .. } = &reply {
            tracing::error!(error_type = fault.kind, "command refused: {}; {}", fault.message, fault.hint);
        }
        self.end();
        if let Reply::Refused { code, fault } = &reply
            && is_cycle
        {
            self.broke_off(*code, &fault.message);
        }
        if let Some(answers) = answers {
            let _ = answers.send(Line::Reply(Box::new(reply))).await;
        }
        Then::Rest
    }

    /// Ends the pauses whose time is over.
    fn look(&mut self) -> Then {
        let ended = match self.engine.look_at_pauses("daemon") {
            Ok(ended) => ended,
            Err(why) => {
                tracing::error!("pauses can't be looked at: {why}");
                false
            }
        };
        self.end();
        if ended { Then::Cycle } else { Then::Rest }
    }

    fn begin(&self, command: &Command) {
        let phase = match command {
            Command::Cycle { .. } => "running a cycle",
            Command::Plan { .. } | Command::Offline { .. } | Command::Undo { word: None, .. } => "planning",
            Command::Undo { word: Some(_), .. } => "undoing",
            Command::Apply(_) => "applying a saved plan",
            Command::Leases { .. } | Command::TakeLease { .. } => "asking about a lease",
            Command::ByHand { .. } | Command::Link { .. } => "carrying out an order by hand",
            Command::Status
            | Command::Holds
            | Command::Retry { .. }
            | Command::Approve { .. }
            | Command::Reject { .. }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Groups
            | Command::Servers
            | Command::AcceptServers { .. }
            | Command::Repin { .. }
            | Command::Keeps
            | Command::Lift { .. } => "answering",
        };
        let mut shared = lock(&self.shared);
        shared.phase = Some(phase.to_owned());
        shared.last_sign = Some(Instant::now());
    }

    /// A cycle that the store or the report ended can leave its trace only here, if the store took none.
    fn broke_off(&self, code: u8, message: &str) {
        let now = self.engine.clock.now();
        let mut shared = lock(&self.shared);
        if shared.status.last.as_ref().is_none_or(|last| last.code != code || last.text != message) {
            shared.status.last = Some(CycleView {
                cycle: CycleId::at(now).to_string(),
                ended: now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                code,
                text: message.to_owned(),
            });
        }
    }

    fn end(&self) {
        let status = self.engine.status();
        let mut shared = lock(&self.shared);
        shared.phase = None;
        if let Ok(status) = status {
            let reload = shared.status.reload.take();
            shared.status = status;
            shared.status.reload = reload;
        }
    }
}

/// Passes progress on to whoever listens.
struct Relay {
    answers: Option<mpsc::Sender<Line>>,
    shared: Arc<Mutex<Shared>>,
}

impl Progress for Relay {
    fn note(&mut self, event: &Event<'_>) {
        let view = ProgressView::from(event);
        let mut shared = lock(&self.shared);
        shared.last_sign = Some(Instant::now());
        match &view {
            ProgressView::Reading { directory, people } => {
                shared.phase = Some(format!("reading {directory}: {people} people so far"));
            }
            ProgressView::Asking { app, people, of } => {
                shared.phase = Some(format!("asking Zendesk about people of {app}: {people} of {of}"));
            }
            ProgressView::Applying { app, changes } => {
                shared.phase = Some(format!("carrying out {} in {app}", changes_text(*changes)));
            }
            ProgressView::Read { .. }
            | ProgressView::Recalled { .. }
            | ProgressView::HeldAlone { .. }
            | ProgressView::Applied { .. }
            | ProgressView::Held { .. }
            | ProgressView::Paused { .. }
            | ProgressView::Fault(_) => {}
        }
        drop(shared);
        if let Some(answers) = &self.answers {
            // A client that doesn't keep up misses progress; the cycle doesn't wait for it.
            let _ = answers.try_send(Line::Progress(view));
        }
    }
}
