//! Events: the right message each time, from what to what, and never a storm.

use std::time::Instant;

use kube::api::{DeleteParams, Patch, PatchParams};
use modelarts_pool_controller::simulator::{Change, Fault, Operation};
use serde_json::json;

use super::support::chart::kubectl;
use super::support::env::Env;

fn phase(phase: &str) -> Change {
    Change::SetPhase {
        phase: Some(phase.to_owned()),
        message: None,
    }
}

async fn reasons(env: &Env, name: &str) -> Vec<String> {
    env.events(name).await.into_iter().map(|e| e.0).collect()
}

#[tokio::test]
async fn each_change_of_a_pool_has_a_message_of_its_own() {
    let env = Env::with_pools(1).await;
    let ids = env.cloud().pool_ids();
    let id = &ids[0];
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let first = env.mirrored(id).await;
    let was = first.status.and_then(|s| s.phase).expect("a phase");
    assert!(reasons(&env, id).await.is_empty(), "a first mirror is none");
    let nodes = |count| Change::AbnormalNodes {
        count,
        flavor: None,
    };
    for change in [
        phase("Abnormal"),
        nodes(1),
        nodes(0),
        phase("Scaling"),
        phase("Running"),
    ] {
        env.cloud().change_pool(id, &change).expect("a pool");
        env.refresh("s").await;
    }
    env.events_published(5).await;
    let told = env.events(id).await;
    let found: Vec<&str> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    let expected = [
        "PhaseChanged",
        "NodesAbnormal",
        "NodesRecovered",
        "PhaseChanged",
        "PhaseChanged",
    ];
    assert_eq!(found, expected, "{told:#?}");
    // kube's recorder would have kept the first note for all three.
    for (note, expected) in told
        .iter()
        .filter(|(reason, _)| reason == "PhaseChanged")
        .map(|(_, note)| note)
        .zip([
            format!("the phase changed from {was} to Abnormal"),
            "the phase changed from Abnormal to Scaling".to_owned(),
            "the phase changed from Scaling to Running".to_owned(),
        ])
    {
        assert!(note.starts_with(&expected), "{note}");
    }
    assert!(told[1].1.starts_with("abnormal nodes: 1, before: 0"));
    // People find them where they look.
    let described = kubectl(env.cluster, &env.namespace, &["describe", "mapool", id]);
    let described = described.expect("a description");
    assert!(described.contains("NodesAbnormal"), "{described}");
    assert!(
        described.contains("from Abnormal to Scaling"),
        "{described}"
    );
    controller.stop().await;
}

#[tokio::test]
async fn an_outage_and_a_rejected_key_are_told_of_the_source_once() {
    let env = Env::with_pools(1).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    env.refresh("s").await;
    env.refresh("s").await;
    env.cloud().clear_faults();
    env.refresh("s").await;
    let rejected = Fault::status(Operation::ListPools, 401).times(1);
    env.cloud().add_fault(rejected).expect("a fault");
    env.refresh("s").await;
    env.events_published(3).await;
    let told = env.events("s").await;
    let found: Vec<&str> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    let expected = ["SyncFailed", "SyncRecovered", "CredentialsRejected"];
    assert_eq!(found, expected, "{told:#?}");
    assert!(told[0].1.contains("CloudUnavailable"), "{told:#?}");
    assert!(told[0].1.contains("ListPools"), "{told:#?}");
    assert!(told[1].1.contains("pools: 1"), "{told:#?}");
    controller.stop().await;
}

#[tokio::test]
async fn restorations_are_told_at_most_once_a_minute() {
    let env = Env::with_pools(3).await;
    let ids = env.cloud().pool_ids();
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let edit = |value: &str| Patch::Merge(json!({"spec": {"type": value}}));
    for round in 0..3 {
        let wrong = format!("wrong-{round}");
        let params = PatchParams::default();
        let edited = env.pools().patch(&ids[0], &params, &edit(&wrong)).await;
        edited.expect("an edit");
        env.pool_when(&ids[0], "the edit is undone", |p| {
            p.spec.type_.as_deref() != Some(&wrong)
        })
        .await;
    }
    let deleted = env.mirrored(&ids[1]).await;
    let deletion = env.pools().delete(&ids[1], &DeleteParams::default()).await;
    deletion.expect("a deletion");
    env.pool_when(&ids[1], "it is there again", |p| {
        p.metadata.uid != deleted.metadata.uid && p.status.is_some()
    })
    .await;
    env.event(&ids[0], "MirrorRestored").await;
    let anew = env.event(&ids[1], "MirrorRestored").await;
    assert!(anew.note.is_some_and(|n| n.contains("deleted")));
    assert_eq!(reasons(&env, &ids[0]).await, ["MirrorRestored"]);
    assert!(reasons(&env, &ids[2]).await.is_empty());
    controller.stop().await;
}

#[tokio::test]
async fn a_change_of_all_pools_is_no_storm() {
    let env = Env::with_pools(150).await;
    let ids = env.cloud().pool_ids();
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let begun = Instant::now();
    for id in &ids {
        env.cloud().change_pool(id, &phase("Odd")).expect("a pool");
    }
    env.refresh("s").await;
    let down = Fault::status(Operation::ListPools, 503).times(1);
    env.cloud().add_fault(down).expect("a fault");
    env.refresh("s").await;
    // The source still has its own, which comes after all of these.
    env.event("s", "SyncFailed").await;
    env.events_published(101).await;
    let mut told = 0;
    for id in &ids {
        told += env.events(id).await.len();
    }
    // One more for each 3 s that it took.
    let more = usize::try_from(begun.elapsed().as_secs() / 3 + 1).expect("a number");
    assert!((100..=100 + more).contains(&told), "{told} events");
    controller.stop().await;
}

/// What is told of the last writes is told, also where the controller is stopped right after them.
#[tokio::test]
async fn events_that_wait_are_published_at_the_end() {
    const POOLS: usize = 90;
    let env = Env::with_pools(POOLS).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    for id in env.cloud().pool_ids() {
        env.cloud().change_pool(&id, &phase("Odd")).expect("a pool");
    }
    env.refresh("s").await;
    controller.stop().await;
    let mut untold = Vec::new();
    for id in env.cloud().pool_ids() {
        let reasons = reasons(&env, &id).await;
        if !reasons.contains(&"PhaseChanged".to_owned()) {
            untold.push(id);
        }
    }
    assert_eq!(untold, Vec::<String>::new());
}
