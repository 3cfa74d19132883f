//! What whoever watches a plan being made gets to see.

use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::engine::ports::{Event, Progress};

use super::super::rig::{Rig, gives, rules};
use super::desk;
use crate::support::memory::{Group, MemoryDirectory, Person};

/// Counts signs of life while Zendesk is asked about people.
#[derive(Default)]
struct Watcher(Vec<(usize, usize)>);

impl Progress for Watcher {
    fn note(&mut self, event: &Event<'_>) {
        if let Event::Asking(_, people, of) = event {
            self.0.push((*people, *of));
        }
    }
}

#[test]
fn asking_about_many_newcomers_shows_signs_of_life() {
    let people: Vec<Person> =
        (1..=60).map(|n| Person::numbered(n, &format!("N{n}"), &format!("n{n}@example.org"))).collect();
    let ids: Vec<_> = people.iter().map(|person| person.id).collect();
    let directory = MemoryDirectory::new("corp", people, [Group::numbered(1, "support", &ids)]);
    let rules = rules("support", vec![gives("corp", "support", Some(Role::Agent), &["Support"])]);
    let rig = Rig::of(directory, desk(), rules);
    let mut watcher = Watcher::default();
    rig.prepare_before(&mut watcher);
    assert_eq!(watcher.0, [(0, 60), (25, 60), (50, 60)]);
}
