//! The planner: the parts that a plan is made from, and nothing that could change anything.
//!
//! The engine lends its own; `plan --offline` lends parts that answer from the store. So a plan is decided in one place.

use super::edits::{Configuration, RuleSet};
use super::{App, Engine, Ports};
use crate::domain::brake::Limits;

/// What plans are made from.
pub(super) struct Planner<'a, P: Ports> {
    /// Where changes come from.
    pub(super) directories: &'a mut [P::Directory],
    /// Where they would go.
    pub(super) apps: &'a mut [App<P::Helpdesk>],
    /// The store, to be read.
    pub(super) ledger: &'a P::Ledger,
    /// The clock.
    pub(super) clock: &'a P::Clock,
    /// The brake's limits.
    pub(super) limits: Limits,
    /// The present configuration and those that were accepted.
    pub(super) configuration: &'a Configuration,
}

impl<P: Ports> Engine<P> {
    /// Lends what a plan is made from.
    pub(super) fn planner(&mut self) -> Planner<'_, P> {
        Planner {
            directories: &mut self.directories,
            apps: &mut self.apps,
            ledger: &self.ledger,
            clock: &self.clock,
            limits: self.limits,
            configuration: &self.configuration,
        }
    }
}

impl<P: Ports> Planner<'_, P> {
    /// The sets of rules with which reads are heard: the present ones of every app in their order, then former ones.
    pub(super) fn sets(&self) -> Vec<RuleSet> {
        self.configuration.sets(self.apps.iter().map(|app| &app.rules))
    }
}
