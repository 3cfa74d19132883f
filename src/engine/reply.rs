//! Replies: what a command is answered, on the control socket and to the command line.

use serde::{Deserialize, Serialize};

use super::byhand::HandView;
use super::groups::{GroupsView, RepinView};
use super::holds::HoldFault;
use super::kept::KeepView;
use super::lease_view::LeaseView;
use super::pause::PauseView;
use super::ports::LedgerFault;
use super::servers::ServersView;
use super::undo::{UndoFault, UndoView};
use super::view::{CycleView, FaultView, HoldView, PlanView, StatusView};
use super::{Abort, CycleReport, Ending};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A cycle ended.
    Cycle {
        /// The exit code.
        code: u8,
        /// The cycle.
        cycle: CycleView,
    },
    /// A plan.
    Plan {
        /// The exit code, but for what there is to do.
        code: u8,
        /// The plan.
        plan: Box<PlanView>,
    },
    /// A saved plan was refused, because it would be another one now.
    Moved {
        /// The exit code.
        code: u8,
        /// The plan as it would be now.
        plan: Box<PlanView>,
    },
    /// How the service is.
    Status(Box<StatusView>),
    /// What waits.
    Holds(Vec<HoldView>),
    /// Who has the leases.
    Leases(Vec<LeaseView>),
    /// What is remembered of the directories' servers.
    Servers(Vec<ServersView>),
    /// A decision was recorded.
    Decided {
        /// The hold.
        id: String,
        /// How many changes it was about.
        changes: usize,
    },
    /// What is tried again.
    Retried {
        /// People.
        people: usize,
        /// Apps in quarantine.
        apps: usize,
    },
    /// The pauses that stand.
    Pauses(Vec<PauseView>),
    /// An order by hand, shown or carried out.
    Hand {
        /// The exit code.
        code: u8,
        /// Whom and what it is about.
        view: Box<HandView>,
    },
    /// The assigned groups.
    Groups {
        /// The exit code.
        code: u8,
        /// They.
        view: Box<GroupsView>,
    },
    /// A pin, shown or changed.
    Repin(Box<RepinView>),
    /// Whoever is left as a person put them.
    Keeps(Vec<KeepView>),
    /// Keeps that were lifted.
    Lifted(Vec<KeepView>),
    /// What is undone.
    Undo {
        /// The exit code.
        code: u8,
        /// What is brought back, and what isn't.
        undo: Box<UndoView>,
    },
    /// It can't be done.
    Refused {
        /// The exit code.
        code: u8,
        /// Why, and what to do.
        fault: FaultView,
    },
}

impl Reply {
    /// A refusal.
    pub fn refused(code: u8, kind: &str, message: impl ToString, hint: &str) -> Self {
        let fault = FaultView { kind: kind.to_owned(), message: message.to_string(), hint: hint.to_owned() };
        Self::Refused { code, fault }
    }

    /// A cycle that ended.
    pub(super) fn cycle(report: &CycleReport) -> Self {
        Self::Cycle { code: report.ending.code(), cycle: CycleView::from(&report.summary) }
    }

    /// The exit code of a command that got this answer.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Cycle { code, .. }
            | Self::Plan { code, .. }
            | Self::Undo { code, .. }
            | Self::Moved { code, .. }
            | Self::Hand { code, .. }
            | Self::Groups { code, .. }
            | Self::Refused { code, .. } => *code,
            Self::Status(_)
            | Self::Holds(_)
            | Self::Leases(_)
            | Self::Servers(_)
            | Self::Decided { .. }
            | Self::Retried { .. }
            | Self::Pauses(_)
            | Self::Keeps(_)
            | Self::Repin(_)
            | Self::Lifted(_) => 0,
        }
    }
}

impl From<Abort> for Reply {
    fn from(abort: Abort) -> Self {
        let hint = match &abort {
            Abort::Ledger(LedgerFault::Foreign { .. }) => {
                "correct `subdomain` or `base_url`, or give the other Zendesk account a state directory of its own"
            }
            Abort::Ledger(_) => "see that nothing else uses the state directory and that its disk is well",
            Abort::Report(_) => {
                "free space for the report or correct its permissions; nothing is done that can't be told"
            }
        };
        Self::refused(Ending::Storage.code(), "storage", abort, hint)
    }
}

impl From<HoldFault> for Reply {
    fn from(fault: HoldFault) -> Self {
        Self::refused(2, "holds", fault, "`zendesk-dirsync holds list` shows what waits")
    }
}

impl From<UndoFault> for Reply {
    fn from(fault: UndoFault) -> Self {
        Self::refused(fault.code(), fault.kind(), &fault, &fault.hint())
    }
}
