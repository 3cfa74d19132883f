//! Why an undoing isn't carried out as it was asked for.

use crate::engine::Ending;

/// An undoing that can't be carried out as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoFault {
    /// Nothing of such a cycle is kept.
    #[error("of a cycle {0} nothing is kept that could be undone")]
    NoSuchCycle(String),
    /// Several cycles begin so.
    #[error("several cycles begin with {0}: give more of the name")]
    Ambiguous(String),
    /// The cycle did nothing to such a person.
    #[error("the cycle did nothing to anybody named {0}")]
    NoSuchUser(String),
    /// No app has this name.
    #[error("no app is named {0:?}")]
    NoSuchApp(String),
    /// Something changed since it was shown.
    #[error("what would be undone is not what was shown any more")]
    Moved,
    /// It is past a limit, and nobody gave the count.
    #[error("{held} of {of} changes are past a limit of the brake")]
    Held {
        /// How many are.
        held: usize,
        /// Of how many.
        of: usize,
    },
    /// Another number was given than what was shown.
    #[error("{given} was given, but {shown} would be changed")]
    Count {
        /// What was given.
        given: usize,
        /// What was shown.
        shown: usize,
    },
}

impl UndoFault {
    /// A stable short name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoSuchCycle(_) => "no_such_cycle",
            Self::Ambiguous(_) => "ambiguous",
            Self::NoSuchUser(_) => "no_such_user",
            Self::NoSuchApp(_) => "no_such_app",
            Self::Moved => "moved",
            Self::Held { .. } => "held",
            Self::Count { .. } => "count",
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSuchCycle(_) | Self::Ambiguous(_) => {
                "`zendesk-dirsync report --result done` names the cycle of every change".into()
            }
            Self::NoSuchUser(_) => "name people by mail, name or immutable id, as the report does".into(),
            Self::NoSuchApp(_) => "use a name of the configuration".into(),
            Self::Moved => "look at it again, then give the word anew".into(),
            Self::Held { of, .. } => format!("look at it with --dry-run; `--count {of}` lets all of it go on"),
            Self::Count { shown, .. } => format!("look at it again; `--count {shown}` lets all of it go on"),
        }
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Moved | Self::Held { .. } => Ending::Held.code(),
            Self::NoSuchCycle(_)
            | Self::Ambiguous(_)
            | Self::NoSuchUser(_)
            | Self::NoSuchApp(_)
            | Self::Count { .. } => 2,
        }
    }
}
