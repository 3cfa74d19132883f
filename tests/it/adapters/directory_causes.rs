//! Why somebody is removed, over the wire: each cause is told apart from the others, in the plan and in the report.

use std::collections::BTreeMap;

use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::settings::DirectorySettings;

use super::directory_rig::{Settled, person_dn};
use crate::support::ldif::Dialect;
use crate::support::rig_small::USERS;

const KINDS: [Dialect; 2] = [Dialect::OpenLdap, Dialect::ActiveDirectory];
const PEOPLE: usize = 10;
const BASES: [&str; 2] = ["ou=people,dc=example,dc=org", "ou=groups,dc=example,dc=org"];

fn set(number: usize, attribute: &str, value: &str) -> String {
    let dn = person_dn(number);
    format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n-\n\n")
}

/// Everybody from 3 on departs, each in another way.
fn departures(dialect: Dialect) -> String {
    let (disable, expire) = match dialect {
        Dialect::OpenLdap => (set(3, "pwdAccountLockedTime", "000001010000Z"), set(4, "shadowExpire", "20000")),
        Dialect::ActiveDirectory => {
            (set(3, "userAccountControl", "514"), set(4, "accountExpires", "133000000000000000"))
        }
    };
    let unit = "dn: ou=former,dc=example,dc=org\nchangetype: add\nobjectClass: organizationalUnit\nou: former\n\n";
    let moved = |number: usize| {
        format!(
            "dn: {}\nchangetype: modrdn\nnewrdn: cn=Person {number}\ndeleteoldrdn: 0\n\
             newsuperior: ou=former,dc=example,dc=org\n\n",
            person_dn(number)
        )
    };
    let gone = format!("dn: {}\nchangetype: delete\n\n", person_dn(7));
    let moved_and_disabled = set(9, "userAccountControl", "514");
    let moved_and_disabled = if dialect == Dialect::ActiveDirectory { moved_and_disabled } else { String::new() };
    let left =
        |number| format!("dn: {USERS}\nchangetype: modify\ndelete: member\nmember: {}\n-\n\n", person_dn(number));
    disable + &expire + &left(5) + unit + &left(6) + &moved(6) + &gone + &moved_and_disabled + &moved(9) + &moved(10)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_of_a_removal_is_told_apart_in_plan_and_report() {
    for dialect in KINDS {
        let narrow = |settings: &mut DirectorySettings| {
            settings.bases = BASES.iter().map(|base| Dn::parse(base).expect("a DN")).collect();
        };
        let mut settled = Settled::new(dialect, PEOPLE, &[], narrow).await;
        settled.running.apply_ldif(&departures(dialect)).unwrap_or_else(|fault| panic!("{fault}: {fault:?}"));
        settled.running.hide(&person_dn(8), None);
        let plan = settled.rig.plan().await;
        assert!(plan.faults.is_empty(), "{dialect:?}: {:#?}", plan.faults);
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for change in &plan.changes {
            let held = change.held.as_ref().map_or("", |held| held.limit.as_str());
            let evidence = change.cause.evidence.clone().unwrap_or_default();
            told.insert(change.user.clone(), format!("{} {held}: {evidence}", change.cause.code));
        }
        told.extend(plan.rejected.iter().map(|one| (one.user.clone().unwrap_or_default(), one.why.clone())));
        told.extend(plan.waiting.iter().map(|one| (one.user.clone(), format!("waits: {}", one.why))));
        let of = |number: usize| told.get(&format!("person-{number}@example.org")).map_or("nothing", String::as_str);
        assert_eq!((of(1), of(2)), ("nothing", "nothing"), "{dialect:?}: {told:#?}");
        assert!(of(3).starts_with("disabled : "), "{dialect:?}: {}", of(3));
        assert!(of(4).starts_with("expired : "), "{dialect:?}: {}", of(4));
        assert_eq!(of(5), "out_of_scope : found, and in none of the groups", "{dialect:?}");
        let moved = of(6).to_lowercase();
        assert!(moved.starts_with("out_of_scope : found at cn=person 6,ou=former,"), "{dialect:?}: {moved}");
        match dialect {
            Dialect::OpenLdap => assert!(of(7).starts_with("waits: not found; a second"), "{}", of(7)),
            Dialect::ActiveDirectory => assert_eq!(of(7), "gone : deleted: the directory keeps a tombstone"),
        }
        assert_eq!(
            of(8),
            "gone unreadable: can't be read any more: not found, but still named by users",
            "{dialect:?}"
        );
        if dialect == Dialect::ActiveDirectory {
            assert!(of(9).starts_with("disabled : "), "what may not be used is told before where it is: {}", of(9));
        }
        let held = of(10).to_lowercase();
        assert!(held.contains("found at cn=person 10,ou=former,") && held.contains("still held by users"), "{held}");
        settled.rig.cycle().await;
        let told = settled.rig.engine.report.notices();
        let evidence = |number: usize| {
            let user = format!("person-{number}@example.org");
            let mine = told.iter().rev().find(|one| one.user.as_deref() == Some(user.as_str()));
            mine.and_then(|one| one.cause.as_ref()?.evidence.clone()).unwrap_or_default()
        };
        assert_eq!(evidence(5), "found, and in none of the groups", "{dialect:?}");
        assert!(evidence(6).contains("outside of the configured bases"), "{dialect:?}: {}", evidence(6));
    }
}
