//! Leases in memory: in the ledger, and the marker in the account as a user like any other.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use chrono::DateTime;
use zendesk_dirsync::domain::assignment::Role;
use zendesk_dirsync::domain::id::{AccountId, AppName, ExternalId};
use zendesk_dirsync::domain::lease::{InstanceId, LeaseMark, Marker};
use zendesk_dirsync::domain::mapping::Field;
use zendesk_dirsync::engine::ports::{CallFault, LeaseLedger, LedgerFault};

use super::desk::{By, Desk, User};
use super::{MemoryLedger, lock};

/// Lets calls about a lease pass one by one, as a test says.
#[derive(Debug, Default)]
pub struct Turnstile {
    /// How many may still pass.
    permits: AtomicUsize,
    /// How many stand before it.
    waiting: AtomicUsize,
}

impl Turnstile {
    /// One that keeps nobody.
    pub fn open() -> Self {
        Self { permits: AtomicUsize::new(usize::MAX / 2), waiting: AtomicUsize::new(0) }
    }

    /// One more may pass.
    pub fn let_one(&self) {
        self.permits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody stands before it, and may not pass.
    pub fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 && self.permits.load(Ordering::Relaxed) == 0
    }

    /// Stands before it until one may pass. Whoever steps it polls again.
    pub async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        poll_fn(|_| match self.permits.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            left => {
                self.permits.store(left - 1, Ordering::Relaxed);
                Poll::Ready(())
            }
        })
        .await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the account's marker says, as Zendesk keeps it: in the notes of a user.
pub fn read_marker(desk: &Desk, app: &AppName) -> Marker {
    let Some(user) = desk.by_external_id(&ExternalId::lease(app)) else { return Marker::Free };
    let account = AccountId(user.id);
    let notes = user.texts.get(&Field::Notes).map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = notes.split(' ').collect();
    let mark = match words.as_slice() {
        [instance, serial, at] => InstanceId::parse(instance)
            .ok()
            .zip(serial.parse().ok())
            .zip(at.parse().ok().and_then(DateTime::from_timestamp_millis)),
        _ => None,
    };
    match mark {
        Some(((instance, serial), at)) => Marker::Held { account, mark: LeaseMark::new(instance, serial, at) },
        None => Marker::Unreadable { account: Some(account), why: "its notes were edited".into() },
    }
}

/// Writes the marker, over an account or a new one. As at Zendesk, an external id can be given only once.
pub fn write_marker(
    desk: &mut Desk,
    app: &AppName,
    over: Option<AccountId>,
    mark: &LeaseMark,
) -> Result<(), CallFault> {
    let taken = desk.by_external_id(&ExternalId::lease(app)).map(|user| user.id);
    let id = match (over, taken) {
        (None, Some(_)) => {
            let message = "External has already been taken".to_owned();
            return Err(CallFault::Refused { kind: "external_id_taken", message });
        }
        (None, None) => {
            let id = desk.next_id;
            desk.next_id += 1;
            let mut user = User::there(id, "zendesk-dirsync lease", "unused@example.org", Role::EndUser);
            user.email = None;
            user.external_id = Some(ExternalId::lease(app));
            user.made_by = By::Us;
            desk.add_user(user);
            id
        }
        (Some(id), _) => id.0,
    };
    let Some(user) = desk.users.get_mut(&id).filter(|user| user.live) else {
        return Err(CallFault::NotFound(format!("user {id}")));
    };
    user.texts.insert(Field::Notes, format!("{} {} {}", mark.instance, mark.serial, mark.at().timestamp_millis()));
    Ok(())
}

impl MemoryLedger {
    /// Gives the store a name, unless it has one.
    pub fn identify(&self, fresh: [u8; 16]) {
        lock(&self.state).instance.get_or_insert(fresh);
    }
}

impl LeaseLedger for MemoryLedger {
    fn instance(&mut self) -> Result<InstanceId, LedgerFault> {
        let name = lock(&self.state).instance.map(InstanceId::from_bytes);
        name.ok_or_else(|| LedgerFault::Io("it has no name".into()))
    }

    fn noted_lease(&self, app: &AppName) -> Result<Option<LeaseMark>, LedgerFault> {
        Ok(lock(&self.state).leases.get(app).copied())
    }

    fn note_lease(&mut self, app: &AppName, mark: &LeaseMark) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            state.leases.insert(app.clone(), *mark);
            Ok(())
        })
    }

    fn doubt(&mut self, app: &AppName, mark: Option<&LeaseMark>) -> Result<(), LedgerFault> {
        self.mutate(|state| {
            if let Some(mark) = mark {
                state.leases.insert(app.clone(), *mark);
            }
            state.doubted.insert(app.clone());
            state.accepted.remove(app);
            Ok(())
        })
    }
}
