//! The part of the store that remembers the servers of each directory: which tree is managed, and how far its data were.

use crate::domain::id::{AppName, DirectoryName};
use crate::domain::server::Acquaintance;

use super::LedgerFault;

/// What the store remembers of servers.
pub trait ServerLedger {
    /// What is remembered of a directory's servers; nothing before its first complete read.
    fn acquaintance(&self, directory: &DirectoryName) -> Result<Option<Acquaintance>, LedgerFault>;

    /// Remembers a directory's servers, or forgets them.
    fn acquaint(&mut self, directory: &DirectoryName, known: Option<&Acquaintance>) -> Result<(), LedgerFault>;

    /// Notes that an app's directory is read from another server by a person's word: everything of it waits until a cycle
    /// of it is accepted anew.
    fn redirect(&mut self, app: &AppName) -> Result<(), LedgerFault>;
}
