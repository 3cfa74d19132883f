//! One test binary.

mod cli;
mod support;
