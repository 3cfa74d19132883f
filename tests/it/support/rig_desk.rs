//! The Zendesk side of a rig: the scenario's account in the sandbox over the wire, or in memory, with its rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sandbox::zendesk::{self, Account, Limit, Options, Running};
use zendesk_dirsync::domain::assignment::{Assignment, EmptyGroup, GroupRef, Role, RoleGrant};
use zendesk_dirsync::domain::change::Welcome;
use zendesk_dirsync::domain::id::{AppName, DirectoryName, Email};
use zendesk_dirsync::domain::mapping::{ExternalIdRule, Field, Mapping};
use zendesk_dirsync::domain::rules::{AdoptCase, Adoption, AppRules, Switch, Switches};
use zendesk_dirsync::domain::settings::{AppSettings, SecretPlace, ZendeskAuth};
use zendesk_dirsync::engine::App;
use zendesk_dirsync::zendesk::{ZendeskClient, http_client};

use super::ldif::Renderer;
use super::memory::{Desk, Fuse, MemoryClock, MemoryZendesk, User};
use super::rig::{AnyDesk, Known};
use super::rig_host::any_port;
use super::scenario::{Given, Scenario};

/// The rules that the scenario gives its app. Groups are named by the DN that they have before the first step.
///
/// Organizations and excluded groups are told by the scenario, and aren't in the rules of this release.
pub fn rules(scenario: &Scenario, renderer: &Renderer) -> AppRules {
    let company = scenario.company();
    let sources = scenario
        .mapping
        .iter()
        .map(|(field, source)| (Field::parse(field).unwrap_or_else(|| panic!("no field {field}")), source.clone()));
    let external_id = match scenario.matching.external_id.as_str() {
        "own" => ExternalIdRule::Own,
        "off" => ExternalIdRule::Off,
        template => ExternalIdRule::Template(template.to_owned()),
    };
    let mapping = Mapping::compile(sources.collect(), BTreeMap::new(), external_id).expect("templates that compile");
    let adopt = scenario.matching.adopt.iter().map(|kind| match kind.as_str() {
        "agents" => AdoptCase::Agents,
        "end-users" => AdoptCase::EndUsers,
        other => panic!("adopt {other}"),
    });
    let directory = DirectoryName::new(&scenario.directory).expect("a name");
    let assignment = |given: &Given| {
        let text = renderer.group_dn(&company, &given.group);
        assignment(&directory, &text, given)
    };
    AppRules {
        app: AppName::new(&scenario.app).expect("a name"),
        mapping,
        assignments: scenario.assignments.iter().map(assignment).collect(),
        adoption: Adoption { cases: adopt.collect(), domains: None },
        agent_email_domains: None,
        switches: Switches { create: Switch::On, update: Switch::On, deprovision: Switch::On, reactivate: Switch::On },
        removals: BTreeMap::new(),
        welcome: Welcome::Silent,
        protected: BTreeSet::new(),
        admins_min: 1,
    }
}

fn assignment(directory: &DirectoryName, text: &str, given: &Given) -> Assignment {
    let plain =
        given.role.as_ref().map(|role| RoleGrant::Plain(Role::parse(role).unwrap_or_else(|| panic!("no role {role}"))));
    Assignment {
        directory: directory.clone(),
        group: GroupRef::parse(text).expect("a DN"),
        text: text.to_owned(),
        role: given.custom_role.clone().map(RoleGrant::Custom).or(plain),
        groups: given.groups.clone(),
        default_group: given.default_group.clone(),
        tags: given.tags.clone(),
        empty: EmptyGroup::Holds,
    }
}

/// Options of a sandbox that doesn't count requests: tests of the rate limits set their own.
pub fn unlimited(seed: Account) -> Options {
    Options {
        seed: Some(seed),
        update_limits: Limit::Off,
        account_limits: Limit::Off,
        user_limits: Limit::Off,
        requests_per_minute: Some(100_000),
        ..Options::default()
    }
}

/// Starts a sandbox account.
pub async fn start(options: Options) -> Running {
    zendesk::start(any_port(), options).await.unwrap_or_else(|fault| panic!("{fault}"))
}

/// The settings of an app that talks to a URL.
pub fn app_settings(url: &str, rules: AppRules) -> AppSettings {
    AppSettings {
        name: rules.app.clone(),
        base_url: url.parse().expect("a URL"),
        auth: ZendeskAuth::Client {
            client_id: "dirsync".into(),
            secret: SecretPlace::Credential("zendesk".into()),
            scopes: BTreeSet::from(["read".to_owned(), "write".to_owned()]),
        },
        rate_share_percent: 100,
        timeout: Duration::from_secs(10),
        lease: None,
        rules,
    }
}

/// The REST adapter, with the secret that the sandbox knows.
pub fn client(settings: &AppSettings, clock: &MemoryClock) -> ZendeskClient {
    client_with(settings, clock, "sandbox-secret")
}

/// The REST adapter, with a secret.
pub fn client_with(settings: &AppSettings, clock: &MemoryClock, secret: &str) -> ZendeskClient {
    let tls = zendesk_dirsync::tls::tls_config(None).expect("a TLS configuration");
    let http = http_client(tls, settings.timeout, &settings.base_url).expect("an HTTP client");
    let secret = Arc::new(Known(secret.to_owned()));
    let mut client = ZendeskClient::new(settings, secret, Arc::new(clock.clone()), http).expect("a client");
    client.space_updates(Duration::ZERO);
    client
}

/// An app over the wire.
pub fn wired(running: &Running, rules: AppRules, clock: &MemoryClock) -> App<AnyDesk> {
    let settings = app_settings(&running.url(), rules);
    let desk = AnyDesk::Wire(Box::new(client(&settings, clock)));
    App { rules: settings.rules, desk, identity: running.url() }
}

/// The scenario's account in memory.
pub fn memory_desk(seed: &Account) -> Desk {
    let mut desk = Desk::new();
    desk.groups = seed.groups.iter().map(|group| (group.id, group.name.clone())).collect();
    desk.custom_roles = seed.custom_roles.iter().map(|role| (role.id, role.name.clone())).collect();
    desk.default_group = Some(seed.default_group_id);
    desk.owner = seed.owner_id;
    desk.users.remove(&1);
    desk.seats = 10_000;
    desk.next_id = 20_000;
    for user in &seed.users {
        let role = Role::parse(user.role.name()).expect("a role");
        let email = user.email.as_deref().expect("a mail");
        let mut one = User::there(user.id, &user.name, email, role);
        one.groups = user.groups.iter().copied().collect();
        one.groups_by_hand.clone_from(&one.groups);
        one.default_group = user.default_group;
        one.tags = user.tags.iter().cloned().collect();
        one.tags_by_hand.clone_from(&one.tags);
        one.further = user.emails.iter().filter_map(|mail| Email::parse(mail).ok()).collect();
        desk.add_user(one);
    }
    desk
}

/// An app in memory, and a handle on its account.
pub fn in_memory(desk: Desk, rules: AppRules, clock: &MemoryClock) -> (App<AnyDesk>, MemoryZendesk) {
    let zendesk = MemoryZendesk::new(rules.app.as_str(), desk, clock.clone(), Fuse::default());
    let app = App { rules, desk: AnyDesk::Memory(zendesk.clone()), identity: "memory".into() };
    (app, zendesk)
}
