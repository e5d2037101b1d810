//! Go, for what its people read of us.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::Mutex;

use super::markdown::root;

/// For tests that read files beside their module: Go does not see that those have changed.
pub const UNCACHED: &str = "-count=1";

/// Go in a module of the repository; what it prints. One at a time: each uses all cores.
pub async fn go(module: &str, arguments: &[&str]) -> String {
    program("go".into(), module, arguments, &[]).await
}

/// Runs a program as [`go`] does, with variables beside.
pub async fn program(
    program: PathBuf,
    module: &str,
    arguments: &[&str],
    variables: &[(&str, &Path)],
) -> String {
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    // What compiles for minutes shall not take the time of tests that wait for an API server.
    let mut command = Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(program)
        .args(arguments)
        .current_dir(root().join(module))
        // As tests/cluster/build.sh: no other toolchain than the one that is there, nothing of the caller's,
        // no C compiler.
        .envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=readonly")])
        .envs([("GOWORK", "off"), ("CGO_ENABLED", "0")])
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output
        .await
        .expect("no panic")
        .expect("a program that starts");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    // go test tells of failures on its standard output.
    assert!(
        output.status.success(),
        "{module}: {arguments:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
