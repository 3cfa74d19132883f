//! The ledger: what the engine remembers, in the words of the domain, over the [`Vault`].
//!
//! Each method is one step of the vault, so that what belongs together is there together or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;

use super::keys;
use super::records::{self, DeedKey, HoldHead, NotedIntent, Pinned, Stored};
use super::revision::is_other;
use super::sealed::{Tree, damaged};
use super::vault::{Draft, Turned, Vault};
use crate::domain::account::{KnownAccount, Standing, Trace};
use crate::domain::assignment::PinKey;
use crate::domain::brake::Experience;
use crate::domain::deed::Deed;
use crate::domain::id::{AccountId, AppName, DirectoryName, EntryId, Malformed, PersonId};
use crate::domain::keep::Keep;
use crate::domain::scope::GroupSeen;
use crate::engine::ports::{
    AppStanding, CycleSummary, DeedCycle, HeldChange, HoldRecord, Intent, Ledger, LedgerFault, Settlement, Trouble,
};

/// So many cycles are kept for `status`.
const CYCLES_MAX: usize = 1_000;
/// So many accounts are brought up to date in one step, so that memory does not grow with the directory.
const STEP_ACCOUNTS: usize = 2_000;

/// The ledger on sled.
pub struct SledLedger {
    pub(super) vault: Vault,
    /// Managed active accounts by app: counted at the start, kept up with each step.
    pub(super) population: BTreeMap<String, usize>,
    /// Random bytes for the store's name, should one be wanted.
    pub(super) fresh: Option<[u8; 16]>,
    /// Held as long as the vault is; declared last, so that it is let go last.
    _lock: File,
}

impl fmt::Debug for SledLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledLedger").field("serial", &self.vault.serial()).finish_non_exhaustive()
    }
}

/// Reads one record at a start, so that one which this release can't read is found then and not in every cycle; counts
/// the active accounts.
pub(super) fn examine(
    population: &mut BTreeMap<String, usize>,
    tree: Tree,
    key: &[u8],
    payload: &[u8],
) -> Result<(), LedgerFault> {
    match tree {
        Tree::Fingerprints => {
            let (standing, _) = records::read_trace(payload).map_err(|why| damaged(tree, key, why))?;
            if let (Standing::Active, Some(app)) = (standing, keys::app_of(key)) {
                *population.entry(app.to_owned()).or_default() += 1;
            }
            Ok(())
        }
        Tree::Accounts => parse::<KnownAccount>(tree, key, payload).map(drop),
        Tree::Owners => parse::<PersonId>(tree, key, payload).map(drop),
        Tree::Pins => parse::<Pinned>(tree, key, payload).map(drop),
        Tree::Groups => parse::<GroupSeen>(tree, key, payload).map(drop),
        Tree::Intents => parse::<NotedIntent>(tree, key, payload).map(drop),
        Tree::Holds => parse::<HoldHead>(tree, key, payload).map(drop),
        Tree::HoldChanges => parse::<HeldChange>(tree, key, payload).map(drop),
        Tree::Troubles => parse::<Trouble>(tree, key, payload).map(drop),
        Tree::Keeps => parse::<Keep>(tree, key, payload).map(drop),
        Tree::Cycles => parse::<CycleSummary>(tree, key, payload).map(drop),
        Tree::Deeds => parse::<Deed>(tree, key, payload).map(drop),
        Tree::DeedPlaces => parse::<DeedKey>(tree, key, payload).map(drop),
        Tree::DeedCycles => parse::<DeedCycle>(tree, key, payload).map(drop),
        Tree::Brakes => super::brakes::examine(key, payload),
        // Whether they are there is all that is asked, or they are read by whoever needs them.
        Tree::Meta | Tree::Parts | Tree::Portraits | Tree::Marks => Ok(()),
    }
}

fn is_active(payload: &[u8]) -> bool {
    matches!(records::read_trace(payload), Ok((Standing::Active, _)))
}

impl SledLedger {
    pub(super) const fn new(vault: Vault, population: BTreeMap<String, usize>, lock: File) -> Self {
        Self { vault, population, fresh: None, _lock: lock }
    }

    pub(super) const fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn read<T: Stored>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, LedgerFault> {
        self.vault.get(tree, key)?.map(|payload| parse(tree, key, &payload)).transpose()
    }

    /// What `name` makes of every key below a prefix.
    pub(super) fn keys_below<K: Ord>(
        &self,
        tree: Tree,
        prefix: &[u8],
        name: impl Fn(&[u8]) -> Result<K, Malformed>,
    ) -> Result<BTreeSet<K>, LedgerFault> {
        let keys = self.vault.keys(tree, prefix)?;
        keys.iter().map(|key| name(key).map_err(|why| damaged(tree, key, why))).collect()
    }

    /// Everything below a prefix, with what `name` makes of each key.
    pub(super) fn gather<K: Ord, T: Stored>(
        &self,
        tree: Tree,
        prefix: &[u8],
        name: impl Fn(&[u8]) -> Result<K, Malformed>,
    ) -> Result<BTreeMap<K, T>, LedgerFault> {
        let mut all = BTreeMap::new();
        self.vault.each(tree, prefix, |key, payload| {
            let name = name(key).map_err(|why| damaged(tree, key, why))?;
            all.insert(name, parse(tree, key, payload)?);
            Ok(())
        })?;
        Ok(all)
    }

    pub(super) fn commit(&mut self, draft: Draft) -> Result<(), LedgerFault> {
        for Turned { key, old, new } in self.vault.commit(draft)? {
            let Some(app) = keys::app_of(&key) else { continue };
            let count = self.population.entry(app.to_owned()).or_default();
            let was = old.is_some_and(|payload| is_active(&payload));
            let is = new.is_some_and(|payload| is_active(&payload));
            *count = count.saturating_add(usize::from(is)).saturating_sub(usize::from(was));
        }
        Ok(())
    }

    /// Puts accounts, with their fingerprints and owners.
    pub(super) fn put_accounts(
        &self,
        draft: &mut Draft,
        app: &AppName,
        accounts: &[&KnownAccount],
    ) -> Result<(), LedgerFault> {
        // Links that are given up go first: in one step two people may change accounts with each other.
        for known in accounts {
            let before: Option<KnownAccount> = self.read(Tree::Accounts, &keys::person(app, &known.person))?;
            if is_other(before.as_ref(), known) {
                self.revise(draft)?;
            }
            if let Some(before) = before.filter(|before| before.account != known.account) {
                self.disown(draft, app, &before)?;
            }
        }
        for known in accounts {
            let key = keys::person(app, &known.person);
            draft.put(Tree::Accounts, key.clone(), &records::write(*known)?)?;
            let trace = records::write_trace(known.standing, known.fingerprint.as_ref());
            draft.put(Tree::Fingerprints, key, &trace)?;
            draft.put(Tree::Owners, keys::account(app, known.account), &records::write(&known.person)?)?;
        }
        Ok(())
    }

    /// Takes the account out of a person's name, if it is still in theirs.
    fn disown(&self, draft: &mut Draft, app: &AppName, known: &KnownAccount) -> Result<(), LedgerFault> {
        let key = keys::account(app, known.account);
        let owner: Option<PersonId> = self.read(Tree::Owners, &key)?;
        if owner.is_some_and(|owner| owner == known.person) {
            draft.remove(Tree::Owners, key);
        }
        Ok(())
    }

    /// The noting of an intent; none when it is noted already.
    pub(super) fn draft_intent(&self, intent: &Intent) -> Result<Option<Draft>, LedgerFault> {
        let key = keys::intent(&intent.cycle, intent.seq);
        match self.read::<NotedIntent>(Tree::Intents, &key)? {
            Some(noted) if noted.intent == *intent => return Ok(None),
            // Two changes in one place of the report would settle each other.
            Some(_) => return Err(damaged(Tree::Intents, &key, "another change is noted there and isn't settled")),
            None => {}
        }
        let noted = NotedIntent { noted: self.serial().saturating_add(1), intent: intent.clone() };
        let mut draft = Draft::default();
        draft.put(Tree::Intents, key, &records::write(&noted)?)?;
        Ok(Some(draft))
    }

    /// The end of an intent, with what is known now.
    pub(super) fn draft_settlement(&self, intent: &Intent, settlement: &Settlement) -> Result<Draft, LedgerFault> {
        let mut draft = Draft::default();
        draft.remove(Tree::Intents, keys::intent(&intent.cycle, intent.seq));
        match settlement {
            Settlement::Known(known) => self.put_accounts(&mut draft, &intent.app, &[known])?,
            Settlement::Forgotten => {
                if let Some(known) = self.known(&intent.app, &intent.person)? {
                    self.revise(&mut draft)?;
                    self.disown(&mut draft, &intent.app, &known)?;
                }
                let key = keys::person(&intent.app, &intent.person);
                draft.remove(Tree::Accounts, key.clone());
                draft.remove(Tree::Fingerprints, key);
            }
            Settlement::Unchanged => {}
        }
        Ok(draft)
    }

    /// A draft that removes everything below a prefix; what is put into it afterwards stays.
    pub(super) fn clearing(&self, places: &[(Tree, Vec<u8>)]) -> Result<Draft, LedgerFault> {
        let mut draft = Draft::default();
        for (tree, prefix) in places {
            for key in self.vault.keys(*tree, prefix)? {
                draft.remove(*tree, key);
            }
        }
        Ok(draft)
    }
}

pub(super) fn parse<T: Stored>(tree: Tree, key: &[u8], payload: &[u8]) -> Result<T, LedgerFault> {
    records::read(payload).map_err(|why| damaged(tree, key, why))
}

impl Ledger for SledLedger {
    fn serial(&self) -> u64 {
        self.vault.serial()
    }

    fn app_standing(&self, app: &AppName) -> Result<AppStanding, LedgerFault> {
        let experience = match self.vault.get(Tree::Meta, &keys::settled(app))? {
            Some(_) => Experience::Settled,
            None if self.vault.get(Tree::Meta, keys::REPLACED)?.is_some() => Experience::Replaced,
            None if self.vault.get(Tree::Meta, &keys::doubted(app))?.is_some() => Experience::Doubted,
            None if self.vault.get(Tree::Meta, &keys::redirected(app))?.is_some() => Experience::Redirected,
            None => Experience::First,
        };
        Ok(AppStanding { experience, population: self.population.get(app.as_str()).copied().unwrap_or_default() })
    }

    fn accept(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        draft.put(Tree::Meta, keys::settled(app), &[])?;
        draft.remove(Tree::Meta, keys::doubted(app));
        draft.remove(Tree::Meta, keys::redirected(app));
        self.commit(draft)
    }

    fn bind(&mut self, name: &str, identity: &str) -> Result<(), LedgerFault> {
        let key = keys::binding(name);
        match self.read::<String>(Tree::Meta, &key)? {
            Some(bound) if bound == identity => Ok(()),
            Some(bound) => {
                let wanted = format!("{name} {identity}");
                Err(LedgerFault::Foreign { bound: format!("{name} {bound}"), wanted })
            }
            None => {
                let mut draft = Draft::default();
                draft.put(Tree::Meta, key, &records::write(&identity.to_owned())?)?;
                self.commit(draft)
            }
        }
    }

    fn traces(&self, app: &AppName, directory: &DirectoryName) -> Result<Vec<Trace>, LedgerFault> {
        let mut traces = Vec::new();
        let tree = Tree::Fingerprints;
        self.vault.each(tree, &keys::app_directory(app, directory), |key, payload| {
            let wrong = |why: Malformed| damaged(tree, key, why);
            let (standing, fingerprint) = records::read_trace(payload).map_err(wrong)?;
            traces.push(Trace { entry: keys::entry_of(key).map_err(wrong)?, fingerprint, standing });
            Ok(())
        })?;
        Ok(traces)
    }

    fn known(&self, app: &AppName, person: &PersonId) -> Result<Option<KnownAccount>, LedgerFault> {
        self.read(Tree::Accounts, &keys::person(app, person))
    }

    fn owner(&self, app: &AppName, account: AccountId) -> Result<Option<PersonId>, LedgerFault> {
        self.read(Tree::Owners, &keys::account(app, account))
    }

    fn remember(&mut self, app: &AppName, accounts: &[KnownAccount]) -> Result<(), LedgerFault> {
        for some in accounts.chunks(STEP_ACCOUNTS) {
            let mut draft = Draft::default();
            self.put_accounts(&mut draft, app, &some.iter().collect::<Vec<&KnownAccount>>())?;
            self.commit(draft)?;
        }
        Ok(())
    }

    fn pins(&self) -> Result<BTreeMap<PinKey, EntryId>, LedgerFault> {
        let pinned = self.gather::<Vec<u8>, Pinned>(Tree::Pins, &[], |key| Ok(key.to_vec()))?;
        Ok(pinned.into_values().map(|Pinned { pin, entry }| (pin, entry)).collect())
    }

    fn pin(&mut self, pins: &BTreeMap<PinKey, EntryId>) -> Result<(), LedgerFault> {
        let mut draft = Draft::default();
        let known = self.pins()?;
        if pins.iter().any(|(pin, entry)| known.get(pin) != Some(entry)) {
            self.revise(&mut draft)?;
        }
        for (pin, entry) in pins {
            let pinned = Pinned { pin: pin.clone(), entry: *entry };
            draft.put(Tree::Pins, keys::pin(pin), &records::write(&pinned)?)?;
        }
        self.commit(draft)
    }

    fn groups(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, GroupSeen>, LedgerFault> {
        self.gather(Tree::Groups, &keys::directory(directory), keys::entry_of)
    }

    fn keep_groups(
        &mut self,
        directory: &DirectoryName,
        groups: &BTreeMap<EntryId, GroupSeen>,
    ) -> Result<(), LedgerFault> {
        let mut draft = self.clearing(&[(Tree::Groups, keys::directory(directory))])?;
        for (entry, group) in groups {
            draft.put(Tree::Groups, keys::group(directory, *entry), &records::write(group)?)?;
        }
        self.commit(draft)
    }

    fn intend(&mut self, intent: &Intent) -> Result<(), LedgerFault> {
        match self.draft_intent(intent)? {
            Some(draft) => self.commit(draft),
            None => Ok(()),
        }
    }

    fn settle(&mut self, intent: &Intent, settlement: &Settlement) -> Result<(), LedgerFault> {
        let draft = self.draft_settlement(intent, settlement)?;
        self.commit(draft)
    }

    fn open_intents(&self) -> Result<Vec<Intent>, LedgerFault> {
        let open = self.gather::<Vec<u8>, NotedIntent>(Tree::Intents, &[], |key| Ok(key.to_vec()))?;
        let mut open: Vec<NotedIntent> = open.into_values().collect();
        open.sort_by_key(|noted| noted.noted);
        Ok(open.into_iter().map(|noted| noted.intent).collect())
    }

    fn holds(&self) -> Result<Vec<HoldRecord>, LedgerFault> {
        let heads = self.gather::<Vec<u8>, HoldHead>(Tree::Holds, &[], |key| Ok(key.to_vec()))?;
        let mut holds = Vec::new();
        for (key, HoldHead { mut hold, changes }) in heads {
            let kept = self.gather::<Vec<u8>, HeldChange>(Tree::HoldChanges, &key, |key| Ok(key.to_vec()))?;
            if kept.len() as u64 != u64::from(changes) {
                return Err(damaged(Tree::Holds, &key, format!("{} of {changes} changes are there", kept.len())));
            }
            hold.changes = kept.into_values().collect();
            holds.push(hold);
        }
        Ok(holds)
    }

    fn keep_holds(&mut self, app: &AppName, holds: &[HoldRecord]) -> Result<(), LedgerFault> {
        let spent = (Tree::Brakes, keys::brake(app, keys::BRAKE_SPENT));
        let mut draft = self.clearing(&[(Tree::Holds, keys::app(app)), (Tree::HoldChanges, keys::app(app)), spent])?;
        for hold in holds {
            let mut number = 0;
            for change in &hold.changes {
                draft.put(Tree::HoldChanges, keys::hold_change(app, hold.id, number), &records::write(change)?)?;
                number += 1;
            }
            let bare = HoldRecord { changes: Vec::new(), ..hold.clone() };
            let head = HoldHead { hold: bare, changes: number };
            draft.put(Tree::Holds, keys::hold(app, hold.id), &records::write(&head)?)?;
        }
        self.commit(draft)
    }

    fn troubles(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trouble>, LedgerFault> {
        self.gather(Tree::Troubles, &keys::app(app), keys::person_of)
    }

    fn keep_troubles(&mut self, app: &AppName, troubles: &BTreeMap<PersonId, Trouble>) -> Result<(), LedgerFault> {
        let mut draft = self.clearing(&[(Tree::Troubles, keys::app(app))])?;
        for (person, trouble) in troubles {
            draft.put(Tree::Troubles, keys::person(app, person), &records::write(trouble)?)?;
        }
        self.commit(draft)
    }

    fn end_cycle(&mut self, summary: &CycleSummary) -> Result<(), LedgerFault> {
        let keys = self.vault.keys(Tree::Cycles, &[])?;
        let last = keys.last().and_then(|key| key.last_chunk::<8>()).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let mut draft = Draft::default();
        for key in keys.iter().take((keys.len() + 1).saturating_sub(CYCLES_MAX)) {
            draft.remove(Tree::Cycles, key.clone());
        }
        draft.put(Tree::Cycles, last.saturating_add(1).to_be_bytes().to_vec(), &records::write(summary)?)?;
        self.commit(draft)
    }

    fn last_cycles(&self, count: usize) -> Result<Vec<CycleSummary>, LedgerFault> {
        let keys = self.vault.keys(Tree::Cycles, &[])?;
        let mut cycles = Vec::new();
        for key in keys.iter().rev().take(count) {
            cycles.extend(self.read(Tree::Cycles, key)?);
        }
        Ok(cycles)
    }
}
