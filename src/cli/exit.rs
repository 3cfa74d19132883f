//! Exit codes, and the one printer of errors.

use std::fmt::Write as _;

use super::fold::{fold, width};
use crate::engine::view::FaultView;
use crate::report::escape::visible;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Some changes failed.
    Failed,
    /// Wrong use.
    Usage,
    /// Wrong configuration.
    Configuration,
    /// The store is busy or damaged.
    Storage,
    /// `plan --exit-code` found something to do.
    Changes,
    /// As the engine says.
    Engine(u8),
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Storage => 7,
            Self::Changes => 10,
            Self::Engine(code) => code,
        }
    }
}

/// Why a command can't be carried out: a number, what happened, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The exit.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, message: impl ToString, hint: impl ToString) -> Self {
        Self { exit, message: message.to_string(), hint: hint.to_string() }
    }

    /// From an answer of the engine.
    pub fn refused(code: u8, fault: &FaultView) -> Self {
        Self::new(Exit::Engine(code), &fault.message, &fault.hint)
    }

    /// The text for stderr. What came from outside can't reach the terminal unescaped.
    pub fn text(&self) -> String {
        // A message of several lines is our own rendering of a configuration's faults.
        let mut text = self.message.lines().map(visible).collect::<Vec<_>>().join("\n");
        if !text.starts_with("error") {
            text.insert_str(0, "error: ");
        }
        if !self.hint.is_empty() {
            let _ = write!(text, "\n  hint: {}", visible(&self.hint));
        }
        let width = width(std::io::stderr());
        // Lines out of a configuration are shown as they are: what is under them points at their columns.
        let folded = |line: &str| if is_excerpt(line) { line.to_owned() } else { fold(line, width) };
        text.lines().map(folded).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a line is one of a file, with its number, or points into one.
fn is_excerpt(line: &str) -> bool {
    line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
}

/// Prints a chain of causes as one line.
pub fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}
