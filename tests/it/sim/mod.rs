//! The engine over fakes in memory, on a virtual clock: told scenarios, and generated histories with an oracle.

mod cycle;
mod events;
mod oracle;
mod reference;
mod rig;
mod rng;
mod seeds;
mod world;
