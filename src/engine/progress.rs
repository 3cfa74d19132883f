//! Progress as it is shown and sent: the events of a cycle, turned into values that can travel.

use serde::{Deserialize, Serialize};

use crate::domain::outcome::Outcome;

use super::ports::Event;
use super::view::FaultView;

/// What a cycle tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressView {
    /// A directory is being read.
    Reading {
        /// Which.
        directory: String,
        /// How many people were come upon.
        people: usize,
    },
    /// A directory was read in full.
    Read {
        /// Which.
        directory: String,
        /// How many entries arrived.
        entries: u64,
        /// How many groups were reached.
        groups: usize,
        /// Group members that could not be read, by DN.
        dangling: usize,
    },
    /// A directory was recalled from the store.
    Recalled {
        /// Which.
        directory: String,
        /// How many people are kept of it.
        entries: u64,
        /// When they were read, RFC 3339.
        taken: String,
    },
    /// Zendesk is asked about people.
    Asking {
        /// About those of which app.
        app: String,
        /// How many so far.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// An app's plan is carried out.
    Applying {
        /// Which app.
        app: String,
        /// How many changes.
        changes: usize,
    },
    /// A change was carried out, or not.
    Applied {
        /// What was done.
        action: String,
        /// To whom.
        user: String,
        /// Why.
        cause: String,
        /// `done`, `already`, `refused`, `unknown` or `skipped`.
        result: String,
        /// What went wrong.
        fault: Option<FaultView>,
    },
    /// Changes wait.
    Held {
        /// The hold's id.
        id: String,
        /// The app.
        app: String,
        /// How many changes.
        changes: usize,
        /// Why.
        reason: String,
    },
    /// The change of one person waits.
    HeldAlone {
        /// The app.
        app: String,
        /// Whose change, by mail.
        user: String,
        /// Why.
        reason: String,
        /// The id of the hold it is in; none before a cycle for everybody made one.
        id: Option<String>,
    },
    /// Changes of a paused app wait for the end of the pause.
    Paused {
        /// The app.
        app: String,
        /// Who paused it.
        by: String,
        /// How many changes.
        changes: usize,
    },
    /// A fault ended a part of the cycle.
    Fault(FaultView),
}

impl From<&Event<'_>> for ProgressView {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Reading(directory, people) => Self::Reading { directory: directory.to_string(), people: *people },
            Event::Read(read) => Self::Read {
                directory: read.end().directory.to_string(),
                entries: read.end().tally.entries,
                groups: read.end().groups.len(),
                dangling: read.end().dangling.len(),
            },
            Event::Recalled(read, taken) => Self::Recalled {
                directory: read.end().directory.to_string(),
                entries: read.end().tally.entries,
                taken: taken.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            },
            Event::HeldAlone(change, hold, id) => Self::HeldAlone {
                app: hold.app.to_string(),
                user: change.email.to_string(),
                reason: hold.reason.to_string(),
                id: id.map(|id| id.short()),
            },
            Event::Asking(app, people, of) => Self::Asking { app: app.to_string(), people: *people, of: *of },
            Event::Applying(app, changes) => Self::Applying { app: app.to_string(), changes: *changes },
            Event::Applied(applied) => {
                let (result, fault) = match &applied.outcome {
                    Outcome::Done(_) => ("done", None),
                    Outcome::AlreadySo(_) => ("already", None),
                    Outcome::Refused(problem) => ("refused", Some(problem)),
                    Outcome::Unknown(problem) => ("unknown", Some(problem)),
                    Outcome::NotAttempted(problem) => ("skipped", Some(problem)),
                };
                Self::Applied {
                    action: applied.change.action.to_string(),
                    user: applied.change.email.to_string(),
                    cause: applied.change.cause.code.as_str().to_owned(),
                    result: result.to_owned(),
                    fault: fault.map(FaultView::from),
                }
            }
            Event::Held(hold) => Self::Held {
                id: hold.id().short(),
                app: hold.app.to_string(),
                changes: hold.changes.len(),
                reason: hold.reason.to_string(),
            },
            Event::Paused(app, pause, changes) => {
                Self::Paused { app: app.to_string(), by: pause.by.clone(), changes: *changes }
            }
            Event::Fault(problem) => Self::Fault(FaultView::from(*problem)),
        }
    }
}
