//! Trying again: pauses that grow, for a person whose change fails and for an app that fails.
//!
//! All of it is on the app's counted time, so that a clock that jumps neither skips a pause nor makes it endless.

use chrono::{DateTime, Utc};

use super::brake::Moment;
use super::id::Digest;

/// The first pause, in seconds.
const PAUSE_FIRST: u64 = 5 * 60;
/// The longest pause.
const PAUSE_MAX: u64 = 24 * 60 * 60;
/// Somebody who failed for so long isn't tried any more.
const PARK_AFTER: u64 = 28 * 24 * 60 * 60;
/// Failed writes in one cycle that put an app in quarantine, if they are more than a share of all.
const FAILED_MAX: usize = 5;
/// That share, in percent.
const FAILED_PERCENT: usize = 40;

/// Whether so many failed writes are too many.
pub const fn failing(writes: usize, failed: usize) -> bool {
    failed >= FAILED_MAX && failed * 100 > writes * FAILED_PERCENT
}

/// The pause after so many failures, in seconds: five minutes, doubling to a day.
pub fn pause(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    (PAUSE_FIRST << doublings).min(PAUSE_MAX)
}

/// When to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not before this moment.
    Later(Moment),
    /// Not until the change is another one or a person says so.
    Parked,
}

/// A moment to wait for; one that is further away than any pause isn't believed.
fn turn(next: Moment, now: Moment) -> Turn {
    match next.since(now) {
        0 => Turn::Now,
        wait if wait > PAUSE_MAX => Turn::Now,
        _ => Turn::Later(next),
    }
}

/// A change of a person that failed, and was not done since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The change; another one begins anew.
    pub digest: Digest,
    /// Whose, by mail.
    pub user: String,
    /// What went wrong last.
    pub why: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// The first failure.
    pub first: Moment,
    /// The first failure, by the wall clock, for people.
    pub since: DateTime<Utc>,
    /// Not tried before.
    pub next: Moment,
    /// Whether it was told that it isn't tried any more.
    pub parking: Parking,
}

/// Whether it was told that a person isn't tried any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// It was.
    Told,
    /// It wasn't, or isn't so.
    Open,
}

impl Trial {
    /// What is known after a failure.
    #[must_use]
    pub fn failed(before: Option<&Self>, digest: Digest, user: &str, why: &str, now: (Moment, DateTime<Utc>)) -> Self {
        let before = before.filter(|before| before.digest == digest);
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        Self {
            digest,
            user: user.to_owned(),
            why: why.to_owned(),
            failures,
            first: before.map_or(now.0, |before| before.first),
            since: before.map_or(now.1, |before| before.since),
            next: now.0.after(pause(failures)),
            parking: Parking::Open,
        }
    }

    /// When a change of this person is tried.
    pub fn turn(&self, digest: &Digest, now: Moment) -> Turn {
        if self.digest != *digest || crate::planted("what failed is tried at once") {
            return Turn::Now;
        }
        if self.is_parked(now) { Turn::Parked } else { turn(self.next, now) }
    }

    /// Whether it failed for so long that it isn't tried any more.
    pub const fn is_parked(&self, now: Moment) -> bool {
        now.since(self.first) >= PARK_AFTER
    }
}

/// A change that isn't tried yet because it failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// How often.
    pub failures: u32,
    /// Until when; none when it is parked.
    pub until: Option<DateTime<Utc>>,
}

/// Why an app is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Its credentials are refused, or lack a right.
    Authorization,
    /// Most of its writes failed.
    Failing,
}

/// An app that is only probed: one change at a time, with pauses that grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Why.
    pub ground: Ground,
    /// What went wrong last, for people.
    pub why: String,
    /// Since when, by the wall clock, for people.
    pub since: DateTime<Utc>,
    /// Probes that failed.
    pub probes: u32,
    /// Not probed before.
    pub next: Moment,
}

impl Quarantine {
    /// The beginning: the first probe is after five minutes.
    pub fn begin(ground: Ground, why: String, now: (Moment, DateTime<Utc>)) -> Self {
        Self { ground, why, since: now.1, probes: 0, next: now.0.after(pause(1)) }
    }

    /// After another probe that failed.
    #[must_use]
    pub fn probed(self, why: String, now: Moment) -> Self {
        let probes = self.probes.saturating_add(1);
        Self { why, probes, next: now.after(pause(probes.saturating_add(1))), ..self }
    }

    /// When it is probed.
    pub fn turn(&self, now: Moment) -> Turn {
        turn(self.next, now)
    }
}

#[cfg(test)]
mod tests;
