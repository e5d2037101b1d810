//! A mirror is accepted whatever the cloud sends, and what the API server makes of it is final.

use kube::api::ListParams;
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::{Value, json};

use super::support::audit::writes;
use super::support::env::Env;

/// What the cloud might send in place of something else, each in every place that has a type.
pub(super) fn odd_values() -> Vec<Value> {
    let number = |text: &str| serde_json::from_str(text).expect("a number");
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        number("1e300"),
        number("9223372036854775808"),
        number("12345678901234567890"),
        number("-0.0"),
        json!(""),
        json!("text"),
        json!("2"),
        json!("2022-09-16 CST"),
        json!("训练 池😀\u{0}\u{7f}\u{85}\u{9f}\u{2028}\u{202e}\u{feff}\u{ffff}"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([null]),
        json!([1, "a", {}, [], null, 1.5]),
        json!({}),
        json!({"a": {"b": {"c": [null, {}, 1.0]}}}),
        json!([{"flavor": 5, "count": "3", "azs": "none", "nodePool": {}}]),
        json!({"flavor": "f", "count": 1.0, "maxCount": "many", "new": {"x": null}}),
        json!({"k".repeat(998): 1, "long".repeat(400): 1}),
        json!({"": "", "with space": 1, "dotted.key/x": {}, "$ref": "#/x", "__proto__": {}, "<<": {"a": 1}, "2022-09-16": "2022-09-16", "y": "yes", "\u{85}": 1}),
    ]
}

/// Places of a pool where the cloud may send something odd.
const PLACES: [&str; 24] = [
    "/metadata/creationTimestamp",
    "/metadata/labels",
    "/metadata/annotations",
    "/metadata/labels/os.modelarts~1name",
    "/metadata/annotations/os.modelarts~1description",
    "/metadata/annotations/plain",
    "/apiVersion",
    "/spec",
    "/spec/type",
    "/spec/scope",
    "/spec/resources",
    "/spec/resources/0",
    "/spec/network",
    "/spec/controlMode",
    "/spec/unknown",
    "/status",
    "/status/phase",
    "/status/message",
    "/status/resources",
    "/status/resources/available",
    "/status/scope",
    "/status/conditions",
    "/status/counts",
    "/status/unknown",
];

fn pool(id: &str) -> Value {
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {"name": id, "creationTimestamp": "2022-09-16T03:10:40Z",
            "labels": {"os.modelarts/name": "n"}, "annotations": {"os.modelarts/description": "", "plain": ""}},
        "spec": {"type": "Dedicate", "scope": ["Train"], "resources": [{"flavor": "f", "count": 2}],
            "network": {"name": "n"}, "controlMode": 0, "unknown": 0},
        "status": {"phase": "Running", "message": "", "resources": {"available": [{"flavor": "f", "count": 2}]},
            "scope": [], "conditions": 0, "counts": 0, "unknown": 0},
    })
}

/// Pools with something odd in each place, as the texts that the cloud would send.
pub(super) fn odd_pools() -> Vec<String> {
    let mut pools = Vec::new();
    for (p, place) in PLACES.iter().enumerate() {
        for (v, value) in odd_values().into_iter().enumerate() {
            let mut pool = pool(&format!("odd-{p}-{v}"));
            *pool.pointer_mut(place).expect(place) = value;
            pools.push(pool.to_string());
        }
    }
    // What no `Value` holds: keys twice, numbers beyond any float's digits.
    for (i, text) in [
        r#"{"metadata":{"name":"NAME"},"spec":{"type":"Logical","type":"Dedicate"},"spec":{"controlMode":1}}"#,
        r#"{"metadata":{"name":"NAME"},"spec":{"x":1234567890123456789012345678901234567890,"y":0.1000000000000000000000000001,"z":1E2}}"#,
        r#"{"metadata":{"name":"NAME"},"status":{"x":"\ud83d\ude00 \u0000"}}"#,
        r#" { "metadata" : { "name" : "NAME" } } "#,
    ]
    .iter()
    .enumerate()
    {
        pools.push(text.replace("NAME", &format!("text-{i}")));
    }
    pools
}

#[tokio::test]
async fn whatever_the_cloud_sends_is_accepted_and_stays() {
    let pools = odd_pools();
    let env = Env::with(Scenario::default()).await;
    let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &pools);
    put.expect("pools");
    env.add_source("odd", json!({})).await;
    let controller = env.start_controller().await;

    let status = env.synced("odd").await.status.expect("a status");
    assert_eq!(status.skipped, None);
    assert_eq!(status.pools, i64::try_from(pools.len()).ok());
    let mirrors = env
        .pools()
        .list(&ListParams::default())
        .await
        .expect("all parse");
    assert_eq!(mirrors.items.len(), pools.len());
    assert!(mirrors.items.iter().all(|m| m.status.is_some()));

    // None of it looks like a change the next time, nor to a controller that has just started.
    let mirror_writes = |agent: &str| {
        let writes = writes(&env.cluster.audit_log(), agent).into_iter();
        writes
            .filter(|r| r.object_ref.resource == "modelartspools")
            .collect::<Vec<_>>()
    };
    let before = mirror_writes(&controller.agent).len();
    assert!(before >= 2 * pools.len());
    env.refresh("odd").await;
    controller.stop().await;
    let controller = env.start_controller().await;
    env.refresh("odd").await;
    let after = mirror_writes(&controller.agent);
    assert_eq!(after.len(), before, "{:#?}", &after[before..]);
}
