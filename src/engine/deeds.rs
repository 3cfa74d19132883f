//! Deeds beside intents: each change is noted with the account as it was before, and with how it ended.

use crate::domain::account::ObservedAccount;
use crate::domain::change::Change;
use crate::domain::deed::{Deed, DeedEnd, Moment};
use crate::domain::outcome::Outcome;

use super::ports::{DeedLedger, Intent, Ledger, Settlement};
use super::{Abort, Engine, Ports};

impl<P: Ports> Engine<P> {
    /// Notes a change and its deed before the first call.
    pub(super) fn begin(&mut self, intent: &Intent, change: &Change, actor: &str) -> Result<Deed, Abort> {
        let known = self.ledger.known(&intent.app, &intent.person)?;
        let at = Moment { cycle: &intent.cycle, seq: intent.seq, time: intent.time, actor };
        let deed = Deed::begun(change, &at, known);
        if !crate::planted("no intent") {
            self.ledger.begin(intent, &deed)?;
        }
        Ok(deed)
    }

    /// Settles an intent that was open after a crash or an unanswered call, by what Zendesk has now.
    pub(super) fn finish_late(
        &mut self,
        intent: &Intent,
        settlement: &Settlement,
        found: Option<&ObservedAccount>,
    ) -> Result<(), Abort> {
        let deed = self.ledger.deed(&intent.cycle, intent.seq)?.map(|mut deed| {
            deed.account = found.map(|account| account.id).or(deed.account);
            deed.end = end_of(&deed, found);
            if deed.end == DeedEnd::Done {
                chosen(&mut deed, found);
            }
            // What is outstanding is known with it; a deed is undone to what stood before it all the same.
            if let (Some(known), Settlement::Known(now)) = (&mut deed.known_after, settlement) {
                known.account = now.account;
            }
            deed
        });
        Ok(self.ledger.finish(intent, settlement, deed.as_ref())?)
    }
}

/// A deed that was carried out, with what was read back.
pub(super) fn ended(
    mut deed: Deed,
    outcome: &Outcome,
    change: &Change,
    steps: usize,
    seen: Option<&ObservedAccount>,
) -> Deed {
    deed.account = change.account;
    deed.end = match outcome {
        Outcome::Done(_) | Outcome::AlreadySo(_) => DeedEnd::Done,
        Outcome::Unknown(_) => DeedEnd::Unknown,
        Outcome::Refused(_) | Outcome::NotAttempted(_) if steps == 0 => DeedEnd::Refused,
        Outcome::Refused(_) | Outcome::NotAttempted(_) => DeedEnd::Partly,
    };
    if let (Some(known), Some(id)) = (&mut deed.known_after, change.account) {
        known.account = id;
    }
    chosen(&mut deed, seen);
    deed
}

/// Which group becomes the default one when another is left is Zendesk's choice: it is as was read back.
fn chosen(deed: &mut Deed, seen: Option<&ObservedAccount>) {
    if let (Some(left), Some(seen)) = (&mut deed.left, seen) {
        left.default_group = seen.default_group;
    }
}

/// How a deed ended of which only the account tells.
fn end_of(deed: &Deed, found: Option<&ObservedAccount>) -> DeedEnd {
    let (Some(before), Some(left)) = (&deed.before, &deed.left) else {
        // Of a new account nothing was there before; of a link nothing was written.
        return if found.is_some() { DeedEnd::Done } else { DeedEnd::Refused };
    };
    let Some(found) = found else { return DeedEnd::Partly };
    let alike = |image: &ObservedAccount| {
        let bare = |account: &ObservedAccount| ObservedAccount {
            default_group: None,
            verified: before.verified,
            ..account.clone()
        };
        bare(image) == bare(found)
    };
    match (alike(left), alike(before)) {
        (true, _) => DeedEnd::Done,
        (false, true) => DeedEnd::Refused,
        (false, false) => DeedEnd::Partly,
    }
}
