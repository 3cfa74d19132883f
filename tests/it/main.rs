//! One test binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at the first surprise")]

mod cli;
mod props;
mod sim;
mod support;
mod tidy;
