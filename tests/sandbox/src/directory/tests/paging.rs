//! Pages, limits, attribute selection.

use super::*;

fn people(count: usize) -> String {
    (0..count).map(|n| person(&format!("u{n}"))).collect()
}

#[tokio::test]
async fn every_size_around_a_page_is_read_whole() {
    const P: usize = 5;
    for n in [0, 1, P - 1, P, P + 1, 2 * P] {
        let server = openldap(&people(n)).await;
        let (names, count) = pages(&mut reader(&server).await, "(objectClass=inetOrgPerson)", 5).await;
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), n);
        assert_eq!((names.len(), count), (n, n.div_ceil(P).max(1)), "n = {n}");
    }
}

#[tokio::test]
async fn a_cookie_serves_once_for_its_own_search_and_connection() {
    let server = openldap(&people(6)).await;
    let mut ldap = reader(&server).await;
    let (_, _, first) = page(&mut ldap, "(uid=*)", 2, Vec::new()).await;
    let first = first.unwrap();
    assert_eq!(page(&mut ldap, "(mail=*)", 2, first.clone()).await.1.rc, 53);
    let mut other = reader(&server).await;
    assert_eq!(page(&mut other, "(uid=*)", 2, first.clone()).await.1.rc, 53);
    assert_eq!(page(&mut ldap, "(uid=*)", 2, first.clone()).await.0.len(), 2);
    assert_eq!(page(&mut ldap, "(uid=*)", 2, first).await.1.rc, 53);
    assert_eq!(page(&mut ldap, "(uid=*)", 2, b"made up".to_vec()).await.1.rc, 53);
}

#[tokio::test]
async fn a_page_of_none_gives_the_search_up() {
    let server = openldap(&people(6)).await;
    let mut ldap = reader(&server).await;
    let (_, _, cookie) = page(&mut ldap, "(uid=*)", 2, Vec::new()).await;
    let (names, result, next) = page(&mut ldap, "(uid=*)", 0, cookie.clone().unwrap()).await;
    assert_eq!((names.len(), result.rc, next), (0, 0, Some(Vec::new())));
    assert_eq!(page(&mut ldap, "(uid=*)", 2, cookie.unwrap()).await.1.rc, 53);
}

#[tokio::test]
async fn a_write_between_pages_is_seen() {
    let server = openldap(&people(4)).await;
    let mut ldap = reader(&server).await;
    let (first, _, cookie) = page(&mut ldap, "(uid=*)", 2, Vec::new()).await;
    server.apply_ldif(&format!("dn: uid=u2,ou=people,{BASE}\nchangetype: delete\n\n{}", person("late"))).unwrap();
    let (second, _, _) = page(&mut ldap, "(uid=*)", 10, cookie.unwrap()).await;
    assert_eq!(first.len(), 2);
    assert_eq!(second, [format!("uid=u3,ou=people,{BASE}"), format!("uid=late,ou=people,{BASE}")]);
}

#[tokio::test]
async fn limits_end_a_search_with_4() {
    let mut options =
        Options::new(Kind::ActiveDirectory, tree(&(0..7).map(|n| user(&format!("u{n}"))).collect::<String>()));
    (options.size_limit, options.max_page) = (Some(3), Some(3));
    let server = start(any_port(), options).await.unwrap();
    let mut ldap = reader(&server).await;
    let found = search(&mut ldap, BASE, Scope::Subtree, "(objectClass=user)", &["1.1"]).await;
    assert_eq!((found.result.rc, found.entries.len()), (4, 3));
    let (names, count) = pages(&mut ldap, "(objectClass=user)", 1000).await;
    assert_eq!((names.len(), count), (7, 3), "pages are cut to the server's size");

    let server = openldap(&people(3)).await;
    let mut ldap = reader(&server).await;
    let limited = ldap3::SearchOptions::new().sizelimit(2);
    let found = search(ldap.with_search_options(limited), BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await;
    assert_eq!((found.result.rc, found.entries.len()), (4, 2));
}

#[tokio::test]
async fn attributes_come_as_selected() {
    let server = openldap(
        &(people(1)
            + &format!(
                "dn: cn=g,ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: g\nmember: uid=u0,ou=people,{BASE}\n\n"
            )),
    )
    .await;
    let mut ldap = reader(&server).await;
    let dn = format!("uid=u0,ou=people,{BASE}");
    let all = read(&mut ldap, &dn, &[]).await.attrs;
    assert!(all.contains_key("mail") && !all.contains_key("entryUUID") && !all.contains_key("memberOf"));
    let operational = read(&mut ldap, &dn, &["+"]).await.attrs;
    assert!(
        operational.contains_key("entryUUID")
            && operational.contains_key("memberOf")
            && !operational.contains_key("mail")
    );
    assert!(operational["entryCSN"][0].ends_with("#000000#000#000000"));
    let named = read(&mut ldap, &dn, &["MAIL", "modifytimestamp"]).await.attrs;
    assert_eq!(
        named.keys().collect::<HashSet<_>>(),
        HashSet::from([&"mail".to_owned(), &"modifyTimestamp".to_owned()])
    );
    assert!(read(&mut ldap, &dn, &["1.1"]).await.attrs.is_empty());
    let options = ldap3::SearchOptions::new().typesonly(true);
    let types = search(ldap.with_search_options(options), &dn, Scope::Base, "(uid=*)", &["mail"]).await;
    assert_eq!(types.entries[0].attrs["mail"], Vec::<String>::new());
}

#[tokio::test]
async fn runs_are_reproducible() {
    async fn uuids() -> Vec<String> {
        let server = openldap(&people(3)).await;
        search(&mut reader(&server).await, BASE, Scope::Subtree, "(uid=*)", &["entryUUID", "entryCSN"])
            .await
            .values("entryUUID")
    }
    let first = uuids().await;
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!(first, uuids().await);
}

#[tokio::test]
async fn an_abandoned_search_ends_and_the_connection_lives() {
    let server = openldap(&people(3000)).await;
    let mut ldap = reader(&server).await;
    let mut stream = ldap.streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["*"]).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let id = stream.ldap_handle().last_id();
    ldap.abandon(id).await.unwrap();
    assert_eq!(search(&mut ldap, BASE, Scope::Base, "(objectClass=*)", &["1.1"]).await.result.rc, 0);
}
