//! Conditions, as pure data: which ones there are, and the one rule of their times.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Condition of a mirror: the pool works. Condition of a source: the last pass succeeded.
pub const READY: &str = "Ready";
/// Condition of a mirror: the data is fresh.
pub const SYNCED: &str = "Synced";
/// Condition of a mirror: the pool is in the cloud's list.
pub const LISTED: &str = "Listed";
/// Condition of a source, only while true: some pools could not be mirrored.
pub const POOLS_SKIPPED: &str = "PoolsSkipped";
/// Condition of a source, only while true: mirrors of pools that are missing are not removed.
pub const PRUNE_HALTED: &str = "PruneHalted";
/// Condition of a source, only while true: only a person can mend it (read by kstatus).
pub const STALLED: &str = "Stalled";
/// Condition of a source, only while true: no pass has succeeded yet (read by kstatus).
pub const RECONCILING: &str = "Reconciling";

/// Longest message of a condition, in bytes: the API convention's bound.
const MAX_MESSAGE: usize = 32_768;

/// What a condition says, without its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConditionState {
    /// Type, e.g. [`READY`].
    pub type_: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Reason in CamelCase; at most 1024 characters.
    pub reason: String,
    /// Text for people; may be empty. At most 32,768 bytes: the bound of the API's conventions.
    pub message: String,
    /// When its status changed last, where that is known from elsewhere than from what is written.
    pub since: Option<Timestamp>,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known whether it holds.
    Unknown,
}

impl ConditionStatus {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl ConditionState {
    /// A condition of this type and status.
    #[must_use]
    pub fn new(
        type_: &'static str,
        status: ConditionStatus,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let mut message = message.into();
        message.truncate(truncated(&message, MAX_MESSAGE).len());
        Self {
            type_,
            status,
            reason: reason.into(),
            message,
            since: None,
        }
    }

    /// The same, with the time of its last transition.
    #[must_use]
    pub fn since(self, since: Timestamp) -> Self {
        Self {
            since: Some(since),
            ..self
        }
    }

    /// The condition to write at `now` where `previous` holds what is written now.
    ///
    /// `lastTransitionTime` moves only when the status changes: waiters and alerts measure from it.
    #[must_use]
    pub fn written_at(
        &self,
        now: Timestamp,
        generation: Option<i64>,
        previous: &[Condition],
    ) -> Condition {
        let same = previous
            .iter()
            .find(|c| c.type_ == self.type_ && c.status == self.status.as_str());
        self.with_time(same.map_or(now, |c| c.last_transition_time.0), generation)
    }

    /// The condition, with the time of its last transition: its own, else `since`.
    #[must_use]
    pub fn with_time(&self, since: Timestamp, generation: Option<i64>) -> Condition {
        Condition {
            type_: self.type_.to_owned(),
            status: self.status.as_str().to_owned(),
            reason: self.reason.clone(),
            message: self.message.clone(),
            observed_generation: generation,
            last_transition_time: whole_seconds(self.since.unwrap_or(since)),
        }
    }
}

/// The time without its fraction: Kubernetes' times have seconds, and a fraction would come back
/// cut and look like a change.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// Whether Kubernetes accepts `reason` as the reason of a condition.
#[must_use]
pub fn is_valid_reason(reason: &str) -> bool {
    let mut chars = reason.chars();
    let ends_well = reason
        .chars()
        .next_back()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    reason.len() <= 1024
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | ':'))
        && ends_well
}

/// The longest beginning of `text` of at most `max` bytes.
#[must_use]
pub fn truncated(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn time_moves_only_with_the_status() {
        let first = ConditionState::new(READY, ConditionStatus::True, "Running", "").written_at(
            at(10),
            Some(1),
            &[],
        );
        assert_eq!(first.last_transition_time, Time(at(10)));

        let other_reason = ConditionState::new(READY, ConditionStatus::True, "Other", "")
            .written_at(at(20), Some(2), std::slice::from_ref(&first));
        assert_eq!(other_reason.last_transition_time, Time(at(10)));
        assert_eq!(other_reason.reason, "Other");

        let flipped = ConditionState::new(READY, ConditionStatus::False, "Abnormal", "")
            .written_at(at(30), Some(2), &[other_reason]);
        assert_eq!(flipped.last_transition_time, Time(at(30)));
    }

    #[test]
    fn reasons_are_those_that_kubernetes_accepts() {
        for good in ["Running", "A", "Scaling_Failed", "a:b"] {
            assert!(is_valid_reason(good), "{good}");
        }
        for bad in ["", "1st", "a b", "中文", "End:", "-x"] {
            assert!(!is_valid_reason(bad), "{bad}");
        }
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(truncated("a中b", 3), "a");
        assert_eq!(truncated("a中b", 4), "a中");
    }
}
