//! What filters find.

use super::*;

async fn found(ldap: &mut Ldap, filter: &str) -> Vec<String> {
    let found = search(ldap, BASE, Scope::Subtree, filter, &["1.1"]).await;
    assert_eq!(found.result.rc, 0, "{filter}");
    let leaf = |name: &String| name.split(',').next().unwrap_or_default().to_lowercase();
    found.names().iter().map(leaf).collect()
}

#[tokio::test]
async fn each_kind_of_filter_finds_its_entries() {
    let people = person("ann") + &person("bob") + &person("cyd").replace("sn: cyd", "sn: cyd\nuidNumber: 1500");
    let server = openldap(&people.replace("sn: bob", "sn: bob\nuidNumber: 900\ntitle: Big  BOSS")).await;
    let mut ldap = reader(&server).await;
    for (filter, expected) in [
        ("(uid=ANN)", vec!["uid=ann"]),
        ("(&(objectClass=inetorgperson)(!(uid=ann)))", vec!["uid=bob", "uid=cyd"]),
        ("(|(uid=ann)(mail=bob@EXAMPLE.org))", vec!["uid=ann", "uid=bob"]),
        ("(mail=a*@exam*.org)", vec!["uid=ann"]),
        ("(mail=*ob@*)", vec!["uid=bob"]),
        ("(uidNumber>=1000)", vec!["uid=cyd"]),
        ("(uidNumber<=1000)", vec!["uid=bob"]),
        ("(title=*)", vec!["uid=bob"]),
        ("(title=big boss)", vec!["uid=bob"]),
        ("(title~=big boss)", vec!["uid=bob"]),
        ("(title:caseExactMatch:=big boss)", vec![]),
        ("(!(noSuchAttribute=x))", vec![]),
        ("(&(uid=ann)(|(noSuchAttribute=x)(uid=ann)))", vec!["uid=ann"]),
        ("(&)", vec!["dc=example", "ou=people", "ou=groups", "uid=ann", "uid=bob", "uid=cyd"]),
        ("(uidNumber:1.2.840.113556.1.4.803:=4)", vec!["uid=bob", "uid=cyd"]),
    ] {
        assert_eq!(found(&mut ldap, filter).await, expected, "{filter}");
    }
    let server_csn = read(&mut ldap, BASE, &["contextCSN"]).await.attrs["contextCSN"][0].clone();
    assert_eq!(found(&mut ldap, &format!("(entryCSN>={server_csn})")).await, ["uid=cyd"]);
}

#[tokio::test]
async fn a_member_is_found_in_any_spelling() {
    let server = openldap(&format!(
        "dn: cn=Müller\\, (Jürgen),ou=people,{BASE}\nobjectClass: inetOrgPerson\ncn: Müller, (Jürgen)\nsn: M\nmanager: UID=Boss , OU=People,{BASE}\n\n{}dn: cn=g,ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: g\nmember: CN=müller\\2C (jürgen) , ou=People,DC=Example,dc=org\n\n",
        person("boss")
    ))
    .await;
    let mut ldap = reader(&server).await;
    for spelling in [
        "cn=Müller\\5c2C \\28Jürgen\\29,ou=people,dc=example,dc=org",
        "CN=MÜLLER\\5c, \\28jürgen\\29, OU=people, DC=example, DC=org",
        "cn=M\\c3\\bcller\\5c, \\28J\\5cC3\\5cBCrgen\\29,ou=people,dc=example,dc=org",
    ] {
        assert_eq!(found(&mut ldap, &format!("(member={spelling})")).await, ["cn=g"], "{spelling}");
    }
    assert_eq!(found(&mut ldap, &format!("(memberOf=CN=G,ou=GROUPS,{BASE})")).await.len(), 1);
    assert_eq!(found(&mut ldap, &format!("(manager=uid=boss,ou=people,{BASE})")).await.len(), 1);
    let person = search(&mut ldap, BASE, Scope::Subtree, "(sn=M)", &["memberOf"]).await;
    assert_eq!(person.names(), ["cn=Müller\\2C (Jürgen),ou=people,dc=example,dc=org"], "slapd's own spelling");
    assert_eq!(person.values("memberOf"), ["cn=g,ou=groups,dc=example,dc=org"]);
}

#[tokio::test]
async fn scopes_and_missing_bases() {
    let server = openldap(&person("ann")).await;
    let mut ldap = reader(&server).await;
    let names = search(&mut ldap, BASE, Scope::OneLevel, "(objectClass=*)", &["1.1"]).await.names();
    assert_eq!(names.len(), 2);
    let missing = search(&mut ldap, &format!("uid=x,ou=none,{BASE}"), Scope::Subtree, "(uid=*)", &["1.1"]).await;
    assert_eq!((missing.result.rc, missing.result.matched.as_str()), (32, BASE));
    assert_eq!(search(&mut ldap, "nonsense", Scope::Base, "(uid=*)", &["1.1"]).await.result.rc, 34);
    assert_eq!(search(&mut ldap, "dc=other", Scope::Base, "(uid=*)", &["1.1"]).await.result.rc, 32);
    let server = active_directory("").await;
    let elsewhere = search(&mut reader(&server).await, "dc=other,dc=net", Scope::Base, "(cn=*)", &["1.1"]).await;
    assert_eq!((elsewhere.result.rc, elsewhere.result.refs.len()), (10, 1));
}
