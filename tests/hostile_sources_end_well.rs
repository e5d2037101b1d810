//! Sources at the border of what the API server takes, and beyond, and Secrets and statuses that nobody should
//! write: each source is refused, or says in `Ready` what is so. The controller goes on.

use kube::api::{Patch, PatchParams, PostParams};
use modelarts_pool_controller::api::ModelArtsPoolSource;
use modelarts_pool_controller::simulator::{DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, Scenario};
use serde_json::{Value, json};

use super::support::env::{Env, SECRET, merge, source_condition};

/// What becomes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The API server refuses it.
    Refused,
    /// `Ready` has this reason.
    Ready(&'static str),
}

const SYNCED: End = End::Ready("Synced");
const INVALID: End = End::Ready("InvalidSpec");
const HOST_REFUSED: End = End::Ready("EndpointRefused");
const SECRET_INVALID: End = End::Ready("SecretInvalid");

/// What is strange, what it is, merged into a good source, and what becomes of it.
type Row = (&'static str, Value, End);

#[allow(clippy::needless_pass_by_value, reason = "the table reads better")]
fn spec(spec: Value) -> Value {
    json!({ "spec": spec })
}

fn endpoint(endpoint: &str) -> Value {
    spec(json!({ "endpoint": endpoint }))
}

#[rustfmt::skip]
fn endpoints() -> Vec<Row> {
    let long = |length: usize| format!("http://{}", "h".repeat(length));
    vec![
        ("the address of metadata", endpoint("http://169.254.169.254"), HOST_REFUSED),
        ("the same as one number", endpoint("http://2852039166"), HOST_REFUSED),
        ("the same in hexadecimal", endpoint("http://0xa9fea9fe"), HOST_REFUSED),
        ("the same in octal", endpoint("http://0251.0376.0251.0376"), HOST_REFUSED),
        ("loopback in IPv6", endpoint("http://[::ffff:127.0.0.1]:80"), HOST_REFUSED),
        ("loopback by its name", endpoint("http://localhost:80"), HOST_REFUSED),
        ("a name in capitals", endpoint("http://LOCALHOST:80"), HOST_REFUSED),
        ("a name with a dot at its end", endpoint("http://127.0.0.1.:80"), End::Refused),
        ("a name that looks allowed", endpoint("http://127.0.0.1.evil.example:80"), HOST_REFUSED),
        ("a name in punycode", endpoint("https://xn--mgb.example"), HOST_REFUSED),
        ("another scheme than is allowed", endpoint("https://127.0.0.1:80"), HOST_REFUSED),
        ("a long name", endpoint(&long(200)), HOST_REFUSED),
        ("the last port", endpoint("http://host:65535"), HOST_REFUSED),
        ("a port too many", endpoint("http://host:65536"), INVALID),
        ("a port that is none", endpoint("http://host:"), End::Refused),
        ("two hosts", endpoint("http://a@127.0.0.1:80"), End::Refused),
        ("two hosts by a backslash", endpoint("http://a\\@127.0.0.1"), End::Refused),
        ("a line break", endpoint("http://127.0.0.1\r\nx: y"), End::Refused),
        ("a path of dots", endpoint("http://127.0.0.1/.."), End::Refused),
        ("an address of 10 KB", endpoint(&long(10_000)), End::Refused),
        ("letters of another alphabet", endpoint("http://１２７.0.0.1"), End::Refused),
        ("a region that is a host", spec(json!({"endpoint": null, "region": "evil.example/x"})), End::Refused),
        ("a region that no document names", spec(json!({"endpoint": null, "region": "evil"})), HOST_REFUSED),
    ]
}

#[rustfmt::skip]
fn selections() -> Vec<Row> {
    let workspaces = |count: usize, of: fn(usize) -> String| {
        spec(json!({"workspaceIds": (0..count).map(of).collect::<Vec<_>>()}))
    };
    let selector = |text: &str| spec(json!({ "labelSelector": text }));
    vec![
        ("100 workspaces with the longest ids", workspaces(100, |n| format!("{n:064}")), End::Ready("InvalidRequest")),
        ("101 workspaces", workspaces(101, |n| n.to_string()), End::Refused),
        ("a workspace that leads elsewhere", spec(json!({"workspaceIds": ["../0"]})), End::Refused),
        ("a workspace that is a query", spec(json!({"workspaceIds": ["0&status=x"]})), End::Refused),
        ("the longest selector", selector(&format!("a={}", "x".repeat(1022))), SYNCED),
        ("the longest selector in four bytes each", selector(&"😀".repeat(1024)), SYNCED),
        ("a selector one longer", selector(&"x".repeat(1025)), End::Refused),
        ("a selector that breaks lines", selector("a\r\nx-injected: 1\0"), End::Ready("InvalidRequest")),
        ("a selector that is a query", selector("a&workspaceId=1#"), SYNCED),
        ("the longest project", spec(json!({"projectId": "_".repeat(64)})), End::Ready("InvalidRequest")),
        ("a project that leads elsewhere", spec(json!({"projectId": ".."})), End::Refused),
        ("a project with a line break at its end", spec(json!({"projectId": "a\n"})), End::Refused),
        ("the shortest interval", spec(json!({"interval": "5s"})), SYNCED),
        ("an interval with many zeros", spec(json!({"interval": "000000000000005s"})), SYNCED),
        ("an interval of 17 characters", spec(json!({"interval": "00000000000000005s"})), End::Refused),
        ("an interval in parts of a second", spec(json!({"interval": "5000000000ns"})), End::Refused),
        ("an interval that overflows", spec(json!({"interval": "9999999999999h"})), End::Refused),
        ("an interval below zero", spec(json!({"interval": "-5s"})), End::Refused),
        ("the longest of all times", spec(json!({"interval": "24h", "prune": {"gracePeriod": "168h"}})), SYNCED),
        ("no grace at all", spec(json!({"prune": {"gracePeriod": "0s", "maxPercent": 0}})), SYNCED),
        ("more than all", spec(json!({"prune": {"maxPercent": 9_223_372_036_854_775_807_i64}})), End::Refused),
        ("a field that nobody knows", spec(json!({"surprise": {"a": [1]}})), SYNCED),
        ("the longest name", json!({"metadata": {"name": "n".repeat(63)}}), SYNCED),
        ("a name one longer", json!({"metadata": {"name": "n".repeat(64)}}), End::Refused),
        ("a name with dots", json!({"metadata": {"name": "a.b.c"}}), SYNCED),
        ("a request for a refresh of 200 KB", json!({"metadata": {"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "x".repeat(200_000)}}}), SYNCED),
        ("a request for a refresh in strange words", json!({"metadata": {"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "\u{0}\u{85}\u{2028}\u{feff}😀"}}}), SYNCED),
    ]
}

#[rustfmt::skip]
fn secrets() -> Vec<Row> {
    let secret = |name: &str| spec(json!({"credentials": {"secretRef": {"name": name}}}));
    vec![
        ("the longest name of a Secret", secret(&"s".repeat(253)), End::Ready("SecretNotFound")),
        ("a Secret that leads elsewhere", secret("../kube-system/x"), End::Refused),
        ("a Secret without anything", secret("empty"), SECRET_INVALID),
        ("a key with a line break", secret("line-break"), SECRET_INVALID),
        ("a key with a NUL", secret("nul"), SECRET_INVALID),
        ("a key that is no ASCII", secret("unicode"), SECRET_INVALID),
        ("a key of 500 KB, which no gateway takes", secret("large"), End::Ready("SecretInvalid")),
        ("a key that is empty", secret("blank"), SECRET_INVALID),
    ]
}

async fn put_secrets(env: &Env) {
    let keys = [
        ("empty", json!({})),
        ("line-break", json!({"accessKey": "A\nB", "secretKey": "s"})),
        (
            "nul",
            json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": "a\u{0}b"}),
        ),
        ("unicode", json!({"accessKey": "训", "secretKey": "练"})),
        (
            "large",
            json!({"accessKey": "A".repeat(500_000), "secretKey": "secret"}),
        ),
        ("blank", json!({"accessKey": "", "secretKey": " "})),
    ];
    for (name, data) in keys {
        env.put_secret(name, "Opaque", &data).await;
    }
}

/// Creates the source of a row; its name, where the API server takes it.
async fn create(env: &Env, number: usize, row: &Value) -> Option<String> {
    let mut source = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
        "metadata": {"name": format!("hostile-{number}")},
        "spec": {"endpoint": env.endpoint(), "projectId": DEFAULT_PROJECT_ID, "interval": "1h",
            "credentials": {"type": "AccessKey", "secretRef": {"name": SECRET}}},
    });
    merge(&mut source, row.clone());
    let object = serde_json::from_value(source).expect("an object");
    let created = env.sources_as_json();
    let created = created.create(&PostParams::default(), &object).await;
    created.ok()?.metadata.name
}

fn ready(source: &ModelArtsPoolSource) -> Option<(&str, &str)> {
    let ready = source_condition(source, "Ready").filter(|c| c.reason != "FirstPass")?;
    Some((&ready.reason, &ready.message))
}

#[tokio::test]
async fn each_is_refused_or_says_what_is_so() {
    let env = Env::with(Scenario::default()).await;
    put_secrets(&env).await;
    let controller = env.start_controller().await;
    let rows = [endpoints(), selections(), secrets()];
    let mut problems = Vec::new();
    for (number, (name, row, end)) in rows.into_iter().flatten().enumerate() {
        let Some(object) = create(&env, number, &row).await else {
            if end != End::Refused {
                problems.push(format!("{name}: refused, not {end:?}"));
            }
            continue;
        };
        let source = env.source_when(&object, name, |s| ready(s).is_some()).await;
        let (reason, message) = ready(&source).expect("Ready");
        if !matches!(end, End::Ready(expected) if expected == reason) {
            problems.push(format!("{name}: {reason}, not {end:?}: {message}"));
        }
        if message.len() > 1500 || message.contains(|c: char| c.is_control()) {
            problems.push(format!("{name}: no clear message: {message:?}"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    // It still does its work.
    env.add_source("good", json!({})).await;
    env.synced("good").await;
    controller.stop().await;
}

/// A status is the controller's own. Who may write it may still write nonsense.
#[tokio::test]
async fn what_a_stranger_writes_into_a_status_stops_nothing() {
    let conditions: Vec<Value> = (0..1000)
        .map(|n| {
            json!({"type": format!("T{n}"), "status": "Unknown", "reason": "R", "message": "",
                "lastTransitionTime": "2022-09-16T03:10:40Z"})
        })
        .collect();
    let ready = |reason: &str, time: &str| {
        json!([{"type": "Ready", "status": "False", "reason": reason, "message": "",
            "lastTransitionTime": time, "observedGeneration": 1}])
    };
    let last = "9999-12-31T23:59:59Z";
    let first = "0001-01-01T00:00:00Z";
    let statuses = [
        json!({"lastSyncTime": last, "lastAttemptTime": last, "freshUntil": last}),
        json!({"lastSyncTime": first, "lastAttemptTime": first, "freshUntil": first}),
        json!({"observedGeneration": i64::MAX, "pools": i64::MIN, "counts": {"desired": i64::MIN}}),
        json!({"conditions": conditions}),
        json!({"lastHandledRefresh": "x".repeat(500_000)}),
        json!({"skipped": {"count": -1, "pools": []}}),
        json!({"conditions": ready("Synced", last)}),
        json!({"conditions": ready("CredentialsRejected", first), "credentialsRejectedTime": first}),
        json!({"credentialsRejectedTime": first, "notBefore": "9999-01-01T00:00:00Z"}),
    ];
    let env = Env::with(Scenario::default()).await;
    let names: Vec<String> = (0..statuses.len()).map(|n| format!("status-{n}")).collect();
    for (name, status) in names.iter().zip(statuses) {
        env.add_source(name, json!({})).await;
        let patch = Patch::Merge(json!({"status": status}));
        let params = PatchParams::default();
        let patched = env.sources_as_json();
        let patched = patched.patch_status(name, &params, &patch).await;
        patched.unwrap_or_else(|e| panic!("{name} is refused: {e}"));
    }
    let controller = env.start_controller().await;
    for name in &names {
        env.synced(name).await;
    }
    controller.stop().await;
}
