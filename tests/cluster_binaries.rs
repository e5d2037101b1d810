//! Where the control plane's programs come from: built here, or those of `KUBEBUILDER_ASSETS`.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/build.sh");

/// build.sh with this environment alone.
fn build(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("/bin/sh");
    command
        .arg(BUILD)
        .env_clear()
        .envs(variables.iter().copied());
    command.output().expect("a shell")
}

/// A directory on a PATH that has these programs of the system, and no others.
fn path_with(programs: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for program in programs {
        let found = ["/usr/bin", "/bin"]
            .iter()
            .map(|d| format!("{d}/{program}"))
            .find(|path| std::path::Path::new(path).exists());
        symlink(found.expect(program), dir.path().join(program)).expect("a link");
    }
    dir
}

#[test]
fn without_go_it_says_what_to_install() {
    let path = path_with(&["dirname", "sed"]);
    let output = build(&[("PATH", &path.path().to_string_lossy())]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        message.contains("Go is missing: install Go 1."),
        "{message}"
    );
    assert!(message.contains("KUBEBUILDER_ASSETS"), "{message}");
}

#[test]
fn assets_that_are_given_are_used_or_said_to_be_incomplete() {
    let path = path_with(&["dirname", "sed"]);
    let path = path.path().to_string_lossy();
    let assets = tempfile::tempdir().expect("a directory");
    let dir = assets.path().canonicalize().expect("a path");
    let dir = dir.to_string_lossy();
    for program in ["kube-apiserver", "etcd", "kube-controller-manager"] {
        symlink("/bin/sh", assets.path().join(program)).expect("a link");
    }
    let output = build(&[("PATH", &path), ("KUBEBUILDER_ASSETS", &dir)]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("lacks: kubectl"), "{message}");

    for program in ["kubectl", "helm"] {
        symlink("/bin/sh", assets.path().join(program)).expect("a link");
    }
    let output = build(&[("PATH", &path), ("KUBEBUILDER_ASSETS", &dir)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), dir);
}
