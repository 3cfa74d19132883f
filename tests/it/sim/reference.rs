//! What the company truly wants of each account, computed from the company alone, without the product's planning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::assignment::{Role, RoleGrant};
use zendesk_dirsync::domain::id::{DirectoryName, Email, EntryId, PersonId};

use crate::support::memory::{Company, Use};

/// An assignment by the true id of its group.
#[derive(Debug, Clone)]
pub struct Given {
    pub directory: DirectoryName,
    pub group: EntryId,
    pub role: Option<RoleGrant>,
    pub groups: BTreeSet<String>,
    pub default_group: Option<String>,
    pub tags: BTreeSet<String>,
}

impl Given {
    /// Whether it holds someone: through nested groups, too, but for admins, who must be listed.
    fn holds(&self, company: &Company, person: EntryId) -> bool {
        let listed = || company.groups.get(&self.group).is_some_and(|group| group.members.contains(&person));
        let admin = self.role == Some(RoleGrant::Plain(Role::Admin));
        if admin { listed() } else { company.holds(self.group, person) }
    }
}

/// What an account should look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub name: String,
    pub email: Email,
    pub phone: String,
    pub role: RoleGrant,
    pub groups: BTreeSet<String>,
    pub default_group: Option<String>,
    pub tags: BTreeSet<String>,
}

/// What the company says of a person in one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// They should have an account like this.
    Wanted(Wish),
    /// They are in scope, but can't be mapped: nothing may change.
    Rejected,
    /// They should have none: switched off or expired.
    Unusable,
    /// They should have none: in no assigned group.
    Out,
}

/// The truth for everybody in the companies.
pub fn truths(
    companies: &BTreeMap<DirectoryName, Arc<Company>>,
    given: &[Given],
    now: DateTime<Utc>,
) -> BTreeMap<PersonId, Truth> {
    let mut truths = BTreeMap::new();
    let mut mails: BTreeMap<Email, Vec<PersonId>> = BTreeMap::new();
    for (directory, company) in companies {
        for person in company.people.values() {
            let id = PersonId { directory: directory.clone(), entry: person.id };
            let holds = |one: &&Given| one.directory == *directory && one.holds(company, person.id);
            let holding: Vec<&Given> = given.iter().filter(holds).collect();
            let usable = match &person.usable {
                Use::Usable | Use::Locked => Some(true),
                Use::Until(at) => Some(*at > now),
                Use::Disabled => Some(false),
                Use::Unsaid => None,
            };
            let truth = match (holding.is_empty(), usable) {
                (true, Some(false)) | (false, Some(false)) => Truth::Unusable,
                (true, Some(true) | None) => Truth::Out,
                (false, None) => Truth::Rejected,
                (false, Some(true)) => match Email::parse(person.get("mail")) {
                    Ok(email) if !person.get("displayName").is_empty() => {
                        mails.entry(email.clone()).or_default().push(id.clone());
                        let name = person.get("displayName").to_owned();
                        let phone = person.get("telephoneNumber").to_owned();
                        Truth::Wanted(wish(&holding, name, email, phone))
                    }
                    Ok(_) | Err(_) => Truth::Rejected,
                },
            };
            truths.insert(id, truth);
        }
    }
    for people in mails.into_values().filter(|people| people.len() > 1) {
        for person in people {
            truths.insert(person, Truth::Rejected);
        }
    }
    truths
}

fn wish(holding: &[&Given], name: String, email: Email, phone: String) -> Wish {
    let role = holding.iter().find_map(|one| one.role.clone()).unwrap_or(RoleGrant::Plain(Role::EndUser));
    let default_group = holding.iter().find_map(|one| one.default_group.clone());
    let mut groups = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for one in holding {
        groups.extend(one.groups.iter().cloned());
        tags.extend(one.tags.iter().cloned());
    }
    groups.extend(default_group.clone());
    if role == RoleGrant::Plain(Role::EndUser) {
        groups.clear();
        return Wish { name, email, phone, role, groups, default_group: None, tags };
    }
    Wish { name, email, phone, role, groups, default_group, tags }
}
