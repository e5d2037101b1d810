//! How many series the pools of a source make, however many there are and whatever the cloud says of them.

use serde_json::json;

use super::rig::{Rig, key};
use crate::runtime::metrics::Metrics;

/// The series that name a source, once it has these pools, each in a phase of its own, with a flavor of its own, that
/// has a name of `length` bytes.
fn series(pools: usize, length: usize) -> (usize, usize) {
    let mut rig = Rig::new();
    for n in 0..pools {
        let resources = json!([{"flavor": format!("flavor-{n}-{:0length$}", 0), "count": 1}]);
        let pool = json!({
            "metadata": {"name": format!("pool-{n}")},
            "spec": {"type": "Dedicate", "resources": resources},
            "status": {"phase": format!("Phase{n}"), "resources": {"available": resources}},
        });
        rig.put(&format!("pool-{n}"), pool);
    }
    rig.see_source("s", &json!({}));
    rig.run();
    let metrics = Metrics::default();
    for notice in rig.machine.take_notices() {
        metrics.note(&notice);
    }
    metrics.show_source(&rig.machine, &key("s"));
    let text = metrics.encode();
    let of_source = text.lines().filter(|line| line.contains("source=\"s\""));
    (of_source.count(), text.len())
}

#[test]
fn five_thousand_pools_make_no_more_series_than_two_hundred() {
    let (few, _) = series(200, 8);
    let (many, bytes) = series(5_000, 1_000);
    // The flavors beyond, together, in each of six states.
    assert_eq!(many, few + 6, "{few} of 200 pools");
    assert!(few < 200 * 6 + 50, "{few}");
    assert!(bytes < 500 * many, "{bytes} bytes of {many} series");
}
