//! A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager
//! with the garbage collector and the namespace controller.
//!
//! Everything that is started here is gone when this process ends, also by a panic or SIGKILL: each
//! component runs under a shell that reads from a pipe held by this process alone.

// The tests and the demo each take this file in as a module of theirs, and use a part of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::PipeWriter;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use tokio::sync::MutexGuard;

/// How long a component may take to be ready, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(2);
const ADMIN_TOKEN: &str = "admin-of-a-test";
/// Below what Linux gives to outgoing connections: none of them can take the port of an API server
/// that is stopped for a while.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const SOURCE_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster");

/// A control plane. It ends when it is dropped.
pub struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    apiserver_port: u16,
    etcd_ports: (u16, u16),
    // In the order of their end: writers first, the directory last.
    controller_manager: Mutex<Option<Process>>,
    apiserver: Mutex<Option<Process>>,
    etcd: Mutex<Option<Process>>,
    // Held by each component's shell too: its last holder to end is what `_directory` waits for.
    alive: PipeWriter,
    _directory: Process,
}

/// The control plane that all tests of this process share. It ends with the process.
pub fn shared() -> &'static Cluster {
    // The failure is kept too: the other tests need not wait for it once more.
    static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match SHARED.get_or_init(Cluster::start) {
        Ok(cluster) => cluster,
        #[allow(clippy::panic)] // The caller is a test.
        Err(error) => panic!("{error}"),
    }
}

/// A control plane that a test may stop, start and take apart, as long as it holds the guard. It is whole
/// again before that goes.
pub async fn breakable() -> (MutexGuard<'static, ()>, &'static Cluster) {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    static BREAKABLE: OnceLock<Result<Cluster, String>> = OnceLock::new();
    let turn = TURN.lock().await;
    match BREAKABLE.get_or_init(Cluster::start) {
        Ok(cluster) => (turn, cluster),
        #[allow(clippy::panic)] // The caller is a test.
        Err(error) => panic!("{error}"),
    }
}

impl Cluster {
    /// Builds the components where they are not built yet, and starts them. Our CRDs are applied
    /// before the garbage collector starts, since it looks for new kinds only every 30 s.
    pub fn start() -> Result<Self, String> {
        let bin = binaries()?;
        let mut attempts = 3;
        loop {
            attempts -= 1;
            match Self::start_once(bin.clone()) {
                // Another process took a port between our look and the component's bind.
                Err(error) if attempts > 0 && error.contains("address already in use") => {}
                result => return result,
            }
        }
    }

    fn start_once(bin: PathBuf) -> Result<Self, String> {
        // Before the processes: what fails between them and the whole would wait for `alive` for ever.
        let (apiserver_port, etcd_ports) = (free_port()?, (free_port()?, free_port()?));
        let dir = temporary_directory()?;
        let (reader, alive) = std::io::pipe().map_err(|e| format!("failed to make a pipe: {e}"))?;
        let mut remove = Command::new(format!("{SOURCE_DIR}/remove.sh"));
        let directory = Process::start(remove.arg(&dir).stdin(reader).stdout(Stdio::null()))?;
        let cluster = Self {
            bin,
            dir,
            apiserver_port,
            etcd_ports,
            controller_manager: Mutex::default(),
            apiserver: Mutex::default(),
            etcd: Mutex::default(),
            alive,
            _directory: directory,
        };
        cluster.write(
            "tokens.csv",
            &format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n"),
        )?;
        let (private, public) = key_pair()?;
        cluster.write("service-account.key", &private)?;
        cluster.write("service-account.pub", &public)?;
        cluster.write("audit-policy.yaml", AUDIT_POLICY)?;
        cluster.start_etcd()?;
        cluster.start_apiserver()?;
        cluster.write_kubeconfig()?;
        cluster.apply_crds()?;
        cluster.start_controller_manager()?;
        Ok(cluster)
    }

    /// The directory of all its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// One JSON object a line for each request; two for a watch: its start and its end. A line is
    /// written before its request ends, but a long answer may have arrived by then: poll.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// The origin of the API server.
    pub fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.apiserver_port)
    }

    /// The token of a user who may do everything.
    #[allow(clippy::unused_self)] // It is this cluster's, like all else here.
    pub fn admin_token(&self) -> &'static str {
        ADMIN_TOKEN
    }

    /// The directory of the programs.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// kubectl, for this cluster.
    pub fn kubectl(&self) -> Command {
        self.tool("kubectl")
    }

    /// Helm, for this cluster.
    pub fn helm(&self) -> Command {
        self.tool("helm")
    }

    /// Stops the API server as a crash would.
    pub fn stop_apiserver(&self) {
        drop(lock(&self.apiserver).take());
    }

    /// Starts the API server, at the same port and over the same data.
    pub fn start_apiserver(&self) -> Result<(), String> {
        let arguments = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_ports.0),
            format!("--cert-dir={}", self.path("certs")),
            format!("--secure-port={}", self.apiserver_port),
            "--bind-address=127.0.0.1".to_owned(),
            // A loopback address is refused, and the host may have no other: this one is reserved for
            // documentation, and nobody is told of it.
            "--advertise-address=192.0.2.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            // A test that asks a lot at once shall see its own limits, not these.
            "--enable-priority-and-fairness=false".to_owned(),
            "--max-requests-inflight=0".to_owned(),
            "--max-mutating-requests-inflight=0".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!(
                "--service-account-key-file={}",
                self.path("service-account.pub")
            ),
            format!(
                "--service-account-signing-key-file={}",
                self.path("service-account.key")
            ),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged".to_owned(),
            format!("--audit-policy-file={}", self.path("audit-policy.yaml")),
            format!("--audit-log-path={}", self.path("audit.log")),
            "--audit-log-mode=blocking".to_owned(),
        ];
        *lock(&self.apiserver) = Some(self.component("kube-apiserver", &arguments)?);
        self.wait("kube-apiserver", &self.apiserver, || self.answers_ready())
    }

    /// Stops etcd as a crash would.
    pub fn stop_etcd(&self) {
        drop(lock(&self.etcd).take());
    }

    /// Starts etcd, at the same ports and over the same data.
    pub fn start_etcd(&self) -> Result<(), String> {
        let (client, peer) = self.etcd_ports;
        let arguments = [
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            // The data does not outlive the test.
            "--unsafe-no-fsync".to_owned(),
        ];
        *lock(&self.etcd) = Some(self.component("etcd", &arguments)?);
        self.wait("etcd", &self.etcd, || {
            TcpStream::connect(("127.0.0.1", client)).is_ok()
        })
    }

    fn start_controller_manager(&self) -> Result<(), String> {
        let arguments = [
            format!("--kubeconfig={}", self.path("kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--controllers=garbage-collector-controller,namespace-controller".to_owned(),
            // Clusters of several tests would fight for its port.
            "--secure-port=0".to_owned(),
            // The default, 20 a second, takes minutes for the objects of a large test.
            "--kube-api-qps=1000".to_owned(),
            "--kube-api-burst=2000".to_owned(),
        ];
        *lock(&self.controller_manager) =
            Some(self.component("kube-controller-manager", &arguments)?);
        Ok(())
    }

    /// Whether `/readyz` says ok. Asked with kubectl: there is no other client of TLS at hand here.
    fn answers_ready(&self) -> bool {
        // Cheaper than a kubectl that fails. The port is open once the certificate is written.
        if TcpStream::connect(("127.0.0.1", self.apiserver_port)).is_err() {
            return false;
        }
        let certificate = self.path("certs/apiserver.crt");
        let mut kubectl = Command::new(self.bin.join("kubectl"));
        kubectl.args([
            "get",
            "--raw=/readyz",
            "--request-timeout=5s",
            "--kubeconfig=/dev/null",
        ]);
        kubectl.arg(format!("--server={}", self.server()));
        kubectl.arg(format!("--certificate-authority={certificate}"));
        kubectl.arg(format!("--token={ADMIN_TOKEN}"));
        kubectl.output().is_ok_and(|output| output.status.success())
    }

    fn write_kubeconfig(&self) -> Result<(), String> {
        let certificate = fs::read(self.dir.join("certs/apiserver.crt"))
            .map_err(|e| format!("failed to read the API server's certificate: {e}"))?;
        let server = self.server();
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": ByteString(certificate)}}],
            "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        });
        self.write("kubeconfig", &kubeconfig.to_string())
    }

    fn apply_crds(&self) -> Result<(), String> {
        let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        run(self.kubectl().args(["apply", "--server-side", "-f", crds]))?;
        run(self.kubectl().args([
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "-f",
            crds,
        ]))?;
        Ok(())
    }

    fn component(&self, name: &str, arguments: &[String]) -> Result<Process, String> {
        let alive = self
            .alive
            .try_clone()
            .map_err(|e| format!("failed to clone a pipe: {e}"))?;
        let mut command = Command::new(format!("{SOURCE_DIR}/supervise.sh"));
        command
            .arg(self.log(name))
            .arg(self.bin.join(name))
            .args(arguments)
            .current_dir(&self.dir);
        Process::start(command.stdin(Stdio::piped()).stdout(alive))
    }

    fn wait(
        &self,
        name: &str,
        process: &Mutex<Option<Process>>,
        ready: impl Fn() -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !ready() {
            // Not held while `ready` runs: another thread may stop the component meanwhile.
            let ended = lock(process).as_mut().is_none_or(Process::has_ended);
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(self.log(name)).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(15)..].join("\n");
                let what = if ended {
                    "ended by itself"
                } else {
                    "is not ready in time"
                };
                return Err(format!("{name} {what}; its log ends:\n{tail}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn write(&self, name: &str, content: &str) -> Result<(), String> {
        fs::write(self.dir.join(name), content).map_err(|e| format!("failed to write {name}: {e}"))
    }

    fn tool(&self, name: &str) -> Command {
        let built = self.bin.join(name);
        // A directory of KUBEBUILDER_ASSETS need not have Helm.
        let program = if built.exists() {
            built
        } else {
            PathBuf::from(name)
        };
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", &self.dir)
            .current_dir(&self.dir);
        // These would win over HOME, and the person's own files would be read and written.
        let home = [
            "KUBECACHEDIR",
            "KUBERC",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
        ];
        let helm = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| name.to_string_lossy().starts_with("HELM_"));
        for variable in helm.chain(home.map(Into::into)) {
            command.env_remove(variable);
        }
        command
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}

/// A shell that ends when nobody holds the other end of its standard input any more.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        // A group of its own: Ctrl-C in a terminal reaches this process first, which then ends it.
        let started = command.process_group(0).spawn();
        started
            .map(Self)
            .map_err(|e| format!("failed to start {name}: {e}"))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Runs a command to its end; its standard output, or what it said of its failure.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|e| format!("failed to start {command:?}: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// The directory of the components, built where they are not built yet.
fn binaries() -> Result<PathBuf, String> {
    let build = format!("{SOURCE_DIR}/build.sh");
    let output = Command::new(&build)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("failed to start {build}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{build} failed: see above"));
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout
        .lines()
        .last()
        .map(PathBuf::from)
        .ok_or_else(|| format!("{build} printed no directory"))
}

fn temporary_directory() -> Result<PathBuf, String> {
    // Kept: remove.sh removes it, also where no destructor of this process runs.
    let dir = tempfile::Builder::new()
        .prefix("modelarts-cluster-")
        .tempdir()
        .map(tempfile::TempDir::keep);
    dir.map_err(|e| format!("failed to make a temporary directory: {e}"))
}

/// A key that signs the tokens of service accounts, and the one that checks them, as PEM. From the
/// private key alone the API server does not read the public one in this format.
fn key_pair() -> Result<(String, String), String> {
    // "An EC public key on P-256, uncompressed", before the point itself (RFC 5480).
    const P256: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let random = SystemRandom::new();
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
        .map_err(|_| "failed to generate a key".to_owned())?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random)
        .map_err(|e| format!("failed to read a generated key: {e}"))?;
    let public = [&P256, pair.public_key().as_ref()].concat();
    Ok((
        pem("PRIVATE KEY", private.as_ref()),
        pem("PUBLIC KEY", &public),
    ))
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = serde_json::json!(ByteString(der.to_vec()));
    let base64 = base64.as_str().unwrap_or_default();
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn free_port() -> Result<u16, String> {
    // Keyed anew for each call: processes that start at the same time try different ports.
    let random = || RandomState::new().hash_one(()) % u64::from(PORTS.end - PORTS.start);
    let mut tries = (0..1000)
        .filter_map(|_| u16::try_from(random()).ok())
        .map(|offset| PORTS.start + offset);
    tries
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "found no free port".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const AUDIT_POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";
