//! What people order through the engine's own commands: pauses, orders by hand, undoing, keeps. Each kind is counted.
//!
//! The words that people gave are kept here, beside the product, for the oracle. `hand` and `undoing` give the orders.

pub mod copies;
pub mod edits;
mod hand;
pub mod saved;
pub mod trouble;
mod undoing;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use chrono::TimeDelta;
use zendesk_dirsync::domain::id::{Digest, PersonId};
use zendesk_dirsync::engine::Stop;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::Clock as _;
use zendesk_dirsync::engine::view::PlanView;

use self::copies::Copies;
use self::edits::{Edits, Wished};
use self::trouble::Trouble;
use super::oracle::Oracle;
use super::oracle::wish::{WishKey, wish_of};
use super::reference::Truth;
use super::rig::Ran;
use super::rng::Rng;
use super::world::World;
use crate::support::memory::{Silent, User};

macro_rules! orders {
    ($($name:ident),* $(,)?) => {
        /// A kind of order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Order { $($name),* }

        impl Order {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

orders! {
    // Pauses.
    PausedAll, PausedApp, PausedUntil, Resumed,
    // By hand.
    DeprovisionedNow, DeprovisionedInPause, Released, Unlinked, Linked, KeepLifted, OnceUser,
    // Undoing.
    UndoneWhole, UndoneUser, UndoRefused,
    // Edits of the configuration.
    AssignmentAdded, AssignmentRemoved, RoleChanged, GroupsChanged, TagsChanged, NameChanged, PolicyChanged,
    ScopeChanged, MistakenEdit, EditPutRight, EditReverted, AppOut, DirectoryOut,
    // Saved plans.
    PlanApplied, PlanAppliedTwice, PlanMoved, PlanAfterDecision,
    // What fails for long.
    PersonPoisoned, AppRefuses, DelayLookedFor, Retried,
    // Copies, where a lease is kept.
    SecondHost, LeaseTaken, StoreFromBackup,
}

/// What a write happens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// A cycle, for everybody or for one person, by immutable id.
    Cycle(Option<String>),
    /// `deprovision --now` of one person.
    Deprovision(PersonId),
    /// An undoing: of these people a cycle wrote, by app.
    Undo(BTreeSet<(usize, PersonId)>),
    /// A saved plan.
    Saved(Box<PlanView>),
    /// A command that writes nothing.
    Word,
}

/// By what somebody's account is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Released: this account.
    Released(Option<u64>),
    /// Deprovisioned by hand.
    ByHand,
    /// What a cycle did to them was undone, while the directory wished this.
    Undone(WishKey),
}

/// A pause: until when, by the time that passed, and how often the clock had jumped.
#[derive(Debug, Clone, Copy)]
pub struct Paused {
    until: Option<Duration>,
    breaks: u64,
}

/// Of whom a change was decided against, and how it stood then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    person: PersonId,
    wish: WishKey,
    user: Option<User>,
}

impl Against {
    /// As it stands now, by what is truly wanted.
    pub fn of(world: &World, app: usize, truths: &BTreeMap<PersonId, Truth>, person: &PersonId) -> Self {
        let account = world.managed().into_iter().find(|(at, who, _)| (*at, who) == (app, person)).map(|(_, _, id)| id);
        let user = account.and_then(|id| world.rig.apps[app].1.with(|desk| desk.users.get(&id).cloned()));
        Self { person: person.clone(), wish: wish_of(world, truths, person), user }
    }
}

/// What people said, as far as the store remembers it: lost and put back with it.
#[derive(Debug, Clone, Default)]
pub struct Words {
    pauses: BTreeMap<Option<usize>, Paused>,
    /// Whose account is left as it is, for certain, by app.
    pub kept: BTreeMap<(usize, PersonId), Kept>,
    /// What an app's people last agreed to, as the store has it.
    pub accepted: BTreeMap<usize, Rc<Wished>>,
    /// What was decided against, by app and digest.
    pub against: BTreeMap<(usize, Digest), Against>,
    /// Whose part of an edit was let go on.
    pub agreed: BTreeSet<(usize, PersonId)>,
    /// Whose part of an edit nobody let go on, though the store took it for agreed to: what was wished, and is now.
    pub doubted: BTreeMap<(usize, PersonId), (Truth, Truth)>,
}

/// The orders of a world.
pub struct Orders {
    rng: Rng,
    /// One in so many cycles.
    order_in: usize,
    pub counts: BTreeMap<Order, u64>,
    pub occasion: Occasion,
    /// Whom the present order is about, by app: a person's word for them.
    pub let_go: BTreeSet<(usize, PersonId)>,
    /// Whose link was given up, or made by hand: what is known of them begins anew.
    pub forgotten: BTreeSet<(usize, PersonId)>,
    /// Accounts that a person tied to somebody, by app.
    pub tied: BTreeMap<(usize, u64), PersonId>,
    pub edits: Edits,
    pub trouble: Trouble,
    pub copies: Copies,
}

impl World {
    /// Forgets what was decided against of people about whom something has changed since; answers the rest by app.
    pub fn against(&mut self) -> Vec<BTreeSet<Digest>> {
        let mut standing = vec![BTreeSet::new(); self.rig.apps.len()];
        let mut truths = BTreeMap::new();
        let said = std::mem::take(&mut self.decisions.words.against);
        for ((app, digest), said) in said {
            let truths = truths.entry(app).or_insert_with(|| self.truths(app, self.rig.clock.now()));
            let kept = self.decisions.words.kept.contains_key(&(app, said.person.clone()));
            if !kept && !self.lost_of(app, &said.person) && Against::of(self, app, truths, &said.person) == said {
                standing[app].insert(digest);
                self.decisions.words.against.insert((app, digest), said);
            }
        }
        standing
    }
}

impl Words {
    /// Whether an app is paused for certain.
    pub fn paused(&self, app: usize, passed: Duration, breaks: u64) -> bool {
        let stands = |pause: &Paused| pause.until.is_none_or(|until| passed < until && breaks == pause.breaks);
        [None, Some(app)].iter().filter_map(|key| self.pauses.get(key)).any(stands)
    }
}

impl Orders {
    /// The orders of a seed: a generator of their own, so that the rest of the history doesn't turn on them.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6f72_6465_7273);
        let order_in = [1, 2, 4, usize::MAX][rng.below(4)];
        Self {
            rng,
            order_in,
            counts: BTreeMap::new(),
            occasion: Occasion::Word,
            let_go: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            tied: BTreeMap::new(),
            edits: Edits::default(),
            trouble: Trouble::default(),
            copies: Copies::default(),
        }
    }

    pub fn count(&mut self, order: Order) {
        *self.counts.entry(order).or_default() += 1;
    }
}

/// What there is of a world's orders from the beginning.
pub fn begin(world: &mut World) {
    let mut rng = world.orders.rng.clone();
    if world.orders.order_in != usize::MAX {
        copies::begin(world, &mut rng);
    }
    world.orders.rng = rng;
}

/// Somebody gives an order, now and then; what it wrote is judged.
pub fn event(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let orders = &mut world.orders;
    if orders.order_in == usize::MAX {
        return Ok(());
    }
    if orders.rng.one_in(orders.order_in) {
        one(world, oracle)?;
    }
    trouble::before_cycle(world);
    Ok(())
}

fn one(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let paused = !world.decisions.words.pauses.is_empty();
    match world.orders.rng.below(26) {
        0 | 1 if paused => hand::resume(world, oracle),
        0 => hand::pause(world, oracle),
        1..=3 => hand::deprovision(world, oracle),
        4 => hand::release(world, oracle),
        5 => hand::unlink(world, oracle),
        6 | 7 => hand::link(world, oracle),
        8 | 9 => hand::lift(world, oracle),
        10..=13 => {
            edits::edit(world);
            Ok(())
        }
        14..=16 => saved::apply(world, oracle),
        17 | 18 => {
            trouble::begin(world);
            Ok(())
        }
        19 => trouble::retry(world, oracle),
        20 | 21 => copies::event(world, oracle),
        _ => undoing::undo(world, oracle),
    }
}

/// Everything that people ordered ends: pauses, keeps. The rest is as the directory wishes again.
pub fn cease(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    edits::cease(world);
    copies::cease(world, oracle)?;
    hand::resume_all(world, oracle)?;
    hand::lift_all(world, oracle)
}

/// Has a command carried out by a fresh engine, and judges what it wrote; none when the process died.
fn give(world: &mut World, oracle: &mut Oracle, occasion: Occasion, command: Command) -> Result<Option<Reply>, String> {
    // Two things that happen in one moment would have one name.
    world.rig.clock.advance(TimeDelta::minutes(1));
    world.orders.occasion = occasion;
    let before = oracle.before(world);
    let said = format!("{command:?}");
    let reply = {
        let mut engine = world.rig.engine();
        world.rig.wait(engine.carry_out(command, "alice", Stop::never(), &mut Silent))
    };
    let how = reply.as_ref().map_or_else(|| "died".to_owned(), brief);
    world.tell(format!("{said}: {how}"));
    let ran = reply.clone().map_or(Ran::Died, |reply| Ran::Answered(Box::new(reply)));
    world.rig.fuse.mend();
    world.note_holds();
    oracle.judge(world, &before, &ran)?;
    if !ran.is_whole() {
        world.new_process();
    }
    world.orders.let_go.clear();
    Ok(reply)
}

fn brief(reply: &Reply) -> String {
    match reply {
        Reply::Refused { fault, .. } => format!("refused, {}", fault.kind),
        Reply::Hand { code, view } => {
            let results: Vec<_> = view.people.iter().map(|one| (one.app.as_str(), one.result.as_deref())).collect();
            format!("{code} {results:?}")
        }
        Reply::Undo { code, undo } => {
            let people: Vec<_> = undo.changes.iter().map(|one| (&one.app, &one.directory_id, &one.action)).collect();
            format!("{code} {:?} {people:?}", undo.carried)
        }
        other => format!("{}", other.code()),
    }
}

impl World {
    /// The place of an app.
    pub fn app_named(&self, name: &str) -> usize {
        self.rig.apps.iter().position(|(rules, _)| rules.app.as_str() == name).unwrap()
    }

    /// Who has an immutable id.
    pub fn person_with(&self, id: &str) -> Option<PersonId> {
        self.everyone.keys().find(|person| person.entry.to_string() == id).cloned()
    }

    /// Whether what was known of somebody's account was lost, or given up.
    pub fn lost_of(&self, app: usize, person: &PersonId) -> bool {
        self.lost || self.orders.forgotten.contains(&(app, person.clone()))
    }

    /// Who is managed in an app, says the store, with the account.
    pub fn managed(&self) -> Vec<(usize, PersonId, u64)> {
        self.rig.ledger.with(|state| {
            let one = |((app, person), known): (&(_, PersonId), &zendesk_dirsync::domain::account::KnownAccount)| {
                let at = self.rig.apps.iter().position(|(rules, _)| rules.app == *app)?;
                Some((at, person.clone(), known.account.0))
            };
            state.accounts.iter().filter_map(one).collect()
        })
    }
}
