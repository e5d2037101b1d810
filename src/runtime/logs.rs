//! Logs: one line an event on standard error, as text or JSON.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log of this process. `level` is a filter, e.g. `info` or `info,kube=debug`.
///
/// # Errors
/// Where the filter can't be parsed.
pub fn start(format: LogFormat, level: &str) -> Result<(), ParseError> {
    // kube logs each failed request as an error of its own; what it means is said by those who made it.
    let filter = EnvFilter::try_new(format!("kube_client=off,{level}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start, as tests make it, keeps the first.
    let _ = match format {
        LogFormat::Text => registry
            .with(layer.with_ansi(std::io::stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}
