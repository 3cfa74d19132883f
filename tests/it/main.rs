//! One test binary.

mod adapters;
mod real;
mod support;
