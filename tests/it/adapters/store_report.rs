//! The engine over the real store and the real report. The process may be killed at any moment: at each barrier the
//! whole directory is copied, and every copy is taken up as if the process had died there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use zendesk_dirsync::domain::account::{Catalog, KnownAccount, Trace};
use zendesk_dirsync::domain::assignment::PinKey;
use zendesk_dirsync::domain::brake::{self, Tally};
use zendesk_dirsync::domain::deed::Deed;
use zendesk_dirsync::domain::id::{AccountId, AppName, CycleId, Digest, DirectoryName, EntryId, PersonId};
use zendesk_dirsync::domain::image::{ImageHead, Portrait};
use zendesk_dirsync::domain::keep::Keep;
use zendesk_dirsync::domain::lease::{InstanceId, LeaseMark};
use zendesk_dirsync::domain::outcome::Notice;
use zendesk_dirsync::domain::pause::{Pause, Pauses};
use zendesk_dirsync::domain::scope::GroupSeen;
use zendesk_dirsync::domain::server::Acquaintance;
use zendesk_dirsync::domain::trial::{Quarantine, Trial};
use zendesk_dirsync::engine::Ending;
use zendesk_dirsync::engine::ports::{
    AcceptedLedger, AppStanding, BrakeLedger, CycleSummary, DeedCycle, DeedLedger, HandLedger, HoldRecord, ImageLedger,
    Intent, KeepLedger, Label, LeaseLedger, Ledger, LedgerFault, Report, ReportFault, Revision, Revisions,
    ServerLedger, Settlement, Told, Trouble,
};
use zendesk_dirsync::report::journal::Journal;
use zendesk_dirsync::report::verify::verify;
use zendesk_dirsync::report::{Filter, search};
use zendesk_dirsync::store::{Condition, SledLedger};

use crate::support::memory::{Desk, MemoryClock, MemoryDirectory, MemoryZendesk};
use crate::support::rig::{AnyDirectory, Rig, journal, no_limits, report_settings};
use crate::support::rig_desk::{in_memory, memory_desk};
use crate::support::rig_small::{AGENTS, USERS, directory, person, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";

/// Everything outside the process at one moment: the disk and Zendesk.
struct Moment {
    what: String,
    disk: TempDir,
    desk: Desk,
}

/// Takes pictures of the disk and of Zendesk.
#[derive(Clone)]
struct Camera {
    dir: PathBuf,
    zendesk: MemoryZendesk,
    taken: Arc<Mutex<Vec<Moment>>>,
}

impl Camera {
    fn take(&self, what: &str) {
        let disk = tempfile::tempdir().expect("a temporary directory");
        copy(&self.dir, disk.path());
        let moment = Moment { what: what.to_owned(), disk, desk: self.zendesk.desk() };
        self.taken.lock().expect("nobody panics").push(moment);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir(&target).expect("a directory");
            std::fs::set_permissions(&target, entry.metadata().expect("metadata").permissions()).expect("permissions");
            copy(&entry.path(), &target);
        } else if entry.file_type().expect("a type").is_file() {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// The real ledger, photographed before and after each durable change.
struct Watched<T> {
    inner: T,
    camera: Camera,
}

impl<T> Watched<T> {
    fn during<R>(&mut self, what: &str, act: impl FnOnce(&mut T) -> R) -> R {
        self.camera.take(&format!("before {what}"));
        let done = act(&mut self.inner);
        self.camera.take(&format!("after {what}"));
        done
    }
}

impl BrakeLedger for Watched<SledLedger> {
    fn tally(&self, app: &AppName) -> Result<Tally, LedgerFault> {
        self.inner.tally(app)
    }
    fn keep_tally(&mut self, app: &AppName, tally: &Tally) -> Result<(), LedgerFault> {
        self.during("keep_tally", |inner| inner.keep_tally(app, tally))
    }
    fn missing(&self, app: &AppName) -> Result<BTreeSet<PersonId>, LedgerFault> {
        self.inner.missing(app)
    }
    fn keep_missing(&mut self, app: &AppName, missing: &BTreeSet<PersonId>) -> Result<(), LedgerFault> {
        self.during("keep_missing", |inner| inner.keep_missing(app, missing))
    }
    fn spent(&self, app: &AppName) -> Result<BTreeSet<Digest>, LedgerFault> {
        self.inner.spent(app)
    }
    fn spend(&mut self, app: &AppName, digest: &Digest) -> Result<(), LedgerFault> {
        self.during("spend", |inner| inner.spend(app, digest))
    }
    fn trials(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trial>, LedgerFault> {
        self.inner.trials(app)
    }
    fn keep_trials(&mut self, app: &AppName, trials: &BTreeMap<PersonId, Trial>) -> Result<(), LedgerFault> {
        self.during("keep_trials", |inner| inner.keep_trials(app, trials))
    }
    fn quarantine(&self, app: &AppName) -> Result<Option<Quarantine>, LedgerFault> {
        self.inner.quarantine(app)
    }
    fn keep_quarantine(&mut self, app: &AppName, quarantine: Option<&Quarantine>) -> Result<(), LedgerFault> {
        self.during("keep_quarantine", |inner| inner.keep_quarantine(app, quarantine))
    }
    fn reminders(&self, app: &AppName) -> Result<BTreeMap<Digest, brake::Moment>, LedgerFault> {
        self.inner.reminders(app)
    }
    fn keep_reminders(
        &mut self,
        app: &AppName,
        reminders: &BTreeMap<Digest, brake::Moment>,
    ) -> Result<(), LedgerFault> {
        self.during("keep_reminders", |inner| inner.keep_reminders(app, reminders))
    }
}

impl ImageLedger for Watched<SledLedger> {
    fn image(&self, directory: &DirectoryName) -> Result<Option<ImageHead>, LedgerFault> {
        self.inner.image(directory)
    }
    fn portrait_digests(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Digest>, LedgerFault> {
        self.inner.portrait_digests(directory)
    }
    fn portraits(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, Portrait>, LedgerFault> {
        self.inner.portraits(directory)
    }
    fn keep_image(
        &mut self,
        directory: &DirectoryName,
        head: &ImageHead,
        changed: &[(EntryId, Portrait)],
        gone: &BTreeSet<EntryId>,
    ) -> Result<(), LedgerFault> {
        self.during("keep_image", |inner| inner.keep_image(directory, head, changed, gone))
    }
    fn catalog(&self, app: &AppName) -> Result<Option<Catalog>, LedgerFault> {
        self.inner.catalog(app)
    }
    fn keep_catalog(&mut self, app: &AppName, catalog: &Catalog) -> Result<(), LedgerFault> {
        self.during("keep_catalog", |inner| inner.keep_catalog(app, catalog))
    }
}

impl AcceptedLedger for Watched<SledLedger> {
    fn accepted(&self) -> Result<BTreeMap<AppName, String>, LedgerFault> {
        self.inner.accepted()
    }
    fn keep_accepted(&mut self, app: &AppName, text: &str) -> Result<(), LedgerFault> {
        self.during("keep_accepted", |inner| inner.keep_accepted(app, text))
    }
    fn directories(&self, app: &AppName) -> Result<BTreeSet<DirectoryName>, LedgerFault> {
        self.inner.directories(app)
    }
    fn populations(&self) -> Result<BTreeMap<AppName, usize>, LedgerFault> {
        self.inner.populations()
    }
}

impl KeepLedger for Watched<SledLedger> {
    fn keeps(&self, app: &AppName) -> Result<BTreeMap<PersonId, Keep>, LedgerFault> {
        self.inner.keeps(app)
    }
    fn keep(&mut self, app: &AppName, person: &PersonId, keep: Option<&Keep>) -> Result<(), LedgerFault> {
        self.during("keep", |inner| inner.keep(app, person, keep))
    }
}

impl LeaseLedger for Watched<SledLedger> {
    fn instance(&mut self) -> Result<InstanceId, LedgerFault> {
        self.inner.instance()
    }
    fn noted_lease(&self, app: &AppName) -> Result<Option<LeaseMark>, LedgerFault> {
        self.inner.noted_lease(app)
    }
    fn note_lease(&mut self, app: &AppName, mark: &LeaseMark) -> Result<(), LedgerFault> {
        self.during("note_lease", |inner| inner.note_lease(app, mark))
    }
    fn doubt(&mut self, app: &AppName, mark: Option<&LeaseMark>) -> Result<(), LedgerFault> {
        self.during("doubt", |inner| inner.doubt(app, mark))
    }
}

impl HandLedger for Watched<SledLedger> {
    fn pauses(&self) -> Result<Pauses, LedgerFault> {
        self.inner.pauses()
    }
    fn pause(&mut self, app: Option<&AppName>, pause: Option<&Pause>) -> Result<(), LedgerFault> {
        self.during("pause", |inner| inner.pause(app, pause))
    }
    fn label(&self, app: &AppName, person: &PersonId) -> Result<Option<Label>, LedgerFault> {
        self.inner.label(app, person)
    }
    fn set_label(&mut self, app: &AppName, person: &PersonId, label: Option<&Label>) -> Result<(), LedgerFault> {
        self.during("set_label", |inner| inner.set_label(app, person, label))
    }
    fn tie(&mut self, app: &AppName, known: &KnownAccount) -> Result<(), LedgerFault> {
        self.during("tie", |inner| inner.tie(app, known))
    }
}

impl DeedLedger for Watched<SledLedger> {
    fn begin(&mut self, intent: &Intent, deed: &Deed) -> Result<(), LedgerFault> {
        self.during("begin", |inner| inner.begin(intent, deed))
    }
    fn finish(&mut self, intent: &Intent, settlement: &Settlement, deed: Option<&Deed>) -> Result<(), LedgerFault> {
        self.during("finish", |inner| inner.finish(intent, settlement, deed))
    }
    fn deed(&self, cycle: &CycleId, seq: u64) -> Result<Option<Deed>, LedgerFault> {
        self.inner.deed(cycle, seq)
    }
    fn deeds(&self, cycle: &CycleId) -> Result<Vec<Deed>, LedgerFault> {
        self.inner.deeds(cycle)
    }
    fn deeds_of(&self, app: &AppName, person: &PersonId) -> Result<Vec<Deed>, LedgerFault> {
        self.inner.deeds_of(app, person)
    }
    fn deed_cycles(&self) -> Result<Vec<DeedCycle>, LedgerFault> {
        self.inner.deed_cycles()
    }
    fn prune_deeds(&mut self) -> Result<(), LedgerFault> {
        self.during("prune_deeds", |inner| inner.prune_deeds())
    }
}

impl ServerLedger for Watched<SledLedger> {
    fn acquaintance(&self, directory: &DirectoryName) -> Result<Option<Acquaintance>, LedgerFault> {
        self.inner.acquaintance(directory)
    }
    fn acquaint(&mut self, directory: &DirectoryName, known: Option<&Acquaintance>) -> Result<(), LedgerFault> {
        self.during("acquaint", |inner| inner.acquaint(directory, known))
    }
    fn redirect(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        self.during("redirect", |inner| inner.redirect(app))
    }
}

impl Revisions for Watched<SledLedger> {
    fn revision(&self) -> Result<Revision, LedgerFault> {
        self.inner.revision()
    }
}

impl Ledger for Watched<SledLedger> {
    fn serial(&self) -> u64 {
        self.inner.serial()
    }
    fn app_standing(&self, app: &AppName) -> Result<AppStanding, LedgerFault> {
        self.inner.app_standing(app)
    }
    fn accept(&mut self, app: &AppName) -> Result<(), LedgerFault> {
        self.during("accept", |inner| inner.accept(app))
    }
    fn bind(&mut self, name: &str, identity: &str) -> Result<(), LedgerFault> {
        self.inner.bind(name, identity)
    }
    fn traces(&self, app: &AppName, directory: &DirectoryName) -> Result<Vec<Trace>, LedgerFault> {
        self.inner.traces(app, directory)
    }
    fn known(&self, app: &AppName, person: &PersonId) -> Result<Option<KnownAccount>, LedgerFault> {
        self.inner.known(app, person)
    }
    fn owner(&self, app: &AppName, account: AccountId) -> Result<Option<PersonId>, LedgerFault> {
        self.inner.owner(app, account)
    }
    fn remember(&mut self, app: &AppName, accounts: &[KnownAccount]) -> Result<(), LedgerFault> {
        self.during("remember", |inner| inner.remember(app, accounts))
    }
    fn pins(&self) -> Result<BTreeMap<PinKey, EntryId>, LedgerFault> {
        self.inner.pins()
    }
    fn pin(&mut self, pins: &BTreeMap<PinKey, EntryId>) -> Result<(), LedgerFault> {
        self.during("pin", |inner| inner.pin(pins))
    }
    fn groups(&self, directory: &DirectoryName) -> Result<BTreeMap<EntryId, GroupSeen>, LedgerFault> {
        self.inner.groups(directory)
    }
    fn keep_groups(
        &mut self,
        directory: &DirectoryName,
        groups: &BTreeMap<EntryId, GroupSeen>,
    ) -> Result<(), LedgerFault> {
        self.during("keep_groups", |inner| inner.keep_groups(directory, groups))
    }
    fn intend(&mut self, intent: &Intent) -> Result<(), LedgerFault> {
        self.during("intend", |inner| inner.intend(intent))
    }
    fn settle(&mut self, intent: &Intent, settlement: &Settlement) -> Result<(), LedgerFault> {
        self.during("settle", |inner| inner.settle(intent, settlement))
    }
    fn open_intents(&self) -> Result<Vec<Intent>, LedgerFault> {
        self.inner.open_intents()
    }
    fn holds(&self) -> Result<Vec<HoldRecord>, LedgerFault> {
        self.inner.holds()
    }
    fn keep_holds(&mut self, app: &AppName, holds: &[HoldRecord]) -> Result<(), LedgerFault> {
        self.during("keep_holds", |inner| inner.keep_holds(app, holds))
    }
    fn troubles(&self, app: &AppName) -> Result<BTreeMap<PersonId, Trouble>, LedgerFault> {
        self.inner.troubles(app)
    }
    fn keep_troubles(&mut self, app: &AppName, troubles: &BTreeMap<PersonId, Trouble>) -> Result<(), LedgerFault> {
        self.during("keep_troubles", |inner| inner.keep_troubles(app, troubles))
    }
    fn end_cycle(&mut self, summary: &CycleSummary) -> Result<(), LedgerFault> {
        self.during("end_cycle", |inner| inner.end_cycle(summary))
    }
    fn last_cycles(&self, count: usize) -> Result<Vec<CycleSummary>, LedgerFault> {
        self.inner.last_cycles(count)
    }
}

impl Report for Watched<Journal> {
    fn ready(&mut self) -> Result<(), ReportFault> {
        self.inner.ready()
    }
    fn tell(&mut self, notice: &Notice) -> Result<(), ReportFault> {
        self.during("tell", |inner| inner.tell(notice))
    }
    fn told(&mut self, cycle: &CycleId, seq: u64) -> Result<Told, ReportFault> {
        self.inner.told(cycle, seq)
    }
}

/// People by number with whether their account is in use, as the directory wants it in the end.
fn wanted(changed: bool) -> BTreeMap<u32, bool> {
    let everybody = if changed {
        vec![(1, false), (2, true), (3, true), (4, true), (5, true)]
    } else {
        vec![(1, true), (2, true), (3, true), (4, true)]
    };
    everybody.into_iter().collect()
}

fn change(company: &MemoryDirectory) {
    company.change(|company| {
        for group in company.groups.values_mut() {
            if group.dn.as_str() == AGENTS {
                group.members.remove(&person(1).id);
                group.members.insert(person(3).id);
            }
            if group.dn.as_str() == USERS {
                group.members.insert(person(5).id);
            }
        }
        company.people.insert(person(5).id, person(5));
        let two = company.people.get_mut(&person(2).id).expect("the second");
        two.set("displayName", "Another Name");
        two.set("mail", "another@example.org");
    });
}

/// Takes a moment up: opens what is on disk, goes on, and holds the end against what is wanted.
async fn take_up(moment: Moment, company: &MemoryDirectory, changed: bool) {
    let what = &moment.what;
    let opened = SledLedger::open(&moment.disk.path().join("state")).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    assert!(matches!(opened.condition, Condition::Sound | Condition::Fresh), "{what}: {}", opened.condition);
    let clock = MemoryClock::at("2026-11-03T08:00:00Z");
    let report = journal(moment.disk.path(), &clock).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    let (app, zendesk) = in_memory(moment.desk.clone(), rules(), &clock);
    let mut rig = Rig::over(AnyDirectory::Memory(company.clone()), app, no_limits(), clock, opened.ledger, report);
    for _ in 0..3 {
        let report = rig.cycle().await;
        assert!(matches!(report.ending, Ending::Done | Ending::Failed), "{what}: {report:#?}");
    }
    assert!(rig.plan().await.changes.is_empty(), "{what}: {:#?}", rig.plan().await);
    assert!(rig.engine.ledger.open_intents().expect("the store").is_empty(), "{what}");
    let desk = zendesk.desk();
    for (number, in_use) in wanted(changed) {
        let id = zendesk_dirsync::domain::id::ExternalId::own(person(number).id);
        let mine: Vec<_> =
            desk.users.values().filter(|user| user.live && user.external_id.as_ref() == Some(&id)).collect();
        assert_eq!(mine.len(), 1, "{what}: person {number} has {} accounts", mine.len());
        assert_eq!(mine[0].suspended.is_none(), in_use, "{what}: person {number}");
    }
    let agents: BTreeSet<u64> = desk.users.values().filter(|user| user.live).map(|user| user.id).collect();
    assert_eq!(agents.len(), wanted(changed).len() + 3, "{what}: nobody else has an account");
    drop(rig);
    // Every account that was made is told, and the report is whole, over all its files.
    let file = report_settings(moment.disk.path()).file;
    let verified = verify(&file).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    assert!(verified.is_sound(), "{what}: {verified:#?}");
    for number in wanted(false).keys() {
        let filter = Filter {
            user: Some(person(*number).id.to_string()),
            action: Some("provision".into()),
            ..Filter::default()
        };
        let found: Vec<_> = search(&file, &filter)
            .unwrap_or_else(|fault| panic!("{what}: {fault}"))
            .map(|found| found.unwrap_or_else(|fault| panic!("{what}: {fault}")).record)
            .collect();
        assert!(found.iter().any(|record| record.result == "done"), "{what}: nobody was told of {number}: {found:#?}");
    }
}

async fn photographed(changed: bool) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let company = directory(&[1, 2], &[3, 4]);
    let clock = MemoryClock::at(NOW);
    let (app, zendesk) = in_memory(memory_desk(&with_api_user()), rules(), &clock);
    let camera = Camera { dir: dir.path().to_owned(), zendesk, taken: Arc::default() };
    let ledger = SledLedger::open(&dir.path().join("state")).expect("a store").ledger;
    let journal = journal(dir.path(), &clock).expect("a report");
    let watched = Watched { inner: ledger, camera: camera.clone() };
    let told = Watched { inner: journal, camera: camera.clone() };
    let mut rig = Rig::over(AnyDirectory::Memory(company.clone()), app, no_limits(), clock, watched, told);
    if changed {
        assert_eq!(rig.cycle().await.ending, Ending::Done);
        camera.taken.lock().expect("nobody panics").clear();
        change(&company);
    }
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    let moments = std::mem::take(&mut *camera.taken.lock().expect("nobody panics"));
    assert!(moments.len() > 20, "only {} moments", moments.len());
    drop(rig);
    for (at, mut moment) in moments.into_iter().enumerate() {
        moment.what = format!("moment {at}, {}", moment.what);
        take_up(moment, &company, changed).await;
    }
}

/// The seed; memory's own API user is account 2.
fn with_api_user() -> sandbox::zendesk::Account {
    seed(50)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_cycle_that_is_killed_at_any_barrier_makes_one_account_a_person_and_tells_it() {
    photographed(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_changes_that_is_killed_at_any_barrier_is_finished_and_told() {
    photographed(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_lost_is_rebuilt_by_matching_without_a_second_account() {
    let company = directory(&[1, 2], &[3, 4]);
    let clock = MemoryClock::at(NOW);
    let (app, zendesk) = in_memory(memory_desk(&seed(50)), rules(), &clock);
    let mut rig = Rig::new(AnyDirectory::Memory(company.clone()), app, no_limits(), clock.clone());
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    let accounts = zendesk.desk().users.len();
    let writes = zendesk.writes().len();
    drop(rig);
    let (app, _) = in_memory(zendesk.desk(), rules(), &clock);
    let mut rig = Rig::new(AnyDirectory::Memory(company), app, no_limits(), clock);
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Done, "{report:#?}");
    assert!(rig.plan().await.changes.is_empty());
    let AnyDeskState { users, steps } = state(&rig);
    assert_eq!(users, accounts, "nobody got a second account");
    assert_eq!(steps, writes, "links write nothing");
}

struct AnyDeskState {
    users: usize,
    steps: usize,
}

fn state(rig: &Rig) -> AnyDeskState {
    let crate::support::rig::AnyDesk::Memory(zendesk) = &rig.engine.apps[0].desk else { panic!("in memory") };
    AnyDeskState { users: zendesk.desk().users.len(), steps: zendesk.writes().len() }
}
