//! The incremental export by cursor (Zendesk API reference, Incremental exports).

use super::super::call::Call;
use super::super::reply::{Answer, invalid_attribute, ok};
use super::super::world::World;
use super::view;
use serde_json::{Value, json};

const PAGE_MAX: usize = 1000;
/// The last minute is left out.
const LEFT_OUT_MS: u64 = 60_000;

/// Users in the order of their last change, deleted ones too.
pub(in super::super) fn export(world: &mut World, call: &Call) -> Answer {
    let start = match (call.ask("cursor"), call.ask("start_time")) {
        (Some(cursor), _) => position(cursor),
        (None, Some(time)) => time.parse::<u64>().ok().map(|seconds| (seconds * 1000, 0)),
        (None, None) => None,
    };
    let start = start.ok_or_else(|| invalid_attribute("start_time", "must be a time or a cursor"))?;
    let size = call.ask("per_page").and_then(|size| size.parse().ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let end = world.now.saturating_sub(LEFT_OUT_MS);
    let changed = world.users.values().map(|user| (user.updated_at, user.id));
    let mut rows: Vec<(u64, u64)> = changed.filter(|row| *row >= start && row.0 <= end).collect();
    rows.sort_unstable();
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().map_or(start, |(at, id)| (*at, id + 1));
    let cursor = format!("{}.{}", next.0, next.1);
    let users: Vec<Value> = rows.iter().map(|(_, id)| view::by_id(world, *id)).collect();
    let after_url = format!("{}?cursor={cursor}", world.url(&call.path));
    ok(json!({
        "users": users,
        "after_cursor": cursor,
        "after_url": after_url,
        "before_cursor": null,
        "before_url": null,
        "end_of_stream": !more,
    }))
}

fn position(cursor: &str) -> Option<(u64, u64)> {
    let (at, id) = cursor.split_once('.')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}
