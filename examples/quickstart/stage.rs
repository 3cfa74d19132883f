//! The stage: both servers, a folder with the configuration, and the product as it is called from a shell.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sandbox::directory::{Kind, TlsDir, TlsMode};
use sandbox::zendesk::{Account, Limit, Logged};
use sandbox::{directory, zendesk};
use serde_json::Value;

use super::company;

/// Everything that the tour needs.
pub struct Stage {
    folder: PathBuf,
    directory: directory::Running,
    zendesk: zendesk::Running,
    // Last: the servers run on it.
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Starts the servers and writes the configuration.
    pub fn set() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        // Kept: the reader is told what to look at afterwards.
        let folder = tempfile::Builder::new().prefix("dirsync-").tempdir()?.keep();
        let any_port = "127.0.0.1:0".parse()?;
        let mut served = directory::Options::new(Kind::ActiveDirectory, company::ldif());
        served.tls = Some(TlsDir { dir: folder.clone(), mode: TlsMode::Ldaps });
        // The real Zendesk takes one update a second; the reader's time is spared.
        let options = zendesk::Options {
            seed: Some(company::account()),
            update_limits: Limit::Off,
            ..zendesk::Options::default()
        };
        let stage = Self {
            directory: runtime.block_on(directory::start(any_port, served))?,
            zendesk: runtime.block_on(zendesk::start(any_port, options))?,
            folder,
            _runtime: runtime,
        };
        write_secret(&stage.folder.join("ldap.secret"), "svcpw")?;
        write_secret(&stage.folder.join("zendesk.secret"), "sandbox-secret")?;
        fs::write(stage.folder.join("config.toml"), stage.configuration())?;
        Ok(stage)
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        let base = company::BASE;
        format!(
            r#"state.dir = "{folder}/state"
report.file = "{folder}/report.log"

[[directory]]
name = "corp"
kind = "active-directory"
urls = ["{directory}"]
base = ["{base}"]
ca_file = "{folder}/ca.pem"
bind.dn = "CN=svc,{base}"
bind.password_file = "{folder}/ldap.secret"

[[app]]
name = "support"
base_url = "{zendesk}"
auth.client_id = "dirsync"
auth.client_secret_file = "{folder}/zendesk.secret"
mapping.name = "{{{{ displayName }}}}"
mapping.email = "{{{{ mail }}}}"

[[app.assignment]]
directory = "corp"
group = "CN=Support Leads,OU=Groups,{base}"
custom_role = "Team lead"
groups = ["Support", "Escalations"]

[[app.assignment]]
directory = "corp"
group = "CN=Support,OU=Groups,{base}"
role = "agent"
groups = ["Support"]
"#,
            directory = self.directory.url(),
            zendesk = self.zendesk.url(),
        )
    }

    /// A file's or folder's place.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The configuration's place.
    pub fn config_path(&self) -> String {
        self.path("config.toml")
    }

    /// The configuration.
    pub fn config_text(&self) -> Result<String> {
        Ok(fs::read_to_string(self.config_path())?)
    }

    /// Calls the product, and demands an exit code.
    pub fn run(&self, args: &[&str], exit: u8) -> Result<()> {
        let config = self.config_path();
        println!("$ zendesk-dirsync --config {config} {}", args.join(" "));
        std::io::stdout().flush()?;
        let line = ["zendesk-dirsync", "--config", &config].into_iter().chain(args.iter().copied());
        let code = zendesk_dirsync::cli::run(line.map(OsString::from)).code();
        println!();
        ensure!(code == exit, "`{}` ended with exit code {code}, and {exit} was expected", args.join(" "));
        Ok(())
    }

    /// Carries LDIF out in the directory.
    pub fn change_directory(&self, ldif: &str) -> Result<()> {
        self.directory.apply_ldif(ldif).context("the directory refuses")
    }

    /// The Zendesk account as it is now.
    pub fn state(&self) -> Account {
        self.zendesk.state()
    }

    /// How many requests Zendesk got so far.
    pub fn mark(&self) -> usize {
        self.zendesk.requests().len()
    }

    /// The writes that Zendesk got since a mark.
    pub fn writes_since(&self, mark: usize) -> Vec<Logged> {
        self.zendesk.requests().into_iter().skip(mark).filter(|request| request.write).collect()
    }

    /// The accounts that these writes were for.
    pub fn accounts_written_since(&self, mark: usize) -> Result<BTreeSet<u64>> {
        let state = self.state();
        self.writes_since(mark).iter().map(|write| written(write, &state)).collect()
    }

    /// The id of the hold that was reported last, as `holds` shows it.
    pub fn last_hold(&self) -> Result<String> {
        let record = self.last_record("hold")?;
        let hint = record["error"]["hint"].as_str().unwrap_or_default();
        let id = hint.split(['`', ' ']).find(|word| word.len() == 8 && word.bytes().all(|c| c.is_ascii_hexdigit()));
        id.map(str::to_owned).with_context(|| format!("the report names no hold: {record}"))
    }

    /// The cycle that ended last.
    pub fn last_cycle(&self) -> Result<String> {
        let record = self.last_record("cycle")?;
        record["cycle"].as_str().map(str::to_owned).with_context(|| format!("the report names no cycle: {record}"))
    }

    /// The report is a log of JSON lines.
    fn last_record(&self, action: &str) -> Result<Value> {
        let text = fs::read_to_string(self.path("report.log"))?;
        let records = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records
            .into_iter()
            .find(|record| record["action"] == action)
            .with_context(|| format!("no record of a {action}"))
    }
}

/// The account that a write was for: named in its path, or in its body, or the one that it made.
fn written(write: &Logged, state: &Account) -> Result<u64> {
    let mut path = write.path.split('/').skip_while(|segment| *segment != "users").skip(1);
    let in_path = path.next().and_then(|id| id.parse().ok());
    let in_body = write.body["group_membership"]["user_id"].as_u64();
    let made = || state.user(write.body["user"]["email"].as_str()?).map(|user| user.id);
    in_path.or(in_body).or_else(made).with_context(|| format!("{} {} is for nobody", write.method, write.path))
}

fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    Ok(())
}
