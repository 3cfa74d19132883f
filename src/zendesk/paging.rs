//! Lists by cursor: every page, or none of it.
//!
//! Of an answer only the cursor is taken, never an address. A list that doesn't prove its end is garbled, not short.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::engine::ports::CallFault;

use super::call::Call;
use super::http::Caller;

/// Records a page (API reference, Pagination: 100 at most).
const PAGE_SIZE: u32 = 100;
/// The most pages of one list: 100,000 records.
const PAGES_MAX: usize = 1000;
/// The longest cursor that is sent back, in bytes.
const CURSOR_BYTES_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default)]
    next_page: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    #[serde(default)]
    has_more: Option<bool>,
    #[serde(default)]
    after_cursor: Option<String>,
    #[serde(flatten)]
    _more: serde::de::IgnoredAny,
}

impl Page {
    /// The cursor of the next page, or none at the end of the list.
    fn after(&self) -> Result<Option<&str>, &'static str> {
        let more = match &self.meta {
            Some(meta) => meta.has_more.ok_or("doesn't say whether more follows")?,
            // Some lists answer as a whole, in the old form.
            None => self.next_page.as_ref().is_some_and(|next| !next.is_null()),
        };
        let cursor = self.meta.as_ref().and_then(|meta| meta.after_cursor.as_deref());
        match (more, cursor) {
            (false, _) => Ok(None),
            (true, Some(cursor)) if !cursor.is_empty() && cursor.len() <= CURSOR_BYTES_MAX => Ok(Some(cursor)),
            (true, _) => Err("says that more follows, and gives no usable cursor"),
        }
    }
}

/// Reads a whole list; `key` is where its records stand.
///
/// # Errors
/// [`CallFault::Garbled`] when a page lacks the key, a cursor comes twice or there are more than [`PAGES_MAX`] pages.
pub(super) async fn list<T: DeserializeOwned>(
    caller: &mut Caller,
    call: &Call,
    key: &'static str,
) -> Result<Vec<T>, CallFault> {
    let garbled = |why: &str| CallFault::Garbled(format!("{}: a page {why}", call.endpoint));
    let first = call.clone().with("page[size]", PAGE_SIZE);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut records = Vec::new();
    let mut next = first.clone();
    for _ in 0..PAGES_MAX {
        let (mut page, _): (Page, _) = caller.fetch(&next).await?;
        let Some(rows) = page.rest.remove(key) else { return Err(garbled(&format!("has no {key}"))) };
        let rows: Vec<T> = serde_json::from_value(rows).map_err(|_| garbled(&format!("has unusable {key}")))?;
        records.extend(rows);
        let Some(cursor) = page.after().map_err(garbled)? else { return Ok(records) };
        if !seen.insert(cursor.to_owned()) {
            return Err(garbled("repeats a cursor"));
        }
        next = first.clone().with("page[after]", cursor);
    }
    Err(garbled("too many follows the last one that is read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(body: &str) -> Result<Option<String>, &'static str> {
        let page: Page = serde_json::from_str(body).unwrap();
        page.after().map(|cursor| cursor.map(str::to_owned))
    }

    #[test]
    fn only_a_proven_end_ends_a_list() {
        assert_eq!(after(r#"{"meta":{"has_more":false,"after_cursor":"x"}}"#), Ok(None));
        assert_eq!(after(r#"{"meta":{"has_more":true,"after_cursor":"x"}}"#), Ok(Some("x".into())));
        assert_eq!(after(r#"{"next_page":null,"count":2}"#), Ok(None));
        assert_eq!(after("{}"), Ok(None));
        assert!(after(r#"{"meta":{}}"#).is_err());
        assert!(after(r#"{"meta":{"has_more":true}}"#).is_err());
        assert!(after(r#"{"meta":{"has_more":true,"after_cursor":""}}"#).is_err());
        let long = format!(r#"{{"meta":{{"has_more":true,"after_cursor":"{}"}}}}"#, "c".repeat(CURSOR_BYTES_MAX + 1));
        assert!(after(&long).is_err());
        assert!(after(r#"{"next_page":"https://elsewhere.example/users?page=2"}"#).is_err(), "no address is followed");
    }
}
