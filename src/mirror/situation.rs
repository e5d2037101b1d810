//! What the conditions of a mirror say in each situation: the table of them. Pure.

use jiff::Timestamp;

use super::desired::{Readiness, SkipReason};
use super::observed_conditions::ObservedConditions;
use crate::api::conditions::{ConditionState, ConditionStatus, LISTED, READY, SYNCED};

/// Reason of Listed and Ready: the pool is not in the list.
pub(super) const MISSING: &str = "Missing";
/// Reason of Listed and Ready: the pool is gone for good.
pub(super) const GONE: &str = "Gone";

/// Where a pool is, as complete listings tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// This process has seen no complete listing since the mirror: it is where the conditions say.
    Unknown,
    /// In the last one.
    Listed,
    /// In the last one, in a form that can't be mirrored: the mirror is of an earlier one.
    Unmirrorable(SkipReason),
    /// Not in the last one.
    Missing {
        /// When the first request of the first listing without it left.
        since: Timestamp,
        /// Whether it has been missing for the grace period.
        overdue: bool,
    },
    /// Confirmed gone, and its mirror is kept.
    Gone {
        /// As of [`Presence::Missing`].
        since: Timestamp,
    },
}

/// How fresh the data of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// No older than the source's `freshUntil` allows.
    Fresh,
    /// Older than that.
    Stale,
    /// Nobody asks the cloud.
    Suspended {
        /// Whether it is older than `freshUntil` allows, too.
        stale: bool,
    },
}

impl Presence {
    /// Since when the pool is missing or gone.
    #[must_use]
    pub const fn absent_since(&self) -> Option<Timestamp> {
        match self {
            Self::Missing { since, .. } | Self::Gone { since } => Some(*since),
            Self::Unknown | Self::Listed | Self::Unmirrorable(_) => None,
        }
    }
}

/// The conditions of a mirror whose pool is as `readiness` says where it works. `written` are those
/// that the controller wrote last. Nothing where they stay as they are.
#[must_use]
pub fn conditions(
    readiness: &Readiness,
    presence: Presence,
    freshness: Freshness,
    written: Option<&ObservedConditions>,
) -> Vec<ConditionState> {
    if presence == Presence::Unknown && freshness == Freshness::Fresh {
        return Vec::new();
    }
    let shown = match presence {
        Presence::Unknown => written.map_or(presence, ObservedConditions::presence),
        told => told,
    };
    let mut conditions = vec![ready(readiness, shown, freshness), synced(shown, freshness)];
    conditions.extend(listed(shown));
    conditions
}

fn ready(readiness: &Readiness, presence: Presence, freshness: Freshness) -> ConditionState {
    let stale = matches!(
        freshness,
        Freshness::Stale | Freshness::Suspended { stale: true }
    );
    let unknown =
        |reason, message| ConditionState::new(READY, ConditionStatus::Unknown, reason, message);
    if stale {
        return unknown("Stale", "the data is old; the condition Synced says why");
    }
    match presence {
        Presence::Gone { .. } => ConditionState::new(
            READY,
            ConditionStatus::False,
            GONE,
            "the cloud has no such pool any more",
        ),
        Presence::Missing { overdue: true, .. } => unknown(
            MISSING,
            "the cloud's list has not held the pool for the grace period, and it is not confirmed gone",
        ),
        Presence::Unmirrorable(reason) => unknown(
            reason.as_str(),
            "the pool as it is now can't be mirrored; the data is of an earlier listing",
        ),
        Presence::Unknown | Presence::Listed | Presence::Missing { overdue: false, .. } => {
            let Readiness {
                status,
                reason,
                message,
            } = readiness;
            ConditionState::new(READY, *status, &**reason, &**message)
        }
    }
}

fn synced(presence: Presence, freshness: Freshness) -> ConditionState {
    let not = |reason, message: String| {
        ConditionState::new(SYNCED, ConditionStatus::False, reason, message)
    };
    match (freshness, presence) {
        (Freshness::Suspended { .. }, _) => not(
            "Suspended",
            "the source is suspended: nobody asks the cloud".to_owned(),
        ),
        // Without the time: it would be another message of all mirrors for each pass that takes so long
        // that what it has seen is old when it ends.
        (Freshness::Stale, _) => not(
            "ListFailed",
            "no pass has succeeded lately; lastSyncTime of the source says since when, its condition Ready why"
                .to_owned(),
        ),
        (Freshness::Fresh, Presence::Unmirrorable(reason)) => not(
            reason.as_str(),
            "the pool as it is now can't be mirrored; status.skipped of the source says why"
                .to_owned(),
        ),
        (Freshness::Fresh, _) => ConditionState::new(SYNCED, ConditionStatus::True, "Synced", ""),
    }
}

fn listed(presence: Presence) -> Option<ConditionState> {
    let not = |reason, message, since| {
        ConditionState::new(LISTED, ConditionStatus::False, reason, message).since(since)
    };
    Some(match presence {
        Presence::Unknown => return None,
        Presence::Missing { since, .. } => {
            not(MISSING, "the cloud's list does not hold the pool", since)
        }
        Presence::Gone { since } => not(
            GONE,
            "the cloud's list does not hold the pool, and ShowPool for its id says that there is none",
            since,
        ),
        Presence::Listed | Presence::Unmirrorable(_) => {
            ConditionState::new(LISTED, ConditionStatus::True, "Listed", "")
        }
    })
}

#[cfg(test)]
#[path = "situation_tests.rs"]
mod tests;
