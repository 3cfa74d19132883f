//! A directory for the tests of this module: a few entries in memory, on the wire, with faults at any search.
//!
//! It is no server: what a test doesn't need isn't there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lber::structure::{PL, StructureTag};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::root::Root;
use super::search::Session;
use super::transport::Link;
use crate::domain::assignment::GroupRef;
use crate::domain::dn::{Dn, normalise};
use crate::domain::id::{DirectoryName, EntryId};
use crate::domain::settings::{DirectoryKind, DirectorySettings, Protection, Ranges, SecretPlace, ServerUrl};
use crate::engine::ports::{GroupOrder, ReadOrder, Secret, SecretFault};

/// An entry of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerEntry {
    pub(super) dn: String,
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl PeerEntry {
    pub(super) fn new(dn: &str, attributes: &[(&str, &[&str])]) -> Self {
        let values = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
        let attributes = attributes.iter().map(|(kind, all)| ((*kind).to_owned(), values(all)));
        Self { dn: dn.to_owned(), attributes: attributes.collect() }
    }

    pub(super) fn values(&self, kind: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
        found.map_or(&[], |(_, values)| values.as_slice())
    }

    pub(super) fn set(&mut self, kind: &str, values: &[&str]) {
        self.attributes.retain(|(name, _)| !name.eq_ignore_ascii_case(kind));
        self.attributes.push((kind.to_owned(), values.iter().map(|value| value.as_bytes().to_vec()).collect()));
    }
}

/// What a search asked for, for a test to decide about.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Which search of the connection it is, from 1.
    pub(super) nth: usize,
    /// Which page, from 1; 0 when pages weren't asked for.
    pub(super) page: usize,
    pub(super) base: String,
    pub(super) attributes: Vec<String>,
}

/// What goes wrong with a search.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The entries, and then this result.
    Result(u32),
    /// Success without the paging control.
    NoControl,
    /// Success with this value of the paging control.
    Control(Option<Vec<u8>>),
    /// A page with the cookie that leads to itself.
    SamePage,
    /// A reference before the result.
    Reference(&'static str),
    /// The first entry, and then the end of the connection.
    Drop,
    /// No answer, and the connection stays open.
    Silence,
    /// These bytes in place of the result; `{id}` of the message isn't filled in.
    Raw(Vec<u8>),
}

type Hook = Box<dyn FnMut(&Asked, &mut Vec<PeerEntry>) -> Option<Fault> + Send>;

/// The peer's state, shared with the test.
pub(super) struct Peer {
    pub(super) entries: Vec<PeerEntry>,
    /// Called before each search.
    pub(super) hook: Hook,
    /// Values of `member` in one answer, if the peer knows ranges.
    pub(super) ranges: Option<usize>,
    /// What Who-am-I answers; none where the peer doesn't know it.
    pub(super) identity: Option<String>,
    /// What a bind answers.
    pub(super) bind_result: u32,
    pub(super) asked: Vec<Asked>,
    pub(super) connections: usize,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            hook: Box::new(|_, _| None),
            ranges: None,
            identity: Some("dn:cn=svc,dc=x".into()),
            bind_result: 0,
            asked: Vec::new(),
            connections: 0,
        }
    }
}

pub(super) type Shared = Arc<Mutex<Peer>>;

pub(super) fn shared(peer: Peer) -> Shared {
    Arc::new(Mutex::new(peer))
}

/// Answers one connection until it ends.
pub(super) async fn serve(peer: Shared, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    peer.lock().unwrap().connections += 1;
    let mut buffer = Vec::new();
    let mut searches = 0;
    loop {
        let parsed = match lber::parse::parse_tag(&buffer) {
            Ok((rest, message)) => Some((buffer.len() - rest.len(), message)),
            Err(_) => None,
        };
        let Some((length, message)) = parsed else {
            match stream.read_buf(&mut buffer).await {
                Ok(1..) => continue,
                _ => return,
            }
        };
        buffer.drain(..length);
        let Some(answer) = answer(&peer, message, &mut searches) else { return };
        if stream.write_all(&answer.bytes).await.is_err() || answer.last {
            return;
        }
    }
}

struct Answer {
    bytes: Vec<u8>,
    last: bool,
}

fn answer(peer: &Shared, message: StructureTag, searches: &mut usize) -> Option<Answer> {
    let mut parts = inner(message).into_iter();
    let id = bytes(parts.next()?);
    let operation = parts.next()?;
    let controls = parts.next().map(inner).unwrap_or_default();
    let peer = &mut *peer.lock().unwrap();
    let more = |bytes| Some(Answer { bytes, last: false });
    match operation.id {
        0 => more(message_of(&id, &result(0x61, peer.bind_result), None)),
        23 => more(match &peer.identity {
            Some(name) => {
                let body = [result_body(0), tlv(0x8b, name.as_bytes())].concat();
                message_of(&id, &tlv(0x78, &body), None)
            }
            None => message_of(&id, &result(0x78, 2), None),
        }),
        3 => {
            *searches += 1;
            Some(search(peer, &id, operation, controls, *searches))
        }
        _ => None,
    }
}

fn search(peer: &mut Peer, id: &[u8], operation: StructureTag, controls: Vec<StructureTag>, nth: usize) -> Answer {
    let mut parts = inner(operation).into_iter();
    let mut next = || parts.next().unwrap();
    let base = text(next());
    let scope = bytes(next())[0];
    let (_, _, _) = (next(), next(), next());
    let types_only = bytes(next()) != [0];
    let filter = next();
    let attributes: Vec<String> = inner(next()).into_iter().map(text).collect();
    let controls: Vec<(String, Vec<u8>)> = controls.into_iter().map(control).collect();
    let paging = controls.iter().find(|(kind, _)| kind == "1.2.840.113556.1.4.319").map(|(_, value)| paging(value));
    let deleted = controls.iter().any(|(kind, _)| kind == "1.2.840.113556.1.4.417");
    let (size, start) = paging
        .map_or((usize::MAX, 0), |(size, cookie)| (size, String::from_utf8(cookie).unwrap().parse().unwrap_or(0)));
    let page = if paging_of(&controls) { start / size.max(1) + 1 } else { 0 };
    let asked = Asked { nth, page, base: base.clone(), attributes: attributes.clone() };
    let fault = (peer.hook)(&asked, &mut peer.entries);
    peer.asked.push(asked);
    if let Some(Fault::Silence) = fault {
        return Answer { bytes: Vec::new(), last: false };
    }
    let Some(root) = base_of(&peer.entries, &base, deleted) else {
        let (code, last) = match fault {
            Some(Fault::Result(code)) => (code, false),
            fault => (32, matches!(fault, Some(Fault::Drop))),
        };
        let bytes = if last { Vec::new() } else { message_of(id, &result(0x65, code), None) };
        return Answer { bytes, last };
    };
    let fits = |entry: &&PeerEntry| {
        in_scope(entry, &root, scope) && (deleted || !is_deleted(entry)) && matches(entry, &filter)
    };
    let found: Vec<&PeerEntry> = peer.entries.iter().filter(fits).collect();
    let end = found.len().min(start.saturating_add(size));
    let mut out = Vec::new();
    for entry in &found[start.min(end)..end] {
        out.extend(message_of(id, &entry_bytes(entry, &attributes, types_only, peer.ranges), None));
        if matches!(fault, Some(Fault::Drop)) {
            return Answer { bytes: out, last: true };
        }
    }
    let cookie = if end < found.len() { end.to_string() } else { String::new() };
    finish(id, out, paging_of(&controls), cookie, start, fault)
}

fn paging_of(controls: &[(String, Vec<u8>)]) -> bool {
    controls.iter().any(|(kind, _)| kind == "1.2.840.113556.1.4.319")
}

fn finish(id: &[u8], mut out: Vec<u8>, paged: bool, cookie: String, start: usize, fault: Option<Fault>) -> Answer {
    let value = |cookie: &str| {
        let body = [tlv(0x02, &[0]), tlv(0x04, cookie.as_bytes())].concat();
        Some(paging_control(Some(&tlv(0x30, &body))))
    };
    let mut code = 0;
    let mut control = if paged { value(&cookie) } else { None };
    match fault {
        None | Some(Fault::Silence) => {}
        Some(Fault::Drop) => return Answer { bytes: out, last: true },
        Some(Fault::Result(wanted)) => code = wanted,
        Some(Fault::NoControl) => control = None,
        Some(Fault::Control(wanted)) => control = Some(paging_control(wanted.as_deref())),
        Some(Fault::SamePage) => control = value(&start.to_string()),
        Some(Fault::Reference(url)) => out.extend(message_of(id, &tlv(0x73, &tlv(0x04, url.as_bytes())), None)),
        Some(Fault::Raw(bytes)) => {
            out.extend(bytes);
            return Answer { bytes: out, last: false };
        }
    }
    out.extend(message_of(id, &result(0x65, code), control.as_deref()));
    Answer { bytes: out, last: false }
}

fn paging_control(value: Option<&[u8]>) -> Vec<u8> {
    let value = value.map(|value| tlv(0x04, value)).unwrap_or_default();
    tlv(0xa0, &tlv(0x30, &[tlv(0x04, b"1.2.840.113556.1.4.319"), value].concat()))
}

fn base_of(entries: &[PeerEntry], base: &str, deleted: bool) -> Option<String> {
    if let Some(guid) = base.strip_prefix("<GUID=").and_then(|rest| rest.strip_suffix('>')) {
        let wanted = EntryId::parse(guid).ok()?.to_object_guid();
        let found = entries.iter().find(|entry| entry.values("objectGUID").iter().any(|value| value[..] == wanted));
        return found.filter(|entry| deleted || !is_deleted(entry)).map(|entry| normalise(&entry.dn).unwrap());
    }
    let base = normalise(base).ok()?;
    entries.iter().any(|entry| normalise(&entry.dn).is_ok_and(|dn| dn == base)).then_some(base)
}

fn is_deleted(entry: &PeerEntry) -> bool {
    !entry.values("isDeleted").is_empty()
}

fn in_scope(entry: &PeerEntry, root: &str, scope: u8) -> bool {
    let dn = normalise(&entry.dn).unwrap_or_else(|_| format!("{},{root}", entry.dn));
    match scope {
        0 => dn == root,
        _ => dn == root || dn.strip_suffix(root).is_some_and(|rest| rest.ends_with(',')),
    }
}

fn matches(entry: &PeerEntry, filter: &StructureTag) -> bool {
    let PL::C(parts) = &filter.payload else {
        let PL::P(kind) = &filter.payload else { return false };
        return !entry.values(std::str::from_utf8(kind).unwrap()).is_empty();
    };
    let value = |at: usize| match &parts[at].payload {
        PL::P(bytes) => bytes.clone(),
        PL::C(_) => Vec::new(),
    };
    match filter.id {
        0 => parts.iter().all(|part| matches(entry, part)),
        1 => parts.iter().any(|part| matches(entry, part)),
        2 => !matches(entry, &parts[0]),
        3 => {
            let (kind, wanted) = (String::from_utf8(value(0)).unwrap(), value(1));
            entry.values(&kind).iter().any(|one| equal(one, &wanted))
        }
        _ => false,
    }
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    let dn = |bytes: &[u8]| {
        std::str::from_utf8(bytes).ok().filter(|text| text.contains('=')).and_then(|t| normalise(t).ok())
    };
    one.eq_ignore_ascii_case(other) || (dn(one).is_some() && dn(one) == dn(other))
}

fn entry_bytes(entry: &PeerEntry, wanted: &[String], types_only: bool, ranges: Option<usize>) -> Vec<u8> {
    let mut attributes = Vec::new();
    let mut push = |kind: &str, values: &[Vec<u8>]| {
        let values: Vec<u8> =
            if types_only { Vec::new() } else { values.iter().flat_map(|one| tlv(0x04, one)).collect() };
        attributes.extend(tlv(0x30, &[tlv(0x04, kind.as_bytes()), tlv(0x31, &values)].concat()));
    };
    let all = wanted.is_empty();
    for (kind, values) in &entry.attributes {
        let ranged = wanted.iter().find_map(|name| name.strip_prefix(&format!("{kind};range=")));
        if let (Some(range), Some(limit)) = (ranged, ranges) {
            let (first, last) = range.split_once('-').unwrap();
            let first: usize = first.parse().unwrap();
            let last = last.parse().unwrap_or(usize::MAX).min(first + limit - 1);
            let end = values.len().min(last.saturating_add(1));
            let name = if end == values.len() {
                format!("{kind};range={first}-*")
            } else {
                format!("{kind};range={first}-{last}")
            };
            push(&name, &values[first.min(end)..end]);
        } else if all || wanted.iter().any(|name| name.eq_ignore_ascii_case(kind)) {
            match ranges {
                Some(limit) if kind == "member" && values.len() > limit => {
                    push(kind, &[]);
                    push(&format!("{kind};range=0-{}", limit - 1), &values[..limit]);
                }
                _ => push(kind, values),
            }
        }
    }
    tlv(0x64, &[tlv(0x04, entry.dn.as_bytes()), tlv(0x30, &attributes)].concat())
}

/// One element of BER.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

fn result_body(code: u32) -> Vec<u8> {
    [tlv(0x0a, &code.to_be_bytes()), tlv(0x04, b""), tlv(0x04, b"as the test wants")].concat()
}

fn result(tag: u8, code: u32) -> Vec<u8> {
    tlv(tag, &result_body(code))
}

/// One LDAP message.
pub(super) fn message_of(id: &[u8], operation: &[u8], controls: Option<&[u8]>) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x02, id), operation, controls.unwrap_or_default()].concat())
}

fn inner(tag: StructureTag) -> Vec<StructureTag> {
    tag.expect_constructed().unwrap()
}

fn bytes(tag: StructureTag) -> Vec<u8> {
    tag.expect_primitive().unwrap()
}

fn text(tag: StructureTag) -> String {
    String::from_utf8(bytes(tag)).unwrap()
}

fn control(tag: StructureTag) -> (String, Vec<u8>) {
    let mut parts = inner(tag);
    let value = if parts.len() > 1 && parts.last().unwrap().id == 4 { bytes(parts.pop().unwrap()) } else { Vec::new() };
    (text(parts.swap_remove(0)), value)
}

fn paging(value: &[u8]) -> (usize, Vec<u8>) {
    let mut parts = inner(lber::parse::parse_tag(value).unwrap().1).into_iter();
    let size = bytes(parts.next().unwrap()).iter().fold(0, |sum, &byte| (sum << 8) | usize::from(byte));
    (size, bytes(parts.next().unwrap()))
}

/// Settings for a peer.
pub(super) fn settings() -> DirectorySettings {
    let kind = DirectoryKind::OpenLdap;
    DirectorySettings {
        name: DirectoryName::new("corp").unwrap(),
        kind,
        urls: vec![server(0)],
        bases: vec![Dn::parse("dc=x").unwrap()],
        ca_file: None,
        bind_dn: "cn=svc,dc=x".into(),
        bind_password: SecretPlace::Credential("ldap".into()),
        id_attribute: kind.id_attribute().into(),
        people_filter: "(objectClass=person)".into(),
        group_filter: "(objectClass=groupOfNames)".into(),
        member_attribute: "member".into(),
        canaries: Vec::new(),
        ignored_contexts: Vec::new(),
        ranges: Ranges::AsServed,
        page_size: 3,
        timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(60),
    }
}

/// The URL of a peer on loopback.
pub(super) fn server(port: u16) -> ServerUrl {
    ServerUrl {
        text: format!("ldap://127.0.0.1:{port}"),
        host: "127.0.0.1".into(),
        port,
        protection: Protection::Plaintext,
    }
}

/// A session with a peer over a pipe, bound by nobody.
pub(super) async fn session(peer: &Shared, settings: DirectorySettings) -> Session {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve(Arc::clone(peer), theirs));
    let link = Link::over(ours, "ldap://peer", settings.timeout).await.unwrap();
    Session {
        link,
        settings: Arc::new(settings),
        server: server(389),
        root: Root::default(),
        referred: BTreeSet::new(),
        broken: None,
    }
}

/// A secret.
pub(super) struct Word(pub(super) &'static str);

impl Secret for Word {
    fn read(&self) -> Result<SecretString, SecretFault> {
        Ok(SecretString::from(self.0))
    }
}

/// The id that the tests give to the entry of this number.
pub(super) fn id(number: usize) -> EntryId {
    EntryId::parse(&format!("00000000-0000-0000-0000-{number:012}")).unwrap()
}

/// A person `cn=pN,dc=x` with the id N.
pub(super) fn person(number: usize) -> PeerEntry {
    PeerEntry::new(
        &format!("cn=p{number},dc=x"),
        &[
            ("objectClass", &["person"]),
            ("entryUUID", &[&id(number).dashed()]),
            ("mail", &[&format!("p{number}@x.org")]),
        ],
    )
}

/// A group `cn=NAME,dc=x`.
pub(super) fn group(name: &str, number: usize, members: &[&str]) -> PeerEntry {
    PeerEntry::new(
        &format!("cn={name},dc=x"),
        &[
            ("objectClass", &["groupOfNames"]),
            ("cn", &[name]),
            ("entryUUID", &[&id(number).dashed()]),
            ("entryCSN", &["1"]),
            ("member", members),
        ],
    )
}

/// The top of the tree.
pub(super) fn top() -> PeerEntry {
    PeerEntry::new("dc=x", &[("objectClass", &["domain"])])
}

/// An order for groups by DN.
pub(super) fn order(groups: &[&str]) -> ReadOrder {
    let group = |dn: &&str| GroupOrder { group: GroupRef::parse(dn).unwrap(), pin: None };
    ReadOrder {
        groups: groups.iter().map(group).collect(),
        attributes: BTreeSet::from(["mail".to_owned()]),
        now: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        known: None,
    }
}
