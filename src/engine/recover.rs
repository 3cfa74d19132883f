//! Recovering: what was begun and not settled is asked about at Zendesk before anything new is planned.

use std::collections::BTreeSet;

use crate::domain::account::{Catalog, KnownAccount, ObservedAccount, Standing, Suspended};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::{Action, CauseCode};
use crate::domain::deed::{Deed, DeedEnd};
use crate::domain::id::AccountId;
use crate::domain::mapping::FieldMode;
use crate::domain::outcome::{Notice, Problem, Subject, ToldCause, Verdict};
use crate::domain::rules::AppRules;

use super::apply::Run;
use super::midway::{Midway, Suspends, interrupted, mismatch};
use super::ports::{CallFault, Clock, DeedLedger, Helpdesk, Intent, KeepLedger as _, Ledger, Report, Settlement, Told};
use super::quarantine::Gates;
use super::{Abort, Engine, Ports};

/// An app whose open intents couldn't be asked about: nothing new is planned for it.
pub(super) struct Unsettled {
    pub(super) at: usize,
    pub(super) fault: CallFault,
}

impl<P: Ports> Engine<P> {
    /// Settles every open intent of the configured apps that are served.
    pub(super) async fn recover(&mut self, gates: &Gates, run: &mut Run<'_>) -> Result<Vec<Unsettled>, Abort> {
        let mut unsettled: Vec<Unsettled> = Vec::new();
        for intent in self.ledger.open_intents()? {
            if crate::planted("nothing is asked about") {
                self.ledger.settle(&intent, &Settlement::Unchanged)?;
                continue;
            }
            let Some(at) = self.apps.iter().position(|app| app.rules.app == intent.app) else { continue };
            if gates.closed.contains_key(&at) || unsettled.iter().any(|one| one.at == at) {
                continue;
            }
            match self.ask(at, &intent).await {
                Ok(found) => self.settle_late(at, &intent, found, run)?,
                Err(fault) => unsettled.push(Unsettled { at, fault }),
            }
        }
        Ok(unsettled)
    }

    /// Finds the account that an intent was about, and Zendesk's names to compare it by.
    async fn ask(&mut self, at: usize, intent: &Intent) -> Result<Option<(ObservedAccount, Catalog)>, CallFault> {
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        let catalog = desk.catalog().await?;
        if let Some(id) = intent.account {
            let seen = desk.observe(&[id]).await?;
            let account = seen.into_iter().find(|account| account.id == id && account.is_live());
            return Ok(account.map(|account| (account, catalog)));
        }
        let seen = match &intent.external_id {
            Some(id) => desk.find_by_external_id(std::slice::from_ref(id)).await?,
            None => desk.find_by_email(&intent.email).await?,
        };
        // Two accounts with one external id can't be; with one mail neither. Should they, none is taken for ours.
        let mut live: Vec<ObservedAccount> = seen.into_iter().filter(ObservedAccount::is_live).collect();
        Ok(if live.len() == 1 { live.pop().map(|account| (account, catalog)) } else { None })
    }

    fn settle_late(
        &mut self,
        at: usize,
        intent: &Intent,
        found: Option<(ObservedAccount, Catalog)>,
        run: &Run<'_>,
    ) -> Result<(), Abort> {
        let found = match found {
            Some((account, catalog)) if self.is_ours(intent, &account)? => Some((account, catalog)),
            Some(_) | None => None,
        };
        let account = found.as_ref().map(|(account, _)| account);
        let mut outcome = intent.outcome.clone();
        if let (Some(known), Some(account)) = (&mut outcome, account) {
            known.account = account.id;
        }
        let before = self.ledger.known(&intent.app, &intent.person)?;
        let amiss = match (&outcome, &found) {
            (Some(known), Some((account, catalog))) => mismatch(intent.action, None, known, Some(account))
                .is_some()
                .then_some(Halfway::Seen)
                .or_else(|| unfinished(&self.apps[at].rules, intent.action, known, before.as_ref(), account, catalog)),
            (Some(_), None) | (None, _) => None,
        };
        let id: Option<AccountId> = account.map(|account| account.id);
        let ours = |known: Option<&KnownAccount>| known.is_some_and(|known| known.standing.suspended_by_us());
        let suspended = account.is_some_and(|one| one.suspended == Suspended::Yes);
        let now = Midway {
            account: id,
            suspended: Suspends::from(suspended && (ours(before.as_ref()) || ours(outcome.as_ref()))),
        };
        // What ended with the process, in the middle of its calls, is nobody's failure.
        let deed = self.ledger.deed(&intent.cycle, intent.seq)?;
        let ordered = deed.as_ref().is_some_and(|deed| deed.cause == CauseCode::ByHand);
        let by_hand = ordered && intent.action == Action::Deprovision;
        let told = self.report.told(&intent.cycle, intent.seq)?;
        // Ended sessions can't be seen; where a seat is gone, they were ended before it.
        let had_seat = |deed: &Deed| deed.before.as_ref().is_some_and(|before| before.role != Role::EndUser);
        let unseen = by_hand && told != Told::Done && !deed.as_ref().is_some_and(had_seat);
        let amiss = amiss.or_else(|| (unseen && found.is_some()).then_some(Halfway::Unseen));
        let unended = by_hand && (amiss.is_some() || found.is_none());
        let asked = deed.as_ref().is_none_or(|deed| deed.end == DeedEnd::Unknown);
        let failed = asked && (found.is_none() || amiss.is_some());
        // Even what looks done is compared once more: its wish counts as outstanding.
        let settlement = match &outcome {
            // No cycle removes whom a person removed: that it looks done has to do.
            Some(known) if by_hand && !unended => Settlement::Known(Box::new(known.clone())),
            Some(_) | None => interrupted(intent.action, outcome.as_ref(), before, &now),
        };
        if told == Told::No {
            let mut notice = self.late_notice(intent, id, amiss, run);
            if deed.as_ref().is_some_and(|deed| deed.undoes.is_some()) {
                notice.subject = Subject::Undo;
            }
            if let Some(problem) = notice.problem.as_mut().filter(|_| unended) {
                problem.hint = "access was not ended: give `deprovision --now` again".to_owned();
            }
            self.report.tell(&notice)?;
        }
        let settlement = match (intent.action, id) {
            (Action::Release, _) => Settlement::Forgotten,
            (_, Some(_)) => settlement,
            (_, None) => Settlement::Unchanged,
        };
        // Access was to end by hand, and hasn't: the account isn't left as it is then, but is the directory's again.
        let in_use = |known: &KnownAccount| known.standing == Standing::Active;
        if unended && !matches!(&settlement, Settlement::Known(known) if !in_use(known)) {
            self.ledger.keep(&intent.app, &intent.person, None)?;
        }
        self.finish_late(intent, &settlement, account)?;
        if failed { self.failed_late(intent, run) } else { Ok(()) }
    }

    /// Whether an account that a look-up found is the one that an intent was about. A mail alone doesn't make it so.
    fn is_ours(&self, intent: &Intent, account: &ObservedAccount) -> Result<bool, Abort> {
        if intent.account.is_some() {
            // An adoption that wrote no marker took no effect, and is decided anew.
            let marked = intent.external_id.is_none() || account.external_id == intent.external_id;
            return Ok(intent.action != Action::Adopt || marked);
        }
        let owner = self.ledger.owner(&intent.app, account.id)?;
        if owner.is_some_and(|owner| owner != intent.person) {
            return Ok(false);
        }
        let asked = intent.outcome.as_ref().map(|known| (&known.written.name, known.written.role.role()));
        let alike = account.email.as_ref() == Some(&intent.email) && asked == Some((&account.name, account.role));
        Ok(intent.external_id.is_some() || (alike && account.external_id.is_none()))
    }

    fn late_notice(&self, intent: &Intent, found: Option<AccountId>, amiss: Option<Halfway>, run: &Run<'_>) -> Notice {
        let hint = "nothing is lost: the cycle that found this plans what is missing";
        let (verdict, problem) = match (found, amiss) {
            (Some(_), None) => (Verdict::Done, None),
            (Some(_), Some(amiss)) => {
                let why = match amiss {
                    Halfway::Seen => "the call was not answered and did not take whole effect",
                    Halfway::Unseen => "it was interrupted, and whether sessions were ended can't be seen",
                };
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

/// A change didn't take whole effect, or may not have.
#[derive(Clone, Copy)]
enum Halfway {
    /// The account shows it.
    Seen,
    /// It can't be seen whether the last part was done.
    Unseen,
}

/// Whether grants or owned fields show that a change was begun but not finished, or not even begun.
fn unfinished(
    rules: &AppRules,
    action: Action,
    known: &KnownAccount,
    before: Option<&KnownAccount>,
    account: &ObservedAccount,
    catalog: &Catalog,
) -> Option<Halfway> {
    let groups: BTreeSet<String> = account.groups.iter().map(|id| catalog.group_name(*id)).collect();
    let role = catalog.role_name(account.role, account.custom_role);
    let nothing = BTreeSet::new();
    let left = |had: &BTreeSet<String>, keeps: &BTreeSet<String>, has: &BTreeSet<String>| {
        had.difference(keeps).any(|one| has.contains(one))
    };
    let had_groups = before.map_or(&nothing, |before| &before.given_groups);
    let had_tags = before.map_or(&nothing, |before| &before.given_tags);
    let lacks = !known.given_groups.is_subset(&groups) || !known.given_tags.is_subset(&account.tags);
    let keeps = left(had_groups, &known.given_groups, &groups) || left(had_tags, &known.given_tags, &account.tags);
    let other = match action {
        // Whether the sessions were ended, which may be all that was left of a removal under way, can't be seen.
        Action::Deprovision => {
            account.role != Role::EndUser || before.is_some_and(|before| before.standing == Standing::Ending)
        }
        Action::Provision | Action::Link | Action::Adopt | Action::Update | Action::Reactivate => {
            let custom = matches!(known.written.role, RoleGrant::Custom(_)) && role != known.written.role;
            let demoted = before.is_some_and(|before| before.written.role == role && role != known.written.role);
            let owned = known.written.texts.iter().filter(|(field, _)| rules.mapping.mode(**field) == FieldMode::Own);
            custom || demoted || owned.into_iter().any(|(field, text)| account.text(*field) != text)
        }
        Action::Release => false,
    };
    (lacks || keeps || other).then_some(Halfway::Seen)
}
