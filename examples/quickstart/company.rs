//! The company: its directory as LDIF, its Zendesk account, and the day on which five things happen.

use anyhow::{Result, ensure};
use sandbox::zendesk::{Account, GroupState, Role, RoleState, UserState};

/// The directory's suffix.
pub const BASE: &str = "DC=harbour,DC=example";

/// What the directory holds, for people.
pub const PICTURE: &str = "\
Support            Priya Nair, Tom Becker, Lucía Fernández, and all of
  Support Tier 1   Chen Wei, Sara Lindqvist, Ben Adeyemi, Nora Haddad
Support Leads      Amara Okafor, Jonas Weber
(neither)          Grace Kim, Ivan Petrov, Ella Moreau";

/// What happens, for people.
pub const DAY: &str = "\
Dmitri Volkov is hired             new entry, member of Support Tier 1
Tom Becker moves to another team   leaves the group Support
Sara Lindqvist marries             is now Sara Nyström, with a new mail
Priya Nair is promoted             joins the group Support Leads
Ben Adeyemi is off boarded         his account is disabled";

/// Who gets an account first.
pub const FIRST: [&str; 9] = [
    "amara@harbour.example",
    "jonas@harbour.example",
    "priya@harbour.example",
    "tom@harbour.example",
    "lucia@harbour.example",
    "chen@harbour.example",
    "sara.lindqvist@harbour.example",
    "ben@harbour.example",
    "nora@harbour.example",
];

/// Accounts that aren't the directory's: the owner, the customer, and the one that the program signs in with.
pub const STRANGERS: usize = 3;

/// Sara's mail before.
pub const FORMER_MAIL: &str = "sara.lindqvist@harbour.example";
/// Sara's mail after.
pub const NEW_MAIL: &str = "sara.nystroem@harbour.example";

/// Whose accounts the day changes.
pub const CHANGED: [&str; 5] =
    ["dmitri@harbour.example", "tom@harbour.example", NEW_MAIL, "priya@harbour.example", "ben@harbour.example"];

const PEOPLE: [(&str, &str, &str); 12] = [
    ("Amara Okafor", "amara", "Head of Support"),
    ("Jonas Weber", "jonas", "Shift Lead"),
    ("Priya Nair", "priya", "Support Engineer"),
    ("Tom Becker", "tom", "Support Engineer"),
    ("Lucía Fernández", "lucia", "Support Engineer"),
    ("Chen Wei", "chen", "Support Agent"),
    ("Sara Lindqvist", "sara.lindqvist", "Support Agent"),
    ("Ben Adeyemi", "ben", "Support Agent"),
    ("Nora Haddad", "nora", "Support Agent"),
    ("Grace Kim", "grace", "Managing Director"),
    ("Ivan Petrov", "ivan", "Warehouse Manager"),
    ("Ella Moreau", "ella", "Accountant"),
];

fn dn(name: &str) -> String {
    format!("CN={name},OU=People,{BASE}")
}

fn group_dn(name: &str) -> String {
    format!("CN={name},OU=Groups,{BASE}")
}

fn person((name, login, title): (&str, &str, &str)) -> String {
    let surname = name.rsplit(' ').next().unwrap_or(name);
    format!(
        "dn: {}\nobjectClass: user\nsAMAccountName: {login}\nuserPrincipalName: {login}@harbour.example\n\
         displayName: {name}\nsn: {surname}\ntitle: {title}\nmail: {login}@harbour.example\n\
         userAccountControl: 512\n\n",
        dn(name)
    )
}

fn group(name: &str, people: &[&str], groups: &[&str]) -> String {
    let members = people.iter().map(|one| dn(one)).chain(groups.iter().map(|one| group_dn(one)));
    let members: String = members.map(|member| format!("member: {member}\n")).collect();
    // A global security group (MS-ADTS 2.2.12).
    format!("dn: {}\nobjectClass: group\nsAMAccountName: {name}\ngroupType: -2147483646\n{members}\n", group_dn(name))
}

/// The whole directory.
pub fn ldif() -> String {
    let mut text = format!("dn: {BASE}\nobjectClass: domain\ndc: harbour\n\n");
    for unit in ["People", "Groups"] {
        text += &format!("dn: OU={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n");
    }
    text += &PEOPLE.map(person).concat();
    text += &group("Support Tier 1", &["Chen Wei", "Sara Lindqvist", "Ben Adeyemi", "Nora Haddad"], &[]);
    text += &group("Support", &["Priya Nair", "Tom Becker", "Lucía Fernández"], &["Support Tier 1"]);
    text + &group("Support Leads", &["Amara Okafor", "Jonas Weber"], &[])
}

fn modify(dn: &str, change: &str) -> String {
    format!("dn: {dn}\nchangetype: modify\n{change}-\n\n")
}

/// The five things that happen, as LDIF.
pub fn day() -> String {
    let member = |name: &str| format!("member: {}\n", dn(name));
    let hire = person(("Dmitri Volkov", "dmitri", "Support Agent"))
        + &modify(&group_dn("Support Tier 1"), &format!("add: member\n{}", member("Dmitri Volkov")));
    let leaver = modify(&group_dn("Support"), &format!("delete: member\n{}", member("Tom Becker")));
    let rename =
        format!("dn: {}\nchangetype: modrdn\nnewrdn: CN=Sara Nyström\ndeleteoldrdn: 1\n\n", dn("Sara Lindqvist"));
    let values = format!(
        "replace: displayName\ndisplayName: Sara Nyström\n-\nreplace: sn\nsn: Nyström\n-\nreplace: mail\nmail: {NEW_MAIL}\n"
    );
    let promotion = modify(&group_dn("Support Leads"), &format!("add: member\n{}", member("Priya Nair")));
    // UF_NORMAL_ACCOUNT and UF_ACCOUNTDISABLE (MS-ADTS 2.2.16).
    let disabled = modify(&dn("Ben Adeyemi"), "replace: userAccountControl\nuserAccountControl: 514\n");
    [hire, leaver, rename, modify(&dn("Sara Nyström"), &values), promotion, disabled].concat()
}

/// What each of the five accounts must be afterwards.
pub fn check_day(after: &Account) -> Result<()> {
    let account = |mail: &str| after.user(mail).ok_or_else(|| anyhow::anyhow!("{mail} has no account"));
    let dmitri = account("dmitri@harbour.example")?;
    ensure!(dmitri.role == Role::Agent && !dmitri.groups.is_empty(), "Dmitri can't work: {dmitri:?}");
    for gone in ["tom@harbour.example", "ben@harbour.example"] {
        let gone = account(gone)?;
        ensure!(gone.suspended && gone.role == Role::EndUser, "{} can still work", gone.name);
    }
    let sara = account(NEW_MAIL)?;
    ensure!(sara.name == "Sara Nyström" && sara.emails.is_empty(), "Sara isn't renamed: {sara:?}");
    let priya = account("priya@harbour.example")?;
    ensure!(priya.custom_role_id.is_some() && priya.groups.len() == 2, "Priya isn't promoted: {priya:?}");
    Ok(())
}

/// The Zendesk account before the first cycle.
pub fn account() -> Account {
    let user = |id, name: &str, email: &str, role| UserState {
        id,
        name: name.to_owned(),
        email: Some(email.to_owned()),
        role,
        ..UserState::default()
    };
    let group = |id, name: &str| GroupState { id, name: name.to_owned(), ..GroupState::default() };
    Account {
        owner_id: 101,
        default_group_id: 11,
        users: vec![
            user(101, "Olivia Hart", "olivia@harbour.example", Role::Admin),
            user(102, "Marco Bianchi", "marco@cafe-roma.example", Role::EndUser),
        ],
        groups: vec![group(11, "Support"), group(12, "Escalations")],
        custom_roles: vec![RoleState { id: 21, name: "Team lead".to_owned(), role_type: 0 }],
        ..Account::default()
    }
}
