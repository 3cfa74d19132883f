//! The port to a Zendesk account: reads, and single steps.

use std::future::Future;
use std::time::Duration;

use crate::domain::account::{Catalog, ObservedAccount};
use crate::domain::assignment::Role;
use crate::domain::change::Step;
use crate::domain::id::{AccountId, AppName, Email, ExternalId};
use crate::domain::lease::{LeaseMark, Marker};
use crate::domain::outcome::Problem;

/// Who we are at Zendesk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Myself {
    /// Our account.
    pub account: AccountId,
    /// Its role.
    pub role: Role,
    /// Its mail or name, for people.
    pub label: String,
}

/// Why a call to Zendesk gave no success: what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// Nothing was sent: the host can't be reached.
    #[error("can't reach Zendesk: {0}")]
    Unreachable(String),
    /// It was sent and not answered: the effect is unknown.
    #[error("no answer from Zendesk: {0}")]
    Unanswered(String),
    /// Our credentials aren't accepted, or lack a right.
    #[error("Zendesk refuses our credentials: {0}")]
    Unauthorized(String),
    /// The rate limit is used up for longer than it is worth waiting.
    #[error("Zendesk asks to wait {} s", .after.as_secs())]
    Throttled {
        /// How long.
        after: Duration,
    },
    /// No seat is left for another agent.
    #[error("no agent seat is left: {0}")]
    SeatsShort(String),
    /// What was named isn't there.
    #[error("not found at Zendesk: {0}")]
    NotFound(String),
    /// Zendesk refused this very request.
    #[error("Zendesk refuses: {message}")]
    Refused {
        /// A short name: `email_taken`, `external_id_taken`, `invalid`, `protected`.
        kind: &'static str,
        /// What Zendesk said.
        message: String,
    },
    /// The answer isn't what the API promises: HTML, too large, not JSON.
    #[error("an unexpected answer from Zendesk: {0}")]
    Garbled(String),
}

impl CallFault {
    /// The short name of refused credentials.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The short names of what time mends.
    pub const WAITED_OUT: [&str; 2] = [Self::UNREACHABLE, Self::THROTTLED];
    const UNREACHABLE: &str = "zendesk_unreachable";
    const THROTTLED: &str = "throttled";
    /// The short name of a missing seat.
    pub const SEATS_SHORT: &str = "seats_short";

    /// A stable short name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => Self::UNREACHABLE,
            Self::Unanswered(_) => "unanswered",
            Self::Unauthorized(_) => Self::UNAUTHORIZED,
            Self::Throttled { .. } => Self::THROTTLED,
            Self::SeatsShort(_) => Self::SEATS_SHORT,
            Self::NotFound(_) => "not_found",
            Self::Refused { kind, .. } => kind,
            Self::Garbled(_) => "garbled",
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Garbled(_) => {
                "see that the subdomain is right and Zendesk is up; cycles try again by themselves"
            }
            Self::Unanswered(_) => "the next cycle asks Zendesk what became of it before anything else",
            Self::Unauthorized(_) => "check the client's id, secret and scopes, and that its user is an admin",
            Self::Throttled { .. } => "the next cycle goes on; other integrations may use up the limit",
            Self::SeatsShort(_) => "free a seat or buy one; the others are served meanwhile",
            Self::NotFound(_) => "somebody removed it meanwhile; the next cycle plans anew",
            Self::Refused { kind: "protected", .. } => {
                "it stays as it is: take the person out of the group, or the account out of `protected`"
            }
            Self::Refused { .. } => "correct the value in the directory, or at Zendesk",
        }
    }

    /// Whether the rest of the cycle can't go on with this app either.
    pub const fn ends_app(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized(_) | Self::Throttled { .. })
    }

    /// As a problem for the report.
    pub fn problem(&self) -> Problem {
        Problem::new(self.kind(), self, self.hint())
    }
}

/// Whether a step changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It did.
    Done,
    /// It was so already.
    AlreadySo,
}

/// A step that was answered with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// The account it was done to: for a creation, the new one.
    pub account: AccountId,
    /// Whether it changed anything.
    pub effect: Effect,
    /// Zendesk's id of the request.
    pub request_id: Option<String>,
}

/// A Zendesk account. Reads may be repeated by the adapter; a write that wasn't answered never is.
pub trait Helpdesk: Send {
    /// Its name in the configuration.
    fn app(&self) -> &AppName;

    /// Who we are: an unauthenticated caller is refused here, although Zendesk answers it with 200.
    fn who_am_i(&mut self) -> impl Future<Output = Result<Myself, CallFault>> + Send;

    /// Groups and custom roles by name, the owner, ourselves and the active admins.
    fn catalog(&mut self) -> impl Future<Output = Result<Catalog, CallFault>> + Send;

    /// Accounts by id, with groups for agents. An id that isn't answered for is absent from the result.
    fn observe(&mut self, ids: &[AccountId]) -> impl Future<Output = Result<Vec<ObservedAccount>, CallFault>> + Send;

    /// Accounts by external id.
    fn find_by_external_id(
        &mut self,
        ids: &[ExternalId],
    ) -> impl Future<Output = Result<Vec<ObservedAccount>, CallFault>> + Send;

    /// Accounts that hold a mail as primary or further address, each read back by id.
    fn find_by_email(&mut self, email: &Email) -> impl Future<Output = Result<Vec<ObservedAccount>, CallFault>> + Send;

    /// Carries one step out. `account` is none only for [`Step::Create`].
    fn carry_out(
        &mut self,
        account: Option<AccountId>,
        step: &Step,
    ) -> impl Future<Output = Result<StepDone, CallFault>> + Send;

    /// Reads the marker of the app's lease; asks nothing where no lease is wanted.
    fn read_lease(&mut self) -> impl Future<Output = Result<Marker, CallFault>> + Send;

    /// Writes the marker: over the account that bears it, or a new one, which is refused where there is one.
    fn write_lease(
        &mut self,
        over: Option<AccountId>,
        mark: &LeaseMark,
    ) -> impl Future<Output = Result<(), CallFault>> + Send;
}
