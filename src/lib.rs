//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
//!
//! Modules in reading order: [`domain`] holds the rules, [`engine`] runs a cycle over five ports.

pub mod domain;
pub mod engine;
pub mod report;
pub mod store;
