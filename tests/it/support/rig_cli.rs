//! A rig for the command line: both sandbox servers, a folder with configuration, secrets, state and report, and the
//! product as a process in it. What was done is judged by the servers' own records.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sandbox::directory::{Kind, TlsDir, TlsMode};
use sandbox::zendesk::{Limit, Logged, UserState};
use sandbox::{directory, zendesk};
use serde_json::Value;
use tempfile::TempDir;

use super::binary::{Finished, Started, command};
use super::company;

/// What a configuration is made of, but for the servers' places. Tests change parts of it.
#[derive(Debug, Clone)]
pub struct Config {
    /// `daemon.schedule`.
    pub schedule: String,
    /// Lines of `[brake]`.
    pub brake: String,
    /// Further lines of `[report]`.
    pub report: String,
    /// `ca_file`, below the folder.
    pub ca_file: String,
    /// Further lines of the directory.
    pub directory: String,
    /// Further whole directories.
    pub directories: String,
    /// `auth`.
    pub auth: String,
    /// Further lines of the app.
    pub app: String,
    /// `[[app.assignment]]` tables.
    pub assignments: String,
    /// The directory's first URL, if it isn't the sandbox's.
    pub url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Once a year: a daemon does nothing that isn't asked for.
            schedule: "0 0 1 1 *".to_owned(),
            brake: String::new(),
            report: String::new(),
            ca_file: "tls/ca.pem".to_owned(),
            directory: "page_size = 10\n".to_owned(),
            directories: String::new(),
            auth: "{ client_id = \"dirsync\", client_secret_file = \"DIR/zendesk.secret\" }".to_owned(),
            app: String::new(),
            assignments: assignment("leads", "custom_role = \"Team lead\"\ngroups = [\"Support\", \"Escalations\"]")
                + &assignment("support", "role = \"agent\"\ngroups = [\"Support\"]"),
            url: None,
        }
    }
}

/// An assignment of one of the company's groups.
pub fn assignment(group: &str, gives: &str) -> String {
    let dn = company::group_dn(group);
    format!("[[app.assignment]]\ndirectory = \"corp\"\ngroup = \"{dn}\"\n{gives}\n\n")
}

/// Both servers, a folder and the product.
pub struct Rig {
    folder: TempDir,
    zendesk: Option<zendesk::Running>,
    directory: Option<directory::Running>,
    config: Config,
    // Last: the servers run on it.
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    /// A rig with the company as it is.
    pub fn new() -> Self {
        Self::with("", |_| {})
    }

    /// A rig in which the brake lets the first cycle go on.
    pub fn unbraked() -> Self {
        let mut rig = Self::new();
        rig.configure(|config| config.brake = "first_cycle = \"apply\"".to_owned());
        rig
    }

    /// A rig with more in the directory and other options of the Zendesk account.
    pub fn with(more_ldif: &str, change: impl FnOnce(&mut zendesk::Options)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::Builder::new().prefix("dirsync-").tempdir().unwrap();
        let mut options = zendesk::Options {
            seed: Some(company::account()),
            seats: Some(500),
            // Pace is tested where the clock is simulated.
            update_limits: Limit::Off,
            account_limits: Limit::Off,
            user_limits: Limit::Off,
            requests_per_minute: Some(60_000),
            ..zendesk::Options::default()
        };
        change(&mut options);
        let any_port = "127.0.0.1:0".parse().unwrap();
        let ldif = company::ldif() + more_ldif;
        let mut served = directory::Options::new(Kind::Openldap, ldif);
        served.tls = Some(TlsDir { dir: folder.path().join("tls"), mode: TlsMode::Ldaps });
        let zendesk = runtime.block_on(zendesk::start(any_port, options)).unwrap();
        let directory = runtime.block_on(directory::start(any_port, served)).unwrap();
        let rig =
            Self { folder, zendesk: Some(zendesk), directory: Some(directory), config: Config::default(), runtime };
        rig.write_secret("ldap.secret", company::LDAP_SECRET);
        rig.write_secret("zendesk.secret", company::ZENDESK_SECRET);
        rig.write_config();
        rig
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The Zendesk account.
    pub fn desk(&self) -> &zendesk::Running {
        self.zendesk.as_ref().unwrap()
    }

    /// The directory.
    pub fn corp(&self) -> &directory::Running {
        self.directory.as_ref().unwrap()
    }

    /// Another directory with a certificate of its own; its `ca.pem` goes to a folder beside.
    pub fn another_directory(&self, folder: &str) -> directory::Running {
        let mut served = directory::Options::new(Kind::Openldap, company::ldif());
        served.tls = Some(TlsDir { dir: self.path(folder), mode: TlsMode::Ldaps });
        self.runtime.block_on(directory::start("127.0.0.1:0".parse().unwrap(), served)).unwrap()
    }

    /// Ends the Zendesk account's server.
    pub fn stop_desk(&mut self) {
        let desk = self.zendesk.take().unwrap();
        self.runtime.block_on(desk.shutdown());
    }

    /// Changes the directory.
    pub fn change(&self, ldif: &str) {
        self.corp().apply_ldif(ldif).unwrap_or_else(|fault| panic!("{fault}\n{ldif}"));
    }

    /// Writes a secret that its owner alone may read.
    pub fn write_secret(&self, name: &str, secret: &str) {
        fs::write(self.path(name), format!("{secret}\n")).unwrap();
        self.set_mode(name, 0o600);
    }

    /// Sets the permissions of a file in the folder.
    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Changes the configuration and writes it.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.write_config();
    }

    /// The configuration as it is in the file.
    pub fn config_text(&self) -> String {
        let config = &self.config;
        let url = config.url.clone().unwrap_or_else(|| self.corp().url());
        let desk = self.zendesk.as_ref().map_or_else(|| "http://127.0.0.1:1".to_owned(), zendesk::Running::url);
        let text = format!(
            "daemon.schedule = \"{}\"\nstate.dir = \"DIR/state\"\n\n[report]\nfile = \"DIR/report.log\"\n{}\n\
             [brake]\n{}\n\n[[directory]]\nname = \"corp\"\nkind = \"openldap\"\nurls = [\"{url}\"]\n\
             base = [\"{base}\"]\nca_file = \"DIR/{}\"\n\
             bind = {{ dn = \"cn=reader,ou=services,{base}\", password_file = \"DIR/ldap.secret\" }}\n{}\n{}\n\
             [[app]]\nname = \"support\"\nbase_url = \"{desk}\"\nauth = {}\n\
             mapping = {{ name = \"{{{{ displayName }}}}\", email = \"{{{{ mail }}}}\" }}\n{}\n{}",
            config.schedule,
            config.report,
            config.brake,
            config.ca_file,
            config.directory,
            config.directories,
            config.auth,
            config.app,
            config.assignments,
            base = company::BASE,
        );
        text.replace("DIR", &self.dir().display().to_string())
    }

    fn write_config(&self) {
        self.write("config.toml", &self.config_text());
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Reads a file in the folder.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts the product with the rig's configuration.
    pub fn start(&self, args: &[&str]) -> Started {
        self.start_with(args, &[])
    }

    /// Starts the product with the rig's configuration and an environment.
    pub fn start_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Started {
        self.start_by("config.toml", args, environment)
    }

    fn start_by(&self, config: &str, args: &[&str], environment: &[(&str, &str)]) -> Started {
        let config = self.path(config).display().to_string();
        let args = [&["--config", config.as_str()], args].concat();
        Started::start(command(self.dir(), &args, environment))
    }

    /// Runs the product with another configuration of the folder.
    #[track_caller]
    pub fn run_by(&self, config: &str, args: &[&str]) -> Finished {
        self.start_by(config, args, &[]).finish()
    }

    /// Runs the product with the rig's configuration to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Runs one cycle.
    #[track_caller]
    pub fn once(&self) -> Finished {
        self.run(&["--once"])
    }

    /// Approves every hold that has something in it.
    #[track_caller]
    pub fn approve_everything(&self) {
        for hold in self.holds() {
            let count = hold["changes"].as_array().map_or(0, Vec::len).to_string();
            let id = &hold["id"].as_str().unwrap()[..8];
            self.run(&["holds", "approve", id, "--count", &count]).expect(0);
        }
    }

    /// What waits.
    #[track_caller]
    pub fn holds(&self) -> Vec<Value> {
        let listed = self.run(&["holds", "list", "--format", "json"]).expect(0);
        serde_json::from_str(&listed.stdout).unwrap()
    }

    /// Starts the daemon and waits until it is ready.
    #[track_caller]
    pub fn daemon(&self) -> Started {
        let daemon = self.start(&[]);
        daemon.says("daemon began");
        daemon
    }

    /// How many requests Zendesk got so far.
    pub fn mark(&self) -> usize {
        self.desk().requests().len()
    }

    /// The requests since a mark, but for those of a token.
    pub fn requests_since(&self, mark: usize) -> Vec<Logged> {
        self.desk().requests().into_iter().skip(mark).filter(|request| request.path != "/oauth/tokens").collect()
    }

    /// The writes since a mark.
    pub fn writes_since(&self, mark: usize) -> Vec<Logged> {
        self.requests_since(mark).into_iter().filter(|request| request.write).collect()
    }

    /// The account with this mail, as Zendesk has it.
    pub fn account(&self, mail: &str) -> Option<UserState> {
        self.desk().state().user(mail).cloned()
    }

    /// Demands that these people have each one account, in use, with the role and the group that Support gives.
    #[track_caller]
    pub fn assert_served(&self, uids: &[&str]) {
        let state = self.desk().state();
        for uid in uids {
            let mail = company::mail(uid);
            let accounts: Vec<_> =
                state.users.iter().filter(|user| user.email.as_deref() == Some(mail.as_str()) && user.active).collect();
            let [account] = accounts.as_slice() else { panic!("{uid} has {} accounts", accounts.len()) };
            assert!(!account.suspended, "{uid} is suspended");
            assert_eq!(account.role, zendesk::Role::Agent, "{uid}");
            assert!(account.groups.contains(&company::SUPPORT_GROUP), "{uid}: {:?}", account.groups);
            let own = account.external_id.as_deref().is_some_and(|id| id.starts_with("dirsync-"));
            assert!(own, "{uid}: {:?}", account.external_id);
        }
    }

    /// Demands that these people have no account.
    #[track_caller]
    pub fn assert_unserved(&self, uids: &[&str]) {
        for uid in uids {
            assert!(self.account(&company::mail(uid)).is_none(), "{uid} has an account");
        }
    }

    /// The records of the report, in order, those of closed files included.
    pub fn report(&self) -> Vec<Value> {
        let shown = self.run(&["report", "--format", "json"]).expect(0);
        shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The records with this action.
    pub fn told(&self, action: &str) -> Vec<Value> {
        self.report().into_iter().filter(|record| record["action"] == action).collect()
    }

    /// The last record with this action, in a few words: result, error type, user.
    pub fn last_told(&self, action: &str) -> String {
        self.told(action).last().map_or_else(|| format!("no {action}"), brief)
    }

    /// Text without what differs from run to run.
    pub fn neat(&self, text: &str) -> String {
        let dir = self.dir().display().to_string();
        let mut places = BTreeMap::from([(dir, "DIR".to_owned())]);
        if let Some(directory) = &self.directory {
            places.insert(directory.address().port().to_string(), "LDAPPORT".to_owned());
        }
        if let Some(desk) = &self.zendesk {
            places.insert(desk.url().rsplit(':').next().unwrap_or_default().to_owned(), "DESKPORT".to_owned());
        }
        places.insert(me(), "ACTOR".to_owned());
        let mut text = text.to_owned();
        for (place, name) in &places {
            text = text.replace(place.as_str(), name);
        }
        neat_words(&text)
    }
}

/// A record in a few words.
pub fn brief(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", text(&record["result"]), text(&record["error"]["type"]), text(&record["user"]))
}

/// How the report names who runs the tests.
pub fn me() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()));
    let name = line.and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// Replaces times, names of cycles, and digests.
fn neat_words(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+') {
            word.push(c);
            continue;
        }
        let bare = word.trim_end_matches(['.', ':']);
        out.push_str(neat_word(bare));
        out.push_str(&word[bare.len()..]);
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

fn neat_word(word: &str) -> &str {
    let hex = |word: &str| word.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    let is_cycle = word.len() == 19 && word.as_bytes()[8] == b'T' && word.ends_with('Z');
    if chrono::DateTime::parse_from_rfc3339(word).is_ok() {
        "TIME"
    } else if is_cycle {
        "CYCLE"
    } else if matches!(word.len(), 8 | 64) && hex(word) {
        "DIGEST"
    } else if word.strip_suffix("ms").is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit())) {
        "0ms"
    } else {
        word
    }
}
