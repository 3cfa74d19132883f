//! Tests over the wire, with ldap3 as the client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod active_directory;
mod binding;
mod faulty;
mod filters;
mod paging;
mod pure;
mod tls;
mod writing;

use std::collections::HashSet;
use std::net::SocketAddr;

use ldap3::controls::{Control, MakeCritical as _, PagedResults, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapResult, Mod, Scope, SearchEntry};

use super::{Kind, Options, Running, start};

const BASE: &str = "dc=example,dc=org";

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn person(uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: Person {uid}\nsn: {uid}\nmail: {uid}@example.org\nuserPassword: secret-{uid}\n\n"
    )
}

fn user(name: &str) -> String {
    format!(
        "dn: CN={name},OU=people,{BASE}\nobjectClass: top\nobjectClass: person\nobjectClass: user\nsAMAccountName: {name}\nmail: {name}@example.org\nuserAccountControl: 512\n\n"
    )
}

fn tree(body: &str) -> String {
    format!(
        "version: 1\n\ndn: {BASE}\nobjectClass: domain\ndc: example\n\ndn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\ndn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n\n{body}"
    )
}

async fn openldap(body: &str) -> Running {
    start(any_port(), Options::new(Kind::Openldap, tree(body))).await.unwrap()
}

async fn active_directory(body: &str) -> Running {
    start(any_port(), Options::new(Kind::ActiveDirectory, tree(body))).await.unwrap()
}

async fn connect(server: &Running) -> Ldap {
    let (connection, ldap) = LdapConnAsync::new(&server.url()).await.unwrap();
    ldap3::drive!(connection);
    ldap
}

async fn reader(server: &Running) -> Ldap {
    let mut ldap = connect(server).await;
    ldap.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().success().unwrap();
    ldap
}

async fn admin(server: &Running) -> Ldap {
    let mut ldap = connect(server).await;
    ldap.simple_bind(&server.admin_dn(), "admin").await.unwrap().success().unwrap();
    ldap
}

/// Entries, references, and the result of one search.
struct Found {
    entries: Vec<SearchEntry>,
    references: usize,
    result: LdapResult,
}

impl Found {
    fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.dn.clone()).collect()
    }

    fn values(&self, name: &str) -> Vec<String> {
        self.entries.iter().filter_map(|entry| entry.attrs.get(name)).flatten().cloned().collect()
    }
}

async fn search(ldap: &mut Ldap, base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Found {
    let mut stream = ldap.streaming_search(base, scope, filter, attributes.to_vec()).await.unwrap();
    let (mut entries, mut references) = (Vec::new(), 0);
    while let Some(entry) = stream.next().await.unwrap() {
        if entry.is_ref() {
            references += 1;
        } else {
            entries.push(SearchEntry::construct(entry));
        }
    }
    let result = stream.finish().await;
    Found { entries, references, result }
}

/// The one entry of a base search.
async fn read(ldap: &mut Ldap, dn: &str, attributes: &[&str]) -> SearchEntry {
    let mut found = search(ldap, dn, Scope::Base, "(objectClass=*)", attributes).await;
    assert_eq!(found.result.rc, 0, "{dn}");
    found.entries.pop().unwrap()
}

/// One page: names, the result, and the cookie if there was a control.
async fn page(ldap: &mut Ldap, filter: &str, size: i32, cookie: Vec<u8>) -> (Vec<String>, LdapResult, Option<Vec<u8>>) {
    let control: RawControl = PagedResults { size, cookie }.critical().into();
    let found = search(ldap.with_controls(vec![control]), BASE, Scope::Subtree, filter, &["1.1"]).await;
    let cookie =
        found.result.ctrls.iter().find_map(|Control(_, raw)| {
            (raw.ctype == super::message::PAGED).then(|| raw.parse::<PagedResults>().cookie)
        });
    (found.names(), found.result, cookie)
}

/// All pages; the number of pages, too.
async fn pages(ldap: &mut Ldap, filter: &str, size: i32) -> (Vec<String>, usize) {
    let (mut all, mut count, mut cookie) = (Vec::new(), 0, Vec::new());
    loop {
        let (names, result, next) = page(ldap, filter, size, cookie).await;
        assert_eq!(result.rc, 0);
        all.extend(names);
        count += 1;
        cookie = next.unwrap();
        if cookie.is_empty() {
            return (all, count);
        }
    }
}

fn one(value: &str) -> HashSet<&str> {
    HashSet::from([value])
}

fn replace<'a>(name: &'a str, value: &'a str) -> Mod<&'a str> {
    Mod::Replace(name, one(value))
}
