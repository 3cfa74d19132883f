//! What the tests share: in-process fakes of the five ports, the scenario, real servers, rigs of any of them, and the
//! program as a process beside the sandbox's servers.

pub mod binary;
pub mod company;
pub mod ldif;
pub mod memory;
pub mod rig;
pub mod rig_cli;
pub mod rig_desk;
pub mod rig_host;
pub mod rig_read;
pub mod rig_small;
pub mod scenario;
pub mod scenario_company;
pub mod servers;
pub mod until;
