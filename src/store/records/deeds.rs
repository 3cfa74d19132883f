//! The records of deeds, with the images of accounts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AccountRecord, Moment, PersonRecord, Stored, action_of, field_of, role_of};
use crate::domain::account::{Existence, KnownAccount, ObservedAccount, Suspended, Verified};
use crate::domain::change::{CauseCode, FieldValue};
use crate::domain::deed::{Deed, DeedEnd, DeedField, Lasting};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, CustomRoleId, CycleId, Email, ExternalId, GroupId, Malformed, PersonId};
use crate::domain::mapping::Field;
use crate::engine::ports::DeedCycle;

/// An account as it was seen.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct ImageRecord {
    id: u64,
    external_id: Option<String>,
    name: String,
    email: Option<String>,
    emails: BTreeSet<String>,
    verified: bool,
    role: String,
    custom_role: Option<u64>,
    suspended: bool,
    live: bool,
    texts: BTreeMap<String, String>,
    groups: BTreeSet<u64>,
    default_group: Option<u64>,
    tags: BTreeSet<String>,
}

impl Stored for ObservedAccount {
    type Record = ImageRecord;

    fn record(&self) -> ImageRecord {
        ImageRecord {
            id: self.id.0,
            external_id: self.external_id.as_ref().map(|id| id.as_str().to_owned()),
            name: self.name.clone(),
            email: self.email.as_ref().map(ToString::to_string),
            emails: self.emails.iter().map(ToString::to_string).collect(),
            verified: self.verified == Verified::Yes,
            role: self.role.as_str().to_owned(),
            custom_role: self.custom_role.map(|id| id.0),
            suspended: self.suspended == Suspended::Yes,
            live: self.existence == Existence::Live,
            texts: self.texts.iter().map(|(field, text)| (field.as_str().to_owned(), text.clone())).collect(),
            groups: self.groups.iter().map(|id| id.0).collect(),
            default_group: self.default_group.map(|id| id.0),
            tags: self.tags.clone(),
        }
    }

    fn restore(record: ImageRecord) -> Result<Self, Malformed> {
        let texts = record.texts.into_iter().map(|(field, text)| Ok((field_of(&field)?, text)));
        Ok(Self {
            id: AccountId(record.id),
            external_id: record.external_id.as_deref().map(ExternalId::parse).transpose()?,
            name: record.name,
            email: record.email.as_deref().map(Email::parse).transpose()?,
            emails: record.emails.iter().map(|email| Email::parse(email)).collect::<Result<_, Malformed>>()?,
            verified: if record.verified { Verified::Yes } else { Verified::No },
            role: role_of(&record.role)?,
            custom_role: record.custom_role.map(CustomRoleId),
            suspended: if record.suspended { Suspended::Yes } else { Suspended::No },
            existence: if record.live { Existence::Live } else { Existence::Deleted },
            texts: texts.collect::<Result<BTreeMap<Field, String>, Malformed>>()?,
            groups: record.groups.into_iter().map(GroupId).collect(),
            default_group: record.default_group.map(GroupId),
            tags: record.tags,
        })
    }
}

/// A value before or after.
#[derive(Serialize, Deserialize)]
pub(in crate::store) enum ValueRecord {
    None,
    Text(String),
    Set(BTreeSet<String>),
    Flag(bool),
}

impl Stored for FieldValue {
    type Record = ValueRecord;

    fn record(&self) -> ValueRecord {
        match self {
            Self::None => ValueRecord::None,
            Self::Text(text) => ValueRecord::Text(text.clone()),
            Self::Set(names) => ValueRecord::Set(names.clone()),
            Self::Flag(flag) => ValueRecord::Flag(*flag),
        }
    }

    fn restore(record: ValueRecord) -> Result<Self, Malformed> {
        Ok(match record {
            ValueRecord::None => Self::None,
            ValueRecord::Text(text) => Self::Text(text),
            ValueRecord::Set(names) => Self::Set(names),
            ValueRecord::Flag(flag) => Self::Flag(flag),
        })
    }
}

/// A deed. Fields are name, before, after.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct DeedRecord {
    cycle: String,
    seq: u64,
    time: Moment,
    actor: String,
    app: String,
    person: PersonRecord,
    account: Option<u64>,
    action: String,
    cause: String,
    undoes: Option<String>,
    email: String,
    name: String,
    dn: String,
    fields: Vec<(String, ValueRecord, ValueRecord)>,
    before: Option<ImageRecord>,
    left: Option<ImageRecord>,
    known_before: Option<AccountRecord>,
    known_after: Option<AccountRecord>,
    lasting: BTreeSet<String>,
    end: String,
}

impl Stored for Deed {
    type Record = DeedRecord;

    fn record(&self) -> DeedRecord {
        let field = |one: &DeedField| (one.field.clone(), one.before.record(), one.after.record());
        DeedRecord {
            cycle: self.cycle.as_str().to_owned(),
            seq: self.seq,
            time: Moment::of(self.time),
            actor: self.actor.clone(),
            app: self.app.as_str().to_owned(),
            person: self.person.record(),
            account: self.account.map(|id| id.0),
            action: self.action.as_str().to_owned(),
            cause: self.cause.as_str().to_owned(),
            undoes: self.undoes.as_ref().map(|cycle| cycle.as_str().to_owned()),
            email: self.email.as_str().to_owned(),
            name: self.name.clone(),
            dn: self.dn.as_str().to_owned(),
            fields: self.fields.iter().map(field).collect(),
            before: self.before.as_deref().map(Stored::record),
            left: self.left.as_deref().map(Stored::record),
            known_before: self.known_before.as_deref().map(Stored::record),
            known_after: self.known_after.as_deref().map(Stored::record),
            lasting: self.lasting.iter().map(|one| one.as_str().to_owned()).collect(),
            end: self.end.as_str().to_owned(),
        }
    }

    fn restore(record: DeedRecord) -> Result<Self, Malformed> {
        let field = |(field, before, after)| {
            Ok(DeedField { field, before: FieldValue::restore(before)?, after: FieldValue::restore(after)? })
        };
        let word = |what: &str, text: &str| Malformed(format!("{text:?} is no {what}"));
        let lasting = |text: &String| Lasting::parse(text).ok_or_else(|| word("lasting effect", text));
        Ok(Self {
            cycle: CycleId::from_text(&record.cycle),
            seq: record.seq,
            time: record.time.time()?,
            actor: record.actor,
            app: AppName::new(&record.app)?,
            person: PersonId::restore(record.person)?,
            account: record.account.map(AccountId),
            action: action_of(&record.action)?,
            cause: CauseCode::parse(&record.cause).ok_or_else(|| word("cause", &record.cause))?,
            undoes: record.undoes.as_deref().map(CycleId::from_text),
            email: Email::parse(&record.email)?,
            name: record.name,
            dn: Dn::parse(&record.dn)?,
            fields: record.fields.into_iter().map(field).collect::<Result<_, Malformed>>()?,
            before: record.before.map(ObservedAccount::restore).transpose()?.map(Box::new),
            left: record.left.map(ObservedAccount::restore).transpose()?.map(Box::new),
            known_before: record.known_before.map(KnownAccount::restore).transpose()?.map(Box::new),
            known_after: record.known_after.map(KnownAccount::restore).transpose()?.map(Box::new),
            lasting: record.lasting.iter().map(lasting).collect::<Result<_, Malformed>>()?,
            end: DeedEnd::parse(&record.end).ok_or_else(|| word("end", &record.end))?,
        })
    }
}

/// The key under which a deed lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct DeedKey(pub(in crate::store) Vec<u8>);

impl Stored for DeedKey {
    type Record = Vec<u8>;

    fn record(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn restore(record: Vec<u8>) -> Result<Self, Malformed> {
        Ok(Self(record))
    }
}

/// Cycle and number of deeds.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct DeedCycleRecord(String, u64);

impl Stored for DeedCycle {
    type Record = DeedCycleRecord;

    fn record(&self) -> DeedCycleRecord {
        DeedCycleRecord(self.cycle.as_str().to_owned(), self.deeds)
    }

    fn restore(record: DeedCycleRecord) -> Result<Self, Malformed> {
        Ok(Self { cycle: CycleId::from_text(&record.0), deeds: record.1 })
    }
}
