//! The `zendesk-dirsync` command: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    zendesk_dirsync::cli::main()
}
