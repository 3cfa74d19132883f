//! What a person can ask of the engine: one closed enum, carried out here whoever transports it.

use serde::{Deserialize, Serialize};

use crate::domain::id::{AccountId, CycleId};

use super::byhand::{HandOrder, Ordered, Word};
use super::holds::{HoldFault, all_holds};
use super::pause::views;
use super::ports::{
    AcceptedLedger as _, Clock, Completeness, CycleSummary, HandLedger as _, HoldState, Ledger, Progress,
};
use super::renewal::{awaited, visible};
pub use super::reply::Reply;
use super::saved::SavedOrder;
use super::undo::{UndoOrder, UndoView, UndoWord};
use super::view::{CycleView, HoldView, PlanView, StatusView};
use super::{Abort, CycleOrder, Ending, Engine, Ports, Retried, Stop};

/// What a person can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Run a cycle now; for one person only, if named.
    Cycle {
        /// By mail, name or immutable id.
        user: Option<String>,
    },
    /// Show what a cycle would do, and change nothing.
    Plan {
        /// One app only.
        app: Option<String>,
        /// One person only.
        user: Option<String>,
    },
    /// Carry out exactly a saved plan, or refuse.
    Apply(Box<SavedOrder>),
    /// Try again at once in the next cycle: a person, or an app with everybody who failed in it.
    Retry {
        /// By mail, name, immutable id or Zendesk id.
        user: Option<String>,
        /// One app only.
        app: Option<String>,
    },
    /// Show what the configuration of this text would do, as far as the stored images tell; change nothing.
    Offline {
        /// The configuration's text.
        text: String,
        /// One app only.
        app: Option<String>,
        /// One person only.
        user: Option<String>,
    },
    /// Tell how the service is.
    Status,
    /// List what waits.
    Holds,
    /// Let what waits go on.
    Approve {
        /// The hold's id, or its beginning.
        id: String,
        /// These people's parts only; all of it when nobody is named.
        users: Vec<String>,
        /// How many changes the person saw.
        count: Option<usize>,
    },
    /// Show who has the leases.
    Leases {
        /// One app only.
        app: Option<String>,
    },
    /// Take a lease over.
    TakeLease {
        /// The app; needed where several keep one.
        app: Option<String>,
    },
    /// Show what is remembered of the directories' servers.
    Servers,
    /// Forget what is remembered of one directory's servers: the one that is read next counts.
    AcceptServers {
        /// The directory.
        directory: String,
    },
    /// Decide against what waits.
    Reject {
        /// The hold's id, or its beginning.
        id: String,
        /// These people's parts only; all of it when nobody is named.
        users: Vec<String>,
    },
    /// Carry nothing out for a while, in an app or in all.
    Pause {
        /// One app only.
        app: Option<String>,
        /// Why.
        reason: Option<String>,
        /// When it ends by itself.
        until: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// End a pause.
    Resume {
        /// That of one app.
        app: Option<String>,
    },
    /// Deprovision, release or unlink one person.
    ByHand {
        /// Which of these.
        order: HandOrder,
        /// By mail, name, immutable id or Zendesk id.
        user: String,
        /// In one app only.
        app: Option<String>,
        /// Whether it is only shown.
        word: Word,
    },
    /// Tie a person to the account that somebody names.
    Link {
        /// By mail, name or immutable id.
        user: String,
        /// The account.
        account: u64,
        /// In this app.
        app: Option<String>,
        /// Whether it is only shown.
        word: Word,
    },
    /// List the assigned groups.
    Groups,
    /// Pin an assignment to the group that its text names now.
    Repin {
        /// The text.
        text: String,
        /// The directory, if several have it.
        directory: Option<String>,
        /// Whether it is only shown.
        word: Word,
    },
    /// List whoever is left as a person put them.
    Keeps,
    /// Have somebody managed again who was left as a person put them.
    Lift {
        /// By mail, name, immutable id or Zendesk id.
        user: String,
        /// In one app only.
        app: Option<String>,
    },
    /// Show what undoing a cycle would bring back; carry it out with a person's word for what was shown.
    Undo {
        /// What is undone.
        order: UndoOrder,
        /// The word; none only shows.
        word: Option<UndoWord>,
    },
}

impl Command {
    /// Whether a cycle that is running ends after the change in hand, so that this is carried out at once.
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::Pause { .. } => true,
            Self::ByHand { order: HandOrder::Deprovision, word, .. } => !matches!(word, Word::Show),
            Self::Cycle { .. }
            | Self::Plan { .. }
            | Self::Offline { .. }
            | Self::Apply(_)
            | Self::Status
            | Self::Holds
            | Self::Approve { .. }
            | Self::Reject { .. }
            | Self::Retry { .. }
            | Self::Leases { .. }
            | Self::TakeLease { .. }
            | Self::Servers
            | Self::AcceptServers { .. }
            | Self::Resume { .. }
            | Self::ByHand { .. }
            | Self::Link { .. }
            | Self::Groups
            | Self::Repin { .. }
            | Self::Keeps
            | Self::Undo { .. }
            | Self::Lift { .. } => false,
        }
    }
}

impl<P: Ports> Engine<P> {
    /// Carries a command out. `actor` is who the report will name.
    pub async fn carry_out(&mut self, command: Command, actor: &str, stop: Stop, progress: &mut dyn Progress) -> Reply {
        let carried = match command {
            Command::Cycle { user } => self.run_cycle(actor, user, stop, progress).await,
            Command::Plan { app, user } => self.show_plan(app.as_deref(), user.as_deref(), progress).await,
            Command::Offline { text, app, user } => {
                self.show_offline(&text, app.as_deref(), user.as_deref(), progress).await
            }
            Command::Apply(saved) => self.apply_saved(*saved, actor, stop, progress).await,
            Command::Retry { user, app } => self.try_again(user.as_deref(), app.as_deref(), actor),
            Command::Status => self.status().map(|status| Reply::Status(Box::new(status))),
            Command::Holds => self.list_holds(),
            Command::Leases { app } => self.show_leases(app.as_deref()).await,
            Command::TakeLease { app } => self.take_lease(app.as_deref(), actor).await,
            Command::Servers => self.list_servers(),
            Command::AcceptServers { directory } => self.accept_servers(&directory, actor),
            Command::Approve { id, users, count } => self
                .approve(&id, users.iter().map(String::as_str), count, actor)
                .map(|answer| decided(answer.map(|hold| (hold.id.short(), hold.changes)))),
            Command::Reject { id, users } => self
                .reject_people(&id, users.iter().map(String::as_str), actor)
                .map(|answer| decided(answer.map(|hold| (hold.id.short(), hold.changes)))),
            Command::Pause { app, reason, until } => self.pause(app.as_deref(), reason, until, actor),
            Command::Resume { app } => self.resume(app.as_deref(), actor),
            Command::ByHand { order, user, app, word } => {
                let run = self.run_by_hand(actor, stop, progress);
                self.by_hand(order, Ordered { user: &user, app: app.as_deref(), word: &word }, run).await
            }
            Command::Link { user, account, app, word } => {
                let run = self.run_by_hand(actor, stop, progress);
                let ordered = Ordered { user: &user, app: app.as_deref(), word: &word };
                self.link(AccountId(account), ordered, run).await
            }
            Command::Groups => self.list_groups().await,
            Command::Repin { text, directory, word } => self.repin(&text, directory.as_deref(), &word, actor).await,
            Command::Keeps => self.list_keeps(),
            Command::Lift { user, app } => self.lift(&user, app.as_deref(), actor),
            Command::Undo { order, word } => self.run_undo(&order, word.as_ref(), actor, stop, progress).await,
        };
        carried.unwrap_or_else(Reply::from)
    }

    async fn run_cycle(
        &mut self,
        actor: &str,
        only: Option<String>,
        stop: Stop,
        progress: &mut dyn Progress,
    ) -> Result<Reply, Abort> {
        let order = CycleOrder { actor: actor.to_owned(), only, stop };
        let report = self.cycle(order, progress).await?;
        Ok(report.refusal.clone().unwrap_or_else(|| Reply::cycle(&report)))
    }

    async fn run_undo(
        &mut self,
        order: &UndoOrder,
        word: Option<&UndoWord>,
        actor: &str,
        stop: Stop,
        progress: &mut dyn Progress,
    ) -> Result<Reply, Abort> {
        let Some(word) = word else {
            return Ok(match self.plan_undo(order, actor).await? {
                Ok(whole) => {
                    let undo = Box::new(UndoView::of(&whole, None));
                    Reply::Undo { code: whole.ending().code(), undo }
                }
                Err(fault) => fault.into(),
            });
        };
        if let Some(refusal) = self.paused_for(|app| order.app.as_deref().is_none_or(|one| one == app))? {
            return Ok(refusal);
        }
        Ok(match self.undo(order, word, actor, stop, progress).await? {
            Ok((whole, undone)) => {
                let undo = Box::new(UndoView::of(&whole, Some(&undone)));
                Reply::Undo { code: undone.ending.code(), undo }
            }
            Err(fault) => fault.into(),
        })
    }

    async fn show_plan(
        &mut self,
        app: Option<&str>,
        user: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Reply, Abort> {
        if let Err(refusal) = self.app_named(app) {
            return Ok(refusal);
        }
        let cycle = CycleId::at(self.clock.now());
        let prepared = self.prepare(cycle, user, &std::collections::BTreeMap::new(), progress).await?;
        let unanswered = prepared.apps.iter().any(|part| part.result.is_err());
        let held =
            prepared.apps.iter().any(|part| part.result.as_ref().is_ok_and(|(_, review)| !review.held.is_empty()));
        let ending = match (prepared.faults.is_empty(), unanswered, held) {
            (false, _, _) => Ending::Directory,
            (true, true, _) => Ending::Zendesk,
            (true, false, true) => Ending::Held,
            (true, false, false) => Ending::Done,
        };
        let plan = self.bound(PlanView::of(&prepared, app), app, user)?;
        Ok(Reply::Plan { code: ending.code(), plan: Box::new(plan) })
    }

    fn try_again(&mut self, user: Option<&str>, app: Option<&str>, actor: &str) -> Result<Reply, Abort> {
        if let Err(refusal) = self.app_named(app) {
            return Ok(refusal);
        }
        let Retried { people, apps } = self.retry(user, app, actor)?;
        if people + apps == 0 {
            let message = match (user, app) {
                (Some(user), _) => format!("nothing of {user:?} failed and waits"),
                (None, Some(app)) => format!("{app} isn't in quarantine, and nobody in it failed and waits"),
                (None, None) => "nothing failed and waits".to_owned(),
            };
            return Ok(Reply::refused(2, "nothing_to_retry", message, "`zendesk-dirsync status` shows what waits"));
        }
        Ok(Reply::Retried { people, apps })
    }

    fn list_holds(&self) -> Result<Reply, Abort> {
        let now = self.clock.now();
        Ok(Reply::Holds(visible(&all_holds(&self.ledger)?).iter().map(|hold| HoldView::at(hold, now)).collect()))
    }

    /// How the service is, as far as the store knows.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn status(&self) -> Result<StatusView, Abort> {
        let cycles = self.ledger.last_cycles(1_000)?;
        let complete = |cycle: &&CycleSummary| cycle.complete == Completeness::Complete;
        let last_complete = cycles.iter().find(complete);
        let holds = visible(&all_holds(&self.ledger)?);
        let waiting: Vec<_> = holds.iter().filter(|hold| hold.state == HoldState::Waiting).collect();
        let mut accounts = std::collections::BTreeMap::new();
        for (app, managed) in self.ledger.populations()?.into_iter().filter(|(_, managed)| *managed > 0) {
            accounts.insert(app.to_string(), managed);
        }
        for app in &self.apps {
            accounts.insert(app.rules.app.to_string(), self.ledger.app_standing(&app.rules.app)?.population);
        }
        let now = self.clock.now();
        let (held, since) = awaited(&holds, now);
        Ok(StatusView {
            daemon: None,
            next: None,
            last: cycles.first().map(CycleView::from),
            last_complete: last_complete.map(CycleView::from),
            read_age_s: last_complete.map(|cycle| (now - cycle.ended).num_seconds()),
            held,
            held_since: since.map(|since| since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            accounts,
            brakes: self.brakes_view()?,
            signs: waiting
                .iter()
                .filter(|hold| hold.changes.is_empty())
                .map(|hold| format!("{}: {}", hold.app, hold.reason))
                .chain(self.configuration.unreadable())
                .collect(),
            reload: None,
            paused: views(&self.ledger.pauses()?, now),
        })
    }
}

fn decided(answer: Result<(String, usize), HoldFault>) -> Reply {
    match answer {
        Ok((id, changes)) => Reply::Decided { id, changes },
        Err(fault) => fault.into(),
    }
}
