//! What real servers say of themselves: which tree they serve, and how far their data have come.

use zendesk_dirsync::domain::server::{Acquaintance, Estranged, Mark, ServerIdentity, Standpoint};

use crate::support::rig_host::{Host, Place, ldap};
use crate::support::rig_read::{order, read};
use crate::support::scenario::{Change, Scenario};

async fn identity(host: &Host, group: &str) -> ServerIdentity {
    let seen = read(&mut ldap(host.settings(), &host.password()), order(&[group]), |_| {}).await;
    seen.end.unwrap_or_else(|fault| panic!("{fault}")).end().server.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_say_which_they_are_and_their_numbers_rise() {
    let scenario = Scenario::load();
    for place in [Place::Slapd, Place::Samba] {
        let before = scenario.company();
        let Some(mut host) = Host::start(place, &scenario.directory, &before).await else { continue };
        let staff = host.renderer.group_dn(&before, "staff");
        let first = identity(&host, &staff).await;
        assert_eq!(first.trees.len(), 1, "{place:?}: {first:?}");
        assert!(first.trees.values().all(Option::is_some), "{place:?}: {first:?}");
        match (&first.mark, place) {
            (Mark::Usn { invocation: Some(invocation), usn }, Place::Samba) => {
                assert!(*usn > 0 && invocation.len() == 36, "{first:?}");
            }
            (Mark::Csn(csns), Place::Slapd) => assert_eq!(csns.len(), 1, "{first:?}"),
            other => panic!("{place:?}: {other:?}"),
        }
        let change = Change::Leave { group: "staff".to_owned(), people: vec!["alice".to_owned()] };
        let mut after = before.clone();
        after.apply(&change);
        host.change(&before, &after, &change).await;
        let later = identity(&host, &staff).await;
        assert_ne!(first.mark, later.mark, "{place:?}");
        let known = Acquaintance::after(None, &first);
        assert_eq!(known.judge(&later), Ok(Standpoint::Steady), "{place:?}");
        let known = Acquaintance::after(Some(&known), &later);
        assert!(matches!(known.judge(&first), Err(Estranged::Behind(_))), "{place:?}: it would have gone back");
    }
}
