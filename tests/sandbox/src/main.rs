//! The `sandbox` command: serves a Zendesk or a directory until it is ended.

use clap::{Parser, Subcommand};

/// A strict stand-in for Zendesk and for a directory server.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    server: Server,
}

#[derive(Subcommand)]
enum Server {
    /// A stateful Zendesk account over HTTP.
    Zendesk(sandbox::zendesk::Args),
    /// An LDAP server that holds one LDIF file.
    Directory(sandbox::directory::Args),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    match Cli::parse().server {
        Server::Zendesk(args) => sandbox::zendesk::run(args).await,
        Server::Directory(args) => sandbox::directory::run(args).await,
    }
}
