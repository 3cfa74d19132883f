//! The bytes on disk. When one of these changes, old stores can't be read any more: raise the version and keep a reader.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::{at, corp, cycle, entry, held, hold, intent, known, person};
use crate::domain::account::Standing;
use crate::domain::assignment::PinKey;
use crate::domain::id::Digest;
use crate::domain::scope::GroupSeen;
use crate::domain::server::Acquaintance;
use crate::engine::ports::{HoldState, Trouble};
use crate::store::records::{self, HoldHead, NotedIntent, Pinned, Stored};
use crate::store::sealed::{self, Tree};

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(40).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n").collect()
}

fn check<T: Stored + PartialEq + std::fmt::Debug>(value: T, expected: &Expect) {
    let bytes = records::write(&value).unwrap();
    assert_eq!(records::read::<T>(&bytes).unwrap(), value);
    expected.assert_eq(&hex(&bytes));
}

#[test]
fn the_bytes_of_an_account() {
    check(
        known(1),
        &expect![[r#"
            04636f727000000000000000010000000000000000e90761227569643d75312c6f753d70656f706c
            652c64633d6578616d706c652c64633d6f72670b416461204cc3b6776520310e7531406578616d70
            6c652e6f726701065469657220310205616c69617303416461056e6f74657300020742696c6c696e
            6707537570706f727401037669700108656e642d7573657202000000000000000700000000000000
            00000000000000000800000000000000000112537570706f727420e296b82054696572203101046d
            61696c0d75406578616d706c652e6f726701133230323631313233543135303231313030305a0101
            01010101010101010101010101010101010101010101010101010101010101010101010101010101
            010101010101010101010101010101010101010101010101
        "#]],
    );
}

#[test]
fn the_bytes_of_an_intent() {
    check(
        NotedIntent { noted: 5, intent: intent(2) },
        &expect![[r#"
            05133230323631313233543135303231313235305a02e8d5a2b00d959aef3a07737570706f727404
            636f727000000000000000020000000000000000000970726f766973696f6e090909090909090909
            0909090909090909090909090909090909090909090909012864697273796e632d30303030303030
            303030303030303032303030303030303030303030303030300f616461406578616d706c652e6f72
            6703416461127569643d6164612c64633d6578616d706c650104636f727000000000000000020000
            000000000000ea0761227569643d75322c6f753d70656f706c652c64633d6578616d706c652c6463
            3d6f72670b416461204cc3b6776520320e7532406578616d706c652e6f7267010654696572203102
            05616c69617303416461056e6f74657300020742696c6c696e6707537570706f7274010376697001
            08656e642d7573657202000000000000000700000000000000000000000000000008000000000000
            00000112537570706f727420e296b82054696572203101046d61696c0d75406578616d706c652e6f
            726701133230323631313233543135303231313030305a0102020202020202020202020202020202
            02020202020202020202020202020202010202020202020202020202020202020202020202020202
            020202020202020202
        "#]],
    );
}

#[test]
fn the_bytes_of_a_hold() {
    let at = at("2026-11-24T08:00:00Z");
    let bare = |state| HoldHead { hold: hold(1, state, 0), changes: 3 };
    check(
        bare(HoldState::Waiting),
        &expect![[r#"
        010101010101010101010101010101010101010101010101010101010101010107737570706f7274
        0b66697273745f6379636c652c746865206669727374206379636c65206f66207468697320617070
        20776169747320666f722061206c6f6f6be6d5a2b00d000003
    "#]],
    );
    check(
        bare(HoldState::Rejected { by: "root".into(), at }),
        &expect![[r#"
        010101010101010101010101010101010101010101010101010101010101010107737570706f7274
        0b66697273745f6379636c652c746865206669727374206379636c65206f66207468697320617070
        20776169747320666f722061206c6f6f6be6d5a2b00d000204726f6f748090aab00d0003
    "#]],
    );
    let digests = [Digest([1; 32])].into();
    check(
        bare(HoldState::Approved { by: "root".into(), at, digests }),
        &expect![[r#"
        010101010101010101010101010101010101010101010101010101010101010107737570706f7274
        0b66697273745f6379636c652c746865206669727374206379636c65206f66207468697320617070
        20776169747320666f722061206c6f6f6be6d5a2b00d000104726f6f748090aab00d000101010101
        0101010101010101010101010101010101010101010101010101010103
    "#]],
    );
    check(
        held(1),
        &expect![[r#"
        01010101010101010101010101010101010101010101010101010101010101010b646570726f7669
        73696f6e0f616461406578616d706c652e6f72670341646104636f72700000000000000001000000
        000000000001010c6f75745f6f665f73636f70650207537570706f727420666f756e642c20616e64
        20696e206e6f6e65206f66207468652067726f7570730118726f6c653a206167656e7420e2869220
        656e642d75736572
    "#]],
    );
}

#[test]
fn the_bytes_of_small_records() {
    check(
        person(1),
        &expect![[r#"
        04636f727000000000000000010000000000000000
    "#]],
    );
    let pin = PinKey { directory: corp(), text: "cn=support".into() };
    check(
        Pinned { pin, entry: entry(1) },
        &expect![[r#"
        04636f72700a636e3d737570706f727400000000000000010000000000000000
    "#]],
    );
    check(
        "ldap.example.org".to_owned(),
        &expect![[r#"
        106c6461702e6578616d706c652e6f7267
    "#]],
    );
    check(
        GroupSeen { name: "Support".into(), members: 300 },
        &expect![[r#"
        07537570706f7274ac02
    "#]],
    );
    check(
        Trouble { kind: "rejected".into(), text: "email: none".into() },
        &expect![[r#"
        0872656a65637465640b656d61696c3a206e6f6e65
    "#]],
    );
    check(
        cycle(1),
        &expect![[r#"
        076379636c652d31e6d5a2b00d00ecd5a2b00d80cab5ee0104000107737570706f72740102030405
        06076379636c652031
    "#]],
    );
    expect![[r#"
        01
    "#]]
    .assert_eq(&hex(&records::schema().unwrap()));
    expect![[r#"
        610101010101010101010101010101010101010101010101010101010101010101
    "#]]
    .assert_eq(&hex(&records::write_trace(Standing::Active, Some(&Digest([1; 32])))));
    expect![[r#"
        6f
    "#]]
    .assert_eq(&hex(&records::write_trace(Standing::SuspendedByOthers, None)));
}

#[test]
fn the_bytes_of_the_servers_of_a_directory() {
    check(
        Acquaintance {
            trees: BTreeMap::from([("dc=x".into(), Some("id".into())), ("dc=y".into(), None)]),
            last: "i1".into(),
            replicas: BTreeMap::from([("i1".into(), 300), ("i2".into(), 0)]),
            names: BTreeMap::from([("dc1".into(), "i1".into())]),
            csns: BTreeMap::from([(("dc=x".into(), "001".into()), "2026#".into())]),
        },
        &expect![[r#"
            020464633d78010269640464633d790002693102026931ac02026932000103646331026931010464
            633d7803303031053230323623
        "#]],
    );
}

#[test]
fn the_bytes_of_a_seal() {
    let sealed = sealed::seal(Tree::Meta, b"key", b"payload").unwrap();
    expect![[r#"
        010000c9c418647061796c6f6164
    "#]]
    .assert_eq(&hex(&sealed.first));
    let long = sealed::seal(Tree::Meta, b"key", &[7; 100_000]).unwrap();
    expect![[r#"
        0110007866444d
    "#]]
    .assert_eq(&hex(&long.first[..7]));
    assert_eq!(long.rest.iter().map(Vec::len).collect::<Vec<_>>(), [[6_144; 15].as_slice(), &[1_696]].concat());
}

#[test]
fn the_manifest_beside_the_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(super::open(dir.path()).unwrap());
    expect![[r#"{"format":1,"serial":1,"counts":{"meta":1},"digest":"726185e8ce75ad279d6b8e1ff758c594e42ce787b45e7a4aa46e2f9778e36acc","check":"91508c31"}"#]].assert_eq(&std::fs::read_to_string(dir.path().join("manifest.json")).unwrap());
}
