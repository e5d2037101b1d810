//! The Go types are the definitions, and no object of the API server loses anything on its way through them.

use std::fs;
use std::path::Path;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::corpus::corpus_pools;
use super::hostile_pools_are_mirrored_or_named::{Hostile, hostile};
use super::mirrors_are_what_the_sdk_is_sent::fixtures;
use super::support::controller::Controller;
use super::support::env::Env;
use super::support::generated::check;
use super::support::go::{UNCACHED, go, program};
use modelarts_pool_controller::simulator::{Change, Scenario};

const TYPES: &str = "clients/go";
const EXAMPLE: &str = "examples/go-lister";
const CONSUMERS: &str = "tests/consumers";

#[tokio::test]
async fn the_module_passes_its_own_tests() {
    go(TYPES, &["vet", "./..."]).await;
    let said = go(TYPES, &["test", "./..."]).await;
    assert!(said.contains("ok"), "{said}");
    // What its users have to download: nothing of Kubernetes but the types' own foundation.
    let direct = "{{if not .Indirect}}{{.Path}}{{end}}";
    let modules = go(TYPES, &["list", "-m", "-f", direct, "all"]).await;
    let direct: Vec<&str> = modules.split_whitespace().skip(1).collect();
    let direct: Vec<_> = direct.iter().filter(|m| m.starts_with("k8s.io/")).collect();
    assert_eq!(direct, [&"k8s.io/apimachinery"]);
}

#[tokio::test]
async fn the_types_are_the_definitions() {
    go(CONSUMERS, &["vet", "./..."]).await;
    let said = go(CONSUMERS, &["test", UNCACHED, "./types"]).await;
    assert!(said.contains("ok"), "{said}");
}

#[tokio::test]
async fn deep_copies_are_generated() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let generator = at("controller-gen");
    let package = "sigs.k8s.io/controller-tools/cmd/controller-gen";
    go(CONSUMERS, &["build", "-o", &generator, package]).await;
    let into = format!("output:object:dir={}", directory.path().display());
    let arguments = ["object", "paths=./v1alpha1", &into];
    program(Path::new(&generator).into(), TYPES, &arguments, &[]).await;
    let generated = fs::read_to_string(at("zz_generated.deepcopy.go")).expect("deep copies");
    check("clients/go/v1alpha1/zz_generated.deepcopy.go", &generated);
}

/// Takes all objects of a namespace through the types, and says how many mirrors and sources there were.
async fn round_trip(env: &Env) -> (usize, usize) {
    let authority = env.cluster.dir().join("certs/apiserver.crt");
    let said = go(
        CONSUMERS,
        &[
            "run",
            "./roundtrip",
            &format!("-server={}", env.cluster.server()),
            &format!("-token={}", env.cluster.admin_token()),
            &format!("-certificate-authority={}", authority.display()),
            &format!("-namespace={}", env.namespace),
        ],
    )
    .await;
    let count = |resource: &str| {
        let line = format!(" {resource} lose nothing");
        let counts = said.lines().filter_map(|l| l.strip_suffix(&line));
        counts.map(|n| n.parse::<usize>().expect("a number")).sum()
    };
    (count("modelartspools"), count("modelartspoolsources"))
}

/// Lets the controller write what it has to, and ends it: what is read then stays.
async fn mirrored(env: &Env, source: &str) -> Controller {
    let controller = env.start_controller().await;
    env.synced(source).await;
    controller
}

#[tokio::test]
async fn every_fixture_loses_nothing() {
    let env = Env::with(Scenario::default()).await;
    let mut pools = 0;
    let mut all = fixtures();
    all.push(("corpus", corpus_pools()));
    for (workspace, texts) in all {
        for (index, text) in texts.iter().enumerate() {
            let pool: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let id = pool["metadata"]["name"].as_str().map(str::to_owned);
            let id = id.unwrap_or_else(|| format!("{workspace}-{index}"));
            env.cloud().put_raw(&id, workspace, text).expect("a pool");
            pools += 1;
        }
    }
    let whole = json!({"workspaceIds": ["*"], "interval": "5s", "region": "cn-north-4", "labelSelector": "",
        "statuses": ["failed", "created", "creating"], "suspend": false, "iamEndpoint": "https://iam.example.com",
        "prune": {"policy": "Retain", "gracePeriod": "0s", "maxPercent": 0}});
    env.add_source("whole", whole).await;
    // One whose status says that something is wrong.
    let secret = json!({"credentials": {"secretRef": {"name": "none"}}, "projectId": "another"});
    env.add_source("stalled", secret).await;
    let controller = mirrored(&env, "whole").await;
    let says = |s: &modelarts_pool_controller::api::ModelArtsPoolSource| {
        let status = s.status.as_ref();
        status.is_some_and(|s| s.condition("Stalled").is_some())
    };
    env.source_when("stalled", "it is stalled", says).await;
    controller.stop().await;
    assert_eq!(round_trip(&env).await, (pools, 2));
}

#[tokio::test]
async fn hostile_pools_lose_nothing() {
    let Hostile {
        env,
        mirrored: expected,
        ..
    } = hostile().await;
    env.add_source("hostile", json!({"interval": "5s"})).await;
    mirrored(&env, "hostile").await.stop().await;
    // The source says which pools it skips.
    assert_eq!(round_trip(&env).await, (expected.len(), 1));
}

/// What the example prints of the namespace.
async fn listed(env: &Env) -> Vec<String> {
    let namespace = format!("-namespace={}", env.namespace);
    let arguments = ["run", ".", &namespace];
    let kubeconfig = env.cluster.kubeconfig();
    let variables = [("KUBECONFIG", kubeconfig.as_path())];
    let said = program("go".into(), EXAMPLE, &arguments, &variables).await;
    let lines = said.lines().map(|line| {
        let (_, line) = line.split_once('/').expect("a namespace");
        line.replace('\t', " ")
    });
    lines.collect()
}

#[tokio::test]
async fn the_example_tells_unknown_from_zero_and_old_from_new() {
    go(EXAMPLE, &["vet", "./..."]).await;
    let env = Env::with(Scenario::default()).await;
    let nodes = |count: u32| json!({"available": [{"flavor": "f", "count": count}]});
    let pools = [
        ("away", json!({"phase": "Running", "resources": nodes(1)})),
        ("known", json!({"phase": "Running", "resources": nodes(2)})),
        ("unknown", json!({"phase": "Abnormal"})),
        ("zero", json!({"resources": {}})),
    ];
    for (id, status) in pools {
        let pool =
            json!({"metadata": {"name": id}, "spec": {"type": "Dedicate"}, "status": status});
        let put = env.cloud().put_raw(id, "0", &pool.to_string());
        put.expect("a pool");
    }
    // Longer than what compiles on a busy machine.
    env.add_source("s", json!({"interval": "1h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let hidden = env.cloud().change_pool("away", &Change::Hide);
    hidden.expect("a pool");
    env.refresh("s").await;
    controller.stop().await;
    assert_eq!(
        listed(&env).await,
        [
            // Ready until it has been missing for the grace period.
            "away Ready=True missing f=1",
            "known Ready=True fresh f=2",
            "unknown Ready=False fresh unknown",
            "zero Ready=Unknown fresh none",
        ]
    );
    let patch = Patch::Merge(json!({"status": {"freshUntil": "2026-01-01T00:00:00Z"}}));
    let (sources, params) = (env.sources(), PatchParams::default());
    let patched = sources.patch_status("s", &params, &patch).await;
    patched.expect("a status");
    let stale = listed(&env).await;
    assert!(stale.iter().all(|l| l.contains(" stale ")), "{stale:?}");
}
