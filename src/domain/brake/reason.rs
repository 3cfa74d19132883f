//! Why changes wait: the reasons, with their stable codes and their words for people.

use std::fmt;

use super::window::Window;
use crate::domain::change::{Class, Guard, Matter};
use crate::domain::id::AppName;

/// Why a change that is within the limits waits still: nobody has decided yet about what it was held with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undecided {
    /// It was held past a window. That time goes by decides nothing.
    Window(Window),
    /// Others of its hold were approved, it was not.
    Others,
    /// A person let something else go on for the same person, or decided against it.
    Moved,
    /// The approval ran out before it could be used.
    Expired,
}

/// What nobody has decided about one person. Of another matter it says nothing: whoever leaves must not wait because
/// somebody didn't want their name changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// Why it waits.
    pub why: Undecided,
    /// What it is about.
    pub matter: Matter,
}

impl Undecided {
    /// What a hold's code says about the people in it.
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "others_approved" => Some(Self::Others),
            "moved" => Some(Self::Moved),
            "approval_expired" => Some(Self::Expired),
            other => Window::parse(other).map(Self::Window),
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Window(window) => window.code(),
            Self::Others => "others_approved",
            Self::Moved => "moved",
            Self::Expired => "approval_expired",
        }
    }
}

/// Why changes wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldReason {
    /// The first cycle of the app.
    FirstCycle,
    /// The store was lost, damaged, or is older than it should be.
    StoreReplaced,
    /// Another copy of the service wrote here, or may have.
    OtherCopy,
    /// A person accepted another server of a directory, or an older state of it.
    OtherServer,
    /// Too many changes of a class.
    Limit {
        /// The class.
        class: Class,
        /// How many may be.
        limit: usize,
        /// Of how many accounts.
        population: usize,
    },
    /// Too many changes over time.
    Window {
        /// Which limit.
        window: Window,
        /// How many it would be.
        people: usize,
        /// How many may be.
        limit: usize,
    },
    /// Nobody has decided yet about what they were held with.
    Undecided(Undecided),
    /// Too much of the source is gone since the last complete read.
    SourceGone {
        /// How many are gone.
        gone: usize,
        /// How many may be.
        limit: usize,
        /// Of how many accounts.
        population: usize,
    },
    /// A fact of a single person or group.
    Guard(Guard),
    /// The configuration was edited, and this is what it does differently from the accepted one.
    Edit {
        /// Accounts that it makes or gives back.
        adds: usize,
        /// Accounts that it changes.
        changes: usize,
        /// Accounts that it takes away.
        removes: usize,
        /// Of how many accounts.
        of: usize,
    },
    /// The app isn't in the configuration any more, and managed accounts are left there.
    AppGone {
        /// The app.
        app: AppName,
        /// How many.
        managed: usize,
    },
    /// A person decided against it.
    Rejected,
}

impl HoldReason {
    /// The name of the reason in plans and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FirstCycle => "first_cycle",
            Self::StoreReplaced => "store_replaced",
            Self::OtherCopy => "other_copy",
            Self::OtherServer => "other_server",
            Self::Limit { class: Class::RemovalShown, .. } => "removals_shown",
            Self::Limit { class: Class::RemovalByAbsence, .. } => "removals_by_absence",
            Self::Limit { class: Class::TakesOrRaises, .. } => "takes_or_raises",
            Self::Limit { class: Class::Creation, .. } => "creations",
            Self::Limit { class: Class::Plain, .. } => "updates",
            Self::Limit { class: Class::Link, .. } => "limit",
            Self::Window { window, .. } => window.code(),
            Self::Undecided(undecided) => undecided.code(),
            Self::SourceGone { .. } => "source_gone",
            Self::Guard(Guard::GroupMissing(_)) => "group_missing",
            Self::Guard(Guard::GroupEmptied(_)) => "group_emptied",
            Self::Guard(Guard::GroupUnreached(_)) => "group_unreached",
            Self::Guard(Guard::Unreadable) => "unreadable",
            Self::Guard(Guard::Unproven) => "unproven_account",
            Self::Guard(Guard::MakesAdmin) => "makes_admin",
            Self::Edit { .. } => "edit",
            Self::AppGone { .. } => "app_removed",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstCycle => f.write_str("the first cycle of this app waits for a look"),
            Self::StoreReplaced => f.write_str(
                "the store was lost, damaged, or replaced by an older one: what it would do anew waits for a look",
            ),
            Self::OtherServer => f.write_str(
                "another server of its directory was accepted, or an older state: what that shows waits for a look",
            ),
            Self::OtherCopy => f.write_str(
                "another copy of this service, or a later state of its store, wrote here or may have: what would be \
                 done waits for a look",
            ),
            Self::Limit { class, limit, population } => {
                write!(f, "more than {limit} {} in one cycle ({population} accounts are managed)", class.as_str())
            }
            Self::Window { window, people, limit } => {
                write!(f, "{} in {}, and {limit} may be", window.kind().counted(*people), window.span_text())
            }
            Self::Undecided(Undecided::Window(window)) => {
                write!(f, "they were held past the limit of {} and nobody has decided yet", window.span_text())
            }
            Self::Undecided(Undecided::Others) => f.write_str("others of this hold were decided about, these not"),
            Self::Undecided(Undecided::Moved) => f.write_str("it is not what was decided about: it has changed since"),
            Self::Undecided(Undecided::Expired) => f.write_str("the approval ran out before it could be used"),
            Self::SourceGone { gone, limit, population } => write!(
                f,
                "{gone} of {population} managed people are gone from the directory since the last complete read; more than {limit} is suspicious"
            ),
            Self::Guard(Guard::GroupMissing(name)) => write!(f, "the assigned group {name} can't be found"),
            Self::Guard(Guard::GroupEmptied(name)) => write!(f, "the group {name} held people and now reads empty"),
            Self::Guard(Guard::GroupUnreached(name)) => {
                write!(f, "the group {name}, which held people, is not reached from an assigned group any more")
            }
            Self::Guard(Guard::Unreadable) => f.write_str("the entry can't be read, but a group still names it"),
            Self::Guard(Guard::Unproven) => f.write_str(
                "the account was found by its mail or a template's external_id alone, and no record links it",
            ),
            Self::Guard(Guard::MakesAdmin) => f.write_str("it makes an admin"),
            Self::Edit { adds, changes, removes, of } => {
                write!(f, "this edit adds {adds}, changes {changes}, removes {removes} of {of} accounts")
            }
            Self::AppGone { app, managed: 1 } => write!(
                f,
                "app {app} is not configured any more; its managed account stays as it is: put it back, or release it"
            ),
            Self::AppGone { app, managed } => write!(
                f,
                "app {app} is not configured any more; its {managed} managed accounts stay as they are: put it back, or release them"
            ),
            Self::Rejected => f.write_str("a person decided against it"),
        }
    }
}
