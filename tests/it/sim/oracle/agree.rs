//! Rules about what was told and kept of the writes: the report agrees with them both ways, and an approval works once.

use std::collections::BTreeSet;

use zendesk_dirsync::domain::change::{Action, Step};
use zendesk_dirsync::domain::id::{AppName, Digest};
use zendesk_dirsync::domain::outcome::{Notice, Subject, Verdict};
use zendesk_dirsync::engine::ports::{Effect, HoldState};

use super::super::rig::Ran;
use super::super::world::World;
use super::Oracle;
use crate::support::memory::{Noted, Write};

const RECORDED: &str = "every write has a record";
const TRUE: &str = "every record of something done has a write";
const ONCE: &str = "an approval works once";

pub const NAMES: [&str; 4] = [RECORDED, TRUE, ONCE, super::sums::PACE];

impl Oracle {
    /// Every write has a record, and every record of something done has a write.
    pub(super) fn agree(&mut self, world: &World) -> Result<(), String> {
        world.rig.report.with(|notices| {
            let new = &notices[self.compared.1..];
            for (app, (rules, desk)) in world.rig.apps.iter().enumerate() {
                let from = self.compared.0[app];
                let count = desk.with(|desk| {
                    let writes = &desk.writes[from..];
                    both_ways(&rules.app, new, writes).map(|()| writes.len())
                })?;
                self.compared.0[app] = from + count;
            }
            self.compared.1 = notices.len();
            Ok(())
        })
    }

    /// What was let go on and begun doesn't count again.
    pub(super) fn forget_spent(&self, world: &mut World, noted: &[Noted], ran: &Ran) {
        if ran.is_whole() && !matches!(ran, Ran::Ended(report) if !report.faults.is_empty()) {
            for app in 0..world.rig.apps.len() {
                let begun = begun(noted, &world.rig.apps[app].0.app);
                world.decisions.approved[app].retain(|digest, _| !begun.contains(digest));
            }
        }
    }
}

fn both_ways(app: &AppName, new: &[Notice], writes: &[Write]) -> Result<(), String> {
    let of_app = |notice: &&Notice| notice.app.as_ref() == Some(app);
    let told: Vec<&Notice> = new.iter().filter(of_app).filter(|one| attempted(one)).collect();
    for write in writes {
        if !told.iter().any(|notice| matches(notice, write)) {
            return Err(format!("{RECORDED}: {:?} to {:?}", write.step, write.account));
        }
    }
    for notice in told.iter().filter(|notice| notice.verdict == Verdict::Done && writes_something(notice)) {
        // Of a call that wasn't answered it is only known that all is as it should be.
        let recovered = notice.cause.as_ref().is_some_and(|cause| cause.code == "recovered");
        let done = |write: &&Write| {
            (write.effect == Ok(Effect::Done) || recovered && !write.answered) && matches(notice, write)
        };
        if !writes.iter().any(|write| done(&write)) {
            return Err(format!("{TRUE}: {notice:?}"));
        }
    }
    Ok(())
}

fn begun(noted: &[Noted], app: &AppName) -> BTreeSet<Digest> {
    let digest = |one: &Noted| match one {
        Noted::Begun(_, intent) if intent.app == *app => Some(intent.digest),
        Noted::Begun(..) | Noted::Settled(..) => None,
    };
    noted.iter().filter_map(digest).collect()
}

/// Nothing that was begun is still let go on when the cycle has ended.
pub(super) fn spent(world: &World, noted: &[Noted], ran: &Ran) -> Result<(), String> {
    if !ran.is_whole() {
        return Ok(());
    }
    world.rig.ledger.with(|state| {
        for (app, holds) in &state.holds {
            let begun = begun(noted, app);
            for hold in holds {
                if let HoldState::Approved { digests, .. } = &hold.state
                    && let Some(digest) = digests.intersection(&begun).next()
                {
                    return Err(format!("{ONCE}: {} outlived its use", digest.short()));
                }
            }
        }
        Ok(())
    })
}

fn attempted(notice: &Notice) -> bool {
    let verdict = matches!(notice.verdict, Verdict::Done | Verdict::Already | Verdict::Refused | Verdict::Unknown);
    // The last record of an undoing is about no one.
    let undone = notice.subject == Subject::Undo && notice.entry.is_some();
    verdict && (undone || matches!(notice.subject, Subject::Account(_)))
}

fn writes_something(notice: &Notice) -> bool {
    matches!(notice.subject, Subject::Account(action) if !matches!(action, Action::Link | Action::Release))
}

fn matches(notice: &Notice, write: &Write) -> bool {
    let by_mail = match &write.step {
        Step::Create(new) => notice.user.as_deref() == Some(new.email.as_str()),
        _ => false,
    };
    by_mail || (write.account.is_some() && notice.account.map(|id| id.0) == write.account)
}
