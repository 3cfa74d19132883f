//! What people and programs are shown: plans, holds and the state of the service, as JSON and as Rust values.
//!
//! These are the formats of the command line and the control socket. They are made from the engine's own values and
//! nothing is read back from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::brake::{Hold, HoldReason, Review};
use crate::domain::change::{Action, Change, FieldValue};
use crate::domain::edit::Edit;
use crate::domain::id::{Digest, Digester};
use crate::domain::scope::Departure;
use crate::domain::server::Standpoint;

use super::brake_view::BrakesView;
use super::cycle::{AppPlan, Prepared};
pub use super::hold_view::{HeldChangeView, HoldView};
use super::ports::CycleSummary;
use super::saved::SavedView;

/// A plan over all apps, format 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The format's version.
    pub format: u8,
    /// The digest over every change, in order.
    pub digest: String,
    /// From what it was made.
    pub based_on: BasisView,
    /// The changes, in order.
    pub changes: Vec<ChangeView>,
    /// People who can't be mapped.
    pub rejected: Vec<RejectedView>,
    /// People who need a person's word.
    pub conflicts: Vec<ConflictView>,
    /// Removals that wait for a second complete read.
    pub waiting: Vec<WaitingView>,
    /// Holds that name no change: groups that are missing.
    pub notices: Vec<String>,
    /// Directories that weren't read in full and apps that couldn't be asked, by name.
    pub faults: BTreeMap<String, FaultView>,
    /// How many changes of each action, of how many managed accounts.
    pub counts: BTreeMap<String, CountView>,
    /// What the configuration does differently from the accepted one, by app.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub edits: BTreeMap<String, EditView>,
    /// From what it was made, if not from what is outside now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineView>,
    /// What a file of it is bound to; only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<SavedView>,
}

/// `1 change waits`, `2 changes wait`.
pub fn wait_text(n: usize) -> String {
    format!("{} {}", changes_text(n), if n == 1 { "waits" } else { "wait" })
}

/// `1 change`, `2 changes`.
pub fn changes_text(n: usize) -> String {
    if n == 1 { "1 change".to_owned() } else { format!("{n} changes") }
}

/// What an edited configuration does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditView {
    /// Accounts that it makes or gives back.
    pub adds: usize,
    /// Accounts that it changes.
    pub changes: usize,
    /// Accounts that it takes away.
    pub removes: usize,
    /// Of how many managed active accounts.
    pub of: usize,
}

/// From what a plan was made without a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OfflineView {
    /// When each directory was last read in full, RFC 3339.
    pub images: BTreeMap<String, String>,
    /// What it can't know, and where nothing differs.
    pub notes: Vec<String>,
    /// Groups that were never read, by the texts that name them; empty once the plan is made.
    #[serde(skip)]
    pub unread: BTreeSet<String>,
}

/// From what a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasisView {
    /// The store's serial.
    pub store: u64,
    /// The digest of the rules of all apps.
    pub config: String,
    /// The server that answered, by directory.
    pub directories: BTreeMap<String, String>,
    /// The digest of the rules, by app.
    pub apps: BTreeMap<String, String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// Its digest.
    pub digest: String,
    /// The app.
    pub app: String,
    /// What is done.
    pub action: String,
    /// To whom, by mail.
    pub user: String,
    /// By name.
    pub name: String,
    /// The immutable id.
    pub directory_id: String,
    /// The account.
    pub zendesk_id: Option<u64>,
    /// Why.
    pub cause: CauseView,
    /// What changes.
    pub changes: Vec<FieldView>,
    /// Why it waits, if it does.
    pub held: Option<HeldView>,
    /// Until when it isn't tried because it failed, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredView>,
}

impl ChangeView {
    /// Whether a person decided against it.
    pub fn is_rejected(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.limit == HoldReason::Rejected.code())
    }
}

/// A change that failed and isn't tried yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredView {
    /// How often it failed.
    pub failures: u32,
    /// Not tried before, RFC 3339; none when it isn't tried any more.
    pub until: Option<String>,
}

impl DeferredView {
    /// For people.
    pub fn text(&self) -> String {
        let failures = if self.failures == 1 { "1 failure".to_owned() } else { format!("{} failures", self.failures) };
        match &self.until {
            Some(until) => format!("waits until {until} after {failures}"),
            None => format!("not tried any more after {failures}"),
        }
    }
}

/// Why a change is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseView {
    /// The code.
    pub code: String,
    /// The ways through groups.
    pub groups: Vec<String>,
    /// What shows it.
    pub evidence: Option<String>,
}

/// A field with its value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    /// The field.
    pub field: String,
    /// Before.
    pub before: serde_json::Value,
    /// After.
    pub after: serde_json::Value,
}

/// Why a change waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// The hold's id.
    pub id: String,
    /// The limit or guard that holds it.
    pub limit: String,
}

/// A person who can't be mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedView {
    /// The app.
    pub app: String,
    /// The immutable id.
    pub directory_id: String,
    /// The mail, or the name, if known.
    pub user: Option<String>,
    /// Which field.
    pub field: String,
    /// Why.
    pub why: String,
}

/// A person who needs a person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictView {
    /// The app.
    pub app: String,
    /// The immutable id.
    pub directory_id: String,
    /// The wanted mail.
    pub user: String,
    /// The account in the way.
    pub zendesk_id: Option<u64>,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// A removal that waits for more evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// The app.
    pub app: String,
    /// The immutable id.
    pub directory_id: String,
    /// The mail.
    pub user: String,
    /// What was seen so far.
    pub why: String,
}

/// What went wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// A stable short name.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl From<&crate::domain::outcome::Problem> for FaultView {
    fn from(problem: &crate::domain::outcome::Problem) -> Self {
        Self { kind: problem.kind.to_owned(), message: problem.message.clone(), hint: problem.hint.clone() }
    }
}

/// A count with its whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountView {
    /// How many.
    pub n: usize,
    /// Of how many managed active accounts.
    pub of: usize,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusView {
    /// `idle`, or what is being done; none without a daemon.
    pub daemon: Option<String>,
    /// The next run, RFC 3339.
    pub next: Option<String>,
    /// The last cycle.
    pub last: Option<CycleView>,
    /// The last cycle that read every directory in full.
    pub last_complete: Option<CycleView>,
    /// How long ago that was, in seconds.
    pub read_age_s: Option<i64>,
    /// Changes that wait for a person.
    pub held: usize,
    /// Since when the oldest of them waits, RFC 3339.
    pub held_since: Option<String>,
    /// Managed active accounts, by app, whether it is configured or not.
    pub accounts: BTreeMap<String, usize>,
    /// What waits by itself, and how much of the limits over time is used up.
    #[serde(default)]
    pub brakes: BrakesView,
    /// What a person should know although no change waits for it: groups that are missing, apps that were taken out.
    #[serde(default)]
    pub signs: Vec<String>,
    /// What the last reload of the configuration said, if it was refused.
    pub reload: Option<String>,
    /// What is paused.
    #[serde(default)]
    pub paused: Vec<super::pause::PauseView>,
}

/// A cycle that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleView {
    /// Its name.
    pub cycle: String,
    /// When it ended, RFC 3339.
    pub ended: String,
    /// Its exit code.
    pub code: u8,
    /// One line.
    pub text: String,
}

impl From<&CycleSummary> for CycleView {
    fn from(summary: &CycleSummary) -> Self {
        Self {
            cycle: summary.cycle.to_string(),
            ended: summary.ended.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            code: summary.code,
            text: summary.text.clone(),
        }
    }
}

/// A value as JSON: a text, a flag, a list, or null.
pub fn json(value: &FieldValue) -> serde_json::Value {
    match value {
        FieldValue::None => serde_json::Value::Null,
        FieldValue::Text(text) => text.as_str().into(),
        FieldValue::Flag(flag) => (*flag).into(),
        FieldValue::Set(names) => names.iter().map(String::as_str).collect::<Vec<_>>().into(),
    }
}

pub(super) fn change_view(change: &Change, held: &BTreeMap<Digest, HeldView>, review: &Review) -> ChangeView {
    let digest = change.digest();
    ChangeView {
        digest: digest.to_string(),
        app: change.app.to_string(),
        action: change.action.to_string(),
        user: change.email.to_string(),
        name: change.name.clone(),
        directory_id: change.person.entry.to_string(),
        zendesk_id: change.account.map(|id| id.0),
        cause: CauseView {
            code: change.cause.code.as_str().to_owned(),
            groups: change.cause.groups.clone(),
            evidence: change.cause.evidence.clone(),
        },
        changes: change
            .fields
            .iter()
            .map(|f| FieldView { field: f.field.to_owned(), before: json(&f.before), after: json(&f.after) })
            .collect(),
        held: held.get(&digest).cloned(),
        deferred: review
            .deferred
            .get(&digest)
            .map(|one| DeferredView { failures: one.failures, until: one.until.map(super::holds::when) }),
    }
}

pub(super) fn held_views(holds: &[Hold]) -> BTreeMap<Digest, HeldView> {
    let mut views = BTreeMap::new();
    for hold in holds {
        let view = HeldView { id: hold.id().to_string(), limit: hold.reason.code().to_owned() };
        views.extend(hold.changes.iter().map(|change| (change.digest(), view.clone())));
    }
    views
}

impl PlanView {
    /// The view of what was prepared; of one app only, if named.
    pub fn of(prepared: &Prepared, app: Option<&str>) -> Self {
        let mut view = Self {
            format: 1,
            digest: String::new(),
            based_on: BasisView {
                store: 0,
                config: String::new(),
                directories: prepared.servers(),
                apps: BTreeMap::new(),
            },
            changes: Vec::new(),
            rejected: Vec::new(),
            conflicts: Vec::new(),
            waiting: Vec::new(),
            notices: Vec::new(),
            faults: BTreeMap::new(),
            counts: BTreeMap::new(),
            edits: BTreeMap::new(),
            offline: None,
            saved: None,
        };
        for (name, fault) in &prepared.faults {
            view.faults.insert(name.to_string(), FaultView::from(&fault.problem()));
        }
        for part in prepared.apps.iter().filter(|part| app.is_none_or(|app| part.app.as_str() == app)) {
            view.add(part);
        }
        let mut digest = Digester::new("plans 1");
        for change in &view.changes {
            digest.text(&change.digest);
        }
        view.digest = digest.finish().to_string();
        let mut config = Digester::new("configuration 1");
        for (app, rules) in &view.based_on.apps {
            config.text(app).text(rules);
        }
        view.based_on.config = config.finish().to_string();
        view
    }

    fn add(&mut self, part: &AppPlan) {
        let app = part.app.to_string();
        let (plan, review) = match &part.result {
            Ok(pair) => pair,
            Err(problem) => {
                self.faults.insert(app, FaultView::from(problem));
                return;
            }
        };
        let Edit { adds, changes, removes, of, .. } = part.edit;
        if !part.edit.is_empty() {
            self.edits.insert(app.clone(), EditView { adds, changes, removes, of });
        }
        self.based_on.store = plan.based_on.store;
        self.based_on.apps.insert(app.clone(), plan.based_on.rules.to_string());
        let held = held_views(&review.held);
        self.changes.extend(plan.changes.iter().map(|change| change_view(change, &held, review)));
        self.rejected.extend(plan.rejected.iter().map(|one| RejectedView {
            app: app.clone(),
            directory_id: one.person.entry.to_string(),
            user: one.user.as_ref().map(ToString::to_string).or_else(|| one.name.clone()),
            field: one.why.field.clone(),
            why: one.why.why.clone(),
        }));
        self.conflicts.extend(plan.conflicts.iter().map(|one| ConflictView {
            app: app.clone(),
            directory_id: one.person.entry.to_string(),
            user: one.user.to_string(),
            zendesk_id: one.account.map(|id| id.0),
            why: one.why.to_string(),
            hint: one.why.hint().to_owned(),
        }));
        self.waiting.extend(plan.waiting.iter().map(|one| WaitingView {
            app: app.clone(),
            directory_id: one.known.person.entry.to_string(),
            user: one.known.written.email.to_string(),
            why: waits(&one.departure, one.standpoint),
        }));
        let bare = review.held.iter().filter(|hold| hold.changes.is_empty());
        self.notices.extend(bare.map(|hold| format!("{app}: {}", hold.reason)));
        let off = plan.switched_off.iter().filter(|(_, n)| **n > 0);
        self.notices.extend(off.map(|(action, n)| format!("{app}: {n} {action} left out, as the configuration says")));
        let actions: BTreeSet<Action> = plan.changes.iter().map(|change| change.action).collect();
        for action in actions {
            let count = self.counts.entry(action.to_string()).or_insert(CountView { n: 0, of: 0 });
            count.n += plan.count(action);
            count.of += plan.population;
        }
    }

    /// Whether there is nothing to do and nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.faults.is_empty()
    }
}

/// What was seen of somebody so far, and what is waited for.
fn waits(departure: &Departure, standpoint: Standpoint) -> String {
    let seen = match departure {
        Departure::Absent => "not found".to_owned(),
        other => other.to_string(),
    };
    let what = match standpoint {
        Standpoint::Steady => "a second complete read in a later cycle must say the same",
        Standpoint::Other => {
            "another server than last time says so: a second complete read in a later cycle must say the same"
        }
        Standpoint::New => "a server that was never read before says so: the next complete read must say the same",
    };
    format!("{seen}; {what}")
}
