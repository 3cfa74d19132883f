//! Windows of a day and a week: whom an app changed lately without a person's word, on a clock of its own.
//!
//! It counts people, not calls: whoever is tried again, or leaves twice, counts once. Whoever a person let go on was
//! looked at, and doesn't count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::limits::{Limit, Limits};
use crate::domain::change::Class;
use crate::domain::id::PersonId;

const HOUR: u64 = 60 * 60;
/// One advance of the counted time at most.
const ADVANCE_MAX: u64 = 24 * HOUR;
/// The longest window: what is older is forgotten.
const SPAN_MAX: u64 = 7 * 24 * HOUR;

/// What is counted together over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Removals, shown outright or by absence.
    Removals,
    /// What takes away or raises.
    TakesOrRaises,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Removals, Self::TakesOrRaises];

    /// As what a class counts, if it counts over time.
    pub const fn of(class: Class) -> Option<Self> {
        match class {
            Class::RemovalShown | Class::RemovalByAbsence => Some(Self::Removals),
            Class::TakesOrRaises => Some(Self::TakesOrRaises),
            Class::Creation | Class::Plain | Class::Link => None,
        }
    }

    /// What they are called, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removals => "removals",
            Self::TakesOrRaises => "changes that take away or raise",
        }
    }

    /// So many of them, for people.
    pub fn counted(self, people: usize) -> String {
        match (self, people) {
            (Self::Removals, 1) => "1 removal".to_owned(),
            (Self::TakesOrRaises, 1) => "1 change that takes away or raises".to_owned(),
            (Self::Removals | Self::TakesOrRaises, n) => format!("{n} {}", self.as_str()),
        }
    }
}

/// A limit over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// Removals in 24 hours.
    RemovalsDay,
    /// Removals in 7 days.
    RemovalsWeek,
    /// What takes away or raises, in 24 hours.
    TakesOrRaisesDay,
}

impl Window {
    /// All of them, the shorter first.
    pub const ALL: [Self; 3] = [Self::RemovalsDay, Self::RemovalsWeek, Self::TakesOrRaisesDay];

    /// The name in plans, reports and the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RemovalsDay => "removals_24h",
            Self::RemovalsWeek => "removals_7d",
            Self::TakesOrRaisesDay => "takes_or_raises_24h",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.code() == text)
    }

    /// What it counts.
    pub const fn kind(self) -> Kind {
        match self {
            Self::RemovalsDay | Self::RemovalsWeek => Kind::Removals,
            Self::TakesOrRaisesDay => Kind::TakesOrRaises,
        }
    }

    /// How long it is, for people.
    pub const fn span_text(self) -> &'static str {
        match self {
            Self::RemovalsDay | Self::TakesOrRaisesDay => "24 hours",
            Self::RemovalsWeek => "7 days",
        }
    }

    const fn span(self) -> u64 {
        match self {
            Self::RemovalsDay | Self::TakesOrRaisesDay => 24 * HOUR,
            Self::RemovalsWeek => SPAN_MAX,
        }
    }

    /// What may be.
    pub const fn limit(self, limits: &Limits) -> Limit {
        match self {
            Self::RemovalsDay => limits.removals_24h,
            Self::RemovalsWeek => limits.removals_7d,
            Self::TakesOrRaisesDay => limits.takes_or_raises_24h,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A moment of an app's counted time, in seconds since its first cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// So many seconds later.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds since an earlier moment; none have passed since a later one.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An app's own clock, and whom it changed lately without a person's word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Counted time.
    pub now: Moment,
    /// The wall clock at the last advance, in seconds since 1970.
    pub wall: Option<i64>,
    /// When each person was last changed, by kind.
    pub people: BTreeMap<Kind, BTreeMap<PersonId, Moment>>,
}

impl Tally {
    /// Lets counted time pass by what the wall clock shows since the last time, but by a day at most.
    ///
    /// The windows must hold whatever the clock does. One that jumps ten years ahead would empty them at once if its time
    /// were believed: it costs them a day. One that jumps back would freeze them, with every entry in its future, until
    /// it has caught up: here it costs them the time between two cycles. Time in which nothing ran counts as a day at
    /// most, so that a store left alone for a month still knows its last week.
    pub fn advance(&mut self, wall: DateTime<Utc>) {
        let seconds = wall.timestamp();
        let passed = self.wall.map_or(0, |last| u64::try_from(seconds.saturating_sub(last)).unwrap_or(0));
        self.now = self.now.after(passed.min(ADVANCE_MAX));
        self.wall = Some(seconds);
        let now = self.now;
        for people in self.people.values_mut() {
            people.retain(|_, at| now.since(*at) < SPAN_MAX);
        }
        self.people.retain(|_, people| !people.is_empty());
    }

    /// Whom a window counts now.
    pub fn used(&self, window: Window) -> BTreeSet<&PersonId> {
        let within = |at: &Moment| self.now.since(*at) < window.span();
        let people = self.people.get(&window.kind()).into_iter().flatten();
        people.filter(|(_, at)| within(at)).map(|(person, _)| person).collect()
    }

    /// Counts a person as changed now.
    pub fn count(&mut self, kind: Kind, person: &PersonId) {
        self.people.entry(kind).or_default().insert(person.clone(), self.now);
    }

    /// What the wall clock will show at a moment of counted time, as far as can be told.
    pub fn wall_at(&self, moment: Moment) -> DateTime<Utc> {
        let wall = DateTime::from_timestamp(self.wall.unwrap_or_default(), 0).unwrap_or_default();
        let wait = TimeDelta::seconds(i64::try_from(moment.since(self.now)).unwrap_or_default());
        wall.checked_add_signed(wait).unwrap_or(wall)
    }
}
