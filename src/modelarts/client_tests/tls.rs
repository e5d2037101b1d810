//! `--ca-file`: certificates that are trusted beside the system's.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::loopback::{Loopback, Script};
use super::*;

/// A server whose certificate is from an authority that nobody knows, and the authority's
/// certificate in a file.
pub(super) struct Server {
    pub(super) loopback: Loopback,
    directory: tempfile::TempDir,
    ca_file: PathBuf,
}

impl Server {
    pub(super) async fn start() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
                .expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .expect("a name")
            .signed_by(&key, &authority)
            .expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let directory = tempfile::tempdir().expect("a directory");
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).expect("a file");
        Self {
            loopback: Loopback::start_with(Script::ok(r#"{"items":[]}"#), Some(acceptor)).await,
            directory,
            ca_file,
        }
    }
}

fn with_ca(ca_files: &[&PathBuf]) -> HttpOptions {
    HttpOptions {
        ca_files: ca_files.iter().map(|&path| path.clone()).collect(),
        ..options()
    }
}

#[tokio::test]
async fn an_authority_is_trusted_where_it_is_named() {
    let server = Server::start().await;
    let url = format!("https://{}", server.loopback.address);
    let stranger = Server::start().await;
    for (ca_files, trusted) in [
        (vec![], false),
        (vec![&stranger.ca_file], false),
        (vec![&server.ca_file], true),
        (vec![&stranger.ca_file, &server.ca_file], true),
    ] {
        let client = client(&url, key("AK", "SK", None), with_ca(&ca_files));
        let answer = listed(&client, &all()).await;
        assert_eq!(answer.is_ok(), trusted, "{answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.reason(), Reason::CloudUnavailable);
            assert!(error.message.contains("certificate"), "{error}");
            assert_eq!(server.loopback.heads().len(), 0, "no request was sent");
        }
    }
    // A name that the certificate does not have.
    let url = format!("https://localhost:{}", server.loopback.address.port());
    let client = client(&url, key("AK", "SK", None), with_ca(&[&server.ca_file]));
    let sent = server.loopback.heads().len();
    listed(&client, &all()).await.expect_err("another host");
    assert_eq!(server.loopback.heads().len(), sent);
}

#[tokio::test]
async fn a_file_without_certificates_is_an_error_that_names_it() {
    let server = Server::start().await;
    let file = |name: &str, text: &str| {
        let path = server.directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let missing = server.directory.path().join("missing.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for path in [
        missing,
        file("empty.pem", ""),
        file("text.pem", "no certificate"),
        file("broken.pem", broken),
    ] {
        let error = HttpClient::new(with_ca(&[&server.ca_file, &path])).expect_err("an error");
        assert!(error.contains("--ca-file"), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
