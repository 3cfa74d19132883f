//! The search operation: base, pages, limits, and the stream of entries.

use std::sync::Arc;

use super::Kind;
use super::controls::{self, Asked};
use super::dn::Dn;
use super::faults::Do;
use super::matching::{self, Search};
use super::message::{self, Control, Outcome, Scope, SearchRequest, code};
use super::rights::Who;
use super::root_dse;
use super::server::State;
use super::session::{Gone, Reply, Response, Sent, Session};
use super::store::Id;
use super::view::{Missing, Selection};

/// A paged search that can go on.
#[derive(Clone)]
pub(super) struct Page {
    job: Arc<Job>,
    /// The request without its cookie; another request can't use the cookie (RFC 2696 3).
    request: SearchRequest,
    after: Id,
    sent: usize,
}

/// What every page of a search has in common.
struct Job {
    search: Search,
    wanted: Selection,
    /// The naming contexts below, to which AD refers.
    references: Vec<String>,
}

/// One page of a search, or all of it.
struct Part {
    job: Arc<Job>,
    ids: Vec<Id>,
    more: bool,
    outcome: Outcome,
}

impl Session {
    pub(super) async fn search(
        &mut self,
        reply: &mut Reply,
        request: SearchRequest,
        given: &[Control],
    ) -> Result<(), Gone> {
        let kind = self.shared.options.kind;
        let asked = match controls::read(given, kind) {
            Ok(asked) => asked,
            Err(oid) => {
                let outcome = Outcome::new(code::CRITICAL_EXTENSION, format!("critical control {oid} unavailable"));
                return self.done(reply, &outcome, None).await;
            }
        };
        if request.base.trim().is_empty() && request.scope == Scope::Base {
            return self.root_dse(reply, &request).await;
        }
        let paging = match asked.paged.map(message::paged_value).transpose() {
            Ok(paging) => paging,
            Err(_) => {
                let outcome = Outcome::new(code::PROTOCOL_ERROR, "paged results control could not be decoded");
                return self.done(reply, &outcome, None).await;
            }
        };
        reply.paged = paging.is_some();
        if let Some((0, cookie)) = &paging {
            // A page of none gives the search up (RFC 2696 3).
            self.pages.remove(cookie);
            return self.done(reply, &Outcome::success(), Some(Vec::new())).await;
        }
        let page = match paging.as_ref().filter(|(_, cookie)| !cookie.is_empty()) {
            None => None,
            Some((_, cookie)) => match self.pages.get(cookie).filter(|page| page.request == request) {
                Some(page) => Some(page.clone()),
                None => {
                    let outcome = Outcome::new(code::UNWILLING, "paged results cookie is invalid");
                    return self.done(reply, &outcome, None).await;
                }
            },
        };
        let size = paging.as_ref().map(|(size, _)| *size);
        let part = {
            let state = self.shared.state();
            let (job, after, sent) = match &page {
                Some(page) => (Ok(Arc::clone(&page.job)), page.after, page.sent),
                None => (self.begin(&state, &request, &asked).map(Arc::new), 0, 0),
            };
            job.map(|job| self.find(&state, job, &request, after, sent, size))
        };
        let part = match part {
            Ok(part) => part,
            Err(outcome) => return self.done(reply, &outcome, None).await,
        };
        if self.stream(reply, &part).await? == Streamed::Over {
            return Ok(());
        }
        let cookie = paging.map(|(_, used)| self.turn(reply, &part, page, used, request));
        self.done(reply, &part.outcome, cookie).await
    }

    /// Keeps the place for the next page; its cookie, empty at the end.
    fn turn(
        &mut self,
        reply: &Reply,
        part: &Part,
        page: Option<Page>,
        used: Vec<u8>,
        request: SearchRequest,
    ) -> Vec<u8> {
        if reply.has(Do::RepeatCookie) && !used.is_empty() {
            return used;
        }
        self.pages.remove(&used);
        if !part.more || part.outcome.code != code::SUCCESS {
            return Vec::new();
        }
        if self.shared.options.kind == Kind::Openldap {
            // slapd keeps one paged search per connection.
            self.pages.clear();
        }
        self.cookies += 1;
        let cookie = [self.number.to_be_bytes(), self.cookies.to_be_bytes()].concat();
        let sent = page.map_or(0, |page| page.sent) + part.ids.len();
        let after = part.ids.last().copied().unwrap_or_default();
        self.pages.insert(cookie.clone(), Page { job: Arc::clone(&part.job), request, after, sent });
        cookie
    }

    async fn done(&mut self, reply: &mut Reply, outcome: &Outcome, cookie: Option<Vec<u8>>) -> Result<(), Gone> {
        let control = match cookie {
            Some(cookie) if !reply.has(Do::NoControl) => vec![message::paged_control(&cookie)],
            _ => Vec::new(),
        };
        let bytes = message::envelope(reply.id, message::result(5, outcome, Vec::new()), control);
        self.send(reply, bytes, Response::Last(outcome.code)).await.map(drop)
    }

    async fn root_dse(&mut self, reply: &mut Reply, request: &SearchRequest) -> Result<(), Gone> {
        let options = &self.shared.options;
        let attributes = root_dse::attributes(
            &self.shared.state().store,
            self.shared.start_tls(),
            options.who_am_i,
            &request.attributes,
        );
        let bytes = message::envelope(reply.id, message::entry("", attributes), Vec::new());
        if self.send(reply, bytes, Response::Entry).await? != Sent::More {
            return Ok(());
        }
        self.done(reply, &Outcome::success(), None).await
    }

    /// Resolves the base and prepares the filter.
    fn begin(&self, state: &State, request: &SearchRequest, asked: &Asked<'_>) -> Result<Job, Outcome> {
        let store = &state.store;
        if self.who == Who::Anonymous && store.is_ad() {
            return Err(self.unbound());
        }
        let seen = |id: &Id| {
            store.entries.get(id).is_some_and(|entry| {
                (!entry.deleted || asked.show_deleted)
                    && (self.who == Who::Anonymous || state.rights.sees(store, &self.who, entry))
            })
        };
        // A base that may not be seen is reported as if it were not there.
        let base = match store.resolve(&request.base) {
            Ok(id) if seen(&id) => Ok(id),
            Ok(id) => {
                let mut above = store.entries.get(&id).and_then(|entry| entry.parent);
                while let Some(hidden) = above.filter(|id| !seen(id)) {
                    above = store.entries.get(&hidden).and_then(|entry| entry.parent);
                }
                Err(above.map_or(Missing::Nowhere, Missing::Below))
            }
            Err(missing) => Err(missing),
        };
        let base = base.map_err(|missing| store.missing(missing, &request.base))?;
        let mut wanted = Selection::new(&request.attributes, store.is_ad());
        wanted.types_only = request.types_only;
        wanted.extended_dn = asked.extended_dn;
        wanted.values_max = self.shared.options.max_values;
        wanted.base_scope = request.scope == Scope::Base;
        let search = Search {
            base,
            scope: request.scope,
            test: matching::prepare(store, &request.filter),
            show_deleted: asked.show_deleted,
            who: self.who.clone(),
        };
        // Observed on Samba 4.17: a search at the top of the domain refers to CN=Configuration.
        let refers = self.shared.options.references
            && store.is_ad()
            && !asked.domain_scope
            && request.scope == Scope::Sub
            && store.dn_key(base) == store.base.key();
        let references = if refers { vec![reference(state, &store.configuration())] } else { Vec::new() };
        Ok(Job { search, wanted, references })
    }

    fn find(
        &self,
        state: &State,
        job: Arc<Job>,
        request: &SearchRequest,
        after: Id,
        sent: usize,
        size: Option<usize>,
    ) -> Part {
        let options = &self.shared.options;
        let none_is_all = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let client = none_is_all(request.size_limit).saturating_sub(sent);
        let server = match size {
            Some(size) => size.min(options.max_page.unwrap_or(usize::MAX)),
            None => options.size_limit.unwrap_or(usize::MAX),
        };
        let (ids, more) = matching::find(&state.store, &state.rights, &job.search, after, client.min(server));
        let broken = more && (size.is_none() || client <= server);
        let outcome = if broken { Outcome::new(code::SIZE_LIMIT, "") } else { Outcome::success() };
        Part { job, ids, more, outcome }
    }

    /// Sends the entries, some at a time, so that writes and an abandon can come between.
    async fn stream(&mut self, reply: &mut Reply, part: &Part) -> Result<Streamed, Gone> {
        const BATCH: usize = 200;
        for batch in part.ids.chunks(BATCH) {
            let messages: Vec<Vec<u8>> = {
                let state = self.shared.state();
                batch.iter().filter_map(|id| encode(&state, &part.job, *id, reply.id)).collect()
            };
            for bytes in messages {
                if self.send(reply, bytes, Response::Entry).await? != Sent::More {
                    return Ok(Streamed::Over);
                }
            }
            if part.ids.len() > BATCH && self.abandoned(reply.id).await? {
                return Ok(Streamed::Over);
            }
        }
        if !part.more {
            for url in &part.job.references {
                let bytes = message::envelope(reply.id, message::reference(url), Vec::new());
                if self.send(reply, bytes, Response::Reference).await? != Sent::More {
                    return Ok(Streamed::Over);
                }
            }
        }
        Ok(Streamed::All)
    }
}

/// How far the entries got.
#[derive(PartialEq, Eq)]
enum Streamed {
    All,
    /// A fault or an abandon ended the search.
    Over,
}

fn encode(state: &State, job: &Job, id: Id, message: i64) -> Option<Vec<u8>> {
    let entry = state.store.entries.get(&id)?;
    let dn = match job.wanted.extended_dn {
        Some(form) => state.store.extended_dn(form, id),
        None => state.store.dn_text(id),
    };
    let attributes = state.store.show(&state.rights, &job.search.who, entry, &job.wanted);
    Some(message::envelope(message, message::entry(&dn, attributes), Vec::new()))
}

fn reference(state: &State, dn: &Dn) -> String {
    let realm = super::write::realm(&state.store.base);
    let text: String = dn.text(state.store.spelling()).replace('%', "%25").replace(' ', "%20").replace('?', "%3F");
    format!("ldap://{realm}/{text}")
}
