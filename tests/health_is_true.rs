//! What docs/health.md says of Helm, Flux and Argo CD is what they do.

use std::fs;
use std::process::Output;

use serde_json::json;

use super::support::env::{Env, source_condition};
use super::support::go::{UNCACHED, go};
use super::support::markdown::{blocks, read, root};
use super::support::shell::Shell;
use modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID;

#[tokio::test]
async fn kstatus_and_argo_cd_say_what_the_tables_say() {
    let said = go("tests/consumers", &["test", UNCACHED, "./health"]).await;
    assert!(said.contains("ok"), "{said}");
}

#[tokio::test]
async fn the_scripts_get_into_the_config_map_of_argo_cd() {
    let env = Env::new().await;
    let shell = Shell::new(env.cluster, &env.namespace);
    let namespace = &env.namespace;
    shell.run("kubectl create configmap argocd-cm --from-literal=kept=yes");
    let document = read("docs/health.md");
    let [command] = blocks(&document, "sh")[..] else {
        panic!("one command")
    };
    let mut patch: serde_json::Value =
        serde_saphyr::from_str(&read("examples/argocd/argocd-cm.yaml")).expect("YAML");
    patch["metadata"]["namespace"] = json!(namespace);
    let file = shell.directory().join("argocd-cm.yaml");
    fs::write(&file, patch.to_string()).expect("a file");
    assert!(root().join("examples/argocd/argocd-cm.yaml").exists());
    let command = command
        .replace("--namespace=argocd", &format!("--namespace={namespace}"))
        .replace("examples/argocd/", "");
    shell.run(&command);
    let data = shell.run("kubectl get configmap argocd-cm --output=jsonpath='{.data}'");
    let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(data["kept"], "yes");
    assert_eq!(data.as_object().map(serde_json::Map::len), Some(3));
}

/// `helm install --wait` of a chart with one source.
async fn install(env: &Env, name: &str, secret: &str, timeout: &str) -> Output {
    let chart = tempfile::tempdir().expect("a directory");
    let source = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource", "metadata": {"name": name},
        "spec": {"endpoint": env.endpoint(), "projectId": DEFAULT_PROJECT_ID, "interval": "5s",
            "credentials": {"type": "AccessKey", "secretRef": {"name": secret}}},
    });
    let write =
        |file: &str, text: String| fs::write(chart.path().join(file), text).expect("a file");
    fs::create_dir(chart.path().join("templates")).expect("a directory");
    write(
        "Chart.yaml",
        json!({"apiVersion": "v2", "name": name, "version": "0.1.0"}).to_string(),
    );
    write("templates/source.yaml", source.to_string());
    let mut helm = env.cluster.helm();
    helm.args(["install", name]).arg(chart.path());
    helm.args([
        "--wait",
        "--timeout",
        timeout,
        "--namespace",
        &env.namespace,
    ]);
    // The simulated cloud and the controller run on the thread of the test.
    let output = tokio::task::spawn_blocking(move || helm.output()).await;
    output.expect("no panic").expect("Helm")
}

#[tokio::test]
async fn helm_waits_for_the_first_listing() {
    let env = Env::new().await;
    let nobody = install(&env, "alone", "modelarts", "5s").await;
    assert!(!nobody.status.success(), "no controller has seen it");
    let controller = env.start_controller().await;
    let listed = install(&env, "listed", "modelarts", "60s").await;
    let error = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success(), "{error}");
    let source = env.sources().get("listed").await.expect("a source");
    assert!(source_condition(&source, "Ready").is_some_and(|c| c.status == "True"));
    let stalled = install(&env, "stalled", "none", "10s").await;
    assert!(!stalled.status.success(), "it has no Secret");
    controller.stop().await;
}
