//! How much may go on without a person's word: the limits, and where an app stands that they are applied to.

/// A limit: a count of people, or a share of the managed active accounts, whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// People.
    pub count: usize,
    /// Percent of the managed active accounts.
    pub percent: usize,
}

impl Limit {
    /// How many people may change.
    pub const fn people(self, population: usize) -> usize {
        let share = population.saturating_mul(self.percent) / 100;
        if share > self.count { share } else { self.count }
    }

    /// The limit that lets through at least what both let through.
    #[must_use]
    pub const fn or_more(self, other: Self) -> Self {
        Self {
            count: if self.count > other.count { self.count } else { other.count },
            percent: if self.percent > other.percent { self.percent } else { other.percent },
        }
    }
}

/// What waits in an app's first cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstCycle {
    /// Everything but links that change nothing.
    Hold,
    /// Nothing more than in any other cycle.
    Apply,
}

/// The limits of a cycle, a day and a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Removals in one cycle that the directory shows outright.
    pub shown: Limit,
    /// Removals in one cycle because the person isn't there any more.
    pub absence: Limit,
    /// Removals of both classes in 24 hours.
    pub removals_24h: Limit,
    /// Removals of both classes in 7 days.
    pub removals_7d: Limit,
    /// Role changes, lost memberships, cleared fields, other mails in one cycle.
    pub takes_or_raises: Limit,
    /// The same in 24 hours.
    pub takes_or_raises_24h: Limit,
    /// New and reactivated accounts in one cycle.
    pub creations: Limit,
    /// Any other change of an account in one cycle: a script that spoils every name takes nothing away.
    pub updates: Limit,
    /// People gone from the source since the last complete read: past it every removal waits.
    pub source_gone: Limit,
    /// The first cycle.
    pub first_cycle: FirstCycle,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shown: Limit { count: 5, percent: 10 },
            absence: Limit { count: 3, percent: 5 },
            removals_24h: Limit { count: 5, percent: 10 },
            removals_7d: Limit { count: 10, percent: 20 },
            takes_or_raises: Limit { count: 5, percent: 10 },
            takes_or_raises_24h: Limit { count: 10, percent: 20 },
            creations: Limit { count: 20, percent: 20 },
            updates: Limit { count: 20, percent: 20 },
            source_gone: Limit { count: 5, percent: 15 },
            first_cycle: FirstCycle::Hold,
        }
    }
}

/// Whether an app had an accepted cycle before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experience {
    /// This is its first.
    First,
    /// Its store took the place of one that was lost, damaged or newer: everything waits, whatever the settings say.
    Replaced,
    /// Another copy of the service wrote here, or may have: everything waits, whatever the settings say.
    Doubted,
    /// A person accepted another server of its directory, or an older state: everything waits, whatever the settings say.
    Redirected,
    /// It had.
    Settled,
}
