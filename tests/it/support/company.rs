//! A small company for the command line: LDIF for its directory, and what its Zendesk account holds before.
//!
//! Whom the directory wants is written down here, by hand; it is not computed by the product.

use sandbox::zendesk::{Account, GroupState, Role, RoleState, UserState};

/// The directory's suffix.
pub const BASE: &str = "dc=example,dc=org";
/// The password of `cn=reader`: a canary, found nowhere but in its file.
pub const LDAP_SECRET: &str = "canary-ldap-5b1f0c93";
/// The secret of the OAuth client, which the sandbox fixes.
pub const ZENDESK_SECRET: &str = "sandbox-secret";
/// In the group Support, by itself or through Support Tier 1, which is nested.
pub const SUPPORT: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
/// In the group Leads.
pub const LEADS: [&str; 1] = ["frank"];
/// In no group that is assigned; with them a read has several pages.
const OUTSIDERS: usize = 24;

const PEOPLE: [(&str, &str); 6] = [
    ("Alice", "Archer"),
    ("Bob", "Baker"),
    ("Carol", "Cook"),
    ("Dave", "Dyer"),
    ("Erin", "Ekdahl"),
    ("Frank", "Fisher"),
];

/// The id of a Zendesk group.
pub const SUPPORT_GROUP: u64 = 11;
/// The id of a Zendesk group.
pub const ESCALATIONS_GROUP: u64 = 12;
/// The id of a customer who has nothing to do with the directory.
pub const STRANGER: u64 = 103;
/// Their mail.
pub const STRANGER_MAIL: &str = "casey@customer.test";

/// A person's DN.
pub fn dn(uid: &str) -> String {
    format!("uid={uid},ou=people,{BASE}")
}

/// A group's DN.
pub fn group_dn(name: &str) -> String {
    format!("cn={name},ou=groups,{BASE}")
}

/// A person's mail.
pub fn mail(uid: &str) -> String {
    format!("{uid}@example.org")
}

/// A person whose immutable id is a number.
fn numbered(number: usize, uid: &str, given: &str, surname: &str) -> String {
    let id = format!("entryUUID: 00000000-0000-4000-8000-{number:012}\n");
    person(uid, given, surname, Some(&mail(uid)))
        .replace("objectClass: inetOrgPerson\n", &format!("objectClass: inetOrgPerson\n{id}"))
}

/// A person's record, in no group yet.
pub fn person(uid: &str, given: &str, surname: &str, mail: Option<&str>) -> String {
    let mail = mail.map(|mail| format!("mail: {mail}\n")).unwrap_or_default();
    format!(
        "dn: {}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {given} {surname}\nsn: {surname}\ngivenName: {given}\n\
         displayName: {given} {surname}\n{mail}\n",
        dn(uid)
    )
}

/// A group's record.
pub fn group(name: &str, members: &[String]) -> String {
    let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
    format!("dn: {}\nobjectClass: groupOfNames\ncn: {name}\n{members}\n", group_dn(name))
}

/// The whole directory.
pub fn ldif() -> String {
    let mut text = format!("dn: {BASE}\nobjectClass: domain\ndc: example\n\n");
    for unit in ["people", "groups", "services"] {
        text += &format!("dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n");
    }
    text += &format!(
        "dn: cn=reader,ou=services,{BASE}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n\
         cn: reader\nuserPassword: {LDAP_SECRET}\n\n"
    );
    for (number, (given, surname)) in PEOPLE.iter().enumerate() {
        text += &numbered(number + 1, &given.to_lowercase(), given, surname);
    }
    for number in 1..=OUTSIDERS {
        text += &numbered(100 + number, &format!("outsider{number:02}"), "Out", &format!("Sider{number:02}"));
    }
    let members = |uids: &[&str]| uids.iter().map(|uid| dn(uid)).collect::<Vec<_>>();
    text += &group("tier1", &members(&["dave", "erin"]));
    let mut support = members(&["alice", "bob", "carol"]);
    support.push(group_dn("tier1"));
    text += &group("support", &support);
    text += &group("leads", &members(&LEADS));
    text
}

/// A change record: one attribute gets these values, or none.
pub fn set(dn: &str, attribute: &str, values: &[&str]) -> String {
    let values: String = values.iter().map(|value| format!("{attribute}: {value}\n")).collect();
    format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{values}-\n\n")
}

/// A change record: somebody joins a group.
pub fn join(group: &str, uid: &str) -> String {
    format!("dn: {}\nchangetype: modify\nadd: member\nmember: {}\n-\n\n", group_dn(group), dn(uid))
}

/// A change record: somebody leaves a group.
pub fn leave(group: &str, uid: &str) -> String {
    format!("dn: {}\nchangetype: modify\ndelete: member\nmember: {}\n-\n\n", group_dn(group), dn(uid))
}

/// A new person in a group.
pub fn hire(group: &str, uid: &str, given: &str, surname: &str) -> String {
    person(uid, given, surname, Some(&mail(uid))) + &join(group, uid)
}

/// Somebody may not sign in any more (draft-behera-ldap-password-policy 5.3.3).
pub fn disable(uid: &str) -> String {
    set(&dn(uid), "pwdAccountLockedTime", &["000001010000Z"])
}

/// Somebody's entry goes, and with it their memberships, as the refint overlay does.
pub fn delete(uid: &str) -> String {
    format!("dn: {}\nchangetype: delete\n\n", dn(uid))
}

/// The Zendesk account before the first cycle: its owner, one more admin, and a customer.
pub fn account() -> Account {
    let user = |id, name: &str, mail: &str, role| UserState {
        id,
        name: name.to_owned(),
        email: Some(mail.to_owned()),
        role,
        ..UserState::default()
    };
    let group = |id, name: &str| GroupState { id, name: name.to_owned(), ..GroupState::default() };
    Account {
        owner_id: 101,
        default_group_id: SUPPORT_GROUP,
        users: vec![
            user(101, "Olivia Owner", "olivia@example.org", Role::Admin),
            user(102, "Adam Admin", "adam@example.org", Role::Admin),
            user(STRANGER, "Casey Customer", STRANGER_MAIL, Role::EndUser),
        ],
        groups: vec![group(SUPPORT_GROUP, "Support"), group(ESCALATIONS_GROUP, "Escalations")],
        custom_roles: vec![RoleState { id: 21, name: "Team lead".to_owned(), role_type: 0 }],
        ..Account::default()
    }
}
