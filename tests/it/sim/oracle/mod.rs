//! The oracle: judges every cycle by the list of writes that Zendesk itself kept, against the reference.
//!
//! It never asks the product what it did, except to compare the report and the intents with the writes, both ways.
//! `rules` are about a single write, `sums` about all of a cycle, `agree` about what was told of them.

mod agree;
pub mod edits;
mod look;
pub mod past;
mod rules;
mod source;
mod sums;
pub mod tries;
pub mod wish;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use zendesk_dirsync::domain::change::Step;
use zendesk_dirsync::domain::id::{AppName, Digest, EntryId, ExternalId, PersonId};
use zendesk_dirsync::engine::ports::{Clock as _, HoldRecord, HoldState};

use self::look::Look;
use super::orders::Occasion;
use super::rig::Ran;
use super::world::World;
use crate::support::memory::Write;

/// The names of all rules that are judged after every cycle.
pub fn names() -> Vec<&'static str> {
    let each = rules::RULES.iter().map(|(name, _)| *name);
    each.chain(sums::RULES.iter().map(|(name, _)| *name))
        .chain(agree::NAMES)
        .chain(words::NAMES)
        .chain(edits::NAMES)
        .chain(tries::NAMES)
        .chain(source::NAMES)
        .chain([UNLINKED])
        .collect()
}

const UNLINKED: &str = "accounts that are nobody's are never written";

/// What the oracle remembers.
pub struct Oracle {
    /// Whose an account is, by app: learnt from creations and first writes.
    owners: Vec<BTreeMap<u64, PersonId>>,
    /// Whose it ever was, by app.
    were: Vec<BTreeMap<u64, BTreeSet<PersonId>>>,
    /// Writes judged so far, by app.
    judged: Vec<usize>,
    /// Writes and notices compared so far.
    compared: (Vec<usize>, usize),
    /// What was done lately that nobody had let go on, by app.
    recent: Vec<sums::Recent>,
    breaks: u64,
    /// What the last cycles did.
    pub past: past::History,
    pub tries: tries::Tries,
    sources: source::Sources,
}

/// The moment before a cycle.
pub struct Before {
    pub now: DateTime<Utc>,
    pub passed: Duration,
    pub breaks: u64,
    /// The groups that gave a managed person their account, by app.
    through: Vec<BTreeMap<PersonId, BTreeSet<EntryId>>>,
    /// Whose account was in use, by app.
    managed: Vec<BTreeSet<PersonId>>,
    accepted: BTreeSet<AppName>,
    replaced: bool,
    /// What is on record as decided against, or was, of people about whom nothing has changed since; by app.
    against: Vec<BTreeSet<Digest>>,
    /// What a person left out who let others of the same hold go on.
    beside: BTreeSet<Digest>,
    noted: usize,
    /// How often each directory had been read.
    reads: Vec<usize>,
    /// Calls to each app.
    calls: Vec<u64>,
}

impl Before {
    /// All that is wished, in words that can be compared, where it may matter to an account.
    fn wishes(&self, world: &World, app: usize, id: u64) -> String {
        let known = world.rig.ledger.with(|state| {
            let mine = |((of, _), known): &(&(AppName, PersonId), &_)| {
                let known: &zendesk_dirsync::domain::account::KnownAccount = known;
                *of == world.rig.apps[app].0.app && known.account.0 == id
            };
            state.accounts.iter().find(mine).map(|((_, person), known)| (person.clone(), known.clone()))
        });
        let Some((person, known)) = known else {
            return String::new();
        };
        let wish = wish::wish_of(world, &world.truths(app, self.now), &person);
        format!("{wish:?} {:?} {known:?}", world.rig.apps[app].0.digest())
    }
}

fn against(hold: &HoldRecord) -> Option<Vec<Digest>> {
    let rejected = matches!(hold.state, HoldState::Rejected { .. });
    rejected.then(|| hold.changes.iter().map(|change| change.digest).collect())
}

fn beside(hold: &HoldRecord) -> Vec<Digest> {
    let left = |digest: &Digest| match &hold.state {
        HoldState::Approved { digests, .. } => !digests.contains(digest),
        HoldState::Waiting => hold.code == "others_approved",
        HoldState::Rejected { .. } => false,
    };
    hold.changes.iter().map(|change| change.digest).filter(left).collect()
}

impl Oracle {
    /// An oracle that has seen nothing.
    pub fn new(apps: usize) -> Self {
        Self {
            owners: vec![BTreeMap::new(); apps],
            were: vec![BTreeMap::new(); apps],
            judged: vec![0; apps],
            compared: (vec![0; apps], 0),
            recent: vec![sums::Recent::default(); apps],
            breaks: 0,
            past: past::History::default(),
            tries: tries::Tries::default(),
            sources: source::Sources::default(),
        }
    }

    /// Looks at the world before a cycle.
    pub fn before(&self, world: &mut World) -> Before {
        let said = world.against();
        let apps = &world.rig.apps;
        world.rig.ledger.with(|state| {
            let of = |app: &AppName| state.accounts.iter().filter(|((of, _), _)| of == app).collect::<Vec<_>>();
            let through = |app: &AppName| {
                of(app).into_iter().map(|((_, person), known)| (person.clone(), known.through.clone())).collect()
            };
            let managed = |app: &AppName| {
                let used = of(app).into_iter().filter(|(_, known)| known.standing.in_use());
                used.map(|((_, person), _)| person.clone()).collect()
            };
            let recorded: Vec<Digest> = state.holds.values().flatten().filter_map(against).flatten().collect();
            Before {
                now: world.rig.clock.now(),
                passed: world.rig.clock.passed(),
                breaks: world.breaks,
                through: apps.iter().map(|(rules, _)| through(&rules.app)).collect(),
                managed: apps.iter().map(|(rules, _)| managed(&rules.app)).collect(),
                accepted: state.accepted.keys().cloned().collect(),
                replaced: state.replaced,
                against: said
                    .into_iter()
                    .map(|said| said.into_iter().chain(recorded.iter().copied()).collect())
                    .collect(),
                beside: state.holds.values().flatten().flat_map(beside).collect(),
                noted: world.rig.ledger.noted_count(),
                calls: apps.iter().map(|(_, desk)| desk.calls()).collect(),
                reads: world.rig.directories.iter().map(|one| one.reads().0).collect(),
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
        words::look(world, before);
        let mut done = past::Past::new(ran.cycle_name().unwrap_or_default());
        let mut wrote: Vec<BTreeSet<u64>> = Vec::new();
        let (mut agreed, mut formers) = (BTreeSet::new(), Vec::new());
        for app in 0..world.rig.apps.len() {
            formers.push(edits::former(world, app, before.now));
            let from = self.judged[app];
            let new: Vec<Write> = world.rig.apps[app].1.with(|desk| desk.writes[from..].to_vec());
            self.judged[app] = from + new.len();
            wrote.push(new.iter().filter_map(|write| write.account).collect());
            if let Some(broken) = world.rig.apps[app].1.pace_broken() {
                return Err(format!("{}: {broken}", sums::PACE));
            }
            for ((of, id), person) in world.orders.tied.iter().filter(|((of, _), _)| *of == app) {
                self.were[*of].entry(*id).or_default().insert(person.clone());
            }
            if new.is_empty() {
                continue;
            }
            words::refused(ran, new.len())?;
            let truths = std::cell::OnceCell::new();
            let look = Look::new(world, app, before, &noted);
            for write in &new {
                let person = self.learn(&look, write)?;
                words::judge(&look, write, person.as_ref())?;
                edits::judge(&look, write, person.as_ref())?;
                rules::judge(&look, write, person.as_ref())?;
                if let Some(person) = &person {
                    done.note(app, person, write, || {
                        // What only a word wished is nobody's wish afterwards.
                        let cycle = matches!(world.orders.occasion, Occasion::Cycle(_));
                        let now = || world.truths(app, world.rig.clock.now());
                        cycle.then(|| wish::steady_by(world, &look.truths, truths.get_or_init(now), person)).flatten()
                    });
                }
            }
            let mine = look.approved.iter().filter(|person| look.former.contains_key(*person));
            agreed.extend(mine.map(|person| (app, person.clone())));
            self.sources.judge(&look, &look.removed(&self.owners[app], &new))?;
            sums::judge(&look, &self.owners[app], &mut self.recent[app], &new)?;
        }
        if !done.cycle.is_empty() && !done.tried.is_empty() {
            self.past.push(done);
        }
        self.tries.judge(world, before, ran, &wrote)?;
        self.sources.look(world, before, ran);
        edits::after(world, agreed, &formers);
        super::orders::copies::after(world);
        agree::spent(world, &noted, ran)?;
        if ran.is_whole() {
            self.forget_spent(world, &noted, ran);
            if world.rig.ledger.with(|state| state.intents.is_empty()) {
                self.agree(world)?;
            }
        }
        Ok(())
    }

    /// Learns whose an account is; a first write to one that was there before must be allowed.
    fn learn(&mut self, look: &Look<'_>, write: &Write) -> Result<Option<PersonId>, String> {
        let Some(id) = write.account else {
            return Ok(look.person(&self.owners[look.app], write));
        };
        let tied = look.world.orders.tied.get(&(look.app, id)).cloned();
        // What bears nobody's mark any more may be another's by now.
        let unmarked = write.before.as_ref().filter(|user| user.external_id.is_none());
        let others = unmarked.map_or_else(Vec::new, |user| look.rightful(user));
        if let Some(person) = self.owners[look.app].get(&id)
            && (others.is_empty() || others.contains(person))
            && tied.as_ref().is_none_or(|tied| tied == person)
        {
            return Ok(Some(person.clone()));
        }
        let marked = |id: Option<&ExternalId>| id.and_then(|id| look.world.person_of(look.app, id));
        let person = match (&write.step, &write.before) {
            _ if look.world.orders.tied.contains_key(&(look.app, id)) => {
                look.world.orders.tied.get(&(look.app, id)).cloned()
            }
            (Step::Create(new), _) => marked(new.external_id.as_ref()),
            // Where several people could be meant, the marker that is written says who is.
            (Step::Write(patch), Some(user)) => {
                let meant = marked(patch.external_id.as_ref());
                look.rightful(user).into_iter().find(|one| meant.as_ref().is_none_or(|meant| meant == one))
            }
            // It never arrived.
            (Step::Write(patch), None) => marked(patch.external_id.as_ref()),
            (_, Some(user)) => look.rightful(user).into_iter().next(),
            (_, None) => None,
        };
        let Some(person) = person.or_else(|| self.again(look, id)) else {
            return Err(format!("{UNLINKED}: {id}: {:?}", write.step));
        };
        if write.effect.is_ok() {
            self.owners[look.app].insert(id, person.clone());
            self.were[look.app].entry(id).or_default().insert(person.clone());
        }
        Ok(Some(person))
    }

    /// To whom an account that was theirs once may be tied again: an undoing and an older store can.
    fn again(&self, look: &Look<'_>, id: u64) -> Option<PersonId> {
        let were = self.were[look.app].get(&id)?;
        match &look.world.orders.occasion {
            Occasion::Undo(people) => {
                were.iter().find(|person| people.contains(&(look.app, (*person).clone()))).cloned()
            }
            Occasion::Cycle(_) | Occasion::Deprovision(_) | Occasion::Saved(_) | Occasion::Word => {
                let known =
                    || look.world.managed().into_iter().find(|(app, _, account)| (*app, *account) == (look.app, id));
                let (_, person, _) = known().filter(|_| look.world.lost)?;
                were.contains(&person).then_some(person)
            }
        }
    }

    /// Forgets whose an account is that bears their mark no more: somebody else may take it.
    pub fn forget(&mut self, world: &World, app: usize, account: u64) {
        let Some(person) = self.owners[app].get(&account) else { return };
        let mark = world.external_id(app, person);
        if world.rig.apps[app].1.with(|desk| desk.users[&account].external_id.as_ref() != Some(&mark)) {
            self.owners[app].remove(&account);
        }
    }

    /// Whose an account is.
    pub fn owners(&self, app: usize) -> &BTreeMap<u64, PersonId> {
        &self.owners[app]
    }
}
