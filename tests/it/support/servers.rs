//! Real directory servers for tests: slapd and Samba, started through `real/servers/*.sh`, owned by the test.
//!
//! A server ends with the value that stands for it: the script hears its standard input close. Nothing is ever ended by
//! name. Where a server can't run, a test says that it was skipped; with `REQUIRE_REAL=1` that is a failure.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use zendesk_dirsync::domain::id::EntryId;

use super::ldif::Dialect;

/// How long a server may take to be ready: provisioning a domain takes some seconds, on a busy machine more.
const READY_MAX: Duration = Duration::from_secs(180);
/// The scripts' way of saying that this machine can't run the server.
const CANNOT: i32 = 77;

/// The naming context of the domain that `samba.sh` provisions.
pub const SAMBA_BASE: &str = "DC=ad,DC=example,DC=org";

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    pub dialect: Dialect,
    /// The script's own options.
    pub options: &'a [&'a str],
    /// Loaded before the start.
    pub offline: &'a [&'a str],
    /// Loaded over LDAP.
    pub online: &'a [&'a str],
}

/// A server that runs until this is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "what a failing test prints, and the folder that lives as long as the server")]
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    env: BTreeMap<String, String>,
    dialect: Dialect,
    dir: TempDir,
}

/// Starts a server; none where this machine can't.
pub fn start(order: &Order<'_>) -> Option<Server> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: String, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("an LDIF file");
        path
    };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/real/servers");
    let (script, place) = match order.dialect {
        Dialect::OpenLdap => ("slapd.sh", "0"),
        Dialect::ActiveDirectory => ("samba.sh", "auto"),
    };
    let mut command = Command::new("bash");
    command.arg(scripts.join(script)).arg("--foreground").args(order.options);
    command.arg(dir.path().join("server")).arg(place);
    let named = |kind: &'static str| move |at: usize| format!("{kind}-{at}.ldif");
    for (at, text) in order.offline.iter().enumerate() {
        command.arg(file(named("offline")(at), text));
    }
    if !order.online.is_empty() {
        command.arg("--online");
    }
    for (at, text) in order.online.iter().enumerate() {
        command.arg(file(named("online")(at), text));
    }
    // Made once, copied by each run; the script locks it.
    command.env("SAMBA_TEMPLATE", template());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("bash runs");
    let stdin = child.stdin.take();
    match await_ready(&mut child) {
        Ok(env) => Some(Server { child, stdin, env, dialect: order.dialect, dir }),
        Err(why) => {
            drop(stdin);
            let mut said = String::new();
            child.stderr.take().into_iter().for_each(|mut err| {
                let _ = err.read_to_string(&mut said);
            });
            let status = child.wait().expect("the script ends");
            assert_eq!(status.code(), Some(CANNOT), "{script}: {why}: {said}");
            absent(&format!("{script}: {said}"));
            None
        }
    }
}

/// Says that a test was skipped, or fails where it mustn't be.
#[allow(clippy::disallowed_methods, reason = "a test's own switch")]
fn absent(why: &str) {
    let required = std::env::var("REQUIRE_REAL").is_ok_and(|value| value == "1");
    assert!(!required, "REQUIRE_REAL=1, but {why}");
    eprintln!("skipped, because a real server can't be had here: {}", why.trim());
}

fn template() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("samba-template")
}

/// Reads `KEY='VALUE'` lines until READY.
fn await_ready(child: &mut Child) -> Result<BTreeMap<String, String>, String> {
    let out = child.stdout.take().expect("a pipe");
    let (sender, lines) = mpsc::channel();
    // It ends with the script's output.
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut env = BTreeMap::new();
    loop {
        let line = lines.recv_timeout(READY_MAX).map_err(|why| format!("no READY: {why}"))?;
        if line == "READY" {
            return Ok(env);
        }
        if let Some((key, value)) = line.split_once('=') {
            env.insert(key.to_owned(), value.trim_matches('\'').to_owned());
        }
    }
}

impl Server {
    /// A value of the server's `env` file: `LDAP_URL`, `LDAP_BASE`, …
    pub fn env(&self, key: &str) -> &str {
        self.env.get(key).map(String::as_str).unwrap_or_else(|| panic!("the script gives no {key}"))
    }

    /// Carries LDIF out as the administrator.
    pub fn modify(&self, ldif: &str) {
        self.ldapmodify(self.env("LDAP_ADMIN_DN"), self.env("LDAP_ADMIN_PW"), ldif);
    }

    /// Carries LDIF out as somebody.
    pub fn ldapmodify(&self, who: &str, password: &str, ldif: &str) {
        let mut child = Command::new("ldapmodify")
            .args(["-x", "-o", "nettimeout=30", "-H", self.env("LDAP_URL"), "-D", who, "-w", password])
            .env("LDAPCONF", "/dev/null")
            .env("LDAPTLS_CACERT", self.env("LDAP_CA"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldapmodify runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let text = ldif.to_owned();
        // Beside the wait, so that neither pipe can fill up.
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(text.as_bytes());
        });
        let output = child.wait_with_output().expect("ldapmodify ends");
        writer.join().expect("the writer ends");
        assert!(output.status.success(), "{}\n{ldif}", String::from_utf8_lossy(&output.stderr));
    }

    /// Sends signals to the server's own process.
    pub fn signaller(&self) -> impl Fn(Signal) + Send + Sync + 'static {
        let pid: i32 = self.env("LDAP_PID").parse().expect("a pid");
        let pid = Pid::from_raw(pid).expect("a pid");
        move |signal| kill_process(pid, signal).expect("the server is there")
    }

    /// The immutable id of everybody, by login.
    pub async fn ids(&self) -> BTreeMap<String, EntryId> {
        let (connection, mut ldap) = LdapConnAsync::new(self.env("LDAP_URL")).await.expect("the server answers");
        ldap3::drive!(connection);
        let bound = ldap.simple_bind(self.env("LDAP_ADMIN_DN"), self.env("LDAP_ADMIN_PW")).await;
        bound.and_then(ldap3::LdapResult::success).expect("the administrator may bind");
        let adapters: Vec<Box<dyn Adapter<_, _>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(500))];
        let filter = "(|(uid=*)(sAMAccountName=*))";
        let attributes = ["uid", "sAMAccountName", "entryUUID", "objectGUID"];
        let base = self.env("LDAP_BASE");
        let mut stream =
            ldap.streaming_search_with(adapters, base, Scope::Subtree, filter, attributes).await.expect("a search");
        let mut ids = BTreeMap::new();
        while let Some(entry) = stream.next().await.expect("an entry") {
            let entry = SearchEntry::construct(entry);
            let login = entry.attrs.get("uid").or_else(|| entry.attrs.get("sAMAccountName"));
            let Some(login) = login.and_then(|values| values.first()) else { continue };
            ids.insert(login.clone(), entry_id(&entry));
        }
        stream.finish().await.success().expect("a whole search");
        ldap.unbind().await.expect("an unbind");
        ids
    }
}

fn entry_id(entry: &SearchEntry) -> EntryId {
    if let Some(uuid) = entry.attrs.get("entryUUID").and_then(|values| values.first()) {
        return EntryId::parse(uuid).expect("a UUID");
    }
    // ldap3 keeps a GUID among the texts when its bytes happen to be UTF-8.
    let binary = entry.bin_attrs.get("objectGUID").and_then(|values| values.first()).cloned();
    let text =
        || entry.attrs.get("objectGUID").and_then(|values| values.first()).map(|value| value.clone().into_bytes());
    EntryId::from_object_guid(&binary.or_else(text).expect("an id")).expect("a GUID")
}

impl Drop for Server {
    fn drop(&mut self) {
        // The script hears it, ends the server, and ends; TERM can't reach a frozen one, but the script knows that.
        self.stdin.take();
        let _ = self.child.wait();
    }
}
