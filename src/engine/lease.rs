//! The lease while an app's changes are carried out: asked for before the first write, and closed after the last.
//!
//! Without a configured lease the desk answers that none is kept, and nothing is asked or written.

use crate::domain::change::Change;
use crate::domain::id::AppName;
use crate::domain::lease::{InstanceId, LeaseMark, Marker, Verdict, judge};
use crate::domain::outcome::Problem;

use super::apply::Carried;
use super::holds::standing_holds;
use super::ports::{CallFault, Clock, Helpdesk, HoldState, LeaseLedger as _, Ledger};
use super::{Abort, Engine, Ports};

/// How far an app came with its lease in this cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing was to be written yet.
    Unasked,
    /// No lease is kept.
    NotKept,
    /// It was written and read back.
    Taken(LeaseMark),
}

/// Whether a lease kept an app from being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Barred {
    /// It didn't.
    #[default]
    No,
    /// It did: a person must say what is to be.
    Lease,
}

impl<P: Ports> Engine<P> {
    /// The last look before a change is begun: whether the account is as it was planned from, and whether this copy of
    /// the service may write at all. Answers why not.
    pub(super) async fn last_look(
        &mut self,
        at: usize,
        change: &Change,
        turn: &mut Turn,
        carried: &mut Carried,
    ) -> Result<Option<Problem>, Abort> {
        match self.moved_since(at, change).await {
            Ok(None) => {}
            Ok(moved) => return Ok(moved),
            Err(fault) => {
                carried.fault = Some(fault.problem()).filter(|_| fault.ends_app());
                return Ok(Some(fault.problem()));
            }
        }
        if change.steps.is_empty() || *turn != Turn::Unasked {
            return Ok(None);
        }
        let barred = match self.open_lease(at, turn).await? {
            None => return Ok(None),
            Some(Shut::Fault(problem)) => problem,
            Some(Shut::Barred(problem)) => {
                carried.barred = Barred::Lease;
                problem
            }
        };
        carried.fault = Some(barred.clone());
        Ok(Some(barred))
    }

    /// Reads the marker, writes this copy's name into it, and reads it back.
    async fn open_lease(&mut self, at: usize, turn: &mut Turn) -> Result<Option<Shut>, Abort> {
        let app = self.apps[at].rules.app.clone();
        let marker = match self.apps[at].desk.read_lease().await {
            Ok(Marker::Off) => {
                *turn = Turn::NotKept;
                return Ok(None);
            }
            Ok(marker) => marker,
            Err(fault) => return Ok(Some(Shut::Fault(fault.problem()))),
        };
        let own = self.ledger.instance()?;
        let noted = self.ledger.noted_lease(&app)?;
        let over = match judge(&marker, own, noted.as_ref()) {
            Verdict::NotKept => {
                *turn = Turn::NotKept;
                return Ok(None);
            }
            Verdict::Ours(over) => over,
            Verdict::Foreign(_) | Verdict::Behind(_) if crate::planted("the lease isn't asked for") => {
                *turn = Turn::NotKept;
                return Ok(None);
            }
            Verdict::Behind(mark) => {
                self.doubt(&app, Some(&mark))?;
                return Ok(Some(Shut::Barred(behind(&mark))));
            }
            Verdict::Foreign(mark) => return Ok(Some(Shut::Barred(foreign(&app, own, &mark)))),
            Verdict::Unreadable(why) => return Ok(Some(Shut::Barred(unreadable(&app, &why)))),
        };
        let serial = noted.map_or(0, |noted| noted.serial).saturating_add(1);
        let mark = LeaseMark::new(own, serial, self.clock.now());
        Ok(match self.write_mark(at, &app, over, &mark).await? {
            Ok(()) => {
                *turn = Turn::Taken(mark);
                None
            }
            Err(shut) => Some(shut),
        })
    }

    /// Notes a serial, writes it into the marker and sees that it stands there: what the answer to the write was doesn't
    /// count, for another copy may have written in the same moment.
    pub(super) async fn write_mark(
        &mut self,
        at: usize,
        app: &AppName,
        over: Option<crate::domain::id::AccountId>,
        mark: &LeaseMark,
    ) -> Result<Result<(), Shut>, Abort> {
        self.ledger.note_lease(app, mark)?;
        let desk = &mut self.apps[at].desk;
        match desk.write_lease(over, mark).await {
            Ok(()) | Err(CallFault::Unanswered(_) | CallFault::Garbled(_)) => {}
            // Somebody else made the marker in between.
            Err(CallFault::Refused { kind: "external_id_taken" | "email_taken" | "invalid", .. }) if over.is_none() => {
            }
            Err(fault) => return Ok(Err(Shut::Fault(fault.problem()))),
        }
        Ok(match desk.read_lease().await {
            Ok(Marker::Held { mark: seen, .. }) if seen == *mark => Ok(()),
            Ok(Marker::Held { mark: seen, .. }) if seen.instance != mark.instance => {
                Err(Shut::Barred(foreign(app, mark.instance, &seen)))
            }
            Ok(Marker::Unreadable { why, .. }) => Err(Shut::Barred(unreadable(app, &why))),
            Ok(Marker::Off | Marker::Free | Marker::Held { .. }) => Err(Shut::Barred(lost())),
            Err(fault) => Err(Shut::Fault(fault.problem())),
        })
    }

    /// Raises the serial once more after the last write, so that a copy of the store from the middle of this cycle is
    /// noticed too. Another's name in the marker by now means that both may have written.
    pub(super) async fn close_lease(&mut self, at: usize, turn: &Turn, carried: &mut Carried) -> Result<(), Abort> {
        let Turn::Taken(mark) = turn else { return Ok(()) };
        let app = self.apps[at].rules.app.clone();
        let fault = match self.apps[at].desk.read_lease().await {
            Ok(Marker::Held { account, mark: seen }) if seen == *mark => {
                let next = LeaseMark::new(mark.instance, mark.serial.saturating_add(1), self.clock.now());
                self.ledger.note_lease(&app, &next)?;
                self.apps[at].desk.write_lease(Some(account), &next).await.err()
            }
            Ok(Marker::Held { mark: seen, .. }) => {
                self.doubt(&app, Some(&seen))?;
                carried.barred = Barred::Lease;
                carried.fault = Some(overtaken(&seen));
                None
            }
            // Whoever took it away: the next cycle finds out, and this one has written what it had to.
            Ok(Marker::Free | Marker::Off | Marker::Unreadable { .. }) => None,
            Err(fault) => Some(fault),
        };
        if let Some(fault) = fault {
            tracing::warn!(app = %app, error_type = fault.kind(), "lease not closed");
        }
        Ok(())
    }

    /// Others, or a later life of this store, may have written accounts of an app: everything of it waits, and nothing
    /// that was approved before counts.
    pub(super) fn doubt(&mut self, app: &AppName, mark: Option<&LeaseMark>) -> Result<(), Abort> {
        self.forget_approvals(app)?;
        Ok(self.ledger.doubt(app, mark)?)
    }

    /// Has whatever was approved in an app wait again.
    pub(super) fn forget_approvals(&mut self, app: &AppName) -> Result<(), Abort> {
        let mut holds = standing_holds(&self.ledger, app)?;
        for hold in &mut holds {
            if matches!(hold.state, HoldState::Approved { .. }) {
                hold.state = HoldState::Waiting;
            }
        }
        Ok(self.ledger.keep_holds(app, &holds)?)
    }
}

/// Why an app isn't written.
pub(super) enum Shut {
    /// Zendesk couldn't be asked; the next cycle tries again.
    Fault(Problem),
    /// The lease isn't ours.
    Barred(Problem),
}

/// A moment, for people.
pub(super) fn moment(mark: &LeaseMark) -> String {
    mark.at().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn foreign(app: &AppName, own: InstanceId, mark: &LeaseMark) -> Problem {
    let (other, since) = (mark.instance.short(), moment(mark));
    let why =
        format!("another copy of this service writes here: instance {other}, last at {since}; this is {}", own.short());
    let hint = format!("stop one of the two; if the other is gone for good: `zendesk-dirsync lease take --app {app}`");
    Problem::new("lease_foreign", why, hint)
}

fn behind(mark: &LeaseMark) -> Problem {
    let since = moment(mark);
    let why = format!("this store was restored or copied: what was written at {since} is not in it");
    Problem::new("lease_behind", why, "everything of this app waits for a look: see `holds list` after the next cycle")
}

fn unreadable(app: &AppName, why: &str) -> Problem {
    let hint = format!("correct it at Zendesk, or `zendesk-dirsync lease take --app {app}`");
    Problem::new("lease_unreadable", format!("the marker of the lease can't be used: {why}"), hint)
}

fn lost() -> Problem {
    let why = "the marker of the lease doesn't read back as it was written: another copy may write at the same time";
    Problem::new("lease_lost", why, "see that only one copy runs; the next cycle tries again")
}

fn overtaken(mark: &LeaseMark) -> Problem {
    let (other, since) = (mark.instance.short(), moment(mark));
    let why = format!("instance {other} took the lease at {since}, while this cycle wrote: both may have written");
    Problem::new("lease_lost", why, "stop one of the two, and look at what both reports tell of this time")
}
