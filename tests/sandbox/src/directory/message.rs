//! LDAP messages (RFC 4511 section 4): requests decoded, responses built.

use lber::common::TagClass;
use lber::structure::{PL, StructureTag};

use super::ber::{self, Elements, Malformed};
use super::filter::Filter;

/// Result codes that this server sends (RFC 4511 appendix A).
pub(super) mod code {
    pub(in super::super) const SUCCESS: u32 = 0;
    pub(in super::super) const OPERATIONS_ERROR: u32 = 1;
    pub(in super::super) const PROTOCOL_ERROR: u32 = 2;
    pub(in super::super) const SIZE_LIMIT: u32 = 4;
    pub(in super::super) const COMPARE_FALSE: u32 = 5;
    pub(in super::super) const COMPARE_TRUE: u32 = 6;
    pub(in super::super) const AUTH_METHOD: u32 = 7;
    pub(in super::super) const STRONGER_AUTH: u32 = 8;
    pub(in super::super) const REFERRAL: u32 = 10;
    pub(in super::super) const CRITICAL_EXTENSION: u32 = 12;
    pub(in super::super) const CONFIDENTIALITY: u32 = 13;
    pub(in super::super) const NO_SUCH_ATTRIBUTE: u32 = 16;
    pub(in super::super) const CONSTRAINT: u32 = 19;
    pub(in super::super) const VALUE_EXISTS: u32 = 20;
    pub(in super::super) const INVALID_SYNTAX: u32 = 21;
    pub(in super::super) const NO_SUCH_OBJECT: u32 = 32;
    pub(in super::super) const INVALID_DN: u32 = 34;
    pub(in super::super) const INVALID_CREDENTIALS: u32 = 49;
    pub(in super::super) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(in super::super) const UNWILLING: u32 = 53;
    pub(in super::super) const NAMING_VIOLATION: u32 = 64;
    pub(in super::super) const OBJECT_CLASS: u32 = 65;
    pub(in super::super) const NON_LEAF: u32 = 66;
    pub(in super::super) const NOT_ON_RDN: u32 = 67;
    pub(in super::super) const ENTRY_EXISTS: u32 = 68;
}

/// How an operation ended (LDAPResult).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    pub(super) matched: String,
    pub(super) message: String,
    pub(super) referral: Option<String>,
}

impl Outcome {
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ..Self::default() }
    }

    pub(super) fn success() -> Self {
        Self::default()
    }
}

/// The extent of a search (RFC 4511 4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The base entry alone.
    Base,
    /// Its children.
    One,
    /// It and everything below.
    Sub,
}

/// A control as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) oid: String,
    pub(super) critical: bool,
    pub(super) value: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SearchRequest {
    pub(super) base: String,
    pub(super) scope: Scope,
    pub(super) size_limit: usize,
    pub(super) types_only: bool,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
}

/// One change of a modify request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModKind {
    Add,
    Delete,
    Replace,
}

pub(super) type Attributes = Vec<(String, Vec<Vec<u8>>)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modification {
    pub(super) kind: ModKind,
    pub(super) name: String,
    pub(super) values: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rename {
    pub(super) dn: String,
    pub(super) new_rdn: String,
    pub(super) delete_old: bool,
    pub(super) new_superior: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Request {
    Bind { version: i64, name: String, password: Option<Vec<u8>> },
    Unbind,
    Search(SearchRequest),
    Modify { dn: String, changes: Vec<Modification> },
    Add { dn: String, attributes: Attributes },
    Delete { dn: String },
    Rename(Rename),
    Compare { dn: String, attribute: String, value: Vec<u8> },
    Abandon(i64),
    Extended { oid: String },
}

impl Request {
    /// The tag of its response, and its name in faults and in the log.
    pub(super) fn answer(&self) -> (u64, &'static str) {
        match self {
            Self::Bind { .. } => (1, "bind"),
            Self::Unbind => (0, "unbind"),
            Self::Search(_) => (5, "search"),
            Self::Modify { .. } => (7, "modify"),
            Self::Add { .. } => (9, "add"),
            Self::Delete { .. } => (11, "delete"),
            Self::Rename(_) => (13, "modrdn"),
            Self::Compare { .. } => (15, "compare"),
            Self::Abandon(_) => (0, "abandon"),
            Self::Extended { .. } => (24, "extended"),
        }
    }
}

/// A request with its envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) request: Request,
    pub(super) controls: Vec<Control>,
}

impl Message {
    pub(super) fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Elements::of(ber::decode(frame)?)?;
        let id = parts.number()?;
        let request = request(parts.any()?)?;
        let mut controls = Vec::new();
        if let Some(list) = parts.context(0) {
            for tag in Elements::of(list)? {
                let mut parts = Elements::of(tag)?;
                let oid = parts.text()?;
                let critical = match parts.universal(1) {
                    Some(tag) => ber::bytes_of(tag)?.first().is_some_and(|&byte| byte != 0),
                    None => false,
                };
                let value = parts.universal(4).map(ber::bytes_of).transpose()?;
                controls.push(Control { oid, critical, value });
            }
        }
        Ok(Self { id, request, controls })
    }
}

fn request(tag: StructureTag) -> Result<Request, Malformed> {
    if tag.class != TagClass::Application {
        return Err(Malformed);
    }
    match tag.id {
        0 => bind(&mut Elements::of(tag)?),
        2 => Ok(Request::Unbind),
        3 => search(&mut Elements::of(tag)?),
        6 => modify(&mut Elements::of(tag)?),
        8 => {
            let mut parts = Elements::of(tag)?;
            let dn = parts.text()?;
            let attributes = parts.elements()?.map(attribute).collect::<Result<_, _>>()?;
            Ok(Request::Add { dn, attributes })
        }
        10 => Ok(Request::Delete { dn: ber::text_of(tag)? }),
        12 => rename(&mut Elements::of(tag)?),
        14 => {
            let mut parts = Elements::of(tag)?;
            let dn = parts.text()?;
            let mut ava = parts.elements()?;
            Ok(Request::Compare { dn, attribute: ava.text()?, value: ava.octets()? })
        }
        16 => Ok(Request::Abandon(ber::number_of(&ber::bytes_of(tag)?)?)),
        23 => {
            let mut parts = Elements::of(tag)?;
            let name = parts.context(0).ok_or(Malformed)?;
            Ok(Request::Extended { oid: ber::text_of(name)? })
        }
        _ => Err(Malformed),
    }
}

fn bind(parts: &mut Elements) -> Result<Request, Malformed> {
    let version = parts.number()?;
    let name = parts.text()?;
    let password = parts.context(0).map(ber::bytes_of).transpose()?;
    Ok(Request::Bind { version, name, password })
}

fn search(parts: &mut Elements) -> Result<Request, Malformed> {
    let base = parts.text()?;
    let scope = match parts.number()? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Sub,
        _ => return Err(Malformed),
    };
    let _deref = parts.number()?;
    let size_limit = usize::try_from(parts.number()?).map_err(|_| Malformed)?;
    let _time_limit = parts.number()?;
    let types_only = parts.boolean()?;
    let filter = Filter::decode(parts.any()?)?;
    let attributes = parts.elements()?.map(ber::text_of).collect::<Result<_, _>>()?;
    Ok(Request::Search(SearchRequest { base, scope, size_limit, types_only, filter, attributes }))
}

fn attribute(tag: StructureTag) -> Result<(String, Vec<Vec<u8>>), Malformed> {
    let mut parts = Elements::of(tag)?;
    let name = parts.text()?;
    let values = parts.elements()?.map(ber::bytes_of).collect::<Result<_, _>>()?;
    Ok((name, values))
}

fn modify(parts: &mut Elements) -> Result<Request, Malformed> {
    let dn = parts.text()?;
    let mut changes = Vec::new();
    for tag in parts.elements()? {
        let mut parts = Elements::of(tag)?;
        let kind = match parts.number()? {
            0 => ModKind::Add,
            1 => ModKind::Delete,
            2 => ModKind::Replace,
            _ => return Err(Malformed),
        };
        let (name, values) = attribute(parts.any()?)?;
        changes.push(Modification { kind, name, values });
    }
    Ok(Request::Modify { dn, changes })
}

fn rename(parts: &mut Elements) -> Result<Request, Malformed> {
    let dn = parts.text()?;
    let new_rdn = parts.text()?;
    let delete_old = parts.boolean()?;
    let new_superior = parts.context(0).map(ber::text_of).transpose()?;
    Ok(Request::Rename(Rename { dn, new_rdn, delete_old, new_superior }))
}

/// Puts a response into its envelope and encodes it.
pub(super) fn envelope(id: i64, response: StructureTag, controls: Vec<StructureTag>) -> Vec<u8> {
    let mut parts = vec![ber::integer(id), response];
    if !controls.is_empty() {
        parts.push(ber::context(0, controls));
    }
    ber::encode(ber::sequence(parts))
}

/// A response that is an LDAPResult and, for extended operations, a name or a value.
pub(super) fn result(tag: u64, outcome: &Outcome, extra: Vec<StructureTag>) -> StructureTag {
    let mut parts = vec![
        ber::enumerated(outcome.code),
        ber::octets(outcome.matched.as_str()),
        ber::octets(outcome.message.as_str()),
    ];
    if let Some(url) = &outcome.referral {
        parts.push(ber::context(3, vec![ber::octets(url.as_str())]));
    }
    parts.extend(extra);
    ber::application(tag, parts)
}

/// SearchResultEntry.
pub(super) fn entry(dn: &str, attributes: Attributes) -> StructureTag {
    let list = attributes
        .into_iter()
        .map(|(name, values)| {
            ber::sequence(vec![ber::octets(name), ber::set(values.into_iter().map(ber::octets).collect())])
        })
        .collect();
    ber::application(4, vec![ber::octets(dn), ber::sequence(list)])
}

/// SearchResultReference.
pub(super) fn reference(url: &str) -> StructureTag {
    ber::application(19, vec![ber::octets(url)])
}

/// The paged results control (RFC 2696) as a response or request control.
pub(super) const PAGED: &str = "1.2.840.113556.1.4.319";

pub(super) fn paged_control(cookie: &[u8]) -> StructureTag {
    let value = ber::encode(ber::sequence(vec![ber::integer(0), ber::octets(cookie)]));
    ber::sequence(vec![ber::octets(PAGED), ber::octets(value)])
}

/// Size and cookie of a paged results request.
pub(super) fn paged_value(control: &Control) -> Result<(usize, Vec<u8>), Malformed> {
    let mut parts = Elements::of(ber::decode(control.value.as_deref().ok_or(Malformed)?)?)?;
    let size = usize::try_from(parts.number()?).map_err(|_| Malformed)?;
    Ok((size, parts.octets()?))
}

/// Notice of Disconnection (RFC 4511 4.4.1).
pub(super) fn disconnection() -> Vec<u8> {
    let outcome = Outcome::new(code::PROTOCOL_ERROR, "decoding error");
    envelope(0, result(24, &outcome, vec![ber::context_octets(10, "1.3.6.1.4.1.1466.20036")]), Vec::new())
}

/// Whether the payload of a tag is constructed; context-tagged filters need it.
pub(super) fn is_constructed(tag: &StructureTag) -> bool {
    match tag.payload {
        PL::C(_) => true,
        PL::P(_) => false,
    }
}
