//! The port to the store: what the engine remembers from cycle to cycle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    AcceptedLedger, BrakeLedger, DeedLedger, HandLedger, ImageLedger, KeepLedger, LeaseLedger, Revisions, ServerLedger,
};
use crate::domain::account::{KnownAccount, Trace};
use crate::domain::assignment::PinKey;
use crate::domain::brake::Experience;
use crate::domain::change::{Action, Change};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, CycleId, Digest, DirectoryName, Email, EntryId, ExternalId, PersonId};
use crate::domain::scope::GroupSeen;

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
pub trait Ledger:
    AcceptedLedger
    + BrakeLedger
    + DeedLedger
    + HandLedger
    + ImageLedger
    + KeepLedger
    + LeaseLedger
    + Revisions
    + ServerLedger
    + Send
    + Sync
{
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

    /// Replaces the holds of an app, and takes the notes of spent approvals away.
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
