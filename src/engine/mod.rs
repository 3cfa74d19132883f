//! The engine: the ports, and the cycle that runs over them.
//!
//! A cycle recovers, gathers, plans, brakes, applies and concludes, in that order. Planning changes nothing; nothing is
//! decided after the plan. The engine knows no LDAP, no HTTP, no file.

mod apply;
pub mod brake_view;
pub mod byhand;
pub mod command;
mod compare;
mod conclude;
mod cycle;
mod deeds;
mod edits;
mod gather;
pub mod groups;
mod hold_view;
pub mod holds;
mod keeps;
pub mod kept;
mod lease;
pub mod lease_view;
mod link;
#[cfg(feature = "planted")]
mod loose;
mod midway;
mod naming;
mod offline;
mod only;
pub mod pause;
mod picture;
mod planner;
pub mod ports;
pub mod progress;
mod propose;
mod quarantine;
mod reach;
mod recalled;
mod recover;
mod renewal;
mod reply;
mod reread;
pub mod saved;
mod serve;
pub mod servers;
mod trials;
pub mod undo;
pub mod view;
mod windows;

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::domain::brake::Limits;
use crate::domain::id::{AppName, DirectoryName};
use crate::domain::plan::Plan;
use crate::domain::rules::AppRules;
use ports::{Clock, CycleSummary, Directory, Helpdesk, Ledger, LedgerFault, ReadFault, Report, ReportFault};

pub use cycle::{AppPlan, CycleOrder, Prepared};
pub use edits::{Configuration, Former, Outline, Reader, Renewal};
pub use trials::Retried;

/// The five adapters of one build: real ones in the product, simulated ones in tests.
pub trait Ports {
    /// The directory.
    type Directory: Directory;
    /// Zendesk.
    type Helpdesk: Helpdesk;
    /// The store.
    type Ledger: Ledger;
    /// The report.
    type Report: Report;
    /// The clock.
    type Clock: Clock;
}

/// One app: its rules and its account at Zendesk.
#[derive(Debug)]
pub struct App<H> {
    /// The rules.
    pub rules: AppRules,
    /// Zendesk.
    pub desk: H,
    /// What the store is bound to: the account's address.
    pub identity: String,
}

/// The parts that a cycle runs over.
#[derive(Debug)]
pub struct Engine<P: Ports> {
    /// Where changes come from.
    pub directories: Vec<P::Directory>,
    /// Where they go.
    pub apps: Vec<App<P::Helpdesk>>,
    /// The store.
    pub ledger: P::Ledger,
    /// The audit record.
    pub report: P::Report,
    /// The clock.
    pub clock: P::Clock,
    /// The brake's limits.
    pub limits: Limits,
    /// The configuration that this was built from, and what people agreed to before.
    pub configuration: Configuration,
}

/// A cycle can't go on: the store or the report can't be used. Nothing is done that couldn't be remembered and told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Abort {
    /// The store.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportFault),
}

/// How a cycle ended: the first that holds, in this order (the command line's exit codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The store or the report can't be used.
    Storage,
    /// A directory wasn't read in full.
    Directory,
    /// Zendesk couldn't be reached or refuses us.
    Zendesk,
    /// Changes wait for a person.
    Held,
    /// Some changes failed, or people were newly rejected or in conflict.
    Failed,
    /// Done, or nothing to do.
    Done,
}

impl Ending {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Storage => 7,
            Self::Directory => 5,
            Self::Zendesk => 6,
            Self::Held => 4,
            Self::Failed => 1,
            Self::Done => 0,
        }
    }
}

/// Asks a cycle to stop after the change in hand.
#[derive(Debug, Clone)]
pub struct Stop(Vec<watch::Receiver<bool>>);

impl Stop {
    /// Stops when the sender says `true`.
    pub fn when(receiver: watch::Receiver<bool>) -> Self {
        Self(vec![receiver])
    }

    /// Never stops.
    pub const fn never() -> Self {
        Self(Vec::new())
    }

    /// Stops when this sender says `true`, too.
    #[must_use]
    pub fn or_when(mut self, receiver: watch::Receiver<bool>) -> Self {
        self.0.push(receiver);
        self
    }

    /// Waits until a stop is asked for.
    pub async fn wait(&self) {
        if self.0.is_empty() {
            std::future::pending::<()>().await;
        }
        let each = self.0.iter().cloned().map(|mut receiver| {
            Box::pin(async move {
                // A sender that is gone can't ask any more; that ends the wait as well.
                let _ = receiver.wait_for(|stop| *stop).await;
            })
        });
        futures_util::future::select_all(each).await;
    }

    /// Whether a stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.iter().any(|receiver| *receiver.borrow())
    }
}

/// What a finished cycle leaves.
#[derive(Debug, Clone)]
pub struct CycleReport {
    /// How it ended.
    pub ending: Ending,
    /// What is kept of it.
    pub summary: CycleSummary,
    /// Directories that weren't read in full.
    pub faults: BTreeMap<DirectoryName, ReadFault>,
    /// The plans, by app, as they were made.
    pub plans: BTreeMap<AppName, Plan>,
    /// For a saved plan that was refused: what the plan would be now.
    pub moved: Option<Box<view::PlanView>>,
    /// For a cycle for one person: why nothing was done, if the name fits nobody or several.
    pub refusal: Option<command::Reply>,
}
