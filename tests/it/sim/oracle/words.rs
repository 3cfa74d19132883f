//! Rules about what people ordered: pauses, orders for one person, undoing, and accounts that are left as they are.

use std::collections::BTreeMap;

use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::PersonId;
use zendesk_dirsync::engine::command::Reply;
use zendesk_dirsync::engine::ports::Clock as _;

use super::super::orders::copies::COPY;
use super::super::orders::{Kept, Occasion, saved};
use super::super::reference::Truth;
use super::super::rig::Ran;
use super::super::world::World;
use super::Before;
use super::look::Look;
use super::wish::steady_by;
use crate::support::memory::Write;

const PAUSED: &str = "in a pause only `deprovision --now` writes";
const ONE: &str = "an order for one person writes only theirs";
const UNDO: &str = "an undoing writes only whom its cycle wrote";
const WORD: &str = "a word, a look or a refusal writes nothing";
const RELEASED: &str = "a released account is never written";
const BY_HAND: &str = "who was deprovisioned by hand is given nothing back";
const UNDONE: &str = "what was undone isn't done again while the directory wishes the same";

pub const NAMES: [&str; 10] =
    [PAUSED, ONE, UNDO, WORD, RELEASED, BY_HAND, UNDONE, super::past::BEFORE, saved::SHOWN, COPY];

/// Judges a write by what people ordered.
pub fn judge(look: &Look<'_>, write: &Write, person: Option<&PersonId>) -> Result<(), String> {
    let orders = &look.world.orders;
    let broken = |rule: &str| Err(format!("{rule}: {:?} to {:?} of {person:?}", write.step, write.account));
    let words = &look.world.decisions.words;
    let copies = &orders.copies;
    if copies.foreign.contains(&look.app) || copies.behind.contains(&look.app) {
        return broken(COPY);
    }
    let by_hand = matches!(orders.occasion, Occasion::Deprovision(_));
    if !by_hand && words.paused(look.app, look.before.passed, look.before.breaks) {
        return broken(PAUSED);
    }
    match (&orders.occasion, person) {
        (Occasion::Word, _) => return broken(WORD),
        (Occasion::Cycle(None), _) | (_, None) => {}
        (Occasion::Cycle(Some(only)), Some(person)) if person.entry.to_string() != *only => return broken(ONE),
        (Occasion::Deprovision(one), Some(person)) if person != one => return broken(ONE),
        (Occasion::Undo(people), Some(person)) if !people.contains(&(look.app, person.clone())) => {
            return broken(UNDO);
        }
        (Occasion::Saved(plan), Some(person)) if !saved::was_shown(look.world, look.app, plan, person, write) => {
            return broken(saved::SHOWN);
        }
        (Occasion::Cycle(Some(_)) | Occasion::Deprovision(_) | Occasion::Undo(_) | Occasion::Saved(_), Some(_)) => {}
    }
    let Some(person) = person else { return Ok(()) };
    let key = (look.app, person.clone());
    let released = |of: (&(usize, PersonId), &Kept)| {
        of.0.0 == look.app && write.account.is_some() && *of.1 == Kept::Released(write.account)
    };
    // A link by a person's word takes what another's release had let go.
    let tied = write.account.is_some_and(|id| orders.tied.get(&(look.app, id)) == Some(person));
    if !tied && !orders.let_go.contains(&key) && words.kept.iter().any(released) {
        return broken(RELEASED);
    }
    match words.kept.get(&key).filter(|_| !orders.let_go.contains(&key)) {
        Some(Kept::ByHand) if !takes(write) => broken(BY_HAND),
        // Unless a person let this very change go on.
        Some(Kept::Undone(_)) if !look.approved.contains(person) => broken(UNDONE),
        Some(Kept::Released(_) | Kept::ByHand | Kept::Undone(_)) | None => Ok(()),
    }
}

/// Whether a write only takes away.
pub fn takes(write: &Write) -> bool {
    match &write.step {
        Step::Write(patch) => {
            let lowers = |user: &crate::support::memory::User| patch.role.is_some_and(|(role, _)| role < user.role);
            patch.sign_in == Some(SignIn::Suspend) || write.before.as_ref().is_some_and(lowers)
        }
        Step::EndSessions | Step::Downgrade(_) | Step::Leave(_) | Step::RemoveTags(_) => true,
        Step::Create(_)
        | Step::ChangeEmail { .. }
        | Step::Join(_)
        | Step::MakeDefault(_)
        | Step::AddEmail(_)
        | Step::Unmark
        | Step::AddTags(_) => false,
    }
}

/// A command that was refused wrote nothing.
pub fn refused(ran: &Ran, writes: usize) -> Result<(), String> {
    let refused = matches!(ran, Ran::Answered(reply) if matches!(**reply, Reply::Refused { code, .. } if code != 7) || matches!(**reply, Reply::Moved { .. }));
    if refused && writes > 0 { Err(format!("{WORD}: {writes} writes of {ran:?}")) } else { Ok(()) }
}

/// Whose account the directory may decide on again isn't kept for certain any more.
pub fn look(world: &mut World, before: &Before) {
    let now = world.rig.clock.now();
    let mut truths = BTreeMap::new();
    let mut ended = Vec::new();
    for (key, kept) in world.decisions.words.kept.iter().filter(|(_, kept)| !matches!(kept, Kept::Released(_))) {
        let both = || (world.truths(key.0, before.now), world.truths(key.0, now));
        let (then, now) = truths.entry(key.0).or_insert_with(both);
        let unusable = |truths: &BTreeMap<PersonId, Truth>| matches!(truths.get(&key.1), Some(Truth::Unusable));
        let ends = match kept {
            Kept::Released(_) => false,
            Kept::ByHand => unusable(then) || unusable(now),
            Kept::Undone(wish) => steady_by(world, then, now, &key.1).as_ref() != Some(wish),
        };
        ended.extend(ends.then(|| key.clone()));
    }
    ended.iter().for_each(|key| {
        world.decisions.words.kept.remove(key);
    });
}
