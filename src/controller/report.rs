//! What the status of a source says after a pass: pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::reason::FailureReason;
use crate::api::conditions::{
    ConditionState, ConditionStatus, POOLS_SKIPPED, PRUNE_HALTED, READY, RECONCILING, STALLED,
    truncated, whole_seconds,
};
use crate::api::{ModelArtsPoolSourceStatus, PoolCounts, SkippedPool, SkippedPools};
use crate::mirror::Skip;
use crate::modelarts::Kind;

/// Pools named in `status.skipped`, at most.
const NAMED_SKIPS: usize = 10;
/// Bytes of a message about one skipped pool, at most.
const MAX_SKIP_MESSAGE: usize = 512;

/// Why a pass failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassFailure {
    /// Reason of the condition Ready.
    pub reason: FailureReason,
    /// What failed, on what, and what to do, for people.
    pub message: String,
    /// How long the cloud asks to wait.
    pub retry_after: Option<Duration>,
}

impl PassFailure {
    /// A failure for which nobody asks to wait.
    #[must_use]
    pub fn new(reason: impl Into<FailureReason>, message: String) -> Self {
        Self {
            reason: reason.into(),
            message,
            retry_after: None,
        }
    }

    /// Whether only a person can mend it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.reason.kind() == Kind::Stalled
    }
}

/// Why mirrors of missing pools are not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneHalt {
    /// Reason of the condition `PruneHalted`, in CamelCase.
    pub reason: &'static str,
    /// How many are missing or what failed, and what to do, for people.
    pub message: String,
}

/// How a pass ended, or why none is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassResult {
    /// The listing was complete, and every write was accepted or its pool is skipped.
    Succeeded {
        /// Pools that are mirrored.
        pools: usize,
        /// Sums over the Dedicate ones.
        counts: PoolCounts,
        /// Pools that are not, by id.
        skipped: Vec<Skip>,
        /// Why no missing mirror is removed, where it is so.
        halt: Option<PruneHalt>,
    },
    /// It failed.
    Failed(PassFailure),
    /// The source is suspended.
    Suspended,
    /// The first pass of a new source has begun.
    Begun,
}

impl PassResult {
    /// Whether nothing is left of `older` in a status once this is said.
    #[must_use]
    pub fn says_over(&self, older: &Self) -> bool {
        match (self, older) {
            // A success sets times and sums that the others keep, a failure the time of the attempt.
            (Self::Succeeded { .. }, _) => true,
            (_, Self::Succeeded { .. }) | (Self::Suspended | Self::Begun, Self::Failed(_)) => false,
            _ => true,
        }
    }
}

/// A pass that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How.
    pub result: PassResult,
    /// When it began.
    pub started: Timestamp,
    /// The generation of the source that it used.
    pub generation: i64,
    /// The request for a refresh that it answers.
    pub refresh: Option<String>,
    /// The interval of the source.
    pub interval: Duration,
    /// Until when the cloud asked to wait.
    pub not_before: Option<Timestamp>,
    /// When the cloud rejected the credentials, where it did.
    pub rejected: Option<Timestamp>,
}

impl Report {
    /// Says what `older`, which is not written and which this one says over, would have said and this one does not.
    pub fn take_over(&mut self, older: Self) {
        if self.refresh.is_none() {
            self.refresh = older.refresh;
        }
        if !matches!(self.result, PassResult::Succeeded { .. }) {
            self.rejected = self.rejected.max(older.rejected);
        }
    }
}

/// The status of a source whose status is `previous`, after `report`, at `now`.
#[must_use]
pub fn status_after(
    report: &Report,
    previous: &ModelArtsPoolSourceStatus,
    now: Timestamp,
) -> ModelArtsPoolSourceStatus {
    let mut next = previous.clone();
    next.observed_generation = Some(report.generation);
    let mut conditions = Vec::new();
    match &report.result {
        PassResult::Suspended => {
            conditions.push(ConditionState::new(
                READY,
                ConditionStatus::False,
                "Suspended",
                "spec.suspend is true: the cloud is not asked, and the mirrors show what was listed last",
            ));
        }
        PassResult::Begun => {
            conditions.push(ConditionState::new(
                READY,
                ConditionStatus::Unknown,
                "FirstPass",
                "the first pass has begun and has not ended yet",
            ));
            conditions.push(first_pass());
        }
        PassResult::Failed(failure) => {
            next.last_attempt_time = Some(whole_seconds(report.started));
            next.not_before = not_before(report);
            if let Some(at) = report.rejected {
                next.credentials_rejected_time = Some(whole_seconds(at));
            }
            conditions.push(ConditionState::new(
                READY,
                ConditionStatus::False,
                failure.reason.as_str(),
                &*failure.message,
            ));
            if failure.is_stalled() {
                conditions.push(ConditionState::new(
                    STALLED,
                    ConditionStatus::True,
                    failure.reason.as_str(),
                    &*failure.message,
                ));
            } else if previous.last_sync_time.is_none() {
                conditions.push(first_pass());
            }
        }
        PassResult::Succeeded {
            pools,
            counts,
            skipped,
            halt,
        } => {
            next.last_attempt_time = Some(whole_seconds(report.started));
            next.last_sync_time = Some(whole_seconds(report.started));
            next.not_before = not_before(report);
            // A complete listing may be followed by the rejection of a question about one pool.
            next.credentials_rejected_time = report.rejected.map(whole_seconds);
            next.fresh_until = fresh_until(report.started, report.interval).map(whole_seconds);
            next.pools = i64::try_from(*pools).ok();
            next.counts = Some(counts.clone());
            next.skipped = skipped_pools(skipped);
            conditions.push(ConditionState::new(
                READY,
                ConditionStatus::True,
                "Synced",
                "",
            ));
            conditions.extend(halt.as_ref().map(prune_halted));
        }
    }
    // As long as it is so, also while passes fail.
    conditions.extend(next.skipped.as_ref().map(pools_skipped));
    if report.refresh.is_some() {
        next.last_handled_refresh.clone_from(&report.refresh);
    }
    let written = previous.conditions.as_deref().unwrap_or_default();
    let mut conditions: Vec<Condition> = conditions
        .iter()
        .map(|c| c.written_at(now, Some(report.generation), written))
        .collect();
    if !matches!(report.result, PassResult::Succeeded { .. }) {
        conditions.extend(previous.condition(PRUNE_HALTED).cloned());
    }
    next.conditions = Some(conditions);
    next
}

/// In whole seconds, and not before the time.
fn not_before(report: &Report) -> Option<Time> {
    let until = report.not_before?;
    let fraction = SignedDuration::from_nanos(999_999_999);
    Some(whole_seconds(until.checked_add(fraction).unwrap_or(until)))
}

/// Until when what a pass begun at `started` has seen may be called fresh: an interval, and twice as
/// long again for passes that fail, of at least 30 s and at most 30 min.
#[must_use]
pub fn fresh_until(started: Timestamp, interval: Duration) -> Option<Timestamp> {
    let slack = (2 * interval).clamp(Duration::from_secs(30), Duration::from_mins(30));
    started
        .checked_add(SignedDuration::try_from(interval + slack).ok()?)
        .ok()
}

fn pools_skipped(skipped: &SkippedPools) -> ConditionState {
    let pools = skipped.pools.iter();
    let ids: Vec<_> = pools.map(|p| format!("{} ({})", p.id, p.reason)).collect();
    let message = format!(
        "{} pools are not mirrored: {}",
        skipped.count,
        ids.join(", ")
    );
    ConditionState::new(
        POOLS_SKIPPED,
        ConditionStatus::True,
        "PoolsSkipped",
        message,
    )
}

fn prune_halted(halt: &PruneHalt) -> ConditionState {
    ConditionState::new(
        PRUNE_HALTED,
        ConditionStatus::True,
        halt.reason,
        &*halt.message,
    )
}

fn first_pass() -> ConditionState {
    ConditionState::new(
        RECONCILING,
        ConditionStatus::True,
        "FirstPass",
        "no pass has succeeded yet",
    )
}

fn skipped_pools(skipped: &[Skip]) -> Option<SkippedPools> {
    let mut sorted: Vec<&Skip> = skipped.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let pools = sorted
        .into_iter()
        .take(NAMED_SKIPS)
        .map(|skip| SkippedPool {
            id: skip.id.clone(),
            reason: skip.reason.as_str().to_owned(),
            message: truncated(&skip.message, MAX_SKIP_MESSAGE).to_owned(),
        });
    (!skipped.is_empty()).then(|| SkippedPools {
        count: i64::try_from(skipped.len()).unwrap_or(i64::MAX),
        pools: pools.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modelarts::Reason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn report(result: PassResult, rejected: Option<Timestamp>) -> Report {
        Report {
            result,
            started: at(0),
            generation: 1,
            refresh: None,
            interval: Duration::ZERO,
            not_before: None,
            rejected,
        }
    }

    fn failed(reason: Reason) -> PassResult {
        PassResult::Failed(PassFailure::new(reason, String::new()))
    }

    /// A rejection that is not written yet is not lost with the next failure, and is with a success.
    #[test]
    fn a_rejection_is_taken_over_by_a_later_failure() {
        let succeeded = PassResult::Succeeded {
            pools: 0,
            counts: PoolCounts::zero(),
            skipped: Vec::new(),
            halt: None,
        };
        let rejection = || report(failed(Reason::CredentialsRejected), Some(at(5)));
        for (result, own, expected) in [
            (failed(Reason::CloudUnavailable), None, Some(at(5))),
            (
                failed(Reason::CredentialsRejected),
                Some(at(9)),
                Some(at(9)),
            ),
            (succeeded, None, None),
        ] {
            let mut later = report(result, own);
            assert!(later.result.says_over(&rejection().result));
            later.take_over(rejection());
            assert_eq!(later.rejected, expected);
            let stored = ModelArtsPoolSourceStatus {
                credentials_rejected_time: Some(Time(at(1))),
                ..ModelArtsPoolSourceStatus::default()
            };
            let written = status_after(&later, &stored, at(10));
            assert_eq!(written.credentials_rejected_time, expected.map(Time));
        }
    }
}
