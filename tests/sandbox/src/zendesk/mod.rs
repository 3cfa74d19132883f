//! The zendesk side of the sandbox.

/// The command line of `sandbox zendesk`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: std::net::SocketAddr,
}

/// Serves until the process ends.
pub async fn run(_args: Args) -> std::io::Result<()> {
    Ok(())
}
