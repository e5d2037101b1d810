//! The page of the benchmark is what its raw results say, and says of each mark whether it is met.

#![allow(
    unreachable_pub,
    reason = "the modules are the benchmark's, which has them as its own"
)]

#[path = "../benches/scale/marks.rs"]
mod marks;
#[path = "../benches/scale/plot.rs"]
mod plot;
#[path = "../benches/scale/report.rs"]
mod report;
#[path = "../benches/scale/results.rs"]
mod results;

use std::collections::BTreeMap;

use results::{Results, Run};

use super::support::generated::check;

const RESULTS: &str = include_str!("../docs/benchmarks/results.json");

#[test]
fn tables_and_plots_are_generated() {
    let results: Results = serde_json::from_str(RESULTS).expect("results");
    check("docs/benchmarks.md", &report::markdown(&results));
    for (file, svg) in plot::plots(&results).expect("plots") {
        check(&format!("docs/benchmarks/{file}"), &svg);
    }
}

fn run(contender: &str, pools: usize, measure: &str, value: f64) -> Run {
    Run {
        contender: contender.to_owned(),
        pools,
        repetition: 0,
        measured: BTreeMap::from([(measure.to_owned(), value)]),
    }
}

#[test]
fn a_mark_is_met_missed_or_not_measured() {
    let rate = "first_mirror_objects_per_second";
    let verdict = |runs: Vec<Run>| {
        let results = Results {
            runs,
            ..Results::default()
        };
        let first = marks::marks(&results).into_iter().next().expect("a mark");
        (first.measured, first.met)
    };
    let ours = |rate_of_it| run("controller", 10_000, rate, rate_of_it);
    let limit = run("limit", 10_000, rate, 100.0);
    assert_eq!(
        verdict(vec![ours(95.0), limit.clone()]),
        (Some("0.95".to_owned()), Some(true))
    );
    assert_eq!(
        verdict(vec![ours(50.0), limit.clone()]),
        (Some("0.50".to_owned()), Some(false))
    );
    assert_eq!(verdict(vec![limit]), (None, None));
    // Other sizes say nothing of it.
    assert_eq!(
        verdict(vec![run("controller", 10, rate, 1.0)]),
        (None, None)
    );
}

#[test]
fn medians_spreads_and_exponents_are_of_what_was_measured() {
    let cost = "quiet_cpu_milliseconds";
    let mut runs: Vec<Run> = [(100, 200.0), (1_000, 2_000.0), (10_000, 20_000.0)]
        .map(|(n, value)| run("controller", n, cost, value))
        .into();
    // What does not grow rules below a hundred.
    runs.push(run("controller", 10, cost, 500.0));
    runs.extend([1.0, 9.0, 3.0].map(|v| run("go", 10, cost, v)));
    let results = Results {
        runs,
        ..Results::default()
    };
    let exponent = results.exponent("controller", cost).expect("an exponent");
    assert!((exponent - 1.0).abs() < 1e-9, "{exponent}");
    assert_eq!(results.exponent("go", cost), None);
    assert_eq!(results.median("go", 10, cost), Some(3.0));
    assert_eq!(results.spread("go", 10, cost), Some((1.0, 9.0)));
    assert_eq!(results.spread("controller", 10, cost), None);
    let page = report::markdown(&results);
    let row = |name: &str| {
        let line = page.lines().find(|l| l.starts_with(name));
        line.expect("a row").to_owned()
    };
    assert_eq!(
        row("| this controller |"),
        "| this controller | 500 | 200 | 2000 | 20000 |"
    );
    assert_eq!(
        row("| Go, controller-runtime |"),
        "| Go, controller-runtime | 3.00 (1.00–9.00) | – | – | – |"
    );
}
