//! Deeds in the store: by person in the order in which they were begun, found by cycle and place, forgotten by cycles.

use super::keys;
use super::ledger::SledLedger;
use super::records::{self, DeedKey};
use super::sealed::{Tree, damaged};
use super::vault::Draft;
use crate::domain::deed::{DEED_CYCLES_MAX, DEEDS_MAX, Deed};
use crate::domain::id::{AppName, CycleId, Malformed, PersonId};
use crate::engine::ports::{DeedCycle, DeedLedger, Intent, Ledger as _, LedgerFault, Settlement, cycles_kept};

/// So many deeds are forgotten in one step, so that memory does not grow with a cycle.
const STEP_DEEDS: usize = 2_000;

impl SledLedger {
    /// The last cycle of which deeds are kept, and its number.
    fn last_deed_cycle(&self) -> Result<Option<(u64, DeedCycle)>, LedgerFault> {
        let Some(key) = self.vault().last(Tree::DeedCycles)? else { return Ok(None) };
        let found: Option<DeedCycle> = self.read(Tree::DeedCycles, &key)?;
        Ok(found.map(|found| (keys::number_of(&key), found)))
    }

    /// Counts a new deed into its cycle.
    fn count_deed(&self, draft: &mut Draft, cycle: &CycleId) -> Result<(), LedgerFault> {
        let (number, counted) = match self.last_deed_cycle()? {
            Some((number, last)) if last.cycle == *cycle => {
                (number, DeedCycle { deeds: last.deeds.saturating_add(1), ..last })
            }
            Some((number, _)) => (number.saturating_add(1), DeedCycle { cycle: cycle.clone(), deeds: 1 }),
            None => (1, DeedCycle { cycle: cycle.clone(), deeds: 1 }),
        };
        draft.put(Tree::DeedCycles, number.to_be_bytes().to_vec(), &records::write(&counted)?)
    }

    fn deed_key(&self, cycle: &CycleId, seq: u64) -> Result<Option<Vec<u8>>, LedgerFault> {
        let found: Option<DeedKey> = self.read(Tree::DeedPlaces, &keys::intent(cycle, seq))?;
        Ok(found.map(|key| key.0))
    }

    /// A deed that its place names.
    fn deed_at(&self, place: &[u8], key: &[u8]) -> Result<Deed, LedgerFault> {
        self.read(Tree::Deeds, key)?.ok_or_else(|| damaged(Tree::DeedPlaces, place, "its deed is missing"))
    }
}

impl DeedLedger for SledLedger {
    fn begin(&mut self, intent: &Intent, deed: &Deed) -> Result<(), LedgerFault> {
        let Some(mut draft) = self.draft_intent(intent)? else { return Ok(()) };
        let place = keys::intent(&deed.cycle, deed.seq);
        if let Some(former) = self.deed_key(&deed.cycle, deed.seq)? {
            // A clock that went back gave a second cycle the same name.
            draft.remove(Tree::Deeds, former);
        }
        let key = keys::deed(&deed.app, &deed.person, self.serial().saturating_add(1));
        draft.put(Tree::Deeds, key.clone(), &records::write(deed)?)?;
        draft.put(Tree::DeedPlaces, place, &records::write(&DeedKey(key))?)?;
        self.count_deed(&mut draft, &deed.cycle)?;
        self.commit(draft)
    }

    fn finish(&mut self, intent: &Intent, settlement: &Settlement, deed: Option<&Deed>) -> Result<(), LedgerFault> {
        let mut draft = self.draft_settlement(intent, settlement)?;
        if let Some(deed) = deed
            && let Some(key) = self.deed_key(&deed.cycle, deed.seq)?
        {
            draft.put(Tree::Deeds, key, &records::write(deed)?)?;
        }
        self.commit(draft)
    }

    fn deed(&self, cycle: &CycleId, seq: u64) -> Result<Option<Deed>, LedgerFault> {
        match self.deed_key(cycle, seq)? {
            Some(key) => self.deed_at(&keys::intent(cycle, seq), &key).map(Some),
            None => Ok(None),
        }
    }

    fn deeds(&self, cycle: &CycleId) -> Result<Vec<Deed>, LedgerFault> {
        let places = self.gather::<Vec<u8>, DeedKey>(Tree::DeedPlaces, &keys::cycle(cycle), |key| Ok(key.to_vec()))?;
        places.iter().map(|(place, key)| self.deed_at(place, &key.0)).collect()
    }

    fn deeds_of(&self, app: &AppName, person: &PersonId) -> Result<Vec<Deed>, LedgerFault> {
        let named = |key: &[u8]| Ok::<Vec<u8>, Malformed>(key.to_vec());
        Ok(self.gather::<Vec<u8>, Deed>(Tree::Deeds, &keys::person(app, person), named)?.into_values().collect())
    }

    fn deed_cycles(&self) -> Result<Vec<DeedCycle>, LedgerFault> {
        let all = self.gather::<u64, DeedCycle>(Tree::DeedCycles, &[], |key| Ok(keys::number_of(key)))?;
        Ok(all.into_values().rev().collect())
    }

    fn prune_deeds(&mut self) -> Result<(), LedgerFault> {
        let all = self.gather::<u64, DeedCycle>(Tree::DeedCycles, &[], |key| Ok(keys::number_of(key)))?;
        let newest_first: Vec<DeedCycle> = all.values().rev().cloned().collect();
        let kept = cycles_kept(&newest_first, DEED_CYCLES_MAX, DEEDS_MAX);
        for (number, one) in all.iter().take(all.len() - kept) {
            let places = self.vault().keys(Tree::DeedPlaces, &keys::cycle(&one.cycle))?;
            for some in places.chunks(STEP_DEEDS) {
                let mut draft = Draft::default();
                for place in some {
                    let key: Option<DeedKey> = self.read(Tree::DeedPlaces, place)?;
                    key.into_iter().for_each(|key| draft.remove(Tree::Deeds, key.0));
                    draft.remove(Tree::DeedPlaces, place.clone());
                }
                self.commit(draft)?;
            }
            let mut draft = Draft::default();
            draft.remove(Tree::DeedCycles, number.to_be_bytes().to_vec());
            self.commit(draft)?;
        }
        Ok(())
    }
}
