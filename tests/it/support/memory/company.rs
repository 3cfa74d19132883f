//! A company as its directory holds it: people, groups, who is in which. The truth, before any server tells it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::account_state::AccountState;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::EntryId;

/// Whether a person's directory account may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// It may.
    Usable,
    /// It may, until a moment.
    Until(DateTime<Utc>),
    /// It was switched off.
    Disabled,
    /// Locked out after wrong passwords.
    Locked,
    /// The server doesn't say.
    Unsaid,
}

impl Use {
    /// As the product calls it, at a moment.
    pub fn state(&self, now: DateTime<Utc>) -> AccountState {
        match self {
            Self::Usable => AccountState::Usable { until: None },
            Self::Until(at) if *at <= now => AccountState::Expired { since: *at, evidence: format!("expired {at}") },
            Self::Until(at) => AccountState::Usable { until: Some(*at) },
            Self::Disabled => AccountState::Disabled { evidence: "userAccountControl 514".into() },
            Self::Locked => AccountState::Locked { evidence: "lockoutTime".into() },
            Self::Unsaid => AccountState::Unknown { why: "userAccountControl is missing".into() },
        }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: EntryId,
    pub dn: Dn,
    /// Attributes by lower-case type.
    pub attributes: BTreeMap<String, Vec<String>>,
    pub usable: Use,
}

impl Person {
    /// A person with a name and a mail, who may sign in. The id and the DN come from a number.
    pub fn numbered(n: u32, name: &str, mail: &str) -> Self {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&n.to_be_bytes());
        let mut person = Self {
            id: EntryId::from_bytes(bytes),
            dn: Dn::parse(&format!("uid=u{n},ou=people,dc=example,dc=org")).unwrap(),
            attributes: BTreeMap::new(),
            usable: Use::Usable,
        };
        person.set("displayName", name);
        person.set("mail", mail);
        person.set("employeeNumber", &format!("E{n}"));
        person
    }

    /// Sets an attribute to one value; an empty one takes it away.
    pub fn set(&mut self, kind: &str, value: &str) {
        let kind = kind.to_lowercase();
        if value.is_empty() {
            self.attributes.remove(&kind);
        } else {
            self.attributes.insert(kind, vec![value.to_owned()]);
        }
    }

    /// The first value of an attribute.
    pub fn get(&self, kind: &str) -> &str {
        self.attributes.get(&kind.to_lowercase()).and_then(|values| values.first()).map_or("", String::as_str)
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: EntryId,
    pub dn: Dn,
    pub name: String,
    /// People and groups; somebody deleted may still be named.
    pub members: BTreeSet<EntryId>,
}

impl Group {
    /// A group; the id and the DN come from its number and name.
    pub fn numbered(n: u32, name: &str, members: &[EntryId]) -> Self {
        let mut bytes = [0xee; 16];
        bytes[12..].copy_from_slice(&n.to_be_bytes());
        let dn = Dn::parse(&format!("cn={name},ou=groups,dc=example,dc=org")).unwrap();
        Self { id: EntryId::from_bytes(bytes), dn, name: name.to_owned(), members: members.iter().copied().collect() }
    }
}

/// Everybody and every group of one directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    pub people: BTreeMap<EntryId, Person>,
    pub groups: BTreeMap<EntryId, Group>,
    /// Deleted entries of which the server keeps a tombstone.
    pub tombstones: BTreeSet<EntryId>,
    /// Where entries were that are deleted now: groups may go on naming them.
    pub former: BTreeMap<EntryId, Dn>,
}

impl Company {
    /// Whether a group holds someone, through nested groups or at once.
    pub fn holds(&self, group: EntryId, person: EntryId) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![group];
        while let Some(id) = next.pop() {
            let Some(group) = self.groups.get(&id).filter(|_| seen.insert(id)) else { continue };
            if group.members.contains(&person) {
                return true;
            }
            next.extend(group.members.iter().copied());
        }
        false
    }

    /// Deletes a person.
    pub fn delete(&mut self, id: EntryId, tombstone: Tombstone, names: Names) {
        if let Some(person) = self.people.remove(&id) {
            self.former.insert(id, person.dn);
        }
        if tombstone == Tombstone::Kept {
            self.tombstones.insert(id);
        }
        if names == Names::Cleaned {
            self.groups.values_mut().for_each(|group| {
                group.members.remove(&id);
            });
        }
    }

    /// Where a member is or was.
    pub fn dn_of(&self, id: EntryId) -> Option<&Dn> {
        let person = self.people.get(&id).map(|person| &person.dn);
        person.or_else(|| self.groups.get(&id).map(|group| &group.dn)).or_else(|| self.former.get(&id))
    }
}

/// Whether a server keeps a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstone {
    Kept,
    None,
}

/// Whether groups go on naming someone deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Cleaned,
    Left,
}
