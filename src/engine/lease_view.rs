//! What a person asks about leases: who has them, and that this copy takes one over.

use serde::{Deserialize, Serialize};

use crate::domain::id::CycleId;
use crate::domain::lease::{LeaseMark, Marker, Verdict, judge};
use crate::domain::outcome::{Notice, Subject, Verdict as Told};

use super::command::Reply;
use super::lease::{Shut, moment};
use super::ports::{Clock, Helpdesk, LeaseLedger as _, Report};
use super::{Abort, Engine, Ports};

/// Who has the lease of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// The app.
    pub app: String,
    /// `off`, `free`, `ours`, `behind`, `foreign` or `unreadable`.
    pub state: String,
    /// This copy; none where no lease is kept.
    pub own: Option<String>,
    /// Who wrote last.
    pub instance: Option<String>,
    /// Under which serial.
    pub serial: Option<u64>,
    /// When.
    pub since: Option<String>,
    /// The account that bears the marker.
    pub zendesk_id: Option<u64>,
    /// What is wrong with it.
    pub why: Option<String>,
}

/// A marker with what it means here.
struct Look {
    marker: Marker,
    verdict: Verdict,
}

impl<P: Ports> Engine<P> {
    /// Shows who has the leases.
    pub(super) async fn show_leases(&mut self, app: Option<&str>) -> Result<Reply, Abort> {
        if let Err(refusal) = self.app_named(app) {
            return Ok(refusal);
        }
        let mut views = Vec::new();
        for at in self.apps_named(app) {
            match self.look_at_lease(at).await? {
                Ok(look) => views.push(self.lease_view(at, &look)?),
                Err(refusal) => return Ok(refusal),
            }
        }
        Ok(Reply::Leases(views))
    }

    /// Takes a lease over, by a person's word: from then on this copy writes, and everything that it would do waits once.
    pub(super) async fn take_lease(&mut self, app: Option<&str>, actor: &str) -> Result<Reply, Abort> {
        if let Err(refusal) = self.app_named(app) {
            return Ok(refusal);
        }
        let mut kept = Vec::new();
        for at in self.apps_named(app) {
            match self.look_at_lease(at).await? {
                Ok(Look { marker: Marker::Off, .. }) => {}
                Ok(look) => kept.push((at, look)),
                Err(refusal) => return Ok(refusal),
            }
        }
        let (at, look) = match (kept.pop(), kept.is_empty()) {
            (Some(one), true) => one,
            (Some(_), false) => {
                let hint = "name one: `lease take --app NAME`";
                return Ok(Reply::refused(2, "which_lease", "several apps keep a lease", hint));
            }
            (None, _) => {
                let hint = "set `enabled = true` under [app.lease] first";
                return Ok(Reply::refused(2, "no_lease", "no lease is kept here", hint));
            }
        };
        if look.verdict == Verdict::NotKept || matches!(look.verdict, Verdict::Ours(Some(_))) {
            return Ok(Reply::Leases(vec![self.lease_view(at, &look)?]));
        }
        self.take_over(at, look, actor).await
    }

    async fn take_over(&mut self, at: usize, look: Look, actor: &str) -> Result<Reply, Abort> {
        let app = self.apps[at].rules.app.clone();
        let (over, from) = match &look.marker {
            Marker::Off | Marker::Free => (None, None),
            Marker::Held { account, mark } => (Some(*account), Some(*mark)),
            Marker::Unreadable { account: Some(account), .. } => (Some(*account), None),
            Marker::Unreadable { account: None, why } => {
                let hint = "correct or delete these users at Zendesk, then take the lease";
                return Ok(Reply::refused(1, "lease_unreadable", why, hint));
            }
        };
        let noted = self.ledger.noted_lease(&app)?.map_or(0, |noted| noted.serial);
        let serial = from.map_or(noted, |mark| mark.serial.max(noted));
        // Told first: a decision that isn't on record doesn't count.
        let now = self.clock.now();
        let mut notice = Notice::new(now, CycleId::at(now), 1, Subject::Approve, Told::Done, actor);
        notice.app = Some(app.clone());
        let mut cause = Notice::cause_code("lease_taken");
        cause.evidence = from.map(|mark| format!("from instance {}, last at {}", mark.instance, moment(&mark)));
        notice.cause = Some(cause);
        self.report.tell(&notice)?;
        // What others wrote isn't in this store.
        if look.marker != Marker::Free {
            self.doubt(&app, from.as_ref())?;
        }
        let mark = LeaseMark::new(self.ledger.instance()?, serial.saturating_add(1), now);
        match self.write_mark(at, &app, over, &mark).await? {
            Ok(()) => {}
            Err(Shut::Fault(problem)) => return Ok(Reply::refused(6, problem.kind, problem.message, &problem.hint)),
            Err(Shut::Barred(problem)) => return Ok(Reply::refused(1, problem.kind, problem.message, &problem.hint)),
        }
        self.show_leases(Some(app.as_str())).await
    }

    fn apps_named(&self, app: Option<&str>) -> Vec<usize> {
        let named = |at: &usize| app.is_none_or(|app| self.apps[*at].rules.app.as_str() == app);
        (0..self.apps.len()).filter(named).collect()
    }

    /// Reads a marker; a refusal when Zendesk can't be asked.
    async fn look_at_lease(&mut self, at: usize) -> Result<Result<Look, Reply>, Abort> {
        let marker = match self.apps[at].desk.read_lease().await {
            Ok(marker) => marker,
            Err(fault) => {
                let problem = fault.problem();
                return Ok(Err(Reply::refused(6, problem.kind, problem.message, &problem.hint)));
            }
        };
        if marker == Marker::Off {
            return Ok(Ok(Look { marker, verdict: Verdict::NotKept }));
        }
        let noted = self.ledger.noted_lease(&self.apps[at].rules.app)?;
        let verdict = judge(&marker, self.ledger.instance()?, noted.as_ref());
        Ok(Ok(Look { marker, verdict }))
    }

    fn lease_view(&mut self, at: usize, look: &Look) -> Result<LeaseView, Abort> {
        let state = match &look.verdict {
            Verdict::NotKept => "off",
            Verdict::Ours(None) => "free",
            Verdict::Ours(Some(_)) => "ours",
            Verdict::Behind(_) => "behind",
            Verdict::Foreign(_) => "foreign",
            Verdict::Unreadable(_) => "unreadable",
        };
        let (account, mark, why) = match &look.marker {
            Marker::Off | Marker::Free => (None, None, None),
            Marker::Held { account, mark } => (Some(*account), Some(mark), None),
            Marker::Unreadable { account, why } => (*account, None, Some(why.clone())),
        };
        let kept = look.marker != Marker::Off;
        let own = if kept { Some(self.ledger.instance()?.to_string()) } else { None };
        Ok(LeaseView {
            app: self.apps[at].rules.app.to_string(),
            state: state.to_owned(),
            own,
            instance: mark.map(|mark| mark.instance.to_string()),
            serial: mark.map(|mark| mark.serial),
            since: mark.map(moment),
            zendesk_id: account.map(|account| account.0),
            why,
        })
    }
}
