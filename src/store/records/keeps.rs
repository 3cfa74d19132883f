//! The records of keeps.

use serde::{Deserialize, Serialize};

use super::{Moment, Stored};
use crate::domain::change::CauseCode;
use crate::domain::id::{CycleId, Digest, Malformed};
use crate::domain::keep::{Keep, KeepReason, KeepUntil, Wish};

/// Who, when, by what and for how long.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct KeepRecord {
    by: String,
    at: Moment,
    reason: ReasonRecord,
    until: UntilRecord,
}

#[derive(Serialize, Deserialize)]
enum ReasonRecord {
    Undone(String),
    Deprovisioned,
    Released,
}

#[derive(Serialize, Deserialize)]
enum UntilRecord {
    Account([u8; 32]),
    Removal(String),
    Unknown,
    Unusable,
    Lifted,
}

impl Stored for Keep {
    type Record = KeepRecord;

    fn record(&self) -> KeepRecord {
        let reason = match &self.reason {
            KeepReason::Undone(cycle) => ReasonRecord::Undone(cycle.as_str().to_owned()),
            KeepReason::Deprovisioned => ReasonRecord::Deprovisioned,
            KeepReason::Released => ReasonRecord::Released,
        };
        let until = match &self.until {
            KeepUntil::Changes(Wish::Account(digest)) => UntilRecord::Account(digest.0),
            KeepUntil::Changes(Wish::Removal(code)) => UntilRecord::Removal(code.as_str().to_owned()),
            KeepUntil::Changes(Wish::Unknown) => UntilRecord::Unknown,
            KeepUntil::Unusable => UntilRecord::Unusable,
            KeepUntil::Lifted => UntilRecord::Lifted,
        };
        KeepRecord { by: self.by.clone(), at: Moment::of(self.at), reason, until }
    }

    fn restore(record: KeepRecord) -> Result<Self, Malformed> {
        let reason = match record.reason {
            ReasonRecord::Undone(cycle) => KeepReason::Undone(CycleId::from_text(&cycle)),
            ReasonRecord::Deprovisioned => KeepReason::Deprovisioned,
            ReasonRecord::Released => KeepReason::Released,
        };
        let until = match record.until {
            UntilRecord::Account(digest) => KeepUntil::Changes(Wish::Account(Digest(digest))),
            UntilRecord::Removal(code) => {
                let code = CauseCode::parse(&code).ok_or_else(|| Malformed(format!("{code:?} is no cause")))?;
                KeepUntil::Changes(Wish::Removal(code))
            }
            UntilRecord::Unknown => KeepUntil::Changes(Wish::Unknown),
            UntilRecord::Unusable => KeepUntil::Unusable,
            UntilRecord::Lifted => KeepUntil::Lifted,
        };
        Ok(Self { by: record.by, at: record.at.time()?, reason, until })
    }
}
