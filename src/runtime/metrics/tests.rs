use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::json;

use super::labels::{PhaseLabels, SourceLabels};
use super::*;
use crate::controller::{Changes, Input, Limits, Now, PassFailure, PassResult, Report, Source};
use crate::modelarts::Reason;

fn pass(source: &Key, started: Timestamp, result: PassResult) -> Notice {
    let interval = Duration::from_secs(30);
    Notice::PassEnded {
        source: source.clone(),
        report: Box::new(Report {
            result,
            started,
            generation: 1,
            refresh: None,
            interval,
            not_before: None,
            rejected: None,
        }),
        listing: Some(interval),
        whole: interval,
        failures: 0,
        request_id: String::new(),
        changes: Changes::default(),
        failed_before: false,
    }
}

fn success() -> PassResult {
    PassResult::Succeeded {
        pools: 0,
        counts: crate::api::PoolCounts::default(),
        skipped: Vec::new(),
        halt: None,
    }
}

fn failure(reason: Reason) -> PassResult {
    PassResult::Failed(PassFailure::new(reason, String::new()))
}

/// A machine that has seen a source whose status says this.
fn machine(status: &serde_json::Value) -> (Machine, Key) {
    let source = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
        "kind": "ModelArtsPoolSource",
        "metadata": {"namespace": "ns", "name": "team-a", "uid": "u", "resourceVersion": "1"},
        "status": status,
    });
    let source: DynamicObject = serde_json::from_value(source).expect("an object");
    let source = Source::of(source).expect("a source");
    let key = source.key.clone();
    let mut machine = Machine::new(Limits::default(), 1);
    let now = Now {
        instant: Instant::now(),
        wall: Timestamp::UNIX_EPOCH,
    };
    machine.handle(Input::SourceSeen(Box::new(source)), now);
    (machine, key)
}

#[test]
fn nothing_of_a_source_outlives_it() {
    let metrics = Metrics::default();
    let (machine, gone) = machine(&json!({}));
    let kept = Key::new("ns", "kept");
    for source in [&gone, &kept] {
        for result in [
            success(),
            failure(Reason::Throttled),
            failure(Reason::Forbidden),
        ] {
            metrics.note(&pass(source, Timestamp::UNIX_EPOCH, result));
        }
        metrics.show_source(&machine, source);
    }
    metrics.note(&Notice::SourceGone(gone));
    let text = metrics.encode();
    assert!(!text.contains("source=\"team-a\""), "{text}");
    for result in ["success", "Throttled", "Forbidden"] {
        let labels = format!("{{namespace=\"ns\",source=\"kept\",result=\"{result}\"}} 1");
        assert!(text.contains(&labels), "{text}");
    }
}

/// Prometheus would show two replicas' accounts of one source, of which one is old.
#[test]
fn a_standby_says_nothing_of_sources_but_what_it_has_counted() {
    let metrics = Metrics::default();
    let (machine, source) = machine(&json!({"lastSyncTime": "1970-01-01T00:01:40Z"}));
    metrics.lead();
    metrics.note(&pass(&source, Timestamp::UNIX_EPOCH, success()));
    metrics.show_source(&machine, &source);
    metrics
        .sources
        .pools
        .get_or_create(&PhaseLabels {
            namespace: "ns".to_owned(),
            source: "team-a".to_owned(),
            phase: "Running",
        })
        .set(1);
    assert!(metrics.encode().contains("\nmodelarts_leader 1\n"));
    metrics.stand_by();
    let text = metrics.encode();
    assert!(text.contains("\nmodelarts_leader 0\n"), "{text}");
    let lines = text.lines().filter(|line| line.contains("team-a"));
    let left: BTreeSet<_> = lines.filter_map(|line| line.split('{').next()).collect();
    let counted = [
        "modelarts_source_sync_duration_seconds_bucket",
        "modelarts_source_sync_duration_seconds_count",
        "modelarts_source_sync_duration_seconds_sum",
        "modelarts_source_syncs_total",
    ];
    assert_eq!(left, counted.into());
    // Of the next term the status of the source tells, which another replica may have written.
    metrics.show_source(&machine, &source);
    let success = metrics
        .sources
        .last_success
        .get(&SourceLabels::of(&source))
        .map(|g| g.get());
    assert_eq!(success, Some(100.0));
}

/// An alert on old mirrors must not fall silent because the controller was restarted while the cloud
/// is away.
#[test]
fn after_a_restart_the_status_says_how_old_the_mirrors_are() {
    let metrics = Metrics::default();
    let (machine, source) = machine(&json!({
        "lastSyncTime": "1970-01-01T00:01:40Z",
        "freshUntil": "1970-01-01T00:03:10Z",
    }));
    let said = || {
        [&metrics.sources.last_success, &metrics.sources.fresh_until]
            .map(|gauge| gauge.get(&SourceLabels::of(&source)).map(|g| g.get()))
    };
    metrics.show_source(&machine, &source);
    assert_eq!(said(), [Some(100.0), Some(190.0)]);
    // What a pass says is newer than the status, which is seen later.
    let started = Timestamp::from_second(200).expect("a time");
    metrics.note(&pass(&source, started, success()));
    metrics.show_source(&machine, &source);
    assert_eq!(said(), [Some(200.0), Some(290.0)]);
}

#[test]
fn of_a_source_that_never_succeeded_no_time_is_said() {
    let metrics = Metrics::default();
    let (machine, source) = machine(&json!({}));
    metrics.show_source(&machine, &source);
    for gauge in [&metrics.sources.last_success, &metrics.sources.fresh_until] {
        assert!(gauge.get(&SourceLabels::of(&source)).is_none());
    }
}
