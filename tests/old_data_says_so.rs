//! Law 4: data that is old says that it is old, once, and once that it is no more. What only time
//! decides is tested in virtual time, beside the machine.

use kube::api::{Patch, PatchParams};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{Fault, Operation};
use serde_json::json;

use super::support::audit::{Request, writes};
use super::support::env::{Env, pool_condition, says, source_condition};

fn down() -> Fault {
    Fault::status(Operation::ListPools, 503)
}

async fn synced_is(env: &Env, id: &str, status: &str, reason: &str) -> ModelArtsPool {
    let what = format!("Synced is {status}/{reason}");
    env.pool_when(id, &what, |p| says(p, "Synced", status, reason))
        .await
}

fn writes_to_mirrors(env: &Env, agent: &str) -> Vec<Request> {
    let mut writes = writes(&env.cluster.audit_log(), agent);
    writes.retain(|r| r.object_ref.resource == "modelartspools");
    writes
}

#[tokio::test]
async fn an_outage_is_told_once_by_each_mirror_and_its_end_once() {
    let env = Env::with_pools(5).await;
    let ids = env.cloud().pool_ids();
    env.add_source("s", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let before = env.mirrored(&ids[0]).await;
    let writes_before = writes_to_mirrors(&env, &controller.agent).len();
    env.cloud().add_fault(down()).expect("a fault");
    let stale = synced_is(&env, &ids[0], "False", "ListFailed").await;
    assert!(says(&stale, "Ready", "Unknown", "Stale"));
    assert!(says(&stale, "Listed", "True", "Listed"));
    assert_eq!(stale.metadata.generation, before.metadata.generation);
    let counts = |p: &ModelArtsPool| p.status.as_ref().and_then(|s| s.counts.clone());
    assert_eq!(counts(&stale), counts(&before));
    // At the source's freshUntil, which no failure has moved.
    let source = env.sources().get("s").await.expect("the source");
    let until = source.status.and_then(|s| s.fresh_until).expect("a time").0;
    let flipped = pool_condition(&stale, "Synced").map(|c| c.last_transition_time.0);
    let late = flipped.expect("a time").duration_since(until).as_secs();
    assert!((0..=5).contains(&late), "{late} s after freshUntil");
    for id in &ids {
        synced_is(&env, id, "False", "ListFailed").await;
    }
    env.cloud().clear_faults();
    env.refresh("s").await;
    for id in &ids {
        synced_is(&env, id, "True", "Synced").await;
    }
    env.refresh("s").await;
    let writes = writes_to_mirrors(&env, &controller.agent).split_off(writes_before);
    assert_eq!(writes.len(), 2 * ids.len(), "{writes:#?}");
    controller.stop().await;
}

#[tokio::test]
async fn a_suspended_source_says_so_at_once() {
    let env = Env::with_pools(2).await;
    let ids = env.cloud().pool_ids();
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    env.patch_source("s", &json!({"spec": {"suspend": true}}))
        .await;
    let mirror = synced_is(&env, &ids[0], "False", "Suspended").await;
    assert!(says(&mirror, "Listed", "True", "Listed"));
    assert!(!says(&mirror, "Ready", "Unknown", "Stale"), "not old yet");
    env.patch_source("s", &json!({"spec": {"suspend": false}}))
        .await;
    synced_is(&env, &ids[0], "True", "Synced").await;
    controller.stop().await;
}

/// As if nobody had run the controller for a day.
async fn was_away(env: &Env) -> ModelArtsPoolSource {
    let day_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let time = day_ago.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let patch = Patch::Merge(json!({"status": {"lastSyncTime": time, "freshUntil": time}}));
    let params = PatchParams::default();
    let patched = env.sources().patch_status("s", &params, &patch).await;
    patched.expect("a status")
}

#[tokio::test]
async fn after_a_long_absence_nothing_is_lost_before_the_first_listing() {
    let env = Env::with_pools(3).await;
    let ids = env.cloud().pool_ids();
    env.add_source("s", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let before = env.mirrored(&ids[0]).await;
    controller.stop().await;
    was_away(&env).await;

    // The cloud is there: not a word.
    let controller = env.start_controller().await;
    env.source_when("s", "it has synced", |s| {
        let synced = s.status.as_ref().and_then(|s| s.last_sync_time.as_ref());
        let fresh = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
        synced.is_some_and(|t| t.0 > fresh)
    })
    .await;
    let after = env.pools().get(&ids[0]).await.expect("the mirror");
    assert_eq!(
        after.metadata.resource_version,
        before.metadata.resource_version
    );
    controller.stop().await;

    // It is not: the conditions say that the data is old, and nothing else is touched.
    was_away(&env).await;
    env.cloud().add_fault(down()).expect("a fault");
    let controller = env.start_controller().await;
    let stale = synced_is(&env, &ids[0], "False", "ListFailed").await;
    assert!(says(&stale, "Ready", "Unknown", "Stale"));
    assert!(says(&stale, "Listed", "True", "Listed"));
    let content = |p: &ModelArtsPool| {
        let mut status = serde_json::to_value(&p.status).expect("JSON");
        status["conditions"] = json!(null);
        (serde_json::to_value(&p.spec).expect("JSON"), status)
    };
    assert_eq!(content(&stale), content(&before));
    for id in &ids {
        synced_is(&env, id, "False", "ListFailed").await;
    }
    controller.stop().await;

    // The next process has nothing to add.
    let versions = env.pools().get(&ids[0]).await.expect("the mirror").metadata;
    let controller = env.start_controller().await;
    env.refresh("s").await;
    let source = env.refresh("s").await;
    assert!(source_condition(&source, "Ready").is_some_and(|c| c.status == "False"));
    let still = env.pools().get(&ids[0]).await.expect("the mirror");
    assert_eq!(still.metadata.resource_version, versions.resource_version);
    env.cloud().clear_faults();
    for id in &ids {
        synced_is(&env, id, "True", "Synced").await;
    }
    controller.stop().await;
}
