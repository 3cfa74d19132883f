//! The `zendesk-dirsync` command.
fn main() {}
