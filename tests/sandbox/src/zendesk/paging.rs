//! Cursor and offset pagination (Zendesk API reference, Pagination).

use super::call::Call;
use super::reply::{Answer, Reply, ok, pagination};
use super::world::World;
use base64::Engine;
use serde_json::{Value, json};

const SIZE_MAX: usize = 100;
const OFFSET_PAGES_MAX: usize = 100;

/// Answers one page of `ids`, which are in ascending order, under `key`.
pub(super) fn list(world: &World, call: &Call, key: &str, ids: &[u64], render: impl Fn(u64) -> Value) -> Answer {
    let cursor = call.query.iter().any(|(name, _)| name.starts_with("page["));
    let offset = call.ask("page").is_some() || call.ask("per_page").is_some();
    match (cursor, offset) {
        (true, true) => Err(pagination("InvalidPaginationParameter", "cursor and offset pagination cannot be mixed")),
        (true, false) => by_cursor(world, call, key, ids, render),
        (false, _) => by_offset(world, call, key, ids, render),
    }
}

fn by_cursor(world: &World, call: &Call, key: &str, ids: &[u64], render: impl Fn(u64) -> Value) -> Answer {
    let size = number(call, "page[size]", SIZE_MAX)?;
    if size > SIZE_MAX {
        return Err(pagination("InvalidPaginationParameter", "page[size] cannot be greater than 100"));
    }
    let start = match call.ask("page[after]") {
        Some(cursor) => {
            let after = decode(cursor).ok_or_else(|| pagination("InvalidCursor", "page[after] is not valid"))?;
            ids.partition_point(|id| *id <= after)
        }
        None => 0,
    };
    let page: Vec<u64> = ids.iter().skip(start).take(size).copied().collect();
    let more = ids.len() > start + page.len();
    let after = page.last().map(|id| encode(*id));
    let next = after.as_ref().filter(|_| more);
    let next =
        next.map(|after| format!("{}?{}page[size]={size}&page[after]={after}", world.url(&call.path), kept(call)));
    ok(json!({
        key: page.into_iter().map(render).collect::<Vec<_>>(),
        "meta": {"has_more": more, "after_cursor": after, "before_cursor": null},
        "links": {"next": next, "prev": null},
    }))
}

/// An offset page, 100 pages at most.
pub(super) fn by_offset(world: &World, call: &Call, key: &str, ids: &[u64], render: impl Fn(u64) -> Value) -> Answer {
    let size = number(call, "per_page", SIZE_MAX)?.min(SIZE_MAX);
    let page = number(call, "page", 1)?;
    if page > OFFSET_PAGES_MAX {
        return Err(too_deep());
    }
    let rows: Vec<Value> = ids.iter().skip((page - 1) * size).take(size).map(|id| render(*id)).collect();
    let link = |page: usize| format!("{}?{}page={page}&per_page={size}", world.url(&call.path), kept(call));
    let next = (ids.len() > page * size).then(|| link(page + 1));
    let previous = (page > 1).then(|| link(page - 1));
    ok(json!({key: rows, "next_page": next, "previous_page": previous, "count": ids.len()}))
}

fn too_deep() -> Reply {
    let detail = "You have requested page beyond the offset pagination limit; use cursor pagination";
    pagination("InvalidPaginationDepth", detail)
}

fn number(call: &Call, name: &str, default: usize) -> Result<usize, Reply> {
    match call.ask(name) {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(pagination("InvalidPaginationParameter", &format!("{name} must be a positive number"))),
        },
    }
}

/// The other parameters, for the links.
fn kept(call: &Call) -> String {
    let other = call.query.iter().filter(|(name, _)| !name.starts_with("page") && name != "per_page");
    other.map(|(name, value)| format!("{name}={}&", value.replace('%', "%25").replace('&', "%26"))).collect()
}

fn encode(id: u64) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("after:{id}"))
}

fn decode(cursor: &str) -> Option<u64> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("after:")?.parse().ok()
}
