//! Directories of every size around a page and a range: all are seen, each once, over plain LDAP, LDAPS and StartTLS.

use std::collections::BTreeSet;

use sandbox::directory::{Options, TlsDir, TlsMode, start};
use zendesk_dirsync::domain::settings::{Protection, Ranges};

use super::directory_rig::{ldif, reader, serve};
use crate::support::ldif::Dialect;
use crate::support::rig_host::{any_port, ldap, sandbox_kind};
use crate::support::rig_read::{order, read};
use crate::support::rig_small::{AGENTS, USERS};

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_people_around_a_page_is_read_whole() {
    const PAGE: usize = 10;
    for dialect in KINDS {
        for people in [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 10 * PAGE + 1] {
            let running = serve(dialect, people, people.min(3)).await;
            let mut settings = reader(&running, dialect);
            settings.page_size = u32::try_from(PAGE).expect("a small number");
            let seen = read(&mut ldap(settings, "svcpw"), order(&[AGENTS, USERS]), |_| {}).await;
            let end = seen.end.as_ref().unwrap_or_else(|fault| panic!("{dialect:?}, {people}: {fault}")).end();
            let ids: BTreeSet<_> = seen.people().iter().map(|one| one.entry.id).collect();
            assert_eq!((ids.len(), seen.sights.len()), (people, people), "{dialect:?}");
            assert_eq!(end.tally.pages_asked, end.tally.pages_whole, "{dialect:?}, {people}");
            let twice = seen.people().into_iter().filter(|one| one.memberships.len() == 2).count();
            assert_eq!(twice, people.min(3), "{dialect:?}, {people}: agents are users too");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_members_around_a_range_is_read_whole() {
    for people in [1_499, 1_500, 1_501, 5_000] {
        let running = serve(Dialect::ActiveDirectory, people, 2).await;
        for ranges in [Ranges::AsServed, Ranges::Forced(1_000)] {
            let mut settings = reader(&running, Dialect::ActiveDirectory);
            (settings.ranges, settings.page_size) = (ranges, 1_000);
            let seen = read(&mut ldap(settings, "svcpw"), order(&[USERS]), |_| {}).await;
            let end = seen.end.as_ref().unwrap_or_else(|fault| panic!("{people}, {ranges:?}: {fault}")).end();
            assert_eq!(seen.people().len(), people, "{ranges:?}");
            assert_eq!(end.groups.values().map(|group| group.members).sum::<usize>(), people, "{ranges:?}");
            assert_eq!(end.tally.ranges_asked, end.tally.ranges_whole, "{people}, {ranges:?}");
            assert!(end.dangling.is_empty(), "{people}, {ranges:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_read_over_every_kind_of_connection() {
    for dialect in KINDS {
        let mut told = Vec::new();
        for protection in [Protection::Plaintext, Protection::Ldaps, Protection::StartTls] {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let mut options = Options::new(sandbox_kind(dialect), ldif(dialect, 30, 2));
            let mode = match protection {
                Protection::Plaintext => None,
                Protection::Ldaps => Some(TlsMode::Ldaps),
                Protection::StartTls => Some(TlsMode::StartTls),
            };
            options.tls = mode.map(|mode| TlsDir { dir: dir.path().to_owned(), mode });
            options.require_tls = mode.is_some();
            let running = start(any_port(), options).await.unwrap_or_else(|fault| panic!("{fault}"));
            let mut settings = reader(&running, dialect);
            settings.urls[0].protection = protection;
            settings.ca_file = running.ca_path();
            let seen = read(&mut ldap(settings, "svcpw"), order(&[USERS]), |_| {}).await;
            seen.end.as_ref().unwrap_or_else(|fault| panic!("{dialect:?} {protection:?}: {fault}"));
            let mut mails: Vec<String> =
                seen.people().iter().filter_map(|one| one.entry.attributes.text("mail").map(str::to_owned)).collect();
            mails.sort();
            told.push(mails);
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{dialect:?}");
        assert_eq!(told[0].len(), 30, "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_listener_holds_the_read_back_and_loses_nobody() {
    let running = serve(Dialect::OpenLdap, 700, 2).await;
    let mut settings = reader(&running, Dialect::OpenLdap);
    settings.page_size = 50;
    let (mut directory, mut heard) = (ldap(settings, "svcpw"), 0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let listen = async {
        let mut pages = Vec::new();
        while receiver.recv().await.is_some() {
            heard += 1;
            tokio::task::yield_now().await;
            if heard % 100 == 0 {
                let asked =
                    running.log().iter().filter(|entry| entry.op == "search").map(|entry| entry.entries).sum::<usize>();
                pages.push(asked.saturating_sub(heard));
            }
        }
        pages
    };
    use zendesk_dirsync::engine::ports::Directory as _;
    let (end, ahead) = tokio::join!(directory.read(order(&[USERS]), sender), listen);
    end.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(heard, 700);
    // What the adapter reads ahead is a few pages, whatever the size of the directory.
    assert!(ahead.len() == 7 && ahead.iter().all(|entries| *entries <= 300), "{ahead:?}");
}
