//! The REST adapter: a Zendesk account behind the port [`Helpdesk`].
//!
//! Modules in reading order: `call` (one request), `gate` (who must never be written: nothing passes by it), `http` (the
//! one way to the socket), `judge` (what an answer means), `pace` and `wait` (when the next request may be
//! sent), `auth` (credentials), `error` (refusals in words), `wire` (what Zendesk sends), `paging`, `users`, `catalog`,
//! `steps`. It plans nothing and remembers nothing of accounts but who must not be written.

mod auth;
mod call;
mod catalog;
mod error;
mod gate;
mod http;
mod judge;
mod lease;
mod pace;
mod paging;
mod steps;
mod users;
mod wait;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::account::{Catalog, ObservedAccount};
use crate::domain::change::Step;
use crate::domain::id::{AccountId, AppName, Email, ExternalId};
use crate::domain::lease::{LeaseMark, Marker};
use crate::domain::settings::{AppSettings, LeaseSettings};
use crate::engine::ports::{CallFault, Clock, Helpdesk, Myself, Secret, StepDone};

use self::auth::Auth;
use self::gate::Gate;
use self::http::Caller;
use self::pace::Pace;

pub use self::http::{SetupFault, http_client};

/// A client of one Zendesk account. It makes one request at a time.
#[derive(Debug)]
pub struct ZendeskClient {
    app: AppName,
    caller: Caller,
    lease: Option<LeaseSettings>,
}

impl ZendeskClient {
    /// A client for an app. `secret` is what `settings.auth` names; `http` comes from [`http_client`].
    ///
    /// # Errors
    /// [`SetupFault`] when the base URL isn't one to which credentials may go.
    pub fn new(
        settings: &AppSettings,
        secret: Arc<dyn Secret>,
        clock: Arc<dyn Clock>,
        http: reqwest::Client,
    ) -> Result<Self, SetupFault> {
        let base = settings.base_url.clone();
        http::check_base(&base)?;
        let mut token_url = base.clone();
        token_url.set_path("oauth/tokens");
        let auth = Auth::new(settings.auth.clone(), secret, oauth2::TokenUrl::from_url(token_url));
        let pace = Pace::new(settings.rate_share_percent);
        let gate = Gate::new(settings.rules.protected.clone());
        let caller = Caller::new(settings.name.clone(), http, base, auth, clock, pace, gate);
        Ok(Self { app: settings.name.clone(), caller, lease: settings.lease.clone() })
    }

    /// Sets the pause between two updates of users: one second at Zendesk (API reference, Rate limits); a sandbox
    /// that doesn't count them needs none.
    pub const fn space_updates(&mut self, spacing: Duration) {
        self.caller.pace.set_spacing(spacing);
    }

    /// Sees that the gate knows own id and owner as they are now: nothing is written before.
    async fn freshen(&mut self) -> Result<(), CallFault> {
        if self.caller.gate.is_fresh(self.caller.timer.now()) {
            return Ok(());
        }
        let me = users::who_am_i(&mut self.caller).await?;
        let mut untouchable = BTreeMap::from([(me.account, catalog::OURSELVES)]);
        if let Some(owner) = catalog::owner(&mut self.caller).await? {
            untouchable.insert(owner, catalog::OWNER);
        }
        self.caller.gate.begin(self.caller.timer.now(), &untouchable);
        Ok(())
    }

    /// Sees that the gate has judged an account.
    async fn look_at(&mut self, account: AccountId) -> Result<(), CallFault> {
        if !self.caller.gate.knows(account) && self.observe(&[account]).await?.is_empty() {
            return Err(CallFault::NotFound(format!("account {account}")));
        }
        Ok(())
    }

    /// Shows the gate what was seen.
    fn judged(&mut self, seen: Vec<ObservedAccount>) -> Vec<ObservedAccount> {
        seen.iter().for_each(|account| self.caller.gate.saw(account));
        seen
    }
}

impl Helpdesk for ZendeskClient {
    fn app(&self) -> &AppName {
        &self.app
    }

    async fn who_am_i(&mut self) -> Result<Myself, CallFault> {
        let me = users::who_am_i(&mut self.caller).await?;
        self.caller.gate.protect(me.account, catalog::OURSELVES);
        Ok(me)
    }

    async fn catalog(&mut self) -> Result<Catalog, CallFault> {
        let me = self.who_am_i().await?;
        let mut catalog = catalog::read(&mut self.caller, &me).await?;
        self.caller.gate.begin(self.caller.timer.now(), &catalog.untouchable);
        for email in &self.caller.gate.listed().clone() {
            for account in users::by_email(&mut self.caller, email).await? {
                catalog.untouchable.entry(account.id).or_insert(gate::LISTED);
            }
        }
        for (id, what) in &catalog.untouchable {
            self.caller.gate.protect(*id, what);
        }
        Ok(catalog)
    }

    async fn observe(&mut self, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
        let seen = users::observe(&mut self.caller, ids).await?;
        Ok(self.judged(seen))
    }

    async fn find_by_external_id(&mut self, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
        let seen = users::by_external_id(&mut self.caller, ids).await?;
        Ok(self.judged(seen))
    }

    async fn find_by_email(&mut self, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
        let seen = users::by_email(&mut self.caller, email).await?;
        Ok(self.judged(seen))
    }

    async fn carry_out(&mut self, account: Option<AccountId>, step: &Step) -> Result<StepDone, CallFault> {
        self.freshen().await?;
        if let Some(account) = account {
            self.look_at(account).await?;
        }
        steps::carry_out(&mut self.caller, account, step).await
    }

    async fn read_lease(&mut self) -> Result<Marker, CallFault> {
        if self.lease.is_none() {
            return Ok(Marker::Off);
        }
        self.freshen().await?;
        lease::read(&mut self.caller, &self.app).await
    }

    async fn write_lease(&mut self, over: Option<AccountId>, mark: &LeaseMark) -> Result<(), CallFault> {
        let Some(settings) = &self.lease else {
            return Err(CallFault::Refused { kind: "invalid", message: "no lease is configured".to_owned() });
        };
        lease::write(&mut self.caller, &self.app, settings.email.as_ref(), over, mark).await
    }
}
