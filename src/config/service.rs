//! The sections of the service itself: `[daemon]`, `[state]`, `[report]`, `[brake]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::reader::{Place, Table};
use super::values::{Wrong, absolute_path, closest, file_path, shown};
use crate::domain::brake::{FirstCycle, Limit, Limits};
use crate::domain::schedule::Schedule;
use crate::domain::settings::{Redaction, ReportSettings};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const KIB: u64 = 1024;
const TIB: u64 = 1024 * 1024 * 1024 * 1024;

/// Cycles run every quarter of an hour unless the configuration says otherwise.
pub const SCHEDULE_DEFAULT: &str = "*/15 * * * *";
/// Where the store and the control socket lie.
pub const STATE_DIR_DEFAULT: &str = "/var/lib/zendesk-dirsync";
/// The report.
pub const REPORT_FILE_DEFAULT: &str = "/var/log/zendesk-dirsync/report.log";
/// A cycle may begin this much late, at most.
const JITTER_BOUNDS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(60 * 60);
/// A file of the report: smaller ones would hold a few records only.
const REPORT_SIZE_BOUNDS: RangeInclusive<u64> = 64 * KIB..=TIB;
const REPORT_SIZE_DEFAULT: u64 = 50 * KIB * KIB;
const REPORT_TOTAL_DEFAULT: u64 = 2 * KIB * KIB * KIB;
const REPORT_AGE_DEFAULT: Duration = DAY.saturating_mul(400);
const REPORT_AGE_BOUNDS: RangeInclusive<Duration> = DAY..=DAY.saturating_mul(36_500);
/// People in a limit of the brake; more are no limit.
const LIMIT_COUNT_BOUNDS: RangeInclusive<u32> = 0..=1_000_000;
const LIMIT_PERCENT_BOUNDS: RangeInclusive<u32> = 0..=100;

/// Reads `[daemon]`: the schedule and the jitter.
pub(super) fn daemon(mut table: Table<'_>, now: DateTime<Utc>) -> (Option<Schedule>, Duration) {
    let zone = table.parsed("timezone", zone).map_or(Tz::UTC, |spot| spot.value);
    let remedy = "five fields (minute hour day month weekday), or six with seconds first, like \"*/15 * * * *\"";
    let parse = |text: &str| Schedule::parse(text, zone, now).map_err(|why| Wrong::new(why.0, remedy));
    let schedule = if table.has("schedule") {
        table.parsed("schedule", parse).map(|spot| spot.value)
    } else {
        parse(SCHEDULE_DEFAULT).ok()
    };
    let jitter = table.duration("jitter", &JITTER_BOUNDS).map_or(Duration::ZERO, |spot| spot.value);
    table.finish();
    (schedule, jitter)
}

fn zone(text: &str) -> Result<Tz, Wrong> {
    text.parse().map_err(|_| {
        let remedy = match closest(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "write a name of the IANA database, like \"UTC\" or \"Europe/Berlin\"".to_owned(),
        };
        Wrong::new(format!("{} is not a time zone", shown(text)), remedy)
    })
}

/// Reads `[state]`: where the store lies.
pub(super) fn state(mut table: Table<'_>) -> PathBuf {
    let dir = table.parsed("dir", absolute_path).map(|spot| spot.value);
    table.finish();
    dir.unwrap_or_else(|| STATE_DIR_DEFAULT.into())
}

/// Reads `[report]`.
pub(super) fn report(mut table: Table<'_>) -> ReportSettings {
    let file = table.parsed("file", file_path).map(|spot| spot.value);
    let max_size = table.size("max_size", &REPORT_SIZE_BOUNDS);
    let max_age = table.duration("max_age", &REPORT_AGE_BOUNDS).map(|spot| spot.value);
    let total = table.size("max_total", &REPORT_SIZE_BOUNDS);
    let redact = table.one_of("redact", &[("none", Redaction::None), ("personal", Redaction::Personal)]);
    let size = max_size.as_ref().map_or(REPORT_SIZE_DEFAULT, |spot| spot.value);
    let max_total = total.as_ref().map_or(REPORT_TOTAL_DEFAULT, |spot| spot.value);
    if let Some(spot) = total.as_ref().or(max_size.as_ref()).filter(|_| max_total < size) {
        let what = "all files together may take less than one of them";
        table.sink().fault(&spot.place, what, "make max_total at least as large as max_size");
    }
    table.finish();
    ReportSettings {
        file: file.unwrap_or_else(|| REPORT_FILE_DEFAULT.into()),
        max_size: size,
        max_age: max_age.unwrap_or(REPORT_AGE_DEFAULT),
        max_total,
        redact: redact.unwrap_or(Redaction::None),
    }
}

/// Reads `[brake]`.
pub(super) fn brake(mut table: Table<'_>) -> Limits {
    let default = Limits::default();
    let first_cycle = table.one_of("first_cycle", &[("hold", FirstCycle::Hold), ("apply", FirstCycle::Apply)]);
    let shown = limit(&mut table, "removals_shown", default.shown);
    let absence = limit(&mut table, "removals_by_absence", default.absence);
    let takes = limit(&mut table, "takes_or_raises", default.takes_or_raises);
    // Whoever lets more through in a cycle, and says nothing of a day, means that it may go through.
    let day = limit(&mut table, "removals_24h", default.removals_24h.or_more(shown.limit).or_more(absence.limit));
    let week = limit(&mut table, "removals_7d", default.removals_7d.or_more(day.limit));
    let takes_day = limit(&mut table, "takes_or_raises_24h", default.takes_or_raises_24h.or_more(takes.limit));
    for (longer, shorter) in [(&day, &shown), (&day, &absence), (&week, &day), (&takes_day, &takes)] {
        in_order(&table, longer, shorter);
    }
    let limits = Limits {
        shown: shown.limit,
        absence: absence.limit,
        removals_24h: day.limit,
        removals_7d: week.limit,
        takes_or_raises: takes.limit,
        takes_or_raises_24h: takes_day.limit,
        creations: limit(&mut table, "creations", default.creations).limit,
        updates: limit(&mut table, "updates", default.updates).limit,
        source_gone: limit(&mut table, "source_gone", default.source_gone).limit,
        first_cycle: first_cycle.unwrap_or(default.first_cycle),
    };
    table.finish();
    limits
}

/// A limit, and where it is given, if it is.
struct Given {
    key: &'static str,
    limit: Limit,
    place: Option<Place>,
}

/// Refuses a limit that could never count, because one over a longer time lets fewer through.
fn in_order(table: &Table<'_>, longer: &Given, shorter: &Given) {
    let (Some(place), Some(_)) = (&longer.place, &shorter.place) else { return };
    let (long, short) = (longer.limit, shorter.limit);
    if long.count < short.count && long.percent <= short.percent
        || long.count <= short.count && long.percent < short.percent
    {
        let what = format!("it lets fewer through than {}, which then never counts", shorter.key);
        let remedy = format!("write at least {{ count = {}, percent = {} }}", short.count, short.percent);
        table.sink().fault(place, what, remedy);
    }
}

/// A limit. Both halves must be given: the larger one counts, so that a half taken from the defaults could undo the
/// other.
fn limit(brake: &mut Table<'_>, key: &'static str, default: Limit) -> Given {
    let given = brake.holds_table(key);
    let remedy = format!(
        "write both, for the larger counts: {key} = {{ count = {}, percent = {} }}",
        default.count, default.percent
    );
    let mut table = brake.section_or(key, &remedy);
    if given {
        table.need("count", &remedy);
        table.need("percent", &remedy);
    }
    let place = given.then(|| table.place().clone());
    let count = table.whole("count", LIMIT_COUNT_BOUNDS).map(|number| number as usize);
    let percent = table.whole("percent", LIMIT_PERCENT_BOUNDS).map(|number| number as usize);
    table.finish();
    let limit = Limit { count: count.unwrap_or(default.count), percent: percent.unwrap_or(default.percent) };
    Given { key, limit, place }
}
