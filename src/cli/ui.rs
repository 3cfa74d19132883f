//! What a person sees while a command runs: progress on stderr, and a bar when there is a terminal and much to do.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::ask::tell;
use crate::engine::ports::{Event, Progress};
use crate::engine::progress::ProgressView;
use crate::engine::view::{changes_text, wait_text};
use crate::report::escape::visible;

/// Changes up to which no bar is shown.
const FEW_CHANGES: usize = 3;

/// Shows progress on stderr.
#[derive(Debug, Default)]
pub struct Ui {
    bar: Option<ProgressBar>,
    /// Changes that were carried out by result, for those that aren't told one by one.
    quiet: Quiet,
}

/// Whether progress is shown at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quiet {
    /// It is.
    #[default]
    No,
    /// Nothing is shown: the answer is for a program.
    Yes,
}

impl Ui {
    /// Shows nothing.
    pub const fn quiet() -> Self {
        Self { bar: None, quiet: Quiet::Yes }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }

    /// Shows one event.
    pub fn draw(&mut self, view: &ProgressView) {
        if self.quiet == Quiet::Yes {
            return;
        }
        match view {
            ProgressView::Reading { directory, people } => self.reading(directory, *people),
            ProgressView::Read { directory, entries, groups, dangling } => {
                self.clear();
                self.say(&format!("{directory}: read in full, {entries} entries, {groups} groups"));
                if *dangling > 0 {
                    self.say(&format!("{directory}: {dangling} group members name no person that can be read"));
                }
            }
            ProgressView::Recalled { directory, entries, taken } => {
                self.clear();
                let people = if *entries == 1 { "1 person".to_owned() } else { format!("{entries} people") };
                self.say(&format!("{directory}: recalled as it was read at {taken}: {people}"));
            }
            ProgressView::HeldAlone { app, user, reason, id } => {
                self.clear();
                let (user, reason) = (visible(user), visible(reason));
                let next = match id {
                    Some(id) => format!("`zendesk-dirsync holds approve {id} --user {user}` lets it go on"),
                    None => "a cycle for everybody makes a hold of it: `zendesk-dirsync --once`".to_owned(),
                };
                self.say(&format!("{app}: the change of {user} waits: {reason}; {next}"));
            }
            ProgressView::Asking { app, people, of } => self.asking(app, *people, *of),
            ProgressView::Applying { app, changes } => self.applying(app, *changes),
            ProgressView::Applied { action, user, cause, result, fault } => {
                let user = visible(user);
                if result != "done" && result != "already" {
                    let why = fault.as_ref().map(|f| format!(": {}; {}", visible(&f.message), visible(&f.hint)));
                    self.say(&format!("  {result:8} {action} {user}{}", why.unwrap_or_default()));
                } else if self.bar.is_none() {
                    self.say(&format!("  {result:8} {action} {user} ({cause})"));
                }
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
            }
            ProgressView::Held { id, app, changes, reason } => {
                self.clear();
                let reason = visible(reason);
                if *changes == 0 {
                    self.say(&format!("{app}: held: {reason}"));
                } else {
                    self.say(&format!("{app}: {}: {reason} (zendesk-dirsync holds show {id})", wait_text(*changes)));
                }
            }
            ProgressView::Paused { app, by, changes } => {
                self.clear();
                let what = changes_text(*changes);
                self.say(&format!("{app}: paused by {}; not carried out: {what}", visible(by)));
            }
            ProgressView::Fault(fault) => {
                self.clear();
                self.say(&format!("fault: {}\n  hint: {}", visible(&fault.message), visible(&fault.hint)));
            }
        }
    }

    fn reading(&mut self, directory: &str, people: usize) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = self.bar.get_or_insert_with(ProgressBar::new_spinner);
        bar.set_message(format!("{directory}: {people} people"));
        bar.tick();
    }

    fn asking(&mut self, app: &str, people: usize, of: usize) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = self.bar.get_or_insert_with(ProgressBar::new_spinner);
        bar.set_message(format!("{app}: asking Zendesk about people, {people} of {of}"));
        bar.tick();
    }

    fn applying(&mut self, app: &str, changes: usize) {
        self.clear();
        if changes <= FEW_CHANGES || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(u64::try_from(changes).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{prefix}: {wide_bar} {pos} of {len}, {eta} left") {
            bar.set_style(style);
        }
        bar.set_prefix(app.to_owned());
        self.bar = Some(bar);
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Progress for Ui {
    fn note(&mut self, event: &Event<'_>) {
        self.draw(&ProgressView::from(event));
    }
}
