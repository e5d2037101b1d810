//! `make demo`: a real Kubernetes API server, the simulated cloud and the controller, until Ctrl-C.
//!
//! Simulator and controller are the real program, in processes of their own: what is shown is what a
//! person gets who starts them. Everything ends with this process, however that ends.

mod program;
mod table;

#[path = "../../tests/support/cluster.rs"]
mod cluster;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use cluster::{Cluster, run};
use program::Program;
use table::Screen;

/// How long after a change it may be shown. Changes of one pass are shown together.
const TICK: Duration = Duration::from_millis(200);
/// How long the simulator may take to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The last line that the simulator prints when it is ready.
const SIMULATOR_IS_READY: &str = "Ctrl-C ends it.";
/// What to try, with placeholders. A test runs each of its commands.
const LOOK_FURTHER: &str = include_str!("look-further.txt");

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), String> {
    let seconds = seconds_to_run(std::env::var("DEMO_SECONDS").ok().as_deref())?;
    let binary = built_binary()?;

    say("1/4 starting a real Kubernetes API server; the first time it is built from source, once");
    let cluster = Cluster::start()?;
    // Before, Ctrl-C ends this process at once and all that it started with it.
    let stop = on_signal()?;

    say("2/4 starting the simulated ModelArts");
    let mut simulate = program::command(&binary);
    simulate.args(["simulate", "--listen", "127.0.0.1:0"]);
    let simulator = Program::start(
        "the simulated cloud",
        &cluster.dir().join("simulator.log"),
        &simulate,
    )?;
    let introduction = simulator.wait_for(SIMULATOR_IS_READY, START_TIMEOUT)?;
    let (endpoint, manifest) = to_apply(&introduction)?;

    say("3/4 starting the controller");
    let log = cluster.dir().join("controller.log");
    let mut run_controller = program::command(&binary);
    run_controller
        .args(["run", "--listen", "127.0.0.1:0"])
        .args(["--allowed-endpoints", &endpoint])
        .env("KUBECONFIG", cluster.kubeconfig());
    let controller = Program::start("the controller", &log, &run_controller)?;

    say("4/4 applying a Secret and a ModelArtsPoolSource, as the simulated cloud says");
    let file = cluster.dir().join("source.yaml");
    std::fs::write(&file, manifest)
        .map_err(|e| format!("failed to write {}: {e}", file.display()))?;
    run(cluster.kubectl().args(["apply", "--filename"]).arg(&file))?;
    introduce(&cluster, &endpoint, &log, seconds);

    let interrupted = show(&cluster, &[&simulator, &controller], seconds, &stop)?;
    match seconds {
        Some(seconds) if interrupted => {
            return Err(format!("stopped before its {seconds} s were over"));
        }
        Some(seconds) => say(&format!(
            "{} pools were mirrored in {seconds} s",
            mirrored(&cluster, seconds)?
        )),
        None => {}
    }
    // Writers first, so that nothing writes into the cluster's directory while it is removed.
    drop((controller, simulator, cluster));
    say("ended; nothing is left behind");
    Ok(())
}

/// How long to run, of the environment variable `DEMO_SECONDS`; until Ctrl-C where it is not set.
fn seconds_to_run(variable: Option<&str>) -> Result<Option<u32>, String> {
    match variable.map(str::parse) {
        None => Ok(None),
        Some(Ok(seconds)) if seconds > 0 => Ok(Some(seconds)),
        Some(_) => Err(format!(
            "DEMO_SECONDS is {:?}; set it to a number of seconds above 0, or leave it out to run until Ctrl-C",
            variable.unwrap_or_default()
        )),
    }
}

/// The program, built beside this example: `target/debug/examples/demo`.
fn built_binary() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|e| format!("failed to find this program: {e}"))?;
    let directory = here.parent().and_then(Path::parent);
    let binary = directory.map(|d| d.join("modelarts-pool-controller"));
    binary.filter(|b| b.exists()).ok_or_else(|| {
        format!(
            "the controller is not built beside {}: use make demo",
            here.display()
        )
    })
}

/// The endpoint and the manifest in what the simulator prints: that it can be pasted as it is, is
/// part of the demo.
fn to_apply(introduction: &str) -> Result<(String, String), String> {
    let endpoint = introduction
        .lines()
        .find_map(|line| line.trim().strip_prefix("endpoint "))
        .map(|endpoint| endpoint.trim().to_owned());
    let manifest: Vec<&str> = introduction
        .lines()
        .skip_while(|line| !line.ends_with("<<EOF"))
        .skip(1)
        .take_while(|line| line.trim() != "EOF")
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect();
    match endpoint {
        Some(endpoint) if !manifest.is_empty() => Ok((endpoint, manifest.join("\n"))),
        _ => Err(format!(
            "the simulated cloud says neither where it is nor what to apply:\n{introduction}"
        )),
    }
}

fn introduce(cluster: &Cluster, endpoint: &str, log: &Path, seconds: Option<u32>) {
    let text = LOOK_FURTHER
        .replace("{kubeconfig}", &cluster.kubeconfig().display().to_string())
        .replace("{bin}", &cluster.bin_dir().display().to_string())
        .replace("{endpoint}", endpoint)
        .replace("{log}", &log.display().to_string());
    let end = seconds.map_or("Ctrl-C ends the demo".to_owned(), |seconds| {
        format!("The demo ends by itself after {seconds} s")
    });
    // Beside the table: what is asked for on standard output is the table alone.
    let _ = write!(std::io::stderr(), "\n{text}\n{end}.\n\n");
}

/// Shows the table at each change, until the time is over or a signal comes; whether one came.
fn show(
    cluster: &Cluster,
    programs: &[&Program],
    seconds: Option<u32>,
    stop: &Receiver<()>,
) -> Result<bool, String> {
    let start = Instant::now();
    let end = seconds.map(|seconds| start + Duration::from_secs(seconds.into()));
    let log = cluster.dir().join("watch.log");
    let mut watch_pools = cluster.kubectl();
    watch_pools.args(["get", "modelartspools", "--watch", "--output=name"]);
    let watch = || Program::start("kubectl get --watch", &log, &watch_pools);
    let mut watcher = watch()?;
    let mut seen = 0;
    let mut screen = Screen::new(std::io::stdout().is_terminal());
    loop {
        // A quiet pass writes nothing: what the watch prints is a change.
        let length = watcher.output_length();
        if length != seen {
            seen = length;
            screen.show(&pools(cluster)?, start.elapsed())?;
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let interrupted = match stop.recv_timeout(left.map_or(TICK, |left| left.min(TICK))) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
        };
        if interrupted || left == Some(Duration::ZERO) {
            screen.finish(&pools(cluster)?, start.elapsed())?;
            return Ok(interrupted);
        }
        for program in programs {
            program.check()?;
        }
        // The API server ends each watch after a while.
        if watcher.has_ended() {
            watcher = watch()?;
        }
    }
}

/// The table, as a person sees it.
fn pools(cluster: &Cluster) -> Result<String, String> {
    run(cluster.kubectl().args(["get", "modelartspools"]))
}

/// How many pools are mirrored; why not, where there are none.
fn mirrored(cluster: &Cluster, seconds: u32) -> Result<usize, String> {
    let get = |kind: &str| -> Result<Vec<Value>, String> {
        let text = run(cluster.kubectl().args(["get", kind, "--output=json"]))?;
        let list: Value = serde_json::from_str(&text)
            .map_err(|e| format!("failed to read what kubectl says of {kind}: {e}"))?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    let whole = |mirror: &&Value| condition(mirror, "Synced")["status"] == "True";
    let mirrored = get("modelartspools")?.iter().filter(whole).count();
    if mirrored > 0 {
        return Ok(mirrored);
    }
    let sources = get("modelartspoolsources")?;
    let ready = sources
        .first()
        .map_or(&Value::Null, |s| condition(s, "Ready"));
    Err(format!(
        "no pool was mirrored within {seconds} s; the source says: {} {}",
        ready["reason"].as_str().unwrap_or("nothing yet"),
        ready["message"].as_str().unwrap_or_default()
    ))
}

fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|c| c["type"] == type_)
        .unwrap_or(&Value::Null)
}

/// Says when Ctrl-C or SIGTERM has come.
fn on_signal() -> Result<Receiver<()>, String> {
    let failed = |e| format!("failed to wait for signals: {e}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    drop(entered);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Nobody listens any more where the demo has ended by itself.
        let _ = sender.send(());
    });
    Ok(receiver)
}

fn say(text: &str) {
    // A reader that has gone away is no reason to stop.
    let _ = writeln!(std::io::stderr(), "demo: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_run_is_a_positive_number_or_left_out() {
        assert_eq!(seconds_to_run(None), Ok(None));
        assert_eq!(seconds_to_run(Some("30")), Ok(Some(30)));
        for bad in ["", "0", "-1", "soon", "1.5", "99999999999"] {
            let error = seconds_to_run(Some(bad)).expect_err(bad);
            assert!(error.contains("DEMO_SECONDS"), "{error}");
        }
    }

    #[test]
    fn what_does_not_look_like_an_introduction_is_shown() {
        let error = to_apply("panic at the disco").expect_err("no introduction");
        assert!(error.contains("panic at the disco"), "{error}");
    }
}
