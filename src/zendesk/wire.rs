//! What Zendesk sends: every field may be absent or null, others are ignored, ids are unsigned 64-bit numbers.
//!
//! Nothing here is shown or logged: these values are people's data. Each struct flattens what it doesn't know into
//! nothing: that makes it an object only (serde would fill it from an array by position too), and brings the ignored
//! part under the depth limit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::domain::account::{Existence, ObservedAccount, Suspended, Verified};
use crate::domain::assignment::Role;
use crate::domain::id::{AccountId, CustomRoleId, Email, ExternalId, GroupId, MembershipId};
use crate::domain::mapping::Field;

/// A user (API reference, Users).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) id: Option<u64>,
    name: Option<String>,
    email: Option<String>,
    external_id: Option<String>,
    role: Option<String>,
    custom_role_id: Option<u64>,
    verified: Option<bool>,
    suspended: Option<bool>,
    active: Option<bool>,
    default_group_id: Option<u64>,
    tags: Option<Vec<String>>,
    alias: Option<String>,
    phone: Option<String>,
    details: Option<String>,
    notes: Option<String>,
    signature: Option<String>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An answer with one user.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneUser {
    pub(super) user: Option<User>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An answer with several users, and their identities where those come along.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ManyUsers {
    pub(super) users: Option<Vec<User>>,
    pub(super) identities: Option<Vec<Identity>>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An identity of a user (API reference, User Identities).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identity {
    pub(super) id: Option<u64>,
    pub(super) user_id: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    value: Option<String>,
    primary: Option<bool>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An answer with one identity.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneIdentity {
    pub(super) identity: Option<Identity>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// A group.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    id: Option<u64>,
    name: Option<String>,
    deleted: Option<bool>,
    pub(super) default: Option<bool>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// A membership of a group.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupMembership {
    id: Option<u64>,
    user_id: Option<u64>,
    group_id: Option<u64>,
    pub(super) default: Option<bool>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// A custom role.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomRole {
    id: Option<u64>,
    name: Option<String>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An answer with every custom role: this list isn't paged.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomRoles {
    pub(super) custom_roles: Option<Vec<CustomRole>>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// An answer about the account as a whole.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneAccount {
    account: Option<AccountOwner>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AccountOwner {
    owner_id: Option<u64>,
    #[serde(flatten)]
    _more: IgnoredAny,
}

/// What a user lacks that every user must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user without a usable {0}")]
pub(super) struct Lacking(&'static str);

impl User {
    /// Its id.
    pub(super) fn account(&self) -> Result<AccountId, Lacking> {
        self.id.filter(|id| *id > 0).map(AccountId).ok_or(Lacking("id"))
    }

    /// Its role.
    pub(super) fn role(&self) -> Result<Role, Lacking> {
        self.role.as_deref().and_then(Role::parse).ok_or(Lacking("role"))
    }

    /// Its primary mail address, if it is one.
    pub(super) fn email(&self) -> Option<Email> {
        Email::parse(self.email.as_deref()?).ok()
    }

    /// Its external id, if there is one.
    pub(super) fn external_id(&self) -> Option<ExternalId> {
        ExternalId::parse(self.external_id.as_deref()?).ok()
    }

    /// Its mail or name, for people.
    pub(super) fn label(&self) -> Option<&str> {
        [&self.email, &self.name].into_iter().filter_map(Option::as_deref).find(|text| !text.trim().is_empty())
    }

    /// Whether it wasn't deleted.
    pub(super) fn is_live(&self) -> bool {
        self.active != Some(false)
    }

    /// Whether sign-in is blocked.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended == Some(true)
    }

    /// As the domain sees it, with what other answers tell.
    pub(super) fn observed(
        self,
        mut emails: BTreeSet<Email>,
        memberships: &[GroupMembership],
    ) -> Result<ObservedAccount, Lacking> {
        let (id, role) = (self.account()?, self.role()?);
        let email = self.email();
        emails.extend(email.clone());
        let external_id = self.external_id();
        let staff = role != Role::EndUser;
        let groups = memberships.iter().filter_map(|membership| membership.group()).filter(|_| staff).collect();
        let marked = memberships.iter().find(|membership| membership.default == Some(true));
        let default_group = marked.and_then(GroupMembership::group).or(self.default_group_id.map(GroupId));
        let texts = [
            (Field::Alias, self.alias),
            (Field::Phone, self.phone),
            (Field::Details, self.details),
            (Field::Notes, self.notes),
            (Field::Signature, self.signature),
        ];
        // Recorded: an alias that was cleared with null comes back as "".
        let filled = |(field, text): (Field, Option<String>)| Some((field, text.filter(|text| !text.is_empty())?));
        Ok(ObservedAccount {
            id,
            external_id,
            name: self.name.unwrap_or_default(),
            email,
            emails,
            verified: if self.verified == Some(true) { Verified::Yes } else { Verified::No },
            role,
            custom_role: self.custom_role_id.map(CustomRoleId).filter(|_| role == Role::Agent),
            suspended: if self.suspended == Some(true) { Suspended::Yes } else { Suspended::No },
            // Recorded: GET of a deleted user answers 200 with active false.
            existence: if self.active == Some(false) { Existence::Deleted } else { Existence::Live },
            texts: texts.into_iter().filter_map(filled).collect::<BTreeMap<_, _>>(),
            groups,
            default_group: default_group.filter(|_| staff),
            tags: self.tags.unwrap_or_default().into_iter().collect(),
        })
    }
}

impl Identity {
    /// Its mail address, if it is a mail identity.
    pub(super) fn email(&self) -> Option<Email> {
        (self.kind.as_deref() == Some("email")).then_some(())?;
        Email::parse(self.value.as_deref()?).ok()
    }

    /// Whether it is the primary one.
    pub(super) fn is_primary(&self) -> bool {
        self.primary == Some(true)
    }
}

impl Group {
    /// Its id and name, unless it was deleted (recorded: a deleted group is still answered for).
    pub(super) fn live(&self) -> Option<(GroupId, &str)> {
        (self.deleted != Some(true)).then_some((GroupId(self.id?), self.name.as_deref()?))
    }
}

impl GroupMembership {
    /// Its id.
    pub(super) fn membership(&self) -> Option<MembershipId> {
        self.id.map(MembershipId)
    }

    /// Its group.
    pub(super) fn group(&self) -> Option<GroupId> {
        self.group_id.map(GroupId)
    }

    /// Whether it is of this user, as far as it says.
    pub(super) fn is_of(&self, account: AccountId) -> bool {
        self.user_id.is_none_or(|id| id == account.0)
    }
}

impl CustomRole {
    /// Its id and name.
    pub(super) fn named(&self) -> Option<(CustomRoleId, &str)> {
        Some((CustomRoleId(self.id?), self.name.as_deref()?))
    }
}

impl OneAccount {
    /// The owner.
    pub(super) fn owner(&self) -> Option<AccountId> {
        self.account.as_ref()?.owner_id.filter(|id| *id > 0).map(AccountId)
    }
}

/// A role with its custom role as Zendesk takes them in `user`.
pub(super) fn put_role(user: &mut Map<String, Value>, role: Role, custom: Option<CustomRoleId>) {
    user.insert("role".to_owned(), Value::from(role.as_str()));
    // `role: end-user` with a custom role would make an agent (API reference, Users).
    if role == Role::Agent {
        user.insert("custom_role_id".to_owned(), custom.map_or(Value::Null, |id| Value::from(id.0)));
    }
}

/// Texts as Zendesk takes them in `user`: null clears. Name and mail have ways of their own: a mail written here would
/// become a further address (API reference, Users).
pub(super) fn put_texts(user: &mut Map<String, Value>, texts: &BTreeMap<Field, String>) {
    for (field, text) in texts.iter().filter(|(field, _)| !matches!(field, Field::Name | Field::Email)) {
        let value = if text.is_empty() { Value::Null } else { Value::from(text.as_str()) };
        user.insert(field.as_str().to_owned(), value);
    }
}
