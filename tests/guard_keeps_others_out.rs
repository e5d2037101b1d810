//! The admission guard: where it is installed, mirrors are written by the controller alone, and all that
//! people and Kubernetes do with objects beside goes on.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::chart::{CHART, RELEASE, install, kubectl};
use super::support::cluster::{run, shared};
use super::support::env::{Env, PATIENCE, client_as, skipped, source_condition};
use super::support::markdown::{read, root};
use super::support::policy::Policy;
use super::support::process::Process;

const FILE: &str = "charts/modelarts-pool-controller/files/admission-guard.yaml";
/// The account that the file names.
const ACCOUNT: &str = "system:serviceaccount:modelarts:modelarts-pool-controller";
const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// The spec of the policy, with the account of a controller in the namespace of the test.
fn guard(env: &Env) -> Value {
    let text = read(FILE);
    assert_eq!(text.matches(ACCOUNT).count(), 1, "one place to change");
    let account = format!("system:serviceaccount:{}:{RELEASE}", env.namespace);
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text.replace(ACCOUNT, &account)).expect("YAML");
    assert_eq!(objects[0]["kind"], "ValidatingAdmissionPolicy");
    // What is tried below is what the chart installs, too.
    let namespace = format!("--namespace={}", env.namespace);
    let rendered = run(shared().helm().args([
        "template",
        RELEASE,
        CHART,
        &namespace,
        "--show-only=templates/admission-policy.yaml",
        "--set=admissionPolicy.enabled=true",
    ]));
    let rendered: Vec<Value> =
        serde_saphyr::from_multiple(&rendered.expect("a policy")).expect("YAML");
    assert_eq!(rendered[0]["spec"], objects[0]["spec"]);
    objects[0]["spec"].clone()
}

/// The file as it is, and the account of the chart as its README installs it.
#[test]
fn the_manifest_is_accepted_and_names_the_account_of_the_chart() {
    let command = format!("kubectl apply --filename={FILE}\n");
    assert!(read("docs/security.md").contains(&command), "{command}");
    let file = format!("--filename={}", root().join(FILE).display());
    let apply = ["apply", "--dry-run=server", "--validate=strict", &file];
    let applied = kubectl(shared(), "default", &apply).expect("an accepted manifest");
    assert_eq!(applied.lines().count(), 2, "{applied}");
    let arguments = ["template", RELEASE, CHART, "--namespace=modelarts"];
    let rendered = run(shared().helm().args(arguments)).expect("objects");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("YAML");
    let account = objects.iter().find(|o| o["kind"] == "ServiceAccount");
    let name = account.and_then(|a| a["metadata"]["name"].as_str());
    assert_eq!(
        name.map(|name| format!("system:serviceaccount:modelarts:{name}")),
        Some(ACCOUNT.to_owned())
    );
}

/// An environment where the program runs under the account of the chart, and the guard is in force.
async fn guarded(scenario: Scenario) -> (Env, Process) {
    let env = Env::with(scenario).await;
    let kubeconfig = install(&env);
    Policy::apply(&env, guard(&env)).await;
    let process = Process::over(&env, &kubeconfig, &[]);
    (env, process)
}

/// A client of somebody who may do with mirrors whatever RBAC can grant.
async fn alice(env: &Env) -> Client {
    let namespace = &env.namespace;
    let name = format!("alice-of-{namespace}");
    for arguments in [
        &[
            "create",
            "role",
            "everything",
            "--verb=*",
            "--resource=modelartspools.modelarts.huaweicloud.com,modelartspools.modelarts.huaweicloud.com/status",
        ][..],
        &[
            "create",
            "rolebinding",
            "alice",
            "--role=everything",
            &format!("--user={name}"),
        ],
    ] {
        kubectl(env.cluster, namespace, arguments).expect("rights");
    }
    client_as(env.cluster, &name).await
}

/// What nobody but the controller may do to `mirror`: patches of the object and of its status.
fn forbidden(mirror: &ModelArtsPool) -> Vec<(bool, Value, String)> {
    let mut patches: Vec<(bool, Value, String)> = [
        (
            false,
            json!({"spec": {"type": "Logical"}}),
            "change the spec",
        ),
        (false, json!({"spec": {"mine": 1}}), "change the spec"),
        (
            true,
            json!({"status": {"phase": "Deleting"}}),
            "change the status",
        ),
        (
            true,
            json!({"status": {"conditions": []}}),
            "change the status",
        ),
        (true, json!({"status": null}), "change the status"),
    ]
    .map(|(status, patch, what)| (status, patch, what.to_owned()))
    .into();
    let metadata = &mirror.metadata;
    for (field, map) in [
        ("labels", &metadata.labels),
        ("annotations", &metadata.annotations),
    ] {
        let keys: Vec<_> = map.iter().flatten().map(|(key, _)| &**key).collect();
        assert!(!keys.is_empty(), "{field}");
        for key in keys {
            for value in [json!("mine"), json!(null)] {
                patches.push((
                    false,
                    json!({"metadata": {field: {key: value}}}),
                    format!("change {key} "),
                ));
            }
        }
        for key in [
            "os.modelarts/new",
            "os.modelarts.pool/new",
            "modelarts.huaweicloud.com/new",
        ] {
            patches.push((
                false,
                json!({"metadata": {field: {key: "mine"}}}),
                format!("change {key} "),
            ));
        }
    }
    patches
}

async fn patch(
    client: &Client,
    namespace: &str,
    status: bool,
    patch: &Value,
) -> kube::Result<ModelArtsPool> {
    let api: Api<ModelArtsPool> = Api::namespaced(client.clone(), namespace);
    let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
    if status {
        api.patch_status(SAMPLE, &params, &patch).await
    } else {
        api.patch(SAMPLE, &params, &patch).await
    }
}

// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_controller_writes_mirrors() {
    let scenario = Scenario::documented_sample().expect("the documented sample");
    let (env, process) = guarded(scenario).await;
    env.synced("team-a").await;
    let mirror = env.mirrored(SAMPLE).await;
    let namespace = &*env.namespace;
    let alice = alice(&env).await;
    for (name, client) in [("admin", &env.client), ("alice-of-", &alice)] {
        for (status, change, what) in forbidden(&mirror) {
            let refused = patch(client, namespace, status, &change).await;
            let Err(kube::Error::Api(refused)) = refused else {
                panic!("{name}: {change}: {refused:?}");
            };
            assert_eq!(refused.code, 403, "{refused:?}");
            for words in [name, "may not", &what, "ModelArtsPoolSource"] {
                assert!(
                    refused.message.contains(words),
                    "no {words:?} in: {}",
                    refused.message
                );
            }
        }
        let api: Api<ModelArtsPool> = Api::namespaced(client.clone(), namespace);
        let made = json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
            "metadata": {"name": "made-by-hand"}, "spec": {}});
        let made: ModelArtsPool = serde_json::from_value(made).expect("an object");
        let refused = api.create(&PostParams::default(), &made).await;
        let refused = refused.expect_err("no mirror is made by hand").to_string();
        assert!(refused.contains("may not create a mirror"), "{refused}");
        let mut taken = mirror.clone();
        taken.metadata.managed_fields = None;
        taken.spec = made.spec.clone();
        let refused = api.replace(SAMPLE, &PostParams::default(), &taken).await;
        let refused = refused.expect_err("no mirror is replaced").to_string();
        assert!(refused.contains("may not change the spec"), "{refused}");
    }
    // Nobody has seen any of it.
    let untouched = env.mirrored(SAMPLE).await;
    assert_eq!(
        untouched.metadata.resource_version,
        mirror.metadata.resource_version
    );

    // The controller itself goes on.
    let change = json!({"status": {"phase": "Abnormal"}, "spec": {"scope": ["Train"]},
        "metadata": {"labels": {"os.modelarts/name": "renamed"}}});
    env.cloud().patch_pool(SAMPLE, change).expect("a pool");
    env.pool_when(SAMPLE, "it shows what the cloud says", |p| {
        p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
            && p.metadata
                .labels
                .as_ref()
                .is_some_and(|l| l["os.modelarts/name"] == "renamed")
    })
    .await;
    let source = env.synced("team-a").await;
    assert_eq!(
        source.status.and_then(|s| s.skipped),
        None,
        "{}",
        process.log()
    );
}

// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_controllers_goes_on() {
    let mut annotations = serde_json::Map::new();
    for n in 0..3_000 {
        // As many keys as a mirror has room for: rules that cost too much refuse everything.
        annotations.insert(
            format!("os.modelarts/annotation-number-{n}"),
            json!("x".repeat(25)),
        );
    }
    let pool = json!({"metadata": {"name": SAMPLE, "annotations": annotations},
        "spec": {"type": "Dedicate"}, "status": {"phase": "Running"}});
    let (env, _process) = guarded(Scenario::default()).await;
    let put = env
        .cloud()
        .replace_pools(DEFAULT_WORKSPACE, &[pool.to_string()]);
    put.expect("a pool");
    let mirror = env.mirrored(SAMPLE).await;
    let kept = mirror.metadata.annotations.as_ref().map(BTreeMap::len);
    assert!(kept >= Some(3_000), "{kept:?}");
    let namespace = &*env.namespace;
    let alice = alice(&env).await;
    for change in [
        json!({"metadata": {"labels": {"team": "a", "example.com/x": "y"}, "annotations": {"note": "mine", "modelarts": "x"}}}),
        json!({"metadata": {"labels": {"team": "b"}, "annotations": {"note": "still mine"}}}),
        json!({"metadata": {"labels": {"team": null}, "annotations": {"note": null}}}),
        json!({"metadata": {"finalizers": ["example.com/mine"]}}),
        json!({"metadata": {"finalizers": null}}),
        json!({"metadata": {"ownerReferences": null}}),
    ] {
        let changed = patch(&alice, namespace, false, &change).await;
        changed.unwrap_or_else(|e| panic!("{change}: {e}"));
    }
    let taken = json!({"metadata": {"annotations": {"os.modelarts/annotation-number-7": "mine"}}});
    let refused = patch(&alice, namespace, false, &taken)
        .await
        .expect_err("ours");
    assert!(
        refused.to_string().contains("annotation-number-7"),
        "{refused}"
    );
    let mirror = env
        .pool_when(SAMPLE, "its owner is back, the label stays", |p| {
            p.metadata.owner_references.is_some()
                && p.metadata
                    .labels
                    .as_ref()
                    .is_some_and(|l| l.contains_key("example.com/x"))
        })
        .await;

    // A deletion by hand, which the controller makes good.
    let theirs: Api<ModelArtsPool> = Api::namespaced(alice, namespace);
    let deleted = theirs.delete(SAMPLE, &DeleteParams::default()).await;
    deleted.expect("a deletion");
    env.pool_when(SAMPLE, "it is there again", |p| {
        p.status.is_some() && p.metadata.uid != mirror.metadata.uid
    })
    .await;

    // The garbage collector takes the mirrors of a source, also those whose deletion waits for it.
    let params = DeleteParams::foreground();
    let deleted = env.sources().delete("team-a", &params).await;
    deleted.expect("a deletion");
    env.pool_gone(SAMPLE).await;
    let credentials = json!({"secretRef": {"name": super::support::env::SECRET}});
    env.add_source("team-b", json!({"credentials": credentials}))
        .await;
    env.mirrored(SAMPLE).await;

    // A namespace goes with all that is in it.
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let namespace = namespaces.get(namespace).await.expect("a namespace");
    let (name, uid) = (
        env.namespace.clone(),
        namespace.metadata.uid.expect("a uid"),
    );
    let deleted = namespaces.delete(&name, &DeleteParams::default()).await;
    deleted.expect("a deletion");
    let gone = await_condition(namespaces, &name, is_deleted(&uid));
    timeout(PATIENCE, gone)
        .await
        .expect("in time")
        .expect("a watch");
}

/// A guard that names another account than the controller's: the source says so, and what to do.
#[tokio::test]
async fn a_guard_that_names_another_account_is_told() {
    let env = Env::new().await;
    let policy = Policy::apply(&env, guard(&env)).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    // As the administrator, whom the guard does not know.
    let _controller = env.start_controller().await;
    let source = env.synced("s").await;
    let told = source_condition(&source, "PoolsSkipped").expect("PoolsSkipped");
    assert!(told.message.contains("1 pool"), "{told:?}");
    let message = &skipped(&source).pools[0].message;
    for words in [
        "admin may not create",
        "If this is the controller",
        "name its service account in this policy",
    ] {
        assert!(message.contains(words), "no {words:?} in: {message}");
    }
    policy.delete(&env).await;
    env.skips_nothing("s").await;
    env.mirrored(SAMPLE).await;
}
