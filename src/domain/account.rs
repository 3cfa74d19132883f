//! Accounts: as wanted by the directory, as seen at Zendesk, and as known from what was written before.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::{Grants, Membership, Role, RoleGrant};
use super::dn::Dn;
use super::id::{AccountId, CustomRoleId, CycleId, Digest, Digester, Email, EntryId, ExternalId, GroupId, PersonId};
use super::mapping::Field;

/// What the directory wants for one person in one app. The mail is an address and the name isn't empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredAccount {
    /// Who it is for.
    pub person: PersonId,
    /// Where the entry is now; not written to Zendesk.
    pub dn: Dn,
    /// The `external_id` to carry; none where the configuration leaves it alone.
    pub external_id: Option<ExternalId>,
    /// The display name.
    pub name: String,
    /// The primary mail address.
    pub email: Email,
    /// Other mapped fields; an empty text clears the field.
    pub texts: BTreeMap<Field, String>,
    /// What the assignments give.
    pub grants: Grants,
    /// The assignments that hold the person, each with the way.
    pub memberships: Vec<Membership>,
    /// Values that stood in for attributes with several.
    pub chosen: BTreeMap<String, String>,
}

impl DesiredAccount {
    /// A digest of all that is wanted, of the groups that hold the person, and of where the entry is: a look-up that
    /// finds nothing must know under which DN groups would still name it.
    pub fn fingerprint(&self) -> Digest {
        let mut digest = Digester::new("desired account 1");
        self.tell_wish(&mut digest);
        for id in self.through() {
            digest.bytes(id.as_bytes());
        }
        digest.bytes(self.dn.key().as_bytes());
        digest.finish()
    }

    /// A digest of what is wanted at Zendesk, by whichever way the person comes to it and wherever the entry is.
    pub fn wish(&self) -> Digest {
        let mut digest = Digester::new("wish 1");
        self.tell_wish(&mut digest);
        digest.finish()
    }

    fn tell_wish(&self, digest: &mut Digester) {
        digest
            .text(self.external_id.as_ref().map_or("", ExternalId::as_str))
            .text(if crate::planted("a new name is overlooked") { "" } else { &self.name })
            .text(self.email.as_str());
        digest.bytes(&(self.texts.len() as u64).to_be_bytes());
        for (field, text) in &self.texts {
            digest.text(field.as_str()).text(text);
        }
        digest.text(&self.grants.role.to_string()).text(self.grants.default_group.as_deref().unwrap_or_default());
        for set in [&self.grants.groups, &self.grants.tags] {
            digest.bytes(&(set.len() as u64).to_be_bytes());
            set.iter().for_each(|name| {
                digest.text(name);
            });
        }
    }

    /// Every group on the ways that hold the person.
    pub fn through(&self) -> BTreeSet<EntryId> {
        self.memberships.iter().flat_map(|membership| membership.path.0.iter().map(|step| step.id)).collect()
    }

    /// The ways that hold the person, for people.
    pub fn group_paths(&self) -> Vec<String> {
        self.memberships.iter().map(|membership| membership.path.to_string()).collect()
    }
}

/// How an account stands with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In use.
    Active,
    /// Its removal began: we suspended it, and what follows is outstanding.
    Ending,
    /// We suspended it; a return to scope lifts that.
    SuspendedByUs,
    /// It was suspended by somebody else when its person left; we never lift that.
    SuspendedByOthers,
    /// Its person left and it was downgraded but not suspended.
    Downgraded,
}

impl Standing {
    /// Whether a suspension that stands now is ours to lift.
    pub const fn suspended_by_us(self) -> bool {
        matches!(self, Self::Ending | Self::SuspendedByUs)
    }

    /// Whether the account still has something that a removal must end.
    pub const fn in_use(self) -> bool {
        matches!(self, Self::Active | Self::Ending)
    }
}

/// What was last written of an account, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The display name.
    pub name: String,
    /// The primary mail address.
    pub email: Email,
    /// The role.
    pub role: RoleGrant,
    /// Other mapped fields.
    pub texts: BTreeMap<Field, String>,
}

/// An account that this product manages, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAccount {
    /// Whose it is.
    pub person: PersonId,
    /// Which it is.
    pub account: AccountId,
    /// How it stands.
    pub standing: Standing,
    /// Where the entry was last seen.
    pub dn: Dn,
    /// What was last written.
    pub written: Written,
    /// Zendesk groups that we added; others are not ours to take.
    pub given_groups: BTreeSet<String>,
    /// Tags that we added.
    pub given_tags: BTreeSet<String>,
    /// For an adopted account: its role before we touched it.
    pub adopted_role: Option<Role>,
    /// Every directory group on the ways that held the person.
    pub through: BTreeSet<EntryId>,
    /// The ways that held the person, for people.
    pub group_paths: Vec<String>,
    /// Values that stood in for attributes with several.
    pub chosen: BTreeMap<String, String>,
    /// The cycle of the first complete read that didn't show the person at all.
    pub missed: Option<CycleId>,
    /// The fingerprint of the wish that was last carried out whole; none while something is outstanding.
    pub fingerprint: Option<Digest>,
}

/// What an ordered scan of the store answers for each managed account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The person's entry.
    pub entry: EntryId,
    /// The fingerprint of the wish last carried out.
    pub fingerprint: Option<Digest>,
    /// How the account stands.
    pub standing: Standing,
}

/// A Zendesk user as it was just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAccount {
    /// Its id.
    pub id: AccountId,
    /// The external id it carries.
    pub external_id: Option<ExternalId>,
    /// The display name.
    pub name: String,
    /// The primary mail address; none on a phone-only or deleted user.
    pub email: Option<Email>,
    /// Every mail identity, the primary included.
    pub emails: BTreeSet<Email>,
    /// Whether the primary mail is verified.
    pub verified: Verified,
    /// The role.
    pub role: Role,
    /// The custom role, for agents that have one.
    pub custom_role: Option<CustomRoleId>,
    /// Whether sign-in is blocked.
    pub suspended: Suspended,
    /// Whether it still exists: a soft-deleted user is still answered for.
    pub existence: Existence,
    /// Other fields; absent and empty are the same.
    pub texts: BTreeMap<Field, String>,
    /// Zendesk groups it is in; empty for end users.
    pub groups: BTreeSet<GroupId>,
    /// Its default group.
    pub default_group: Option<GroupId>,
    /// Its tags.
    pub tags: BTreeSet<String>,
}

/// Whether a mail address was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// It was.
    Yes,
    /// It wasn't.
    No,
}

/// Whether sign-in is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// It is.
    Yes,
    /// It isn't.
    No,
}

/// Whether a user exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It does.
    Live,
    /// It was deleted softly: `active` is false (recorded: GET of a deleted user answers 200).
    Deleted,
}

impl ObservedAccount {
    /// Whether it can be worked with.
    pub fn is_live(&self) -> bool {
        self.existence == Existence::Live
    }

    /// The text of a field; empty when absent.
    pub fn text(&self, field: Field) -> &str {
        match field {
            Field::Name => &self.name,
            Field::Email => self.email.as_ref().map_or("", Email::as_str),
            other => self.texts.get(&other).map_or("", String::as_str),
        }
    }
}

/// Zendesk's named things, by name, and who must not be touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// Groups by name; several ids mean that the name is ambiguous.
    pub groups: BTreeMap<String, BTreeSet<GroupId>>,
    /// The group into which Zendesk puts new agents by itself.
    pub default_group: Option<GroupId>,
    /// Custom roles by name.
    pub custom_roles: BTreeMap<String, BTreeSet<CustomRoleId>>,
    /// Accounts never written: the owner and our own API user.
    pub untouchable: BTreeMap<AccountId, &'static str>,
    /// The admins that are neither suspended nor deleted.
    pub active_admins: BTreeSet<AccountId>,
}

impl Catalog {
    /// The name of a group, for people; its id when it has none here.
    pub fn group_name(&self, id: GroupId) -> String {
        self.groups.iter().find(|(_, ids)| ids.contains(&id)).map_or_else(|| format!("#{id}"), |(name, _)| name.clone())
    }

    /// The name of a role as Zendesk shows it.
    pub fn role_name(&self, role: Role, custom: Option<CustomRoleId>) -> RoleGrant {
        let named = custom
            .filter(|_| role == Role::Agent)
            .and_then(|id| self.custom_roles.iter().find(|(_, ids)| ids.contains(&id)).map(|(name, _)| name.clone()));
        named.map_or(RoleGrant::Plain(role), RoleGrant::Custom)
    }
}
