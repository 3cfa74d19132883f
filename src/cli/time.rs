//! Points in time as people write them: `7d`, `36h`, `2026-11-01`, RFC 3339.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::exit::{Exit, Failure};

/// Which end of a day a bare date stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// `--since`: its first moment.
    Begin,
    /// `--until`: its last.
    End,
}

/// Reads a point in time.
///
/// # Errors
/// When it is none of the forms.
pub fn parse(text: &str, edge: Edge, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let day = if edge == Edge::End { day.checked_add_days(Days::new(1)).unwrap_or(day) } else { day };
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| TimeDelta::from_std(ago).ok());
    ago.and_then(|ago| now.checked_sub_signed(ago)).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{text:?} is no time"), "write 7d, 36h, 2026-11-01, or 2026-11-01T08:00:00Z")
    })
}

/// Reads a point in time that is to come: a duration counts from now on, a date to its end.
///
/// # Errors
/// When it is none of the forms, or past.
pub fn parse_ahead(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let ahead = humantime::parse_duration(text.trim()).ok().and_then(|ahead| TimeDelta::from_std(ahead).ok());
    let time = match ahead.and_then(|ahead| now.checked_add_signed(ahead)) {
        Some(time) => time,
        None => parse(text, Edge::End, now)?,
    };
    if time <= now {
        return Err(Failure::new(Exit::Usage, format!("{text:?} is past"), "give a time that is to come, like 2h"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let read = |text, edge| parse(text, edge, now).map(|time| time.to_rfc3339()).unwrap_or_else(|f| f.message);
        assert_eq!(read("7d", Edge::Begin), "2026-11-16T12:00:00+00:00");
        assert_eq!(read("36h", Edge::Begin), "2026-11-22T00:00:00+00:00");
        assert_eq!(read("2026-11-01", Edge::Begin), "2026-11-01T00:00:00+00:00");
        assert_eq!(read("2026-11-01", Edge::End), "2026-11-02T00:00:00+00:00");
        assert_eq!(read("2026-11-01T08:00:00+01:00", Edge::End), "2026-11-01T07:00:00+00:00");
        assert_eq!(read("yesterday", Edge::Begin), "\"yesterday\" is no time");
        assert_eq!(read("99999999999y", Edge::Begin), "\"99999999999y\" is no time");
    }
    #[test]
    fn a_time_to_come_counts_from_now_on() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let read = |text| parse_ahead(text, now).map(|time| time.to_rfc3339()).unwrap_or_else(|f| f.message);
        assert_eq!(read("2h"), "2026-11-23T14:00:00+00:00");
        assert_eq!(read("2026-11-23"), "2026-11-24T00:00:00+00:00");
        assert_eq!(read("2026-11-22"), "\"2026-11-22\" is past");
        assert_eq!(read("0s"), "\"0s\" is past");
        assert_eq!(read("99999999999y"), "\"99999999999y\" is no time");
    }
}
