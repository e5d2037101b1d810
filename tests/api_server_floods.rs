//! An API server that refuses, for its load or for a fault of its own: it is not pressed, the controller
//! says what is wrong, and goes on by itself afterwards.

use std::collections::HashMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use modelarts_pool_controller::simulator::Operation;
use serde_json::json;

use super::support::controller::Controller;
use super::support::env::{Env, source_condition};
use super::support::process::eventually;
use super::support::proxy::{Asked, Fault, Proxy, busiest_second};

const POOLS: usize = 200;

/// As flow control answers: in words, and how long to wait in a header.
fn too_many(seconds: u32) -> Fault {
    Fault::Answer {
        code: 429,
        retry_after: Some(seconds),
        body: "Too many requests, please try again later.\n".to_owned(),
    }
}

/// As it answers without etcd, or without a webhook that it must ask.
fn internal_error() -> Fault {
    let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 500,
        "reason": "InternalError", "message": "Internal error occurred: out of luck"});
    Fault::Answer {
        code: 500,
        retry_after: None,
        body: body.to_string(),
    }
}

/// A controller whose pools are mirrored, behind a proxy.
async fn behind_a_proxy() -> (Env, Proxy, Controller) {
    let env = Env::with_pools(POOLS).await;
    let proxy = Proxy::start(&env.cluster.kubeconfig(), "proxy").await;
    env.add_source("s", json!({})).await;
    let controller = Controller::start_behind(&env, &proxy);
    env.synced("s").await;
    (env, proxy, controller)
}

/// Changes every pool of the cloud: each mirror is to be written.
fn change_all(env: &Env) {
    for id in env.cloud().pool_ids() {
        let change = json!({"spec": {"scope": ["Train"]}});
        env.cloud().patch_pool(&id, change).expect("a pool");
    }
}

/// Waits until every mirror shows the change, and the source has synced.
async fn all_is_well(env: &Env, controller: &Controller) {
    let changed = |p: &modelarts_pool_controller::api::ModelArtsPool| {
        p.spec.scope.as_ref().is_some_and(|s| s == &["Train"])
    };
    for id in env.cloud().pool_ids() {
        env.pool_when(&id, "it shows the change", changed).await;
    }
    let mirrors = env.pools().list(&ListParams::default()).await;
    assert_eq!(mirrors.expect("a list").items.len(), POOLS);
    env.synced("s").await;
    eventually("it is ready", || controller.health.ready().is_ok()).await;
}

/// Everything is refused, also new watches; those that there are break. What was asked meanwhile.
async fn nothing_is_accepted(fault: Fault, words: &str) -> Vec<Asked> {
    let (env, proxy, controller) = behind_a_proxy().await;
    proxy.take();
    proxy.fail(move |_| Some(fault.clone()));
    proxy.cut();
    change_all(&env);
    // The cloud is asked on meanwhile, with the last credentials.
    let listings = env.cloud().requests().gets(Operation::ListPools);
    env.asked(|r| r.gets(Operation::ListPools) >= listings + 3)
        .await;
    let missing = controller.health.ready().expect_err("not ready");
    assert!(missing.contains("modelartspools "), "{missing}");
    assert!(missing.contains(words), "{missing}");
    assert!(controller.health.live(Instant::now()).is_ok());
    let asked = proxy.failed(10).await;
    proxy.mend();
    all_is_well(&env, &controller).await;
    asked
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_obeyed() {
    let asked = nothing_is_accepted(too_many(3), "asked to wait 3 s").await;
    let mut last: HashMap<&str, Timestamp> = HashMap::new();
    for request in &asked {
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(before) = last.insert(path, request.at) {
            let wait = request.at.duration_since(before);
            assert!(wait.as_millis() >= 2_900, "{path}: {wait:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_fails_is_not_pressed() {
    let asked = nothing_is_accepted(internal_error(), "out of luck").await;
    let most = busiest_second(&asked);
    assert!(most <= 12, "{most} requests in a second: {asked:#?}");
}

/// Every write to a mirror is refused, and nothing else.
async fn no_mirror_is_written(fault: Fault, reason: &str, words: &str) {
    let (env, proxy, controller) = behind_a_proxy().await;
    proxy.take();
    proxy.fail(move |asked| {
        let is_write = asked.method == "PATCH" && asked.path.contains("/modelartspools/");
        is_write.then(|| fault.clone())
    });
    change_all(&env);
    let source = env
        .source_when("s", reason, |s| {
            source_condition(s, "Ready").is_some_and(|c| c.reason == reason)
        })
        .await;
    let ready = source_condition(&source, "Ready").expect("Ready");
    assert!(ready.message.contains(words), "{}", ready.message);
    let asked = proxy.failed(22).await;
    let most = busiest_second(&asked);
    // As many as may be under way at once, twice, and the rest of a pass.
    assert!(most <= 45, "{most} requests in a second");
    let begun = asked.iter().find(|a| a.failed).expect("a failure").at;
    let later = begun + SignedDuration::from_secs(2);
    let later: Vec<_> = asked.into_iter().filter(|a| a.at > later).collect();
    let most = busiest_second(&later);
    assert!(most <= 8, "{most} requests in a second: {later:#?}");
    assert_eq!(controller.health.ready(), Ok(()));
    proxy.mend();
    all_is_well(&env, &controller).await;
}

#[tokio::test]
async fn writes_that_fail_are_tried_one_at_a_time() {
    no_mirror_is_written(internal_error(), "WriteFailed", "out of luck").await;
}

#[tokio::test]
async fn writes_that_are_throttled_are_tried_one_at_a_time() {
    no_mirror_is_written(too_many(1), "APIServerThrottled", "asked to wait 1 s").await;
}
