//! The engine: the ports, and the cycle that runs over them.

pub mod ports;
