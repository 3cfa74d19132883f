//! What people and programs say and are shown of an undoing. Of what is shown nothing is read back but its digest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::view::{ChangeView, FaultView, change_view, held_views};

use super::{UndoWhole, Undone};

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoOrder {
    /// The cycle, or the beginning of its name.
    pub cycle: String,
    /// One app only.
    pub app: Option<String>,
    /// One person only: by mail, name or immutable id.
    pub user: Option<String>,
}

/// A person's word for what was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoWord {
    /// The digest of what was shown.
    pub digest: String,
    /// How many changes were shown: needed for what is past a limit.
    pub count: Option<usize>,
}

/// An undoing, planned or carried out; format 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoView {
    /// The format's version.
    pub format: u8,
    /// The cycle that is undone.
    pub cycle: String,
    /// The digest over all that is shown: a person's word is for this.
    pub digest: String,
    /// What is brought back.
    pub changes: Vec<ChangeView>,
    /// People whose change isn't undone.
    pub refused: Vec<NotUndoneView>,
    /// What isn't brought back of the others.
    pub short: Vec<ShortView>,
    /// What is past a limit of the brake, or guarded.
    pub past: Vec<PastView>,
    /// Apps that couldn't be asked, by name.
    pub faults: BTreeMap<String, FaultView>,
    /// What came of it, once it was carried out.
    pub carried: Option<CarriedView>,
}

/// A person whose change isn't undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotUndoneView {
    /// The app.
    pub app: String,
    /// The mail.
    pub user: String,
    /// The name.
    pub name: String,
    /// The immutable id.
    pub directory_id: String,
    /// The account.
    pub zendesk_id: Option<u64>,
    /// Why.
    pub why: String,
}

/// Something that isn't brought back, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortView {
    /// The app.
    pub app: String,
    /// What.
    pub what: String,
    /// For whom, by mail.
    pub users: BTreeSet<String>,
}

/// Changes past a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastView {
    /// The app.
    pub app: String,
    /// Why they need a person's count.
    pub reason: String,
    /// How many.
    pub changes: usize,
}

/// What came of an undoing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedView {
    /// The cycle that did it, to be named when this is to be undone.
    pub cycle: String,
    /// Changes done.
    pub done: usize,
    /// Changes that failed, or were not begun.
    pub failed: usize,
}

impl UndoView {
    /// The view of what was planned, and of what came of it.
    pub fn of(whole: &UndoWhole, undone: Option<&Undone>) -> Self {
        let mut view = Self {
            format: 1,
            cycle: whole.cycle.to_string(),
            digest: whole.digest().to_string(),
            changes: Vec::new(),
            refused: Vec::new(),
            short: Vec::new(),
            past: Vec::new(),
            faults: BTreeMap::new(),
            carried: undone.map(|undone| CarriedView {
                cycle: undone.cycle.to_string(),
                done: undone.done,
                failed: undone.failed,
            }),
        };
        for (app, problem) in &whole.faults {
            view.faults.insert(app.to_string(), FaultView::from(problem));
        }
        for part in &whole.parts {
            let app = part.undone.app().to_string();
            let held = held_views(&part.review.held);
            view.changes.extend(part.undone.plan.changes.iter().map(|change| change_view(change, &held, &part.review)));
            view.refused.extend(part.undone.refused.iter().map(|one| NotUndoneView {
                app: app.clone(),
                user: one.user.to_string(),
                name: one.name.clone(),
                directory_id: one.person.entry.to_string(),
                zendesk_id: one.account.map(|id| id.0),
                why: one.why.to_string(),
            }));
            let mut short: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for one in &part.undone.short {
                short.entry(one.what.to_string()).or_default().insert(one.user.to_string());
            }
            view.short.extend(short.into_iter().map(|(what, users)| ShortView { app: app.clone(), what, users }));
            view.past.extend(part.review.held.iter().map(|hold| PastView {
                app: app.clone(),
                reason: hold.reason.to_string(),
                changes: hold.changes.len(),
            }));
        }
        view
    }
}
