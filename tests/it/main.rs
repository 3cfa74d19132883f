//! One test binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at the first surprise")]

mod adapters;
mod cli;
mod props;
mod real;
mod sim;
mod support;
mod tidy;
