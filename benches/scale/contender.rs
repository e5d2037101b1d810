//! Those that mirror, each as a process that is started and ended alike.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID;

use super::Failure;
use super::cluster::{Cluster, run};
use super::world::{NAMESPACE, SOURCE, TOKEN, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Who mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Contender {
    /// This project's controller, as it is in the image.
    Controller,
    /// The peer written with controller-runtime.
    Go,
    /// The peer written with kopf.
    Kopf,
    /// The peer that is a loop of curl, jq and kubectl.
    Shell,
}

impl Contender {
    /// All of them, the one that says what is expected first.
    pub const ALL: [Self; 4] = [Self::Controller, Self::Go, Self::Kopf, Self::Shell];

    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Go => "go",
            Self::Kopf => "kopf",
            Self::Shell => "shell",
        }
    }

    /// Builds it where it is not built yet.
    pub fn build(self) -> Result<(), Failure> {
        // make bench builds the controller.
        if self != Self::Controller {
            run(&mut Command::new(self.peer("build.sh")))?;
        }
        Ok(())
    }

    fn peer(self, file: &str) -> PathBuf {
        Path::new(ROOT)
            .join("benches/peers")
            .join(self.name())
            .join(file)
    }

    /// Starts it over the namespace and the cloud of `world`. What it says goes into a file beside the API server's.
    pub fn start(
        self,
        world: &World,
        controller: &Path,
        interval: Duration,
    ) -> Result<Running, Failure> {
        let log = world.cluster.dir().join(format!("{}.log", self.name()));
        let mut command = Command::new(format!("{ROOT}/tests/cluster/supervise.sh"));
        command
            .arg(log)
            .env("KUBECONFIG", world.cluster.kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        if self == Self::Controller {
            command.arg(controller).args([
                "run",
                "--listen=127.0.0.1:0",
                "--leader-elect=false",
                &format!("--watch-namespaces={NAMESPACE}"),
                &format!("--allowed-endpoints={}", world.endpoint()),
            ]);
        } else {
            command
                .arg(self.peer("run.sh"))
                .env("PATH", path_with(&world.cluster)?)
                .env("NAMESPACE", NAMESPACE)
                .env("SOURCE", SOURCE)
                .env("ENDPOINT", world.endpoint())
                .env("PROJECT_ID", DEFAULT_PROJECT_ID)
                .env("TOKEN", TOKEN)
                .env("INTERVAL", interval.as_secs().to_string());
        }
        Ok(Running(command.spawn()?))
    }

    /// Whether it sees an edit at once; the others see it in their next pass.
    pub fn watches(self) -> bool {
        self != Self::Shell
    }
}

/// The PATH with the cluster's kubectl first.
fn path_with(cluster: &Cluster) -> Result<String, Failure> {
    let path = std::env::var("PATH").map_err(|e| format!("PATH: {e}"))?;
    Ok(format!("{}:{path}", cluster.bin_dir().display()))
}

/// A contender, running. It is ended when this is dropped, and when this process ends, however that ends.
pub struct Running(Child);

impl Running {
    /// The process whose descendants it is.
    pub fn root(&self) -> u32 {
        self.0.id()
    }

    /// Fails where it has ended by itself.
    pub fn check(&mut self) -> Result<(), Failure> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("it has ended by itself: {status}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // supervise.sh kills it then.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
