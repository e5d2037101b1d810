//! The API server goes and comes back, or its etcd: its outage is not the cloud's, and nobody has to help
//! afterwards.

use std::time::Instant;

use kube::api::{ListParams, Patch, PatchParams};
use modelarts_pool_controller::simulator::{Generate, Operation, Scenario};
use serde_json::json;

use super::support::audit::{busiest_second, requests};
use super::support::cluster::breakable;
use super::support::env::{Env, PATIENCE, source_condition};
use super::support::process::{Process, eventually};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// Somebody edits the mirror, as soon as that is possible.
async fn an_edit(env: &Env) {
    let edit = Patch::Merge(json!({"spec": {"type": "mine"}}));
    let (pools, params) = (env.pools(), PatchParams::default());
    let begun = Instant::now();
    while let Err(error) = pools.patch(SAMPLE, &params, &edit).await {
        assert!(begun.elapsed() < PATIENCE, "{error}");
    }
}

#[tokio::test]
async fn an_outage_of_the_api_server_is_survived() {
    let (_turn, cluster) = breakable().await;
    let scenario = Scenario::documented_sample().expect("the documented sample");
    let env = Env::on(cluster, scenario).await;
    env.add_source("s", json!({})).await;
    let controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;
    let synced = env.synced("s").await.status.expect("a status");

    cluster.stop_apiserver();
    // The Secret can't be read; the last credentials are used on.
    let listings = env.cloud().requests().gets(Operation::ListPools);
    env.asked(|r| r.gets(Operation::ListPools) >= listings + 4)
        .await;
    assert!(controller.health.live(Instant::now()).is_ok());
    let missing = controller
        .health
        .ready()
        .expect_err("not ready without its watches");
    assert!(missing.contains("modelartspools"), "{missing}");

    cluster.start_apiserver().expect("an API server");
    an_edit(&env).await;
    env.pool_when(SAMPLE, "the edit is undone", |p| p.spec == before.spec)
        .await;
    let source = env
        .source_when("s", "a pass has succeeded since", |s| {
            let status = s.status.as_ref();
            status.and_then(|s| s.last_sync_time.as_ref()) > synced.last_sync_time.as_ref()
        })
        .await;
    let ready = source_condition(&source, "Ready").expect("Ready");
    assert_eq!(ready.status, "True", "{}", ready.message);
    // It may fill its caches once more, and end watches for that.
    eventually("it is ready", || controller.health.ready().is_ok()).await;
    // Nothing went round and round: what was asked since the restart is counted in dozens.
    let requests = requests(&cluster.audit_log(), &controller.agent);
    assert!(requests.len() < 200, "{} requests", requests.len());
}

#[tokio::test]
async fn an_api_server_that_dies_amid_the_first_mirror_costs_nothing_twice() {
    const POOLS: usize = 400;
    let (_turn, cluster) = breakable().await;
    let scenario = Scenario {
        generate: vec![Generate::pools(POOLS)],
        ..Scenario::default()
    };
    let env = Env::on(cluster, scenario).await;
    env.add_source("s", json!({})).await;
    let controller = env.start_controller().await;
    let first = env.cloud().pool_ids().into_iter().next().expect("a pool");
    env.mirrored(&first).await;
    cluster.stop_apiserver();
    cluster.start_apiserver().expect("an API server");
    // It fills its caches first.
    let before = loop {
        if let Ok(list) = env.pools().list(&ListParams::default()).await {
            break list.items.len();
        }
    };
    assert!(before < POOLS, "it died too late to tell");
    let source = env.synced("s").await;
    assert_eq!(source.status.and_then(|s| s.pools), Some(400));
    let list = env.pools().list(&ListParams::default()).await;
    let list = list.expect("a list").items;
    assert_eq!(list.len(), POOLS);
    assert!(list.iter().all(|pool| pool.status.is_some()));
    // Two writes for each pool, and little beside.
    let requests = requests(&cluster.audit_log(), &controller.agent);
    assert!(requests.len() < 2 * POOLS + 200, "{}", requests.len());
}

#[tokio::test]
async fn an_outage_of_etcd_is_survived() {
    let (_turn, cluster) = breakable().await;
    let scenario = Scenario::documented_sample().expect("the documented sample");
    let env = Env::on(cluster, scenario).await;
    env.add_source("s", json!({})).await;
    let mut process = Process::of(&env);
    let before = env.mirrored(SAMPLE).await;
    let synced = env.synced("s").await.status.expect("a status");

    cluster.stop_etcd();
    // The cloud is asked on, with the last credentials; what came of it can't be written.
    let listings = env.cloud().requests().gets(Operation::ListPools);
    env.asked(|r| r.gets(Operation::ListPools) >= listings + 3)
        .await;
    process.logged("failed to write the source's status").await;
    assert_eq!(process.get("/livez").await, (200, "ok\n".to_owned()));

    cluster.start_etcd().expect("etcd");
    an_edit(&env).await;
    env.pool_when(SAMPLE, "the edit is undone", |p| p.spec == before.spec)
        .await;
    env.source_when("s", "a pass has succeeded since", |s| {
        let status = s.status.as_ref();
        status.and_then(|s| s.last_sync_time.as_ref()) > synced.last_sync_time.as_ref()
    })
    .await;
    process.ready().await;
    let asked = Process::asked(cluster, &env.namespace);
    let most = busiest_second(asked.iter().map(|r| r.received));
    eprintln!(
        "{} requests, {most} in a second {}",
        asked.len(),
        process.log()
    );
    assert!(most <= 20, "{most} requests in a second");
}
