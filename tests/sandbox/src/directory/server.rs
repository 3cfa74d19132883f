//! Starting, stopping, and reaching into a running server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::dn::Rdn;
use super::faults::{Fault, Faults};
use super::load::ApplyError;
use super::log::Log;
use super::rights::Rights;
use super::session;
use super::store::{Change, Store};
use super::tls::{self, Tls};
use super::{LogEntry, Options, TlsMode};

/// What all connections share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) tls: Option<Tls>,
    state: Mutex<State>,
}

/// What changes.
pub(super) struct State {
    pub(super) store: Store,
    pub(super) rights: Rights,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start_tls(&self) -> bool {
        self.options.tls.as_ref().is_some_and(|tls| tls.mode == TlsMode::StartTls)
    }
}

/// What a server held at some time.
#[derive(Clone)]
pub struct Backup(Store);

/// A server that runs until it is shut down or dropped.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The connections belong to the task and end with it.
        self.task.abort();
    }
}

/// Starts a server on this address; port 0 picks a free one.
///
/// # Errors
///
/// LDIF that is wrong (`InvalidInput`), and what the system says of the address or the TLS directory.
pub async fn start(listen: SocketAddr, options: Options) -> io::Result<Running> {
    let mut store = Store::new(options.kind, options.refint, options.member_of);
    store.load(&options.ldif, options.base.as_deref()).map_err(|fault| {
        let text = match &fault {
            ApplyError::Syntax(inner) => format!("{fault}: {inner}"),
            ApplyError::Refused { .. } => fault.to_string(),
        };
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    let tls = options.tls.as_ref().map(|tls| tls::make(&tls.dir, listen.ip())).transpose()?;
    let mut faults = Faults::default();
    faults.push(options.faults.clone());
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let state = Mutex::new(State { store, rights: Rights::default(), faults, log: Log::default() });
    let shared = Arc::new(Shared { options, tls, state });
    let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
    Ok(Running { address, shared, task })
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                number += 1;
                sessions.spawn(session::serve(stream, Arc::clone(&shared), number));
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

impl Running {
    /// `ldap://127.0.0.1:PORT`, or `ldaps://localhost:PORT` on loopback.
    pub fn url(&self) -> String {
        match &self.shared.options.tls {
            Some(tls) if tls.mode == TlsMode::Ldaps && self.address.ip().is_loopback() => {
                format!("ldaps://localhost:{}", self.address.port())
            }
            Some(tls) if tls.mode == TlsMode::Ldaps => format!("ldaps://{}", self.address),
            Some(_) if self.address.ip().is_loopback() => format!("ldap://localhost:{}", self.address.port()),
            Some(_) | None => format!("ldap://{}", self.address),
        }
    }

    /// The address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority's certificate, if TLS is on.
    pub fn ca_pem(&self) -> Option<&str> {
        self.shared.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// Where it was written.
    pub fn ca_path(&self) -> Option<PathBuf> {
        self.shared.options.tls.as_ref().map(|tls| Path::new(&tls.dir).join("ca.pem"))
    }

    /// The suffix or domain.
    pub fn base(&self) -> String {
        self.shared.state().store.base_text()
    }

    /// The administrator's name; its password is `admin`.
    pub fn admin_dn(&self) -> String {
        self.account("admin")
    }

    /// The reader's name; its password is `svcpw`.
    pub fn svc_dn(&self) -> String {
        self.account("svc")
    }

    fn account(&self, name: &str) -> String {
        let state = self.shared.state();
        state.store.base.child(Rdn::new("cn", name)).text(state.store.spelling())
    }

    /// Adds faults; they count operations from now on.
    pub fn push_faults(&self, faults: Vec<Fault>) {
        self.shared.state().faults.push(faults);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// Carries out LDIF as the administrator: content records are adds, change records what they say.
    ///
    /// # Errors
    ///
    /// At the first record that is wrong or refused; those before it stand.
    pub fn apply_ldif(&self, text: &str) -> Result<(), ApplyError> {
        self.shared.state().store.apply(text)
    }

    /// Hides entries at and below a name from readers, or one attribute of them; no error shows it.
    pub fn hide(&self, dn_suffix: &str, attribute: Option<&str>) {
        self.shared.state().rights.hide(dn_suffix, attribute);
    }

    /// Gives readers back what was hidden.
    pub fn unhide_all(&self) {
        self.shared.state().rights.restore();
    }

    /// The operations received, oldest first.
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.state().log.entries()
    }

    /// Forgets the operations received so far.
    pub fn clear_log(&self) {
        self.shared.state().log.clear();
    }

    /// The writes, oldest first, those of loading included.
    pub fn changes(&self) -> Vec<Change> {
        self.shared.state().store.changes.clone()
    }

    /// The stored and computed attributes of an entry, as the administrator sees them; `None` if it is not there.
    pub fn entry(&self, dn: &str) -> Option<Vec<(String, Vec<Vec<u8>>)>> {
        let state = self.shared.state();
        let entry = state.store.entries.get(&state.store.find_text(dn)?)?;
        let wanted = super::view::Selection::new(&["*".to_owned(), "+".to_owned()], false);
        Some(state.store.show(&Rights::default(), &super::rights::Who::Admin, entry, &wanted))
    }

    /// AD: gives the server another invocationId, as restoring it from a backup does.
    pub fn renew_invocation(&self) {
        self.shared.state().store.renew_invocation();
    }

    /// The whole content as it is now, with the numbers of its changes.
    pub fn backup(&self) -> Backup {
        Backup(self.shared.state().store.clone())
    }

    /// Puts the content of a backup in place, of this server or another of the same kind: what a server that was rolled
    /// back shows, or a replica that hasn't heard of anything since.
    pub fn restore(&self, backup: &Backup) {
        self.shared.state().store = backup.0.clone();
    }

    /// Stops; open connections are cut.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // The task ends by the abort; nothing else can come out of it.
        let _ = (&mut self.task).await;
    }
}
