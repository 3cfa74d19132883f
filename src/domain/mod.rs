//! The rules, pure: no I/O, no clock, no chance, no async, no logging, no serialisation.
//!
//! Same inputs, same answers, byte for byte. Time comes in as an argument.

pub mod account;
pub mod account_state;
pub mod assignment;
pub mod brake;
pub mod change;
pub mod deed;
pub mod dn;
pub mod edit;
pub mod entry;
pub mod id;
pub mod image;
pub mod keep;
pub mod lease;
pub mod mapping;
pub mod outcome;
pub mod pause;
pub mod plan;
pub mod rules;
pub mod schedule;
pub mod scope;
pub mod server;
pub mod settings;
mod template;
pub mod trial;
