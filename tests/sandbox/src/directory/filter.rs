//! Search filters (RFC 4511 4.5.1.7): decoded, and written as text (RFC 4515) for the log.
//!
//! Evaluation is in `matching`.

use lber::common::TagClass;
use lber::structure::StructureTag;

use super::ber::{self, Elements, Malformed};
use super::message::is_constructed;

/// One piece of a substring pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Initial(Vec<u8>),
    Any(Vec<u8>),
    Final(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    Substrings(String, Vec<Piece>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Approx(String, Vec<u8>),
    Extensible { rule: Option<String>, attribute: Option<String>, value: Vec<u8>, dn_attributes: bool },
}

/// How deep a filter may nest.
const DEPTH_MAX: usize = 100;

impl Filter {
    pub(super) fn decode(tag: StructureTag) -> Result<Self, Malformed> {
        decode(tag, DEPTH_MAX)
    }

    /// The filter as RFC 4515 text.
    pub(super) fn text(&self) -> String {
        let list = |inner: &[Self]| inner.iter().map(Self::text).collect::<String>();
        match self {
            Self::And(inner) => format!("(&{})", list(inner)),
            Self::Or(inner) => format!("(|{})", list(inner)),
            Self::Not(inner) => format!("(!{})", inner.text()),
            Self::Equal(name, value) => format!("({name}={})", escape(value)),
            Self::AtLeast(name, value) => format!("({name}>={})", escape(value)),
            Self::AtMost(name, value) => format!("({name}<={})", escape(value)),
            Self::Approx(name, value) => format!("({name}~={})", escape(value)),
            Self::Present(name) => format!("({name}=*)"),
            Self::Substrings(name, pieces) => {
                let mut text = format!("({name}=");
                for piece in pieces {
                    match piece {
                        Piece::Initial(value) => text.push_str(&escape(value)),
                        Piece::Any(value) | Piece::Final(value) => text.push_str(&format!("*{}", escape(value))),
                    }
                }
                if !matches!(pieces.last(), Some(Piece::Final(_))) {
                    text.push('*');
                }
                text.push(')');
                text
            }
            Self::Extensible { rule, attribute, value, dn_attributes } => format!(
                "({}{}{}:={})",
                attribute.as_deref().unwrap_or_default(),
                if *dn_attributes { ":dn" } else { "" },
                rule.as_deref().map(|rule| format!(":{rule}")).unwrap_or_default(),
                escape(value)
            ),
        }
    }
}

fn decode(tag: StructureTag, depth: usize) -> Result<Filter, Malformed> {
    if tag.class != TagClass::Context || depth == 0 {
        return Err(Malformed);
    }
    let inner = |tag| Elements::of(tag)?.map(|tag| decode(tag, depth - 1)).collect::<Result<Vec<_>, _>>();
    match tag.id {
        0 => Ok(Filter::And(inner(tag)?)),
        1 => Ok(Filter::Or(inner(tag)?)),
        2 => Ok(Filter::Not(Box::new(decode(Elements::of(tag)?.any()?, depth - 1)?))),
        3 => pair(tag).map(|(name, value)| Filter::Equal(name, value)),
        4 => substrings(tag),
        5 => pair(tag).map(|(name, value)| Filter::AtLeast(name, value)),
        6 => pair(tag).map(|(name, value)| Filter::AtMost(name, value)),
        7 if !is_constructed(&tag) => Ok(Filter::Present(ber::text_of(tag)?)),
        8 => pair(tag).map(|(name, value)| Filter::Approx(name, value)),
        9 => extensible(tag),
        _ => Err(Malformed),
    }
}

fn pair(tag: StructureTag) -> Result<(String, Vec<u8>), Malformed> {
    let mut parts = Elements::of(tag)?;
    Ok((parts.text()?, parts.octets()?))
}

fn substrings(tag: StructureTag) -> Result<Filter, Malformed> {
    let mut parts = Elements::of(tag)?;
    let name = parts.text()?;
    let mut pieces = Vec::new();
    for tag in parts.elements()? {
        let id = tag.id;
        let value = ber::bytes_of(tag)?;
        pieces.push(match id {
            0 => Piece::Initial(value),
            1 => Piece::Any(value),
            2 => Piece::Final(value),
            _ => return Err(Malformed),
        });
    }
    if pieces.is_empty() { Err(Malformed) } else { Ok(Filter::Substrings(name, pieces)) }
}

fn extensible(tag: StructureTag) -> Result<Filter, Malformed> {
    let mut parts = Elements::of(tag)?;
    let rule = parts.context(1).map(ber::text_of).transpose()?;
    let attribute = parts.context(2).map(ber::text_of).transpose()?;
    let value = ber::bytes_of(parts.context(3).ok_or(Malformed)?)?;
    let dn_attributes = match parts.context(4) {
        Some(tag) => ber::bytes_of(tag)?.first().is_some_and(|&byte| byte != 0),
        None => false,
    };
    Ok(Filter::Extensible { rule, attribute, value, dn_attributes })
}

fn escape(value: &[u8]) -> String {
    let by_hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let Ok(text) = std::str::from_utf8(value) else { return by_hex(value) };
    text.chars()
        .map(|letter| match letter {
            '*' | '(' | ')' | '\\' | '\0'..'\x20' => by_hex(letter.to_string().as_bytes()),
            _ => letter.to_string(),
        })
        .collect()
}
