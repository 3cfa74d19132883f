//! Search filters (RFC 4515), built with every value escaped; a name from the directory can't become syntax.

use std::fmt::Write as _;

use crate::domain::id::EntryId;
use crate::domain::settings::{DirectoryKind, DirectorySettings};

/// Everything that has an object class, which is everything.
pub(super) const ANYTHING: &str = "(objectClass=*)";

/// Whether a filter of the configuration can be sent.
///
/// # Errors
/// What is wrong with it, for the person who wrote it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    // ldap3 takes a bare `a=b` too, which can't be put inside another filter.
    if filter.starts_with('(') && ldap3::parse_filter(filter).is_ok() {
        return Ok(());
    }
    Err(format!("{filter:?} is no filter: it needs parentheses around each part, and no spaces between them"))
}

/// Escapes a value (RFC 4515, section 3). Bytes outside ASCII are escaped too, so that any byte can be looked for.
fn escape(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'*' | b'(' | b')' | b'\\' | 0..=0x1f | 0x7f.. => {
                // Writing to a String can't fail.
                let _ = write!(out, "\\{byte:02x}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// `(attribute=value)`.
pub(super) fn equals(attribute: &str, value: &[u8]) -> String {
    format!("({attribute}={})", escape(value))
}

/// Both.
pub(super) fn both(one: &str, other: &str) -> String {
    format!("(&{one}{other})")
}

/// Any of them.
pub(super) fn any(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        _ => format!("(|{})", parts.concat()),
    }
}

/// Whether an id attribute holds a GUID as AD stores it: 16 bytes with the first three parts turned (MS-DTYP 2.3.4.2).
pub(super) fn holds_guid(attribute: &str) -> bool {
    ["objectGUID", "mS-DS-ConsistencyGuid"].iter().any(|known| attribute.eq_ignore_ascii_case(known))
}

/// The entry with an id.
///
/// Where the attribute's syntax isn't known, both its forms are looked for: text, and 16 bytes.
pub(super) fn with_id(attribute: &str, id: EntryId) -> String {
    if holds_guid(attribute) {
        return equals(attribute, &id.to_object_guid());
    }
    if attribute.eq_ignore_ascii_case("entryUUID") {
        return equals(attribute, id.dashed().as_bytes());
    }
    if attribute.eq_ignore_ascii_case("nsUniqueId") {
        return equals(attribute, four_groups(id).as_bytes());
    }
    any(&[equals(attribute, id.dashed().as_bytes()), equals(attribute, id.as_bytes())])
}

/// The form of 389-ds: `xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx` (observed on 389-ds 2.3).
fn four_groups(id: EntryId) -> String {
    let plain = id.to_string();
    format!("{}-{}-{}-{}", &plain[..8], &plain[8..16], &plain[16..24], &plain[24..])
}

/// Groups of a name. AD has it in three attributes.
pub(super) fn group_named(settings: &DirectorySettings, name: &str) -> String {
    let attributes: &[&str] = match settings.kind {
        DirectoryKind::ActiveDirectory => &["cn", "sAMAccountName", "name"],
        DirectoryKind::OpenLdap | DirectoryKind::Generic => &["cn"],
    };
    let named: Vec<String> = attributes.iter().map(|attribute| equals(attribute, name.as_bytes())).collect();
    both(&settings.group_filter, &any(&named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_not_become_syntax() {
        assert_eq!(equals("cn", b"a*)(uid=\\\0"), r"(cn=a\2a\29\28uid=\5c\00)");
        assert_eq!(equals("cn", "ü".as_bytes()), r"(cn=\c3\bc)");
        for hostile in ["*", ")(objectClass=*", "\\", "a\nb", "cn=Grüppe\\, (odd)"] {
            assert_eq!(check_filter(&equals("cn", hostile.as_bytes())), Ok(()), "{hostile}");
        }
    }

    #[test]
    fn ids_are_looked_for_in_the_form_of_their_attribute() {
        let id = EntryId::parse("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert_eq!(with_id("entryUUID", id), "(entryUUID=00112233-4455-6677-8899-aabbccddeeff)");
        assert_eq!(with_id("nsuniqueid", id), "(nsuniqueid=00112233-44556677-8899aabb-ccddeeff)");
        assert!(with_id("objectGUID", id).starts_with("(objectGUID=3\"\\11\\00UDwf"), "{}", with_id("objectGUID", id));
        assert_eq!(check_filter(&with_id("employeeGuid", id)), Ok(()));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["", "cn=a", "(cn=a", "(& (cn=a))", "(cn=a**b)"] {
            assert!(check_filter(text).is_err(), "{text}");
        }
    }
}
