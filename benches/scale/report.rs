//! The results as Markdown, for people.

use std::fmt::Write as _;

use super::marks::marks;
use super::results::Results;

/// Who is measured, and what people call them.
const CONTENDERS: [(&str, &str); 8] = [
    ("controller", "this controller"),
    ("go", "Go, controller-runtime"),
    ("kopf", "Python, kopf"),
    ("shell", "shell"),
    ("limit", "limit: only writes"),
    ("listing", "limit: only reads the listing"),
    ("10 sources of 1000", "10 sources of 1,000"),
    ("1000 sources of 10", "1,000 sources of 10"),
];

/// A section: title, what it shows, and its tables.
type Section = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const SECTIONS: [Section; 7] = [
    (
        "First mirror",
        "From the first request for a listing to the last write of a status, on an API server that knows no mirror yet.\n\n\
         ![Objects per second over pools](benchmarks/first-mirror.svg)",
        &[
            ("first_mirror_objects_per_second", "objects/s"),
            (
                "first_mirror_cpu_seconds",
                "CPU seconds of the contender, with its start",
            ),
            (
                "start_seconds",
                "seconds from the start of the process to the first object",
            ),
        ],
    ),
    (
        "A quiet pass",
        "Nothing has changed. CPU time of all that runs between two passes; bytes of both directions.\n\n\
         ![Milliseconds of CPU over pools](benchmarks/quiet-cpu.svg)",
        &[
            ("quiet_cpu_milliseconds", "CPU ms"),
            ("quiet_mirror_writes", "writes of mirrors"),
            ("quiet_api_requests", "requests to the API server"),
            ("quiet_api_bytes", "bytes from and to the API server"),
            ("quiet_cloud_bytes", "bytes from and to the cloud"),
        ],
    ),
    (
        "Changes",
        "Of one in a hundred pools, and of one. Writes until the pass after, and seconds from the begin of the pass to the last.",
        &[
            ("changed_1pct_writes", "writes, 1 % changed"),
            ("changed_1pct_visible_seconds", "seconds, 1 % changed"),
            ("changed_one_writes", "writes, one changed"),
            ("changed_one_visible_seconds", "seconds, one changed"),
        ],
    ),
    (
        "Edits undone",
        "From the edit of a mirror to the end of the write that undoes it, against the round trip of one apply of the same client.",
        &[
            ("apply_milliseconds", "ms of one apply"),
            ("drift_round_trips", "round trips, at rest"),
            (
                "drift_slow_listing_round_trips",
                "round trips, while a listing does not end",
            ),
            (
                "drift_creating_round_trips",
                "round trips, while mirrors are being made",
            ),
        ],
    ),
    (
        "Memory",
        "Resident, of all processes of the contender.\n\n![MiB over pools](benchmarks/memory.svg)",
        &[
            ("memory_settled_mib", "MiB after passes"),
            ("memory_peak_mib", "MiB at the peak"),
        ],
    ),
    (
        "Programs",
        "The static program, and the image as an archive.",
        &[
            ("binary_mib", "MiB of the program"),
            ("image_mib", "MiB of the image"),
        ],
    ),
    (
        "Many sources",
        "As many pools in few sources and in many; each source is listed once in a pass.",
        &[],
    ),
];

/// The whole page, `docs/benchmarks.md`.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "# Benchmarks\n<!-- Written by make bench from docs/benchmarks/results.json: changes by hand are lost. -->\n\n\
         What the mirror costs, side by side in one run with what people would use instead: the\n\
         [peers](../benches/peers/README.md), and two clients that do only what nobody can do without. Each has a real\n\
         control plane and a simulated cloud of its own; a checker compares the mirrors, object by object, before any number\n\
         counts. All share the machine with their control plane: read the ratios, and the absolute numbers as an\n\
         illustration. Where a cell has a range, it is of the repetitions, after the median; – is not measured.\n\n",
    );
    let _ = writeln!(text, "```sh\n{}\n```\n", results.command);
    table(
        &mut text,
        &["", ""],
        results
            .machine
            .iter()
            .chain(&results.versions)
            .map(|(n, v)| vec![n.clone(), v.clone()]),
    );
    text.push_str("## The marks\n\n");
    let rows = marks(results).into_iter().map(|mark| {
        let met = match (mark.met, &mark.measured) {
            (Some(true), _) => "met",
            (Some(false), _) => "**missed**",
            (None, Some(_)) => "not judged: measured with too few pools",
            (None, None) => "not measured",
        };
        vec![
            mark.what.to_owned(),
            mark.measured.unwrap_or_else(|| "–".to_owned()),
            met.to_owned(),
        ]
    });
    table(&mut text, &["mark", "measured", ""], rows);
    for (title, what, measures) in SECTIONS {
        let _ = writeln!(text, "## {title}\n\n{what}\n");
        if title == "Many sources" {
            many_sources(&mut text, results);
        }
        for (measure, unit) in measures {
            sizes(&mut text, results, measure, unit);
        }
    }
    growth(&mut text, results);
    text
}

/// One measure: a row for each contender, a column for each number of pools.
fn sizes(text: &mut String, results: &Results, measure: &str, unit: &str) {
    let all = results.sizes(measure);
    let known: Vec<usize> = all
        .into_iter()
        .filter(|&n| {
            CONTENDERS[..6]
                .iter()
                .any(|(c, _)| results.median(c, n, measure).is_some())
        })
        .collect();
    if known.is_empty() {
        return;
    }
    let pools = known.iter().map(|n| {
        if *n == 0 {
            String::new()
        } else {
            format!("{n} pools")
        }
    });
    let head: Vec<String> = std::iter::once(unit.to_owned()).chain(pools).collect();
    let rows = CONTENDERS[..6].iter().filter(|(c, _)| {
        known
            .iter()
            .any(|n| results.median(c, *n, measure).is_some())
    });
    let rows = rows.map(|(contender, name)| {
        let cells = known.iter().map(|n| cell(results, contender, *n, measure));
        std::iter::once((*name).to_owned()).chain(cells).collect()
    });
    table(
        text,
        &head.iter().map(String::as_str).collect::<Vec<_>>(),
        rows,
    );
}

fn many_sources(text: &mut String, results: &Results) {
    let measures = [
        "first_mirror_objects_per_second",
        "quiet_cpu_milliseconds",
        "quiet_mirror_writes",
        "memory_settled_mib",
    ];
    let rows = CONTENDERS[6..].iter().map(|(contender, name)| {
        let cells = measures.iter().map(|m| cell(results, contender, 10_000, m));
        std::iter::once((*name).to_owned()).chain(cells).collect()
    });
    table(
        text,
        &[
            "",
            "objects/s, first mirror",
            "CPU ms, quiet pass of all",
            "writes, quiet pass",
            "MiB",
        ],
        rows,
    );
}

fn growth(text: &mut String, results: &Results) {
    text.push_str("## Growth\n\nThe exponent of each cost over the number of pools, from 100 on: 1 is linear.\n\n");
    let measures = [
        "first_mirror_seconds",
        "quiet_cpu_milliseconds",
        "memory_settled_mib",
    ];
    let rows = CONTENDERS[..6].iter().filter_map(|(contender, name)| {
        let exponents: Vec<Option<f64>> = measures
            .iter()
            .map(|m| results.exponent(contender, m))
            .collect();
        exponents.iter().any(Option::is_some).then(|| {
            let cells = exponents
                .iter()
                .map(|e| e.map_or_else(|| "–".to_owned(), |e| format!("{e:.2}")));
            std::iter::once((*name).to_owned()).chain(cells).collect()
        })
    });
    table(
        text,
        &["", "first mirror, seconds", "quiet pass, CPU", "memory"],
        rows,
    );
    // One line at the end of the file, not two.
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// The median, and the spread where there are several; unknown is not 0.
fn cell(results: &Results, contender: &str, pools: usize, measure: &str) -> String {
    let Some(median) = results.median(contender, pools, measure) else {
        return "–".to_owned();
    };
    match results.spread(contender, pools, measure) {
        Some((least, most)) if number(least) != number(most) => {
            format!("{} ({}–{})", number(median), number(least), number(most))
        }
        _ => number(median),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn table(text: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(
        text,
        "| {} |\n|{}",
        head.join(" | "),
        " --- |".repeat(head.len())
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}
