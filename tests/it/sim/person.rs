//! The person: looks at what waits, lets it go on, or a part of it, decides against it, or forgets it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use zendesk_dirsync::domain::id::{Digest, PersonId};
use zendesk_dirsync::engine::holds::HoldFault;
use zendesk_dirsync::engine::ports::{Clock as _, HoldRecord, HoldState};

use super::orders::Against;
use super::world::{Approval, World};

/// How long an approval stands.
pub const APPROVAL_DAYS: i64 = 7;

impl World {
    fn waiting(&self) -> Vec<HoldRecord> {
        let out = &self.rig.out_apps;
        let waits = |hold: &&HoldRecord| {
            hold.state == HoldState::Waiting && !hold.changes.is_empty() && !out.contains(&hold.app)
        };
        self.rig.ledger.with(|state| state.holds.values().flatten().filter(waits).cloned().collect())
    }

    /// A person decides on what waits: all of a hold, one user's part, or against it.
    pub fn decide(&mut self) {
        let waiting = self.waiting();
        let Some(hold) = self.rng.pick(&waiting) else { return };
        if self.rng.one_in(6) {
            return self.reject(&hold);
        }
        let user = if self.rng.one_in(3) {
            self.rng.pick(&hold.changes).map(|change| change.person.entry.to_string())
        } else {
            None
        };
        self.approve(&hold, user.as_deref());
    }

    fn reject(&mut self, hold: &HoldRecord) {
        let app = self.app_of(hold);
        match self.rig.engine().reject(&hold.id.to_string(), "alice").unwrap() {
            Ok(_) => {}
            Err(HoldFault::NoSuch(_)) => return,
            Err(fault) => panic!("{fault}"),
        }
        let truths = self.truths(app, self.rig.clock.now());
        for change in &hold.changes {
            let said = Against::of(self, app, &truths, &change.person);
            self.decisions.words.against.insert((app, change.digest), said);
        }
        // Whatever was said before, of the same changes in other holds too, ends with it.
        hold.changes.iter().for_each(|change| {
            self.decisions.approved[app].remove(&change.digest);
        });
        self.tell(format!("rejects {} of {}", hold.changes.len(), hold.code));
    }

    fn approve(&mut self, hold: &HoldRecord, user: Option<&str>) {
        let app = self.app_of(hold);
        match self.rig.engine().approve(&hold.id.to_string(), user, None, "alice").unwrap() {
            Ok(_) => {}
            // What was just said of another hold made this one another, too.
            Err(HoldFault::NoSuch(_)) => return,
            Err(fault) => panic!("{fault}"),
        }
        let at = self.rig.clock.now();
        let named: Vec<_> = hold
            .changes
            .iter()
            .filter(|change| user.is_none_or(|user| change.person.entry.to_string() == user))
            .collect();
        for change in &named {
            self.decisions.words.against.remove(&(app, change.digest));
            let approval = Approval { person: change.person.clone(), at };
            self.decisions.approved[app].insert(change.digest, approval);
        }
        self.tell(format!("approves {} of {}", named.len(), hold.code));
    }

    fn app_of(&self, hold: &HoldRecord) -> usize {
        self.rig.apps.iter().position(|(rules, _)| rules.app == hold.app).unwrap()
    }

    /// A person lets everything go on; answers how many changes that were.
    pub fn approve_everything(&mut self) -> usize {
        let approved = |hold: &HoldRecord| matches!(hold.state, HoldState::Approved { .. });
        let holds = self.rig.ledger.with(|state| state.holds.values().flatten().cloned().collect::<Vec<_>>());
        let mut count = 0;
        for hold in holds.iter().filter(|hold| !approved(hold) && !hold.changes.is_empty()) {
            self.approve(hold, None);
            count += hold.changes.len();
        }
        count
    }

    /// A person answers to a list that is out of date; whether there was one.
    pub fn approve_an_old_hold(&mut self) -> bool {
        let answer = self.rig.engine().approve("00000000", None, None, "alice").unwrap();
        assert!(answer.is_err(), "a hold that isn't there was approved");
        true
    }

    /// A person types a count that isn't that of what waits.
    pub fn approve_with_a_wrong_count(&mut self) -> bool {
        let waiting = self.waiting();
        let Some(hold) = self.rng.pick(&waiting) else { return false };
        let before = self.rig.ledger.snapshot();
        let count = Some(hold.changes.len() + 1);
        let answer = self.rig.engine().approve(&hold.id.to_string(), None, count, "alice").unwrap();
        assert!(answer.is_err(), "a wrong count approved a hold");
        assert!(self.rig.ledger.with(|state| *state == before), "a refused word changed the store");
        true
    }

    /// The people of whom something was let go on, and still may, by its digest.
    pub fn standing(&self, app: usize, now: DateTime<Utc>) -> BTreeMap<Digest, PersonId> {
        let stands = |approval: &Approval| {
            now - approval.at < TimeDelta::days(APPROVAL_DAYS) && approval.at - now < TimeDelta::hours(1)
        };
        let standing = self.decisions.approved[app].iter().filter(|(_, approval)| stands(approval));
        standing.map(|(digest, approval)| (*digest, approval.person.clone())).collect()
    }
}
