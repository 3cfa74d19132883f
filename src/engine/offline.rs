//! Looking ahead without a network: the plan that a configuration would make of the stored images.
//!
//! It is made by the planner, as every plan is, over ports that recall. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use chrono::{DateTime, Utc};

use crate::domain::brake::HoldReason;
use crate::domain::change::Guard;
use crate::domain::id::{CycleId, DirectoryName};
use crate::domain::rules::AppRules;

use super::command::Reply;
use super::cycle::Prepared;
use super::edits::{Configuration, Former, Outline};
use super::planner::Planner;
use super::ports::{Clock as _, Event, GroupOrder, Ledger as _, Progress};
use super::recalled::{RecalledDesk, RecalledDirectory, recalled_root};
use super::view::{OfflineView, PlanView};
use super::{Abort, App, Ending, Engine, Ports};

/// The ports of an engine, with recalled ones in place of those that reach out.
struct Recalled<P>(PhantomData<P>);

impl<P: Ports> Ports for Recalled<P> {
    type Directory = RecalledDirectory;
    type Helpdesk = RecalledDesk;
    type Ledger = P::Ledger;
    type Report = P::Report;
    type Clock = P::Clock;
}

/// Says of each directory from when its image is, in place of a read that there wasn't.
struct Recalling<'a> {
    inner: &'a mut dyn Progress,
    taken: BTreeMap<DirectoryName, DateTime<Utc>>,
}

impl Progress for Recalling<'_> {
    fn note(&mut self, event: &Event<'_>) {
        let taken = match event {
            Event::Read(read) => self.taken.get(&read.end().directory).map(|taken| Event::Recalled(read, *taken)),
            Event::Reading(..)
            | Event::Recalled(..)
            | Event::Asking(..)
            | Event::Applying(..)
            | Event::Applied(_)
            | Event::Held(_)
            | Event::HeldAlone(..)
            | Event::Paused(..)
            | Event::Fault(_) => None,
        };
        self.inner.note(taken.as_ref().unwrap_or(event));
    }
}

impl<P: Ports> Engine<P> {
    /// Shows what the configuration of this text would do, as far as the stored images tell.
    pub(super) async fn show_offline(
        &mut self,
        text: &str,
        app: Option<&str>,
        user: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Reply, Abort> {
        let now = self.clock.now();
        let outline = match self.configuration.reader.read(text, now) {
            Ok(outline) => outline,
            Err(faults) => return Ok(Reply::refused(3, "configuration", faults, "")),
        };
        let Outline { rules, scopes, limits } = outline;
        if let Some(app) = app.filter(|app| !rules.iter().any(|one| one.app.as_str() == *app)) {
            let names: Vec<&str> = rules.iter().map(|one| one.app.as_str()).collect();
            let message = format!("no app is named {app:?}; the configuration has {}", names.join(", "));
            return Ok(Reply::refused(2, "no_such_app", message, "use one of these names"));
        }
        let mut directories = Vec::new();
        for name in scopes.keys() {
            directories.push(RecalledDirectory::recall(&self.ledger, name)?);
        }
        let mut apps = Vec::new();
        for rules in rules {
            let carried_out = match self.configuration.former.get(&rules.app) {
                Some(Former::Known { rules, .. }) => (**rules).clone(),
                Some(Former::Unreadable { .. }) | None => rules.clone(),
            };
            let desk = RecalledDesk::recall(&self.ledger, &carried_out, &directories)?;
            apps.push(App { rules, desk, identity: String::new() });
        }
        let configuration = Configuration { text: text.to_owned(), scopes, ..self.configuration.clone() };
        let mut view = self.unknown_offline(&configuration, apps.iter().map(|one| &one.rules), &directories)?;
        let head = |one: &RecalledDirectory| Some((super::ports::Directory::name(one).clone(), one.head()?.taken));
        let taken = directories.iter().filter_map(head).collect();
        let mut planner: Planner<'_, Recalled<P>> = Planner {
            directories: &mut directories,
            apps: &mut apps,
            ledger: &self.ledger,
            clock: &self.clock,
            limits,
            configuration: &configuration,
        };
        let mut progress = Recalling { inner: progress, taken };
        let mut prepared = planner.prepare(CycleId::at(now), user, &BTreeMap::new(), &mut progress).await?;
        forget_unread(&mut prepared, &view.unread);
        view.unread.clear();
        for part in prepared.apps.iter().filter(|part| app.is_none_or(|app| part.app.as_str() == app)) {
            if part.result.is_ok() && part.edit.is_empty() {
                view.notes.push(format!("{}: nothing that is known differs from the accepted configuration", part.app));
            }
        }
        let held = prepared.apps.iter().any(|one| one.result.as_ref().is_ok_and(|(_, review)| !review.held.is_empty()));
        let ending = match (prepared.faults.is_empty(), held) {
            (false, _) => Ending::Directory,
            (true, true) => Ending::Held,
            (true, false) => Ending::Done,
        };
        let mut plan = PlanView::of(&prepared, app);
        plan.offline = Some(view);
        Ok(Reply::Plan { code: ending.code(), plan: Box::new(plan) })
    }

    /// From when the images are, and what of a configuration they can't tell.
    fn unknown_offline<'a>(
        &self,
        configuration: &Configuration,
        rules: impl Iterator<Item = &'a AppRules>,
        directories: &[RecalledDirectory],
    ) -> Result<OfflineView, Abort> {
        let mut view = OfflineView::default();
        let pins = self.ledger.pins()?;
        for directory in directories {
            let (name, Some(head)) = (super::ports::Directory::name(directory), directory.head()) else { continue };
            view.images.insert(name.to_string(), head.taken.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
            if configuration.scopes.get(name).is_some_and(|scope| *scope != head.scope) {
                let what = "it would be read in another way; whom that shows or hides can't be known offline";
                view.notes.push(format!("directory {name}: {what}"));
            }
        }
        for rules in rules {
            let mut unread = BTreeSet::new();
            for assignment in &rules.assignments {
                let directory =
                    directories.iter().find(|one| super::ports::Directory::name(*one) == &assignment.directory);
                let Some(head) = directory.and_then(RecalledDirectory::head) else { continue };
                let order =
                    GroupOrder { group: assignment.group.clone(), pin: pins.get(&assignment.pin_key()).copied() };
                if recalled_root(head, &order).is_none() {
                    view.unread.insert(assignment.text.clone());
                    let what = "was never read; whom it holds can't be known offline";
                    view.notes.push(format!("{}: the group {} {what}", rules.app, assignment.text));
                }
                let mapped = rules.mapping.attributes().iter();
                unread.extend(mapped.filter(|kind| !head.attributes.contains(*kind)).cloned());
            }
            if !unread.is_empty() {
                let names: Vec<String> = unread.into_iter().collect();
                let what = "never read, and taken for empty here: only an online plan knows them";
                view.notes.push(format!("{}: attributes {what}: {}", rules.app, names.join(", ")));
            }
        }
        Ok(view)
    }
}

/// A group that nobody asked for yet isn't missing.
fn forget_unread(prepared: &mut Prepared, unread: &BTreeSet<String>) {
    for (_, review) in prepared.apps.iter_mut().filter_map(|part| part.result.as_mut().ok()) {
        review.held.retain(|hold| match &hold.reason {
            HoldReason::Guard(Guard::GroupMissing(text)) => !(hold.changes.is_empty() && unread.contains(text)),
            _ => true,
        });
    }
}
