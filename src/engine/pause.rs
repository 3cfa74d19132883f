//! Pauses: begun and ended by people, kept by cycles. A paused app is read and planned; nothing is carried out in it.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::id::{AppName, CycleId};
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::pause::{Look, Pause, Pauses};

use super::apply::Run;
use super::command::Reply;
use super::ports::{Clock, HandLedger as _, Report};
use super::{Abort, Ending, Engine, Ports};

/// A pause, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// The app; none for everything.
    pub app: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
    /// When it ends by itself, RFC 3339.
    pub until: Option<String>,
}

impl PauseView {
    fn of(app: Option<&AppName>, pause: &Pause) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            app: app.map(ToString::to_string),
            by: pause.by.clone(),
            at: text(pause.at),
            reason: pause.reason.clone(),
            until: pause.until.map(text),
        }
    }

    /// What is paused, for people.
    pub fn what(&self) -> &str {
        self.app.as_deref().unwrap_or("everything")
    }

    /// By whom, since when, until when and why, for people.
    pub fn text(&self) -> String {
        let until = self.until.as_ref().map_or_else(String::new, |until| format!(", until {until}"));
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{} by {} since {}{until}{reason}", self.what(), self.by, self.at)
    }
}

/// Pauses, for people and programs.
pub fn views(pauses: &Pauses) -> Vec<PauseView> {
    pauses.0.iter().map(|(app, pause)| PauseView::of(app.as_ref(), pause)).collect()
}

/// What a cycle came to, with the pauses before it.
pub(super) fn told_first(pauses: &Pauses, text: String) -> String {
    views(pauses).iter().fold(text, |text, view| format!("{} is paused; {text}", view.what()))
}

impl<P: Ports> Engine<P> {
    /// Begins a pause, or renews one.
    pub(super) fn pause(
        &mut self,
        app: Option<&str>,
        reason: Option<String>,
        until: Option<DateTime<Utc>>,
        actor: &str,
    ) -> Result<Reply, Abort> {
        let app = match self.app_named(app) {
            Ok(app) => app,
            Err(refusal) => return Ok(refusal),
        };
        let now = self.clock.now();
        if let Some(until) = until.filter(|until| *until <= now) {
            let message =
                format!("a pause can't end at {}, which is past", until.to_rfc3339_opts(SecondsFormat::Secs, true));
            return Ok(Reply::refused(2, "past", message, "give a time that is to come: `--until 2h`"));
        }
        let pause = Pause::new(actor.to_owned(), now, reason, until);
        let text = PauseView::of(app.as_ref(), &pause).text();
        // Kept first: a pause that stands and isn't on record does no harm.
        self.ledger.pause(app.as_ref(), Some(&pause))?;
        self.tell_pause(app.as_ref(), Subject::Pause, "by_hand", text, actor)?;
        tracing::warn!(app = app.as_ref().map(tracing::field::display), "paused");
        self.list_pauses()
    }

    /// Ends a pause.
    pub(super) fn resume(&mut self, app: Option<&str>, actor: &str) -> Result<Reply, Abort> {
        let app = match self.app_named(app) {
            Ok(app) => app,
            Err(refusal) => return Ok(refusal),
        };
        let pauses = self.ledger.pauses()?;
        let Some(pause) = pauses.0.get(&app) else { return Ok(not_paused(app.as_ref(), &pauses)) };
        let text = PauseView::of(app.as_ref(), pause).text();
        self.tell_pause(app.as_ref(), Subject::Resume, "by_hand", text, actor)?;
        self.ledger.pause(app.as_ref(), None)?;
        tracing::warn!(app = app.as_ref().map(tracing::field::display), "resumed");
        self.list_pauses()
    }

    fn list_pauses(&self) -> Result<Reply, Abort> {
        Ok(Reply::Pauses(views(&self.ledger.pauses()?)))
    }

    /// The app of this name, if one is named.
    pub(super) fn app_named(&self, app: Option<&str>) -> Result<Option<AppName>, Reply> {
        let Some(app) = app else { return Ok(None) };
        let names = || self.apps.iter().map(|one| &one.rules.app);
        names().find(|name| name.as_str() == app).cloned().map(Some).ok_or_else(|| {
            let known: Vec<&str> = names().map(AppName::as_str).collect();
            let message = format!("no app is named {app:?}; the configuration has {}", known.join(", "));
            Reply::refused(2, "no_such_app", message, "use one of these names")
        })
    }

    fn tell_pause(
        &mut self,
        app: Option<&AppName>,
        subject: Subject,
        code: &str,
        evidence: String,
        actor: &str,
    ) -> Result<(), Abort> {
        let now = self.clock.now();
        self.report.ready()?;
        let mut notice = Notice::new(now, CycleId::at(now), 0, subject, Verdict::Done, actor);
        notice.app = app.cloned();
        let mut cause = Notice::cause_code(code);
        cause.evidence = Some(evidence);
        notice.cause = Some(cause);
        Ok(self.report.tell(&notice)?)
    }

    /// The pauses of this cycle. Those whose time is over end here.
    pub(super) fn renew_pauses(&mut self, run: &Run<'_>) -> Result<Pauses, Abort> {
        let mut standing = Pauses::default();
        for (app, pause) in self.ledger.pauses()?.0 {
            match pause.look(run.now) {
                Look::Stands(now) => {
                    if now != pause {
                        self.ledger.pause(app.as_ref(), Some(&now))?;
                    }
                    standing.0.insert(app, now);
                }
                Look::Ends => {
                    let text = PauseView::of(app.as_ref(), &pause).text();
                    self.tell_pause(app.as_ref(), Subject::Resume, "until", text, &run.actor)?;
                    self.ledger.pause(app.as_ref(), None)?;
                }
            }
        }
        Ok(standing)
    }

    /// Refuses a saved plan or an undo for an app that is paused.
    pub(super) fn paused_for(&self, covers: impl Fn(&str) -> bool) -> Result<Option<Reply>, Abort> {
        let pauses = self.ledger.pauses()?;
        let names = self.apps.iter().map(|one| &one.rules.app).filter(|app| covers(app.as_str()));
        let paused: BTreeSet<&str> = names
            .filter(|app| pauses.of(app).is_some() && !crate::planted("a word is carried out in a pause"))
            .map(AppName::as_str)
            .collect();
        Ok((!paused.is_empty()).then(|| {
            let message = format!("paused: {}", paused.into_iter().collect::<Vec<_>>().join(", "));
            Reply::refused(
                Ending::Held.code(),
                "paused",
                message,
                "`zendesk-dirsync resume` ends a pause; see `status`",
            )
        }))
    }
}

/// There is no such pause: said, and no fault, but for an app that another pause keeps from going on.
fn not_paused(app: Option<&AppName>, pauses: &Pauses) -> Reply {
    let alone: Vec<&str> = pauses.0.keys().flatten().map(AppName::as_str).collect();
    match app {
        Some(app) if pauses.0.contains_key(&None) => {
            let message = format!("not {app} alone is paused, but everything");
            Reply::refused(2, "paused_all", message, "`zendesk-dirsync resume` without --app ends that")
        }
        None if !alone.is_empty() => {
            let message = format!("not everything is paused, but {}", alone.join(", "));
            Reply::refused(2, "paused_apps", message, "`zendesk-dirsync resume --app APP` ends the pause of an app")
        }
        Some(_) | None => Reply::Pauses(views(pauses)),
    }
}
