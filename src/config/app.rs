//! An `[[app]]`: which Zendesk account, how we show who we are, and what may be done there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use url::{Host, Url};

use super::assignment::Directories;
use super::reader::{Spot, Table};
use super::values::{Wrong, domain, neat, scope, secret_place, shown};
use super::{assignment, mapping};
use crate::domain::change::{CauseCode, Welcome};
use crate::domain::id::{AppName, Email};
use crate::domain::rules::{AppRules, Removal, Switch, Switches};
use crate::domain::settings::{AppSettings, LeaseSettings, ZendeskAuth};

/// The share of Zendesk's rate limit that we use at most: the rest is for people and other integrations.
pub const RATE_SHARE_DEFAULT: u8 = 75;
/// Active admins that must remain.
pub const ADMINS_MIN_DEFAULT: u32 = 2;
const ADMINS_MIN_BOUNDS: RangeInclusive<u32> = 1..=1000;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);
/// The scopes asked for. Identities refuse a token that has only `users:write` (API reference, User Identities), and
/// search wants the broad `read`.
pub const SCOPES_DEFAULT: [&str; 2] = ["read", "write"];

const REMOVALS: [(&str, Removal); 3] =
    [("suspend", Removal::Suspend), ("downgrade", Removal::Downgrade), ("release", Removal::Release)];

/// An app as far as it could be read: its name and place count even when the rest has faults.
pub(super) struct Read<'a> {
    pub name: Option<Spot<&'a str>>,
    pub base_url: Option<Spot<Url>>,
    pub settings: Option<AppSettings>,
}

/// Reads an app.
pub(super) fn read<'a>(mut table: Table<'a>, directories: &Directories<'_>) -> Read<'a> {
    table.need("name", "give it a name for reports: name = \"support\"");
    let name = table.text("name");
    let valid = |text: &str| AppName::new(text).map_err(|why| Wrong::new(why.0, "write a name like \"support\""));
    let valid_name = name.as_ref().and_then(|spot| table.understood(spot, valid));
    let base_url = base_url(&mut table);
    let auth = auth(&mut table);
    let mapping = mapping::read(&mut table);
    let assignments = assignment::read(&mut table, directories);
    let agent_email_domains = table.set("agent_email_domains", domain).filter(|domains| !domains.is_empty());
    let protected = table.set("protected", mail).unwrap_or_default();
    let admins_min = table.whole("admins_min", ADMINS_MIN_BOUNDS).unwrap_or(ADMINS_MIN_DEFAULT) as usize;
    let welcome = match table.flag("welcome_mail") {
        Some(Spot { value: true, .. }) => Welcome::Mail,
        Some(Spot { value: false, .. }) | None => Welcome::Silent,
    };
    let rate_share_percent = table.percent("rate_share").unwrap_or(RATE_SHARE_DEFAULT);
    let timeout = table.duration("timeout", &TIMEOUT_BOUNDS).map_or(TIMEOUT_DEFAULT, |spot| spot.value);
    let switches = Switches {
        create: switch(&mut table, "create"),
        update: switch(&mut table, "update"),
        deprovision: switch(&mut table, "deprovision"),
        reactivate: switch(&mut table, "reactivate"),
    };
    let removals = removals(table.section("deprovisioning"));
    let lease = lease(table.section("lease"), &protected);
    table.finish();
    let settings = match (valid_name, &base_url, auth, mapping) {
        (Some(app), Some(base_url), Some(auth), Some((mapping, adoption))) => Some(AppSettings {
            name: app.clone(),
            base_url: base_url.value.clone(),
            auth,
            rate_share_percent,
            timeout,
            lease,
            rules: AppRules {
                app,
                mapping,
                assignments,
                adoption,
                agent_email_domains,
                switches,
                removals,
                welcome,
                protected,
                admins_min,
            },
        }),
        _ => None,
    };
    Read { name, base_url, settings }
}

fn switch(table: &mut Table<'_>, key: &'static str) -> Switch {
    match table.flag(key) {
        Some(Spot { value: false, .. }) => Switch::Off,
        Some(Spot { value: true, .. }) | None => Switch::On,
    }
}

pub(super) fn mail(text: &str) -> Result<Email, Wrong> {
    Email::parse(text).map_err(|why| Wrong::new(why.0, "write an address like \"admin@example.org\""))
}

/// Reads the place of the Zendesk account: `subdomain`, or `base_url` for anything else.
fn base_url(table: &mut Table<'_>) -> Option<Spot<Url>> {
    let subdomain = table.parsed("subdomain", subdomain);
    let url = table.parsed("base_url", url);
    match (table.has("subdomain"), table.has("base_url")) {
        (true, true) => {
            let remedy = "keep subdomain for a real account, or base_url for a test server";
            table.sink().fault(table.place(), "subdomain and base_url are both set", remedy);
            None
        }
        (false, false) => {
            let remedy = "name the account: subdomain = \"acme\" for https://acme.zendesk.com";
            table.need("subdomain", remedy);
            None
        }
        (true, false) => subdomain,
        (false, true) => url,
    }
}

fn subdomain(text: &str) -> Result<Url, Wrong> {
    let proposed = text.trim().to_lowercase();
    let proposed = proposed.strip_prefix("https://").unwrap_or(&proposed);
    let proposed = proposed.split(['/', '.']).next().unwrap_or_default();
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= 63
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !name.starts_with('-')
            && !name.ends_with('-')
    };
    let wrong = || {
        let remedy = if fits(proposed) {
            format!("write subdomain = \"{proposed}\"")
        } else {
            "write the part before .zendesk.com: letters, digits and '-'".to_owned()
        };
        Wrong::new(format!("{} is not a subdomain", shown(text)), remedy)
    };
    if !fits(text) {
        return Err(wrong());
    }
    Url::parse(&format!("https://{text}.zendesk.com")).map_err(|_| wrong())
}

fn url(text: &str) -> Result<Url, Wrong> {
    const EXAMPLE: &str = "write it like \"https://acme.zendesk.com\" or \"http://127.0.0.1:8080\"";
    // Before anything is repeated: what stands before an '@' may be a password.
    if text.contains('@') {
        return Err(Wrong::new("a URL must not hold a login", "take the part up to '@' out; auth says who we are"));
    }
    let wrong = |why: &str| Wrong::new(format!("{} is not a base URL: {why}", shown(text)), EXAMPLE);
    let url = Url::parse(text).map_err(|why| wrong(&why.to_string()))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("it has no host")),
    };
    match (url.scheme(), loopback) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            let what = format!("{} would send the token and everybody's data in the clear", shown(text));
            return Err(Wrong::new(what, "write https://; http:// is for this machine's own test server"));
        }
        _ => return Err(wrong("only https:// is known, and http:// on this machine")),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(
            format!("{} has more than a host and a port", shown(text)),
            "take the rest out; the paths of the API are added",
        ));
    }
    Ok(url)
}

/// Reads `auth`: an OAuth client, or an API token.
fn auth(table: &mut Table<'_>) -> Option<ZendeskAuth> {
    let remedy = "say who we are: auth = { client_id = \"dirsync\", client_secret_file = \"credential:zendesk\" }";
    table.need("auth", remedy);
    let mut auth = table.table("auth")?;
    let client_id = auth.parsed("client_id", neat).map(Spot::into_value);
    let secret = auth.parsed("client_secret_file", secret_place).map(Spot::into_value);
    let scopes = auth.set("scopes", scope);
    let email = auth.parsed("email", mail).map(Spot::into_value);
    let token = auth.parsed("token_file", secret_place).map(Spot::into_value);
    let is_client = ["client_id", "client_secret_file", "scopes"].map(|key| auth.has(key)).contains(&true);
    let is_token = ["email", "token_file"].map(|key| auth.has(key)).contains(&true);
    let read = match (is_client, is_token) {
        (true, true) => {
            let remedy = "keep client_id and client_secret_file: Zendesk ends API tokens on 30 April 2027";
            auth.sink().fault(auth.place(), "an OAuth client and an API token are both given", remedy);
            None
        }
        (false, true) => {
            auth.need("email", "name the admin whose token it is: email = \"admin@example.org\"");
            auth.need("token_file", "name the token's file: token_file = \"credential:zendesk\"");
            email.zip(token).map(|(email, token)| ZendeskAuth::ApiToken { email: email.as_str().to_owned(), token })
        }
        (_, false) => {
            auth.need("client_id", remedy);
            auth.need("client_secret_file", remedy);
            // Zendesk takes an empty scope for all rights (seen by others' tests).
            let scopes_remedy = "leave scopes out for the usual ones, or name them: scopes = [\"read\", \"write\"]";
            auth.refuse_empty("scopes", "no scope would mean every right", scopes_remedy);
            let scopes = scopes.unwrap_or_else(|| SCOPES_DEFAULT.map(str::to_owned).into());
            client_id.zip(secret).map(|(client_id, secret)| ZendeskAuth::Client { client_id, secret, scopes })
        }
    };
    auth.finish();
    read
}

/// Reads `lease`.
fn lease(mut table: Table<'_>, protected: &BTreeSet<Email>) -> Option<LeaseSettings> {
    let enabled = matches!(table.flag("enabled"), Some(Spot { value: true, .. }));
    let email = table.parsed("email", mail);
    if let Some(spot) = email.as_ref().filter(|spot| protected.contains(&spot.value)) {
        let remedy = "give the marker an address of its own, or none: it is not a person's account";
        table.sink().fault(&spot.place, "a protected address is given to nobody, nor to the marker", remedy);
    }
    table.finish();
    enabled.then_some(LeaseSettings { email: email.map(Spot::into_value) })
}

/// Reads `deprovisioning`: what a removal does, by its cause.
fn removals(mut table: Table<'_>) -> BTreeMap<CauseCode, Removal> {
    let causes = [CauseCode::OutOfScope, CauseCode::Disabled, CauseCode::Expired, CauseCode::Gone];
    // Each cause is set, so that writing a default down changes no digest of the rules.
    let read = |cause: CauseCode| (cause, table.one_of(cause.as_str(), &REMOVALS).unwrap_or(Removal::Suspend));
    let removals = causes.into_iter().map(read).collect();
    table.finish();
    removals
}
