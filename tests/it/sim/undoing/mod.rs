//! Undoing over whole cycles: judged by the fake Zendesk's own state, field by field, and by its list of writes.
//!
//! The fixtures are here; what happens to a thousand people, to each kind of change, and when something is in the way
//! or breaks, lies beside.

mod broken;
mod kinds;
mod limits;
mod mass;

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::account::ObservedAccount;
use zendesk_dirsync::domain::assignment::{Assignment, Role, RoleGrant};
use zendesk_dirsync::domain::id::{AppName, CycleId, EntryId};
use zendesk_dirsync::domain::keep::Keep;
use zendesk_dirsync::domain::plan::undo::CannotUndo;
use zendesk_dirsync::domain::rules::AppRules;
use zendesk_dirsync::engine::Stop;
use zendesk_dirsync::engine::undo::{UndoFault, UndoOrder, UndoWhole, UndoWord, Undone};

use super::rig::{Rig, corp, gives, rules};
use crate::support::memory::{Company, Desk, Group, MemoryDirectory, Person, Silent, User, observed};

/// What comes of an undoing; the outer none when the process died.
type Answer = Option<Result<(UndoWhole, Undone), UndoFault>>;

fn all_of(cycle: &CycleId) -> UndoOrder {
    UndoOrder { cycle: cycle.to_string(), app: None, user: None }
}

fn of_user(cycle: &CycleId, user: &str) -> UndoOrder {
    UndoOrder { user: Some(user.to_owned()), ..all_of(cycle) }
}

fn look(rig: &Rig, order: &UndoOrder) -> UndoWhole {
    rig.clock.advance(chrono::TimeDelta::seconds(1));
    let mut engine = rig.engine();
    rig.wait(engine.plan_undo(order, "alice")).unwrap().unwrap().unwrap()
}

fn give_word(rig: &Rig, order: &UndoOrder, word: &UndoWord) -> Answer {
    rig.clock.advance(chrono::TimeDelta::seconds(1));
    let mut engine = rig.engine();
    let done = rig.wait(engine.undo(order, word, "alice", Stop::never(), &mut Silent));
    done.map(|done| done.expect("the store and the report work"))
}

/// Looks, and gives the count of what was shown.
fn try_undo(rig: &Rig, order: &UndoOrder) -> Answer {
    let shown = look(rig, order);
    let word = UndoWord { digest: shown.digest().to_string(), count: Some(shown.changes()) };
    give_word(rig, order, &word)
}

fn undo(rig: &Rig, cycle: &CycleId) -> (UndoWhole, Undone) {
    try_undo(rig, &all_of(cycle)).unwrap().unwrap()
}

/// Every account as an admin sees it.
fn picture(rig: &Rig) -> BTreeMap<u64, ObservedAccount> {
    rig.desk().with(|desk| desk.users.values().map(|user| (user.id, observed(user))).collect())
}

fn keeps(rig: &Rig) -> BTreeMap<EntryId, Keep> {
    let app = AppName::new("support").unwrap();
    let all = rig.ledger.snapshot().keeps.remove(&app).unwrap_or_default();
    all.into_iter().map(|(person, keep)| (person.entry, keep)).collect()
}

/// Runs cycles that must write nothing.
fn rests(rig: &Rig, cycles: usize) {
    let writes = rig.desk().writes().len();
    for _ in 0..cycles {
        let report = rig.cycle();
        assert_eq!(report.ending.code(), 0, "{:?}", report.summary);
    }
    let new = rig.desk().writes().split_off(writes);
    assert!(new.is_empty(), "{new:#?}");
}

fn whys(whole: &UndoWhole) -> Vec<CannotUndo> {
    whole.parts.iter().flat_map(|part| &part.undone.refused).map(|one| one.why.clone()).collect()
}

/// What isn't brought back, as it is shown.
fn shorts(whole: &UndoWhole) -> BTreeSet<String> {
    whole.parts.iter().flat_map(|part| &part.undone.short).map(|one| one.what.to_string()).collect()
}

fn user(rig: &Rig, mail: &str) -> User {
    rig.user(mail).unwrap()
}

fn by_hand<T>(rig: &Rig, mail: &str, edit: impl FnOnce(&mut User) -> T) {
    let id = user(rig, mail).id;
    rig.desk().by_hand(|desk| edit(desk.users.get_mut(&id).unwrap()));
}

fn id(n: u32) -> EntryId {
    Person::numbered(n, "x", "x@example.org").id
}

fn set(rig: &Rig, n: u32, kind: &str, value: &str) {
    rig.directory().change(|company| company.people.get_mut(&id(n)).unwrap().set(kind, value));
}

fn members<T>(rig: &Rig, group: &str, edit: impl FnOnce(&mut BTreeSet<EntryId>) -> T) {
    rig.directory().change(|company: &mut Company| {
        let group = company.groups.values_mut().find(|one| one.name == group).unwrap();
        edit(&mut group.members);
    });
}

fn leave(rig: &Rig, n: u32, group: &str) {
    members(rig, group, |members| members.remove(&id(n)));
}

fn join(rig: &Rig, n: u32, group: &str) {
    members(rig, group, |members| members.insert(id(n)));
}

fn text(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Agents of `support` get two groups, a default one and a tag; those of `leads` a custom role and another group;
/// whoever is in `chiefs` is an admin.
fn assignments() -> Vec<Assignment> {
    vec![
        gives("corp", "chiefs", Some(Role::Admin), &[]),
        Assignment {
            role: Some(RoleGrant::Custom("Lead".into())),
            tags: text(&["lead"]),
            ..gives("corp", "leads", None, &["Escalations"])
        },
        Assignment {
            default_group: Some("Tier 2".into()),
            tags: text(&["dirsync"]),
            ..gives("corp", "support", Some(Role::Agent), &["Support", "Tier 2"])
        },
    ]
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    for name in ["Support", "Tier 2", "Escalations", "Nights"] {
        desk.add_group(name);
    }
    desk.custom_roles.insert(900, "Lead".into());
    desk.seats = 5_000;
    desk
}

/// So many people in `support`; every fifth and the last one are in `leads`, too. `chiefs` has two more.
fn company(people: u32) -> MemoryDirectory {
    let person = |n| {
        let mut person = Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"));
        person.set("telephoneNumber", &format!("+49 30 {n}"));
        person
    };
    let everybody: Vec<Person> = (1..=people + 2).map(person).collect();
    let ids: Vec<EntryId> = everybody.iter().map(|person| person.id).collect();
    let mut leads: Vec<EntryId> = ids[..people as usize].iter().copied().skip(4).step_by(5).collect();
    leads.push(ids[people as usize - 1]);
    let groups = [
        Group::numbered(1, "support", &ids[..people as usize]),
        Group::numbered(2, "leads", &leads),
        Group::numbered(3, "chiefs", &ids[people as usize..]),
    ];
    MemoryDirectory::new("corp", everybody, groups)
}

/// A rig in which everybody has an account. The brake is wide open.
fn settled(people: u32) -> Rig {
    settled_by(people, |_| {})
}

/// As [`settled`], by other rules.
fn settled_by(people: u32, change: impl FnOnce(&mut AppRules)) -> Rig {
    let mut rules = rules("support", assignments());
    change(&mut rules);
    let mut rig = Rig::of(company(people), desk(), rules);
    open(&mut rig);
    rig.settle();
    assert_eq!(rig.cycle().ending.code(), 0);
    assert_eq!(user(&rig, "p1@example.org").role, Role::Agent);
    rig
}

fn open(rig: &mut Rig) {
    use zendesk_dirsync::domain::brake::Limit;
    let wide = Limit { count: 10_000, percent: 100 };
    let limits = &mut rig.limits;
    (limits.shown, limits.absence, limits.takes_or_raises) = (wide, wide, wide);
    (limits.creations, limits.updates, limits.source_gone) = (wide, wide, wide);
    (limits.removals_24h, limits.removals_7d, limits.takes_or_raises_24h) = (wide, wide, wide);
}

/// A cycle that ends well; answers its name.
fn cycle(rig: &Rig) -> CycleId {
    let report = rig.cycle();
    assert_eq!(report.ending.code(), 0, "{:?}", report.summary);
    report.summary.cycle
}
