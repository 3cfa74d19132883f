//! Faults of a configuration: all of them at once, each with its place, its key, what is wrong and what to do.
//!
//! This doesn't look for faults, and it never holds the text of the file: only the line a fault is in, with secrets
//! left out.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Most faults that are listed; the others are counted.
pub const FAULTS_MAX: usize = 100;
/// Longest line that is shown, in characters.
const LINE_CHARS_MAX: usize = 400;
/// What stands for a secret in a line that is shown.
const HIDDEN: char = '…';

/// Whether faults are shown in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text alone, for a file or a pipe.
    Plain,
    /// With ANSI colours, for a terminal.
    Coloured,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The key: `app[0].assignment[1].role`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    excerpt: Excerpt,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} ({})", self.what, self.remedy)
    }
}

/// The line of a fault as it is shown, and where in it the fault lies, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    mark: Range<usize>,
}

/// A fault as a reader found it: its place is a range of bytes in the text.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub key: String,
    pub span: Range<usize>,
    pub what: String,
    pub remedy: String,
}

/// What is wrong with a configuration.
///
/// Invariant: there is at least one fault, and they are in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    origin: String,
    list: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// Makes the list. Ranges in `hidden` are secrets: they are not shown.
    pub(super) fn new(origin: &str, source: &str, first: Found, others: Vec<Found>, hidden: &[Range<usize>]) -> Self {
        let mut found = others;
        found.push(first);
        found.sort_by(|a, b| (a.span.start, &a.key, &a.what).cmp(&(b.span.start, &b.key, &b.what)));
        let more = found.len().saturating_sub(FAULTS_MAX);
        found.truncate(FAULTS_MAX);
        let list = found.into_iter().map(|one| place(source, one, hidden)).collect();
        Self { origin: printable(origin), list, more }
    }

    /// The faults, in the order of the file; at most [`FAULTS_MAX`].
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.list.iter()
    }

    /// How many there are, listed or not.
    pub const fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// All faults for a person: each with its line, a caret and the remedy.
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Plain => Renderer::plain(),
            Colour::Coloured => Renderer::styled(),
        };
        let mut out = String::new();
        for fault in &self.list {
            let key = if fault.key.is_empty() { String::new() } else { format!("{}: ", fault.key) };
            let title = format!("{}:{}:{}: {key}{}", self.origin, fault.line, fault.column, fault.what);
            let mark = AnnotationKind::Primary.span(fault.excerpt.mark.clone());
            let snippet = Snippet::source(fault.excerpt.text.as_str()).line_start(fault.line).annotation(mark);
            let group = Group::with_title(Level::ERROR.no_name().primary_title(title))
                .element(snippet)
                .element(Level::HELP.message(fault.remedy.as_str()));
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        let count = self.count();
        let noun = if count == 1 { "fault" } else { "faults" };
        let shown = if self.more > 0 { format!("; the first {FAULTS_MAX} are shown") } else { String::new() };
        out.push_str(&format!("{}: {count} {noun}{shown}\n", self.origin));
        out
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{}:{fault}", self.origin)?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for Faults {}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Finds line and column of a fault and cuts its line out.
fn place(source: &str, found: Found, hidden: &[Range<usize>]) -> Fault {
    let at = floor(source, found.span.start);
    let begin = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = source[at..].find('\n').map_or(source.len(), |newline| at + newline);
    let line = source[..begin].matches('\n').count() + 1;
    let column = source[begin..at].chars().count() + 1;
    let marked = at..floor(source, found.span.end).clamp(at, end);
    let excerpt = excerpt(&source[begin..end], begin, &marked, hidden);
    let (what, remedy) = (printable(&found.what), printable(&found.remedy));
    Fault { line, column, key: printable(&found.key), what, remedy, excerpt }
}

/// The line without secrets, and the marked part of what is left.
fn excerpt(line: &str, begin: usize, marked: &Range<usize>, hidden: &[Range<usize>]) -> Excerpt {
    // A long line is shown around its fault.
    let before = line[..marked.start - begin].chars().count();
    let skipped = before.saturating_sub(LINE_CHARS_MAX / 2);
    let near = |range: &&Range<usize>| range.start < begin + line.len() && range.end > begin;
    let hidden: Vec<&Range<usize>> = hidden.iter().filter(near).collect();
    let mut text = String::new();
    let mut mark = 0..0;
    let mut hiding = false;
    for (offset, c) in line.char_indices().skip(skipped).take(LINE_CHARS_MAX) {
        let at = begin + offset;
        if at == marked.start {
            mark = text.len()..text.len();
        }
        let secret = hidden.iter().any(|range| range.contains(&at));
        match c {
            _ if secret && hiding => {}
            _ if secret => text.push(HIDDEN),
            // What a terminal would obey is not shown to it.
            c if c.is_control() && c != '\t' => text.push('\u{fffd}'),
            c => text.push(c),
        }
        hiding = secret;
        if marked.contains(&at) {
            mark.end = text.len();
        }
    }
    if marked.start == begin + line.len() {
        mark = text.len()..text.len();
    }
    Excerpt { text, mark }
}

/// The last boundary of a character at or before `at`.
fn floor(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
