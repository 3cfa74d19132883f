//! Groups of every awkward shape, walked over the wire.

use super::super::peer::{Peer, PeerEntry, Shared, group, id, order, session, settings, shared, top};
use super::*;
use crate::domain::assignment::GroupRef;
use crate::domain::settings::{DirectorySettings, Ranges};
use crate::engine::ports::GroupOrder;

async fn walked_with(
    peer: &Shared,
    settings: DirectorySettings,
    order: &ReadOrder,
) -> Result<(Survey, Tally), ReadFault> {
    let mut session = session(peer, settings).await;
    let mut tally = Tally::default();
    let survey = survey(&mut session, order, Keep::Keys, &mut tally).await?;
    Ok((survey, tally))
}

async fn walked(entries: Vec<PeerEntry>, groups: &[&str]) -> Result<Survey, ReadFault> {
    let entries = std::iter::once(top()).chain(entries).collect();
    let peer = shared(Peer { entries, ..Peer::default() });
    walked_with(&peer, settings(), &order(groups)).await.map(|(survey, _)| survey)
}

fn paths_of(survey: &Survey, dn: &str) -> Vec<String> {
    let groups = survey.holders.groups(Dn::parse(dn).unwrap().key());
    survey.memberships(groups).iter().map(|one| format!("{}: {}", one.assignment, one.path)).collect()
}

/// g0 holds g1 holds … holds the last one, which holds cn=p.
fn chain(length: usize) -> Vec<PeerEntry> {
    let member = |n: usize| if n + 1 == length { "cn=p,dc=x".to_owned() } else { format!("cn=g{},dc=x", n + 1) };
    (0..length).map(|n| group(&format!("g{n}"), n, &[&member(n)])).collect()
}

#[tokio::test]
async fn fifty_levels_are_followed_and_one_more_is_refused() {
    let survey = walked(chain(NESTING_MAX + 1), &["cn=g0,dc=x"]).await.unwrap();
    assert_eq!(paths_of(&survey, "cn=p,dc=x").len(), 1);
    let fault = walked(chain(NESTING_MAX + 2), &["cn=g0,dc=x"]).await.unwrap_err();
    assert!(fault.to_string().contains("deeper than 50"), "{fault}");
}

#[tokio::test]
async fn a_cycle_ends_where_it_closes() {
    let groups = vec![group("a", 1, &["cn=b,dc=x", "cn=p,dc=x"]), group("b", 2, &["cn=A,dc=X", "cn=q,dc=x"])];
    let survey = walked(groups, &["cn=a,dc=x"]).await.unwrap();
    assert_eq!(paths_of(&survey, "cn=p,dc=x"), ["0: a"]);
    assert_eq!(paths_of(&survey, "cn=q,dc=x"), ["0: a ▸ b"]);
}

#[tokio::test]
async fn the_shortest_way_of_each_assignment_is_told() {
    let groups = vec![
        group("a", 1, &["cn=m,dc=x", "cn=b,dc=x"]),
        group("m", 2, &["cn=z,dc=x"]),
        group("b", 3, &["cn=z,dc=x"]),
        group("z", 4, &["cn=p,dc=x"]),
        group("other", 5, &["cn=q,dc=x"]),
    ];
    let survey = walked(groups, &["cn=a,dc=x", "cn=z,dc=x", "cn=other,dc=x", "cn=A, dc=x"]).await.unwrap();
    assert_eq!(paths_of(&survey, "cn=p,dc=x"), ["0: a ▸ b ▸ z", "1: z", "3: a ▸ b ▸ z"]);
    assert_eq!(survey.nodes.len(), 5);
}

#[tokio::test]
async fn a_placeholder_is_no_member_and_what_is_no_dn_is_told() {
    let groups = vec![group("a", 1, &["CN=A, dc=x", "", "  ", "nobody", "cn=p,dc=x"])];
    let survey = walked(groups, &["cn=a,dc=x"]).await.unwrap();
    assert_eq!((survey.nodes[0].members, survey.holders.len()), (2, 1));
    assert_eq!(survey.odd.iter().collect::<Vec<_>>(), ["nobody (not a DN)"]);
}

#[tokio::test]
async fn groups_of_every_size_around_the_edge_of_a_range_arrive_whole() {
    for limit in [1, 5] {
        for count in [0, 1, limit - 1, limit, limit + 1, 2 * limit, 3 * limit + 1] {
            for ranges in [Ranges::AsServed, Ranges::Forced(2), Ranges::Forced(5)] {
                let members: Vec<String> = (0..count).map(|n| format!("cn=p{n},dc=x")).collect();
                let members: Vec<&str> = members.iter().map(String::as_str).collect();
                let entries = vec![top(), group("a", 1, &members)];
                let peer = shared(Peer { entries, ranges: Some(limit), ..Peer::default() });
                let settings = DirectorySettings { ranges, ..settings() };
                let (survey, tally) = walked_with(&peer, settings, &order(&["cn=a,dc=x"])).await.unwrap();
                assert_eq!(
                    (survey.nodes[0].members, survey.holders.len()),
                    (count, count),
                    "{limit} {count} {ranges:?}"
                );
                assert_eq!((tally.ranges_asked, tally.groups_asked), (tally.ranges_whole, tally.groups_whole));
            }
        }
    }
}

#[tokio::test]
async fn forced_ranges_on_a_server_without_them_lose_nobody() {
    let entries = vec![top(), group("a", 1, &["cn=p,dc=x", "cn=q,dc=x"])];
    let peer = shared(Peer { entries, ranges: None, ..Peer::default() });
    let settings = DirectorySettings { ranges: Ranges::Forced(1), ..settings() };
    let (survey, _) = walked_with(&peer, settings, &order(&["cn=a,dc=x"])).await.unwrap();
    assert_eq!(survey.holders.len(), 2);
}

#[tokio::test]
async fn a_group_that_changes_under_the_walk_is_walked_again() {
    let peer = shared(Peer { entries: vec![top(), group("a", 1, &["cn=p,dc=x"])], ..Peer::default() });
    let mut changes = 1;
    peer.lock().unwrap().hook = Box::new(move |asked, entries| {
        // The first question about the marker alone comes after the walk.
        if asked.attributes == ["entryCSN"] && changes > 0 {
            changes -= 1;
            entries[1].set("entryCSN", &["2"]);
            entries[1].set("member", &["cn=p,dc=x", "cn=q,dc=x"]);
        }
        None
    });
    let (survey, tally) = walked_with(&peer, settings(), &order(&["cn=a,dc=x"])).await.unwrap();
    assert_eq!(survey.holders.len(), 2);
    assert_eq!((tally.groups_asked, tally.groups_whole), (2, 2));
}

#[tokio::test]
async fn groups_that_never_rest_make_the_read_incomplete() {
    let peer = shared(Peer { entries: vec![top(), group("a", 1, &["cn=p,dc=x"])], ..Peer::default() });
    let mut count = 1;
    peer.lock().unwrap().hook = Box::new(move |asked, entries| {
        if asked.attributes == ["entryCSN"] {
            count += 1;
            entries[1].set("entryCSN", &[&count.to_string()]);
        }
        None
    });
    let fault = walked_with(&peer, settings(), &order(&["cn=a,dc=x"])).await.unwrap_err();
    assert!(matches!(&fault, ReadFault::Incomplete(why) if why.contains("kept changing")), "{fault}");
}

#[tokio::test]
async fn a_group_that_goes_away_under_the_walk_is_looked_for_again() {
    let peer = shared(Peer { entries: vec![top(), group("a", 1, &["cn=p,dc=x"])], ..Peer::default() });
    peer.lock().unwrap().hook = Box::new(|asked, entries| {
        if asked.attributes.iter().any(|name| name == "member") {
            entries.truncate(1);
        }
        None
    });
    let (survey, tally) = walked_with(&peer, settings(), &order(&["cn=a,dc=x"])).await.unwrap();
    assert_eq!(survey.resolved, [Resolved::Missing]);
    assert_eq!(tally.groups_asked, tally.groups_whole);
}

#[tokio::test]
async fn a_pin_follows_its_group_and_refuses_another_at_its_place() {
    let pinned = |dn: &str, pin: usize| {
        let one = GroupOrder { group: GroupRef::parse(dn).unwrap(), pin: Some(id(pin)) };
        ReadOrder { groups: vec![one], ..order(&[]) }
    };
    let peer = shared(Peer { entries: vec![top(), group("renamed", 1, &[]), group("a", 2, &[])], ..Peer::default() });
    let (survey, _) = walked_with(&peer, settings(), &pinned("cn=a,dc=x", 1)).await.unwrap();
    assert_eq!((&survey.resolved[..], &survey.nodes[0].name[..]), (&[Resolved::Found(id(1))][..], "renamed"));
    let (survey, _) = walked_with(&peer, settings(), &pinned("cn=a,dc=x", 3)).await.unwrap();
    assert_eq!(survey.resolved, [Resolved::Missing]);
}

#[tokio::test]
async fn a_pinned_group_outside_the_bases_is_found_at_its_dn() {
    let mut outside = group("a", 1, &["cn=p,dc=x"]);
    outside.dn = "cn=a,dc=y".into();
    let peer = shared(Peer { entries: vec![top(), outside], ..Peer::default() });
    let one = GroupOrder { group: GroupRef::parse("cn=a,dc=y").unwrap(), pin: Some(id(1)) };
    let (survey, _) = walked_with(&peer, settings(), &ReadOrder { groups: vec![one], ..order(&[]) }).await.unwrap();
    assert_eq!((survey.resolved.len(), survey.holders.len()), (1, 1));
}

#[tokio::test]
async fn names_that_fit_none_or_several_groups_are_told_apart() {
    let mut twin = group("a", 2, &["cn=p,dc=x"]);
    twin.dn = "cn=a,ou=b,dc=x".into();
    let entries = vec![group("a", 1, &["cn=p,dc=x"]), twin, group("b", 3, &["cn=p,dc=x"])];
    let survey = walked(entries, &["a", "nobody", "b", "cn=none,dc=x"]).await.unwrap();
    let ambiguous = Resolved::Ambiguous(vec!["cn=a,dc=x".into(), "cn=a,ou=b,dc=x".into()]);
    assert_eq!(survey.resolved, [ambiguous, Resolved::Missing, Resolved::Found(id(3)), Resolved::Missing]);
    assert_eq!(survey.nodes.len(), 1);
}

#[tokio::test]
async fn a_group_without_a_readable_id_is_a_fault_wherever_it_is_reached() {
    let mut nameless = group("n", 9, &["cn=p,dc=x"]);
    nameless.attributes.retain(|(kind, _)| kind != "entryUUID");
    let nested = vec![group("a", 1, &["cn=n,dc=x"]), nameless];
    for groups in [["cn=a,dc=x"], ["cn=n,dc=x"]] {
        let fault = walked(nested.clone(), &groups).await.unwrap_err();
        assert!(matches!(fault, ReadFault::Incomplete(_)), "{fault}");
    }
}
