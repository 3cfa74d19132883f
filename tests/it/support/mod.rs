//! What tests share.

pub mod binary;
pub mod company;
pub mod rig_cli;
pub mod until;
