//! `link`: a person says which account is somebody's. Nothing at Zendesk is written by it; the next cycle brings the
//! account up to date, under the brake.

use std::collections::BTreeSet;

use crate::domain::account::{Catalog, DesiredAccount, KnownAccount, ObservedAccount};
use crate::domain::change::{Action, CauseCode, FieldChange, FieldValue};
use crate::domain::id::{AccountId, Digester};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::plan::{HandBasis, remarks};

use super::apply::Run;
use super::byhand::{HandPersonView, HandView, Ordered, code_of};
use super::command::Reply;
use super::gather::{GatherFault, Want, Wants};
use super::naming::{Someone, one, several};
use super::ports::{CallFault, Clock, Directory, HandLedger as _, Helpdesk, Ledger, ReadFault, Report};
use super::view::{FaultView, FieldView, json};
use super::{Abort, Ending, Engine, Ports};

impl<P: Ports> Engine<P> {
    /// Shows or makes a link.
    pub(super) async fn link(
        &mut self,
        account: AccountId,
        Ordered { user, app, word }: Ordered<'_>,
        mut run: Run<'_>,
    ) -> Result<Reply, Abort> {
        let at = match self.only_app(app) {
            Ok(at) => at,
            Err(refusal) => return Ok(refusal),
        };
        if let Some(problem) = self.begin_by_hand(word, &mut run).await?.get(&at) {
            let fault = FaultView::from(problem);
            return Ok(Reply::Refused { code: code_of(&fault), fault });
        }
        let desired = match self.wanted(at, user, &mut run).await? {
            Ok(desired) => desired,
            Err(refusal) => return Ok(refusal),
        };
        let (catalog, observed) = match self.look_at_account(at, account).await {
            Ok((catalog, Some(observed))) => (catalog, observed),
            Ok((_, None)) => {
                let message = format!("Zendesk has no account {account}");
                return Ok(Reply::refused(2, "no_such_account", message, "see the number in the account's address"));
            }
            Err(fault) => {
                let fault = FaultView::from(&fault.problem());
                return Ok(Reply::Refused { code: code_of(&fault), fault });
            }
        };
        let rules = &self.apps[at].rules;
        let someone = Someone {
            app: rules.app.clone(),
            person: desired.person.clone(),
            user: desired.email.to_string(),
            name: desired.name.clone(),
            account: Some(account),
        };
        let owner = self.ledger.owner(&rules.app, account)?;
        let (basis, population) = self.hand_basis(at, &run.cycle)?;
        let planner = HandBasis { rules, catalog: &catalog, basis, population };
        let known = match planner.link(&desired, &observed, owner) {
            Ok(known) => known,
            Err(why) => {
                let fault = FaultView::from(&Problem::new(why.code(), why.to_string(), why.hint()));
                return Ok(Reply::Refused { code: 1, fault });
            }
        };
        let view = shown(&someone, &desired, &observed, &catalog);
        match word.lets(&view.digest) {
            Ok(true) => {}
            Ok(false) => return Ok(Reply::Hand { code: 0, view: Box::new(view) }),
            Err(refusal) => return Ok(refusal),
        }
        self.tie(&someone, known, &mut run)?;
        let done = |one: HandPersonView| HandPersonView { result: Some(Verdict::Done.as_str().to_owned()), ..one };
        let people = view.people.into_iter().map(done).collect();
        Ok(Reply::Hand { code: 0, view: Box::new(HandView { people, ..view }) })
    }

    /// The app that is named, or the only one there is.
    fn only_app(&self, app: Option<&str>) -> Result<usize, Reply> {
        match self.app_named(app)? {
            Some(app) => Ok(self.apps.iter().position(|one| one.rules.app == app).unwrap_or_default()),
            None if self.apps.len() == 1 => Ok(0),
            None => {
                let names: Vec<&str> = self.apps.iter().map(|one| one.rules.app.as_str()).collect();
                let message = format!("there are several apps: {}", names.join(", "));
                Err(Reply::refused(2, "several_apps", message, "name the one whose account it is: --app APP"))
            }
        }
    }

    async fn look_at_account(
        &mut self,
        at: usize,
        account: AccountId,
    ) -> Result<(Catalog, Option<ObservedAccount>), CallFault> {
        let desk = &mut self.apps[at].desk;
        desk.who_am_i().await?;
        let catalog = desk.catalog().await?;
        let seen = desk.observe(&[account]).await?;
        Ok((catalog, seen.into_iter().find(|one| one.id == account && one.is_live())))
    }

    /// What the directory wants for somebody who isn't linked yet, from a fresh read.
    async fn wanted(
        &mut self,
        at: usize,
        user: &str,
        run: &mut Run<'_>,
    ) -> Result<Result<Box<DesiredAccount>, Reply>, Abort> {
        let app = self.apps[at].rules.app.clone();
        let (mut wants, faults) = self.read_for(at, run).await?;
        let mut found: Vec<Someone> = self.planner().managed(user, Some(&app))?;
        for (person, want) in &wants.people {
            let (email, name) = match want {
                Want::Differs(desired) => (desired.email.to_string(), desired.name.clone()),
                Want::Rejected(one) => {
                    let email = one.user.as_ref().map(ToString::to_string).unwrap_or_default();
                    (email, one.name.clone().unwrap_or_default())
                }
                Want::Same | Want::Unusable(_) => continue,
            };
            let account = None;
            let someone = Someone { app: app.clone(), person: person.clone(), user: email, name, account };
            if someone.is(user) && !found.iter().any(|one| one.person == *person) {
                found.push(someone);
            }
        }
        if let Some(fault) = faults.first().filter(|_| found.is_empty()) {
            let fault = FaultView::from(&fault.problem());
            return Ok(Err(Reply::Refused { code: Ending::Directory.code(), fault }));
        }
        let hint = "people are named by mail, name or immutable id; only whom an assigned group holds can be linked";
        let person = match one(user, found, ("whom the directory wants", hint)) {
            Ok(found) => found.into_iter().map(|one| one.person).next(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(person) = person else { return Ok(Err(several(user, &[]))) };
        if let Some(known) = self.ledger.known(&app, &person)? {
            let message = format!("{} is linked to account {} already", known.written.email, known.account);
            let hint = "`zendesk-dirsync unlink` gives that link up first";
            return Ok(Err(Reply::refused(2, "linked", message, hint)));
        }
        Ok(match wants.people.remove(&person) {
            Some(Want::Differs(desired)) => Ok(desired),
            Some(Want::Rejected(one)) => {
                let message = format!("{user:?} can't be mapped: {}", one.why);
                Err(Reply::refused(2, "rejected", message, "correct the entry in the directory, then link"))
            }
            Some(Want::Same | Want::Unusable(_)) | None => {
                let message = format!("the directory wants no account for {user:?}");
                Err(Reply::refused(2, "nobody", message, hint))
            }
        })
    }

    /// What an app wants of everybody, from every directory that can be read; and the faults of those that can't.
    async fn read_for(&mut self, at: usize, run: &mut Run<'_>) -> Result<(Wants, Vec<ReadFault>), Abort> {
        let mut planner = self.planner();
        let sets = planner.sets();
        let mut wants: Vec<Wants> = sets.iter().map(|_| Wants::default()).collect();
        let mut faults = Vec::new();
        let mut unheard = BTreeSet::new();
        for number in 0..planner.directories.len() {
            let name = planner.directories[number].name().clone();
            if !planner.apps[at].rules.assignments.iter().any(|one| one.directory == name) {
                continue;
            }
            match planner.read(number, &sets, &mut wants, &mut unheard, run.progress).await {
                Ok(_) => {}
                Err(GatherFault::Ledger(fault)) => return Err(fault.into()),
                Err(GatherFault::Read(fault)) => faults.push(fault),
            }
        }
        Ok((wants.swap_remove(at), faults))
    }

    /// Tells and keeps a link, and lifts what kept the person.
    fn tie(&mut self, someone: &Someone, known: KnownAccount, run: &mut Run<'_>) -> Result<(), Abort> {
        // Told first: a link that isn't on record doesn't count.
        self.report.ready()?;
        let seq = run.next_seq();
        let subject = Subject::Account(Action::Link);
        let notice = Notice::new(self.clock.now(), run.cycle.clone(), seq, subject, Verdict::Done, &run.actor);
        let mut notice = someone.told(notice);
        notice.dn = Some(known.dn.clone());
        notice.cause = Some(CauseCode::ByHand.into());
        notice.changes = vec![tied(someone)];
        self.report.tell(&notice)?;
        let account = known.account;
        let Err(fault) = self.ledger.tie(&someone.app, &known) else { return Ok(()) };
        // A fault may come after the step itself: what is answered is what is so.
        let stands = self.ledger.known(&someone.app, &someone.person)?.is_some_and(|known| known.account == account);
        if stands {
            tracing::warn!(app = %someone.app, "linked, though the store had a fault afterwards: {fault}");
            return Ok(());
        }
        notice.seq = run.next_seq();
        notice.verdict = Verdict::Refused;
        let hint = "mend the storage, then give the command again";
        notice.problem = Some(Problem::new("storage", format!("it was not linked: {fault}"), hint));
        // What keeps the store from being written may keep this from being told as well.
        let _ = self.report.tell(&notice);
        Err(fault.into())
    }
}

fn tied(someone: &Someone) -> FieldChange {
    let account = someone.account.map(|id| id.to_string()).unwrap_or_default();
    FieldChange { field: "account", before: FieldValue::None, after: FieldValue::Text(account) }
}

fn shown(someone: &Someone, desired: &DesiredAccount, account: &ObservedAccount, catalog: &Catalog) -> HandView {
    let mut view = HandPersonView::of(someone, Some((account, catalog)));
    let mail = account.email.as_ref().map_or_else(|| "no mail".to_owned(), ToString::to_string);
    view.remarks.push(format!("the account is {} ({mail})", account.name));
    view.remarks.extend(remarks(desired, account));
    let link = tied(someone);
    view.changes =
        vec![FieldView { field: link.field.to_owned(), before: json(&link.before), after: json(&link.after) }];
    let mut digest = Digester::new("link by hand 1");
    digest.text(&someone.app.to_string()).text(&someone.person.to_string()).text(&format!("{account:?}"));
    HandView { action: "link".to_owned(), digest: digest.finish().to_string(), people: vec![view] }
}
