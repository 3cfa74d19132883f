//! What the tests share: in-process fakes of the five ports, and the program as a process beside the sandbox's servers.

pub mod binary;
pub mod company;
pub mod memory;
pub mod rig_cli;
pub mod until;
