//! What the configuration says of one app, as the plan needs it.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::{Assignment, Role};
use super::change::{CauseCode, Welcome};
use super::id::{AppName, Digest, Digester, Email};
use super::mapping::{ExternalIdRule, Mapping};

/// A kind of account that existed before and may be adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdoptCase {
    /// End users: customers' accounts with a colleague's mail.
    EndUsers,
    /// Agents made by hand.
    Agents,
}

/// Which accounts that existed before may be adopted by their mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adoption {
    /// The kinds; none by default.
    pub cases: BTreeSet<AdoptCase>,
    /// Mail domains; any when not set.
    pub domains: Option<BTreeSet<String>>,
}

impl Adoption {
    /// Whether accounts of a role may be adopted. Admins never are.
    pub fn allows(&self, role: Role) -> bool {
        match role {
            Role::EndUser => self.cases.contains(&AdoptCase::EndUsers),
            Role::Agent => self.cases.contains(&AdoptCase::Agents),
            Role::Admin => false,
        }
    }
}

/// What a removal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Suspend, end sessions, take grants back, free the seat.
    Suspend,
    /// Take grants back and make an end user, who can still ask for help.
    Downgrade,
    /// Stop managing the account and leave it.
    Release,
}

/// Whether a kind of change is made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is made.
    On,
    /// It is left out, and counted as left out.
    Off,
}

/// The switches of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// New accounts and adoptions.
    pub create: Switch,
    /// Updates.
    pub update: Switch,
    /// Removals.
    pub deprovision: Switch,
    /// Reactivations.
    pub reactivate: Switch,
}

/// What the configuration says of one app.
#[derive(Debug, Clone)]
pub struct AppRules {
    /// The app.
    pub app: AppName,
    /// How attributes become fields.
    pub mapping: Mapping,
    /// What groups give, first come first.
    pub assignments: Vec<Assignment>,
    /// What may be adopted.
    pub adoption: Adoption,
    /// Agents are made only with these mail domains; any when not set.
    pub agent_email_domains: Option<BTreeSet<String>>,
    /// Kinds of change that are on.
    pub switches: Switches,
    /// What a removal does, by cause; [`Removal::Suspend`] where it isn't set.
    pub removals: BTreeMap<CauseCode, Removal>,
    /// Whether Zendesk mails new people.
    pub welcome: Welcome,
    /// Mail addresses of accounts that are never written.
    pub protected: BTreeSet<Email>,
    /// How many active admins must remain.
    pub admins_min: usize,
}

impl AppRules {
    /// What a removal for a cause does.
    pub fn removal(&self, cause: CauseCode) -> Removal {
        self.removals.get(&cause).copied().unwrap_or(Removal::Suspend)
    }

    /// A digest of everything that decides who gets which account, and what becomes of it.
    pub fn digest(&self) -> Digest {
        // Taken apart, so that a new field can't be forgotten here.
        let Self {
            app: _,
            mapping: _,
            assignments: _,
            adoption,
            agent_email_domains,
            switches,
            removals,
            welcome,
            protected,
            admins_min,
        } = self;
        let mut digest = Digester::new("rules 2");
        digest.text(self.app.as_str());
        for (field, source) in self.mapping.sources() {
            digest.text(field.as_str()).text(source).text(&format!("{:?}", self.mapping.mode(*field)));
        }
        match self.mapping.external_id() {
            ExternalIdRule::Own => digest.text("own"),
            ExternalIdRule::Template(source) => digest.text("template").text(source),
            ExternalIdRule::Off => digest.text("off"),
        };
        for one in &self.assignments {
            digest.text(&format!("{one:?}"));
        }
        digest.text(&format!("{adoption:?}{removals:?}{agent_email_domains:?}"));
        digest.text(&format!("{switches:?}{welcome:?}{protected:?}{admins_min}"));
        digest.finish()
    }
}
