//! Rate limits on the virtual clock (Zendesk API reference, Rate limits).

use super::clock::Millis;
use super::options::Limit;
use super::reply::Reply;
use super::world::World;
use serde_json::json;
use std::collections::{HashMap, VecDeque};

const USER_UPDATES_A_MINUTE: usize = 5;
const PERMANENT_DELETIONS: usize = 700;

/// What was used of each limit.
#[derive(Debug, Default)]
pub(super) struct Limits {
    minute: u64,
    used: u32,
    last_update: Option<Millis>,
    by_user: HashMap<u64, VecDeque<Millis>>,
    permanent: VecDeque<Millis>,
}

/// Counts a request against the account's limit.
pub(super) fn account(world: &mut World) -> Result<(), Reply> {
    let minute = world.now / 60_000;
    if minute != world.limits.minute {
        (world.limits.minute, world.limits.used) = (minute, 0);
        let since = world.now.saturating_sub(60_000);
        world.limits.by_user.retain(|_, updates| updates.back().is_some_and(|last| *last > since));
    }
    let full = world.limits.used >= allowed(world);
    if full && world.options.account_limits == Limit::Strict {
        let text = "Number of allowed API requests per minute exceeded";
        let body = json!({"error": "APIRateLimitExceeded", "description": text});
        return Err(Reply::json(429, body).with("Retry-After", reset_s(world)));
    }
    world.limits.used = world.limits.used.saturating_add(1);
    Ok(())
}

/// Adds the headers that every API answer has.
pub(super) fn headers(world: &World, reply: Reply) -> Reply {
    let (limit, left) = (allowed(world), allowed(world).saturating_sub(world.limits.used));
    reply
        .with("X-Zendesk-API-Version", "v2")
        .with("X-Rate-Limit", limit)
        .with("X-Rate-Limit-Remaining", left)
        .with("ratelimit-limit", limit)
        .with("ratelimit-remaining", left)
        .with("ratelimit-reset", reset_s(world))
}

fn allowed(world: &World) -> u32 {
    world.options.requests_per_minute.unwrap_or_else(|| world.options.plan.requests_per_minute())
}

fn reset_s(world: &World) -> u64 {
    (60_000 - world.now % 60_000).div_ceil(1000)
}

/// Counts a single-user update or `create_or_update`: one a second for the account.
pub(super) fn update(world: &mut World) -> Result<(), Reply> {
    if world.options.update_limits == Limit::Off {
        return Ok(());
    }
    let waited = world.limits.last_update.map(|last| world.now.saturating_sub(last));
    if waited.is_some_and(|waited| waited < 1000) {
        let body = json!({"error": "TooManyRequests", "description": "Limit for creating or updating users exceeded"});
        return Err(Reply::json(429, body)
            .with("Retry-After", 1)
            .with(UPDATE_HEADER, "total=1; remaining=0; resets=1"));
    }
    world.limits.last_update = Some(world.now);
    Ok(())
}

/// The header of the update limit.
pub(super) const UPDATE_HEADER: &str = "Zendesk-RateLimit-create-update-user";

/// Counts an update of one user: five a minute (recorded: PUT of one user answered with 429).
pub(super) fn user_update(world: &mut World, user: u64) -> Result<(), Reply> {
    if world.options.user_limits == Limit::Off {
        return Ok(());
    }
    let now = world.now;
    let updates = world.limits.by_user.entry(user).or_default();
    while updates.front().is_some_and(|first| now.saturating_sub(*first) >= 60_000) {
        updates.pop_front();
    }
    if let (true, Some(first)) = (updates.len() >= USER_UPDATES_A_MINUTE, updates.front()) {
        let wait = (first + 60_000).saturating_sub(now).div_ceil(1000).max(1);
        let text =
            "You have exceeded the rate limit for updating a single unique user. user email:  id:  external_id: ";
        return Err(Reply::text(429, text).with("Retry-After", wait));
    }
    updates.push_back(now);
    Ok(())
}

/// Counts a permanent deletion: 700 in ten minutes.
pub(super) fn permanent_deletion(world: &mut World) -> Result<(), Reply> {
    let now = world.now;
    let deletions = &mut world.limits.permanent;
    while deletions.front().is_some_and(|first| now.saturating_sub(*first) >= 600_000) {
        deletions.pop_front();
    }
    if let (true, Some(first)) = (deletions.len() >= PERMANENT_DELETIONS, deletions.front()) {
        let wait = (first + 600_000).saturating_sub(now).div_ceil(1000).max(1);
        let body = json!({"error": "TooManyRequests", "description": "Limit for permanent deletions exceeded"});
        return Err(Reply::json(429, body).with("Retry-After", wait));
    }
    deletions.push_back(now);
    Ok(())
}
