//! Entries from the wire: every value is whatever the server chose to send.
//!
//! ldap3's `SearchEntry::construct` isn't used: it panics on references, on names that aren't UTF-8, and sorts a binary
//! attribute by what its bytes happen to be. Nothing is decided here about who is wanted.

use lber::structure::{PL, StructureTag};

use super::ber::{octets, parts};
use super::filter::holds_guid;
use crate::domain::dn::Dn;
use crate::domain::entry::{Attributes, Entry};
use crate::domain::id::EntryId;

/// Longest value of an entry, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Most values of one attribute of an entry.
pub(super) const VALUES_MAX: usize = 10_000;

/// Most attributes of an entry.
pub(super) const ATTRIBUTES_MAX: usize = 1_000;

const SHAPE: &str = "the server sent an entry that is none";

/// An entry as it came: bytes, with attribute types as the server spelled them, options included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawEntry {
    pub(super) dn: Vec<u8>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

/// The DN of an entry that is still as it was parsed.
pub(super) fn dn_bytes(entry: &StructureTag) -> Result<&[u8], String> {
    let PL::C(parts) = &entry.payload else { return Err(SHAPE.to_owned()) };
    match parts.first().map(|dn| &dn.payload) {
        Some(PL::P(dn)) => Ok(dn),
        Some(PL::C(_)) | None => Err(SHAPE.to_owned()),
    }
}

/// The values of an attribute of an entry that is still as it was parsed; none when it hasn't got it.
pub(super) fn peek<'a>(entry: &'a StructureTag, attribute: &str) -> Option<&'a [StructureTag]> {
    let PL::C(entry) = &entry.payload else { return None };
    let PL::C(attributes) = &entry.get(1)?.payload else { return None };
    attributes.iter().find_map(|one| {
        let PL::C(pair) = &one.payload else { return None };
        match (&pair.first()?.payload, &pair.get(1)?.payload) {
            (PL::P(kind), PL::C(values)) if kind.eq_ignore_ascii_case(attribute.as_bytes()) => Some(values.as_slice()),
            _ => None,
        }
    })
}

/// The bytes of a value that is still as it was parsed.
pub(super) fn peek_bytes(value: &StructureTag) -> &[u8] {
    match &value.payload {
        PL::P(bytes) => bytes,
        PL::C(_) => &[],
    }
}

impl RawEntry {
    /// Takes a parsed SearchResultEntry (RFC 4511 4.5.2) apart, without copying.
    ///
    /// # Errors
    /// When it has another shape: then nothing of the answer can be trusted.
    pub(super) fn take(entry: StructureTag) -> Result<Self, String> {
        Self::try_take(entry).ok_or_else(|| SHAPE.to_owned())
    }

    fn try_take(entry: StructureTag) -> Option<Self> {
        let mut entry = parts(entry)?.into_iter();
        let dn = octets(entry.next()?)?;
        let mut attributes = Vec::new();
        for attribute in parts(entry.next()?)? {
            let mut pair = parts(attribute)?.into_iter();
            let kind = octets(pair.next()?)?;
            let values = parts(pair.next()?)?.into_iter().map(octets).collect::<Option<Vec<_>>>()?;
            if pair.next().is_some() {
                return None;
            }
            attributes.push((kind, values));
        }
        entry.next().is_none().then_some(Self { dn, attributes })
    }

    /// The values of an attribute without options; none when the entry hasn't got it.
    pub(super) fn values(&self, attribute: &str) -> Option<&[Vec<u8>]> {
        let found = self.attributes.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(attribute.as_bytes()));
        found.map(|(_, values)| values.as_slice())
    }

    /// The first value of an attribute as text.
    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        self.values(attribute)?.first().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of an attribute that are text.
    pub(super) fn texts(&self, attribute: &str) -> Vec<String> {
        let values = self.values(attribute).unwrap_or_default();
        values.iter().filter_map(|value| String::from_utf8(value.clone()).ok()).collect()
    }

    /// Where the entry is.
    ///
    /// # Errors
    /// When its name can't be parsed; the text says why.
    pub(super) fn dn(&self) -> Result<Dn, String> {
        let text = std::str::from_utf8(&self.dn).map_err(|_| "the entry's DN isn't UTF-8".to_owned())?;
        Dn::parse(text).map_err(|why| why.to_string())
    }

    /// The immutable id.
    ///
    /// # Errors
    /// When the attribute is missing or isn't one id; the text says what.
    pub(super) fn id(&self, attribute: &str) -> Result<EntryId, String> {
        match self.values(attribute) {
            None | Some([]) => Err(format!("{attribute} is missing, or may not be read")),
            Some([value]) => entry_id(attribute, value),
            Some(values) => Err(format!("{attribute} has {} values instead of one", values.len())),
        }
    }

    /// The entry as the rest of the product knows it.
    ///
    /// # Errors
    /// When a limit is passed or something that must be there isn't.
    pub(super) fn decode(self, id: EntryId) -> Result<Entry, String> {
        let dn = self.dn()?;
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("the entry has {} attributes, more than {ATTRIBUTES_MAX}", self.attributes.len()));
        }
        let mut attributes = Attributes::new();
        for (kind, values) in self.attributes {
            let kind = String::from_utf8(kind).map_err(|_| "an attribute type isn't UTF-8".to_owned())?;
            if values.len() > VALUES_MAX {
                return Err(format!("{kind} has {} values, more than {VALUES_MAX}", values.len()));
            }
            if let Some(long) = values.iter().find(|value| value.len() > VALUE_BYTES_MAX) {
                return Err(format!("{kind} has a value of {} bytes, more than {VALUE_BYTES_MAX}", long.len()));
            }
            attributes.insert(&kind, values);
        }
        Ok(Entry { id, dn, attributes })
    }
}

/// Reads an immutable id: a GUID of AD by the attribute's name, else a UUID as text, else 16 bytes in printed order.
///
/// # Errors
/// When it is neither.
pub(super) fn entry_id(attribute: &str, value: &[u8]) -> Result<EntryId, String> {
    let told = |why: &dyn std::fmt::Display| format!("{attribute}: {why}");
    if holds_guid(attribute) {
        return EntryId::from_object_guid(value).map_err(|why| told(&why));
    }
    if let Some(id) = std::str::from_utf8(value).ok().and_then(|text| EntryId::parse(text).ok()) {
        return Ok(id);
    }
    let bytes: Result<[u8; 16], _> = value.try_into();
    bytes.map(EntryId::from_bytes).map_err(|_| told(&"the value is neither a UUID nor 16 bytes"))
}

/// A security identifier taken apart (MS-DTYP 2.4.2.2): the domain's bytes, and the last number, the RID.
pub(super) fn domain_and_rid(sid: &[u8]) -> Option<(&[u8], u32)> {
    const HEADER: usize = 8;
    let count = usize::from(*sid.get(1)?);
    if sid.first() != Some(&1) || count < 2 || sid.len() != HEADER + 4 * count {
        return None;
    }
    let (domain, rid) = sid.split_last_chunk::<4>()?;
    // The count of numbers is of the whole: two SIDs of one domain have the same.
    Some((domain, u32::from_le_bytes(*rid)))
}

#[cfg(test)]
mod tests;
