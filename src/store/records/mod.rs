//! The records: what the store writes down of the domain's types, in shapes of its own.
//!
//! The domain knows no serialisation, and its types may change shape without the files doing so. Each record is postcard
//! (not self-describing): a new field means a new version and a reader for the old one. The golden bytes in the tests
//! notice a change.

mod brakes;
mod deeds;
mod hand;
mod holds;
mod images;
mod keeps;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::account::{KnownAccount, Standing, Written};
use crate::domain::assignment::{PinKey, Role, RoleGrant};
use crate::domain::change::Action;
use crate::domain::dn::Dn;
use crate::domain::id::{
    AccountId, AppName, CycleId, Digest, DirectoryName, Email, EntryId, ExternalId, Malformed, PersonId,
};
use crate::domain::mapping::Field;
use crate::domain::scope::GroupSeen;
use crate::engine::ports::{Intent, LedgerFault, Trouble};

pub(super) use deeds::DeedKey;
pub(super) use holds::HoldHead;

/// The number of the store's own format: what trees there are and how their keys are made.
const SCHEMA: u16 = 1;

/// A type that the store writes down.
pub(super) trait Stored: Sized {
    /// Its shape in the store.
    type Record: Serialize + DeserializeOwned;

    /// Gives it that shape.
    fn record(&self) -> Self::Record;

    /// Reads it back.
    ///
    /// # Errors
    /// When the record says what the type can't.
    fn restore(record: Self::Record) -> Result<Self, Malformed>;
}

/// Writes a record.
pub(super) fn write<T: Stored>(value: &T) -> Result<Vec<u8>, LedgerFault> {
    postcard::to_stdvec(&value.record()).map_err(|why| LedgerFault::Io(why.to_string()))
}

/// Reads a record; every byte must be used.
pub(super) fn read<T: Stored>(bytes: &[u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes::<T::Record>(bytes) {
        Ok((record, [])) => T::restore(record),
        Ok((_, rest)) => Err(Malformed(format!("{} bytes are left over", rest.len()))),
        Err(why) => Err(Malformed(why.to_string())),
    }
}

/// The record of the store's own format.
pub(super) fn schema() -> Result<Vec<u8>, LedgerFault> {
    postcard::to_stdvec(&SCHEMA).map_err(|why| LedgerFault::Io(why.to_string()))
}

/// A fingerprint record: the standing, then 32 bytes or none. Written by hand, because the scan reads it by the 100,000.
pub(super) fn write_trace(standing: Standing, fingerprint: Option<&Digest>) -> Vec<u8> {
    let mut bytes = vec![standing_byte(standing)];
    bytes.extend(fingerprint.iter().flat_map(|digest| digest.0));
    bytes
}

/// Reads a fingerprint record.
pub(super) fn read_trace(bytes: &[u8]) -> Result<(Standing, Option<Digest>), Malformed> {
    let (first, rest) = bytes.split_first().ok_or_else(|| Malformed("it is empty".into()))?;
    let fingerprint = match rest {
        [] => None,
        rest => Some(Digest(rest.try_into().map_err(|_| Malformed("a fingerprint has 32 bytes".into()))?)),
    };
    Ok((standing(*first)?, fingerprint))
}

const fn standing_byte(standing: Standing) -> u8 {
    match standing {
        Standing::Active => b'a',
        Standing::Ending => b'e',
        Standing::SuspendedByUs => b's',
        Standing::SuspendedByOthers => b'o',
        Standing::Downgraded => b'd',
    }
}

fn standing(byte: u8) -> Result<Standing, Malformed> {
    match byte {
        b'a' => Ok(Standing::Active),
        b'e' => Ok(Standing::Ending),
        b's' => Ok(Standing::SuspendedByUs),
        b'o' => Ok(Standing::SuspendedByOthers),
        b'd' => Ok(Standing::Downgraded),
        other => Err(Malformed(format!("{other} is no standing"))),
    }
}

/// Seconds since 1970 and nanoseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct Moment(i64, u32);

impl Moment {
    fn of(time: DateTime<Utc>) -> Self {
        Self(time.timestamp(), time.timestamp_subsec_nanos())
    }

    fn time(&self) -> Result<DateTime<Utc>, Malformed> {
        DateTime::from_timestamp(self.0, self.1).ok_or_else(|| Malformed(format!("{} s is no time", self.0)))
    }
}

/// Directory and entry.
#[derive(Serialize, Deserialize)]
pub(super) struct PersonRecord(String, [u8; 16]);

impl Stored for PersonId {
    type Record = PersonRecord;

    fn record(&self) -> PersonRecord {
        PersonRecord(self.directory.as_str().to_owned(), *self.entry.as_bytes())
    }

    fn restore(record: PersonRecord) -> Result<Self, Malformed> {
        Ok(Self { directory: DirectoryName::new(&record.0)?, entry: EntryId::from_bytes(record.1) })
    }
}

/// The group that an assignment is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pinned {
    pub(super) pin: PinKey,
    pub(super) entry: EntryId,
}

/// Directory, text, entry.
#[derive(Serialize, Deserialize)]
pub(super) struct PinRecord(String, String, [u8; 16]);

impl Stored for Pinned {
    type Record = PinRecord;

    fn record(&self) -> PinRecord {
        PinRecord(self.pin.directory.as_str().to_owned(), self.pin.text.clone(), *self.entry.as_bytes())
    }

    fn restore(record: PinRecord) -> Result<Self, Malformed> {
        let pin = PinKey { directory: DirectoryName::new(&record.0)?, text: record.1 };
        Ok(Self { pin, entry: EntryId::from_bytes(record.2) })
    }
}

impl Stored for String {
    type Record = Self;

    fn record(&self) -> Self {
        self.clone()
    }

    fn restore(record: Self) -> Result<Self, Malformed> {
        Ok(record)
    }
}

/// A role, or a custom role by name.
#[derive(Serialize, Deserialize)]
pub(super) enum RoleRecord {
    Plain(String),
    Custom(String),
}

impl Stored for RoleGrant {
    type Record = RoleRecord;

    fn record(&self) -> RoleRecord {
        match self {
            Self::Plain(role) => RoleRecord::Plain(role.as_str().to_owned()),
            Self::Custom(name) => RoleRecord::Custom(name.clone()),
        }
    }

    fn restore(record: RoleRecord) -> Result<Self, Malformed> {
        match record {
            RoleRecord::Plain(role) => role_of(&role).map(Self::Plain),
            RoleRecord::Custom(name) => Ok(Self::Custom(name)),
        }
    }
}

fn role_of(text: &str) -> Result<Role, Malformed> {
    Role::parse(text).ok_or_else(|| Malformed(format!("{text:?} is no role")))
}

fn action_of(text: &str) -> Result<Action, Malformed> {
    Action::parse(text).ok_or_else(|| Malformed(format!("{text:?} is no action")))
}

fn field_of(text: &str) -> Result<Field, Malformed> {
    Field::parse(text).ok_or_else(|| Malformed(format!("{text:?} is no field")))
}

/// A managed account.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountRecord {
    person: PersonRecord,
    account: u64,
    standing: u8,
    dn: String,
    name: String,
    email: String,
    role: RoleRecord,
    texts: BTreeMap<String, String>,
    given_groups: BTreeSet<String>,
    given_tags: BTreeSet<String>,
    adopted_role: Option<String>,
    through: BTreeSet<[u8; 16]>,
    group_paths: Vec<String>,
    chosen: BTreeMap<String, String>,
    missed: Option<String>,
    fingerprint: Option<[u8; 32]>,
    wish: Option<[u8; 32]>,
}

impl Stored for KnownAccount {
    type Record = AccountRecord;

    fn record(&self) -> AccountRecord {
        AccountRecord {
            person: self.person.record(),
            account: self.account.0,
            standing: standing_byte(self.standing),
            dn: self.dn.as_str().to_owned(),
            name: self.written.name.clone(),
            email: self.written.email.as_str().to_owned(),
            role: self.written.role.record(),
            texts: self.written.texts.iter().map(|(field, text)| (field.as_str().to_owned(), text.clone())).collect(),
            given_groups: self.given_groups.clone(),
            given_tags: self.given_tags.clone(),
            adopted_role: self.adopted_role.map(|role| role.as_str().to_owned()),
            through: self.through.iter().map(|id| *id.as_bytes()).collect(),
            group_paths: self.group_paths.clone(),
            chosen: self.chosen.clone(),
            missed: self.missed.as_ref().map(|cycle| cycle.as_str().to_owned()),
            fingerprint: self.fingerprint.map(|digest| digest.0),
            wish: self.wish.map(|digest| digest.0),
        }
    }

    fn restore(record: AccountRecord) -> Result<Self, Malformed> {
        let texts = record.texts.into_iter().map(|(field, text)| Ok((field_of(&field)?, text)));
        Ok(Self {
            person: PersonId::restore(record.person)?,
            account: AccountId(record.account),
            standing: standing(record.standing)?,
            dn: Dn::parse(&record.dn)?,
            written: Written {
                name: record.name,
                email: Email::parse(&record.email)?,
                role: RoleGrant::restore(record.role)?,
                texts: texts.collect::<Result<BTreeMap<Field, String>, Malformed>>()?,
            },
            given_groups: record.given_groups,
            given_tags: record.given_tags,
            adopted_role: record.adopted_role.as_deref().map(role_of).transpose()?,
            through: record.through.into_iter().map(EntryId::from_bytes).collect(),
            group_paths: record.group_paths,
            chosen: record.chosen,
            missed: record.missed.as_deref().map(CycleId::from_text),
            fingerprint: record.fingerprint.map(Digest),
            wish: record.wish.map(Digest),
        })
    }
}

/// An intent, with the serial at which it was noted: clocks may go back, serials don't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotedIntent {
    pub(super) noted: u64,
    pub(super) intent: Intent,
}

#[derive(Serialize, Deserialize)]
pub(super) struct IntentRecord {
    noted: u64,
    cycle: String,
    seq: u64,
    time: Moment,
    app: String,
    person: PersonRecord,
    account: Option<u64>,
    action: String,
    digest: [u8; 32],
    external_id: Option<String>,
    email: String,
    name: String,
    dn: String,
    outcome: Option<AccountRecord>,
}

impl Stored for NotedIntent {
    type Record = IntentRecord;

    fn record(&self) -> IntentRecord {
        let intent = &self.intent;
        IntentRecord {
            noted: self.noted,
            cycle: intent.cycle.as_str().to_owned(),
            seq: intent.seq,
            time: Moment::of(intent.time),
            app: intent.app.as_str().to_owned(),
            person: intent.person.record(),
            account: intent.account.map(|id| id.0),
            action: intent.action.as_str().to_owned(),
            digest: intent.digest.0,
            external_id: intent.external_id.as_ref().map(|id| id.as_str().to_owned()),
            email: intent.email.as_str().to_owned(),
            name: intent.name.clone(),
            dn: intent.dn.as_str().to_owned(),
            outcome: intent.outcome.as_ref().map(Stored::record),
        }
    }

    fn restore(record: IntentRecord) -> Result<Self, Malformed> {
        let intent = Intent {
            cycle: CycleId::from_text(&record.cycle),
            seq: record.seq,
            time: record.time.time()?,
            app: AppName::new(&record.app)?,
            person: PersonId::restore(record.person)?,
            account: record.account.map(AccountId),
            action: action_of(&record.action)?,
            digest: Digest(record.digest),
            external_id: record.external_id.as_deref().map(ExternalId::parse).transpose()?,
            email: Email::parse(&record.email)?,
            name: record.name,
            dn: Dn::parse(&record.dn)?,
            outcome: record.outcome.map(KnownAccount::restore).transpose()?,
        };
        Ok(Self { noted: record.noted, intent })
    }
}

/// A group as last seen.
#[derive(Serialize, Deserialize)]
pub(super) struct GroupRecord(String, u64);

impl Stored for GroupSeen {
    type Record = GroupRecord;

    fn record(&self) -> GroupRecord {
        GroupRecord(self.name.clone(), self.members as u64)
    }

    fn restore(record: GroupRecord) -> Result<Self, Malformed> {
        let members = usize::try_from(record.1).map_err(|_| Malformed("too many members".into()))?;
        Ok(Self { name: record.0, members })
    }
}

/// A person's trouble: kind and text.
#[derive(Serialize, Deserialize)]
pub(super) struct TroubleRecord(String, String);

impl Stored for Trouble {
    type Record = TroubleRecord;

    fn record(&self) -> TroubleRecord {
        TroubleRecord(self.kind.clone(), self.text.clone())
    }

    fn restore(record: TroubleRecord) -> Result<Self, Malformed> {
        Ok(Self { kind: record.0, text: record.1 })
    }
}
