//! A person whom the directory wants: provision, link, adopt, update, reactivate, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::{DesiredAccount, KnownAccount, ObservedAccount, Standing, Suspended, Written};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::{
    Action, Cause, CauseCode, Change, Class, Confirm, FieldChange, FieldValue, Guard, NewAccount, OldEmail, Patch,
    SignIn, Step, Suspension,
};
use crate::domain::id::{AccountId, CustomRoleId, Email, GroupId};
use crate::domain::mapping::{ExternalIdRule, Field, FieldMode, Rejection};
use crate::domain::rules::Switch;

use super::matching::{self, Match};
use super::{Conflict, ConflictReason, Context, Decision, Found, Rejected};

/// The grants with names turned into ids.
struct Resolved {
    role: Role,
    custom_role: Option<CustomRoleId>,
    groups: BTreeMap<GroupId, String>,
    default_group: Option<GroupId>,
}

pub(super) fn decide(
    context: &Context<'_>,
    desired: DesiredAccount,
    known: Option<Box<KnownAccount>>,
    found: Found,
    guard: Option<Guard>,
) -> Decision {
    let resolved = match resolve(context, &desired) {
        Ok(resolved) => resolved,
        Err(why) => return reject(&desired, why),
    };
    let held = found.by_email.clone();
    let deleted = known.is_some() && !found.linked.as_ref().is_some_and(ObservedAccount::is_live);
    let work = Work { context, desired: &desired, resolved: &resolved };
    match matching::find(context, &desired, known.as_deref(), found) {
        Match::Conflict(account, why) => Decision::Conflict(Conflict::of_wish(&desired, account, why)),
        Match::Nobody => work.provision(if deleted { CauseCode::DeletedAtZendesk } else { CauseCode::Assigned }),
        Match::Linked(account) => match known {
            Some(known) => work.bring_up_to_date(*account, &known, &held, guard),
            None => Decision::Conflict(Conflict::of_wish(&desired, Some(account.id), ConflictReason::Several(1))),
        },
        Match::Marked(account) => work.take_over(*account, Action::Link, &held),
        Match::ByEmail(account) => work.take_over(*account, Action::Adopt, &held),
    }
}

fn reject(desired: &DesiredAccount, why: Rejection) -> Decision {
    Decision::Reject(Rejected {
        person: desired.person.clone(),
        user: Some(desired.email.clone()),
        name: Some(desired.name.clone()),
        dn: Some(desired.dn.clone()),
        why,
    })
}

/// Turns names into ids; a name that Zendesk lacks or has twice rejects the person.
fn resolve(context: &Context<'_>, desired: &DesiredAccount) -> Result<Resolved, Rejection> {
    let group = |name: &String| match context.catalog.groups.get(name).map(|ids| (ids.len(), ids.first().copied())) {
        Some((1, Some(id))) => Ok((id, name.clone())),
        Some((n, _)) if n > 1 => Err(Rejection::new("groups", format!("Zendesk has {n} groups named {name:?}"))),
        _ => Err(Rejection::new("groups", format!("Zendesk has no group named {name:?}"))),
    };
    let groups = desired.grants.groups.iter().map(group).collect::<Result<BTreeMap<GroupId, String>, Rejection>>()?;
    let (role, custom_role) = match &desired.grants.role {
        RoleGrant::Plain(role) => (*role, None),
        RoleGrant::Custom(name) => match context.catalog.custom_roles.get(name) {
            Some(ids) if ids.len() == 1 => (Role::Agent, ids.first().copied()),
            Some(ids) => {
                return Err(Rejection::new("role", format!("Zendesk has {} custom roles named {name:?}", ids.len())));
            }
            None => return Err(Rejection::new("role", format!("Zendesk has no custom role named {name:?}"))),
        },
    };
    let default_group = match &desired.grants.default_group {
        Some(name) => Some(group(name)?.0),
        None => None,
    };
    Ok(Resolved { role, custom_role, groups, default_group })
}

struct Work<'a> {
    context: &'a Context<'a>,
    desired: &'a DesiredAccount,
    resolved: &'a Resolved,
}

/// What brings an account to what is wanted.
#[derive(Default)]
struct Difference {
    fields: Vec<FieldChange>,
    steps: Vec<Step>,
    takes_or_raises: Vec<&'static str>,
}

impl Difference {
    fn note(&mut self, field: &'static str, before: FieldValue, after: FieldValue) {
        self.fields.push(FieldChange { field, before, after });
    }
}

impl Work<'_> {
    fn provision(&self, code: CauseCode) -> Decision {
        let Self { context, desired, resolved } = self;
        if context.rules.switches.create == Switch::Off {
            return Decision::SwitchedOff(Action::Provision);
        }
        if let Some(conflict) = self.agent_domain(None) {
            return conflict;
        }
        let texts: BTreeMap<Field, String> =
            desired.texts.iter().filter(|(_, text)| !text.is_empty()).map(|(f, t)| (*f, t.clone())).collect();
        let new = NewAccount {
            external_id: desired.external_id.clone(),
            name: desired.name.clone(),
            email: desired.email.clone(),
            texts: texts.clone(),
            role: resolved.role,
            custom_role: resolved.custom_role,
            tags: desired.grants.tags.clone(),
            welcome: context.rules.welcome,
        };
        let mut difference = Difference::default();
        difference.note("name", FieldValue::None, FieldValue::text(&desired.name));
        difference.note("email", FieldValue::None, FieldValue::text(desired.email.as_str()));
        if let Some(id) = &desired.external_id {
            difference.note("external_id", FieldValue::None, FieldValue::text(id.as_str()));
        }
        for (field, text) in &texts {
            difference.note(field.as_str(), FieldValue::None, FieldValue::text(text));
        }
        difference.note("role", FieldValue::None, FieldValue::Text(desired.grants.role.to_string()));
        difference.steps.push(Step::Create(new));
        self.groups(&mut difference, &BTreeSet::new(), None, &BTreeSet::new(), Role::EndUser);
        if !desired.grants.tags.is_empty() {
            difference.note("tags", FieldValue::None, FieldValue::Set(desired.grants.tags.clone()));
        }
        let outcome = self.outcome(None, None);
        self.change(None, Action::Provision, code, difference, Class::Creation, None, Some(outcome))
    }

    /// Links by marker or adopts by mail, and brings the account up to date in the same change.
    fn take_over(&self, account: ObservedAccount, action: Action, held: &[ObservedAccount]) -> Decision {
        if self.context.rules.switches.create == Switch::Off && action == Action::Adopt {
            return Decision::SwitchedOff(action);
        }
        if let Some(conflict) = self.agent_domain(Some(&account)).or_else(|| self.email_held(&account, held)) {
            return conflict;
        }
        // Without a record of what we gave, nothing on the account counts as ours.
        let nothing = BTreeSet::new();
        let mut difference = self.difference(&account, None, &nothing, &nothing);
        let raises = !difference.takes_or_raises.is_empty();
        let class = match (difference.fields.is_empty(), raises) {
            (true, _) => Class::Link,
            (false, true) => Class::TakesOrRaises,
            // Taking over many accounts that existed before is never a plain update.
            (false, false) if action == Action::Adopt => Class::TakesOrRaises,
            (false, false) => Class::Plain,
        };
        if action == Action::Adopt {
            difference.note("account", FieldValue::None, FieldValue::Text(account.id.to_string()));
        }
        let mut outcome = self.outcome(Some(&account), None);
        outcome.adopted_role = (action == Action::Adopt).then_some(account.role);
        // Only our own external id proves that an account is this person's.
        let guard = (*self.context.rules.mapping.external_id() != ExternalIdRule::Own).then_some(Guard::Unproven);
        self.change(Some(&account), action, CauseCode::Assigned, difference, class, guard, Some(outcome))
    }

    /// Updates or reactivates the account that the store links.
    fn bring_up_to_date(
        &self,
        account: ObservedAccount,
        known: &KnownAccount,
        held: &[ObservedAccount],
        guard: Option<Guard>,
    ) -> Decision {
        if let Some(conflict) = self.agent_domain(Some(&account)).or_else(|| self.email_held(&account, held)) {
            return conflict;
        }
        let returning = known.standing != Standing::Active;
        let ours = known.standing.suspended_by_us() || crate::planted("every suspension is ours");
        let lift = ours && account.suspended == Suspended::Yes;
        let mut difference = self.difference(&account, Some(known), &known.given_groups, &known.given_tags);
        if lift {
            difference.note("suspended", FieldValue::Flag(true), FieldValue::Flag(false));
            match difference.steps.iter_mut().find_map(Step::patch_mut) {
                Some(patch) => patch.sign_in = Some(SignIn::Lift),
                None => {
                    let lift = Patch { sign_in: Some(SignIn::Lift), ..Patch::default() };
                    difference.steps.insert(0, Step::Write(lift));
                }
            }
        }
        // A suspension by somebody else stays, and the account counts as in use: it has grants to lose.
        let outcome = self.outcome(Some(&account), Some(known));
        if difference.fields.is_empty() {
            return Decision::Refresh(Box::new(outcome));
        }
        let (action, code, class) = match (returning && lift, difference.takes_or_raises.is_empty()) {
            (true, _) => (Action::Reactivate, CauseCode::Returned, Class::Creation),
            (false, true) => (Action::Update, CauseCode::Changed, Class::Plain),
            (false, false) => (Action::Update, CauseCode::Changed, Class::TakesOrRaises),
        };
        let switches = &self.context.rules.switches;
        let switch = if action == Action::Reactivate { switches.reactivate } else { switches.update };
        if switch == Switch::Off {
            return Decision::SwitchedOff(action);
        }
        let loses_tags = difference.steps.iter().any(|step| matches!(step, Step::RemoveTags(_)));
        let guard = guard.filter(|_| class == Class::TakesOrRaises || loses_tags);
        self.change(Some(&account), action, code, difference, class, guard, Some(outcome))
    }

    /// What must be written to bring an account to what is wanted. `known` is none for one that is taken over.
    fn difference(
        &self,
        account: &ObservedAccount,
        known: Option<&KnownAccount>,
        given_groups: &BTreeSet<String>,
        given_tags: &BTreeSet<String>,
    ) -> Difference {
        let mut difference = Difference::default();
        let mut patch = Patch::default();
        self.texts(&mut difference, &mut patch, account);
        let email = self.email(&mut difference, account, known);
        let role_after = self.role(&mut difference, &mut patch, account, known);
        if !patch.is_empty() {
            difference.steps.push(Step::Write(patch));
        }
        difference.steps.extend(email);
        if role_after == Role::EndUser {
            // Zendesk takes an end user's memberships by itself.
            if !account.groups.is_empty() {
                let names = account.groups.iter().map(|id| self.context.catalog.group_name(*id)).collect();
                difference.note("groups", FieldValue::Set(names), FieldValue::None);
            }
        } else {
            let named = given_groups.iter().filter_map(|name| self.context.catalog.groups.get(name));
            let mut given: BTreeSet<GroupId> = named.flatten().copied().collect();
            if crate::planted("what others gave is ours") {
                given.extend(&account.groups);
            }
            self.groups(&mut difference, &account.groups, account.default_group, &given, account.role);
        }
        self.tags(&mut difference, &account.tags, given_tags);
        difference
    }

    fn texts(&self, difference: &mut Difference, patch: &mut Patch, account: &ObservedAccount) {
        let desired = self.desired;
        if account.name != desired.name {
            difference.note("name", FieldValue::text(&account.name), FieldValue::text(&desired.name));
            patch.name = Some(desired.name.clone());
        }
        if let Some(id) = desired.external_id.as_ref().filter(|id| account.external_id.as_ref() != Some(*id)) {
            let before = account.external_id.as_ref().map_or(FieldValue::None, |id| FieldValue::text(id.as_str()));
            difference.note("external_id", before, FieldValue::text(id.as_str()));
            if account.external_id.is_some() {
                difference.takes_or_raises.push("another external_id");
            }
            patch.external_id = Some(id.clone());
        }
        for (field, text) in &desired.texts {
            let owned = self.context.rules.mapping.mode(*field) == FieldMode::Own;
            if !owned || account.text(*field) == text {
                continue;
            }
            difference.note(field.as_str(), FieldValue::text(account.text(*field)), FieldValue::text(text));
            if text.is_empty() {
                difference.takes_or_raises.push("a cleared field");
            }
            patch.texts.insert(*field, text.clone());
        }
    }

    fn email(
        &self,
        difference: &mut Difference,
        account: &ObservedAccount,
        known: Option<&KnownAccount>,
    ) -> Option<Step> {
        let to = &self.desired.email;
        if account.email.as_ref() == Some(to) {
            return self.former_email(difference, account, known?);
        }
        let before = account.email.as_ref().map_or(FieldValue::None, |email| FieldValue::text(email.as_str()));
        difference.note("email", before, FieldValue::text(to.as_str()));
        difference.takes_or_raises.push("another mail");
        let ours = known.is_some_and(|known| Some(&known.written.email) == account.email.as_ref());
        let old = if ours { OldEmail::Removed } else { OldEmail::Kept };
        Some(Step::ChangeEmail { from: account.email.clone(), to: to.clone(), old })
    }

    /// A change of mail takes several calls. One that broke off in between may have left the former address, which is
    /// ours to take.
    fn former_email(
        &self,
        difference: &mut Difference,
        account: &ObservedAccount,
        known: &KnownAccount,
    ) -> Option<Step> {
        let (former, to) = (&known.written.email, &self.desired.email);
        if former == to || !account.emails.contains(former) {
            return None;
        }
        let texts = |keeps: &dyn Fn(&Email) -> bool| {
            FieldValue::Set(account.emails.iter().filter(|one| keeps(one)).map(ToString::to_string).collect())
        };
        difference.note("emails", texts(&|_| true), texts(&|one| one != former));
        Some(Step::ChangeEmail { from: Some(former.clone()), to: to.clone(), old: OldEmail::Removed })
    }

    /// Notes a change of role; answers the role that the account will have.
    fn role(
        &self,
        difference: &mut Difference,
        patch: &mut Patch,
        account: &ObservedAccount,
        known: Option<&KnownAccount>,
    ) -> Role {
        let wanted = (self.resolved.role, self.resolved.custom_role);
        let custom_matters =
            wanted.1.is_some() || known.is_some_and(|k| matches!(k.written.role, RoleGrant::Custom(_)));
        let same_custom = !custom_matters || account.custom_role == wanted.1;
        if account.role == wanted.0 && same_custom {
            return account.role;
        }
        // A higher role that we didn't give was given by hand: that is theirs to take back.
        let given = known.map_or(Role::EndUser, |known| known.written.role.role());
        if account.role > wanted.0 && given < account.role {
            return account.role;
        }
        let before = self.context.catalog.role_name(account.role, account.custom_role);
        difference.note(
            "role",
            FieldValue::Text(before.to_string()),
            FieldValue::Text(self.desired.grants.role.to_string()),
        );
        difference.takes_or_raises.push("another role");
        if wanted.0 == Role::EndUser {
            difference.steps.push(Step::Downgrade(Suspension::NotOurs));
        } else {
            patch.role = Some(wanted);
        }
        wanted.0
    }

    /// Joins what is wanted, leaves what we gave and isn't wanted any more, and sets the default group.
    fn groups(
        &self,
        difference: &mut Difference,
        in_groups: &BTreeSet<GroupId>,
        default_group: Option<GroupId>,
        given: &BTreeSet<GroupId>,
        role_before: Role,
    ) {
        let wanted: BTreeSet<GroupId> = self.resolved.groups.keys().copied().collect();
        let catalog = self.context.catalog;
        let becomes_agent = role_before == Role::EndUser && self.resolved.role != Role::EndUser;
        // A promotion puts the account into Zendesk's default group by itself; that counts as given by us.
        let automatic = catalog.default_group.filter(|id| becomes_agent && !wanted.is_empty() && !wanted.contains(id));
        let leave: BTreeSet<GroupId> =
            in_groups.intersection(given).filter(|id| !wanted.contains(id)).copied().collect();
        let join: Vec<GroupId> = wanted.difference(in_groups).copied().collect();
        let after: BTreeSet<GroupId> = in_groups.difference(&leave).chain(&wanted).copied().collect();
        if after != *in_groups {
            let names = |ids: &BTreeSet<GroupId>| ids.iter().map(|id| catalog.group_name(*id)).collect();
            difference.note("groups", FieldValue::Set(names(in_groups)), FieldValue::Set(names(&after)));
        }
        difference.steps.extend(join.into_iter().map(Step::Join));
        if let Some(id) = self.resolved.default_group.filter(|id| default_group != Some(*id)) {
            let before = default_group.map_or(FieldValue::None, |id| FieldValue::Text(catalog.group_name(id)));
            difference.note("default_group", before, FieldValue::Text(catalog.group_name(id)));
            difference.steps.push(Step::MakeDefault(id));
        }
        if !leave.is_empty() {
            difference.takes_or_raises.push("lost memberships");
        }
        difference.steps.extend(leave.into_iter().chain(automatic).map(Step::Leave));
    }

    fn tags(&self, difference: &mut Difference, has: &BTreeSet<String>, given: &BTreeSet<String>) {
        let wanted = &self.desired.grants.tags;
        let add: BTreeSet<String> = wanted.difference(has).cloned().collect();
        let remove: BTreeSet<String> = has.intersection(given).filter(|tag| !wanted.contains(*tag)).cloned().collect();
        if add.is_empty() && remove.is_empty() {
            return;
        }
        let after = has.difference(&remove).chain(&add).cloned().collect();
        difference.note("tags", FieldValue::Set(has.clone()), FieldValue::Set(after));
        if !add.is_empty() {
            difference.steps.push(Step::AddTags(add));
        }
        if !remove.is_empty() {
            difference.takes_or_raises.push("lost tags");
            difference.steps.push(Step::RemoveTags(remove));
        }
    }

    /// A conflict when a change would make an agent whose mail has another domain than agents may have.
    fn agent_domain(&self, account: Option<&ObservedAccount>) -> Option<Decision> {
        let raises = self.resolved.role > account.map_or(Role::EndUser, |account| account.role);
        let domains = self.context.rules.agent_email_domains.as_ref().filter(|_| raises)?;
        let id = account.map(|account| account.id);
        (!domains.contains(self.desired.email.domain()))
            .then(|| Decision::Conflict(Conflict::of_wish(self.desired, id, ConflictReason::AgentDomain)))
    }

    /// A conflict when another account holds the wanted address and doesn't give it up in this plan.
    fn email_held(&self, account: &ObservedAccount, held: &[ObservedAccount]) -> Option<Decision> {
        let email = &self.desired.email;
        if account.emails.contains(email) {
            return None;
        }
        let gives_up = |other: &&ObservedAccount| self.context.freed.get(email) == Some(&other.id);
        let other =
            held.iter().filter(|other| other.is_live() && other.id != account.id).find(|other| !gives_up(other))?;
        let why = ConflictReason::EmailHeld(other.id, email.clone());
        Some(Decision::Conflict(Conflict::of_wish(self.desired, Some(account.id), why)))
    }

    /// What the store will know when everything is done.
    fn outcome(&self, account: Option<&ObservedAccount>, known: Option<&KnownAccount>) -> KnownAccount {
        let desired = self.desired;
        let catalog = self.context.catalog;
        let had = |name: &String| {
            let ids = catalog.groups.get(name);
            account.is_some_and(|account| ids.is_some_and(|ids| !ids.is_disjoint(&account.groups)))
        };
        let given = |name: &&String| known.is_some_and(|known| known.given_groups.contains(*name)) || !had(name);
        let tagged = |tag: &&String| {
            known.is_some_and(|known| known.given_tags.contains(*tag))
                || account.is_none_or(|account| !account.tags.contains(*tag))
        };
        KnownAccount {
            person: desired.person.clone(),
            account: account.map_or(AccountId(0), |account| account.id),
            standing: Standing::Active,
            dn: desired.dn.clone(),
            written: Written {
                name: desired.name.clone(),
                email: desired.email.clone(),
                role: desired.grants.role.clone(),
                texts: desired.texts.clone(),
            },
            given_groups: desired.grants.groups.iter().filter(given).cloned().collect(),
            given_tags: desired.grants.tags.iter().filter(tagged).cloned().collect(),
            adopted_role: known.and_then(|known| known.adopted_role),
            through: desired.through(),
            group_paths: desired.group_paths(),
            chosen: desired.chosen.clone(),
            missed: None,
            fingerprint: Some(desired.fingerprint()),
            wish: Some(desired.wish()),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one place that builds a change, called with what differs")]
    fn change(
        &self,
        account: Option<&ObservedAccount>,
        action: Action,
        code: CauseCode,
        difference: Difference,
        class: Class,
        guard: Option<Guard>,
        outcome: Option<KnownAccount>,
    ) -> Decision {
        let evidence = (!difference.takes_or_raises.is_empty()).then(|| difference.takes_or_raises.join(", "));
        let makes_admin = difference.steps.iter().any(|step| step.role() == Some(Role::Admin));
        let guard = guard.or(makes_admin.then_some(Guard::MakesAdmin));
        Decision::Change(Box::new(Change {
            app: self.context.rules.app.clone(),
            person: self.desired.person.clone(),
            account: account.map(|account| account.id),
            before: account.cloned().map(Box::new),
            action,
            cause: Cause { code, groups: self.desired.group_paths(), evidence },
            email: self.desired.email.clone(),
            name: self.desired.name.clone(),
            dn: self.desired.dn.clone(),
            fields: difference.fields,
            steps: difference.steps,
            class,
            guard,
            confirm: Confirm::No,
            outcome: outcome.map(Box::new),
        }))
    }
}
