//! A small HTTP client over a socket of its own, and shorthands for the tests.

use super::super::{Account, Limit, Options, Running, UserState, start};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A running account with a token for everything.
pub(super) struct Desk {
    pub(super) running: Running,
    pub(super) auth: Option<String>,
}

/// An account without the one-a-second limit, whose clock only tests move.
pub(super) fn relaxed() -> Options {
    Options { update_limits: Limit::Off, frozen_clock: true, ..Options::default() }
}

pub(super) async fn desk(options: Options) -> Desk {
    let running = start("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let mut desk = Desk { running, auth: None };
    desk.auth = Some(desk.token("read write").await);
    desk
}

pub(super) fn seeded(users: Vec<UserState>) -> Options {
    Options { seed: Some(Account { users, ..Account::default() }), ..relaxed() }
}

impl Desk {
    /// The value of an `Authorization` header for a new token.
    pub(super) async fn token(&self, scope: &str) -> String {
        let got = self.ask_token(scope).await;
        assert_eq!(got.status, 201, "{}", got.text);
        format!("Bearer {}", got.json()["access_token"].as_str().unwrap())
    }

    pub(super) async fn ask_token(&self, scope: &str) -> Got {
        let ask = json!({
            "grant_type": "client_credentials", "client_id": "dirsync", "client_secret": "sandbox-secret",
            "scope": scope,
        });
        self.send("POST", "/oauth/tokens", "application/json", &ask.to_string(), None).await.unwrap()
    }

    /// Sends without `/api/v2` before the path; none if the connection was cut.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
        auth: Option<&str>,
    ) -> Option<Got> {
        let address = self.running.url().replace("http://", "");
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let auth = auth.map(|auth| format!("Authorization: {auth}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{auth}Content-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Got { status, headers, text: body.to_owned() })
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Got {
        self.try_call(method, path, body).await.expect("an answer")
    }

    pub(super) async fn try_call(&self, method: &str, path: &str, body: Value) -> Option<Got> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/v2{path}");
        self.send(method, &path, "application/json", &body, self.auth.as_deref()).await
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.call("GET", path, Value::Null).await
    }

    /// Creates a user and gives its id.
    pub(super) async fn create(&self, user: Value) -> u64 {
        let got = self.call("POST", "/users", json!({"user": user})).await;
        assert_eq!(got.status, 201, "{}", got.text);
        got.json()["user"]["id"].as_u64().unwrap()
    }

    pub(super) async fn put(&self, id: u64, user: Value) -> Got {
        self.call("PUT", &format!("/users/{id}"), json!({"user": user})).await
    }

    pub(super) async fn user(&self, id: u64) -> Value {
        self.get(&format!("/users/{id}")).await.json()["user"].clone()
    }

    pub(super) async fn control(&self, method: &str, path: &str, body: Value) -> Got {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("/_sandbox/{path}"), "application/json", &body, None).await.unwrap()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.running.advance(Duration::from_secs(seconds));
    }
}
