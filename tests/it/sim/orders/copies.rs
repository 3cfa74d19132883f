//! A second copy, where a lease is kept: another host over the same account, a store that was lost, one from a backup.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::lease::{InstanceId, LeaseMark, Marker};
use zendesk_dirsync::engine::command::{Command, Reply};

use super::super::oracle::Oracle;
use super::super::rng::Rng;
use super::super::world::World;
use super::{Occasion, Order, give};
use crate::support::memory::{LedgerState, MemoryLedger, read_marker};

pub const COPY: &str = "a second copy, or a store from a backup, writes nothing unseen";

/// The name of the store that was there first.
const FIRST: [u8; 16] = [1; 16];

/// What there is of copies.
#[derive(Default)]
pub struct Copies {
    /// Whether the apps of this world keep a lease.
    leased: bool,
    /// Stores that were lost: each new one has another name.
    lost: u8,
    /// Apps whose lease is another store's.
    pub foreign: BTreeSet<usize>,
    /// Apps that were written after the store's backup was made, which the store can't know.
    pub behind: BTreeSet<usize>,
}

/// In a part of the worlds every app keeps a lease.
pub fn begin(world: &mut World, rng: &mut Rng) {
    if !rng.one_in(4) {
        return;
    }
    world.orders.copies.leased = true;
    world.rig.ledger.identify(FIRST);
    for (_, desk) in &mut world.rig.apps {
        *desk = desk.with_lease();
    }
}

impl World {
    /// Who holds the lease of an app, and the serial.
    fn lease(&self, app: usize) -> Option<LeaseMark> {
        let (rules, desk) = &self.rig.apps[app];
        match desk.with(|desk| read_marker(desk, &rules.app)) {
            Marker::Held { mark, .. } => Some(mark),
            Marker::Off | Marker::Free | Marker::Unreadable { .. } => None,
        }
    }

    /// Notes which leases aren't those of the store that is there now, and which it can't know the last of.
    fn look_at_leases(&mut self) {
        let state = self.rig.ledger.snapshot();
        let copies = &mut self.orders.copies;
        (copies.foreign, copies.behind) = (BTreeSet::new(), BTreeSet::new());
        for app in 0..self.rig.apps.len() {
            let Some(mark) = self.lease(app) else { continue };
            let known = state.leases.get(&self.rig.apps[app].0.app).map_or(0, |known| known.serial);
            if Some(mark.instance) != state.instance.map(InstanceId::from_bytes) {
                self.orders.copies.foreign.insert(app);
            } else if mark.serial > known {
                self.orders.copies.behind.insert(app);
            }
        }
    }

    /// A fresh store has another name.
    pub fn store_is_new(&mut self) {
        if self.orders.copies.leased {
            self.orders.copies.lost = self.orders.copies.lost.wrapping_add(1);
            self.rig.ledger.identify([0x40 + self.orders.copies.lost; 16]);
            self.look_at_leases();
        }
    }

    /// A state is put back from a backup. Where every app keeps a lease that tells, the store itself notices nothing.
    pub fn put_back(&mut self, state: LedgerState) {
        let noticed = LedgerState { replaced: true, accepted: BTreeMap::new(), ..state.clone() };
        self.rig.ledger.restore(state);
        if self.orders.copies.leased {
            self.look_at_leases();
            let copies = &self.orders.copies;
            if copies.foreign.len() + copies.behind.len() == self.rig.apps.len() {
                return self.orders.count(Order::StoreFromBackup);
            }
        }
        self.rig.ledger.restore(noticed);
    }
}

/// After a judged cycle: which store has noticed that it is behind. From then on everything waits.
pub fn after(world: &mut World) {
    let noticed = |app: &usize| world.rig.ledger.with(|state| state.doubted.contains(&world.rig.apps[*app].0.app));
    let noticed: Vec<usize> = world.orders.copies.behind.iter().copied().filter(noticed).collect();
    for app in noticed {
        world.orders.copies.behind.remove(&app);
    }
}

/// Another host, with a copy of the store, runs a cycle; or a person gives the lease to this one.
pub fn event(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    if !world.orders.copies.leased {
        return Ok(());
    }
    if !world.orders.copies.foreign.is_empty() {
        return take(world, oracle);
    }
    // A backup is made, and put back when it is old.
    let open = world.rig.ledger.with(|state| !state.intents.is_empty());
    if world.copy.is_none() && !open {
        world.copy = Some((world.rig.ledger.snapshot(), world.decisions.clone()));
    } else if world.orders.rng.one_in(3) && world.put_store_back() {
        world.tell("a backup of the store is put back");
        return Ok(());
    }
    second_host(world, oracle)
}

fn second_host(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    // What was written and not yet told is known to one store alone.
    let open = world.rig.ledger.with(|state| !state.intents.is_empty());
    let held = (0..world.rig.apps.len()).all(|app| world.lease(app).is_some());
    if open || !held {
        return Ok(());
    }
    let writes =
        |world: &World| -> usize { world.rig.apps.iter().map(|(_, desk)| desk.with(|desk| desk.writes.len())).sum() };
    world.rig.clock.advance(chrono::TimeDelta::minutes(1));
    let before = writes(world);
    let state = LedgerState { instance: Some([9; 16]), ..world.rig.ledger.snapshot() };
    let other = MemoryLedger::new(world.rig.fuse.clone());
    other.restore(state);
    let ours = std::mem::replace(&mut world.rig.ledger, other);
    let ran = world.rig.run_now(None);
    world.rig.ledger = ours;
    world.rig.fuse.mend();
    world.new_process();
    // What it met tells nothing of the pauses of ours.
    oracle.tries.forget();
    world.rig.apps.iter().for_each(|(_, desk)| drop(desk.take_refused()));
    world.tell("another host ran a cycle");
    world.orders.count(Order::SecondHost);
    let wrote = writes(world) - before;
    if wrote > 0 { Err(format!("{COPY}: another host wrote {wrote} times: {ran:?}")) } else { Ok(()) }
}

fn take(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    for app in world.orders.copies.foreign.clone() {
        let name = Some(world.rig.apps[app].0.app.to_string());
        match give(world, oracle, Occasion::Word, Command::TakeLease { app: name })? {
            Some(Reply::Leases(_)) => {
                world.orders.copies.foreign.remove(&app);
                world.orders.count(Order::LeaseTaken);
            }
            // It may have been taken before it broke off.
            None => _ = world.orders.copies.foreign.remove(&app),
            Some(Reply::Refused { code: 7, .. }) => _ = world.orders.copies.foreign.remove(&app),
            Some(_) => {}
        }
    }
    Ok(())
}

/// The end: the lease is this store's.
pub fn cease(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    if !world.orders.copies.leased {
        return Ok(());
    }
    world.orders.copies.foreign = (0..world.rig.apps.len()).collect();
    take(world, oracle)
}
