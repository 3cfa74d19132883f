//! Assignments: which group gives what, and what several of them give together.

use std::collections::BTreeSet;
use std::fmt;

use super::dn::Dn;
use super::entry::GroupPath;
use super::id::{DirectoryName, EntryId};

/// A Zendesk role as the `role` field knows it (API reference, Users): finer ones are custom roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A customer: no seat, no groups.
    EndUser,
    /// A member of staff: holds a seat, unless the custom role is a light one.
    Agent,
    /// May do everything.
    Admin,
}

impl Role {
    /// The name that Zendesk uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndUser => "end-user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    /// Reads Zendesk's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::EndUser, Self::Agent, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role with, for agents, the custom role that refines it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleGrant {
    /// A plain role.
    Plain(Role),
    /// An agent with a custom role, by its name.
    Custom(String),
}

impl RoleGrant {
    /// The `role` that Zendesk shows for it.
    pub const fn role(&self) -> Role {
        match self {
            Self::Plain(role) => *role,
            Self::Custom(_) => Role::Agent,
        }
    }
}

impl fmt::Display for RoleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(role) => role.fmt(f),
            Self::Custom(name) => write!(f, "agent ({name})"),
        }
    }
}

/// How the configuration names a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupRef {
    /// By DN.
    Dn(Dn),
    /// By `cn`, `name` or `sAMAccountName`; an ambiguous one is a fault.
    Name(String),
    /// By immutable id (`guid:…`).
    Id(EntryId),
}

impl GroupRef {
    /// Reads the text of a configuration: `guid:…`, a DN, or a name.
    pub fn parse(text: &str) -> Result<Self, super::id::Malformed> {
        if let Some(id) = text.strip_prefix("guid:") {
            return EntryId::parse(id).map(Self::Id);
        }
        if text.contains('=') {
            return Dn::parse(text).map(Self::Dn);
        }
        if text.trim().is_empty() {
            return Err(super::id::Malformed("a group needs a DN, a name or guid:…".into()));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// Which group an assignment is pinned to: learnt at the first read under the directory and the text that named it.
/// A rename or a move of the group follows the pin; an edited text is another pin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinKey {
    /// The directory of the group.
    pub directory: DirectoryName,
    /// The text that named it.
    pub text: String,
}

/// What happens when a group that held people reads empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyGroup {
    /// Removals wait for a person: lost read rights look just like this.
    Holds,
    /// The group may be empty.
    Allowed,
}

/// An assigned group and what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The directory that holds the group.
    pub directory: DirectoryName,
    /// The group, as the configuration names it.
    pub group: GroupRef,
    /// The text that named it.
    pub text: String,
    /// The role, if this assignment sets one.
    pub role: Option<RoleGrant>,
    /// Zendesk groups, by name.
    pub groups: BTreeSet<String>,
    /// The default Zendesk group, by name.
    pub default_group: Option<String>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// What an emptied group means.
    pub empty: EmptyGroup,
}

impl Assignment {
    /// The key under which its group is pinned.
    pub fn pin_key(&self) -> PinKey {
        PinKey { directory: self.directory.clone(), text: self.text.clone() }
    }
}

/// One assignment that holds a person, and by which way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The position of the assignment in the app's list: lower ones come first.
    pub assignment: usize,
    /// The groups from the assigned one to the person; the shortest way if there are several.
    pub path: GroupPath,
}

/// What all the assignments that hold a person give together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// From the first assignment that sets a role; end user when none does.
    pub role: RoleGrant,
    /// From the first assignment that sets one.
    pub default_group: Option<String>,
    /// The union; with the default group in it.
    pub groups: BTreeSet<String>,
    /// The union.
    pub tags: BTreeSet<String>,
}

/// Joins what the assignments at these positions give: single values from the first that sets them, sets as the union.
pub fn grants(assignments: &[Assignment], holding: &BTreeSet<usize>) -> Grants {
    let held = || holding.iter().filter_map(|&at| assignments.get(at));
    let default_group = held().find_map(|one| one.default_group.clone());
    let role = held().find_map(|one| one.role.clone()).unwrap_or(RoleGrant::Plain(Role::EndUser));
    let mut groups: BTreeSet<String> = held().flat_map(|one| one.groups.iter().cloned()).collect();
    groups.extend(default_group.clone());
    // Only agents can be members of groups (API reference, Group Memberships).
    if role.role() == Role::EndUser {
        groups.clear();
    }
    let default_group = default_group.filter(|name| groups.contains(name));
    Grants { role, default_group, groups, tags: held().flat_map(|one| one.tags.iter().cloned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(role: Option<Role>, groups: &[&str], default_group: Option<&str>) -> Assignment {
        Assignment {
            directory: DirectoryName::new("corp").unwrap(),
            group: GroupRef::Name("g".into()),
            text: "g".into(),
            role: role.map(RoleGrant::Plain),
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            default_group: default_group.map(str::to_owned),
            tags: groups.iter().map(|name| name.to_lowercase()).collect(),
            empty: EmptyGroup::Holds,
        }
    }

    fn held(all: &[Assignment], at: &[usize]) -> Grants {
        grants(all, &at.iter().copied().collect())
    }

    #[test]
    fn a_group_is_named_by_guid_dn_or_name() {
        let id = "guid:00112233-4455-6677-8899-aabbccddeeff";
        assert!(matches!(GroupRef::parse(id), Ok(GroupRef::Id(_))));
        assert!(matches!(GroupRef::parse("cn=Support,dc=example"), Ok(GroupRef::Dn(_))));
        assert_eq!(GroupRef::parse("Support"), Ok(GroupRef::Name("Support".into())));
        for wrong in ["", "  ", "guid:7", "=x"] {
            assert!(GroupRef::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_first_assignment_that_sets_a_value_wins_and_sets_are_joined() {
        let all = [
            offer(None, &["A"], None),
            offer(Some(Role::Agent), &["B"], Some("B")),
            offer(Some(Role::Admin), &["C"], Some("C")),
        ];
        let both = held(&all, &[0, 1, 2]);
        assert_eq!((both.role, both.default_group.as_deref()), (RoleGrant::Plain(Role::Agent), Some("B")));
        assert_eq!((both.groups.len(), both.tags.len()), (3, 3));
        assert_eq!(held(&all, &[0, 2]).role, RoleGrant::Plain(Role::Admin));
    }

    #[test]
    fn a_default_group_is_joined_too() {
        assert!(held(&[offer(Some(Role::Agent), &[], Some("B"))], &[0]).groups.contains("B"));
    }

    #[test]
    fn a_customer_has_tags_but_no_groups() {
        let grants = held(&[offer(None, &["A"], Some("B"))], &[0]);
        assert_eq!((grants.groups.len(), grants.default_group, grants.tags.len()), (0, None, 1));
    }

    #[test]
    fn a_role_is_spelled_as_zendesk_spells_it() {
        for role in [Role::EndUser, Role::Agent, Role::Admin] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("owner"), None);
        assert!(Role::Admin > Role::Agent && Role::Agent > Role::EndUser);
        assert_eq!(RoleGrant::Custom("Light".into()).role(), Role::Agent);
    }
}
