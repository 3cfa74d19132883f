//! The five ports: what the engine needs of a directory, a helpdesk, a ledger, a report and a clock.
//!
//! Adapters implement these and know nothing of one another. Faults answer what to do, not what went wrong inside.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::account::{Catalog, KnownAccount, ObservedAccount, Trace};
use crate::domain::assignment::{GroupRef, PinKey, Role};
use crate::domain::brake::Experience;
use crate::domain::change::{Action, Change, Step};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, CycleId, Digest, DirectoryName, Email, EntryId, ExternalId, PersonId};
use crate::domain::outcome::{Notice, Problem};
use crate::domain::scope::{CompleteRead, GroupSeen, Presence, Sight};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

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
    /// The read ended without an answer to everything that was asked.
    #[error("the read is incomplete: {0}")]
    Incomplete(String),
    /// Something in the configuration doesn't fit this directory.
    #[error("{0}")]
    Unfit(String),
}

impl ReadFault {
    /// A stable short name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "directory_unreachable",
            Self::Untrusted { .. } => "directory_untrusted",
            Self::BindRefused { .. } => "directory_bind_refused",
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
            Self::Incomplete(_) => "the next cycle reads again; nobody is removed on half a read",
            Self::Unfit(_) => "correct the configuration of the directory",
        }
    }

    /// As a problem for the report.
    pub fn problem(&self) -> Problem {
        Problem::new(self.kind(), self, self.hint())
    }
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
}

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
    /// A stable short name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "zendesk_unreachable",
            Self::Unanswered(_) => "unanswered",
            Self::Unauthorized(_) => "unauthorized",
            Self::Throttled { .. } => "throttled",
            Self::SeatsShort(_) => "seats_short",
            Self::NotFound(_) => "not_found",
            Self::Refused { kind, .. } => kind,
            Self::Garbled(_) => "garbled",
        }
    }

    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Garbled(_) => {
                "see that the subdomain is right and Zendesk is up; the next cycle tries again"
            }
            Self::Unanswered(_) => "the next cycle asks Zendesk what became of it before anything else",
            Self::Unauthorized(_) => "check the client's id, secret and scopes, and that its user is an admin",
            Self::Throttled { .. } => "the next cycle goes on; other integrations may use up the limit",
            Self::SeatsShort(_) => "free a seat or buy one; the others are served meanwhile",
            Self::NotFound(_) => "somebody removed it meanwhile; the next cycle plans anew",
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
}

/// The store can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// Another process holds it.
    #[error("the store is in use by another process")]
    Busy,
    /// A record or the whole can't be trusted.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// It couldn't be read or written.
    #[error("the store can't be used: {0}")]
    Io(String),
    /// It belongs to another directory or Zendesk account.
    #[error("the store belongs to {bound}, not to {wanted}")]
    Foreign {
        /// To which.
        bound: String,
        /// What the configuration names.
        wanted: String,
    },
}

/// What is noted before the first call of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The cycle.
    pub cycle: CycleId,
    /// The place in its report.
    pub seq: u64,
    /// When.
    pub time: DateTime<Utc>,
    /// The app.
    pub app: AppName,
    /// The person.
    pub person: PersonId,
    /// The account, if it exists.
    pub account: Option<AccountId>,
    /// What is done.
    pub action: Action,
    /// The digest of the change.
    pub digest: Digest,
    /// The external id that is written to the account, if one is.
    pub external_id: Option<ExternalId>,
    /// The mail.
    pub email: Email,
    /// The name, for the report.
    pub name: String,
    /// Where the entry is.
    pub dn: Dn,
    /// What the store will know if all of it was done.
    pub outcome: Option<KnownAccount>,
}

/// What a settlement leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The account is known as this from now on.
    Known(Box<KnownAccount>),
    /// The link is given up.
    Forgotten,
    /// Nothing is known that wasn't before.
    Unchanged,
}

/// How an app stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStanding {
    /// Whether it had an accepted cycle.
    pub experience: Experience,
    /// How many accounts are managed and active.
    pub population: usize,
}

/// What became of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldState {
    /// It waits.
    Waiting,
    /// A person let these changes go on.
    Approved {
        /// Who.
        by: String,
        /// When.
        at: DateTime<Utc>,
        /// Which, by digest; each goes on once.
        digests: BTreeSet<Digest>,
    },
    /// A person decided against it; it is not shown as waiting while it stays the same.
    Rejected {
        /// Who.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// A change as a hold keeps it, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldChange {
    /// Its digest.
    pub digest: Digest,
    /// What is done.
    pub action: Action,
    /// To whom, by mail.
    pub user: String,
    /// By name.
    pub name: String,
    /// The person.
    pub person: PersonId,
    /// The account.
    pub account: Option<AccountId>,
    /// The cause's code.
    pub cause: String,
    /// The ways through groups and the evidence.
    pub why: Vec<String>,
    /// `field: before → after`.
    pub fields: Vec<String>,
}

/// A hold as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    /// The id, over the digests of what waits.
    pub id: Digest,
    /// The app.
    pub app: AppName,
    /// The reason's code.
    pub code: String,
    /// The reason, for people.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What became of it.
    pub state: HoldState,
    /// What waits.
    pub changes: Vec<HeldChange>,
}

/// A person's trouble, remembered so that the report tells when it begins, changes or ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// `rejected` or `conflict`.
    pub kind: String,
    /// What it is.
    pub text: String,
}

/// How a cycle ended, for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleSummary {
    /// The cycle.
    pub cycle: CycleId,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// The exit code it would end a single run with.
    pub code: u8,
    /// Whether every directory was read in full.
    pub complete: Completeness,
    /// Changes by app: done, failed, held.
    pub apps: BTreeMap<AppName, AppCounts>,
    /// One line for people.
    pub text: String,
}

/// Whether every directory was read in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Each was.
    Complete,
    /// At least one wasn't.
    Incomplete,
}

/// What a cycle did in one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppCounts {
    /// Changes done.
    pub done: usize,
    /// Changes that failed.
    pub failed: usize,
    /// Changes that wait.
    pub held: usize,
    /// People who can't be mapped.
    pub rejected: usize,
    /// People who need a person's word.
    pub conflicts: usize,
    /// Managed active accounts afterwards.
    pub population: usize,
}

/// What the store remembers. Every method that changes it is durable when it returns.
pub trait Ledger: Send {
    /// Raised with every durable change.
    fn serial(&self) -> u64;

    /// Whether this store replaces one that was lost: removals wait in that case until a cycle was accepted.
    fn app_standing(&self, app: &AppName) -> Result<AppStanding, LedgerFault>;

    /// Marks an app as having had an accepted cycle.
    fn accept(&mut self, app: &AppName) -> Result<(), LedgerFault>;

    /// Binds a name to an identity outside (`app:support` to a subdomain, `directory:corp` to a naming context).
    ///
    /// # Errors
    /// [`LedgerFault::Foreign`] when it is bound to another.
    fn bind(&mut self, name: &str, identity: &str) -> Result<(), LedgerFault>;

    /// Every managed account of an app from one directory, in the order of entry ids.
    fn traces(&self, app: &AppName, directory: &DirectoryName) -> Result<Vec<Trace>, LedgerFault>;

    /// One managed account.
    fn known(&self, app: &AppName, person: &PersonId) -> Result<Option<KnownAccount>, LedgerFault>;

    /// Whose an account is.
    fn owner(&self, app: &AppName, account: AccountId) -> Result<Option<PersonId>, LedgerFault>;

    /// Brings accounts up to date that nothing was written to.
    fn remember(&mut self, app: &AppName, accounts: &[KnownAccount]) -> Result<(), LedgerFault>;

    /// The groups that assignments are pinned to.
    fn pins(&self) -> Result<BTreeMap<PinKey, EntryId>, LedgerFault>;

    /// Pins assignments.
    fn pin(&mut self, pins: &BTreeMap<PinKey, EntryId>) -> Result<(), LedgerFault>;

    /// The groups of a directory as last seen.
    fn groups(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, GroupSeen>, LedgerFault>;

    /// Keeps the groups of a directory as just seen.
    fn keep_groups(
        &mut self,
        directory: &DirectoryName,
        groups: &BTreeMap<EntryId, GroupSeen>,
    ) -> Result<(), LedgerFault>;

    /// Notes a change before its first call.
    fn intend(&mut self, intent: &Intent) -> Result<(), LedgerFault>;

    /// Ends an intent and keeps what is known now, in one step.
    fn settle(&mut self, intent: &Intent, settlement: &Settlement) -> Result<(), LedgerFault>;

    /// Intents without a settlement, oldest first.
    fn open_intents(&self) -> Result<Vec<Intent>, LedgerFault>;

    /// Holds of every app.
    fn holds(&self) -> Result<Vec<HoldRecord>, LedgerFault>;

    /// Replaces the holds of an app.
    fn keep_holds(&mut self, app: &AppName, holds: &[HoldRecord]) -> Result<(), LedgerFault>;

    /// People's troubles in an app.
    fn troubles(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trouble>, LedgerFault>;

    /// Replaces people's troubles in an app.
    fn keep_troubles(&mut self, app: &AppName, troubles: &BTreeMap<PersonId, Trouble>) -> Result<(), LedgerFault>;

    /// Keeps how a cycle ended.
    fn end_cycle(&mut self, summary: &CycleSummary) -> Result<(), LedgerFault>;

    /// The last cycles, newest first.
    fn last_cycles(&self, count: usize) -> Result<Vec<CycleSummary>, LedgerFault>;
}

/// The report can't be written: nothing may be done that couldn't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the report can't be written: {0}")]
pub struct ReportFault(pub String);

/// The audit record.
pub trait Report: Send {
    /// Makes sure that the next record can be written.
    fn ready(&mut self) -> Result<(), ReportFault>;

    /// Writes a record; it is on disk when this returns.
    fn tell(&mut self, notice: &Notice) -> Result<(), ReportFault>;

    /// Whether a record of this cycle and place was written: asked after a crash.
    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault>;
}

/// Whether a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was.
    Yes,
    /// It wasn't.
    No,
}

/// Hears how a cycle goes on: a progress bar, a service manager, a stream to a client.
pub trait Progress: Send {
    /// Something happened.
    fn note(&mut self, event: &Event<'_>);
}

/// What a cycle tells while it runs.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A directory is being read; so many people were come upon.
    Reading(&'a DirectoryName, usize),
    /// A directory was read in full.
    Read(&'a CompleteRead),
    /// An app's plan will be carried out: so many changes.
    Applying(&'a AppName, usize),
    /// A change was carried out, or not.
    Applied(&'a crate::domain::outcome::Applied),
    /// Changes wait.
    Held(&'a crate::domain::brake::Hold),
    /// A fault ended a part of the cycle.
    Fault(&'a Problem),
}

/// Turns a change into what a hold keeps.
impl From<&Change> for HeldChange {
    fn from(change: &Change) -> Self {
        let mut why = change.cause.groups.clone();
        why.extend(change.cause.evidence.clone());
        Self {
            digest: change.digest(),
            action: change.action,
            user: change.email.as_str().to_owned(),
            name: change.name.clone(),
            person: change.person.clone(),
            account: change.account,
            cause: change.cause.code.as_str().to_owned(),
            why,
            fields: change.fields.iter().map(|f| format!("{}: {} → {}", f.field, f.before, f.after)).collect(),
        }
    }
}

/// A secret can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretFault(pub String);

/// Reads a secret each time it is needed, so that a new one takes effect without a restart.
pub trait Secret: Send + Sync {
    /// The secret.
    fn read(&self) -> Result<secrecy::SecretString, SecretFault>;
}
