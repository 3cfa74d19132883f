//! The LDAP adapter with canaries and ignored contexts: what must be readable, and what may be passed over.

use std::sync::Arc;

use sandbox::directory::{Do, Fault, Op, Running};
use zendesk_dirsync::directory::Health;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::settings::{Canary, DirectorySettings};
use zendesk_dirsync::engine::Ending;

use super::directory_rig::{Settled, person_dn, reader};
use crate::support::ldif::Dialect;
use crate::support::rig::AnyDirectory;
use crate::support::rig_host::ldap;
use crate::support::rig_small::USERS;

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];
const PEOPLE: usize = 12;
const LEAVER: usize = 9;

fn canary(dn: &str, attribute: Option<&str>) -> Canary {
    Canary { dn: Dn::parse(dn).expect("a DN"), attribute: attribute.map(str::to_owned) }
}

fn watched(settings: &mut DirectorySettings) {
    settings.page_size = 5;
    settings.canaries =
        vec![canary(USERS, Some("member")), canary(&person_dn(3), Some("MAIL")), canary(&person_dn(4), None)];
}

/// What a reader may be kept from, so that a canary falls silent.
fn hidings() -> [(String, Option<&'static str>); 6] {
    [
        (USERS.to_owned(), Some("member")),
        (USERS.to_owned(), None),
        (person_dn(3), Some("mail")),
        (person_dn(3), None),
        (person_dn(4), None),
        ("ou=people,dc=example,dc=org".to_owned(), Some("mail")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_cannot_be_seen_ends_the_read_and_check_names_it() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], watched).await;
        let (removals, faults) = settled.removals().await;
        assert_eq!((removals.len(), faults.len()), (1, 0), "{dialect:?}: all can be seen");
        for (dn, attribute) in hidings() {
            let what = format!("{dialect:?}: {dn} {attribute:?}");
            settled.running.hide(&dn, attribute);
            let writes = settled.zendesk.writes().len();
            let report = settled.rig.cycle().await;
            assert_eq!((report.ending, settled.zendesk.writes().len()), (Ending::Directory, writes), "{what}");
            let fault = report.faults.values().next().expect("a fault").to_string();
            assert!(fault.contains("can't see") && fault.contains("canary"), "{what}: {fault}");
            let mut settings = reader(&settled.running, dialect);
            watched(&mut settings);
            let findings = ldap(settings, "svcpw").check(&[]).await;
            let canaries: Vec<_> = findings.iter().filter(|one| one.what.contains("canary")).collect();
            assert_eq!(canaries.len(), 3, "{what}: {findings:#?}");
            assert!(canaries.iter().any(|one| one.health == Health::Bad), "{what}: {canaries:#?}");
            assert!(canaries.iter().all(|one| one.repeat.is_some()), "{what}: each can be repeated");
            settled.running.unhide_all();
        }
        let (removals, faults) = settled.removals().await;
        assert_eq!((removals.len(), faults.len()), (1, 0), "{dialect:?}: given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_withdrawn_in_the_middle_of_a_read_ends_it() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], watched).await;
        let mut settings = reader(&settled.running, dialect);
        watched(&mut settings);
        let running: Arc<Running> = Arc::new(settled.running);
        let hider = Arc::clone(&running);
        let trip = Arc::new(move || hider.hide(&person_dn(4), None));
        let inner = Box::new(ldap(settings, "svcpw"));
        settled.rig.engine.directories = vec![AnyDirectory::Tripped { inner, after: 2, trip }];
        let plan = settled.rig.plan().await;
        let kinds: Vec<&str> = plan.faults.values().map(|fault| fault.kind.as_str()).collect();
        assert_eq!((kinds, plan.changes.len()), (vec!["directory_incomplete"], 0), "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_group_that_comes_in_ranges_is_seen_as_a_canary() {
    let watch = |settings: &mut DirectorySettings| settings.canaries = vec![canary(USERS, Some("member"))];
    let mut settled = Settled::new(Dialect::ActiveDirectory, 1_600, &[], watch).await;
    let plan = settled.rig.plan().await;
    assert!(plan.faults.is_empty() && plan.changes.is_empty(), "{:#?}", plan.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_into_an_ignored_context_is_passed_over_and_any_other_is_not() {
    for dialect in KINDS {
        for (ignored, whole) in
            [("dc=elsewhere,dc=invalid", true), ("dc=invalid", true), ("ou=a,dc=elsewhere,dc=invalid", false)]
        {
            let ignore = |settings: &mut DirectorySettings| {
                settings.ignored_contexts = vec![Dn::parse(ignored).expect("a DN")];
            };
            let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], ignore).await;
            settled.running.push_faults(vec![Fault::new(Op::Search, Do::Reference)]);
            let plan = settled.rig.plan().await;
            let removed = plan.changes.iter().filter(|change| change.action == "deprovision").count();
            assert_eq!((removed, plan.faults.is_empty()), (usize::from(whole), whole), "{dialect:?}, {ignored}");
            if let Some(fault) = plan.faults.values().next() {
                assert!(fault.message.contains("ldap://elsewhere.invalid"), "it names what is elsewhere: {fault:?}");
            }
        }
    }
}
