//! Undoing a cycle: all of it, or one person's part; with the count of what was shown, or without.

use std::collections::BTreeSet;

use zendesk_dirsync::domain::id::PersonId;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::undo::{UndoOrder, UndoView, UndoWord};

use super::super::oracle::Oracle;
use super::super::world::World;
use super::{Kept, Occasion, Order, give};

pub fn undo(world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
    let rng = &mut world.orders.rng;
    let Some(past) = oracle.past.pick(rng) else { return Ok(()) };
    let people: Vec<(usize, PersonId)> = past.tried.iter().cloned().collect();
    let user = if rng.one_in(2) { rng.pick(&people).map(|(_, person)| person) } else { None };
    let order = UndoOrder {
        cycle: past.cycle.to_string(),
        app: None,
        user: user.as_ref().map(|person| person.entry.to_string()),
    };
    let named = |(_, person): &&(usize, PersonId)| user.as_ref().is_none_or(|user| user == person);
    let people: BTreeSet<(usize, PersonId)> = people.iter().filter(named).cloned().collect();
    let shown = give(world, oracle, Occasion::Word, Command::Undo { order: order.clone(), word: None })?;
    let Some(Reply::Undo { undo: shown, .. }) = shown else { return Ok(()) };
    if shown.changes.is_empty() {
        return Ok(());
    }
    let counted = !world.orders.rng.one_in(4);
    let word = UndoWord { digest: shown.digest.clone(), count: counted.then_some(shown.changes.len()) };
    let whom = whom(world, &shown);
    world.orders.let_go.clone_from(&whom);
    let now = past.accounts(world);
    let reply = give(world, oracle, Occasion::Undo(people), Command::Undo { order, word: Some(word) })?;
    let words = &mut world.decisions.words;
    match reply {
        Some(Reply::Refused { .. }) => {
            world.orders.count(Order::UndoRefused);
            return Ok(());
        }
        Some(Reply::Undo { undo, .. }) if whole(&undo) => {
            for key in &whom {
                match past.wish(key) {
                    Some(wish) => words.kept.insert(key.clone(), Kept::Undone(wish)),
                    None => words.kept.remove(key),
                };
            }
            world.orders.count(if user.is_some() { Order::UndoneUser } else { Order::UndoneWhole });
            past.as_before(world, &whom, &now)?;
        }
        _ => whom.iter().for_each(|key| {
            words.kept.remove(key);
        }),
    }
    for (app, account) in past.ids() {
        oracle.forget(world, app, account);
    }
    world.orders.forgotten.extend(whom);
    Ok(())
}

/// Whether everything that was shown was done.
fn whole(undo: &UndoView) -> bool {
    undo.faults.is_empty() && undo.carried.as_ref().is_some_and(|carried| carried.failed == 0)
}

fn whom(world: &World, undo: &UndoView) -> BTreeSet<(usize, PersonId)> {
    let one = |app: &str, id: &str| Some((world.app_named(app), world.person_with(id)?));
    undo.changes.iter().filter_map(|change| one(&change.app, &change.directory_id)).collect()
}
