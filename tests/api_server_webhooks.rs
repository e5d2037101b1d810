//! An admission webhook of one namespace that never answers: that namespace says so, and no other waits.

use std::time::{Duration, Instant};

use kube::api::{ListParams, Patch, PatchParams};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use serde_json::json;

use super::support::audit::{busiest_second, writes};
use super::support::controller::Controller;
use super::support::env::{Env, source_condition};
use super::support::webhook::HangingWebhook;

/// More than may be written at once.
const POOLS: usize = 40;
/// Pools whose mirrors are edited in the other namespace, each once: a second edit waits on purpose.
const EDITED: usize = 9;

/// Changes every pool of the cloud: each mirror is to be written.
fn change_all(env: &Env) {
    for id in env.cloud().pool_ids() {
        let change = json!({"spec": {"scope": ["Train"]}});
        env.cloud().patch_pool(&id, change).expect("a pool");
    }
}

fn is_changed(pool: &ModelArtsPool) -> bool {
    pool.spec.scope.as_ref().is_some_and(|s| s == &["Train"])
}

/// How long an edit of a mirror lasts.
async fn edit_is_undone(env: &Env, id: &str) -> Duration {
    let before = env.mirrored(id).await;
    let edit = Patch::Merge(json!({"spec": {"type": "mine"}}));
    let edited = env.pools().patch(id, &PatchParams::default(), &edit).await;
    edited.expect("an edit");
    let begun = Instant::now();
    env.pool_when(id, "the edit is undone", |p| p.spec == before.spec)
        .await;
    begun.elapsed()
}

#[tokio::test]
async fn a_webhook_that_hangs_stops_its_own_namespace_alone() {
    let (hangs, other) = tokio::join!(Env::with_pools(POOLS), Env::with_pools(EDITED));
    for env in [&hangs, &other] {
        env.add_source("s", json!({})).await;
    }
    let controller = Controller::start_over(&[&hangs, &other]).await;
    for env in [&hangs, &other] {
        env.synced("s").await;
    }
    let resources = ["modelartspools", "modelartspools/status"];
    let webhook = HangingWebhook::apply(&hangs, &resources, 30).await;
    let log = hangs.cluster.audit_log();
    let before = writes(&log, &controller.agent).len();
    change_all(&hangs);
    let source = hangs
        .source_when("s", "its pass fails", |s| {
            source_condition(s, "Ready").is_some_and(|c| c.status == "False")
        })
        .await;
    let ready = source_condition(&source, "Ready").expect("Ready");
    assert_eq!(ready.reason, "WriteFailed", "{}", ready.message);
    assert!(ready.message.contains("in time"), "{}", ready.message);

    let mut waits = Vec::new();
    for id in other.cloud().pool_ids() {
        waits.push(edit_is_undone(&other, &id).await);
    }
    // Not the longest: the machine may be busy with other tests.
    waits.sort();
    let median = waits[waits.len() / 2];
    assert!(median < Duration::from_secs(1), "{waits:?}");
    // Its passes go on at their pace, and write.
    change_all(&other);
    for id in other.cloud().pool_ids() {
        other
            .pool_when(&id, "it shows the change", is_changed)
            .await;
    }
    let source = other.synced("s").await;
    let synced = |s: &ModelArtsPoolSource| s.status.as_ref()?.last_sync_time.clone();
    other
        .source_when("s", "another pass", |s| synced(s) > synced(&source))
        .await;
    assert_eq!(controller.health.ready(), Ok(()));
    // As many as may be under way at first, and one at a time since.
    let asked = writes(&log, &controller.agent);
    let asked = asked[before..].iter();
    let times = asked.filter(|r| r.object_ref.namespace == hangs.namespace);
    let times: Vec<_> = times.map(|r| r.received).collect();
    assert!(busiest_second(times.clone()) <= 25, "{times:?}");
    assert!(times.len() <= 60, "{} writes", times.len());

    webhook.delete(&hangs).await;
    for id in hangs.cloud().pool_ids() {
        hangs
            .pool_when(&id, "it shows the change", is_changed)
            .await;
    }
    let mirrors = hangs.pools().list(&ListParams::default()).await;
    assert_eq!(mirrors.expect("a list").items.len(), POOLS);
    hangs.synced("s").await;
}
