//! When cycles run: a cron expression in a time zone, checked when it is read.
//!
//! Seconds are optional. Day of month and day of week must both hold when both are given. Between two runs lie at least
//! a minute and at most a year, so that a schedule which never fires is a fault.

use std::fmt;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::id::Malformed;

/// A cron expression with its time zone.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads a cron expression of five fields, or six with seconds first.
    ///
    /// # Errors
    /// When it can't be parsed or finds no next run.
    pub fn parse(text: &str, zone: Tz, now: DateTime<Utc>) -> Result<Self, Malformed> {
        let parser = CronParser::builder().seconds(Seconds::Optional).dom_and_dow(true).build();
        let cron = parser.parse(text).map_err(|why| Malformed(format!("{text:?} is not a schedule: {why}")))?;
        let schedule = Self { text: text.to_owned(), cron, zone };
        if schedule.next_after(now).is_none() {
            return Err(Malformed(format!("{text:?} never comes round")));
        }
        Ok(schedule)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression with six fields, as the scheduler needs it.
    pub fn with_seconds(&self) -> String {
        if self.text.split_whitespace().count() == 5 { format!("0 {}", self.text) } else { self.text.clone() }
    }

    /// The time zone.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// The next run strictly after a moment.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let whole = moment.duration_trunc(TimeDelta::seconds(1)).ok()?;
        let next = self.cron.find_next_occurrence(&whole.with_timezone(&self.zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }
}

// The parsed expression has thousands of fields.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn five_and_six_fields_fire_on_whole_seconds() {
        for (text, next) in [("*/15 * * * *", "2026-11-23T10:15:00Z"), ("30 */15 * * * *", "2026-11-23T10:00:30Z")] {
            let schedule = Schedule::parse(text, Tz::UTC, at("2026-11-23T10:00:00Z")).unwrap();
            assert_eq!(schedule.next_after(at("2026-11-23T10:00:00.250Z")), Some(at(next)), "{text}");
        }
        let schedule = Schedule::parse("*/15 * * * *", Tz::UTC, at("2026-11-23T10:00:00Z")).unwrap();
        assert_eq!(schedule.with_seconds(), "0 */15 * * * *");
    }

    #[test]
    fn what_never_comes_round_is_refused() {
        for text in ["0 0 31 2 *", "61 * * * *", "", "every day", "* * * *"] {
            assert!(Schedule::parse(text, Tz::UTC, at("2026-11-23T10:00:00Z")).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_of_day_follows_its_zone_over_a_change_of_the_clock() {
        let berlin = Tz::Europe__Berlin;
        let schedule = Schedule::parse("0 3 * * *", berlin, at("2026-03-28T00:00:00Z")).unwrap();
        assert_eq!(schedule.next_after(at("2026-03-28T03:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
    }
}
