//! docs/install.md, docs/runbook.md and docs/operations.md are true: each command is run as it stands, one document
//! after the other, on a cluster that never saw us; and the requests of a pass are as many as they say.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;

use modelarts_pool_controller::simulator::{
    AccessKey, Credentials, Operation, Scenario, Simulator, Workspace,
};
use serde_json::{Value, json};

use super::support::chart::{account, account_of, kubectl, may, user_of};
use super::support::cluster::{Cluster, run};
use super::support::env::Env;
use super::support::markdown::{blocks, read, root};
use super::support::node::while_it_runs;
use super::support::process::Process;
use super::support::shell::Shell;

const NAMESPACE: &str = "modelarts";

fn shell(cluster: &Cluster, kubeconfig: &std::path::Path) -> Shell {
    let shell = Shell::of(cluster, NAMESPACE, kubeconfig);
    symlink(root().join("charts"), shell.directory().join("charts")).expect("a link");
    shell
}

/// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_of_install_and_operations_works() {
    let cluster = Cluster::start().expect("a cluster");
    let crds = root().join("charts/modelarts-pool-controller/crds");
    run(cluster.kubectl().arg("delete").arg("-f").arg(&crds)).expect("no definitions");
    let scenario = Scenario::documented_sample().expect("a sample");
    let cloud = Simulator::start(scenario, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let cloud = cloud.expect("a simulated cloud");
    // What the shell has in its files AK and SK.
    cloud.control().set_credentials(Credentials {
        access_keys: vec![AccessKey {
            access_key: "AN-ACCESS-KEY".to_owned(),
            secret_key: "a-secret-key".to_owned(),
            security_token: None,
        }],
        ..Credentials::default()
    });

    let person = shell(&cluster, &cluster.kubeconfig());
    let text = read("docs/install.md");
    let [secret, install, look, own] = blocks(&text, "sh")[..] else {
        panic!("docs/install.md has other commands than this test runs");
    };
    person.run(secret);
    let notes = person.run(install);
    assert!(
        notes.contains("kubectl wait modelartspoolsource"),
        "{notes}"
    );
    // The region's cloud is the simulated one.
    let here = format!(
        r#"{{"spec": {{"endpoint": "{}", "interval": "5s"}}}}"#,
        cloud.url()
    );
    let patch = [
        "patch",
        "mapoolsource/team-a",
        "--type=merge",
        "--patch",
        &here,
    ];
    kubectl(&cluster, NAMESPACE, &patch).expect("a patch");
    let allowed = format!("--allowed-endpoints={}", cloud.url());
    let _controller = Process::run(&cluster, &account(&cluster, NAMESPACE), &[&allowed]);
    let url = cloud.url();
    let variables = [("MODELARTS_POOL_CONTROLLER_PLAN_ALLOWED_ENDPOINTS", &*url)];
    let seen = while_it_runs(&cluster, NAMESPACE, &variables, || person.run(look));
    for words in [
        "auto-pool-os-86c13962597848eeb29c5861153a391f",
        "Synced",
        "Succeeded",
    ] {
        assert!(seen.contains(words), "no {words:?} in: {seen}");
    }
    owner_of_a_namespace(&cluster).run(own);

    monitoring(&cluster, "create");
    let text = read("docs/runbook.md");
    let mut ran = 0;
    while_it_runs(&cluster, NAMESPACE, &variables, || {
        for block in blocks(&text, "sh") {
            // No node runs the pods of the Deployment here, whose logs these are.
            let lines = block.lines().filter(|l| !l.starts_with("kubectl logs "));
            let lines: Vec<&str> = lines.collect();
            ran += lines.len();
            person.run(&lines.join("\n"));
        }
    });
    assert!(ran > 30, "only {ran} lines were run");

    let text = read("docs/operations.md");
    let mut ran = 0;
    while_it_runs(&cluster, NAMESPACE, &variables, || {
        for block in blocks(&text, "sh") {
            ran += block.lines().count();
            person.run(block);
        }
    });
    assert!(ran > 10, "only {ran} lines were run");
    monitoring(&cluster, "delete");
    let left = kubectl(&cluster, NAMESPACE, &["get", "crds", "-o=name"]);
    assert_eq!(left.expect("a list"), "");
}

/// Creates or deletes the definitions of the Prometheus Operator, as far as the chart needs them.
fn monitoring(cluster: &Cluster, verb: &str) {
    let kinds = [
        ("ServiceMonitor", "servicemonitors"),
        ("PrometheusRule", "prometheusrules"),
    ];
    let definitions = kinds.map(|(kind, plural)| {
        let spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let schema = json!({"type": "object", "properties": {"spec": spec}});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                }],
            },
        })
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions});
    let file = cluster.dir().join("monitoring.json");
    fs::write(&file, list.to_string()).expect("a file");
    let file = format!("--filename={}", file.display());
    kubectl(cluster, NAMESPACE, &[verb, &file]).expect("definitions");
    if verb == "create" {
        let wait = ["wait", &file, "--for=condition=Established"];
        kubectl(cluster, NAMESPACE, &wait).expect("definitions that are served");
    }
}

/// Somebody who may do everything in one namespace, and nothing elsewhere.
fn owner_of_a_namespace(cluster: &Cluster) -> Shell {
    let everything = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "owner"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    });
    let role = cluster.dir().join("owner.json");
    fs::write(&role, everything.to_string()).expect("a file");
    let role = format!("--filename={}", role.display());
    let bind = "--serviceaccount=team-b:owner";
    for arguments in [
        &["create", "namespace", "team-b"][..],
        &["create", "serviceaccount", "owner"],
        &["create", &role],
        &["create", "rolebinding", "owner", "--role=owner", bind],
    ] {
        kubectl(cluster, "team-b", arguments).expect("an owner");
    }
    let owner = user_of("team-b", "owner");
    let elsewhere = "--all-namespaces";
    assert!(!may(cluster, elsewhere, &owner, "create", "clusterroles"));
    shell(cluster, &account_of(cluster, "team-b", "owner"))
}

/// The table of docs/operations.md, row by row.
#[tokio::test]
async fn a_pass_asks_as_often_as_the_table_says() {
    let text = read("docs/operations.md");
    let rows = text.lines().filter(|line| line.starts_with("| `{"));
    let mut looked_at = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let mut spec: Value = serde_json::from_str(cells[1].trim_matches('`')).expect("JSON");
        // One pass alone is counted.
        spec["interval"] = json!("1h");
        let (expected, an_hour) = (number(cells[2]), number(cells[3]));
        assert_eq!(an_hour, expected * 120, "{row}");
        let workspaces = ["w1", "w2"].map(|id| Workspace {
            id: id.to_owned(),
            name: id.to_owned(),
            status: "NORMAL".to_owned(),
        });
        let env = Env::with(Scenario {
            workspaces: workspaces.into(),
            ..Scenario::default()
        })
        .await;
        env.add_source("main", spec).await;
        let controller = env.start_controller().await;
        env.synced("main").await;
        controller.stop().await;
        let asked = env.cloud().requests();
        let of = |operation| asked.gets(operation);
        let sum = of(Operation::ListPools) + of(Operation::ListWorkspaces);
        assert_eq!(sum, expected, "{row}");
        looked_at += 1;
    }
    assert_eq!(looked_at, 5);
}

fn number(cell: &str) -> u64 {
    cell.parse().expect("a number")
}
