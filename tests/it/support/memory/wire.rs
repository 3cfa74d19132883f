//! Between a client and an account: the real pace before each call, and the account's limits, which it must keep to.
//!
//! The loop is that of the client's one way to the socket; the pace and the patience are the product's own.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::TimeDelta;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use zendesk_dirsync::domain::id::AccountId;
use zendesk_dirsync::engine::ports::CallFault;
use zendesk_dirsync::zendesk::pace::{Kind, Pace};
use zendesk_dirsync::zendesk::wait::Patience;

use super::clock::MemoryClock;
use super::helpdesk::CallKind;

/// What the account says of waits, in the three dialects of its answers.
#[derive(Debug, Clone, Copy)]
pub enum Dialect {
    Classic,
    Draft,
    Draft6,
}

/// A client's pace and an account's limits.
#[derive(Debug)]
pub struct Wire {
    pace: Pace,
    share_percent: usize,
    /// The moment at which the virtual clock stood at nothing.
    origin: Instant,
    dialect: Dialect,
    /// Requests a minute for the whole account.
    limit: usize,
    /// Requests of others, each minute.
    others: usize,
    ours: VecDeque<Duration>,
    updates: VecDeque<(Duration, AccountId)>,
    not_before: Duration,
    /// Requests from now on that are told to wait, and for how long.
    refusals: Vec<(usize, Duration)>,
    told_to_wait: u64,
    broken: Option<String>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Wire {
    /// A wire to an account with a limit a minute, of which we may use a share.
    pub fn new(limit: usize, share_percent: u8, dialect: Dialect) -> Self {
        Self {
            pace: Pace::new(share_percent),
            share_percent: usize::from(share_percent),
            origin: Instant::now(),
            dialect,
            limit,
            others: 0,
            ours: VecDeque::new(),
            updates: VecDeque::new(),
            not_before: Duration::ZERO,
            refusals: Vec::new(),
            told_to_wait: 0,
            broken: None,
        }
    }

    /// The client's process is a new one: it knows nothing of what was sent.
    pub fn restart(&mut self) {
        self.pace = Pace::new(u8::try_from(self.share_percent).unwrap_or(100));
        self.ours.clear();
        self.updates.clear();
        self.not_before = Duration::ZERO;
    }

    /// The n-th request from now is told to wait so long.
    pub fn asks_to_wait(&mut self, nth: usize, wait: Duration) {
        self.refusals.push((nth, wait));
    }

    /// What the limits saw break, once.
    pub fn broken(&mut self) -> Option<String> {
        self.broken.take()
    }

    /// How often a request was told to wait.
    pub fn told_to_wait(&self) -> u64 {
        self.told_to_wait
    }

    /// Waits until a call may go, as the client does.
    pub fn pass(&mut self, kind: CallKind, updates: Option<AccountId>, clock: &MemoryClock) -> Result<(), CallFault> {
        let kind = Kind { endpoint: endpoint(kind, updates), updates };
        let mut patience = Patience::default();
        loop {
            let now = |wire: &Self| wire.origin + clock.passed();
            let wait = self.pace.wait_before(&kind, now(self));
            if !wait.is_zero() {
                sleep(clock, patience.wait(wait)?);
            }
            self.pace.sent(&kind, now(self));
            let asked = self.arrive(updates, clock.passed());
            self.pace.ended(&kind, now(self));
            self.pace.learn(&kind, &self.headers(), now(self));
            let Some(asked) = asked else { return Ok(()) };
            self.told_to_wait += 1;
            self.pace.hold(now(self) + asked);
            sleep(clock, patience.throttled(Some(asked))?);
        }
    }

    /// A request arrives: judged, counted, and refused if it was to be.
    fn arrive(&mut self, updates: Option<AccountId>, now: Duration) -> Option<Duration> {
        let recent = |at: &Duration| *at + MINUTE > now;
        self.ours.retain(recent);
        self.updates.retain(|(at, _)| recent(at));
        let share = (self.limit * self.share_percent / 100).max(1);
        let mut broken = None;
        if now < self.not_before {
            broken = Some(format!("a request {:?} before it was allowed again", self.not_before - now));
        }
        if self.ours.len() + 1 > share.max(first_share(self.share_percent)) {
            broken =
                Some(format!("{} requests in a minute, more than our share of {}", self.ours.len() + 1, self.limit));
        }
        if let Some(user) = updates {
            if self.updates.iter().filter(|(_, one)| *one == user).count() >= 5 {
                broken = Some(format!("more than 5 updates of {user} in a minute"));
            }
            if self.updates.back().is_some_and(|(at, _)| *at + Duration::from_secs(1) > now) {
                broken = Some("two updates of users within a second".into());
            }
            self.updates.push_back((now, user));
        }
        self.ours.push_back(now);
        self.broken = self.broken.take().or(broken);
        self.refusals.iter_mut().for_each(|(nth, _)| *nth = nth.saturating_sub(1));
        let due = self.refusals.iter().position(|(nth, _)| *nth == 0)?;
        let (_, wait) = self.refusals.remove(due);
        self.not_before = now + wait;
        Some(wait)
    }

    fn headers(&self) -> HeaderMap {
        let left = self.limit.saturating_sub(self.ours.len() + self.others);
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: usize| {
            headers.insert(name, HeaderValue::from(value as u64));
        };
        let (limit, remaining) = match self.dialect {
            Dialect::Classic => ("x-rate-limit", "x-rate-limit-remaining"),
            Dialect::Draft => ("ratelimit-limit", "ratelimit-remaining"),
            Dialect::Draft6 => ("rate-limit", "rate-limit-remaining"),
        };
        set(limit, self.limit);
        set(remaining, left);
        if !matches!(self.dialect, Dialect::Classic) {
            set("ratelimit-reset", 60);
        }
        headers
    }
}

/// Until an answer told of the limit, the smallest one that Zendesk documents is assumed (API reference, Rate limits).
const fn first_share(percent: usize) -> usize {
    200 * percent / 100
}

fn sleep(clock: &MemoryClock, wait: Duration) {
    // To the millisecond, and never less than was asked.
    let millis = i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    clock.advance(TimeDelta::milliseconds(millis));
}

const fn endpoint(kind: CallKind, updates: Option<AccountId>) -> &'static str {
    match kind {
        CallKind::SignIn => "users/me",
        CallKind::Catalog => "groups",
        CallKind::Observe | CallKind::FindById => "users/show_many",
        CallKind::FindByMail => "users/search",
        CallKind::Write if updates.is_some() => "users/{id}",
        CallKind::Write => "users",
    }
}
