//! The kinds of fault, each with a name and a count, and how each is done to a world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use zendesk_dirsync::domain::id::EntryId;

use super::orders::Words;
use super::world::World;
use crate::support::memory::{CallKind, CallTrouble, LedgerState, ReadTrouble, Refusal, STATE, Short};

macro_rules! faults {
    ($($name:ident),* $(,)?) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($name),* }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

faults! {
    // The directory.
    DirectoryUnreachable, DirectoryRefusesBind, DirectoryUntrusted, DirectoryUnfit, ReadBreaksOff, BaseUnanswered,
    PageLost, RangeLost, GroupHalfRead, ReferenceMet, LookUpBreaksOff, PersonHidden, GroupHidden, EntryUnreadable,
    EntryNameless, PeopleFilteredOut, MailWithdrawn, NameWithdrawn, PhoneWithdrawn, StateWithdrawn, ReplicaLags,
    PersonVanishes,
    // Zendesk, when it is written.
    WriteRefused, WriteLostBefore, WriteLostAfter, WriteGarbled, WriteUnauthorized, WriteThrottled, WriteUnreachable,
    WriteNotFound, WriteSeatsShort, WriteDropped, WritePartial,
    // Zendesk, when it is read.
    SignInUnauthorized, SignInUnreachable, CatalogThrottled, CatalogLost, CatalogLacks, ObserveLost, ObserveGarbled,
    ObserveLacks, FindByIdLost, FindByIdBlank, FindByMailLost, FindByMailBlank, AsksToWaitShortly, AsksToWaitLong,
    SeatsTaken,
    // The store, the report, the process.
    StoreFull, StoreLost, StoreLostNoticed, StoreCopied, StorePutBack, ReportFull, ProcessDies, ProcessStopped,
    // Time and people.
    ClockHoursOn, ClockHoursBack, ClockYearsOn, ClockYearsBack, OldHoldApproved, WrongCountGiven,
}

/// How often each kind was done.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub counts: BTreeMap<Fault, u64>,
    /// Years that the clock is wrong by.
    years: i64,
    /// Cycles after which a directory is mended, by directory.
    ailing: BTreeMap<usize, usize>,
}

impl Faults {
    /// Notes that a fault took place.
    pub fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }
}

/// What the fault does to a call, if it is one of a call.
const fn call(fault: Fault) -> Option<(CallKind, CallTrouble)> {
    use CallKind::{Catalog, FindById, FindByMail, Observe, SignIn, Write};
    Some(match fault {
        Fault::WriteRefused => (Write, CallTrouble::Refuse),
        Fault::WriteLostBefore => (Write, CallTrouble::UnansweredBefore),
        Fault::WriteLostAfter => (Write, CallTrouble::UnansweredAfter),
        Fault::WriteGarbled => (Write, CallTrouble::GarbledAfter),
        Fault::WriteUnauthorized => (Write, CallTrouble::Unauthorized),
        Fault::WriteThrottled => (Write, CallTrouble::Throttled),
        Fault::WriteUnreachable => (Write, CallTrouble::Unreachable),
        Fault::WriteNotFound => (Write, CallTrouble::NotFound),
        Fault::WriteSeatsShort => (Write, CallTrouble::SeatsShort),
        Fault::WriteDropped => (Write, CallTrouble::Dropped),
        Fault::WritePartial => (Write, CallTrouble::Partial),
        Fault::SignInUnauthorized => (SignIn, CallTrouble::Unauthorized),
        Fault::SignInUnreachable => (SignIn, CallTrouble::Unreachable),
        Fault::CatalogThrottled => (Catalog, CallTrouble::Throttled),
        Fault::CatalogLost => (Catalog, CallTrouble::UnansweredBefore),
        Fault::CatalogLacks => (Catalog, CallTrouble::Lacks),
        Fault::ObserveLost => (Observe, CallTrouble::UnansweredBefore),
        Fault::ObserveGarbled => (Observe, CallTrouble::GarbledAfter),
        Fault::ObserveLacks => (Observe, CallTrouble::Lacks),
        Fault::FindByIdLost => (FindById, CallTrouble::UnansweredBefore),
        Fault::FindByIdBlank => (FindById, CallTrouble::Blank),
        Fault::FindByMailLost => (FindByMail, CallTrouble::UnansweredBefore),
        Fault::FindByMailBlank => (FindByMail, CallTrouble::Blank),
        _ => return None,
    })
}

impl World {
    /// A fault, now and then; those that are of a moment end with the cycle.
    pub fn fault_event(&mut self) {
        for at in 0..self.rig.directories.len() {
            match self.faults.ailing.get_mut(&at) {
                Some(0) => self.mend_directory(at),
                Some(left) => *left -= 1,
                None => {}
            }
        }
        if self.faults.years != 0 && self.rng.one_in(2) {
            self.set_clock_right();
        }
        if self.rng.one_in(self.style.fault_in) {
            let fault = self.rng.pick(Fault::ALL).unwrap();
            self.orders.trouble.calm = false;
            self.inject(fault);
        }
    }

    /// Does a fault to the world, if it can be done now.
    fn inject(&mut self, fault: Fault) {
        if let Some((kind, trouble)) = call(fault) {
            let app = self.rng.below(self.rig.apps.len());
            let nth = 1 + self.rng.below(if kind == CallKind::Write { 8 } else { 2 });
            self.tell(format!("app {app}: {fault:?} at its call {nth}"));
            return self.rig.apps[app].1.goes_wrong_at(kind, nth, trouble, fault as usize);
        }
        let at = self.rng.below(self.rig.directories.len());
        if let Some(trouble) = self.read_trouble(fault, at) {
            self.tell(format!("directory {at}: {fault:?}"));
            self.faults.count(fault);
            let cycles = self.rng.below(5);
            self.faults.ailing.insert(at, cycles);
            return self.rig.directories[at].trouble_is(trouble);
        }
        if self.other(fault) {
            self.tell(format!("{fault:?}"));
            self.faults.count(fault);
        }
    }

    /// What is wrong with a directory's server from now on; none when it isn't that kind of fault, or can't be now.
    fn read_trouble(&mut self, fault: Fault, at: usize) -> Option<ReadTrouble> {
        let people = self.people(at);
        let mut trouble = ReadTrouble::default();
        let some = |rng: &mut super::rng::Rng, of: usize| -> BTreeSet<_> {
            (0..1 + rng.below(of)).filter_map(|_| rng.pick(&people)).collect()
        };
        let mut withdraw = |what: &str| {
            trouble.withdrawn = BTreeSet::from([what.to_owned()]);
        };
        match fault {
            Fault::DirectoryUnreachable => trouble.refusal = Some(Refusal::Unreachable),
            Fault::DirectoryRefusesBind => trouble.refusal = Some(Refusal::BindRefused),
            Fault::DirectoryUntrusted => trouble.refusal = Some(Refusal::Untrusted),
            Fault::DirectoryUnfit => trouble.refusal = Some(Refusal::Unfit),
            Fault::ReadBreaksOff => trouble.break_at = Some(self.rng.below(people.len().max(1))),
            Fault::BaseUnanswered => trouble.base_fails = true,
            Fault::PageLost => trouble.short = Some(Short::Page),
            Fault::RangeLost => trouble.short = Some(Short::Range),
            Fault::GroupHalfRead => trouble.short = Some(Short::Group),
            Fault::ReferenceMet => trouble.short = Some(Short::Reference),
            Fault::LookUpBreaksOff => trouble.look_up_breaks_at = Some(self.rng.below(4)),
            Fault::PersonHidden => {
                let hidden = some(&mut self.rng, 3);
                trouble.hidden = hidden.into_iter().filter(|id| self.up_to_date(at, *id, None)).collect();
            }
            Fault::GroupHidden => {
                let groups = self.groups_of(at);
                let group = self.rng.pick(&groups)?;
                if !people.iter().all(|id| self.up_to_date(at, *id, Some(group))) {
                    return None;
                }
                trouble.hidden_groups = BTreeSet::from([group]);
            }
            Fault::EntryUnreadable => trouble.unreadable = some(&mut self.rng, 2),
            Fault::EntryNameless => {
                let nameless = some(&mut self.rng, 2);
                trouble.nameless = nameless.into_iter().filter(|id| self.up_to_date(at, *id, None)).collect();
            }
            Fault::PeopleFilteredOut => {
                let filtered = some(&mut self.rng, 6);
                trouble.filtered = filtered.into_iter().filter(|id| self.up_to_date(at, *id, None)).collect();
            }
            Fault::MailWithdrawn => withdraw("mail"),
            Fault::NameWithdrawn => withdraw("displayname"),
            Fault::PhoneWithdrawn => withdraw("telephonenumber"),
            Fault::StateWithdrawn => withdraw(STATE),
            Fault::ReplicaLags if self.stable[at] => trouble.lagging = Some(self.past[at].clone()?),
            Fault::PersonVanishes => {
                trouble.vanishes_after = Some((self.rng.below(3), self.rng.pick(&people)?));
            }
            _ => return None,
        }
        Some(trouble)
    }

    /// Whether the store knows where somebody is, and that a group holds them, if it does. Where somebody can't be seen
    /// and moved at once, nothing tells it from a departure.
    fn up_to_date(&self, at: usize, id: EntryId, group: Option<EntryId>) -> bool {
        let directory = self.directory_name(at);
        let company = self.rig.directories[at].truth();
        let holds = |group: &EntryId| company.groups.get(group).is_some_and(|one| one.members.contains(&id));
        self.rig.ledger.with(|state| {
            let mut known = state.accounts.iter().filter(|((_, who), _)| who.directory == directory && who.entry == id);
            known.all(|(_, known)| {
                known.dn.key() == company.people[&id].dn.key()
                    && match group {
                        Some(group) => !company.holds(group, id) || known.through.contains(&group),
                        None => known.through.iter().any(holds),
                    }
            })
        })
    }

    /// The other faults; whether it was done.
    fn other(&mut self, fault: Fault) -> bool {
        let app = self.rng.below(self.rig.apps.len());
        let hours = 1 + self.rng.below(30) as i64;
        match fault {
            Fault::AsksToWaitShortly => {
                self.rig.apps[app].1.asks_to_wait(1 + self.rng.below(9), seconds(1 + self.rng.below(60)))
            }
            Fault::AsksToWaitLong => {
                self.rig.apps[app].1.asks_to_wait(1 + self.rng.below(9), seconds(120 + self.rng.below(480)))
            }
            Fault::SeatsTaken => self.rig.apps[app].1.by_hand(|desk| desk.seats = 6),
            Fault::StoreFull => self.rig.ledger.fails_after(Some(self.rng.below(12))),
            Fault::ReportFull => self.rig.report.fails_after(Some(self.rng.below(12))),
            Fault::ProcessDies => self.rig.fuse.set(Some(1 + self.rng.below(60) as u32)),
            Fault::ProcessStopped => self.rig.fuse.asks_to_stop(1 + self.rng.below(40) as u64),
            Fault::StoreCopied if self.rig.ledger.with(|state| state.intents.is_empty()) => {
                self.copy = Some((self.rig.ledger.snapshot(), self.decisions.clone()))
            }
            Fault::StoreLost | Fault::StoreLostNoticed => return self.lose_store(fault),
            Fault::StorePutBack => return self.put_store_back(),
            Fault::ClockHoursOn => self.set_clock(TimeDelta::hours(hours)),
            Fault::ClockHoursBack => self.set_clock(TimeDelta::hours(-hours)),
            Fault::ClockYearsOn if self.faults.years == 0 && self.rng.one_in(4) => self.set_years(10),
            Fault::ClockYearsBack if self.faults.years == 0 && self.rng.one_in(4) => self.set_years(-10),
            Fault::OldHoldApproved => return self.approve_an_old_hold(),
            Fault::WrongCountGiven => return self.approve_with_a_wrong_count(),
            _ => return false,
        }
        true
    }

    fn set_clock(&mut self, by: TimeDelta) {
        self.breaks += 1;
        self.rig.clock.jump(by);
    }

    fn set_years(&mut self, years: i64) {
        self.faults.years = years;
        self.set_clock(TimeDelta::days(365 * years));
    }

    /// Somebody sets the clock right again.
    pub fn set_clock_right(&mut self) {
        let years = std::mem::take(&mut self.faults.years);
        if years != 0 {
            self.tell("the clock is set right");
            self.set_clock(TimeDelta::days(-365 * years));
        }
    }

    /// The store is lost with all that was decided. Where a group bears another's name, or is gone, names would lead
    /// elsewhere: there it doesn't happen.
    fn lose_store(&mut self, fault: Fault) -> bool {
        // What was written and not yet told is known to the store alone.
        let open = self.rig.ledger.with(|state| !state.intents.is_empty());
        if open || !self.renamed.is_empty() || !self.stash.is_empty() || !self.rng.one_in(3) {
            return false;
        }
        self.lost = true;
        self.breaks += 1;
        self.copy = None;
        let replaced = fault == Fault::StoreLostNoticed;
        self.rig.ledger.restore(LedgerState { replaced, ..LedgerState::default() });
        self.store_is_new();
        self.decisions.approved.iter_mut().for_each(BTreeMap::clear);
        self.decisions.words = Words::default();
        true
    }

    /// An older copy takes the store's place, with what had been decided then; the store notices.
    pub fn put_store_back(&mut self) -> bool {
        let open = self.rig.ledger.with(|state| !state.intents.is_empty());
        let Some((state, decisions)) = self.copy.take() else { return false };
        if open || !self.renamed.is_empty() || !self.stash.is_empty() {
            return false;
        }
        self.lost = true;
        self.breaks += 1;
        self.put_back(state);
        self.decisions = decisions;
        true
    }

    /// The server of a directory is mended.
    pub fn mend_directory(&mut self, at: usize) {
        if self.rig.directories[at].trouble().lagging.is_some() {
            // What a lagging server told of places may be out of date for one cycle more.
            self.stable[at] = false;
        }
        self.faults.ailing.remove(&at);
        self.rig.directories[at].trouble_is(ReadTrouble::default());
    }

    /// Remembers a state that a lagging server may tell later.
    pub fn remember_state(&mut self) {
        let at = self.rng.below(self.rig.directories.len());
        self.past[at] = Some(Arc::clone(&self.rig.directories[at].truth()));
    }

    /// Counts the faults of calls that took place.
    pub fn note_hits(&mut self) {
        for app in 0..self.rig.apps.len() {
            for tag in self.rig.apps[app].1.hits() {
                self.faults.count(Fault::ALL[tag]);
                self.tell(format!("app {app}: it was {:?}", Fault::ALL[tag]));
            }
        }
    }

    /// Disks and the process are well again; servers aren't.
    pub fn restart(&mut self) {
        self.rig.fuse.mend();
        self.rig.ledger.fails_after(None);
        self.rig.report.fails_after(None);
        self.note_hits();
        for (_, desk) in &self.rig.apps {
            desk.mend();
        }
    }
}

fn seconds(count: usize) -> Duration {
    Duration::from_secs(count as u64)
}
