//! Bind, identity, root DSE, rights.

use super::*;

#[tokio::test]
async fn the_two_accounts_bind_and_others_do_not() {
    let server = openldap(&person("ann")).await;
    let mut ldap = connect(&server).await;
    let ok = ldap.simple_bind("CN=Svc, DC=example,dc=ORG", "svcpw").await.unwrap();
    assert_eq!(ok.rc, 0);
    assert_eq!(ldap.simple_bind(&server.svc_dn(), "wrong").await.unwrap().rc, 49);
    assert_eq!(ldap.simple_bind("cn=nobody,dc=example,dc=org", "svcpw").await.unwrap().rc, 49);
    assert_eq!(ldap.simple_bind("no name", "x").await.unwrap().rc, 34);
    let ann = format!("uid=ann,ou=people,{BASE}");
    assert_eq!(ldap.simple_bind(&ann, "secret-ann").await.unwrap().rc, 0);
    assert_eq!(ldap.simple_bind(&ann, "svcpw").await.unwrap().rc, 49);
}

#[tokio::test]
async fn an_empty_password_succeeds_as_nobody_who_sees_nothing() {
    let server = openldap(&person("ann")).await;
    let mut ldap = connect(&server).await;
    assert_eq!(ldap.simple_bind(&server.svc_dn(), "").await.unwrap().rc, 0);
    let found = search(&mut ldap, BASE, Scope::Subtree, "(objectClass=*)", &["*"]).await;
    assert_eq!((found.result.rc, found.entries.len()), (0, 0));
    let who = ldap.extended(ldap3::exop::WhoAmI).await.unwrap().success().unwrap().0;
    assert_eq!(who.val.unwrap_or_default(), b"");

    let server = active_directory(&user("ann")).await;
    let mut ldap = connect(&server).await;
    assert_eq!(ldap.simple_bind("svc@example.org", "").await.unwrap().rc, 0);
    let found = search(&mut ldap, BASE, Scope::Subtree, "(objectClass=*)", &["*"]).await;
    assert_eq!(found.result.rc, 1);
}

#[tokio::test]
async fn active_directory_takes_login_names_and_explains_a_refusal() {
    let server = active_directory("").await;
    let mut ldap = connect(&server).await;
    for name in ["svc@example.org", "SVC@EXAMPLE.ORG", "EXAMPLE\\svc", "cn=svc,dc=example,dc=org"] {
        assert_eq!(ldap.simple_bind(name, "svcpw").await.unwrap().rc, 0, "{name}");
    }
    let refused = ldap.simple_bind("svc@example.org", "wrong").await.unwrap();
    assert_eq!(refused.rc, 49);
    assert!(refused.text.contains("data 52e"), "{}", refused.text);
}

#[tokio::test]
async fn who_am_i_tells_the_identity_unless_it_is_switched_off() {
    async fn ask(ldap: &mut Ldap) -> Result<String, u32> {
        match ldap.extended(ldap3::exop::WhoAmI).await.unwrap().success() {
            Ok(answer) => Ok(String::from_utf8(answer.0.val.unwrap()).unwrap()),
            Err(ldap3::LdapError::LdapResult { result }) => Err(result.rc),
            Err(other) => panic!("{other}"),
        }
    }
    let server = openldap("").await;
    assert_eq!(ask(&mut reader(&server).await).await.as_deref(), Ok("dn:cn=svc,dc=example,dc=org"));
    let mut options = Options::new(Kind::ActiveDirectory, tree(""));
    let server = start(any_port(), options.clone()).await.unwrap();
    assert_eq!(ask(&mut reader(&server).await).await.as_deref(), Ok("u:EXAMPLE\\svc"));
    options.who_am_i = false;
    let server = start(any_port(), options).await.unwrap();
    assert_eq!(ask(&mut reader(&server).await).await, Err(2));
}

#[tokio::test]
async fn the_root_dse_tells_what_each_server_tells() {
    let server = openldap("").await;
    let mut ldap = connect(&server).await;
    let plain = read(&mut ldap, "", &["*"]).await;
    assert!(!plain.attrs.contains_key("namingContexts"));
    let full = read(&mut ldap, "", &["+"]).await;
    assert_eq!(full.attrs["namingContexts"], [BASE]);
    assert!(full.attrs["supportedControl"].contains(&"1.2.840.113556.1.4.319".to_owned()));
    let mut ldap = reader(&server).await;
    assert!(read(&mut ldap, BASE, &["contextCSN"]).await.attrs.contains_key("contextCSN"));

    let server = active_directory("").await;
    let mut ldap = reader(&server).await;
    let full = read(&mut ldap, "", &[]).await;
    assert_eq!(full.attrs["defaultNamingContext"], [BASE]);
    let service = read(&mut ldap, &full.attrs["dsServiceName"][0], &["invocationId"]).await;
    assert!(service.attrs.contains_key("invocationId") || service.bin_attrs.contains_key("invocationId"));
    assert!(full.attrs["highestCommittedUSN"][0].parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn readers_do_not_see_passwords_or_write() {
    let server = openldap(&person("ann")).await;
    let mut ldap = reader(&server).await;
    let ann = format!("uid=ann,ou=people,{BASE}");
    assert!(!read(&mut ldap, &ann, &["*", "userPassword"]).await.attrs.contains_key("userPassword"));
    let found = search(&mut ldap, BASE, Scope::Subtree, "(userPassword=secret-ann)", &["1.1"]).await;
    assert!(found.entries.is_empty());
    assert_eq!(ldap.modify(&ann, vec![replace("sn", "x")]).await.unwrap().rc, 50);
    assert_eq!(ldap.delete(&ann).await.unwrap().rc, 50);
    assert!(read(&mut admin(&server).await, &ann, &["*"]).await.attrs.contains_key("userPassword"));
}

#[tokio::test]
async fn hidden_entries_and_attributes_are_missing_without_a_word() {
    let server = openldap(&(person("ann") + &person("bob"))).await;
    let mut ldap = reader(&server).await;
    let ann = format!("uid=ann,ou=people,{BASE}");
    server.hide(&ann, None);
    server.hide(&format!("ou=people,{BASE}"), Some("mail"));
    let found = search(&mut ldap, BASE, Scope::Subtree, "(objectClass=inetOrgPerson)", &["*"]).await;
    assert_eq!((found.result.rc, found.entries.len()), (0, 1));
    assert!(found.values("mail").is_empty());
    let by_mail = search(&mut ldap, BASE, Scope::Subtree, "(mail=bob@example.org)", &["1.1"]).await;
    assert!(by_mail.entries.is_empty());
    let without = search(&mut ldap, BASE, Scope::Subtree, "(&(uid=bob)(!(mail=x)))", &["1.1"]).await;
    assert!(without.entries.is_empty(), "what may not be read is undefined, not false");
    let base = search(&mut ldap, &ann, Scope::Base, "(objectClass=*)", &["1.1"]).await;
    assert_eq!((base.result.rc, base.result.matched.as_str()), (32, "ou=people,dc=example,dc=org"));
    server.unhide_all();
    assert_eq!(read(&mut ldap, &ann, &["mail"]).await.attrs["mail"], ["ann@example.org"]);
}

#[tokio::test]
async fn a_bind_in_the_clear_can_be_refused() {
    let mut options = Options::new(Kind::ActiveDirectory, tree(""));
    options.require_tls = true;
    let server = start(any_port(), options).await.unwrap();
    assert_eq!(connect(&server).await.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().rc, 8);
}

#[tokio::test]
async fn an_unknown_critical_control_is_refused() {
    let server = openldap("").await;
    let mut ldap = reader(&server).await;
    let control = |critical| RawControl { ctype: "1.2.3.4".to_owned(), crit: critical, val: None };
    let found = search(ldap.with_controls(vec![control(true)]), BASE, Scope::Base, "(objectClass=*)", &["1.1"]).await;
    assert_eq!(found.result.rc, 12);
    let found = search(ldap.with_controls(vec![control(false)]), BASE, Scope::Base, "(objectClass=*)", &["1.1"]).await;
    assert_eq!(found.result.rc, 0);
}

#[tokio::test]
async fn the_log_shows_what_was_asked() {
    let server = openldap(&person("ann")).await;
    let mut ldap = reader(&server).await;
    search(&mut ldap, BASE, Scope::Subtree, "(&(uid=a*)(!(mail=\\28*)))", &["mail"]).await;
    let log = server.log();
    assert_eq!(log.iter().map(|entry| entry.op.as_str()).collect::<Vec<_>>(), ["bind", "search"]);
    assert_eq!(log[1].filter, "(&(uid=a*)(!(mail=\\28*)))");
    assert_eq!((log[1].result, log[1].entries, log[1].scope), (Some(0), 1, Some(super::super::Scope::Sub)));
    assert_eq!(log[1].who, "dn:cn=svc,dc=example,dc=org");
}
