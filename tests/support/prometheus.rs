//! Prometheus: promtool, which checks rules and runs their tests, and a server that scrapes a controller.

use std::fmt::Write as _;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::cluster::run;
use super::env::PATIENCE;
use super::markdown::root;
use super::process::{eventually, tick};

/// A program of Prometheus, got where it is not there yet.
fn program(name: &str) -> Command {
    // The failure is kept too: the other tests need not try once more.
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let printed = run(&mut Command::new(root().join("tests/prometheus/get.sh")))?;
        Ok(PathBuf::from(printed.trim()))
    });
    let directory = directory.as_ref().unwrap_or_else(|e| panic!("{e}"));
    Command::new(directory.join(name))
}

/// `promtool VERB rules FILES`; what it prints, or why not.
pub fn promtool(verb: &str, files: &[PathBuf]) -> Result<String, String> {
    run(program("promtool").args([verb, "rules"]).args(files))
}

/// `promtool check metrics` of the text that is served to whoever does not ask for `OpenMetrics`.
pub fn check_metrics(text: &str) -> Result<String, String> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("a whole file");
    file.rewind().expect("a file");
    run(program("promtool").args(["check", "metrics"]).stdin(file))
}

/// A server. It ends when this is dropped, and when the test process ends, however that ends.
pub struct Prometheus {
    shell: Child,
    origin: String,
}

impl Prometheus {
    /// Starts one that scrapes `target` and evaluates `rules`, each second. Its files go into `home`: that of a
    /// cluster is removed whatever happens.
    pub async fn start(home: &Path, target: &str, rules: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = home.join(format!("prometheus-{count}"));
        fs::create_dir(&dir).expect("a directory");
        // As a ServiceMonitor of the chart has it.
        let scrape = json!({
            "job_name": "of-a-test", "honor_labels": true, "static_configs": [{"targets": [target]}],
        });
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"], "scrape_configs": [scrape],
        });
        // JSON is YAML.
        fs::write(dir.join("config.yaml"), config.to_string()).expect("a file");
        fs::write(dir.join("rules.yaml"), rules).expect("a file");
        let log = dir.join("log");
        let mut command = Command::new(root().join("tests/cluster/supervise.sh"));
        command
            .arg(&log)
            .arg(program("prometheus").get_program())
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!("--config.file={}/config.yaml", dir.display()))
            .arg(format!("--storage.tsdb.path={}/data", dir.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let shell = command.spawn().expect("a shell");
        let said = || fs::read_to_string(&log).unwrap_or_default();
        eventually("Prometheus is ready", || {
            said().contains("Server is ready to receive web requests")
        })
        .await;
        let said = said();
        let listening = said.lines().find(|line| line.contains("\"Listening on\""));
        let address = listening.and_then(|line| line.split_once("address="));
        let (_, address) = address.unwrap_or_else(|| panic!("no address in: {said}"));
        let origin = format!("http://{}", address.trim());
        Self { shell, origin }
    }

    /// `data` of an answer of its API.
    async fn data(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.origin);
        let client = reqwest::Client::builder().no_proxy().build();
        let answer = client.expect("a client").get(&url).send().await;
        let text = answer.expect("an answer").text().await.expect("a text");
        let mut answer: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(answer["status"], "success", "{url}: {text}");
        answer["data"].take()
    }

    /// The series that an expression has now.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let mut data = self
            .data(&format!("query?query={}", encoded(expression)))
            .await;
        match data["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expression}: {other}"),
        }
    }

    /// Waits until an expression has series, or has none.
    pub async fn query_when(&self, expression: &str, some: bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let series = self.query(expression).await;
            if series.is_empty() != some {
                return series;
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {expression} has series: {some}; {series:?}"
            );
            tick().await;
        }
    }

    /// The firing alerts of this name, as soon as there are `some`, or none.
    pub async fn firing_when(&self, alert: &str, some: bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let data = self.data("alerts").await;
            let mut alerts = data["alerts"].as_array().expect("a list").clone();
            alerts.retain(|a| a["labels"]["alertname"] == alert && a["state"] == "firing");
            if alerts.is_empty() != some {
                return alerts;
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {alert} fires: {some}; {data:#}"
            );
            tick().await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // supervise.sh kills it then.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// As a part of a query of a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let _ = write!(encoded, "%{byte:02X}");
    }
    encoded
}
