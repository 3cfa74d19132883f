//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
//!
//! Modules in reading order: [`domain`] holds the rules, [`engine`] runs a cycle over five ports, [`config`] reads what
//! both need to know; [`telemetry`] is the log.

pub mod config;
pub mod domain;
pub mod engine;
pub mod telemetry;
