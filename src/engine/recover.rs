//! Recovering: what was begun and not settled is asked about at Zendesk before anything new is planned.

use crate::domain::account::ObservedAccount;
use crate::domain::change::Action;
use crate::domain::id::AccountId;
use crate::domain::outcome::{Notice, Problem, Subject, ToldCause, Verdict};

use super::apply::{Run, Suspends, interrupted, mismatch};
use super::ports::{CallFault, Clock, Helpdesk, Intent, Ledger, Report, Settlement, Told};
use super::{Abort, Engine, Ports};

/// An app whose open intents couldn't be asked about: nothing new is planned for it.
pub(super) struct Unsettled {
    pub(super) at: usize,
    pub(super) fault: CallFault,
}

impl<P: Ports> Engine<P> {
    /// Settles every open intent of the configured apps.
    pub(super) async fn recover(&mut self, run: &mut Run<'_>) -> Result<Vec<Unsettled>, Abort> {
        let mut unsettled: Vec<Unsettled> = Vec::new();
        for intent in self.ledger.open_intents()? {
            let Some(at) = self.apps.iter().position(|app| app.rules.app == intent.app) else { continue };
            if unsettled.iter().any(|one| one.at == at) {
                continue;
            }
            match self.ask(at, &intent).await {
                Ok(account) => self.settle_late(&intent, account, run)?,
                Err(fault) => unsettled.push(Unsettled { at, fault }),
            }
        }
        Ok(unsettled)
    }

    /// Finds the account that an intent was about.
    async fn ask(&mut self, at: usize, intent: &Intent) -> Result<Option<ObservedAccount>, CallFault> {
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        if let Some(id) = intent.account {
            let seen = desk.observe(&[id]).await?;
            return Ok(seen.into_iter().find(|account| account.id == id && account.is_live()));
        }
        let seen = match &intent.external_id {
            Some(id) => desk.find_by_external_id(std::slice::from_ref(id)).await?,
            None => desk.find_by_email(&intent.email).await?,
        };
        // Two accounts with one external id can't be; with one mail neither. Should they, none is taken for ours.
        let mut live: Vec<ObservedAccount> = seen.into_iter().filter(ObservedAccount::is_live).collect();
        Ok(if live.len() == 1 { live.pop() } else { None })
    }

    fn settle_late(&mut self, intent: &Intent, account: Option<ObservedAccount>, run: &Run<'_>) -> Result<(), Abort> {
        let mut outcome = intent.outcome.clone();
        if let (Some(known), Some(account)) = (&mut outcome, &account) {
            known.account = account.id;
        }
        let amiss = match &outcome {
            Some(known) => mismatch(known, account.as_ref()),
            None => None,
        };
        let found: Option<AccountId> = account.as_ref().map(|account| account.id);
        let suspended = account.as_ref().is_some_and(|one| one.suspended == crate::domain::account::Suspended::Yes);
        let suspends = if suspended { Suspends::Yes } else { Suspends::No };
        let before = self.ledger.known(&intent.app, &intent.person)?;
        // Even what looks done is compared once more: its wish counts as outstanding.
        let settlement = interrupted(intent.action, suspends, outcome.as_ref(), before, found);
        if self.report.told(&intent.cycle, intent.seq)? == Told::No {
            let notice = self.late_notice(intent, found, amiss, run);
            self.report.tell(&notice)?;
        }
        let settlement = match (intent.action, found) {
            (Action::Release, _) => Settlement::Forgotten,
            (_, Some(_)) => settlement,
            (_, None) => Settlement::Unchanged,
        };
        self.ledger.settle(intent, &settlement)?;
        Ok(())
    }

    fn late_notice(&self, intent: &Intent, found: Option<AccountId>, amiss: Option<Problem>, run: &Run<'_>) -> Notice {
        let hint = "nothing is lost: the cycle that found this plans what is missing";
        let (verdict, problem) = match (found, amiss) {
            (Some(_), None) => (Verdict::Done, None),
            (Some(_), Some(_)) => {
                let why = "the call was not answered and did not take whole effect";
                (Verdict::Refused, Some(Problem::new("interrupted", why, hint)))
            }
            (None, _) => {
                let why = "the call was not answered and took no effect";
                (Verdict::Refused, Some(Problem::new("interrupted", why, hint)))
            }
        };
        let subject = Subject::Account(intent.action);
        let mut notice = Notice::new(self.clock.now(), intent.cycle.clone(), intent.seq, subject, verdict, &run.actor);
        notice.app = Some(intent.app.clone());
        notice.directory = Some(intent.person.directory.clone());
        notice.user = Some(intent.email.as_str().to_owned());
        notice.name = Some(intent.name.clone());
        notice.entry = Some(intent.person.entry);
        notice.dn = Some(intent.dn.clone());
        notice.account = found.or(intent.account);
        notice.cause = Some(ToldCause {
            code: "recovered".into(),
            groups: Vec::new(),
            evidence: Some("asked about at Zendesk".into()),
        });
        notice.problem = problem;
        notice
    }
}
