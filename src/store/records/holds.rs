//! The records of holds and cycles.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Moment, PersonRecord, Stored, action_of};
use crate::domain::id::{AccountId, AppName, CycleId, Digest, Malformed, PersonId};
use crate::engine::ports::{AppCounts, Completeness, CycleSummary, HeldChange, HoldRecord, HoldState};

/// What became of a hold.
#[derive(Serialize, Deserialize)]
pub(in crate::store) enum HoldStateRecord {
    Waiting,
    Approved { by: String, at: Moment, digests: BTreeSet<[u8; 32]> },
    Rejected { by: String, at: Moment },
}

impl Stored for HoldState {
    type Record = HoldStateRecord;

    fn record(&self) -> HoldStateRecord {
        match self {
            Self::Waiting => HoldStateRecord::Waiting,
            Self::Approved { by, at, digests } => HoldStateRecord::Approved {
                by: by.clone(),
                at: Moment::of(*at),
                digests: digests.iter().map(|digest| digest.0).collect(),
            },
            Self::Rejected { by, at } => HoldStateRecord::Rejected { by: by.clone(), at: Moment::of(*at) },
        }
    }

    fn restore(record: HoldStateRecord) -> Result<Self, Malformed> {
        Ok(match record {
            HoldStateRecord::Waiting => Self::Waiting,
            HoldStateRecord::Approved { by, at, digests } => {
                Self::Approved { by, at: at.time()?, digests: digests.into_iter().map(Digest).collect() }
            }
            HoldStateRecord::Rejected { by, at } => Self::Rejected { by, at: at.time()? },
        })
    }
}

/// A hold without its changes, and how many it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct HoldHead {
    pub(in crate::store) hold: HoldRecord,
    pub(in crate::store) changes: u32,
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct HoldHeadRecord {
    id: [u8; 32],
    app: String,
    code: String,
    reason: String,
    since: Moment,
    state: HoldStateRecord,
    changes: u32,
}

impl Stored for HoldHead {
    type Record = HoldHeadRecord;

    fn record(&self) -> HoldHeadRecord {
        HoldHeadRecord {
            id: self.hold.id.0,
            app: self.hold.app.as_str().to_owned(),
            code: self.hold.code.clone(),
            reason: self.hold.reason.clone(),
            since: Moment::of(self.hold.since),
            state: self.hold.state.record(),
            changes: self.changes,
        }
    }

    fn restore(record: HoldHeadRecord) -> Result<Self, Malformed> {
        let hold = HoldRecord {
            id: Digest(record.id),
            app: AppName::new(&record.app)?,
            code: record.code,
            reason: record.reason,
            since: record.since.time()?,
            state: HoldState::restore(record.state)?,
            changes: Vec::new(),
        };
        Ok(Self { hold, changes: record.changes })
    }
}

/// A change that waits.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct HeldChangeRecord {
    digest: [u8; 32],
    action: String,
    user: String,
    name: String,
    person: PersonRecord,
    account: Option<u64>,
    cause: String,
    why: Vec<String>,
    fields: Vec<String>,
}

impl Stored for HeldChange {
    type Record = HeldChangeRecord;

    fn record(&self) -> HeldChangeRecord {
        HeldChangeRecord {
            digest: self.digest.0,
            action: self.action.as_str().to_owned(),
            user: self.user.clone(),
            name: self.name.clone(),
            person: self.person.record(),
            account: self.account.map(|id| id.0),
            cause: self.cause.clone(),
            why: self.why.clone(),
            fields: self.fields.clone(),
        }
    }

    fn restore(record: HeldChangeRecord) -> Result<Self, Malformed> {
        Ok(Self {
            digest: Digest(record.digest),
            action: action_of(&record.action)?,
            user: record.user,
            name: record.name,
            person: PersonId::restore(record.person)?,
            account: record.account.map(AccountId),
            cause: record.cause,
            why: record.why,
            fields: record.fields,
        })
    }
}

/// How a cycle ended. Counts in the order done, failed, held, rejected, conflicts, population.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct CycleRecord {
    cycle: String,
    began: Moment,
    ended: Moment,
    code: u8,
    complete: bool,
    apps: BTreeMap<String, [u64; 6]>,
    text: String,
}

impl Stored for CycleSummary {
    type Record = CycleRecord;

    fn record(&self) -> CycleRecord {
        let counts = |one: &AppCounts| {
            [one.done, one.failed, one.held, one.rejected, one.conflicts, one.population].map(|count| count as u64)
        };
        CycleRecord {
            cycle: self.cycle.as_str().to_owned(),
            began: Moment::of(self.began),
            ended: Moment::of(self.ended),
            code: self.code,
            complete: self.complete == Completeness::Complete,
            apps: self.apps.iter().map(|(app, one)| (app.as_str().to_owned(), counts(one))).collect(),
            text: self.text.clone(),
        }
    }

    fn restore(record: CycleRecord) -> Result<Self, Malformed> {
        let counts = |(app, counts): (String, [u64; 6])| {
            let [done, failed, held, rejected, conflicts, population] =
                counts.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            Ok((AppName::new(&app)?, AppCounts { done, failed, held, rejected, conflicts, population }))
        };
        Ok(Self {
            cycle: CycleId::from_text(&record.cycle),
            began: record.began.time()?,
            ended: record.ended.time()?,
            code: record.code,
            complete: if record.complete { Completeness::Complete } else { Completeness::Incomplete },
            apps: record.apps.into_iter().map(counts).collect::<Result<BTreeMap<AppName, AppCounts>, Malformed>>()?,
            text: record.text,
        })
    }
}
