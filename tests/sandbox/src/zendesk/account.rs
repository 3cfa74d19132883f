//! The account as tests see and seed it: the form of `GET /_sandbox/state` and of `--seed`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A whole account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Virtual time, RFC 3339; a seed with it starts the clock there.
    pub now: String,
    /// The account owner's user id.
    pub owner_id: u64,
    /// The group that new agents land in.
    pub default_group_id: u64,
    /// Users by id.
    pub users: Vec<UserState>,
    /// Groups by id.
    pub groups: Vec<GroupState>,
    /// Organizations by id.
    pub organizations: Vec<OrganizationState>,
    /// Custom roles by id.
    pub custom_roles: Vec<RoleState>,
    /// Definitions of user fields.
    pub user_fields: Vec<FieldState>,
    /// Agent seats.
    pub seats: Seats,
}

impl Account {
    /// The user with that primary email, whatever its case.
    #[must_use]
    pub fn user(&self, email: &str) -> Option<&UserState> {
        self.users.iter().find(|user| user.email.as_deref().is_some_and(|have| have.eq_ignore_ascii_case(email)))
    }

    /// The user with that id.
    #[must_use]
    pub fn user_by_id(&self, id: u64) -> Option<&UserState> {
        self.users.iter().find(|user| user.id == id)
    }
}

/// A user's basic role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A customer.
    #[default]
    EndUser,
    /// An agent, with or without a custom role.
    Agent,
    /// An administrator.
    Admin,
}

impl Role {
    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EndUser => "end-user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserState {
    /// Its id; 0 in a seed picks one.
    pub id: u64,
    /// Display name.
    pub name: String,
    /// Primary email; none once deleted.
    pub email: Option<String>,
    /// Secondary emails, in the order of their making.
    pub emails: Vec<String>,
    /// Those of its emails that are not verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<String>,
    /// External id, in the stored case.
    pub external_id: Option<String>,
    /// Basic role.
    pub role: Role,
    /// Custom role.
    pub custom_role_id: Option<u64>,
    /// Whether signing in is blocked.
    pub suspended: bool,
    /// False after a soft deletion.
    pub active: bool,
    /// Ids of its groups.
    pub groups: Vec<u64>,
    /// Id of its default group.
    pub default_group: Option<u64>,
    /// Ids of its organizations, the default one first.
    pub organizations: Vec<u64>,
    /// Tags.
    pub tags: Vec<String>,
    /// Custom field values that are set.
    pub user_fields: BTreeMap<String, Value>,
    /// Open tickets assigned to it.
    pub open_tickets: u32,
    /// Tickets it requested that are not closed.
    #[serde(skip_serializing_if = "is_zero")]
    pub requested_tickets: u32,
    /// Open sessions.
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions: u32,
    /// Shared in from another account; read-only.
    #[serde(skip_serializing_if = "is_false")]
    pub shared: bool,
    /// Further attributes.
    #[serde(flatten)]
    pub profile: Profile,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it last changed, RFC 3339.
    pub updated_at: String,
}

impl Default for UserState {
    fn default() -> Self {
        Self {
            id: 0,
            name: String::new(),
            email: None,
            emails: Vec::new(),
            unverified: Vec::new(),
            external_id: None,
            role: Role::EndUser,
            custom_role_id: None,
            suspended: false,
            active: true,
            groups: Vec::new(),
            default_group: None,
            organizations: Vec::new(),
            tags: Vec::new(),
            user_fields: BTreeMap::new(),
            open_tickets: 0,
            requested_tickets: 0,
            sessions: 0,
            shared: false,
            profile: Profile::default(),
            created_at: String::new(),
            updated_at: String::new(),
        }
    }
}

/// Attributes without rules of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Alias shown to customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Whether someone else had that number first.
    #[serde(skip_serializing_if = "is_false")]
    pub shared_phone_number: bool,
    /// Signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Locale; none is the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Time zone; none is the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Ticket restriction; none is the role's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_restriction: Option<String>,
    /// Forum moderator.
    #[serde(skip_serializing_if = "is_false")]
    pub moderator: bool,
    /// Private comments only.
    #[serde(skip_serializing_if = "is_false")]
    pub only_private_comments: bool,
}

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupState {
    /// Its id; 0 in a seed picks one.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Softly deleted.
    #[serde(skip_serializing_if = "is_false")]
    pub deleted: bool,
}

/// One organization.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationState {
    /// Its id; 0 in a seed picks one.
    pub id: u64,
    /// Its unique name.
    pub name: String,
    /// External id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Domains whose verified users join on their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_names: Vec<String>,
}

/// One custom role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleState {
    /// Its id; 0 in a seed picks one.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// 0 custom agent, 1 light agent, 3 contributor; the last two need no seat.
    pub role_type: u8,
}

/// One user field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldState {
    /// Its id; 0 in a seed picks one.
    pub id: u64,
    /// Its key in `user_fields`.
    pub key: String,
    /// `text`, `textarea`, `checkbox`, `date`, `decimal`, `integer`, `dropdown`, `multiselect`, `regexp`, `lookup`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tag of a checked checkbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Values of a dropdown or multiselect; each is its own tag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Agent seats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seats {
    /// Bought.
    pub total: u32,
    /// Taken; ignored in a seed.
    pub used: u32,
}

/// One request of the log, without its credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Its number, from 1.
    pub seq: u64,
    /// Virtual time, RFC 3339.
    pub at: String,
    /// The method.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The body; null if there was none, a string if it was not JSON.
    pub body: Value,
    /// The status; none if the connection was cut.
    pub status: Option<u16>,
    /// Whether it changed state, or could have.
    pub write: bool,
    /// The fault that struck it: `drop_before`, `drop_after`, `answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
