//! A rule about a source that went: where more people than may be went between two whole looks, nobody is removed.

use std::collections::{BTreeMap, BTreeSet};

use zendesk_dirsync::domain::id::{Digest, PersonId};

use super::super::orders::Occasion;
use super::super::reference::Truth;
use super::super::rig::Ran;
use super::super::world::World;
use super::Before;
use super::look::Look;

const GONE: &str = "nobody is removed while too many went at once";

pub const NAMES: [&str; 1] = [GONE];

/// Who was managed and there when an app was last served on a whole look, and by which rules.
#[derive(Default)]
pub struct Sources(BTreeMap<usize, (Digest, BTreeSet<PersonId>)>);

impl Sources {
    /// Judges who was removed by nobody's word.
    pub fn judge(&self, look: &Look<'_>, removed: &BTreeSet<PersonId>) -> Result<(), String> {
        let cycle = look.world.orders.occasion == Occasion::Cycle(None);
        let steady = !look.before.replaced && look.former.is_empty() && look.whole();
        let Some((rules, there)) = self.0.get(&look.app).filter(|_| cycle && steady && !removed.is_empty()) else {
            return Ok(());
        };
        if *rules != look.rules.digest() {
            return Ok(());
        }
        let managed = &look.before.managed[look.app];
        let kept = &look.world.decisions.words.kept;
        let counts = |person: &&PersonId| {
            let left = matches!(look.truth(person), Some(Truth::Out) | None);
            left && there.contains(*person) && !kept.contains_key(&(look.app, (*person).clone()))
        };
        let gone = managed.iter().filter(counts).count();
        let most = look.world.rig.limits.source_gone.people(managed.len());
        if gone <= most {
            return Ok(());
        }
        Err(format!("{GONE}: {gone} of {} went, {most} may; {removed:?} were removed", managed.len()))
    }

    /// After a cycle: who was there.
    pub fn look(&mut self, world: &World, before: &Before, ran: &Ran) {
        let occasion = &world.orders.occasion;
        if *occasion == Occasion::Word {
            return;
        }
        let whole = |at: usize| {
            let trouble = world.rig.directories[at].trouble();
            format!("{trouble:?}") == format!("{:?}", crate::support::memory::ReadTrouble::default())
        };
        let seen = *occasion == Occasion::Cycle(None)
            && matches!(ran, Ran::Ended(report) if report.faults.is_empty())
            && (0..world.rig.directories.len()).all(whole);
        if !seen {
            return self.0.clear();
        }
        for (app, (rules, _)) in world.rig.apps.iter().enumerate() {
            let served = matches!(ran, Ran::Ended(report) if report.plans.contains_key(&rules.app));
            if !served {
                self.0.remove(&app);
                continue;
            }
            let mut truths = world.truths(app, before.now);
            truths.retain(|_, truth| !matches!(truth, Truth::Out));
            self.0.insert(app, (rules.digest(), truths.into_keys().collect()));
        }
    }
}
