//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
//!
//! Modules in reading order: [`domain`] holds the rules, [`engine`] runs a cycle over five ports, [`directory`] reads
//! LDAP.

pub mod directory;
pub mod domain;
pub mod engine;
pub mod tls;
