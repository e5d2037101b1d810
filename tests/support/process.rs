//! The program as a process of its own, as a pod runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::audit::{Request, requests};
use super::cluster::{Cluster, run};
use super::env::{Env, PATIENCE};
use super::metrics::{Sample, samples};

const PROGRAM: &str = env!("CARGO_BIN_EXE_modelarts-pool-controller");
const SUPERVISE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/supervise.sh");
/// Leaves its process id behind and becomes the program: supervise.sh is the parent of both.
const BECOME: &str =
    r#"echo $$ >"$1/pid"; dir=$1; shift; exec "$@" >"$dir/stdout" 2>"$dir/stderr""#;

/// The program, running. It ends when this is dropped, and when the test process ends, however that
/// ends.
pub struct Process {
    shell: Child,
    dir: PathBuf,
    address: Option<String>,
}

impl Process {
    /// Starts `run` on a free port, at the API server of `kubeconfig`.
    pub fn run(cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["run", "--listen=127.0.0.1:0"], arguments].concat();
        Self::start(cluster.dir(), kubeconfig, &arguments, &[])
    }

    /// Starts `run` as an administrator over the namespace and the cloud of a test, as the only replica.
    pub fn of(env: &Env) -> Self {
        Self::over(env, &env.cluster.kubeconfig(), &["--leader-elect=false"])
    }

    /// Starts `run` over the namespace and the cloud of a test.
    pub fn over(env: &Env, kubeconfig: &Path, more: &[&str]) -> Self {
        let namespace = format!("--watch-namespaces={}", env.namespace);
        let allowed = format!("--allowed-endpoints={}", env.endpoint());
        let arguments = [&[&*namespace, &allowed], more].concat();
        Self::run(env.cluster, kubeconfig, &arguments)
    }

    /// Starts the program with these arguments and this environment. Its files go into `home`: that
    /// of a cluster is removed whatever happens.
    pub fn start(
        home: &Path,
        kubeconfig: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start_program(PROGRAM, home, kubeconfig, arguments, variables)
    }

    /// Starts a package of `examples/` with these arguments.
    pub async fn example(
        package: &'static str,
        env: &Env,
        kubeconfig: &Path,
        arguments: &[&str],
    ) -> Self {
        // The controller of a test lives on its thread, and goes on meanwhile.
        let program = tokio::task::spawn_blocking(move || built_example(package));
        let program = program.await.expect("a program");
        Self::start_program(&program, env.cluster.dir(), kubeconfig, arguments, &[])
    }

    fn start_program(
        program: &str,
        home: &Path,
        kubeconfig: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = home.join(format!("process-{count}"));
        fs::create_dir(&dir).expect("a directory");
        let mut command = bare(Command::new(SUPERVISE));
        command
            .arg(dir.join("supervise.log"))
            .args(["sh", "-c", BECOME, "sh"])
            .arg(&dir)
            .arg(program)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let shell = command.spawn().expect("a shell");
        Self {
            shell,
            dir,
            address: None,
        }
    }

    /// What it wrote to standard error so far: its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// What the API server was asked about `namespace`, by the audit log; the lease has a pace of its own.
    pub fn asked(cluster: &Cluster, namespace: &str) -> Vec<Request> {
        let agent = concat!("modelarts-pool-controller/", env!("CARGO_PKG_VERSION"));
        let mut asked = requests(&cluster.audit_log(), agent);
        let within = format!("/namespaces/{namespace}/");
        asked.retain(|r| r.uri.contains(&within) && r.object_ref.resource != "leases");
        asked
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.dir.join("stdout")).unwrap_or_default()
    }

    /// Where it listens, as its log says.
    pub async fn address(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = &self.address {
                return address.clone();
            }
            let log = self.log();
            let said = log.split_once("address").map(|(_, rest)| rest);
            self.address = said
                .map(|rest| rest.trim_start_matches(|c: char| !c.is_ascii_digit()))
                .and_then(|rest| {
                    let end = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | ':'))?;
                    Some(rest[..end].to_owned())
                });
            let ended = self.shell.try_wait().expect("a status").is_some();
            assert!(
                !ended && Instant::now() < deadline,
                "it does not listen: {log}"
            );
            tick().await;
        }
    }

    /// Status and body of a GET.
    pub async fn get(&mut self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address().await);
        // The same provider as the program's, where that has not installed it yet.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build();
        let answer = client.expect("a client").get(url).send().await;
        let answer = answer.unwrap_or_else(|e| panic!("{path}: {e:?}; its log: {}", self.log()));
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("a text"))
    }

    /// Waits until /readyz answers 200.
    pub async fn ready(&mut self) {
        self.probe_says("/readyz", 200, "ok").await;
    }

    /// Waits until a probe answers so, with these words in its body; the body.
    pub async fn probe_says(&mut self, path: &str, status: u16, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (now, body) = self.get(path).await;
            if now == status && body.contains(words) {
                return body;
            }
            assert!(
                Instant::now() < deadline,
                "{path} is {now}: {body}; not {status} with {words:?}"
            );
            tick().await;
        }
    }

    /// All of /metrics.
    pub async fn metrics(&mut self) -> Vec<Sample> {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        samples(&text)
    }

    /// The metrics, as soon as `is_so`.
    pub async fn metrics_when(
        &mut self,
        what: &str,
        is_so: impl Fn(&[Sample]) -> bool,
    ) -> Vec<Sample> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let samples = self.metrics().await;
            if is_so(&samples) {
                return samples;
            }
            assert!(
                Instant::now() < deadline,
                "not in time: {what}: {samples:#?}"
            );
            tick().await;
        }
    }

    /// Waits until the log has these words.
    pub async fn logged(&self, words: &str) {
        eventually(&format!("{words:?} in {}", self.dir.display()), || {
            self.log().contains(words)
        })
        .await;
    }

    /// Its process id, once it has one.
    pub async fn pid(&self) -> String {
        let file = self.dir.join("pid");
        let pid = || fs::read_to_string(&file).unwrap_or_default();
        eventually("a process id", || pid().ends_with('\n')).await;
        pid().trim().to_owned()
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.dir.join("pid")).expect("a process id");
        let kill = format!("kill -{name} {pid}");
        run(Command::new("sh").args(["-c", &kill])).expect("a signal");
    }

    /// Its exit code, as soon as it has ended by itself, within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.shell.try_wait().expect("a status") {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it runs after {limit:?}: {}",
                self.log()
            );
            tick().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // supervise.sh kills it then.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Builds a package of `examples/` as a stranger does, with the library's types alone; the path of its program.
fn built_example(package: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--quiet", "--message-format=json"])
        .args(["--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo tells a test of its package would have build scripts of dependencies run anew, here and after.
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if told.iter().any(|t| name.to_string_lossy().starts_with(t)) {
            cargo.env_remove(name);
        }
    }
    let messages = run(&mut cargo).unwrap_or_else(|e| panic!("{package}: {e}"));
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(message["executable"].as_str()?.to_owned())
    });
    let program = programs.next_back();
    program.unwrap_or_else(|| panic!("cargo names no program of {package}: {messages}"))
}

/// Runs the program to its end with these arguments and this environment, without any cluster.
pub fn output(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = bare(Command::new(PROGRAM));
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the program to start")
}

/// Without what the person who runs the tests has set.
fn bare(mut command: Command) -> Command {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent");
    command
}

/// Writes a kubeconfig for `cluster` of a service account of `namespace` with this token. Its default is that
/// namespace, as a pod's is. Its path.
pub fn kubeconfig_of(cluster: &Cluster, namespace: &str, name: &str, token: &str) -> PathBuf {
    kubeconfig_through(cluster, namespace, name, token, &cluster.server())
}

/// The same, with another origin in place of the API server's.
pub fn kubeconfig_through(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    token: &str,
    server: &str,
) -> PathBuf {
    let text = fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    let mut kubeconfig: Value = serde_json::from_str(&text).expect("JSON");
    kubeconfig["users"][0]["user"] = json!({ "token": token });
    kubeconfig["clusters"][0]["cluster"]["server"] = json!(server);
    kubeconfig["contexts"][0]["context"]["namespace"] = json!(namespace);
    write_kubeconfig(cluster.dir(), &format!("{namespace}-{name}"), &kubeconfig)
}

/// Writes a kubeconfig for an API server at this origin; its path.
pub fn kubeconfig_at(home: &Path, name: &str, server: &str) -> PathBuf {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "c", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    });
    write_kubeconfig(home, name, &kubeconfig)
}

fn write_kubeconfig(home: &Path, name: &str, kubeconfig: &Value) -> PathBuf {
    let path = home.join(format!("kubeconfig-{name}"));
    fs::write(&path, kubeconfig.to_string()).expect("a kubeconfig");
    path
}

/// Waits until `is_so`.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tick().await;
    }
}

/// Between two looks at what no event tells of.
pub async fn tick() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
