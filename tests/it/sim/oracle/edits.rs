//! Rules about edits of the configuration: what an edit alone would do waits for a person's word.
//!
//! What people agreed to is remembered here. That an app's former configuration is replaced is read from the store, and
//! judged: whoever is to be changed by the edit, and was not agreed to, must not be changed in the next cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use zendesk_dirsync::domain::assignment::{Role, RoleGrant};
use zendesk_dirsync::domain::change::{SignIn, Step};
use zendesk_dirsync::domain::id::PersonId;

use super::super::reference::Truth;
use super::super::world::World;
use super::look::Look;
use super::words::takes;
use crate::support::memory::Write;

const EDIT: &str = "what only an edit would do waits for a person's word";
const OUT: &str = "an app that was taken out isn't written";

pub const NAMES: [&str; 2] = [EDIT, OUT];

/// What the configuration that was agreed to wishes, of everybody of whom it wishes something else.
pub fn former(world: &World, app: usize, at: chrono::DateTime<chrono::Utc>) -> Former {
    let words = &world.decisions.words;
    let edited =
        |accepted: &Rc<super::super::orders::edits::Wished>| accepted.rules.digest() != world.rig.apps[app].0.digest();
    let accepted = words.accepted.get(&app).filter(|accepted| edited(accepted));
    if accepted.is_none() && words.doubted.is_empty() {
        return Former::new();
    }
    let now = &world.truths(app, at);
    let mut former = words.doubted.clone();
    former.retain(|(of, _), _| *of == app);
    let mut former: Former = former.into_iter().map(|((_, person), truth)| (person, truth)).collect();
    former.retain(|person, (_, present)| *present == out(now.get(person)));
    let Some(accepted) = accepted else {
        return former;
    };
    let then = world.truths_of(&accepted.given, accepted.suffix, at);
    let everybody: BTreeSet<&PersonId> = then.keys().chain(now.keys()).collect();
    for person in everybody {
        let (then, now) = (out(then.get(person)), out(now.get(person)));
        if then != now {
            former.insert(person.clone(), (then, now));
        }
    }
    former
}

/// What was wished of somebody, and what is wished now.
pub type Former = BTreeMap<PersonId, (Truth, Truth)>;

fn out(truth: Option<&Truth>) -> Truth {
    truth.cloned().unwrap_or(Truth::Out)
}

/// Judges a write by what was agreed to.
pub fn judge(look: &Look<'_>, write: &Write, person: Option<&PersonId>) -> Result<(), String> {
    if look.world.rig.out_apps.contains(&look.rules.app) {
        return Err(format!("{OUT}: {:?} to {:?}", write.step, write.account));
    }
    let Some(person) = person else { return Ok(()) };
    let Some((then, now)) = look.former.get(person) else {
        return Ok(());
    };
    let agreed = look.world.decisions.words.agreed.contains(&(look.app, person.clone()));
    if look.approved.contains(person) || agreed || fits(look, write, then) {
        return Ok(());
    }
    Err(format!(
        "{EDIT}: {:?} to {:?} of {person:?}, of whom {then:?} was wished and now {now:?}",
        write.step, write.account
    ))
}

/// Whether a write would also be made by what was wished before.
fn fits(look: &Look<'_>, write: &Write, then: &Truth) -> bool {
    let wish = match then {
        Truth::Wanted(wish) => wish,
        // Who wasn't mapped, and is now, wasn't mapped by either.
        Truth::Rejected => return true,
        Truth::Unusable | Truth::Out => return takes(write),
    };
    let custom = |id: u64| look.world.rig.apps[look.app].1.with(|desk| desk.custom_roles.get(&id).cloned());
    let same_role = |role: Role, id: Option<u64>| match (&wish.role, id.and_then(custom)) {
        (RoleGrant::Custom(name), Some(other)) => *name == other,
        (RoleGrant::Custom(_), None) => false,
        (RoleGrant::Plain(plain), other) => *plain == role && other.is_none(),
    };
    match &write.step {
        Step::Create(new) => {
            new.name == wish.name
                && same_role(new.role, new.custom_role.map(|id| id.0))
                && new.tags.is_subset(&wish.tags)
        }
        Step::Write(patch) => {
            patch.name.as_ref().is_none_or(|name| *name == wish.name)
                && patch.role.is_none_or(|(role, id)| same_role(role, id.map(|id| id.0)))
                && patch.sign_in != Some(SignIn::Suspend)
        }
        Step::Join(group) => wish.groups.contains(&look.groups[&group.0]),
        Step::Leave(group) => !wish.groups.contains(&look.groups[&group.0]),
        Step::AddTags(tags) => tags.is_subset(&wish.tags),
        Step::RemoveTags(tags) => tags.is_disjoint(&wish.tags),
        Step::Downgrade(_) => wish.role == RoleGrant::Plain(Role::EndUser),
        Step::EndSessions => false,
        Step::ChangeEmail { .. } | Step::MakeDefault(_) | Step::AddEmail(_) | Step::Unmark => true,
    }
}

/// After a judged cycle: who was agreed to, and whether the store takes the edit for agreed to.
pub fn after(world: &mut World, agreed: BTreeSet<(usize, PersonId)>, served: &[Former]) {
    world.decisions.words.doubted.clear();
    // Of whom something can't be read nothing differs for now, and the product takes that for agreed to.
    let seen = |at: usize| {
        let trouble = world.rig.directories[at].trouble();
        trouble.withdrawn.is_empty() && trouble.unreadable.is_empty() && trouble.nameless.is_empty()
    };
    let whole = (0..world.rig.directories.len()).all(seen);
    world.decisions.words.agreed.extend(agreed);
    for app in 0..world.rig.apps.len() {
        let present = world.wished(app);
        let digest = present.rules.digest();
        let words = &world.decisions.words;
        if words.accepted.get(&app).is_some_and(|accepted| accepted.rules.digest() == digest) {
            continue;
        }
        if world.rig.accepted(app).is_none_or(|rules| rules.digest() != digest) {
            continue;
        }
        let doubted: Vec<_> = served.get(app).map_or_else(Vec::new, |former| {
            let known = |person: &&PersonId| {
                let key = (app, (*person).clone());
                whole && !words.agreed.contains(&key) && !words.kept.contains_key(&key)
            };
            former
                .iter()
                .filter(|(person, _)| known(person))
                .map(|(who, truth)| ((app, who.clone()), truth.clone()))
                .collect()
        });
        let words = &mut world.decisions.words;
        words.doubted.extend(doubted);
        words.agreed.retain(|(of, _)| *of != app);
        words.accepted.insert(app, Rc::new(present));
    }
}
