//! A release over its life: upgraded, with definitions that an older version left; rolled back; uninstalled
//! with and without what it is told to keep; installed again.

use modelarts_pool_controller::simulator::{
    DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY, Scenario,
};
use serde_json::Value;

use super::support::chart::{CHART, RELEASE, account, helm_here, hooks, kubectl, may, user_of};
use super::support::cluster::{breakable, run};
use super::support::env::{Env, PATIENCE};
use super::support::node::run_pod;
use super::support::process::{Process, eventually};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";
const CRD: &str = "crd/modelartspools.modelarts.huaweicloud.com";

fn jsonpath(env: &Env, object: &str, path: &str) -> String {
    let path = format!("-o=jsonpath={path}");
    kubectl(env.cluster, &env.namespace, &["get", object, &path]).expect("an object")
}

fn uninstall(env: &Env) -> String {
    let uninstall = [
        "uninstall",
        RELEASE,
        "--namespace",
        &env.namespace,
        "--no-hooks",
    ];
    run(env.cluster.helm().args(uninstall)).expect("an uninstall")
}

fn process(env: &Env) -> Process {
    Process::over(env, &account(env.cluster, &env.namespace), &[])
}

#[tokio::test]
async fn a_release_is_upgraded_rolled_back_uninstalled_and_installed_again() {
    let (_turn, cluster) = breakable().await;
    let env = Env::on(cluster, Scenario::documented_sample().expect("a sample")).await;
    let kept = "sources[0].keep=true";
    helm_here(&env, "install", &[kept, "sources[0].spec.interval=5s"]);
    let mut controller = process(&env);
    env.synced("team-a").await;
    let mirror = env.mirrored(SAMPLE).await.metadata.uid;
    let source = env.synced("team-a").await.metadata.uid;

    // A definition as an older version had it: with a column less.
    let columns = "{.spec.versions[0].additionalPrinterColumns[*].name}";
    let before = jsonpath(&env, CRD, columns);
    let older = r#"[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]"#;
    kubectl(
        cluster,
        "default",
        &["patch", CRD, "--type=json", "--patch", older],
    )
    .expect("a patch");
    assert_ne!(jsonpath(&env, CRD, columns), before);
    helm_here(&env, "upgrade", &[kept, "sources[0].spec.interval=6s"]);
    assert_eq!(
        jsonpath(&env, "mapoolsource/team-a", "{.spec.interval}"),
        "6s"
    );
    play_the_job(&env);
    assert_eq!(jsonpath(&env, CRD, columns), before);
    let rollback = ["rollback", RELEASE, "1", "--no-hooks", "--namespace"];
    run(cluster.helm().args(rollback).arg(&env.namespace)).expect("a rollback");
    assert_eq!(
        jsonpath(&env, "mapoolsource/team-a", "{.spec.interval}"),
        "5s"
    );
    env.refresh("team-a").await;
    assert_eq!(env.mirrored(SAMPLE).await.metadata.uid, mirror);

    // What is kept is the same after an uninstall, and taken over by the next install.
    controller.signal("TERM");
    assert_eq!(controller.ended(PATIENCE).await, Some(0));
    let said = uninstall(&env);
    assert!(said.contains("[ModelArtsPoolSource] team-a"), "{said}");
    let gone = [
        "get",
        "deployments,services,serviceaccounts,roles,poddisruptionbudgets",
        "--field-selector=metadata.name=modelarts-pool-controller",
        "-o=name",
    ];
    let gone = kubectl(cluster, &env.namespace, &gone);
    assert_eq!(gone.expect("a list"), "");
    assert_eq!(env.mirrored(SAMPLE).await.metadata.uid, mirror);
    helm_here(&env, "install", &[kept]);
    let _controller = process(&env);
    assert_eq!(env.refresh("team-a").await.metadata.uid, source);
    assert_eq!(env.mirrored(SAMPLE).await.metadata.uid, mirror);

    // Else the source goes, and its mirrors with it.
    helm_here(&env, "upgrade", &[]);
    uninstall(&env);
    env.pool_gone(SAMPLE).await;
    jsonpath(&env, CRD, "{.metadata.name}");
}

/// Runs what the Job of an upgrade runs, as its account, and looks that this may do no more.
fn play_the_job(env: &Env) {
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let pods = hooks(cluster, namespace);
    let job = pods.iter().find(|pod| pod["kind"] == "Job").expect("a Job");
    let pod = &job["spec"]["template"]["spec"];
    let ended = run_pod(cluster, namespace, pod, &[]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");

    let account = pod["serviceAccountName"].as_str().expect("an account");
    let account = user_of(namespace, account);
    let here = format!("--namespace={namespace}");
    let may = |verb, resource| may(cluster, &here, &account, verb, resource);
    assert!(may("patch", CRD), "the question is put wrongly");
    for (verb, resource) in [
        ("patch", "crd/others.example.com"),
        ("delete", CRD),
        ("create", "crd"),
        ("list", "crd"),
        ("get", "secrets"),
        ("list", "modelartspools"),
    ] {
        assert!(!may(verb, resource), "{verb} {resource}");
    }
}

/// Discouraged, and works: the keys in the values.
#[tokio::test]
async fn keys_may_come_from_values() {
    let env = Env::new().await;
    let endpoint = env.endpoint();
    let mut install = env.cluster.helm();
    install.args(["install", RELEASE, CHART, "--namespace", &env.namespace]);
    for value in [
        "sources[0].name=team-a",
        &format!("sources[0].spec.endpoint={endpoint}"),
        &format!("sources[0].spec.projectId={DEFAULT_PROJECT_ID}"),
        &format!("sources[0].credentials.accessKey={DEFAULT_ACCESS_KEY}"),
        &format!("sources[0].credentials.secretKey={DEFAULT_SECRET_KEY}"),
        &format!("allowedEndpoints={{{endpoint}}}"),
        &format!("watchNamespaces={{{}}}", env.namespace),
        "rbac.secrets=named",
    ] {
        install.args(["--set", value]);
    }
    let notes = run(&mut install).expect("an install");
    assert!(
        notes.contains("The keys of team-a came from values"),
        "{notes}"
    );
    assert!(!notes.contains(DEFAULT_SECRET_KEY), "{notes}");
    let _controller = process(&env);
    env.synced("team-a").await;
    env.mirrored(SAMPLE).await;
    uninstall(&env);
    eventually("the Secret goes with the release", || {
        let left = ["get", "secret/team-a-credentials", "-o=json"];
        let left = kubectl(env.cluster, &env.namespace, &left);
        left.ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
            .is_none()
    })
    .await;
}

/// `helm test`, played as its account: it passes where the mirrors are what the cloud says, and fails where
/// they are not.
#[tokio::test]
async fn its_test_compares_the_mirrors_with_the_cloud() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    helm_here(&env, "install", &["rbac.secrets=named"]);
    let mut controller = process(&env);
    env.synced("team-a").await;
    env.mirrored(SAMPLE).await;
    controller.signal("TERM");
    assert_eq!(controller.ended(PATIENCE).await, Some(0));

    let pods = hooks(cluster, namespace);
    let pod = pods.iter().find(|pod| pod["kind"] == "Pod").expect("a pod");
    let spec = &pod["spec"];
    // The simulated cloud needs this thread.
    let play = || {
        let (spec, namespace) = (spec.clone(), namespace.to_owned());
        tokio::task::spawn_blocking(move || run_pod(cluster, &namespace, &spec, &[]))
    };
    let passed = play().await.expect("an end");
    assert_eq!(passed.status.code(), Some(0), "{passed:?}");
    let ill = serde_json::json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(SAMPLE, ill).expect("a pool");
    let failed = play().await.expect("an end");
    assert_eq!(failed.status.code(), Some(2), "{failed:?}");

    let account = spec["serviceAccountName"].as_str().expect("an account");
    let account = user_of(namespace, account);
    let here = format!("--namespace={namespace}");
    for (verb, resource) in [
        ("patch", "modelartspools"),
        ("create", "modelartspools"),
        ("get", "secrets/another"),
        ("list", "secrets"),
        ("get", "pods"),
    ] {
        let may = may(cluster, &here, &account, verb, resource);
        assert!(!may, "{verb} {resource}");
    }
}

/// Each part that is off until it is asked for is accepted, lets the controller work, goes when it is switched
/// off, and comes back with a rollback.
#[tokio::test]
async fn parts_are_switched_on_off_and_on_again() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let parts = [
        "networkPolicy.enabled=true",
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.a=b",
        "admissionPolicy.enabled=true",
        "caBundle=-----BEGIN CERTIFICATE-----",
        "extraObjects[0].apiVersion=v1",
        "extraObjects[0].kind=ConfigMap",
        "extraObjects[0].metadata.name=extra",
    ];
    helm_here(&env, "install", &parts);
    let guard = format!("validatingadmissionpolicies/{namespace}-{RELEASE}-guard");
    let ca = format!("configmap/{RELEASE}-ca");
    let network = format!("networkpolicy/{RELEASE}");
    let objects = [&*guard, &ca, &network, "configmap/extra"];
    let get = || kubectl(cluster, namespace, &[&["get"], &objects[..]].concat());
    get().expect("each part");
    // Under the guard.
    let _controller = process(&env);
    env.synced("team-a").await;
    env.mirrored(SAMPLE).await;

    helm_here(&env, "upgrade", &[]);
    for object in objects {
        let left = kubectl(cluster, namespace, &["get", object, "--ignore-not-found"]);
        assert_eq!(left.expect("an answer"), "", "{object}");
    }
    let rollback = ["rollback", RELEASE, "--no-hooks", "--namespace", namespace];
    run(cluster.helm().args(rollback)).expect("a rollback");
    get().expect("each part again");
    uninstall(&env);
}
