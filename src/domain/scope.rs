//! What a directory read shows, and the proof that it is whole.
//!
//! Only [`CompleteRead::try_new`] makes a [`CompleteRead`], and only that can show that someone is not there.

use std::collections::BTreeMap;
use std::fmt;

use super::account_state::AccountState;
use super::assignment::Membership;
use super::entry::Entry;
use super::id::{DirectoryName, EntryId};
use super::server::ServerIdentity;

/// A person whom an assigned group holds, as the read came upon them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The entry.
    pub entry: Entry,
    /// Whether it may be used.
    pub state: AccountState,
    /// The groups that hold the person, over all assignments of the directory, by position there.
    pub memberships: Vec<Membership>,
}

/// Something the read came upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// A person in an assigned group.
    Person(Sighting),
    /// An entry in an assigned group that couldn't be decoded; it is there, so nobody may call it absent.
    Unreadable {
        /// Its id, if at least that could be read.
        id: Option<EntryId>,
        /// What is wrong with it.
        why: String,
    },
}

/// A group that was reached, with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSeen {
    /// Its name, for people.
    pub name: String,
    /// How many values its membership has, direct ones only.
    pub members: usize,
}

/// What became of an assignment's group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Found; pinned by this id from now on.
    Found(EntryId),
    /// Not there: removes nobody, brakes.
    Missing,
    /// Its name fits several groups.
    Ambiguous(Vec<String>),
}

/// The account of a read, counted as it went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Pages asked for.
    pub pages_asked: u64,
    /// Pages answered with result 0, the paging control and a usable cookie.
    pub pages_whole: u64,
    /// Ranges of member values asked for.
    pub ranges_asked: u64,
    /// Ranges that arrived without a gap.
    pub ranges_whole: u64,
    /// Groups whose membership had to be read.
    pub groups_asked: u64,
    /// Groups whose membership was read to its end.
    pub groups_whole: u64,
    /// Search bases to be read.
    pub bases_asked: u64,
    /// Search bases read to the end, without a reference elsewhere.
    pub bases_whole: u64,
    /// Search references met: parts of the tree that were not read.
    pub references: u64,
    /// Entries that arrived.
    pub entries: u64,
}

/// A read that ended without an error, before it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEnd {
    /// The directory.
    pub directory: DirectoryName,
    /// The server.
    pub server: ServerIdentity,
    /// What was counted.
    pub tally: Tally,
    /// What became of each assignment's group, by position.
    pub resolved: Vec<Resolved>,
    /// Every group reached.
    pub groups: BTreeMap<EntryId, GroupSeen>,
    /// Members named by groups that are no entry that could be read, by their DNs (some of them).
    pub dangling: Vec<String>,
}

/// Why a read isn't whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the read of {directory} is not whole: {what}")]
pub struct Incomplete {
    /// The directory.
    pub directory: DirectoryName,
    /// What is missing.
    pub what: String,
}

/// A directory read that has proved itself whole.
///
/// Invariant: every page, range, group and base that was asked for was answered in full, and nothing was referred elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteRead(ReadEnd);

impl CompleteRead {
    /// Judges a read.
    ///
    /// # Errors
    /// [`Incomplete`] when anything that was asked for wasn't answered in full.
    pub fn try_new(end: ReadEnd) -> Result<Self, Incomplete> {
        let tally = &end.tally;
        let pairs = [
            ("pages", tally.pages_asked, tally.pages_whole),
            ("member ranges", tally.ranges_asked, tally.ranges_whole),
            ("groups", tally.groups_asked, tally.groups_whole),
            ("search bases", tally.bases_asked, tally.bases_whole),
        ];
        let short = pairs.iter().find(|(_, asked, whole)| asked != whole && !crate::planted("any read is complete"));
        let what = match short {
            Some((what, asked, whole)) => Some(format!("{whole} of {asked} {what} arrived in full")),
            None if tally.references > 0 => Some(format!("{} search references name other servers", tally.references)),
            None if tally.pages_asked == 0 => Some("nothing was read".to_owned()),
            None => None,
        };
        match what {
            Some(what) => Err(Incomplete { directory: end.directory, what }),
            None => Ok(Self(end)),
        }
    }

    /// What was read.
    pub const fn end(&self) -> &ReadEnd {
        &self.0
    }
}

/// What a look-up of one person by immutable id shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// The entry is there.
    Found {
        /// Whether it may be used.
        state: AccountState,
        /// Where it is.
        dn: super::dn::Dn,
        /// Assigned or nested groups that still hold it, by a base-scoped test on each.
        held_by: Vec<String>,
    },
    /// The entry is there, outside of where people are read: in none of the configured bases.
    Outside {
        /// Whether it may be used.
        state: AccountState,
        /// Where it is.
        dn: super::dn::Dn,
        /// Groups that still hold it, as above.
        held_by: Vec<String>,
    },
    /// The server keeps a tombstone of it.
    Tombstone,
    /// It isn't found.
    NotFound {
        /// Groups that still name its last DN.
        named_by: Vec<String>,
    },
}

/// How a managed person is no longer wanted, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Departure {
    /// Found and not usable.
    Unusable(AccountState),
    /// Found, usable, and off every group that held them.
    LeftGroups,
    /// Found and usable, moved out of the configured bases, and off every group that held them.
    MovedOut {
        /// Where to.
        dn: super::dn::Dn,
    },
    /// A tombstone shows that the entry was deleted.
    Tombstone,
    /// Not found, and no group names them: counts only when a second complete read in a later cycle says the same.
    Absent,
    /// Not found while a group still names them.
    Unreadable {
        /// The groups.
        named_by: Vec<String>,
    },
    /// The entry still is a member, although the read didn't come upon it.
    StillHeld {
        /// The groups.
        held_by: Vec<String>,
        /// Where it was found, if it was moved out of the configured bases.
        outside: Option<super::dn::Dn>,
    },
    /// The configuration doesn't name the person's directory any more; the text says how. Nobody was looked up.
    Untied(String),
}

impl From<Presence> for Departure {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Tombstone => Self::Tombstone,
            Presence::NotFound { named_by } if named_by.is_empty() => Self::Absent,
            Presence::NotFound { named_by } => Self::Unreadable { named_by },
            Presence::Found { state, .. } | Presence::Outside { state, .. }
                if matches!(state, AccountState::Disabled { .. } | AccountState::Expired { .. }) =>
            {
                Self::Unusable(state)
            }
            Presence::Outside { dn, held_by, .. } if held_by.is_empty() => Self::MovedOut { dn },
            Presence::Outside { dn, held_by, .. } => Self::StillHeld { held_by, outside: Some(dn) },
            Presence::Found { held_by, .. } if held_by.is_empty() => Self::LeftGroups,
            Presence::Found { held_by, .. } => Self::StillHeld { held_by, outside: None },
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(AccountState::Disabled { evidence } | AccountState::Expired { evidence, .. }) => {
                f.write_str(evidence)
            }
            Self::Unusable(_) => f.write_str("not usable"),
            Self::LeftGroups => f.write_str("found, and in none of the groups"),
            Self::MovedOut { dn } => {
                write!(f, "found at {dn}, outside of the configured bases, and in none of the groups")
            }
            Self::Tombstone => f.write_str("deleted: the directory keeps a tombstone"),
            Self::Absent => f.write_str("not found in two complete reads, and no group names the entry"),
            Self::Unreadable { named_by } => {
                write!(f, "can't be read any more: not found, but still named by {}", named_by.join(", "))
            }
            Self::StillHeld { held_by, outside: None } => write!(f, "still held by {}", held_by.join(", ")),
            Self::StillHeld { held_by, outside: Some(dn) } => {
                let groups = held_by.join(", ");
                write!(f, "found at {dn}, outside of the configured bases, and still held by {groups}")
            }
            Self::Untied(how) => f.write_str(how),
        }
    }
}
