//! Plans of one person that somebody orders by name. They pass the brake; what is never written isn't written by them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::{Catalog, DesiredAccount, KnownAccount, ObservedAccount, Standing, Suspended, Written};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::id::PersonId;
use crate::domain::rules::AppRules;

use super::{Basis, ConflictReason, Context, Plan, departed, order};

/// What is needed to plan for one person by hand.
#[derive(Debug)]
pub struct HandBasis<'a> {
    /// The rules.
    pub rules: &'a AppRules,
    /// Zendesk's named things.
    pub catalog: &'a Catalog,
    /// From what it is made.
    pub basis: Basis,
    /// How many accounts are managed and active.
    pub population: usize,
}

impl HandBasis<'_> {
    fn context<T>(&self, plan: impl FnOnce(&Context<'_>) -> T) -> T {
        plan(&Context {
            rules: self.rules,
            catalog: self.catalog,
            owners: &BTreeMap::new(),
            freed: BTreeMap::new(),
            cycle: self.basis.cycle.clone(),
        })
    }

    fn empty(&self) -> Plan {
        Plan::empty(self.rules.app.clone(), self.basis.clone(), self.population)
    }

    /// Ends a person's access, though the directory may still want them: one change, or one conflict.
    pub fn deprovision(&self, known: KnownAccount, observed: Option<ObservedAccount>) -> Plan {
        let mut plan = self.empty();
        self.context(|context| {
            match departed::by_hand(context, known, observed) {
                Ok(change) => plan.changes.push(change),
                Err(conflict) => plan.conflicts.push(*conflict),
            }
            order::keep_admins(&mut plan, context);
        });
        plan
    }

    /// Gives a link up: one change without a step.
    pub fn release(&self, known: KnownAccount) -> Plan {
        let mut plan = self.empty();
        plan.changes.push(self.context(|context| departed::release_by_hand(context, known)));
        plan
    }

    /// Ties a person to an account that somebody named: what the store will know, with nothing of it given by us.
    ///
    /// # Errors
    /// Why it can't be theirs. `owner` is whom the store links it to.
    pub fn link(
        &self,
        desired: &DesiredAccount,
        account: &ObservedAccount,
        owner: Option<PersonId>,
    ) -> Result<KnownAccount, ConflictReason> {
        if let Some(what) = self.context(|context| context.untouchable(account)) {
            return Err(ConflictReason::Untouchable(what));
        }
        if let Some(owner) = owner.filter(|owner| *owner != desired.person) {
            return Err(ConflictReason::OtherPerson(owner));
        }
        Ok(KnownAccount {
            person: desired.person.clone(),
            account: account.id,
            standing: Standing::Active,
            dn: desired.dn.clone(),
            written: Written {
                name: desired.name.clone(),
                // Not the account's own: what it has isn't ours to take off.
                email: desired.email.clone(),
                role: RoleGrant::Plain(Role::EndUser),
                texts: BTreeMap::new(),
            },
            given_groups: BTreeSet::new(),
            given_tags: BTreeSet::new(),
            adopted_role: Some(account.role),
            through: desired.through(),
            group_paths: desired.group_paths(),
            chosen: desired.chosen.clone(),
            missed: None,
            // What is wanted is outstanding: the next cycle brings it.
            fingerprint: None,
            wish: None,
        })
    }
}

/// What somebody who links this account should know before they say yes.
pub fn remarks(desired: &DesiredAccount, account: &ObservedAccount) -> Vec<String> {
    let mut remarks = Vec::new();
    if account.role == Role::Admin {
        remarks.push("it is an admin's account".to_owned());
    }
    if let Some(id) = account.external_id.as_ref().filter(|id| desired.external_id.as_ref() != Some(*id)) {
        remarks.push(format!("it carries another external_id, {id}, which the next cycle plans to replace"));
    }
    if account.suspended == Suspended::Yes {
        remarks.push("it is suspended, and stays so: lift that at Zendesk".to_owned());
    }
    if account.email.as_ref() != Some(&desired.email) {
        let mail = account.email.as_ref().map_or("no mail".to_owned(), ToString::to_string);
        remarks.push(format!("it has {mail}, and the directory wants {}", desired.email));
    }
    remarks
}
