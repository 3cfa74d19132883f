//! The company as it stands at one moment: units, people and groups by key, changed by the steps of the scenario.
//!
//! It knows nothing of LDIF and nothing of the product.

use std::collections::{BTreeMap, BTreeSet};

use super::scenario::{Change, Expected, Group, Person, Scenario, Setting, Unit};

/// Everybody and everything at one moment, in the order of the file.
#[derive(Debug, Clone)]
pub struct Company {
    pub units: Vec<Unit>,
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    /// Everybody who ever was there.
    known: BTreeSet<String>,
}

impl Company {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mut people = scenario.people.clone();
        for person in &mut people {
            person.display.get_or_insert_with(|| person.cn.clone());
        }
        let mut groups = scenario.groups.clone();
        for number in 1..=scenario.bulk.count {
            let person = bulk_person(number, &scenario.bulk.unit);
            let group = groups.iter_mut().find(|group| group.key == scenario.bulk.group).expect("[bulk] names a group");
            group.people.push(person.key.clone());
            people.push(person);
        }
        let known = people.iter().map(|person| person.key.clone()).collect();
        Self { units: scenario.units.clone(), people, groups, known }
    }

    /// A person who is there.
    pub fn person(&self, key: &str) -> &Person {
        self.people.iter().find(|person| person.key == key).unwrap_or_else(|| panic!("no person {key}"))
    }

    /// A group.
    pub fn group(&self, key: &str) -> &Group {
        self.groups.iter().find(|group| group.key == key).unwrap_or_else(|| panic!("no group {key}"))
    }

    /// A unit.
    pub fn unit(&self, key: &str) -> &Unit {
        self.units.iter().find(|unit| unit.key == key).unwrap_or_else(|| panic!("no unit {key}"))
    }

    fn person_mut(&mut self, key: &str) -> &mut Person {
        self.people.iter_mut().find(|person| person.key == key).unwrap_or_else(|| panic!("no person {key}"))
    }

    fn group_mut(&mut self, key: &str) -> &mut Group {
        self.groups.iter_mut().find(|group| group.key == key).unwrap_or_else(|| panic!("no group {key}"))
    }

    fn unit_mut(&mut self, key: &str) -> &mut Unit {
        self.units.iter_mut().find(|unit| unit.key == key).unwrap_or_else(|| panic!("no unit {key}"))
    }

    /// Carries one change out.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::AddPerson { person } => {
                assert!(self.known.insert(person.key.clone()), "{} is there already, or was", person.key);
                let mut person = person.clone();
                person.display.get_or_insert_with(|| person.cn.clone());
                self.people.push(person);
            }
            Change::DeletePerson { person } => {
                self.person(person);
                self.people.retain(|one| one.key != *person);
                self.groups.iter_mut().for_each(|group| group.people.retain(|one| one != person));
            }
            Change::Set(setting) => self.set(setting),
            Change::RenamePerson { person, cn } => self.person_mut(person).cn.clone_from(cn),
            Change::MovePerson { person, unit } => self.person_mut(person).unit.clone_from(unit),
            Change::Join { group, people } => self.group_mut(group).people.extend(people.iter().cloned()),
            Change::Leave { group, people } => take(&mut self.group_mut(group).people, people),
            Change::Nest { group, groups } => self.group_mut(group).groups.extend(groups.iter().cloned()),
            Change::Unnest { group, groups } => take(&mut self.group_mut(group).groups, groups),
            Change::RenameUnit { unit, name } => self.unit_mut(unit).name.clone_from(name),
            Change::MoveUnit { unit, parent } => self.unit_mut(unit).parent = Some(parent.clone()),
            Change::RenameGroup { group, name } => self.group_mut(group).name.clone_from(name),
        }
    }

    fn set(&mut self, setting: &Setting) {
        let person = self.person_mut(&setting.person);
        let texts = [(&mut person.given, &setting.given), (&mut person.surname, &setting.surname)];
        for (text, new) in texts {
            new.iter().for_each(|new| text.clone_from(new));
        }
        let optional = [
            (&mut person.display, &setting.display),
            (&mut person.title, &setting.title),
            (&mut person.phone, &setting.phone),
            (&mut person.expires, &setting.expires),
        ];
        for (text, new) in optional {
            // An empty string is no value.
            if let Some(new) = new {
                *text = Some(new.clone()).filter(|new| !new.is_empty());
            }
        }
        setting.mails.iter().for_each(|mails| person.mails.clone_from(mails));
        setting.state.iter().for_each(|state| person.state = *state);
        for (name, value) in &setting.extra {
            if value.is_empty() {
                person.extra.remove(name);
            } else {
                person.extra.insert(name.clone(), value.clone());
            }
        }
    }

    /// The rules of the README that hold at every moment.
    pub(super) fn check(&self) {
        let mut keys = BTreeSet::new();
        let logins = self.people.iter().map(|person| &person.key).chain(self.groups.iter().map(|group| &group.key));
        for key in logins {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!((1..=20).contains(&key.len()) && key.chars().all(fits), "{key} is no login");
            assert!(keys.insert(key), "{key} is there twice");
        }
        let mut names = BTreeSet::new();
        for person in &self.people {
            let cn = &person.cn;
            assert!(cn.chars().count() <= 64 && cn.trim() == cn && !cn.is_empty(), "{cn:?} is no RDN");
            assert!(names.insert((&person.unit, cn)), "{cn:?} is in its unit twice");
            self.unit(&person.unit);
            let rest = person.mails.iter().skip(1);
            assert!(
                rest.into_iter().all(|mail| person.mails[0] < *mail),
                "{}: mails[0] isn't the smallest",
                person.key
            );
        }
        for group in &self.groups {
            self.unit(&group.unit);
            let people: BTreeSet<&String> = group.people.iter().collect();
            assert_eq!(people.len(), group.people.len(), "{} has somebody twice", group.key);
            let there: BTreeSet<&String> = self.people.iter().map(|person| &person.key).collect();
            assert!(people.is_subset(&there), "{} names somebody who isn't there", group.key);
            group.groups.iter().for_each(|nested| {
                self.group(nested);
            });
        }
    }

    /// Nobody is expected twice, and everybody who is expected is or was there.
    pub(super) fn check_expected(&self, expected: &[Expected]) {
        let mut seen = BTreeSet::new();
        for one in expected {
            assert!(seen.insert(&one.person), "{} is expected twice", one.person);
            assert!(self.known.contains(&one.person), "{} is expected but never there", one.person);
        }
    }
}

fn take(from: &mut Vec<String>, what: &[String]) {
    for one in what {
        let at = from.iter().position(|have| have == one).unwrap_or_else(|| panic!("{one} isn't in it"));
        from.remove(at);
    }
}

fn bulk_person(number: usize, unit: &str) -> Person {
    let digits = format!("{number:04}");
    Person {
        key: format!("bulk-{digits}"),
        about: None,
        unit: unit.to_owned(),
        cn: format!("Bulk {digits}"),
        given: "Bulk".to_owned(),
        surname: digits.clone(),
        mails: vec![format!("bulk-{digits}@example.org")],
        display: Some(format!("Bulk {digits}")),
        title: None,
        phone: None,
        state: super::scenario::State::Enabled,
        expires: None,
        extra: BTreeMap::new(),
    }
}
