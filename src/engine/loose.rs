//! Faults planted in the brake, by loosening what it looks at: as if the rule of that name weren't there. Not part of any
//! release; `tests/planted` builds it.

use crate::domain::brake::{Bench, Experience, FirstCycle, HoldReason, Limit, Undecided};
use crate::domain::plan::Plan;
use crate::planted;

/// No limit that any company reaches.
const NONE: Limit = Limit { count: usize::MAX, percent: 100 };

/// The plan and the bench without the rule whose name is planted: a hold's code.
pub(super) fn loosened(mut plan: Plan, mut bench: Bench) -> (Plan, Bench) {
    for change in &mut plan.changes {
        if change.guard.as_ref().is_some_and(|guard| planted(HoldReason::Guard(guard.clone()).code())) {
            change.guard = None;
        }
    }
    let limits = &mut bench.limits;
    if planted("removals_shown") {
        limits.shown = NONE;
    }
    if planted("removals_by_absence") {
        limits.absence = NONE;
    }
    if planted("takes_or_raises") {
        limits.takes_or_raises = NONE;
    }
    if planted("removals_24h") {
        limits.removals_24h = NONE;
    }
    if planted("removals_7d") {
        limits.removals_7d = NONE;
    }
    if planted("takes_or_raises_24h") {
        limits.takes_or_raises_24h = NONE;
    }
    if planted("others_approved") {
        bench.undecided.clear();
    }
    if planted("creations") {
        limits.creations = NONE;
    }
    if planted("updates") {
        limits.updates = NONE;
    }
    if planted("source_gone") {
        bench.gone = 0;
    }
    if planted("first_cycle") {
        limits.first_cycle = FirstCycle::Apply;
    }
    if planted("store_replaced")
        && matches!(bench.experience, Experience::Replaced | Experience::Doubted | Experience::Redirected)
    {
        bench.experience = Experience::Settled;
    }
    if planted("rejected") {
        bench.rejections.clear();
        bench.undecided.values_mut().for_each(|open| open.retain(|one| one.why != Undecided::Moved));
    }
    (plan, bench)
}
