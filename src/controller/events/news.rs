//! What is worth an event: pure comparisons of what is stored with what is about to be.

use jiff::Timestamp;

use crate::api::conditions::{
    ConditionState, ConditionStatus, LISTED, PRUNE_HALTED, READY, truncated,
};
use crate::api::{ModelArtsPoolSourceStatus, PoolCounts};
use crate::api_server::WriteError;
use crate::mirror::{Desired, Observed, SkipReason};
use crate::modelarts::Reason;

/// Longest note of an event, in bytes: the API server refuses more.
const MAX_NOTE: usize = 1024;
/// Phases that a person should look at. The last one is no slip: other clients of the cloud look for a phase
/// that is spelled so.
const TROUBLE: [&str; 5] = [
    "Abnormal",
    "Error",
    "CreationFailed",
    "ScalingFailed",
    "SeclingFailed",
];

/// What happened, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether somebody should look at it.
    pub warning: bool,
    /// Reason of the event, in CamelCase.
    pub reason: &'static str,
    /// From what to what, and what to do; at most 1024 bytes.
    pub note: String,
}

/// Why a mirror is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Removal {
    /// Its pool is gone.
    Gone,
    /// The source does not ask for its pool any more.
    Deselected,
}

/// What somebody else did to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Edit {
    /// Deleted it.
    Deleted,
    /// Changed its spec, or what is ours of its metadata.
    Object,
    /// Changed its status.
    Status,
}

impl News {
    fn normal(reason: &'static str, note: &str) -> Self {
        Self {
            warning: false,
            reason,
            note: truncated(note, MAX_NOTE).to_owned(),
        }
    }

    fn warning(reason: &'static str, note: &str) -> Self {
        Self {
            warning: true,
            ..Self::normal(reason, note)
        }
    }
}

/// The status of a source can't be written: it says nothing new, and so can't say that.
pub(in crate::controller) fn of_unwritten_status(error: &WriteError) -> News {
    News::warning(
        "StatusNotWritten",
        &format!("the source's status can't be written, and shows what was so before: {error}"),
    )
}

/// What is new once the status of the mirror that was stored as `before` says `conditions`, and holds
/// `content` where that is known.
pub(in crate::controller) fn of_mirror(
    before: &Observed,
    content: Option<&Desired>,
    conditions: &[ConditionState],
) -> Vec<News> {
    // The first status is no change, and what somebody else wrote is none of the pool.
    if !before.status_is_ours || !before.conditions.are_written() {
        return Vec::new();
    }
    let Some(listed) = conditions.iter().find(|c| c.type_ == LISTED) else {
        return Vec::new();
    };
    let absent = before.conditions.absent_since();
    if listed.status != ConditionStatus::True {
        return absence(before, listed, absent).into_iter().collect();
    }
    let mut news: Vec<News> = absent
        .map(|since| {
            News::normal(
                "PoolReturned",
                &format!("the cloud's list holds the pool again; it was missing since {since}"),
            )
        })
        .into_iter()
        .collect();
    if let Some(content) = content {
        news.extend(changes(before, content));
    }
    news
}

fn absence(before: &Observed, listed: &ConditionState, absent: Option<Timestamp>) -> Option<News> {
    let phase = shown(before.phase.as_deref());
    let gone = listed.reason == "Gone";
    if gone && !before.conditions.is_gone() {
        return Some(News::warning(
            "PoolGone",
            &format!(
                "the cloud says that there is no such pool any more (last phase: {phase}); the mirror is kept, since spec.prune.policy of the source is Retain: delete it when nobody needs it"
            ),
        ));
    }
    (!gone && absent.is_none()).then(|| {
        News::warning(
            "PoolMissing",
            &format!("the cloud's list does not hold the pool (last phase: {phase}); the mirror shows what was listed last until the pool returns or is confirmed gone"),
        )
    })
}

fn changes(before: &Observed, content: &Desired) -> Vec<News> {
    let (old, new) = (
        shown(before.phase.as_deref()),
        shown(content.phase.as_deref()),
    );
    let nodes = nodes(&content.counts);
    if let (Some(was), Some(is)) = (before.created, content.created)
        && was != is
    {
        return vec![News::warning(
            "PoolReplaced",
            &format!(
                "another pool has this id now: created at {is}, the one before at {was}; phase {new}{nodes}"
            ),
        )];
    }
    let mut news = Vec::new();
    if before.phase != content.phase {
        let message = &content.readiness.message;
        let said = if message.is_empty() {
            String::new()
        } else {
            format!("; the cloud says: {message}")
        };
        let note = format!("the phase changed from {old} to {new}{nodes}{said}");
        let trouble = content
            .phase
            .as_deref()
            .is_some_and(|p| TROUBLE.contains(&p));
        news.push(if trouble {
            News::warning("PhaseChanged", &note)
        } else {
            News::normal("PhaseChanged", &note)
        });
    }
    if let (Some(was), Some(is)) = (before.abnormal, content.counts.abnormal) {
        let note = format!("abnormal nodes: {is}, before: {was}{nodes}");
        if is > was {
            news.push(News::warning("NodesAbnormal", &note));
        } else if is < was {
            news.push(News::normal("NodesRecovered", &note));
        }
    }
    news
}

fn nodes(counts: &PoolCounts) -> String {
    let desired = counts
        .desired
        .map_or_else(String::new, |d| format!(" of {d}"));
    counts.available.map_or_else(String::new, |available| {
        format!("; available nodes: {available}{desired}")
    })
}

fn shown(phase: Option<&str>) -> &str {
    phase.unwrap_or("none")
}

/// A mirror was deleted by the controller.
pub(in crate::controller) fn of_removal(removal: Removal, phase: Option<&str>) -> News {
    let phase = shown(phase);
    match removal {
        Removal::Gone => News::warning(
            "PoolGone",
            &format!(
                "the cloud says that there is no such pool any more (last phase: {phase}); the mirror was deleted"
            ),
        ),
        Removal::Deselected => News::normal(
            "PoolDeselected",
            &format!(
                "the pool is there (last phase: {phase}), but the source does not ask for it any more (spec.workspaceIds, labelSelector or statuses); the mirror was deleted"
            ),
        ),
    }
}

/// An edit was undone.
pub(in crate::controller) fn of_restoration(edit: Edit) -> News {
    let what = match edit {
        Edit::Deleted => "the mirror was deleted by somebody else and was made anew",
        Edit::Object => {
            "spec or metadata of the mirror were changed by somebody else and were restored"
        }
        Edit::Status => "the status of the mirror was changed by somebody else and was restored",
    };
    News::normal(
        "MirrorRestored",
        &format!("{what}: mirrors are read-only; change the pool in the cloud, or the source"),
    )
}

/// What is new of a source whose status was `before` and is `after`.
pub(in crate::controller) fn of_source(
    before: &ModelArtsPoolSourceStatus,
    after: &ModelArtsPoolSourceStatus,
) -> Vec<News> {
    [
        sync(before, after),
        prune(before, after),
        conflicts(before, after),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn sync(before: &ModelArtsPoolSourceStatus, after: &ModelArtsPoolSourceStatus) -> Option<News> {
    let ready = after.condition(READY)?;
    let was = before.condition(READY);
    let failed = was.filter(|w| w.status == "False" && w.reason != "Suspended");
    match ready.status.as_str() {
        "True" => failed.map(|was| {
            let pools = after.pools.unwrap_or_default();
            let (reason, since) = (&was.reason, was.last_transition_time.0);
            News::normal(
                "SyncRecovered",
                &format!(
                    "a pass has succeeded again; none did since {since} ({reason}); pools: {pools}"
                ),
            )
        }),
        "False" if ready.reason == "Suspended" => None,
        "False" if failed.is_some_and(|was| was.reason == ready.reason) => None,
        "False" if ready.reason == Reason::CredentialsRejected.as_str() => {
            Some(News::warning("CredentialsRejected", &ready.message))
        }
        "False" => Some(News::warning(
            "SyncFailed",
            &format!("{}: {}", ready.reason, ready.message),
        )),
        _ => None,
    }
}

fn prune(before: &ModelArtsPoolSourceStatus, after: &ModelArtsPoolSourceStatus) -> Option<News> {
    let halted = after.condition(PRUNE_HALTED)?;
    let was = before.condition(PRUNE_HALTED);
    if was.is_some_and(|was| was.reason == halted.reason) {
        return None;
    }
    let note = format!("{}: {}", halted.reason, halted.message);
    Some(News::warning("PruneHalted", &note))
}

/// Of all new conflicts one event: it names those that the status names.
fn conflicts(
    before: &ModelArtsPoolSourceStatus,
    after: &ModelArtsPoolSourceStatus,
) -> Option<News> {
    let of = |status: &ModelArtsPoolSourceStatus| -> Vec<(String, String)> {
        let skipped = status.skipped.iter().flat_map(|s| &s.pools);
        let conflicts = skipped.filter(|p| p.reason == SkipReason::NameConflict.as_str());
        conflicts
            .map(|p| (p.id.clone(), p.message.clone()))
            .collect()
    };
    let known = of(before);
    let new: Vec<_> = of(after)
        .into_iter()
        .filter(|(id, _)| known.iter().all(|(known, _)| known != id))
        .collect();
    let (_, message) = new.first()?;
    let ids: Vec<&str> = new.iter().map(|(id, _)| id.as_str()).collect();
    let note = format!("not mirrored: {}; {message}", ids.join(", "));
    Some(News::warning("NameConflict", &note))
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
