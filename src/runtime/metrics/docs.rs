//! docs/metrics.md says what the registry says. `make generate` writes it.

use std::collections::BTreeMap;

use super::labels::{OperationLabels, RequestLabels, SourceLabels};
use super::*;
use crate::mirror::SkipReason;

#[path = "../../../tests/support/generated.rs"]
mod generated;

/// The values of labels that are not free text.
const VALUES: [(&str, &str); 7] = [
    ("phase", "a documented phase, or `other`"),
    (
        "flavor",
        "as the cloud names it; `unknown` where it does not, `other` beyond 200 flavors of a source",
    ),
    (
        "state",
        "`desired` (of the spec), `available`, `creating`, `abnormal`, `deleting`, `creationFailed`",
    ),
    (
        "reason",
        "`InvalidName`, `TooLarge`, `NameConflict`, `Refused`, as in status.skipped",
    ),
    ("step", "`list`, `total`"),
    ("result", "`success`, or the reason of the condition Ready"),
    (
        "operation",
        "of a write, see its meaning; of a request, `ListPools`, `ShowPool` or `ListWorkspaces`",
    ),
];

/// A series of each metric: those without one are left out of the text.
fn one_series_each(metrics: &Metrics) {
    let source = SourceLabels {
        namespace: String::new(),
        source: String::new(),
    };
    // Without `..`: a metric that is added must be added here.
    let Metrics {
        registry: _,
        sources,
        mirror_writes,
        cloud_requests,
        cloud_request_duration,
        // They have no labels, and are always there.
        leader: _,
        tasks: _,
    } = metrics;
    let SourceMetrics {
        results: _,
        nodes_shown: _,
        last_success,
        last_attempt,
        fresh_until,
        consecutive_failures,
        suspended,
        prune_halted,
        syncs,
        sync_duration,
        pools,
        nodes,
        skipped,
    } = sources;
    for gauge in [last_success, last_attempt, fresh_until] {
        drop(gauge.get_or_create(&source));
    }
    for gauge in [consecutive_failures, suspended, prune_halted] {
        drop(gauge.get_or_create(&source));
    }
    drop(syncs.get_or_create(&source.result("")));
    drop(sync_duration.get_or_create(&source.step("")));
    drop(pools.get_or_create(&source.phase("")));
    drop(nodes.get_or_create(&source.nodes("", "")));
    drop(skipped.get_or_create(&source.skip(SkipReason::Refused)));
    drop(mirror_writes.get_or_create(&OperationLabels { operation: "" }));
    drop(cloud_requests.get_or_create(&RequestLabels {
        operation: "",
        code: String::new(),
    }));
    drop(cloud_request_duration.get_or_create(&OperationLabels { operation: "" }));
}

#[derive(Default)]
struct Described {
    type_: String,
    help: String,
    /// Name and labels of the first series.
    series: Option<(String, Vec<String>)>,
}

/// The metrics in the order of their registration.
fn described(text: &str) -> Vec<Described> {
    let mut order: Vec<String> = Vec::new();
    let mut metrics: BTreeMap<String, Described> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", what, name, rest] => {
                if !metrics.contains_key(name) {
                    order.push(name.to_owned());
                }
                let metric = metrics.entry(name.to_owned()).or_default();
                match what {
                    "HELP" => rest.clone_into(&mut metric.help),
                    "TYPE" => rest.clone_into(&mut metric.type_),
                    _ => {}
                }
            }
            ["#", "EOF"] => {}
            _ => {
                let (name, labels) = match line.split_once('{') {
                    Some((name, rest)) => (name, rest.split_once('}').expect("labels").0),
                    None => (line.split_once(' ').expect("a value").0, ""),
                };
                let family = order.last().expect("a description before its series");
                let metric = metrics.get_mut(family).expect("a description");
                assert!(name.starts_with(family.as_str()), "{name} of {family}");
                let labels = labels.split(',').filter_map(|label| label.split_once('='));
                let labels = labels.map(|(name, _)| name.to_owned()).collect();
                metric.series.get_or_insert((name.to_owned(), labels));
            }
        }
    }
    order
        .iter()
        .filter_map(|name| metrics.remove(name))
        .collect()
}

#[test]
fn page_says_what_the_registry_says() {
    let metrics = Metrics::default();
    one_series_each(&metrics);
    let mut text = format!(
        "# Metrics\n{note}
`/metrics` of `run` serves them, in the text format of OpenMetrics to those who ask for it, as Prometheus does, and in
that of Prometheus to all others. No label takes a pool's name, its id or a message. Those of sources come from the
replica that leads.

{values}
{head}",
        note = generated::NOTE,
        values = VALUES.map(|(label, values)| format!("- `{label}`: {values}\n")).concat(),
        head = generated::head(&["name", "type", "labels", "meaning"]),
    );
    for metric in described(&metrics.encode()) {
        let (series, labels) = metric.series.expect("a series");
        // A histogram has several series, named after its parts.
        let name = match &*metric.type_ {
            "histogram" => ["_sum", "_count", "_bucket"]
                .iter()
                .find_map(|part| series.strip_suffix(part))
                .expect("a part of a histogram"),
            _ => &series,
        };
        let labels: Vec<String> = labels
            .iter()
            .filter(|label| *label != "le")
            .map(|label| format!("`{label}`"))
            .collect();
        text += &generated::row(&[
            &format!("`{name}`"),
            &metric.type_,
            &labels.join(", "),
            &metric.help,
        ]);
    }
    generated::check("docs/metrics.md", &text);
}
