//! The report: the audit record of what was done, to whom, why; not the log.
//!
//! [`journal`] appends to it, [`query`], [`follow`] and [`verify`] read it, [`render`] shows it. It is made from notices
//! of the engine and decides nothing. What a directory sent is escaped where it is written and again where it is shown.

pub mod erase;
pub mod escape;
mod files;
pub mod follow;
mod head;
pub mod journal;
pub mod query;
pub mod record;
pub mod render;
mod rotate;
pub mod verify;

#[cfg(test)]
mod tests;

pub use journal::{Journal, Salts};
pub use query::{Filter, Found, QueryFault, search};
pub use record::ReportRecord;
