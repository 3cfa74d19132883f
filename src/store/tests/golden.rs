//! The bytes on disk. When one of these changes, old stores can't be read any more: raise the version and keep a reader.

use expect_test::{Expect, expect};

use super::{at, cycle, entry, held, hold, intent, known, person};
use crate::domain::account::Standing;
use crate::domain::id::Digest;
use crate::domain::scope::GroupSeen;
use crate::engine::ports::{HoldState, Trouble};
use crate::store::records::{self, HoldHead, NotedIntent, Stored};
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
    check(known(1), &expect![""]);
}

#[test]
fn the_bytes_of_an_intent() {
    check(NotedIntent { noted: 5, intent: intent(2) }, &expect![""]);
}

#[test]
fn the_bytes_of_a_hold() {
    let at = at("2026-11-24T08:00:00Z");
    let bare = |state| HoldHead { hold: hold(1, state, 0), changes: 3 };
    check(bare(HoldState::Waiting), &expect![""]);
    check(bare(HoldState::Rejected { by: "root".into(), at }), &expect![""]);
    let digests = [Digest([1; 32])].into();
    check(bare(HoldState::Approved { by: "root".into(), at, digests }), &expect![""]);
    check(held(1), &expect![""]);
}

#[test]
fn the_bytes_of_small_records() {
    check(person(1), &expect![""]);
    check(entry(1), &expect![""]);
    check("ldap.example.org".to_owned(), &expect![""]);
    check(GroupSeen { name: "Support".into(), members: 300 }, &expect![""]);
    check(Trouble { kind: "rejected".into(), text: "email: none".into() }, &expect![""]);
    check(cycle(1), &expect![""]);
    expect![""].assert_eq(&hex(&records::schema().unwrap()));
    expect![""].assert_eq(&hex(&records::write_trace(Standing::Active, Some(&Digest([1; 32])))));
    expect![""].assert_eq(&hex(&records::write_trace(Standing::SuspendedByOthers, None)));
}

#[test]
fn the_bytes_of_a_seal() {
    let sealed = sealed::seal(Tree::Meta, b"key", b"payload").unwrap();
    expect![""].assert_eq(&hex(&sealed.first));
    let long = sealed::seal(Tree::Meta, b"key", &[7; 100_000]).unwrap();
    expect![""].assert_eq(&hex(&long.first[..7]));
    assert_eq!(long.rest.iter().map(Vec::len).collect::<Vec<_>>(), [49_152, 1_696]);
}

#[test]
fn the_manifest_beside_the_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(super::open(dir.path()).unwrap());
    expect![""].assert_eq(&std::fs::read_to_string(dir.path().join("manifest.json")).unwrap());
}
