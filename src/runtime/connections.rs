//! What each request to the API server goes through, beside kube's own client: dead connections are left
//! behind, how long the server asks to wait is handed on, and a write says how long it is waited for.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, Uri};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{BoxError, Service, service_fn};

/// How long the API server itself may try to handle a write. Shorter than a call may take: where an admission
/// webhook hangs, it then says so of this object, and is not taken for unreachable.
const WRITE_SECONDS: u64 = 3;
/// A connection that ends this long after a write was sent was ended for its time. Less than that, since two
/// clocks do not go alike.
const OUT_OF_TIME: Duration = Duration::from_millis(1_000 * WRITE_SECONDS - 100);

/// What the kernel says where a connection is not made.
const UNREACHED: [ErrorKind; 4] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::TimedOut,
];

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
    let is_write = request.method() != Method::GET;
    let request = if is_write { bounded(request)? } else { request };
    let sent = Instant::now();
    let mut under_way = UnderWay {
        connections: &connections,
        number,
        answered: false,
    };
    let answer = client.send(request).await;
    under_way.answered = true;
    match answer {
        Ok(answer) => Ok(with_retry_after(answer)),
        // The API server often ends the connection in place of an answer: it and its handler run out of time at
        // the same moment.
        Err(error) if is_write && sent.elapsed() >= OUT_OF_TIME && !is_unreached(&error) => {
            Ok(out_of_time())
        }
        // Or else a message would say it twice.
        Err(kube::Error::Service(error)) => Err(error),
        Err(other) => Err(other.into()),
    }
}

/// Whether the request has not reached a server. The kernel says of a host that is down that there is no route to it
/// after 3 s: as long as a server takes to give up.
fn is_unreached(error: &kube::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && UNREACHED.contains(&io.kind())
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// A request that the API server gives up in time.
fn bounded(mut request: Request) -> Result<Request, BoxError> {
    let uri = request.uri();
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{separator}timeout={WRITE_SECONDS}s").parse()?);
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}

/// What the API server answers where it has the time to.
fn out_of_time() -> Response {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 504, "reason": "Timeout",
        "message": format!("the API server gave the request up after {WRITE_SECONDS} s"),
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    saying(response, &status)
}

/// An answer that says `status` in place of what it said.
fn saying(response: Response, status: &Value) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let json = HeaderValue::from_static("application/json");
    parts.headers.insert(CONTENT_TYPE, json);
    Response::from_parts(parts, status.to_string().into_bytes().into())
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
    saying(response, &status)
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
    use kube::api::{DeleteParams, Patch, PatchParams};
    use tokio::io::AsyncReadExt as _;
    use tokio::time::timeout;

    use super::*;
    use crate::runtime::kubernetes::{client_of, client_of_played, configured};

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

    /// A write says how long it may take, beside all else that it says. A connection that ends after that time
    /// was ended for it.
    #[tokio::test]
    async fn a_write_is_given_up_by_the_server() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let uris = asked.clone();
        let server = async move {
            loop {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let uris = uris.clone();
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let length = connection.read(&mut head).await.expect("a request");
                    let head = String::from_utf8_lossy(&head[..length]).into_owned();
                    let uri = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let is_late = uri.contains("late");
                    uris.lock().expect("no panic").push(uri);
                    if is_late {
                        tokio::time::sleep(Duration::from_secs(WRITE_SECONDS)).await;
                    }
                });
            }
        };
        let server = tokio::spawn(server);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = configured(Config::new(
            format!("http://{address}").parse().expect("a URL"),
        ));
        let secrets: Api<Secret> = Api::namespaced(client_of(config).expect("a client"), "ns");
        let (patch, merge) = (PatchParams::apply("m"), Patch::Merge(json!({})));
        let delete = DeleteParams::default();
        let (late, deletion, early, read) = tokio::join!(
            secrets.patch("late", &patch, &merge),
            secrets.delete("late-deletion", &delete),
            secrets.patch("early", &patch, &merge),
            secrets.get("late-read"),
        );
        server.abort();
        let answers = [
            late.map(drop),
            deletion.map(drop),
            early.map(drop),
            read.map(drop),
        ];
        let timed_out = |answer| matches!(answer, Err(kube::Error::Api(s)) if s.code == 504);
        assert_eq!(answers.map(timed_out), [true, true, false, false]);
        let mut asked = std::mem::take(&mut *asked.lock().expect("no panic"));
        asked.sort();
        let expected = [
            "/early?&fieldManager=m&timeout=3s",
            "/late-deletion?&timeout=3s",
            "/late-read",
            "/late?&fieldManager=m&timeout=3s",
        ];
        assert_eq!(
            asked,
            expected.map(|uri| format!("/api/v1/namespaces/ns/secrets{uri}"))
        );
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

    /// A host that is down is not taken for a server that gives up: the reason is found in what kube's client says.
    #[tokio::test]
    async fn a_connection_that_is_not_made_is_told_from_one_that_ends() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("http://{address}").parse().expect("a URL");
        let client = Client::try_from(configured(Config::new(url))).expect("a client");
        let secrets: Api<Secret> = Api::namespaced(client, "ns");
        let ended = async {
            let (connection, _) = listener.accept().await.expect("a connection");
            drop(connection);
            drop(listener);
        };
        let (error, ()) = tokio::join!(secrets.get("keys"), ended);
        assert!(!is_unreached(&error.expect_err("no answer")));
        let error = secrets.get("keys").await.expect_err("nobody listens");
        assert!(is_unreached(&error), "{error:?}");
    }
}
