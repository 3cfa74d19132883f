//! What goes wrong with real servers: rights withdrawn, a server killed or frozen in the middle of a read. Nobody is
//! removed, and nothing hangs past its deadline.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::settings::{Canary, DirectorySettings};
use zendesk_dirsync::engine::ports::ReadFault;
use zendesk_dirsync::engine::{CycleReport, Ending};

use crate::support::memory::{MemoryClock, MemoryZendesk};
use crate::support::rig::{AnyDirectory, Rig, Trip, no_limits};
use crate::support::rig_desk::{in_memory, memory_desk, rules};
use crate::support::rig_host::{Host, Place, ldap};
use crate::support::rig_read::{order, read};
use crate::support::scenario::{Change, Scenario};

/// Connecting and one answer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// A whole read.
const READ_TIMEOUT: Duration = Duration::from_secs(4);
/// A read and what follows it, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(12);
const BULK: usize = 300;

/// A settled rig over a real server, in whose directory one person has left since: a whole read would remove them.
struct Settled {
    host: Host,
    rig: Rig,
    zendesk: MemoryZendesk,
}

impl Settled {
    async fn at(place: Place) -> Option<Self> {
        let scenario = Scenario::load().with_bulk(BULK);
        let mut company = scenario.company();
        let mut host = Host::start(place, &scenario.directory, &company).await?;
        let clock = MemoryClock::at(&scenario.now.to_rfc3339());
        let (app, zendesk) = in_memory(memory_desk(&scenario.seed()), rules(&scenario, &host.renderer), &clock);
        let mut rig = Rig::new(host.directory(), app, no_limits(), clock);
        let report = rig.cycle().await;
        assert!(report.faults.is_empty(), "{report:#?}");
        let change = Change::Leave { group: "tier1".into(), people: vec!["leo".into()] };
        let before = company.clone();
        company.apply(&change);
        host.change(&before, &company, &change).await;
        let plan = rig.plan().await;
        assert_eq!(plan.changes.len(), 1, "a whole read shows that leo left: {plan:#?}");
        Some(Self { host, rig, zendesk })
    }

    /// The server gets a signal once so many people were come upon.
    fn signal_after(&mut self, after: usize, signal: Signal) {
        let mut settings = self.host.settings();
        (settings.timeout, settings.read_timeout, settings.page_size) = (TIMEOUT, READ_TIMEOUT, 50);
        let inner = Box::new(ldap(settings, &self.host.password()));
        let send = self.host.server().signaller();
        let trip: Trip = Arc::new(move || send(signal));
        self.rig.engine.directories[0] = AnyDirectory::Tripped { inner, after, trip };
    }

    /// How many people a whole read comes upon.
    async fn people(&mut self) -> usize {
        let scenario = Scenario::load().with_bulk(BULK);
        let company = scenario.company();
        let groups: Vec<String> =
            ["leads", "tier1", "staff"].iter().map(|key| self.host.renderer.group_dn(&company, key)).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        read(&mut self.host.directory(), order(&groups), |_| {}).await.sights.len()
    }

    /// A cycle that must end in time with a fault and without a write.
    async fn nothing_happens(&mut self, what: &str) -> CycleReport {
        let writes = self.zendesk.writes().len();
        let began = Instant::now();
        let report = tokio::time::timeout(DEADLINE, self.rig.cycle()).await;
        let report = report.unwrap_or_else(|_| panic!("{what}: the cycle still ran after {DEADLINE:?}"));
        assert!(began.elapsed() < DEADLINE, "{what}");
        assert_eq!(self.zendesk.writes().len(), writes, "{what}: something was written");
        assert_eq!(report.ending, Ending::Directory, "{what}: {report:#?}");
        assert!(!report.faults.is_empty(), "{what}: {report:#?}");
        report
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_the_middle_of_a_read_removes_nobody() {
    for (place, share) in [(Place::Slapd, 0), (Place::Slapd, 50), (Place::Samba, 50)] {
        let Some(mut settled) = Settled::at(place).await else { continue };
        let after = 1 + settled.people().await * share / 100;
        settled.signal_after(after, Signal::KILL);
        let report = settled.nothing_happens(&format!("{place:?} killed after {after} people")).await;
        assert!(report.plans.values().all(|plan| plan.changes.is_empty()), "{report:#?}");
        // It stays away: still nothing.
        settled.nothing_happens(&format!("{place:?} is gone")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_freezes_holds_nothing_up_and_removes_nobody() {
    for place in [Place::Slapd, Place::Samba] {
        let Some(mut settled) = Settled::at(place).await else { continue };
        let all = settled.people().await;
        // After the last person, the look-up of the one who left is what hangs.
        for after in [1, all / 2, all] {
            settled.signal_after(after, Signal::STOP);
            let what = format!("{place:?} frozen after {after} of {all} people");
            let report = settled.nothing_happens(&what).await;
            let removals = report.plans.values().flat_map(|plan| &plan.changes).count();
            assert_eq!(removals, 0, "{what}: {report:#?}");
            settled.nothing_happens(&format!("{what}, and frozen from the start")).await;
            settled.host.server().signaller()(Signal::CONT);
            settled.rig.engine.directories[0] = settled.host.directory();
            let plan = settled.rig.plan().await;
            assert_eq!(plan.changes.len(), 1, "{what}, thawed: the next read is whole: {plan:#?}");
        }
        settled.rig.cycle().await;
        assert!(settled.rig.plan().await.changes.is_empty(), "{place:?}: leo is removed in the end");
    }
}

/// Replaces the rights on the directory by others; slapd takes them at once.
fn rights(host: &Host, rules: &[&str]) {
    let mut ldif = "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n".to_owned();
    let first = "to attrs=userPassword by self write by anonymous auth by * none";
    for (at, rule) in std::iter::once(&first).chain(rules).enumerate() {
        ldif.push_str(&format!("olcAccess: {{{at}}}{rule}\n"));
    }
    host.server().modify(&(ldif + "-\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_withdrawn_remove_nobody() {
    let Some(mut settled) = Settled::at(Place::Slapd).await else { return };
    let company = Scenario::load().with_bulk(BULK).company();
    let renderer = settled.host.renderer.clone();
    // leo goes first, so that from here on nothing at all is to be done.
    settled.rig.cycle().await;
    assert!(settled.rig.plan().await.changes.is_empty());
    let svc = "by dn.exact=\"cn=svc,dc=example,dc=org\"";
    let read = format!("to * {svc} read by self read by anonymous auth by * none");
    let people = renderer.unit_dn(&company, "people");
    let groups = renderer.unit_dn(&company, "groups");
    let bulk = renderer.unit_dn(&company, "bulk");
    let kim = renderer.person_dn(&company, "kim");
    let hidden = [
        ("nothing is shown any more", vec!["to * by anonymous auth by * none".to_owned()]),
        ("the people are hidden", vec![format!("to dn.subtree=\"{people}\" by * none"), read.clone()]),
        ("many people are hidden", vec![format!("to dn.subtree=\"{bulk}\" by * none"), read.clone()]),
        ("one person is hidden", vec![format!("to dn.exact=\"{kim}\" by * none"), read.clone()]),
        ("the groups are hidden", vec![format!("to dn.subtree=\"{groups}\" by * none"), read.clone()]),
        ("the members are hidden", vec!["to attrs=member by * none".to_owned(), read.clone()]),
        ("the mails are hidden", vec!["to attrs=mail by * none".to_owned(), read.clone()]),
        ("the ids are hidden", vec!["to attrs=entryUUID by * none".to_owned(), read.clone()]),
        ("the classes are hidden", vec!["to attrs=objectClass by * none".to_owned(), read.clone()]),
        ("one unit's names are hidden", vec![format!("to dn.subtree=\"{bulk}\" attrs=entry by * none"), read.clone()]),
    ];
    for (what, rules) in &hidden {
        rights(&settled.host, &rules.iter().map(String::as_str).collect::<Vec<_>>());
        let writes = settled.zendesk.writes().len();
        // Twice, because what is absent twice counts.
        for cycle in 1..=2 {
            let report = settled.rig.cycle().await;
            assert_eq!(settled.zendesk.writes().len(), writes, "{what}, cycle {cycle}: {report:#?}");
            // People whose mail can't be read are told of once.
            let told = report.ending != Ending::Done || cycle > 1;
            assert!(told, "{what}, cycle {cycle}: somebody must hear of it: {report:#?}");
        }
        rights(&settled.host, &[&read]);
        let plan = settled.rig.plan().await;
        assert!(plan.changes.is_empty() && plan.faults.is_empty(), "{what}, given back: {plan:#?}");
        settled.rig.cycle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_falls_silent_with_the_rights_that_it_needs() {
    for place in [Place::Slapd, Place::Samba] {
        let Some(settled) = Settled::at(place).await else { continue };
        let company = Scenario::load().with_bulk(BULK).company();
        let (staff, kim) =
            (settled.host.renderer.group_dn(&company, "staff"), settled.host.renderer.person_dn(&company, "kim"));
        let canary = |dn: &str, attribute: Option<&str>| Canary {
            dn: Dn::parse(dn).expect("a DN"),
            attribute: attribute.map(str::to_owned),
        };
        let canaries = vec![canary(&staff, Some("member")), canary(&kim, Some("mail")), canary(&kim, None)];
        let settings = DirectorySettings { canaries, ..settled.host.settings() };
        let mut directory = ldap(settings, &settled.host.password());
        let seen = read(&mut directory, order(&[&staff]), |_| {}).await;
        seen.end.unwrap_or_else(|fault| panic!("{place:?}: {fault}"));
        // Samba has no rights that could be changed from here.
        if place == Place::Samba {
            continue;
        }
        let all = "to * by dn.exact=\"cn=svc,dc=example,dc=org\" read by self read by anonymous auth by * none";
        for hidden in ["to attrs=member by * none".to_owned(), format!("to dn.exact=\"{kim}\" by * none")] {
            rights(&settled.host, &[&hidden, all]);
            let fault = read(&mut directory, order(&[&staff]), |_| {}).await.end.expect_err("a canary is silent");
            assert!(fault.to_string().contains("can't see"), "{hidden}: {fault}");
        }
        rights(&settled.host, &[all]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_takes_too_long_is_a_fault_in_time() {
    let Some(mut settled) = Settled::at(Place::Slapd).await else { return };
    settled.signal_after(1, Signal::STOP);
    let began = Instant::now();
    let company = Scenario::load().with_bulk(BULK).company();
    let staff = settled.host.renderer.group_dn(&company, "staff");
    let seen = read(&mut settled.rig.engine.directories[0], order(&[&staff]), |_| {}).await;
    let fault = seen.end.expect_err("half a read is none");
    assert!(matches!(fault, ReadFault::Unreachable { .. } | ReadFault::Incomplete(_)), "{fault}");
    assert!(began.elapsed() < READ_TIMEOUT + TIMEOUT * 2, "it took {:?}", began.elapsed());
    settled.host.server().signaller()(Signal::CONT);
}
