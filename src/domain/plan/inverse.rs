//! The inverse of one deed: the steps that bring one account back, and what they can't.
//!
//! Zendesk restores nothing by itself after a downgrade: first the suspension and the role, then groups, default group
//! and tags. Where access is taken back again, that comes first.

mod grants;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::{KnownAccount, ObservedAccount, Standing, Suspended};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::{
    Action, Cause, CauseCode, Change, Class, Confirm, FieldChange, FieldValue, Guard, OldEmail, Patch, SignIn, Step,
};
use crate::domain::deed::{Since, after_steps};
use crate::domain::id::{AccountId, CustomRoleId, CycleId, Email};
use crate::domain::mapping::Field;

use super::Context;
use super::departed::{Parts, SignInPart};
use super::undo::{CannotUndo, Short, UndoCase};

/// The change that undoes, and what it leaves undone.
pub(super) struct Inverse {
    pub(super) change: Change,
    pub(super) short: BTreeSet<Short>,
}

/// The inverse of one person's deed.
pub(super) fn of(context: &Context<'_>, case: &UndoCase, cycle: &CycleId) -> Result<Inverse, CannotUndo> {
    let now = writable(context, case)?;
    let deed = &case.deed;
    let mut work = Work { context, case, now, fields: Vec::new(), short: BTreeSet::new(), lost_or_raised: false };
    work.short.extend(deed.lasting.iter().map(|one| Short::Lasting(*one)));
    let (steps, known) = match (&deed.before, &deed.left, &deed.known_after) {
        (Some(before), Some(left), _) => {
            let steps = work.back(before, left)?;
            let known = work.known_again(&steps);
            (steps, known)
        }
        // Nothing was there before: the account that was made goes the way of a leaver's.
        (None, _, Some(known)) => {
            let parts = Parts::removal(context, case.known.as_ref().unwrap_or(known), now, SignInPart::Suspend);
            work.fields = parts.fields;
            (parts.steps, parts.standing.map(|standing| ended(case.known.as_ref().unwrap_or(known), standing)))
        }
        (Some(_), None, _) | (None, _, None) => return Err(CannotUndo::NoImage),
    };
    let linked = case.known.as_ref();
    if linked.is_none() != known.is_none() {
        let link = FieldValue::Text(now.id.to_string());
        let (before, after) = if known.is_some() { (FieldValue::None, link) } else { (link, FieldValue::None) };
        work.fields.push(FieldChange { field: "account", before, after });
    } else if work.fields.is_empty() {
        if steps.iter().all(|step| *step == Step::EndSessions) && alike(linked, known.as_ref()) {
            return Err(CannotUndo::AsBefore);
        }
        work.fields.push(FieldChange {
            field: "managed",
            before: FieldValue::text(linked.map_or("", |one| managed(one.standing))),
            after: FieldValue::text(known.as_ref().map_or("", |one| managed(one.standing))),
        });
    }
    Ok(work.finish(steps, known, cycle))
}

/// The account as it is now, if it may be written and is still this person's.
fn writable<'a>(context: &Context<'_>, case: &'a UndoCase) -> Result<&'a ObservedAccount, CannotUndo> {
    match &case.since {
        Since::Undone(by) => return Err(CannotUndo::Already(by.clone())),
        Since::Others(cycles) => return Err(CannotUndo::Later(cycles.clone())),
        Since::Nothing | Since::UnderWay => {}
    }
    let deed = &case.deed;
    let id = deed.account.ok_or(CannotUndo::NoImage)?;
    let now = case.observed.as_ref().filter(|account| account.is_live()).ok_or(CannotUndo::Gone)?;
    if let Some(what) = context.untouchable(now) {
        return Err(CannotUndo::Untouchable(what));
    }
    if let Some(owner) = case.owner.as_ref().filter(|owner| **owner != deed.person) {
        return Err(CannotUndo::OtherPerson(owner.clone()));
    }
    match &case.known {
        Some(known) if known.account != id => Err(CannotUndo::OtherAccount(known.account)),
        None if deed.known_after.is_some() && case.since != Since::UnderWay => Err(CannotUndo::Unlinked),
        Some(_) | None => Ok(now),
    }
}

/// What becomes of one value.
enum Turn {
    /// The deed didn't change it, or it is as before already.
    Stays,
    /// It is as the deed left it, and goes back.
    Back,
    /// Somebody changed it since.
    Moved,
}

fn turn<T: PartialEq>(before: &T, left: &T, now: &T) -> Turn {
    if before == left || now == before {
        Turn::Stays
    } else if now == left {
        Turn::Back
    } else {
        Turn::Moved
    }
}

/// Role and custom role as one; only agents have the latter.
fn role_of(account: &ObservedAccount) -> (Role, Option<CustomRoleId>) {
    (account.role, account.custom_role.filter(|_| account.role == Role::Agent))
}

struct Work<'a> {
    context: &'a Context<'a>,
    case: &'a UndoCase,
    now: &'a ObservedAccount,
    fields: Vec<FieldChange>,
    short: BTreeSet<Short>,
    /// Whether something is taken away or raised.
    lost_or_raised: bool,
}

impl Work<'_> {
    fn note(&mut self, field: &'static str, before: FieldValue, after: FieldValue) {
        self.fields.push(FieldChange { field, before, after });
    }

    /// The steps from what Zendesk has now to what was before.
    fn back(&mut self, before: &ObservedAccount, left: &ObservedAccount) -> Result<Vec<Step>, CannotUndo> {
        let mut patch = Patch::default();
        self.texts(&mut patch, before, left);
        let unmark = self.external_id(&mut patch, before, left);
        self.sign_in(&mut patch, before, left);
        let role = self.role(&mut patch, before, left);
        if let Some(domains) = self.context.rules.agent_email_domains.as_ref().filter(|_| role > self.now.role) {
            let email = self.now.email.as_ref().map_or("", Email::domain);
            if !domains.contains(email) {
                return Err(CannotUndo::AgentDomain);
            }
        }
        let suspends = patch.sign_in == Some(SignIn::Suspend);
        let mut steps = Vec::new();
        if !patch.is_empty() {
            steps.push(Step::Write(patch));
        }
        if suspends {
            steps.push(Step::EndSessions);
        }
        steps.extend(unmark);
        self.mails(&mut steps, before, left);
        if role == Role::EndUser {
            self.downgrade(&mut steps, left, suspends);
        } else {
            self.groups(&mut steps, before, left);
        }
        self.tags(&mut steps, before, left);
        Ok(steps)
    }

    fn texts(&mut self, patch: &mut Patch, before: &ObservedAccount, left: &ObservedAccount) {
        match turn(&before.name, &left.name, &self.now.name) {
            Turn::Stays => {}
            Turn::Moved => drop(self.short.insert(Short::Moved("name"))),
            Turn::Back => {
                self.note("name", FieldValue::text(&self.now.name), FieldValue::text(&before.name));
                patch.name = Some(before.name.clone());
            }
        }
        for field in Field::ALL.into_iter().filter(|field| !matches!(field, Field::Name | Field::Email)) {
            let (was, has) = (before.text(field), self.now.text(field));
            match turn(&was, &left.text(field), &has) {
                Turn::Stays => {}
                Turn::Moved => drop(self.short.insert(Short::Moved(field.as_str()))),
                Turn::Back => {
                    self.lost_or_raised |= was.is_empty();
                    self.note(field.as_str(), FieldValue::text(has), FieldValue::text(was));
                    patch.texts.insert(field, was.to_owned());
                }
            }
        }
    }

    fn external_id(&mut self, patch: &mut Patch, before: &ObservedAccount, left: &ObservedAccount) -> Option<Step> {
        match turn(&before.external_id, &left.external_id, &self.now.external_id) {
            Turn::Stays => None,
            Turn::Moved => {
                self.short.insert(Short::Moved("external_id"));
                None
            }
            Turn::Back => {
                let text = |id: &Option<_>| id.as_ref().map_or(FieldValue::None, id_text);
                self.note("external_id", text(&self.now.external_id), text(&before.external_id));
                self.lost_or_raised = true;
                patch.external_id.clone_from(&before.external_id);
                before.external_id.is_none().then_some(Step::Unmark)
            }
        }
    }

    fn sign_in(&mut self, patch: &mut Patch, before: &ObservedAccount, left: &ObservedAccount) {
        if let Turn::Back = turn(&before.suspended, &left.suspended, &self.now.suspended) {
            let is = |suspended: Suspended| FieldValue::Flag(suspended == Suspended::Yes);
            self.note("suspended", is(self.now.suspended), is(before.suspended));
            patch.sign_in = Some(match before.suspended {
                Suspended::Yes => SignIn::Suspend,
                Suspended::No => SignIn::Lift,
            });
        }
    }

    fn mails(&mut self, steps: &mut Vec<Step>, before: &ObservedAccount, left: &ObservedAccount) {
        let now = self.now;
        let mut after = now.emails.clone();
        let mut added = Vec::new();
        match turn(&before.email, &left.email, &now.email) {
            Turn::Stays => {}
            Turn::Moved => drop(self.short.insert(Short::Moved("email"))),
            Turn::Back => match &before.email {
                None => drop(self.short.insert(Short::MailStays)),
                Some(email) if self.is_held(email) => {}
                Some(email) => {
                    let text = |email: &Option<Email>| {
                        email.as_ref().map_or(FieldValue::None, |email| FieldValue::text(email.as_str()))
                    };
                    self.note("email", text(&now.email), text(&before.email));
                    self.lost_or_raised = true;
                    let stays = now.email.as_ref().is_some_and(|email| before.emails.contains(email));
                    let old = if stays { OldEmail::Kept } else { OldEmail::Removed };
                    if let Some(from) = now.email.as_ref().filter(|_| !stays) {
                        after.remove(from);
                    }
                    after.insert(email.clone());
                    added.push(Step::ChangeEmail { from: now.email.clone(), to: email.clone(), old });
                }
            },
        }
        let primary = before.email.as_ref();
        for email in before.emails.difference(&left.emails).filter(|email| Some(*email) != primary) {
            if !now.emails.contains(email) && !self.is_held(email) {
                after.insert(email.clone());
                added.push(Step::AddEmail(email.clone()));
            }
        }
        let further = |emails: &BTreeSet<Email>, primary: Option<&Email>| {
            FieldValue::Set(emails.iter().filter(|one| Some(*one) != primary).map(ToString::to_string).collect())
        };
        let target = added.iter().find_map(Step::primary_email).cloned();
        let had = further(&now.emails, now.email.as_ref());
        let gets = further(&after, target.as_ref().or(now.email.as_ref()));
        if had != gets {
            self.note("emails", had, gets);
        }
        steps.extend(added);
    }

    /// Whether another account has an address now, and doesn't give it up in this plan.
    fn is_held(&mut self, email: &Email) -> bool {
        let gives_up = |id: &AccountId| self.context.freed.get(email) == Some(id);
        let holder = self.case.holders.get(email).copied().filter(|id| !gives_up(id) && *id != self.now.id);
        self.short.extend(holder.map(|id| Short::MailHeld(email.clone(), id)));
        holder.is_some()
    }

    /// What the store knew before, as far as it is so again. None: the link is given up again.
    fn known_again(&self, steps: &[Step]) -> Option<KnownAccount> {
        let mut known = self.case.deed.known_before.as_deref().cloned()?;
        let end = after_steps(self.now, steps);
        let catalog = self.context.catalog;
        known.account = end.id;
        known.missed = None;
        // Whatever the directory wants is compared anew, as soon as that decides again.
        known.fingerprint = None;
        if let Some(now) = &self.case.known {
            known.dn = now.dn.clone();
        }
        known.written.name.clone_from(&end.name);
        if let Some(email) = &end.email {
            known.written.email = email.clone();
        }
        if end.role < known.written.role.role() {
            known.written.role = RoleGrant::Plain(end.role);
        }
        // Somebody suspended it meanwhile, and nothing of ours is on it: that isn't ours to lift.
        let ours = steps.iter().any(|step| step.sign_in() == Some(SignIn::Suspend));
        let still = self.case.known.as_ref().is_some_and(|now| now.standing.suspended_by_us());
        if known.standing.suspended_by_us() && end.suspended == Suspended::Yes && !ours && !still {
            known.standing = Standing::SuspendedByOthers;
        }
        let in_it = |name: &String| catalog.groups.get(name).is_some_and(|ids| !ids.is_disjoint(&end.groups));
        known.given_groups.retain(in_it);
        known.given_tags.retain(|tag| end.tags.contains(tag));
        Some(known)
    }

    fn finish(self, steps: Vec<Step>, known: Option<KnownAccount>, cycle: &CycleId) -> Inverse {
        let deed = &self.case.deed;
        let sign_in = steps.iter().find_map(Step::sign_in);
        let raised = steps.iter().any(|step| step.role() == Some(Role::Admin));
        let (action, class) = match (&known, &self.case.known, sign_in) {
            (_, _, Some(SignIn::Suspend)) => (Action::Deprovision, Class::RemovalShown),
            // An account that was made goes, though somebody else suspended it already.
            (Some(_), Some(_), None) if deed.before.is_none() => (Action::Deprovision, Class::RemovalShown),
            (None, _, _) => (Action::Release, Class::TakesOrRaises),
            (Some(_), None, _) if steps.is_empty() => (Action::Link, Class::Link),
            (Some(_), None, _) => (Action::Link, Class::TakesOrRaises),
            (Some(_), Some(_), Some(SignIn::Lift)) => (Action::Reactivate, Class::Creation),
            (Some(_), Some(_), None) if self.lost_or_raised => (Action::Update, Class::TakesOrRaises),
            (Some(_), Some(_), None) => (Action::Update, Class::Plain),
        };
        let admin = raised || (sign_in == Some(SignIn::Lift) && self.now.role == Role::Admin);
        let email = known.as_ref().map_or_else(|| deed.email.clone(), |known| known.written.email.clone());
        let name = known.as_ref().map_or_else(|| deed.name.clone(), |known| known.written.name.clone());
        let change = Change {
            app: self.context.rules.app.clone(),
            person: deed.person.clone(),
            account: Some(self.now.id),
            before: Some(Box::new(self.now.clone())),
            action,
            cause: Cause { code: CauseCode::Undone, groups: Vec::new(), evidence: Some(cycle.to_string()) },
            email,
            name,
            dn: known.as_ref().map_or_else(|| deed.dn.clone(), |known| known.dn.clone()),
            fields: self.fields,
            steps,
            class,
            guard: admin.then_some(Guard::MakesAdmin),
            confirm: Confirm::No,
            outcome: known.map(Box::new),
        };
        Inverse { change, short: self.short }
    }
}

fn id_text(id: &crate::domain::id::ExternalId) -> FieldValue {
    FieldValue::text(id.as_str())
}

/// What the store knows of an account whose making was undone.
fn ended(known: &KnownAccount, standing: Standing) -> KnownAccount {
    KnownAccount {
        standing,
        given_groups: BTreeSet::new(),
        given_tags: BTreeSet::new(),
        missed: None,
        fingerprint: None,
        ..known.clone()
    }
}

/// Whether two pictures of an account say the same, but for what a mere look changes.
fn alike(one: Option<&KnownAccount>, other: Option<&KnownAccount>) -> bool {
    let bare = |known: &KnownAccount| KnownAccount {
        fingerprint: None,
        wish: None,
        missed: None,
        through: BTreeSet::new(),
        group_paths: Vec::new(),
        chosen: BTreeMap::new(),
        ..known.clone()
    };
    match (one, other) {
        (Some(one), Some(other)) => bare(one) == KnownAccount { dn: one.dn.clone(), ..bare(other) },
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// How an account stands, for people.
const fn managed(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "in use",
        Standing::Ending => "being removed",
        Standing::SuspendedByUs => "suspended by us",
        Standing::SuspendedByOthers => "suspended by others",
        Standing::Downgraded => "downgraded",
    }
}
