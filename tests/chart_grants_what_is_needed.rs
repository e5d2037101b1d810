//! The program under the service account of the chart: it can do its work, and nothing else.

use std::collections::BTreeSet;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::support::chart::{Asked, RELEASE, asked, install, kubectl, may, user_of};
use super::support::cluster::Cluster;
use super::support::env::{Env, PATIENCE};
use super::support::process::Process;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// Creates, changes, repairs, an adoption, a removal and an end, with the rights of the chart alone.
#[tokio::test]
async fn the_rights_are_enough_and_no_more() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let mut process = Process::over(&env, &install(&env), &[]);
    env.synced("team-a").await;
    let mirror = env.mirrored(SAMPLE).await;

    // A change in the cloud, an edit, a deletion.
    env.cloud()
        .patch_pool(
            SAMPLE,
            json!({"status": {"phase": "Abnormal"}, "spec": {"scope": ["Train"]}}),
        )
        .expect("a pool");
    env.pool_when(SAMPLE, "the phase is Abnormal", |p| {
        p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
    })
    .await;
    let edit = json!({"metadata": {"labels": {"modelarts.huaweicloud.com/source": "x"}}});
    env.pools()
        .patch(SAMPLE, &PatchParams::default(), &Patch::Merge(edit))
        .await
        .expect("an edit");
    env.pool_when(SAMPLE, "the edit is undone", |p| {
        let labels = p.metadata.labels.as_ref();
        labels
            .and_then(|l| l.get("modelarts.huaweicloud.com/source"))
            .is_some_and(|s| s == "team-a")
    })
    .await;
    env.pools()
        .delete(SAMPLE, &DeleteParams::default())
        .await
        .expect("a deletion");
    let again = env
        .pool_when(SAMPLE, "it is there again", |p| {
            p.status.is_some() && p.metadata.uid != mirror.metadata.uid
        })
        .await;

    // An orphan: the source goes without its mirrors and comes again under another uid.
    kubectl(
        cluster,
        namespace,
        &["delete", "modelartspoolsource/team-a", "--cascade=orphan"],
    )
    .expect("a deletion");
    env.add_source("team-a", json!({})).await;
    let source = env.synced("team-a").await;
    env.pool_when(SAMPLE, "the new source owns it", |p| {
        let mut owners = p.metadata.owner_references.iter().flatten();
        p.metadata.uid == again.metadata.uid
            && owners.any(|o| Some(&o.uid) == source.metadata.uid.as_ref())
    })
    .await;

    // An owner that exists no more. Of a version that is not served: the garbage collector can't look
    // it up, and so can't be faster than the program.
    let owner = json!({"metadata": {"ownerReferences": [{
        "apiVersion": "modelarts.huaweicloud.com/v1alpha0", "kind": "ModelArtsPoolSource",
        "name": "gone", "uid": "00000000-0000-0000-0000-000000000000", "controller": true,
    }]}});
    env.pools()
        .patch(SAMPLE, &PatchParams::default(), &Patch::Merge(owner))
        .await
        .expect("an edit");
    env.pool_when(SAMPLE, "the source owns it again", |p| {
        let mut owners = p.metadata.owner_references.iter().flatten();
        p.metadata.uid == again.metadata.uid
            && owners.any(|o| Some(&o.uid) == source.metadata.uid.as_ref())
    })
    .await;

    // A pool that is gone.
    let prune = json!({"spec": {"interval": "5s", "prune": {"gracePeriod": "0s"}}});
    env.patch_source("team-a", &prune).await;
    env.cloud().delete_pool(SAMPLE).expect("a pool");
    env.pool_gone(SAMPLE).await;
    process.signal("TERM");
    assert_eq!(process.ended(PATIENCE).await, Some(0));

    let asked = asked(cluster, namespace);
    let refused: Vec<_> = asked
        .iter()
        .filter(|a| a.code == 403 || a.code == 401)
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_each_right_is_used(cluster, namespace, &asked);
    assert_may_not_do_more(cluster, namespace);
}

/// Each verb of the rules was needed: a rule that the program has outgrown shows here.
fn assert_each_right_is_used(cluster: &Cluster, namespace: &str, asked: &BTreeSet<Asked>) {
    let lease = format!("{RELEASE}-lease");
    let both = ["get", "role", RELEASE, &lease, "-o=json"];
    let both = kubectl(cluster, namespace, &both).expect("two Roles");
    let both: Value = serde_json::from_str(&both).expect("JSON");
    let roles = both["items"].as_array().expect("a list").iter();
    for rule in roles.flat_map(|role| role["rules"].as_array().expect("rules")) {
        for verb in rule["verbs"].as_array().expect("verbs") {
            let resource = &rule["resources"][0];
            // An apply that creates is a patch in the audit log; 201 tells it from others.
            let used = asked.iter().any(|a| {
                resource == &*a.resource && (verb == &*a.verb || verb == "create" && a.code == 201)
            });
            assert!(used, "{verb} {resource} was not needed: {asked:?}");
        }
    }
}

fn assert_may_not_do_more(cluster: &Cluster, namespace: &str) {
    let account = user_of(namespace, RELEASE);
    let may =
        |verb: &str, resource: &str, scope: &str| may(cluster, scope, &account, verb, resource);
    let here = format!("--namespace={namespace}");
    let lease = format!("leases.coordination.k8s.io/{RELEASE}");
    for (verb, resource) in [("get", "secrets"), ("update", &*lease)] {
        assert!(may(verb, resource, &here), "the question is put wrongly");
    }
    for (verb, resource) in [
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "secrets"),
        ("delete", "modelartspoolsources"),
        ("create", "modelartspoolsources"),
        ("update", "modelartspoolsources"),
        ("patch", "modelartspoolsources"),
        ("update", "modelartspoolsources/status"),
        ("update", "modelartspools"),
        ("deletecollection", "modelartspools"),
        ("patch", "events.events.k8s.io"),
        ("list", "events.events.k8s.io"),
        ("list", "leases.coordination.k8s.io"),
        ("watch", "leases.coordination.k8s.io"),
        ("delete", "leases.coordination.k8s.io"),
        ("update", "leases.coordination.k8s.io/another"),
        ("create", "pods"),
        ("create", "serviceaccounts/token"),
        ("list", "namespaces"),
        ("delete", "namespaces"),
        ("create", "rolebindings"),
        ("escalate", "roles"),
        ("impersonate", "users"),
        ("patch", "customresourcedefinitions"),
    ] {
        assert!(!may(verb, resource, &here), "{verb} {resource}");
    }
    // Not even what it may do here, elsewhere.
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "modelartspools"),
        ("patch", "modelartspools"),
    ] {
        assert!(
            !may(verb, resource, "--namespace=default"),
            "{verb} {resource}"
        );
        assert!(
            !may(verb, resource, "--all-namespaces"),
            "{verb} {resource}"
        );
    }
}
