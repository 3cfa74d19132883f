//! False brakes: how often normal churn, and nothing else, makes something wait.
//!
//! The limits are the defaults. Each day one person in a thousand leaves, one comes, one changes the name and the address,
//! one changes the group; once a month three in a hundred come in one night. One cycle a day: a whole day's changes at once
//! is the most that a cycle's limit can meet.

use chrono::TimeDelta;
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::brake::{FirstCycle, Limits};
use zendesk_dirsync::domain::id::EntryId;

use super::rig::{Rig, gives, rules};
use super::rng::Rng;
use crate::support::memory::{Desk, Group, MemoryDirectory, Names, Person, Tombstone, Use};

const YEAR_DAYS: usize = 365;
/// Of so many people one leaves, comes or changes a day.
const CHURN_IN: usize = 1_000;
const INTAKE_PERCENT: usize = 3;

/// The holds that began over years of a company of so many, by reason.
struct Years {
    rig: Rig,
    rng: Rng,
    next: u32,
    size: usize,
    brakes: usize,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for more years")]
fn normal_churn_brakes_at_most_once_a_year() {
    let years = |size: usize, otherwise: usize| {
        let name = format!("CHURN_YEARS_{size}");
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    for (size, otherwise) in [(50, 2), (200, 1), (2_000, 0)] {
        let years = years(size, otherwise);
        let mut brakes = 0;
        for seed in 0..years {
            let mut company = Years::new(size, seed as u64);
            company.pass();
            brakes += company.brakes;
        }
        println!("{size} agents: {brakes} brakes in {years} company-years");
        assert!(brakes <= years, "{size} agents: {brakes} brakes in {years} company-years");
    }
}

impl Years {
    fn new(size: usize, seed: u64) -> Self {
        let mut directory = Group::numbered(1, "support", &[]);
        let mut tier2 = Group::numbered(2, "tier2", &[]);
        let people: Vec<Person> = (1..=size as u32).map(person).collect();
        for (at, one) in people.iter().enumerate() {
            if at % 4 == 0 { &mut tier2 } else { &mut directory }.members.insert(one.id);
        }
        let mut desk = Desk::new();
        desk.seats = 100_000;
        for name in ["Support", "Tier 2"] {
            desk.add_group(name);
        }
        let assignments = vec![
            gives("corp", "support", Some(Role::Agent), &["Support"]),
            gives("corp", "tier2", Some(Role::Agent), &["Tier 2"]),
        ];
        let rig =
            Rig::of(MemoryDirectory::new("corp", people, [directory, tier2]), desk, rules("support", assignments));
        let mut years = Self { rig, rng: Rng::new(seed), next: size as u32 + 1, size, brakes: 0 };
        years.rig.limits = Limits { first_cycle: FirstCycle::Apply, ..Limits::default() };
        // The company is there before the year begins: its first plan is let go on.
        for _ in 0..3 {
            years.rig.cycle();
            years.rig.approve_all();
        }
        years
    }

    /// A year.
    fn pass(&mut self) {
        for day in 0..YEAR_DAYS {
            self.day(day);
            self.rig.clock.advance(TimeDelta::hours(24));
            self.rig.run_now(None);
            let waiting = self.rig.ledger.with(|state| state.holds.values().flatten().count());
            if waiting > 0 {
                self.brakes += waiting;
                // A person looks at it on the same day.
                self.rig.approve_all();
                self.rig.cycle();
            }
            self.rig.forget();
        }
    }

    fn day(&mut self, day: usize) {
        if day % 30 == 15 {
            self.come(self.size * INTAKE_PERCENT / 100);
            return;
        }
        let leavers = self.fall() + self.extra();
        for _ in 0..leavers {
            self.leave();
        }
        let comers = self.fall();
        self.come(comers);
        for _ in 0..self.fall() {
            let n = self.rng.below(1_000_000);
            self.change(|person| {
                person.set("displayName", &format!("Married {n}"));
                person.set("mail", &format!("married{n}@example.org"));
            });
        }
        for _ in 0..self.fall() {
            self.move_group();
        }
    }

    /// How many of the company one in a thousand is today.
    fn fall(&mut self) -> usize {
        (0..self.size).filter(|_| self.rng.one_in(CHURN_IN)).count()
    }

    /// Leavers beside the daily ones: as many as come in the monthly intake, spread.
    fn extra(&mut self) -> usize {
        let now = self
            .rig
            .directory()
            .with(|company| company.people.values().filter(|person| person.usable == Use::Usable).count());
        let over = now.saturating_sub(self.size);
        (0..over).filter(|_| self.rng.one_in(30)).count()
    }

    fn anybody(&mut self) -> EntryId {
        let people: Vec<EntryId> = self.rig.directory().with(|company| {
            let here = |id: &&EntryId| company.groups.values().any(|group| group.members.contains(id));
            let usable = |id: &&EntryId| company.people[id].usable == Use::Usable;
            company.people.keys().filter(|id| usable(id) && here(id)).copied().collect()
        });
        self.rng.pick(&people).unwrap()
    }

    fn change(&mut self, edit: impl FnOnce(&mut Person)) {
        let id = self.anybody();
        self.rig.directory().change(|company| edit(company.people.get_mut(&id).unwrap()));
    }

    fn come(&mut self, count: usize) {
        for _ in 0..count {
            let one = person(self.next);
            self.next += 1;
            self.rig.directory().change(|company| {
                company.groups.get_mut(&Group::numbered(1, "support", &[]).id).unwrap().members.insert(one.id);
                company.people.insert(one.id, one);
            });
        }
    }

    /// Switched off first, or deleted, with or without a tombstone, or taken out of the group.
    fn leave(&mut self) {
        let id = self.anybody();
        let how = self.rng.below(4);
        self.rig.directory().change(|company| match how {
            0 => company.people.get_mut(&id).unwrap().usable = Use::Disabled,
            1 => company.delete(id, Tombstone::Kept, Names::Cleaned),
            2 => company.delete(id, Tombstone::None, Names::Cleaned),
            _ => company.groups.values_mut().for_each(|group| {
                group.members.remove(&id);
            }),
        });
    }

    fn move_group(&mut self) {
        let id = self.anybody();
        self.rig.directory().change(|company| {
            for group in company.groups.values_mut() {
                if !group.members.remove(&id) {
                    group.members.insert(id);
                }
            }
        });
    }
}

fn person(n: u32) -> Person {
    Person::numbered(n, &format!("Person {n}"), &format!("p{n}@example.org"))
}
