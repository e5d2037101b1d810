//! The client of the API server.

use std::time::Duration;

use axum::http::{Method, Request};
use kube::client::Body;
use kube::{Client, Config};
use reqwest::header::{self, HeaderValue};
use tower::BoxError;
use tower::filter::FilterLayer;

use super::connections;
use super::lease::{Leadership, NotLeading};

/// How long a connection may be silent. Longer than a watch lasts, so that a quiet watch is not cut,
/// and bounded, so that a half-open connection is.
const READ_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a watch lasts before it is begun again, in seconds. Short: a watch on a connection that is
/// half open shows nothing, and the end that does not come is all by which to tell.
pub const WATCH_SECONDS: u32 = 30;
/// How an audit log names this program.
const USER_AGENT: &str = concat!("modelarts-pool-controller/", env!("CARGO_PKG_VERSION"));

/// Finds the API server as kubectl does: by the kubeconfig, else as a pod.
///
/// # Errors
/// What is missing, and what to do.
pub async fn config() -> Result<Config, String> {
    let config = Config::infer().await.map_err(|e| {
        format!("failed to find the API server: {e}; set KUBECONFIG, or run in a pod with a service account")
    })?;
    Ok(configured(config))
}

/// Connects to the API server that [`config`] finds.
///
/// # Errors
/// What is missing, and what to do.
pub async fn client() -> Result<Client, String> {
    client_of(config().await?)
}

/// A client with connections of its own.
///
/// # Errors
/// What of `config` can't be used.
pub fn client_of(config: Config) -> Result<Client, String> {
    let builder = connections::builder(config).map_err(|e| unusable(&e))?;
    Ok(builder.build())
}

/// The same, which sends a request that may change something only while this replica may write. Any
/// other ends with [`NotLeading`].
///
/// Asked here and not where a write is decided: a process may be stopped for a while at any point
/// between the two, and one write is of two requests.
///
/// # Errors
/// What of `config` can't be used.
pub fn client_of_leader(config: Config, leadership: Leadership) -> Result<Client, String> {
    let check = move |request: Request<Body>| {
        if request.method() == Method::GET || leadership.term().is_some() {
            Ok(request)
        } else {
            Err(BoxError::from(NotLeading))
        }
    };
    let builder = connections::builder(config).map_err(|e| unusable(&e))?;
    Ok(builder.with_layer(&FilterLayer::new(check)).build())
}

fn unusable(error: &kube::Error) -> String {
    format!("failed to set up the client of the API server: {error}")
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

/// A client of an API server that `router` plays.
#[cfg(test)]
pub(crate) async fn client_of_played(router: axum::Router) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = configured(Config::new(url.parse().expect("a URL")));
    client_of(config).expect("a client")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread::JoinHandle;

    use k8s_openapi::api::core::v1::Secret;
    use kube::Api;
    use kube::api::{DeleteParams, Patch, PatchParams, PostParams};

    use super::*;

    /// An API server that answers 503 and remembers the heads of the requests, in lower case.
    struct Unavailable {
        address: SocketAddr,
        server: JoinHandle<Vec<String>>,
    }

    impl Unavailable {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
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
            Self { address, server }
        }

        fn config(&self) -> Config {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let url = format!("http://{}", self.address).parse().expect("a URL");
            configured(Config::new(url))
        }

        fn requests(self) -> Vec<String> {
            let mut end = TcpStream::connect(self.address).expect("a connection");
            end.write_all(b"GET /end HTTP/1.1\r\n\r\n").expect("sent");
            self.server.join().expect("the server")
        }
    }

    /// Every call has its own time and pace: a retry in the client would add minutes to both.
    #[tokio::test]
    async fn a_request_is_sent_once_and_names_the_program() {
        let server = Unavailable::start();
        let client = client_of(server.config()).expect("a client");
        let api: Api<Secret> = Api::namespaced(client, "ns");
        api.get("keys").await.expect_err("unavailable");
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert!(
            requests[0].contains("user-agent: modelarts-pool-controller/"),
            "{requests:?}"
        );
    }

    #[tokio::test]
    async fn a_standby_sends_nothing_that_may_change_something() {
        for (leadership, expected) in [
            (Leadership::none(), &["get"][..]),
            (
                Leadership::unquestioned(),
                &["get", "post", "patch", "put", "delete"],
            ),
        ] {
            let server = Unavailable::start();
            let client = client_of_leader(server.config(), leadership).expect("a client");
            let api: Api<Secret> = Api::namespaced(client, "ns");
            let (post, secret) = (PostParams::default(), Secret::default());
            let merge = Patch::Merge(serde_json::json!({}));
            let refused = [
                api.get("s").await.map(drop),
                api.create(&post, &secret).await.map(drop),
                api.patch("s", &PatchParams::default(), &merge)
                    .await
                    .map(drop),
                api.replace("s", &post, &secret).await.map(drop),
                api.delete("s", &DeleteParams::default()).await.map(drop),
            ];
            let requests = server.requests();
            let sent = requests.iter().filter_map(|r| r.split(' ').next());
            assert_eq!(sent.collect::<Vec<_>>(), expected);
            for answer in &refused[expected.len()..] {
                let error = answer.as_ref().expect_err("not sent");
                let error = crate::api_server::chain(error);
                assert!(error.contains("does not hold the lease"), "{error}");
            }
        }
    }
}
