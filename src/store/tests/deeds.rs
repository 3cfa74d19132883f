//! Deeds: noted with the intent, completed with the settlement, found by cycle and by person, forgotten by cycles.

use std::collections::BTreeSet;

use expect_test::expect;
use tempfile::tempdir;

use super::{app, at, known, open, person, texts};
use crate::domain::account::{Existence, ObservedAccount, Suspended, Verified};
use crate::domain::assignment::Role;
use crate::domain::change::{Action, CauseCode, FieldValue};
use crate::domain::deed::{DEED_CYCLES_MAX, Deed, DeedEnd, DeedField, Lasting};
use crate::domain::dn::Dn;
use crate::domain::id::{AccountId, CustomRoleId, CycleId, Email, ExternalId, GroupId};
use crate::domain::mapping::Field;
use crate::engine::ports::{DeedLedger as _, Intent, Ledger as _, Settlement};
use crate::store::records::{self, Stored as _};

fn image(number: u64) -> ObservedAccount {
    let email = Email::parse(&format!("u{number}@example.org")).unwrap();
    ObservedAccount {
        id: AccountId(1_000 + number),
        external_id: Some(ExternalId::own(person(number).entry)),
        name: "Ada".into(),
        email: Some(email.clone()),
        emails: BTreeSet::from([email, Email::parse("alias@example.org").unwrap()]),
        verified: Verified::Yes,
        role: Role::Agent,
        custom_role: Some(CustomRoleId(21)),
        suspended: Suspended::No,
        existence: Existence::Live,
        texts: [(Field::Alias, "Ada".to_owned())].into(),
        groups: BTreeSet::from([GroupId(11), GroupId(12)]),
        default_group: Some(GroupId(12)),
        tags: texts(&["vip"]),
    }
}

fn deed(cycle: &str, seq: u64, number: u64) -> Deed {
    let left = ObservedAccount { suspended: Suspended::Yes, groups: BTreeSet::new(), ..image(number) };
    Deed {
        cycle: CycleId::from_text(cycle),
        seq,
        time: at("2026-11-23T15:02:12Z"),
        actor: "alice".into(),
        app: app("support"),
        person: person(number),
        account: Some(AccountId(1_000 + number)),
        action: Action::Deprovision,
        cause: CauseCode::Undone,
        undoes: Some(CycleId::from_text("earlier")),
        email: Email::parse("ada@example.org").unwrap(),
        name: "Ada".into(),
        dn: Dn::parse("uid=ada,dc=example").unwrap(),
        fields: vec![DeedField {
            field: "suspended".into(),
            before: FieldValue::Flag(false),
            after: FieldValue::Set(texts(&["a"])),
        }],
        before: Some(Box::new(image(number))),
        left: Some(Box::new(left)),
        known_before: Some(Box::new(known(number))),
        known_after: None,
        lasting: BTreeSet::from([Lasting::SessionsEnded]),
        end: DeedEnd::Begun,
    }
}

fn intent_of(deed: &Deed) -> Intent {
    let Deed { cycle, seq, person, .. } = deed.clone();
    Intent { cycle, person, ..Intent { seq, ..super::intent(seq) } }
}

#[test]
fn a_deed_reads_back_as_it_was_written_and_its_bytes_stay() {
    let whole = deed("20261123T150211000Z", 3, 1);
    let bytes = records::write(&whole).unwrap();
    assert_eq!(records::read::<Deed>(&bytes).unwrap(), whole);
    let bare = Deed { before: None, left: None, known_before: None, ..whole };
    assert_eq!(records::read::<Deed>(&records::write(&bare).unwrap()).unwrap(), bare);
    let hex: String = records::write(&bare).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    expect!["133230323631313233543135303231313030305a03e8d5a2b00d0005616c69636507737570706f727404636f72700000000000000001000000000000000001e9070b646570726f766973696f6e06756e646f6e6501076561726c6965720f616461406578616d706c652e6f726703416461127569643d6164612c64633d6578616d706c65010973757370656e64656403000201016100000000010e73657373696f6e735f656e64656405626567756e"].assert_eq(&hex);
    let image = postcard::to_stdvec(&image(1).record()).unwrap();
    let hex: String = image.iter().map(|byte| format!("{byte:02x}")).collect();
    expect!["e907012864697273796e632d303030303030303030303030303030313030303030303030303030303030303003416461010e7531406578616d706c652e6f72670211616c696173406578616d706c652e6f72670e7531406578616d706c652e6f726701056167656e74011500010105616c69617303416461020b0c010c0103766970"].assert_eq(&hex);
}

#[test]
fn a_deed_is_there_with_its_intent_and_complete_with_the_settlement() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let begun = deed("c1", 3, 1);
    ledger.begin(&intent_of(&begun), &begun).unwrap();
    drop(ledger);
    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.open_intents().unwrap().len(), 1);
    assert_eq!(ledger.deed(&begun.cycle, 3).unwrap(), Some(begun.clone()));
    let done = Deed { end: DeedEnd::Done, known_after: Some(Box::new(known(1))), ..begun.clone() };
    let settlement = Settlement::Known(Box::new(known(1)));
    ledger.finish(&intent_of(&begun), &settlement, Some(&done)).unwrap();
    drop(ledger);
    let ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.open_intents().unwrap(), []);
    assert_eq!(ledger.deeds(&begun.cycle).unwrap(), [done]);
    assert_eq!(ledger.known(&app("support"), &person(1)).unwrap(), Some(known(1)));
}

#[test]
fn a_persons_deeds_come_in_the_order_in_which_they_were_begun_whatever_the_clock_said() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    for (cycle, seq, number) in [("b", 1, 1), ("b", 2, 2), ("a", 1, 1), ("c", 1, 1)] {
        let one = deed(cycle, seq, number);
        ledger.begin(&intent_of(&one), &one).unwrap();
        ledger.finish(&intent_of(&one), &Settlement::Unchanged, Some(&one)).unwrap();
    }
    let cycles: Vec<String> =
        ledger.deeds_of(&app("support"), &person(1)).unwrap().iter().map(|one| one.cycle.to_string()).collect();
    assert_eq!(cycles, ["b", "a", "c"]);
    let kept: Vec<(String, u64)> =
        ledger.deed_cycles().unwrap().into_iter().map(|one| (one.cycle.to_string(), one.deeds)).collect();
    assert_eq!(kept, [("c".into(), 1), ("a".into(), 1), ("b".into(), 2)]);
}

#[test]
fn the_oldest_cycles_are_forgotten_and_leave_nothing_behind() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    for number in 0..DEED_CYCLES_MAX as u64 + 2 {
        let one = deed(&format!("c{number}"), 1, number % 3);
        ledger.begin(&intent_of(&one), &one).unwrap();
        ledger.finish(&intent_of(&one), &Settlement::Unchanged, Some(&one)).unwrap();
    }
    ledger.prune_deeds().unwrap();
    assert_eq!(ledger.deed_cycles().unwrap().len(), DEED_CYCLES_MAX);
    assert_eq!(ledger.deeds(&CycleId::from_text("c1")).unwrap(), []);
    assert_eq!(ledger.deeds(&CycleId::from_text("c2")).unwrap().len(), 1);
    let all: usize = (0..3).map(|number| ledger.deeds_of(&app("support"), &person(number)).unwrap().len()).sum();
    assert_eq!(all, DEED_CYCLES_MAX);
    drop(ledger);
    assert_eq!(open(dir.path()).unwrap().condition, super::super::Condition::Sound);
}
