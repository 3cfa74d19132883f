//! The company of `scenario/company.toml`, typed and checked. `README.md` beside that file is the contract.
//!
//! This is the file as it is written; what becomes of the company step by step is [`super::scenario_company`], and how
//! it becomes LDIF is [`super::ldif`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::scenario_company::Company;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub format: u32,
    pub app: String,
    pub directory: String,
    pub now: DateTime<Utc>,
    pub mapping: BTreeMap<String, String>,
    pub matching: Matching,
    #[serde(rename = "assignment")]
    pub assignments: Vec<Given>,
    #[serde(rename = "unit")]
    pub units: Vec<Unit>,
    pub bulk: Bulk,
    #[serde(rename = "person")]
    pub people: Vec<Person>,
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    pub zendesk: toml::Value,
    pub first: First,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// How accounts that exist are found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    pub external_id: String,
    pub adopt: Vec<String>,
}

/// An assignment: a group, by key, and what it gives.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the scenario tells more than this release does: exclusions and organizations")]
pub struct Given {
    pub group: String,
    #[serde(default)]
    pub exclude: Vec<String>,
    pub role: Option<String>,
    pub custom_role: Option<String>,
    #[serde(default)]
    pub groups: BTreeSet<String>,
    pub default_group: Option<String>,
    #[serde(default)]
    pub organizations: Vec<String>,
    #[serde(default)]
    pub tags: BTreeSet<String>,
}

/// An organizational unit; without a parent it lies right below the base.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub key: String,
    pub name: String,
    pub parent: Option<String>,
}

/// Many people of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    pub count: usize,
    pub unit: String,
    pub group: String,
}

/// Whether the directory account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Enabled,
    Disabled,
}

/// A person. The display name is the RDN unless it is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub key: String,
    pub about: Option<String>,
    pub unit: String,
    pub cn: String,
    pub given: String,
    pub surname: String,
    pub mails: Vec<String>,
    pub display: Option<String>,
    pub title: Option<String>,
    pub phone: Option<String>,
    #[serde(default)]
    pub state: State,
    pub expires: Option<String>,
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// A group; `people` and `groups` are keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub key: String,
    pub name: String,
    pub unit: String,
    #[serde(default)]
    pub people: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What must come of the company as it stands at first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    pub bulk: String,
    pub expect: Vec<Expected>,
}

/// What happens then, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "why a step is there is for its reader")]
pub struct Step {
    pub key: String,
    pub about: String,
    pub change: Vec<Change>,
    pub expect: Vec<Expected>,
}

/// One person's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub person: String,
    pub action: String,
    pub role: Option<String>,
    pub cause: Option<String>,
    pub fields: Option<Vec<String>>,
}

/// One thing that happens in the directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a handful of them, read once")]
pub enum Change {
    AddPerson { person: Person },
    DeletePerson { person: String },
    Set(Box<Setting>),
    RenamePerson { person: String, cn: String },
    MovePerson { person: String, unit: String },
    Join { group: String, people: Vec<String> },
    Leave { group: String, people: Vec<String> },
    Nest { group: String, groups: Vec<String> },
    Unnest { group: String, groups: Vec<String> },
    RenameUnit { unit: String, name: String },
    MoveUnit { unit: String, parent: String },
    RenameGroup { group: String, name: String },
}

/// New values of a person; what isn't named stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub person: String,
    pub given: Option<String>,
    pub surname: Option<String>,
    pub display: Option<String>,
    pub mails: Option<Vec<String>>,
    pub title: Option<String>,
    pub phone: Option<String>,
    pub state: Option<State>,
    pub expires: Option<String>,
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

const FILE: &str = include_str!("../scenario/company.toml");

impl Scenario {
    /// The scenario, checked.
    pub fn load() -> Self {
        let scenario: Self = toml::from_str(FILE).expect("company.toml fits its types");
        scenario.check();
        scenario
    }

    /// The same company with another number of bulk people.
    pub fn with_bulk(mut self, count: usize) -> Self {
        self.bulk.count = count;
        self
    }

    /// The company before the first step.
    pub fn company(&self) -> Company {
        Company::new(self)
    }

    /// The Zendesk account before the first cycle, in the sandbox's own form.
    pub fn seed(&self) -> sandbox::zendesk::Account {
        let json = serde_json::to_value(&self.zendesk).expect("the table is JSON");
        serde_json::from_value(json).expect("[zendesk] is a seed")
    }

    /// The invariants that the README lists.
    fn check(&self) {
        assert_eq!(self.format, 1, "the format of company.toml");
        let mut company = self.company();
        company.check();
        company.check_expected(&self.first.expect);
        for step in &self.steps {
            for change in &step.change {
                company.apply(change);
                company.check();
            }
            // Who is deleted in this step may be named by it.
            company.check_expected(&step.expect);
        }
    }
}

#[test]
fn the_scenario_keeps_its_own_rules() {
    let scenario = Scenario::load();
    assert_eq!(scenario.company().people.len(), scenario.people.len() + 1_600);
    assert_eq!(scenario.seed().users.len(), 5);
    assert!(scenario.steps.len() >= 8);
}
