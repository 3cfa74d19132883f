//! What a sandbox account is started with.

use super::account::Account;
use super::faults::Fault;

/// The subscription: decides the account's rate limit, custom roles and organizations per user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Plan {
    /// Support Essential: 10 requests a minute.
    Essential,
    /// Suite Team: 200 requests a minute.
    Team,
    /// Suite Growth: 400 requests a minute.
    Growth,
    /// Suite Professional: 400 requests a minute.
    Professional,
    /// Suite Enterprise: 700 requests a minute, custom roles.
    #[default]
    Enterprise,
    /// Suite Enterprise Plus: 2500 requests a minute, custom roles.
    EnterprisePlus,
}

impl Plan {
    /// Requests a minute (Zendesk API reference, Rate limits).
    #[must_use]
    pub fn requests_per_minute(self) -> u32 {
        match self {
            Self::Essential => 10,
            Self::Team => 200,
            Self::Growth | Self::Professional => 400,
            Self::Enterprise => 700,
            Self::EnterprisePlus => 2500,
        }
    }

    /// Whether agents can have custom roles (Zendesk API reference, Custom roles).
    #[must_use]
    pub fn custom_roles(self) -> bool {
        matches!(self, Self::Enterprise | Self::EnterprisePlus)
    }

    /// Whether a user can be in more than one organization.
    #[must_use]
    pub fn many_organizations(self) -> bool {
        !matches!(self, Self::Essential | Self::Team)
    }
}

/// Whether a rate limit is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// As documented.
    #[default]
    Strict,
    /// Headers only.
    Off,
}

/// Everything that can be chosen at the start. The defaults are the strictest reading of the facts.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the account holds; an owner, an API admin and a default group are added if they are missing.
    pub seed: Option<Account>,
    /// The subscription.
    pub plan: Plan,
    /// Agent seats, over what the seed says (50 without either).
    pub seats: Option<u32>,
    /// Whether `create_many` and `create_or_update_many` work, or answer 403.
    pub bulk_import: bool,
    /// Whether the clock stands still but for what a test adds; a client that waits would wait for ever.
    pub frozen_clock: bool,
    /// Faults from the start on.
    pub faults: Vec<Fault>,
    /// The account-wide limit of one single-user update or `create_or_update` a second.
    pub update_limits: Limit,
    /// The account-wide limit a minute.
    pub account_limits: Limit,
    /// The limit of five updates a minute for each user.
    pub user_limits: Limit,
    /// Requests a minute, over what the plan says.
    pub requests_per_minute: Option<u32>,
    /// Lifetime of an access token in seconds, unless the client asks for one.
    pub token_expires_s: u64,
    /// The status of an issued token: documented as 201, 200 is seen as well.
    pub token_status: u16,
    /// Scopes the OAuth client may ask for; `None` allows all.
    pub client_scopes: Option<Vec<String>>,
    /// Whether the token endpoint takes a form-encoded body too.
    pub form_tokens: bool,
    /// Virtual seconds before a created or changed user is found by `query`.
    pub index_lag_s: u64,
    /// Virtual milliseconds a job waits before its first item.
    pub job_queue_ms: u64,
    /// Virtual milliseconds a job takes for one item.
    pub job_item_ms: u64,
    /// Whether a suspended agent can be downgraded; the facts leave it open.
    pub downgrade_suspended: bool,
    /// Whether `GET /api/v2/account` answers; it is in use but not documented.
    pub account_route: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            plan: Plan::default(),
            seats: None,
            bulk_import: true,
            frozen_clock: false,
            faults: Vec::new(),
            update_limits: Limit::Strict,
            account_limits: Limit::Strict,
            user_limits: Limit::Strict,
            requests_per_minute: None,
            token_expires_s: 1800,
            token_status: 201,
            client_scopes: None,
            form_tokens: false,
            index_lag_s: 0,
            job_queue_ms: 200,
            job_item_ms: 10,
            downgrade_suspended: true,
            account_route: true,
        }
    }
}
