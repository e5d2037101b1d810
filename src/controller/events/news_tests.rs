use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::api::{API_VERSION, CONTROLLER_NAME, SkippedPool, SkippedPools};
use crate::mirror::{Freshness, PoolShape, Presence, conditions, desired};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn content(phase: &str, abnormal: i64, created: &str) -> Desired {
    let pool = json!({"metadata": {"name": "p", "creationTimestamp": created},
        "spec": {"type": "Dedicate", "resources": [{"flavor": "f", "count": 6}]},
        "status": {"phase": phase, "message": "why", "resources": {
            "available": [{"flavor": "f", "count": 6 - abnormal}],
            "abnormal": [{"flavor": "f", "count": abnormal}]}}});
    let json = pool.as_object().expect("an object").clone();
    let shape = PoolShape::of_the_crd();
    desired("p", json, &pool.to_string(), "s", "0", &shape).expect("a mirror")
}

fn says(content: &Desired, presence: Presence) -> Vec<ConditionState> {
    conditions(&content.readiness, presence, Freshness::Fresh, None)
}

/// The mirror as it is stored once it holds `content`.
fn stored(content: &Desired, presence: Presence, manager: &str) -> Observed {
    let mut status: Value = serde_json::from_str(content.status.get()).expect("JSON");
    let written = says(content, presence);
    let written: Vec<_> = written
        .iter()
        .map(|c| c.with_time(at(9), Some(1)))
        .collect();
    status["conditions"] = json!(written);
    let object = json!({"apiVersion": API_VERSION, "kind": "ModelArtsPool", "status": status,
        "metadata": {"name": "p", "uid": "u", "resourceVersion": "1", "generation": 1, "managedFields": [
            {"manager": manager, "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}}]}});
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    Observed::of(object).expect("a stored object")
}

const OLD: &str = "2022-09-16T03:10:40Z";
const MISSING: Presence = Presence::Missing {
    since: Timestamp::UNIX_EPOCH,
    overdue: false,
};
const GONE: Presence = Presence::Gone {
    since: Timestamp::UNIX_EPOCH,
};

fn news(before: (&Desired, Presence), after: (&Desired, Presence)) -> Vec<News> {
    let before = stored(before.0, before.1, CONTROLLER_NAME);
    of_mirror(&before, Some(after.0), &says(after.0, after.1))
}

fn reasons(news: &[News]) -> Vec<&str> {
    news.iter().map(|n| n.reason).collect()
}

#[test]
fn what_is_new_of_a_pool() {
    let runs = content("Running", 0, OLD);
    let ill = content("Abnormal", 2, OLD);
    let worse = content("Abnormal", 3, OLD);
    let other = content("Creating", 0, "2025-01-01T00:00:00Z");
    let listed = Presence::Listed;
    for (before, after, expected) in [
        ((&runs, listed), (&runs, listed), &[][..]),
        (
            (&runs, listed),
            (&ill, listed),
            &["PhaseChanged", "NodesAbnormal"],
        ),
        ((&ill, listed), (&worse, listed), &["NodesAbnormal"]),
        ((&worse, listed), (&ill, listed), &["NodesRecovered"]),
        (
            (&ill, listed),
            (&runs, listed),
            &["PhaseChanged", "NodesRecovered"],
        ),
        ((&runs, listed), (&runs, MISSING), &["PoolMissing"]),
        ((&runs, MISSING), (&runs, MISSING), &[]),
        ((&runs, MISSING), (&runs, GONE), &["PoolGone"]),
        ((&runs, GONE), (&runs, GONE), &[]),
        ((&runs, GONE), (&runs, MISSING), &[]),
        ((&runs, MISSING), (&runs, listed), &["PoolReturned"]),
        (
            (&runs, GONE),
            (&ill, listed),
            &["PoolReturned", "PhaseChanged", "NodesAbnormal"],
        ),
        ((&runs, listed), (&other, listed), &["PoolReplaced"]),
        (
            (&runs, MISSING),
            (&other, listed),
            &["PoolReturned", "PoolReplaced"],
        ),
    ] {
        let found = news(before, after);
        assert_eq!(reasons(&found), expected, "{:?} {:?}", before.1, after.1);
    }
}

#[test]
fn events_tell_from_what_to_what_and_how_many_nodes() {
    let listed = Presence::Listed;
    let (runs, ill) = (content("Running", 0, OLD), content("Abnormal", 2, OLD));
    let found = news((&runs, listed), (&ill, listed));
    assert_eq!(
        found[0],
        News {
            warning: true,
            reason: "PhaseChanged",
            note: "the phase changed from Running to Abnormal; available nodes: 4 of 6; the cloud says: why".to_owned(),
        }
    );
    assert_eq!(
        found[1].note,
        "abnormal nodes: 2, before: 0; available nodes: 4 of 6"
    );
    let found = news((&ill, listed), (&runs, listed));
    assert!(found.iter().all(|n| !n.warning), "{found:?}");
}

#[test]
fn a_strangers_status_and_a_first_status_are_no_news() {
    let (runs, ill) = (content("Running", 0, OLD), content("Abnormal", 2, OLD));
    let edited = stored(&runs, Presence::Listed, "kubectl-edit");
    assert!(of_mirror(&edited, Some(&ill), &says(&ill, Presence::Listed)).is_empty());
    let mut new = stored(&runs, Presence::Listed, CONTROLLER_NAME);
    new.conditions = crate::mirror::ObservedConditions::default();
    assert!(of_mirror(&new, Some(&ill), &says(&ill, Presence::Listed)).is_empty());
}

#[test]
fn a_note_is_never_longer_than_the_api_server_takes() {
    let long = News::warning("SyncFailed", &"训".repeat(2_000));
    assert!(long.note.len() <= 1024 && long.note.len() > 1000);
}

fn status(
    ready: (ConditionStatus, &str),
    others: &[(&'static str, &str)],
) -> ModelArtsPoolSourceStatus {
    let mut all = vec![ConditionState::new(READY, ready.0, ready.1, "why")];
    for (type_, reason) in others {
        all.push(ConditionState::new(
            type_,
            ConditionStatus::True,
            *reason,
            "so",
        ));
    }
    ModelArtsPoolSourceStatus {
        conditions: Some(all.iter().map(|c| c.with_time(at(60), Some(1))).collect()),
        pools: Some(3),
        ..ModelArtsPoolSourceStatus::default()
    }
}

#[test]
fn what_is_new_of_a_source() {
    use ConditionStatus::{False, True, Unknown};
    let none = ModelArtsPoolSourceStatus::default();
    let begun = status((Unknown, "FirstPass"), &[]);
    let good = status((True, "Synced"), &[]);
    let down = status((False, "CloudUnavailable"), &[]);
    let throttled = status((False, "Throttled"), &[]);
    let rejected = status((False, "CredentialsRejected"), &[]);
    let suspended = status((False, "Suspended"), &[]);
    let halted = status((True, "Synced"), &[(PRUNE_HALTED, "TooManyMissing")]);
    let unconfirmed = status((True, "Synced"), &[(PRUNE_HALTED, "ConfirmationFailed")]);
    for (before, after, expected) in [
        (&none, &begun, &[][..]),
        (&begun, &good, &[]),
        (&begun, &down, &["SyncFailed"]),
        (&good, &good, &[]),
        (&good, &down, &["SyncFailed"]),
        (&down, &down, &[]),
        (&down, &throttled, &["SyncFailed"]),
        (&down, &rejected, &["CredentialsRejected"]),
        (&rejected, &good, &["SyncRecovered"]),
        (&down, &suspended, &[]),
        (&good, &suspended, &[]),
        (&suspended, &good, &[]),
        (&suspended, &down, &["SyncFailed"]),
        (&good, &halted, &["PruneHalted"]),
        (&halted, &halted, &[]),
        (&halted, &unconfirmed, &["PruneHalted"]),
        (&halted, &good, &[]),
    ] {
        assert_eq!(reasons(&of_source(before, after)), expected, "{after:?}");
    }
}

#[test]
fn new_name_conflicts_are_one_event() {
    let skipped = |ids: &[&str]| ModelArtsPoolSourceStatus {
        skipped: Some(SkippedPools {
            count: 0,
            pools: ids
                .iter()
                .map(|id| SkippedPool {
                    id: (*id).to_owned(),
                    reason: "NameConflict".to_owned(),
                    message: "the name is held".to_owned(),
                })
                .collect(),
        }),
        ..ModelArtsPoolSourceStatus::default()
    };
    let found = of_source(&skipped(&["a"]), &skipped(&["a", "b", "c"]));
    assert_eq!(reasons(&found), ["NameConflict"]);
    assert_eq!(found[0].note, "not mirrored: b, c; the name is held");
    assert!(of_source(&skipped(&["a", "b"]), &skipped(&["b"])).is_empty());
}
