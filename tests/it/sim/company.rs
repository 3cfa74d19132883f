//! What happens in companies from day to day: people come, go, change their names and places.

use chrono::TimeDelta;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::EntryId;
use zendesk_dirsync::engine::ports::Clock as _;

use super::world::World;
use crate::support::memory::{Names, Person, Tombstone, Use};

/// More people than this aren't hired: a simulated day would cost too much.
const PEOPLE_MAX: usize = 15;

impl World {
    /// Something happens in a company.
    pub fn company_event(&mut self) {
        let at = self.rng.below(self.rig.directories.len());
        let trouble = self.rig.directories[at].trouble();
        // Where nobody can see, nobody moves about: what is hidden and moved at once can't be told from what is gone.
        let unseen = [&trouble.hidden, &trouble.hidden_groups, &trouble.filtered, &trouble.nameless];
        let veiled = unseen.iter().any(|some| !some.is_empty());
        let people = self.people(at);
        let Some(id) = self.rng.pick(&people) else {
            self.hire(at);
            return self.note_people();
        };
        match self.rng.below(24) {
            0 | 1 if !veiled => self.hire(at),
            2 | 3 if !veiled => self.leave(at, id),
            4 | 5 if !veiled => self.join(at, id),
            6 => self.state(at, id),
            7 if !veiled => self.delete(at, id),
            8 => self.rename(at, id),
            9 => self.marry(at, id),
            10 if !veiled => {
                let unit = self.rng.below(9);
                self.move_out(at, id, &format!("moved{unit}"));
            }
            11 => self.swap_mails(at, id, &people),
            12 => {
                let mail = self.rng.pick(&["", "no mail", "boss@example.org", "customer@example.net"]).unwrap();
                self.set(at, id, "mail", mail);
            }
            13 | 14 if !veiled => {
                self.leave(at, id);
                self.join(at, id);
            }
            15 => {
                let phone = ["", "+49 30 1", "+49 30 2"][self.rng.below(3)];
                self.set(at, id, "telephoneNumber", phone);
            }
            16 => self.set(at, id, "description", "a note"),
            17 if !veiled => self.rehire(at),
            18..=20 if !veiled => self.mistake(at),
            _ => self.set(at, id, "telephoneNumber", "+49 30 3"),
        }
        self.note_people();
    }

    pub fn set(&mut self, at: usize, id: EntryId, kind: &str, value: &str) {
        self.tell(format!("{id} {kind} = {value:?}"));
        self.rig.directories[at].change(|company| company.people.get_mut(&id).unwrap().set(kind, value));
    }

    pub fn hire(&mut self, at: usize) {
        if self.rig.directories[at].with(|company| company.people.len()) > PEOPLE_MAX {
            return;
        }
        self.stable[at] = false;
        self.next_person += 1;
        let n = self.next_person;
        let person = Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"));
        let id = person.id;
        self.tell(format!("{id} is hired"));
        self.rig.directories[at].change(|company| company.people.insert(id, person));
        self.join(at, id);
    }

    /// Somebody comes back under a new entry with an old address.
    fn rehire(&mut self, at: usize) {
        let leavers: Vec<EntryId> = self.rig.directories[at].with(|company| company.former.keys().copied().collect());
        let Some(old) = self.rng.pick(&leavers) else { return };
        let before = self.next_person;
        self.hire(at);
        let n = self.next_person;
        if n == before {
            return;
        }
        let id = Person::numbered(n, "x", "x@example.org").id;
        let number = u32::from_be_bytes(old.as_bytes()[12..].try_into().unwrap());
        self.set(at, id, "mail", &format!("p{number}@example.org"));
    }

    fn leave(&mut self, at: usize, id: EntryId) {
        self.stable[at] = false;
        let holding: Vec<(EntryId, String)> = self.rig.directories[at].with(|company| {
            let holding = company.groups.values().filter(|group| group.members.contains(&id));
            holding.map(|group| (group.id, group.name.clone())).collect()
        });
        let Some((from, name)) = self.rng.pick(&holding) else { return };
        self.tell(format!("{id} leaves {name}"));
        self.rig.directories[at].change(|company| company.groups.get_mut(&from).unwrap().members.remove(&id));
    }

    pub fn join(&mut self, at: usize, id: EntryId) {
        self.stable[at] = false;
        let groups = self.groups_of(at);
        let Some(to) = self.rng.pick(&groups) else { return };
        let name = self.rig.directories[at].change(|company| {
            let group = company.groups.get_mut(&to).unwrap();
            group.members.insert(id);
            group.name.clone()
        });
        self.tell(format!("{id} joins {name}"));
    }

    fn state(&mut self, at: usize, id: EntryId) {
        let soon = self.rig.clock.now() + TimeDelta::minutes(40 * (1 + self.rng.below(100) as i64));
        let usable = match self.rng.below(6) {
            0 => Use::Disabled,
            1 => Use::Locked,
            2 => Use::Unsaid,
            3 => Use::Until(soon),
            _ => Use::Usable,
        };
        self.tell(format!("{id} is {usable:?}"));
        self.rig.directories[at].change(|company| company.people.get_mut(&id).unwrap().usable = usable);
    }

    fn delete(&mut self, at: usize, id: EntryId) {
        self.stable[at] = false;
        let tombstone = if self.rng.one_in(2) { Tombstone::Kept } else { Tombstone::None };
        let names = if self.rng.one_in(4) { Names::Left } else { Names::Cleaned };
        self.tell(format!("{id} is deleted, {tombstone:?}, {names:?}"));
        self.rig.directories[at].change(|company| company.delete(id, tombstone, names));
    }

    fn rename(&mut self, at: usize, id: EntryId) {
        let n = self.rng.below(50);
        self.set(at, id, "displayName", &format!("Renamed {n}"));
    }

    /// A new name and a new address.
    fn marry(&mut self, at: usize, id: EntryId) {
        let n = self.rng.below(50);
        self.set(at, id, "displayName", &format!("Married {n}"));
        self.set(at, id, "mail", &format!("married{n}@example.org"));
    }

    pub fn move_out(&mut self, at: usize, id: EntryId, unit: &str) {
        self.stable[at] = false;
        let dn = Dn::parse(&format!("uid=x{id},ou={unit},dc=example,dc=org")).unwrap();
        self.tell(format!("{id} moves to {unit}"));
        self.rig.directories[at].change(|company| company.people.get_mut(&id).unwrap().dn = dn);
    }

    fn swap_mails(&mut self, at: usize, id: EntryId, people: &[EntryId]) {
        let Some(other) = self.rng.pick(people).filter(|other| *other != id) else { return };
        let (mine, theirs) = self.rig.directories[at].with(|company| {
            (company.people[&id].get("mail").to_owned(), company.people[&other].get("mail").to_owned())
        });
        self.set(at, id, "mail", &theirs);
        // Now and then only one of the two changes: two people with one address.
        if !self.rng.one_in(4) {
            self.set(at, other, "mail", &mine);
        }
    }
}
