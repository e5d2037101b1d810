//! Law 6: edits of what is the controller's are undone without asking the cloud; other people's labels
//! and annotations stay.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams};
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Fault, Operation, Selection};
use serde_json::{Value, json};

use super::support::env::{Env, pool_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// All of a mirror that is the controller's.
fn ours(pool: &ModelArtsPool) -> Value {
    let mut pool = pool.clone();
    let metadata = &mut pool.metadata;
    for map in [&mut metadata.labels, &mut metadata.annotations]
        .into_iter()
        .flatten()
    {
        map.retain(|key, _| !key.contains("stranger"));
    }
    // The generation moves with each edit and each repair of the spec.
    if let Some(status) = &mut pool.status {
        status.observed_generation = None;
        for condition in status.conditions.iter_mut().flatten() {
            condition.observed_generation = None;
        }
    }
    json!({"labels": pool.metadata.labels, "annotations": pool.metadata.annotations, "spec": pool.spec,
        "status": pool.status, "owners": pool.metadata.owner_references})
}

/// Whether the status and its conditions are those of the spec as it is.
fn is_observed(pool: &ModelArtsPool) -> bool {
    let observed = pool.status.as_ref().and_then(|s| s.observed_generation);
    let ready = pool_condition(pool, "Ready").and_then(|c| c.observed_generation);
    observed == pool.metadata.generation && ready == pool.metadata.generation
}

/// Edits as a stranger makes them: of the object, or of its status.
fn edits() -> Vec<(&'static str, bool, Value)> {
    vec![
        (
            "a field of the spec",
            false,
            json!({"spec": {"type": "Logical"}}),
        ),
        (
            "a new field of the spec",
            false,
            json!({"spec": {"mine": {"x": 1}}}),
        ),
        (
            "an array of the spec",
            false,
            json!({"spec": {"resources": []}}),
        ),
        (
            "the spec removed",
            false,
            json!({"spec": {"type": null, "scope": null, "resources": null, "network": null}}),
        ),
        ("the phase", true, json!({"status": {"phase": "Deleting"}})),
        (
            "a count",
            true,
            json!({"status": {"counts": {"available": 99}}}),
        ),
        (
            "a new field of the status",
            true,
            json!({"status": {"mine": 1}}),
        ),
        (
            "the conditions",
            true,
            json!({"status": {"conditions": []}}),
        ),
        ("the whole status", true, json!({"status": null})),
        (
            "a label",
            false,
            json!({"metadata": {"labels": {"os.modelarts/name": "x"}}}),
        ),
        (
            "a label removed",
            false,
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        ),
        (
            "the source label",
            false,
            json!({"metadata": {"labels": {"modelarts.huaweicloud.com/source": "x"}}}),
        ),
        (
            "all labels removed",
            false,
            json!({"metadata": {"labels": null}}),
        ),
        (
            "an annotation",
            false,
            json!({"metadata": {"annotations": {"os.modelarts/billing.mode": "9"}}}),
        ),
        (
            "the owner",
            false,
            json!({"metadata": {"ownerReferences": null}}),
        ),
    ]
}

async fn edit(env: &Env, name: &str, status: bool, patch: &Value) -> ModelArtsPool {
    let api = env.pools();
    let params = PatchParams {
        field_manager: Some("stranger".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(patch);
    let edited = if status {
        api.patch_status(name, &params, &patch).await
    } else {
        api.patch(name, &params, &patch).await
    };
    edited.expect("an edit")
}

#[tokio::test]
async fn each_edit_is_undone_without_the_cloud() {
    // A mirror for each edit: one that is edited again within a minute waits longer.
    let env = Env::with_pools(edits().len()).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    let requests = env.cloud().requests();
    // The cloud is not needed.
    env.cloud()
        .add_fault(Fault::status(Operation::ListPools, 503))
        .expect("a fault");

    let mut times = Vec::new();
    for ((what, status, patch), name) in edits().into_iter().zip(env.cloud().pool_ids()) {
        let before = env.mirrored(&name).await;
        let edited = edit(&env, &name, status, &patch).await;
        assert_ne!(ours(&edited), ours(&before), "{what} is an edit");
        let begun = Instant::now();
        env.pool_when(&name, what, |p| ours(p) == ours(&before) && is_observed(p))
            .await;
        times.push(begun.elapsed());
    }
    // Of the median alone, since the machine may be busy with other tests for a moment.
    times.sort();
    let median = times[times.len() / 2];
    assert!(median < Duration::from_secs(1), "{median:?}");
    assert_eq!(env.cloud().requests().counts, requests.counts);
}

#[tokio::test]
async fn a_deleted_mirror_comes_back() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;
    let requests = env.cloud().requests();
    env.pools()
        .delete(SAMPLE, &DeleteParams::default())
        .await
        .expect("a deletion");
    let after = env
        .pool_when(SAMPLE, "it is another, and whole", |p| {
            p.metadata.uid != before.metadata.uid && p.status.is_some()
        })
        .await;
    let mut expected = ours(&before);
    // Conditions of a new object have new times.
    let (mut after, conditions) = (ours(&after), "/status/conditions");
    for mirror in [&mut expected, &mut after] {
        for condition in mirror
            .pointer_mut(conditions)
            .and_then(Value::as_array_mut)
            .expect("conditions")
        {
            condition["lastTransitionTime"] = Value::Null;
        }
    }
    assert_eq!(after, expected);
    assert_eq!(env.cloud().requests().counts, requests.counts);
}

#[tokio::test]
async fn other_peoples_labels_and_annotations_stay() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;
    let theirs =
        json!({"metadata": {"labels": {"stranger/l": "1"}, "annotations": {"stranger/a": "1"}}});
    let edited = edit(&env, SAMPLE, false, &theirs).await;
    assert_eq!(ours(&edited), ours(&before));
    // Also through a repair and a pass that has something to write.
    edit(&env, SAMPLE, false, &json!({"spec": {"type": "x"}})).await;
    env.pool_when(SAMPLE, "the spec is repaired", |p| p.spec == before.spec)
        .await;
    let patch = json!({"metadata": {"labels": {"os.modelarts/name": "renamed"}}});
    env.cloud().patch_pool(SAMPLE, patch).expect("a change");
    env.refresh("s").await;
    let after = env.pools().get(SAMPLE).await.expect("a mirror");
    let labels = after.metadata.labels.expect("labels");
    assert_eq!(labels["os.modelarts/name"], "renamed");
    assert_eq!(labels["stranger/l"], "1");
    assert_eq!(after.metadata.annotations.expect("some")["stranger/a"], "1");

    // A label that the cloud drops goes, whether or not the controller was restarted since.
    let patch = json!({"metadata": {"labels": {"os.modelarts/name": null}}});
    env.cloud().patch_pool(SAMPLE, patch).expect("a change");
    env.refresh("s").await;
    let after = env.pools().get(SAMPLE).await.expect("a mirror");
    let labels = after.metadata.labels.expect("labels");
    assert!(!labels.contains_key("os.modelarts/name"), "{labels:?}");
    assert_eq!(labels["stranger/l"], "1");
}

#[tokio::test]
async fn a_slow_listing_delays_no_repair() {
    let env = Env::new().await;
    env.add_source("s", json!({})).await;
    let _controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;
    env.cloud().hold(Selection::of(Operation::ListPools));
    env.asked(|r| r.held > 0).await;
    edit(&env, SAMPLE, false, &json!({"spec": {"type": "x"}})).await;
    env.pool_when(SAMPLE, "the spec is repaired", |p| p.spec == before.spec)
        .await;
    assert_eq!(env.cloud().requests().held, 1);
    env.cloud().release();
}
