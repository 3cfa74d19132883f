//! What is put into the ledger comes out of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tempfile::tempdir;

use super::{app, at, corp, cycle, entry, held, hold, intent, known, open, person};
use crate::domain::account::{KnownAccount, Standing};
use crate::domain::assignment::PinKey;
use crate::domain::brake::Experience;
use crate::domain::id::{AccountId, Digest, DirectoryName};
use crate::domain::mapping::Field;
use crate::domain::scope::GroupSeen;
use crate::engine::ports::{HoldState, Ledger as _, LedgerFault, Settlement, Trouble};
use crate::store::records;

#[test]
fn an_account_is_known_traced_owned_and_counted() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    let leaver = KnownAccount { standing: Standing::SuspendedByUs, fingerprint: None, ..known(2) };
    ledger.remember(&support, &[known(300), leaver.clone(), known(1)]).unwrap();
    ledger.remember(&app("support2"), &[known(5)]).unwrap();

    assert_eq!(ledger.known(&support, &person(300)).unwrap(), Some(known(300)));
    assert_eq!(ledger.known(&support, &person(2)).unwrap(), Some(leaver));
    assert_eq!(ledger.known(&support, &person(5)).unwrap(), None);
    assert_eq!(ledger.owner(&support, AccountId(1_001)).unwrap(), Some(person(1)));
    assert_eq!(ledger.owner(&support, AccountId(1_005)).unwrap(), None);
    let traces = ledger.traces(&support, &corp()).unwrap();
    assert_eq!(traces.iter().map(|trace| trace.entry).collect::<Vec<_>>(), [entry(1), entry(2), entry(300)]);
    assert_eq!(traces[1].fingerprint, None);
    assert_eq!(traces[1].standing, Standing::SuspendedByUs);
    assert_eq!(traces[0].fingerprint, Some(Digest([1; 32])));
    assert_eq!(ledger.traces(&support, &DirectoryName::new("cor").unwrap()).unwrap(), []);
    assert_eq!(ledger.app_standing(&support).unwrap().population, 2);
    assert_eq!(ledger.app_standing(&app("support2")).unwrap().population, 1);
    assert_eq!(ledger.app_standing(&app("other")).unwrap().population, 0);
}

#[test]
fn the_population_follows_each_step_and_is_counted_again_at_a_start() {
    let dir = tempdir().unwrap();
    let support = app("support");
    let mut ledger = open(dir.path()).unwrap().ledger;
    ledger.remember(&support, &(0..10).map(known).collect::<Vec<_>>()).unwrap();
    ledger.remember(&support, &[KnownAccount { standing: Standing::Downgraded, ..known(3) }]).unwrap();
    let gone = intent(4);
    ledger.intend(&gone).unwrap();
    ledger.settle(&gone, &Settlement::Forgotten).unwrap();
    ledger.remember(&support, &[known(5)]).unwrap();
    assert_eq!(ledger.app_standing(&support).unwrap().population, 8);

    let copied = tempdir().unwrap();
    super::copy(dir.path(), copied.path());
    assert_eq!(open(copied.path()).unwrap().ledger.app_standing(&support).unwrap().population, 8);
}

#[test]
fn two_people_may_change_accounts_with_each_other_in_one_step() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    ledger.remember(&support, &[known(1), known(2), known(3)]).unwrap();
    let swapped = [
        KnownAccount { account: AccountId(1_002), ..known(1) },
        KnownAccount { account: AccountId(1_001), ..known(2) },
        KnownAccount { account: AccountId(1_009), ..known(3) },
    ];
    ledger.remember(&support, &swapped).unwrap();
    assert_eq!(ledger.owner(&support, AccountId(1_001)).unwrap(), Some(person(2)));
    assert_eq!(ledger.owner(&support, AccountId(1_002)).unwrap(), Some(person(1)));
    assert_eq!(ledger.owner(&support, AccountId(1_003)).unwrap(), None);
    assert_eq!(ledger.owner(&support, AccountId(1_009)).unwrap(), Some(person(3)));
}

#[test]
fn intents_come_back_in_the_order_in_which_they_were_noted() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    for seq in [9, 1, 300, 4] {
        ledger.intend(&intent(seq)).unwrap();
    }
    ledger.intend(&intent(300)).unwrap();
    ledger.settle(&intent(4), &Settlement::Unchanged).unwrap();
    assert_eq!(ledger.open_intents().unwrap(), [intent(9), intent(1), intent(300)]);
    let other = crate::engine::ports::Intent { name: "Eve".into(), ..intent(1) };
    assert!(matches!(ledger.intend(&other), Err(LedgerFault::Damaged(_))));
    assert_eq!(ledger.open_intents().unwrap().len(), 3);
}

#[test]
fn a_settlement_ends_the_intent_and_keeps_what_is_known() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    ledger.intend(&intent(1)).unwrap();
    assert_eq!(ledger.known(&support, &person(1)).unwrap(), None);
    let serial = ledger.serial();
    ledger.settle(&intent(1), &Settlement::Known(Box::new(known(1)))).unwrap();
    assert_eq!(ledger.serial(), serial + 1);
    assert_eq!(ledger.open_intents().unwrap(), []);
    assert_eq!(ledger.known(&support, &person(1)).unwrap(), Some(known(1)));

    ledger.intend(&intent(1)).unwrap();
    ledger.settle(&intent(1), &Settlement::Forgotten).unwrap();
    assert_eq!(ledger.known(&support, &person(1)).unwrap(), None);
    assert_eq!(ledger.owner(&support, AccountId(1_001)).unwrap(), None);
    assert_eq!(ledger.traces(&support, &corp()).unwrap(), []);
}

#[test]
fn pins_groups_and_troubles_come_back() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let key = |text: &str| PinKey { directory: corp(), text: text.into() };
    ledger.pin(&BTreeMap::from([(key("cn=support,dc=x"), entry(1))])).unwrap();
    ledger.pin(&BTreeMap::from([(key("guid:1"), entry(2)), (key("cn=support,dc=x"), entry(3))])).unwrap();
    assert_eq!(ledger.pins().unwrap(), BTreeMap::from([(key("cn=support,dc=x"), entry(3)), (key("guid:1"), entry(2))]));

    let seen = |members| GroupSeen { name: "Support".into(), members };
    let other = DirectoryName::new("corp-2").unwrap();
    ledger.keep_groups(&other, &BTreeMap::from([(entry(9), seen(9))])).unwrap();
    ledger.keep_groups(&corp(), &BTreeMap::from([(entry(1), seen(1)), (entry(2), seen(2))])).unwrap();
    let second = BTreeMap::from([(entry(2), seen(20)), (entry(3), seen(3))]);
    ledger.keep_groups(&corp(), &second).unwrap();
    assert_eq!(ledger.groups(&corp()).unwrap(), second);
    assert_eq!(ledger.groups(&other).unwrap().len(), 1);

    let trouble = |text: &str| Trouble { kind: "rejected".into(), text: text.into() };
    let first = BTreeMap::from([(person(1), trouble("a")), (person(2), trouble("b"))]);
    ledger.keep_troubles(&app("support"), &first).unwrap();
    ledger.keep_troubles(&app("other"), &first).unwrap();
    let second = BTreeMap::from([(person(2), trouble("c"))]);
    ledger.keep_troubles(&app("support"), &second).unwrap();
    assert_eq!(ledger.troubles(&app("support")).unwrap(), second);
    assert_eq!(ledger.troubles(&app("other")).unwrap(), first);
}

#[test]
fn holds_come_back_with_every_change_and_are_replaced_app_by_app() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let at = at("2026-11-24T08:00:00Z");
    let approved = HoldState::Approved {
        by: "root (0)".into(),
        at,
        digests: (0..20_000_u32)
            .map(|number| {
                let mut bytes = [0; 32];
                bytes[..4].copy_from_slice(&number.to_be_bytes());
                Digest(bytes)
            })
            .collect(),
    };
    let first = [hold(1, approved, 3), hold(2, HoldState::Waiting, 300)];
    ledger.keep_holds(&app("support"), &first).unwrap();
    assert_eq!(ledger.holds().unwrap(), first);

    let mut elsewhere = hold(7, HoldState::Waiting, 1);
    elsewhere.app = app("other");
    ledger.keep_holds(&app("other"), std::slice::from_ref(&elsewhere)).unwrap();
    let second = [hold(1, HoldState::Rejected { by: "eve".into(), at }, 2)];
    ledger.keep_holds(&app("support"), &second).unwrap();
    assert_eq!(ledger.holds().unwrap(), [elsewhere, second[0].clone()]);
    ledger.keep_holds(&app("support"), &[]).unwrap();
    assert_eq!(ledger.holds().unwrap().len(), 1);
}

#[test]
fn only_the_last_thousand_cycles_are_kept() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    for number in 0..1_003 {
        ledger.end_cycle(&cycle(number)).unwrap();
    }
    let last = ledger.last_cycles(2).unwrap();
    assert_eq!(last, [cycle(1_002), cycle(1_001)]);
    let all = ledger.last_cycles(5_000).unwrap();
    assert_eq!(all.len(), 1_000);
    assert_eq!(all[999], cycle(3));
}

#[test]
fn a_name_stays_bound_to_what_it_was_first_bound_to() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    ledger.bind("app:support", "acme").unwrap();
    let serial = ledger.serial();
    ledger.bind("app:support", "acme").unwrap();
    assert_eq!(ledger.serial(), serial);
    let fault = ledger.bind("app:support", "acme-sandbox").unwrap_err();
    assert_eq!(fault.to_string(), "the store belongs to app:support acme, not to app:support acme-sandbox");
}

#[test]
fn an_app_is_new_until_it_is_accepted() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.app_standing(&app("support")).unwrap().experience, Experience::First);
    ledger.accept(&app("support")).unwrap();
    assert_eq!(ledger.app_standing(&app("support")).unwrap().experience, Experience::Settled);
    assert_eq!(ledger.app_standing(&app("support2")).unwrap().experience, Experience::First);
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    ledger.remember(&support, &[known(1)]).unwrap();
    ledger.keep_holds(&support, &[hold(1, HoldState::Waiting, 5)]).unwrap();
    let serial = ledger.serial();
    ledger.remember(&support, &[known(1)]).unwrap();
    ledger.keep_holds(&support, &[hold(1, HoldState::Waiting, 5)]).unwrap();
    ledger.keep_groups(&corp(), &BTreeMap::new()).unwrap();
    ledger.keep_troubles(&support, &BTreeMap::new()).unwrap();
    ledger.settle(&intent(1), &Settlement::Unchanged).unwrap();
    assert_eq!(ledger.serial(), serial);
}

#[test]
fn values_of_any_length_come_back_whole_and_leave_nothing_behind() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    let mut long = known(1);
    for (field, letter) in [(Field::Notes, "n"), (Field::Details, "d"), (Field::Signature, "s"), (Field::Alias, "ä")] {
        long.written.texts.insert(field, letter.repeat(60_000));
    }
    ledger.remember(&support, std::slice::from_ref(&long)).unwrap();
    assert_eq!(ledger.known(&support, &person(1)).unwrap(), Some(long.clone()));
    let mut change = held(1);
    change.fields = vec!["x".repeat(200_000)];
    let mut one = hold(1, HoldState::Waiting, 0);
    one.changes = vec![change];
    ledger.keep_holds(&support, std::slice::from_ref(&one)).unwrap();
    assert_eq!(ledger.holds().unwrap(), [one]);

    long.written.texts.clear();
    ledger.remember(&support, std::slice::from_ref(&long)).unwrap();
    ledger.keep_holds(&support, &[]).unwrap();
    assert_eq!(ledger.known(&support, &person(1)).unwrap(), Some(long));
    let copied = tempdir().unwrap();
    super::copy(dir.path(), copied.path());
    let manifest = std::fs::read_to_string(copied.path().join("manifest.json")).unwrap();
    assert!(!manifest.contains("parts"), "{manifest}");
    assert!(std::fs::read_dir(copied.path().join("store/blobs")).unwrap().next().is_none());
}

#[test]
fn a_hundred_thousand_accounts_are_scanned() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let support = app("support");
    let all: Vec<KnownAccount> = (0..100_000).map(known).collect();
    let began = tokio::time::Instant::now();
    ledger.remember(&support, &all).unwrap();
    let kept = began.elapsed();
    let began = tokio::time::Instant::now();
    let traces = ledger.traces(&support, &corp()).unwrap();
    eprintln!("100,000 accounts: kept in {kept:?}, scanned in {:?}", began.elapsed());
    assert_eq!(traces.len(), 100_000);
    assert!(traces.is_sorted_by(|a, b| a.entry < b.entry));
    drop(ledger);
    let copied = tempdir().unwrap();
    super::copy(dir.path(), copied.path());
    let began = tokio::time::Instant::now();
    let ledger = open(copied.path()).unwrap().ledger;
    eprintln!("opened and looked through in {:?}", began.elapsed());
    assert_eq!(ledger.app_standing(&support).unwrap().population, 100_000);
}

proptest! {
    #[test]
    fn any_account_reads_back_as_it_was_written(
        number in any::<u64>(),
        name in ".*",
        local in "[a-zà-žA-Z\u{300}-\u{33f}]{1,12}",
        notes in proptest::option::of(".{0,40}"),
        groups in proptest::collection::btree_set(".*", 0..4),
        paths in proptest::collection::vec(".*", 0..4),
        fingerprint in proptest::option::of(any::<[u8; 32]>()),
    ) {
        let mut account = KnownAccount { account: AccountId(number), ..known(number) };
        account.written.name = name;
        if let Ok(email) = crate::domain::id::Email::parse(&format!("{local}@example.org")) {
            account.written.email = email;
        }
        account.written.texts = notes.into_iter().map(|text| (Field::Notes, text)).collect();
        account.given_groups = groups;
        account.given_tags = BTreeSet::new();
        account.group_paths = paths;
        account.fingerprint = fingerprint.map(Digest);
        account.missed = None;
        let bytes = records::write(&account).unwrap();
        prop_assert_eq!(records::read::<KnownAccount>(&bytes).unwrap(), account);
    }
}
