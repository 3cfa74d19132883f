//! The program as people and service managers use it, against the sandbox's servers.
//!
//! What was written is read from the sandbox's own record of requests and from its state, never from the product.

mod bad_configuration;
mod bad_directory;
mod bad_people;
mod bad_storage;
mod by_hand;
mod cycle;
mod daemon;
mod edits;
mod groups;
mod holds;
mod kill;
mod lease;
mod looking;
mod plan;
mod report;
mod saved;
mod secrets;
mod service_manager;
mod socket;
mod undo;
mod usage;
