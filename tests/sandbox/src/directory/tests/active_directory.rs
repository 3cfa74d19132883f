//! What only AD does.

use super::*;

fn group(name: &str, members: &[String]) -> String {
    let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
    format!("dn: CN={name},OU=groups,{BASE}\nobjectClass: group\nsAMAccountName: {name}\n{members}\n")
}

fn dn(name: &str) -> String {
    format!("CN={name},ou=people,{BASE}")
}

fn raw(oid: &str) -> RawControl {
    RawControl { ctype: oid.to_owned(), crit: true, val: None }
}

fn bytes(entry: &SearchEntry, name: &str) -> Vec<u8> {
    let text = entry.attrs.get(name).and_then(|values| values.first()).map(|value| value.clone().into_bytes());
    entry.bin_attrs.get(name).and_then(|values| values.first()).cloned().or(text).unwrap()
}

#[tokio::test]
async fn many_values_come_in_ranges() {
    for n in [1499_usize, 1500, 1501, 3001] {
        let body: String = (0..n).map(|i| user(&format!("u{i}"))).collect();
        let members: Vec<String> = (0..n).map(|i| dn(&format!("u{i}"))).collect();
        let server = active_directory(&(body + &group("g", &members))).await;
        let mut ldap = reader(&server).await;
        let g = format!("CN=g,OU=groups,{BASE}");
        let first = read(&mut ldap, &g, &["member"]).await.attrs;
        if n <= 1500 {
            assert_eq!(first["member"].len(), n);
            continue;
        }
        assert!(first["member"].is_empty());
        let mut all = first["member;range=0-1499"].clone();
        loop {
            let wanted = format!("member;range={}-*", all.len());
            let more = read(&mut ldap, &g, &[&wanted]).await.attrs;
            let (name, values) = more.into_iter().find(|(name, _)| name.starts_with("member;range=")).unwrap();
            assert!(name.starts_with(&format!("member;range={}-", all.len())));
            all.extend(values);
            if name.ends_with("-*") {
                break;
            }
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), n);
    }
}

#[tokio::test]
async fn explicit_ranges_are_kept_to() {
    let members: Vec<String> = (0..10).map(|i| dn(&format!("u{i}"))).collect();
    let body: String = (0..10).map(|i| user(&format!("u{i}"))).collect();
    let mut options = Options::new(Kind::ActiveDirectory, tree(&(body + &group("g", &members))));
    options.max_values = Some(4);
    let server = start(any_port(), options).await.unwrap();
    let mut ldap = reader(&server).await;
    let g = format!("CN=g,OU=groups,{BASE}");
    for (asked, answered, count) in [
        ("member;range=0-1", "member;range=0-1", 2),
        ("member;range=2-*", "member;range=2-5", 4),
        ("member;range=0-8", "member;range=0-3", 4),
        ("member;range=8-11", "member;range=8-*", 2),
        ("member;range=20-*", "member;range=20-*", 0),
    ] {
        let attributes = read(&mut ldap, &g, &[asked]).await.attrs;
        assert_eq!(attributes.get(answered).map(Vec::len), Some(count), "{asked}: {:?}", attributes.keys());
    }
}

#[tokio::test]
async fn entries_have_the_domains_attributes() {
    let server = active_directory(&(user("ann") + &group("Staff", &[dn("ann")]) + &group("Domain Users", &[]))).await;
    let mut ldap = reader(&server).await;
    let ann = read(&mut ldap, &dn("ann"), &[]).await;
    let guid = bytes(&ann, "objectGUID");
    assert_eq!(guid.len(), 16);
    assert_eq!(bytes(&ann, "objectSid").len(), 28);
    assert_eq!(ann.attrs["primaryGroupID"], ["513"]);
    assert_eq!(ann.attrs["cn"], ["ann"], "the schema's spelling, though the name says CN");
    assert_eq!(ann.attrs["memberOf"], [format!("CN=Staff,ou=groups,{BASE}")]);
    assert_eq!(ann.attrs["whenChanged"], ["20260101000000.0Z"]);
    assert!(!ann.attrs.contains_key("msDS-User-Account-Control-Computed"), "constructed: only by name");
    let found = search(&mut ldap, BASE, Scope::Subtree, "(sAMAccountName=domain users)", &["primaryGroupToken"]).await;
    assert_eq!(found.values("primaryGroupToken"), ["513"]);
    let found =
        search(&mut ldap, BASE, Scope::Subtree, "(userAccountControl:1.2.840.113556.1.4.803:=2)", &["1.1"]).await;
    assert!(found.entries.is_empty());
    server.apply_ldif(&format!("dn: {}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n-\nreplace: lockoutTime\nlockoutTime: 133000000000000000\n-\n", dn("ann"))).unwrap();
    let found = search(
        &mut ldap,
        BASE,
        Scope::Subtree,
        "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        &["msDS-User-Account-Control-Computed"],
    )
    .await;
    assert_eq!(found.values("msDS-User-Account-Control-Computed"), ["16"]);
    assert_eq!(read(&mut ldap, &dn("ann"), &["tokenGroups"]).await.bin_attrs.get("tokenGroups").map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_object_is_found_by_its_guid() {
    let server = active_directory(&(user("ann") + &user("bob"))).await;
    let mut ldap = reader(&server).await;
    let guid = bytes(&read(&mut ldap, &dn("ann"), &["objectGUID"]).await, "objectGUID");
    let hex: String = guid.iter().map(|byte| format!("{byte:02x}")).collect();
    let printed = uuid::Uuid::from_bytes_le(guid.clone().try_into().unwrap()).to_string();
    for base in [format!("<GUID={hex}>"), format!("<GUID={printed}>"), format!("<guid={}>", printed.to_uppercase())] {
        assert_eq!(
            read(&mut ldap, &base, &["1.1"]).await.dn,
            format!("CN=ann,OU=people,{BASE}").replace("OU=", "ou="),
            "{base}"
        );
    }
    let escaped: String = guid.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let found = search(&mut ldap, BASE, Scope::Subtree, &format!("(objectGUID={escaped})"), &["1.1"]).await;
    assert_eq!(found.entries.len(), 1);
    let missing = search(&mut ldap, "<GUID=00000000000000000000000000000000>", Scope::Base, "(cn=*)", &["1.1"]).await;
    assert_eq!(missing.result.rc, 32);
}

#[tokio::test]
async fn chains_are_followed_through_cycles() {
    let inner = group("inner", &[dn("ann"), format!("CN=outer,OU=groups,{BASE}")]);
    let outer = group("outer", &[format!("CN=inner,OU=groups,{BASE}")]);
    let server = active_directory(&(user("ann") + &user("bob") + &inner + &outer)).await;
    let mut ldap = reader(&server).await;
    let filter = format!("(memberOf:1.2.840.113556.1.4.1941:=CN=outer,OU=groups,{BASE})");
    let found = search(&mut ldap, BASE, Scope::Subtree, &filter, &["1.1"]).await;
    assert_eq!(found.entries.len(), 3);
    let filter = format!("(member:1.2.840.113556.1.4.1941:={})", dn("ann"));
    assert_eq!(search(&mut ldap, BASE, Scope::Subtree, &filter, &["1.1"]).await.entries.len(), 2);
}

#[tokio::test]
async fn deleted_objects_are_shown_on_request() {
    let server = active_directory(&(user("ann") + &group("Staff", &[dn("ann")]))).await;
    let mut ldap = reader(&server).await;
    let guid = bytes(&read(&mut ldap, &dn("ann"), &["objectGUID"]).await, "objectGUID");
    assert_eq!(admin(&server).await.delete(&dn("ann")).await.unwrap().rc, 0);
    assert!(search(&mut ldap, BASE, Scope::Subtree, "(sAMAccountName=ann)", &["*"]).await.entries.is_empty());
    let container = format!("CN=Deleted Objects,{BASE}");
    assert_eq!(search(&mut ldap, &container, Scope::Subtree, "(isDeleted=TRUE)", &["*"]).await.result.rc, 32);
    let found = search(
        ldap.with_controls(vec![raw("1.2.840.113556.1.4.417")]),
        &container,
        Scope::Subtree,
        "(&(isDeleted=TRUE)(sAMAccountName=ann))",
        &["*"],
    )
    .await;
    let [tombstone] = found.entries.as_slice() else { panic!("{:?}", found.names()) };
    let printed = uuid::Uuid::from_bytes_le(guid.clone().try_into().unwrap());
    assert_eq!(tombstone.dn, format!("CN=ann\\0ADEL:{printed},CN=Deleted Objects,{BASE}"));
    assert_eq!(bytes(tombstone, "objectGUID"), guid);
    assert_eq!(tombstone.attrs["lastKnownParent"], [format!("ou=people,{BASE}")]);
    assert!(!tombstone.attrs.contains_key("mail"));
    assert!(!read(&mut ldap, &format!("CN=Staff,OU=groups,{BASE}"), &["*"]).await.attrs.contains_key("member"));
}

#[tokio::test]
async fn links_follow_renames_of_units_too() {
    let server = active_directory(&(user("ann") + &group("Staff", &[dn("ann")]))).await;
    let mut ldap = admin(&server).await;
    assert_eq!(ldap.modifydn(&format!("OU=people,{BASE}"), "OU=Folk", true, None).await.unwrap().rc, 0);
    let staff = read(&mut ldap, &format!("CN=Staff,OU=groups,{BASE}"), &["member"]).await;
    assert_eq!(staff.attrs["member"], [format!("CN=ann,OU=Folk,{BASE}")]);
    let strangers = vec![Mod::Add("member", one("CN=nobody,dc=example,dc=org"))];
    assert_eq!(ldap.modify(&format!("CN=Staff,OU=groups,{BASE}"), strangers).await.unwrap().rc, 32);
}

#[tokio::test]
async fn the_domains_top_refers_to_the_configuration() {
    let server = active_directory(&user("ann")).await;
    let mut ldap = reader(&server).await;
    let found = search(&mut ldap, BASE, Scope::Subtree, "(objectClass=user)", &["1.1"]).await;
    assert_eq!((found.entries.len(), found.references), (1, 1));
    let found = search(
        ldap.with_controls(vec![raw("1.2.840.113556.1.4.1339")]),
        BASE,
        Scope::Subtree,
        "(objectClass=user)",
        &["1.1"],
    )
    .await;
    assert_eq!(found.references, 0);
    let found = search(&mut ldap, &format!("ou=people,{BASE}"), Scope::Subtree, "(objectClass=user)", &["1.1"]).await;
    assert_eq!(found.references, 0);
}

#[tokio::test]
async fn names_can_come_with_their_ids() {
    let server = active_directory(&(user("ann") + &group("Staff", &[dn("ann")]))).await;
    let mut ldap = reader(&server).await;
    let found = search(
        ldap.with_controls(vec![raw("1.2.840.113556.1.4.529")]),
        BASE,
        Scope::Subtree,
        "(sAMAccountName=staff)",
        &["member"],
    )
    .await;
    assert!(found.names()[0].starts_with("<GUID=") && found.names()[0].contains(">;<SID="));
    assert!(found.values("member")[0].ends_with(&format!(";CN=ann,ou=people,{BASE}")));
}
