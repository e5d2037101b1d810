//! The main job, end to end: the pools of a project appear in the cluster as the cloud shows them.

use std::collections::BTreeMap;

use kube::api::ListParams;
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Change, Scenario};
use serde_json::{Value, json};

use super::support::cluster::run;
use super::support::env::{Env, pool_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// The object as the API server holds it, without what differs from run to run.
fn stable(pool: &ModelArtsPool) -> Value {
    let mut pool = serde_json::to_value(pool).expect("JSON");
    let metadata = pool["metadata"].as_object_mut().expect("metadata");
    for varying in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "namespace",
    ] {
        assert!(metadata.remove(varying).is_some(), "{varying}");
    }
    metadata["ownerReferences"][0]
        .as_object_mut()
        .expect("an owner")
        .remove("uid");
    for condition in pool["status"]["conditions"]
        .as_array_mut()
        .expect("conditions")
    {
        let condition = condition.as_object_mut().expect("a condition");
        assert!(condition.remove("lastTransitionTime").is_some());
    }
    pool
}

#[tokio::test]
async fn the_documented_pool_appears_whole() {
    let env = Env::new().await;
    let source = env.add_source("team-a", json!({})).await;
    let _controller = env.start_controller().await;
    let pool = env.mirrored(SAMPLE).await;
    let owner = &pool.metadata.owner_references.as_ref().expect("an owner")[0];
    assert_eq!(Some(&owner.uid), source.metadata.uid.as_ref());
    let condition = |type_: &str, status: &str, reason: &str| json!({"type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": 1});
    assert_eq!(
        stable(&pool),
        json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
            "kind": "ModelArtsPool",
            "metadata": {
                "name": SAMPLE,
                "generation": 1,
                "labels": {
                    "app.kubernetes.io/managed-by": "modelarts-pool-controller",
                    "modelarts.huaweicloud.com/source": "team-a",
                    "os.modelarts/name": "auto-pool-os",
                    "os.modelarts/workspace.id": "0",
                    "os.modelarts/resource.id": "maos-auto-pool-os-72w8d",
                },
                "annotations": {
                    "modelarts.huaweicloud.com/cloud-api-version": "v2",
                    "os.modelarts/description": "",
                    "os.modelarts/billing.mode": "0",
                },
                "ownerReferences": [{
                    "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
                    "kind": "ModelArtsPoolSource",
                    "name": "team-a",
                    "controller": true,
                }],
            },
            "spec": {
                "type": "Dedicate",
                "scope": ["Train", "Infer"],
                "resources": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2}],
                "network": {"name": "network-maos-86c13962597848eeb29c5861153a391f"},
            },
            "status": {
                "phase": "Running",
                "root": SAMPLE,
                "scope": [{"scopeType": "Train", "state": "Enabled"}, {"scopeType": "Infer", "state": "Enabled"}],
                "resources": {
                    "available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2, "azs": [{"az": "cn-north-7c", "count": 2}]}],
                    "creating": [], "abnormal": [], "deleting": [], "creationFailed": [],
                },
                "counts": {"desired": 2, "available": 2, "creating": 0, "abnormal": 0, "deleting": 0, "creationFailed": 0},
                "flavors": "modelarts.vm.cpu.4ud",
                "creationTimestamp": "2022-09-16T03:10:40Z",
                "observedGeneration": 1,
                "conditions": [
                    condition("Ready", "True", "Running"),
                    condition("Synced", "True", "Synced"),
                    condition("Listed", "True", "Listed"),
                ],
            },
        })
    );
}

#[tokio::test]
async fn every_kind_of_pool_is_mirrored_without_its_secrets() {
    let env = Env::with(Scenario::default_world().expect("the default world")).await;
    env.add_source("all", json!({"workspaceIds": ["*"]})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("all").await;
    let status = source.status.expect("a status");
    assert_eq!(status.skipped, None);

    let list = env.pools().list(&ListParams::default()).await;
    let pools = list.expect("a list").items;
    assert_eq!(status.pools, i64::try_from(pools.len()).ok());
    let text = serde_json::to_string(&pools).expect("JSON");
    assert!(!text.contains("never-to-be-mirrored"), "{text}");
    assert!(!text.contains("postInstall"), "{text}");

    let by_name: BTreeMap<String, &ModelArtsPool> = pools
        .iter()
        .map(|p| {
            let name = p
                .metadata
                .labels
                .as_ref()
                .and_then(|l| l.get("os.modelarts/name"));
            (name.cloned().unwrap_or_default(), p)
        })
        .collect();
    let counts = |name: &str| {
        let status = by_name[name].status.as_ref().expect("a status");
        status.counts.clone().expect("counts")
    };
    // A pool that is carved out of another has no nodes of its own: unknown, not 0.
    assert_eq!(counts("pool-logic-01").desired, Some(1));
    assert_eq!(counts("pool-logic-01").available, None);
    assert_eq!(counts("pool-nocapacity").creation_failed, Some(8));
    assert_eq!(counts("pool-nocapacity").available, Some(0));
    assert_eq!(by_name["pool-frozen"].spec.control_mode, Some(9));

    let is_dedicate = |p: &&ModelArtsPool| p.spec.type_.as_deref() == Some("Dedicate");
    let available = pools.iter().filter(is_dedicate).filter_map(|p| {
        let counts = p.status.as_ref()?.counts.as_ref()?;
        counts.available
    });
    assert_eq!(
        status.counts.and_then(|c| c.available),
        Some(available.sum())
    );
}

#[tokio::test]
async fn what_changes_in_the_cloud_changes_in_the_cluster() {
    let env = Env::new().await;
    env.add_source("s", json!({})).await;
    let _controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;

    let ill = Change::SetPhase {
        phase: Some("Abnormal".to_owned()),
        message: Some("2 nodes are ill".to_owned()),
    };
    env.cloud().change_pool(SAMPLE, &ill).expect("a change");
    let nodes = Change::AbnormalNodes {
        count: 2,
        flavor: None,
    };
    env.cloud().change_pool(SAMPLE, &nodes).expect("a change");
    let pool = env
        .pool_when(SAMPLE, "it is ill", |p| {
            pool_condition(p, "Ready").is_some_and(|c| c.status == "False")
        })
        .await;
    let ready = pool_condition(&pool, "Ready").expect("Ready");
    assert_eq!(
        (ready.reason.as_str(), ready.message.as_str()),
        ("Abnormal", "2 nodes are ill")
    );
    let status = pool.status.as_ref().expect("a status");
    let counts = status.counts.as_ref().expect("counts");
    assert_eq!((counts.available, counts.abnormal), (Some(0), Some(2)));
    // Only what changed has a new time.
    let time = |pool, type_| {
        pool_condition(pool, type_)
            .expect(type_)
            .last_transition_time
            .clone()
    };
    assert!(time(&pool, "Ready") >= time(&before, "Ready"));
    assert_eq!(time(&pool, "Synced"), time(&before, "Synced"));
    assert_eq!(pool.metadata.uid, before.metadata.uid);

    let new = json!({"metadata": {"name": "pool-b"}, "spec": {"type": "Dedicate"}});
    env.cloud().put_pool(&new).expect("a pool");
    let pool = env.mirrored("pool-b").await;
    let ready = pool_condition(&pool, "Ready").expect("Ready");
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("Unknown", "NoPhase")
    );
}

#[tokio::test]
async fn kubectl_shows_selects_and_explains() {
    let env = Env::with(Scenario::default_world().expect("the default world")).await;
    env.add_source("all", json!({"workspaceIds": ["*"]})).await;
    let _controller = env.start_controller().await;
    env.synced("all").await;
    let kubectl = |arguments: &str| {
        let mut kubectl = env.cluster.kubectl();
        run(kubectl
            .args(arguments.split(' '))
            .args(["-n", &env.namespace]))
        .expect(arguments)
    };

    let table = kubectl("get modelartspools");
    let header: Vec<&str> = table
        .lines()
        .next()
        .expect("a header")
        .split_whitespace()
        .collect();
    assert_eq!(
        header,
        [
            "NAME",
            "POOL-NAME",
            "TYPE",
            "PHASE",
            "DESIRED",
            "AVAILABLE",
            "ABNORMAL",
            "READY",
            "AGE"
        ]
    );
    let sample = table
        .lines()
        .find(|l| l.starts_with(SAMPLE))
        .expect("the sample");
    let cells: Vec<&str> = sample.split_whitespace().collect();
    assert_eq!(cells[1..4], ["auto-pool-os", "Dedicate", "Running"]);
    // The pool's own age, not the mirror's.
    assert!(cells[8].contains('y'), "{sample}");

    let wide = kubectl("get mapool -o wide");
    let header = wide.lines().next().expect("a header");
    for column in [
        "CREATING",
        "DELETING",
        "FLAVORS",
        "SCOPE",
        "WORKSPACE",
        "SYNCED",
        "MESSAGE",
    ] {
        assert!(header.contains(column), "{header}");
    }
    let sources = kubectl("get mapoolsource -o wide");
    for column in [
        "REGION",
        "PROJECT",
        "POOLS",
        "AVAILABLE",
        "ABNORMAL",
        "READY",
        "REASON",
        "LAST SYNC",
        "AGE",
    ] {
        assert!(sources.contains(column), "{sources}");
    }
    let both = kubectl("get modelarts -o name");
    assert!(both.contains("modelartspoolsource.modelarts.huaweicloud.com/all"));
    assert!(both.contains(&format!("modelartspool.modelarts.huaweicloud.com/{SAMPLE}")));

    let logical = kubectl("get mapool --field-selector spec.type=Logical -o name");
    assert_eq!(logical.lines().count(), 1, "{logical}");
    let failed = kubectl("get mapool --field-selector status.phase=CreationFailed -o name");
    assert_eq!(failed.lines().count(), 1, "{failed}");
    let of_source = kubectl("get mapool -l modelarts.huaweicloud.com/source=all -o name");
    assert_eq!(of_source.lines().count(), table.lines().count() - 1);

    let explained = kubectl("explain modelartspool.status.counts.available");
    assert!(explained.contains("status.resources.available"));
    let explained = kubectl("explain mapoolsource.spec.interval");
    assert!(explained.contains("5s to 24h"), "{explained}");
}
