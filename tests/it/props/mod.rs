//! Properties of the pure parts, over generated input.

mod brake;
mod mail;
mod values;
