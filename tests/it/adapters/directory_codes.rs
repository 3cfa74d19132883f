//! Every result code, at every message of every search of a plan, with pages of several sizes: nobody is removed by any.
//! With pages of two it is every one of them; with the other sizes each place meets every fourth code, and each code
//! every fourth place.

use sandbox::directory::{Do, Fault, LogEntry, Op};
use tokio::task::JoinSet;
use zendesk_dirsync::domain::settings::DirectorySettings;

use super::directory_faults::{is_paged, searches};
use super::directory_rig::Settled;
use crate::support::ldif::Dialect;

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];
const PEOPLE: usize = 3;
const LEAVER: usize = 3;
/// An odd one left over; one entry a page; more than there are. The first is swept whole.
const SIZES: [u32; 3] = [2, 1, 1_000];
/// Of the other sizes one code in so many, another at each place.
const THINNED: usize = 4;
/// The result codes of RFC 4511 and its extensions, and everything between them.
const CODES: std::ops::RangeInclusive<u32> = 1..=123;
/// So many at a time.
const SWEEPS_MAX: usize = 2;
/// Enough to know that the sweep swept.
const CASES_MIN: usize = 12_000;

/// The searches of a whole plan.
async fn asked(settled: &mut Settled) -> Vec<LogEntry> {
    settled.running.clear_faults();
    settled.running.clear_log();
    let (removals, faults) = settled.removals().await;
    assert_eq!((removals, faults), (vec![format!("person-{LEAVER}@example.org")], vec![]), "a whole read");
    searches(&settled.running.log())
}

/// Sweeps one size; answers how many cases there were.
async fn sweep(dialect: Dialect, size: u32, codes: Vec<u32>) -> usize {
    let pages = |settings: &mut DirectorySettings| settings.page_size = size;
    let mut settled = Settled::new(dialect, PEOPLE, &[LEAVER], pages).await;
    let searches = asked(&mut settled).await;
    let writes = settled.zendesk.writes().len();
    let thinned = if size == SIZES[0] { 1 } else { THINNED };
    let (mut cases, mut place) = (0, 0);
    for (at, entry) in searches.iter().enumerate() {
        let nth = u32::try_from(at + 1).expect("a small number");
        for message in 0..=u32::try_from(entry.entries).expect("a small number") {
            place += 1;
            for code in codes.iter().copied().filter(|code| (*code as usize + place).is_multiple_of(thinned)) {
                // A look-up by id that finds nothing is an answer: 32 says so. It is tested with the absences.
                if code == 32 && message == 0 && !is_paged(entry) {
                    continue;
                }
                cases += 1;
                settled.running.clear_faults();
                let fault = Fault::new(Op::Search, Do::Result(code)).nth(nth).message(message);
                settled.running.push_faults(vec![fault]);
                let (removals, faults) = settled.removals().await;
                let what = format!(
                    "{dialect:?}, pages of {size}: result {code} at message {message} of search {nth} ({} {})",
                    entry.base, entry.filter
                );
                // What a server says of itself without being asked who we are is no part of the proof.
                if entry.base.is_empty() && faults.is_empty() {
                    assert_eq!(removals.len(), 1, "{what}: {removals:?}");
                    continue;
                }
                assert!(removals.is_empty(), "{what}: {removals:?} would be removed");
                assert!(!faults.is_empty(), "{what}: nobody hears of it");
            }
        }
    }
    asked(&mut settled).await;
    assert_eq!(settled.zendesk.writes().len(), writes, "{dialect:?}, pages of {size}");
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_result_code_at_every_message_of_every_search_and_page_size_removes_nobody() {
    let (mut sweeps, mut cases) = (JoinSet::new(), 0);
    for dialect in KINDS {
        for size in SIZES {
            for codes in CODES.collect::<Vec<_>>().chunks(41) {
                // Others measure time beside this.
                if sweeps.len() >= SWEEPS_MAX {
                    cases += sweeps.join_next().await.expect("a sweep").expect("it holds");
                }
                sweeps.spawn(sweep(dialect, size, codes.to_vec()));
            }
        }
    }
    while let Some(swept) = sweeps.join_next().await {
        cases += swept.expect("it holds");
    }
    assert!(cases >= CASES_MIN, "only {cases} cases");
}
