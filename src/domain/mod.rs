//! The rules, pure: no I/O, no clock, no chance, no async, no logging, no serialisation.
//!
//! Same inputs, same answers, byte for byte. Time comes in as an argument.

pub mod account_state;
pub mod assignment;
pub mod dn;
pub mod entry;
pub mod id;
pub mod mapping;
