//! The way to a server: our own socket, StartTLS, TLS, the frame guard, and behind it ldap3.
//!
//! There is no fallback: where TLS is asked for, nothing but the StartTLS request is sent before it stands. No address
//! is taken from an answer.

use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ber::{Elements, Form, head, small_number, tag};
use super::code::{Code, said};
use super::guard::{self, Ended};
use crate::domain::settings::{DirectorySettings, Protection, ServerUrl};
use crate::engine::ports::ReadFault;
use crate::tls::{certificate_fault, tls_config};

/// After so much silence the kernel asks whether the server is still there; a firewall forgets idle connections.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// And then again at this interval.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

/// Longest answer to a StartTLS request, in bytes.
const STARTTLS_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A connection to one server.
pub(super) struct Link {
    pub(super) ldap: Ldap,
    /// How long one answer may take.
    pub(super) timeout: Duration,
    /// The URL, as it was written.
    pub(super) url: String,
    ended: Ended,
}

impl Link {
    /// Puts the guard and ldap3 on a stream that is ready for LDAP.
    pub(super) async fn over<S>(stream: S, url: &str, timeout: Duration) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (guarded, ended) = guard::stand_before(stream).map_err(|why| why.to_string())?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(guarded));
        let made = LdapConnAsync::with_settings(settings, "ldapi:///").await;
        let (driver, ldap) = made.map_err(|why| why.to_string())?;
        // A panic of the driver ends this task alone: the caller sees the end of the stream.
        tokio::spawn(async move {
            if let Err(why) = driver.drive().await {
                tracing::debug!(%why, "connection ended");
            }
        });
        Ok(Self { ldap, timeout, url: url.to_owned(), ended })
    }

    /// Why the connection is of no more use.
    pub(super) fn end_reason(&self, fault: &ldap3::LdapError) -> String {
        match self.ended.get() {
            Some(why) => why.clone(),
            None => match fault {
                ldap3::LdapError::EndOfStream
                | ldap3::LdapError::ResultRecv { .. }
                | ldap3::LdapError::OpSend { .. }
                | ldap3::LdapError::IdScrubSend { .. } => "the connection ended".to_owned(),
                other => other.to_string(),
            },
        }
    }

    /// Says good-bye, as far as the server listens.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(GOODBYE_MAX, self.ldap.unbind()).await;
    }
}

/// How long a good-bye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Connects to one server, up to the point where a bind may be sent.
pub(super) async fn connect(
    server: &ServerUrl,
    settings: &DirectorySettings,
    deadline: Instant,
) -> Result<Link, ReadFault> {
    let unreachable = |why: String| ReadFault::Unreachable { url: server.text.clone(), why };
    let within =
        |what: &str| unreachable(format!("{what} took longer than {}", humantime::format_duration(settings.timeout)));
    let config = || tls_config(settings.ca_file.as_deref()).map_err(|why| ReadFault::Unfit(why.to_string()));
    let mut socket =
        timeout_at(deadline, dial(server, deadline)).await.map_err(|_| within("connecting"))?.map_err(unreachable)?;
    let link = match server.protection {
        Protection::Plaintext => Link::over(socket, &server.text, settings.timeout).await,
        Protection::Ldaps | Protection::StartTls => {
            let config = config()?;
            if server.protection == Protection::StartTls {
                let asked = timeout_at(deadline, start_tls(&mut socket)).await;
                asked.map_err(|_| within("StartTLS"))?.map_err(unreachable)?;
            }
            let shaken = timeout_at(deadline, secure(socket, server, config)).await;
            Link::over(shaken.map_err(|_| within("the TLS handshake"))??, &server.text, settings.timeout).await
        }
    };
    link.map_err(unreachable)
}

/// Opens the socket: each address of the host gets its share of the time that is left.
async fn dial(server: &ServerUrl, deadline: Instant) -> Result<TcpStream, String> {
    let found = tokio::net::lookup_host((server.host.as_str(), server.port)).await;
    let addresses: Vec<_> = found.map_err(|why| format!("{} isn't resolved: {why}", server.host))?.collect();
    let mut last = format!("{} has no address", server.host);
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        // At most as many addresses as DNS answers hold: the count fits.
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return tune(socket).map_err(|why| why.to_string()),
            Ok(Err(why)) => last = format!("{address}: {why}"),
            Err(_) => last = format!("{address}: no answer within {} ms", share.as_millis()),
        }
    }
    Err(last)
}

/// Without NODELAY each request waits 40 ms for an acknowledgement (measured over TLS).
fn tune(socket: TcpStream) -> std::io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    Ok(socket)
}

/// The StartTLS request (RFC 4511 4.14.1): message 1, an extended request with the name 1.3.6.1.4.1.1466.20037.
const STARTTLS_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Asks for TLS. Reads exactly one answer: what else was sent in the clear falls to the handshake, which refuses it.
pub(super) async fn start_tls(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), String> {
    let broke = |why: std::io::Error| format!("StartTLS: the connection broke: {why}");
    socket.write_all(STARTTLS_REQUEST).await.map_err(broke)?;
    socket.flush().await.map_err(broke)?;
    let mut answer = Vec::new();
    loop {
        answer.push(socket.read_u8().await.map_err(broke)?);
        let Some(head) = head(&answer).map_err(|why| format!("StartTLS: {why}"))? else { continue };
        if head.tag != tag::SEQUENCE || head.form != Form::Constructed || head.length > STARTTLS_ANSWER_BYTES_MAX {
            return Err("StartTLS: the answer is no LDAP message".to_owned());
        }
        let mut rest = vec![0; head.length];
        socket.read_exact(&mut rest).await.map_err(broke)?;
        return starttls_answer(&rest);
    }
}

/// Accepts nothing but success for message 1.
fn starttls_answer(body: &[u8]) -> Result<(), String> {
    let malformed = || "StartTLS: the answer is no LDAP message".to_owned();
    let mut parts = Elements(body);
    let mut take = || parts.take().ok().flatten();
    let id = take().filter(|part| part.is_octets(tag::INTEGER)).and_then(|part| small_number(part.content));
    let operation = take().filter(|part| part.is(tag::APPLICATION | 24, Form::Constructed)).ok_or_else(malformed)?;
    let mut parts = Elements(operation.content);
    let mut take = || parts.take().ok().flatten();
    let code = take().filter(|part| part.is_octets(tag::ENUMERATED)).and_then(|part| small_number(part.content));
    let code = Code(code.ok_or_else(malformed)?);
    let _matched = take();
    let text = take().map(|part| said(&String::from_utf8_lossy(part.content))).unwrap_or_default();
    match id {
        Some(1) if code == Code::SUCCESS => Ok(()),
        Some(0 | 1) => Err(format!("the server refuses StartTLS: {code} {text}").trim_end().to_owned()),
        Some(_) | None => Err(malformed()),
    }
}

async fn secure(
    socket: TcpStream,
    server: &ServerUrl,
    config: ClientConfig,
) -> Result<TlsStream<TcpStream>, ReadFault> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| ReadFault::Unfit(format!("{}: the host is neither a name nor an address", server.text)))?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    shaken.map_err(|fault| {
        let url = server.text.clone();
        let inner = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner.and_then(certificate_fault) {
            Some(why) => ReadFault::Untrusted { url, why },
            None => ReadFault::Unreachable { url, why: format!("the TLS handshake failed: {fault}") },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(answer: &'static [u8]) -> (Result<(), String>, Vec<u8>) {
        let (mut client, mut server) = tokio::io::duplex(1024);
        server.write_all(answer).await.unwrap();
        let result = start_tls(&mut client).await;
        let mut request = vec![0; STARTTLS_REQUEST.len()];
        server.read_exact(&mut request).await.unwrap();
        assert_eq!(request, STARTTLS_REQUEST);
        drop(server);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        (result, rest)
    }

    #[tokio::test]
    async fn starttls_takes_one_answer_and_leaves_what_follows_it() {
        let (result, rest) = answered(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00injected").await;
        assert_eq!(result, Ok(()));
        assert_eq!(rest, b"injected");
    }

    #[tokio::test]
    async fn anything_but_success_ends_the_attempt() {
        for answer in [
            &b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"[..],
            b"\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
            b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
            b"\x30\x05\x02\x01\x01\x78\x00",
            b"\x30\x84\x7f\xff\xff\xff",
            b"HTTP/1.1 400 Bad Request\r\n",
        ] {
            let (result, _) = answered(answer).await;
            assert!(result.is_err(), "{answer:x?}");
        }
    }

    #[test]
    fn the_request_is_as_long_as_it_says() {
        assert_eq!(STARTTLS_REQUEST.len(), 2 + 0x1d);
        let name = &STARTTLS_REQUEST[9..];
        assert_eq!((name.len(), name), (0x16, &b"1.3.6.1.4.1.1466.20037"[..]));
    }
}
