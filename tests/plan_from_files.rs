//! `plan` from files says what it says from the cluster and the cloud.

use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::json;

use super::support::cluster::run;
use super::support::env::Env;
use super::support::plan::{self, plan};

const NOTHING: &str = "0 to create, 0 to update, 0 to delete, 0 skipped, 2 unchanged\n";
const ONE: &str = "0 to create, 1 to update, 0 to delete, 0 skipped, 1 unchanged\n";

/// The state of a namespace with two mirrors, in files.
struct Saved {
    env: Env,
    directory: tempfile::TempDir,
    source: String,
    /// The listing that the mirrors show.
    same: String,
    /// Another one.
    other: String,
}

impl Saved {
    async fn new() -> Self {
        let pool = |id: &str| json!({"metadata": {"name": id, "labels": {"os.modelarts/name": id}}, "spec": {"type": "Dedicate"}, "status": {"phase": "Running"}});
        let pools = ["a", "b"].map(|id| pool(id).to_string());
        let env = Env::with(Scenario::default()).await;
        let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &pools);
        put.expect("pools");
        env.add_source("s", json!({})).await;
        let controller = env.start_controller().await;
        env.refresh("s").await;
        controller.stop().await;
        let directory = tempfile::tempdir().expect("a directory");
        let mut saved = Self {
            env,
            directory,
            source: String::new(),
            same: String::new(),
            other: String::new(),
        };
        saved.source = saved.get(
            "source.yaml",
            &["modelartspoolsource", "s", "--output=yaml"],
        );
        let [a, b] = &pools;
        let listing = |b: &str| format!(r#"{{"kind":"PoolList","items":[{a},{b}]}}"#);
        saved.same = saved.write("same.json", &listing(b));
        saved.other = saved.write("other.json", &listing(&b.replace("Running", "Error")));
        saved
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.directory.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    }

    /// Saves what kubectl prints.
    fn get(&self, name: &str, arguments: &[&str]) -> String {
        let mut kubectl = self.env.cluster.kubectl();
        kubectl
            .args(["get", "--namespace", &self.env.namespace])
            .args(arguments);
        self.write(name, &run(&mut kubectl).expect("the objects"))
    }
}

#[tokio::test]
async fn without_a_cluster() {
    let saved = Saved::new().await;
    let plain = saved.get("plain.json", &["modelartspools", "--output=json"]);
    let whole = ["modelartspools", "--output=yaml", "--show-managed-fields"];
    let whole = saved.get("whole.yaml", &whole);
    // Not even a kubeconfig is there.
    let offline = |listing: &str, mirrors: &str| {
        let files = [
            ("-f", &*saved.source),
            ("--from-file", listing),
            ("--mirrors-file", mirrors),
        ];
        let files: Vec<String> = files.map(|(flag, file)| format!("{flag}={file}")).into();
        async move {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            plan::run(&[&["--offline"], &files[..]].concat(), &[]).await
        }
    };
    let changed = format!("~ {}/b: update", saved.env.namespace);
    for mirrors in [&plain, &whole] {
        let planned = offline(&saved.same, mirrors).await;
        planned.says(0, &[NOTHING]);
        // What kubectl leaves out is told, and guessed well.
        assert_eq!(
            planned.stderr.contains("without managedFields: 2"),
            mirrors == &plain
        );
        let phase = "\n-  phase: Running\n+  phase: Error\n";
        let planned = offline(&saved.other, mirrors).await;
        planned.says(2, &[&changed, phase, ONE]);
    }
    let arguments = ["--offline", "-f", &saved.source, "--from-file", &saved.same];
    let planned = plan::run(&arguments, &[]).await;
    planned.says(2, &["\n2 to create, 0 to update"]);
    assert!(
        planned
            .stderr
            .contains("every mirror is taken for a new one")
    );
}

#[tokio::test]
async fn beside_a_cluster() {
    let saved = Saved::new().await;
    let Saved {
        env,
        source,
        same,
        other,
        ..
    } = &saved;
    let name = &*format!("{}/s", env.namespace);
    let mirrors = saved.get("mirrors.yaml", &["modelartspools", "--output=yaml"]);
    let live = ["-f", source];
    plan(env, &live).await.says(0, &[NOTHING]);
    plan(env, &["-f", source, "--from-file", same])
        .await
        .says(0, &[NOTHING]);
    plan(
        env,
        &[name, "--from-file", same, "--mirrors-file", &mirrors],
    )
    .await
    .says(0, &[NOTHING]);
    plan(env, &[name, "--from-file", other])
        .await
        .says(2, &[ONE]);
    // A source that is changed in its file alone.
    let text = std::fs::read_to_string(source).expect("the source");
    let narrow = saved.write(
        "narrow.yaml",
        &text.replace("labelSelector: \"\"", "labelSelector: no=such"),
    );
    let planned = plan(env, &["-f", &narrow, "-o", "json"]).await;
    assert_eq!(planned.json()["source"]["status"]["observedGeneration"], 2);

    let kubeconfig = env.cluster.kubeconfig().display().to_string();
    let variables = [
        ("KUBECONFIG", &*kubeconfig),
        ("MODELARTS_POOL_CONTROLLER_PLAN_SOURCE", name),
        ("MODELARTS_POOL_CONTROLLER_PLAN_FROM_FILE", other),
        ("MODELARTS_POOL_CONTROLLER_PLAN_OUTPUT", "yaml"),
    ];
    plan::run(&[], &variables)
        .await
        .says(2, &["operation: update"]);
}
