//! The API server goes and comes back: its outage is not the cloud's, and nobody has to help afterwards.

use kube::api::{Patch, PatchParams};
use modelarts_pool_controller::simulator::{Operation, Scenario};
use serde_json::json;

use super::support::audit::requests;
use super::support::cluster::Cluster;
use super::support::env::{Env, source_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

#[tokio::test]
async fn an_outage_of_the_api_server_is_survived() {
    // A control plane of its own. It ends with the process.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start().expect("a control plane")));
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
    assert!(controller.health.live(std::time::Instant::now()).is_ok());
    let missing = controller
        .health
        .ready()
        .expect_err("not ready without its watches");
    assert!(missing.contains("modelartspools"), "{missing}");

    cluster.start_apiserver().expect("an API server");
    let edit = Patch::Merge(json!({"spec": {"type": "mine"}}));
    let edited = env
        .pools()
        .patch(SAMPLE, &PatchParams::default(), &edit)
        .await;
    edited.expect("an edit");
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
    assert_eq!(controller.health.ready(), Ok(()));
    // Nothing went round and round: what was asked since the restart is counted in dozens.
    let requests = requests(&cluster.audit_log(), &controller.agent);
    assert!(requests.len() < 200, "{} requests", requests.len());
}
