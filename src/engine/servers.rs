//! The servers of each directory as the store remembers them: kept after each complete read, shown, and forgotten by a
//! person's word.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::id::{AppName, CycleId, DirectoryName};
use crate::domain::outcome::{Notice, Subject, Verdict};
use crate::domain::server::{Acquaintance, Mark};

use super::command::Reply;
use super::cycle::Prepared;
use super::ports::{AcceptedLedger as _, Clock, Directory, Report, ServerLedger as _};
use super::{Abort, Engine, Ports};

/// What is remembered of a directory's servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServersView {
    /// The directory.
    pub directory: String,
    /// The naming contexts whose people are managed, with the ids of their tops.
    pub trees: Vec<String>,
    /// The copy of the data that was read last.
    pub last: Option<String>,
    /// Every copy that was read, with the highest number of change seen of it.
    pub replicas: Vec<ReplicaView>,
}

/// A copy of a directory's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaView {
    /// Its name: AD's `invocationId`, or the provider of OpenLDAP's changes, or a URL.
    pub replica: String,
    /// The server that holds it, if it has a name.
    pub server: Option<String>,
    /// The last change that was seen of it; none where it doesn't count.
    pub change: Option<String>,
}

impl ServersView {
    fn of(directory: &DirectoryName, known: Option<&Acquaintance>) -> Self {
        let directory = directory.to_string();
        let Some(known) = known else {
            return Self { directory, trees: Vec::new(), last: None, replicas: Vec::new() };
        };
        let tree = |(context, id): (&String, &Option<String>)| match id {
            Some(id) => format!("{context} ({id})"),
            None => context.clone(),
        };
        let named =
            |replica: &String| known.names.iter().find(|(_, one)| *one == replica).map(|(name, _)| name.clone());
        let replica = |(replica, number): (&String, &u64)| ReplicaView {
            replica: replica.clone(),
            server: named(replica),
            change: Some(number.to_string()).filter(|_| *number > 0),
        };
        let provider = |((context, provider), csn): (&(String, String), &String)| ReplicaView {
            replica: format!("provider {provider} of {context}"),
            server: None,
            change: Some(csn.clone()),
        };
        // Where changes are compared by provider, what is compared is named once.
        let counted = known.replicas.iter().filter(|(name, _)| known.csns.is_empty() || **name != known.last);
        let replicas = counted.map(replica).chain(known.csns.iter().map(provider)).collect();
        let last = Some(known.last.clone());
        Self { directory, trees: known.trees.iter().map(tree).collect(), last, replicas }
    }
}

impl<P: Ports> Engine<P> {
    /// Remembers which servers gave this cycle's complete reads, and how far their data had come.
    pub(super) fn keep_servers(&mut self, prepared: &Prepared) -> Result<(), Abort> {
        for (name, whole) in &prepared.wholes {
            let server = &whole.read.end().server;
            // What a server said that then couldn't be asked about people isn't built upon.
            if server.mark == Mark::Image || prepared.faults.contains_key(name) {
                continue;
            }
            let former = whole.question.order.known.as_ref();
            let known = Acquaintance::after(former, server);
            if former != Some(&known) {
                self.ledger.acquaint(name, Some(&known))?;
            }
        }
        Ok(())
    }

    /// Shows what is remembered.
    pub(super) fn list_servers(&self) -> Result<Reply, Abort> {
        let mut views = Vec::new();
        for directory in &self.directories {
            let name = directory.name();
            views.push(ServersView::of(name, self.ledger.acquaintance(name)?.as_ref()));
        }
        Ok(Reply::Servers(views))
    }

    /// Forgets what is remembered, by a person's word: the server that is read next is the one to compare with, and
    /// whatever would be done for its people waits once.
    pub(super) fn accept_servers(&mut self, directory: &str, actor: &str) -> Result<Reply, Abort> {
        let mine = self.directories.iter().map(|one| one.name().clone()).find(|name| name.as_str() == directory);
        let Some(name) = mine else {
            let names: Vec<&str> = self.directories.iter().map(|one| one.name().as_str()).collect();
            let message = format!("no directory is named {directory:?}; the configuration has {}", names.join(", "));
            return Ok(Reply::refused(2, "no_such_directory", message, "use one of these names"));
        };
        let Some(known) = self.ledger.acquaintance(&name)? else {
            return Ok(Reply::Servers(vec![ServersView::of(&name, None)]));
        };
        let now = self.clock.now();
        // Told first: a decision that isn't on record doesn't count.
        self.report.ready()?;
        let mut notice = Notice::new(now, CycleId::at(now), 1, Subject::Approve, Verdict::Done, actor);
        notice.directory = Some(name.clone());
        let mut cause = Notice::cause_code("server_accepted");
        let trees: Vec<&str> = known.trees.keys().map(String::as_str).collect();
        cause.evidence = Some(format!("in place of {} from {}", trees.join("; "), known.last));
        notice.cause = Some(cause);
        self.report.tell(&notice)?;
        // First: a crash in between leaves a server that isn't read, and no removal.
        for app in self.apps_of(&name)? {
            self.forget_approvals(&app)?;
            self.ledger.redirect(&app)?;
        }
        self.ledger.acquaint(&name, None)?;
        Ok(Reply::Servers(vec![ServersView::of(&name, None)]))
    }

    /// The apps that have people of a directory, or would have.
    fn apps_of(&self, name: &DirectoryName) -> Result<BTreeSet<AppName>, Abort> {
        let mut apps = BTreeSet::new();
        for app in &self.apps {
            let rules = &app.rules;
            let assigned = rules.assignments.iter().any(|one| one.directory == *name);
            if assigned || self.ledger.directories(&rules.app)?.contains(name) {
                apps.insert(rules.app.clone());
            }
        }
        Ok(apps)
    }
}
