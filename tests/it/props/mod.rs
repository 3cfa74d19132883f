//! Properties of the pure parts, over generated input.
