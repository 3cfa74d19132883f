//! The directory adapter: reads people and groups over LDAP (RFC 4511), and proves each read whole. It never writes.
//!
//! In reading order: [`transport`] opens a connection (socket, StartTLS, TLS, [`guard`], ldap3), [`bind`] binds and makes
//! sure as whom, [`search`] pages, [`resolve`] and [`groups`] find groups and who is in them, [`read`] shows the people,
//! [`look_up`] looks at one of them again, [`check`] tells an operator how things stand. [`actor`] runs all of it on a
//! thread of its own. Anything that doesn't end as it should is a fault of the read: nothing here guesses.

mod actor;
mod ber;
mod bind;
mod canaries;
mod check;
mod code;
mod decode;
mod filter;
mod groups;
mod guard;
mod holders;
mod line;
mod look_for;
mod look_up;
mod members;
mod read;
mod reference;
mod resolve;
mod root;
mod search;
mod session;
mod standing;
mod transport;

#[cfg(test)]
mod peer;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::domain::dn::Dn;
use crate::domain::id::{DirectoryName, EntryId};
use crate::domain::scope::{CompleteRead, Presence, Sight};
use crate::domain::settings::DirectorySettings;
use crate::engine::ports::{Directory, GroupLook, GroupOrder, ReadFault, ReadOrder, Secret};

use actor::{Chosen, Request};
use look_up::Whom;

pub use check::{Finding, Health};
pub use filter::check_filter;

/// A directory over LDAP. Dropping it ends its thread and its connection.
pub struct LdapDirectory {
    settings: Arc<DirectorySettings>,
    secret: Arc<dyn Secret>,
    chosen: Chosen,
    actor: Option<mpsc::Sender<Request>>,
}

impl LdapDirectory {
    /// A directory; nothing is connected before the first request. `secret` is the bind password.
    pub fn new(settings: DirectorySettings, secret: Arc<dyn Secret>) -> Self {
        Self { settings: Arc::new(settings), secret, chosen: Chosen::none(), actor: None }
    }

    /// Checks servers, bases, groups and people, for an operator.
    pub async fn check(&mut self, groups: &[GroupOrder]) -> Vec<Finding> {
        let groups = groups.to_vec();
        match self.request(|reply| Request::Check { groups, reply }).await {
            Ok(findings) => findings,
            Err(fault) => vec![Finding { health: Health::Bad, what: fault.to_string(), repeat: None }],
        }
    }

    /// Sends a request to the thread, which is started if need be, and waits for the answer.
    async fn request<T>(&mut self, make: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, ReadFault> {
        let actor = match self.actor.take().filter(|actor| !actor.is_closed()) {
            Some(actor) => actor,
            None => {
                let (settings, secret) = (Arc::clone(&self.settings), Arc::clone(&self.secret));
                let started = actor::start(settings, secret, self.chosen.clone());
                started.map_err(|why| ReadFault::Incomplete(format!("its thread can't be started: {why}")))?
            }
        };
        let actor = self.actor.insert(actor);
        let (reply, answer) = oneshot::channel();
        let sent = actor.send(make(reply)).await.is_ok();
        match answer.await {
            Ok(answer) if sent => Ok(answer),
            Ok(_) | Err(_) => {
                self.actor = None;
                Err(ReadFault::Incomplete("the reading thread broke down; its message is in the log".to_owned()))
            }
        }
    }
}

impl fmt::Debug for LdapDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LdapDirectory").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl Directory for LdapDirectory {
    fn name(&self) -> &DirectoryName {
        &self.settings.name
    }

    async fn read(&mut self, order: ReadOrder, sights: mpsc::Sender<Sight>) -> Result<CompleteRead, ReadFault> {
        self.request(|reply| Request::Read { order, sights, reply }).await?
    }

    async fn look_up(
        &mut self,
        entry: EntryId,
        last_dn: &Dn,
        groups: &BTreeSet<EntryId>,
        now: DateTime<Utc>,
    ) -> Result<Presence, ReadFault> {
        let whom = Whom { entry, last_dn: last_dn.clone(), groups: groups.clone(), now };
        self.request(|reply| Request::LookUp { whom, reply }).await?
    }

    async fn look_for(&mut self, groups: &[GroupOrder]) -> Result<Vec<GroupLook>, ReadFault> {
        let groups = groups.to_vec();
        self.request(|reply| Request::LookFor { groups, reply }).await?
    }
}
