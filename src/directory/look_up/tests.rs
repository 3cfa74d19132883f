//! What a look-up shows, and that it shows nothing where it can't.

use super::super::peer::{Fault, Peer, PeerEntry, Shared, group, id, person, session, settings, shared, top};
use super::*;
use crate::domain::account_state::AccountState;
use crate::domain::settings::DirectorySettings;

fn whom(number: usize, last: &str, groups: &[usize]) -> Whom {
    Whom {
        entry: id(number),
        last_dn: Dn::parse(last).unwrap(),
        groups: groups.iter().map(|&number| id(number)).collect(),
        now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    }
}

async fn looked_up_with(peer: &Shared, settings: DirectorySettings, whom: &Whom) -> Result<Presence, ReadFault> {
    let mut session = session(peer, settings).await;
    session.root.default_context = Some("dc=x".into());
    look_up(&mut session, whom, &mut HashMap::new()).await
}

async fn looked_up(entries: Vec<PeerEntry>, whom: &Whom) -> Result<Presence, ReadFault> {
    let peer = shared(Peer { entries, ..Peer::default() });
    looked_up_with(&peer, settings(), whom).await
}

fn held(presence: Result<Presence, ReadFault>) -> Vec<String> {
    match presence {
        Ok(Presence::Found { held_by, .. } | Presence::Outside { held_by, .. }) => held_by,
        other => panic!("{other:?}"),
    }
}

fn tree() -> Vec<PeerEntry> {
    vec![
        top(),
        group("a", 100, &["cn=p1,dc=x", "cn=n,dc=x"]),
        group("n", 101, &["CN=P2, dc=x", "cn=p1,dc=x"]),
        person(1),
        person(2),
        person(3),
    ]
}

#[tokio::test]
async fn each_group_is_asked_on_its_own() {
    assert_eq!(held(looked_up(tree(), &whom(1, "cn=p1,dc=x", &[100, 101])).await), ["a", "n"]);
    assert_eq!(held(looked_up(tree(), &whom(2, "cn=p2,dc=x", &[100, 101])).await), ["n"]);
    assert!(held(looked_up(tree(), &whom(3, "cn=p3,dc=x", &[100, 101])).await).is_empty());
}

#[tokio::test]
async fn the_state_is_judged_as_in_a_read() {
    let mut entries = tree();
    entries[3].set("nsAccountLock", &["TRUE"]);
    let presence = looked_up(entries, &whom(1, "cn=p1,dc=x", &[])).await.unwrap();
    assert!(matches!(presence, Presence::Found { state: AccountState::Disabled { .. }, .. }), "{presence:?}");
}

#[tokio::test]
async fn a_moved_person_whom_a_group_still_names_by_the_old_place_is_held() {
    let mut entries = tree();
    entries[5].dn = "cn=p3,ou=new,dc=x".into();
    entries[1].set("member", &["cn=p3,dc=x"]);
    assert_eq!(held(looked_up(entries.clone(), &whom(3, "cn=p3,dc=x", &[100])).await), ["a"]);
    // Unless somebody else is there now.
    let mut heir = person(4);
    heir.dn = "cn=p3,dc=x".into();
    entries.push(heir);
    assert!(held(looked_up(entries, &whom(3, "cn=p3,dc=x", &[100])).await).is_empty());
}

#[tokio::test]
async fn somebody_who_was_moved_out_of_the_bases_is_told_as_that_wherever_they_may_be_seen() {
    let mut entries = tree();
    entries[5].dn = "cn=p3,ou=former,dc=x".into();
    entries.push(PeerEntry::new("ou=here,dc=x", &[("objectClass", &["organizationalUnit"])]));
    let peer = shared(Peer { entries: entries.clone(), ..Peer::default() });
    let settings = DirectorySettings { bases: vec![Dn::parse("ou=here,dc=x").unwrap()], ..settings() };
    let mut session = session(&peer, settings).await;
    let whom = whom(3, "cn=p3,ou=here,dc=x", &[100]);
    // The server doesn't say what it holds: nobody looks any further.
    let unsaid = look_up(&mut session, &whom, &mut HashMap::new()).await.unwrap();
    assert_eq!(unsaid, Presence::NotFound { named_by: Vec::new() });
    session.root.contexts = vec![Dn::parse("dc=x").unwrap()];
    let moved = look_up(&mut session, &whom, &mut HashMap::new()).await.unwrap();
    let there = |moved: &Presence| match moved {
        Presence::Outside { dn, held_by, .. } => (dn.to_string(), held_by.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(there(&moved), ("cn=p3,ou=former,dc=x".to_owned(), Vec::new()));
    // A group that names the new place holds them still.
    peer.lock().unwrap().entries[1].set("member", &["cn=p3,ou=former,dc=x"]);
    let mut places = HashMap::from([(id(100), Dn::parse("cn=a,dc=x").unwrap())]);
    let held = look_up(&mut session, &whom, &mut places).await.unwrap();
    assert_eq!(there(&held).1, ["a"]);
    peer.lock().unwrap().hook = Box::new(|asked, _| (asked.base == "dc=x").then_some(Fault::Result(50)));
    let hidden = look_up(&mut session, &whom, &mut HashMap::new()).await.unwrap();
    assert_eq!(hidden, Presence::NotFound { named_by: Vec::new() });
    peer.lock().unwrap().hook = Box::new(|asked, _| (asked.base == "dc=x").then_some(Fault::Result(51)));
    look_up(&mut session, &whom, &mut HashMap::new()).await.unwrap_err();
}

#[tokio::test]
async fn nobody_found_is_told_with_the_groups_that_name_them() {
    let mut entries = tree();
    entries.remove(3);
    let named = looked_up(entries.clone(), &whom(1, "cn=p1,dc=x", &[100, 101])).await.unwrap();
    assert_eq!(named, Presence::NotFound { named_by: vec!["a".into(), "n".into()] });
    entries[1].set("member", &["cn=n,dc=x"]);
    entries[2].set("member", &["cn=p2,dc=x"]);
    let gone = looked_up(entries, &whom(1, "cn=p1,dc=x", &[100, 101])).await.unwrap();
    assert_eq!(gone, Presence::NotFound { named_by: Vec::new() });
}

#[tokio::test]
async fn a_group_that_is_gone_or_renamed_is_looked_for_by_id() {
    let mut entries = tree();
    entries[2].dn = "cn=renamed,dc=x".into();
    let peer = shared(Peer { entries, ..Peer::default() });
    let mut session = session(&peer, settings()).await;
    let mut places = HashMap::from([(id(101), Dn::parse("cn=n,dc=x").unwrap())]);
    let whom = whom(1, "cn=p1,dc=x", &[101, 555]);
    assert_eq!(held(look_up(&mut session, &whom, &mut places).await), ["renamed"]);
    assert_eq!(places[&id(101)].as_str(), "cn=renamed,dc=x");
}

#[tokio::test]
async fn a_membership_that_may_not_be_read_shows_nothing() {
    let mut entries = tree();
    entries[1].attributes.retain(|(kind, _)| kind != "member");
    let fault = looked_up(entries.clone(), &whom(3, "cn=p3,dc=x", &[100])).await.unwrap_err();
    assert!(fault.to_string().contains("may not read it"), "{fault}");
    // A class whose groups may be empty.
    entries[1].set("objectClass", &["group", "groupOfNames2"]);
    let settings = DirectorySettings { group_filter: "(cn=*)".into(), ..settings() };
    let peer = shared(Peer { entries, ..Peer::default() });
    assert!(held(looked_up_with(&peer, settings, &whom(3, "cn=p3,dc=x", &[100])).await).is_empty());
}

#[tokio::test]
async fn any_fault_at_any_search_is_a_fault_and_never_an_absence() {
    let count = {
        let peer = shared(Peer { entries: tree(), ..Peer::default() });
        looked_up_with(&peer, settings(), &whom(3, "cn=p9,dc=x", &[100, 101])).await.unwrap();
        peer.lock().unwrap().asked.len()
    };
    for nth in 1..=count {
        for fault in [Fault::Result(3), Fault::Result(50), Fault::Result(52), Fault::Drop] {
            let peer = shared(Peer { entries: tree(), ..Peer::default() });
            let wanted = fault.clone();
            peer.lock().unwrap().hook = Box::new(move |asked, _| (asked.nth == nth).then(|| wanted.clone()));
            let told = looked_up_with(&peer, settings(), &whom(3, "cn=p9,dc=x", &[100, 101])).await;
            assert!(told.is_err(), "{fault:?} at search {nth} of {count}: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_base_that_is_gone_and_a_reference_are_no_absence() {
    let settings = DirectorySettings { bases: vec![Dn::parse("dc=gone").unwrap()], ..settings() };
    let peer = shared(Peer { entries: tree(), ..Peer::default() });
    assert!(looked_up_with(&peer, settings, &whom(7, "cn=p7,dc=x", &[])).await.is_err());
    peer.lock().unwrap().hook = Box::new(|_, _| Some(Fault::Reference("ldap://elsewhere/dc=y,dc=x")));
    let peer_settings = super::super::peer::settings();
    assert!(looked_up_with(&peer, peer_settings, &whom(7, "cn=p7,dc=x", &[])).await.is_err());
}

mod active_directory {
    use super::*;

    fn ad(number: usize, mut entry: PeerEntry) -> PeerEntry {
        entry.attributes.push(("objectGUID".into(), vec![id(number).to_object_guid().to_vec()]));
        entry
    }

    fn ad_settings() -> DirectorySettings {
        DirectorySettings { kind: DirectoryKind::ActiveDirectory, id_attribute: "objectGUID".into(), ..settings() }
    }

    fn ad_tree() -> Vec<PeerEntry> {
        let mut deleted = ad(9, PeerEntry::new("cn=p9del,cn=Deleted Objects,dc=x", &[("isDeleted", &["TRUE"])]));
        deleted.set("objectClass", &["user"]);
        vec![
            top(),
            PeerEntry::new("cn=Deleted Objects,dc=x", &[("isDeleted", &["TRUE"]), ("objectClass", &["container"])]),
            deleted,
            ad(100, group("a", 100, &["cn=p1,dc=x"])),
            ad(1, person(1)),
        ]
    }

    async fn asked(number: usize, entries: Vec<PeerEntry>) -> Result<Presence, ReadFault> {
        let peer = shared(Peer { entries, ..Peer::default() });
        looked_up_with(&peer, ad_settings(), &whom(number, "cn=p,dc=x", &[100])).await
    }

    #[tokio::test]
    async fn a_person_is_found_by_guid_wherever_they_lie() {
        let mut entries = ad_tree();
        entries[4].dn = "cn=p1,ou=else,dc=y".into();
        entries[3].set("member", &["cn=p1,ou=else,dc=y"]);
        assert_eq!(held(asked(1, entries).await), ["a"]);
    }

    #[tokio::test]
    async fn a_tombstone_is_told_and_its_absence_is_no_proof_of_anything() {
        assert_eq!(asked(9, ad_tree()).await, Ok(Presence::Tombstone));
        assert_eq!(asked(8, ad_tree()).await, Ok(Presence::NotFound { named_by: Vec::new() }));
        let mut unseen = ad_tree();
        unseen.drain(1..3);
        assert_eq!(asked(9, unseen).await, Ok(Presence::NotFound { named_by: Vec::new() }));
    }

    #[tokio::test]
    async fn a_primary_group_holds_too() {
        let sid = |rid: u8| {
            let numbers = [[21, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [rid, 2, 0, 0]].concat();
            vec![[&[1, 5, 0, 0, 0, 0, 0, 5][..], &numbers].concat()]
        };
        let mut entries = ad_tree();
        entries[3].set("member", &[]);
        entries[3].set("objectClass", &["group", "groupOfNames2"]);
        entries[3].attributes.push(("objectSid".into(), sid(1)));
        entries[4].attributes.push(("objectSid".into(), sid(77)));
        entries[4].set("primaryGroupID", &["513"]);
        let settings = DirectorySettings { group_filter: "(objectGUID=*)".into(), ..ad_settings() };
        let peer = shared(Peer { entries, ..Peer::default() });
        assert_eq!(held(looked_up_with(&peer, settings.clone(), &whom(1, "cn=p1,dc=x", &[100])).await), ["a"]);
        // Of somebody who can't be seen any more it isn't known whether it held them.
        let unseen = looked_up_with(&peer, settings, &whom(8, "cn=p8,dc=x", &[100])).await;
        assert_eq!(unseen, Ok(Presence::NotFound { named_by: vec!["a".into()] }));
    }
}
