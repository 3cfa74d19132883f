//! `check`: configuration, rights and connections, each line with the command to repeat it.

use std::collections::BTreeSet;

use super::ask::write_out;
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::{self, Joined, Real};
use crate::directory::{Finding, Health};
use crate::domain::account::Catalog;
use crate::domain::assignment::RoleGrant;
use crate::domain::lease::Marker;
use crate::domain::rules::AppRules;
use crate::domain::settings::{AppSettings, SecretPlace, ZendeskAuth};
use crate::engine::ports::{CallFault, GroupOrder, Helpdesk as _};
use crate::engine::{App, Ports};
use crate::report::escape::visible;

/// Checks everything, and ends with the code of the worst that was found.
///
/// # Errors
/// When the secrets or certificates of the configuration can't be read.
pub async fn check(joined: &Joined) -> Result<Exit, Failure> {
    write_out("good     the configuration is in order\n")?;
    let mut worst = Exit::Done;
    for settings in &joined.settings.directories {
        let mut directory = join::directory(settings, &joined.environment)?;
        let mut texts = BTreeSet::new();
        let assignments = joined.settings.apps.iter().flat_map(|app| &app.rules.assignments);
        let groups: Vec<GroupOrder> = assignments
            .filter(|one| one.directory == settings.name && texts.insert(one.text.clone()))
            .map(|one| GroupOrder { group: one.group.clone(), pin: None })
            .collect();
        for finding in directory.check(&groups).await {
            if finding.health == Health::Bad {
                worst = Exit::Engine(5);
            }
            tell(&format!("directory {}", settings.name), &finding)?;
        }
    }
    for settings in &joined.settings.apps {
        let mut app = join::app(settings, &joined.environment)?;
        let who = format!("app {}", settings.name);
        explain(&who, settings)?;
        for finding in ask_zendesk(&mut app, settings).await {
            if finding.health == Health::Bad && worst == Exit::Done {
                worst = Exit::Engine(6);
            }
            tell(&who, &finding)?;
        }
    }
    Ok(worst)
}

fn tell(who: &str, finding: &Finding) -> Result<(), Failure> {
    let word = match finding.health {
        Health::Good => "good",
        Health::Doubtful => "doubtful",
        Health::Bad => "bad",
    };
    let repeat = finding.repeat.as_ref().map(|line| format!("         {}\n", visible(line))).unwrap_or_default();
    // What is to be repeated is pasted, and must stay one line.
    let what = fold(&format!("{word:8} {who}: {}\n", visible(&finding.what)), width(std::io::stdout()));
    write_out(&(what + &repeat))
}

/// What the commands that ask Zendesk show who they are with; no secret is in it.
fn credential(auth: &ZendeskAuth) -> String {
    match auth {
        ZendeskAuth::Client { .. } => "-H \"Authorization: Bearer $TOKEN\"".to_owned(),
        ZendeskAuth::ApiToken { email, .. } => format!("-u {}", quoted(&format!("{email}/token"))),
    }
}

/// Says what the commands that ask Zendesk need before they can be given.
fn explain(who: &str, settings: &AppSettings) -> Result<(), Failure> {
    let (what, repeat) = match &settings.auth {
        ZendeskAuth::Client { client_id, secret, scopes } => {
            let secret = match secret {
                SecretPlace::File(path) => quoted(&path.display().to_string()),
                SecretPlace::Credential(name) => format!("\"$CREDENTIALS_DIRECTORY\"/{}", quoted(name)),
            };
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let fields = [("client_id", client_id.as_str()), ("scope", &scopes.join(" "))];
            let fields: String = fields
                .iter()
                .map(|(key, value)| format!(" --data-urlencode {}", quoted(&format!("{key}={value}"))))
                .collect();
            let base = &settings.base_url;
            let token = format!(
                "TOKEN=$(tr -d '\\n' <{secret} | curl -s -d grant_type=client_credentials{fields} --data-urlencode \
                 client_secret@- '{base}oauth/tokens' | sed 's/.*\"access_token\": *\"\\([^\"]*\\)\".*/\\1/')"
            );
            ("$TOKEN in the commands below is an access token; this asks for one:", Some(token))
        }
        ZendeskAuth::ApiToken { .. } => ("the commands below ask for a password, which is the API token", None),
    };
    let repeat = repeat.map(|line| format!("         {}\n", visible(&line))).unwrap_or_default();
    write_out(&(fold(&format!("         {who}: {what}\n"), width(std::io::stdout())) + &repeat))
}

/// A word for a shell, which takes it as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn finding(health: Health, what: impl Into<String>, repeat: String) -> Finding {
    Finding { health, what: what.into(), repeat: Some(repeat) }
}

fn fault(fault: &CallFault, repeat: String) -> Finding {
    finding(Health::Bad, format!("{fault}; {}", fault.hint()), repeat)
}

async fn ask_zendesk(app: &mut App<<Real as Ports>::Helpdesk>, settings: &AppSettings) -> Vec<Finding> {
    let base = settings.base_url.as_str();
    let call = |path: &str| format!("curl {} '{base}api/v2/{path}'", credential(&settings.auth));
    let mut findings = Vec::new();
    match app.desk.who_am_i().await {
        Ok(me) => findings.push(finding(
            Health::Good,
            format!("we are {} (account {}, {})", me.label, me.account, me.role),
            call("users/me"),
        )),
        Err(why) => return vec![fault(&why, call("users/me"))],
    }
    match app.desk.catalog().await {
        Ok(catalog) => {
            let (groups, roles, admins) =
                (catalog.groups.len(), catalog.custom_roles.len(), catalog.active_admins.len());
            let what = format!("{groups} groups, {roles} custom roles, {admins} active admins");
            findings.push(finding(Health::Good, what, call("groups")));
            // Our own account is always known; a second one is the owner's.
            if catalog.untouchable.len() < 2 {
                let what = "Zendesk doesn't tell who the account owner is: list the owner's mail in `protected`";
                findings.push(finding(Health::Doubtful, what, call("account")));
            }
            if admins <= app.rules.admins_min {
                let what = format!(
                    "only {admins} active admins: none can be taken away while `admins_min` is {}",
                    app.rules.admins_min
                );
                findings.push(finding(Health::Doubtful, what, call("users?role=admin")));
            }
            findings.extend(
                missing_names(&app.rules, &catalog)
                    .into_iter()
                    .map(|(what, path)| finding(Health::Bad, what, call(path))),
            );
        }
        Err(why) => findings.push(fault(&why, call("groups"))),
    }
    findings.extend(lease(app).await);
    findings
}

/// Who wrote last, where a lease is kept. Whether that is this copy only its store knows.
async fn lease(app: &mut App<<Real as Ports>::Helpdesk>) -> Option<Finding> {
    let repeat = format!("zendesk-dirsync lease show --app {}", app.rules.app);
    Some(match app.desk.read_lease().await {
        Ok(Marker::Off) => return None,
        Ok(Marker::Free) => finding(Health::Good, "the lease is free", repeat),
        Ok(Marker::Held { mark, .. }) => {
            let what = format!("the lease was written last by {}, serial {}", mark.instance, mark.serial);
            finding(Health::Good, what, repeat)
        }
        Ok(Marker::Unreadable { why, .. }) => {
            finding(Health::Bad, format!("the lease can't be read, and nothing would be written: {why}"), repeat)
        }
        Err(why) => fault(&why, repeat),
    })
}

/// Names in assignments that Zendesk lacks or has several times.
fn missing_names(rules: &AppRules, catalog: &Catalog) -> BTreeSet<(String, &'static str)> {
    let count_text = |n: usize| if n == 0 { "no".to_owned() } else { n.to_string() };
    let mut missing = BTreeSet::new();
    for assignment in &rules.assignments {
        for name in assignment.groups.iter().chain(&assignment.default_group) {
            let n = catalog.groups.get(name).map_or(0, BTreeSet::len);
            if n != 1 {
                missing.insert((
                    format!("Zendesk has {} group named {name:?}, which {} gives", count_text(n), assignment.text),
                    "groups",
                ));
            }
        }
        if let Some(RoleGrant::Custom(name)) = &assignment.role {
            let n = catalog.custom_roles.get(name).map_or(0, BTreeSet::len);
            if n != 1 {
                let what = format!(
                    "Zendesk has {} custom role named {name:?}, which {} gives",
                    count_text(n),
                    assignment.text
                );
                missing.insert((what, "custom_roles"));
            }
        }
    }
    missing
}
