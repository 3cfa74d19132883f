//! What an administrator changes in the configuration, and puts back: assignments, roles, groups, tags, the name, what is
//! read, what is carried out; a mistake that would take many away; an app or a directory taken out.

use std::collections::BTreeSet;
use std::rc::Rc;

use zendesk_dirsync::domain::assignment::{Assignment, Role, RoleGrant};
use zendesk_dirsync::domain::id::{Digester, DirectoryName};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, FieldMode, Mapping};
use zendesk_dirsync::domain::rules::{AppRules, Switch};

use super::super::reference::Given;
use super::super::rig::gives;
use super::super::world::World;
use super::Order;
use crate::support::memory::Group;

/// What stands behind a name when the template was changed.
const SUFFIX: &str = " (Acme)";

/// What an app's configuration wishes.
#[derive(Debug, Clone)]
pub struct Wished {
    pub rules: AppRules,
    pub given: Vec<Given>,
    pub suffix: &'static str,
}

/// The configuration of a world, as it is edited.
#[derive(Default)]
pub struct Edits {
    /// How it was in the beginning, by app.
    first: Vec<Wished>,
    /// What is to be put back in the next cycle but so many, by app.
    mistake: Option<(usize, usize)>,
    pub suffix: Vec<&'static str>,
}

impl World {
    /// What an app's configuration wishes now.
    pub fn wished(&self, app: usize) -> Wished {
        let suffix = self.orders.edits.suffix.get(app).copied().unwrap_or_default();
        Wished { rules: self.rig.apps[app].0.clone(), given: self.given[app].clone(), suffix }
    }

    fn wish(&mut self, app: usize, wished: &Wished) {
        self.rig.apps[app].0 = wished.rules.clone();
        self.given[app].clone_from(&wished.given);
        self.orders.edits.suffix[app] = wished.suffix;
    }
}

fn begin(world: &mut World) {
    if world.orders.edits.first.is_empty() {
        world.orders.edits.suffix = vec![""; world.rig.apps.len()];
        world.orders.edits.first = (0..world.rig.apps.len()).map(|app| world.wished(app)).collect();
    }
}

/// Somebody edits the configuration.
pub fn edit(world: &mut World) {
    begin(world);
    // Where a group bears another's name, or is gone, a new assignment would lead elsewhere.
    if !world.renamed.is_empty() || !world.stash.is_empty() || put_back(world, false) {
        return;
    }
    let app = world.orders.rng.below(world.rig.apps.len());
    let kind = world.orders.rng.below(15);
    let order = match kind {
        0 => add(world, app),
        1 => remove(world, app),
        2 | 3 => role(world, app),
        4 | 5 => groups(world, app),
        6 => name(world, app),
        7 => policy(world, app),
        8 => scope(world),
        9 => mistake(world, app),
        10..=13 => take_out(world, app),
        _ => revert(world, app),
    };
    if let Some(order) = order {
        world.tell(format!("edit: {order:?} of app {app}"));
        world.orders.count(order);
    }
}

/// What was a mistake is put right a cycle later; whether it was.
fn put_back(world: &mut World, now: bool) -> bool {
    match world.orders.edits.mistake {
        None => false,
        Some((app, 0)) => put_right(world, app),
        Some((app, _)) if now => put_right(world, app),
        Some((app, left)) => {
            world.orders.edits.mistake = Some((app, left - 1));
            true
        }
    }
}

fn put_right(world: &mut World, app: usize) -> bool {
    let first = world.orders.edits.first[app].clone();
    world.wish(app, &first);
    world.rig.out_apps.clear();
    world.rig.out_directories.clear();
    world.orders.edits.mistake = None;
    world.tell(format!("edit: app {app} is put right"));
    world.orders.count(Order::EditPutRight);
    true
}

/// The end: what was a mistake, or taken out, is put right.
pub fn cease(world: &mut World) {
    begin(world);
    put_back(world, true);
    for app in 0..world.rig.apps.len() {
        world.rig.apps[app].0.switches.deprovision = Switch::On;
    }
}

fn nested(directory: &str, at: u32) -> (Assignment, Given) {
    let mut assignment = gives(directory, "nested", None, &[]);
    assignment.tags = BTreeSet::from(["nested".to_owned()]);
    let group = Group::numbered(200 * at + 50, "nested", &[]).id;
    let given = Given {
        directory: assignment.directory.clone(),
        group,
        role: None,
        groups: BTreeSet::new(),
        default_group: None,
        tags: assignment.tags.clone(),
    };
    (assignment, given)
}

/// A group more is assigned, or not any more.
fn add(world: &mut World, app: usize) -> Option<Order> {
    let (assignment, given) = nested("corp", 0);
    let there = world.rig.apps[app].0.assignments.iter().position(|one| one.text == "nested");
    if let Some(at) = there {
        world.rig.apps[app].0.assignments.remove(at);
        world.given[app].remove(at);
        return Some(Order::AssignmentRemoved);
    }
    world.rig.apps[app].0.assignments.push(assignment);
    world.given[app].push(given);
    Some(Order::AssignmentAdded)
}

/// The place of an assignment that makes no admins.
fn place(world: &mut World, app: usize) -> Option<usize> {
    let all = &world.rig.apps[app].0.assignments;
    let fits = |at: &usize| all[*at].role != Some(RoleGrant::Plain(Role::Admin));
    let some: Vec<usize> = (0..all.len()).filter(fits).collect();
    world.orders.rng.pick(&some).filter(|_| some.len() > 2)
}

fn remove(world: &mut World, app: usize) -> Option<Order> {
    let at = place(world, app)?;
    world.rig.apps[app].0.assignments.remove(at);
    world.given[app].remove(at);
    Some(Order::AssignmentRemoved)
}

fn role(world: &mut World, app: usize) -> Option<Order> {
    let at = place(world, app)?;
    let roles = [None, Some(RoleGrant::Plain(Role::Agent)), Some(RoleGrant::Custom("Light agent".into()))];
    let role = world.orders.rng.pick(&roles)?;
    if world.given[app][at].role == role {
        return None;
    }
    world.rig.apps[app].0.assignments[at].role.clone_from(&role);
    world.given[app][at].role = role;
    Some(Order::RoleChanged)
}

fn groups(world: &mut World, app: usize) -> Option<Order> {
    let at = place(world, app)?;
    let (rules, given) = (&mut world.rig.apps[app].0.assignments[at], &mut world.given[app][at]);
    if world.orders.rng.one_in(2) {
        let tag = ["one", "two"][world.orders.rng.below(2)].to_owned();
        if !given.tags.remove(&tag) {
            given.tags.insert(tag);
        }
        rules.tags.clone_from(&given.tags);
        return Some(Order::TagsChanged);
    }
    let group = ["Support", "Tier 2", "Light"][world.orders.rng.below(3)].to_owned();
    if given.default_group.as_ref() == Some(&group) {
        return None;
    }
    if !given.groups.remove(&group) {
        given.groups.insert(group);
    }
    rules.groups.clone_from(&given.groups);
    Some(Order::GroupsChanged)
}

fn name(world: &mut World, app: usize) -> Option<Order> {
    let suffix = if world.orders.edits.suffix[app].is_empty() { SUFFIX } else { "" };
    // A name that the template doesn't give stays none.
    let name = format!("{{% if displayName %}}{{{{ displayName }}}}{suffix}{{% endif %}}");
    let plain = "{{ displayName }}".to_owned();
    let sources = [
        (Field::Name, if suffix.is_empty() { plain } else { name }),
        (Field::Email, "{{ mail }}".to_owned()),
        (Field::Phone, "{{ telephoneNumber }}".to_owned()),
        (Field::Notes, "{{ description }}".to_owned()),
    ];
    let id = match world.rig.apps[app].0.mapping.external_id() {
        ExternalIdRule::Own => ExternalIdRule::Own,
        ExternalIdRule::Off => ExternalIdRule::Off,
        ExternalIdRule::Template(text) => ExternalIdRule::Template(text.clone()),
    };
    let modes = [(Field::Notes, FieldMode::Seed)].into_iter().collect();
    world.rig.apps[app].0.mapping = Mapping::compile(sources.into_iter().collect(), modes, id).unwrap();
    world.orders.edits.suffix[app] = suffix;
    Some(Order::NameChanged)
}

/// Nobody's access is ended for a while, or again.
fn policy(world: &mut World, app: usize) -> Option<Order> {
    let switch = &mut world.rig.apps[app].0.switches.deprovision;
    *switch = if *switch == Switch::On { Switch::Off } else { Switch::On };
    Some(Order::PolicyChanged)
}

/// A directory is read in another way, which shows the same.
fn scope(world: &mut World) -> Option<Order> {
    let at = world.orders.rng.below(world.rig.directories.len());
    let name: DirectoryName = world.directory_name(at);
    let mut digest = Digester::new("scope");
    digest.text(["a", "b", "c"][world.orders.rng.below(3)]);
    world.rig.scopes.insert(name, digest.finish());
    Some(Order::ScopeChanged)
}

/// All assignments but one are lost.
fn mistake(world: &mut World, app: usize) -> Option<Order> {
    let keep = world.orders.rng.below(world.given[app].len());
    world.rig.apps[app].0.assignments = vec![world.rig.apps[app].0.assignments[keep].clone()];
    world.given[app] = vec![world.given[app][keep].clone()];
    let cycles = world.orders.rng.below(2);
    world.orders.edits.mistake = Some((app, cycles));
    Some(Order::MistakenEdit)
}

/// An app, or a directory with all that is assigned of it, is taken out for a while.
fn take_out(world: &mut World, app: usize) -> Option<Order> {
    let cycles = world.orders.rng.below(4);
    if world.rig.apps.len() > 1 && world.orders.rng.one_in(2) {
        world.rig.out_apps.insert(world.rig.apps[app].0.app.clone());
        // What was edited before is put right with it.
        world.orders.edits.mistake = Some((app, cycles));
        return Some(Order::AppOut);
    }
    if world.rig.directories.len() == 1 || world.rig.apps.len() > 1 {
        return None;
    }
    let name = world.directory_name(1);
    world.rig.apps[app].0.assignments.retain(|one| one.directory != name);
    world.given[app].retain(|one| one.directory != name);
    world.rig.out_directories.insert(name);
    world.orders.edits.mistake = Some((app, cycles));
    Some(Order::DirectoryOut)
}

/// What is there is put back to what was agreed to last, or to the beginning.
fn revert(world: &mut World, app: usize) -> Option<Order> {
    let accepted = world.decisions.words.accepted.get(&app).cloned();
    let back = accepted.unwrap_or_else(|| Rc::new(world.orders.edits.first[app].clone()));
    if back.rules.digest() == world.rig.apps[app].0.digest() {
        return None;
    }
    world.wish(app, &back);
    Some(Order::EditReverted)
}
