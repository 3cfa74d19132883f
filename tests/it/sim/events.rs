//! What happens between two cycles: in the companies, by an administrator's hand, and to servers, disks and processes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::EntryId;
use zendesk_dirsync::engine::ports::Clock as _;

use super::world::World;
use crate::support::memory::{By, CallTrouble, Names, Person, ReadTrouble, Tombstone, Use, User};

impl World {
    /// Something happens in a company.
    pub fn company_event(&mut self) {
        let at = self.rng.below(self.rig.directories.len());
        let trouble = self.rig.directories[at].trouble();
        // Where nobody can see, nobody moves about: what is hidden and moved at once can't be told from what is gone.
        let veiled = !trouble.hidden.is_empty() || !trouble.hidden_groups.is_empty();
        let people = self.people(at);
        let Some(id) = self.rng.pick(&people) else { return self.hire(at) };
        match self.rng.below(20) {
            0 | 1 if !veiled => self.hire(at),
            2 | 3 if !veiled => self.leave(at, id),
            4 | 5 if !veiled => self.join(at, id),
            6 => self.state(at, id),
            7 if !veiled => self.delete(at, id),
            8 | 9 => self.rename(at, id),
            10 if !veiled => {
                self.stable[at] = false;
                let dn = Dn::parse(&format!("uid=x{},ou=moved{},dc=example,dc=org", id, self.rng.below(9))).unwrap();
                self.tell(format!("{id} moves to {dn}"));
                self.rig.directories[at].change(|company| company.people.get_mut(&id).unwrap().dn = dn);
            }
            11 => self.swap_mails(at, id, &people),
            12 => {
                let mail = self.rng.pick(&["", "no mail", "boss@example.org", "customer@example.net"]).unwrap();
                self.set(at, id, "mail", mail);
            }
            13 if !veiled => self.group_event(at),
            14 if !veiled => self.nest(at),
            15 => {
                let phone = ["", "+49 30 1", "+49 30 2"][self.rng.below(3)];
                self.set(at, id, "telephoneNumber", phone);
            }
            16 => self.set(at, id, "description", "a note"),
            17 if !veiled => self.rehire(at),
            _ => self.set(at, id, "telephoneNumber", "+49 30 3"),
        }
        self.note_people();
    }

    fn set(&mut self, at: usize, id: EntryId, kind: &str, value: &str) {
        self.tell(format!("{id} {kind} = {value:?}"));
        self.rig.directories[at].change(|company| company.people.get_mut(&id).unwrap().set(kind, value));
    }

    fn hire(&mut self, at: usize) {
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
        let leavers: Vec<EntryId> = self.rig.directories[at].company().former.keys().copied().collect();
        let Some(old) = self.rng.pick(&leavers) else { return };
        self.hire(at);
        let n = self.next_person;
        let id = Person::numbered(n, "x", "x@example.org").id;
        let number = u32::from_be_bytes(old.as_bytes()[12..].try_into().unwrap());
        self.set(at, id, "mail", &format!("p{number}@example.org"));
    }

    fn groups_of(&self, at: usize) -> Vec<EntryId> {
        self.rig.directories[at].company().groups.keys().copied().collect()
    }

    fn leave(&mut self, at: usize, id: EntryId) {
        self.stable[at] = false;
        let company = self.rig.directories[at].company();
        let holding: Vec<EntryId> =
            company.groups.values().filter(|group| group.members.contains(&id)).map(|group| group.id).collect();
        let Some(from) = self.rng.pick(&holding) else { return };
        self.tell(format!("{id} leaves {}", company.groups[&from].name));
        self.rig.directories[at].change(|company| company.groups.get_mut(&from).unwrap().members.remove(&id));
    }

    fn join(&mut self, at: usize, id: EntryId) {
        self.stable[at] = false;
        let groups = self.groups_of(at);
        let Some(to) = self.rng.pick(&groups) else { return };
        let name = self.rig.directories[at].company().groups[&to].name.clone();
        self.tell(format!("{id} joins {name}"));
        self.rig.directories[at].change(|company| company.groups.get_mut(&to).unwrap().members.insert(id));
    }

    fn state(&mut self, at: usize, id: EntryId) {
        let soon = self.rig.clock.now() + TimeDelta::minutes(40);
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
        if self.rng.one_in(2) {
            self.set(at, id, "mail", &format!("renamed{n}@example.org"));
        }
    }

    fn swap_mails(&mut self, at: usize, id: EntryId, people: &[EntryId]) {
        let Some(other) = self.rng.pick(people).filter(|other| *other != id) else { return };
        let company = self.rig.directories[at].company();
        let (mine, theirs) =
            (company.people[&id].get("mail").to_owned(), company.people[&other].get("mail").to_owned());
        self.set(at, id, "mail", &theirs);
        // Now and then only one of the two changes: two people with one address.
        if !self.rng.one_in(4) {
            self.set(at, other, "mail", &mine);
        }
    }

    fn group_event(&mut self, at: usize) {
        self.stable[at] = false;
        if let Some(found) = self.stash.iter().position(|(directory, _)| *directory == at) {
            let (_, group) = self.stash.swap_remove(found);
            self.tell(format!("{} is restored", group.name));
            self.rig.directories[at].change(|company| company.groups.insert(group.id, group));
            return;
        }
        let groups = self.groups_of(at);
        let Some(id) = self.rng.pick(&groups) else { return };
        if self.rng.one_in(2) {
            let group = self.rig.directories[at].change(|company| company.groups.remove(&id)).unwrap();
            self.tell(format!("{} is deleted", group.name));
            self.stash.push((at, group));
        } else {
            self.tell(format!("group {id} is emptied"));
            self.rig.directories[at].change(|company| company.groups.get_mut(&id).unwrap().members.clear());
        }
    }

    fn nest(&mut self, at: usize) {
        self.stable[at] = false;
        let groups = self.groups_of(at);
        let (Some(outer), Some(inner)) = (self.rng.pick(&groups), self.rng.pick(&groups)) else { return };
        self.tell(format!("{inner} is put into {outer}, or taken out"));
        self.rig.directories[at].change(|company| {
            let members = &mut company.groups.get_mut(&outer).unwrap().members;
            if !members.remove(&inner) && outer != inner {
                members.insert(inner);
            }
        });
    }

    /// An administrator does something at Zendesk.
    pub fn hand_event(&mut self) {
        let app = self.rng.below(self.rig.apps.len());
        let desk = self.rig.apps[app].1.clone();
        let open: BTreeSet<u64> =
            self.rig.ledger.snapshot().intents.values().filter_map(|intent| intent.account.map(|id| id.0)).collect();
        // What is in flight can't be told from what a hand did at the same moment.
        if !self.rig.ledger.snapshot().intents.is_empty() {
            return;
        }
        let ids: Vec<u64> = desk.with(|desk| {
            desk.users
                .values()
                .filter(|user| user.live && user.id > 5 && !open.contains(&user.id))
                .map(|u| u.id)
                .collect()
        });
        let kind = self.rng.below(9);
        if kind == 0 {
            return self.customer(app);
        }
        let Some(id) = self.rng.pick(&ids) else { return };
        self.tell(format!("by hand: kind {kind} on {id} in app {app}"));
        let given_up = desk.with(|desk| desk.users[&id].suspended.is_some() || desk.users[&id].role == Role::EndUser);
        if given_up {
            self.touched[app].insert(id);
        }
        desk.by_hand(|desk| match kind {
            1 => {
                let user = desk.users.get_mut(&id).unwrap();
                user.suspended = user.suspended.or(Some(By::Hand));
            }
            2 => {
                desk.users.get_mut(&id).unwrap().suspended = None;
            }
            3 => {
                if desk.set_role(id, Role::Admin, None).is_ok() {
                    desk.users.get_mut(&id).unwrap().raised_by_hand = true;
                }
            }
            4 => {
                let extra = desk.groups.iter().find(|(_, name)| *name == "Extra").map(|(id, _)| *id);
                let user = desk.users.get_mut(&id).unwrap();
                if user.role != Role::EndUser {
                    user.groups.extend(extra);
                    user.groups_by_hand.extend(extra);
                }
            }
            5 => {
                let user = desk.users.get_mut(&id).unwrap();
                user.tags.insert("vip".into());
                user.tags_by_hand.insert("vip".into());
            }
            6 => desk.delete(id),
            7 => desk.users.get_mut(&id).unwrap().name = "Edited By Hand".into(),
            _ => {
                let _ = desk.set_role(id, Role::EndUser, None);
            }
        });
    }

    /// A customer appears with the address of somebody of the company.
    fn customer(&mut self, app: usize) {
        let at = self.rng.below(self.rig.directories.len());
        let company = self.rig.directories[at].company();
        let mails: Vec<String> = company.people.values().map(|person| person.get("mail").to_owned()).collect();
        let Some(mail) = self.rng.pick(&mails) else { return };
        let Ok(email) = zendesk_dirsync::domain::id::Email::parse(&mail) else { return };
        let role = if self.rng.one_in(3) { Role::Agent } else { Role::EndUser };
        let verified = !self.rng.one_in(3);
        let desk = self.rig.apps[app].1.clone();
        desk.by_hand(|desk| {
            if desk.by_email(&email).is_none() {
                let id = desk.next_id;
                desk.next_id += 1;
                let mut user = User::there(id, "Somebody", &mail, role);
                user.verified = verified;
                desk.add_user(user);
            }
        });
        self.tell(format!("by hand: a {role} account for {mail} in app {app}"));
    }

    /// Servers, disks and processes fail, or recover.
    pub fn trouble_event(&mut self) {
        let at = self.rng.below(self.rig.directories.len());
        let people = self.people(at);
        match self.rng.below(12) {
            0..=2 => self.mend_directory(at),
            3 => {
                let break_at = Some(self.rng.below(people.len().max(1)));
                self.directory_trouble(at, ReadTrouble { break_at, ..ReadTrouble::default() });
            }
            4 => self.directory_trouble(at, ReadTrouble { base_fails: true, ..ReadTrouble::default() }),
            5 => {
                let look_up_breaks_at = Some(self.rng.below(4));
                self.directory_trouble(at, ReadTrouble { look_up_breaks_at, ..ReadTrouble::default() });
            }
            6 if self.stable[at] => {
                let hidden = (0..1 + self.rng.below(3)).filter_map(|_| self.rng.pick(&people)).collect();
                self.directory_trouble(at, ReadTrouble { hidden, ..ReadTrouble::default() });
            }
            7 if self.stable[at] => {
                let groups = self.groups_of(at);
                let hidden_groups = self.rng.pick(&groups).into_iter().collect();
                self.directory_trouble(at, ReadTrouble { hidden_groups, ..ReadTrouble::default() });
            }
            8 => {
                let unreadable = self.rng.pick(&people).into_iter().collect();
                self.directory_trouble(at, ReadTrouble { unreadable, ..ReadTrouble::default() });
            }
            9 if self.stable[at] => {
                if let Some(past) = self.past[at].clone() {
                    self.directory_trouble(at, ReadTrouble { lagging: Some(Box::new(past)), ..ReadTrouble::default() });
                }
            }
            10 => {
                self.past[at] = Some(self.rig.directories[at].company());
            }
            _ if self.rng.one_in(20) => {
                self.tell("the store is lost");
                self.lost = true;
                self.rig.ledger.restore(Default::default());
            }
            _ => {}
        }
    }

    fn directory_trouble(&mut self, at: usize, trouble: ReadTrouble) {
        let shown = ReadTrouble { lagging: None, ..trouble.clone() };
        let lag = if trouble.lagging.is_some() { ", and it lags" } else { "" };
        self.tell(format!("directory {at}: {shown:?}{lag}"));
        self.rig.directories[at].trouble_is(trouble);
    }

    /// The server of a directory is mended.
    pub fn mend_directory(&mut self, at: usize) {
        if self.rig.directories[at].trouble().lagging.is_some() {
            // What a lagging server told of places may be out of date for one cycle more.
            self.stable[at] = false;
        }
        self.rig.directories[at].trouble_is(ReadTrouble::default());
    }

    /// Faults for one cycle at Zendesk, the disks, or the process.
    pub fn cycle_trouble(&mut self) {
        match self.rng.below(8) {
            0 | 1 => {
                let app = self.rng.below(self.rig.apps.len());
                for _ in 0..1 + self.rng.below(3) {
                    let trouble = [
                        CallTrouble::Refuse,
                        CallTrouble::UnansweredBefore,
                        CallTrouble::UnansweredAfter,
                        CallTrouble::GarbledAfter,
                        CallTrouble::Unauthorized,
                        CallTrouble::Throttled,
                        CallTrouble::Unreachable,
                    ][self.rng.below(7)];
                    let nth = 1 + self.rng.below(30) as u64;
                    self.tell(format!("app {app}: call {nth} from now: {trouble:?}"));
                    self.rig.apps[app].1.goes_wrong(nth, trouble);
                }
            }
            2 | 3 => {
                let passages = 1 + self.rng.below(60) as u32;
                self.tell(format!("the process dies at passage {passages}"));
                self.rig.fuse.set(Some(passages));
            }
            4 if self.rng.one_in(2) => {
                let calls = self.rng.below(12);
                self.tell(format!("the store's disk fails after {calls}"));
                self.rig.ledger.fails_after(Some(calls));
            }
            5 if self.rng.one_in(2) => {
                let calls = self.rng.below(12);
                self.tell(format!("the report's disk fails after {calls}"));
                self.rig.report.fails_after(Some(calls));
            }
            _ => {}
        }
    }

    /// Disks and the process are well again.
    pub fn restart(&self) {
        self.rig.fuse.set(None);
        self.rig.ledger.fails_after(None);
        self.rig.report.fails_after(None);
        self.rig.apps.iter().for_each(|(_, desk)| desk.mend());
    }
}
