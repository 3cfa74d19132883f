//! What the wire may bring, and what becomes of it.

use lber::common::TagClass;
use proptest::prelude::*;

use super::*;

fn primitive(id: u64, bytes: &[u8]) -> StructureTag {
    StructureTag { class: TagClass::Universal, id, payload: PL::P(bytes.to_vec()) }
}

fn constructed(id: u64, parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Universal, id, payload: PL::C(parts) }
}

fn entry(dn: &[u8], attributes: &[(&[u8], &[&[u8]])]) -> StructureTag {
    let attributes = attributes.iter().map(|(kind, values)| {
        let values = values.iter().map(|value| primitive(4, value)).collect();
        constructed(16, vec![primitive(4, kind), constructed(17, values)])
    });
    StructureTag {
        class: TagClass::Application,
        id: 4,
        payload: PL::C(vec![primitive(4, dn), constructed(16, attributes.collect())]),
    }
}

const ID: [u8; 16] = [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

#[test]
fn an_entry_is_taken_apart_with_its_options() {
    let raw = RawEntry::take(entry(b"cn=a", &[(b"Member;range=0-1", &[b"x", b"y"]), (b"CN", &[b"a"])])).unwrap();
    assert_eq!(raw.values("cn"), Some(&[b"a".to_vec()][..]));
    assert_eq!(raw.values("member"), None);
    assert_eq!(raw.values("member;range=0-1").unwrap().len(), 2);
}

#[test]
fn what_has_no_shape_of_an_entry_is_refused_and_never_panics() {
    let reference =
        StructureTag { class: TagClass::Application, id: 19, payload: PL::C(vec![primitive(4, b"ldap://x")]) };
    let shapes = [
        reference,
        primitive(4, b"x"),
        constructed(4, vec![]),
        constructed(4, vec![primitive(4, b"cn=a")]),
        constructed(4, vec![primitive(4, b"cn=a"), primitive(4, b"x")]),
        constructed(4, vec![primitive(4, b"cn=a"), constructed(16, vec![primitive(4, b"x")])]),
        constructed(4, vec![primitive(2, b"cn=a"), constructed(16, vec![])]),
        constructed(4, vec![primitive(4, b"cn=a"), constructed(16, vec![]), primitive(4, b"x")]),
    ];
    for shape in shapes {
        assert!(RawEntry::take(shape.clone()).is_err(), "{shape:?}");
    }
}

#[test]
fn ids_are_read_in_each_of_their_forms() {
    let id = EntryId::from_bytes(ID);
    assert_eq!(entry_id("entryUUID", b"00112233-4455-6677-8899-aabbccddeeff"), Ok(id));
    assert_eq!(entry_id("nsUniqueId", b"00112233-44556677-8899aabb-ccddeeff"), Ok(id));
    assert_eq!(entry_id("employeeGuid", &ID), Ok(id));
    assert_eq!(entry_id("OBJECTGUID", &id.to_object_guid()), Ok(id));
    // Sixteen bytes that happen to be text are a GUID all the same.
    let text = *b"0123456789abcdef";
    assert_eq!(entry_id("mS-DS-ConsistencyGuid", &text), Ok(EntryId::from_object_guid(&text).unwrap()));
    for (attribute, value) in [("objectGUID", &b"short"[..]), ("entryUUID", b"alice"), ("entryUUID", b"")] {
        assert!(entry_id(attribute, value).is_err(), "{attribute}");
    }
}

#[test]
fn an_id_is_one_value() {
    let two = RawEntry::take(entry(b"cn=a", &[(b"entryUUID", &[&ID, &ID])])).unwrap();
    assert!(two.id("entryUUID").unwrap_err().contains("2 values"));
    let none = RawEntry::take(entry(b"cn=a", &[(b"entryUUID", &[])])).unwrap();
    assert!(none.id("entryUUID").unwrap_err().contains("missing"));
}

#[test]
fn limits_make_an_entry_unreadable_not_smaller() {
    let long = vec![b'x'; VALUE_BYTES_MAX + 1];
    for (bytes, readable) in [(&long[1..], true), (&long[..], false)] {
        let raw = RawEntry::take(entry(b"cn=a", &[(b"photo", &[bytes])])).unwrap();
        assert_eq!(raw.decode(EntryId::from_bytes(ID)).is_ok(), readable);
    }
    let many: Vec<Vec<u8>> = (0..=VALUES_MAX).map(|n| n.to_string().into_bytes()).collect();
    for (count, readable) in [(VALUES_MAX, true), (VALUES_MAX + 1, false)] {
        let values = many[..count].to_vec();
        let raw = RawEntry { dn: b"cn=a".to_vec(), attributes: vec![(b"mail".to_vec(), values)] };
        assert_eq!(raw.decode(EntryId::from_bytes(ID)).is_ok(), readable);
    }
}

#[test]
fn a_name_that_can_not_be_parsed_is_a_fault_of_that_entry() {
    for dn in [&b"\xff\xfe"[..], b"nonsense", b"cn=a,"] {
        let raw = RawEntry { dn: dn.to_vec(), attributes: Vec::new() };
        assert!(raw.decode(EntryId::from_bytes(ID)).is_err(), "{dn:?}");
    }
}

#[test]
fn a_sid_is_a_domain_and_a_number() {
    let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 2, 0, 0];
    assert_eq!(domain_and_rid(&sid), Some((&sid[..24], 513)));
    assert_eq!(domain_and_rid(&sid[..27]), None);
    assert_eq!(domain_and_rid(&[]), None);
}

proptest! {
    #[test]
    fn no_value_panics_the_decoder(dn in prop::collection::vec(any::<u8>(), 0..64),
                                   kind in prop::collection::vec(any::<u8>(), 0..16),
                                   value in prop::collection::vec(any::<u8>(), 0..64)) {
        let raw = RawEntry::take(entry(&dn, &[(&kind, &[&value])])).unwrap();
        let _ = raw.id("entryUUID");
        let _ = entry_id("objectGUID", &value);
        let _ = domain_and_rid(&value);
        let _ = raw.decode(EntryId::from_bytes(ID));
    }
}
