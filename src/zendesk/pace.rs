//! The pace: when the next request may be sent. Pure; time comes in as an argument.
//!
//! It keeps our share of the account's requests a minute, the limits that answers tell of in their three dialects,
//! the limits on updates of users, and the waits that Zendesk asked for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::domain::id::AccountId;

use super::wait::RETRY_AFTER_MAX;

/// The account's limit counts over a minute (API reference, Rate limits).
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Requests a minute until an answer tells: what the smallest Suite plan allows (API reference, Rate limits).
pub(super) const ASSUMED_LIMIT: usize = 200;
/// The highest limit that is believed; the largest that Zendesk documents is 2,500.
const LIMIT_MAX: usize = 100_000;
/// A part of the account's limit that is left to others even when they were greedy: one twentieth.
const RESERVE_DIVISOR: usize = 20;
/// `PUT users/{id}` of one user (API reference, Rate limits).
pub(super) const USER_UPDATES_MAX: usize = 5;
/// `PUT users/{id}` of the account (API reference, Rate limits: one a second, with `create_or_update`).
pub(super) const UPDATE_SPACING: Duration = Duration::from_secs(1);
/// How many endpoints' limits are kept.
const ENDPOINTS_MAX: usize = 64;
/// The largest share, in percent.
const PERCENT_MAX: u8 = 100;

/// What kind of request it is, as far as limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The endpoint, without ids.
    pub endpoint: &'static str,
    /// The user, for `PUT users/{id}`.
    pub updates: Option<AccountId>,
}

/// What is known of the limits and of what was sent.
#[derive(Debug, Clone)]
pub struct Pace {
    share_percent: u8,
    spacing: Duration,
    limit: usize,
    sent: VecDeque<Instant>,
    remaining: Option<(usize, Instant)>,
    endpoints: BTreeMap<(&'static str, String), Instant>,
    users: BTreeMap<AccountId, VecDeque<Instant>>,
    last_update: Option<Instant>,
    held: Option<Instant>,
    held_users: BTreeMap<AccountId, Instant>,
}

impl Pace {
    /// A pace that keeps to a share of the account's limit, in percent.
    pub const fn new(share_percent: u8) -> Self {
        Self {
            share_percent,
            spacing: UPDATE_SPACING,
            limit: ASSUMED_LIMIT,
            sent: VecDeque::new(),
            remaining: None,
            endpoints: BTreeMap::new(),
            users: BTreeMap::new(),
            last_update: None,
            held: None,
            held_users: BTreeMap::new(),
        }
    }

    /// Sets the pause between updates of users.
    pub const fn set_spacing(&mut self, spacing: Duration) {
        self.spacing = spacing;
    }

    /// How many requests we may send in a minute.
    pub fn quota(&self) -> usize {
        if crate::planted("the share isn't kept") {
            return usize::MAX;
        }
        let share = usize::from(self.share_percent.clamp(1, PERCENT_MAX));
        (self.limit * share / usize::from(PERCENT_MAX)).max(1)
    }

    /// How long to wait before a request. Zero: now. After a wait of this length it is zero, if nothing happened since.
    pub fn wait_before(&self, kind: &Kind, now: Instant) -> Duration {
        let window = self.sent.len().checked_sub(self.quota()).and_then(|at| self.sent.get(at)).map(|at| *at + WINDOW);
        let reserve = self.limit / RESERVE_DIVISOR;
        let spent = self.remaining.filter(|(left, _)| *left <= reserve).map(|(_, reset)| reset);
        let endpoint = self.endpoints.iter().filter(|((name, _), _)| *name == kind.endpoint).map(|(_, at)| *at).max();
        let update = kind.updates.and(self.last_update).map(|at| at + self.spacing);
        let user = kind.updates.and_then(|id| {
            let updates = self.users.get(&id)?;
            let at = updates.len().checked_sub(USER_UPDATES_MAX)?;
            updates.get(at).map(|at| *at + WINDOW)
        });
        let held_user = kind.updates.and_then(|id| self.held_users.get(&id).copied());
        let ready = [window, spent, endpoint, update, user, held_user, self.held].into_iter().flatten().max();
        ready.map_or(Duration::ZERO, |ready| ready.saturating_duration_since(now))
    }

    /// Notes that a request is sent.
    pub fn sent(&mut self, kind: &Kind, now: Instant) {
        self.forget(now);
        self.sent.push_back(now);
        if let Some((left, _)) = &mut self.remaining {
            *left = left.saturating_sub(1);
        }
        if let Some(id) = kind.updates {
            self.users.entry(id).or_default().push_back(now);
            self.last_update = Some(now);
        }
    }

    /// Notes that a request ended. The pause between updates counts from here, because Zendesk counts arrivals and a
    /// request may have been long under way.
    pub fn ended(&mut self, kind: &Kind, now: Instant) {
        if kind.updates.is_some() {
            self.last_update = Some(now);
        }
    }

    /// Learns from the headers of an answer.
    pub fn learn(&mut self, kind: &Kind, headers: &HeaderMap, now: Instant) {
        let first =
            |names: [&str; 3]| names.into_iter().find_map(|name| leading_number(headers.get(name)?.to_str().ok()?));
        if let Some(limit) = first(["x-rate-limit", "ratelimit-limit", "rate-limit"]) {
            self.limit = usize::try_from(limit).unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
        }
        if let Some(left) = first(["x-rate-limit-remaining", "ratelimit-remaining", "rate-limit-remaining"]) {
            let reset = first(["ratelimit-reset", "rate-limit-reset", "x-rate-limit-reset"]);
            let reset = reset.map_or(WINDOW, |seconds| Duration::from_secs(seconds.max(1)).min(WINDOW));
            self.remaining = Some((usize::try_from(left).unwrap_or(LIMIT_MAX), now + reset));
        }
        for (name, value) in headers {
            let Some(budget) = name.as_str().strip_prefix("zendesk-ratelimit-") else { continue };
            let Ok(value) = value.to_str() else { continue };
            let key = (kind.endpoint, budget.to_owned());
            match (named_number(value, "remaining"), named_number(value, "resets")) {
                (Some(0), resets) if self.endpoints.len() < ENDPOINTS_MAX => {
                    let wait = Duration::from_secs(resets.unwrap_or(1).max(1)).min(RETRY_AFTER_MAX);
                    self.endpoints.insert(key, now + wait);
                }
                (Some(left), _) if left > 0 => {
                    self.endpoints.remove(&key);
                }
                (Some(_) | None, _) => {}
            }
        }
    }

    /// Holds every request until a moment.
    pub fn hold(&mut self, until: Instant) {
        if crate::planted("waits aren't kept") {
            return;
        }
        self.held = Some(self.held.map_or(until, |held| held.max(until)));
    }

    /// Holds updates of one user until a moment.
    pub fn hold_user(&mut self, user: AccountId, until: Instant) {
        let held = self.held_users.entry(user).or_insert(until);
        *held = (*held).max(until);
    }

    /// Drops what no longer counts, so that nothing grows.
    fn forget(&mut self, now: Instant) {
        let counts = |at: &Instant| *at + WINDOW > now;
        self.sent.retain(counts);
        self.users.values_mut().for_each(|updates| updates.retain(counts));
        self.users.retain(|_, updates| !updates.is_empty());
        self.endpoints.retain(|_, until| *until > now);
        self.held_users.retain(|_, until| *until > now);
        self.remaining = self.remaining.filter(|(_, reset)| *reset > now);
        self.held = self.held.filter(|until| *until > now);
    }
}

/// The number at the beginning of a value: `700` or `700, 700;w=60`.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// A number of a value like `total=100; remaining=99; resets=40`.
fn named_number(text: &str, name: &str) -> Option<u64> {
    text.split([';', ',']).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.trim().parse().ok())?
    })
}
