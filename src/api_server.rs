//! Calls to the API server: how long one may take, and what its failure means.

use std::time::Duration;

use kube::core::Status;
use tokio::time::timeout;

/// How long one call to the API server may take. Shorter than what is left of a lease when its
/// holder must have renewed it, so that no write outlives the right to write.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// Why a write was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is not what was planned for: another writer was there first.
    #[error("the object has changed meanwhile: {0}")]
    Conflict(String),
    /// The object is not there.
    #[error("the object is not there: {0}")]
    NotFound(String),
    /// The API server refuses this object for good.
    #[error("the API server refuses the object: {0}")]
    Refused(String),
    /// The controller may not do this; its RBAC rules lack a verb.
    #[error("not allowed: {0}; check the ClusterRole or Role of the controller's service account")]
    Forbidden(String),
    /// The namespace is being deleted.
    #[error("the namespace is being deleted")]
    NamespaceTerminating,
    /// The API server asks to slow down.
    #[error("the API server throttles: {message}")]
    Throttled {
        /// Its own words.
        message: String,
        /// Seconds to wait, where it says.
        retry_after: Option<u64>,
    },
    /// The API server failed to handle the write.
    #[error("the API server failed: {0}")]
    ServerError(String),
    /// The API server gave it up: an admission webhook or its storage does not answer. It may be performed
    /// or not.
    #[error("the API server did not handle it in time: {0}; an admission webhook may hang")]
    TimedOut(String),
    /// The API server did not answer in time, which may be the fault of this call alone.
    #[error("the API server does not answer: {0}")]
    NoAnswer(String),
    /// The API server can't be reached.
    #[error("the API server can't be reached: {0}")]
    Unreachable(String),
}

/// A call to the API server that ends in time.
///
/// # Errors
/// What its failure means.
pub async fn call<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, WriteError> {
    match timeout(CALL_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|e| classify(&e)),
        Err(_) => Err(WriteError::NoAnswer(format!(
            "no answer within {} s",
            CALL_TIMEOUT.as_secs()
        ))),
    }
}

/// What an error of the API server means for a write.
fn classify(error: &kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) => classify_status(status),
        kube::Error::SerdeError(error) => {
            WriteError::ServerError(format!("the answer is not understood: {error}"))
        }
        other => WriteError::Unreachable(chain(other)),
    }
}

fn classify_status(status: &Status) -> WriteError {
    let message = status.message.clone();
    let causes = status.details.iter().flat_map(|d| &d.causes);
    match status.code {
        409 => WriteError::Conflict(message),
        404 => WriteError::NotFound(message),
        429 => WriteError::Throttled {
            message,
            retry_after: retry_after(status),
        },
        403 if causes
            .into_iter()
            .any(|c| c.reason == "NamespaceTerminating") =>
        {
            WriteError::NamespaceTerminating
        }
        // Only the authorizer names the user; what else says 403 is admission: a quota, a policy.
        401 => WriteError::Forbidden(message),
        403 if message.contains("is forbidden: User \"") => WriteError::Forbidden(message),
        400..=499 => WriteError::Refused(message),
        // etcd's limits, which the API server passes on as failures of its own.
        500 if ["request is too large", "larger than max"]
            .iter()
            .any(|limit| message.contains(limit)) =>
        {
            WriteError::Refused(message)
        }
        504 => WriteError::TimedOut(message),
        // A webhook with a shorter time of its own.
        500 if message.contains("failed calling webhook")
            && message.contains("context deadline exceeded") =>
        {
            WriteError::TimedOut(message)
        }
        _ => WriteError::ServerError(message),
    }
}

/// How many seconds the API server asks to wait, where it says.
pub(crate) fn retry_after(status: &Status) -> Option<u64> {
    let details = status.details.as_ref();
    details
        .map(|d| u64::from(d.retry_after_seconds))
        .filter(|s| *s > 0)
}

/// An error with its causes: kube's outermost message alone says little.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
#[path = "api_server_tests.rs"]
mod tests;
