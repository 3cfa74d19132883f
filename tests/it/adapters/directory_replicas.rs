//! The LDAP adapter over servers that lag, were put back to an older state, or are others: nobody is removed by the word
//! of a server that may not have heard yet.

use sandbox::directory::{Backup, Do, Fault, Op, Options, Running, start};
use zendesk_dirsync::domain::server::Mark;
use zendesk_dirsync::engine::command::{Command, Reply};
use zendesk_dirsync::engine::ports::{Directory as _, ReadFault};
use zendesk_dirsync::engine::view::PlanView;
use zendesk_dirsync::engine::{Ending, Stop};

use super::directory_rig::{Settled, ldif, person_dn, reader, serve};
use crate::support::ldif::Dialect;
use crate::support::rig::{AnyDirectory, Unheard};
use crate::support::rig_host::{any_port, ldap, sandbox_kind};
use crate::support::rig_read::{noon, order, read};
use crate::support::rig_small::{DIRECTORY, USERS};

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];
const PEOPLE: usize = 6;
const LATE: usize = 5;

fn mail(number: usize) -> String {
    format!("person-{number}@example.org")
}

/// Takes somebody into the users' group, or out of it.
fn member(running: &Running, verb: &str, number: usize) {
    let dn = person_dn(number);
    let ldif = format!("dn: {USERS}\nchangetype: modify\n{verb}: member\nmember: {dn}\n-\n\n");
    running.apply_ldif(&ldif).unwrap_or_else(|fault| panic!("{fault}"));
}

/// A server that holds what a backup does.
async fn replica(dialect: Dialect, backup: &Backup) -> Running {
    let running = serve(dialect, PEOPLE, 2).await;
    running.restore(backup);
    running
}

/// Has the engine read these servers, in this order.
fn point(settled: &mut Settled, dialect: Dialect, servers: &[&Running]) {
    let mut settings = reader(&settled.running, dialect);
    settings.urls = servers.iter().flat_map(|one| reader(one, dialect).urls).collect();
    settled.rig.engine.directories = vec![AnyDirectory::Ldap(Box::new(ldap(settings, "svcpw")))];
}

/// Has a server answer nobody, or everybody again.
fn down(running: &Running) {
    running.push_faults(vec![Fault::new(Op::Bind, Do::Drop)]);
}

fn up(running: &Running) {
    running.clear_faults();
}

fn removed(plan: &PlanView) -> Vec<String> {
    plan.changes.iter().filter(|change| change.action == "deprovision").map(|change| change.user.clone()).collect()
}

fn waiting(plan: &PlanView) -> Vec<(String, String)> {
    plan.waiting.iter().map(|one| (one.user.clone(), one.why.clone())).collect()
}

fn faults(plan: &PlanView) -> Vec<&str> {
    plan.faults.values().map(|fault| fault.kind.as_str()).collect()
}

/// Everybody has an account, somebody was taken into the group last, and the backup is from before that.
async fn settled_after_a_backup(dialect: Dialect) -> (Settled, Backup) {
    let mut settled = Settled::new(dialect, PEOPLE, &[LATE], |_| {}).await;
    let backup = settled.running.backup();
    member(&settled.running, "add", LATE);
    let report = settled.rig.cycle().await;
    assert!(report.faults.is_empty(), "{report:#?}");
    (settled, backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_put_back_to_an_older_state_removes_nobody_until_a_person_accepts_it() {
    for dialect in KINDS {
        let (mut settled, backup) = settled_after_a_backup(dialect).await;
        settled.running.restore(&backup);
        let writes = settled.zendesk.writes().len();
        for cycle in 1..=3 {
            let report = settled.rig.cycle().await;
            assert_eq!(report.ending, Ending::Directory, "{dialect:?}, cycle {cycle}");
            let fault = report.faults.values().next().expect("a fault");
            assert!(matches!(fault, ReadFault::Behind { .. }), "{dialect:?}: {fault}");
            assert!(fault.hint().contains("servers accept"), "it says what to do");
        }
        assert_eq!(settled.zendesk.writes().len(), writes, "{dialect:?}");

        let accept = Command::AcceptServers { directory: DIRECTORY.to_owned() };
        let reply = settled.rig.engine.carry_out(accept, "olga", Stop::never(), &mut Unheard).await;
        assert!(matches!(reply, Reply::Servers(_)), "{reply:?}");
        let plan = settled.rig.plan().await;
        assert_eq!((removed(&plan), faults(&plan)), (vec![mail(LATE)], vec![]), "{dialect:?}");
        let held = plan.changes[0].held.as_ref().map(|held| held.limit.clone());
        assert_eq!(held.as_deref(), Some("other_server"), "{dialect:?}: what an accepted server shows waits once");
        let report = settled.rig.cycle().await;
        assert_eq!((report.ending, settled.zendesk.writes().len()), (Ending::Held, writes), "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_behind_makes_room_for_one_that_is_not() {
    for dialect in KINDS {
        let (mut settled, backup) = settled_after_a_backup(dialect).await;
        let good = replica(dialect, &settled.running.backup()).await;
        settled.running.restore(&backup);
        point_at_both(&mut settled, dialect, &good);
        let plan = settled.rig.plan().await;
        assert_eq!((removed(&plan), faults(&plan)), (vec![], vec![]), "{dialect:?}");
        assert!(plan.waiting.is_empty(), "{dialect:?}: {plan:#?}");
        assert!(good.log().iter().any(|entry| entry.filter.contains("person")), "{dialect:?}: people were read there");
    }
}

fn point_at_both(settled: &mut Settled, dialect: Dialect, second: &Running) {
    let mut settings = reader(&settled.running, dialect);
    settings.urls.extend(reader(second, dialect).urls);
    settled.rig.engine.directories = vec![AnyDirectory::Ldap(Box::new(ldap(settings, "svcpw")))];
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_openldap_that_lags_is_not_read_and_one_that_caught_up_is_believed_at_once() {
    let dialect = Dialect::OpenLdap;
    let (mut settled, backup) = settled_after_a_backup(dialect).await;
    let second = replica(dialect, &backup).await;
    point_at_both(&mut settled, dialect, &second);
    down(&settled.running);
    let plan = settled.rig.plan().await;
    assert_eq!((removed(&plan), faults(&plan)), (vec![], vec!["directory_behind"]));
    let told = plan.faults.values().next().map(|fault| fault.message.clone()).unwrap_or_default();
    assert!(told.contains("contextCSN") || told.contains("provider"), "{told}");

    up(&settled.running);
    member(&settled.running, "delete", 4);
    second.restore(&settled.running.backup());
    down(&settled.running);
    let plan = settled.rig.plan().await;
    assert_eq!((removed(&plan), faults(&plan)), (vec![mail(4)], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_controller_stops_nothing_but_removals_and_these_for_one_read() {
    let dialect = Dialect::ActiveDirectory;
    let (mut settled, backup) = settled_after_a_backup(dialect).await;
    let second = replica(dialect, &backup).await;
    second.renew_invocation();
    let renamed = format!("dn: {}\nchangetype: modify\nreplace: displayName\ndisplayName: New\n-\n\n", person_dn(1));
    second.apply_ldif(&renamed).unwrap_or_else(|fault| panic!("{fault}"));
    point_at_both(&mut settled, dialect, &second);
    down(&settled.running);
    let plan = settled.rig.plan().await;
    assert_eq!((removed(&plan), faults(&plan)), (vec![], vec![]), "{plan:#?}");
    let waits = waiting(&plan);
    assert!(
        matches!(&waits[..], [(user, why)] if *user == mail(LATE) && why.contains("never read before")),
        "{waits:?}"
    );
    let updated: Vec<_> = plan.changes.iter().map(|change| (change.user.clone(), change.action.clone())).collect();
    assert_eq!(updated, [(mail(1), "update".to_owned())]);
    // It may have lagged for a moment: what it shows then counts.
    settled.rig.cycle().await;
    let plan = settled.rig.plan().await;
    assert_eq!((removed(&plan), waiting(&plan)), (vec![mail(LATE)], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_lags_removes_nobody_however_often_it_takes_turns_with_another() {
    let dialect = Dialect::ActiveDirectory;
    let (mut settled, backup) = settled_after_a_backup(dialect).await;
    let second = replica(dialect, &backup).await;
    second.renew_invocation();
    point_at_both(&mut settled, dialect, &second);
    let writes = settled.zendesk.writes().len();
    for turn in 1..=4 {
        down(&settled.running);
        let report = settled.rig.cycle().await;
        assert!(report.faults.is_empty(), "turn {turn}: {report:#?}");
        up(&settled.running);
        let report = settled.rig.cycle().await;
        assert!(report.faults.is_empty(), "turn {turn}: {report:#?}");
        assert_eq!(settled.zendesk.writes().len(), writes, "turn {turn}");
    }
    // Whoever both say is gone goes, though no two reads in a row came from one.
    member(&settled.running, "delete", LATE);
    settled.rig.cycle().await;
    assert!(settled.zendesk.writes().len() > writes, "the one that was read last is believed at once");
    member(&settled.running, "delete", 4);
    member(&second, "delete", 4);
    down(&settled.running);
    let plan = settled.rig.plan().await;
    assert_eq!(removed(&plan), Vec::<String>::new());
    let waits = waiting(&plan);
    assert!(matches!(&waits[..], [(user, why)] if *user == mail(4) && why.contains("another server")), "{waits:?}");
    settled.rig.cycle().await;
    up(&settled.running);
    let plan = settled.rig.plan().await;
    assert_eq!(removed(&plan), [mail(4)], "a second server says so too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_was_restored_under_another_name_counts_as_another() {
    let dialect = Dialect::ActiveDirectory;
    let (mut settled, backup) = settled_after_a_backup(dialect).await;
    settled.running.restore(&backup);
    settled.running.renew_invocation();
    let plan = settled.rig.plan().await;
    assert_eq!((removed(&plan), faults(&plan)), (vec![], vec![]));
    assert_eq!(waiting(&plan).len(), 1, "{plan:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_that_a_new_controller_shows_needs_two_more_reads() {
    let dialect = Dialect::ActiveDirectory;
    let mut settled = Settled::new(dialect, PEOPLE, &[], |_| {}).await;
    let second = replica(dialect, &settled.running.backup()).await;
    second.renew_invocation();
    // Hidden and named by no group: not found, and no tombstone.
    member(&second, "delete", LATE);
    second.hide(&person_dn(LATE), None);
    point_at_both(&mut settled, dialect, &second);
    down(&settled.running);
    let mut told = Vec::new();
    for _ in 1..=3 {
        let plan = settled.rig.plan().await;
        told.push((removed(&plan).len(), waiting(&plan).len()));
        settled.rig.cycle().await;
    }
    assert_eq!(told, [(0, 1), (0, 1), (1, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_directory_under_the_same_name_is_held_whole() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[], |_| {}).await;
        let own = match dialect {
            Dialect::OpenLdap => "entryUUID: 11111111-2222-3333-4444-555555555555",
            Dialect::ActiveDirectory => "objectGUID:: EREREREREREREREREREREQ==",
        };
        let top = "dn: dc=example,dc=org\n";
        let staging = ldif(dialect, 2, 0).replacen(top, &format!("{top}{own}\n"), 1);
        let other = start(any_port(), Options::new(sandbox_kind(dialect), staging)).await;
        let other = other.unwrap_or_else(|fault| panic!("{fault}"));
        point(&mut settled, dialect, &[&other]);
        let writes = settled.zendesk.writes().len();
        for _ in 1..=3 {
            let report = settled.rig.cycle().await;
            let fault = report.faults.values().next().expect("a fault");
            assert!(matches!(fault, ReadFault::Foreign { .. }), "{dialect:?}: {fault}");
        }
        assert_eq!(settled.zendesk.writes().len(), writes, "{dialect:?}");
        let right = replica(dialect, &settled.running.backup()).await;
        point(&mut settled, dialect, &[&right]);
        let plan = settled.rig.plan().await;
        assert!(plan.faults.is_empty() && plan.changes.is_empty(), "{dialect:?}: {plan:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_is_not_asked_of_another_state_than_the_read() {
    for dialect in KINDS {
        let running = serve(dialect, PEOPLE, 2).await;
        let older = running.backup();
        member(&running, "delete", LATE);
        let mut directory = ldap(reader(&running, dialect), "svcpw");
        let seen = read(&mut directory, order(&[USERS]), |_| {}).await;
        let end = seen.end.unwrap_or_else(|fault| panic!("{fault}"));
        assert_ne!(end.end().server.mark, Mark::Untold, "{dialect:?}");
        let person = &seen.sights[0];
        let zendesk_dirsync::domain::scope::Sight::Person(person) = person else { panic!("{person:?}") };
        let (entry, dn) = (person.entry.id, person.entry.dn.clone());
        running.restore(&older);
        // The connection that the read left open breaks; the next one meets the older state.
        running.push_faults(vec![Fault::new(Op::Search, Do::Drop).nth(1)]);
        let told = directory.look_up(entry, &dn, &std::collections::BTreeSet::new(), noon()).await;
        assert!(
            matches!(&told, Err(ReadFault::Incomplete(why)) if why.contains("older state")),
            "{dialect:?}: {told:?}"
        );
    }
}
