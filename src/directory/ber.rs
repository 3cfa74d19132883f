//! Just enough BER (X.690, as RFC 4511 5.1 restricts it) to measure messages, and small readers for parsed ones.
//!
//! It doesn't build requests: those are ldap3's, but for StartTLS.

use lber::common::TagClass;
use lber::structure::{PL, StructureTag};

/// What a tag is: class and number in one byte, without the bit for constructed.
pub(super) mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// OCTET STRING.
    pub const OCTETS: u8 = 0x04;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// SEQUENCE.
    pub const SEQUENCE: u8 = 0x10;
    /// The class bits of an LDAP operation.
    pub const APPLICATION: u8 = 0x40;
    /// The class bits of a context-specific tag.
    pub const CONTEXT: u8 = 0x80;
}

/// Whether an element holds bytes or further elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Primitive,
    Constructed,
}

/// Why bytes aren't the BER that LDAP allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("a tag number of more than 30")]
    LongTag,
    #[error("an indefinite length")]
    Indefinite,
    #[error("a length of more than 4 bytes")]
    LongLength,
    #[error("an element longer than what holds it")]
    Overrun,
}

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) tag: u8,
    pub(super) form: Form,
    /// Bytes of the header.
    pub(super) header: usize,
    /// Bytes of the content.
    pub(super) length: usize,
}

/// Reads a header; none when there aren't enough bytes yet.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, Flaw> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first & 0x1f == 0x1f {
        return Err(Flaw::LongTag);
    }
    let form = if first & 0x20 == 0 { Form::Primitive } else { Form::Constructed };
    let tag = first & !0x20;
    let Some(&size) = bytes.get(1) else { return Ok(None) };
    if size < 0x80 {
        return Ok(Some(Head { tag, form, header: 2, length: usize::from(size) }));
    }
    // Longer length forms than needed are allowed: AD always sends five bytes.
    let count = usize::from(size & 0x7f);
    match count {
        0 => return Err(Flaw::Indefinite),
        1..=4 => {}
        5.. => return Err(Flaw::LongLength),
    }
    let Some(digits) = bytes.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0_usize, |sum, &byte| (sum << 8) | usize::from(byte));
    Ok(Some(Head { tag, form, header: 2 + count, length }))
}

/// One element inside another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) form: Form,
    pub(super) content: &'a [u8],
}

impl Element<'_> {
    /// Whether it is this tag in this form.
    pub(super) fn is(&self, tag: u8, form: Form) -> bool {
        self.tag == tag && self.form == form
    }

    /// Whether it is bytes under this tag.
    pub(super) fn is_octets(&self, tag: u8) -> bool {
        self.is(tag, Form::Primitive)
    }
}

/// Takes the elements of a content one by one.
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    /// The next element; none at the end.
    pub(super) fn take(&mut self) -> Result<Option<Element<'a>>, Flaw> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let head = head(self.0)?.ok_or(Flaw::Overrun)?;
        let end = head.header.checked_add(head.length).ok_or(Flaw::Overrun)?;
        let content = self.0.get(head.header..end).ok_or(Flaw::Overrun)?;
        self.0 = &self.0[end..];
        Ok(Some(Element { tag: head.tag, form: head.form, content }))
    }
}

/// A short non-negative INTEGER or ENUMERATED.
pub(super) fn small_number(content: &[u8]) -> Option<u32> {
    let negative = content.first().is_some_and(|first| first & 0x80 != 0);
    if content.is_empty() || content.len() > 4 || negative {
        return None;
    }
    Some(content.iter().fold(0, |sum, &byte| (sum << 8) | u32::from(byte)))
}

/// The elements of a parsed one; none when it holds bytes.
pub(super) fn parts(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

/// The bytes of a parsed OCTET STRING.
pub(super) fn octets(tag: StructureTag) -> Option<Vec<u8>> {
    let universal = tag.class == TagClass::Universal && tag.id == u64::from(tag::OCTETS);
    match tag.payload {
        PL::P(bytes) if universal => Some(bytes),
        PL::P(_) | PL::C(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_every_length_form() {
        for (bytes, header, length) in [
            (&[0x30, 0x03][..], 2, 3),
            (&[0x30, 0x81, 0x80], 3, 128),
            (&[0x30, 0x84, 0, 0, 0, 5], 6, 5),
            (&[0x30, 0x83, 0xff, 0xff, 0xff], 5, 0x00ff_ffff),
        ] {
            let head = head(bytes).unwrap().unwrap();
            assert_eq!((head.tag, head.form, head.header, head.length), (0x10, Form::Constructed, header, length));
        }
    }

    #[test]
    fn half_a_header_asks_for_more() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x82, 1]] {
            assert_eq!(head(bytes).unwrap(), None);
        }
    }

    #[test]
    fn forms_that_ldap_forbids_are_refused() {
        assert_eq!(head(&[0x30, 0x80]), Err(Flaw::Indefinite));
        assert_eq!(head(&[0x30, 0x85, 0, 0, 0, 0, 1]), Err(Flaw::LongLength));
        assert_eq!(head(&[0x3f, 0x81, 1]), Err(Flaw::LongTag));
        let mut inside = Elements(&[0x04, 0x05, b'a']);
        assert_eq!(inside.take().unwrap_err(), Flaw::Overrun);
    }

    #[test]
    fn numbers_are_small_and_not_negative() {
        assert_eq!(small_number(&[0x01, 0x00]), Some(256));
        for bad in [&[][..], &[0x80], &[0, 0, 0, 0, 1]] {
            assert_eq!(small_number(bad), None, "{bad:?}");
        }
    }
}
