//! The environment: the few variables that are read, and the clock. Nothing else in the program looks at either.

use std::env::var_os;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::config::Colour;
use crate::engine::ports::Clock;

/// The variables that are read. `HTTPS_PROXY`, `NO_PROXY`, `NOTIFY_SOCKET` and `WATCHDOG_USEC` are read by the crates
/// that use them.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Where systemd puts credentials.
    pub credentials_dir: Option<PathBuf>,
    /// Set when stderr goes to the journal.
    pub journal_stream: Option<String>,
    /// Set when colour isn't wanted.
    pub no_color: bool,
    /// The log filter.
    pub log: Option<String>,
}

impl Environment {
    /// Reads the variables.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn read() -> Self {
        let text =
            |name: &str| var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        Self {
            credentials_dir: text("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            journal_stream: text("JOURNAL_STREAM"),
            no_color: text("NO_COLOR").is_some(),
            log: text("ZENDESK_DIRSYNC_LOG"),
        }
    }
}

impl Environment {
    /// Whether configuration faults are shown in colour.
    pub fn colour(&self) -> Colour {
        if std::io::stderr().is_terminal() && !self.no_color { Colour::Coloured } else { Colour::Plain }
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
