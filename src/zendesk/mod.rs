//! The REST adapter: a Zendesk account behind the port [`Helpdesk`].
//!
//! Modules in reading order: `call` (one request, and the gate that keeps protected accounts from being written),
//! `http` (the one way to the socket), `judge` (what an answer means), `pace` and `wait` (when the next request may be
//! sent), `auth` (credentials), `error` (refusals in words), `wire` (what Zendesk sends), `paging`, `users`, `catalog`,
//! `steps`. It plans nothing and remembers nothing of accounts but who must not be written.

mod auth;
mod call;
mod catalog;
mod error;
mod http;
mod judge;
pub mod pace;
mod paging;
mod steps;
mod users;
pub mod wait;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::account::{Catalog, ObservedAccount};
use crate::domain::change::Step;
use crate::domain::id::{AccountId, AppName, Email, ExternalId};
use crate::domain::settings::AppSettings;
use crate::engine::ports::{CallFault, Clock, Helpdesk, Myself, Secret, StepDone};

use self::auth::Auth;
use self::http::Caller;
use self::pace::Pace;

pub use self::http::{SetupFault, http_client};

/// What a configured account that must not be written is called.
const LISTED: &str = "a protected account";

/// A client of one Zendesk account. It makes one request at a time.
#[derive(Debug)]
pub struct ZendeskClient {
    app: AppName,
    caller: Caller,
    me: Option<AccountId>,
    /// Mails of accounts that are never written.
    protected: BTreeSet<Email>,
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
        let caller = Caller::new(settings.name.clone(), http, base, auth, clock, pace);
        Ok(Self { app: settings.name.clone(), caller, me: None, protected: settings.rules.protected.clone() })
    }

    /// Sets the pause between two updates of users: one second at Zendesk (API reference, Rate limits); a sandbox
    /// that doesn't count them needs none.
    pub const fn space_updates(&mut self, spacing: Duration) {
        self.caller.pace.set_spacing(spacing);
    }

    async fn ask_who_am_i(&mut self) -> Result<Myself, CallFault> {
        let me = users::who_am_i(&mut self.caller).await?;
        self.me = Some(me.account);
        self.caller.gate.protect(me.account, catalog::OURSELVES);
        Ok(me)
    }
}

impl Helpdesk for ZendeskClient {
    fn app(&self) -> &AppName {
        &self.app
    }

    async fn who_am_i(&mut self) -> Result<Myself, CallFault> {
        self.ask_who_am_i().await
    }

    async fn catalog(&mut self) -> Result<Catalog, CallFault> {
        let me = self.ask_who_am_i().await?;
        let mut catalog = catalog::read(&mut self.caller, &me).await?;
        for email in &self.protected {
            for account in users::by_email(&mut self.caller, email).await? {
                catalog.untouchable.entry(account.id).or_insert(LISTED);
            }
        }
        for (id, what) in &catalog.untouchable {
            self.caller.gate.protect(*id, what);
        }
        Ok(catalog)
    }

    async fn observe(&mut self, ids: &[AccountId]) -> Result<Vec<ObservedAccount>, CallFault> {
        users::observe(&mut self.caller, ids).await
    }

    async fn find_by_external_id(&mut self, ids: &[ExternalId]) -> Result<Vec<ObservedAccount>, CallFault> {
        users::by_external_id(&mut self.caller, ids).await
    }

    async fn find_by_email(&mut self, email: &Email) -> Result<Vec<ObservedAccount>, CallFault> {
        users::by_email(&mut self.caller, email).await
    }

    async fn carry_out(&mut self, account: Option<AccountId>, step: &Step) -> Result<StepDone, CallFault> {
        // Nothing is written before it is known which account is ours.
        if self.me.is_none() {
            self.ask_who_am_i().await?;
        }
        steps::carry_out(&mut self.caller, account, step).await
    }
}
