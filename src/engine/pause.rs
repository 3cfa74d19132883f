//! Pauses: begun and ended by people, kept by cycles. A paused app is read and planned; nothing is carried out in it.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
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
    /// Whether that is past: it ends as soon as a second look shows that the clock didn't leap.
    #[serde(default)]
    pub past: bool,
}

/// Longest time between two looks at pauses that end by themselves.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(10);

impl PauseView {
    fn of(app: Option<&AppName>, pause: &Pause, now: DateTime<Utc>) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            app: app.map(ToString::to_string),
            by: pause.by.clone(),
            at: text(pause.at),
            reason: pause.reason.clone(),
            until: pause.until.map(text),
            past: pause.is_past(now),
        }
    }

    /// Brings what was true at an earlier moment up to date.
    pub fn age_at(&mut self, now: DateTime<Utc>) {
        self.past = self.ends().is_some_and(|until| until <= now);
    }

    fn ends(&self) -> Option<DateTime<Utc>> {
        let until = self.until.as_deref()?;
        DateTime::parse_from_rfc3339(until).ok().map(|until| until.with_timezone(&Utc))
    }

    /// What is paused, for people.
    pub fn what(&self) -> &str {
        self.app.as_deref().unwrap_or("everything")
    }

    /// By whom, since when, until when and why, for people.
    pub fn text(&self) -> String {
        let past = if self.past { " (past: it ends when a second look finds it so)" } else { "" };
        let until = self.until.as_ref().map_or_else(String::new, |until| format!(", until {until}{past}"));
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{} by {} since {}{until}{reason}", self.what(), self.by, self.at)
    }
}

/// Pauses at a moment, for people and programs.
pub fn views(pauses: &Pauses, now: DateTime<Utc>) -> Vec<PauseView> {
    pauses.0.iter().map(|(app, pause)| PauseView::of(app.as_ref(), pause, now)).collect()
}

/// How long until pauses have to be looked at, so that those whose time is over end; none when none ends by itself.
pub fn next_look(pauses: &[PauseView], now: DateTime<Utc>) -> Option<std::time::Duration> {
    let wait = |until: DateTime<Utc>| if until <= now { LOOK_EVERY } else { (until - now).min(LOOK_EVERY) };
    let first = pauses.iter().filter_map(PauseView::ends).map(wait).min()?;
    // What is shown of a time has no part of a second.
    (first + TimeDelta::seconds(1)).to_std().ok()
}

/// What a cycle came to, with the pauses before it.
pub(super) fn told_first(pauses: &Pauses, text: String, now: DateTime<Utc>) -> String {
    views(pauses, now).iter().fold(text, |text, view| format!("{} is paused; {text}", view.what()))
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
        let text = PauseView::of(app.as_ref(), &pause, now).text();
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
        let now = self.clock.now();
        let Some(pause) = pauses.0.get(&app) else { return Ok(not_paused(app.as_ref(), &pauses, now)) };
        let text = PauseView::of(app.as_ref(), pause, pause.at).text();
        self.tell_pause(app.as_ref(), Subject::Resume, "by_hand", text, actor)?;
        self.ledger.pause(app.as_ref(), None)?;
        tracing::warn!(app = app.as_ref().map(tracing::field::display), "resumed");
        self.list_pauses()
    }

    fn list_pauses(&self) -> Result<Reply, Abort> {
        Ok(Reply::Pauses(views(&self.ledger.pauses()?, self.clock.now())))
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
        self.end_pauses(run.now, &run.actor)
    }

    /// Looks at the pauses between cycles; answers whether one ended.
    ///
    /// # Errors
    /// When the store or the report can't be used.
    pub fn look_at_pauses(&mut self, actor: &str) -> Result<bool, Abort> {
        let before = self.ledger.pauses()?.0.len();
        Ok(self.end_pauses(self.clock.now(), actor)?.0.len() < before)
    }

    /// Ends the pauses whose time is over, and answers the others.
    fn end_pauses(&mut self, now: DateTime<Utc>, actor: &str) -> Result<Pauses, Abort> {
        let mut standing = Pauses::default();
        for (app, pause) in self.ledger.pauses()?.0 {
            match pause.look(now) {
                Look::Stands(seen) => {
                    if seen != pause {
                        self.ledger.pause(app.as_ref(), Some(&seen))?;
                    }
                    standing.0.insert(app, seen);
                }
                Look::Ends => {
                    let text = PauseView::of(app.as_ref(), &pause, pause.at).text();
                    self.tell_pause(app.as_ref(), Subject::Resume, "until", text, actor)?;
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
fn not_paused(app: Option<&AppName>, pauses: &Pauses, now: DateTime<Utc>) -> Reply {
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
        Some(_) | None => Reply::Pauses(views(pauses, now)),
    }
}
