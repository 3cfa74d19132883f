//! The virtual clock and the time formats of the API. It is the only place that asks for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Milliseconds since the Unix epoch, on the virtual clock.
pub(super) type Millis = u64;

/// Real time since the start, plus what tests added.
#[derive(Debug)]
pub(super) struct Clock {
    start_ms: Millis,
    /// None stands still but for [`Clock::advance`].
    began: Option<Instant>,
    advance_ms: u64,
}

impl Clock {
    /// Starts at `start_ms`, or now; a frozen one moves only when told.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub(super) fn new(start_ms: Option<Millis>, frozen: bool) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = if frozen { None } else { Some(Instant::now()) };
        Self { start_ms: start_ms.unwrap_or(to_millis(wall)), began, advance_ms: 0 }
    }

    /// The virtual time.
    pub(super) fn now(&self) -> Millis {
        let elapsed = self.began.map_or(0, |began| to_millis(began.elapsed()));
        self.start_ms.saturating_add(elapsed).saturating_add(self.advance_ms)
    }

    /// Moves the clock forward.
    pub(super) fn advance(&mut self, by: Duration) {
        self.advance_ms = self.advance_ms.saturating_add(to_millis(by));
    }
}

fn to_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// `2021-11-15T23:20:11Z`.
pub(super) fn iso(ms: Millis) -> String {
    let (date, (hour, minute, second)) = (civil(ms / 86_400_000), time_of_day(ms));
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2021-11-15T23:20:11.123Z`.
pub(super) fn iso_millis(ms: Millis) -> String {
    let (date, (hour, minute, second)) = (civil(ms / 86_400_000), time_of_day(ms));
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// `2021-11-15 23:20:11 +0000`, as job messages have it.
pub(super) fn job_stamp(ms: Millis) -> String {
    let (date, (hour, minute, second)) = (civil(ms / 86_400_000), time_of_day(ms));
    format!("{date} {hour:02}:{minute:02}:{second:02} +0000")
}

/// `Mon, 15 Nov 2021 23:20:11 GMT`, for the `Date` header.
pub(super) fn http_date(ms: Millis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = civil(ms / 86_400_000);
    let (year, day) = (&date[..4], &date[8..]);
    let weekday = usize::try_from(ms / 86_400_000 % 7).ok().and_then(|n| DAYS.get(n)).unwrap_or(&"Thu");
    let month = date[5..7].parse::<usize>().ok().and_then(|n| MONTHS.get(n - 1)).unwrap_or(&"Jan");
    let (hour, minute, second) = time_of_day(ms);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

fn time_of_day(ms: Millis) -> (u64, u64, u64) {
    let seconds = ms / 1000 % 86_400;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Days since the epoch to `YYYY-MM-DD` (proleptic Gregorian).
fn civil(days: u64) -> String {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Reads the forms that [`iso`] and [`iso_millis`] write.
pub(super) fn parse_iso(text: &str) -> Option<Millis> {
    let body = text.strip_suffix('Z')?;
    let (date, time) = body.split_once('T')?;
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (time, millis) = match time.split_once('.') {
        Some((time, fraction)) => (time, format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?),
        None => (time, 0),
    };
    let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60
    {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let yoe = y % 400;
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = (y / 400) * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    Some(((days * 24 + hour) * 3600 + minute * 60 + second) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for ms in [0, 951_782_399_000, 1_637_018_411_000, 1_795_447_595_123] {
            assert_eq!(parse_iso(&iso_millis(ms)), Some(ms));
        }
        assert_eq!(iso(1_637_018_411_000), "2021-11-15T23:20:11Z");
        assert_eq!(http_date(1_637_018_411_000), "Mon, 15 Nov 2021 23:20:11 GMT");
        assert_eq!(parse_iso("yesterday"), None);
    }
}
