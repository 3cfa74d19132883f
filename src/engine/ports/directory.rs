//! The port to a directory: whole reads and look-ups. It never writes.

use std::collections::BTreeSet;
use std::future::Future;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::assignment::GroupRef;
use crate::domain::dn::Dn;
use crate::domain::id::{DirectoryName, EntryId};
use crate::domain::outcome::Problem;
use crate::domain::scope::{CompleteRead, Presence, Sight};
use crate::domain::server::{Acquaintance, Estranged};

/// One group that a read must resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOrder {
    /// How the configuration names it.
    pub group: GroupRef,
    /// The id it was pinned to, if it was found before. The pin wins over the name.
    pub pin: Option<EntryId>,
}

/// What a read is to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOrder {
    /// The groups; a [`Sight`]'s memberships name them by position.
    pub groups: Vec<GroupOrder>,
    /// The attributes that mappings need.
    pub attributes: BTreeSet<String>,
    /// The moment at which account states are judged.
    pub now: DateTime<Utc>,
    /// What is remembered of the servers: one that is behind makes room for the next.
    pub known: Option<Acquaintance>,
}

/// Why a directory couldn't be read. None of these says anything about who is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// No server could be reached, or the connection broke.
    #[error("{url}: {why}")]
    Unreachable {
        /// The last URL that was tried.
        url: String,
        /// What happened.
        why: String,
    },
    /// The server's certificate isn't trusted.
    #[error("{url}: the certificate is refused: {why}")]
    Untrusted {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server refused the bind.
    #[error("{url}: the bind as {identity} is refused: {why}")]
    BindRefused {
        /// The URL.
        url: String,
        /// Who was to be bound.
        identity: String,
        /// What the server said.
        why: String,
    },
    /// The server's data may be older than those that were read before.
    #[error("{url}: its data may be older than those that were read before: {why}")]
    Behind {
        /// The URL.
        url: String,
        /// What shows it.
        why: String,
    },
    /// The server serves another directory than the one whose people are managed.
    #[error("{url}: it is another directory: {why}")]
    Foreign {
        /// The URL.
        url: String,
        /// What shows it.
        why: String,
    },
    /// The read ended without an answer to everything that was asked.
    #[error("the read is incomplete: {0}")]
    Incomplete(String),
    /// Something in the configuration doesn't fit this directory.
    #[error("{0}")]
    Unfit(String),
}

impl ReadFault {
    /// The fault of a server that must not be read.
    pub fn estranged(url: &str, estranged: Estranged) -> Self {
        let url = url.to_owned();
        match estranged {
            Estranged::Foreign(why) => Self::Foreign { url, why },
            Estranged::Behind(why) => Self::Behind { url, why },
        }
    }

    /// A stable short name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "directory_unreachable",
            Self::Untrusted { .. } => "directory_untrusted",
            Self::BindRefused { .. } => "directory_bind_refused",
            Self::Behind { .. } => "directory_behind",
            Self::Foreign { .. } => "directory_foreign",
            Self::Incomplete(_) => "directory_incomplete",
            Self::Unfit(_) => "directory_unfit",
        }
    }

    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "see that the server runs and that `urls` names it; nobody is removed meanwhile"
            }
            Self::Untrusted { .. } => {
                "give the CA's certificate in `ca_file`, or use the name that the certificate bears"
            }
            Self::BindRefused { .. } => "check `bind.dn` and the password file",
            Self::Behind { .. } => {
                "see to its replication; if it was restored on purpose: `zendesk-dirsync servers accept DIRECTORY`. \
                 Until then nobody of it is touched"
            }
            Self::Foreign { .. } => {
                "correct `urls`; if it is meant to be another: `zendesk-dirsync servers accept DIRECTORY`. \
                 Until then nobody of it is touched"
            }
            Self::Incomplete(_) => "the next cycle reads again; nobody is removed on half a read",
            Self::Unfit(_) => "correct the configuration of the directory",
        }
    }

    /// As a problem for the report.
    pub fn problem(&self) -> Problem {
        Problem::new(self.kind(), self, self.hint())
    }
}

/// A group as the directory has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupThere {
    /// Its immutable id.
    pub id: EntryId,
    /// Where it is.
    pub dn: Dn,
    /// How many values its membership has, direct ones only.
    pub members: usize,
}

/// What a group's text names now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// This group.
    Found(GroupThere),
    /// None.
    Missing,
    /// Several, by their DNs.
    Ambiguous(Vec<String>),
}

/// What was found of an ordered group: by its pin, and by its text, each for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLook {
    /// The pinned group, if there is a pin and it is there.
    pub pinned: Option<GroupThere>,
    /// What the text names.
    pub named: Named,
}

/// A directory. It never writes.
pub trait Directory: Send {
    /// Its name in the configuration.
    fn name(&self) -> &DirectoryName;

    /// Reads every person whom the ordered groups hold, as a stream, and proves the read whole.
    /// One server serves the read and the look-ups that follow it.
    fn read(
        &mut self,
        order: ReadOrder,
        sights: mpsc::Sender<Sight>,
    ) -> impl Future<Output = Result<CompleteRead, ReadFault>> + Send;

    /// Looks one person up by immutable id, and tests each of `groups` for them. `last_dn` is where they were last seen.
    fn look_up(
        &mut self,
        entry: EntryId,
        last_dn: &Dn,
        groups: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Presence, ReadFault>> + Send;

    /// Looks for groups, by pin and by text; answers in their order.
    fn look_for(&mut self, groups: &[GroupOrder]) -> impl Future<Output = Result<Vec<GroupLook>, ReadFault>> + Send;
}
