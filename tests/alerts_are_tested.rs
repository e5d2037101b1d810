//! The alerts and the dashboard of the chart, without a server: their rules are sound, their tests pass, each has its
//! section in the runbook, and they ask for nothing that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::alerts::{
    ALERTS, alerts, all_metrics, dashboard, metrics, panels, questions, text,
};
use super::support::markdown::{code, read, root};
use super::support::prometheus::promtool;

const TESTS: &str = "tests/prometheus";

/// The files of unit tests under this root.
fn unit_tests(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(TESTS)).expect("a directory");
    let mut files: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with("_test.yaml"));
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    files
}

#[test]
fn the_rules_are_sound_and_their_tests_pass() {
    let checked = promtool("check", &[root().join(ALERTS)]).expect("sound rules");
    assert!(checked.contains("10 rules found"), "{checked}");
    promtool("test", &unit_tests(root())).expect("tests that pass");
}

/// The runner fails where an alert fires too early: else the test above would show nothing.
#[test]
fn an_alert_that_does_not_wait_is_found() {
    let copy = tempfile::tempdir().expect("a directory");
    for directory in [TESTS, "charts/modelarts-pool-controller/files"] {
        fs::create_dir_all(copy.path().join(directory)).expect("a directory");
    }
    let hasty = read(ALERTS).replace("for: 15m", "for: 0m");
    fs::write(copy.path().join(ALERTS), hasty).expect("a file");
    for file in unit_tests(root()) {
        let name = file.file_name().expect("a name");
        fs::copy(&file, copy.path().join(TESTS).join(name)).expect("a copy");
    }
    let refused = promtool("test", &unit_tests(copy.path())).expect_err("a test that fails");
    assert!(refused.contains("ModelArtsSourceNotSyncing"), "{refused}");
}

/// The alerts that the unit tests expect to fire, and those that they expect to keep silent.
fn expected() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in unit_tests(root()) {
        let tests: Value =
            serde_saphyr::from_str(&fs::read_to_string(file).expect("a text")).expect("YAML");
        for test in tests["tests"].as_array().expect("tests") {
            for check in test["alert_rule_test"].as_array().into_iter().flatten() {
                let fires = !check["exp_alerts"].as_array().expect("a list").is_empty();
                let kind = if fires { &mut firing } else { &mut silent };
                kind.insert(text(check, "/alertname").to_owned());
            }
        }
    }
    (firing, silent)
}

#[test]
fn each_alert_is_tested_both_ways() {
    let names: BTreeSet<String> = alerts()
        .iter()
        .map(|a| text(a, "/alert").to_owned())
        .collect();
    let (firing, silent) = expected();
    assert_eq!(firing, names);
    assert_eq!(silent, names);
}

/// Whoever is woken up knows what it is about, what to type, and where to read on.
#[test]
fn each_alert_says_what_to_do_next() {
    let mut sections: Vec<String> = Vec::new();
    for line in read("docs/runbook.md").lines() {
        sections.extend(line.strip_prefix("## ").map(str::to_owned));
    }
    let alerts = alerts();
    let names: Vec<&str> = alerts.iter().map(|alert| text(alert, "/alert")).collect();
    assert_eq!(sections, names, "docs/runbook.md against {ALERTS}");
    for alert in &alerts {
        let name = text(alert, "/alert");
        let severity = text(alert, "/labels/severity");
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity}"
        );
        assert!(text(alert, "/annotations/summary").len() < 100, "{name}");
        let description = text(alert, "/annotations/description");
        assert!(description.contains("kubectl "), "{name}: {description}");
        assert!(description.contains("$labels."), "{name}: {description}");
        let link = format!("docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(text(alert, "/annotations/runbook_url"), link);
    }
    for section in read("docs/runbook.md").split("\n## ").skip(1) {
        for part in [
            "**Meaning.**",
            "**Impact.**",
            "**Look at**",
            "**Do",
            "```sh",
        ] {
            assert!(section.contains(part), "no {part} in: {section}");
        }
    }
}

#[test]
fn each_metric_is_documented() {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let used = all_metrics();
    assert!(used.len() > 10, "{used:?}");
    for metric in used {
        assert!(
            documented.contains(&*metric),
            "docs/metrics.md has no {metric}"
        );
    }
}

/// The text of all files of a directory.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let texts = paths.map(|path| {
        if path.is_dir() {
            sources(&path)
        } else {
            fs::read_to_string(&path).expect("a text")
        }
    });
    texts.collect()
}

/// Reasons and phases are closed sets: a misspelt one would never be met.
#[test]
fn each_label_that_is_looked_for_exists() {
    let errors = read("docs/errors.md");
    let reasons: BTreeSet<&str> = errors.lines().flat_map(code).collect();
    let program = sources(&root().join("src/runtime"));
    let mut looked_at = 0;
    for alert in alerts() {
        let expression = text(&alert, "/expr");
        for (label, known) in [
            (
                "result=~\"",
                &(|word: &str| reasons.contains(word)) as &dyn Fn(&str) -> bool,
            ),
            ("phase=~\"", &|word: &str| {
                program.contains(&format!("\"{word}\""))
            }),
        ] {
            for rest in expression.split(label).skip(1) {
                for word in rest.split('"').next().expect("an end").split('|') {
                    assert!(known(word), "{label}{word} is nothing that is served");
                    looked_at += 1;
                }
            }
        }
    }
    assert!(looked_at > 8, "only {looked_at}");
}

/// As rules, promtool reads what the panels ask.
#[test]
fn each_panel_asks_what_can_be_asked() {
    let questions: Vec<String> = panels().iter().flat_map(questions).collect();
    let rules = questions.iter().enumerate().map(|(number, question)| {
        assert!(!metrics(question).is_empty(), "{question}");
        json!({"record": format!("panel:{number}"), "expr": question})
    });
    let rules: Vec<Value> = rules.collect();
    let count = format!("{} rules found", rules.len());
    let file = tempfile::Builder::new().suffix(".yaml").tempfile();
    let file = file.expect("a file");
    let groups = json!({"groups": [{"name": "panels", "rules": rules}]});
    fs::write(file.path(), groups.to_string()).expect("a file");
    let checked = promtool("check", &[file.path().to_owned()]).expect("sound questions");
    assert!(checked.contains(&count), "{checked}");
}

#[test]
fn each_panel_says_what_it_shows() {
    let mut ids = BTreeSet::new();
    for panel in panels() {
        let title = text(&panel, "/title");
        assert!(
            ids.insert(panel["id"].as_u64()),
            "{title}: its id is another's"
        );
        assert!(text(&panel, "/description").len() > 20, "{title}");
        assert!(
            !text(&panel, "/fieldConfig/defaults/unit").is_empty(),
            "{title}"
        );
        assert_eq!(text(&panel, "/datasource/uid"), "${datasource}", "{title}");
    }
    assert!(ids.len() > 10);
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let names: Vec<&str> = variables.iter().map(|v| text(v, "/name")).collect();
    assert_eq!(names, ["datasource", "namespace", "source"]);
}
