//! One request to be made, and what it is about: accounts, mails, external ids.
//!
//! A request is built from a fixed template and numbers only; nothing of an answer can become a part of its path.

use reqwest::Method;
use serde_json::Value;

use crate::domain::id::{AccountId, Email, ExternalId};

use super::pace::Kind;

/// What stands in a template for a number.
const PLACE: &str = "{id}";

/// Whether a request changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It only reads: it may be repeated.
    Read,
    /// It writes: once sent, its effect is unknown until it is answered.
    Write,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below `/api/v2`, with `{id}` for each number; for logs and limits.
    pub(super) endpoint: &'static str,
    ids: Vec<u64>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Call {
    fn new(method: Method, endpoint: &'static str, ids: &[u64]) -> Self {
        Self { method, endpoint, ids: ids.to_vec(), query: Vec::new(), body: None }
    }

    /// A read.
    pub(super) fn get(endpoint: &'static str, ids: &[u64]) -> Self {
        Self::new(Method::GET, endpoint, ids)
    }

    /// A POST.
    pub(super) fn post(endpoint: &'static str, ids: &[u64], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, endpoint, ids) }
    }

    /// A PUT.
    pub(super) fn put(endpoint: &'static str, ids: &[u64], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::PUT, endpoint, ids) }
    }

    /// A PUT that says all in its path.
    pub(super) fn put_empty(endpoint: &'static str, ids: &[u64]) -> Self {
        Self::new(Method::PUT, endpoint, ids)
    }

    /// A DELETE.
    pub(super) fn delete(endpoint: &'static str, ids: &[u64]) -> Self {
        Self::new(Method::DELETE, endpoint, ids)
    }

    /// Adds a body.
    #[must_use]
    pub(super) fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Whether it changes anything.
    pub(super) fn purpose(&self) -> Purpose {
        if self.method == Method::GET { Purpose::Read } else { Purpose::Write }
    }

    /// The path's segments below `/api/v2`.
    pub(super) fn segments(&self) -> Vec<String> {
        let mut ids = self.ids.iter();
        let filled = |part: &str| match part {
            PLACE => ids.next().map_or_else(|| PLACE.to_owned(), u64::to_string),
            fixed => fixed.to_owned(),
        };
        self.endpoint.split('/').map(filled).collect()
    }

    /// What kind of request it is for the limits.
    pub(super) fn kind(&self) -> Kind {
        let updates = (self.method == Method::PUT && self.endpoint == "users/{id}").then(|| self.ids.first());
        Kind { endpoint: self.endpoint, updates: updates.flatten().map(|id| AccountId(*id)) }
    }

    /// Every user that the request is about, wherever it names one: path, parameters or body.
    pub(super) fn users(&self) -> Vec<u64> {
        let segments = self.segments();
        let in_path = segments.windows(2).filter(|pair| pair[0] == "users").filter_map(|pair| pair[1].parse().ok());
        let mut users: Vec<u64> = in_path.collect();
        for (_, value) in &self.query {
            users.extend(value.split(',').filter_map(|id| id.trim().parse::<u64>().ok()));
        }
        if let Some(body) = &self.body {
            named_users(body, &mut users);
        }
        users
    }

    /// Whether it makes a user: the only write that is about nobody yet.
    pub(super) fn makes_user(&self) -> bool {
        self.method == Method::POST && self.endpoint == "users"
    }

    /// Every mail address that the request gives somebody.
    pub(super) fn mails(&self) -> Vec<Email> {
        let mut texts = Vec::new();
        self.body.iter().for_each(|body| texts_under(body, &MAIL_KEYS, &mut texts));
        texts.into_iter().filter_map(|text| Email::parse(text).ok()).collect()
    }

    /// Every external id that the request gives somebody.
    pub(super) fn external_ids(&self) -> Vec<ExternalId> {
        let mut texts = Vec::new();
        self.body.iter().for_each(|body| texts_under(body, &["external_id"], &mut texts));
        texts.into_iter().filter_map(|text| ExternalId::parse(text).ok()).collect()
    }
}

/// The keys under which a body gives mails: of a user, and of an identity (API reference, Users and User Identities).
const MAIL_KEYS: [&str; 3] = ["email", "emails", "value"];

/// Every text under one of some keys, at any depth.
fn texts_under<'b>(body: &'b Value, keys: &[&str], texts: &mut Vec<&'b str>) {
    match body {
        Value::Object(fields) => {
            for (key, value) in fields {
                if keys.contains(&key.as_str()) {
                    let listed = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    texts.extend(listed.iter().filter_map(Value::as_str));
                }
                texts_under(value, keys, texts);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts_under(value, keys, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The keys under which a body names users.
const USER_KEYS: [&str; 5] = ["id", "user_id", "ids", "user_ids", "assignee_id"];

/// Every number under a key that names users, at any depth of a body that we built ourselves.
fn named_users(body: &Value, users: &mut Vec<u64>) {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    match body {
        Value::Object(fields) => {
            for (key, value) in fields {
                if USER_KEYS.contains(&key.as_str()) {
                    let listed = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    users.extend(listed.iter().filter_map(number));
                }
                named_users(value, users);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| named_users(value, users)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_its_template_with_the_numbers() {
        let call = Call::get("users/{id}/identities/{id}", &[7, u64::MAX]);
        assert_eq!(call.segments(), ["users", "7", "identities", "18446744073709551615"]);
        assert_eq!(Call::get("users/{id}", &[]).segments(), ["users", "{id}"], "a forgotten number addresses nobody");
        assert_eq!(Call::get("users/show_many", &[]).kind().updates, None);
    }

    #[test]
    fn only_an_update_of_one_user_counts_as_one() {
        assert_eq!(Call::put("users/{id}", &[7], json!({})).kind().updates, Some(AccountId(7)));
        assert_eq!(Call::put("users/{id}/tags", &[7], json!({})).kind().updates, None);
        assert_eq!(Call::get("users/{id}", &[7]).kind().updates, None);
        assert_eq!(Call::delete("users/{id}/sessions", &[7]).kind().updates, None);
    }
}
