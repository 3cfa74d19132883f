//! Tests of the store: what is kept is kept, and what is damaged is noticed.

mod damage;
mod deeds;
mod golden;
mod images;
mod keeping;
mod leases;
mod restarts;
mod revising;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Opened, SledLedger};
use crate::domain::account::{KnownAccount, Standing, Written};
use crate::domain::assignment::{Role, RoleGrant};
use crate::domain::change::Action;
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, AppName, CycleId, Digest, DirectoryName, Email, EntryId, ExternalId, PersonId};
use crate::domain::mapping::Field;
use crate::engine::ports::{
    AppCounts, Completeness, CycleSummary, HeldChange, HoldRecord, HoldState, Intent, LedgerFault,
};

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn app(name: &str) -> AppName {
    AppName::new(name).unwrap()
}

pub(super) fn corp() -> DirectoryName {
    DirectoryName::new("corp").unwrap()
}

pub(super) fn entry(number: u64) -> EntryId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    EntryId::from_bytes(bytes)
}

pub(super) fn person(number: u64) -> PersonId {
    PersonId { directory: corp(), entry: entry(number) }
}

pub(super) fn texts(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

pub(super) fn known(number: u64) -> KnownAccount {
    KnownAccount {
        person: person(number),
        account: AccountId(1_000 + number),
        standing: Standing::Active,
        dn: Dn::parse(&format!("uid=u{number},ou=people,dc=example,dc=org")).unwrap(),
        written: Written {
            name: format!("Ada Löwe {number}"),
            email: Email::parse(&format!("u{number}@example.org")).unwrap(),
            role: RoleGrant::Custom("Tier 1".into()),
            texts: BTreeMap::from([(Field::Alias, "Ada".into()), (Field::Notes, String::new())]),
        },
        given_groups: texts(&["Support", "Billing"]),
        given_tags: texts(&["vip"]),
        adopted_role: Some(Role::EndUser),
        through: BTreeSet::from([entry(7), entry(8)]),
        group_paths: vec!["Support ▸ Tier 1".into()],
        chosen: BTreeMap::from([("mail".into(), "u@example.org".into())]),
        missed: Some(CycleId::from_text("20261123T150211000Z")),
        fingerprint: Some(Digest([number as u8; 32])),
        wish: Some(Digest([number as u8; 32])),
    }
}

pub(super) fn intent(seq: u64) -> Intent {
    Intent {
        cycle: CycleId::at(at("2026-11-23T15:02:11.250Z")),
        seq,
        time: at("2026-11-23T15:02:12.123456789Z"),
        app: app("support"),
        person: person(seq),
        account: None,
        action: Action::Provision,
        digest: Digest([9; 32]),
        external_id: Some(ExternalId::own(entry(seq))),
        email: Email::parse("ada@example.org").unwrap(),
        name: "Ada".into(),
        dn: Dn::parse("uid=ada,dc=example").unwrap(),
        outcome: Some(known(seq)),
    }
}

pub(super) fn held(number: u64) -> HeldChange {
    HeldChange {
        digest: Digest([number as u8; 32]),
        action: Action::Deprovision,
        user: "ada@example.org".into(),
        name: "Ada".into(),
        person: person(number),
        account: Some(AccountId(number)),
        cause: "out_of_scope".into(),
        why: vec!["Support".into(), "found, and in none of the groups".into()],
        fields: vec!["role: agent → end-user".into()],
    }
}

pub(super) fn hold(id: u8, state: HoldState, changes: u64) -> HoldRecord {
    HoldRecord {
        id: Digest([id; 32]),
        app: app("support"),
        code: "first_cycle".into(),
        reason: "the first cycle of this app waits for a look".into(),
        since: at("2026-11-23T15:02:11Z"),
        state,
        changes: (0..changes).map(held).collect(),
    }
}

pub(super) fn cycle(number: u32) -> CycleSummary {
    CycleSummary {
        cycle: CycleId::from_text(&format!("cycle-{number}")),
        began: at("2026-11-23T15:02:11Z"),
        ended: at("2026-11-23T15:02:14.5Z"),
        code: 4,
        complete: Completeness::Incomplete,
        apps: BTreeMap::from([(
            app("support"),
            AppCounts { done: 1, failed: 2, held: 3, rejected: 4, conflicts: 5, population: 6 },
        )]),
        text: format!("cycle {number}"),
    }
}

pub(super) fn open(dir: &Path) -> Result<Opened, LedgerFault> {
    SledLedger::open(dir)
}

/// Copies a state directory, as a crash at this moment would leave it.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for one in fs::read_dir(from).unwrap() {
        let one = one.unwrap();
        let target = to.join(one.file_name());
        if one.file_type().unwrap().is_dir() {
            copy(&one.path(), &target);
        } else {
            fs::copy(one.path(), target).unwrap();
        }
    }
}
