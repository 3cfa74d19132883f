//! A change: what will be done to one account of one person, with before, after, cause, and the exact steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::account::{KnownAccount, ObservedAccount};
use super::assignment::Role;
use super::dn::Dn;
use super::id::{AccountId, AppName, CustomRoleId, Digest, Digester, Email, ExternalId, GroupId, PersonId};
use super::mapping::Field;

/// What a change is about, as far as people decide: a word about one is none about the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// That there is an account, and how it is.
    Access,
    /// That access ends.
    End,
}

/// What is done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// End access.
    Deprovision,
    /// Stop managing it, and leave it as it is.
    Release,
    /// Give access back after a return to scope.
    Reactivate,
    /// Change fields or grants.
    Update,
    /// Tie a person to the account that carries their external id.
    Link,
    /// Tie a person to an account that existed before, and bring it up to date.
    Adopt,
    /// Make an account.
    Provision,
}

impl Action {
    /// Whether it ends access, or our care for it.
    pub const fn is_removal(self) -> bool {
        matches!(self.matter(), Matter::End)
    }

    /// What it is about, as far as people decide.
    pub const fn matter(self) -> Matter {
        match self {
            Self::Deprovision | Self::Release => Matter::End,
            Self::Provision | Self::Link | Self::Adopt | Self::Update | Self::Reactivate => Matter::Access,
        }
    }

    /// All actions, in the order in which independent ones are carried out: ending access can't wait.
    pub const ALL: [Self; 7] =
        [Self::Deprovision, Self::Release, Self::Reactivate, Self::Update, Self::Link, Self::Adopt, Self::Provision];

    /// The name in plans and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deprovision => "deprovision",
            Self::Release => "release",
            Self::Reactivate => "reactivate",
            Self::Update => "update",
            Self::Link => "link",
            Self::Adopt => "adopt",
            Self::Provision => "provision",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseCode {
    /// The person is in an assigned group.
    Assigned,
    /// Attributes or grants changed.
    Changed,
    /// The person is in scope again.
    Returned,
    /// The person left every assigned group.
    OutOfScope,
    /// The directory account was disabled.
    Disabled,
    /// The directory account expired.
    Expired,
    /// The directory entry is gone.
    Gone,
    /// The account was deleted at Zendesk by somebody else.
    DeletedAtZendesk,
    /// A person ordered it.
    ByHand,
    /// A person had an earlier cycle's change undone.
    Undone,
}

impl CauseCode {
    /// All causes.
    pub const ALL: [Self; 10] = [
        Self::Assigned,
        Self::Changed,
        Self::Returned,
        Self::OutOfScope,
        Self::Disabled,
        Self::Expired,
        Self::Gone,
        Self::DeletedAtZendesk,
        Self::ByHand,
        Self::Undone,
    ];

    /// The name in plans and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Changed => "changed",
            Self::Returned => "returned",
            Self::OutOfScope => "out_of_scope",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Gone => "gone",
            Self::DeletedAtZendesk => "deleted_at_zendesk",
            Self::ByHand => "by_hand",
            Self::Undone => "undone",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// Why, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The code.
    pub code: CauseCode,
    /// The ways through groups that give, or gave, the account.
    pub groups: Vec<String>,
    /// What shows it, for people: `userAccountControl 514`.
    pub evidence: Option<String>,
}

/// A value before or after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldValue {
    /// Nothing.
    None,
    /// A text.
    Text(String),
    /// A set of names.
    Set(BTreeSet<String>),
    /// Yes or no.
    Flag(bool),
}

impl FieldValue {
    /// A text, or nothing when it is empty: Zendesk answers null and "" for the same (recorded: cleared alias).
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::None } else { Self::Text(text.to_owned()) }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("(none)"),
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Set(names) if names.is_empty() => f.write_str("(none)"),
            Self::Set(names) => f.write_str(&names.iter().cloned().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// One field with its value before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field's name in plans and reports.
    pub field: &'static str,
    /// What it is.
    pub before: FieldValue,
    /// What it will be.
    pub after: FieldValue,
}

/// A new account, as Zendesk is asked to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The external id to carry.
    pub external_id: Option<ExternalId>,
    /// The display name.
    pub name: String,
    /// The primary mail address.
    pub email: Email,
    /// Other fields that aren't empty.
    pub texts: BTreeMap<Field, String>,
    /// The role.
    pub role: Role,
    /// The custom role.
    pub custom_role: Option<CustomRoleId>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Whether Zendesk mails the person.
    pub welcome: Welcome,
}

/// Whether Zendesk mails a new person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// It sends its verification mail.
    Mail,
    /// It sends nothing.
    Silent,
}

/// What changes about sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// Block it.
    Suspend,
    /// Let it again.
    Lift,
}

/// One write of fields to an account, by id. Only what is set is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// A new display name.
    pub name: Option<String>,
    /// A new external id.
    pub external_id: Option<ExternalId>,
    /// Other fields; an empty text clears.
    pub texts: BTreeMap<Field, String>,
    /// A new role, with its custom role.
    pub role: Option<(Role, Option<CustomRoleId>)>,
    /// A change of sign-in.
    pub sign_in: Option<SignIn>,
}

impl Patch {
    /// Whether nothing would be sent.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// What becomes of a primary address that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldEmail {
    /// It is taken off the account, and is free for another.
    Removed,
    /// It stays as a further address: it wasn't ours.
    Kept,
}

/// One step at Zendesk. Each can be repeated without a second effect, but for [`Step::Create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the account; never repeated before it was asked about.
    Create(NewAccount),
    /// Write fields, role or sign-in.
    Write(Patch),
    /// Take the external id off.
    Unmark,
    /// Make another address the primary one.
    ChangeEmail {
        /// The primary one until now.
        from: Option<Email>,
        /// The primary one from now on.
        to: Email,
        /// What becomes of the former one.
        old: OldEmail,
    },
    /// Add a further mail address; the primary one stays.
    AddEmail(Email),
    /// End every session.
    EndSessions,
    /// Join a group.
    Join(GroupId),
    /// Leave a group.
    Leave(GroupId),
    /// Make a group the default one.
    MakeDefault(GroupId),
    /// Add tags, leaving others.
    AddTags(BTreeSet<String>),
    /// Remove tags, leaving others.
    RemoveTags(BTreeSet<String>),
    /// Make an agent or admin an end user: frees the seat and drops every group membership.
    Downgrade(Suspension),
}

impl Step {
    /// The fields that it writes to an account that is there.
    pub const fn patch(&self) -> Option<&Patch> {
        match self {
            Self::Write(patch) => Some(patch),
            Self::Create(_)
            | Self::Unmark
            | Self::ChangeEmail { .. }
            | Self::AddEmail(_)
            | Self::EndSessions
            | Self::Join(_)
            | Self::Leave(_)
            | Self::MakeDefault(_)
            | Self::AddTags(_)
            | Self::RemoveTags(_)
            | Self::Downgrade(_) => None,
        }
    }

    /// The same, to add to it.
    pub const fn patch_mut(&mut self) -> Option<&mut Patch> {
        if let Self::Write(patch) = self { Some(patch) } else { None }
    }

    /// The account that it makes.
    pub const fn creation(&self) -> Option<&NewAccount> {
        if let Self::Create(new) = self { Some(new) } else { None }
    }

    /// The role that the account has afterwards, if it sets one.
    pub fn role(&self) -> Option<Role> {
        let written = self.patch().and_then(|patch| patch.role).map(|(role, _)| role);
        let downgraded = matches!(self, Self::Downgrade(_)).then_some(Role::EndUser);
        self.creation().map(|new| new.role).or(written).or(downgraded)
    }

    /// The change of sign-in that it writes.
    pub fn sign_in(&self) -> Option<SignIn> {
        self.patch().and_then(|patch| patch.sign_in)
    }

    /// The address that it makes the primary one.
    pub fn primary_email(&self) -> Option<&Email> {
        if let Self::ChangeEmail { to, .. } = self { Some(to) } else { self.creation().map(|new| &new.email) }
    }
}

/// Whose suspension stands when an account is downgraded. Zendesk may refuse to downgrade a suspended user (not known);
/// only our own, just set in the same change, may be lifted for that and set again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspension {
    /// This change set it.
    Ours,
    /// There is none, or somebody else's.
    NotOurs,
}

/// What the brake counts a change as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Access ends, and the directory shows outright why.
    RemovalShown,
    /// Access ends because the person isn't there any more.
    RemovalByAbsence,
    /// Something is taken away or raised: role, memberships, cleared fields, another mail.
    TakesOrRaises,
    /// An account is made or given back.
    Creation,
    /// Anything else.
    Plain,
    /// Nothing but a link: passes even in a first cycle.
    Link,
}

impl Class {
    /// Whether access ends.
    pub const fn is_removal(self) -> bool {
        match self {
            Self::RemovalShown | Self::RemovalByAbsence => true,
            Self::TakesOrRaises | Self::Creation | Self::Plain | Self::Link => false,
        }
    }

    /// The name in holds and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RemovalShown => "removals shown outright",
            Self::RemovalByAbsence => "removals by absence",
            Self::TakesOrRaises => "changes that take away or raise",
            Self::Creation => "creations",
            Self::Plain => "updates",
            Self::Link => "links",
        }
    }
}

/// Why a change must wait for a person, whatever the limits say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// An assigned group can't be found.
    GroupMissing(String),
    /// A group that held people reads empty.
    GroupEmptied(String),
    /// A group on the way to the person is no longer reached from an assigned one: taken out, deleted, or hidden.
    GroupUnreached(String),
    /// The entry can't be read while a group still names it.
    Unreadable,
    /// The account was found by its mail, or by an external id that isn't ours, while the external id isn't our own.
    Unproven,
    /// It makes an admin: one who edits a group must not make one unseen.
    MakesAdmin,
}

/// What is done to one account of one person. There is no change without a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The app.
    pub app: AppName,
    /// The person.
    pub person: PersonId,
    /// The account; none before it is made.
    pub account: Option<AccountId>,
    /// The account as it was seen when this was planned; none when there is none to see. Not part of the digest: what a
    /// person approves is the effect, and the fields show what of the account it depends on.
    pub before: Option<Box<ObservedAccount>>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The mail address, for people.
    pub email: Email,
    /// The name, for people.
    pub name: String,
    /// Where the entry is.
    pub dn: Dn,
    /// What changes, by field.
    pub fields: Vec<FieldChange>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the brake counts it as.
    pub class: Class,
    /// Why it must wait, if it must.
    pub guard: Option<Guard>,
    /// For a removal: how it is shown again just before it is written.
    pub confirm: Confirm,
    /// What the store will know once every step is done; the account id of a new one is filled in then.
    pub outcome: Option<Box<KnownAccount>>,
}

/// Whether the person is looked up again just before the first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Not needed: nothing is taken away on the strength of an absence.
    No,
    /// The departure must still be shown by a look-up of the person.
    Departure,
    /// The configuration shows it, and always a person's approval: there is nothing to look up.
    Configuration,
}

impl Change {
    /// The digest of a change: app, ids, action, fields with before and after, the cause's code, and what a person who
    /// approves it relies on beside these: what the brake counts it as, why it waits, and the steps.
    pub fn digest(&self) -> Digest {
        let mut digest = Digester::new("change 1");
        digest.text(&format!("{:?} {:?} {:?}", self.class, self.guard, self.steps));
        digest.text(self.app.as_str()).text(&self.person.to_string());
        digest.text(&self.account.map(|id| id.to_string()).unwrap_or_default());
        digest.text(self.action.as_str()).text(self.cause.code.as_str());
        for change in &self.fields {
            digest.text(change.field).text(&format!("{:?}", change.before)).text(&format!("{:?}", change.after));
        }
        digest.finish()
    }
}
