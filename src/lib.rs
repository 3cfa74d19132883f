//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
//!
//! Modules in reading order: [`domain`] holds the rules, [`engine`] runs a cycle over five ports, [`control`] and
//! [`daemon`] keep it running and reachable.

pub mod control;
pub mod daemon;
pub mod domain;
pub mod engine;
