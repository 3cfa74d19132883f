//! A rig: an engine with chosen parts. The store and the report are real, in a temporary directory; the clock goes only
//! when it is told to.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::mpsc;
use zendesk_dirsync::directory::LdapDirectory;
use zendesk_dirsync::domain::account::{Catalog, ObservedAccount};
use zendesk_dirsync::domain::brake::{FirstCycle, Limits};
use zendesk_dirsync::domain::change::Step;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::{AccountId, AppName, DirectoryName, Email, EntryId, ExternalId};
use zendesk_dirsync::domain::lease::{LeaseMark, Marker};
use zendesk_dirsync::domain::scope::{CompleteRead, Presence, Sight};
use zendesk_dirsync::domain::settings::{Redaction, ReportSettings};
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{
    CallFault, Clock, Directory, Event, GroupLook, GroupOrder, Helpdesk, Ledger, Myself, Progress, ReadFault,
    ReadOrder, Report, ReportFault, Secret, SecretFault, StepDone,
};
use zendesk_dirsync::engine::view::PlanView;
use zendesk_dirsync::engine::{App, Configuration, CycleOrder, CycleReport, Engine, Ports, Stop};
use zendesk_dirsync::report::journal::Journal;
use zendesk_dirsync::store::SledLedger;
use zendesk_dirsync::zendesk::ZendeskClient;

use super::memory::{MemoryClock, MemoryDirectory, MemoryZendesk};

/// How far the clock goes before each cycle.
pub const BETWEEN_CYCLES: TimeDelta = TimeDelta::minutes(15);

/// Something to do in the middle of a read.
pub type Trip = Arc<dyn Fn() + Send + Sync>;

/// Any directory.
pub enum AnyDirectory {
    Memory(MemoryDirectory),
    Ldap(Box<LdapDirectory>),
    /// A directory during whose read something happens once, after so many people were come upon.
    Tripped {
        inner: Box<LdapDirectory>,
        after: usize,
        trip: Trip,
    },
}

impl Directory for AnyDirectory {
    fn name(&self) -> &DirectoryName {
        match self {
            Self::Memory(inner) => inner.name(),
            Self::Ldap(inner) | Self::Tripped { inner, .. } => inner.name(),
        }
    }

    async fn read(&mut self, order: ReadOrder, sights: mpsc::Sender<Sight>) -> Result<CompleteRead, ReadFault> {
        match self {
            Self::Memory(inner) => inner.read(order, sights).await,
            Self::Ldap(inner) => inner.read(order, sights).await,
            Self::Tripped { inner, after, trip } => {
                let (sender, mut heard) = mpsc::channel(1);
                let pass = async move {
                    let mut count = 0;
                    while let Some(sight) = heard.recv().await {
                        count += 1;
                        if count == *after {
                            trip();
                        }
                        if sights.send(sight).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::join!(inner.read(order, sender), pass).0
            }
        }
    }

    async fn look_up(
        &mut self,
        entry: EntryId,
        last_dn: &Dn,
        groups: &std::collections::BTreeSet<EntryId>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Presence, ReadFault> {
        match self {
            Self::Memory(inner) => inner.look_up(entry, last_dn, groups, now).await,
            Self::Ldap(inner) | Self::Tripped { inner, .. } => inner.look_up(entry, last_dn, groups, now).await,
        }
    }

    async fn look_for(&mut self, groups: &[GroupOrder]) -> Result<Vec<GroupLook>, ReadFault> {
        match self {
            Self::Memory(inner) => inner.look_for(groups).await,
            Self::Ldap(inner) | Self::Tripped { inner, .. } => inner.look_for(groups).await,
        }
    }
}

/// Any Zendesk.
pub enum AnyDesk {
    Memory(MemoryZendesk),
    Wire(Box<ZendeskClient>),
}

macro_rules! each_desk {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self {
            Self::Memory($inner) => $call.await,
            Self::Wire($inner) => $call.await,
        }
    };
}

impl Helpdesk for AnyDesk {
    fn app(&self) -> &AppName {
        match self {
            Self::Memory(inner) => inner.app(),
            Self::Wire(inner) => inner.app(),
        }
    }

    async fn who_am_i(&mut self) -> Result<Myself, CallFault> {
        each_desk!(self, inner => inner.who_am_i())
    }

    async fn catalog(&mut self) -> Result<Catalog, CallFault> {
        each_desk!(self, inner => inner.catalog())
    }

    async fn observe(&mut self, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
        each_desk!(self, inner => inner.observe(ids))
    }

    async fn find_by_external_id(&mut self, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
        each_desk!(self, inner => inner.find_by_external_id(ids))
    }

    async fn find_by_email(&mut self, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
        each_desk!(self, inner => inner.find_by_email(email))
    }

    async fn carry_out(&mut self, account: Option<AccountId>, step: &Step) -> Result<StepDone, CallFault> {
        each_desk!(self, inner => inner.carry_out(account, step))
    }

    async fn read_lease(&mut self) -> Result<Marker, CallFault> {
        each_desk!(self, inner => inner.read_lease())
    }

    async fn write_lease(&mut self, over: Option<AccountId>, mark: &LeaseMark) -> Result<(), CallFault> {
        each_desk!(self, inner => inner.write_lease(over, mark))
    }
}

/// The ports of a rig.
pub struct Rigged<L = SledLedger, R = Journal>(std::marker::PhantomData<(L, R)>);

impl<L: Ledger, R: Report> Ports for Rigged<L, R> {
    type Directory = AnyDirectory;
    type Helpdesk = AnyDesk;
    type Ledger = L;
    type Report = R;
    type Clock = MemoryClock;
}

/// An engine with its surroundings.
pub struct Rig<L: Ledger = SledLedger, R: Report = Journal> {
    pub engine: Engine<Rigged<L, R>>,
    pub clock: MemoryClock,
    /// Where the store and the report lie; removed with the rig.
    #[expect(dead_code, reason = "the folder lives as long as the rig")]
    pub dir: Option<TempDir>,
}

/// Limits that hold nothing.
pub const fn no_limits() -> Limits {
    use zendesk_dirsync::domain::brake::Limit;
    let all = Limit { count: 1_000_000, percent: 100 };
    Limits {
        shown: all,
        absence: all,
        removals_24h: all,
        removals_7d: all,
        takes_or_raises: all,
        takes_or_raises_24h: all,
        creations: all,
        updates: all,
        source_gone: all,
        first_cycle: FirstCycle::Apply,
    }
}

/// Where a report goes.
pub fn report_settings(dir: &std::path::Path) -> ReportSettings {
    ReportSettings {
        file: dir.join("report.log"),
        max_size: 50 << 20,
        max_age: Duration::from_secs(90 * 86_400),
        max_total: 1 << 30,
        redact: Redaction::None,
    }
}

/// The report in a directory.
///
/// # Errors
/// As [`Journal::open`].
pub fn journal(dir: &std::path::Path, clock: &MemoryClock) -> Result<Journal, ReportFault> {
    let salts = Box::new(|| uuid::Uuid::from_u128(0x5a17).into_bytes());
    Journal::open(&report_settings(dir), clock.now(), salts)
}

impl Rig {
    /// A rig over a fresh store and report.
    pub fn new(directory: AnyDirectory, app: App<AnyDesk>, limits: Limits, clock: MemoryClock) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ledger = SledLedger::open(&dir.path().join("state")).expect("a fresh store").ledger;
        let report = journal(dir.path(), &clock).expect("a fresh report");
        let rig = Rig::over(directory, app, limits, clock, ledger, report);
        Self { dir: Some(dir), ..rig }
    }
}

impl<L: Ledger, R: Report> Rig<L, R> {
    /// A rig over a given store and report.
    pub fn over(
        directory: AnyDirectory,
        app: App<AnyDesk>,
        limits: Limits,
        clock: MemoryClock,
        ledger: L,
        report: R,
    ) -> Self {
        let (directories, apps) = (vec![directory], vec![app]);
        let configuration = Configuration::default();
        let engine = Engine { directories, apps, ledger, report, clock: clock.clone(), limits, configuration };
        Self { engine, clock, dir: None }
    }

    /// The next plan, changing nothing.
    pub async fn plan(&mut self) -> PlanView {
        self.clock.advance(BETWEEN_CYCLES);
        let command = Command::Plan { app: None, user: None };
        match self.engine.carry_out(command, "test", Stop::never(), &mut Unheard).await {
            Reply::Plan { plan, .. } => *plan,
            other => panic!("{other:?}"),
        }
    }

    /// One cycle.
    pub async fn cycle(&mut self) -> CycleReport {
        self.clock.advance(BETWEEN_CYCLES);
        let order = CycleOrder { actor: "test".into(), only: None, stop: Stop::never() };
        self.engine.cycle(order, &mut Unheard).await.expect("the store and the report can be used")
    }
}

/// Hears nothing.
pub struct Unheard;

impl Progress for Unheard {
    fn note(&mut self, _event: &Event<'_>) {}
}

/// A secret that a test knows.
#[derive(Debug)]
pub struct Known(pub String);

impl Secret for Known {
    fn read(&self) -> Result<SecretString, SecretFault> {
        Ok(SecretString::from(self.0.clone()))
    }
}
