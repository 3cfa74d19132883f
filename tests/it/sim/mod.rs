//! The engine over fakes in memory, on a virtual clock: told scenarios, and generated histories with an oracle.

mod arrive;
mod churn;
mod company;
mod faults;
mod hands;
mod mistakes;
mod oracle;
mod orders;
mod person;
#[cfg(feature = "planted")]
mod planted;
mod reference;
pub mod rig;
mod rng;
mod seeds;
mod stories;
mod undoing;
mod world;
