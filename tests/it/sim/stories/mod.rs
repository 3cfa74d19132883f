//! Told scenarios over whole cycles: one story each, ended by what Zendesk, the ledger and the report show.
//!
//! The fixtures are here; stories in which everything works, and in which something breaks, lie beside.

mod brakes;
mod broken;
mod by_hand;
mod edits;
mod kept;
mod leases;
mod meanwhile;
mod mended;
mod offline;
mod paused;
mod pauses;
mod removed;
mod saved;
mod watched;
mod whole;

use std::collections::BTreeSet;

use zendesk_dirsync::domain::account::Standing;
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::id::{AppName, EntryId};
use zendesk_dirsync::domain::outcome::{Notice, Subject};

use super::rig::{Rig, corp, gives, rules};
use crate::support::memory::{Desk, Group, MemoryDirectory, Person};

/// Alice to Dave in the group `support`, agents in the Zendesk group `Support`; Erin is in `chiefs`, too.
fn company() -> MemoryDirectory {
    let names = ["Alice", "Bob", "Carol", "Dave", "Erin"];
    let people: Vec<Person> = (1..)
        .zip(names)
        .map(|(n, name)| Person::numbered(n, name, &format!("{}@example.org", name.to_lowercase())))
        .collect();
    let ids: Vec<EntryId> = people.iter().map(|person| person.id).collect();
    let groups = [
        Group::numbered(1, "support", &ids[..4]),
        Group::numbered(2, "chiefs", &[ids[4]]),
        Group::numbered(3, "tier2", &[ids[0]]),
    ];
    MemoryDirectory::new("corp", people, groups)
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.add_group("Support");
    desk.add_group("Tier 2");
    desk
}

fn rig() -> Rig {
    let assignments = vec![
        gives("corp", "chiefs", Some(Role::Admin), &[]),
        gives("corp", "tier2", Some(Role::Agent), &["Tier 2"]),
        gives("corp", "support", Some(Role::Agent), &["Support"]),
    ];
    Rig::of(company(), desk(), rules("support", assignments))
}

/// A rig after its first cycle: everybody has an account.
fn settled() -> Rig {
    let rig = rig();
    rig.settle();
    assert_eq!(rig.cycle().ending.code(), 0);
    assert!(rig.user("alice@example.org").is_some_and(|user| user.role == Role::Agent));
    rig
}

fn id(n: u32) -> EntryId {
    Person::numbered(n, "x", "x@example.org").id
}

fn group(rig: &Rig, name: &str) -> EntryId {
    let company = rig.directory().company();
    company.groups.values().find(|group| group.name == name).unwrap().id
}

fn leave(rig: &Rig, person: EntryId, from: &str) {
    let from = group(rig, from);
    rig.directory().change(|company| company.groups.get_mut(&from).unwrap().members.remove(&person));
}

fn join(rig: &Rig, person: EntryId, to: &str) {
    let to = group(rig, to);
    rig.directory().change(|company| company.groups.get_mut(&to).unwrap().members.insert(person));
}

fn set(rig: &Rig, person: EntryId, kind: &str, value: &str) {
    rig.directory().change(|company| company.people.get_mut(&person).unwrap().set(kind, value));
}

fn told(rig: &Rig, mail: &str) -> Vec<Notice> {
    let about = |notice: &Notice| notice.user.as_deref() == Some(mail) && matches!(notice.subject, Subject::Account(_));
    rig.report.notices().into_iter().filter(about).collect()
}

fn standing(rig: &Rig, person: EntryId) -> Option<Standing> {
    let key = (AppName::new("support").unwrap(), corp(person));
    rig.ledger.snapshot().accounts.get(&key).map(|known| known.standing)
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}
