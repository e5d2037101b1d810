//! What becomes of watches: they end, break, expire, and fall silent. Edits are undone all the same, as
//! soon as they can be seen, and nothing goes round and round.

use std::time::Instant;

use kube::api::{Patch, PatchParams};
use modelarts_pool_controller::api::ModelArtsPool;
use serde_json::json;

use super::support::controller::Controller;
use super::support::env::Env;
use super::support::process::eventually;
use super::support::proxy::{Asked, Fault, Proxy, busiest_second};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// A controller with one mirror and a long interval: what it does, it does because of its watches.
async fn watching() -> (Env, Proxy, Controller, ModelArtsPool) {
    let env = Env::new().await;
    let proxy = Proxy::start(&env.cluster.kubeconfig(), "proxy").await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = Controller::start_behind(&env, &proxy);
    env.synced("s").await;
    let mirror = env.mirrored(SAMPLE).await;
    proxy.take();
    (env, proxy, controller, mirror)
}

/// Somebody edits the mirror, and it is undone.
async fn an_edit_is_undone(env: &Env, before: &ModelArtsPool) {
    let edit = Patch::Merge(json!({"spec": {"type": "mine"}}));
    let (pools, params) = (env.pools(), PatchParams::default());
    let edited = pools.patch(SAMPLE, &params, &edit).await;
    edited.expect("an edit");
    env.pool_when(SAMPLE, "the edit is undone", |p| p.spec == before.spec)
        .await;
}

fn watches(asked: &[Asked]) -> usize {
    asked.iter().filter(|a| a.is_watch()).count()
}

#[tokio::test]
async fn a_watch_that_breaks_is_begun_again() {
    let (env, proxy, controller, mirror) = watching().await;
    for _ in 0..3 {
        proxy.cut();
        an_edit_is_undone(&env, &mirror).await;
    }
    eventually("it is ready", || controller.health.ready().is_ok()).await;
    let asked = proxy.take();
    assert!(watches(&asked) >= 3, "{asked:#?}");
    assert!(asked.len() <= 40, "{} requests", asked.len());
}

#[tokio::test]
async fn watches_that_end_at_once_are_no_hot_loop() {
    let (env, proxy, controller, mirror) = watching().await;
    proxy.fail(|asked| asked.is_watch().then_some(Fault::EndsAtOnce));
    proxy.cut();
    let asked = proxy.failed(20).await;
    // Of each of the two watches the last four.
    let most = busiest_second(&asked[asked.len() - 8..]);
    assert!(most <= 4, "{most} requests in a second: {asked:#?}");
    proxy.mend();
    an_edit_is_undone(&env, &mirror).await;
    eventually("it is ready", || controller.health.ready().is_ok()).await;
}

/// The version that a watch begins at is gone: as an answer to its begin, and as its first event.
#[tokio::test]
async fn watches_that_expire_are_begun_anew() {
    let gone = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 410,
        "reason": "Expired", "message": "too old resource version: 1 (2)"});
    let event = json!({"type": "ERROR", "object": gone});
    for (code, body) in [(410, gone.to_string()), (200, format!("{event}\n"))] {
        let (env, proxy, controller, mirror) = watching().await;
        proxy.fail(move |asked| {
            let body = body.clone();
            asked.is_watch().then_some(Fault::Answer {
                code,
                retry_after: None,
                body,
            })
        });
        proxy.cut();
        let asked = proxy.failed(12).await;
        let most = busiest_second(&asked);
        assert!(most <= 20, "{most} requests in a second");
        // Each relist shows what the watch can't.
        an_edit_is_undone(&env, &mirror).await;
        let missing = || controller.health.ready().err().unwrap_or_default();
        eventually("it is told", || {
            missing().contains("too old resource version")
        })
        .await;
        proxy.mend();
        eventually("it is ready", || controller.health.ready().is_ok()).await;
        an_edit_is_undone(&env, &mirror).await;
    }
}

/// Every connection is half open: nothing comes, and no end.
#[tokio::test]
async fn connections_that_fall_silent_are_left() {
    let (env, proxy, controller, mirror) = watching().await;
    proxy.freeze();
    // Seen once the watch is given up.
    an_edit_is_undone(&env, &mirror).await;
    assert!(controller.health.live(Instant::now()).is_ok());
    eventually("it is ready", || controller.health.ready().is_ok()).await;
    let asked = proxy.take();
    assert!(asked.len() <= 40, "{} requests", asked.len());
}

/// New requests are never answered either, and then they are.
#[tokio::test]
async fn a_server_that_falls_silent_is_told_and_left() {
    let (env, proxy, controller, mirror) = watching().await;
    proxy.fail(|_| Some(Fault::Silence));
    proxy.cut();
    let missing = || controller.health.ready().err().unwrap_or_default();
    eventually("it is told", || missing().contains("no answer within 10 s")).await;
    assert!(controller.health.live(Instant::now()).is_ok());
    let asked = proxy.take();
    assert!(busiest_second(&asked) <= 12, "{asked:#?}");
    proxy.mend();
    eventually("it is ready", || controller.health.ready().is_ok()).await;
    an_edit_is_undone(&env, &mirror).await;
}
