//! The oracle: judges every cycle by the list of writes that Zendesk itself kept, against the reference.
//!
//! It never asks the product what it did, except to compare the report and the intents with the writes, both ways.
//! `rules` are about a single write, `sums` about all of a cycle, `agree` about what was told of them.

mod agree;
mod look;
mod rules;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::change::Step;
use zendesk_dirsync::domain::id::{AppName, Digest, EntryId, ExternalId, PersonId};
use zendesk_dirsync::engine::ports::{Clock as _, HoldRecord, HoldState};

use self::look::Look;
use super::rig::Ran;
use super::world::World;
use crate::support::memory::Write;

/// The names of all rules that are judged after every cycle.
pub fn names() -> Vec<&'static str> {
    let each = rules::RULES.iter().map(|(name, _)| *name);
    each.chain(sums::RULES.iter().map(|(name, _)| *name)).chain(agree::NAMES).chain([UNLINKED]).collect()
}

const UNLINKED: &str = "accounts that are nobody's are never written";

/// What the oracle remembers.
pub struct Oracle {
    /// Whose an account is, by app: learnt from creations and first writes.
    owners: Vec<BTreeMap<u64, PersonId>>,
    /// Writes judged so far, by app.
    judged: Vec<usize>,
    /// Writes and notices compared so far.
    compared: (Vec<usize>, usize),
    /// What was done lately that nobody had let go on, by app.
    recent: Vec<sums::Recent>,
    breaks: u64,
}

/// The moment before a cycle.
pub struct Before {
    pub now: DateTime<Utc>,
    /// The groups that gave a managed person their account, by app.
    through: Vec<BTreeMap<PersonId, BTreeSet<EntryId>>>,
    population: Vec<usize>,
    accepted: BTreeSet<AppName>,
    replaced: bool,
    /// What is on record as decided against.
    against: BTreeSet<Digest>,
    noted: usize,
    reads_broken: Vec<usize>,
}

fn against(hold: &HoldRecord) -> Option<Vec<Digest>> {
    let rejected = matches!(hold.state, HoldState::Rejected { .. });
    rejected.then(|| hold.changes.iter().map(|change| change.digest).collect())
}

impl Oracle {
    /// An oracle that has seen nothing.
    pub fn new(apps: usize) -> Self {
        Self {
            owners: vec![BTreeMap::new(); apps],
            judged: vec![0; apps],
            compared: (vec![0; apps], 0),
            recent: vec![sums::Recent::default(); apps],
            breaks: 0,
        }
    }

    /// Looks at the world before a cycle.
    pub fn before(&self, world: &World) -> Before {
        let apps = &world.rig.apps;
        world.rig.ledger.with(|state| {
            let of = |app: &AppName| state.accounts.iter().filter(|((of, _), _)| of == app).collect::<Vec<_>>();
            let through = |app: &AppName| {
                of(app).into_iter().map(|((_, person), known)| (person.clone(), known.through.clone())).collect()
            };
            let used = |app: &AppName| of(app).iter().filter(|(_, known)| known.standing.in_use()).count();
            Before {
                now: world.rig.clock.now(),
                through: apps.iter().map(|(rules, _)| through(&rules.app)).collect(),
                population: apps.iter().map(|(rules, _)| used(&rules.app)).collect(),
                accepted: state.accepted.keys().cloned().collect(),
                replaced: state.replaced,
                against: state.holds.values().flatten().filter_map(against).flatten().collect(),
                noted: world.rig.ledger.noted_count(),
                reads_broken: world.rig.directories.iter().map(|one| one.reads_broken()).collect(),
            }
        })
    }

    /// Judges a cycle.
    pub fn judge(&mut self, world: &mut World, before: &Before, ran: &Ran) -> Result<(), String> {
        let noted = world.rig.ledger.noted(before.noted);
        // On a clock that jumps the product counts a day at most; here it counts anew.
        if self.breaks != world.breaks {
            self.breaks = world.breaks;
            self.recent.iter_mut().for_each(sums::Recent::clear);
        }
        for app in 0..world.rig.apps.len() {
            let from = self.judged[app];
            let new: Vec<Write> = world.rig.apps[app].1.with(|desk| desk.writes[from..].to_vec());
            self.judged[app] = from + new.len();
            if let Some(broken) = world.rig.apps[app].1.pace_broken() {
                return Err(format!("{}: {broken}", sums::PACE));
            }
            if new.is_empty() {
                continue;
            }
            let look = Look::new(world, app, before, &noted);
            for write in &new {
                let person = self.learn(&look, write)?;
                rules::judge(&look, write, person.as_ref())?;
            }
            sums::judge(&look, &self.owners[app], &mut self.recent[app], &new)?;
        }
        agree::spent(world, &noted, ran)?;
        if matches!(ran, Ran::Ended(_)) {
            self.forget_spent(world, &noted, ran);
            if world.rig.ledger.with(|state| state.intents.is_empty()) {
                self.agree(world)?;
            }
        }
        Ok(())
    }

    /// Learns whose an account is; a first write to one that was there before must be allowed.
    fn learn(&mut self, look: &Look<'_>, write: &Write) -> Result<Option<PersonId>, String> {
        let Some(id) = write.account else { return Ok(look.person(&self.owners[look.app], write)) };
        if let Some(person) = self.owners[look.app].get(&id) {
            return Ok(Some(person.clone()));
        }
        let marked = |id: Option<&ExternalId>| id.and_then(|id| look.world.person_of(look.app, id));
        let person = match (&write.step, &write.before) {
            (Step::Create(new), _) => marked(new.external_id.as_ref()),
            // Where several people could be meant, the marker that is written says who is.
            (Step::Write(patch), Some(user)) => {
                let meant = marked(patch.external_id.as_ref());
                look.rightful(user).into_iter().find(|one| meant.as_ref().is_none_or(|meant| meant == one))
            }
            (_, Some(user)) => look.rightful(user).into_iter().next(),
            (_, None) => None,
        };
        let Some(person) = person else {
            return Err(format!("{UNLINKED}: {id}: {:?}", write.step));
        };
        if write.effect.is_ok() {
            self.owners[look.app].insert(id, person.clone());
        }
        Ok(Some(person))
    }

    /// Whose an account is.
    pub fn owners(&self, app: usize) -> &BTreeMap<u64, PersonId> {
        &self.owners[app]
    }
}
