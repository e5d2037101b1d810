//! The end: SIGTERM or SIGINT, once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Turns true at the first signal.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Ready when the signal has come.
    pub async fn wait(mut self) {
        // An error means that the sender is gone, and with it the task that waits for signals.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A handle to wait with, and the task that waits for the signals: it must be awaited or polled
/// beside the work, and ends after the first signal.
///
/// # Errors
/// Where signals can't be waited for.
pub fn on_signals() -> std::io::Result<(Shutdown, impl Future<Output = ()>)> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let task = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        sender.send_replace(true);
        // Kept open: a handle that is asked later must still see the signal.
        sender.closed().await;
    };
    Ok((Shutdown(receiver), task))
}
