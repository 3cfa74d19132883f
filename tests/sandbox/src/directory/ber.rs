//! BER on top of `lber`: building response elements and taking request elements apart.
//!
//! It knows tags, not LDAP; messages are in `message`.

use lber::common::TagClass;
use lber::structure::{PL, StructureTag};

/// A request that can't be read; the server ends the connection (RFC 4511 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

fn primitive(class: TagClass, id: u64, bytes: Vec<u8>) -> StructureTag {
    StructureTag { class, id, payload: PL::P(bytes) }
}

fn constructed(class: TagClass, id: u64, inner: Vec<StructureTag>) -> StructureTag {
    StructureTag { class, id, payload: PL::C(inner) }
}

pub(super) fn octets(bytes: impl Into<Vec<u8>>) -> StructureTag {
    primitive(TagClass::Universal, 4, bytes.into())
}

pub(super) fn sequence(inner: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Universal, 16, inner)
}

pub(super) fn set(inner: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Universal, 17, inner)
}

pub(super) fn application(id: u64, inner: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Application, id, inner)
}

pub(super) fn context(id: u64, inner: Vec<StructureTag>) -> StructureTag {
    constructed(TagClass::Context, id, inner)
}

pub(super) fn context_octets(id: u64, bytes: impl Into<Vec<u8>>) -> StructureTag {
    primitive(TagClass::Context, id, bytes.into())
}

pub(super) fn integer(value: i64) -> StructureTag {
    primitive(TagClass::Universal, 2, two_complement(value))
}

pub(super) fn enumerated(value: u32) -> StructureTag {
    primitive(TagClass::Universal, 10, two_complement(i64::from(value)))
}

/// The shortest two's complement form. (lber's own `Integer` encodes some negatives wrongly.)
fn two_complement(value: i64) -> Vec<u8> {
    let all = value.to_be_bytes();
    let mut skip = 0;
    while skip < 7 {
        let redundant = match all[skip] {
            0x00 => all[skip + 1] & 0x80 == 0,
            0xff => all[skip + 1] & 0x80 != 0,
            _ => false,
        };
        if !redundant {
            break;
        }
        skip += 1;
    }
    all[skip..].to_vec()
}

/// Encodes one element.
pub(super) fn encode(tag: StructureTag) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    // Writing to memory can't fail; an empty frame would show at once in a test.
    if lber::write::encode_into(&mut out, tag).is_err() {
        return Vec::new();
    }
    out.to_vec()
}

/// The whole length of the first element in `buffer`, once its header is there.
pub(super) fn frame_length(buffer: &[u8]) -> Result<Option<usize>, Malformed> {
    /// What a request may weigh; slapd's sockbuf_max_incoming_auth is 4 MiB, an import may add more.
    const FRAME_MAX: usize = 64 << 20;
    if buffer.first().is_some_and(|&tag| tag != 0x30) {
        return Err(Malformed);
    }
    let Some(&first) = buffer.get(1) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some(2 + usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 8 {
        return Err(Malformed);
    }
    let Some(digits) = buffer.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0_usize, |sum, &byte| sum.saturating_mul(256).saturating_add(usize::from(byte)));
    if length > FRAME_MAX { Err(Malformed) } else { Ok(Some(2 + count + length)) }
}

/// Parses one whole element.
pub(super) fn decode(frame: &[u8]) -> Result<StructureTag, Malformed> {
    match lber::parse::parse_tag(frame) {
        Ok(([], tag)) => Ok(tag),
        Ok(_) | Err(_) => Err(Malformed),
    }
}

/// The elements of a constructed one, taken in order.
pub(super) struct Elements(std::iter::Peekable<std::vec::IntoIter<StructureTag>>);

impl Elements {
    pub(super) fn of(tag: StructureTag) -> Result<Self, Malformed> {
        match tag.payload {
            PL::C(inner) => Ok(Self(inner.into_iter().peekable())),
            PL::P(_) => Err(Malformed),
        }
    }

    pub(super) fn any(&mut self) -> Result<StructureTag, Malformed> {
        self.0.next().ok_or(Malformed)
    }

    pub(super) fn octets(&mut self) -> Result<Vec<u8>, Malformed> {
        bytes_of(self.any()?)
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.octets()?).map_err(|_| Malformed)
    }

    pub(super) fn number(&mut self) -> Result<i64, Malformed> {
        number_of(&self.octets()?)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.octets()?.first().is_some_and(|&byte| byte != 0))
    }

    pub(super) fn elements(&mut self) -> Result<Self, Malformed> {
        Self::of(self.any()?)
    }

    /// Takes the next element if it is context-tagged with this number.
    pub(super) fn context(&mut self, id: u64) -> Option<StructureTag> {
        self.0.next_if(|tag| tag.class == TagClass::Context && tag.id == id)
    }

    /// Takes the next element if it has this universal number.
    pub(super) fn universal(&mut self, id: u64) -> Option<StructureTag> {
        self.0.next_if(|tag| tag.class == TagClass::Universal && tag.id == id)
    }
}

impl Iterator for Elements {
    type Item = StructureTag;

    fn next(&mut self) -> Option<StructureTag> {
        self.0.next()
    }
}

pub(super) fn bytes_of(tag: StructureTag) -> Result<Vec<u8>, Malformed> {
    tag.expect_primitive().ok_or(Malformed)
}

pub(super) fn text_of(tag: StructureTag) -> Result<String, Malformed> {
    String::from_utf8(bytes_of(tag)?).map_err(|_| Malformed)
}

pub(super) fn number_of(bytes: &[u8]) -> Result<i64, Malformed> {
    if bytes.is_empty() || bytes.len() > 8 {
        return Err(Malformed);
    }
    let start = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    Ok(bytes.iter().fold(start, |sum: i64, &byte| (sum << 8) | i64::from(byte)))
}
