//! A ledger in memory: durable as soon as a call returns, copied and put back at will.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use zendesk_dirsync::domain::account::{KnownAccount, Trace};
use zendesk_dirsync::domain::assignment::PinKey;
use zendesk_dirsync::domain::brake::Experience;
use zendesk_dirsync::domain::deed::Deed;
use zendesk_dirsync::domain::id::{AccountId, AppName, CycleId, DirectoryName, EntryId, PersonId};
use zendesk_dirsync::domain::keep::Keep;
use zendesk_dirsync::domain::lease::LeaseMark;
use zendesk_dirsync::domain::pause::Pauses;
use zendesk_dirsync::domain::scope::GroupSeen;
use zendesk_dirsync::domain::server::Acquaintance;
use zendesk_dirsync::engine::ports::{
    AppStanding, CycleSummary, HoldRecord, Intent, Label, Ledger, LedgerFault, Revision, Revisions, Settlement, Trouble,
};

use super::brakes::BrakeState;
use super::fuse::Fuse;
use super::images::Images;
use super::lock;

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LedgerState {
    pub serial: u64,
    pub revision: u64,
    pub accepted: BTreeMap<AppName, ()>,
    /// Whether it took the place of one that was lost, or is older than it should be, and the store noticed.
    pub replaced: bool,
    pub bound: BTreeMap<String, String>,
    pub accounts: BTreeMap<(AppName, PersonId), KnownAccount>,
    pub pins: BTreeMap<PinKey, EntryId>,
    pub groups: BTreeMap<DirectoryName, BTreeMap<EntryId, GroupSeen>>,
    pub intents: BTreeMap<(CycleId, u64), Intent>,
    pub holds: BTreeMap<AppName, Vec<HoldRecord>>,
    pub troubles: BTreeMap<AppName, BTreeMap<PersonId, Trouble>>,
    pub keeps: BTreeMap<AppName, BTreeMap<PersonId, Keep>>,
    pub cycles: Vec<CycleSummary>,
    pub brakes: BTreeMap<AppName, BrakeState>,
    pub pauses: Pauses,
    pub labels: BTreeMap<(AppName, PersonId), Label>,
    pub configurations: BTreeMap<AppName, String>,
    pub images: Images,
    pub servers: BTreeMap<DirectoryName, Acquaintance>,
    pub instance: Option<[u8; 16]>,
    pub leases: BTreeMap<AppName, LeaseMark>,
    pub doubted: BTreeSet<AppName>,
    pub redirected: BTreeSet<AppName>,
    /// In the order in which they were begun.
    pub deeds: Vec<Deed>,
}

impl LedgerState {
    /// Ends an intent, with what is known now.
    pub(super) fn settle(&mut self, intent: &Intent, settlement: &Settlement) {
        self.intents.remove(&(intent.cycle.clone(), intent.seq));
        let key = (intent.app.clone(), intent.person.clone());
        match settlement {
            Settlement::Known(known) => {
                self.revision += 1;
                self.accounts.insert(key, (**known).clone());
            }
            Settlement::Forgotten => {
                self.revision += 1;
                self.accounts.remove(&key);
            }
            Settlement::Unchanged => {}
        }
    }
}

/// What became of an intent, and when by [`Fuse::passed`].
#[derive(Debug, Clone)]
pub enum Noted {
    Begun(u64, Box<Intent>),
    Settled(u64, CycleId, u64),
}

/// A ledger in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    pub(super) state: Arc<Mutex<LedgerState>>,
    /// Every intent ever noted.
    noted: Arc<Mutex<Vec<Noted>>>,
    /// A copy after every mutating call, while one is wanted.
    film: Arc<Mutex<Option<Vec<LedgerState>>>>,
    /// Mutating calls that still succeed; none for all.
    left: Arc<Mutex<Option<usize>>>,
    fuse: Fuse,
}

impl MemoryLedger {
    /// An empty ledger that may die by a fuse.
    pub fn new(fuse: Fuse) -> Self {
        Self { fuse, ..Self::default() }
    }

    /// A copy of all that is kept.
    pub fn snapshot(&self) -> LedgerState {
        lock(&self.state).clone()
    }

    /// From now on a copy is made after every mutating call; answers those that were made so far.
    pub fn film(&self) -> Vec<LedgerState> {
        lock(&self.film).get_or_insert_default().clone()
    }

    /// Puts a copy back, or a fresh state for a lost store.
    pub fn restore(&self, state: LedgerState) {
        *lock(&self.state) = state;
    }

    /// What was noted and settled, from a place on.
    pub fn noted(&self, from: usize) -> Vec<Noted> {
        lock(&self.noted)[from..].to_vec()
    }

    /// Every intent ever noted, oldest first; a restored copy doesn't take these back.
    pub fn begun(&self) -> Vec<Intent> {
        let begun = |noted| match noted {
            Noted::Begun(_, intent) => Some(*intent),
            Noted::Settled(..) => None,
        };
        self.noted(0).into_iter().filter_map(begun).collect()
    }

    /// How much was noted and settled.
    pub fn noted_count(&self) -> usize {
        lock(&self.noted).len()
    }

    /// Looks at all that is kept without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&LedgerState) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Forgets old cycles, and what was noted and settled.
    pub fn forget(&self) {
        lock(&self.noted).clear();
        lock(&self.state).cycles.clear();
    }

    /// The disk fails after so many more mutating calls; none mends it.
    pub fn fails_after(&self, calls: Option<usize>) {
        *lock(&self.left) = calls;
    }

    /// Looks at all that is kept.
    pub(super) fn look<T>(&self, look: impl FnOnce(&LedgerState) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Notes an intent.
    pub(super) fn note(&self, state: &mut LedgerState, intent: &Intent) {
        state.intents.insert((intent.cycle.clone(), intent.seq), intent.clone());
        lock(&self.noted).push(Noted::Begun(self.fuse.passed(), Box::new(intent.clone())));
    }

    /// Notes that an intent is settled.
    pub(super) fn settled(&self, intent: &Intent) {
        lock(&self.noted).push(Noted::Settled(self.fuse.passed(), intent.cycle.clone(), intent.seq));
    }

    pub(super) fn mutate<T>(
        &self,
        change: impl FnOnce(&mut LedgerState) -> Result<T, LedgerFault>,
    ) -> Result<T, LedgerFault> {
        self.fuse.pass();
        match &mut *lock(&self.left) {
            Some(0) => return Err(LedgerFault::Io("no space left on device".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        let done = {
            let mut state = lock(&self.state);
            state.serial += 1;
            let done = change(&mut state)?;
            if let Some(film) = &mut *lock(&self.film) {
                film.push(state.clone());
            }
            done
        };
        self.fuse.pass();
        Ok(done)
    }
}

impl Revisions for MemoryLedger {
    fn revision(&self) -> Result<Revision, LedgerFault> {
        Ok(Revision { store: "memory".to_owned(), number: lock(&self.state).revision })
    }
}

impl Ledger for MemoryLedger {
    fn serial(&self) -> u64 {
        lock(&self.state).serial
    }

    fn app_standing(&self, app: &AppName) -> Result<AppStanding, LedgerFault> {
        let state = lock(&self.state);
        let experience = match (state.accepted.contains_key(app), state.replaced, state.doubted.contains(app)) {
            (true, ..) => Experience::Settled,
            (false, true, _) => Experience::Replaced,
            (false, false, true) => Experience::Doubted,
            (false, false, false) if state.redirected.contains(app) => Experience::Redirected,
            (false, false, false) => Experience::First,
        };
        let used = |(key, known): &(&(AppName, PersonId), &KnownAccount)| key.0 == *app && known.standing.in_use();
        Ok(AppStanding { experience, population: state.accounts.iter().filter(used).count() })
    }

    fn accept(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.accepted.insert(app.clone(), ());
            state.doubted.remove(app);
            state.redirected.remove(app);
            Ok(())
        })
    }

    fn bind(&mut self, name: &str, identity: &str) -> Result<(), LedgerFault> {
        let bound = lock(&self.state).bound.get(name).cloned();
        match bound {
            Some(bound) if bound == identity => Ok(()),
            Some(bound) => Err(LedgerFault::Foreign { bound, wanted: identity.to_owned() }),
            None => self.mutate(|state| {
                state.bound.insert(name.to_owned(), identity.to_owned());
                Ok(())
            }),
        }
    }

    fn traces(&self, app: &AppName, directory: &DirectoryName) -> Result<Vec<Trace>, LedgerFault> {
        let state = lock(&self.state);
        let mine = state.accounts.iter().filter(|(key, _)| key.0 == *app && key.1.directory == *directory);
        let trace = |((_, person), known): (&(AppName, PersonId), &KnownAccount)| Trace {
            entry: person.entry,
            fingerprint: known.fingerprint,
            standing: known.standing,
        };
        Ok(mine.map(trace).collect())
    }

    fn known(&self, app: &AppName, person: &PersonId) -> Result<Option<KnownAccount>, LedgerFault> {
        Ok(lock(&self.state).accounts.get(&(app.clone(), person.clone())).cloned())
    }

    fn owner(&self, app: &AppName, account: AccountId) -> Result<Option<PersonId>, LedgerFault> {
        let state = lock(&self.state);
        let mut fits = state.accounts.iter().filter(|(key, known)| key.0 == *app && known.account == account);
        Ok(fits.next().map(|(key, _)| key.1.clone()))
    }

    fn remember(&mut self, app: &AppName, accounts: &[KnownAccount]) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            let kept = |known: &KnownAccount| (known.account, known.standing, known.written.clone());
            for known in accounts {
                let before = state.accounts.get(&(app.clone(), known.person.clone())).map(kept);
                state.revision += u64::from(before != Some(kept(known)));
                state.accounts.insert((app.clone(), known.person.clone()), known.clone());
            }
            Ok(())
        })
    }

    fn pins(&self) -> Result<BTreeMap<PinKey, EntryId>, LedgerFault> {
        Ok(lock(&self.state).pins.clone())
    }

    fn pin(&mut self, pins: &BTreeMap<PinKey, EntryId>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.revision += 1;
            state.pins.clone_from(pins);
            Ok(())
        })
    }

    fn groups(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, GroupSeen>, LedgerFault> {
        Ok(lock(&self.state).groups.get(directory).cloned().unwrap_or_default())
    }

    fn keep_groups(
        &mut self,
        directory: &DirectoryName,
        groups: &BTreeMap<EntryId, GroupSeen>,
    ) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.groups.insert(directory.clone(), groups.clone());
            Ok(())
        })
    }

    fn intend(&mut self, intent: &Intent) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            self.note(state, intent);
            Ok(())
        })
    }

    fn settle(&mut self, intent: &Intent, settlement: &Settlement) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            self.settled(intent);
            state.settle(intent, settlement);
            Ok(())
        })
    }

    fn open_intents(&self) -> Result<Vec<Intent>, LedgerFault> {
        Ok(lock(&self.state).intents.values().cloned().collect())
    }

    fn holds(&self) -> Result<Vec<HoldRecord>, LedgerFault> {
        Ok(lock(&self.state).holds.values().flatten().cloned().collect())
    }

    fn keep_holds(&mut self, app: &AppName, holds: &[HoldRecord]) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.holds.insert(app.clone(), holds.to_vec());
            state.brakes.entry(app.clone()).or_default().spent.clear();
            Ok(())
        })
    }

    fn troubles(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trouble>, LedgerFault> {
        Ok(lock(&self.state).troubles.get(app).cloned().unwrap_or_default())
    }

    fn keep_troubles(&mut self, app: &AppName, troubles: &BTreeMap<PersonId, Trouble>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.troubles.insert(app.clone(), troubles.clone());
            Ok(())
        })
    }

    fn end_cycle(&mut self, summary: &CycleSummary) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.cycles.push(summary.clone());
            Ok(())
        })
    }

    fn last_cycles(&self, count: usize) -> Result<Vec<CycleSummary>, LedgerFault> {
        Ok(lock(&self.state).cycles.iter().rev().take(count).cloned().collect())
    }
}
