//! What the conditions of a mirror that exists say: where its pool is, and since when.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use super::desired::SkipReason;
use super::fingerprint::{Fingerprint, fingerprint};
use super::situation::{GONE, MISSING, Presence};
use crate::api::conditions::{
    ConditionState, ConditionStatus, LISTED, READY, SYNCED, whole_seconds,
};

/// The three conditions of a mirror: what they say (by fingerprint) and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedConditions([Option<Written>; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    status: ConditionStatus,
    since: Timestamp,
    /// Of reason, message and observedGeneration.
    said: Fingerprint,
    /// What the reason says of the pool's place.
    place: Option<Place>,
}

/// What the reasons of conditions say of where a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Missing,
    Gone,
    Unmirrorable(SkipReason),
}

impl Place {
    fn of(reason: &str) -> Option<Self> {
        let unmirrorable = [SkipReason::TooLarge, SkipReason::Refused];
        match reason {
            MISSING => Some(Self::Missing),
            GONE => Some(Self::Gone),
            _ => unmirrorable
                .into_iter()
                .find(|skip| skip.as_str() == reason)
                .map(Self::Unmirrorable),
        }
    }
}

const TYPES: [&str; 3] = [READY, SYNCED, LISTED];

impl ObservedConditions {
    pub(super) fn of(conditions: Option<Value>) -> Self {
        let conditions: Vec<Condition> = conditions
            .and_then(|c| serde_json::from_value(c).ok())
            .unwrap_or_default();
        Self(TYPES.map(|type_| {
            let condition = conditions.iter().find(|c| c.type_ == type_)?;
            let status = match condition.status.as_str() {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            };
            let said = said(
                &condition.reason,
                &condition.message,
                condition.observed_generation,
            );
            Some(Written {
                status,
                since: condition.last_transition_time.0,
                said,
                place: Place::of(&condition.reason),
            })
        }))
    }

    /// Where the pool is, as they say.
    #[must_use]
    pub fn presence(&self) -> Presence {
        let ready = self.written(READY);
        let ready = ready.filter(|r| r.status == ConditionStatus::Unknown);
        let ready = ready.and_then(|r| r.place);
        match (self.absent_since(), ready) {
            (Some(since), _) if self.is_gone() => Presence::Gone { since },
            (Some(since), ready) => Presence::Missing {
                since,
                overdue: ready == Some(Place::Missing),
            },
            (None, _) if self.written(LISTED).is_none() => Presence::Unknown,
            (None, Some(Place::Unmirrorable(reason))) => Presence::Unmirrorable(reason),
            (None, _) => Presence::Listed,
        }
    }

    /// Since when Listed is not True, where it is written so: the absence clock.
    #[must_use]
    pub fn absent_since(&self) -> Option<Timestamp> {
        self.written(LISTED)
            .filter(|w| w.status != ConditionStatus::True)
            .map(|w| w.since)
    }

    /// Whether Listed says that the pool is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.written(LISTED)
            .is_some_and(|w| w.status == ConditionStatus::False && w.place == Some(Place::Gone))
    }

    /// Whether any of them is written.
    #[must_use]
    pub fn are_written(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// Whether they say `wanted` already, for `generation` of the mirror.
    #[must_use]
    pub fn say(&self, wanted: &[ConditionState], generation: i64) -> bool {
        wanted.iter().all(|w| {
            self.written(w.type_).is_some_and(|written| {
                written.status == w.status
                    && written.said == said(&w.reason, &w.message, Some(generation))
                    && w.since.is_none_or(|s| whole_seconds(s).0 == written.since)
            })
        })
    }

    /// `wanted` as it is to be written at `now`: a time moves only with the status.
    #[must_use]
    pub fn next(&self, wanted: &ConditionState, generation: i64, now: Timestamp) -> Condition {
        let since = self
            .written(wanted.type_)
            .filter(|w| w.status == wanted.status)
            .map(|w| w.since);
        wanted.with_time(since.unwrap_or(now), Some(generation))
    }

    fn written(&self, type_: &str) -> Option<Written> {
        let index = TYPES.iter().position(|t| *t == type_)?;
        self.0[index]
    }
}

fn said(reason: &str, message: &str, generation: Option<i64>) -> Fingerprint {
    fingerprint(&Value::from(vec![
        Value::from(vec![Value::from(0), Value::from(reason)]),
        Value::from(vec![Value::from(1), Value::from(message)]),
        Value::from(vec![Value::from(2), Value::from(generation)]),
    ]))
}
