//! One request as the handlers see it.

use super::reply::{Reply, invalid_attribute, too_many_values};
use serde_json::{Map, Value};

/// A request whose route, login and body have been checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// The path without `/api/v2` and `.json`.
    pub(super) path: String,
    /// The variable segments of the path.
    pub(super) params: Vec<String>,
    /// The decoded query.
    pub(super) query: Vec<(String, String)>,
    /// The JSON body, or null.
    pub(super) body: Value,
    /// The user whom the credentials stand for; none is anonymous.
    pub(super) actor: Option<u64>,
}

impl Call {
    /// The `n`th variable segment as an id.
    pub(super) fn id(&self, n: usize) -> u64 {
        self.params.get(n).and_then(|param| param.parse().ok()).unwrap_or(0)
    }

    /// The first query parameter of that name.
    pub(super) fn ask(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All query parameters of that name.
    pub(super) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The object under the root key of the body.
    pub(super) fn object(&self, root: &str) -> Result<&Map<String, Value>, Reply> {
        self.body[root].as_object().ok_or_else(|| invalid_attribute(root, "must be an object"))
    }

    /// The array under the root key of the body.
    pub(super) fn array(&self, root: &str) -> Result<&Vec<Value>, Reply> {
        self.body[root].as_array().ok_or_else(|| invalid_attribute(root, "must be an array"))
    }

    /// A comma-separated query parameter, 100 values at most.
    pub(super) fn csv(&self, key: &str) -> Result<Option<Vec<String>>, Reply> {
        let Some(text) = self.ask(key) else { return Ok(None) };
        let values: Vec<String> =
            text.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect();
        if values.len() > 100 {
            return Err(too_many_values());
        }
        Ok(Some(values))
    }
}

/// An id that was sent as a number, or as a string of digits.
pub(super) fn as_id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
