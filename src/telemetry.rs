//! The log: tracing to stderr, as text or JSON, or to the journal.
//!
//! The log is commentary; the record of what was done is the report. This reads no environment: what the variables
//! said is handed in.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd, BorrowedFd};

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

/// What is logged when `ZENDESK_DIRSYNC_LOG` doesn't say.
pub const FILTER_DEFAULT: &str = "info,tokio_cron_scheduler=warn,ldap3=warn,hyper=warn,reqwest=warn,sled=warn";

/// Crates that see credentials on their way: whatever the filter says, they never log at debug or below.
const CREDENTIAL_BEARERS: [&str; 7] = ["ldap3", "lber", "hyper", "hyper_util", "reqwest", "rustls", "oauth2"];

/// The format that the person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of text, or the journal where that listens.
    Text,
    /// One JSON object a line, on stderr.
    Json,
}

/// Where the log goes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Text on stderr.
    Plain,
    /// Text on stderr, in colour.
    Coloured,
    /// JSON on stderr.
    Json,
    /// The journal, with its fields.
    Journal,
}

impl Output {
    /// Chooses: JSON if it was asked for; the journal if stderr is connected to it; else text, in colour only on a
    /// terminal and where `NO_COLOR` is not set to something (no-color.org).
    pub fn choose(format: Format, stderr: impl AsFd, journal_stream: Option<&str>, no_color: Option<&str>) -> Self {
        let stderr = stderr.as_fd();
        match format {
            Format::Json => Self::Json,
            Format::Text if journal_stream.is_some_and(|stream| is_stream(stderr, stream)) => Self::Journal,
            Format::Text if stderr.is_terminal() && no_color.is_none_or(str::is_empty) => Self::Coloured,
            Format::Text => Self::Plain,
        }
    }
}

/// Whether a descriptor is what `JOURNAL_STREAM` names by device and inode (systemd.exec): a child of a service inherits
/// the variable, but may have its stderr elsewhere.
fn is_stream(descriptor: BorrowedFd<'_>, stream: &str) -> bool {
    let Some((device, inode)) = stream.split_once(':') else { return false };
    let (Ok(device), Ok(inode)) = (device.parse::<u64>(), inode.parse::<u64>()) else { return false };
    rustix::fs::fstat(descriptor).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (device, inode))
}

/// Whether this call set the log up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It did.
    Now,
    /// It was set up before, and stays as it was.
    Before,
}

/// Sets the log up for the whole process. A filter that can't be read, or a journal that doesn't listen, is said in the
/// log and replaced by the default and by stderr: a daemon must not fail for its commentary.
pub fn init(output: Output, filter: Option<&str>) -> Started {
    let (filter, refused) = read_filter(filter);
    let journal = match output {
        Output::Journal => tracing_journald::layer().map(Some),
        Output::Plain | Output::Coloured | Output::Json => Ok(None),
    };
    let (layer, deaf) = match journal {
        Ok(Some(journal)) => (journal.boxed(), None),
        Ok(None) => (layer(output, io::stderr), None),
        Err(why) => (layer(output, io::stderr), Some(why)),
    };
    if tracing::subscriber::set_global_default(subscriber(layer, filter)).is_err() {
        return Started::Before;
    }
    if let Some(why) = refused {
        tracing::warn!(error = why, default = FILTER_DEFAULT, "log filter refused");
    }
    if let Some(why) = deaf {
        tracing::warn!(error = %why, "journal not reached");
    }
    Started::Now
}

/// The filter to use, and why the given one was refused.
fn read_filter(given: Option<&str>) -> (EnvFilter, Option<String>) {
    let parsed = given.filter(|text| !text.trim().is_empty()).map(EnvFilter::try_new);
    match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(why)) => (EnvFilter::new(FILTER_DEFAULT), Some(why.to_string())),
        None => (EnvFilter::new(FILTER_DEFAULT), None),
    }
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The layer that writes lines. The journal has its own; lines stand in for it when it doesn't listen.
fn layer<W>(output: Output, writer: W) -> BoxedLayer
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // A closed stderr must not be complained of on stderr: that would panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    match output {
        Output::Plain | Output::Journal => lines.with_ansi(false).compact().boxed(),
        Output::Coloured => lines.with_ansi(true).compact().boxed(),
        Output::Json => lines.with_ansi(false).json().flatten_event(true).boxed(),
    }
}

fn subscriber(layer: BoxedLayer, filter: EnvFilter) -> impl Subscriber + Send + Sync {
    tracing_subscriber::registry().with(layer.with_filter(filter.and(filter_fn(is_discreet))))
}

/// Whether an event can't show a credential.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let source = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= LevelFilter::INFO || !CREDENTIAL_BEARERS.contains(&source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(output: Output, filter: Option<&str>, write: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(layer(output, move || writer.clone()), read_filter(filter).0);
        tracing::subscriber::with_default(subscriber, write);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_plain_coloured_or_json() {
        let write = || tracing::info!(app = "support", "plan held");
        let plain = logged(Output::Plain, None, write);
        assert!(plain.contains("plan held") && plain.contains("app=\"support\""), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        assert!(logged(Output::Coloured, None, write).contains('\u{1b}'));
        let json: serde_json::Value = serde_json::from_str(&logged(Output::Json, None, write)).unwrap();
        assert_eq!((json["message"].as_str(), json["app"].as_str()), (Some("plan held"), Some("support")));
    }

    #[test]
    fn directory_text_cannot_forge_a_terminal_command() {
        let plain = logged(Output::Plain, None, || tracing::info!(group = "a\u{1b}[2Jb", "group seen"));
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
    }

    #[test]
    fn the_default_filter_leaves_the_crates_below_quiet() {
        let text = logged(Output::Plain, None, || {
            tracing::info!(target: "tokio_cron_scheduler::job", "Uninited");
            tracing::debug!("detail");
            tracing::warn!(target: "ldap3::ldap", "trouble");
        });
        assert!(!text.contains("Uninited") && !text.contains("detail"), "{text}");
        assert!(text.contains("trouble"), "{text}");
    }

    #[test]
    fn no_filter_makes_a_crate_that_sees_credentials_talk() {
        let text = logged(Output::Plain, Some("trace"), || {
            tracing::trace!(target: "hyper::proto", "authorization: Bearer abc");
            tracing::debug!(target: "ldap3", "bind abc");
            tracing::debug!("ours");
        });
        assert!(!text.contains("abc"), "{text}");
        assert!(text.contains("ours"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_replaced_and_told() {
        let (_, refused) = read_filter(Some("zendesk_dirsync=loud,==="));
        assert!(refused.is_some());
        for silent in [None, Some(""), Some("debug")] {
            assert!(read_filter(silent).1.is_none(), "{silent:?}");
        }
    }

    #[test]
    fn a_second_start_changes_nothing_and_does_not_panic() {
        init(Output::Plain, Some("off"));
        assert_eq!(init(Output::Json, Some("trace")), Started::Before);
    }

    #[test]
    fn the_journal_is_chosen_only_when_stderr_is_its_stream() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let stream = format!("{}:{}", metadata.dev(), metadata.ino());
        let choose = |format, stream: Option<&str>| Output::choose(format, &file, stream, None);
        assert_eq!(choose(Format::Text, Some(&stream)), Output::Journal);
        assert_eq!(choose(Format::Json, Some(&stream)), Output::Json);
        assert_eq!(choose(Format::Text, Some("1:2")), Output::Plain);
        assert_eq!(choose(Format::Text, Some("nonsense")), Output::Plain);
        assert_eq!(choose(Format::Text, None), Output::Plain, "a file is not a terminal");
    }

    #[test]
    fn colour_is_for_a_terminal_that_wants_it() {
        // A pseudo-terminal stands in for a person's.
        let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") else { return };
        if !terminal.is_terminal() {
            return;
        }
        let choose = |no_color| Output::choose(Format::Text, &terminal, None, no_color);
        assert_eq!(choose(None), Output::Coloured);
        assert_eq!(choose(Some("")), Output::Coloured);
        assert_eq!(choose(Some("1")), Output::Plain);
    }
}
