//! The records of what people ordered by hand.

use serde::{Deserialize, Serialize};

use super::{Moment, Stored};
use crate::domain::id::Malformed;
use crate::domain::pause::Pause;
use crate::engine::ports::Label;

/// Who, when, why, until when; what the last cycles saw of it.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct PauseRecord {
    by: String,
    at: Moment,
    reason: Option<String>,
    until: Option<Moment>,
    seen: Moment,
    over: Option<Moment>,
}

impl Stored for Pause {
    type Record = PauseRecord;

    fn record(&self) -> PauseRecord {
        PauseRecord {
            by: self.by.clone(),
            at: Moment::of(self.at),
            reason: self.reason.clone(),
            until: self.until.map(Moment::of),
            seen: Moment::of(self.seen),
            over: self.over.map(Moment::of),
        }
    }

    fn restore(record: PauseRecord) -> Result<Self, Malformed> {
        Ok(Self {
            by: record.by,
            at: record.at.time()?,
            reason: record.reason,
            until: record.until.map(|until| until.time()).transpose()?,
            seen: record.seen.time()?,
            over: record.over.map(|over| over.time()).transpose()?,
        })
    }
}

impl Stored for Label {
    type Record = (String, String);

    fn record(&self) -> Self::Record {
        (self.user.clone(), self.name.clone())
    }

    fn restore((user, name): Self::Record) -> Result<Self, Malformed> {
        Ok(Self { user, name })
    }
}
