//! What the log says of a pass: a line for one that failed or recovered, none for a quiet one.

use super::machine::Notice;
use super::report::PassResult;

/// Writes `notice` to the log, where a person may want to know of it.
pub(super) fn log(notice: &Notice) {
    let Notice::PassEnded {
        source,
        report,
        listing,
        whole,
        failures,
    } = notice
    else {
        return;
    };
    let listing_ms = listing.map(|l| u64::try_from(l.as_millis()).unwrap_or(u64::MAX));
    let whole_ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    match &report.result {
        PassResult::Failed(failure) => {
            tracing::warn!(%source, reason = %failure.reason, failures, "pass failed: {}", failure.message);
        }
        PassResult::Succeeded { pools, skipped, .. } => {
            tracing::debug!(%source, pools, skipped = skipped.len(), listing_ms, whole_ms, "pass succeeded");
        }
        PassResult::Suspended | PassResult::Begun => {}
    }
}
