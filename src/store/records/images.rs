//! The records of images: what complete reads showed, and the names at Zendesk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{GroupRecord, Moment, Stored};
use crate::domain::account::Catalog;
use crate::domain::account_state::AccountState;
use crate::domain::dn::Dn;
use crate::domain::entry::{Attributes, Entry, GroupPath, GroupStep};
use crate::domain::id::{AccountId, CustomRoleId, Digest, EntryId, GroupId, Malformed};
use crate::domain::image::{ImageHead, Portrait};
use crate::domain::scope::{GroupSeen, Presence, Resolved};

/// What became of an assigned group.
#[derive(Serialize, Deserialize)]
enum ResolvedRecord {
    Found([u8; 16]),
    Missing,
    Ambiguous(Vec<String>),
}

/// The head of an image.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct HeadRecord {
    taken: Moment,
    server: String,
    scope: [u8; 32],
    attributes: BTreeSet<String>,
    roots: BTreeMap<String, ResolvedRecord>,
    groups: BTreeMap<[u8; 16], GroupRecord>,
}

impl Stored for ImageHead {
    type Record = HeadRecord;

    fn record(&self) -> HeadRecord {
        let root = |(text, resolved): (&String, &Resolved)| {
            let resolved = match resolved {
                Resolved::Found(id) => ResolvedRecord::Found(*id.as_bytes()),
                Resolved::Missing => ResolvedRecord::Missing,
                Resolved::Ambiguous(fits) => ResolvedRecord::Ambiguous(fits.clone()),
            };
            (text.clone(), resolved)
        };
        HeadRecord {
            taken: Moment::of(self.taken),
            server: self.server.clone(),
            scope: self.scope.0,
            attributes: self.attributes.clone(),
            roots: self.roots.iter().map(root).collect(),
            groups: self.groups.iter().map(|(id, group)| (*id.as_bytes(), group.record())).collect(),
        }
    }

    fn restore(record: HeadRecord) -> Result<Self, Malformed> {
        let root = |(text, resolved)| {
            let resolved = match resolved {
                ResolvedRecord::Found(id) => Resolved::Found(EntryId::from_bytes(id)),
                ResolvedRecord::Missing => Resolved::Missing,
                ResolvedRecord::Ambiguous(fits) => Resolved::Ambiguous(fits),
            };
            (text, resolved)
        };
        let group = |(id, group)| Ok((EntryId::from_bytes(id), GroupSeen::restore(group)?));
        Ok(Self {
            taken: record.taken.time()?,
            server: record.server,
            scope: Digest(record.scope),
            attributes: record.attributes,
            roots: record.roots.into_iter().map(root).collect(),
            groups: record.groups.into_iter().map(group).collect::<Result<_, Malformed>>()?,
        })
    }
}

/// Whether an account might be used.
#[derive(Serialize, Deserialize)]
pub(in crate::store) enum StateRecord {
    Usable(Option<Moment>),
    Disabled(String),
    Expired(Moment, String),
    Locked(String),
    Unknown(String),
}

impl StateRecord {
    fn of(state: &AccountState) -> Self {
        match state {
            AccountState::Usable { until } => Self::Usable(until.map(Moment::of)),
            AccountState::Disabled { evidence } => Self::Disabled(evidence.clone()),
            AccountState::Expired { since, evidence } => Self::Expired(Moment::of(*since), evidence.clone()),
            AccountState::Locked { evidence } => Self::Locked(evidence.clone()),
            AccountState::Unknown { why } => Self::Unknown(why.clone()),
        }
    }

    fn state(self) -> Result<AccountState, Malformed> {
        Ok(match self {
            Self::Usable(until) => AccountState::Usable { until: until.map(|at| at.time()).transpose()? },
            Self::Disabled(evidence) => AccountState::Disabled { evidence },
            Self::Expired(since, evidence) => AccountState::Expired { since: since.time()?, evidence },
            Self::Locked(evidence) => AccountState::Locked { evidence },
            Self::Unknown(why) => AccountState::Unknown { why },
        })
    }
}

/// What a look-up answered.
#[derive(Serialize, Deserialize)]
pub(in crate::store) enum PresenceRecord {
    Found { state: StateRecord, dn: String, held_by: Vec<String> },
    Tombstone,
    NotFound { named_by: Vec<String> },
    Outside { state: StateRecord, dn: String, held_by: Vec<String> },
}

impl PresenceRecord {
    fn of(presence: &Presence) -> Self {
        match presence {
            Presence::Found { state, dn, held_by } => {
                Self::Found { state: StateRecord::of(state), dn: dn.as_str().to_owned(), held_by: held_by.clone() }
            }
            Presence::Outside { state, dn, held_by } => {
                let held_by = held_by.clone();
                Self::Outside { state: StateRecord::of(state), dn: dn.as_str().to_owned(), held_by }
            }
            Presence::Tombstone => Self::Tombstone,
            Presence::NotFound { named_by } => Self::NotFound { named_by: named_by.clone() },
        }
    }

    fn presence(self) -> Result<Presence, Malformed> {
        Ok(match self {
            Self::Found { state, dn, held_by } => {
                Presence::Found { state: state.state()?, dn: Dn::parse(&dn)?, held_by }
            }
            Self::Outside { state, dn, held_by } => {
                Presence::Outside { state: state.state()?, dn: Dn::parse(&dn)?, held_by }
            }
            Self::Tombstone => Presence::Tombstone,
            Self::NotFound { named_by } => Presence::NotFound { named_by },
        })
    }
}

/// What was last seen of an entry.
#[derive(Serialize, Deserialize)]
pub(in crate::store) enum PortraitRecord {
    Held {
        id: [u8; 16],
        dn: String,
        attributes: BTreeMap<String, Vec<Vec<u8>>>,
        state: StateRecord,
        paths: Vec<Vec<([u8; 16], String)>>,
    },
    Unreadable(String),
    LookedUp(Vec<(BTreeSet<[u8; 16]>, PresenceRecord)>),
}

impl Stored for Portrait {
    type Record = PortraitRecord;

    fn record(&self) -> PortraitRecord {
        match self {
            Self::Held { entry, state, paths } => PortraitRecord::Held {
                id: *entry.id.as_bytes(),
                dn: entry.dn.as_str().to_owned(),
                attributes: entry
                    .attributes
                    .kinds()
                    .map(|kind| (kind.to_owned(), entry.attributes.values(kind).to_vec()))
                    .collect(),
                state: StateRecord::of(state),
                paths: paths
                    .iter()
                    .map(|path| path.0.iter().map(|step| (*step.id.as_bytes(), step.name.clone())).collect())
                    .collect(),
            },
            Self::Unreadable { why } => PortraitRecord::Unreadable(why.clone()),
            Self::LookedUp(answers) => PortraitRecord::LookedUp(
                answers
                    .iter()
                    .map(|(groups, presence)| {
                        (groups.iter().map(|id| *id.as_bytes()).collect(), PresenceRecord::of(presence))
                    })
                    .collect(),
            ),
        }
    }

    fn restore(record: PortraitRecord) -> Result<Self, Malformed> {
        Ok(match record {
            PortraitRecord::Held { id, dn, attributes, state, paths } => {
                let mut all = Attributes::new();
                for (kind, values) in attributes {
                    all.insert(&kind, values);
                }
                let step = |(id, name)| GroupStep { id: EntryId::from_bytes(id), name };
                let path = |steps: Vec<_>| GroupPath(steps.into_iter().map(step).collect());
                Self::Held {
                    entry: Entry { id: EntryId::from_bytes(id), dn: Dn::parse(&dn)?, attributes: all },
                    state: state.state()?,
                    paths: paths.into_iter().map(path).collect(),
                }
            }
            PortraitRecord::Unreadable(why) => Self::Unreadable { why },
            PortraitRecord::LookedUp(answers) => {
                let answer = |(groups, presence): (BTreeSet<[u8; 16]>, PresenceRecord)| {
                    Ok((groups.into_iter().map(EntryId::from_bytes).collect(), presence.presence()?))
                };
                Self::LookedUp(answers.into_iter().map(answer).collect::<Result<_, Malformed>>()?)
            }
        })
    }
}

/// Zendesk's named things.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct CatalogRecord {
    groups: BTreeMap<String, BTreeSet<u64>>,
    default_group: Option<u64>,
    custom_roles: BTreeMap<String, BTreeSet<u64>>,
    untouchable: BTreeMap<u64, String>,
    active_admins: BTreeSet<u64>,
}

/// The reasons for which an account is never written, as the client gives them; another one reads as the last.
const REASONS: [&str; 3] = ["the account owner", "our own API user", "a protected account"];

impl Stored for Catalog {
    type Record = CatalogRecord;

    fn record(&self) -> CatalogRecord {
        CatalogRecord {
            groups: self.groups.iter().map(|(n, ids)| (n.clone(), ids.iter().map(|id| id.0).collect())).collect(),
            default_group: self.default_group.map(|id| id.0),
            custom_roles: self
                .custom_roles
                .iter()
                .map(|(n, ids)| (n.clone(), ids.iter().map(|id| id.0).collect()))
                .collect(),
            untouchable: self.untouchable.iter().map(|(id, why)| (id.0, (*why).to_owned())).collect(),
            active_admins: self.active_admins.iter().map(|id| id.0).collect(),
        }
    }

    fn restore(record: CatalogRecord) -> Result<Self, Malformed> {
        let reason = |why: String| REASONS.into_iter().find(|one| *one == why).unwrap_or(REASONS[2]);
        Ok(Self {
            groups: record.groups.into_iter().map(|(n, ids)| (n, ids.into_iter().map(GroupId).collect())).collect(),
            default_group: record.default_group.map(GroupId),
            custom_roles: record
                .custom_roles
                .into_iter()
                .map(|(n, ids)| (n, ids.into_iter().map(CustomRoleId).collect()))
                .collect(),
            untouchable: record.untouchable.into_iter().map(|(id, why)| (AccountId(id), reason(why))).collect(),
            active_admins: record.active_admins.into_iter().map(AccountId).collect(),
        })
    }
}
