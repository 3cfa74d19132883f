//! A strict stand-in for Zendesk and for a directory server, for tests and the quickstart.
//!
//! It is not part of the product. Each rule in it names the fact it stands for.

pub mod directory;
pub mod zendesk;
