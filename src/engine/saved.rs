//! Saved plans: what a plan's file holds beside the plan, and carrying out exactly that plan or refusing.
//!
//! Nothing is carried out from the file. The engine plans anew, and only when that comes to the very changes of the file,
//! by digest, are these the person's approval. The file's words are only for people.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::brake::approve_exactly;
use crate::domain::id::{Digest, Digester};
use crate::domain::outcome::{Notice, Subject, Verdict};

use super::apply::Run;
use super::command::Reply;
use super::cycle::Prepared;
use super::ports::{BrakeLedger as _, Clock, LedgerFault, Progress, Report, Revisions as _};
use super::view::{ChangeView, PlanView};
use super::{Abort, CycleOrder, Engine, Ports, Stop};

/// What makes a shown plan one that can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// Which store it was made from; empty before that knew anything.
    pub store: String,
    /// How far its knowledge had come.
    pub revision: u64,
    /// The Zendesk account's host, by app.
    pub zendesk: BTreeMap<String, String>,
    /// Only this app was planned.
    pub app: Option<String>,
    /// Only this person was planned.
    pub user: Option<String>,
    /// A digest over the whole file, so that one which was cut or edited is noticed; empty while it is made.
    pub seal: String,
}

/// What is sent to have a saved plan applied: what identifies it, and not its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOrder {
    /// The plan's own digest.
    pub plan: String,
    /// What it is bound to.
    pub bound: SavedView,
    /// The digest of the rules, by app.
    pub rules: BTreeMap<String, String>,
    /// A digest over what the file shows people of the changes.
    pub shown: String,
    /// The digests of its changes.
    pub changes: Vec<String>,
}

/// A file that can't be applied, whatever the directory says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedFault {
    /// It was shown, not saved.
    #[error("the plan was shown, not saved: it isn't bound to a store")]
    NotSaved,
    /// Its seal or a digest doesn't fit.
    #[error("the plan was cut or edited after it was saved")]
    Altered,
}

impl PlanView {
    /// Seals a plan for a file.
    ///
    /// # Errors
    /// [`SavedFault::NotSaved`] when it isn't bound to a store.
    pub fn seal(&mut self) -> Result<(), SavedFault> {
        let seal = self.seal_now()?;
        self.saved.as_mut().ok_or(SavedFault::NotSaved)?.seal = seal;
        Ok(())
    }

    fn seal_now(&self) -> Result<String, SavedFault> {
        let mut bare = self.clone();
        bare.saved.as_mut().ok_or(SavedFault::NotSaved)?.seal.clear();
        let text = serde_json::to_vec(&bare).map_err(|_| SavedFault::Altered)?;
        let mut digest = Digester::new("saved plan 1");
        digest.bytes(&text);
        Ok(digest.finish().to_string())
    }

    /// What is sent to have it applied.
    ///
    /// # Errors
    /// [`SavedFault`] when the file isn't as it was saved.
    pub fn order(&self) -> Result<SavedOrder, SavedFault> {
        let bound = self.saved.clone().ok_or(SavedFault::NotSaved)?;
        if bound.seal != self.seal_now()? {
            return Err(SavedFault::Altered);
        }
        let changes = self.changes.iter().map(|change| change.digest.clone()).collect();
        let rules = self.based_on.apps.clone();
        Ok(SavedOrder { plan: self.digest.clone(), bound, rules, shown: shown(&self.changes), changes })
    }
}

/// A digest over what people see of changes: a file whose words say something else than its digests must not pass.
fn shown(changes: &[ChangeView]) -> String {
    let mut digest = Digester::new("shown changes 1");
    for change in changes {
        digest.text(&change.digest).text(&change.app).text(&change.action).text(&change.user).text(&change.name);
        digest.text(&format!("{:?} {}", change.zendesk_id, change.cause.code));
        // What somebody decided against after the plan was saved isn't what the plan's reader saw.
        digest.text(if change.is_rejected() { "rejected" } else { "" });
        for field in &change.changes {
            digest.text(&field.field).text(&field.before.to_string()).text(&field.after.to_string());
        }
    }
    digest.finish().to_string()
}

impl SavedOrder {
    /// Whether a plan that was just made is this one.
    fn is(&self, now: &PlanView) -> bool {
        if crate::planted("a saved plan is carried out in part") {
            return true;
        }
        let digests = |texts: Vec<&String>| texts.into_iter().cloned().collect::<BTreeSet<String>>();
        let bound = now.saved.as_ref().is_some_and(|now| {
            now.store == self.bound.store && now.revision == self.bound.revision && now.zendesk == self.bound.zendesk
        });
        let same = digests(now.changes.iter().map(|change| &change.digest).collect())
            == digests(self.changes.iter().collect());
        bound && same && now.faults.is_empty() && now.based_on.apps == self.rules && shown(&now.changes) == self.shown
    }

    fn digests(&self) -> Option<BTreeSet<Digest>> {
        self.changes.iter().map(|text| Digest::parse(text).ok()).collect()
    }

    /// Whether an app's part is in it.
    fn covers(&self, app: &str) -> bool {
        self.bound.app.as_deref().is_none_or(|one| one == app)
    }
}

impl<P: Ports> Engine<P> {
    /// Adds to a plan that was just made what a file of it is bound to.
    pub(super) fn bound(
        &self,
        mut plan: PlanView,
        app: Option<&str>,
        user: Option<&str>,
    ) -> Result<PlanView, LedgerFault> {
        let revision = self.ledger.revision()?;
        let mine = |one: &&super::App<P::Helpdesk>| app.is_none_or(|app| one.rules.app.as_str() == app);
        plan.saved = Some(SavedView {
            store: revision.store,
            revision: revision.number,
            zendesk: self
                .apps
                .iter()
                .filter(mine)
                .map(|one| (one.rules.app.to_string(), one.identity.clone()))
                .collect(),
            app: app.map(str::to_owned),
            user: user.map(str::to_owned),
            seal: String::new(),
        });
        Ok(plan)
    }

    /// Carries out exactly a saved plan, or answers with the plan as it would be now.
    pub(super) async fn apply_saved(
        &mut self,
        saved: SavedOrder,
        actor: &str,
        stop: Stop,
        progress: &mut dyn Progress,
    ) -> Result<Reply, Abort> {
        if let Some(refusal) = self.foreign(&saved)? {
            return Ok(refusal);
        }
        if let Some(refusal) = self.paused_for(|app| saved.covers(app))? {
            return Ok(refusal);
        }
        if let Some(refusal) = self.quarantined(&saved)? {
            return Ok(refusal);
        }
        let order = CycleOrder { actor: actor.to_owned(), only: saved.bound.user.clone(), stop };
        let report = self.cycle_of(order, Some(&saved), progress).await?;
        Ok(match report.moved {
            Some(plan) => Reply::Moved { code: report.ending.code(), plan },
            None => Reply::cycle(&report),
        })
    }

    /// Refuses a plan for an app in quarantine: only one change of it would be tried.
    fn quarantined(&self, saved: &SavedOrder) -> Result<Option<Reply>, LedgerFault> {
        for app in self.apps.iter().map(|one| &one.rules.app).filter(|app| saved.covers(app.as_str())) {
            if let Some(quarantine) = self.ledger.quarantine(app)? {
                let message = format!("the app {app} is in quarantine, so nothing was done: {}", quarantine.why);
                let hint =
                    format!("mend the cause; `zendesk-dirsync retry --app {app}` has the next cycle try at once");
                return Ok(Some(Reply::refused(6, "quarantine", message, &hint)));
            }
        }
        Ok(None)
    }

    /// Refuses a plan for another Zendesk account or of another store: nothing of it could be meant here.
    fn foreign(&self, saved: &SavedOrder) -> Result<Option<Reply>, LedgerFault> {
        let refuse = |kind, message: String, hint| Ok(Some(Reply::refused(2, kind, message, hint)));
        for (app, host) in &saved.bound.zendesk {
            match self.apps.iter().find(|one| one.rules.app.as_str() == app) {
                None => {
                    let message = format!("the plan is for the app {app}, which the configuration doesn't have");
                    return refuse("no_such_app", message, "use the configuration that it was made with");
                }
                Some(one) if one.identity != *host => {
                    let message = format!("the plan is for {host}, and the app {app} is {} here", one.identity);
                    return refuse("other_zendesk", message, "use the configuration that it was made with");
                }
                Some(_) => {}
            }
        }
        let here = self.ledger.revision()?;
        // A store that knew nothing had no name yet.
        if !saved.bound.store.is_empty() && here.store != saved.bound.store {
            let hint = "make the plan anew here, or name the state directory that it was made with: --state DIR";
            return refuse("other_store", "the plan was made from another store".to_owned(), hint);
        }
        if saved.digests().is_none() {
            return refuse("garbled", "a digest of the plan can't be read".to_owned(), "make the plan anew");
        }
        Ok(None)
    }

    /// Holds what was prepared to a saved plan: either it comes to exactly its changes, which are then approved, or the
    /// plan as it would be now is answered and nothing may be carried out.
    pub(super) fn hold_to(
        &mut self,
        saved: &SavedOrder,
        prepared: &mut Prepared,
        run: &mut Run<'_>,
    ) -> Result<Option<Box<PlanView>>, Abort> {
        let (app, user) = (saved.bound.app.as_deref(), saved.bound.user.as_deref());
        let now = self.bound(PlanView::of(prepared, app), app, user)?;
        let (true, Some(digests)) = (saved.is(&now), saved.digests()) else { return Ok(Some(Box::new(now))) };
        prepared.apps.retain(|part| saved.covers(part.app.as_str()));
        for part in &mut prepared.apps {
            if let Ok((plan, review)) = &mut part.result {
                *review = approve_exactly(plan, std::mem::take(&mut review.held), &digests);
            }
        }
        // Told first: a decision that isn't on record doesn't count.
        let seq = run.next_seq();
        let mut notice =
            Notice::new(self.clock.now(), run.cycle.clone(), seq, Subject::Approve, Verdict::Done, &run.actor);
        let mut cause = Notice::cause_code("saved_plan");
        let short = saved.plan.get(..8).unwrap_or_default();
        cause.evidence = Some(format!("plan {short}: {}", super::view::changes_text(saved.changes.len())));
        notice.cause = Some(cause);
        self.report.tell(&notice)?;
        Ok(None)
    }
}
