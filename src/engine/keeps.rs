//! Keeps in a cycle: whoever is kept is left out of the plan, and a keep ends when the directory decides.

use std::collections::BTreeMap;

use crate::domain::account::{KnownAccount, Standing as AccountStanding};
use crate::domain::change::CauseCode;
use crate::domain::deed::Deed;
use crate::domain::id::{AppName, Email, PersonId};
use crate::domain::keep::{Keep, KeepReason, KeepUntil, Seen, Standing};
use crate::domain::plan::{Kept, Plan};
use crate::domain::scope::Departure;

use super::gather::{Want, Wants};
use super::planner::Planner;
use super::ports::{DeedLedger as _, HandLedger as _, KeepLedger as _, Ledger as _, LedgerFault};
use super::propose::Candidate;
use super::{Abort, Engine, Ports};

/// What became of an app's keeps in view of what was read.
#[derive(Default)]
pub(super) struct Keeps {
    /// They stand.
    pub(super) kept: Vec<Kept>,
    /// They ended.
    pub(super) ended: Vec<PersonId>,
}

impl<P: Ports> Planner<'_, P> {
    /// Takes everybody out of what is to be planned whose keep stands.
    pub(super) fn leave_kept(
        &self,
        app: &AppName,
        wants: &mut Wants,
        candidates: &mut Vec<Candidate>,
    ) -> Result<Keeps, LedgerFault> {
        let mut keeps = Keeps::default();
        for (person, keep) in self.ledger.keeps(app)? {
            let known = self.ledger.known(app, &person)?;
            if self.never_begun(app, &keep, known.as_ref())? {
                keeps.ended.push(person);
                continue;
            }
            let candidate = candidates.iter().find(|one| one.known.person == person);
            let departure = candidate.map(|one| &one.departure);
            let seen = match (wants.people.get(&person), departure) {
                (Some(Want::Differs(desired)), _) => Some(Seen::Wanted(desired.wish())),
                (Some(Want::Same), _) => Some(Seen::AsCarriedOut),
                (Some(Want::Unusable(state)), _) | (None, Some(Departure::Unusable(state))) => {
                    Some(Seen::Unusable(state))
                }
                (None, Some(Departure::LeftGroups | Departure::MovedOut { .. } | Departure::Untied(_))) => {
                    Some(Seen::Departed(CauseCode::OutOfScope))
                }
                // A first absence is none yet, and who is unreadable isn't absent.
                (None, Some(Departure::Absent)) if candidate.is_some_and(first_absence) => None,
                (None, Some(Departure::Unreadable { .. })) => None,
                (None, Some(Departure::Tombstone | Departure::Absent)) => Some(Seen::Departed(CauseCode::Gone)),
                // Nothing that can be relied on was seen: the keep stands, and whoever is rejected is told of as ever.
                (Some(Want::Rejected(_)), _) | (None, Some(Departure::StillHeld { .. }) | None) => None,
            };
            let standing = seen.map_or(Standing::Stands, |seen| keep.judge(seen));
            let keep = match standing {
                Standing::Stands => keep,
                Standing::Settles(wish) => Keep { until: KeepUntil::Changes(wish), ..keep },
                Standing::Ends => {
                    keeps.ended.push(person);
                    continue;
                }
            };
            let (user, name) = match (wants.people.get(&person), &known) {
                (Some(Want::Differs(desired)), _) => (Some(desired.email.clone()), Some(desired.name.clone())),
                (_, Some(known)) => (Some(known.written.email.clone()), Some(known.written.name.clone())),
                // Whoever was released is known by the label alone.
                (_, None) => match self.ledger.label(app, &person)? {
                    Some(label) => (Email::parse(&label.user).ok(), Some(label.name)),
                    None => (None, None),
                },
            };
            if matches!(wants.people.get(&person), Some(Want::Differs(_))) {
                wants.people.remove(&person);
            }
            // Only what was undone is shielded from a removal: whose access was to end by hand, and still has it, may go.
            let shielded = matches!(keep.reason, KeepReason::Undone(_));
            let told = |one: &Candidate| matches!(one.departure, Departure::StillHeld { .. }) || first_absence(one);
            candidates.retain(|one| one.known.person != person || !shielded || told(one));
            keeps.kept.push(Kept { person, user, name, keep });
        }
        Ok(keeps)
    }

    /// Whether access was to end by hand and the process died before anything was begun: who still has it isn't kept.
    fn never_begun(&self, app: &AppName, keep: &Keep, known: Option<&KnownAccount>) -> Result<bool, LedgerFault> {
        let Some(known) = known.filter(|known| known.standing == AccountStanding::Active) else { return Ok(false) };
        if keep.reason != KeepReason::Deprovisioned {
            return Ok(false);
        }
        let begun = |deed: &Deed| deed.cause == CauseCode::ByHand && deed.time >= keep.at;
        Ok(!self.ledger.deeds_of(app, &known.person)?.iter().any(begun))
    }
}

/// Whether nothing but one read shows that somebody is gone: it is only noted.
const fn first_absence(candidate: &Candidate) -> bool {
    matches!(candidate.departure, Departure::Absent) && candidate.known.missed.is_none()
}

impl<P: Ports> Engine<P> {
    /// Keeps what became of the keeps.
    pub(super) fn conclude_keeps(&mut self, plan: &Plan) -> Result<(), Abort> {
        let before: BTreeMap<PersonId, Keep> = self.ledger.keeps(&plan.app)?;
        for person in &plan.unkept {
            tracing::info!(app = %plan.app, directory_id = %person.entry, "keep ended");
            self.ledger.keep(&plan.app, person, None)?;
        }
        for kept in plan.kept.iter().filter(|one| before.get(&one.person).is_some_and(|keep| *keep != one.keep)) {
            self.ledger.keep(&plan.app, &kept.person, Some(&kept.keep))?;
        }
        Ok(())
    }
}
