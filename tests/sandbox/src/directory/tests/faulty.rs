//! Faults by script.

use std::time::Duration;

use super::super::{Do, Fault, Op};
use super::*;

fn people(count: usize) -> String {
    (0..count).map(|n| person(&format!("u{n}"))).collect()
}

#[tokio::test]
async fn a_result_code_can_come_at_any_message() {
    let server = openldap(&people(4)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![Fault::new(Op::Search, Do::Result(51)).nth(2).message(1)]);
    assert_eq!(page(&mut ldap, "(uid=*)", 2, Vec::new()).await.1.rc, 0);
    let found = search(&mut ldap, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await;
    assert_eq!((found.result.rc, found.entries.len()), (51, 1));
    assert_eq!(search(&mut ldap, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await.entries.len(), 4);
    assert_eq!(
        server.log().iter().map(|entry| entry.result).collect::<Vec<_>>(),
        [Some(0), Some(0), Some(51), Some(0)]
    );
}

#[tokio::test]
async fn a_refused_write_is_not_carried_out_and_a_cut_one_is() {
    let server = openldap(&people(1)).await;
    let dn = format!("uid=u0,ou=people,{BASE}");
    let mut ldap = admin(&server).await;
    server.push_faults(vec![Fault::new(Op::Modify, Do::Result(52)).nth(1), Fault::new(Op::Modify, Do::Drop).nth(2)]);
    assert_eq!(ldap.modify(&dn, vec![replace("sn", "one")]).await.unwrap().rc, 52);
    assert_eq!(read(&mut ldap, &dn, &["sn"]).await.attrs["sn"], ["u0"]);
    assert!(ldap.modify(&dn, vec![replace("sn", "two")]).await.is_err());
    assert_eq!(read(&mut reader(&server).await, &dn, &["sn"]).await.attrs["sn"], ["two"]);
}

#[tokio::test]
async fn a_bind_can_be_refused_and_an_extended_operation_cut() {
    let server = openldap("").await;
    server.push_faults(vec![Fault::new(Op::Bind, Do::Result(51)).nth(1), Fault::new(Op::Extended, Do::Drop)]);
    let mut ldap = connect(&server).await;
    assert_eq!(ldap.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().rc, 51);
    assert_eq!(ldap.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().rc, 0);
    assert!(ldap.extended(ldap3::exop::WhoAmI).await.is_err());
    server.clear_faults();
    assert!(reader(&server).await.extended(ldap3::exop::WhoAmI).await.is_ok());
}

#[tokio::test]
async fn the_connection_can_be_cut_at_any_message() {
    let server = openldap(&people(3)).await;
    for (action, message) in [(Do::Drop, 0), (Do::Drop, 2), (Do::Torn, 1), (Do::Garbage, 1), (Do::Drop, 3)] {
        server.clear_faults();
        server.push_faults(vec![Fault::new(Op::Search, action).message(message)]);
        let mut ldap = reader(&server).await;
        let wait = Duration::from_secs(5);
        let mut stream =
            ldap.with_timeout(wait).streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["1.1"]).await.unwrap();
        let mut count = 0;
        let end = loop {
            match stream.next().await {
                Ok(Some(_)) => count += 1,
                other => break other,
            }
        };
        assert!(end.is_err(), "{action:?}");
        assert_eq!(count, message, "{action:?}");
    }
    server.clear_faults();
    assert_eq!(search(&mut reader(&server).await, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await.entries.len(), 3);
}

#[tokio::test]
async fn the_paged_control_can_be_missing() {
    let server = openldap(&people(4)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![Fault::new(Op::Search, Do::NoControl).nth(2)]);
    let (_, _, cookie) = page(&mut ldap, "(uid=*)", 1, Vec::new()).await;
    let (names, result, cookie) = page(&mut ldap, "(uid=*)", 1, cookie.unwrap()).await;
    assert_eq!((names.len(), result.rc, cookie), (1, 0, None));
}

#[tokio::test]
async fn a_cookie_can_repeat_with_its_page() {
    let server = openldap(&people(6)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![Fault::new(Op::Search, Do::RepeatCookie)]);
    let (_, _, first) = page(&mut ldap, "(uid=*)", 2, Vec::new()).await;
    let (second, _, again) = page(&mut ldap, "(uid=*)", 2, first.clone().unwrap()).await;
    assert_eq!(first, again);
    let (third, _, again) = page(&mut ldap, "(uid=*)", 2, again.unwrap()).await;
    assert_eq!((second, first), (third, again));
}

#[tokio::test]
async fn a_reference_can_come_first_or_last() {
    let server = openldap(&people(2)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![
        Fault::new(Op::Search, Do::Reference).nth(1).message(0),
        Fault::new(Op::Search, Do::Reference).nth(2),
    ]);
    for _ in 0..2 {
        let found = search(&mut ldap, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await;
        assert_eq!((found.entries.len(), found.references, found.result.rc), (2, 1, 0));
    }
}

#[tokio::test]
async fn a_search_can_end_early_as_if_it_were_whole() {
    let server = openldap(&people(6)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![Fault::new(Op::Search, Do::Truncate).nth(2).message(1)]);
    let (_, _, cookie) = page(&mut ldap, "(uid=*)", 2, Vec::new()).await;
    let (names, result, cookie) = page(&mut ldap, "(uid=*)", 2, cookie.unwrap()).await;
    assert_eq!((names.len(), result.rc, cookie), (1, 0, Some(Vec::new())));
}

#[tokio::test]
async fn a_fault_can_choose_its_base_and_filter() {
    let server = openldap(&people(1)).await;
    let mut ldap = reader(&server).await;
    server.push_faults(vec![
        Fault::new(Op::Search, Do::Result(80)).base("OU=People"),
        Fault::new(Op::Search, Do::Result(11)).filter("mail="),
    ]);
    let people = format!("ou=people,{BASE}");
    assert_eq!(search(&mut ldap, &people, Scope::Subtree, "(uid=*)", &["1.1"]).await.result.rc, 80);
    assert_eq!(search(&mut ldap, BASE, Scope::Subtree, "(mail=*)", &["1.1"]).await.result.rc, 11);
    assert_eq!(search(&mut ldap, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await.result.rc, 0);
}

#[tokio::test]
async fn a_server_can_fall_silent_or_be_slow() {
    let server = openldap(&people(1)).await;
    server.push_faults(vec![
        Fault::new(Op::Search, Do::Stall).nth(1).message(0),
        Fault::new(Op::Search, Do::DelayMs(20)).nth(2),
    ]);
    let mut ldap = reader(&server).await;
    let answer =
        ldap.with_timeout(Duration::from_millis(100)).search(BASE, Scope::Subtree, "(uid=*)", vec!["1.1"]).await;
    assert!(matches!(answer, Err(ldap3::LdapError::Timeout { .. })));
    assert_eq!(search(&mut reader(&server).await, BASE, Scope::Subtree, "(uid=*)", &["1.1"]).await.entries.len(), 1);
}

#[tokio::test]
async fn shutting_down_cuts_open_connections() {
    let server = openldap("").await;
    let mut ldap = reader(&server).await;
    let url = server.url();
    server.shutdown().await;
    assert!(ldap.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.is_err());
    assert!(LdapConnAsync::new(&url).await.is_err());
}
