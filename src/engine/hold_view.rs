//! Holds as people and programs are shown them: who, why, since when, by which way, and what was decided.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::holds::{APPROVAL_DAYS, fresh};
use super::ports::{HeldChange, HoldRecord, HoldState};
use super::view::changes_text;

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// The id; the first eight digits are enough for a command.
    pub id: String,
    /// The app.
    pub app: String,
    /// The reason's code.
    pub code: String,
    /// The reason.
    pub reason: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// `waiting`, `approved`, `expired` or `rejected`.
    pub state: String,
    /// Who approved or rejected it and when, and how many changes an approval lets go on.
    pub decided: Option<String>,
    /// Until when an approval stands, RFC 3339.
    pub until: Option<String>,
    /// What waits.
    pub changes: Vec<HeldChangeView>,
}

/// One change that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChangeView {
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
    /// The cause's code.
    pub cause: String,
    /// The ways through groups and the evidence.
    pub why: Vec<String>,
    /// `field: before → after`.
    pub fields: Vec<String>,
    /// As the hold's, but `waiting` for whom an approval of others leaves out.
    pub state: String,
}

impl HoldView {
    /// The view of a hold at a moment.
    pub fn at(record: &HoldRecord, now: DateTime<Utc>) -> Self {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let n = changes_text(record.changes.len());
        let (state, decided, until) = match &record.state {
            HoldState::Waiting => ("waiting", None, None),
            HoldState::Approved { by, at, digests } => {
                let until = time(*at + TimeDelta::days(APPROVAL_DAYS));
                let (state, runs) = if fresh(*at, now) { ("approved", "runs out") } else { ("expired", "ran out") };
                let text = format!("{by} let {} of {n} go on at {}; that {runs} at {until}", digests.len(), time(*at));
                (state, Some(text), Some(until))
            }
            HoldState::Rejected { by, at } => {
                ("rejected", Some(format!("{by} decided against it at {}", time(*at))), None)
            }
        };
        let change_state = |held: &HeldChange| match &record.state {
            HoldState::Approved { digests, .. } if digests.contains(&held.digest) => state,
            HoldState::Rejected { .. } => state,
            HoldState::Approved { .. } | HoldState::Waiting => "waiting",
        };
        let change = |held: &HeldChange| HeldChangeView {
            action: held.action.to_string(),
            user: held.user.clone(),
            name: held.name.clone(),
            directory_id: held.person.entry.to_string(),
            zendesk_id: held.account.map(|id| id.0),
            cause: held.cause.clone(),
            why: held.why.clone(),
            fields: held.fields.clone(),
            state: change_state(held).to_owned(),
        };
        Self {
            id: record.id.to_string(),
            app: record.app.to_string(),
            code: record.code.clone(),
            reason: record.reason.clone(),
            since: time(record.since),
            state: state.to_owned(),
            decided,
            until,
            changes: record.changes.iter().map(change).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::Action;
    use crate::domain::id::{AppName, Digest, DirectoryName, EntryId, PersonId};

    fn held(number: u8) -> HeldChange {
        let person =
            PersonId { directory: DirectoryName::new("corp").unwrap(), entry: EntryId::from_bytes([number; 16]) };
        HeldChange {
            digest: Digest([number; 32]),
            action: Action::Update,
            user: format!("u{number}@example.org"),
            name: format!("U {number}"),
            person,
            account: None,
            cause: "changed".into(),
            why: vec!["support ▸ tier1".into()],
            fields: Vec::new(),
        }
    }

    #[test]
    fn an_approval_shows_until_when_it_stands_and_for_whom() {
        let at: DateTime<Utc> = "2026-11-01T08:00:00Z".parse().unwrap();
        let state = HoldState::Approved { by: "ann".into(), at, digests: [Digest([1; 32])].into() };
        let record = HoldRecord {
            id: Digest([7; 32]),
            app: AppName::new("support").unwrap(),
            code: "first_cycle".into(),
            reason: "the first cycle".into(),
            since: at,
            state,
            changes: vec![held(1), held(2)],
        };
        let view = HoldView::at(&record, at + TimeDelta::days(6));
        assert_eq!((view.state.as_str(), view.until.as_deref()), ("approved", Some("2026-11-08T08:00:00Z")));
        let decided = "ann let 1 of 2 changes go on at 2026-11-01T08:00:00Z; that runs out at 2026-11-08T08:00:00Z";
        assert_eq!(view.decided.as_deref(), Some(decided));
        let states: Vec<&str> = view.changes.iter().map(|change| change.state.as_str()).collect();
        assert_eq!(states, ["approved", "waiting"]);
        assert_eq!(HoldView::at(&record, at + TimeDelta::days(7)).state, "expired");
    }
}
