//! The store: what is remembered between cycles, on sled.
//!
//! Everything sled gets is sealed with a version and a checksum ([`sealed`]), counted and hashed into a manifest
//! ([`manifest`]), and durable when a method returns ([`vault`]). [`ledger`] gives it meaning; [`open`] judges what is
//! found at a start. This module decides nothing about people: a store that can't be trusted is noticed, put aside or
//! marked, and the brake does the rest because every app is new to it again.

mod accepted;
mod brakes;
mod deeds;
mod hand;
mod images;
mod keeps;
mod keys;
mod lease;
mod ledger;
mod manifest;
mod open;
mod place;
mod records;
mod revision;
mod sealed;
mod servers;
mod vault;
mod view;

#[cfg(test)]
mod tests;

pub use ledger::SledLedger;
pub use open::{Condition, Opened};
pub use view::View;
