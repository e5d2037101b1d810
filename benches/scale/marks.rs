//! The marks that the project has set itself, each with what was measured.

use super::results::Results;

/// One mark.
pub struct Mark {
    /// What is asked for.
    pub what: &'static str,
    /// What was measured, for people; nothing where it was not.
    pub measured: Option<String>,
    /// Whether it is met; nothing where it was not measured, or not with enough pools.
    pub met: Option<bool>,
}

const PEERS: [&str; 3] = ["go", "kopf", "shell"];
const RATE: &str = "first_mirror_objects_per_second";
const CPU: &str = "quiet_cpu_milliseconds";
const SETTLED: &str = "memory_settled_mib";

/// The number of pools that the marks of growth reach to.
const LARGEST: usize = 50_000;

/// All marks.
pub fn marks(results: &Results) -> Vec<Mark> {
    let of =
        |contender: &str, pools: usize, measure: &str| results.median(contender, pools, measure);
    let ours = |pools: usize, measure: &str| of("controller", pools, measure);
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    let largest = |measure: &str| {
        let sizes = results.sizes(measure).into_iter().rev();
        sizes
            .filter(|&n| n <= 10_000)
            .find_map(|n| ours(n, measure))
    };
    let mut marks = vec![
        least(
            "first mirror of 10,000: at least 0.9 of the limit's throughput",
            ratio(ours(10_000, RATE), of("limit", 10_000, RATE)),
            0.9,
        ),
        least(
            "first mirror: never behind a peer (the least lead at any size)",
            lead(results),
            1.0,
        ),
        most(
            "quiet pass at 10,000: no write of a mirror",
            ours(10_000, "quiet_mirror_writes"),
            0.0,
        ),
        most(
            "quiet pass at 10,000: CPU at most 1/3 of the Go peer's",
            ratio(ours(10_000, CPU), of("go", 10_000, CPU)),
            1.0 / 3.0,
        ),
        most(
            "quiet pass at 10,000: CPU at most twice that of reading the listing",
            ratio(ours(10_000, CPU), of("listing", 10_000, CPU)),
            2.0,
        ),
        most(
            "memory with 10,000: at most 32 MiB after a pass",
            ours(10_000, SETTLED),
            32.0,
        ),
        most(
            "memory with 10,000: at most 48 MiB at its peak",
            ours(10_000, "memory_peak_mib"),
            48.0,
        ),
        most(
            "memory with 10,000: at most 1/6 of the Go peer's",
            ratio(ours(10_000, SETTLED), of("go", 10_000, SETTLED)),
            1.0 / 6.0,
        ),
        most("memory with ten: at most 12 MiB", ours(10, SETTLED), 12.0),
        compared(
            "one change among 10,000: one write",
            ours(10_000, "changed_one_writes"),
            |writes| (writes - 1.0).abs() < 0.1,
        ),
        most(
            "an edit is undone within four round trips of one apply",
            largest("drift_round_trips"),
            4.0,
        ),
        most(
            "the same while a listing takes long",
            largest("drift_slow_listing_round_trips"),
            4.0,
        ),
        most(
            "the same while 3,000 mirrors are being made",
            ours(3_000, "drift_creating_round_trips"),
            4.0,
        ),
    ];
    for (what, measure) in [
        (
            "time of the first mirror: exponent at most 1.05",
            "first_mirror_seconds",
        ),
        ("CPU of a quiet pass: exponent at most 1.05", CPU),
        ("memory: exponent at most 1.05", SETTLED),
    ] {
        let mut mark = most(what, results.exponent("controller", measure), 1.05);
        // Fewer say too little of how it goes on.
        if ours(LARGEST, measure).is_none() {
            mark.met = None;
        }
        marks.push(mark);
    }
    marks.push(most(
        "requests to the API server in a quiet pass: as many at any size (difference)",
        requests_differ(results),
        0.0,
    ));
    marks.push(most("program: at most 12 MiB", ours(0, "binary_mib"), 12.0));
    marks
}

fn least(what: &'static str, measured: Option<f64>, mark: f64) -> Mark {
    compared(what, measured, |measured| measured >= mark)
}

fn most(what: &'static str, measured: Option<f64>, mark: f64) -> Mark {
    compared(what, measured, |measured| measured <= mark)
}

fn compared(what: &'static str, measured: Option<f64>, is_met: impl Fn(f64) -> bool) -> Mark {
    Mark {
        what,
        met: measured.map(is_met),
        measured: measured.map(|m| format!("{m:.2}")),
    }
}

/// The throughput of the first mirror over that of the best peer, where it is least.
fn lead(results: &Results) -> Option<f64> {
    let at = |n: usize| {
        let ours = results.median("controller", n, RATE)?;
        let peers = PEERS.iter().filter_map(|p| results.median(p, n, RATE));
        peers.map(|theirs| ours / theirs).min_by(f64::total_cmp)
    };
    results
        .sizes(RATE)
        .into_iter()
        .filter_map(at)
        .min_by(f64::total_cmp)
}

/// The most requests of a quiet pass at any size, less the fewest.
fn requests_differ(results: &Results) -> Option<f64> {
    let measure = "quiet_api_requests";
    let sizes = results.sizes(measure);
    let all: Vec<f64> = sizes
        .into_iter()
        .filter_map(|n| results.median("controller", n, measure))
        .collect();
    let (most, least) = (
        all.iter().copied().max_by(f64::total_cmp)?,
        all.iter().copied().min_by(f64::total_cmp)?,
    );
    (all.len() > 1).then_some(most - least)
}
