//! The client of the API server.

use std::time::Duration;

use kube::{Client, Config};
use reqwest::header::{self, HeaderValue};

/// How long a connection may be silent. Longer than a watch lasts, so that a quiet watch is not cut,
/// and bounded, so that a half-open connection is.
const READ_TIMEOUT: Duration = Duration::from_secs(130);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How an audit log names this program.
const USER_AGENT: &str = concat!("modelarts-pool-controller/", env!("CARGO_PKG_VERSION"));

/// Connects as kubectl does: by the kubeconfig, else as a pod.
///
/// # Errors
/// What is missing, and what to do.
pub async fn client() -> Result<Client, String> {
    let config = Config::infer().await.map_err(|e| {
        format!("failed to find the API server: {e}; set KUBECONFIG, or run in a pod with a service account")
    })?;
    Client::try_from(configured(config))
        .map_err(|e| format!("failed to set up the client of the API server: {e}"))
}

/// `config` with the times and the name of this program.
#[must_use]
pub fn configured(mut config: Config) -> Config {
    config.read_timeout = Some(READ_TIMEOUT);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.reset_reader_on_write = true;
    // Each call has its own time and each failure its own pace; a retry below would hide both.
    config.default_retry = false;
    let name = HeaderValue::from_static(USER_AGENT);
    config.headers.push((header::USER_AGENT, name));
    config
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use k8s_openapi::api::core::v1::Secret;
    use kube::Api;

    use super::*;

    /// Every call has its own time and pace: a retry in the client would add minutes to both.
    #[tokio::test]
    async fn a_request_is_sent_once_and_names_the_program() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && connection.read(&mut byte).is_ok_and(|n| n > 0)
                {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).to_lowercase();
                if head.starts_with("get /end") {
                    return requests;
                }
                requests.push(head);
                let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                connection.write_all(answer).expect("an answer");
            }
            requests
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{address}").parse().expect("a URL");
        let client = Client::try_from(configured(Config::new(url))).expect("a client");
        let api: Api<Secret> = Api::namespaced(client, "ns");
        api.get("keys").await.expect_err("unavailable");
        let mut end = std::net::TcpStream::connect(address).expect("a connection");
        end.write_all(b"GET /end HTTP/1.1\r\n\r\n").expect("sent");
        let requests = server.join().expect("the server");
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert!(
            requests[0].contains("user-agent: modelarts-pool-controller/"),
            "{requests:?}"
        );
    }
}
