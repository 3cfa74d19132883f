//! Add, modify, delete, modrdn.

use super::*;

fn group(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|uid| format!("member: uid={uid},ou=people,{BASE}\n")).collect();
    format!("dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
}

fn attributes<'a>(pairs: &[(&'a str, &[&'a str])]) -> Vec<(&'a str, HashSet<&'a str>)> {
    pairs.iter().map(|(name, values)| (*name, values.iter().copied().collect())).collect()
}

#[tokio::test]
async fn adds_are_checked() {
    let server = openldap(&person("ann")).await;
    let mut ldap = admin(&server).await;
    let dn = format!("uid=bob,ou=people,{BASE}");
    let whole: &[(&str, &[&str])] =
        &[("objectClass", &["inetOrgPerson"]), ("uid", &["bob"]), ("cn", &["Bob"]), ("sn", &["B"])];
    assert_eq!(ldap.add(&dn, attributes(&whole[..3])).await.unwrap().rc, 65);
    assert_eq!(ldap.add(&dn, attributes(&[&whole[..1], &whole[2..]].concat())).await.unwrap().rc, 64);
    assert_eq!(ldap.add(&dn, attributes(whole)).await.unwrap().rc, 0);
    assert_eq!(ldap.add(&dn.to_uppercase(), attributes(whole)).await.unwrap().rc, 68);
    let lost = ldap.add(&format!("uid=x,ou=none,{BASE}"), attributes(whole)).await.unwrap();
    assert_eq!((lost.rc, lost.matched.as_str()), (32, BASE));
    let own: &[(&str, &[&str])] = &[("entryUUID", &["00000000-0000-0000-0000-000000000001"])];
    assert_eq!(ldap.add(&format!("uid=y,ou=people,{BASE}"), attributes(&[whole, own].concat())).await.unwrap().rc, 19);
    let empty = ldap
        .add(&format!("cn=g,ou=groups,{BASE}"), attributes(&[("objectClass", &["groupOfNames"]), ("cn", &["g"])]))
        .await
        .unwrap();
    assert_eq!(empty.rc, 65);
}

#[tokio::test]
async fn modifications_are_checked_and_all_or_nothing() {
    let server = openldap(&(person("ann") + &group("g", &["ann"]))).await;
    let mut ldap = admin(&server).await;
    let ann = format!("uid=ann,ou=people,{BASE}");
    let before = read(&mut ldap, &ann, &["+"]).await.attrs;
    for (change, code) in [
        (Mod::Add("mail", one("ANN@example.org")), 20),
        (Mod::Delete("mail", one("other@example.org")), 16),
        (Mod::Delete("description", HashSet::new()), 16),
        (Mod::Add("displayName", HashSet::from(["a", "b"])), 19),
        (Mod::Delete("uid", HashSet::new()), 67),
        (Mod::Delete("sn", HashSet::new()), 65),
        (Mod::Replace("memberOf", one("cn=g")), 19),
        (Mod::Add("manager", one("no name")), 21),
    ] {
        let title = replace("title", "never");
        assert_eq!(ldap.modify(&ann, vec![title, change.clone()]).await.unwrap().rc, code, "{change:?}");
    }
    assert_eq!(
        ldap.modify(&format!("cn=g,ou=groups,{BASE}"), vec![Mod::Delete("member", HashSet::new())]).await.unwrap().rc,
        65
    );
    assert!(!read(&mut ldap, &ann, &["*"]).await.attrs.contains_key("title"));
    let changes =
        vec![Mod::Add("mail", one("b@x.org")), Mod::Delete("mail", one("Ann@Example.org")), replace("title", "T")];
    assert_eq!(ldap.modify(&ann, changes).await.unwrap().rc, 0);
    let after = read(&mut ldap, &ann, &["*", "+"]).await.attrs;
    assert_eq!(
        (after["mail"].as_slice(), after["title"].as_slice()),
        (&["b@x.org".to_owned()][..], &["T".to_owned()][..])
    );
    assert_eq!(after["entryUUID"], before["entryUUID"]);
    assert!(after["entryCSN"] > before["entryCSN"]);
    let found = search(&mut ldap, BASE, Scope::Subtree, "(mail=ann@example.org)", &["1.1"]).await;
    assert!(found.entries.is_empty(), "the index follows");
}

#[tokio::test]
async fn deletes_take_leaves_and_references() {
    let server =
        openldap(&(person("ann") + &person("bob") + &group("g", &["ann", "bob"]) + &group("solo", &["ann"]))).await;
    let mut ldap = admin(&server).await;
    assert_eq!(ldap.delete(&format!("ou=people,{BASE}")).await.unwrap().rc, 66);
    let g = format!("cn=g,ou=groups,{BASE}");
    let before = read(&mut ldap, &g, &["entryCSN"]).await.attrs;
    assert_eq!(ldap.delete(&format!("uid=ann,ou=people,{BASE}")).await.unwrap().rc, 0);
    assert_eq!(ldap.delete(&format!("uid=ann,ou=people,{BASE}")).await.unwrap().rc, 32);
    let after = read(&mut ldap, &g, &["member", "entryCSN"]).await.attrs;
    assert_eq!(after["member"], [format!("uid=bob,ou=people,{BASE}")]);
    assert_eq!(after["entryCSN"], before["entryCSN"], "refint leaves no stamp");
    assert_eq!(read(&mut ldap, &format!("cn=solo,ou=groups,{BASE}"), &["member"]).await.attrs["member"].len(), 1);
}

#[tokio::test]
async fn a_recreated_entry_is_another_one() {
    let server = openldap(&person("ann")).await;
    let mut ldap = reader(&server).await;
    let ann = format!("uid=ann,ou=people,{BASE}");
    let before = read(&mut ldap, &ann, &["entryUUID"]).await.attrs;
    server.apply_ldif(&format!("dn: {ann}\nchangetype: delete\n\n{}", person("ann"))).unwrap();
    assert_ne!(read(&mut ldap, &ann, &["entryUUID"]).await.attrs, before);
}

#[tokio::test]
async fn a_rename_keeps_the_id_and_moves_what_is_below() {
    let body = person("ann") + &person("bob") + &group("g", &["ann", "bob"]);
    let server = openldap(&body).await;
    let mut ldap = admin(&server).await;
    let before = read(&mut ldap, &format!("uid=ann,ou=people,{BASE}"), &["entryUUID"]).await.attrs["entryUUID"].clone();
    let rc = ldap.modifydn(&format!("uid=ann,ou=people,{BASE}"), "uid=anna", true, None).await.unwrap().rc;
    assert_eq!(rc, 0);
    assert_eq!(
        ldap.modifydn(&format!("ou=people,{BASE}"), "ou=staff", true, Some(&format!("ou=groups,{BASE}")))
            .await
            .unwrap()
            .rc,
        0
    );
    let moved = read(&mut ldap, &format!("uid=anna,ou=staff,ou=groups,{BASE}"), &["*", "entryUUID"]).await.attrs;
    assert_eq!((moved["entryUUID"].as_slice(), moved["uid"].as_slice()), (before.as_slice(), &["anna".to_owned()][..]));
    let members = read(&mut ldap, &format!("cn=g,ou=groups,{BASE}"), &["member"]).await.attrs["member"].clone();
    let expected = ["anna", "bob"].map(|uid| format!("uid={uid},ou=people,{BASE}"));
    assert_eq!(members, expected, "refint follows the entry, not what is below a renamed unit");
    assert_eq!(
        ldap.modifydn(&format!("ou=groups,{BASE}"), "ou=x", true, Some(&format!("ou=staff,ou=groups,{BASE}")))
            .await
            .unwrap()
            .rc,
        53
    );
    assert_eq!(
        ldap.modifydn(&format!("uid=bob,ou=staff,ou=groups,{BASE}"), "uid=ANNA", true, None).await.unwrap().rc,
        68
    );
}

#[tokio::test]
async fn without_refint_references_dangle() {
    let mut options =
        Options::new(Kind::Openldap, tree(&(person("ann") + &person("bob") + &group("g", &["ann", "bob"]))));
    options.refint = false;
    let server = start(any_port(), options).await.unwrap();
    server.apply_ldif(&format!("dn: uid=ann,ou=people,{BASE}\nchangetype: delete\n")).unwrap();
    let members = server.entry(&format!("cn=g,ou=groups,{BASE}")).unwrap();
    let members = members.iter().find(|(name, _)| name == "member").unwrap();
    assert_eq!(members.1.len(), 2);
}

#[tokio::test]
async fn every_write_is_in_the_change_log() {
    use super::super::ChangeKind::{Add, Delete, Modify, Rename};
    let server = openldap(&person("ann")).await;
    let loaded = server.changes().len();
    server
        .apply_ldif(&format!(
            "{}dn: uid=bob,ou=people,{BASE}\nchangetype: modify\nreplace: sn\nsn: new\n-\n\ndn: uid=bob,ou=people,{BASE}\nchangetype: modrdn\nnewrdn: uid=rob\ndeleteoldrdn: 1\n\ndn: uid=rob,ou=people,{BASE}\nchangetype: delete\n",
            person("bob")
        ))
        .unwrap();
    let changes = server.changes().split_off(loaded);
    assert_eq!(changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [Add, Modify, Rename, Delete]);
    assert!(
        changes
            .windows(2)
            .all(|pair| pair[0].usn < pair[1].usn && pair[0].csn < pair[1].csn && pair[0].id == pair[1].id)
    );
}

#[tokio::test]
async fn wrong_ldif_names_its_line() {
    for (text, line) in
        [("dn: dc=x\nobjectClass domain\n", "line 2"), ("dn: dc=x\ndc: x\n\ndn: cn=a,cn=b,dc=x\ncn: a\n", "line 4")]
    {
        let fault = start(any_port(), Options::new(Kind::Openldap, text)).await.err().unwrap();
        assert!(fault.to_string().contains(line), "{fault}");
    }
}
