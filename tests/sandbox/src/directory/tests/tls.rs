//! LDAPS and StartTLS with the throwaway authority.

use std::sync::Arc;

use ldap3::LdapConnSettings;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::super::{TlsDir, TlsMode};
use super::*;

fn trusting(pem: Option<&str>) -> LdapConnSettings {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.unwrap_or_default().as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    LdapConnSettings::new().set_config(Arc::new(config))
}

async fn server(mode: TlsMode, name: &str) -> Running {
    let dir = std::env::temp_dir().join(format!("sandbox-directory-{}-{name}", std::process::id()));
    let mut options = Options::new(Kind::Openldap, tree(&person("ann")));
    options.tls = Some(TlsDir { dir, mode });
    options.require_tls = true;
    start(any_port(), options).await.unwrap()
}

async fn reads(settings: LdapConnSettings, server: &Running, url: &str) {
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, url).await.unwrap();
    ldap3::drive!(connection);
    ldap.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().success().unwrap();
    assert_eq!(pages(&mut ldap, "(uid=*)", 10).await.0.len(), 1);
}

#[tokio::test]
async fn ldaps_is_trusted_through_the_written_authority() {
    let server = server(TlsMode::Ldaps, "ldaps").await;
    assert!(server.url().starts_with("ldaps://localhost:"));
    let written = std::fs::read_to_string(server.ca_path().unwrap()).unwrap();
    assert_eq!(Some(written.as_str()), server.ca_pem());
    reads(trusting(Some(&written)), &server, &server.url()).await;
    reads(trusting(Some(&written)), &server, &format!("ldaps://{}", server.address())).await;
    assert!(LdapConnAsync::with_settings(trusting(None), &server.url()).await.is_err());
    std::fs::remove_dir_all(server.ca_path().unwrap().parent().unwrap()).unwrap();
}

#[tokio::test]
async fn starttls_turns_a_plain_connection_into_a_protected_one() {
    let server = server(TlsMode::StartTls, "starttls").await;
    assert_eq!(connect(&server).await.simple_bind(&server.svc_dn(), "svcpw").await.unwrap().rc, 13);
    reads(trusting(server.ca_pem()).set_starttls(true), &server, &server.url()).await;
    assert!(LdapConnAsync::with_settings(trusting(None).set_starttls(true), &server.url()).await.is_err());
    std::fs::remove_dir_all(server.ca_path().unwrap().parent().unwrap()).unwrap();

    let plain = openldap("").await;
    assert!(LdapConnAsync::with_settings(trusting(None).set_starttls(true), &plain.url()).await.is_err());
}
