//! The examples of `examples/`, as strangers run them: what they say of the pools is true on bad days, too.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt as _, watcher};
use modelarts_pool_controller::simulator::{Change, Fault, Operation, Scenario};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::cluster::run;
use super::support::env::{Env, PATIENCE};
use super::support::markdown::read;
use super::support::process::{Process, eventually, kubeconfig_of};
use super::support::shell::Shell;

const HELD: &str = "capacity-quota.example.com/held";
const RESOURCE: &str = "requests.nvidia.com/gpu";
const GPUS: &str = "modelarts.vm.gpu.8v100";

/// Four nodes with GPUs that work, one node without any, and a Logical pool carved out of the first.
fn world() -> Scenario {
    let pool = |id: &str, type_: &str, flavor: &str, count: u64| {
        json!({"pool": {
            "kind": "Pool", "apiVersion": "v2", "metadata": {"name": id},
            "spec": {"type": type_, "resources": [{"flavor": flavor, "count": count}]},
            "status": {"phase": "Running", "resources": {"available": [{"flavor": flavor, "count": count}]}},
        }})
    };
    serde_json::from_value(json!({"pools": [
        pool("pool-a", "Dedicate", GPUS, 3),
        pool("pool-b", "Dedicate", GPUS, 1),
        pool("pool-c", "Dedicate", "modelarts.vm.cpu.8ud", 1),
        pool("pool-d", "Logical", GPUS, 2),
    ]}))
    .expect("a scenario")
}

fn ill(nodes: u64) -> Change {
    serde_json::from_value(json!({"abnormalNodes": {"count": nodes}})).expect("a change")
}

async fn create_namespace(env: &Env, name: &str) {
    let object: Namespace =
        serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    let api = Api::all(env.client.clone());
    api.create(&PostParams::default(), &object)
        .await
        .expect("a namespace");
}

/// A file of the example, with the namespaces of the test in place of its own.
fn example_file(env: &Env, name: &str, quotas: &str) -> String {
    read(&format!("examples/capacity-quota/{name}"))
        .replace(
            "namespace: modelarts",
            &format!("namespace: {}", env.namespace),
        )
        .replace("namespace: team-a", &format!("namespace: {quotas}"))
}

/// The kubeconfig of the example's service account, with the rights of deploy.yaml and no other.
fn kubeconfig(env: &Env, quotas: &str) -> PathBuf {
    let shell = Shell::new(env.cluster, &env.namespace);
    let deploy = example_file(env, "deploy.yaml", quotas);
    std::fs::write(shell.directory().join("deploy.yaml"), deploy).expect("a file");
    shell.run("kubectl apply --filename=deploy.yaml");
    let token = shell.run("kubectl create token capacity-quota");
    kubeconfig_of(env.cluster, &env.namespace, "capacity-quota", token.trim())
}

/// The quota as soon as it has this value, and is held or not.
async fn quota_is(quotas: &Api<ResourceQuota>, value: &str, is_held: bool) -> ResourceQuota {
    let is_so = |quota: Option<&ResourceQuota>| {
        quota.is_some_and(|q| hard(q).as_deref() == Some(value) && held(q).is_some() == is_held)
    };
    let waited = timeout(
        PATIENCE,
        await_condition(quotas.clone(), "modelarts-gpus", is_so),
    )
    .await;
    let Ok(quota) = waited else {
        let now = quotas.get_opt("modelarts-gpus").await;
        panic!("not {value}, held {is_held}: {now:#?}");
    };
    quota.expect("a watch").expect("a quota")
}

fn hard(quota: &ResourceQuota) -> Option<String> {
    let hard = quota.spec.as_ref()?.hard.as_ref()?;
    Some(hard.get(RESOURCE)?.0.clone())
}

fn held(quota: &ResourceQuota) -> Option<&String> {
    quota.metadata.annotations.as_ref()?.get(HELD)
}

/// Each value that the quota has while `during` goes on.
async fn values_during(
    quotas: &Api<ResourceQuota>,
    during: impl Future<Output = ()>,
) -> Vec<Option<String>> {
    let mut seen: Vec<Option<String>> = Vec::new();
    let events = watcher(quotas.clone(), watcher::Config::default()).applied_objects();
    let mut events = std::pin::pin!(events);
    let mut during = std::pin::pin!(during);
    loop {
        tokio::select! {
            event = events.next() => {
                let value = hard(&event.expect("a watch").expect("a quota"));
                if seen.last() != Some(&value) {
                    seen.push(value);
                }
            }
            () = &mut during => return seen,
        }
    }
}

#[tokio::test]
async fn a_quota_follows_what_works_and_holds_what_is_not_known() {
    let env = Env::with(world()).await;
    let team = format!("{}-team", env.namespace);
    create_namespace(&env, &team).await;
    let kubeconfig = kubeconfig(&env, &team);
    let rules = env.cluster.dir().join(format!("{team}.yaml"));
    std::fs::write(&rules, example_file(&env, "rules.yaml", &team)).expect("a file");
    let quotas: Api<ResourceQuota> = Api::namespaced(env.client.clone(), &team);
    let rules = rules.to_str().expect("a path");
    let arguments = [rules];
    let operator = || Process::example("capacity-quota", &env, &kubeconfig, &arguments);

    // Before there is a source nothing is known, and there is no quota that would limit nothing.
    let process = operator().await;
    process.logged("has no value to hold").await;
    assert!(
        quotas
            .get_opt("modelarts-gpus")
            .await
            .expect("an answer")
            .is_none()
    );

    env.add_source("team-a", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;
    quota_is(&quotas, "32", false).await;

    // Nodes fall ill, and come back.
    env.cloud()
        .change_pool("pool-a", &ill(2))
        .expect("a change");
    quota_is(&quotas, "16", false).await;
    env.cloud()
        .change_pool("pool-a", &ill(0))
        .expect("a change");
    quota_is(&quotas, "32", false).await;

    // Somebody edits the quota.
    let edit = Patch::Merge(json!({"spec": {"hard": {RESOURCE: "1000"}}}));
    let params = PatchParams::default();
    quotas
        .patch("modelarts-gpus", &params, &edit)
        .await
        .expect("a quota");
    quota_is(&quotas, "32", false).await;

    // Somebody deletes a mirror: it is back at once, and no job is refused meanwhile.
    let values = values_during(
        &quotas,
        Box::pin(async {
            let deleted = env.mirrored("pool-a").await.metadata.uid;
            let params = DeleteParams::default();
            env.pools()
                .delete("pool-a", &params)
                .await
                .expect("deleted");
            let back = |p: &modelarts_pool_controller::api::ModelArtsPool| {
                p.metadata.uid != deleted && p.status.is_some()
            };
            env.pool_when("pool-a", "it is another object", back).await;
            quota_is(&quotas, "32", true).await;
            quota_is(&quotas, "32", false).await;
        }),
    )
    .await;
    assert_eq!(values, [Some("32".to_owned())]);

    // An outage: what was is held, the more so where the operator is restarted in it.
    let values = values_during(
        &quotas,
        Box::pin(async {
            env.cloud()
                .add_fault(Fault::status(Operation::ListPools, 503))
                .expect("a fault");
            env.cloud()
                .change_pool("pool-a", &ill(1))
                .expect("a change");
            let quota = quota_is(&quotas, "32", true).await;
            let why = held(&quota).expect("a reason").clone();
            assert!(
                why.contains("ListFailed") || why.contains("fresh until"),
                "{why}"
            );
        }),
    )
    .await;
    assert_eq!(values, [Some("32".to_owned())]);
    drop(process);
    let process = operator().await;
    process.logged("holds its value").await;
    quota_is(&quotas, "32", true).await;

    // Its end.
    env.cloud().clear_faults();
    quota_is(&quotas, "24", false).await;

    // A pool is gone for good: after its mirror, so are its nodes.
    env.patch_source("team-a", &json!({"spec": {"prune": {"gracePeriod": "0s"}}}))
        .await;
    env.cloud().delete_pool("pool-b").expect("a change");
    quota_is(&quotas, "16", false).await;

    kueue_follows_too(&env, &process).await;
    drop(process);
    controller.stop().await;
}

/// Installs Kueue's own definition of a `ClusterQueue`, from its module, and a queue of it.
async fn kueue_follows_too(env: &Env, process: &Process) {
    process
        .logged("ClusterQueue team-a not written: Kueue is not there")
        .await;
    let definition = kueue().join("config/components/crd/bases/kueue.x-k8s.io_clusterqueues.yaml");
    let shell = Shell::new(env.cluster, &env.namespace);
    shell.run(&format!(
        "kubectl create --filename={}",
        definition.display()
    ));
    shell.run(
        "kubectl wait --for=condition=Established --timeout=60s crd/clusterqueues.kueue.x-k8s.io",
    );
    let quota = |name: &str, nominal: u32| json!({"name": name, "nominalQuota": nominal});
    let queue = json!({
        "apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": "team-a"},
        "spec": {"resourceGroups": [{"coveredResources": ["cpu", "nvidia.com/gpu"], "flavors": [
            {"name": "other", "resources": [quota("cpu", 5), quota("nvidia.com/gpu", 5)]},
            {"name": "modelarts", "resources": [quota("cpu", 7), quota("nvidia.com/gpu", 0)]},
        ]}]},
    });
    let gvk = GroupVersionKind::gvk("kueue.x-k8s.io", "v1beta2", "ClusterQueue");
    let queues: Api<DynamicObject> =
        Api::all_with(env.client.clone(), &ApiResource::from_gvk(&gvk));
    let queue = serde_json::from_value(queue).expect("an object");
    queues
        .create(&PostParams::default(), &queue)
        .await
        .expect("a queue");
    let nominal = |queue: &DynamicObject, flavor: usize, resource: usize| {
        let path =
            format!("/spec/resourceGroups/0/flavors/{flavor}/resources/{resource}/nominalQuota");
        queue.data.pointer(&path).cloned()
    };
    let follows = |queue: Option<&DynamicObject>| {
        queue.is_some_and(|q| nominal(q, 1, 1) == Some(Value::from("16")))
    };
    let waited = timeout(PATIENCE, await_condition(queues.clone(), "team-a", follows)).await;
    let queue = waited.expect("in time").expect("a watch").expect("a queue");
    // Nothing else of it is touched.
    for (flavor, resource, expected) in [(0, 0, 5), (0, 1, 5), (1, 0, 7)] {
        assert_eq!(nominal(&queue, flavor, resource), Some(json!(expected)));
    }
    shell.run("kubectl delete crd clusterqueues.kueue.x-k8s.io");
}

/// Where Go keeps Kueue's sources.
fn kueue() -> PathBuf {
    let directory = tempfile::tempdir().expect("a directory");
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", "sigs.k8s.io/kueue@v0.17.0"])
        .current_dir(directory.path())
        .env("GOFLAGS", "-mod=mod");
    let answer = run(&mut go).unwrap_or_else(|e| panic!("{e}"));
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    PathBuf::from(answer["Dir"].as_str().expect("a directory"))
}

#[tokio::test]
async fn the_watcher_tells_each_change_once_and_what_is_not_known() {
    let env = Env::with(world()).await;
    env.add_source("team-a", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;
    env.synced("team-a").await;
    let kubeconfig = env.cluster.kubeconfig();
    let watcher = Process::example(
        "modelarts-pool-watcher",
        &env,
        &kubeconfig,
        &[&env.namespace],
    )
    .await;
    let of_a = || -> Vec<String> {
        let start = format!("{}/pool-a: ", env.namespace);
        let lines = watcher.stdout();
        lines
            .lines()
            .filter_map(|l| l.strip_prefix(&start).map(str::to_owned))
            .collect()
    };
    let last_is = |start: &'static str| {
        let told = move || of_a().last().is_some_and(|line| line.starts_with(start));
        eventually("it is told", told)
    };
    last_is("3 nodes").await;
    env.cloud()
        .change_pool("pool-a", &ill(2))
        .expect("a change");
    last_is("1 nodes").await;
    env.cloud()
        .add_fault(Fault::status(Operation::ListPools, 503))
        .expect("a fault");
    last_is("unknown: ").await;
    env.cloud().clear_faults();
    env.cloud()
        .change_pool("pool-a", &ill(0))
        .expect("a change");
    last_is("3 nodes").await;
    // Why it is unknown may be told in two steps: it is later than freshUntil, and then the mirror says so, too.
    let mut lines = of_a();
    lines.dedup_by_key(|line| {
        line.starts_with("unknown")
            .then_some(())
            .ok_or(line.clone())
    });
    assert_eq!(lines.len(), 4, "{lines:?}");
    controller.stop().await;
}

/// Crates that only talking to somebody needs.
const HEAVY: [&str; 5] = ["hyper", "reqwest", "rustls", "tokio", "tower"];

#[test]
fn the_types_alone_need_no_client() {
    let tree = |features: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["tree", "--locked", "--package", "modelarts-pool-controller"])
            .args(["--edges=normal", "--prefix=none", "--format={lib}"])
            .args(features)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
        let tree = run(&mut cargo).unwrap_or_else(|e| panic!("{e}"));
        let mut crates: Vec<String> = tree.lines().map(str::to_owned).collect();
        crates.sort_unstable();
        crates.dedup();
        crates
    };
    let has = |crates: &[String], heavy: &str| crates.iter().any(|c| c == heavy);
    let alone = tree(&["--no-default-features", "--features=k8s-openapi/latest"]);
    let whole = tree(&[]);
    for heavy in HEAVY {
        assert!(!has(&alone, heavy), "{heavy} is among {alone:?}");
        assert!(
            has(&whole, heavy),
            "{heavy} is not even in the program: {whole:?}"
        );
    }
    assert!(alone.len() < 60, "{}: {alone:?}", alone.len());
}
