//! Searches over one bound connection, and the paging loop (RFC 2696).
//!
//! ldap3's adapters aren't used: after a broken page they answer with the first page's success. A page counts only when
//! its result is 0, its control came back and its cookie leads on. References are counted, never followed.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::sync::Arc;

use lber::structure::StructureTag;
use ldap3::controls::{Control, MakeCritical as _, PagedResults, RawControl};
use ldap3::{Scope, SearchOptions};
use sha2::{Digest as _, Sha256};

use super::ber::{Elements, Form, octets, parts, small_number, tag};
use super::code::{Code, Refusal, said};
use super::decode::{RawEntry, dn_bytes};
use super::line::{Paging, ldapsearch};
use super::reference::{Elsewhere, elsewhere, told};
use super::root::Root;
use super::transport::Link;
use crate::domain::scope::Tally;
use crate::domain::settings::{DirectorySettings, ServerUrl};
use crate::engine::ports::ReadFault;

/// Most pages of one search.
const PAGES_MAX: u64 = 1_000_000;

/// Most references that are told.
const REFERRED_MAX: usize = 5;

/// Most entries of one search.
const ENTRIES_MAX: u64 = 50_000_000;

/// The paged-results control.
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// What to search for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a str,
    pub(super) attributes: &'a [&'a str],
}

/// What comes with the attributes that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Wanted,
    TypesOnly,
}

/// The end of a search that was answered with success.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) controls: Vec<Control>,
    /// References to parts of the tree that may hold people.
    pub(super) references: u64,
}

/// Why a search gave no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskFault {
    /// There is no connection any more.
    #[error("{0}")]
    Lost(String),
    /// The server answered with another result than success; the connection can be used on.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer isn't what the protocol promises.
    #[error("{0}")]
    Odd(String),
    /// What was to be asked can't be sent.
    #[error("{0}")]
    Unfit(String),
}

impl AskFault {
    /// As the fault of a read; `what` was being read.
    pub(super) fn of(self, what: impl std::fmt::Display) -> ReadFault {
        match self {
            Self::Unfit(why) => ReadFault::Unfit(why),
            Self::Lost(_) | Self::Refused(_) | Self::Odd(_) => ReadFault::Incomplete(format!("{what}: {self}")),
        }
    }

    /// Whether it is this result.
    pub(super) fn is(&self, code: Code) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == code)
    }
}

/// What is at a DN.
#[derive(Debug)]
pub(super) enum AtBase {
    /// An entry that fits the filter.
    Entry(RawEntry),
    /// An entry that doesn't, or that may not be seen.
    Unmatched,
    /// Nothing (`noSuchObject`).
    Absent,
}

/// A bound connection to one server.
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) settings: Arc<DirectorySettings>,
    pub(super) server: ServerUrl,
    pub(super) root: Root,
    /// Where references led that aren't ignored, for people: some of them.
    pub(super) referred: BTreeSet<String>,
    /// Set at the first fault after which the connection can't be used any more.
    pub(super) broken: Option<String>,
}

impl Session {
    /// Carries out one search; `each` takes its entries as they arrive.
    pub(super) async fn ask(
        &mut self,
        query: &Query<'_>,
        values: Values,
        controls: Vec<RawControl>,
        each: &mut dyn FnMut(StructureTag) -> Result<(), String>,
    ) -> Result<Answered, AskFault> {
        if let Some(why) = &self.broken {
            return Err(AskFault::Lost(why.clone()));
        }
        let answered = self.ask_unguarded(query, values, controls, each).await;
        match &answered {
            Err(AskFault::Lost(why) | AskFault::Odd(why)) => self.broken = Some(why.clone()),
            Err(AskFault::Refused(_) | AskFault::Unfit(_)) | Ok(_) => {}
        }
        answered
    }

    async fn ask_unguarded(
        &mut self,
        query: &Query<'_>,
        values: Values,
        controls: Vec<RawControl>,
        each: &mut dyn FnMut(StructureTag) -> Result<(), String>,
    ) -> Result<Answered, AskFault> {
        let timeout = self.link.timeout;
        let silence = || AskFault::Lost(format!("no answer within {}", humantime::format_duration(timeout)));
        let options = SearchOptions::new().typesonly(values == Values::TypesOnly);
        let ldap = self.link.ldap.with_controls(controls).with_search_options(options);
        let begun = ldap.streaming_search(query.base, query.scope, query.filter, query.attributes.to_vec());
        let mut stream = match tokio::time::timeout(timeout, begun).await.map_err(|_| silence())? {
            Ok(stream) => stream,
            Err(ldap3::LdapError::FilterParsing) => {
                return Err(AskFault::Unfit(format!("{:?} is no filter", query.filter)));
            }
            Err(fault) => return Err(AskFault::Lost(self.link.end_reason(&fault))),
        };
        let mut references = 0;
        loop {
            let next = tokio::time::timeout(timeout, stream.next()).await.map_err(|_| silence())?;
            let Some(entry) = next.map_err(|fault| AskFault::Lost(self.link.end_reason(&fault)))? else { break };
            match entry.0.id {
                4 => each(entry.0).map_err(AskFault::Odd)?,
                19 => {
                    let addresses = addresses(entry.0);
                    match elsewhere(&addresses, &self.settings) {
                        Elsewhere::Unread => {
                            references += 1;
                            if self.referred.len() < REFERRED_MAX {
                                self.referred.insert(told(&addresses));
                            }
                        }
                        Elsewhere::WithoutPeople => {}
                    }
                }
                other => return Err(AskFault::Odd(format!("the server sent operation {other} amid a search"))),
            }
        }
        let result = stream.finish().await;
        if Code(result.rc) == Code::SUCCESS {
            return Ok(Answered { controls: result.ctrls, references });
        }
        Err(AskFault::Refused(Refusal { code: Code(result.rc), text: said(&result.text) }))
    }

    /// Tells a search to whoever follows at `debug`.
    pub(super) fn tell(&self, query: &Query<'_>, paging: Paging) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let line = ldapsearch(&self.settings, &self.server, query, paging);
            tracing::debug!(directory = %self.settings.name, line, "search sent");
        }
    }

    /// Reads what is at one DN.
    pub(super) async fn at_base(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
        values: Values,
    ) -> Result<AtBase, AskFault> {
        let query = Query { base, scope: Scope::Base, filter, attributes };
        self.tell(&query, Paging::Off);
        let mut found = None;
        let answered = self
            .ask(&query, values, Vec::new(), &mut |entry| match found.replace(RawEntry::take(entry)?) {
                None => Ok(()),
                Some(_) => Err("the server answered a search of one entry with several".to_owned()),
            })
            .await;
        match (answered, found) {
            (Ok(_), Some(entry)) => Ok(AtBase::Entry(entry)),
            (Ok(_), None) => Ok(AtBase::Unmatched),
            (Err(fault), None) if fault.is(Code::NO_SUCH_OBJECT) => Ok(AtBase::Absent),
            (Err(fault), Some(_)) if fault.is(Code::NO_SUCH_OBJECT) => {
                Err(AskFault::Odd("the server sent an entry and then said that there is none".to_owned()))
            }
            (Err(fault), _) => Err(fault),
        }
    }
}

/// Takes the entries of a paged search.
pub(super) trait Sink {
    /// Takes one entry, while more arrive. An error ends the search.
    fn entry(&mut self, entry: StructureTag) -> Result<(), String>;

    /// Hears that a page is over.
    fn page_end(&mut self) -> impl Future<Output = Result<(), ReadFault>>;
}

/// Collects the entries of a search that is known to be small.
#[derive(Default)]
pub(super) struct Collect(pub(super) Vec<RawEntry>);

/// Most entries that are collected.
const COLLECTED_MAX: usize = 1_000;

impl Sink for Collect {
    fn entry(&mut self, entry: StructureTag) -> Result<(), String> {
        if self.0.len() == COLLECTED_MAX {
            return Err(format!("more than {COLLECTED_MAX} entries fit"));
        }
        self.0.push(RawEntry::take(entry)?);
        Ok(())
    }

    async fn page_end(&mut self) -> Result<(), ReadFault> {
        Ok(())
    }
}

/// Reads a search page by page to its end, or fails.
///
/// # Errors
/// When a page's result isn't 0, its control is missing, its cookie leads back, or a limit is passed.
pub(super) async fn paged<S: Sink>(
    session: &mut Session,
    query: &Query<'_>,
    tally: &mut Tally,
    sink: &mut S,
) -> Result<(), ReadFault> {
    let size = session.settings.page_size.max(1);
    session.tell(query, Paging::Pages(size));
    let mut cookie = Vec::new();
    let mut starts = HashSet::new();
    let mut entries = 0_u64;
    for page in 1..=PAGES_MAX {
        let place = || format!("page {page} of the search under {:?}", query.base);
        tally.pages_asked += 1;
        let control = PagedResults { size: i32::try_from(size).unwrap_or(i32::MAX), cookie };
        let mut first = None;
        let mut each = |entry: StructureTag| {
            entries += 1;
            if first.is_none() {
                first = Some(dn_bytes(&entry)?.to_vec());
            }
            sink.entry(entry)
        };
        let answered = session.ask(query, Values::Wanted, vec![control.critical().into()], &mut each).await;
        let answered = answered.map_err(|fault| fault.of(place()))?;
        tally.references += answered.references;
        cookie = next_cookie(&answered.controls).map_err(|why| ReadFault::Incomplete(format!("{}: {why}", place())))?;
        sink.page_end().await?;
        if entries > ENTRIES_MAX {
            return Err(ReadFault::Incomplete(format!("{}: more than {ENTRIES_MAX} entries", place())));
        }
        if !starts.insert(page_start(&cookie, first.as_deref())) {
            return Err(ReadFault::Incomplete(format!(
                "{}: the server leads in a circle: same cookie, same entry",
                place()
            )));
        }
        tally.pages_whole += 1;
        if cookie.is_empty() {
            tally.entries += entries;
            return Ok(());
        }
    }
    Err(ReadFault::Incomplete(format!("the search under {:?} has more than {PAGES_MAX} pages", query.base)))
}

/// What no two pages of a search share. The cookie alone isn't enough: 389-ds gives the same one for every page
/// (`pagedresults.c`: the index of the search in its connection).
fn page_start(cookie: &[u8], first: Option<&[u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((cookie.len() as u64).to_be_bytes());
    hash.update(cookie);
    hash.update(first.unwrap_or_default());
    hash.finalize().into()
}

/// The cookie for the next page, empty after the last one (RFC 2696). The server's estimate of the size is no matter.
fn next_cookie(controls: &[Control]) -> Result<Vec<u8>, &'static str> {
    let mut found = controls.iter().filter(|control| control.1.ctype == PAGED_RESULTS);
    let control = found.next().ok_or("the server left the paging control out, so that this may not be all")?;
    if found.next().is_some() {
        return Err("the server sent two paging controls");
    }
    let malformed = "the server's paging control is malformed";
    let value = control.1.val.as_deref().ok_or(malformed)?;
    let mut outer = Elements(value);
    let body = outer.take().ok().flatten().filter(|body| body.is(tag::SEQUENCE, Form::Constructed)).ok_or(malformed)?;
    let mut inner = Elements(body.content);
    let mut take = || inner.take().ok().flatten();
    let size = take().filter(|size| size.is_octets(tag::INTEGER)).and_then(|size| small_number(size.content));
    let cookie = take().filter(|cookie| cookie.is_octets(tag::OCTETS)).ok_or(malformed)?;
    if size.is_none() || take().is_some() || !outer.0.is_empty() {
        return Err(malformed);
    }
    Ok(cookie.content.to_vec())
}

/// The addresses of a search reference, as bytes.
pub(super) fn addresses(reference: StructureTag) -> Vec<Vec<u8>> {
    parts(reference).unwrap_or_default().into_iter().filter_map(octets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(value: Option<&[u8]>) -> Control {
        let raw = RawControl { ctype: PAGED_RESULTS.into(), crit: false, val: value.map(<[u8]>::to_vec) };
        Control(None, raw)
    }

    #[test]
    fn a_cookie_is_taken_from_exactly_one_whole_control() {
        let good = control(Some(b"\x30\x07\x02\x01\x00\x04\x02ab"));
        assert_eq!(next_cookie(std::slice::from_ref(&good)), Ok(b"ab".to_vec()));
        assert!(next_cookie(&[]).is_err());
        assert!(next_cookie(&[good.clone(), good]).is_err());
        for value in [
            &b""[..],
            b"garbage",
            b"\x30\x03\x02\x01\x00",
            b"\x30\x07\x02\x01\x00\x04\x02abc",
            b"\x30\x05\x04\x00\x02\x01\x00",
        ] {
            assert!(next_cookie(&[control(Some(value))]).is_err(), "{value:x?}");
        }
        assert!(next_cookie(&[control(None)]).is_err());
    }

    #[test]
    fn a_negative_size_is_malformed_and_a_large_one_is_not() {
        assert!(next_cookie(&[control(Some(b"\x30\x05\x02\x01\xff\x04\x00"))]).is_err());
        assert!(next_cookie(&[control(Some(b"\x30\x84\x00\x00\x00\x0a\x02\x04\x7f\xff\xff\xff\x04\x02ab"))]).is_ok());
    }
}
