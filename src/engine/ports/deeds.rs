//! The part of the ledger that remembers deeds, so that they can be undone.

use crate::domain::deed::Deed;
use crate::domain::id::{AppName, CycleId, PersonId};

use super::{Intent, LedgerFault, Settlement};

/// A cycle of which deeds are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeedCycle {
    /// The cycle.
    pub cycle: CycleId,
    /// How many deeds it has.
    pub deeds: u64,
}

/// What was done, with the images before it. Bounded by numbers: `domain::deed` has them.
pub trait DeedLedger {
    /// Notes a change before its first call, and its deed, in one step.
    fn begin(&mut self, intent: &Intent, deed: &Deed) -> Result<(), LedgerFault>;

    /// Ends an intent, keeps what is known now and how the deed ended, in one step. The deed is found by its place.
    fn finish(&mut self, intent: &Intent, settlement: &Settlement, deed: Option<&Deed>) -> Result<(), LedgerFault>;

    /// The deed at a place of a cycle's report.
    fn deed(&self, cycle: &CycleId, seq: u64) -> Result<Option<Deed>, LedgerFault>;

    /// What a cycle did, in order.
    fn deeds(&self, cycle: &CycleId) -> Result<Vec<Deed>, LedgerFault>;

    /// What was done to a person in an app, oldest first.
    fn deeds_of(&self, app: &AppName, person: &PersonId) -> Result<Vec<Deed>, LedgerFault>;

    /// The cycles of which deeds are kept, newest first.
    fn deed_cycles(&self) -> Result<Vec<DeedCycle>, LedgerFault>;

    /// Forgets the oldest cycles' deeds beyond the bounds.
    fn prune_deeds(&mut self) -> Result<(), LedgerFault>;
}

/// How many of the cycles, newest first, keep their deeds.
pub fn cycles_kept(cycles: &[DeedCycle], cycles_max: usize, deeds_max: u64) -> usize {
    let mut sum: u64 = 0;
    let fits = |(at, one): &(usize, &DeedCycle)| {
        // The newest is what somebody may want back today, however many people it was about.
        if *at > 0 {
            sum = sum.saturating_add(one.deeds);
        }
        *at < cycles_max && sum <= deeds_max
    };
    cycles.iter().enumerate().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_cycle_is_kept_whatever_its_size_and_the_others_within_both_bounds() {
        let cycle = |deeds| DeedCycle { cycle: CycleId::from_text("c"), deeds };
        let all = |sizes: &[u64]| sizes.iter().map(|deeds| cycle(*deeds)).collect::<Vec<_>>();
        assert_eq!(cycles_kept(&[], 3, 10), 0);
        assert_eq!(cycles_kept(&all(&[500]), 3, 10), 1);
        assert_eq!(cycles_kept(&all(&[500, 10]), 3, 10), 2);
        assert_eq!(cycles_kept(&all(&[500, 11]), 3, 10), 1);
        assert_eq!(cycles_kept(&all(&[1, 5, 5, 0]), 9, 10), 4);
        assert_eq!(cycles_kept(&all(&[1, 1, 1, 1]), 3, 10), 3);
    }
}
