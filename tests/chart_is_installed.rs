//! The chart, installed by the real Helm. No node runs here: the Deployment never becomes ready, and
//! the program is started beside it under the same service account.

use std::fs;
use std::net::SocketAddr;

use modelarts_pool_controller::simulator::{
    DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY, Generate, Scenario, Simulator,
};
use serde_json::{Value, json};

use super::support::chart::{CHART, RELEASE, account, asked, helm, helm_here, kubectl};
use super::support::cluster::{Cluster, run};
use super::support::env::{Env, SECRET};
use super::support::process::{Process, eventually};

#[tokio::test]
async fn one_command_installs_it_with_a_source() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let notes = helm_here(&env, "install", &[]);
    for words in [
        format!("kubectl get modelartspools --namespace {namespace} --watch"),
        format!("team-a: project {DEFAULT_PROJECT_ID}"),
        format!("kubectl create secret generic {SECRET} --namespace {namespace}"),
    ] {
        assert!(notes.contains(&words), "no {words:?} in: {notes}");
    }
    let deployment = format!("deployment/{RELEASE}");
    kubectl(
        cluster,
        namespace,
        &["get", &deployment, "modelartspoolsource/team-a"],
    )
    .expect("a Deployment and a source");

    let changed = ["sources[0].spec.interval=1m", "log.level=debug"];
    helm_here(&env, "upgrade", &changed);
    let interval = [
        "get",
        "modelartspoolsource",
        "team-a",
        "-o=jsonpath={.spec.interval}",
    ];
    assert_eq!(
        kubectl(cluster, namespace, &interval).expect("a source"),
        "1m"
    );
    let arguments = ["get", &deployment, "-o=jsonpath={..args}"];
    let arguments = kubectl(cluster, namespace, &arguments).expect("a Deployment");
    assert!(arguments.contains("--log-level=debug"), "{arguments}");

    run(cluster
        .helm()
        .args(["uninstall", RELEASE, "--namespace", namespace]))
    .expect("an uninstall");
    let left = [
        "get",
        "deployments,serviceaccounts,roles,rolebindings,modelartspoolsources",
        "--selector=app.kubernetes.io/instance=modelarts-pool-controller",
        "-o=name",
    ];
    assert_eq!(kubectl(cluster, namespace, &left).expect("a list"), "");
    kubectl(
        cluster,
        "default",
        &["get", "crd/modelartspools.modelarts.huaweicloud.com"],
    )
    .expect("the definitions to stay");
}

/// What a pod must be in a namespace that enforces the standard `restricted`, says the API server.
#[tokio::test]
async fn its_pod_is_restricted() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(
        cluster,
        "default",
        &["label", "namespace", namespace, enforce],
    )
    .expect("a label");
    helm_here(&env, "install", &[]);
    let deployment = kubectl(
        cluster,
        namespace,
        &["get", "deployment", RELEASE, "-o=json"],
    );
    let deployment: Value = serde_json::from_str(&deployment.expect("a Deployment")).expect("JSON");
    let pod = |template: &Value| {
        let mut pod = template.clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("as-the-deployment-would");
        let file = cluster.dir().join(format!("pod-{namespace}.json"));
        fs::write(&file, pod.to_string()).expect("a file");
        let file = file.to_str().expect("UTF-8").to_owned();
        kubectl(
            cluster,
            namespace,
            &["create", "--dry-run=server", "-f", &file],
        )
    };
    let template = &deployment["spec"]["template"];
    pod(template).expect("an accepted pod");
    // More than the standard asks for.
    let context = &template["spec"]["containers"][0]["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);

    let mut root = template.clone();
    root["spec"]["securityContext"]["runAsUser"] = json!(0);
    let refused = pod(&root).expect_err("root");
    assert!(refused.contains("violates PodSecurity"), "{refused}");
}

/// On a control plane that has not the definitions: the program says what it waits for, and Helm
/// brings them along.
// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_brings_its_definitions_along() {
    let cluster = Cluster::start().expect("a cluster");
    let namespace = "modelarts";
    let crds = format!("{CHART}/crds");
    run(cluster.kubectl().args(["delete", "-f", &crds, "--wait"])).expect("no definitions");
    kubectl(&cluster, "default", &["create", "namespace", namespace]).expect("a namespace");
    let keys = [
        "create",
        "secret",
        "generic",
        SECRET,
        "--type=modelarts.huaweicloud.com/credentials",
        &format!("--from-literal=accessKey={DEFAULT_ACCESS_KEY}"),
        &format!("--from-literal=secretKey={DEFAULT_SECRET_KEY}"),
    ];
    kubectl(&cluster, namespace, &keys).expect("a Secret");
    let scenario = Scenario {
        generate: vec![Generate::pools(3)],
        ..Scenario::default()
    };
    let cloud = Simulator::start(scenario, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let cloud = cloud.expect("a simulated cloud");

    let allowed = format!("--allowed-endpoints={}", cloud.url());
    let mut early = Process::run(&cluster, &cluster.kubeconfig(), &[&allowed]);
    let body = early.probe_says("/readyz", 503, "404").await;
    for resource in ["modelartspoolsources", "modelartspools"] {
        let words = format!("{resource} (modelarts.huaweicloud.com/v1alpha1): ");
        assert!(body.contains(&words), "no {words:?} in: {body}");
    }
    assert_eq!(early.get("/livez").await, (200, "ok\n".to_owned()));
    drop(early);

    run(&mut helm(&cluster, "install", namespace, &cloud.url(), &[])).expect("an install");
    // Two releases that watch everything would write the same mirrors.
    let second = [
        "install",
        "second",
        CHART,
        "--namespace=default",
        "--set=rbac.aggregate=false",
    ];
    let refused = run(cluster.helm().args(second)).expect_err("a second one");
    for words in [
        "ClusterRole \"modelarts-pool-controller\"",
        "cannot be imported into the current release",
    ] {
        assert!(refused.contains(words), "no {words:?} in: {refused}");
    }
    // By the ClusterRole: every namespace is watched.
    let kubeconfig = account(&cluster, namespace);
    let mut process = Process::run(&cluster, &kubeconfig, &[&allowed]);
    process.ready().await;
    kubectl(
        &cluster,
        namespace,
        &[
            "wait",
            "modelartspoolsource/team-a",
            "--for=condition=Ready",
            "--timeout=60s",
        ],
    )
    .unwrap_or_else(|error| {
        let sources = kubectl(
            &cluster,
            namespace,
            &["get", "modelartspoolsources", "-o=yaml"],
        );
        panic!(
            "{error}\n{}\n{}",
            sources.unwrap_or_default(),
            process.log()
        )
    });
    eventually("3 pools are mirrored", || {
        let pools = kubectl(&cluster, namespace, &["get", "modelartspools", "-o=name"]);
        pools.is_ok_and(|pools| pools.lines().count() == 3)
    })
    .await;
    let refused: Vec<_> = asked(&cluster, namespace)
        .into_iter()
        .filter(|a| a.code == 403)
        .collect();
    assert!(refused.is_empty(), "{refused:?}");

    run(cluster
        .helm()
        .args(["uninstall", RELEASE, "--namespace", namespace]))
    .expect("an uninstall");
    eventually("the mirrors go with their source", || {
        let pools = kubectl(&cluster, namespace, &["get", "modelartspools", "-o=name"]);
        pools.is_ok_and(|pools| pools.is_empty())
    })
    .await;
}
