//! The image of a directory: what its last complete read showed, kept so that a plan can be made without a network.
//!
//! Nobody is removed on the strength of an image; it is for looking ahead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::account_state::AccountState;
use super::entry::{Entry, GroupPath};
use super::id::{Digest, Digester, EntryId};
use super::scope::{GroupSeen, Presence, Resolved};

/// What a complete read was asked and came to, beside the people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHead {
    /// When the read was made.
    pub taken: DateTime<Utc>,
    /// What the server calls itself.
    pub server: String,
    /// A digest of how the directory was read.
    pub scope: Digest,
    /// The attributes that were asked for.
    pub attributes: BTreeSet<String>,
    /// What became of each assigned group, by the text that named it.
    pub roots: BTreeMap<String, Resolved>,
    /// Every group that was reached.
    pub groups: BTreeMap<EntryId, GroupSeen>,
}

/// What was last seen of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portrait {
    /// An assigned group held the person, by these ways; each begins with the assigned group.
    Held {
        /// The entry.
        entry: Entry,
        /// Whether it might be used.
        state: AccountState,
        /// The ways.
        paths: Vec<GroupPath>,
    },
    /// An assigned group held an entry that couldn't be decoded.
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// No assigned group held the person, who was looked up, with these groups, because an account is managed.
    LookedUp(Vec<(BTreeSet<EntryId>, Presence)>),
}

impl Portrait {
    /// A digest, to see whether it is as it was.
    pub fn digest(&self) -> Digest {
        let mut digest = Digester::new("portrait 1");
        match self {
            Self::Held { entry, state, paths } => {
                digest.text("held").text(entry.dn.as_str()).text(&format!("{state:?}"));
                for kind in entry.attributes.kinds() {
                    let values = entry.attributes.values(kind);
                    digest.text(kind).bytes(&(values.len() as u64).to_be_bytes());
                    values.iter().for_each(|value| {
                        digest.bytes(value);
                    });
                }
                for path in paths {
                    digest.bytes(&(path.0.len() as u64).to_be_bytes());
                    path.0.iter().for_each(|step| {
                        digest.bytes(step.id.as_bytes()).text(&step.name);
                    });
                }
            }
            Self::Unreadable { why } => {
                digest.text("unreadable").text(why);
            }
            Self::LookedUp(answers) => {
                digest.text("looked up").text(&format!("{answers:?}"));
            }
        }
        digest.finish()
    }
}
