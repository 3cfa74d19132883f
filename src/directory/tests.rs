//! The adapter as the engine sees it: a thread, a server over TCP, failover, binds.

use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use tokio::net::TcpListener;

use super::peer::{
    Fault, Peer, PeerEntry, Shared, Word, group, id, order, person, serve, server, settings, shared, top,
};
use super::*;
use crate::domain::settings::{DirectorySettings, ServerUrl};
use crate::engine::ports::SecretFault;

/// A peer on loopback, until the test ends.
async fn listening(peer: Peer) -> (Shared, ServerUrl) {
    let peer = shared(peer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = server(listener.local_addr().unwrap().port());
    let serving = Arc::clone(&peer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Arc::clone(&serving), stream));
        }
    });
    (peer, url)
}

/// A port where nobody listens.
async fn closed() -> ServerUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    server(listener.local_addr().unwrap().port())
}

fn tree() -> Peer {
    let entries = vec![top(), group("a", 100, &["cn=p1,dc=x", "cn=p2,dc=x"]), person(1), person(2), person(3)];
    Peer { entries, ..Peer::default() }
}

fn directory(urls: Vec<ServerUrl>) -> LdapDirectory {
    LdapDirectory::new(DirectorySettings { urls, ..settings() }, Arc::new(Word("secret")))
}

async fn read(directory: &mut LdapDirectory) -> Result<(CompleteRead, usize), ReadFault> {
    let (sender, mut sights) = mpsc::channel(1);
    let hear = async {
        let mut count = 0;
        while sights.recv().await.is_some() {
            count += 1;
        }
        count
    };
    let (read, count) = tokio::join!(directory.read(order(&["cn=a,dc=x"]), sender), hear);
    read.map(|read| (read, count))
}

async fn look(directory: &mut LdapDirectory) -> Result<Presence, ReadFault> {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    directory.look_up(id(1), &Dn::parse("cn=p1,dc=x").unwrap(), &BTreeSet::from([id(100)]), now).await
}

#[tokio::test]
async fn a_read_and_the_look_ups_after_it_use_one_connection() {
    let (peer, url) = listening(tree()).await;
    let mut directory = directory(vec![url.clone()]);
    let (whole, count) = read(&mut directory).await.unwrap();
    assert_eq!((count, &whole.end().server.url), (2, &url.text));
    for _ in 0..3 {
        assert!(matches!(look(&mut directory).await, Ok(Presence::Found { held_by, .. }) if held_by == ["a"]));
    }
    assert_eq!(peer.lock().unwrap().connections, 1);
    read(&mut directory).await.unwrap();
    assert_eq!(peer.lock().unwrap().connections, 2, "each read has a connection of its own");
}

#[tokio::test]
async fn a_server_that_is_down_makes_room_for_the_next() {
    let (_peer, url) = listening(tree()).await;
    let (whole, _) = read(&mut directory(vec![closed().await, url.clone()])).await.unwrap();
    assert_eq!(whole.end().server.url, url.text);
}

#[tokio::test]
async fn all_servers_down_is_one_fault_that_names_each() {
    let urls = vec![closed().await, closed().await];
    let fault = read(&mut directory(urls.clone())).await.unwrap_err();
    assert!(matches!(fault, ReadFault::Unreachable { .. }));
    assert!(urls.iter().all(|url| fault.to_string().contains(&url.text)), "{fault}");
}

#[tokio::test]
async fn a_refused_bind_is_not_tried_elsewhere() {
    let (_first, url) = listening(Peer { bind_result: 49, ..tree() }).await;
    let (second, other) = listening(tree()).await;
    let fault = read(&mut directory(vec![url, other])).await.unwrap_err();
    assert!(matches!(&fault, ReadFault::BindRefused { why, .. } if why.contains("invalidCredentials (49)")), "{fault}");
    assert_eq!(second.lock().unwrap().connections, 0);
}

#[tokio::test]
async fn a_busy_server_makes_room_for_the_next() {
    let (_first, url) = listening(Peer { bind_result: 51, ..tree() }).await;
    let (_second, other) = listening(tree()).await;
    assert!(read(&mut directory(vec![url, other])).await.is_ok());
}

#[tokio::test]
async fn a_server_that_takes_us_for_anonymous_is_refused() {
    for identity in ["", "dn:"] {
        let (_peer, url) = listening(Peer { identity: Some(identity.into()), ..tree() }).await;
        let fault = read(&mut directory(vec![url])).await.unwrap_err();
        assert!(matches!(&fault, ReadFault::BindRefused { why, .. } if why.contains("anonymous")), "{fault}");
    }
}

#[tokio::test]
async fn without_who_am_i_the_accounts_own_entry_must_be_readable() {
    let mut seen = Peer { identity: None, ..tree() };
    let (_unseen, url) = listening(Peer { entries: seen.entries.clone(), identity: None, ..Peer::default() }).await;
    let fault = read(&mut directory(vec![url])).await.unwrap_err();
    assert!(matches!(fault, ReadFault::BindRefused { .. }), "{fault}");
    seen.entries.push(PeerEntry::new("cn=svc,dc=x", &[("objectClass", &["account"])]));
    let (_peer, url) = listening(seen).await;
    assert!(read(&mut directory(vec![url])).await.is_ok());
}

#[tokio::test]
async fn an_empty_secret_is_never_sent() {
    for secret in ["", "\n", "a\r\n"] {
        let (peer, url) = listening(tree()).await;
        let settings = DirectorySettings { urls: vec![url], ..settings() };
        let fault = read(&mut LdapDirectory::new(settings, Arc::new(Word(secret)))).await.unwrap_err();
        assert!(matches!(fault, ReadFault::Unfit(_)), "{fault}");
        assert!(peer.lock().unwrap().asked.is_empty());
    }
}

#[tokio::test]
async fn a_look_up_after_a_lost_connection_goes_back_to_the_same_server_only() {
    let (first, url) = listening(tree()).await;
    let (second, other) = listening(tree()).await;
    let mut directory = directory(vec![url, other]);
    read(&mut directory).await.unwrap();
    let mut once = true;
    first.lock().unwrap().hook = Box::new(move |_, _| std::mem::take(&mut once).then_some(Fault::Drop));
    assert!(matches!(look(&mut directory).await, Ok(Presence::Found { .. })));
    assert_eq!((first.lock().unwrap().connections, second.lock().unwrap().connections), (2, 0));
    first.lock().unwrap().bind_result = 52;
    first.lock().unwrap().hook = Box::new(|_, _| Some(Fault::Drop));
    assert!(matches!(look(&mut directory).await, Err(ReadFault::Unreachable { .. })));
    assert_eq!(second.lock().unwrap().connections, 0);
}

/// Panics the first time, as a fault in a parser would.
struct Bomb(AtomicUsize);

impl Secret for Bomb {
    fn read(&self) -> Result<SecretString, SecretFault> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "planted");
        Ok(SecretString::from("secret"))
    }
}

#[tokio::test]
async fn a_panic_is_an_incomplete_read_and_the_next_one_works() {
    let (_peer, url) = listening(tree()).await;
    let settings = DirectorySettings { urls: vec![url], ..settings() };
    let mut directory = LdapDirectory::new(settings, Arc::new(Bomb(AtomicUsize::new(0))));
    assert!(matches!(read(&mut directory).await, Err(ReadFault::Incomplete(_))));
    assert!(read(&mut directory).await.is_ok());
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_incomplete() {
    let (peer, url) = listening(tree()).await;
    peer.lock().unwrap().hook = Box::new(|asked, _| (asked.page > 0).then_some(Fault::Silence));
    let settings =
        DirectorySettings { urls: vec![url], read_timeout: std::time::Duration::from_millis(200), ..settings() };
    let mut directory = LdapDirectory::new(settings, Arc::new(Word("secret")));
    let fault = read(&mut directory).await.unwrap_err();
    assert!(fault.to_string().contains("read_timeout"), "{fault}");
}

#[tokio::test]
async fn a_dropped_directory_lets_its_connection_go() {
    let (peer, url) = listening(tree()).await;
    let mut directory = directory(vec![url]);
    read(&mut directory).await.unwrap();
    drop(directory);
    // The peer's task, and with it its share of the peer, ends with the connection.
    while Arc::strong_count(&peer) > 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_global_catalog_is_refused() {
    let mut url = server(3268);
    url.text = "ldap://127.0.0.1:3268".into();
    let kind = crate::domain::settings::DirectoryKind::ActiveDirectory;
    let settings = DirectorySettings { kind, urls: vec![url], ..settings() };
    let fault = read(&mut LdapDirectory::new(settings, Arc::new(Word("secret")))).await.unwrap_err();
    assert!(matches!(&fault, ReadFault::Unfit(why) if why.contains("global catalog")), "{fault}");
}

#[tokio::test]
async fn a_check_tells_each_thing_with_a_line_to_repeat_it_and_no_password() {
    let (_peer, url) = listening(tree()).await;
    let mut groups = order(&["cn=a,dc=x", "cn=none,dc=x"]).groups;
    groups.push(GroupOrder { group: crate::domain::assignment::GroupRef::Name("a".into()), pin: None });
    let findings = directory(vec![closed().await, url]).check(&groups).await;
    let told: Vec<String> = findings.iter().map(|one| format!("{:?} {}", one.health, one.what)).collect();
    assert!(told[0].starts_with("Bad") && told[1].starts_with("Doubtful"), "{told:#?}");
    assert!(told.iter().any(|one| one.contains(&format!("guid:{}: 2 direct members", id(100).dashed()))), "{told:#?}");
    assert!(told.contains(&"Bad the group cn=none,dc=x isn't found".to_owned()), "{told:#?}");
    assert!(told.contains(&"Good 3 people under dc=x".to_owned()), "{told:#?}");
    for finding in findings {
        let line = finding.repeat.unwrap();
        assert!(line.contains("ldapsearch") && line.contains("<PASSWORDFILE |") && !line.contains("secret"), "{line}");
    }
}
