use std::time::Instant;

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::json;

use super::*;
use crate::controller::{Input, Limits, Now, PassFailure, Report, Source};

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
        }),
        listing: Some(interval),
        whole: interval,
        failures: 0,
    }
}

fn success() -> PassResult {
    PassResult::Succeeded {
        pools: 0,
        counts: crate::api::PoolCounts::default(),
        skipped: Vec::new(),
    }
}

fn failure(reason: &'static str) -> PassResult {
    PassResult::Failed(PassFailure {
        reason,
        message: String::new(),
        stalled: false,
        retry_after: None,
    })
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
        for result in [success(), failure("Throttled"), failure("Forbidden")] {
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
