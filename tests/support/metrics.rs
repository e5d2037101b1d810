//! Reads /metrics.

use std::collections::BTreeMap;

/// A line of /metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The samples of a text in the format of Prometheus.
pub fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').expect("an end of labels");
            let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
            let labels = pairs.map(|pair| {
                let (key, value) = pair.split_once("=\"").expect("a label");
                (key.to_owned(), value.trim_end_matches('"').to_owned())
            });
            Sample {
                name: name.to_owned(),
                labels: labels.collect(),
                value: value.parse().expect("a number"),
            }
        })
        .collect()
}

/// The value of the series of this name that has these labels, among others.
pub fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |sample: &Sample, (key, value): &(&str, &str)| {
        sample.labels.get(*key).map(String::as_str) == Some(*value)
    };
    let found = samples
        .iter()
        .find(|s| s.name == name && labels.iter().all(|label| has(s, label)));
    found.map(|s| s.value)
}
