//! The records of what the brake remembers over time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Moment as Wall, PersonRecord, Stored};
use crate::domain::brake::{Kind, Moment, Tally};
use crate::domain::id::{Digest, Malformed, PersonId};
use crate::domain::trial::{Ground, Parking, Quarantine, Trial};

/// Counted time, the wall clock at its last advance, and by kind who was changed when.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct TallyRecord {
    now: u64,
    wall: Option<i64>,
    people: Vec<(u8, Vec<(PersonRecord, u64)>)>,
}

const fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Removals => b'r',
        Kind::TakesOrRaises => b't',
    }
}

fn kind(byte: u8) -> Result<Kind, Malformed> {
    let fits = Kind::ALL.into_iter().find(|kind| kind_byte(*kind) == byte);
    fits.ok_or_else(|| Malformed(format!("{byte} is no kind of change")))
}

impl Stored for Tally {
    type Record = TallyRecord;

    fn record(&self) -> TallyRecord {
        let people = |people: &BTreeMap<PersonId, Moment>| {
            people.iter().map(|(person, at)| (person.record(), at.0)).collect::<Vec<_>>()
        };
        TallyRecord {
            now: self.now.0,
            wall: self.wall,
            people: self.people.iter().map(|(kind, of)| (kind_byte(*kind), people(of))).collect(),
        }
    }

    fn restore(record: TallyRecord) -> Result<Self, Malformed> {
        let person = |(person, at): (PersonRecord, u64)| Ok((PersonId::restore(person)?, Moment(at)));
        let of_kind = |(byte, people): (u8, Vec<(PersonRecord, u64)>)| {
            Ok((kind(byte)?, people.into_iter().map(person).collect::<Result<BTreeMap<_, _>, Malformed>>()?))
        };
        let people = record.people.into_iter().map(of_kind).collect::<Result<BTreeMap<_, _>, Malformed>>()?;
        Ok(Self { now: Moment(record.now), wall: record.wall, people })
    }
}

impl Stored for BTreeSet<PersonId> {
    type Record = Vec<PersonRecord>;

    fn record(&self) -> Vec<PersonRecord> {
        self.iter().map(Stored::record).collect()
    }

    fn restore(record: Vec<PersonRecord>) -> Result<Self, Malformed> {
        record.into_iter().map(PersonId::restore).collect()
    }
}

impl Stored for BTreeMap<Digest, Moment> {
    type Record = Vec<([u8; 32], u64)>;

    fn record(&self) -> Self::Record {
        self.iter().map(|(digest, at)| (digest.0, at.0)).collect()
    }

    fn restore(record: Self::Record) -> Result<Self, Malformed> {
        Ok(record.into_iter().map(|(digest, at)| (Digest(digest), Moment(at))).collect())
    }
}

/// A change that failed: digest, user, why, failures, first, since, next, whether parking was told.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct TrialRecord([u8; 32], String, String, u32, u64, Wall, u64, bool);

impl Stored for Trial {
    type Record = TrialRecord;

    fn record(&self) -> TrialRecord {
        TrialRecord(
            self.digest.0,
            self.user.clone(),
            self.why.clone(),
            self.failures,
            self.first.0,
            Wall::of(self.since),
            self.next.0,
            self.parking == Parking::Told,
        )
    }

    fn restore(record: TrialRecord) -> Result<Self, Malformed> {
        let TrialRecord(digest, user, why, failures, first, since, next, told) = record;
        Ok(Self {
            digest: Digest(digest),
            user,
            why,
            failures,
            first: Moment(first),
            since: since.time()?,
            next: Moment(next),
            parking: if told { Parking::Told } else { Parking::Open },
        })
    }
}

/// A quarantine.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct QuarantineRecord {
    authorization: bool,
    why: String,
    since: Wall,
    probes: u32,
    next: u64,
}

impl Stored for Quarantine {
    type Record = QuarantineRecord;

    fn record(&self) -> QuarantineRecord {
        QuarantineRecord {
            authorization: self.ground == Ground::Authorization,
            why: self.why.clone(),
            since: Wall::of(self.since),
            probes: self.probes,
            next: self.next.0,
        }
    }

    fn restore(record: QuarantineRecord) -> Result<Self, Malformed> {
        Ok(Self {
            ground: if record.authorization { Ground::Authorization } else { Ground::Failing },
            why: record.why,
            since: record.since.time()?,
            probes: record.probes,
            next: Moment(record.next),
        })
    }
}
