//! The engine over fakes in memory, on a virtual clock: told scenarios, and generated histories with an oracle.

mod events;
mod oracle;
mod reference;
pub mod rig;
mod rng;
mod seeds;
mod stories;
mod undoing;
mod world;
