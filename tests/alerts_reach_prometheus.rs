//! A real Prometheus scrapes a running controller: an alert fires and ends, and there is a series of all that alerts
//! and dashboard ask for.

use modelarts_pool_controller::simulator::{Fault, Operation};
use serde_json::json;

use super::support::alerts::{ALERTS, all_metrics, panels, questions, text};
use super::support::env::Env;
use super::support::markdown::read;
use super::support::process::Process;
use super::support::prometheus::Prometheus;

/// The rules of the chart, but that no alert waits for minutes.
fn hasty_rules() -> String {
    let rules = read(ALERTS);
    let lines = rules.lines().map(|line| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 1s\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[tokio::test]
async fn an_alert_fires_and_ends_and_each_panel_shows_something() {
    let env = Env::new().await;
    env.add_source("team-a", json!({"interval": "5s"})).await;
    let mut process = Process::of(&env);
    env.synced("team-a").await;
    let address = process.address().await;
    let prometheus = Prometheus::start(env.cluster.dir(), &address, &hasty_rules()).await;
    let mut all = all_metrics();
    // A histogram is served in parts alone.
    let histogram = "modelarts_source_sync_duration_seconds";
    assert!(all.remove(histogram));
    all.insert(format!("{histogram}_sum"));
    for metric in all {
        prometheus.query_when(&metric, true).await;
    }
    prometheus
        .firing_when("ModelArtsSourceNotSyncing", false)
        .await;
    prometheus
        .firing_when("ModelArtsControllerDown", false)
        .await;

    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    let firing = prometheus
        .firing_when("ModelArtsSourceNotSyncing", true)
        .await;
    let [alert] = &firing[..] else {
        panic!("more than one: {firing:#?}");
    };
    assert_eq!(alert["labels"]["namespace"], *env.namespace);
    assert_eq!(alert["labels"]["source"], "team-a");
    let command = format!("modelartspoolsource team-a --namespace={}", env.namespace);
    let description = text(alert, "/annotations/description");
    assert!(description.contains(&command), "{description}");
    // Now also those that show nothing while all is well.
    for panel in panels() {
        for question in questions(&panel) {
            prometheus.query_when(&question, true).await;
        }
    }

    env.cloud().clear_faults();
    env.refresh("team-a").await;
    prometheus
        .firing_when("ModelArtsSourceNotSyncing", false)
        .await;
    drop(process);
    prometheus
        .firing_when("ModelArtsControllerDown", true)
        .await;
}
