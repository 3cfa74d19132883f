//! Joining: from a checked configuration to an engine with real adapters.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::args::Cli;
use super::env::{Environment, SystemClock};
use super::exit::{Exit, Failure, chain};
use crate::config::secrets::FileSecret;
use crate::config::{self, Colour, LoadFault};
use crate::directory::LdapDirectory;
use crate::domain::id::{AppName, CycleId, Digest, DirectoryName};
use crate::domain::outcome::{Notice, Problem, Subject, Verdict};
use crate::domain::settings::{AppSettings, DirectorySettings, ReportSettings, SecretPlace, Settings, ZendeskAuth};
use crate::engine::ports::{AcceptedLedger as _, Clock as _, LedgerFault, Report as _, Secret, SecretFault};
use crate::engine::{App, Configuration, Engine, Former, Outline, Ports, Reader, Stop};
use crate::report::Journal;
use crate::store::{Condition, Opened, SledLedger, View};
use crate::zendesk::ZendeskClient;
use crate::{tls, zendesk};

/// The real adapters.
#[derive(Debug)]
pub struct Real;

impl Ports for Real {
    type Directory = LdapDirectory;
    type Helpdesk = ZendeskClient;
    type Ledger = SledLedger;
    type Report = Journal;
    type Clock = SystemClock;
}

/// The configuration with what the environment says.
#[derive(Debug)]
pub struct Joined {
    /// What the configuration says.
    pub settings: Settings,
    /// Its text.
    pub text: String,
    /// What the environment says.
    pub environment: Environment,
}

/// A secret of the configuration.
struct Placed(FileSecret);

impl Secret for Placed {
    fn read(&self) -> Result<SecretString, SecretFault> {
        self.0.read().map_err(|fault| SecretFault(chain(&fault)))
    }
}

/// Loads the configuration that the command line names.
///
/// # Errors
/// All its faults.
pub fn load(cli: &Cli, environment: Environment) -> Result<Joined, Failure> {
    let read = settings(&cli.config, cli.state.as_deref(), environment.colour());
    let (settings, text) =
        read.map_err(|text| Failure { exit: Exit::Configuration, message: text, hint: String::new() })?;
    Ok(Joined { settings, text, environment })
}

/// Reads and checks a configuration file, and gives its text too; the text of every fault if it can't be used.
///
/// # Errors
/// The faults, for people.
pub fn settings(path: &Path, state: Option<&Path>, colour: Colour) -> Result<(Settings, String), String> {
    let loaded = config::load(path, SystemClock.now()).map_err(|fault: LoadFault| fault.render(colour))?;
    let mut settings = loaded.settings;
    if let Some(state) = state {
        settings.state_dir = state.to_owned();
    }
    Ok((settings, loaded.text))
}

/// How each directory is read, as far as it decides who is found there.
pub fn scopes(settings: &Settings) -> BTreeMap<DirectoryName, Digest> {
    settings.directories.iter().map(|one| (one.name.clone(), one.scope())).collect()
}

/// What the engine needs of a configuration that it doesn't run with.
fn outline(text: &str, now: DateTime<Utc>) -> Result<Outline, String> {
    let settings = config::parse(text, "the new configuration", now).map_err(|faults| faults.render(Colour::Plain))?;
    let (scopes, limits) = (scopes(&settings), settings.limits);
    Ok(Outline { rules: settings.apps.into_iter().map(|one| one.rules).collect(), scopes, limits })
}

/// What people agreed to before, app by app: each app's part of the text that was accepted for it.
fn former(ledger: &SledLedger) -> Result<BTreeMap<AppName, Former>, LedgerFault> {
    let read = |(app, text): (AppName, String)| {
        let former = match config::parse(&text, "the accepted configuration", SystemClock.now()) {
            Ok(settings) => {
                let scopes = scopes(&settings);
                let mine = settings.apps.into_iter().find(|one| one.name == app);
                mine.map(|one| Former::Known { rules: Box::new(one.rules), scopes })
            }
            Err(faults) => Some(Former::Unreadable { why: faults.to_string() }),
        };
        former.map(|former| (app, former))
    };
    Ok(ledger.accepted()?.into_iter().filter_map(read).collect())
}

/// Whether a secret can be read is known before anything is started.
pub(super) fn secret(place: &SecretPlace, environment: &Environment) -> Result<Arc<dyn Secret>, Failure> {
    let secret = FileSecret::new(place.clone(), environment.credentials_dir.clone());
    secret.read().map_err(|fault| Failure::new(Exit::Configuration, chain(&fault), ""))?;
    Ok(Arc::new(Placed(secret)))
}

/// The directories of a configuration.
///
/// # Errors
/// When a secret or a CA file can't be read.
pub fn directory(settings: &DirectorySettings, environment: &Environment) -> Result<LdapDirectory, Failure> {
    let secret = secret(&settings.bind_password, environment)?;
    Ok(LdapDirectory::new(settings.clone(), secret))
}

/// One app of a configuration.
///
/// # Errors
/// When a secret can't be read or the HTTP client can't be built.
pub fn app(settings: &AppSettings, environment: &Environment) -> Result<App<ZendeskClient>, Failure> {
    let place = match &settings.auth {
        ZendeskAuth::Client { secret, .. } => secret,
        ZendeskAuth::ApiToken { token, .. } => token,
    };
    let secret = secret(place, environment)?;
    let failure = |fault: &dyn std::error::Error| {
        Failure::new(Exit::Configuration, format!("app {}: {}", settings.name, chain(fault)), "")
    };
    let tls = tls::tls_config(None).map_err(|fault| failure(&fault))?;
    let http = zendesk::http_client(tls, settings.timeout, &settings.base_url).map_err(|fault| failure(&fault))?;
    let clock = Arc::new(SystemClock);
    let mut desk = ZendeskClient::new(settings, secret, clock, http).map_err(|fault| failure(&fault))?;
    // Plain HTTP is let on loopback only: a stand-in, which says by itself when it is asked too often.
    if settings.base_url.scheme() == "http" {
        desk.space_updates(std::time::Duration::ZERO);
    }
    let identity = settings.base_url.host_str().unwrap_or_default().to_owned();
    Ok(App { rules: settings.rules.clone(), desk, identity })
}

/// The directories and apps of a configuration.
pub type Outside = (Vec<LdapDirectory>, Vec<App<ZendeskClient>>);

/// Builds directories and apps.
///
/// # Errors
/// As [`directory`] and [`app`].
pub fn outside(settings: &Settings, environment: &Environment) -> Result<Outside, Failure> {
    let directories =
        settings.directories.iter().map(|one| directory(one, environment)).collect::<Result<Vec<_>, Failure>>()?;
    let apps = settings.apps.iter().map(|one| app(one, environment)).collect::<Result<Vec<_>, Failure>>()?;
    Ok((directories, apps))
}

/// How far an engine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the directories and to Zendesk, with their secrets.
    Outside,
    /// No further than to its store.
    StoreOnly,
}

/// Builds the engine: opens the store first, so that a second process ends before it does anything.
///
/// # Errors
/// When the store is busy or damaged, the report can't be written, or the outside can't be built.
pub fn engine(joined: &Joined, reach: Reach) -> Result<Engine<Real>, Failure> {
    let settings = &joined.settings;
    let outside = within(joined, reach)?;
    let opened = SledLedger::open(&settings.state_dir).map_err(|fault| store_failure(&fault, settings))?;
    assemble(joined, outside, opened, &settings.report)
}

/// Builds an engine to look with: over a copy of the store, which goes away with the view, and without the report.
///
/// # Errors
/// As [`engine`].
pub fn engine_to_look(joined: &Joined, reach: Reach) -> Result<(View, Engine<Real>), Failure> {
    let settings = &joined.settings;
    let outside = within(joined, reach)?;
    let (view, opened) = SledLedger::view(&settings.state_dir).map_err(|fault| store_failure(&fault, settings))?;
    let report = ReportSettings { file: view.dir().join("report.log"), ..settings.report.clone() };
    let engine = assemble(joined, outside, opened, &report)?;
    Ok((view, engine))
}

fn within(joined: &Joined, reach: Reach) -> Result<Outside, Failure> {
    match reach {
        Reach::Outside => outside(&joined.settings, &joined.environment),
        Reach::StoreOnly => Ok((Vec::new(), Vec::new())),
    }
}

fn assemble(
    joined: &Joined,
    (directories, apps): Outside,
    opened: Opened,
    report: &ReportSettings,
) -> Result<Engine<Real>, Failure> {
    let settings = &joined.settings;
    let place = report.file.display();
    let mut report =
        Journal::open(report, SystemClock.now(), Box::new(|| uuid::Uuid::new_v4().into_bytes())).map_err(|fault| {
            let hint = format!("see that {place} can be written and its disk has space");
            Failure::new(Exit::Storage, fault, hint)
        })?;
    tell_condition(&opened.condition, &mut report)?;
    let former = former(&opened.ledger).map_err(|fault| store_failure(&fault, settings))?;
    for (app, former) in &former {
        if let Former::Unreadable { why } = former {
            tracing::warn!(app = %app, "the accepted configuration can't be read: whatever is to be done waits: {why}");
        }
    }
    let (text, scopes) = (joined.text.clone(), scopes(settings));
    let configuration = Configuration { text, scopes, former, reader: Reader::new(outline) };
    let (mut ledger, limits) = (opened.ledger, settings.limits);
    ledger.name_with(uuid::Uuid::new_v4().into_bytes());
    Ok(Engine { directories, apps, ledger, report, clock: SystemClock, limits, configuration })
}

/// Tells the log and the report when the store isn't as it was left.
fn tell_condition(condition: &Condition, report: &mut Journal) -> Result<(), Failure> {
    match condition {
        Condition::Fresh | Condition::Sound => return Ok(()),
        Condition::Lost { .. } | Condition::Damaged { .. } | Condition::Older { .. } => {}
    }
    tracing::warn!("{condition}; everything is matched anew and waits for a person");
    let now = SystemClock.now();
    let mut notice = Notice::new(now, CycleId::at(now), 1, Subject::Cycle, Verdict::Refused, "daemon");
    notice.cause = Some(Notice::cause_code("store_replaced"));
    let hint = "everything is matched anew and waits for a person: see `holds list`";
    notice.problem = Some(Problem::new("store_replaced", condition, hint));
    let told = report.tell(&notice);
    told.map_err(|fault| Failure::new(Exit::Storage, fault, "nothing is done that can't be told"))
}

fn store_failure(fault: &LedgerFault, settings: &Settings) -> Failure {
    let dir = settings.state_dir.display();
    let hint = match fault {
        LedgerFault::Busy => {
            format!("a zendesk-dirsync is at work in {dir}: the daemon (see `status`), or a command that will end soon")
        }
        LedgerFault::Io(_) => format!("see that {dir} belongs to the user that runs this, and that its disk has space"),
        LedgerFault::Damaged(_) | LedgerFault::Foreign { .. } => {
            format!("move {dir} away: a new store matches everybody anew, and holds what it would change")
        }
    };
    Failure::new(Exit::Storage, format!("{dir}: {fault}"), hint)
}

/// How long a single cycle may take to end after a signal.
const STOP_WAIT: std::time::Duration = std::time::Duration::from_secs(8);

/// Ends a single cycle after the change in hand when a signal asks for it. The second part ends when it must not be
/// waited for any more: at a second signal, or when the change in hand takes too long.
///
/// # Errors
/// When signals can't be heard.
pub fn stop_on_signals() -> Result<(Stop, impl Future<Output = ()>), Failure> {
    let (sender, receiver) = watch::channel(false);
    let sender = Arc::new(sender);
    let again = Arc::new(Notify::new());
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).map_err(|why| Failure::new(Exit::Failed, why, "signals can't be heard"))?;
        let (sender, again) = (Arc::clone(&sender), Arc::clone(&again));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if sender.send_replace(true) {
                    again.notify_one();
                } else {
                    super::ask::tell("ending after the change in hand; once more ends at once");
                }
            }
        });
    }
    let stop = Stop::when(receiver);
    let asked = stop.clone();
    let abandon = async move {
        asked.wait().await;
        let _ = tokio::time::timeout(STOP_WAIT, again.notified()).await;
    };
    Ok((stop, abandon))
}
