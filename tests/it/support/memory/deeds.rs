//! The deeds of a ledger in memory.

use zendesk_dirsync::domain::deed::{DEED_CYCLES_MAX, DEEDS_MAX, Deed};
use zendesk_dirsync::domain::id::{AppName, CycleId, PersonId};
use zendesk_dirsync::engine::ports::{DeedCycle, DeedLedger, Intent, LedgerFault, Settlement, cycles_kept};

use super::ledger::MemoryLedger;

impl DeedLedger for MemoryLedger {
    fn begin(&mut self, intent: &Intent, deed: &Deed) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            self.note(state, intent);
            state.deeds.push(deed.clone());
            Ok(())
        })
    }

    fn finish(&mut self, intent: &Intent, settlement: &Settlement, deed: Option<&Deed>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.settle(intent, settlement);
            let place = deed
                .and_then(|deed| state.deeds.iter_mut().rfind(|one| one.cycle == deed.cycle && one.seq == deed.seq));
            if let (Some(place), Some(deed)) = (place, deed) {
                *place = deed.clone();
            }
            Ok(())
        })
    }

    fn deed(&self, cycle: &CycleId, seq: u64) -> Result<Option<Deed>, LedgerFault> {
        Ok(self.deeds(cycle)?.into_iter().find(|deed| deed.seq == seq))
    }

    fn deeds(&self, cycle: &CycleId) -> Result<Vec<Deed>, LedgerFault> {
        Ok(self.look(|state| state.deeds.iter().filter(|deed| deed.cycle == *cycle).cloned().collect()))
    }

    fn deeds_of(&self, app: &AppName, person: &PersonId) -> Result<Vec<Deed>, LedgerFault> {
        let about = |deed: &&Deed| deed.app == *app && deed.person == *person;
        Ok(self.look(|state| state.deeds.iter().filter(about).cloned().collect()))
    }

    fn deed_cycles(&self) -> Result<Vec<DeedCycle>, LedgerFault> {
        Ok(self.look(|state| {
            let mut cycles: Vec<DeedCycle> = Vec::new();
            for deed in &state.deeds {
                match cycles.last_mut().filter(|last| last.cycle == deed.cycle) {
                    Some(last) => last.deeds += 1,
                    None => cycles.push(DeedCycle { cycle: deed.cycle.clone(), deeds: 1 }),
                }
            }
            cycles.reverse();
            cycles
        }))
    }

    fn prune_deeds(&mut self) -> Result<(), LedgerFault> {
        let cycles = self.deed_cycles()?;
        let gone: Vec<CycleId> =
            cycles.iter().skip(cycles_kept(&cycles, DEED_CYCLES_MAX, DEEDS_MAX)).map(|one| one.cycle.clone()).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.mutate(|state| {
            state.deeds.retain(|deed| !gone.contains(&deed.cycle));
            Ok(())
        })
    }
}
