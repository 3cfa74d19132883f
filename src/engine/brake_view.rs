//! What the brake counts and whom it makes wait, as people and programs are shown it in `status`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::brake::Window;
use crate::domain::trial::Turn;

use super::holds::{all_holds, when};
use super::ports::{BrakeLedger as _, Clock as _, HoldState, Ledger as _, LedgerFault};
use super::{Engine, Ports};

/// What waits by itself, and how much of the limits over time is used up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrakesView {
    /// Since when the oldest change waits that isn't applied yet, RFC 3339: held, failed, or its app in quarantine.
    pub oldest: Option<String>,
    /// How long that is, in seconds.
    pub oldest_age_s: Option<i64>,
    /// Limits over time.
    pub windows: Vec<WindowView>,
    /// Apps that are only probed.
    pub quarantine: Vec<QuarantineView>,
    /// People whose changes failed.
    pub failing: Vec<FailingView>,
}

/// How much of a limit over time is used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowView {
    /// The app.
    pub app: String,
    /// The limit's name in the configuration.
    pub limit: String,
    /// The same for people: `removals: 4 of 10 in 7 days`.
    pub text: String,
    /// People changed without a person's word.
    pub used: usize,
    /// How many may be.
    pub of: usize,
}

/// An app that is only probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineView {
    /// The app.
    pub app: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Not tried before, RFC 3339.
    pub until: String,
    /// Why.
    pub why: String,
}

/// A person whose change failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingView {
    /// The app.
    pub app: String,
    /// By mail.
    pub user: String,
    /// How often in a row.
    pub failures: u32,
    /// Since when, RFC 3339.
    pub since: String,
    /// Not tried before, RFC 3339; none when it isn't tried any more.
    pub until: Option<String>,
    /// What went wrong last.
    pub why: String,
}

impl BrakesView {
    /// Brings the age up to date.
    pub fn age_at(&mut self, now: DateTime<Utc>) {
        let oldest = self.oldest.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        self.oldest_age_s = oldest.map(|oldest| (now - oldest.with_timezone(&Utc)).num_seconds().max(0));
    }
}

impl<P: Ports> Engine<P> {
    /// What the brake counts and whom it makes wait, by now.
    pub(super) fn brakes_view(&self) -> Result<BrakesView, LedgerFault> {
        let now = self.clock.now();
        let mut view = BrakesView::default();
        let undone = |state: &HoldState| !matches!(state, HoldState::Rejected { .. });
        let mut oldest: Vec<DateTime<Utc>> =
            all_holds(&self.ledger)?.iter().filter(|hold| undone(&hold.state)).map(|hold| hold.since).collect();
        for one in &self.apps {
            let app = &one.rules.app;
            let tally = self.tally(app, now)?;
            let population = self.ledger.app_standing(app)?.population;
            for window in Window::ALL {
                let (used, of) = (tally.used(window).len(), window.limit(&self.limits).people(population));
                let text = format!("{}: {used} of {of} in {}", window.kind().as_str(), window.span_text());
                view.windows.push(WindowView { app: app.to_string(), limit: window.code().into(), text, used, of });
            }
            if let Some(quarantine) = self.ledger.quarantine(app)? {
                oldest.push(quarantine.since);
                view.quarantine.push(QuarantineView {
                    app: app.to_string(),
                    since: when(quarantine.since),
                    until: when(tally.wall_at(quarantine.next)),
                    why: quarantine.why,
                });
            }
            for trial in self.ledger.trials(app)?.into_values() {
                oldest.push(trial.since);
                let until = match trial.turn(&trial.digest, tally.now) {
                    Turn::Parked => None,
                    Turn::Now | Turn::Later(_) => Some(when(tally.wall_at(trial.next))),
                };
                view.failing.push(FailingView {
                    app: app.to_string(),
                    user: trial.user,
                    failures: trial.failures,
                    since: when(trial.since),
                    until,
                    why: trial.why,
                });
            }
        }
        view.oldest = oldest.into_iter().min().map(when);
        view.age_at(now);
        Ok(view)
    }
}
