//! Keeps as people see them: listed, and lifted.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};

use crate::domain::id::{AppName, CycleId};
use crate::domain::keep::{Keep, KeepReason};
use crate::domain::outcome::{Notice, Subject, Verdict};

use super::command::Reply;
use super::naming::{Someone, one, several};
use super::ports::{Clock, HandLedger as _, KeepLedger as _, Ledger as _, LedgerFault, Report};
use super::{Abort, Engine, Ports};

/// A person whose account is left as somebody put it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepView {
    /// The app.
    pub app: String,
    /// The mail, if it is known.
    pub user: Option<String>,
    /// The name, if it is known.
    pub name: Option<String>,
    /// The immutable id.
    pub directory_id: String,
    /// The account, if one is linked.
    pub zendesk_id: Option<u64>,
    /// The reason's code.
    pub code: String,
    /// The reason.
    pub reason: String,
    /// Who decided it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// For how long.
    pub until: String,
}

impl KeepView {
    fn of(someone: &Someone, keep: &Keep) -> Self {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            app: someone.app.to_string(),
            user: text(&someone.user),
            name: text(&someone.name),
            directory_id: someone.person.entry.to_string(),
            zendesk_id: someone.account.map(|id| id.0),
            code: keep.reason.code().to_owned(),
            reason: keep.reason.to_string(),
            by: keep.by.clone(),
            at: keep.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            until: keep.until.to_string(),
        }
    }
}

impl<P: Ports> Engine<P> {
    /// Everybody who is kept, in the order of apps and ids.
    fn everybody_kept(&self) -> Result<Vec<(Someone, Keep)>, LedgerFault> {
        let mut all = Vec::new();
        for app in self.apps.iter().map(|one| &one.rules.app) {
            for (person, keep) in self.ledger.keeps(app)? {
                let someone = match (self.ledger.known(app, &person)?, self.ledger.label(app, &person)?) {
                    (Some(known), _) => Someone::known(app, &known),
                    (None, label) => {
                        let (user, name) = label.map(|label| (label.user, label.name)).unwrap_or_default();
                        Someone { app: app.clone(), person, user, name, account: None }
                    }
                };
                all.push((someone, keep));
            }
        }
        Ok(all)
    }

    /// The refusal of an order for somebody who isn't managed because a person released them.
    pub(super) fn released(&self, user: &str, app: Option<&AppName>) -> Result<Option<Reply>, LedgerFault> {
        let mut all = self.everybody_kept()?;
        all.retain(|(one, keep)| {
            let released = keep.reason == KeepReason::Released && one.account.is_none();
            released && app.is_none_or(|app| one.app == *app) && one.is(user)
        });
        let people: BTreeSet<_> = all.iter().map(|(one, _)| &one.person).collect();
        if people.len() > 1 {
            return Ok(Some(several(user, &all.iter().map(|(one, _)| one.clone()).collect::<Vec<_>>())));
        }
        let Some((someone, keep)) = all.first() else { return Ok(None) };
        let at = keep.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!("{user:?} is not managed in {}: {}, by {} at {at}", someone.app, keep.reason, keep.by);
        let (id, app) = (&someone.person.entry, &someone.app);
        let hint = format!("`zendesk-dirsync keeps lift {id} --app {app}` has them managed again");
        Ok(Some(Reply::refused(2, "not_managed", message, &hint)))
    }

    /// Lists the keeps.
    pub(super) fn list_keeps(&self) -> Result<Reply, Abort> {
        Ok(Reply::Keeps(self.everybody_kept()?.iter().map(|(someone, keep)| KeepView::of(someone, keep)).collect()))
    }

    /// Lifts the keeps of one person, in one app or in all.
    pub(super) fn lift(&mut self, user: &str, app: Option<&str>, actor: &str) -> Result<Reply, Abort> {
        let app = match self.app_named(app) {
            Ok(app) => app,
            Err(refusal) => return Ok(refusal),
        };
        let mut all = self.everybody_kept()?;
        all.retain(|(someone, _)| app.as_ref().is_none_or(|app| someone.app == *app) && someone.is(user));
        let none = ("who is kept", "`zendesk-dirsync keeps list` shows everybody who is");
        if let Err(refusal) = one(user, all.iter().map(|(someone, _)| someone.clone()).collect(), none) {
            return Ok(refusal);
        }
        for (someone, keep) in &all {
            let now = self.clock.now();
            // Told first: a decision that isn't on record doesn't count.
            self.report.ready()?;
            let mut notice = Notice::new(now, CycleId::at(now), 0, Subject::Lift, Verdict::Done, actor);
            notice = someone.told(notice);
            let mut cause = Notice::cause_code(keep.reason.code());
            cause.evidence = Some(format!("{}, by {}", keep.reason, keep.by));
            notice.cause = Some(cause);
            self.report.tell(&notice)?;
            self.ledger.keep(&someone.app, &someone.person, None)?;
            self.ledger.set_label(&someone.app, &someone.person, None)?;
        }
        Ok(Reply::Lifted(all.iter().map(|(someone, keep)| KeepView::of(someone, keep)).collect()))
    }
}
