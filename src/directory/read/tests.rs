//! Whole reads against a peer, with every fault at every place: a read is whole, or it is a fault.

use super::super::peer::{Fault, Peer, PeerEntry, Shared, group, id, order, person, session, settings, shared, top};
use super::*;
use crate::domain::account_state::AccountState;
use crate::domain::scope::Resolved;
use crate::domain::settings::DirectorySettings;

struct Outcome {
    read: Result<Finished, ReadFault>,
    sights: Vec<Sight>,
}

impl Outcome {
    fn shown(&self) -> BTreeSet<EntryId> {
        let person = |sight: &Sight| match sight {
            Sight::Person(sighting) => Some(sighting.entry.id),
            Sight::Unreadable { .. } => None,
        };
        self.sights.iter().filter_map(person).collect()
    }

    fn unreadable(&self) -> Vec<(Option<EntryId>, String)> {
        let unreadable = |sight: &Sight| match sight {
            Sight::Person(_) => None,
            Sight::Unreadable { id, why } => Some((*id, why.clone())),
        };
        self.sights.iter().filter_map(unreadable).collect()
    }

    fn whole(&self) -> &ReadEnd {
        self.read.as_ref().unwrap_or_else(|fault| panic!("{fault}")).read.end()
    }

    fn why_incomplete(&self) -> &str {
        match &self.read {
            Err(ReadFault::Incomplete(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

async fn read_with(peer: &Shared, settings: DirectorySettings, groups: &[&str]) -> Outcome {
    let mut session = session(peer, settings).await;
    let (sender, mut receiver) = mpsc::channel(4);
    let hear = async move {
        let mut sights = Vec::new();
        while let Some(sight) = receiver.recv().await {
            sights.push(sight);
        }
        sights
    };
    let order = order(groups);
    let reading = async {
        let read = read(&mut session, &order, &sender).await;
        drop(sender);
        read
    };
    let (read, sights) = tokio::join!(reading, hear);
    Outcome { read, sights }
}

async fn read_all(peer: &Shared) -> Outcome {
    read_with(peer, settings(), &["cn=a,dc=x"]).await
}

/// A tree with a group that holds so many of so many people.
fn tree(people: usize, members: usize) -> Vec<PeerEntry> {
    let names: Vec<String> = (0..members).map(|n| format!("cn=p{n},dc=x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut entries = vec![top(), group("a", 999_999, &names)];
    entries.extend((0..people).map(person));
    entries
}

fn with(entries: Vec<PeerEntry>) -> Shared {
    shared(Peer { entries, ..Peer::default() })
}

/// Makes the nth search for people go wrong.
fn fault_at_page(peer: &Shared, page: usize, fault: Fault) {
    peer.lock().unwrap().hook = Box::new(move |asked, _| {
        let people = asked.attributes.iter().any(|name| name == "mail") && asked.page == page;
        people.then(|| fault.clone())
    });
}

#[tokio::test]
async fn every_size_around_the_edges_of_a_page_arrives_whole() {
    for size in [1_u32, 3, 7] {
        let size_of = size as usize;
        for people in [0, 1, size_of - 1, size_of, size_of + 1, 2 * size_of, 10 * size_of + 1] {
            let peer = with(tree(people, people));
            let outcome = read_with(&peer, DirectorySettings { page_size: size, ..settings() }, &["cn=a,dc=x"]).await;
            let end = outcome.whole();
            assert_eq!(outcome.shown(), (0..people).map(id).collect(), "{people} people in pages of {size}");
            assert_eq!(end.groups[&id(999_999)].members, people);
            assert!(end.dangling.is_empty());
        }
    }
}

#[tokio::test]
async fn only_members_are_shown_with_state_and_way() {
    let mut entries = tree(9, 2);
    entries[3].set("nsAccountLock", &["TRUE"]);
    let outcome = read_all(&with(entries)).await;
    let end = outcome.whole();
    assert_eq!((end.tally.pages_asked, end.tally.entries), (end.tally.pages_whole, 10));
    assert_eq!(end.resolved, [Resolved::Found(id(999_999))]);
    let Sight::Person(first) = &outcome.sights[0] else { panic!() };
    assert_eq!((first.entry.attributes.text("mail"), first.memberships.len()), (Some("p0@x.org"), 1));
    assert_eq!(first.memberships[0].path.to_string(), "a");
    let Sight::Person(second) = &outcome.sights[1] else { panic!() };
    assert!(matches!(second.state, AccountState::Disabled { .. }));
    assert_eq!(outcome.sights.len(), 2);
}

#[tokio::test]
async fn any_result_but_success_on_any_page_is_incomplete() {
    for code in 1..=123 {
        for page in [1, 2, 4] {
            let peer = with(tree(10, 10));
            fault_at_page(&peer, page, Fault::Result(code));
            let outcome = read_all(&peer).await;
            let why = outcome.why_incomplete();
            assert!(
                why.contains(&format!("page {page} ")) && why.contains(&format!("({code})")),
                "{code} {page}: {why}"
            );
        }
    }
}

#[tokio::test]
async fn a_page_that_does_not_prove_itself_is_incomplete() {
    let faults = [
        Fault::NoControl,
        Fault::Control(None),
        Fault::Control(Some(Vec::new())),
        Fault::Control(Some(b"garbage".to_vec())),
        Fault::SamePage,
        Fault::Drop,
        Fault::Reference("ldap://elsewhere/ou=b,dc=x"),
        // An intermediate answer, and bytes that are no message at all.
        Fault::Raw(b"\x30\x05\x02\x01\x01\x79\x00".to_vec()),
        Fault::Raw(b"HTTP/1.1 400 Bad Request".to_vec()),
    ];
    for fault in faults {
        for page in [1, 2, 4] {
            let peer = with(tree(10, 10));
            fault_at_page(&peer, page, fault.clone());
            let outcome = read_all(&peer).await;
            assert!(matches!(outcome.read, Err(ReadFault::Incomplete(_))), "{fault:?} at page {page}");
        }
    }
}

#[tokio::test]
async fn a_fault_at_any_search_of_a_read_is_never_a_smaller_directory() {
    let count = {
        let peer = with(tree(7, 7));
        read_all(&peer).await.whole();
        peer.lock().unwrap().asked.len()
    };
    assert!(count >= 8, "{count}");
    for nth in 1..=count {
        for fault in [Fault::Result(51), Fault::Drop, Fault::Raw(vec![0x30, 0x80])] {
            let peer = with(tree(7, 7));
            let wanted = fault.clone();
            peer.lock().unwrap().hook = Box::new(move |asked, _| (asked.nth == nth).then(|| wanted.clone()));
            let outcome = read_all(&peer).await;
            assert!(matches!(outcome.read, Err(ReadFault::Incomplete(_))), "{fault:?} at search {nth}");
        }
    }
}

#[tokio::test]
async fn silence_ends_the_read_after_the_timeout() {
    let peer = with(tree(3, 3));
    fault_at_page(&peer, 1, Fault::Silence);
    let settings = DirectorySettings { timeout: std::time::Duration::from_millis(50), ..settings() };
    let outcome = read_with(&peer, settings, &["cn=a,dc=x"]).await;
    assert!(outcome.why_incomplete().contains("no answer within 50ms"), "{}", outcome.why_incomplete());
}

#[tokio::test]
async fn a_constant_cookie_is_no_circle_while_entries_differ() {
    // 389-ds gives the same cookie for every page; here every page differs, so the guard is against the circle alone.
    let peer = with(tree(10, 10));
    peer.lock().unwrap().hook = Box::new(|asked, _| (asked.page == 2).then_some(Fault::SamePage));
    let outcome = read_all(&peer).await;
    assert!(outcome.why_incomplete().contains("circle"), "{}", outcome.why_incomplete());
}

#[tokio::test]
async fn members_who_are_no_people_are_told_apart() {
    let mut entries = tree(2, 2);
    entries[1].set(
        "member",
        &["cn=p0,dc=x", "cn=P1, dc=x", "cn=gone,dc=x", "cn=printer,dc=x", "cn=far,dc=y", "cn=outer,dc=y", "cn=a,dc=x"],
    );
    entries.push(PeerEntry::new("cn=printer,dc=x", &[("objectClass", &["device"])]));
    let mut far = person(7);
    far.dn = "cn=far,dc=y".into();
    let mut outer = group("outer", 8, &["cn=p0,dc=x"]);
    outer.dn = "cn=outer,dc=y".into();
    entries.extend([far, outer]);
    let outcome = read_all(&with(entries)).await;
    let end = outcome.whole();
    assert_eq!(outcome.shown(), BTreeSet::from([id(0), id(1)]));
    let wanted = [
        "cn=far,dc=y (outside the configured bases)",
        "cn=gone,dc=x",
        "cn=outer,dc=y (a group outside the configured bases)",
    ];
    assert_eq!(end.dangling, wanted);
    assert_eq!(end.groups[&id(999_999)].members, 6);
}

#[tokio::test]
async fn a_member_that_another_server_holds_does_not_break_the_read() {
    let mut entries = tree(1, 1);
    entries[1].set("member", &["cn=p0,dc=x", "cn=z,dc=child,dc=x"]);
    let peer = with(entries);
    peer.lock().unwrap().hook = Box::new(|asked, _| (asked.base == "cn=z,dc=child,dc=x").then_some(Fault::Result(10)));
    peer.lock().unwrap().entries.push(PeerEntry::new("cn=z,dc=child,dc=x", &[("objectClass", &["device"])]));
    let outcome = read_all(&peer).await;
    assert_eq!(outcome.whole().dangling, ["cn=z,dc=child,dc=x (another server holds it)"]);
}

#[tokio::test]
async fn a_member_without_a_usable_entry_is_unreadable_not_absent() {
    let mut entries = tree(4, 3);
    entries[2].attributes.retain(|(kind, _)| kind != "entryUUID");
    entries[3].set("mail", &["x".repeat(super::super::decode::VALUE_BYTES_MAX + 1).as_str()]);
    // Not a member: nobody cares.
    entries[5].attributes.retain(|(kind, _)| kind != "entryUUID");
    let outcome = read_all(&with(entries)).await;
    outcome.whole();
    assert_eq!(outcome.shown(), BTreeSet::from([id(2)]));
    let unreadable = outcome.unreadable();
    assert_eq!(unreadable.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [None, Some(id(1))]);
    assert!(unreadable[0].1.contains("entryUUID is missing"), "{unreadable:?}");
}

#[tokio::test]
async fn two_entries_with_one_id_are_not_one_person() {
    let mut entries = tree(3, 2);
    entries[3].set("entryUUID", &[&id(0).dashed()]);
    let outcome = read_all(&with(entries)).await;
    assert_eq!(outcome.unreadable().len(), 1);
    assert_eq!(outcome.unreadable()[0].0, Some(id(0)));
}

#[tokio::test]
async fn overlapping_bases_show_everybody_once() {
    let peer = with(tree(5, 5));
    let bases = ["dc=x", "cn=p1,dc=x", "DC=X"].map(|text| Dn::parse(text).unwrap()).to_vec();
    let outcome = read_with(&peer, DirectorySettings { bases, ..settings() }, &["cn=a,dc=x"]).await;
    assert_eq!(outcome.sights.len(), 5);
    assert_eq!((outcome.whole().tally.bases_asked, outcome.whole().tally.bases_whole), (2, 2));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_incomplete() {
    let bases = ["dc=x", "dc=nowhere"].map(|text| Dn::parse(text).unwrap()).to_vec();
    let outcome = read_with(&with(tree(2, 2)), DirectorySettings { bases, ..settings() }, &["cn=a,dc=x"]).await;
    assert!(outcome.why_incomplete().contains("noSuchObject (32)"), "{}", outcome.why_incomplete());
}

#[tokio::test]
async fn whoever_is_taken_into_a_group_while_people_are_read_is_shown() {
    // One is added whom the search has passed already, one moves to a nested group meanwhile.
    let peer = with(tree(9, 2));
    let mut done = false;
    peer.lock().unwrap().hook = Box::new(move |asked, entries| {
        if asked.page == 3 && !done && asked.attributes.iter().any(|name| name == "mail") {
            done = true;
            entries[1].set("member", &["cn=p0,dc=x", "cn=n,dc=x", "cn=p5,dc=x"]);
            entries[1].set("entryCSN", &["2"]);
            entries.push(group("n", 50, &["cn=p1,dc=x"]));
        }
        None
    });
    let outcome = read_all(&peer).await;
    let end = outcome.whole();
    assert_eq!(outcome.shown(), BTreeSet::from([id(0), id(1), id(5)]));
    let last = outcome.sights.iter().rev().find_map(|sight| match sight {
        Sight::Person(sighting) if sighting.entry.id == id(1) => Some(sighting.memberships[0].path.to_string()),
        Sight::Person(_) | Sight::Unreadable { .. } => None,
    });
    assert_eq!(last.as_deref(), Some("a ▸ n"), "the last sight of a person counts");
    assert_eq!(end.groups.len(), 2);
}

#[tokio::test]
async fn without_groups_nobody_is_shown_and_the_read_is_whole() {
    let outcome = read_with(&with(tree(4, 4)), settings(), &["cn=none,dc=x"]).await;
    assert_eq!(outcome.whole().resolved, [Resolved::Missing]);
    assert!(outcome.sights.is_empty());
}

#[tokio::test]
async fn a_listener_that_goes_away_ends_the_read() {
    let peer = with(tree(9, 9));
    let mut session = session(&peer, settings()).await;
    let (sender, receiver) = mpsc::channel(4);
    drop(receiver);
    assert!(read(&mut session, &order(&["cn=a,dc=x"]), &sender).await.is_err());
}

mod active_directory {
    use super::*;

    fn sid(rid: u8) -> Vec<u8> {
        [
            &[1, 5, 0, 0, 0, 0, 0, 5][..],
            &[[21, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [rid, 2, 0, 0]].concat(),
        ]
        .concat()
    }

    fn ad(mut entry: PeerEntry, number: usize, rid: u8) -> PeerEntry {
        entry.attributes.retain(|(kind, _)| kind != "entryUUID");
        entry.attributes.push(("objectGUID".into(), vec![id(number).to_object_guid().to_vec()]));
        entry.attributes.push(("objectSid".into(), vec![sid(rid)]));
        entry.set("uSNChanged", &["5"]);
        entry
    }

    fn ad_settings() -> DirectorySettings {
        DirectorySettings { kind: DirectoryKind::ActiveDirectory, id_attribute: "objectGUID".into(), ..settings() }
    }

    #[tokio::test]
    async fn a_primary_group_holds_whoever_names_it_and_is_not_empty() {
        let mut users = ad(group("users", 100, &[]), 100, 1);
        users.attributes.retain(|(kind, _)| kind != "member");
        let mut entries = vec![top(), users];
        for (number, primary) in [(1, "513"), (2, "514"), (3, "513")] {
            let mut one = ad(person(number), number, 10 + u8::try_from(number).unwrap());
            one.set("primaryGroupID", &[primary]);
            one.set("userAccountControl", &["512"]);
            entries.push(one);
        }
        // The same RID in another domain is another group.
        let foreign = entries[4].attributes.iter_mut().find(|(kind, _)| kind == "objectSid").unwrap();
        foreign.1[0][12] = 9;
        let outcome = read_with(&with(entries), ad_settings(), &["cn=users,dc=x"]).await;
        assert_eq!(outcome.shown(), BTreeSet::from([id(1)]));
        assert_eq!(outcome.whole().groups[&id(100)].members, 1);
    }

    #[tokio::test]
    async fn people_may_be_known_by_another_guid_than_groups() {
        let mut one = ad(person(1), 901, 10);
        one.attributes.push(("mS-DS-ConsistencyGuid".into(), vec![id(1).to_object_guid().to_vec()]));
        one.set("userAccountControl", &["512"]);
        let without = ad(person(2), 902, 11);
        let entries = vec![top(), ad(group("a", 100, &["cn=p1,dc=x", "cn=p2,dc=x"]), 100, 1), one, without];
        let settings = DirectorySettings { id_attribute: "mS-DS-ConsistencyGuid".into(), ..ad_settings() };
        let outcome = read_with(&with(entries), settings, &["cn=a,dc=x"]).await;
        assert_eq!(outcome.whole().resolved, [Resolved::Found(id(100))]);
        assert_eq!(outcome.shown(), BTreeSet::from([id(1)]));
        assert_eq!(outcome.unreadable().len(), 1);
    }

    #[tokio::test]
    async fn references_to_partitions_without_people_are_passed_over_and_others_are_not() {
        for (url, whole) in [
            ("ldap://x/CN=Configuration,DC=x", true),
            ("ldap://x/DC=DomainDnsZones,DC=x", true),
            ("ldap://x/DC=child,DC=x", false),
        ] {
            let peer = with(vec![top(), ad(group("a", 100, &[]), 100, 1)]);
            peer.lock().unwrap().hook = Box::new(move |asked, _| (asked.page > 0).then_some(Fault::Reference(url)));
            let outcome = read_with(&peer, ad_settings(), &["cn=a,dc=x"]).await;
            assert_eq!(outcome.read.is_ok(), whole, "{url}");
        }
    }
}
