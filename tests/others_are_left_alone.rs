//! Law 7: what is somebody else's is never touched, and a source that goes takes its mirrors with it as
//! Kubernetes means it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Operation, Selection};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::audit::writes;
use super::support::controller::agent_of;
use super::support::env::{Env, PATIENCE, skipped, source_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// Creates an object with the name of the sample.
async fn squatter(env: &Env, metadata: Value) -> ModelArtsPool {
    let mut object = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
        "metadata": {"name": SAMPLE}, "spec": {"type": "squatter"},
    });
    super::support::env::merge(&mut object["metadata"], metadata);
    let object = serde_json::from_value(object).expect("an object");
    let created = env.pools().create(&PostParams::default(), &object).await;
    created.expect("an accepted object")
}

fn controller_reference(kind: &str, uid: &str) -> Value {
    let api_version = match kind {
        "ModelArtsPoolSource" => "modelarts.huaweicloud.com/v1alpha1",
        _ => "v1",
    };
    json!([{"apiVersion": api_version, "kind": kind, "name": "other", "uid": uid, "controller": true}])
}

const OURS: &str = "modelarts-pool-controller";

#[tokio::test]
async fn an_object_that_somebody_else_made_is_not_touched() {
    let env = Env::new().await;
    // Its owner exists, or else the garbage collector would delete it.
    let other = env.add_source("other", json!({"suspend": true})).await;
    let other_uid = other.metadata.uid.expect("a uid");
    for metadata in [
        json!({}),
        json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
        // Somebody else's controller reference counts more than our label.
        json!({"labels": {"app.kubernetes.io/managed-by": OURS}, "ownerReferences": controller_reference("ModelArtsPoolSource", &other_uid)}),
    ] {
        let theirs = squatter(&env, metadata.clone()).await;
        env.add_source("s", json!({"interval": "24h"})).await;
        let controller = env.start_controller().await;
        let source = env.synced("s").await;
        let skipped = source.status.as_ref().and_then(|s| s.skipped.clone());
        let skipped = skipped.unwrap_or_else(|| panic!("nothing skipped: {metadata}"));
        assert_eq!(skipped.count, 1);
        assert_eq!(skipped.pools[0].id, SAMPLE);
        assert_eq!(skipped.pools[0].reason, "NameConflict");
        let message = &skipped.pools[0].message;
        assert!(
            message.contains("kubectl delete modelartspool"),
            "{message}"
        );
        let condition = source_condition(&source, "PoolsSkipped").expect("PoolsSkipped");
        assert_eq!(condition.status, "True");
        let now = env.pools().get(SAMPLE).await.expect("theirs");
        // The other source may say in the conditions that it is suspended.
        assert_eq!(now.metadata.generation, theirs.metadata.generation);
        assert_eq!(now.metadata.labels, theirs.metadata.labels);
        assert_eq!(
            now.metadata.owner_references,
            theirs.metadata.owner_references
        );
        if theirs.metadata.owner_references.is_none() {
            assert_eq!(
                now.metadata.resource_version,
                theirs.metadata.resource_version
            );
        }

        // Once it is gone, the name is free, and nobody needs to ask the cloud.
        let requests = env.cloud().requests();
        let deleted = env.pools().delete(SAMPLE, &DeleteParams::default()).await;
        deleted.expect("a deletion");
        env.pool_when(SAMPLE, "it is the mirror", |p| {
            p.spec.type_.as_deref() == Some("Dedicate") && p.status.is_some()
        })
        .await;
        assert_eq!(env.cloud().requests().counts, requests.counts);
        env.refresh("s").await;
        let source = env.synced("s").await;
        assert_eq!(source.status.and_then(|s| s.skipped), None);
        controller.stop().await;
        delete_source(&env, "s", PropagationPolicy::Background).await;
        env.pool_gone(SAMPLE).await;
    }
}

#[tokio::test]
async fn what_this_controller_left_behind_is_adopted() {
    let env = Env::new().await;
    let stale = "11111111-2222-3333-4444-555555555555";
    // Nobody collects it while its deletion waits for a finalizer.
    let finalizers = json!(["tests/hold"]);
    let left_behind = [
        json!({"labels": {"app.kubernetes.io/managed-by": OURS}}),
        json!({"labels": {"app.kubernetes.io/managed-by": OURS}, "ownerReferences": controller_reference("ModelArtsPoolSource", stale), "finalizers": finalizers}),
    ];
    for metadata in left_behind {
        let before = squatter(&env, metadata.clone()).await;
        let source = env.add_source("s", json!({"interval": "24h"})).await;
        let controller = env.start_controller().await;
        let source_uid = source.metadata.uid.expect("a uid");
        let adopted = env
            .pool_when(SAMPLE, "it is adopted and whole", |p| {
                let owners = p.metadata.owner_references.iter().flatten();
                let owned = owners.filter(|o| o.uid == source_uid).count() == 1;
                owned && p.spec.type_.as_deref() == Some("Dedicate") && p.status.is_some()
            })
            .await;
        assert_eq!(adopted.metadata.uid, before.metadata.uid, "the same object");
        let owners = adopted.metadata.owner_references.expect("owners");
        assert_eq!(owners.len(), 1, "{owners:?}");
        controller.stop().await;
        delete_source(&env, "s", PropagationPolicy::Background).await;
        let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let _ = env
            .pools()
            .patch(SAMPLE, &PatchParams::default(), &release)
            .await;
        env.pool_gone(SAMPLE).await;
    }
}

#[tokio::test]
async fn of_two_sources_over_the_same_pool_the_first_keeps_it() {
    let env = Env::new().await;
    env.add_source("first", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let mirror = env.mirrored(SAMPLE).await;
    env.add_source("second", json!({"interval": "24h"})).await;
    let second = env.synced("second").await;
    let skipped = skipped(&second);
    assert_eq!(skipped.pools[0].reason, "NameConflict");
    let now = env.pools().get(SAMPLE).await.expect("a mirror");
    assert_eq!(
        now.metadata.resource_version,
        mirror.metadata.resource_version
    );

    // When the first goes, its mirror goes with it, and the second makes its own.
    delete_source(&env, "first", PropagationPolicy::Background).await;
    env.pool_when(SAMPLE, "it belongs to the second", |p| {
        let owners = p.metadata.owner_references.iter().flatten();
        owners.map(|o| o.name.as_str()).eq(["second"]) && p.status.is_some()
    })
    .await;
}

async fn delete_source(env: &Env, name: &str, policy: PropagationPolicy) {
    let uid = env
        .sources()
        .get(name)
        .await
        .expect(name)
        .metadata
        .uid
        .expect("a uid");
    let params = DeleteParams {
        propagation_policy: Some(policy),
        ..DeleteParams::default()
    };
    env.sources().delete(name, &params).await.expect(name);
    let gone = await_condition(env.sources(), name, is_deleted(&uid));
    timeout(PATIENCE, gone)
        .await
        .expect("it goes in time")
        .expect("a watch");
}

#[tokio::test]
async fn deleting_a_source_deletes_its_mirrors() {
    for policy in [PropagationPolicy::Background, PropagationPolicy::Foreground] {
        let env = Env::with_pools(20).await;
        env.add_source("s", json!({"interval": "24h"})).await;
        let controller = env.start_controller().await;
        env.synced("s").await;
        let ids = env.cloud().pool_ids();
        let before = writes(&env.cluster.audit_log(), &controller.agent).len();
        delete_source(&env, "s", policy).await;
        for id in &ids {
            env.pool_gone(id).await;
        }
        // None was brought back on the way.
        controller.stop().await;
        let writes = writes(&env.cluster.audit_log(), &agent_of(&env)).split_off(before);
        assert!(writes.is_empty(), "{writes:#?}");
        // A cloud that was only read still has its pools.
        assert_eq!(env.cloud().requests().not_get, 0);
        assert_eq!(env.cloud().pool_ids(), ids);
    }
}

#[tokio::test]
async fn orphaned_mirrors_stay_orphans() {
    let env = Env::with_pools(20).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    delete_source(&env, "s", PropagationPolicy::Orphan).await;
    // Another source, so that the controller is known to have seen and done all that it had to.
    env.add_source(
        "later",
        json!({"interval": "24h", "labelSelector": "none=x"}),
    )
    .await;
    env.synced("later").await;
    controller.stop().await;
    let mirrors = env.pools().list(&ListParams::default()).await;
    let mirrors = mirrors.expect("a list").items;
    assert_eq!(mirrors.len(), 20);
    for mirror in mirrors {
        let owners = mirror.metadata.owner_references.unwrap_or_default();
        assert!(owners.is_empty(), "{owners:?}");
    }
}

#[tokio::test]
async fn a_source_deleted_in_mid_pass_gets_no_mirrors() {
    let env = Env::new().await;
    env.cloud().hold(Selection::of(Operation::ListPools));
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.asked(|r| r.held > 0).await;
    delete_source(&env, "s", PropagationPolicy::Background).await;
    env.cloud().release();
    // The same name anew is another source; its pass shows that the first one's listing has ended.
    let again = env.add_source("s", json!({"interval": "24h"})).await;
    env.synced("s").await;
    let mirror = env.mirrored(SAMPLE).await;
    let owners = mirror.metadata.owner_references.expect("owners");
    assert_eq!(Some(&owners[0].uid), again.metadata.uid.as_ref());
    assert_eq!(owners.len(), 1);
    let writes = writes(&env.cluster.audit_log(), &controller.agent);
    let creates = writes.iter().filter(|r| {
        r.object_ref.resource == "modelartspools" && r.object_ref.subresource.is_empty()
    });
    assert_eq!(creates.count(), 1, "{writes:#?}");
}

#[tokio::test]
async fn a_source_made_anew_takes_its_mirrors_over() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let before = env.mirrored(SAMPLE).await;
    delete_source(&env, "s", PropagationPolicy::Orphan).await;
    let again = env.add_source("s", json!({"interval": "24h"})).await;
    let uid = again.metadata.uid.expect("a uid");
    let after = env
        .pool_when(SAMPLE, "it belongs to the new source", |p| {
            let owners = p.metadata.owner_references.iter().flatten();
            owners.map(|o| o.uid.as_str()).eq([uid.as_str()])
        })
        .await;
    assert_eq!(after.metadata.uid, before.metadata.uid);
}

#[tokio::test]
async fn a_namespace_that_is_deleted_goes() {
    let env = Env::with_pools(20).await;
    env.add_source("s", json!({})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let api: Api<Namespace> = Api::all(env.client.clone());
    let uid = api
        .get(&env.namespace)
        .await
        .expect("it")
        .metadata
        .uid
        .expect("a uid");
    let params = DeleteParams::default();
    api.delete(&env.namespace, &params).await.expect("it");
    let gone = await_condition(api, &env.namespace, is_deleted(&uid));
    timeout(PATIENCE + Duration::from_mins(1), gone)
        .await
        .expect("a namespace goes in time")
        .expect("a watch");
    controller.stop().await;
    // Nothing was made anew in it.
    let log = env.cluster.audit_log();
    let creates = writes(&log, &agent_of(&env)).into_iter().filter(|r| {
        r.object_ref.resource == "modelartspools" && r.object_ref.subresource.is_empty()
    });
    assert_eq!(creates.count(), 20);
}
