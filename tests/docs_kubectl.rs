//! docs/kubectl.md is true: each recipe prints what the page shows, on a mirror of `examples/recipes.yaml`.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use modelarts_pool_controller::simulator::Scenario;
use serde_json::{Value, json};
use tokio::task::{block_in_place, spawn_blocking};

use super::support::env::{Env, PATIENCE, says};
use super::support::markdown::{blocks, read, root};
use super::support::shell::Shell;

const PAGE: &str = "docs/kubectl.md";
/// The pool that is changed while a recipe watches.
const WATCHED: &str = "pool-train-1";
/// The pool that is deleted while a recipe waits for that.
const DELETED: &str = "pool-temp-1";

/// A command that runs until this is dropped, also where the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command of the page, and what it prints there.
struct Recipe<'a> {
    command: &'a str,
    printed: &'a str,
}

fn recipes(text: &str) -> Vec<Recipe<'_>> {
    let after_each = text.split("```sh\n").skip(1);
    let recipe = |rest| {
        let (command, rest) = str::split_once(rest, "```").expect("the end of a command");
        let printed = rest.trim_start().strip_prefix("```text\n");
        let printed = printed.unwrap_or_else(|| panic!("what does this print?\n{command}"));
        let (printed, _) = printed.split_once("```").expect("the end of an output");
        Recipe { command, printed }
    };
    after_each.map(recipe).collect()
}

/// What two outputs are compared by: no widths of columns, and no times, which are not those of the page.
fn lines(output: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| {
            if is_time(word) {
                "TIME"
            } else if is_age(word) {
                "AGE"
            } else {
                word
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    output.lines().map(line).collect()
}

/// Of today's times alone: those of pools are the same always.
fn is_time(word: &str) -> bool {
    word.parse::<jiff::Timestamp>().is_ok() && !word.ends_with("T08:00:00Z")
}

/// `4y70d`, `5m`, `3s`.
fn is_age(word: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit();
    let mut units = word.split(digits).filter(|unit| !unit.is_empty());
    word.starts_with(digits)
        && word.ends_with(|c: char| !digits(c))
        && units.all(|unit| ["s", "m", "h", "d", "y"].contains(&unit))
}

/// The world of the page, with two sources of it, the second of them stale.
async fn mirrored() -> Env {
    let scenario = Scenario::read(&root().join("examples/recipes.yaml")).expect("the world");
    let env = Env::with(scenario).await;
    // Long enough for the wait for the end of a pool to have begun before it.
    let prune = json!({"gracePeriod": "10s"});
    env.add_source("team-a", json!({"workspaceIds": ["0"], "prune": prune}))
        .await;
    env.add_source("team-b", json!({"workspaceIds": ["research"]}))
        .await;
    env
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recipe_prints_what_the_page_shows() {
    let env = mirrored().await;
    let controller = env.start_controller().await;
    env.synced("team-a").await;
    env.synced("team-b").await;
    env.mirrored("pool-lab-1").await;
    env.cloud().advance(Duration::from_mins(2));
    env.pool_when("pool-lab-1", "it is stale", |p| {
        says(p, "Ready", "Unknown", "Stale")
    })
    .await;
    let shell = Shell::new(env.cluster, &env.namespace);
    let text = read(PAGE);
    let all = recipes(&text);
    assert_eq!(all.len(), blocks(&text, "sh").len());
    let mut wrong = Vec::new();
    for Recipe { command, printed } in &all {
        let seen = if command.contains("--watch") {
            watched(&env, Running(shell.start(command)), lines(printed)).await
        } else if command.contains("--for=delete") {
            let waits = shell.start(command);
            env.cloud().delete_pool(DELETED).expect("a pool");
            let ended = spawn_blocking(move || waits.wait_with_output());
            env.pool_gone(DELETED).await;
            let ended = ended.await.expect("an end").expect("an output");
            String::from_utf8(ended.stdout).expect("UTF-8")
        } else {
            block_in_place(|| shell.run(command))
        };
        if lines(&seen) != lines(printed) {
            wrong.push(format!("{command}prints:\n{seen}and not:\n{printed}"));
        }
    }
    assert!(all.len() > 20, "the page has lost its recipes");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    controller.stop().await;
}

/// Lets the watched pool fall ill and recover; what the watch prints until it has printed what is expected.
async fn watched(env: &Env, mut watch: Running, expected: Vec<String>) -> String {
    let output = watch.0.stdout.take().expect("an output");
    let (say, said) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if say.send(line).is_err() {
                break;
            }
        }
    });
    let mut seen = String::new();
    // The first line: the watch has begun.
    block_in_place(|| read_until(&said, &mut seen, |seen| !seen.is_empty()));
    let before = env.cloud().pool(WATCHED).expect("a pool");
    let well: Value = serde_json::from_str(&before).expect("JSON");
    let mut ill = well.clone();
    // At once, so that no pass sees the half of it.
    let nodes = |zone| json!({"flavor": "modelarts.bm.npu.arm.8snt9b3.d", "count": 2, "azs": [{"az": zone, "count": 2}]});
    ill["status"]["phase"] = "Abnormal".into();
    ill["status"]["resources"]["available"][0] = nodes("cn-north-4a");
    ill["status"]["resources"]["abnormal"] = json!([nodes("cn-north-4b")]);
    for pool in [ill, well] {
        env.cloud().put_pool(&pool).expect("a pool");
        let phase = pool["status"]["phase"].as_str();
        env.pool_when(WATCHED, "it has the phase", |p| {
            p.status.as_ref().and_then(|s| s.phase.as_deref()) == phase
        })
        .await;
    }
    block_in_place(|| {
        read_until(&said, &mut seen, |seen| lines(seen).len() >= expected.len());
    });
    drop(watch);
    drop(said);
    reader.join().expect("a reader that ends");
    seen
}

/// Reads lines until `enough`, or until none comes for too long: what is missing is seen in the comparison.
fn read_until(
    said: &std::sync::mpsc::Receiver<String>,
    seen: &mut String,
    enough: impl Fn(&str) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !enough(seen) {
        let left = deadline.saturating_duration_since(Instant::now());
        match said.recv_timeout(left) {
            Ok(line) => {
                seen.push_str(&line);
                seen.push('\n');
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}
