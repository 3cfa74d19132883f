//! Which server a read came from, and how its data stand to those that were read before. It compares; it reads nothing.
//!
//! Numbers of change are comparable only where they come from the same source: AD counts on each controller for itself
//! (MS-ADTS 3.1.1.1.9), OpenLDAP's contextCSN holds one for each provider, wherever it is read. Who can't be compared
//! isn't behind; it removes nobody by its word alone.

use std::collections::BTreeMap;

/// Most replicas that are remembered of a directory.
const REPLICAS_MAX: usize = 100;

/// How far a server's data have come, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mark {
    /// It doesn't say.
    #[default]
    Untold,
    /// It is no server: an image of what was read before answers in its place.
    Image,
    /// AD: the number of its last change (`highestCommittedUSN`), counted since the database has this name.
    Usn {
        /// The database's name (`invocationId`), another after it was restored; none if it may not be read.
        invocation: Option<String>,
        /// The number.
        usn: u64,
    },
    /// OpenLDAP: the last change of each provider (`contextCSN`), by naming context and server ID.
    Csn(BTreeMap<(String, String), String>),
}

/// Which server answered, for a whole cycle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerIdentity {
    /// The URL that was used.
    pub url: String,
    /// What the server calls itself: AD's `dsServiceName`, else the vendor and naming context.
    pub name: String,
    /// Which trees it serves of those that are read: each naming context in its normal form, with the id of the entry at
    /// its top if that may be read.
    pub trees: BTreeMap<String, Option<String>>,
    /// How far its data have come.
    pub mark: Mark,
}

impl ServerIdentity {
    /// What tells this copy of the data from others that can't be compared with it.
    fn replica(&self) -> String {
        match &self.mark {
            Mark::Usn { invocation: Some(invocation), .. } => invocation.clone(),
            Mark::Usn { invocation: None, .. } => self.name.clone(),
            Mark::Csn(_) => "contextCSN".to_owned(),
            Mark::Untold | Mark::Image => self.url.clone(),
        }
    }
}

/// How far the word of a server goes, which gave a complete read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standpoint {
    /// It is the one of the last read, or shows that it is not behind it.
    #[default]
    Steady,
    /// It was read before, and not last: whoever is gone there must be gone in another read, too.
    Other,
    /// It was never read before: whoever is gone there waits for the next read.
    New,
}

/// Why a server isn't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Estranged {
    /// It serves another tree than the one whose people are managed.
    #[error("{0}")]
    Foreign(String),
    /// Its data are older than what was read before, or can't be compared any more.
    #[error("{0}")]
    Behind(String),
}

/// What is remembered of the servers of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acquaintance {
    /// The trees whose people are managed.
    pub trees: BTreeMap<String, Option<String>>,
    /// The replica of the last complete read.
    pub last: String,
    /// Replicas by name, with the highest number seen of each; 0 where they have none.
    pub replicas: BTreeMap<String, u64>,
    /// What replica each server of this name was.
    pub names: BTreeMap<String, String>,
    /// The newest change seen of each provider, by naming context and server ID.
    pub csns: BTreeMap<(String, String), String>,
}

impl Acquaintance {
    /// What is remembered after a complete read from a server.
    #[must_use]
    pub fn after(former: Option<&Self>, server: &ServerIdentity) -> Self {
        let mut next = former.cloned().unwrap_or_default();
        for (context, id) in &server.trees {
            let known = next.trees.entry(context.clone()).or_default();
            *known = known.take().or_else(|| id.clone());
        }
        let replica = server.replica();
        let number = match &server.mark {
            Mark::Usn { usn, .. } => *usn,
            Mark::Csn(csns) => {
                next.csns.extend(csns.iter().map(|(key, csn)| (key.clone(), csn.clone())));
                0
            }
            Mark::Untold | Mark::Image => 0,
        };
        if next.replicas.len() >= REPLICAS_MAX && !next.replicas.contains_key(&replica) {
            next.replicas.clear();
            next.names.clear();
        }
        next.replicas.insert(replica.clone(), number);
        if !server.name.is_empty() {
            next.names.insert(server.name.clone(), replica.clone());
        }
        next.last = replica;
        next
    }

    /// Judges a server by what is remembered.
    ///
    /// # Errors
    /// [`Estranged`], when it must not be read.
    pub fn judge(&self, server: &ServerIdentity) -> Result<Standpoint, Estranged> {
        if server.mark == Mark::Image {
            return Ok(Standpoint::Steady);
        }
        self.same_tree(server)?;
        let replica = server.replica();
        match &server.mark {
            Mark::Csn(csns) => self.not_behind(csns, server)?,
            Mark::Usn { .. } | Mark::Untold | Mark::Image if !self.csns.is_empty() => {
                return Err(mute("contextCSN of the naming context"));
            }
            Mark::Usn { invocation, usn } => {
                let named = self.names.get(&server.name);
                if invocation.is_none() && named.is_some_and(|former| *former != replica) {
                    return Err(mute("invocationId of its NTDS settings"));
                }
                if let Some(seen) = self.replicas.get(&replica).filter(|seen| usn < *seen) {
                    return Err(Estranged::Behind(format!(
                        "its last change has the number {usn}, and {seen} was read from it before: it was put back to an \
                         older state"
                    )));
                }
            }
            Mark::Untold if self.replicas.values().any(|number| *number > 0) => {
                return Err(mute("highestCommittedUSN"));
            }
            Mark::Untold | Mark::Image => {}
        }
        Ok(if replica == self.last {
            Standpoint::Steady
        } else if self.replicas.contains_key(&replica) {
            Standpoint::Other
        } else {
            Standpoint::New
        })
    }

    /// Whether it serves the trees whose people are managed.
    fn same_tree(&self, server: &ServerIdentity) -> Result<(), Estranged> {
        if self.trees.is_empty() {
            return Ok(());
        }
        let told = |trees: &BTreeMap<String, Option<String>>| {
            let one = |(context, id): (&String, &Option<String>)| match id {
                Some(id) => format!("{context} ({id})"),
                None => context.clone(),
            };
            trees.iter().map(one).collect::<Vec<_>>().join("; ")
        };
        let foreign = || {
            let now = if server.trees.is_empty() { "none that it shows".to_owned() } else { told(&server.trees) };
            Estranged::Foreign(format!("it serves {now}, and people are managed from {}", told(&self.trees)))
        };
        let ids: Vec<&String> = self.trees.values().flatten().collect();
        let mut met = false;
        for (context, id) in &server.trees {
            match (self.trees.get(context), id) {
                (Some(Some(former)), Some(id)) if former != id => return Err(foreign()),
                (Some(Some(_)), None) => return Err(mute(&format!("id of {context}"))),
                (Some(_), _) => met = true,
                // A domain that was renamed keeps its id.
                (None, Some(id)) => met |= ids.contains(&id),
                (None, None) => {}
            }
        }
        if met { Ok(()) } else { Err(foreign()) }
    }

    /// Whether each provider's last change that was seen is there.
    fn not_behind(&self, now: &BTreeMap<(String, String), String>, server: &ServerIdentity) -> Result<(), Estranged> {
        let served = self.csns.iter().filter(|((context, _), _)| server.trees.contains_key(context));
        for (key, seen) in served {
            let (context, provider) = key;
            match now.get(key) {
                // Fixed widths make the order of the texts that of the changes (slapd's CSN format).
                Some(csn) if csn >= seen => {}
                Some(csn) => {
                    return Err(Estranged::Behind(format!(
                        "the last change of provider {provider} that it has in {context} is {csn}, and {seen} was read \
                         before: it lags, or was restored"
                    )));
                }
                None => {
                    return Err(Estranged::Behind(format!(
                        "it shows no change of provider {provider} in {context}, and {seen} was read before: it lags, or \
                         was restored"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn mute(what: &str) -> Estranged {
    Estranged::Behind(format!("its {what} can't be read any more, so that it can't be compared: give the right back"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(context: &str, id: Option<&str>) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([(context.to_owned(), id.map(str::to_owned))])
    }

    fn controller(name: &str, invocation: Option<&str>, usn: u64) -> ServerIdentity {
        let mark = Mark::Usn { invocation: invocation.map(str::to_owned), usn };
        ServerIdentity { url: format!("ldaps://{name}"), name: name.into(), trees: tree("dc=x", Some("g-1")), mark }
    }

    fn slapd(csns: &[(&str, &str)]) -> ServerIdentity {
        let csns = csns.iter().map(|(sid, csn)| (("dc=x".to_owned(), (*sid).to_owned()), (*csn).to_owned()));
        let mark = Mark::Csn(csns.collect());
        ServerIdentity { url: "ldaps://a".into(), name: "OpenLDAP dc=x".into(), trees: tree("dc=x", Some("u1")), mark }
    }

    fn seen(servers: &[ServerIdentity]) -> Acquaintance {
        servers.iter().fold(None, |known, one| Some(Acquaintance::after(known.as_ref(), one))).unwrap()
    }

    #[test]
    fn a_controller_is_compared_with_itself_and_with_no_other() {
        let known = seen(&[controller("dc1", Some("i1"), 500)]);
        for (server, judged) in [
            (controller("dc1", Some("i1"), 500), Ok(Standpoint::Steady)),
            (controller("dc1", Some("i1"), 501), Ok(Standpoint::Steady)),
            // Restored as it should be, or another one: its numbers say nothing.
            (controller("dc1", Some("i9"), 7), Ok(Standpoint::New)),
            (controller("dc2", Some("i2"), 7), Ok(Standpoint::New)),
        ] {
            assert_eq!(known.judge(&server), judged, "{server:?}");
        }
        for server in [controller("dc1", Some("i1"), 499), controller("dc1", None, 900)] {
            assert!(matches!(known.judge(&server), Err(Estranged::Behind(_))), "{server:?}");
        }
        let untold = ServerIdentity { mark: Mark::Untold, ..controller("dc1", None, 0) };
        assert!(matches!(known.judge(&untold), Err(Estranged::Behind(_))));
    }

    #[test]
    fn a_controller_that_was_read_before_and_not_last_is_another_and_may_not_go_back_either() {
        let (one, two) = (controller("dc1", Some("i1"), 500), controller("dc2", Some("i2"), 70));
        let known = seen(&[one.clone(), two.clone()]);
        assert_eq!(known.judge(&one), Ok(Standpoint::Other));
        assert_eq!(known.judge(&two), Ok(Standpoint::Steady));
        assert!(matches!(known.judge(&controller("dc1", Some("i1"), 499)), Err(Estranged::Behind(_))));
    }

    #[test]
    fn a_change_of_any_provider_that_is_missing_is_behind_wherever_it_is_read() {
        let known = seen(&[slapd(&[("001", "2026-2"), ("002", "2026-5")])]);
        let elsewhere = ServerIdentity { url: "ldaps://b".into(), ..slapd(&[("001", "2026-3"), ("002", "2026-5")]) };
        assert_eq!(known.judge(&elsewhere), Ok(Standpoint::Steady));
        let more = slapd(&[("001", "2026-2"), ("002", "2026-5"), ("003", "2026-1")]);
        assert_eq!(known.judge(&more), Ok(Standpoint::Steady));
        for csns in [&[("001", "2026-1"), ("002", "2026-9")][..], &[("001", "2026-9")], &[]] {
            assert!(matches!(known.judge(&slapd(csns)), Err(Estranged::Behind(_))), "{csns:?}");
        }
        let untold = ServerIdentity { mark: Mark::Untold, ..slapd(&[]) };
        assert!(matches!(known.judge(&untold), Err(Estranged::Behind(_))));
    }

    #[test]
    fn another_tree_is_foreign_and_a_renamed_domain_is_not() {
        let known = seen(&[controller("dc1", Some("i1"), 500)]);
        let serving = |trees| ServerIdentity { trees, ..controller("dc1", Some("i1"), 500) };
        for (trees, same) in [
            (tree("dc=x", Some("g-1")), true),
            (tree("dc=renamed", Some("g-1")), true),
            (tree("dc=x", Some("g-2")), false),
            (tree("dc=y", Some("g-2")), false),
            (tree("dc=y", None), false),
            (BTreeMap::new(), false),
        ] {
            let judged = known.judge(&serving(trees.clone()));
            assert_eq!(judged.is_ok(), same, "{trees:?}: {judged:?}");
            assert!(same || matches!(judged, Err(Estranged::Foreign(_))), "{trees:?}");
        }
        // It may be the same, and can't be shown to be.
        assert!(matches!(known.judge(&serving(tree("dc=x", None))), Err(Estranged::Behind(_))));
    }

    #[test]
    fn a_server_that_says_nothing_is_known_by_its_address() {
        let silent = |url: &str| ServerIdentity { url: url.into(), ..ServerIdentity::default() };
        let known = seen(&[silent("ldap://a")]);
        assert_eq!(known.judge(&silent("ldap://a")), Ok(Standpoint::Steady));
        assert_eq!(known.judge(&silent("ldap://b")), Ok(Standpoint::New));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let many: Vec<_> = (0..300).map(|n| controller(&format!("dc{n}"), Some(&format!("i{n}")), 1)).collect();
        let known = seen(&many);
        assert!(known.replicas.len() <= REPLICAS_MAX && known.names.len() <= REPLICAS_MAX);
        assert_eq!(known.judge(&many[299]), Ok(Standpoint::Steady));
    }
}
