//! One test binary.

mod props;
mod sim;
mod support;
mod tidy;
