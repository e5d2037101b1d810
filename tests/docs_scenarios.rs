//! docs/scenarios.md is true: each scenario is played by the simulated cloud's own clock, moved on from one time of its
//! table to the next, and what a watch saw of each object is the table, row by row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use modelarts_pool_controller::simulator::Scenario;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::support::curl::curl;
use super::support::env::{Env, PATIENCE};
use super::support::markdown::{blocks, code, read, root};
use super::support::process::tick;
use super::support::shell::Shell;

const PAGE: &str = "docs/scenarios.md";
/// A mirror or source that is not there.
const GONE: &str = "gone";

/// A row of a table: from when on the object says so.
struct Row {
    at: Duration,
    object: String,
    says: Vec<String>,
    event: Option<String>,
}

/// The tables of a scenario's section: for each kind of object its columns, and all rows in their order.
#[derive(Default)]
struct Section {
    columns: BTreeMap<String, Vec<String>>,
    rows: Vec<Row>,
}

impl Section {
    fn of(scenario: &str) -> Self {
        let text = read(PAGE);
        let link = format!("(../examples/scenarios/{scenario}.yaml)");
        let mut sections = text.split("\n## ");
        let section = sections.find(|s| s.contains(&link)).expect("a section");
        let mut all = Self::default();
        let mut columns = Vec::new();
        for line in section.lines().filter(|l| l.starts_with('|')) {
            let cells = line.trim_matches('|').split('|').map(str::trim);
            let cells: Vec<String> = cells.map(str::to_owned).collect();
            if cells[0] == "from" {
                columns = cells[2..cells.len() - 1].to_vec();
            } else if !cells[0].starts_with("---") {
                for object in code(&cells[1]) {
                    let kind = object.split('/').next().unwrap_or_default();
                    all.columns.insert(kind.to_owned(), columns.clone());
                    all.rows.push(Row {
                        at: time(&cells[0]),
                        object: object.to_owned(),
                        says: cells[2..cells.len() - 1].to_vec(),
                        event: code(&cells[cells.len() - 1]).next().map(str::to_owned),
                    });
                }
            }
        }
        assert!(all.rows.len() > 2, "{scenario}: a table without rows");
        all
    }

    /// What is expected of each object up to a time, repetitions once.
    fn until(&self, at: Duration) -> History {
        let mut all = History::new();
        for row in self.rows.iter().filter(|row| row.at <= at) {
            note(&mut all, &row.object, row.says.clone());
        }
        all
    }
}

fn time(cell: &str) -> Duration {
    let span: jiff::SignedDuration = cell.parse().expect("a time");
    Duration::try_from(span).expect("a time")
}

/// What each object said, one after the other.
type History = BTreeMap<String, Vec<Vec<String>>>;

fn note(history: &mut History, object: &str, says: Vec<String>) {
    let all = history.entry(object.to_owned()).or_default();
    // A row of an object that is gone says nothing else.
    let says = if says[0] == GONE {
        vec![GONE.to_owned()]
    } else {
        says
    };
    if all.last() != Some(&says) {
        all.push(says);
    }
}

/// What an object says in a column of the page.
fn cell(object: &Value, column: &str) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = &object["status"];
    match column {
        "phase" | "message" | "pools" => text(&status[column]),
        "desired" | "available" | "abnormal" | "creating" => text(&status["counts"][column]),
        "controlMode" => text(&object["spec"][column]),
        "available by zone" => {
            let mut zones = BTreeMap::<&str, u64>::new();
            let entries = status["resources"]["available"].as_array();
            let azs = entries.into_iter().flatten().map(|entry| &entry["azs"]);
            for az in azs.filter_map(Value::as_array).flatten() {
                let zone = az["az"].as_str().expect("a zone");
                *zones.entry(zone).or_default() += az["count"].as_u64().expect("a count");
            }
            let zones: Vec<String> = zones.iter().map(|(z, n)| format!("{z}: {n}")).collect();
            if zones.is_empty() {
                "-".to_owned()
            } else {
                zones.join(", ")
            }
        }
        condition => {
            let all = status["conditions"].as_array().into_iter().flatten();
            let mut all = all.filter(|c| c["type"] == condition);
            all.next().map_or_else(
                || "-".to_owned(),
                |c| format!("{} {}", text(&c["status"]), text(&c["reason"])),
            )
        }
    }
}

/// Watches all objects of a kind in the namespace, and notes what each says in the columns of the page.
fn watch<K>(
    api: kube::Api<K>,
    kind: &'static str,
    columns: Vec<String>,
    history: Arc<Mutex<History>>,
) -> JoinHandle<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + Serialize + Send + 'static,
    K: serde::de::DeserializeOwned,
{
    tokio::spawn(async move {
        let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let (object, gone) = match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    (object, false)
                }
                Ok(watcher::Event::Delete(object)) => (object, true),
                _ => continue,
            };
            let object = serde_json::to_value(object).expect("JSON");
            // Spec and status are two writes: between them, the status is that of the spec before.
            let whole = kind == "mapoolsource"
                || object["status"]["observedGeneration"] == object["metadata"]["generation"];
            if !gone && !whole {
                continue;
            }
            let name = object["metadata"]["name"].as_str().expect("a name");
            let says = if gone {
                vec![GONE.to_owned()]
            } else {
                columns.iter().map(|c| cell(&object, c)).collect()
            };
            let mut history = history.lock().expect("a history");
            note(&mut history, &format!("{kind}/{name}"), says);
        }
    })
}

/// Plays a scenario, and compares what was seen with its table.
async fn plays(scenario: &str) {
    let section = Section::of(scenario);
    let file = root().join(format!("examples/scenarios/{scenario}.yaml"));
    let env = Env::with(Scenario::read(&file).expect("a scenario")).await;
    env.add_source("simulated", json!({"prune": {"gracePeriod": "10s"}}))
        .await;
    let controller = env.start_controller().await;
    env.synced("simulated").await;
    for id in env.cloud().pool_ids() {
        env.mirrored(&id).await;
    }
    let history = Arc::new(Mutex::new(History::new()));
    let columns = |kind: &str| section.columns.get(kind).cloned();
    let pools = columns("mapool").expect("a table of pools");
    let mut watches = vec![watch(env.pools(), "mapool", pools, history.clone())];
    if let Some(columns) = columns("mapoolsource") {
        let sources = watch(env.sources(), "mapoolsource", columns, history.clone());
        watches.push(sources);
    }
    let mut times: Vec<Duration> = section.rows.iter().map(|row| row.at).collect();
    times.sort();
    times.dedup();
    let mut now = Duration::ZERO;
    for at in times {
        if at > now {
            env.cloud().advance(at.saturating_sub(now));
            now = at;
            env.refresh("simulated").await;
        }
        let expected = section.until(at);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = history.lock().expect("a history").clone();
            if seen == expected {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{scenario} at {at:?}: expected {expected:#?}, seen {seen:#?}"
            );
            tick().await;
        }
    }
    for row in &section.rows {
        if let Some(event) = &row.event {
            let (_, name) = row.object.split_once('/').expect("a name");
            env.event(name, event).await;
        }
    }
    controller.stop().await;
    for watch in watches {
        watch.abort();
    }
    // Nothing came after what was expected.
    let seen = history.lock().expect("a history").clone();
    assert_eq!(seen, section.until(Duration::MAX), "{scenario}");
}

#[tokio::test]
async fn capacity_lost() {
    plays("capacity-lost").await;
}

#[tokio::test]
async fn zone_lost() {
    plays("zone-lost").await;
}

#[tokio::test]
async fn pool_frozen() {
    plays("pool-frozen").await;
}

#[tokio::test]
async fn cloud_outage() {
    plays("cloud-outage").await;
}

#[tokio::test]
async fn mass_disappearance() {
    plays("mass-disappearance").await;
}

#[tokio::test]
async fn pool_returns() {
    plays("pool-returns").await;
}

/// Each file has a section and a test; each time of its timeline is in its header and in its table.
#[test]
fn nothing_is_left_out() {
    let tests = read("tests/docs_scenarios.rs");
    let files = std::fs::read_dir(root().join("examples/scenarios")).expect("a directory");
    let mut looked_at = 0;
    for file in files {
        let path = file.expect("an entry").path();
        let name = path.file_stem().and_then(|n| n.to_str()).expect("a name");
        assert!(tests.contains(&format!("plays(\"{name}\")")), "{name}");
        let section = Section::of(name);
        let scenario = Scenario::read(&path).expect("a scenario");
        for event in &scenario.timeline {
            let shown = section.rows.iter().any(|row| row.at == event.at);
            assert!(shown, "{name}: no row from {:?}", event.at);
            let text = std::fs::read_to_string(&path).expect("a text");
            let minutes = format!(" {}m  ", event.at.as_secs() / 60);
            assert!(text.contains(&minutes), "{name}: its header lacks{minutes}");
        }
        looked_at += 1;
    }
    assert_eq!(looked_at, 6);
}

/// What a consumer's CI does, on a cluster where the controller runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_works() {
    let text = read(PAGE);
    let commands: Vec<&str> = blocks(&text, "sh")
        .into_iter()
        .flat_map(str::lines)
        .collect();
    let played = commands.iter().find_map(|c| c.split_once("--scenario "));
    let (_, file) = played.expect("a scenario that is played");
    let file = file.split_whitespace().next().expect("a file");
    let scenario = Scenario::read(&root().join(file)).expect("a scenario");
    let env = Env::with(scenario).await;
    env.add_source("simulated", json!({})).await;
    let controller = env.start_controller().await;
    let shell = Shell::new(env.cluster, &env.namespace);
    let mut ran = 0;
    for command in commands {
        if command.starts_with("kubectl") {
            tokio::task::block_in_place(|| shell.run(command));
            ran += 1;
        } else if command.starts_with("curl") {
            let (status, body) = curl(command, "http://127.0.0.1:8088", &env.endpoint()).await;
            assert!(status.is_success(), "{command}: {status} {body}");
            ran += 1;
        } else {
            let simulate = "modelarts-pool-controller simulate --scenario ";
            assert!(command.starts_with(simulate), "nobody runs {command}");
        }
    }
    assert!(ran > 4, "only {ran} commands");
    controller.stop().await;
}
