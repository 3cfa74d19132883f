//! Rules about trying again: who failed isn't tried before the time, and an app that refused us is left alone, then
//! probed with one change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::orders::Occasion;
use super::super::rig::Ran;
use super::super::world::World;
use super::Before;
use crate::support::memory::User;

const PERSON: &str = "who failed isn't tried before the time";
const APP: &str = "an app that refused us is left alone for a while";
const PROBE: &str = "an app that refused us is probed with one change";

pub const NAMES: [&str; 4] = [PERSON, APP, PROBE, super::super::orders::trouble::DELAY];

/// A write that was refused as every one to this account is.
#[derive(Debug, Clone)]
struct Failure {
    begun: Duration,
    times: u32,
    user: Option<User>,
    wish: String,
}

/// What was tried, and failed, on a clock that didn't jump.
#[derive(Default)]
pub struct Tries {
    breaks: u64,
    people: BTreeMap<(usize, u64), Failure>,
    /// How often in a row an app refused us, and when the last cycle with that began.
    apps: BTreeMap<usize, (u32, Duration)>,
}

/// The pause after so many failures: five minutes, doubling to a day.
fn pause(times: u32) -> Duration {
    Duration::from_secs((300_u64 << times.saturating_sub(1).min(16)).min(86_400))
}

impl Tries {
    /// A person said that all is tried again.
    pub fn forget(&mut self) {
        self.people.clear();
        self.apps.clear();
    }

    /// Judges the tries of a cycle.
    pub fn judge(&mut self, world: &World, before: &Before, ran: &Ran, wrote: &[BTreeSet<u64>]) -> Result<(), String> {
        if self.breaks != world.breaks {
            self.breaks = world.breaks;
            self.forget();
        }
        for (app, (_, desk)) in world.rig.apps.iter().enumerate() {
            let calls = desk.calls() - before.calls[app];
            let (refused, unauthorized) = desk.take_refused();
            if !matches!(world.orders.occasion, Occasion::Cycle(_)) {
                // What a person has done tells nothing of pauses, and may end them.
                refused.iter().for_each(|id| drop(self.people.remove(&(app, *id))));
                if unauthorized || calls > 0 {
                    self.apps.remove(&app);
                }
                continue;
            }
            self.app(app, before, ran, calls, unauthorized, wrote[app].len())?;
            for id in refused {
                self.person(world, before, app, id)?;
            }
            for id in &wrote[app] {
                self.people.remove(&(app, *id));
            }
        }
        Ok(())
    }

    fn app(
        &mut self,
        app: usize,
        before: &Before,
        ran: &Ran,
        calls: u64,
        unauthorized: bool,
        wrote: usize,
    ) -> Result<(), String> {
        if let Some((times, begun)) = self.apps.get(&app).copied() {
            if calls > 0 && before.passed < begun + pause(times) {
                return Err(format!("{APP}: {calls} calls after {times} refusals in a row, the last at {begun:?}"));
            }
            if wrote > 1 {
                return Err(format!("{PROBE}: {wrote} accounts were written after {times} refusals"));
            }
        }
        if !matches!(ran, Ran::Ended(_)) {
            self.apps.remove(&app);
        } else if unauthorized {
            let times = self.apps.get(&app).map_or(0, |(times, _)| *times);
            self.apps.insert(app, (times + 1, before.passed));
        } else if calls > 0 {
            self.apps.remove(&app);
        }
        Ok(())
    }

    fn person(&mut self, world: &World, before: &Before, app: usize, id: u64) -> Result<(), String> {
        let user = world.rig.apps[app].1.with(|desk| desk.users.get(&id).cloned());
        let wish = before.wishes(world, app, id);
        let last = self.people.get(&(app, id)).filter(|last| last.user == user && last.wish == wish);
        let times = last.map_or(0, |last| last.times);
        if let Some(last) = last.filter(|last| before.passed < last.begun + pause(last.times)) {
            return Err(format!("{PERSON}: {id} in app {app} after {times} failures, the last at {:?}", last.begun));
        }
        self.people.insert((app, id), Failure { begun: before.passed, times: times + 1, user, wish });
        Ok(())
    }
}
