//! What `plan` is given wrongly: a clear sentence, exit code 1, and nothing on standard output.

use modelarts_pool_controller::simulator::{Fault, Operation, Preset};
use serde_json::json;

use super::support::env::Env;
use super::support::plan::{self, Planned, plan};
use super::support::process::kubeconfig_at;

const SOURCE: &str = "apiVersion: modelarts.huaweicloud.com/v1alpha1
kind: ModelArtsPoolSource
metadata: {name: s, namespace: ns}
spec: {endpoint: \"http://127.0.0.1:1\", projectId: p, credentials: {type: AccessKey, secretRef: {name: k}}}
";
const SECRET: &str =
    "{apiVersion: v1, kind: Secret, stringData: {accessKey: AK, secretKey: hunter-key}}";

/// Files of one test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    }
}

fn refused(planned: &Planned, words: &[&str]) {
    assert_eq!(planned.code, Some(1), "{words:?}: {}", planned.stderr);
    assert_eq!(planned.stdout, "", "{words:?}");
    let error = planned
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("no error: {}", planned.stderr));
    for word in words {
        assert!(error.contains(word), "no {word:?} in: {error}");
    }
    assert!(!planned.stderr.contains("hunter"), "{}", planned.stderr);
}

/// Plans with each of these arguments, SOURCE and SECRET standing for good files.
async fn all_refused(files: &Files, table: &[(&str, &[&str])]) {
    let source = files.write("source.yaml", SOURCE);
    let secret = files.write("secret.yaml", SECRET);
    for (arguments, words) in table {
        let arguments = arguments
            .replace("SOURCE", &source)
            .replace("SECRET", &secret);
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        refused(&plan::run(&arguments, &[]).await, words);
    }
}

#[tokio::test]
async fn wrong_arguments() {
    let table: [(&str, &[&str]); 10] = [
        ("-f /no/such.yaml", &["-f /no/such.yaml", "No such file"]),
        ("-f SOURCE ns/s", &["both -f and NAMESPACE/NAME"]),
        ("", &["no source is given"]),
        ("s", &["\"s\" is not NAMESPACE/NAME"]),
        ("--offline ns/s", &["--offline", "-f"]),
        (
            "--offline -f SOURCE",
            &["--offline", "--secret-file", "--from-file"],
        ),
        ("-f - --from-file -", &["-f and --from-file are -"]),
        ("--ofline", &["unexpected argument '--ofline'"]),
        ("--output=xml", &["xml"]),
        ("-f SOURCE", &["set KUBECONFIG", "--offline"]),
    ];
    all_refused(&Files::new(), &table).await;
}

#[tokio::test]
async fn wrong_files() {
    let files = Files::new();
    let write = |name: &str, text: &str| files.write(name, text);
    let two = write("two", &format!("{SOURCE}---\n{SOURCE}"));
    let broken = write("broken", "kind: hunter: x");
    let tls = SECRET.replace("stringData", "type: kubernetes.io/tls, stringData");
    let tls = write("tls", &tls);
    let empty = write("empty", "{kind: Secret, stringData: {token: hunter}}");
    let listing = write("listing", r#"{"items":[]}"#);
    let error = write(
        "error",
        r#"{"error_code":"APIGW.0301","error_msg":"hunter"}"#,
    );
    let no_items = write("no-items", r#"{"kind":"PoolList","hunter":1}"#);
    let page = write("page", r#"{"items":[],"metadata":{"continue":"hunter"}}"#);
    let pod = write(
        "pod",
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}"#,
    );
    let late = SOURCE.replace("projectId", "interval: later, projectId");
    let late = write("late", &late);
    let offline = "--offline -f SOURCE";
    let saved = format!("{offline} --from-file {listing}");
    let table: [(String, &[&str]); 13] = [
        (format!("-f {two}"), &["holds 2 objects"]),
        (
            "-f SECRET".to_owned(),
            &["of kind \"Secret\"", "ModelArtsPoolSource"],
        ),
        (format!("-f {broken}"), &["no YAML", "line 1"]),
        (
            format!("{offline} --from-file {error}"),
            &["no complete listing", "APIGW.0301", "nothing is planned"],
        ),
        (
            format!("{offline} --from-file {no_items}"),
            &["no complete listing", "no list of pools"],
        ),
        (
            format!("{offline} --from-file {page}"),
            &["no complete listing", "metadata.continue"],
        ),
        (
            format!("--redact --from-file {error}"),
            &["no complete listing", "APIGW.0301"],
        ),
        (
            format!("{offline} --secret-file SOURCE"),
            &["of kind \"ModelArtsPoolSource\"", "Secret"],
        ),
        (
            format!("{saved} --secret-file {broken}"),
            &["--secret-file", "no YAML"],
        ),
        (
            format!("{saved} --mirrors-file {broken}"),
            &["--mirrors-file", "no YAML"],
        ),
        (
            format!("{saved} --mirrors-file {pod}"),
            &["Pod ns/p is neither a ModelArtsPool"],
        ),
        (
            format!("{offline} --secret-file {tls}"),
            &["SecretInvalid", "kubernetes.io/tls", "Opaque"],
        ),
        (
            format!("{offline} --secret-file {empty}"),
            &["SecretInvalid", "accessKey"],
        ),
    ];
    let table: Vec<_> = table.iter().map(|(a, w)| (&**a, *w)).collect();
    all_refused(&files, &table).await;
    let arguments = ["--offline", "-f", &late, "--from-file", &listing];
    let words = ["InvalidSpec", "spec.interval", "later"];
    refused(&plan::run(&arguments, &[]).await, &words);
}

#[tokio::test]
async fn nobody_answers() {
    let files = Files::new();
    let table: [(&str, &[&str]); 4] = [
        (
            "--offline -f SOURCE --secret-file SECRET --allowed-endpoints=x",
            &["--allowed-endpoints", "https://host"],
        ),
        (
            "--offline -f SOURCE --secret-file SECRET",
            &["EndpointRefused", "127.0.0.1:1"],
        ),
        (
            "--offline -f SOURCE --secret-file SECRET --allowed-endpoints=http://127.0.0.1:1",
            &["CloudUnavailable"],
        ),
        (
            "--redact --offline -f SOURCE --secret-file SECRET --allowed-endpoints=http://127.0.0.1:1",
            &["ListPools failed"],
        ),
    ];
    all_refused(&files, &table).await;
    let kubeconfig = kubeconfig_at(files.0.path(), "nobody", "https://127.0.0.1:1");
    let nobody = [("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"))];
    let words = ["ModelArtsPoolSource", "can't be reached", "--offline"];
    refused(&plan::run(&["ns/s"], &nobody).await, &words);
}

#[tokio::test]
async fn a_cluster_and_a_cloud_that_refuse() {
    let env = Env::new().await;
    let name = |source: &str| format!("{}/{source}", env.namespace);
    refused(
        &plan(&env, &[&name("nobody")]).await,
        &["no ModelArtsPoolSource", &name("nobody")],
    );
    let secret = json!({"credentials": {"type": "AccessKey", "secretRef": {"name": "no-such"}}});
    env.add_source("without", secret).await;
    refused(
        &plan(&env, &[&name("without")]).await,
        &["SecretNotFound", "no-such"],
    );
    env.add_source("s", json!({})).await;
    for (fault, words) in [
        (
            Fault::preset(Operation::ListPools, Preset::Truncated),
            "IncompleteListing",
        ),
        (
            Fault::preset(Operation::ListPools, Preset::Throttle),
            "Throttled",
        ),
        (
            Fault::status(Operation::ListPools, 401),
            "CredentialsRejected",
        ),
    ] {
        env.cloud().add_fault(fault.times(2)).expect("a fault");
        refused(&plan(&env, &[&name("s")]).await, &[words]);
        refused(
            &plan(&env, &[&name("s"), "--redact"]).await,
            &["ListPools failed"],
        );
    }
    env.cloud().clear_faults();
    let good = plan(&env, &[&name("s")]).await;
    assert_eq!(good.code, Some(2), "{}", good.stderr);
    let redacted = plan(&env, &[&name("s"), "--redact"]).await;
    assert_eq!(redacted.code, Some(0), "{}", redacted.stderr);
    assert!(
        redacted.stdout.contains("modelarts.vm.cpu.4ud") && !redacted.stdout.contains("auto-pool"),
        "{}",
        redacted.stdout
    );
}
