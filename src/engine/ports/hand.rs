//! The part of the store's port that keeps what people ordered by hand: pauses, and whom a keep is about.

use super::LedgerFault;
use crate::domain::account::KnownAccount;
use crate::domain::id::{AppName, PersonId};
use crate::domain::pause::{Pause, Pauses};

/// Whom a keep is about, for people: whoever was released is known to nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The mail.
    pub user: String,
    /// The name.
    pub name: String,
}

/// Keeps what people ordered by hand. Every method that changes something is durable when it returns.
pub trait HandLedger {
    /// The pauses that stand.
    fn pauses(&self) -> Result<Pauses, LedgerFault>;

    /// Begins, renews or, with none, ends the pause of an app, or of everything.
    fn pause(&mut self, app: Option<&AppName>, pause: Option<&Pause>) -> Result<(), LedgerFault>;

    /// Whom a keep is about, if that was noted.
    fn label(&self, app: &AppName, person: &PersonId) -> Result<Option<Label>, LedgerFault>;

    /// Notes or, with none, forgets whom a keep is about.
    fn set_label(&mut self, app: &AppName, person: &PersonId, label: Option<&Label>) -> Result<(), LedgerFault>;

    /// Remembers an account by a person's word, and in the same step forgets what kept the person: both or nothing.
    fn tie(&mut self, app: &AppName, known: &KnownAccount) -> Result<(), LedgerFault>;
}
