//! Rules about the sources, held by reading them.
