//! Serves `/metrics`, `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::health::Health;
use super::metrics::{Metrics, OPENMETRICS, PROMETHEUS};

/// Binds `address`. Where it names all IPv6 addresses and IPv6 is off, all IPv4 ones.
///
/// # Errors
/// What can't be bound, and why.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let ipv6_is_off = error.raw_os_error() == Some(97); // EAFNOSUPPORT
    if address.is_ipv6() && address.ip().is_unspecified() && ipv6_is_off {
        let ipv4 = SocketAddr::from(([0, 0, 0, 0], address.port()));
        return TcpListener::bind(ipv4)
            .await
            .map_err(|e| format!("failed to listen on {ipv4}: {e}; set --listen"));
    }
    Err(format!(
        "failed to listen on {address}: {error}; set --listen to another address or port"
    ))
}

/// Serves for ever.
///
/// # Errors
/// Where accepting connections fails for good.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let (live, ready) = (health.clone(), health);
    let router = Router::new()
        .route(
            "/livez",
            get(async move || probe(live.live(Instant::now()))),
        )
        .route("/readyz", get(async move || probe(ready.ready())))
        .route(
            "/metrics",
            get(async move |headers: HeaderMap| {
                let (content_type, text) = if accepts_openmetrics(&headers) {
                    (OPENMETRICS, metrics.encode())
                } else {
                    (PROMETHEUS, metrics.encode_for_prometheus())
                };
                ([(header::CONTENT_TYPE, content_type)], text)
            }),
        );
    axum::serve(listener, router).await
}

/// Whether a scraper names `OpenMetrics` among what it reads.
fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter();
    let mut words = accept.filter_map(|value| value.to_str().ok());
    words.any(|words| words.contains("application/openmetrics-text"))
}

fn probe(answer: Result<(), String>) -> impl IntoResponse {
    match answer {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
