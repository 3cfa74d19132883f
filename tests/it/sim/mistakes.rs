//! What happens to a company at a stroke: administrators' mistakes, mergers, reorganisations, attackers who edit groups.

use zendesk_dirsync::domain::id::EntryId;

use super::world::World;
use crate::support::memory::{Group, Names, Tombstone, Use};

/// Numbers of groups that were made in another's stead.
const ANEW: u32 = 10_000;

impl World {
    /// Something large, or wrong, is done to a directory.
    pub fn mistake(&mut self, at: usize) {
        self.stable[at] = false;
        match self.rng.below(16) {
            0..=2 => self.group_goes_or_comes(at),
            3 => self.group_is_made_anew(at),
            4 | 5 => self.nest(at),
            6 => self.half_restored(at),
            7 => self.mails_are_rewritten(at),
            8 => self.merger(at),
            9 => self.reorganisation(at),
            10 | 11 => self.attacker_joins_the_chiefs(at),
            12 => self.attacker_nests_a_group(at),
            13 | 14 => self.layoffs(at),
            _ => self.attacker_renames_a_group(at),
        }
    }

    /// What was taken away by mistake comes back, now and then.
    pub fn mistakes_are_mended(&mut self) {
        if !self.away.is_empty() && self.rng.one_in(6) {
            self.bring_people_back();
        }
        if !self.renamed.is_empty() && self.rng.one_in(12) {
            self.names_come_back();
        }
    }

    /// Whether every assigned group was found once. A name that leads elsewhere before that is the name that counts.
    fn pinned(&self, at: usize) -> bool {
        let directory = self.directory_name(at);
        let given = self.given.iter().flatten().filter(|given| given.directory == directory);
        self.rig
            .ledger
            .with(|state| given.into_iter().all(|given| state.pins.values().any(|pinned| *pinned == given.group)))
    }

    fn named(&self, at: usize, name: &str) -> Option<EntryId> {
        self.rig.directories[at]
            .with(|company| company.groups.values().find(|group| group.name == name).map(|group| group.id))
    }

    /// A group is emptied, deleted, or restored.
    fn group_goes_or_comes(&mut self, at: usize) {
        if let Some(found) = self.stash.iter().position(|(directory, _)| *directory == at) {
            let (_, group) = self.stash.swap_remove(found);
            self.tell(format!("{} is restored", group.name));
            return self.restore_group(at, group);
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

    /// A group comes back under its own id; one that was made in its stead goes. One that only bears its name stays.
    pub fn restore_group(&mut self, at: usize, group: Group) {
        let anew = |id: &EntryId| id.as_bytes()[12..] >= ANEW.to_be_bytes()[..];
        self.rig.directories[at].change(|company| {
            company.groups.retain(|id, other| other.name != group.name || *id == group.id || !anew(id));
            company.groups.insert(group.id, group);
        });
    }

    /// Deleted, and made again with its members: the same name, another id.
    fn group_is_made_anew(&mut self, at: usize) {
        // While names are exchanged the new one would bear another's for good.
        if !self.stash.is_empty() || !self.renamed.is_empty() || !self.pinned(at) {
            return;
        }
        let groups = self.groups_of(at);
        let Some(id) = self.rng.pick(&groups) else { return };
        let old = self.rig.directories[at].change(|company| company.groups.remove(&id)).unwrap();
        self.next_person += 1;
        let mut new = Group::numbered(ANEW + self.next_person, &old.name, &[]);
        new.members.clone_from(&old.members);
        self.tell(format!("{} is deleted and made anew", old.name));
        self.rig.directories[at].change(|company| company.groups.insert(new.id, new));
        self.stash.push((at, old));
    }

    fn nest(&mut self, at: usize) {
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

    /// A directory comes back from a backup without a part of its people.
    fn half_restored(&mut self, at: usize) {
        let people = self.people(at);
        let share = 1 + self.rng.below(1 + people.len() / 2);
        let gone: Vec<EntryId> = (0..share).filter_map(|_| self.rng.pick(&people)).collect();
        self.tell(format!("{at} is restored without {gone:?}"));
        for id in gone {
            let taken = self.rig.directories[at].change(|company| {
                let person = company.people.get(&id).cloned()?;
                let holding = company.groups.values().filter(|group| group.members.contains(&id));
                let groups: Vec<EntryId> = holding.map(|group| group.id).collect();
                company.delete(id, Tombstone::None, Names::Cleaned);
                Some((person, groups))
            });
            self.away.extend(taken.map(|(person, groups)| (at, person, groups)));
        }
    }

    /// The people who were missing come back, into the groups that are still there.
    pub fn bring_people_back(&mut self) {
        self.tell("the missing people are restored");
        for (at, person, groups) in std::mem::take(&mut self.away) {
            self.stable[at] = false;
            self.rig.directories[at].change(|company| {
                for id in groups {
                    if let Some(group) = company.groups.get_mut(&id) {
                        group.members.insert(person.id);
                    }
                }
                company.former.remove(&person.id);
                company.people.insert(person.id, person);
            });
        }
        self.note_people();
    }

    /// A script rewrites every address, or back again.
    fn mails_are_rewritten(&mut self, at: usize) {
        self.tell(format!("{at}: every mail is rewritten"));
        self.rig.directories[at].change(|company| {
            for person in company.people.values_mut() {
                let mail = person.get("mail").to_owned();
                let Some((name, domain)) = mail.split_once('@') else { continue };
                let other = if domain == "example.org" { "new.example.org" } else { "example.org" };
                person.set("mail", &format!("{name}@{other}"));
            }
        });
    }

    /// Another company's people come in one night.
    fn merger(&mut self, at: usize) {
        let people = self.people(at).len();
        let count = 1 + self.rng.below(2 + people / 4);
        self.tell(format!("{at}: a merger with {count}"));
        for _ in 0..count {
            self.hire(at);
        }
    }

    /// Everybody of one group goes to another, and half the people to another unit.
    fn reorganisation(&mut self, at: usize) {
        let (Some(from), Some(to)) = (self.named(at, "support"), self.named(at, "tier2")) else { return };
        let keep = self.rng.below(2) == 0;
        self.tell(format!("{at}: support is joined with tier2"));
        let people = self.rig.directories[at].change(|company| {
            let members = company.groups[&from].members.clone();
            let moved = members.iter().filter(|id| company.people.contains_key(id)).copied().collect::<Vec<_>>();
            company.groups.get_mut(&to).unwrap().members.extend(&moved);
            if !keep {
                company.groups.get_mut(&from).unwrap().members.retain(|id| !moved.contains(id));
            }
            moved
        });
        for id in people.iter().step_by(2) {
            self.move_out(at, *id, "reorganised");
        }
    }

    /// Several people go in one night: they are switched off, or taken out of every group.
    fn layoffs(&mut self, at: usize) {
        let people = self.people(at);
        let count = 2 + self.rng.below(3);
        let leavers: Vec<EntryId> = (0..count).filter_map(|_| self.rng.pick(&people)).collect();
        let off = self.rng.one_in(2);
        self.tell(format!("{leavers:?} are laid off, {}", if off { "switched off" } else { "out of every group" }));
        self.rig.directories[at].change(|company| {
            for id in &leavers {
                if off {
                    company.people.get_mut(id).unwrap().usable = Use::Disabled;
                } else {
                    company.groups.values_mut().for_each(|group| {
                        group.members.remove(id);
                    });
                }
            }
        });
    }

    fn attacker_joins_the_chiefs(&mut self, at: usize) {
        let people = self.people(at);
        let (Some(chiefs), Some(id)) = (self.named(at, "chiefs"), self.rng.pick(&people)) else { return };
        self.tell(format!("{id} puts themselves into chiefs"));
        self.rig.directories[at].change(|company| company.groups.get_mut(&chiefs).unwrap().members.insert(id));
    }

    fn attacker_nests_a_group(&mut self, at: usize) {
        let (Some(chiefs), Some(nested)) = (self.named(at, "chiefs"), self.named(at, "nested")) else { return };
        self.tell("nested is put into chiefs");
        self.rig.directories[at].change(|company| company.groups.get_mut(&chiefs).unwrap().members.insert(nested));
    }

    /// A group of the attacker's bears the name of an assigned one. The pins must keep to the former.
    fn attacker_renames_a_group(&mut self, at: usize) {
        if !self.renamed.is_empty() || !self.stash.is_empty() || !self.pinned(at) {
            return;
        }
        let (Some(portal), Some(chiefs)) = (self.named(at, "portal"), self.named(at, "chiefs")) else { return };
        self.tell("portal is called chiefs, and chiefs portal");
        self.renamed = vec![(at, portal, "portal".into()), (at, chiefs, "chiefs".into())];
        self.rig.directories[at].change(|company| {
            company.groups.get_mut(&portal).unwrap().name = "chiefs".into();
            company.groups.get_mut(&chiefs).unwrap().name = "portal".into();
        });
    }

    /// Names are put right.
    pub fn names_come_back(&mut self) {
        if !self.renamed.is_empty() {
            self.tell("groups bear their own names again");
        }
        for (at, id, name) in std::mem::take(&mut self.renamed) {
            let back = |company: &mut crate::support::memory::Company| {
                if let Some(group) = company.groups.get_mut(&id) {
                    group.name.clone_from(&name);
                }
            };
            self.rig.directories[at].change(back);
            for (_, group) in self.stash.iter_mut().filter(|(_, group)| group.id == id) {
                group.name.clone_from(&name);
            }
        }
    }
}
