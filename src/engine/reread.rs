//! Reading an account again just before something is taken from it: whoever changed it since it was planned had a reason.
//!
//! It compares what a plan depends on and others set as well. It doesn't decide what becomes of the account instead: the
//! next cycle plans anew.

use crate::domain::account::{Existence, ObservedAccount};
use crate::domain::change::{Change, Step};
use crate::domain::outcome::Problem;

use super::ports::{CallFault, Helpdesk};
use super::{Engine, Ports};

/// Whether a change ends access or lowers a role, so that a look on the way costs less than a mistake.
fn takes_access(change: &Change) -> bool {
    let role = change.before.as_ref().map(|before| (before.role, before.custom_role));
    let lowers = |step: &Step| match step {
        Step::Downgrade(_) => true,
        // Which of two custom roles is the lower isn't told: leaving either counts.
        Step::Write(patch) => patch
            .role
            .zip(role)
            .is_some_and(|((to, custom), (from, was))| to < from || (to == from && was.is_some() && custom != was)),
        Step::Create(_)
        | Step::ChangeEmail { .. }
        | Step::AddEmail(_)
        | Step::Unmark
        | Step::EndSessions
        | Step::Join(_)
        | Step::Leave(_)
        | Step::MakeDefault(_)
        | Step::AddTags(_)
        | Step::RemoveTags(_) => false,
    };
    !change.steps.is_empty() && (change.class.is_removal() || change.steps.iter().any(lowers))
}

/// Whether a change gives up a link because Zendesk told of no such account. An answer that left one out would leave
/// somebody who departed with access, and nobody would know.
fn forgets(change: &Change) -> bool {
    change.class.is_removal() && change.steps.is_empty() && change.before.is_none()
}

/// What of an account isn't as the plan saw it. Fields that only our own mapping sets don't matter here.
fn moved(before: &ObservedAccount, now: Option<&ObservedAccount>) -> Vec<&'static str> {
    let Some(now) = now.filter(|now| now.existence == Existence::Live) else { return vec!["it was deleted"] };
    let parts = [
        (before.role != now.role, "the role"),
        (before.custom_role != now.custom_role, "the custom role"),
        (before.suspended != now.suspended, "the suspension"),
        (before.groups != now.groups, "the groups"),
        (before.email != now.email || before.emails != now.emails, "the mails"),
        (before.external_id != now.external_id, "the external_id"),
    ];
    parts.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect()
}

impl<P: Ports> Engine<P> {
    /// Why a removal or a lowered role isn't written: the account changed at Zendesk since it was planned.
    ///
    /// # Errors
    /// When the account can't be read.
    pub(super) async fn moved_since(&mut self, at: usize, change: &Change) -> Result<Option<Problem>, CallFault> {
        if let Some(id) = change.account.filter(|_| forgets(change) && !crate::planted("left out is gone")) {
            let seen = self.apps[at].desk.observe(&[id]).await?;
            let there = seen.iter().any(|account| account.id == id && account.is_live());
            let why = "Zendesk didn't tell of the account when this was planned, and now it is there";
            let hint = "nothing was forgotten; the next cycle plans anew";
            return Ok(there.then(|| Problem::new("moved_at_zendesk", why, hint)));
        }
        let Some((before, id)) = change.before.as_deref().zip(change.account).filter(|_| takes_access(change)) else {
            return Ok(None);
        };
        let seen = self.apps[at].desk.observe(&[id]).await?;
        let parts = moved(before, seen.iter().find(|account| account.id == id));
        if parts.is_empty() {
            return Ok(None);
        }
        let why = format!("the account was changed at Zendesk since it was planned: {}", parts.join(", "));
        Ok(Some(Problem::new("moved_at_zendesk", why, "nothing was written; the next cycle plans anew")))
    }
}
