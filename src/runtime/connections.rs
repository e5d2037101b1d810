//! What each request to the API server goes through, beside kube's own client: dead connections are left
//! behind, and how long the server asks to wait is handed on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;
use tower::{BoxError, Service, service_fn};

type Request = axum::http::Request<Body>;
type Response = axum::http::Response<Body>;

/// Builds a client for `config` that leaves dead connections behind.
///
/// # Errors
/// What is wrong with the configuration.
pub(super) fn builder(
    config: Config,
) -> kube::Result<
    ClientBuilder<
        impl Service<Request, Response = Response, Error = BoxError, Future: Send> + Send + 'static,
    >,
> {
    let namespace = config.default_namespace.clone();
    let current = Mutex::new((0, Client::try_from(config.clone())?));
    let connections = Arc::new(Connections { config, current });
    let send = service_fn(move |request| send(connections.clone(), request));
    Ok(ClientBuilder::new(send, namespace))
}

/// The connections in use. A router or a server that vanishes closes none of them: each would swallow a
/// request until its time is over, one after the other. kube sets no keepalive on them.
struct Connections {
    config: Config,
    /// kube's client, which keeps them, and its number.
    current: Mutex<(u64, Client)>,
}

impl Connections {
    fn current(&self) -> MutexGuard<'_, (u64, Client)> {
        // Each change is one assignment: a panic elsewhere leaves nothing half done.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes new connections from now on. What is under way on the old ones goes on.
    fn renew(&self, number: u64) {
        let mut current = self.current();
        // Requests that were under way together end together.
        if current.0 != number {
            return;
        }
        match Client::try_from(self.config.clone()) {
            Ok(client) => *current = (number + 1, client),
            Err(error) => {
                tracing::warn!(%error, "failed to take new connections to the API server");
            }
        }
    }
}

/// A request that is under way. Dropped before its answer, since nobody would wait any longer, it takes
/// its connection, and all that may have gone with that, for dead.
struct UnderWay<'a> {
    connections: &'a Connections,
    number: u64,
    answered: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.connections.renew(self.number);
        }
    }
}

async fn send(connections: Arc<Connections>, request: Request) -> Result<Response, BoxError> {
    let (number, client) = connections.current().clone();
    let mut under_way = UnderWay {
        connections: &connections,
        number,
        answered: false,
    };
    let answer = client.send(request).await;
    under_way.answered = true;
    answer.map(with_retry_after).map_err(|error| match error {
        // Or else a message would say it twice.
        kube::Error::Service(error) => error,
        other => other.into(),
    })
}

/// An answer of the API server's flow control says how long to wait in a header alone, and kube hands on
/// no headers: it is told where the API server's other answers tell it.
fn with_retry_after(response: Response) -> Response {
    let is_status = |headers: &HeaderMap| {
        let type_ = headers.get(CONTENT_TYPE).and_then(|t| t.to_str().ok());
        type_.is_some_and(|t| t.contains("json"))
    };
    let seconds = |headers: &HeaderMap| {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
        value.parse::<u32>().ok()
    };
    let headers = response.headers();
    if response.status() != StatusCode::TOO_MANY_REQUESTS || is_status(headers) {
        return response;
    }
    let Some(seconds) = seconds(headers) else {
        return response;
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 429, "reason": "TooManyRequests",
        "message": format!("too many requests; asked to wait {seconds} s"),
        "details": {"retryAfterSeconds": seconds},
    });
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let json = HeaderValue::from_static("application/json");
    parts.headers.insert(CONTENT_TYPE, json);
    Response::from_parts(parts, status.to_string().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use axum::Router;
    use axum::extract::ConnectInfo;
    use axum::http::HeaderName;
    use k8s_openapi::api::core::v1::Secret;
    use kube::Api;
    use tokio::time::timeout;

    use super::*;
    use crate::runtime::kubernetes::client_of_played;

    async fn secrets_at(router: Router) -> Api<Secret> {
        Api::namespaced(client_of_played(router).await, "ns")
    }

    /// What flow control answers, what other parts of the API server do, and neither.
    #[tokio::test]
    async fn how_long_to_wait_is_told() {
        let status = r#"{"kind": "Status", "status": "Failure", "code": 429, "message": "storage", "details": {"retryAfterSeconds": 1}}"#;
        for (code, retry_after, type_, body, told, words) in [
            (
                429,
                "7",
                "text/plain; charset=utf-8",
                "Too many requests, please try again later.\n",
                Some(7),
                "asked to wait 7 s",
            ),
            (429, "7", "application/json", status, Some(1), "storage"),
            (429, "tomorrow", "text/plain", "no", None, "no"),
            (503, "7", "text/plain", "not now", None, "not now"),
        ] {
            let headers = [(RETRY_AFTER, retry_after), (CONTENT_TYPE, type_)]
                .map(|(n, v): (HeaderName, _)| (n, v.to_owned()));
            let code = StatusCode::from_u16(code).expect("a status");
            let answer = move || {
                let headers = headers.clone();
                async move { (code, headers, body) }
            };
            let secrets = secrets_at(Router::new().fallback(answer)).await;
            let error = secrets.get("keys").await.expect_err("a refusal");
            let kube::Error::Api(status) = error else {
                panic!("{error:?}")
            };
            assert_eq!(status.code, code.as_u16());
            let seconds = status
                .details
                .as_ref()
                .map(|d| d.retry_after_seconds)
                .filter(|s| *s > 0);
            assert_eq!(seconds, told, "{status:?}");
            assert!(status.message.contains(words), "{status:?}");
        }
    }

    /// Two connections are open and die: only the first request notices.
    #[tokio::test]
    async fn dead_connections_cost_one_request() {
        let (dead, known) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(HashSet::new())),
        );
        let both = Arc::new(tokio::sync::Barrier::new(2));
        let is_dead = dead.clone();
        let answer = move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
            let (is_dead, known, both) = (is_dead.clone(), known.clone(), both.clone());
            async move {
                let is_new = known.lock().expect("no panic").insert(peer);
                if is_dead.load(Ordering::SeqCst) {
                    if !is_new {
                        std::future::pending::<()>().await;
                    }
                } else {
                    // Together, so that they need two.
                    both.wait().await;
                }
                json!({"metadata": {"name": "keys"}}).to_string()
            }
        };
        let secrets = secrets_at(Router::new().fallback(answer)).await;
        let (one, two) = tokio::join!(secrets.get("keys"), secrets.get("keys"));
        assert!(one.is_ok() && two.is_ok());
        dead.store(true, Ordering::SeqCst);
        let short = Duration::from_millis(200);
        assert!(timeout(short, secrets.get("keys")).await.is_err());
        secrets.get("keys").await.expect("a new connection");
    }
}
