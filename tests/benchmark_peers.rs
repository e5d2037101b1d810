//! The peers of the benchmark do the same work as the controller: what they write is equal, object by object.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ListParams, ObjectMeta, PostParams};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{DEFAULT_PROJECT_ID, Generate, Scenario};
use serde_json::{Value, json};

use super::support::cluster::{Cluster, run};
use super::support::env::{Env, PATIENCE};
use super::support::process::tick;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const TOKEN: &str = "token-of-the-peers";
const POOLS: usize = 10;

/// A peer, running; it is sent SIGTERM when this is dropped.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Peer {
    fn start(cluster: &Cluster, name: &str, namespace: &str, endpoint: &str) -> Self {
        let path = std::env::var("PATH").expect("a PATH");
        let child = Command::new(Path::new(PEERS).join(name).join("run.sh"))
            .env("PATH", format!("{}:{path}", cluster.bin_dir().display()))
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("NAMESPACE", namespace)
            .env("SOURCE", "s")
            .env("ENDPOINT", endpoint)
            .env("PROJECT_ID", DEFAULT_PROJECT_ID)
            .env("TOKEN", TOKEN)
            .env("INTERVAL", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("a peer"))
    }
}

/// The objects without what differs from run to run.
async fn mirrors(pools: &Api<ModelArtsPool>) -> Vec<Value> {
    let list = pools.list(&ListParams::default()).await.expect("a list");
    list.items.iter().map(stable).collect()
}

fn stable(pool: &ModelArtsPool) -> Value {
    let mut pool = serde_json::to_value(pool).expect("JSON");
    for varying in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "namespace",
    ] {
        let metadata = pool["metadata"].as_object_mut().expect("metadata");
        metadata.remove(varying);
    }
    pool["metadata"]["ownerReferences"][0]["uid"].take();
    let conditions = pool["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        assert_ne!(condition["lastTransitionTime"].take(), Value::Null);
    }
    pool
}

async fn until(what: &str, pools: &Api<ModelArtsPool>, mut is_so: impl FnMut(&[Value]) -> bool) {
    let begun = Instant::now();
    loop {
        let now = mirrors(pools).await;
        if is_so(&now) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {now:#?}");
        tick().await;
    }
}

#[allow(clippy::print_stderr, reason = "what was not tried is said aloud")]
async fn mirrors_as_the_controller(name: &'static str) {
    let script: PathBuf = Path::new(PEERS).join(name).join("build.sh");
    let built = tokio::task::spawn_blocking(move || run(&mut Command::new(script))).await;
    if let Err(missing) = built.expect("no panic") {
        // What a bare machine lacks is no fault of the peer.
        assert!(missing.contains(" is missing;"), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return;
    }
    // The controller's key stays good beside it.
    let mut credentials = Scenario::default().credentials();
    credentials.tokens.push(TOKEN.to_owned());
    let scenario = Scenario {
        generate: vec![Generate::pools(POOLS)],
        credentials: Some(credentials),
        ..Scenario::default()
    };
    let env = Env::with(scenario).await;
    let source = env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let ids = env.cloud().pool_ids();
    for id in &ids {
        env.mirrored(id).await;
    }
    let expected = mirrors(&env.pools()).await;
    assert_eq!(expected.len(), POOLS);
    controller.stop().await;

    // Beside the controller's, under the same names.
    let namespace = format!("{}-{name}", env.namespace);
    let object = Namespace {
        metadata: ObjectMeta {
            name: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    namespaces
        .create(&PostParams::default(), &object)
        .await
        .expect("a namespace");
    let sources: Api<ModelArtsPoolSource> = Api::namespaced(env.client.clone(), &namespace);
    let mut copy = ModelArtsPoolSource::new("s", source.spec);
    copy.metadata.namespace = Some(namespace.clone());
    sources
        .create(&PostParams::default(), &copy)
        .await
        .expect("a source");
    let pools: Api<ModelArtsPool> = Api::namespaced(env.client.clone(), &namespace);
    let _peer = Peer::start(env.cluster, name, &namespace, &env.endpoint());
    until("the same objects", &pools, |now| now == expected).await;

    let params = kube::api::PatchParams::default();
    let edit = kube::api::Patch::Merge(json!({"spec": {"type": "Edited"}}));
    pools.patch(&ids[0], &params, &edit).await.expect("an edit");
    // An edit and its repair make another generation.
    until("the edit is undone", &pools, |now| {
        now[0]["spec"] == expected[0]["spec"]
    })
    .await;
    env.cloud().delete_pool(&ids[1]).expect("a pool");
    until("its mirror goes", &pools, |now| now.len() == POOLS - 1).await;
}

#[tokio::test]
async fn the_go_peer_mirrors_as_the_controller() {
    mirrors_as_the_controller("go").await;
}

#[tokio::test]
async fn the_shell_peer_mirrors_as_the_controller() {
    mirrors_as_the_controller("shell").await;
}

#[tokio::test]
async fn the_kopf_peer_mirrors_as_the_controller() {
    mirrors_as_the_controller("kopf").await;
}
