//! What the log says of a pass: a line for one that failed, recovered or changed something, none for a quiet one.

use super::machine::{Changes, Notice};
use super::report::PassResult;

/// Writes `notice` to the log, where a person may want to know of it.
pub(super) fn log(notice: &Notice) {
    let Notice::PassEnded {
        source,
        report,
        listing,
        whole,
        failures,
        request_id,
        changes,
        failed_before,
    } = notice
    else {
        return;
    };
    let listing_ms = listing.map(|l| u64::try_from(l.as_millis()).unwrap_or(u64::MAX));
    let whole_ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    let Changes {
        created,
        updated,
        statuses,
        deleted,
    } = changes;
    match &report.result {
        PassResult::Failed(failure) if changes.is_empty() => {
            tracing::warn!(%source, request_id, reason = %failure.reason, failures, "pass failed: {}", failure.message);
        }
        PassResult::Failed(failure) => {
            tracing::warn!(%source, request_id, reason = %failure.reason, failures, created, updated, statuses, deleted, "pass failed: {}", failure.message);
        }
        PassResult::Succeeded { pools, skipped, .. } => {
            let skipped = skipped.len();
            if *failed_before || !changes.is_empty() {
                let how = if *failed_before { " again" } else { "" };
                tracing::info!(%source, request_id, pools, skipped, created, updated, statuses, deleted, listing_ms, whole_ms, "pass succeeded{how}");
            } else {
                tracing::debug!(%source, request_id, pools, skipped, listing_ms, whole_ms, "pass succeeded, nothing to write");
            }
        }
        PassResult::Suspended | PassResult::Begun => {}
    }
}
