//! Each command of the pages about `plan` works as it stands.

use std::path::Path;
use std::process::{Command, Stdio};

use modelarts_pool_controller::simulator::{DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, Scenario};
use serde_json::json;

use super::support::cluster::run;
use super::support::env::Env;
use super::support::markdown::{blocks, read, root};

/// A person's shell, in a directory with the files that the pages name.
struct Shell {
    directory: tempfile::TempDir,
    path: String,
    allowed: String,
}

impl Shell {
    async fn new() -> (Env, Self) {
        let env = Env::with(Scenario::default_world().expect("the default world")).await;
        env.add_source("main", json!({})).await;
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("a file");
        };
        let namespace = &*env.namespace;
        let source = [
            "get",
            "modelartspoolsource/main",
            "--output=yaml",
            "--namespace",
            namespace,
        ];
        let source = run(env.cluster.kubectl().args(source));
        write("source.yaml", &source.expect("a source"));
        let data = json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": data});
        write("secret.yaml", &secret.to_string());
        let listing = root().join("src/simulator/documented-sample.json");
        let listing = std::fs::read_to_string(listing).expect("the sample");
        for name in ["pools.json", "listing.json"] {
            write(name, &listing);
        }
        let text = std::fs::read_to_string(env.cluster.kubeconfig()).expect("a kubeconfig");
        let mut kubeconfig: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        kubeconfig["contexts"][0]["context"]["namespace"] = namespace.into();
        write("kubeconfig", &kubeconfig.to_string());
        let program = Path::new(env!("CARGO_BIN_EXE_modelarts-pool-controller"));
        let programs = program.parent().expect("a directory").display();
        let path = std::env::var("PATH").expect("a path");
        let shell = Self {
            path: format!("{programs}:{}:{path}", env.cluster.bin_dir().display()),
            directory,
            allowed: env.endpoint(),
        };
        (env, shell)
    }

    /// Exit code and output of a command.
    async fn run(&self, command: &str) -> (Option<i32>, String) {
        let mut shell = Command::new("sh");
        shell
            .args(["-uc", command])
            .current_dir(self.directory.path())
            .env("KUBECONFIG", self.directory.path().join("kubeconfig"))
            .env(
                "MODELARTS_POOL_CONTROLLER_PLAN_ALLOWED_ENDPOINTS",
                &self.allowed,
            )
            .env("PATH", &self.path)
            .stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || shell.output());
        let ended = ended.await.expect("an end").expect("a shell");
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        (
            ended.status.code(),
            said + &String::from_utf8_lossy(&ended.stderr),
        )
    }
}

#[tokio::test]
async fn each_command_works() {
    let (env, shell) = Shell::new().await;
    let mut commands = 0;
    for page in ["README.md", "docs/plan.md", "docs/reporting-bugs.md"] {
        let text = read(page);
        let about = blocks(&text, "sh").into_iter();
        let about = about.filter(|block| {
            block.contains("modelarts-pool-controller plan") || block.starts_with("grep")
        });
        for command in about.flat_map(str::lines) {
            let own = command.replace("team-a/main", &format!("{}/main", env.namespace));
            let (code, said) = shell.run(&own).await;
            let expected: &[i32] = match () {
                // None was found.
                () if command.starts_with("grep") => &[1],
                () if command.contains('>') => &[0],
                () => &[2],
            };
            assert!(
                code.is_some_and(|c| expected.contains(&c)),
                "{page}: {command}: {code:?}: {said}"
            );
            commands += 1;
        }
    }
    assert_eq!(commands, 13, "commands that were run");
    let redacted = std::fs::read_to_string(shell.directory.path().join("pools.json"));
    let redacted = redacted.expect("a listing");
    assert!(
        redacted.contains("Dedicate") && !redacted.contains("auto-pool-os"),
        "{redacted}"
    );
}
