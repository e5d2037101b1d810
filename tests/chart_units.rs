//! The unit tests of the chart's templates, by helm-unittest: charts/modelarts-pool-controller/tests/.

use std::process::{Command, Stdio};

use super::support::chart::CHART;
use super::support::cluster::run;

/// helm-unittest, built where it is not built yet.
fn helm_unittest() -> Command {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/helm/build.sh");
    let output = Command::new(build).stderr(Stdio::inherit()).output();
    let output = output.expect("a shell");
    assert!(output.status.success(), "{build} failed: see above");
    let path = String::from_utf8(output.stdout).expect("UTF-8");
    Command::new(path.trim())
}

#[test]
fn the_templates_pass_their_unit_tests() {
    let mut units = helm_unittest();
    units.args(["--strict", "--file=tests/*_test.yaml", CHART]);
    let printed = run(&mut units).expect("sound templates");
    // A pattern that finds no file would pass as well.
    assert!(printed.contains("Charts:      1 passed"), "{printed}");
    assert!(!printed.contains("Tests:       0"), "{printed}");
}

/// The runner fails where a template is not as expected: else the test above would show nothing.
#[test]
fn a_wrong_expectation_is_found() {
    let suite = tempfile::Builder::new().suffix("_test.yaml").tempfile();
    let suite = suite.expect("a file");
    let wrong = "suite: wrong\ntemplates: [templates/service.yaml]\n\
                 tests:\n  - it: is wrong\n    asserts:\n      - isKind: {of: Pod}\n";
    std::fs::write(suite.path(), wrong).expect("a file");
    let file = format!("--file={}", suite.path().display());
    let mut units = helm_unittest();
    let output = units.args(["--strict", &file, CHART]).output();
    let output = output.expect("helm-unittest");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{printed}");
    assert!(printed.contains("Pod"), "{printed}");
}
