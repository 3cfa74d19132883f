//! The frame guard: looks at every message before ldap3's parser does, and ends the connection at the first bad one.
//!
//! Recorded on ldap3 0.12.1: 120 kB of nested BER end the process, a frame of 600 MiB is buffered, an inner length
//! that overruns its frame is waited on for ever, and a diagnostic text that isn't UTF-8, a control of another shape,
//! or an answer of another operation panics the driver. None of these passes here. The guard knows no directory: what
//! entries say is read elsewhere.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::ber::{Element, Elements, Flaw, Form, head, small_number, tag};
use super::code::{Code, said};

/// Longest message, in bytes. A group with 300,000 members is one of 15.8 MB.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Deepest nesting of elements in a message. An entry needs 5, a control 4.
pub(super) const DEPTH_MAX: usize = 32;

/// Most bytes that may answer one request: ldap3 queues without bound what its caller hasn't taken yet.
pub(super) const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// Why the guard ends a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    #[error("the server sent a message of {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    #[error("the server sent a message nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    #[error("the server sent more than {ANSWER_BYTES_MAX} bytes in answer to one request")]
    TooMuch,
    #[error("the server sent what is no LDAP message: {0}")]
    Malformed(&'static str),
    #[error("the server sent what is no LDAP message: {0}")]
    Flawed(#[from] Flaw),
    #[error("the server sent an answer to something that wasn't asked")]
    Unasked,
    #[error("the server ends the session: {0}")]
    Farewell(String),
}

/// What the first bytes of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// Part of a message; this many bytes are needed at least.
    Partial(usize),
    /// A whole message of this many bytes.
    Whole(usize),
}

/// Measures the message at the start of `bytes`.
pub(super) fn measure(bytes: &[u8]) -> Result<Frame, Breach> {
    let Some(head) = head(bytes)? else { return Ok(Frame::Partial(bytes.len() + 1)) };
    if head.tag != tag::SEQUENCE || head.form != Form::Constructed {
        return Err(Breach::Malformed("it doesn't begin with a SEQUENCE"));
    }
    if head.length > MESSAGE_BYTES_MAX {
        return Err(Breach::TooLong(head.length));
    }
    let length = head.header + head.length;
    Ok(if bytes.len() < length { Frame::Partial(length) } else { Frame::Whole(length) })
}

/// An operation under way: the message id and the tag of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: u32,
    pub(super) operation: u8,
}

const BIND_REQUEST: u8 = tag::APPLICATION;
const BIND_RESPONSE: u8 = tag::APPLICATION | 1;
const SEARCH_REQUEST: u8 = tag::APPLICATION | 3;
const SEARCH_ENTRY: u8 = tag::APPLICATION | 4;
const SEARCH_DONE: u8 = tag::APPLICATION | 5;
const SEARCH_REFERENCE: u8 = tag::APPLICATION | 19;
const EXTENDED_REQUEST: u8 = tag::APPLICATION | 23;
const EXTENDED_RESPONSE: u8 = tag::APPLICATION | 24;
const INTERMEDIATE: u8 = tag::APPLICATION | 25;
const REFERRAL: u8 = tag::CONTEXT | 3;
const EXTENDED_NAME: u8 = tag::CONTEXT | 10;
/// The bits of a tag that tell its class.
const CLASS: u8 = 0xc0;

impl Asked {
    /// Whether an answer with this tag can belong to it.
    const fn expects(self, answer: u8) -> bool {
        match self.operation {
            BIND_REQUEST => matches!(answer, BIND_RESPONSE),
            SEARCH_REQUEST => matches!(answer, SEARCH_ENTRY | SEARCH_DONE | SEARCH_REFERENCE | INTERMEDIATE),
            EXTENDED_REQUEST => matches!(answer, EXTENDED_RESPONSE),
            // Unbind and abandon have no answers (RFC 4511 4.3, 4.11).
            _ => false,
        }
    }
}

/// Looks at one whole message from the server. `asked` is the operation under way.
pub(super) fn inspect(message: &[u8], asked: Option<Asked>) -> Result<(), Breach> {
    let body = Elements(message).take()?.ok_or(Breach::Malformed("it is empty"))?;
    depth(body.content, 1)?;
    let mut parts = Elements(body.content);
    let id = parts.take()?.filter(|part| part.is_octets(tag::INTEGER)).and_then(|part| small_number(part.content));
    let id = id.ok_or(Breach::Malformed("it has no message id"))?;
    let operation = parts.take()?.filter(|part| part.form == Form::Constructed);
    let operation = operation.ok_or(Breach::Malformed("it has no operation"))?;
    if id == 0 {
        return Err(farewell(&operation));
    }
    if !asked.is_some_and(|asked| asked.id == id && asked.expects(operation.tag)) {
        return Err(Breach::Unasked);
    }
    if matches!(operation.tag, BIND_RESPONSE | SEARCH_DONE | EXTENDED_RESPONSE) {
        result(&operation)?;
    }
    if let Some(last) = parts.take()? {
        if !last.is(tag::CONTEXT, Form::Constructed) {
            return Err(Breach::Malformed("something else stands where controls belong"));
        }
        controls(last.content)?;
    }
    if parts.take()?.is_some() { Err(Breach::Malformed("it has more than three parts")) } else { Ok(()) }
}

fn depth(content: &[u8], level: usize) -> Result<(), Breach> {
    if level > DEPTH_MAX {
        return Err(Breach::TooDeep);
    }
    let mut elements = Elements(content);
    while let Some(element) = elements.take()? {
        if element.form == Form::Constructed {
            depth(element.content, level + 1)?;
        }
    }
    Ok(())
}

/// LDAPResult (RFC 4511 4.1.9) with what bind and extended responses add to it.
fn result(operation: &Element<'_>) -> Result<(u32, String), Breach> {
    let mut parts = Elements(operation.content);
    let code = parts.take()?.filter(|part| part.is_octets(tag::ENUMERATED));
    let code = code.and_then(|part| small_number(part.content)).ok_or(Breach::Malformed("it has no result code"))?;
    text(parts.take()?)?;
    let diagnostic = text(parts.take()?)?.to_owned();
    while let Some(part) = parts.take()? {
        match (part.tag, part.form) {
            (REFERRAL, Form::Constructed) => {
                let mut addresses = Elements(part.content);
                while let Some(address) = addresses.take()? {
                    text(Some(address))?;
                }
            }
            (EXTENDED_NAME, Form::Primitive) => {
                std::str::from_utf8(part.content).map_err(|_| Breach::Malformed("a name isn't UTF-8"))?;
            }
            (other, Form::Primitive) if other & CLASS == tag::CONTEXT && other != REFERRAL => {}
            _ => return Err(Breach::Malformed("a result has a part that none has")),
        }
    }
    Ok((code, diagnostic))
}

fn text<'a>(part: Option<Element<'a>>) -> Result<&'a str, Breach> {
    let part = part.filter(|part| part.is_octets(tag::OCTETS)).ok_or(Breach::Malformed("a text is missing"))?;
    std::str::from_utf8(part.content).map_err(|_| Breach::Malformed("a text isn't UTF-8"))
}

fn controls(content: &[u8]) -> Result<(), Breach> {
    let malformed = || Breach::Malformed("a control is malformed");
    let mut controls = Elements(content);
    while let Some(control) = controls.take()? {
        if !control.is(tag::SEQUENCE, Form::Constructed) {
            return Err(malformed());
        }
        let mut parts = Elements(control.content);
        text(parts.take()?)?;
        let mut next = parts.take()?;
        if next.is_some_and(|part| part.is_octets(tag::BOOLEAN) && part.content.len() == 1) {
            next = parts.take()?;
        }
        if next.is_some_and(|part| !part.is_octets(tag::OCTETS)) || parts.take()?.is_some() {
            return Err(malformed());
        }
    }
    Ok(())
}

/// An unsolicited notification (RFC 4511 4.4): the only one there is announces a disconnection.
fn farewell(operation: &Element<'_>) -> Breach {
    if operation.tag != EXTENDED_RESPONSE {
        return Breach::Unasked;
    }
    match result(operation) {
        Ok((code, text)) => {
            let text = said(&text);
            Breach::Farewell(if text.is_empty() { Code(code).to_string() } else { format!("{}: {text}", Code(code)) })
        }
        Err(_) => Breach::Farewell("it gives no reason".to_owned()),
    }
}

/// Why a connection ended, once it has.
pub(super) type Ended = Arc<OnceLock<String>>;

/// Puts a guard before a connection; answers the guarded end, for ldap3. The guard ends with either side.
pub(super) fn stand_before<S>(stream: S) -> io::Result<(StdUnixStream, Ended)>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (theirs, ours) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let (mut from_client, mut to_client) = UnixStream::from_std(ours)?.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(stream);
    let ended = Ended::default();
    let note = Arc::clone(&ended);
    tokio::spawn(async move {
        let under_way = UnderWay::default();
        let why = tokio::select! {
            why = down(&mut from_server, &mut to_client, &under_way) => why,
            why = up(&mut from_client, &mut to_server, &under_way) => why,
        };
        // The sockets are still open: whoever sees their end finds the reason.
        let _ = note.set(why);
    });
    Ok((theirs, ended))
}

/// The operation under way, shared by the two directions: its id above its tag.
#[derive(Default)]
struct UnderWay(AtomicU64);

impl UnderWay {
    fn set(&self, asked: Asked) {
        self.0.store(u64::from(asked.id) << 8 | u64::from(asked.operation), Ordering::Relaxed);
    }

    fn get(&self) -> Option<Asked> {
        let packed = self.0.load(Ordering::Relaxed);
        // The tag is the low byte; ids have at most 31 bits.
        let operation = (packed & 0xff) as u8;
        u32::try_from(packed >> 8).ok().filter(|id| *id != 0).map(|id| Asked { id, operation })
    }
}

/// Passes messages from the server on, each looked at first. Answers why it ended.
async fn down<S: AsyncRead>(server: &mut ReadHalf<S>, client: &mut OwnedWriteHalf, under_way: &UnderWay) -> String {
    let mut buffer = Buffer::default();
    let mut answering = None;
    let mut answered = 0_u64;
    loop {
        let (whole, breach) = buffer.whole_messages(|message| inspect(message, under_way.get()));
        if answering != under_way.get() {
            answering = under_way.get();
            answered = 0;
        }
        answered += whole as u64;
        if answered > ANSWER_BYTES_MAX {
            return Breach::TooMuch.to_string();
        }
        if whole > 0 {
            if client.write_all(buffer.first(whole)).await.is_err() {
                return "the connection was closed on this side".to_owned();
            }
            buffer.consume(whole);
        }
        if let Some(breach) = breach {
            return breach.to_string();
        }
        match buffer.fill(server).await {
            Ok(0) => return "the server closed the connection".to_owned(),
            Ok(_) => {}
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
                return "the server closed the connection".to_owned();
            }
            Err(why) => return format!("the connection broke: {why}"),
        }
    }
}

/// Passes requests on, and notes what is under way. Answers why it ended.
async fn up<S: AsyncWrite>(client: &mut OwnedReadHalf, server: &mut WriteHalf<S>, under_way: &UnderWay) -> String {
    let mut buffer = Buffer::default();
    loop {
        let (whole, breach) = buffer.whole_messages(|message| {
            under_way.set(request(message)?);
            Ok(())
        });
        if breach.is_some() {
            return "a request couldn't be sent".to_owned();
        }
        if whole > 0 {
            let sent = server.write_all(buffer.first(whole)).await;
            if let Err(why) = if sent.is_ok() { server.flush().await } else { sent } {
                return format!("the connection broke: {why}");
            }
            buffer.consume(whole);
        }
        if !matches!(buffer.fill(client).await, Ok(1..)) {
            // With TLS this says good-bye properly; whether it arrives is of no matter.
            let _ = server.shutdown().await;
            return "the connection was closed on this side".to_owned();
        }
    }
}

/// What a request of ours is.
fn request(message: &[u8]) -> Result<Asked, Breach> {
    let body = Elements(message).take()?.ok_or(Breach::Malformed("it is empty"))?;
    let mut parts = Elements(body.content);
    let id = parts.take()?.and_then(|part| small_number(part.content)).ok_or(Breach::Malformed("no id"))?;
    let operation = parts.take()?.ok_or(Breach::Malformed("no operation"))?.tag;
    Ok(Asked { id, operation })
}

/// Bytes read and not yet passed on.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes the message at the start needs at least.
    wanted: usize,
}

impl Buffer {
    /// How many bytes at the start are whole messages that `check` lets through, and what is wrong with the next one.
    fn whole_messages(&mut self, check: impl Fn(&[u8]) -> Result<(), Breach>) -> (usize, Option<Breach>) {
        let filled = &self.bytes[self.start..self.end];
        let mut whole = 0;
        loop {
            let length = match measure(&filled[whole..]) {
                Ok(Frame::Whole(length)) => length,
                Ok(Frame::Partial(wanted)) => {
                    self.wanted = wanted;
                    return (whole, None);
                }
                Err(breach) => return (whole, Some(breach)),
            };
            if let Err(breach) = check(&filled[whole..whole + length]) {
                return (whole, Some(breach));
            }
            whole += length;
        }
    }

    fn first(&self, count: usize) -> &[u8] {
        &self.bytes[self.start..self.start + count]
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            // A long message doesn't leave its room behind.
            if self.bytes.len() > 16 * CHUNK {
                self.bytes = Vec::new();
            }
        }
    }

    /// Reads once. Room grows with what arrives, not with what a header promises.
    async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < CHUNK / 2 {
            let room = (self.end * 2).min(self.wanted).max(self.end + CHUNK);
            self.bytes.resize(room, 0);
        }
        let count = from.read(&mut self.bytes[self.end..]).await?;
        self.end += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
