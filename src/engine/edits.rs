//! Edits: the configuration that people last agreed to, beside the present one, and when the present one takes its place.
//!
//! The engine reads no configuration. Whoever builds it hands both over as data, and a text to be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::assignment::Assignment;
use crate::domain::brake::{Experience, Hold, HoldReason, Limits};
use crate::domain::edit::Edit;
use crate::domain::id::{AppName, Digest, DirectoryName};
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::rules::AppRules;

use super::apply::Run;
use super::holds::{Telling, all_holds, hold_problem};
use super::ports::{AcceptedLedger as _, Clock, Event, Ledger, Report};
use super::renewal::{Shown, renew};
use super::{Abort, Engine, Ports};

/// What an app's people last agreed to.
#[derive(Debug, Clone)]
pub enum Former {
    /// These rules, with each directory read in this way.
    Known {
        /// The app's rules.
        rules: Box<AppRules>,
        /// A digest of how each directory was read.
        scopes: BTreeMap<DirectoryName, Digest>,
    },
    /// A text that this release can't read: whatever would be done may be different.
    Unreadable {
        /// Why.
        why: String,
    },
}

/// The present configuration, and those that people agreed to.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// The text of the present one, to be kept once it is accepted.
    pub text: String,
    /// A digest of how each directory is read.
    pub scopes: BTreeMap<DirectoryName, Digest>,
    /// What was accepted before, by app.
    pub former: BTreeMap<AppName, Former>,
    /// Reads the text of another one.
    pub reader: Reader,
}

/// What the engine needs of a configuration that it doesn't run with.
#[derive(Debug, Clone)]
pub struct Outline {
    /// The apps' rules.
    pub rules: Vec<AppRules>,
    /// A digest of how each directory is read.
    pub scopes: BTreeMap<DirectoryName, Digest>,
    /// The brake's limits.
    pub limits: Limits,
}

/// Reads the text of a configuration, or tells its faults.
#[derive(Clone)]
pub struct Reader(Arc<Read>);

/// What a [`Reader`] does; the time is needed to see that a schedule comes round.
type Read = dyn Fn(&str, DateTime<Utc>) -> Result<Outline, String> + Send + Sync;

impl Reader {
    /// A reader.
    pub fn new(read: impl Fn(&str, DateTime<Utc>) -> Result<Outline, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads a text.
    pub(super) fn read(&self, text: &str, now: DateTime<Utc>) -> Result<Outline, String> {
        (self.0)(text, now)
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(|_, _| Err("no other configuration can be read here".to_owned()))
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

/// Whether a set of rules is the present one or the one that was accepted before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Present,
    Former,
}

/// Rules with which a read is heard.
#[derive(Debug)]
pub(super) struct RuleSet {
    /// The app, by its place.
    pub(super) app: usize,
    pub(super) side: Side,
    pub(super) rules: AppRules,
}

/// What is known of an app's former configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// There is none, or it decides the same.
    Same,
    /// It decides otherwise; of these directories it can't be said how.
    Other { blind: BTreeSet<DirectoryName> },
}

impl Configuration {
    /// Whether the accepted configuration of an app may decide otherwise than the present one.
    pub(super) fn past(&self, rules: &AppRules) -> Past {
        if crate::planted("an edit isn't compared") {
            return Past::Same;
        }
        let named = || rules.assignments.iter().map(|one| one.directory.clone());
        match self.former.get(&rules.app) {
            None => Past::Same,
            Some(Former::Unreadable { .. }) => Past::Other { blind: named().collect() },
            Some(Former::Known { rules: former, scopes }) => {
                // A directory that is new to the app changed nothing: its people are compared by the rules.
                let moved = |name: &DirectoryName| {
                    scopes.get(name).is_some_and(|scope| self.scopes.get(name).is_some_and(|now| now != scope))
                };
                let blind: BTreeSet<DirectoryName> = named().filter(moved).collect();
                if blind.is_empty() && former.digest() == rules.digest() { Past::Same } else { Past::Other { blind } }
            }
        }
    }

    /// The sets of rules with which this cycle's reads are heard: the present ones of every app in their order, then
    /// the former ones of apps that were edited.
    pub(super) fn sets<'a>(&self, present: impl Iterator<Item = &'a AppRules>) -> Vec<RuleSet> {
        let mut sets: Vec<RuleSet> = present
            .enumerate()
            .map(|(app, rules)| RuleSet { app, side: Side::Present, rules: rules.clone() })
            .collect();
        let former = |set: &RuleSet| match (self.past(&set.rules), self.former.get(&set.rules.app)) {
            (Past::Other { .. }, Some(Former::Known { rules, .. })) => {
                Some(RuleSet { app: set.app, side: Side::Former, rules: (**rules).clone() })
            }
            (Past::Other { .. } | Past::Same, _) => None,
        };
        let edited: Vec<RuleSet> = sets.iter().filter_map(former).collect();
        sets.extend(edited);
        sets
    }

    /// What to say of apps whose accepted configuration can't be read.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = String> {
        self.former.iter().filter_map(|(app, former)| match former {
            Former::Unreadable { .. } => {
                let what = "what was agreed to can't be read by this release, so whatever is to be done waits";
                Some(format!("{app}: {what}"))
            }
            Former::Known { .. } => None,
        })
    }

    /// How many groups weren't found that the accepted configuration of an app doesn't name.
    pub(super) fn newly_lost<'a>(&self, lost: impl Iterator<Item = (&'a Assignment, String)>, app: &AppName) -> usize {
        let known = |assignment: &Assignment| match self.former.get(app) {
            Some(Former::Known { rules, .. }) => {
                rules.assignments.iter().any(|one| one.pin_key() == assignment.pin_key())
            }
            Some(Former::Unreadable { .. }) | None => false,
        };
        lost.filter(|(assignment, _)| !known(assignment)).count()
    }

    /// Takes the present rules of an app as what people agreed to.
    fn agree(&mut self, rules: &AppRules) {
        let former = Former::Known { rules: Box::new(rules.clone()), scopes: self.scopes.clone() };
        self.former.insert(rules.app.clone(), former);
    }
}

/// How an app's part of a cycle ended, as far as an edit is concerned.
pub(super) struct Course<'a> {
    /// What the edit does.
    pub(super) edit: &'a Edit,
    /// Changes that were begun. What an edit does is begun only by a person's word.
    pub(super) begun: &'a BTreeSet<Digest>,
    /// Changes that a person decided against.
    pub(super) rejected: &'a BTreeSet<Digest>,
    /// Directories of the app that weren't read in full.
    pub(super) unread: &'a BTreeSet<DirectoryName>,
    /// Assigned groups that only the edit names and that weren't found.
    pub(super) lost: usize,
}

impl Course<'_> {
    /// Whether nothing of the edit is left to be decided or done.
    fn ended(&self) -> bool {
        if crate::planted("an edit is agreed to at once") {
            return true;
        }
        let Edit { digests, upsets, pending, .. } = self.edit;
        // An edit that does nothing but reject people is more likely broken than meant: its revert must be none.
        let seen_by_a_person = *upsets == 0 || !digests.is_empty();
        // Whoever's write fails is tried again as ever, and whoever was decided against stays so: they keep nobody else
        // waiting. An edit of which all was decided against isn't agreed to.
        let agreed = digests.iter().all(|one| self.begun.contains(one) || self.rejected.contains(one));
        let somebody = digests.is_empty() || digests.iter().any(|one| self.begun.contains(one));
        agreed && somebody && *pending == 0 && self.lost == 0 && self.unread.is_empty() && seen_by_a_person
    }
}

impl<P: Ports> Engine<P> {
    /// Takes another configuration in: what was accepted before stays so.
    pub fn renew(&mut self, renewed: Renewal<P>) {
        self.directories = renewed.directories;
        self.apps = renewed.apps;
        self.limits = renewed.limits;
        self.configuration.text = renewed.text;
        self.configuration.scopes = renewed.scopes;
    }

    /// Keeps the present configuration as the accepted one of an app, when nothing of what it changed is left.
    pub(super) fn settle_edit(&mut self, at: usize, course: &Course<'_>) -> Result<(), Abort> {
        let rules = &self.apps[at].rules;
        if !course.ended() || self.ledger.app_standing(&rules.app)?.experience != Experience::Settled {
            return Ok(());
        }
        if self.ledger.accepted()?.get(&rules.app) != Some(&self.configuration.text) {
            self.ledger.keep_accepted(&rules.app, &self.configuration.text)?;
        }
        self.configuration.agree(rules);
        Ok(())
    }

    /// Holds up a sign for each app with managed accounts that the configuration doesn't name any more.
    pub(super) fn tell_apps_gone(&mut self, run: &mut Run<'_>) -> Result<usize, Abort> {
        let mut gone = 0;
        for (app, managed) in self.ledger.populations()? {
            if managed == 0 || self.apps.iter().any(|one| one.rules.app == app) {
                continue;
            }
            gone += 1;
            let hold = Hold {
                app: app.clone(),
                reason: HoldReason::AppGone { app: app.clone(), managed },
                changes: Vec::new(),
            };
            let before = all_holds(&self.ledger)?;
            let now = self.clock.now();
            let (records, new) = renew(&before, &app, std::slice::from_ref(&hold), &Shown::default(), now);
            for record in &new {
                let seq = run.next_seq();
                let mut notice = Notice::new(now, run.cycle.clone(), seq, Subject::Hold, Verdict::Held, &run.actor);
                notice.app = Some(app.clone());
                notice.cause = Some(Notice::cause_code(&record.code));
                notice.problem = Some(hold_problem(record, Telling::New));
                self.report.tell(&notice)?;
            }
            run.progress.note(&Event::Held(&hold));
            let mine: Vec<_> = before.into_iter().filter(|record| record.app == app).collect();
            // What people decided about the app stands when it is put back.
            let decided = mine.iter().filter(|record| !record.changes.is_empty()).cloned();
            let records: Vec<_> =
                records.into_iter().filter(|record| record.changes.is_empty()).chain(decided).collect();
            if mine != records {
                self.ledger.keep_holds(&app, &records)?;
            }
        }
        Ok(gone)
    }
}

/// Another configuration, built.
#[derive(Debug)]
pub struct Renewal<P: Ports> {
    /// Where changes come from.
    pub directories: Vec<P::Directory>,
    /// Where they go.
    pub apps: Vec<super::App<P::Helpdesk>>,
    /// The brake's limits.
    pub limits: Limits,
    /// The configuration's text.
    pub text: String,
    /// A digest of how each directory is read.
    pub scopes: BTreeMap<DirectoryName, Digest>,
}
