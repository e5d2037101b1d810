//! The chart as a person installs it, and what was asked in its name.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID;
use serde_json::{Value, json};

use super::cluster::{Cluster, run, shared};
use super::env::{Env, SECRET};
use super::process::kubeconfig_of;

pub const CHART: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/charts/modelarts-pool-controller"
);
/// Its objects bear this name.
pub const RELEASE: &str = "modelarts-pool-controller";

/// `helm VERB RELEASE CHART` with one source of the cloud at `endpoint`. Without hooks: no node runs here that
/// could run the Job of an upgrade.
pub fn helm(
    cluster: &Cluster,
    verb: &str,
    namespace: &str,
    endpoint: &str,
    more: &[&str],
) -> Command {
    let mut helm = cluster.helm();
    helm.args([verb, RELEASE, CHART, "--namespace", namespace, "--no-hooks"]);
    for value in [
        "sources[0].name=team-a",
        &format!("sources[0].spec.endpoint={endpoint}"),
        &format!("sources[0].spec.projectId={DEFAULT_PROJECT_ID}"),
        &format!("sources[0].credentials.existingSecret={SECRET}"),
        &format!("allowedEndpoints={{{endpoint}}}"),
    ] {
        helm.args(["--set", value]);
    }
    for value in more {
        helm.args(["--set", value]);
    }
    helm
}

/// The objects that the chart renders with these values into the namespace `ns`, or why not.
pub fn render(values: &[&str]) -> Result<Vec<Value>, String> {
    let mut helm = shared().helm();
    helm.args(["template", "release", CHART, "--namespace=ns"]);
    for value in values {
        helm.args(["--set", value]);
    }
    let text = run(&mut helm)?;
    Ok(serde_saphyr::from_multiple(&text).expect("YAML"))
}

/// Those of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|o| o["kind"] == kind).collect()
}

/// Installs the chart into the namespace of a test, which alone it watches, with a source `team-a` of the
/// test's cloud; a kubeconfig of its account.
pub fn install(env: &Env) -> PathBuf {
    helm_here(env, "install", &["sources[0].spec.interval=5s"]);
    account(env.cluster, &env.namespace)
}

/// `helm VERB` of a release that watches the namespace of a test alone, with a source `team-a` of the test's
/// cloud and more values; what it prints.
pub fn helm_here(env: &Env, verb: &str, more: &[&str]) -> String {
    let only_here = format!("watchNamespaces={{{}}}", env.namespace);
    let values = [&[&*only_here], more].concat();
    let mut command = helm(env.cluster, verb, &env.namespace, &env.endpoint(), &values);
    run(&mut command).expect(verb)
}

/// kubectl in a namespace.
pub fn kubectl(cluster: &Cluster, namespace: &str, arguments: &[&str]) -> Result<String, String> {
    run(cluster
        .kubectl()
        .args(["--namespace", namespace])
        .args(arguments))
}

/// Whether somebody may do something, by the real authorizer. `scope` is `--namespace=NAME` or `--all-namespaces`.
pub fn may(cluster: &Cluster, scope: &str, who: &str, verb: &str, resource: &str) -> bool {
    let who = format!("--as={who}");
    // As a part of its name it would be taken for the name of an object.
    let (resource, part) = match resource.strip_suffix("/status") {
        Some(resource) => (resource, "--subresource=status"),
        None => (resource, "--subresource="),
    };
    let question = ["auth", "can-i", verb, resource, part, &who, scope];
    // `no` is exit code 1, and not an error.
    run(cluster.kubectl().args(question)).is_ok_and(|answer| answer.trim() == "yes")
}

/// The user that a service account is.
pub fn user_of(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// A kubeconfig of the release's service account, with a token as a pod gets one.
pub fn account(cluster: &Cluster, namespace: &str) -> PathBuf {
    account_of(cluster, namespace, RELEASE)
}

/// The same of any service account.
pub fn account_of(cluster: &Cluster, namespace: &str, name: &str) -> PathBuf {
    let token = kubectl(cluster, namespace, &["create", "token", name]).expect("a token");
    kubeconfig_of(cluster, namespace, name, token.trim())
}

/// Creates what the hooks of the installed release need before their pods: accounts and rights. The pods
/// themselves are returned, each with its template; a test plays them, since no node does.
pub fn hooks(cluster: &Cluster, namespace: &str) -> Vec<Value> {
    let get = ["get", "hooks", RELEASE, "--namespace", namespace];
    let hooks = run(cluster.helm().args(get)).expect("hooks");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&hooks).expect("YAML");
    let (pods, others): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|o| o["kind"] == "Job" || o["kind"] == "Pod");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": others});
    let file = cluster.dir().join(format!("hooks-{namespace}.json"));
    fs::write(&file, list.to_string()).expect("a file");
    let file = file.to_str().expect("UTF-8").to_owned();
    kubectl(cluster, namespace, &["apply", "-f", &file]).expect("accounts and rights");
    pods
}

/// What a request of the release's account asked for, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub verb: String,
    /// With its subresource.
    pub resource: String,
    /// The HTTP status.
    pub code: u64,
}

/// What the release's account has asked for so far, by the audit log.
pub fn asked(cluster: &Cluster, namespace: &str) -> BTreeSet<Asked> {
    let user = user_of(namespace, RELEASE);
    let text = fs::read_to_string(cluster.audit_log()).expect("an audit log");
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let events = whole.lines().filter(|line| line.contains(&user));
    let events = events.map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    events
        .filter(|event| event["user"]["username"] == *user)
        .map(|event| {
            let object = &event["objectRef"];
            let part = object["subresource"].as_str().map(|s| format!("/{s}"));
            Asked {
                verb: event["verb"].as_str().unwrap_or_default().to_owned(),
                resource: object["resource"].as_str().unwrap_or_default().to_owned()
                    + &part.unwrap_or_default(),
                code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            }
        })
        .collect()
}
