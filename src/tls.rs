//! The one TLS configuration: which certificates are trusted, which versions are spoken.
//!
//! There is no switch that turns verification off. It knows neither LDAP nor HTTP; both sides use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// The certificates to trust can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The file can't be read, or has no certificate that can be used.
    #[error("{}: {why}: `ca_file` must be a PEM file with the CA's certificate", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system has no CA certificates.
    #[error("this system has no CA certificates ({why}): install `ca-certificates`, or set `ca_file`")]
    NoSystemCas {
        /// What the search for them said.
        why: String,
    },
    /// The provider can't speak the versions that are asked for.
    #[error("TLS can't be set up: {0}")]
    Unsupported(String),
}

/// A client configuration: TLS 1.2 and 1.3 by ring, trusting the CAs of `ca_file`, or the system's when it isn't set.
///
/// # Errors
/// When there is no CA to trust.
pub fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsFault> {
    let roots = match ca_file {
        Some(path) => roots_of_file(path)?,
        None => roots_of_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|why| TlsFault::Unsupported(why.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TlsFault> {
    let fault = |why: String| TlsFault::CaFile { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|why| fault(why.to_string()))? {
        let certificate = certificate.map_err(|why| fault(why.to_string()))?;
        roots.add(certificate).map_err(|why| fault(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("it has no certificate".to_owned()));
    }
    Ok(roots)
}

/// One certificate that can't be loaded doesn't take the others away.
fn roots_of_system() -> Result<RootCertStore, TlsFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 || !found.errors.is_empty() {
        tracing::debug!(ignored, errors = found.errors.len(), "system certificates skipped");
    }
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsFault::NoSystemCas { why });
    }
    Ok(roots)
}

/// Why a handshake refused the other side's certificate, and what to do; none when it failed for another reason.
pub fn certificate_fault(fault: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(why) = fault else {
        let missing = matches!(fault, rustls::Error::NoCertificatesPresented | rustls::Error::UnsupportedNameType);
        return missing.then(|| fault.to_string());
    };
    let text = match why {
        CertificateError::UnknownIssuer => {
            "no trusted CA signed it: give that CA's certificate in `ca_file`".to_owned()
        }
        CertificateError::NotValidForName => "it doesn't bear this name: use one that it bears".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            format!("it bears {presented}, not {}: use a name that it bears", expected.to_str())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired: renew it on the server, and check this host's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it isn't valid yet: check both hosts' clocks".to_owned()
        }
        CertificateError::BadSignature => {
            "its signature doesn't fit the CA of that name: `ca_file` may hold a former CA".to_owned()
        }
        // The rest is rare; rustls says what it is.
        other => format!("{other}: the server needs another certificate"),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fault = tls_config(Some(file.path())).unwrap_err();
        assert!(fault.to_string().contains(&file.path().display().to_string()), "{fault}");
        std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(tls_config(Some(file.path())), Err(TlsFault::CaFile { .. })));
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        assert!(matches!(tls_config(Some(Path::new("/nonexistent/ca.pem"))), Err(TlsFault::CaFile { .. })));
    }

    #[test]
    fn a_refused_certificate_says_what_to_do() {
        let told = certificate_fault(&rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)).unwrap();
        assert!(told.contains("ca_file"), "{told}");
        assert_eq!(certificate_fault(&rustls::Error::HandshakeNotComplete), None);
    }
}
