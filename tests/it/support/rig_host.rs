//! Where the scenario's company lives: in memory, in the sandbox's directory, in slapd, in Samba. All are filled and
//! changed from the one scenario.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandbox::directory::{self, Kind, Options, Running, TlsDir, TlsMode};
use tempfile::TempDir;
use zendesk_dirsync::directory::LdapDirectory;
use zendesk_dirsync::domain::dn::Dn;
use zendesk_dirsync::domain::id::{Digester, DirectoryName, EntryId};
use zendesk_dirsync::domain::settings::{DirectoryKind, DirectorySettings, Protection, Ranges, SecretPlace, ServerUrl};

use super::ldif::{Dialect, Renderer};
use super::memory::{self, MemoryDirectory};
use super::rig::{AnyDirectory, Known};
use super::scenario::{Change, Person, State};
use super::scenario_company::Company;
use super::servers::{self, Server};

/// Entries a page: small, so that there are several.
pub const PAGE_SIZE: u32 = 100;
const MEMORY_BASE: &str = "dc=example,dc=org";

/// The places where a company can live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Memory,
    SandboxOpenLdap,
    SandboxActiveDirectory,
    Slapd,
    Samba,
}

impl Place {
    pub const ALL: [Self; 5] =
        [Self::Memory, Self::SandboxOpenLdap, Self::SandboxActiveDirectory, Self::Slapd, Self::Samba];

    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Memory | Self::SandboxOpenLdap | Self::Slapd => Dialect::OpenLdap,
            Self::SandboxActiveDirectory | Self::Samba => Dialect::ActiveDirectory,
        }
    }
}

enum Backend {
    Memory(MemoryDirectory),
    Sandbox(Running),
    Real(Server),
}

/// A company in its place.
pub struct Host {
    backend: Backend,
    pub renderer: Renderer,
    /// What the scenario calls its directory.
    name: DirectoryName,
    /// Everybody who ever was there, by immutable id.
    pub ids: BTreeMap<EntryId, String>,
    _tls: Option<TempDir>,
}

impl Host {
    /// Fills a place; none where this machine can't have it.
    pub async fn start(place: Place, name: &str, company: &Company) -> Option<Self> {
        let name = DirectoryName::new(name).expect("a name");
        let renderer = |base: &str| Renderer::new(place.dialect(), base);
        let (backend, renderer, tls) = match place {
            Place::Memory => {
                (Backend::Memory(MemoryDirectory::new(name.as_str(), [], [])), renderer(MEMORY_BASE), None)
            }
            Place::SandboxOpenLdap | Place::SandboxActiveDirectory => {
                let renderer = renderer(MEMORY_BASE);
                let (running, tls) = sandbox_with(&renderer, company, None).await;
                (Backend::Sandbox(running), renderer, tls)
            }
            Place::Slapd => {
                let renderer = renderer(MEMORY_BASE);
                let files = renderer.files(company);
                let order = servers::Order {
                    dialect: Dialect::OpenLdap,
                    options: &[],
                    offline: &[&files.people],
                    online: &[&files.groups, &files.nesting],
                };
                (Backend::Real(servers::start(&order)?), renderer, None)
            }
            Place::Samba => {
                let renderer = renderer(servers::SAMBA_BASE);
                let files = renderer.files(company);
                let order = servers::Order {
                    dialect: Dialect::ActiveDirectory,
                    options: &[],
                    offline: &[&files.people, &files.groups, &files.nesting],
                    online: &[],
                };
                (Backend::Real(servers::start(&order)?), renderer, None)
            }
        };
        let mut host = Self { backend, renderer, name, ids: BTreeMap::new(), _tls: tls };
        host.settle(company).await;
        Some(host)
    }

    /// The sandbox's directory with TLS.
    pub async fn start_tls(place: Place, name: &str, company: &Company, mode: TlsMode) -> Self {
        let renderer = Renderer::new(place.dialect(), MEMORY_BASE);
        let (running, tls) = sandbox_with(&renderer, company, Some(mode)).await;
        let name = DirectoryName::new(name).expect("a name");
        let mut host = Self { backend: Backend::Sandbox(running), renderer, name, ids: BTreeMap::new(), _tls: tls };
        host.settle(company).await;
        host
    }

    /// Carries one change of the company out.
    pub async fn change(&mut self, before: &Company, after: &Company, change: &Change) {
        let ldif = self.renderer.change(before, after, change);
        match &self.backend {
            Backend::Memory(_) => {}
            Backend::Sandbox(running) => {
                running.apply_ldif(&ldif).unwrap_or_else(|fault| panic!("{fault}: {fault:?}\n{ldif}"));
            }
            Backend::Real(server) => server.modify(&ldif),
        }
        self.settle(after).await;
    }

    /// Brings the in-process directory up to date, and learns who is who.
    async fn settle(&mut self, company: &Company) {
        match &self.backend {
            Backend::Memory(directory) => {
                directory.change(|held| *held = in_memory(company, &self.renderer));
                self.ids.extend(company.people.iter().map(|person| (made_up_id(&person.key), person.key.clone())));
            }
            Backend::Sandbox(running) => {
                for person in &company.people {
                    let dn = self.renderer.person_dn(company, &person.key);
                    let entry = running.entry(&dn).unwrap_or_else(|| panic!("the sandbox has no {dn}"));
                    self.ids.insert(sandbox_id(&entry), person.key.clone());
                }
            }
            Backend::Real(server) => {
                self.ids.extend(server.ids().await.into_iter().map(|(login, id)| (id, login)));
            }
        }
    }

    /// The settings of a directory that reads this place, without TLS.
    pub fn settings(&self) -> DirectorySettings {
        let (url, bind_dn) = match &self.backend {
            Backend::Memory(_) => panic!("the in-process directory has no settings"),
            Backend::Sandbox(running) => (running.url(), running.svc_dn()),
            Backend::Real(server) => (server.env("LDAP_URL").to_owned(), server.env("LDAP_BIND_DN").to_owned()),
        };
        let mut settings = settings(&self.name, self.renderer.dialect, &self.renderer.base, &url, &bind_dn);
        if let Backend::Sandbox(running) = &self.backend
            && let Some(ca) = running.ca_path()
        {
            settings.ca_file = Some(ca);
            if url.starts_with("ldap://") {
                settings.urls[0].protection = Protection::StartTls;
            }
        }
        settings
    }

    /// The password of the reader.
    pub fn password(&self) -> String {
        match &self.backend {
            Backend::Memory(_) | Backend::Sandbox(_) => "svcpw".to_owned(),
            Backend::Real(server) => server.env("LDAP_BIND_PW").to_owned(),
        }
    }

    /// The directory as the reader sees it.
    pub fn directory(&self) -> AnyDirectory {
        match &self.backend {
            Backend::Memory(directory) => AnyDirectory::Memory(directory.clone()),
            Backend::Sandbox(_) | Backend::Real(_) => {
                AnyDirectory::Ldap(Box::new(ldap(self.settings(), &self.password())))
            }
        }
    }

    /// The sandbox's server, where there is one.
    pub fn sandbox(&self) -> &Running {
        match &self.backend {
            Backend::Sandbox(running) => running,
            Backend::Memory(_) | Backend::Real(_) => panic!("this company doesn't live in the sandbox"),
        }
    }

    /// The real server, where there is one.
    pub fn server(&self) -> &Server {
        match &self.backend {
            Backend::Real(server) => server,
            Backend::Memory(_) | Backend::Sandbox(_) => panic!("this company has no real server"),
        }
    }

    /// The id of somebody.
    pub fn id(&self, key: &str) -> EntryId {
        *self.ids.iter().find(|(_, known)| *known == key).unwrap_or_else(|| panic!("nobody is {key}")).0
    }
}

/// Settings for a server, as the configuration's defaults would have them.
pub fn settings(name: &DirectoryName, dialect: Dialect, base: &str, url: &str, bind_dn: &str) -> DirectorySettings {
    let kind = match dialect {
        Dialect::OpenLdap => DirectoryKind::OpenLdap,
        Dialect::ActiveDirectory => DirectoryKind::ActiveDirectory,
    };
    DirectorySettings {
        name: name.clone(),
        kind,
        urls: vec![server_url(url)],
        bases: vec![Dn::parse(base).expect("a base")],
        ca_file: None,
        bind_dn: bind_dn.to_owned(),
        // The secret is handed over beside the settings.
        bind_password: SecretPlace::Credential("ldap".into()),
        id_attribute: kind.id_attribute().to_owned(),
        people_filter: kind.people_filter().to_owned(),
        group_filter: kind.group_filter().to_owned(),
        member_attribute: "member".to_owned(),
        canaries: Vec::new(),
        ignored_contexts: Vec::new(),
        ranges: Ranges::AsServed,
        page_size: PAGE_SIZE,
        timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(120),
    }
}

/// A URL as the configuration would take it.
pub fn server_url(text: &str) -> ServerUrl {
    let (scheme, rest) = text.split_once("://").expect("a URL");
    let (protection, default) = match scheme {
        "ldaps" => (Protection::Ldaps, 636),
        "ldap" => (Protection::Plaintext, 389),
        other => panic!("{other} is no LDAP"),
    };
    let (host, port) =
        rest.rsplit_once(':').map_or((rest, default), |(host, port)| (host, port.parse().expect("a port")));
    ServerUrl { text: text.to_owned(), host: host.to_owned(), port, protection }
}

/// The LDAP adapter.
pub fn ldap(settings: DirectorySettings, password: &str) -> LdapDirectory {
    LdapDirectory::new(settings, Arc::new(Known(password.to_owned())))
}

/// The content of a sandbox directory: its base, and the three files.
pub fn sandbox_ldif(renderer: &Renderer, company: &Company) -> String {
    let files = renderer.files(company);
    let base = &renderer.base;
    format!("dn: {base}\nobjectClass: domain\ndc: example\n\n{}{}{}", files.people, files.groups, files.nesting)
}

pub fn sandbox_kind(dialect: Dialect) -> Kind {
    match dialect {
        Dialect::OpenLdap => Kind::Openldap,
        Dialect::ActiveDirectory => Kind::ActiveDirectory,
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn sandbox_with(renderer: &Renderer, company: &Company, tls: Option<TlsMode>) -> (Running, Option<TempDir>) {
    let mut options = Options::new(sandbox_kind(renderer.dialect), sandbox_ldif(renderer, company));
    let dir = tls.map(|_| tempfile::tempdir().expect("a temporary directory"));
    options.tls = dir.as_ref().zip(tls).map(|(dir, mode)| TlsDir { dir: PathBuf::from(dir.path()), mode });
    let running = directory::start(any_port(), options).await.unwrap_or_else(|fault| panic!("{fault}"));
    // Ordinary accounts may not see tombstones (observed on Samba 4.17).
    if renderer.dialect == Dialect::ActiveDirectory {
        running.hide(&format!("CN=Deleted Objects,{}", renderer.base), None);
    }
    (running, dir)
}

fn sandbox_id(entry: &[(String, Vec<Vec<u8>>)]) -> EntryId {
    let value = |name: &str| {
        entry.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name)).and_then(|(_, values)| values.first())
    };
    match (value("objectGUID"), value("entryUUID")) {
        (Some(guid), _) => EntryId::from_object_guid(guid).expect("a GUID"),
        (None, Some(uuid)) => EntryId::parse(&String::from_utf8_lossy(uuid)).expect("a UUID"),
        (None, None) => panic!("an entry without an id"),
    }
}

/// An id for somebody in memory.
fn made_up_id(key: &str) -> EntryId {
    let mut digest = Digester::new("a person of the scenario");
    digest.text(key);
    EntryId::from_bytes(digest.finish().0[..16].try_into().expect("sixteen bytes"))
}

/// The company as the in-process directory holds it. Its own model knows neither `shadowExpire` nor flags, only what
/// comes of them.
fn in_memory(company: &Company, renderer: &Renderer) -> memory::Company {
    let people =
        company.people.iter().map(|person| (made_up_id(&person.key), in_memory_person(company, renderer, person)));
    let group_id = |key: &str| made_up_id(&format!("group {key}"));
    let groups = company.groups.iter().map(|group| {
        let members =
            group.people.iter().map(|key| made_up_id(key)).chain(group.groups.iter().map(|key| group_id(key)));
        let dn = Dn::parse(&renderer.group_dn(company, &group.key)).expect("a DN");
        let id = group_id(&group.key);
        (id, memory::Group { id, dn, name: group.name.clone(), members: members.collect() })
    });
    memory::Company { people: people.collect(), groups: groups.collect(), ..memory::Company::default() }
}

fn in_memory_person(company: &Company, renderer: &Renderer, person: &Person) -> memory::Person {
    let mut attributes = BTreeMap::new();
    let texts = [
        ("cn", Some(&person.cn)),
        ("sn", Some(&person.surname)),
        ("givenname", Some(&person.given)),
        ("displayname", person.display.as_ref()),
        ("title", person.title.as_ref()),
        ("telephonenumber", person.phone.as_ref()),
    ];
    for (name, value) in texts {
        value.filter(|value| !value.is_empty()).into_iter().for_each(|value| {
            attributes.insert(name.to_owned(), vec![value.clone()]);
        });
    }
    if !person.mails.is_empty() {
        attributes.insert("mail".to_owned(), person.mails.clone());
    }
    attributes.extend(person.extra.iter().map(|(name, value)| (name.to_lowercase(), vec![value.clone()])));
    let usable = match (person.state, person.expires.as_deref()) {
        (State::Disabled, _) => memory::Use::Disabled,
        (State::Enabled, None | Some("never")) => memory::Use::Usable,
        (State::Enabled, Some(date)) => {
            memory::Use::Until(format!("{date}T00:00:00Z").parse().expect("expires is a date"))
        }
    };
    memory::Person {
        id: made_up_id(&person.key),
        dn: Dn::parse(&renderer.person_dn(company, &person.key)).expect("a DN"),
        attributes,
        usable,
    }
}
