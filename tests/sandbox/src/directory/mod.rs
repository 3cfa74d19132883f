//! The directory side of the sandbox: an LDAP server on the wire that holds one LDIF file.
//!
//! It is scripted, not complete: no schema, no SASL, no replication. Where AD and OpenLDAP differ it does as the
//! chosen [`Kind`] does; the sources are RFC 4511 to 4533, MS-ADTS, and what slapd 2.5 and Samba 4.17 were seen to do.

mod ber;
mod clock;
mod controls;
mod delete;
mod dn;
mod faults;
mod filter;
mod identity;
mod ldif;
mod load;
mod log;
mod matching;
mod message;
mod rights;
mod root_dse;
mod schema;
mod search;
mod server;
mod session;
mod sid;
mod store;
#[cfg(test)]
mod tests;
mod tls;
mod view;
mod write;

use std::io::{self, Write as _};
use std::path::PathBuf;

pub use faults::{Do, Fault, Op};
pub use ldif::LdifError;
pub use load::ApplyError;
pub use message::Scope;
pub use server::{Backup, Running, start};
pub use store::{Change, ChangeKind};

/// The server that the sandbox stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Windows Server or Samba.
    #[value(name = "active-directory")]
    ActiveDirectory,
    /// slapd with the memberof and refint overlays.
    #[value(name = "openldap")]
    Openldap,
}

/// How TLS is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte.
    Ldaps,
    /// On a plain port, by the StartTLS operation.
    StartTls,
}

/// Where the certificate authority goes, and how TLS is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsDir {
    /// The directory for `ca.pem`; made if it is missing.
    pub dir: PathBuf,
    /// LDAPS or StartTLS.
    pub mode: TlsMode,
}

/// What the server holds and how it behaves; [`Options::new`] has each kind's defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// The content, as LDIF text (RFC 2849).
    pub ldif: String,
    /// The server to stand in for.
    pub kind: Kind,
    /// The domain or suffix; absent means the shortest name in the LDIF.
    pub base: Option<String>,
    /// TLS with a throwaway authority; absent means plain LDAP.
    pub tls: Option<TlsDir>,
    /// Faults from the start.
    pub faults: Vec<Fault>,
    /// The most entries a page may have; AD's MaxPageSize.
    pub max_page: Option<usize>,
    /// The most entries of a search that is not paged; beyond it the result is 4.
    pub size_limit: Option<usize>,
    /// The most values of an attribute in one answer; AD's MaxValRange.
    pub max_values: Option<usize>,
    /// Whether "Who am I?" is answered; Samba has no such operation.
    pub who_am_i: bool,
    /// Whether OpenLDAP keeps references right when an entry is renamed or deleted; AD always does.
    pub refint: bool,
    /// Whether memberOf is computed; without it, it is stored as given.
    pub member_of: bool,
    /// Whether AD names its other naming context in searches at the top of the domain.
    pub references: bool,
    /// Whether a bind without TLS is refused.
    pub require_tls: bool,
}

impl Options {
    /// The defaults of a kind, with this content.
    pub fn new(kind: Kind, ldif: impl Into<String>) -> Self {
        let is_ad = kind == Kind::ActiveDirectory;
        let only_ad = |limit| is_ad.then_some(limit);
        Self {
            ldif: ldif.into(),
            kind,
            base: None,
            tls: None,
            faults: Vec::new(),
            // The defaults of AD's LDAP policies (MS-ADTS 3.1.1.3.4.6).
            max_page: only_ad(1000),
            size_limit: only_ad(1000),
            max_values: only_ad(1500),
            who_am_i: true,
            refint: true,
            member_of: true,
            references: is_ad,
            require_tls: false,
        }
    }
}

impl Default for Options {
    /// An OpenLDAP server that holds `dc=example,dc=org` alone.
    fn default() -> Self {
        Self::new(Kind::Openldap, "dn: dc=example,dc=org\nobjectClass: domain\ndc: example\n")
    }
}

/// One operation as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The connection, from 1.
    pub connection: u64,
    /// bind, search, modify, add, delete, modrdn, compare, extended.
    pub op: String,
    /// The identity at that time, as Who am I gives it; empty for anonymous.
    pub who: String,
    /// The base, the target, the bind name, or the extended operation's identifier.
    pub base: String,
    /// For a search.
    pub scope: Option<Scope>,
    /// For a search, as RFC 4515 text.
    pub filter: String,
    /// The attributes asked for or written.
    pub attributes: Vec<String>,
    /// The identifiers of the request's controls.
    pub controls: Vec<String>,
    /// The result code; absent if none was sent.
    pub result: Option<u32>,
    /// For a search, how many entries were sent.
    pub entries: usize,
}

/// The command line of `sandbox directory`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: std::net::SocketAddr,
    /// The content.
    #[arg(long, value_name = "FILE")]
    pub ldif: PathBuf,
    /// The server to stand in for.
    #[arg(long, value_enum, default_value_t = Kind::Openldap)]
    pub kind: Kind,
    /// Serve LDAPS with a throwaway authority, whose ca.pem goes to this directory.
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// With --tls: serve plain LDAP with StartTLS instead of LDAPS.
    #[arg(long, requires = "tls")]
    pub starttls: bool,
    /// Faults as a JSON list.
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// AD: leave out the references to other naming contexts.
    #[arg(long)]
    pub no_references: bool,
}

/// Serves until SIGTERM or SIGINT; the first line on stdout is `listening URL`.
///
/// # Errors
///
/// Files that can't be read or are wrong, and an address that can't be had.
pub async fn run(args: Args) -> io::Result<()> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .map_err(|fault| io::Error::new(fault.kind(), format!("{}: {fault}", path.display())))
    };
    let mut options = Options::new(args.kind, read(&args.ldif)?);
    options.references &= !args.no_references;
    let mode = if args.starttls { TlsMode::StartTls } else { TlsMode::Ldaps };
    options.tls = args.tls.map(|dir| TlsDir { dir, mode });
    if let Some(path) = &args.faults {
        options.faults = Fault::list(&read(path)?).map_err(io::Error::other)?;
    }
    let running = start(args.listen, options).await?;
    {
        let mut out = io::stdout().lock();
        writeln!(out, "listening {}", running.url())?;
        out.flush()?;
    }
    stopped().await?;
    running.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn stopped() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn stopped() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
