//! The engine over fakes in memory, on a virtual clock: told scenarios, and generated histories with an oracle.

mod cycle;
mod rig;
