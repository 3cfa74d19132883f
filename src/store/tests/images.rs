//! Images, and configurations that were agreed to, in the store: kept over a restart, and read as they were written.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use tempfile::tempdir;

use super::{app, at, corp, entry, known, open, texts};
use crate::domain::account::{Catalog, KnownAccount, Standing};
use crate::domain::account_state::AccountState;
use crate::domain::dn::Dn;
use crate::domain::entry::{Attributes, Entry, GroupPath, GroupStep};
use crate::domain::id::{AccountId, CustomRoleId, Digest, DirectoryName, GroupId, PersonId};
use crate::domain::image::{ImageHead, Portrait};
use crate::domain::scope::{GroupSeen, Presence, Resolved};
use crate::engine::ports::{AcceptedLedger as _, ImageLedger as _, Ledger as _};
use crate::store::records;

fn head() -> ImageHead {
    ImageHead {
        taken: at("2026-11-23T15:02:11.5Z"),
        server: "dc1".into(),
        scope: Digest([3; 32]),
        attributes: texts(&["mail", "displayname"]),
        roots: BTreeMap::from([
            ("cn=a".into(), Resolved::Found(entry(7))),
            ("b".into(), Resolved::Missing),
            ("c".into(), Resolved::Ambiguous(vec!["cn=c,o=1".into(), "cn=c,o=2".into()])),
        ]),
        groups: BTreeMap::from([(entry(7), GroupSeen { name: "a".into(), members: 3 })]),
    }
}

fn dn() -> Dn {
    Dn::parse("uid=ada,dc=example").unwrap()
}

fn held(state: AccountState) -> Portrait {
    let attributes: Attributes = [("mail", "ada@example.org"), ("Mail", "b@example.org")].into_iter().collect();
    let step = |id, name: &str| GroupStep { id: entry(id), name: name.into() };
    Portrait::Held {
        entry: Entry { id: entry(1), dn: dn(), attributes },
        state,
        paths: vec![GroupPath(vec![step(7, "Support"), step(8, "Tier 1")])],
    }
}

/// One of every kind.
fn portraits() -> Vec<Portrait> {
    let since = at("2026-11-20T00:00:00Z");
    let looked_up = [
        Presence::Found { state: AccountState::Usable { until: None }, dn: dn(), held_by: vec!["Support".into()] },
        Presence::Outside { state: AccountState::Usable { until: None }, dn: dn(), held_by: vec!["Support".into()] },
        Presence::Tombstone,
        Presence::NotFound { named_by: vec!["Support".into()] },
    ];
    let groups = BTreeSet::from([entry(7), entry(8)]);
    vec![
        held(AccountState::Usable { until: Some(since) }),
        held(AccountState::Disabled { evidence: "userAccountControl 514".into() }),
        held(AccountState::Expired { since, evidence: "accountExpires".into() }),
        held(AccountState::Locked { evidence: "lockoutTime".into() }),
        held(AccountState::Unknown { why: "userAccountControl is missing".into() }),
        Portrait::Unreadable { why: "a value can't be decoded".into() },
        Portrait::LookedUp(looked_up.into_iter().map(|one| (groups.clone(), one)).collect()),
    ]
}

fn catalog() -> Catalog {
    Catalog {
        groups: BTreeMap::from([("Support".into(), BTreeSet::from([GroupId(11), GroupId(12)]))]),
        default_group: Some(GroupId(11)),
        custom_roles: BTreeMap::from([("Team lead".into(), BTreeSet::from([CustomRoleId(21)]))]),
        untouchable: BTreeMap::from([(AccountId(1), "the account owner"), (AccountId(2), "our own API user")]),
        active_admins: BTreeSet::from([AccountId(1)]),
    }
}

#[test]
fn an_image_outlives_a_restart_and_takes_changes_alone() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.image(&corp()).unwrap(), None);
    let all: Vec<_> = (1..).map(entry).zip(portraits()).collect();
    ledger.keep_image(&corp(), &head(), &all, &BTreeSet::new()).unwrap();
    ledger.keep_image(&DirectoryName::new("cor").unwrap(), &head(), &all[..1], &BTreeSet::new()).unwrap();
    ledger.keep_catalog(&app("support"), &catalog()).unwrap();
    drop(ledger);

    let mut ledger = open(dir.path()).unwrap().ledger;
    assert_eq!(ledger.image(&corp()).unwrap(), Some(head()));
    assert_eq!(ledger.portraits(&corp()).unwrap(), all.iter().cloned().collect());
    assert_eq!(ledger.catalog(&app("support")).unwrap(), Some(catalog()));
    assert_eq!(ledger.catalog(&app("sales")).unwrap(), None);
    let digests = ledger.portrait_digests(&corp()).unwrap();
    assert_eq!(digests, all.iter().map(|(id, one)| (*id, one.digest())).collect());
    assert_eq!(digests.values().collect::<BTreeSet<_>>().len(), all.len(), "each is told from the others");

    let serial = ledger.serial();
    ledger.keep_image(&corp(), &head(), &[], &BTreeSet::new()).unwrap();
    assert_eq!(ledger.serial(), serial, "what is as it was writes nothing");
    let later = ImageHead { taken: at("2026-11-23T15:17:11Z"), ..head() };
    let changed = [(entry(1), Portrait::Unreadable { why: "now".into() })];
    ledger.keep_image(&corp(), &later, &changed, &BTreeSet::from([entry(2), entry(99)])).unwrap();
    let now = ledger.portraits(&corp()).unwrap();
    assert_eq!((now.len(), &now[&entry(1)]), (all.len() - 1, &changed[0].1));
    assert_eq!(ledger.portrait_digests(&corp()).unwrap().len(), now.len());
    assert_eq!(ledger.portraits(&DirectoryName::new("cor").unwrap()).unwrap().len(), 1);
}

#[test]
fn what_was_agreed_to_is_kept_by_app() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    // Longer than one value of the store.
    let long = "# an edit\n".repeat(10_000);
    ledger.keep_accepted(&app("support"), "first").unwrap();
    ledger.keep_accepted(&app("sales"), "first").unwrap();
    ledger.keep_accepted(&app("support"), &long).unwrap();
    drop(ledger);
    let ledger = open(dir.path()).unwrap().ledger;
    let kept = BTreeMap::from([(app("sales"), "first".to_owned()), (app("support"), long)]);
    assert_eq!(ledger.accepted().unwrap(), kept);
}

#[test]
fn the_directories_and_populations_of_apps_are_known_whatever_is_configured() {
    let dir = tempdir().unwrap();
    let mut ledger = open(dir.path()).unwrap().ledger;
    let of = |directory: &str, number: u64| {
        let directory = DirectoryName::new(directory).unwrap();
        KnownAccount { person: PersonId { directory, entry: entry(number) }, ..known(number) }
    };
    let ended = KnownAccount { standing: Standing::SuspendedByUs, ..of("corp-2", 4) };
    ledger.remember(&app("support"), &[of("corp", 1), of("corp", u64::MAX - 5_000), of("corp.x", 3), ended]).unwrap();
    ledger.remember(&app("support2"), &[of("other", 5)]).unwrap();
    let named = |app_name: &str| -> Vec<String> {
        ledger.directories(&app(app_name)).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(named("support"), ["corp", "corp-2", "corp.x"]);
    assert_eq!(named("support2"), ["other"]);
    assert_eq!(named("suppor"), Vec::<String>::new());
    let populations = ledger.populations().unwrap();
    assert_eq!(populations, BTreeMap::from([(app("support"), 3), (app("support2"), 1)]));
}

fn bytes(payload: Vec<u8>) -> String {
    payload.chunks(40).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n").collect()
}

#[test]
fn the_bytes_of_an_image() {
    let check = |payload, expected: &Expect| expected.assert_eq(&bytes(payload));
    check(
        records::write(&head()).unwrap(),
        &expect![[r#"
        e6d5a2b00d80cab5ee01036463310303030303030303030303030303030303030303030303030303
        030303030303020b646973706c61796e616d65046d61696c030162010163020208636e3d632c6f3d
        3108636e3d632c6f3d3204636e3d6100000000000000000700000000000000000100000000000000
        070000000000000000016103
    "#]],
    );
    check(
        records::write(&catalog()).unwrap(),
        &expect![[r#"
        0107537570706f7274020b0c010b01095465616d206c6561640115020111746865206163636f756e
        74206f776e657202106f7572206f776e2041504920757365720101
    "#]],
    );
    let all: Vec<u8> = portraits().iter().flat_map(|one| records::write(one).unwrap()).collect();
    check(
        all,
        &expect![[r#"
            0000000000000000010000000000000000127569643d6164612c64633d6578616d706c6501046d61
            696c020f616461406578616d706c652e6f72670d62406578616d706c652e6f7267000180b6fcaf0d
            0001020000000000000007000000000000000007537570706f727400000000000000080000000000
            000000065469657220310000000000000000010000000000000000127569643d6164612c64633d65
            78616d706c6501046d61696c020f616461406578616d706c652e6f72670d62406578616d706c652e
            6f72670116757365724163636f756e74436f6e74726f6c2035313401020000000000000007000000
            000000000007537570706f7274000000000000000800000000000000000654696572203100000000
            00000000010000000000000000127569643d6164612c64633d6578616d706c6501046d61696c020f
            616461406578616d706c652e6f72670d62406578616d706c652e6f72670280b6fcaf0d000e616363
            6f756e744578706972657301020000000000000007000000000000000007537570706f7274000000
            00000000080000000000000000065469657220310000000000000000010000000000000000127569
            643d6164612c64633d6578616d706c6501046d61696c020f616461406578616d706c652e6f72670d
            62406578616d706c652e6f7267030b6c6f636b6f757454696d650102000000000000000700000000
            0000000007537570706f727400000000000000080000000000000000065469657220310000000000
            000000010000000000000000127569643d6164612c64633d6578616d706c6501046d61696c020f61
            6461406578616d706c652e6f72670d62406578616d706c652e6f7267041d757365724163636f756e
            74436f6e74726f6c206973206d697373696e67010200000000000000070000000000000000075375
            70706f727400000000000000080000000000000000065469657220310118612076616c7565206361
            6e2774206265206465636f6465640204020000000000000007000000000000000000000000000000
            080000000000000000000000127569643d6164612c64633d6578616d706c650107537570706f7274
            02000000000000000700000000000000000000000000000008000000000000000003000012756964
            3d6164612c64633d6578616d706c650107537570706f727402000000000000000700000000000000
            00000000000000000800000000000000000102000000000000000700000000000000000000000000
            0000080000000000000000020107537570706f7274
        "#]],
    );
}
