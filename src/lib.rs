//! Keeps Zendesk accounts in step with LDAP and Active Directory groups.
//!
//! Modules in reading order: [`domain`] holds the rules, [`engine`] runs a cycle over five ports, [`config`] reads what
//! both need to know; [`directory`], [`zendesk`], [`store`] and [`report`] are the adapters; [`control`] and [`daemon`]
//! keep it running and reachable; [`cli`] joins the parts; [`tls`] says whom they trust; [`telemetry`] is the log.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod directory;
pub mod domain;
pub mod engine;
pub mod report;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod zendesk;
