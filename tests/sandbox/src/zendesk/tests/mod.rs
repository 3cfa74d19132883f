//! Replays the recorded answers and the rules, over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on ends")]

mod client;
mod control;
mod groups;
mod identities;
mod jobs;
mod limits;
mod login;
mod organizations;
mod roles;
mod users;
