//! Serves `/metrics`, `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::health::Health;
use super::metrics::Metrics;

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
            get(async move || {
                let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, content_type)], metrics.encode())
            }),
        );
    axum::serve(listener, router).await
}

fn probe(answer: Result<(), String>) -> impl IntoResponse {
    match answer {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
