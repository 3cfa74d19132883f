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

/// Whether the fault of this name is planted: only ever in a build with the feature `planted`, which `tests/planted`
/// makes. Each shows that the simulation finds what the rule beside it guards against.
#[cfg(not(feature = "planted"))]
pub(crate) const fn planted(_name: &str) -> bool {
    false
}

#[cfg(feature = "planted")]
static PLANTED: std::sync::RwLock<String> = std::sync::RwLock::new(String::new());

#[cfg(feature = "planted")]
pub(crate) fn planted(name: &str) -> bool {
    PLANTED.read().is_ok_and(|planted| *planted == name)
}

/// Plants the fault of a name, in place of the one before.
#[cfg(feature = "planted")]
pub fn plant(name: &str) {
    if let Ok(mut planted) = PLANTED.write() {
        name.clone_into(&mut planted);
    }
}
