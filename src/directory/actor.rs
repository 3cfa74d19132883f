//! One thread per directory: it owns the connection and takes requests one by one.
//!
//! The thread has a current-thread runtime of its own: with several workers ldap3 takes half as long again (measured at
//! 100,000 people). A panic ends the thread alone; whoever waits for it is told that the read is incomplete.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::check::{Finding, check};
use super::look_for::look_for;
use super::look_up::{Whom, look_up};
use super::read::read;
use super::search::Session;
use super::session::{open_any, open_at};
use crate::domain::dn::Dn;
use crate::domain::id::EntryId;
use crate::domain::scope::{CompleteRead, Presence, Sight};
use crate::domain::server::{Acquaintance, ServerIdentity, Standpoint};
use crate::domain::settings::DirectorySettings;
use crate::engine::ports::{GroupLook, GroupOrder, ReadFault, ReadOrder, Secret};

/// After so long without a request the connection is closed; the next request opens another.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Requests that may wait: one handle sends one at a time.
const REQUESTS_WAITING: usize = 1;

/// Something to be done.
pub(super) enum Request {
    Read { order: ReadOrder, sights: mpsc::Sender<Sight>, reply: oneshot::Sender<Result<CompleteRead, ReadFault>> },
    LookUp { whom: Whom, reply: oneshot::Sender<Result<Presence, ReadFault>> },
    LookFor { groups: Vec<GroupOrder>, reply: oneshot::Sender<Result<Vec<GroupLook>, ReadFault>> },
    Check { groups: Vec<GroupOrder>, reply: oneshot::Sender<Vec<Finding>> },
}

/// Which server a cycle is bound to; it outlives the thread.
#[derive(Debug, Clone)]
pub(super) struct Chosen(Arc<Mutex<Option<(usize, ServerIdentity)>>>);

impl Chosen {
    pub(super) fn none() -> Self {
        Self(Arc::default())
    }

    fn get(&self) -> Option<(usize, ServerIdentity)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, at: usize, session: &Session) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, session.root.identity.clone()));
    }
}

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(
    settings: Arc<DirectorySettings>,
    secret: Arc<dyn Secret>,
    chosen: Chosen,
) -> std::io::Result<mpsc::Sender<Request>> {
    let (sender, requests) = mpsc::channel(REQUESTS_WAITING);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("ldap-{}", settings.name)).spawn(move || {
        let actor = Actor { settings, secret, chosen, session: None, places: HashMap::new() };
        runtime.block_on(actor.run(requests));
    })?;
    Ok(sender)
}

struct Actor {
    settings: Arc<DirectorySettings>,
    secret: Arc<dyn Secret>,
    chosen: Chosen,
    session: Option<Session>,
    /// Where the groups of the last read lie.
    places: HashMap<EntryId, Dn>,
}

impl Actor {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let request = match &self.session {
                None => requests.recv().await,
                Some(_) => match tokio::time::timeout(IDLE_MAX, requests.recv()).await {
                    Ok(request) => request,
                    Err(_) => {
                        self.close().await;
                        continue;
                    }
                },
            };
            match request {
                None => break,
                Some(request) => self.serve(request).await,
            }
        }
        self.close().await;
    }

    /// Serves one request, unless whoever sent it goes away first.
    async fn serve(&mut self, request: Request) {
        let heard = match request {
            Request::Read { order, sights, mut reply } => tokio::select! {
                biased;
                () = reply.closed() => Err(()),
                read = self.read(order, sights) => reply.send(read).map_err(drop),
            },
            Request::LookUp { whom, mut reply } => tokio::select! {
                biased;
                () = reply.closed() => Err(()),
                presence = self.look_up(whom) => reply.send(presence).map_err(drop),
            },
            Request::LookFor { groups, mut reply } => tokio::select! {
                biased;
                () = reply.closed() => Err(()),
                looks = self.look_for(groups) => reply.send(looks).map_err(drop),
            },
            Request::Check { groups, mut reply } => tokio::select! {
                biased;
                () = reply.closed() => Err(()),
                findings = self.check(groups) => reply.send(findings).map_err(drop),
            },
        };
        // A search may be under way on the connection: its answers must not meet the next request.
        if heard.is_err() || self.session.as_ref().is_some_and(|session| session.broken.is_some()) {
            self.session = None;
        }
    }

    async fn read(&mut self, order: ReadOrder, sights: mpsc::Sender<Sight>) -> Result<CompleteRead, ReadFault> {
        // A read begins with a connection of its own, and with the first server of the list.
        self.close().await;
        self.places.clear();
        let limit = self.settings.read_timeout;
        let work = async {
            let (session, at) = open_any(&self.settings, &*self.secret, order.known.as_ref()).await?;
            self.chosen.set(at, &session);
            let session = self.session.insert(session);
            read(session, &order, &sights).await
        };
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(finished)) => {
                self.places = finished.groups;
                Ok(finished.read)
            }
            Ok(Err(fault)) => {
                self.session = None;
                Err(fault)
            }
            Err(_) => {
                self.session = None;
                let limit = humantime::format_duration(limit);
                Err(ReadFault::Incomplete(format!("it took longer than {limit} (`read_timeout`)")))
            }
        }
    }

    async fn look_up(&mut self, whom: Whom) -> Result<Presence, ReadFault> {
        let limit = self.settings.read_timeout;
        let work = async {
            // A connection that ended while it lay idle shows that only when it is used.
            match self.look_up_once(&whom).await {
                Err(ReadFault::Incomplete(why)) if self.lost() => {
                    tracing::debug!(directory = %self.settings.name, why, "connection replaced");
                    self.session = None;
                    self.look_up_once(&whom).await
                }
                told => told,
            }
        };
        match tokio::time::timeout(limit, work).await {
            Ok(told) => told,
            Err(_) => {
                self.session = None;
                let limit = humantime::format_duration(limit);
                Err(ReadFault::Incomplete(format!("the look-up took longer than {limit} (`read_timeout`)")))
            }
        }
    }

    async fn look_up_once(&mut self, whom: &Whom) -> Result<Presence, ReadFault> {
        let session = match &mut self.session {
            Some(session) => session,
            empty @ None => empty.insert(reopened(&self.settings, &*self.secret, &self.chosen).await?),
        };
        look_up(session, whom, &mut self.places).await
    }

    fn lost(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.broken.is_some())
    }

    /// An operator's look begins with a connection of its own, as a read does.
    async fn look_for(&mut self, groups: Vec<GroupOrder>) -> Result<Vec<GroupLook>, ReadFault> {
        self.close().await;
        let limit = self.settings.read_timeout;
        let work = async {
            let (mut session, _) = open_any(&self.settings, &*self.secret, None).await?;
            let looks = look_for(&mut session, &groups).await;
            session.link.close().await;
            looks
        };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(limit);
            Err(ReadFault::Incomplete(format!("the look took longer than {limit} (`read_timeout`)")))
        })
    }

    async fn check(&mut self, groups: Vec<GroupOrder>) -> Vec<Finding> {
        self.close().await;
        check(&self.settings, &*self.secret, &groups).await
    }

    async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.link.close().await;
        }
    }
}

/// A session with the server that the cycle's read came from, and no other: another may be behind.
async fn reopened(
    settings: &Arc<DirectorySettings>,
    secret: &dyn Secret,
    chosen: &Chosen,
) -> Result<Session, ReadFault> {
    let read_from = chosen.get().and_then(|(at, identity)| Some((settings.urls.get(at)?, identity)));
    let Some((server, identity)) = read_from else {
        let (session, at) = open_any(settings, secret, None).await?;
        chosen.set(at, &session);
        return Ok(session);
    };
    let session = open_at(settings, secret, server).await?;
    // One name may stand for several servers, and one that was asked for a look-up may have been restored meanwhile.
    match Acquaintance::after(None, &identity).judge(&session.root.identity) {
        Ok(Standpoint::Steady) => Ok(session),
        Ok(Standpoint::Other | Standpoint::New) | Err(_) => {
            session.link.close().await;
            let why = format!("{} is another server now than the one that was read, or an older state", server.text);
            Err(ReadFault::Incomplete(why))
        }
    }
}
