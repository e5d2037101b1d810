//! Law 3: absence is not outage. A mirror goes when its pool is confirmed gone or out of selection, and
//! not before. What only time decides is tested in virtual time, beside the machine.

use kube::api::DeleteParams;
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{
    Change, Fault, Generate, Operation, Scenario, Workspace,
};
use serde_json::{Value, json};

use super::support::audit::writes;
use super::support::env::{Env, pool_condition, says, source_condition};

/// A cloud with so many pools, and a source of theirs.
async fn env(pools: usize, prune: Value) -> (Env, Vec<String>) {
    let workspace = |id: &str| Workspace {
        id: id.to_owned(),
        name: id.to_owned(),
        status: "NORMAL".to_owned(),
    };
    let scenario = Scenario {
        generate: vec![Generate::pools(pools)],
        workspaces: vec![workspace("1"), workspace("2")],
        ..Scenario::default()
    };
    let env = Env::with(scenario).await;
    env.add_source("s", json!({"interval": "5s", "prune": prune}))
        .await;
    let ids = env.cloud().pool_ids();
    (env, ids)
}

async fn condition(env: &Env, id: &str, type_: &str, status: &str, reason: &str) -> ModelArtsPool {
    let what = format!("{type_} is {status}/{reason}");
    env.pool_when(id, &what, |p| says(p, type_, status, reason))
        .await
}

fn shown(env: &Env) -> u64 {
    env.cloud().requests().gets(Operation::ShowPool)
}

#[tokio::test]
async fn the_mirror_of_a_gone_pool_goes_and_that_of_a_hidden_one_stays() {
    let (env, ids) = env(4, json!({"gracePeriod": "0s"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    env.cloud().delete_pool(&ids[0]).expect("a pool");
    env.cloud()
        .change_pool(&ids[1], &Change::Hide)
        .expect("a pool");
    let missing = condition(&env, &ids[1], "Listed", "False", "Missing").await;
    assert!(says(&missing, "Synced", "True", "Synced"));
    env.pool_gone(&ids[0]).await;
    let hidden = condition(&env, &ids[1], "Ready", "Unknown", "Missing").await;
    let since = |p: &ModelArtsPool| pool_condition(p, "Listed").map(|c| c.last_transition_time.0);
    assert_eq!(since(&hidden), since(&missing));
    assert_eq!(
        hidden.status.as_ref().map(|s| &s.counts),
        missing.status.as_ref().map(|s| &s.counts)
    );
    let source = env.synced("s").await;
    assert_eq!(source.status.and_then(|s| s.pools), Some(2));
    env.event(&ids[0], "PoolGone").await;
    let told: Vec<String> = env.events(&ids[0]).await.into_iter().map(|e| e.0).collect();
    assert_eq!(told, ["PoolMissing", "PoolGone"]);
    let deleted = writes(&env.cluster.audit_log(), &controller.agent);
    let deleted: Vec<_> = deleted.iter().filter(|r| r.verb == "delete").collect();
    assert_eq!(deleted.len(), 1, "{deleted:#?}");
    assert_eq!(env.cloud().requests().not_get, 0);

    env.cloud()
        .change_pool(&ids[1], &Change::Show)
        .expect("a pool");
    let back = condition(&env, &ids[1], "Listed", "True", "Listed").await;
    assert_eq!(back.metadata.uid, missing.metadata.uid);
    assert!(!says(&back, "Ready", "Unknown", "Missing"));
    env.event(&ids[1], "PoolReturned").await;
}

#[tokio::test]
async fn a_retained_mirror_says_gone_until_somebody_deletes_it() {
    let (env, ids) = env(2, json!({"policy": "Retain", "gracePeriod": "0s"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let before = env.mirrored(&ids[0]).await;
    env.cloud().delete_pool(&ids[0]).expect("a pool");
    let gone = condition(&env, &ids[0], "Listed", "False", "Gone").await;
    assert!(says(&gone, "Ready", "False", "Gone"));
    assert!(says(&gone, "Synced", "True", "Synced"));
    let status = serde_json::to_value(&gone.status).expect("JSON");
    let zero = json!({"desired": 0, "available": 0, "creating": 0, "abnormal": 0, "deleting": 0, "creationFailed": 0});
    assert_eq!(status["counts"], zero);
    let resources = |p: &ModelArtsPool| p.status.as_ref().map(|s| s.resources.clone());
    assert_eq!(resources(&gone), resources(&before));
    env.event(&ids[0], "PoolGone").await;

    // It outlives the controller, without a word.
    controller.stop().await;
    let controller = env.start_controller().await;
    env.refresh("s").await;
    env.refresh("s").await;
    let after = env.pools().get(&ids[0]).await.expect("the mirror");
    assert_eq!(
        after.metadata.resource_version,
        gone.metadata.resource_version
    );
    let deleted = env.pools().delete(&ids[0], &DeleteParams::default()).await;
    deleted.expect("a deletion");
    env.refresh("s").await;
    env.refresh("s").await;
    let now = env.pools().get_opt(&ids[0]).await.expect("an answer");
    assert!(now.is_none(), "it was restored");
    controller.stop().await;
}

#[tokio::test]
async fn a_mass_disappearance_removes_nothing_and_says_why() {
    let (env, ids) = env(4, json!({"gracePeriod": "0s"})).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    for id in &ids[..3] {
        env.cloud().delete_pool(id).expect("a pool");
    }
    let source = env
        .source_when("s", "PruneHalted is True", |s| {
            source_condition(s, "PruneHalted").is_some_and(|c| c.reason == "TooManyMissing")
        })
        .await;
    assert!(source_condition(&source, "Ready").is_some_and(|c| c.status == "True"));
    for id in &ids[..3] {
        condition(&env, id, "Ready", "Unknown", "Missing").await;
    }
    assert_eq!(shown(&env), 0);
    env.event("s", "PruneHalted").await;

    // Whoever knows that they are gone says so.
    env.patch_source("s", &json!({"spec": {"prune": {"maxPercent": 100}}}))
        .await;
    for id in &ids[..3] {
        env.pool_gone(id).await;
    }
    env.source_when("s", "PruneHalted is gone", |s| {
        source_condition(s, "PruneHalted").is_none()
    })
    .await;
}

#[tokio::test]
async fn an_error_that_looks_like_gone_is_not_gone() {
    let (env, ids) = env(3, json!({"gracePeriod": "0s"})).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    let gateway = Fault {
        code: Some("APIGW.0101".to_owned()),
        ..Fault::status(Operation::ShowPool, 404)
    };
    env.cloud().add_fault(gateway).expect("a fault");
    env.cloud().delete_pool(&ids[0]).expect("a pool");
    let source = env
        .source_when("s", "PruneHalted is True", |s| {
            source_condition(s, "PruneHalted").is_some_and(|c| c.reason == "ConfirmationFailed")
        })
        .await;
    assert!(source_condition(&source, "Ready").is_some_and(|c| c.status == "True"));
    env.refresh("s").await;
    condition(&env, &ids[0], "Ready", "Unknown", "Missing").await;
    env.cloud().clear_faults();
    env.pool_gone(&ids[0]).await;
}

#[tokio::test]
async fn a_pool_that_moves_out_of_sight_is_deselected_and_one_that_moves_within_stays() {
    let (env, ids) = env(4, json!({"gracePeriod": "0s", "policy": "Retain"})).await;
    let spec = json!({"spec": {"workspaceIds": ["0", "1"]}});
    env.patch_source("s", &spec).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    let within = env.mirrored(&ids[0]).await;
    let to = |workspace: &str| Change::Move {
        workspace: workspace.to_owned(),
    };
    env.cloud().change_pool(&ids[0], &to("1")).expect("a pool");
    env.cloud().change_pool(&ids[1], &to("2")).expect("a pool");
    let moved = env
        .pool_when(&ids[0], "it is in the other workspace", |p| {
            let labels = p.metadata.labels.as_ref();
            labels.and_then(|l| l.get("os.modelarts/workspace.id")) == Some(&"1".to_owned())
        })
        .await;
    assert_eq!(moved.metadata.uid, within.metadata.uid);
    env.pool_gone(&ids[1]).await;
    env.event(&ids[1], "PoolDeselected").await;
}

#[tokio::test]
async fn the_absence_clock_is_the_clusters_not_the_process() {
    let (env, ids) = env(3, json!({"gracePeriod": "168h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    env.cloud().delete_pool(&ids[0]).expect("a pool");
    let missing = condition(&env, &ids[0], "Listed", "False", "Missing").await;
    controller.stop().await;
    let controller = env.start_controller().await;
    env.refresh("s").await;
    // Some seconds later than the first: a clock that is set anew shows in whole seconds.
    env.refresh("s").await;
    let after = env.pools().get(&ids[0]).await.expect("the mirror");
    assert_eq!(
        after.metadata.resource_version,
        missing.metadata.resource_version
    );
    controller.stop().await;

    // A changed spec restarts it, also where nobody saw the change.
    let spec = json!({"spec": {"prune": {"gracePeriod": "167h"}}});
    env.patch_source("s", &spec).await;
    let controller = env.start_controller().await;
    let since = |p: &ModelArtsPool| pool_condition(p, "Listed").map(|c| c.last_transition_time.0);
    env.pool_when(&ids[0], "the clock is set anew", |p| {
        since(p) > since(&missing)
    })
    .await;
    assert_eq!(shown(&env), 0);
    controller.stop().await;
}
