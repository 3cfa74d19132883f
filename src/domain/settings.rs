//! What the configuration says of the outside: servers, accounts, files. Checked values only, no secrets.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::account_state::StateRules;
use super::brake::Limits;
use super::dn::Dn;
use super::id::{AppName, Digest, Digester, DirectoryName, Email};
use super::rules::AppRules;
use super::schedule::Schedule;

/// Which directory service it is: picks filters, the id attribute, membership and account state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryKind {
    /// Active Directory, or Samba as its domain controller.
    ActiveDirectory,
    /// OpenLDAP.
    OpenLdap,
    /// Another RFC 4510 server.
    Generic,
}

impl DirectoryKind {
    /// Its rules for account state.
    pub const fn state_rules(self) -> StateRules {
        match self {
            Self::ActiveDirectory => StateRules::ActiveDirectory,
            Self::OpenLdap | Self::Generic => StateRules::Posix,
        }
    }

    /// The attribute that holds the immutable id.
    pub const fn id_attribute(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "objectGUID",
            Self::OpenLdap | Self::Generic => "entryUUID",
        }
    }

    /// The filter for people.
    pub const fn people_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))",
            Self::OpenLdap | Self::Generic => "(objectClass=person)",
        }
    }

    /// The filter for groups.
    pub const fn group_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(objectClass=group)",
            Self::OpenLdap | Self::Generic => "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
        }
    }
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte (`ldaps://`).
    Ldaps,
    /// TLS after the StartTLS operation (`ldap://` with `starttls = true`).
    StartTls,
    /// None (`ldap://` with `plaintext = true`): loopback and tests.
    Plaintext,
}

/// One server of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// The URL as it was written.
    pub text: String,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
}

/// How members that arrive in ranges are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// The server decides (AD: 1,500 at a time).
    AsServed,
    /// Ranges of this many are asked for from the start, so that any server shows how they are read.
    Forced(u32),
}

/// Where a secret lies. The secret itself is read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A file with safe permissions.
    File(PathBuf),
    /// A systemd credential of this name.
    Credential(String),
}

/// Something that must be readable whenever a directory is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The entry.
    pub dn: Dn,
    /// An attribute of it; none when seeing the entry is enough.
    pub attribute: Option<String>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySettings {
    /// Its name.
    pub name: DirectoryName,
    /// What it is.
    pub kind: DirectoryKind,
    /// Its servers, in the order in which they are tried.
    pub urls: Vec<ServerUrl>,
    /// Where people and groups lie.
    pub bases: Vec<Dn>,
    /// A PEM file with the CA that signed the servers' certificates; the system's when not set.
    pub ca_file: Option<PathBuf>,
    /// Who reads: a DN, or a `user@realm` of AD.
    pub bind_dn: String,
    /// The password's place.
    pub bind_password: SecretPlace,
    /// The attribute that holds the immutable id.
    pub id_attribute: String,
    /// The filter for people.
    pub people_filter: String,
    /// The filter for groups.
    pub group_filter: String,
    /// The attribute that holds a group's members.
    pub member_attribute: String,
    /// What must be readable in every read.
    pub canaries: Vec<Canary>,
    /// Naming contexts that are passed over when the server refers to them.
    pub ignored_contexts: Vec<Dn>,
    /// How members that arrive in ranges are asked for.
    pub ranges: Ranges,
    /// Entries a page.
    pub page_size: u32,
    /// How long connecting and one answer may take.
    pub timeout: Duration,
    /// How long a whole read may take.
    pub read_timeout: Duration,
}

impl DirectorySettings {
    /// A digest of what decides which people and groups are found here, and by which id: not by which server, as whom,
    /// or how fast.
    pub fn scope(&self) -> Digest {
        let mut digest = Digester::new("scope 1");
        digest.text(self.name.as_str()).text(&format!("{:?}", self.kind));
        self.bases.iter().for_each(|base| {
            digest.bytes(base.key().as_bytes());
        });
        // A context that isn't ignored any more may hold people; one that is now may have held some.
        digest.text(&self.ignored_contexts.len().to_string());
        self.ignored_contexts.iter().for_each(|context| {
            digest.bytes(context.key().as_bytes());
        });
        for text in [&self.id_attribute, &self.people_filter, &self.group_filter, &self.member_attribute] {
            digest.text(text);
        }
        digest.finish()
    }
}

/// How we show who we are to Zendesk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZendeskAuth {
    /// OAuth client credentials.
    Client {
        /// The client's identifier.
        client_id: String,
        /// The secret's place.
        secret: SecretPlace,
        /// The scopes to ask for.
        scopes: BTreeSet<String>,
    },
    /// An API token, until 30 April 2027 when Zendesk ends them.
    ApiToken {
        /// The admin's mail.
        email: String,
        /// The token's place.
        token: SecretPlace,
    },
}

/// A Zendesk account.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// Its name.
    pub name: AppName,
    /// Scheme, host and port; no path.
    pub base_url: url::Url,
    /// How we show who we are.
    pub auth: ZendeskAuth,
    /// The share of Zendesk's rate limit that we use at most, in percent.
    pub rate_share_percent: u8,
    /// How long one request may take.
    pub timeout: Duration,
    /// The lease that is kept there; none by default.
    pub lease: Option<LeaseSettings>,
    /// The rules.
    pub rules: AppRules,
}

/// A lease: a marker at Zendesk by which a second copy of this service is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// A mail for the marker, where Zendesk is set up to take no user without.
    pub email: Option<Email>,
}

/// What of a person the report keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Everything.
    None,
    /// Nothing that names a person.
    Personal,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// The file.
    pub file: PathBuf,
    /// Bytes after which a new file is begun.
    pub max_size: u64,
    /// How long closed files are kept.
    pub max_age: Duration,
    /// Bytes that all files together may take.
    pub max_total: u64,
    /// What of a person is kept.
    pub redact: Redaction,
}

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When cycles run.
    pub schedule: Schedule,
    /// A cycle begins up to this much later than its tick.
    pub jitter: Duration,
    /// Where the store and the control socket lie.
    pub state_dir: PathBuf,
    /// The report.
    pub report: ReportSettings,
    /// The brake.
    pub limits: Limits,
    /// Where changes come from.
    pub directories: Vec<DirectorySettings>,
    /// Where they go.
    pub apps: Vec<AppSettings>,
}
