//! The program as Kubernetes sees it: probes and signals.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, Uri};
use kube::api::{ListParams, ObjectList};
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Fault, Generate, Operation, Scenario, Selection};
use serde_json::json;

use super::support::cluster::{Cluster, run, shared};
use super::support::env::{Env, PATIENCE, source_condition};
use super::support::process::{Process, eventually, kubeconfig_at, kubeconfig_of};

/// Shorter than what kubelet waits before it kills, and longer than one call to the API server.
const END: Duration = Duration::from_secs(20);

/// It has neither the rights nor, elsewhere, an API server: alive, and not ready until it has them.
#[tokio::test]
async fn readiness_says_what_is_missing() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let kubectl = |arguments: &[&str]| {
        run(cluster
            .kubectl()
            .args(["--namespace", namespace])
            .args(arguments))
        .expect("kubectl")
    };
    kubectl(&["create", "serviceaccount", "powerless"]);
    let token = kubectl(&["create", "token", "powerless"]);
    let kubeconfig = kubeconfig_of(cluster, namespace, "powerless", token.trim());
    let watched = format!("--watch-namespaces={namespace}");
    let mut process = Process::run(cluster, &kubeconfig, &[&watched]);
    for resource in ["modelartspools", "modelartspoolsources"] {
        let words =
            format!("{resource} (modelarts.huaweicloud.com/v1alpha1) in namespace {namespace}: ");
        process.probe_says("/readyz", 503, &words).await;
        let words = format!("cannot list resource \"{resource}\"");
        process.probe_says("/readyz", 503, &words).await;
    }
    assert_eq!(process.get("/livez").await, (200, "ok\n".to_owned()));

    kubectl(&[
        "create",
        "role",
        "reader",
        "--verb=get,list,watch",
        "--resource=modelartspools.modelarts.huaweicloud.com,modelartspoolsources.modelarts.huaweicloud.com",
    ]);
    let subject = format!("--serviceaccount={namespace}:powerless");
    kubectl(&["create", "rolebinding", "reader", "--role=reader", &subject]);
    process.ready().await;
}

/// Neither an API server that is away nor one that is silent is cured by a restart; nor do they keep
/// the program from its end.
#[tokio::test]
async fn without_an_api_server_it_is_alive_and_ends() {
    let cluster = shared();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_at = format!("https://{}", silent.local_addr().expect("an address"));
    for (name, server) in [("away", "https://127.0.0.1:1"), ("silent", &silent_at)] {
        let kubeconfig = kubeconfig_at(cluster.dir(), name, server);
        let mut process = Process::run(cluster, &kubeconfig, &[]);
        let body = process
            .probe_says("/readyz", 503, "modelartspoolsources")
            .await;
        assert!(body.contains("modelartspools "), "{body}");
        assert_eq!(process.get("/livez").await.0, 200, "{name}");
        process.signal("TERM");
        assert_eq!(process.ended(END).await, Some(0), "{name}");
    }
}

/// The cloud's failures are no reason to restart or to take the program out of service.
#[tokio::test]
async fn the_cloud_is_no_matter_of_the_probes() {
    let env = Env::new().await;
    let down = Fault::status(Operation::ListPools, 500);
    env.cloud().add_fault(down).expect("a fault");
    env.add_source("team-a", json!({})).await;
    let mut process = Process::of(&env);
    env.source_when("team-a", "a pass has failed", |s| {
        source_condition(s, "Ready").is_some_and(|c| c.status == "False")
    })
    .await;
    assert_eq!(process.get("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(process.get("/livez").await, (200, "ok\n".to_owned()));
}

/// A signal ends it in good order: idle, and while the cloud has not answered yet.
#[tokio::test]
async fn signals_end_it_cleanly() {
    for (signal, held) in [
        ("TERM", false),
        ("INT", false),
        ("TERM", true),
        ("INT", true),
    ] {
        let env = Env::new().await;
        if held {
            env.cloud().hold(Selection::of(Operation::ListPools));
        }
        env.add_source("team-a", json!({})).await;
        let mut process = Process::of(&env);
        if held {
            env.cloud().wait_for(|requests| requests.held == 1).await;
        } else {
            env.synced("team-a").await;
        }
        process.signal(signal);
        assert_eq!(process.ended(END).await, Some(0), "{signal} {held}");
        let log = process.log();
        assert!(log.contains(&format!("SIG{signal}: stopping")), "{log}");
        assert!(log.trim_end().ends_with("stopped"), "{log}");
        let mirrors = env
            .pools()
            .list(&ListParams::default())
            .await
            .expect("a list");
        assert_eq!(mirrors.items.len(), usize::from(!held), "{signal} {held}");
    }
}

/// An API server whose cache is not filled yet lists, and refuses the watch once, as it does right
/// after a CRD was created.
#[tokio::test]
async fn readiness_returns_after_one_refused_watch() {
    let cluster = shared();
    let refusals = Arc::new(AtomicU32::new(2));
    let answer = move |uri: Uri| {
        let refusals = refusals.clone();
        async move {
            if !uri.query().unwrap_or_default().contains("watch=true") {
                let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": []});
                return (StatusCode::OK, Body::from(list.to_string()));
            }
            let left =
                refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if left.is_ok() {
                let status = json!({
                    "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 429,
                    "reason": "TooManyRequests", "message": "storage is (re)initializing",
                });
                return (
                    StatusCode::TOO_MANY_REQUESTS,
                    Body::from(status.to_string()),
                );
            }
            let open = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
            (StatusCode::OK, Body::from_stream(open))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    let kubeconfig = kubeconfig_at(cluster.dir(), "refusing", &server);
    let mut process = Process::run(cluster, &kubeconfig, &[]);
    process.logged("storage is (re)initializing").await;
    process.ready().await;
}

/// An API server that restarts: unready at most for a while.
#[tokio::test]
async fn readiness_returns_with_the_api_server() {
    let cluster = Cluster::start().expect("a cluster");
    let mut process = Process::run(&cluster, &cluster.kubeconfig(), &[]);
    process.ready().await;
    cluster.stop_apiserver();
    process.logged("a watch failed").await;
    cluster.start_apiserver().expect("an API server");
    process.ready().await;
    process.signal("TERM");
    assert_eq!(process.ended(PATIENCE).await, Some(0));
}

/// What is being written when the signal comes is written; the next start goes on from there.
#[tokio::test]
async fn a_signal_amid_the_first_mirror_loses_nothing() {
    const POOLS: usize = 500;
    let scenario = Scenario {
        generate: vec![Generate::pools(POOLS)],
        ..Scenario::default()
    };
    let env = Env::with(scenario).await;
    let mut process = Process::of(&env);
    process.ready().await;
    env.add_source("team-a", json!({})).await;
    let first = env.cloud().pool_ids().into_iter().next().expect("a pool");
    env.mirrored(&first).await;
    process.signal("TERM");
    assert_eq!(process.ended(END).await, Some(0));
    let versions = |list: &ObjectList<ModelArtsPool>| -> Vec<_> {
        let metadata = list.items.iter().map(|pool| pool.metadata.clone());
        metadata.map(|m| (m.name, m.resource_version)).collect()
    };
    let list = env
        .pools()
        .list(&ListParams::default())
        .await
        .expect("a list");
    assert!(list.items.len() < POOLS, "the signal came too late to tell");
    // Nothing is written after the end.
    let later = env
        .pools()
        .list(&ListParams::default())
        .await
        .expect("a list");
    assert_eq!(versions(&list), versions(&later));

    let _process = Process::of(&env);
    let source = env.synced("team-a").await;
    assert_eq!(source.status.and_then(|s| s.pools), Some(500));
    let list = env
        .pools()
        .list(&ListParams::default())
        .await
        .expect("a list");
    assert_eq!(list.items.len(), POOLS);
    assert!(list.items.iter().all(|pool| pool.status.is_some()));
}

const HOME: &str = "PROCESS_OF_A_CHILD";

/// Not a test of its own: what the one below starts in another process and kills.
#[tokio::test]
async fn child_that_starts_the_program() {
    let Some(home) = std::env::var_os(HOME) else {
        return;
    };
    let kubeconfig = kubeconfig_at(home.as_ref(), "dead", "https://127.0.0.1:1");
    let arguments = ["run", "--listen=127.0.0.1:0"];
    let mut process = Process::start(home.as_ref(), &kubeconfig, &arguments, &[]);
    process.probe_says("/livez", 200, "ok").await;
    println!("\npid={}", process.pid().await);
    // Ends with the parent: a parent that fails before it kills must leave nothing either.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[tokio::test]
async fn a_killed_test_leaves_no_program() {
    let home = tempfile::tempdir().expect("a directory");
    let (_, module) = module_path!().split_once("::").expect("a crate");
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args([
            "--exact",
            &format!("{module}::child_that_starts_the_program"),
            "--nocapture",
        ])
        .env(HOME, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("pid=").map(str::to_owned))
        .expect("the child to start the program");
    let command = PathBuf::from(format!("/proc/{pid}/cmdline"));
    let runs = || std::fs::read(&command).is_ok_and(|c| !c.is_empty());
    assert!(runs());
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    eventually("the program is gone", || !runs()).await;
}
