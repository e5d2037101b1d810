//! What Prometheus reads: the metrics of the passes, with the names that alerts rely on.

use kube::api::DeleteParams;
use modelarts_pool_controller::simulator::{Fault, Operation, Scenario};
use serde_json::json;

use super::support::env::{Env, source_condition};
use super::support::metrics::{Sample, value};
use super::support::process::Process;
use super::support::prometheus::check_metrics;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// What is documented, and no other label that could grow with the cloud.
const METRICS: [(&str, &[&str]); 17] = [
    (
        "modelarts_source_last_success_timestamp_seconds",
        &["namespace", "source"],
    ),
    (
        "modelarts_source_last_attempt_timestamp_seconds",
        &["namespace", "source"],
    ),
    (
        "modelarts_source_fresh_until_timestamp_seconds",
        &["namespace", "source"],
    ),
    (
        "modelarts_source_consecutive_failures",
        &["namespace", "source"],
    ),
    ("modelarts_source_suspended", &["namespace", "source"]),
    (
        "modelarts_source_syncs_total",
        &["namespace", "result", "source"],
    ),
    (
        "modelarts_source_sync_duration_seconds",
        &["namespace", "source", "step"],
    ),
    ("modelarts_source_prune_halted", &["namespace", "source"]),
    (
        "modelarts_source_skipped_pools",
        &["namespace", "reason", "source"],
    ),
    ("modelarts_pools", &["namespace", "phase", "source"]),
    (
        "modelarts_pool_nodes",
        &["flavor", "namespace", "source", "state"],
    ),
    ("modelarts_mirror_writes_total", &["operation"]),
    ("modelarts_cloud_requests_total", &["code", "operation"]),
    ("modelarts_cloud_request_duration_seconds", &["operation"]),
    ("modelarts_leader", &[]),
    ("modelarts_runtime_tasks", &[]),
    ("modelarts_build_info", &["version"]),
];

fn assert_names_and_labels(samples: &[Sample]) {
    for (name, labels) in METRICS {
        assert!(samples.iter().any(|s| family(s) == name), "no {name}");
        for sample in samples.iter().filter(|s| family(s) == name) {
            let mut found: Vec<_> = sample.labels.keys().map(String::as_str).collect();
            found.retain(|label| *label != "le");
            assert_eq!(found, labels, "{sample:?}");
        }
    }
    for sample in samples {
        let known = METRICS.iter().any(|(name, _)| family(sample) == *name);
        assert!(known, "{sample:?} is not in design.md");
    }
}

/// The name without what a histogram adds.
fn family(sample: &Sample) -> &str {
    let name = &*sample.name;
    let histogram = ["_bucket", "_sum", "_count"].into_iter();
    let mut bare = histogram.filter_map(|suffix| name.strip_suffix(suffix));
    bare.find(|bare| bare.ends_with("_seconds")).unwrap_or(name)
}

/// Four pools in three phases, one of them unknown; and a source whose passes the test alone makes.
async fn four_pools() -> Env {
    let mut scenario = Scenario::documented_sample().expect("the documented sample");
    for (id, phase) in [
        ("pool-b", "Abnormal"),
        ("pool-c", "Running"),
        ("pool-d", "SomethingNew"),
    ] {
        let mut pool = scenario.pools[0].clone();
        pool.pool["metadata"]["name"] = json!(id);
        pool.pool["metadata"]["labels"]["os.modelarts/name"] = json!("a-telling-name");
        pool.pool["status"]["phase"] = json!(phase);
        pool.pool["status"]["message"] = json!("a telling message");
        scenario.pools.push(pool);
    }
    let env = Env::with(scenario).await;
    env.add_source("team-a", json!({"interval": "24h"})).await;
    env
}

/// A metric of the source, with one more label.
fn of_source(samples: &[Sample], name: &str, label: &[(&str, &str)]) -> Option<f64> {
    let labels = [&[("source", "team-a")], label].concat();
    value(samples, &format!("modelarts_{name}"), &labels)
}

fn syncs(samples: &[Sample], result: &str) -> Option<f64> {
    of_source(samples, "source_syncs_total", &[("result", result)])
}

fn pools(samples: &[Sample], phase: &str) -> Option<f64> {
    of_source(samples, "pools", &[("phase", phase)])
}

/// The writes that were counted: create, update, status.
fn writes(samples: &[Sample]) -> [Option<f64>; 3] {
    ["create", "update", "status"].map(|operation| {
        let label = [("operation", operation)];
        value(samples, "modelarts_mirror_writes_total", &label)
    })
}

#[tokio::test]
async fn the_first_pass_is_counted_under_the_known_names() {
    let env = four_pools().await;
    let mut process = Process::of(&env);
    let source = env.synced("team-a").await;
    let samples = process
        .metrics_when("a pass", |s| syncs(s, "success") == Some(1.0))
        .await;
    assert_names_and_labels(&samples);
    for sample in samples.iter().filter(|s| s.labels.contains_key("source")) {
        assert_eq!(sample.labels["namespace"], env.namespace, "{sample:?}");
    }
    let status = source.status.expect("a status");
    for (name, time) in [
        ("last_success", &status.last_sync_time),
        ("last_attempt", &status.last_attempt_time),
        ("fresh_until", &status.fresh_until),
    ] {
        let said = of_source(&samples, &format!("source_{name}_timestamp_seconds"), &[]);
        #[allow(
            clippy::cast_precision_loss,
            reason = "seconds of an epoch fit a float"
        )]
        let expected = time.as_ref().map(|t| t.0.as_second() as f64);
        assert_eq!(said, expected, "{name}");
    }
    let failures = of_source(&samples, "source_consecutive_failures", &[]);
    assert_eq!(failures, Some(0.0));
    assert_eq!(of_source(&samples, "source_suspended", &[]), Some(0.0));
    for (phase, count) in [
        ("Running", Some(2.0)),
        ("Abnormal", Some(1.0)),
        ("other", Some(1.0)),
        ("Creating", None),
    ] {
        assert_eq!(pools(&samples, phase), count, "{phase}");
    }
    assert_eq!(writes(&samples), [Some(4.0), None, Some(4.0)]);
    for step in ["list", "total"] {
        let name = "source_sync_duration_seconds_count";
        let count = of_source(&samples, name, &[("step", step)]);
        assert_eq!(count, Some(1.0), "{step}");
    }
    // The cloud has counted as many requests as the program.
    let asked = env.cloud().requests();
    let labels = [("operation", "ListPools"), ("code", "200")];
    let said = value(&samples, "modelarts_cloud_requests_total", &labels);
    #[allow(clippy::cast_precision_loss, reason = "a handful")]
    let counted = asked.gets(Operation::ListPools) as f64;
    assert_eq!(said, Some(counted));
    let (_, text) = process.get("/metrics").await;
    check_metrics(&text).expect("names, types and help as Prometheus wants them");
    let unnamed = text.replace("modelarts_source_syncs_total", "modelarts_source_syncs");
    check_metrics(&unnamed).expect_err("a counter without its suffix");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(value(&samples, "modelarts_build_info", &version), Some(1.0));
}

/// Nodes are told by flavor, as many as the status of the source sums up.
#[tokio::test]
async fn nodes_are_told_by_flavor() {
    let env = four_pools().await;
    let mut process = Process::of(&env);
    let source = env.synced("team-a").await;
    let samples = process
        .metrics_when("a pass", |s| syncs(s, "success") == Some(1.0))
        .await;
    let counts = source.status.and_then(|s| s.counts).expect("counts");
    let counts = json!(counts);
    let nodes = |samples: &[Sample], state: &str| {
        let nodes = samples.iter().filter(|s| s.name == "modelarts_pool_nodes");
        let nodes = nodes.filter(|s| s.labels["state"] == state);
        nodes.map(|s| s.value).reduce(|a, b| a + b)
    };
    let states = [
        "desired",
        "available",
        "creating",
        "abnormal",
        "deleting",
        "creationFailed",
    ];
    for state in states {
        assert_eq!(nodes(&samples, state), counts[state].as_f64(), "{state}");
    }
    assert!(nodes(&samples, "available") > Some(0.0));
    // What the cloud says no more is not 0.
    for id in env.cloud().pool_ids() {
        let silent = json!({"status": {"resources": null}});
        env.cloud().patch_pool(&id, silent).expect("a pool");
    }
    env.refresh("team-a").await;
    let samples = process
        .metrics_when("another pass", |s| syncs(s, "success") == Some(2.0))
        .await;
    assert_eq!(nodes(&samples, "available"), None);
    assert_eq!(nodes(&samples, "desired"), counts["desired"].as_f64());
}

/// A pool that can't be mirrored is counted by the reason.
#[tokio::test]
async fn skipped_pools_are_counted() {
    let mut scenario = Scenario::documented_sample().expect("the documented sample");
    let mut pool = scenario.pools[0].clone();
    pool.pool["metadata"]["name"] = json!("No_Name");
    scenario.pools.push(pool);
    let env = Env::with(scenario).await;
    env.add_source("team-a", json!({"interval": "24h"})).await;
    let mut process = Process::of(&env);
    env.synced("team-a").await;
    let samples = process
        .metrics_when("a pass", |s| syncs(s, "success") == Some(1.0))
        .await;
    for (reason, count) in [("InvalidName", 1.0), ("TooLarge", 0.0), ("Refused", 0.0)] {
        let skipped = of_source(&samples, "source_skipped_pools", &[("reason", reason)]);
        assert_eq!(skipped, Some(count), "{reason}");
    }
}

/// One pool changes its status, one its spec: that many writes, and no more.
#[tokio::test]
async fn each_write_is_counted() {
    let env = four_pools().await;
    let mut process = Process::of(&env);
    env.synced("team-a").await;
    env.cloud()
        .patch_pool("pool-b", json!({"status": {"phase": "Running"}}))
        .expect("a pool");
    env.cloud()
        .patch_pool("pool-c", json!({"spec": {"scope": ["Infer"]}}))
        .expect("a pool");
    env.refresh("team-a").await;
    let samples = process
        .metrics_when("two passes", |s| syncs(s, "success") == Some(2.0))
        .await;
    // The status of the one whose spec has changed tells the new generation.
    assert_eq!(writes(&samples), [Some(4.0), Some(1.0), Some(6.0)]);
    assert_eq!(pools(&samples, "Running"), Some(3.0));
    assert_eq!(pools(&samples, "Abnormal"), None);
}

#[tokio::test]
async fn a_failure_is_counted_and_moves_no_success() {
    let env = four_pools().await;
    let mut process = Process::of(&env);
    env.synced("team-a").await;
    let success = "source_last_success_timestamp_seconds";
    let samples = process
        .metrics_when("a pass", |s| syncs(s, "success") == Some(1.0))
        .await;
    let (before, written) = (of_source(&samples, success, &[]), writes(&samples));
    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    let asked = json!({"modelarts.huaweicloud.com/refresh-requested-at": "now"});
    env.patch_source("team-a", &json!({"metadata": {"annotations": asked}}))
        .await;
    let failed = env
        .source_when("team-a", "a pass has failed", |s| {
            source_condition(s, "Ready").is_some_and(|c| c.status == "False")
        })
        .await;
    let reason = &source_condition(&failed, "Ready")
        .expect("a condition")
        .reason;
    let samples = process
        .metrics_when("a failure", |s| syncs(s, reason) >= Some(1.0))
        .await;
    assert!(of_source(&samples, "source_consecutive_failures", &[]) >= Some(1.0));
    assert_eq!(of_source(&samples, success, &[]), before);
    assert_eq!(writes(&samples), written);
    let unavailable = [("operation", "ListPools"), ("code", "503")];
    assert!(value(&samples, "modelarts_cloud_requests_total", &unavailable) >= Some(1.0));
}

/// Its gauges would be read as the state of something; and no series is as many as the pools are.
#[tokio::test]
async fn all_series_go_with_their_source_and_none_names_a_pool() {
    let env = four_pools().await;
    let mut process = Process::of(&env);
    env.synced("team-a").await;
    let samples = process
        .metrics_when("a pass", |s| syncs(s, "success") == Some(1.0))
        .await;
    assert!(pools(&samples, "Running").is_some());
    let (_, text) = process.get("/metrics").await;
    for word in [SAMPLE, "pool-b", "telling", "SomethingNew"] {
        assert!(!text.contains(word), "{word} in: {text}");
    }
    env.sources()
        .delete("team-a", &DeleteParams::default())
        .await
        .expect("a deletion");
    let samples = process
        .metrics_when("no gauges", |s| pools(s, "Running").is_none())
        .await;
    let left = samples.iter().find(|s| s.labels.contains_key("source"));
    assert_eq!(left, None, "it outlives its source");
}

/// A source is suspended as soon as its spec says so; no pass is made that could tell.
#[tokio::test]
async fn the_metric_of_a_suspended_source_is_one() {
    let env = Env::new().await;
    env.add_source("team-a", json!({"suspend": true})).await;
    let mut process = Process::of(&env);
    env.source_when("team-a", "it is suspended", |s| {
        source_condition(s, "Ready").is_some_and(|c| c.reason == "Suspended")
    })
    .await;
    process
        .metrics_when("suspended", |s| {
            value(s, "modelarts_source_suspended", &[("source", "team-a")]) == Some(1.0)
        })
        .await;
}
