//! What became of things: the outcome of a change, and notices, from which the report is written.

use std::fmt;

use chrono::{DateTime, Utc};

use super::change::{Action, CauseCode, Change, FieldChange};
use super::dn::Dn;
use super::id::{AccountId, AppName, CycleId, DirectoryName, EntryId};

/// Something that went wrong, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable short name: `email_taken`, `throttled`.
    pub kind: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: &'static str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), hint: hint.to_string() }
    }
}

/// What became of an approved change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every step was answered with success; the account is known.
    Done(AccountId),
    /// It was so already.
    AlreadySo(AccountId),
    /// Zendesk refused a step.
    Refused(Problem),
    /// A step was sent and not answered; it will be asked about before anything new is planned.
    Unknown(Problem),
    /// Nothing was sent: the removal couldn't be confirmed, or the cycle ended first.
    NotAttempted(Problem),
}

/// A change with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The change.
    pub change: Change,
    /// What became of it.
    pub outcome: Outcome,
    /// Zendesk's id of the last request, to quote to its support.
    pub request_id: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What a report record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A change of an account.
    Account(Action),
    /// A person who can't be mapped.
    Rejected,
    /// A person who can't be tied to an account.
    Conflict,
    /// Changes that wait.
    Hold,
    /// A person let held changes go on.
    Approve,
    /// A person decided against held changes.
    Reject,
    /// An app is only probed for now, or isn't any more; or a person isn't tried any more.
    Quarantine,
    /// A person gave a link up.
    Unlink,
    /// A person has somebody managed again whom another one put aside.
    Lift,
    /// A person pinned an assignment to another group.
    Repin,
    /// A person paused an app, or everything.
    Pause,
    /// A pause ended.
    Resume,
    /// A change was undone, or a person had a cycle undone.
    Undo,
    /// A cycle ended.
    Cycle,
}

impl Subject {
    /// Every value of `action` that this release writes.
    pub const WORDS: [&'static str; 20] = [
        "provision",
        "update",
        "reactivate",
        "deprovision",
        "release",
        "link",
        "adopt",
        "rejected",
        "conflict",
        "hold",
        "approve",
        "reject",
        "quarantine",
        "unlink",
        "lift",
        "repin",
        "pause",
        "resume",
        "undo",
        "cycle",
    ];

    /// The value of `action` in a report record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account(action) => action.as_str(),
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Hold => "hold",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Quarantine => "quarantine",
            Self::Unlink => "unlink",
            Self::Lift => "lift",
            Self::Repin => "repin",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Undo => "undo",
            Self::Cycle => "cycle",
        }
    }
}

/// The value of `result` in a report record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was done.
    Done,
    /// It was so already.
    Already,
    /// It was refused.
    Refused,
    /// Nobody knows yet.
    Unknown,
    /// It was left out.
    Skipped,
    /// It waits.
    Held,
    /// It was only shown.
    Planned,
}

impl Verdict {
    /// Every value of `result`.
    pub const WORDS: [&'static str; 7] = ["done", "already", "refused", "unknown", "skipped", "held", "planned"];

    /// The word in the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Held => "held",
            Self::Planned => "planned",
        }
    }
}

/// Why, as the report tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldCause {
    /// The code.
    pub code: String,
    /// The ways through groups.
    pub groups: Vec<String>,
    /// What shows it.
    pub evidence: Option<String>,
}

/// One thing to be told in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub time: DateTime<Utc>,
    /// In which cycle.
    pub cycle: CycleId,
    /// The place in the cycle, from 1; a change keeps the one it was given before its first call.
    pub seq: u64,
    /// In which app.
    pub app: Option<AppName>,
    /// From which directory.
    pub directory: Option<DirectoryName>,
    /// About what.
    pub subject: Subject,
    /// With which result.
    pub verdict: Verdict,
    /// Who asked for it: `daemon`, or a person.
    pub actor: String,
    /// The mail address.
    pub user: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The immutable id.
    pub entry: Option<EntryId>,
    /// Where the entry is.
    pub dn: Option<Dn>,
    /// The account.
    pub account: Option<AccountId>,
    /// Why.
    pub cause: Option<ToldCause>,
    /// What changed.
    pub changes: Vec<FieldChange>,
    /// What went wrong.
    pub problem: Option<Problem>,
    /// Zendesk's id of the request.
    pub request_id: Option<String>,
    /// How long it took.
    pub elapsed_ms: Option<u64>,
}

impl Notice {
    /// A notice of no person.
    pub fn new(time: DateTime<Utc>, cycle: CycleId, seq: u64, subject: Subject, verdict: Verdict, actor: &str) -> Self {
        Self {
            time,
            cycle,
            seq,
            app: None,
            directory: None,
            subject,
            verdict,
            actor: actor.to_owned(),
            user: None,
            name: None,
            entry: None,
            dn: None,
            account: None,
            cause: None,
            changes: Vec::new(),
            problem: None,
            request_id: None,
            elapsed_ms: None,
        }
    }

    /// Adds who and what a change is about.
    #[must_use]
    pub fn of_change(mut self, change: &Change) -> Self {
        self.app = Some(change.app.clone());
        self.directory = Some(change.person.directory.clone());
        self.user = Some(change.email.as_str().to_owned());
        self.name = Some(change.name.clone());
        self.entry = Some(change.person.entry);
        self.dn = Some(change.dn.clone());
        self.account = change.account;
        self.cause = Some(ToldCause {
            code: change.cause.code.as_str().to_owned(),
            groups: change.cause.groups.clone(),
            evidence: change.cause.evidence.clone(),
        });
        self.changes.clone_from(&change.fields);
        self
    }

    /// Adds an outcome.
    #[must_use]
    pub fn of_outcome(mut self, applied: &Applied) -> Self {
        let (verdict, account, problem) = match &applied.outcome {
            Outcome::Done(id) => (Verdict::Done, Some(*id), None),
            Outcome::AlreadySo(id) => (Verdict::Already, Some(*id), None),
            Outcome::Refused(problem) => (Verdict::Refused, applied.change.account, Some(problem.clone())),
            Outcome::Unknown(problem) => (Verdict::Unknown, applied.change.account, Some(problem.clone())),
            Outcome::NotAttempted(problem) => (Verdict::Skipped, applied.change.account, Some(problem.clone())),
        };
        self.verdict = verdict;
        self.account = account;
        self.problem = problem;
        self.request_id.clone_from(&applied.request_id);
        self.elapsed_ms = Some(applied.elapsed_ms);
        self
    }

    /// A cause that is only a code.
    pub fn cause_code(code: &str) -> ToldCause {
        ToldCause { code: code.to_owned(), groups: Vec::new(), evidence: None }
    }
}

impl From<CauseCode> for ToldCause {
    fn from(code: CauseCode) -> Self {
        Notice::cause_code(code.as_str())
    }
}
