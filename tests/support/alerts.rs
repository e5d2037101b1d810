//! The alerts and the dashboard of the chart, as the tests read them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::markdown::read;

/// Relative to the root of the repository.
pub const ALERTS: &str = "charts/modelarts-pool-controller/files/alerts.yaml";
const DASHBOARD: &str = "charts/modelarts-pool-controller/files/dashboard.json";

/// The rules of the chart.
pub fn alerts() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&read(ALERTS)).expect("YAML");
    let groups = file["groups"].as_array().expect("groups");
    let rules = groups.iter().map(|group| group["rules"].as_array());
    rules
        .flat_map(|rules| rules.expect("rules").clone())
        .collect()
}

/// A text in a rule, or in what a panel is made of.
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {path} in: {value:#}"))
}

pub fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("JSON")
}

/// The panels that show something.
pub fn panels() -> Vec<Value> {
    let mut dashboard = dashboard();
    let Value::Array(mut panels) = dashboard["panels"].take() else {
        panic!("no panels");
    };
    panels.retain(|panel| panel["type"] != "row");
    panels
}

/// What a panel asks for, where all namespaces and sources are chosen.
pub fn questions(panel: &Value) -> Vec<String> {
    let targets = panel["targets"].as_array().expect("targets").iter();
    let filled_in = |target: &Value| {
        let expression = text(target, "/expr");
        let filled = expression
            .replace("$namespace", ".*")
            .replace("$source", ".*")
            .replace("$__rate_interval", "1m");
        assert!(
            !filled.contains('$'),
            "an unknown variable in: {expression}"
        );
        filled
    };
    targets.map(filled_in).collect()
}

/// The metrics in an expression, histograms without what is added to their names.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("modelarts_"));
    names
        .map(|name| {
            let parts = ["_sum", "_count", "_bucket"].iter();
            let mut bare = parts.filter_map(|part| name.strip_suffix(part));
            bare.next().unwrap_or(name).to_owned()
        })
        .collect()
}

/// The metrics of all alerts and of the dashboard.
pub fn all_metrics() -> BTreeSet<String> {
    let of_alerts = alerts()
        .into_iter()
        .map(|alert| text(&alert, "/expr").to_owned());
    let of_panels = panels().into_iter().flat_map(|panel| questions(&panel));
    let mut found: BTreeSet<String> = of_alerts
        .chain(of_panels)
        .flat_map(|e| metrics(&e))
        .collect();
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let asked = variables.iter().filter_map(|v| v["definition"].as_str());
    found.extend(asked.flat_map(metrics));
    found
}
