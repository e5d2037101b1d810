//! Each command of the README, of the demo's hints and of the troubleshooting page is run: here, or by
//! `.ci/run`.

use std::os::unix::fs::symlink;

use kube::Api;
use modelarts_pool_controller::api::ModelArtsPoolSource;
use modelarts_pool_controller::simulator::{Fault, Operation, Scenario};

use super::support::cluster::shared;
use super::support::curl::curl;
use super::support::env::{Env, client_of};
use super::support::markdown::{blocks, read, root};
use super::support::shell::Shell;

fn installs(block: &str) -> bool {
    has(block, "kubectl create") || has(block, "kubectl apply")
}

fn has(block: &str, command: &str) -> bool {
    block.lines().any(|line| line.starts_with(command))
}

#[tokio::test]
async fn what_reads_works_beside_a_running_controller() {
    let env = Env::with(Scenario::default_world().expect("the default world")).await;
    env.add_source("simulated", serde_json::json!({})).await;
    let controller = env.start_controller().await;
    env.synced("simulated").await;
    let pool = happenings(&env).await;
    let shell = Shell::new(env.cluster, &env.namespace);
    let mut commands = 0;
    for document in ["README.md", "docs/troubleshooting.md"] {
        let text = read(document);
        let reading = blocks(&text, "sh")
            .into_iter()
            .filter(|block| has(block, "kubectl") && !installs(block));
        for command in reading.flat_map(str::lines) {
            let command = command
                .replace("SOURCE", "simulated")
                .replace("POOL", &pool);
            let printed = shell.run(&command);
            assert!(!printed.trim().is_empty(), "{command} prints nothing");
            commands += 1;
        }
    }
    assert!(commands > 8, "only {commands} commands were run");
    controller.stop().await;
}

/// Lets happen what events tell of: to a source, and to a pool, whose id is returned.
async fn happenings(env: &Env) -> String {
    let pool = "pool-gpu-0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let down = Fault::status(Operation::ListPools, 503).times(1);
    env.cloud().add_fault(down).expect("a fault");
    env.refresh("simulated").await;
    let ill = serde_json::json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(pool, ill).expect("a pool");
    env.refresh("simulated").await;
    env.event(pool, "PhaseChanged").await;
    env.event("simulated", "SyncFailed").await;
    pool.to_owned()
}

#[tokio::test]
async fn what_installs_is_accepted() {
    // Other tests share the API server: the names are this test's own.
    let names = [
        ("namespace modelarts", "namespace readme"),
        ("namespace=modelarts", "namespace=readme"),
        ("namespace: modelarts", "namespace: readme"),
        (
            "helm install modelarts-pool-controller",
            "helm install readme",
        ),
    ];
    let shell = Shell::new(shared(), "readme");
    symlink(root().join("charts"), shell.directory().join("charts")).expect("a link");
    let text = read("README.md");
    let installing: Vec<&str> = blocks(&text, "sh")
        .into_iter()
        .filter(|b| installs(b))
        .collect();
    assert_eq!(installing.len(), 2, "the README has lost its installation");
    for block in installing {
        let own = names
            .iter()
            .fold(block.to_owned(), |text, (from, to)| text.replace(from, to));
        shell.run(&own);
    }
    let client = client_of(shared(), "readme").await;
    let api: Api<ModelArtsPoolSource> = Api::namespaced(client, "readme");
    let installed = api.get("team-a").await.expect("the source of the chart");
    assert_eq!(installed.spec.region.as_deref(), Some("cn-north-4"));
    let applied = api.get("team-b").await.expect("the source");
    assert_eq!(applied.spec.workspace_ids, ["*"]);
}

#[tokio::test]
async fn what_the_demo_says_to_try_works() {
    let env = Env::with(Scenario::default_world().expect("the default world")).await;
    env.add_source("simulated", serde_json::json!({})).await;
    let controller = env.start_controller().await;
    env.synced("simulated").await;
    let shell = Shell::new(env.cluster, &env.namespace);
    let mut tried = 0;
    let hints = read("examples/demo/look-further.txt");
    for command in hints.lines().filter_map(|line| line.strip_prefix("  ")) {
        if command.starts_with("kubectl") {
            shell.run(command);
        } else if command.starts_with("curl") {
            let (status, body) = curl(command, "{endpoint}", &env.endpoint()).await;
            assert!(status.is_success(), "{command}: {status} {body}");
        } else {
            // The demo fills these in; there is nothing to run before.
            assert!(
                [
                    "export KUBECONFIG={kubeconfig} PATH={bin}:$PATH",
                    "tail -f {log}"
                ]
                .contains(&command),
                "{command} is not run by any test"
            );
            continue;
        }
        tried += 1;
    }
    assert!(tried > 7, "only {tried} commands were tried");
    let edited = "auto-pool-os-86c13962597848eeb29c5861153a391f";
    env.pool_when(edited, "the edit is undone", |pool| {
        pool.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running")
    })
    .await;
    env.mirrored("pool-gpu-0a1b2c3d4e5f60718293a4b5c6d7e8f9")
        .await;
    controller.stop().await;
}

/// Each block of the README is run by one of the tests above, by `docs_plan.rs` or by `.ci/run`.
#[test]
fn nothing_in_the_readme_is_only_written() {
    let ci = read(".ci/run");
    let text = read("README.md");
    let blocks = blocks(&text, "sh");
    assert!(blocks.len() >= 5, "the README has lost its commands");
    for block in blocks {
        let by_tests = has(block, "kubectl");
        let by_ci = block.lines().all(|line| {
            let target = line.strip_prefix("make ");
            target.is_some_and(|t| ci.contains(&format!("make --no-print-directory {t}")))
        });
        // By `docs_plan.rs`.
        let by_plan = has(block, "modelarts-pool-controller plan");
        assert!(by_tests || by_ci || by_plan, "nobody runs:\n{block}");
    }
}
