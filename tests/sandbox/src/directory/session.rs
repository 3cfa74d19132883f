//! One connection: frames in and out, identity, every operation but search.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use super::ber;
use super::controls;
use super::faults::{Do, Fault};
use super::log::Ticket;
use super::message::{self, Message, Outcome, Request, code};
use super::rights::Who;
use super::search::Page;
use super::server::Shared;
use super::write::Leave;
use super::{Kind, LogEntry, TlsMode, schema};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The connection is at its end, whoever ended it.
pub(super) struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

pub(super) struct Session {
    /// `None` only while StartTLS changes it.
    stream: Option<Box<dyn Stream>>,
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
    pub(super) who: Who,
    pub(super) secure: bool,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    waiting: VecDeque<Message>,
    /// The paged searches that can go on, by cookie.
    pub(super) pages: HashMap<Vec<u8>, Page>,
    pub(super) cookies: u64,
}

/// The answer to one operation, and the faults that strike it.
pub(super) struct Reply {
    pub(super) id: i64,
    pub(super) tag: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) paged: bool,
    /// Entries sent so far.
    pub(super) shown: usize,
    ticket: Ticket,
    sent: u32,
}

/// What a response message is to its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    Entry,
    Reference,
    /// The final result, with its code.
    Last(u32),
}

/// Whether an operation's answer goes on after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    More,
    /// The answer is whole, with this code: its own, or a fault's.
    Over(u32),
}

impl Reply {
    pub(super) fn has(&self, action: Do) -> bool {
        self.faults.iter().any(|fault| fault.action == action)
    }

    /// The code that the final message will be replaced with.
    fn refused(&self) -> Option<u32> {
        self.faults.iter().filter(|fault| fault.strikes(0, true)).find_map(|fault| match fault.action {
            Do::Result(code) => Some(code),
            _ => None,
        })
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, number: u64) {
    // Nagle's delay would be measured as the server's.
    let _ = stream.set_nodelay(true);
    let ldaps = shared.options.tls.as_ref().is_some_and(|tls| tls.mode == TlsMode::Ldaps);
    let (stream, secure): (Box<dyn Stream>, bool) = match &shared.tls {
        Some(tls) if ldaps => match tls.acceptor.accept(stream).await {
            Ok(stream) => (Box::new(stream), true),
            Err(_) => return,
        },
        _ => (Box::new(stream), false),
    };
    let mut session = Session {
        stream: Some(stream),
        shared,
        number,
        who: Who::Anonymous,
        secure,
        inbox: Vec::new(),
        outbox: Vec::new(),
        waiting: VecDeque::new(),
        pages: HashMap::new(),
        cookies: 0,
    };
    while let Ok(message) = session.next().await {
        if session.handle(message).await.is_err() {
            break;
        }
    }
    if let Some(mut stream) = session.stream.take() {
        let _ = stream.shutdown().await;
    }
}

impl Session {
    async fn next(&mut self) -> Result<Message, Gone> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            if self.parse().await? {
                continue;
            }
            let stream = self.stream.as_mut().ok_or(Gone)?;
            if stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(Gone);
            }
        }
    }

    /// Takes whole messages out of the inbox; whether there were any.
    async fn parse(&mut self) -> Result<bool, Gone> {
        let mut at = 0;
        loop {
            let rest = &self.inbox[at..];
            let message = match ber::frame_length(rest) {
                Ok(Some(length)) if rest.len() >= length => {
                    at += length;
                    Message::decode(&rest[..length])
                }
                Ok(_) => break,
                Err(fault) => Err(fault),
            };
            match message {
                Ok(message) => self.waiting.push_back(message),
                Err(_) => {
                    self.outbox.extend(message::disconnection());
                    self.flush().await?;
                    return Err(Gone);
                }
            }
        }
        self.inbox.drain(..at);
        Ok(at > 0)
    }

    /// Reads what is there without waiting; whether the operation has been abandoned.
    pub(super) async fn abandoned(&mut self, id: i64) -> Result<bool, Gone> {
        let Self { stream, inbox, .. } = self;
        let stream = stream.as_mut().ok_or(Gone)?;
        let mut space = [0_u8; 4096];
        let count = std::future::poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Err(Gone)),
                Poll::Ready(Ok(())) => Poll::Ready(Ok(buffer.filled().len())),
                Poll::Ready(Err(_)) => Poll::Ready(Err(Gone)),
                Poll::Pending => Poll::Ready(Ok(0)),
            }
        })
        .await?;
        inbox.extend_from_slice(&space[..count]);
        self.parse().await?;
        let before = self.waiting.len();
        self.waiting.retain(|message| message.request != Request::Abandon(id));
        Ok(self.waiting.len() < before)
    }

    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        let stream = self.stream.as_mut().ok_or(Gone)?;
        stream.write_all(&self.outbox).await?;
        self.outbox.clear();
        Ok(stream.flush().await?)
    }

    /// Sends one response message through the faults that strike it.
    pub(super) async fn send(&mut self, reply: &mut Reply, bytes: Vec<u8>, response: Response) -> Result<Sent, Gone> {
        /// Enough for a system call to be worth it.
        const OUTBOX_MAX: usize = 128 << 10;
        let number = reply.sent;
        let is_final = matches!(response, Response::Last(_));
        reply.sent += 1;
        let striking: Vec<Do> = if reply.faults.is_empty() {
            Vec::new()
        } else {
            reply.faults.iter().filter(|fault| fault.strikes(number, is_final)).map(|fault| fault.action).collect()
        };
        for action in striking {
            match action {
                Do::NoControl | Do::RepeatCookie => {}
                Do::DelayMs(wait) => {
                    self.flush().await?;
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                Do::Result(code) => {
                    let outcome = Outcome::new(code, "fault by script");
                    self.outbox.extend(message::envelope(
                        reply.id,
                        message::result(reply.tag, &outcome, Vec::new()),
                        vec![],
                    ));
                    return self.end(reply, code).await;
                }
                Do::Drop => {
                    self.flush().await?;
                    return Err(Gone);
                }
                Do::Torn => {
                    self.outbox.extend_from_slice(&bytes[..bytes.len() / 2]);
                    self.flush().await?;
                    return Err(Gone);
                }
                Do::Garbage => {
                    self.outbox.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n".iter().cycle().take(512));
                    self.flush().await?;
                    return Err(Gone);
                }
                Do::Reference if reply.tag == 5 => {
                    let url = "ldap://elsewhere.invalid/dc=elsewhere,dc=invalid??sub";
                    self.outbox.extend(message::envelope(reply.id, message::reference(url), Vec::new()));
                }
                Do::Truncate if reply.tag == 5 => {
                    let control = if reply.paged { vec![message::paged_control(b"")] } else { Vec::new() };
                    let done = message::result(5, &Outcome::success(), Vec::new());
                    self.outbox.extend(message::envelope(reply.id, done, control));
                    return self.end(reply, code::SUCCESS).await;
                }
                Do::Reference | Do::Truncate => {}
                Do::Stall => {
                    self.flush().await?;
                    return self.stall().await;
                }
            }
        }
        self.outbox.extend(bytes);
        match response {
            Response::Last(code) => return self.end(reply, code).await,
            Response::Entry => reply.shown += 1,
            Response::Reference => {}
        }
        if self.outbox.len() > OUTBOX_MAX {
            self.flush().await?;
        }
        Ok(Sent::More)
    }

    /// Sends the last of an answer.
    async fn end(&mut self, reply: &Reply, code: u32) -> Result<Sent, Gone> {
        self.shared.state().log.end(reply.ticket, code, reply.shown);
        self.flush().await?;
        Ok(Sent::Over(code))
    }

    /// Answers nothing until the client goes.
    async fn stall(&mut self) -> Result<Sent, Gone> {
        let stream = self.stream.as_mut().ok_or(Gone)?;
        let mut space = [0_u8; 4096];
        while stream.read(&mut space).await? > 0 {}
        Err(Gone)
    }

    async fn handle(&mut self, message: Message) -> Result<(), Gone> {
        let (tag, op) = message.request.answer();
        match &message.request {
            Request::Unbind => return Err(Gone),
            Request::Abandon(_) => return Ok(()),
            _ => {}
        }
        let entry = self.log_entry(&message, op);
        let (faults, ticket) = {
            let mut state = self.shared.state();
            (state.faults.pick(op, &entry.base, &entry.filter), state.log.begin(entry))
        };
        let mut reply = Reply { id: message.id, tag, faults, paged: false, shown: 0, ticket, sent: 0 };
        match message.request {
            Request::Search(request) => self.search(&mut reply, request, &message.controls).await,
            Request::Extended { oid } if oid == controls::START_TLS => self.start_tls(&mut reply).await,
            request => {
                let (outcome, extra) = self.perform(request, &message.controls, reply.refused());
                let bytes = message::envelope(reply.id, message::result(tag, &outcome, extra), Vec::new());
                self.send(&mut reply, bytes, Response::Last(outcome.code)).await.map(drop)
            }
        }
    }

    fn log_entry(&self, message: &Message, op: &str) -> LogEntry {
        let names = |attributes: &[(String, Vec<Vec<u8>>)]| attributes.iter().map(|(name, _)| name.clone()).collect();
        let (base, attributes) = match &message.request {
            Request::Bind { name, .. } => (name.clone(), Vec::new()),
            Request::Search(search) => (search.base.clone(), search.attributes.clone()),
            Request::Modify { dn, changes } => (dn.clone(), changes.iter().map(|change| change.name.clone()).collect()),
            Request::Add { dn, attributes } => (dn.clone(), names(attributes)),
            Request::Delete { dn } => (dn.clone(), Vec::new()),
            Request::Rename(rename) => (rename.dn.clone(), Vec::new()),
            Request::Compare { dn, attribute, .. } => (dn.clone(), vec![attribute.clone()]),
            Request::Extended { oid } => (oid.clone(), Vec::new()),
            Request::Unbind | Request::Abandon(_) => (String::new(), Vec::new()),
        };
        let (scope, filter) = match &message.request {
            Request::Search(search) => (Some(search.scope), search.filter.text()),
            _ => (None, String::new()),
        };
        LogEntry {
            connection: self.number,
            op: op.to_owned(),
            who: self.identity(),
            base,
            scope,
            filter,
            attributes,
            controls: message.controls.iter().map(|control| control.oid.clone()).collect(),
            result: None,
            entries: 0,
        }
    }

    /// Everything but search and StartTLS. A scripted refusal comes before the deed.
    fn perform(
        &mut self,
        request: Request,
        given: &[message::Control],
        refused: Option<u32>,
    ) -> (Outcome, Vec<lber::structure::StructureTag>) {
        let plain = |outcome| (outcome, Vec::new());
        if let Some(code) = refused {
            if matches!(request, Request::Bind { .. }) {
                self.who = Who::Anonymous;
            }
            return plain(Outcome::new(code, "fault by script"));
        }
        let asked = match controls::read(given, self.shared.options.kind) {
            Ok(asked) => asked,
            Err(oid) => {
                return plain(Outcome::new(code::CRITICAL_EXTENSION, format!("critical control {oid} unavailable")));
            }
        };
        let leave = Leave { permissive: asked.permissive, tree: asked.tree };
        match request {
            Request::Bind { version, name, password } => plain(self.bind(version, &name, password.as_deref())),
            Request::Extended { oid } if oid == controls::WHO_AM_I && self.shared.options.who_am_i => {
                (Outcome::success(), vec![ber::context_octets(11, self.identity())])
            }
            Request::Extended { .. } => plain(Outcome::new(code::PROTOCOL_ERROR, "unsupported extended operation")),
            Request::Compare { dn, attribute, value } => plain(self.compare(&dn, &attribute, &value)),
            write => plain(self.write(write, leave)),
        }
    }

    fn write(&self, request: Request, leave: Leave) -> Outcome {
        match self.who {
            Who::Admin => {}
            Who::Reader(_) => return Outcome::new(code::INSUFFICIENT_ACCESS, "no write access to the entry"),
            Who::Anonymous => return self.unbound(),
        }
        let store = &mut self.shared.state().store;
        let done = match request {
            Request::Add { dn, attributes } => store.add(&dn, attributes),
            Request::Modify { dn, changes } => store.modify(&dn, changes, leave),
            Request::Delete { dn } => store.delete(&dn, leave),
            Request::Rename(rename) => store.rename(&rename),
            Request::Bind { .. }
            | Request::Unbind
            | Request::Search(_)
            | Request::Compare { .. }
            | Request::Abandon(_)
            | Request::Extended { .. } => Err(Outcome::new(code::PROTOCOL_ERROR, "not a write")),
        };
        done.err().unwrap_or_default()
    }

    /// What an anonymous client is told that may not do this.
    pub(super) fn unbound(&self) -> Outcome {
        match self.shared.options.kind {
            Kind::Openldap => Outcome::new(code::STRONGER_AUTH, "modifications require authentication"),
            Kind::ActiveDirectory => Outcome::new(
                code::OPERATIONS_ERROR,
                "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be \
                 completed on the connection., data 0, v4563",
            ),
        }
    }

    fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> Outcome {
        let state = self.shared.state();
        let id = match state.store.target(dn) {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        let lower = schema::base_name(attribute);
        let visible = state.store.entries.get(&id).filter(|entry| state.rights.sees(&state.store, &self.who, entry));
        let Some(entry) = visible else { return Outcome::new(code::NO_SUCH_OBJECT, "") };
        let values = state.store.values(entry, &lower);
        if values.is_empty() || state.rights.hides_attribute(&state.store, &self.who, entry, &lower) {
            return Outcome::new(code::NO_SUCH_ATTRIBUTE, "");
        }
        let syntax = state.store.syntax(&lower);
        let wanted = schema::normal(syntax, value);
        let equal = values.iter().any(|value| schema::normal(syntax, value) == wanted);
        Outcome::new(if equal { code::COMPARE_TRUE } else { code::COMPARE_FALSE }, "")
    }

    /// StartTLS (RFC 4511 4.14): the answer goes out in plain, everything after it in TLS.
    async fn start_tls(&mut self, reply: &mut Reply) -> Result<(), Gone> {
        let outcome = if !self.shared.start_tls() {
            Outcome::new(code::PROTOCOL_ERROR, "unsupported extended operation")
        } else if self.secure {
            Outcome::new(code::OPERATIONS_ERROR, "TLS already started")
        } else {
            Outcome::success()
        };
        let name = vec![ber::context_octets(10, controls::START_TLS)];
        let bytes = message::envelope(reply.id, message::result(24, &outcome, name), Vec::new());
        if self.send(reply, bytes, Response::Last(outcome.code)).await? != Sent::Over(code::SUCCESS) {
            return Ok(());
        }
        // Plain text that was sent ahead of the handshake must not count as protected.
        if !self.inbox.is_empty() || !self.waiting.is_empty() {
            return Err(Gone);
        }
        let plain = self.stream.take().ok_or(Gone)?;
        let shared = Arc::clone(&self.shared);
        let tls = shared.tls.as_ref().ok_or(Gone)?;
        self.stream = Some(Box::new(tls.acceptor.accept(plain).await?));
        self.secure = true;
        Ok(())
    }
}
