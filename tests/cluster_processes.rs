//! Nothing that a test starts outlives it, even where the test is killed.

// What helps the tests fails like them.
#![allow(clippy::expect_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::cluster::Cluster;

const CHILD: &str = "CLUSTER_OF_A_CHILD";

/// Not a test of its own: what the one below starts in another process and kills.
#[test]
fn child_that_starts_a_cluster() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let cluster = Cluster::start().expect("a cluster");
    println!("\ndirectory={}", cluster.dir().display());
    // Ends with the parent: a parent that fails before it kills must leave nothing either.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_killed_test_leaves_nothing() {
    let mut child = child();
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let directory = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("directory=").map(str::to_owned))
        .expect("the child to start its cluster");
    // A shell that was just started still bears its own name.
    eventually("all components run", || components_in(&directory) == 3);

    child.kill().expect("SIGKILL");
    child.wait().expect("the child to end");
    eventually("all processes are gone", || processes_in(&directory) == 0);
    eventually("the directory is gone", || !Path::new(&directory).exists());
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// This test binary again, as a process that starts a cluster.
fn child() -> Child {
    let name = format!(
        "{}::child_that_starts_a_cluster",
        module_path!().split_once("::").expect("a crate").1
    );
    Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child")
}

/// How many processes have `directory` among their arguments: components, and what watches over them.
fn processes_in(directory: &str) -> usize {
    count_processes(|command| command.contains(directory))
}

fn components_in(directory: &str) -> usize {
    count_processes(|command| {
        command.contains(directory)
            && !command.contains("supervise.sh")
            && !command.contains("remove.sh")
    })
}

fn count_processes(mut counts: impl FnMut(&str) -> bool) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let commands = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands
        .filter(|command| counts(&String::from_utf8_lossy(command)))
        .count()
}
