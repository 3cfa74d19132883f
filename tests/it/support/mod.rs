//! What the tests share: in-process fakes of the five ports.

pub mod memory;
