//! HTTP that can only GET, and what is shared with the requests for credentials (`credentials::issuers`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Certificate, ClientBuilder, RequestBuilder, Response, redirect};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::endpoint::{AllowedEndpoints, Endpoint};
use super::error::CloudError;
use super::reason::Reason;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may be silent.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// A request that has ended, for metrics.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Which, e.g. `ListPools`.
    pub operation: &'static str,
    /// The HTTP status, or `timeout`, `connect`, `error` where there was none.
    pub code: String,
    /// Until the head of the answer was read.
    pub duration: Duration,
}

/// Is told of each request.
pub type Observer = Arc<dyn Fn(&Observation) + Send + Sync>;

/// How to reach the cloud.
#[derive(Clone)]
pub struct HttpOptions {
    /// PEM files whose certificates are trusted beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// The hosts that may be asked.
    pub allowed: AllowedEndpoints,
    /// Is told of each request.
    pub observer: Observer,
    /// How long a connection may take to be made, its encryption included; 10 s by default.
    pub connect_timeout: Duration,
    /// How long an answer may be silent; 60 s by default.
    pub read_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            allowed: AllowedEndpoints::default(),
            observer: Arc::new(|_| {}),
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
        }
    }
}

/// Connections to the cloud, shared by all sources. It has no way to send anything but a GET: that
/// the cloud is never touched does not rest on anybody's care.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    allowed: Arc<AllowedEndpoints>,
    observer: Observer,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Sets up connections. `HTTPS_PROXY` and `NO_PROXY` hold.
    ///
    /// # Errors
    /// A file of certificates that can't be read, or none in it.
    pub fn new(options: HttpOptions) -> Result<Self, String> {
        let client = client_builder(&options)?
            .build()
            .map_err(|e| format!("failed to set up the HTTP client: {}", chain(&e)))?;
        Ok(Self {
            client,
            allowed: Arc::new(options.allowed),
            observer: options.observer,
        })
    }

    /// # Errors
    /// Where `endpoint` is none of those that may be asked. To be called before anything is signed.
    pub(super) fn check(
        &self,
        operation: &'static str,
        endpoint: &Endpoint,
    ) -> Result<(), CloudError> {
        check(&self.allowed, operation, endpoint)
    }

    /// Gets `url`, whose bytes are sent as they are.
    pub(super) async fn get(
        &self,
        operation: &'static str,
        url: reqwest::Url,
        headers: HeaderMap,
    ) -> Result<Response, CloudError> {
        let request = self.client.get(url).headers(headers);
        send(operation, &self.observer, request).await
    }
}

/// What all connections to the cloud have in common.
pub(super) fn client_builder(options: &HttpOptions) -> Result<ClientBuilder, String> {
    // Already installed by another part of the program: the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut certificates = Vec::new();
    for path in &options.ca_files {
        let read = certificates_of(path)
            .map_err(|problem| format!("--ca-file {}: {problem}", path.display()))?;
        certificates.extend(read);
    }
    Ok(reqwest::Client::builder()
        .tls_certs_merge(certificates)
        .user_agent(concat!(
            "modelarts-pool-controller/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout))
}

/// # Errors
/// Where `endpoint` is none of those that may be asked.
pub(super) fn check(
    allowed: &AllowedEndpoints,
    operation: &'static str,
    endpoint: &Endpoint,
) -> Result<(), CloudError> {
    if allowed.allow(endpoint) {
        return Ok(());
    }
    let message = format!("the controller does not send credentials to {endpoint}");
    Err(CloudError::new(
        operation,
        Reason::EndpointRefused,
        &message,
    ))
}

/// Sends `request` and tells `observer` how that went.
pub(super) async fn send(
    operation: &'static str,
    observer: &Observer,
    request: RequestBuilder,
) -> Result<Response, CloudError> {
    let begun = Instant::now();
    let answer = request.send().await;
    let code = match &answer {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) if error.is_timeout() => "timeout".to_owned(),
        Err(error) if error.is_connect() => "connect".to_owned(),
        Err(_) => "error".to_owned(),
    };
    observer(&Observation {
        operation,
        code,
        duration: begun.elapsed(),
    });
    answer.map_err(|error| unavailable(operation, &error))
}

/// At most `max` bytes of a body, from its beginning; what can't be read is missing.
pub(super) async fn beginning(mut response: Response, max: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= max {
            body.truncate(max);
            break;
        }
    }
    body
}

/// The certificates in a PEM file. Each is checked here, where the file's name is known.
fn certificates_of(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|e| format!("failed to read it: {e}"))?;
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|e| format!("it is no PEM: {e}"))?;
        RootCertStore::empty()
            .add(der.clone())
            .map_err(|e| format!("one of its certificates can't be trusted: {e}"))?;
        certificates.push(Certificate::from_der(&der).map_err(|e| chain(&e))?);
    }
    if certificates.is_empty() {
        return Err("it has no certificate; it must be PEM".to_owned());
    }
    Ok(certificates)
}

/// The cloud can't be reached, or stopped answering.
pub(super) fn unavailable(operation: &'static str, error: &reqwest::Error) -> CloudError {
    let what = if error.is_timeout() {
        "no answer in time: "
    } else {
        ""
    };
    CloudError::new(
        operation,
        Reason::CloudUnavailable,
        &format!("{what}{}", chain(error)),
    )
}

/// An error with its causes: reqwest's outermost message alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
