//! What the reader sees, at 80 columns.

use sandbox::zendesk::{Account, Role, UserState};

const COLUMNS: usize = 80;

/// A step begins.
pub fn heading(text: &str) {
    println!("\n{text}\n{}\n", "=".repeat(text.chars().count()));
}

/// A sentence, wrapped.
pub fn say(text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            println!("{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("{line}\n");
}

/// Lines as they are, set in.
pub fn lines(text: &str) {
    for line in text.lines() {
        println!("{}", format!("    {line}").trim_end());
    }
    println!();
}

/// The accounts, by name; with those that differ from before marked.
pub fn accounts(now: &Account, before: Option<&Account>) {
    let mut users: Vec<&UserState> = now.users.iter().collect();
    users.sort_by_key(|user| (user.external_id.is_some(), &user.name));
    println!("    {:<17} {:<31} {:<10} groups", "name", "mail", "role");
    for user in users {
        let mark = match before.map(|before| before.user_by_id(user.id)) {
            None => " ",
            Some(None) => "+",
            Some(Some(old)) if old == user => " ",
            Some(Some(_)) if user.suspended => "-",
            Some(Some(_)) => "~",
        };
        let mail = user.email.as_deref().unwrap_or_default();
        let line = format!("  {mark} {:<17} {mail:<31} {:<10} {}", user.name, role(now, user), groups(now, user));
        println!("{}", line.trim_end());
    }
    println!();
}

fn role<'a>(account: &'a Account, user: &UserState) -> &'a str {
    let custom = user.custom_role_id.and_then(|id| account.custom_roles.iter().find(|role| role.id == id));
    match (custom, user.role) {
        (Some(custom), _) => &custom.name,
        (None, Role::EndUser) => "end user",
        (None, Role::Agent) => "agent",
        (None, Role::Admin) => "admin",
    }
}

fn groups(account: &Account, user: &UserState) -> String {
    if user.suspended {
        return "suspended".to_owned();
    }
    let of = |id: &u64| account.groups.iter().find(|group| group.id == *id).map(|group| group.name.as_str());
    user.groups.iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

/// The mails of the accounts that differ, new ones among them.
pub fn changed(before: &Account, after: &Account) -> Vec<String> {
    let differs = |user: &&UserState| before.user_by_id(user.id) != Some(*user);
    after.users.iter().filter(differs).filter_map(|user| user.email.clone()).collect()
}
