//! Pauses: an app, or everything, in which nothing is carried out until a person or an agreed time ends it.
//!
//! It isn't a hold: nothing is approved by its end, and what is due then goes through the brake like anything else.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::id::AppName;

/// How long a clock that may have leapt must show a pause as over.
const BELIEVED_AFTER: TimeDelta = TimeDelta::minutes(30);

/// Longest time between two looks at a clock that is taken for time that truly went by.
const CREDIBLE: TimeDelta = TimeDelta::hours(1);

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When it ends by itself; without, a person ends it.
    pub until: Option<DateTime<Utc>>,
    /// When it was last looked at.
    pub seen: DateTime<Utc>,
    /// When its time was first found over, while the clock may have jumped.
    pub over: Option<DateTime<Utc>>,
}

/// What a look finds of a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It stands; this is to be remembered of it.
    Stands(Pause),
    /// Its time is over.
    Ends,
}

impl Pause {
    /// A pause that begins now.
    pub const fn new(by: String, at: DateTime<Utc>, reason: Option<String>, until: Option<DateTime<Utc>>) -> Self {
        Self { by, at, reason, until, seen: at, over: None }
    }

    /// Whether its end is past by this clock, which may have leapt.
    pub fn is_past(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Looks at the pause in a cycle, or in between. A clock that jumped ahead doesn't end it: a look half an hour later
    /// must find the time over as well, and by then such a clock was put right or is believed.
    pub fn look(&self, now: DateTime<Utc>) -> Look {
        let Some(until) = self.until else { return Look::Stands(self.clone()) };
        if now < until {
            return Look::Stands(Self { seen: now, over: None, ..self.clone() });
        }
        let went_on = now >= self.seen && now - self.seen <= CREDIBLE;
        // Seen beyond its time by a clock that went back since: that was no look at this time.
        let first = self.over.filter(|first| *first <= now).unwrap_or(now);
        if self.over.is_none() && went_on || now - first >= BELIEVED_AFTER {
            return Look::Ends;
        }
        Look::Stands(Self { seen: now, over: Some(first), ..self.clone() })
    }
}

/// The pauses that stand: of everything, and of single apps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pauses(pub BTreeMap<Option<AppName>, Pause>);

impl Pauses {
    /// The pause that an app is in, if it is in one: that of everything before its own.
    pub fn of(&self, app: &AppName) -> Option<&Pause> {
        self.0.get(&None).or_else(|| self.0.get(&Some(app.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn pause(until: Option<i64>) -> Pause {
        Pause::new("alice".into(), at(0), None, until.map(at))
    }

    fn after(pause: &Pause, minutes: i64) -> Option<Pause> {
        match pause.look(at(minutes)) {
            Look::Stands(pause) => Some(pause),
            Look::Ends => None,
        }
    }

    #[test]
    fn a_pause_without_an_end_never_ends_by_itself() {
        assert!(after(&pause(None), 1_000_000).is_some());
    }

    #[test]
    fn a_pause_ends_in_the_first_cycle_at_or_after_its_time() {
        let pause = after(&pause(Some(60)), 45).unwrap();
        assert!(after(&pause, 59).is_some());
        assert!(after(&pause, 60).is_none());
    }

    #[test]
    fn a_clock_that_leapt_ahead_and_was_put_right_ends_no_pause() {
        let pause = after(&pause(Some(600)), 15).unwrap();
        let leapt = after(&pause, 100_000).expect("one look after a leap doesn't end it");
        let right = after(&leapt, 30).expect("its time isn't over");
        assert!(after(&right, 100_000).is_some(), "another leap is a first one again");
        let soon = after(&leapt, 100_029).expect("it may not have been put right yet");
        assert!(after(&soon, 100_030).is_none(), "a clock that stays is believed");
    }

    #[test]
    fn a_clock_that_went_back_makes_a_pause_longer_at_most() {
        let pause = after(&pause(Some(60)), 45).unwrap();
        let back = after(&pause, -1_000).unwrap();
        assert!(after(&back, 61).is_some(), "a leap again");
    }

    #[test]
    fn a_service_that_stood_still_longer_than_its_pause_takes_two_cycles_to_end_it() {
        let first = after(&pause(Some(60)), 5_000).unwrap();
        assert!(after(&first, 5_030).is_none());
    }
}
