//! Comparing: a directory read heard with the present and the former rules, and the two plans that come of it.
//!
//! Both are made from the same moment: what was asked for the one isn't asked again for the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::edit::{Before, Edit};
use crate::domain::id::{CycleId, DirectoryName, PersonId};
use crate::domain::plan::Plan;

use super::Ports;
use super::edits::{Past, RuleSet, Side};
use super::gather::{GatherFault, Gathered, Serving, Wants, question};
use super::planner::Planner;
use super::ports::{Clock as _, Directory as _, Ledger as _, Progress, ReadFault, ServerLedger as _};
use super::propose::{Asked, ProposeFault, Proposed, Sought, Whole};

/// What the directories told, by how many sets of rules.
pub(super) struct Heard<'a> {
    pub(super) sets: &'a [RuleSet],
    pub(super) wholes: &'a BTreeMap<DirectoryName, Whole>,
    /// Directories that were read for the present rules only.
    pub(super) unheard: &'a BTreeSet<DirectoryName>,
}

/// What an app's present rules want, and its former ones where these differ.
pub(super) struct Both {
    pub(super) present: Wants,
    pub(super) former: Option<Wants>,
}

/// A plan, what is different in it, and what was asked for it.
pub(super) struct Compared {
    pub(super) proposed: Proposed,
    pub(super) edit: Edit,
    pub(super) asked: Asked,
}

impl<P: Ports> Planner<'_, P> {
    /// Reads a directory for both sides; if that can't be read in full, for the present rules alone: a group that only
    /// the former ones name must not stand in the way. Nothing if the present rules ask nothing of it.
    pub(super) async fn read(
        &mut self,
        at: usize,
        sets: &[RuleSet],
        wants: &mut [Wants],
        unheard: &mut BTreeSet<DirectoryName>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Whole>, GatherFault> {
        let name = self.directories[at].name().clone();
        let (pins, now) = (self.ledger.pins()?, self.clock.now());
        let known = self.ledger.acquaintance(&name)?;
        let present = question(&name, sets, Serving::Present, &pins, known.as_ref(), now);
        if present.order.groups.is_empty() {
            return Ok(None);
        }
        let both = question(&name, sets, Serving::Both, &pins, known.as_ref(), now);
        let asks_more = both.order.groups.len() > present.order.groups.len();
        let mut asked = both;
        let mut gathered = self.gather(at, &asked, sets, wants, progress).await;
        if matches!(gathered, Err(GatherFault::Read(_))) && asks_more {
            wants.iter_mut().for_each(|wants| wants.forget(&name));
            unheard.insert(name.clone());
            asked = present;
            gathered = self.gather(at, &asked, sets, wants, progress).await;
        }
        if gathered.is_err() {
            wants.iter_mut().for_each(|wants| wants.forget(&name));
        }
        let gathered = gathered?;
        let former = self.ledger.groups(&name)?;
        let Gathered { read, standpoint, reached, picture } = gathered;
        Ok(Some(Whole { question: asked, read, standpoint, reached, picture, former }))
    }

    /// Plans an app by its present rules, and by its former ones for the people with whom something would be done; tells
    /// what the present ones do differently.
    pub(super) async fn compare(
        &mut self,
        at: usize,
        wants: Both,
        heard: &Heard<'_>,
        faults: &mut BTreeMap<DirectoryName, ReadFault>,
        cycle: &CycleId,
        progress: &mut dyn Progress,
    ) -> Result<Compared, ProposeFault> {
        let Both { present: wants, former } = wants;
        let rules = &self.apps[at].rules;
        let (past, app) = (self.configuration.past(rules), rules.app.clone());
        let kept_by_former = former.as_ref().map(|wants| wants.people.keys().cloned().collect()).unwrap_or_default();
        let mut asked = Asked::default();
        let mut blind = BTreeSet::new();
        if let Past::Other { blind: moved } = &past {
            blind.extend(moved.iter().chain(heard.unheard).cloned());
        }
        let sought = Sought {
            set: at,
            sets: heard.sets,
            wholes: heard.wholes,
            only: None,
            kept_by_former: &kept_by_former,
            blind: &blind,
        };
        let mut proposed = self.propose(wants, &sought, &mut asked, faults, cycle, progress).await?;
        if past == Past::Same {
            let edit = Edit::of(&proposed.plan, Before::Same);
            return Ok(Compared { proposed, edit, asked });
        }
        let of_app = |set: &RuleSet| set.app == at && set.side == Side::Former;
        let shadow = match (heard.sets.iter().position(of_app), former) {
            (Some(set), Some(mut wants)) => {
                let only = concerned(&proposed.plan, &blind);
                wants.people.retain(|person, _| only.contains(person));
                let sought = Sought { set, only: Some(&only), ..sought };
                self.propose(wants, &sought, &mut asked, faults, cycle, progress).await?.plan
            }
            // A text that can't be read: of every directory nobody knows what it would do.
            _ => Plan::empty(app.clone(), proposed.plan.based_on.clone(), proposed.plan.population),
        };
        // An edit that may be undone ends no keep; once it is agreed to, the next cycle does.
        proposed.plan.unkept.retain(|person| shadow.unkept.contains(person));
        let troubled: BTreeSet<PersonId> = self.ledger.troubles(&app)?.into_keys().collect();
        let before = Before::Other { plan: &shadow, blind: &blind, troubled: &troubled };
        let edit = Edit::of(&proposed.plan, before);
        Ok(Compared { proposed, edit, asked })
    }
}

/// The people with whom a plan would do something, or can't, and of whom the former rules can say something.
fn concerned(plan: &Plan, blind: &BTreeSet<DirectoryName>) -> BTreeSet<PersonId> {
    let changed = plan.changes.iter().map(|change| &change.person);
    let rejected = plan.rejected.iter().map(|one| &one.person);
    let conflicts = plan.conflicts.iter().map(|one| &one.person);
    let waiting = plan.waiting.iter().map(|one| &one.known.person);
    let all = changed.chain(rejected).chain(conflicts).chain(waiting).chain(&plan.unkept);
    all.filter(|person| !blind.contains(&person.directory)).cloned().collect()
}
