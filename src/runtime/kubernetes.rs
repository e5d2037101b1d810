//! The client of the API server.

use std::time::Duration;

use kube::{Client, Config};

/// How long a connection may be silent. Longer than a watch lasts, so that a quiet watch is not cut,
/// and bounded, so that a half-open connection is.
const READ_TIMEOUT: Duration = Duration::from_secs(130);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects as kubectl does: by the kubeconfig, else as a pod.
///
/// # Errors
/// What is missing, and what to do.
pub async fn client() -> Result<Client, String> {
    let mut config = Config::infer().await.map_err(|e| {
        format!("failed to find the API server: {e}; set KUBECONFIG, or run in a pod with a service account")
    })?;
    config.read_timeout = Some(READ_TIMEOUT);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.reset_reader_on_write = true;
    // Each call has its own time and each failure its own pace; a retry below would hide both.
    config.default_retry = false;
    Client::try_from(config)
        .map_err(|e| format!("failed to set up the client of the API server: {e}"))
}
