//! Planted faults: for each rule one that breaks it, and the first of the seeds that finds it. A build of its own, with
//! the feature `planted`; `tests/planted` runs it and prints the table.

use super::seeds::{Go, run_all};

/// Seeds among which each must be found, unless a person asks for more.
const SEEDS: u64 = 1_000;

/// What is guarded, by the name of the fault that takes the guard away.
const PLANTS: &[(&str, &str)] = &[
    ("removals shown outright stay within a cycle's limit", "removals_shown"),
    ("removals by absence stay within a cycle's limit", "removals_by_absence"),
    ("what takes or raises stays within a cycle's limit", "takes_or_raises"),
    ("creations stay within a cycle's limit", "creations"),
    ("other updates stay within a cycle's limit", "updates"),
    ("removals of a day stay within their limit", "removals_24h"),
    ("removals of a week stay within their limit", "removals_7d"),
    ("what takes or raises in a day stays within its limit", "takes_or_raises_24h"),
    ("the first cycle waits", "first_cycle"),
    ("a store in another's place waits", "store_replaced"),
    ("a missing group removes nobody", "group_missing"),
    ("an emptied group removes nobody", "group_emptied"),
    ("a group that isn't reached any more removes nobody", "group_unreached"),
    ("somebody unreadable is not removed", "unreadable"),
    ("an admin is made by a person's word alone", "makes_admin"),
    ("what was decided against stays undone", "rejected"),
    ("a decision outlasts cycles in which nothing changed", "what was decided is forgotten at once"),
    ("what others gave stays", "what others gave is ours"),
    ("an undoing is of whom it names", "an undoing of one is of all"),
    ("an approval runs out", "an approval never runs out"),
    ("an approval works once", "an approval isn't spent"),
    ("protected accounts are never written", "nobody is untouchable"),
    ("enough admins remain", "no floor of admins"),
    ("others' suspensions stay", "every suspension is ours"),
    ("nobody is removed on half a read", "any read is complete"),
    ("what wasn't answered is asked about", "nothing is asked about"),
    ("what broke off is remembered", "what broke off is forgotten"),
    ("every write has a record", "no record"),
    ("an intent is noted before a write", "no intent"),
    ("only what may be is adopted", "anybody is adopted"),
    ("nothing to do, nothing asked", "it asks without need"),
    ("waits that were asked for are kept", "waits aren't kept"),
    ("our share of the limit is kept", "the share isn't kept"),
    ("what an answer leaves out is asked for again", "left out is gone"),
    ("what an answer leaves out stays tied", "left out is untied"),
    ("somebody who can't be read is not absent", "unreadable is absent"),
    ("only a listed member becomes an admin", "nested admins"),
    ("two people with one mail are rejected", "two people share a mail"),
    ("every field is looked at", "a new name is overlooked"),
    ("in a pause nothing is carried out", "a pause isn't kept"),
    ("in a pause nothing is undone or applied", "a word is carried out in a pause"),
    ("a removal by hand isn't given back", "a removal by hand is forgotten"),
    ("a released account is let alone", "a release is forgotten"),
    ("what was undone stays so", "an undoing keeps nobody"),
    ("an undoing brings everything back", "an undoing leaves the tags"),
    ("a cycle for one person is for one", "one is everybody"),
    ("an edit's difference waits", "an edit isn't compared"),
    ("an edit is agreed to by a person", "an edit is agreed to at once"),
    ("a saved plan is carried out whole or not at all", "a saved plan is carried out in part"),
    ("who failed has pauses", "what failed is tried at once"),
    ("an app that refuses us has pauses", "a quarantine has no pauses"),
    ("an app in quarantine is probed with one change", "a probe is everything"),
    ("one failure doesn't stop the others", "one failure ends the app"),
    ("nobody is removed while too many went at once", "source_gone"),
    ("others of a hold that was let go on in part wait on", "others_approved"),
    ("one app that fails delays no other", "one app that fails ends the cycle"),
    ("a second copy writes nothing", "the lease isn't asked for"),
];

#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for one of them, for a rule, or for more seeds")]
fn each_planted_fault_is_found() {
    let only = std::env::var("SIM_PLANT").ok();
    // Only what this rule finds counts, if one is named.
    let rule_asked = std::env::var("SIM_RULE").unwrap_or_default();
    let seeds = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let mut missed = Vec::new();
    for (rule, name) in PLANTS.iter().filter(|(_, name)| only.as_ref().is_none_or(|only| only == name)) {
        zendesk_dirsync::plant(name);
        let mut found = None;
        run_all(1..seeds + 1, false, |seed, done| match done.why {
            Ok(()) => Go::On,
            Err(why) if !why.starts_with(&rule_asked) => Go::On,
            Err(why) => {
                found = Some((seed, why));
                Go::Stop
            }
        });
        match found {
            Some((seed, why)) => {
                let by = why.split(':').next().unwrap_or_default();
                // What is found at the end names the person first.
                let by = if by == "corp" || by == "labs" { "not as wanted in the end" } else { by };
                println!("| {rule} | {name} | {seed} | {by} |");
            }
            None => {
                println!("| {rule} | {name} | not in {seeds} | |");
                missed.push(name);
            }
        }
    }
    zendesk_dirsync::plant("");
    assert!(missed.is_empty(), "not found: {missed:?}");
}
