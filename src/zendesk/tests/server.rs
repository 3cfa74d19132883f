//! A server of a few lines: it reads requests, keeps them, and answers with whatever bytes the test wants, or none.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// What is done with a request.
pub(super) enum Reply {
    /// These bytes are sent, then the connection is closed.
    Bytes(Vec<u8>),
    /// The connection is closed.
    Drop,
    /// Nothing, for ever.
    Silence,
}

/// An answer with a JSON body.
pub(super) fn json(status: u16, body: &Value) -> Reply {
    with(status, &["content-type: application/json; charset=utf-8"], body.to_string().as_bytes())
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Reply {
    with(status, &[], b"")
}

/// An answer with headers and a body.
pub(super) fn with(status: u16, headers: &[&str], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
    let mut bytes = format!("{head}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

type Handler = Arc<Mutex<dyn FnMut(&Seen, usize) -> Reply + Send>>;

/// The server; it ends with the test's runtime.
pub(super) struct Server {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts a server. The handler gets each request and its number, from 1.
    pub(super) async fn start(handler: impl FnMut(&Seen, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let handler: Handler = Arc::new(Mutex::new(handler));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&kept)));
            }
        });
        Self { address, seen }
    }

    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests so far as `METHOD /path`.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

async fn serve(stream: TcpStream, handler: Handler, kept: Arc<Mutex<Vec<Seen>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let url = Url::parse(&format!("http://host{target}")).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let seen = Seen {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(seen.clone());
        kept.len()
    };
    let reply = (handler.lock().unwrap())(&seen, number);
    match reply {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
        Reply::Drop => {}
        Reply::Silence => std::future::pending().await,
    }
    stream.shutdown().await.ok()
}
