//! Search: exact by external id; by query over an index that lags (Zendesk API reference, Search users).

use super::super::call::Call;
use super::super::paging;
use super::super::reply::{Answer, Reply, ok, record_invalid};
use super::super::world::{User, World};
use super::view;
use serde_json::{Value, json};

const RESULTS_MAX: usize = 1000;
const USERS_MAX: usize = 10_000;

pub(in super::super) fn users(world: &mut World, call: &Call) -> Answer {
    let ids = match call.ask("external_id") {
        Some(external_id) => world.external_holder(external_id).into_iter().collect(),
        None => found(world, call.ask("query").unwrap_or_default()),
    };
    check_depth(call, USERS_MAX)?;
    paging::by_offset(world, call, "users", &ids, |id| view::by_id(world, id))
}

pub(in super::super) fn all(world: &mut World, call: &Call) -> Answer {
    check_depth(call, RESULTS_MAX)?;
    let ids = found(world, call.ask("query").unwrap_or_default());
    let rows = paging::by_offset(world, call, "results", &ids, |id| {
        let mut row = view::by_id(world, id);
        row["result_type"] = json!("user");
        row
    })?;
    let super::super::reply::Body::Json(mut body) = rows.body else { return ok(Value::Null) };
    body["facets"] = Value::Null;
    ok(body)
}

/// Search offers so many results and no more.
fn check_depth(call: &Call, most: usize) -> Result<(), Reply> {
    let number = |name: &str, default: usize| call.ask(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let size = number("per_page", 100).min(100);
    if number("page", 1).saturating_sub(1).saturating_mul(size) < most {
        return Ok(());
    }
    let mut refusal = record_invalid(Value::Null);
    let text = format!("Search results are limited to the first {most}");
    refusal.body = super::super::reply::Body::Json(json!({"error": "invalid", "description": text}));
    Err(refusal)
}

fn found(world: &World, query: &str) -> Vec<u64> {
    let terms: Vec<(Option<String>, String)> = terms(query);
    if terms.is_empty() {
        return Vec::new();
    }
    let lag_ms = world.options.index_lag_s.saturating_mul(1000);
    let indexed = |user: &&User| user.active && world.now >= user.updated_at.saturating_add(lag_ms);
    let fits = |user: &&User| terms.iter().all(|(key, word)| matches(user, key.as_deref(), word));
    world.users.values().filter(indexed).filter(fits).map(|user| user.id).collect()
}

/// Splits `email:"a@b" type:user word` into pairs of key and lower-case value.
fn terms(query: &str) -> Vec<(Option<String>, String)> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in query.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.iter_mut().next_back().into_iter().for_each(|word| word.extend(letter.to_lowercase())),
        }
    }
    let words = words.into_iter().filter(|word| !word.is_empty());
    words
        .map(|word| match word.split_once(':') {
            Some((key, value)) => (Some(key.to_owned()), value.to_owned()),
            None => (None, word),
        })
        .collect()
}

fn matches(user: &User, key: Option<&str>, word: &str) -> bool {
    let by_identity = || user.identities.iter().any(|identity| identity.value.to_lowercase() == word);
    let by_name = || user.name.to_lowercase().contains(word);
    match key {
        Some("type") => word == "user",
        Some("email") => by_identity(),
        Some("role") => user.role.name() == word,
        Some("name") => by_name(),
        Some("external_id") => user.external_id.as_ref().is_some_and(|id| id.to_lowercase() == word),
        Some("tags") => user.tags.iter().any(|tag| tag == word),
        Some(_) => false,
        None => by_identity() || (!word.contains('@') && by_name()),
    }
}
