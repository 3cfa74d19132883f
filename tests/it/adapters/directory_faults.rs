//! The LDAP adapter over the sandbox's directory, which goes wrong in every way at every place. Whatever it is, nobody is
//! removed who didn't leave, and nobody at all on half a read.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::directory::{Do, Fault, LogEntry, Op, Scope};
use tokio::task::JoinSet;
use tokio::time::Instant;
use zendesk_dirsync::domain::settings::DirectorySettings;

use super::directory_rig::{Settled, person_dn};
use crate::support::ldif::Dialect;
use crate::support::rig_small::{AGENTS, USERS};

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];
const PAGE: u32 = 5;
const PEOPLE: usize = 12;
const LEAVER: usize = 9;
fn small_pages(settings: &mut DirectorySettings) {
    settings.page_size = PAGE;
}

fn short_waits(settings: &mut DirectorySettings) {
    settings.page_size = PAGE;
    settings.timeout = Duration::from_millis(700);
    settings.read_timeout = Duration::from_millis(2_500);
}

/// What a whole plan asks, in order, from a fresh log.
pub async fn asked(settled: &mut Settled) -> Vec<LogEntry> {
    settled.running.clear_log();
    let (removals, faults) = settled.removals().await;
    assert_eq!((removals, faults), (vec![format!("person-{LEAVER}@example.org")], vec![]), "a whole read");
    settled.running.log()
}

/// Whether a search only asks a server who it is, or what it has to offer.
fn is_root(entry: &LogEntry) -> bool {
    entry.base.is_empty()
}

pub fn searches(log: &[LogEntry]) -> Vec<LogEntry> {
    log.iter().filter(|entry| entry.op == "search").cloned().collect()
}

/// The first search that looks the one who left up, as its place among the searches: what is behind it is no part of
/// the read.
fn first_look_up(settled: &Settled, searches: &[LogEntry]) -> usize {
    let marks = settled.marks(LEAVER);
    let marked = |text: &str| marks.iter().any(|mark| text.to_lowercase().contains(mark));
    let found = searches.iter().position(|entry| marked(&entry.filter) || marked(&entry.base));
    found.unwrap_or_else(|| panic!("nobody was looked up by {marks:?}: {searches:#?}"))
}

/// What may come of a fault: nothing removed and a fault told; where the search is no part of the read's proof (the
/// root DSE), the whole plan may stand.
pub async fn nobody_is_removed(settled: &mut Settled, what: &str, entry: &LogEntry) {
    let writes = settled.zendesk.writes().len();
    let (removals, faults) = settled.removals().await;
    if is_root(entry) && faults.is_empty() {
        assert_eq!(removals.len(), 1, "{what}: {removals:?}");
        return;
    }
    assert!(removals.is_empty(), "{what}: {removals:?} would be removed");
    assert!(!faults.is_empty(), "{what}: nobody hears of it");
    assert_eq!(settled.zendesk.writes().len(), writes, "{what}");
}

/// What may come of a connection that ends during a look-up: that is asked again on a new one, so the one who left may
/// be removed on the whole answer to that; nobody else.
async fn nobody_else_is_removed(settled: &mut Settled, what: &str) {
    let (removals, faults) = settled.removals().await;
    let leaver = format!("person-{LEAVER}@example.org");
    assert!(removals.iter().all(|user| *user == leaver), "{what}: {removals:?} would be removed");
    assert!(removals.is_empty() != faults.is_empty(), "{what}: {removals:?}, {faults:?}");
}

/// Whether a search carried the control of RFC 2696.
pub fn is_paged(entry: &LogEntry) -> bool {
    entry.controls.iter().any(|control| control == "1.2.840.113556.1.4.319")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_a_look_up_does_not_find_is_absent_at_most() {
    // Result 32 wherever it is possible: at worst an absence begins, which needs a second read in a later cycle.
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], small_pages).await;
        let searches = searches(&asked(&mut settled).await);
        for (at, entry) in searches.iter().enumerate().filter(|(_, entry)| !is_paged(entry)) {
            let nth = u32::try_from(at + 1).expect("a small number");
            settled.running.clear_faults();
            settled.running.push_faults(vec![Fault::new(Op::Search, Do::Result(32)).nth(nth)]);
            let (removals, _) = settled.removals().await;
            let only_the_leaver = removals.iter().all(|user| *user == format!("person-{LEAVER}@example.org"));
            assert!(only_the_leaver, "{dialect:?} 32 at search {nth} ({} {}): {removals:?}", entry.base, entry.filter);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_at_any_message_removes_nobody() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], small_pages).await;
        let log = asked(&mut settled).await;
        let first = first_look_up(&settled, &searches(&log));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for entry in &log {
            let nth = counts.entry(entry.op.clone()).or_default();
            *nth += 1;
            let late = entry.op == "search" && *nth as usize > first;
            let (op, messages) = match entry.op.as_str() {
                "search" => (Op::Search, u32::try_from(entry.entries).expect("a small number") + 1),
                "bind" => (Op::Bind, 1),
                "extended" => (Op::Extended, 1),
                other => panic!("a directory is only read, but {other}"),
            };
            for message in 0..messages {
                for action in [Do::Drop, Do::Torn, Do::Garbage] {
                    settled.running.clear_faults();
                    settled.running.push_faults(vec![Fault::new(op, action).nth(*nth).message(message)]);
                    let what = format!(
                        "{dialect:?}: {action:?} at message {message} of {} {nth} ({} {})",
                        entry.op, entry.base, entry.filter
                    );
                    if late {
                        nobody_else_is_removed(&mut settled, &what).await;
                    } else {
                        nobody_is_removed(&mut settled, &what, entry).await;
                    }
                }
            }
        }
        settled.running.clear_faults();
        asked(&mut settled).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_is_never_answered_removes_nobody() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], short_waits).await;
        let searches = searches(&asked(&mut settled).await);
        let first = first_look_up(&settled, &searches);
        for entry in &searches[first..] {
            for action in [Do::Drop, Do::Torn, Do::Stall, Do::Result(52)] {
                settled.running.clear_faults();
                let fault = Fault::new(Op::Search, action).base(&entry.base).filter(&entry.filter);
                settled.running.push_faults(vec![fault]);
                let what = format!("{dialect:?}: {action:?} at each search of {} {}", entry.base, entry.filter);
                nobody_is_removed(&mut settled, &what, entry).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_a_control_repeated_cookies_references_and_early_ends_remove_nobody() {
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], small_pages).await;
        let searches = searches(&asked(&mut settled).await);
        let mut struck = 0;
        for (at, entry) in searches.iter().enumerate() {
            let nth = u32::try_from(at + 1).expect("a small number");
            let first_page = at == 0 || !is_paged(&searches[at - 1]) || searches[at - 1].filter != entry.filter;
            let last_page = !searches.get(at + 1).is_some_and(|next| is_paged(next) && next.filter == entry.filter);
            for action in [Do::NoControl, Do::RepeatCookie, Do::Reference, Do::Truncate] {
                // What a fault can't change: a search that isn't paged has no control, a last page no further cookie.
                let idle = match action {
                    Do::NoControl => !is_paged(entry),
                    // There is no former cookie on a first page.
                    Do::RepeatCookie => !is_paged(entry) || last_page || first_page,
                    Do::Truncate => !is_paged(entry) || last_page,
                    _ => false,
                };
                if idle {
                    continue;
                }
                struck += 1;
                settled.running.clear_faults();
                settled.running.push_faults(vec![Fault::new(Op::Search, action).nth(nth)]);
                let what = format!("{dialect:?}: {action:?} at search {nth} ({} {})", entry.base, entry.filter);
                let (removals, faults) = settled.removals().await;
                let leaver = format!("person-{LEAVER}@example.org");
                match action {
                    // The server says that nothing more is there. Nobody can tell; but the look-ups find whoever is missing.
                    // A page that is served twice loses nobody either; a server that goes on so is found out.
                    Do::Truncate | Do::RepeatCookie => {
                        assert!(removals.iter().all(|user| *user == leaver), "{what}: {removals:?}")
                    }
                    // One entry was asked for, and it came: a reference beside it takes nothing away.
                    Do::Reference if entry.scope == Some(Scope::Base) || asks_for_one(&entry.filter) => {
                        assert!(removals.iter().all(|user| *user == leaver), "{what}: {removals:?}");
                    }
                    _ if is_root(entry) => assert!(removals.len() <= 1, "{what}: {removals:?}"),
                    _ => {
                        assert!(removals.is_empty(), "{what}: {removals:?}");
                        assert!(!faults.is_empty(), "{what}: nobody hears of it");
                    }
                }
            }
        }
        assert!(struck > 6, "{dialect:?}: only {struck} cases");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_no_more_is_given_up_in_time() {
    let mut cases = JoinSet::new();
    for dialect in KINDS {
        let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], short_waits).await;
        let log = asked(&mut settled).await;
        let first = first_look_up(&settled, &searches(&log));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for entry in log {
            let nth = counts.entry(entry.op.clone()).or_default();
            *nth += 1;
            let (op, nth) = (if entry.op == "search" { Op::Search } else { Op::Bind }, *nth);
            if entry.op != "search" && entry.op != "bind" {
                continue;
            }
            let late = op == Op::Search && nth as usize > first;
            let last = u32::try_from(entry.entries).expect("a small number");
            for message in [0, last / 2, last] {
                let entry = entry.clone();
                cases.spawn(async move {
                    let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], short_waits).await;
                    settled.running.push_faults(vec![Fault::new(op, Do::Stall).nth(nth).message(message)]);
                    let what = format!("{dialect:?}: no more from message {message} of {} {nth}", entry.op);
                    let began = Instant::now();
                    if late {
                        nobody_else_is_removed(&mut settled, &what).await;
                    } else {
                        nobody_is_removed(&mut settled, &what, &entry).await;
                    }
                    assert!(began.elapsed() < Duration::from_secs(8), "{what}: it took {:?}", began.elapsed());
                });
                if cases.len() >= 8 {
                    cases.join_next().await.expect("a case").expect("it holds");
                }
            }
        }
    }
    while let Some(done) = cases.join_next().await {
        done.expect("it holds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_from_us_removes_nobody() {
    for dialect in KINDS {
        let id = if dialect == Dialect::OpenLdap { "entryUUID" } else { "objectGUID" };
        let mut settled = Settled::new(dialect, PEOPLE, &[], small_pages).await;
        let (somebody, people) = (person_dn(4), "ou=people,dc=example,dc=org");
        let hidden: [(&str, Option<&str>); 10] = [
            (&somebody, None),
            (people, None),
            (USERS, None),
            (AGENTS, None),
            ("ou=groups,dc=example,dc=org", None),
            ("dc=example,dc=org", None),
            (people, Some("mail")),
            (people, Some(id)),
            (people, Some("objectClass")),
            ("ou=groups,dc=example,dc=org", Some("member")),
        ];
        for (dn, attribute) in hidden {
            settled.running.hide(dn, attribute);
            let writes = settled.zendesk.writes().len();
            for cycle in 1..=3 {
                let report = settled.rig.cycle().await;
                let what = format!("{dialect:?}: {dn} {attribute:?} hidden, cycle {cycle}");
                assert_eq!(settled.zendesk.writes().len(), writes, "{what}: {report:#?}");
                let told = report.ending != zendesk_dirsync::engine::Ending::Done;
                assert!(told || cycle > 1, "{what}: nobody hears of it: {report:#?}");
            }
            settled.running.unhide_all();
            settled.rig.cycle().await;
            let plan = settled.rig.plan().await;
            assert!(plan.changes.is_empty() && plan.waiting.is_empty(), "{dialect:?}, {dn} given back: {plan:#?}");
            assert_eq!(settled.zendesk.writes().len(), writes, "{dialect:?}: {dn} {attribute:?} given back");
        }
    }
}

/// Whether a filter names one entry by its immutable id.
fn asks_for_one(filter: &str) -> bool {
    filter.starts_with("(entryUUID=") || filter.starts_with("(objectGUID=")
}
