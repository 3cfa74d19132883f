//! The configuration: from the text of a file to checked [`Settings`], or to all faults at once.
//!
//! The document is read by hand rather than by derived types, because those stop at the first fault. Secrets are never
//! in the file: [`secrets`] reads them from theirs. Nothing here starts anything or asks whether a server answers.

mod app;
mod assignment;
mod directory;
mod fault;
mod hidden;
mod mapping;
mod reader;
pub mod secrets;
mod service;
#[cfg(test)]
mod tests;
mod unknown;
mod values;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use toml::de::DeTable;

use self::assignment::Directories;
use self::fault::Found;
pub use self::fault::{Colour, FAULTS_MAX, Fault, Faults};
use self::reader::{Known, Sink, Spot, Table};
pub use self::service::STATE_DIR_DEFAULT;
use crate::domain::id::{Digest, Digester};
use crate::domain::settings::Settings;

/// Longest file, in bytes.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// A configuration that was read from a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// The file.
    pub path: PathBuf,
    /// The file's text: what people agree to when they accept it. It holds no secrets.
    pub text: String,
    /// A digest of the file's text, to see whether it changed.
    pub digest: Digest,
}

/// A configuration that can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// The file can't be read.
    #[error("{path} can't be read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// Anybody could change what is done with which credentials.
    #[error("{0} can be written by anybody")]
    Writable(String),
    /// It is no configuration.
    #[error("{0} has more than {CONFIG_BYTES_MAX} bytes")]
    TooLong(String),
    /// It isn't text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// It has faults.
    #[error("{0}")]
    Faults(Faults),
}

impl LoadFault {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "name the file with --config; config.example.toml is one to begin with".to_owned()
            }
            Self::Writable(path) => format!("run chmod o-w {path}"),
            Self::TooLong(_) => "name the right file with --config".to_owned(),
            Self::NotText(path) => format!("save {path} as UTF-8"),
            Self::Faults(_) => "correct what is listed; nothing was started or changed".to_owned(),
        }
    }

    /// The fault for a person: every fault of the file with its line, or what else is the matter, and what to do.
    pub fn render(&self, colour: Colour) -> String {
        match self {
            Self::Faults(faults) => faults.render(colour),
            Self::Unreadable { why, .. } => format!("{self}: {why}\nhelp: {}\n", self.hint()),
            Self::Writable(_) | Self::TooLong(_) | Self::NotText(_) => format!("{self}\nhelp: {}\n", self.hint()),
        }
    }
}

/// Loads the configuration from a file. `now` is needed to see that the schedule comes round.
///
/// # Errors
/// When the file can't be read or isn't safe, and all faults of what it says.
pub fn load(path: &Path, now: DateTime<Utc>) -> Result<Loaded, LoadFault> {
    let name = path.display().to_string();
    let unreadable = |why| LoadFault::Unreadable { path: name.clone(), why };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o002 != 0 && metadata.is_file() {
        return Err(LoadFault::Writable(name));
    }
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > CONFIG_BYTES_MAX {
        return Err(LoadFault::TooLong(name));
    }
    let Ok(text) = String::from_utf8(bytes) else { return Err(LoadFault::NotText(name)) };
    let settings = parse(&text, &name, now).map_err(LoadFault::Faults)?;
    let mut digest = Digester::new("configuration 1");
    digest.text(&text);
    Ok(Loaded { settings, path: path.to_owned(), digest: digest.finish(), text })
}

/// Checks the text of a configuration. `origin` names the file in faults.
///
/// # Errors
/// All faults at once.
pub fn parse(text: &str, origin: &str, now: DateTime<Utc>) -> Result<Settings, Faults> {
    read(text, origin, now).0
}

/// Every key that the reader knows, by its table; the example must show each.
#[cfg(test)]
fn known_keys(text: &str, now: DateTime<Utc>) -> Known {
    read(text, "test", now).1
}

fn read(text: &str, origin: &str, now: DateTime<Utc>) -> (Result<Settings, Faults>, Known) {
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(fault) => return (Err(not_toml(text, origin, &fault)), Known::new()),
    };
    let sink = Sink::new(text, document.get_ref());
    let settings = settings(Table::root(&sink, document.get_ref()), now);
    let (faults, known) = sink.end(origin);
    let settings = match (faults, settings) {
        (Some(faults), _) => Err(faults),
        (None, Some(settings)) => Ok(settings),
        // Each part that is missing has a fault; should one be forgotten, nothing is started all the same.
        (None, None) => Err(Faults::new(origin, text, unexplained(), Vec::new(), &[])),
    };
    (settings, known)
}

fn unexplained() -> Found {
    let what = "the configuration can't be used, and no check says why".to_owned();
    Found { key: String::new(), span: 0..0, what, remedy: "please report this with the file".to_owned() }
}

fn not_toml(text: &str, origin: &str, fault: &toml::de::Error) -> Faults {
    let what = format!("this is not TOML: {}", fault.message());
    let remedy = "texts stand in quotes, lists in [ ], one key = value a line; nothing else was checked yet".to_owned();
    let found = Found { key: String::new(), span: fault.span().unwrap_or(0..0), what, remedy };
    Faults::new(origin, text, found, Vec::new(), &hidden::in_lines(text))
}

fn settings(mut root: Table<'_>, now: DateTime<Utc>) -> Option<Settings> {
    let sink = root.sink();
    let (schedule, jitter) = service::daemon(root.section("daemon"), now);
    let state_dir = service::state(root.section("state"));
    let report = service::report(root.section("report"));
    let limits = service::brake(root.section("brake"));

    let directories = root.full_tables("directory", "write [[directory]] and say where people come from");
    let directories: Vec<directory::Read<'_>> = directories.into_iter().map(directory::read).collect();
    let names: Vec<&Spot<&str>> = directories.iter().filter_map(|one| one.name.as_ref()).collect();
    once(sink, &names, "directory", "give each directory a name of its own");
    let names: Vec<&str> = names.iter().map(|spot| spot.value).collect();
    let all_named = !directories.is_empty() && directories.iter().all(|one| one.has_valid_name);
    let named = if all_named { Directories::All(&names) } else { Directories::Unsure };

    let apps = root.full_tables("app", "write [[app]] and name the Zendesk account");
    let apps: Vec<app::Read<'_>> = apps.into_iter().map(|table| app::read(table, &named)).collect();
    let app_names: Vec<&Spot<&str>> = apps.iter().filter_map(|one| one.name.as_ref()).collect();
    once(sink, &app_names, "app", "give each app a name of its own");
    let urls: Vec<&Spot<url::Url>> = apps.iter().filter_map(|one| one.base_url.as_ref()).collect();
    // Two sets of rules for one account would undo each other's work in turns.
    once(sink, &urls, "Zendesk account", "put all its assignments under one [[app]]");
    root.finish();

    Some(Settings {
        schedule: schedule?,
        jitter,
        state_dir,
        report,
        limits,
        directories: directories.into_iter().map(|one| one.settings).collect::<Option<_>>()?,
        apps: apps.into_iter().map(|one| one.settings).collect::<Option<_>>()?,
    })
}

/// Says of each value that stands twice where it stood first.
fn once<T: PartialEq + ToString>(sink: &Sink<'_>, spots: &[&Spot<T>], noun: &str, remedy: &str) {
    for (at, spot) in spots.iter().enumerate() {
        if let Some(first) = spots[..at].iter().find(|other| other.value == spot.value) {
            let what = format!("the {noun} {} is {} already", values::shown(&spot.value.to_string()), first.place.key);
            sink.fault(&spot.place, what, remedy);
        }
    }
}
