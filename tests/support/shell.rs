//! The shell of a person who follows a document.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::cluster::{Cluster, run};

/// A person's shell in a directory of its own, whose kubectl works in the namespace of the test.
pub struct Shell {
    directory: tempfile::TempDir,
    path: String,
}

impl Shell {
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        Self::of(cluster, namespace, &cluster.kubeconfig())
    }

    /// That of the person of a kubeconfig.
    pub fn of(cluster: &Cluster, namespace: &str, kubeconfig: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let text = fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let mut kubeconfig: Value = serde_json::from_str(&text).expect("JSON");
        kubeconfig["contexts"][0]["context"]["namespace"] = namespace.into();
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("a file");
        };
        write("kubeconfig", &kubeconfig.to_string());
        // The two halves of a key, as the README has them in files.
        write("AK", "AN-ACCESS-KEY");
        write("SK", "a-secret-key");
        let path = std::env::var("PATH").expect("a path");
        let path = format!("{}:{path}", cluster.bin_dir().display());
        Self { directory, path }
    }

    /// Where it runs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a script as it stands; what it prints.
    pub fn run(&self, script: &str) -> String {
        let mut command = self.command(script);
        run(&mut command).unwrap_or_else(|e| panic!("{script}\n{e}"))
    }

    /// Starts one command, to be read while it runs. To end it is to end the command itself.
    pub fn start(&self, command: &str) -> Child {
        let mut command = self.command(&format!("exec {command}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().expect("a shell")
    }

    fn command(&self, script: &str) -> Command {
        let directory = self.directory.path();
        let mut command = Command::new("sh");
        command
            .args(["-euc", script])
            .current_dir(directory)
            .env("HOME", directory)
            .env("KUBECONFIG", directory.join("kubeconfig"))
            .env("PATH", &self.path);
        command
    }
}
