//! The API server itself refuses a bad source, and says which field is wrong and what would be right.

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::support::env::Env;

fn source() -> Value {
    json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
        "metadata": {"name": "s"},
        "spec": {"region": "cn-north-4", "projectId": "0a1b2c3d", "credentials": {"type": "AccessKey", "secretRef": {"name": "keys"}}}
    })
}

/// The message of the refusal of the good source, with `patch` merged into it.
async fn refusal(api: &Api<DynamicObject>, patch: &Value) -> Option<String> {
    let mut source = source();
    merge(&mut source, patch);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let object: DynamicObject = serde_json::from_value(source).expect("an object");
    match api.create(&params, &object).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message),
        Err(other) => panic!("{other}"),
    }
}

/// A JSON merge patch, but null stays null: the API server must see it.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value == "REMOVED" {
                    target.remove(key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "it is a table")]
async fn each_mistake_is_refused_by_name() {
    let env = Env::new().await;
    let api = env.sources_as_json();
    let spec = |spec: Value| json!({"spec": spec});
    let cases = [
        (
            spec(json!({"projectId": "REMOVED"})),
            "spec.projectId",
            "Required",
        ),
        (
            spec(json!({"projectId": ""})),
            "spec.projectId",
            "1 to 64 letters",
        ),
        (
            spec(json!({"projectId": "a b"})),
            "spec.projectId",
            "1 to 64 letters",
        ),
        (
            spec(json!({"projectId": "x".repeat(65)})),
            "spec.projectId",
            "64",
        ),
        (
            spec(json!({"region": "REMOVED"})),
            "spec",
            "region or endpoint is required",
        ),
        (
            spec(json!({"region": null})),
            "spec",
            "region or endpoint is required",
        ),
        (
            spec(json!({"region": ""})),
            "spec.region",
            "such as cn-north-4",
        ),
        (
            spec(json!({"region": "CN North 4"})),
            "spec.region",
            "such as cn-north-4",
        ),
        (spec(json!({"region": "x".repeat(32)})), "spec.region", "31"),
        (
            spec(json!({"endpoint": ""})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "modelarts.example.com"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "ftp://host"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://user:pw@host"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://host/path"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://host/"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://host?q=1"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"endpoint": "https://host#f"})),
            "spec.endpoint",
            "plain origin",
        ),
        (
            spec(json!({"iamEndpoint": "https://host/v3"})),
            "spec.iamEndpoint",
            "plain origin",
        ),
        (
            spec(json!({"interval": "soon"})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"interval": "1 day"})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"interval": "-5m"})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"interval": ""})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"interval": "4.999s"})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"interval": "24h1ms"})),
            "spec.interval",
            "from 5s to 24h",
        ),
        (
            spec(json!({"prune": {"gracePeriod": "169h"}})),
            "spec.prune.gracePeriod",
            "from 0s to 168h",
        ),
        (
            spec(json!({"prune": {"gracePeriod": "later"}})),
            "spec.prune.gracePeriod",
            "from 0s to 168h",
        ),
        (
            spec(json!({"prune": {"maxPercent": 101}})),
            "spec.prune.maxPercent",
            "less than or equal to 100",
        ),
        (
            spec(json!({"prune": {"maxPercent": -1}})),
            "spec.prune.maxPercent",
            "greater than or equal to 0",
        ),
        (
            spec(json!({"prune": {"policy": "Keep"}})),
            "spec.prune.policy",
            "\"Delete\", \"Retain\"",
        ),
        (
            spec(json!({"credentials": "REMOVED"})),
            "spec.credentials",
            "Required",
        ),
        (
            spec(json!({"credentials": {"type": "Key"}})),
            "spec.credentials.type",
            "\"AccessKey\", \"Token\"",
        ),
        (
            spec(json!({"credentials": {"secretRef": "REMOVED"}})),
            "spec.credentials",
            "secretRef is required",
        ),
        (
            spec(json!({"credentials": {"secretRef": null}})),
            "spec.credentials",
            "secretRef is required",
        ),
        (
            spec(json!({"credentials": {"secretRef": {"name": ""}}})),
            "spec.credentials.secretRef.name",
            "name of a Secret",
        ),
        (
            spec(json!({"credentials": {"type": "Token", "secretRef": "REMOVED"}})),
            "spec.credentials",
            "secretRef is required",
        ),
        (
            spec(json!({"credentials": {"type": "Password", "secretRef": "REMOVED"}})),
            "spec.credentials",
            "secretRef is required",
        ),
        (
            spec(json!({"credentials": {"secretRef": {"name": "REMOVED"}}})),
            "spec.credentials.secretRef.name",
            "Required",
        ),
        (
            spec(json!({"credentials": {"type": "PodIdentity"}})),
            "spec.credentials",
            "does not belong",
        ),
        (
            spec(json!({"workspaceIds": ["x".repeat(65)]})),
            "spec.workspaceIds",
            "64",
        ),
        (
            spec(json!({"workspaceIds": (0..101).map(|i| i.to_string()).collect::<Vec<_>>()})),
            "spec.workspaceIds",
            "100",
        ),
        (
            spec(json!({"credentials": {"type": "Agency"}})),
            "spec.credentials",
            "does not belong",
        ),
        (
            spec(
                json!({"region": "REMOVED", "endpoint": "https://h", "credentials": {"type": "Password"}}),
            ),
            "spec",
            "need region or iamEndpoint",
        ),
        (
            spec(json!({"statuses": ["deleted"]})),
            "spec.statuses[0]",
            "\"created\", \"creating\", \"failed\"",
        ),
        (spec(json!({"statuses": []})), "spec.statuses", "at least 1"),
        (
            spec(json!({"statuses": ["failed", "failed"]})),
            "spec.statuses",
            "Duplicate",
        ),
        (
            spec(json!({"workspaceIds": []})),
            "spec.workspaceIds",
            "at least 1",
        ),
        (
            spec(json!({"workspaceIds": ["*", "0"]})),
            "spec.workspaceIds",
            "stands alone",
        ),
        (
            spec(json!({"workspaceIds": ["0", "0"]})),
            "spec.workspaceIds",
            "Duplicate",
        ),
        (
            spec(json!({"workspaceIds": ["a b"]})),
            "spec.workspaceIds",
            "ids of workspaces",
        ),
        (
            spec(json!({"labelSelector": "x".repeat(1025)})),
            "spec.labelSelector",
            "1024",
        ),
        (
            json!({"metadata": {"name": "x".repeat(64)}}),
            "",
            "at most 63 characters",
        ),
    ];
    for (patch, field, right) in cases {
        let message = refusal(&api, &patch)
            .await
            .unwrap_or_else(|| panic!("accepted: {patch}"));
        assert!(
            message.contains(field) && message.contains(right),
            "{patch}: {message}"
        );
    }
}

#[tokio::test]
async fn good_sources_are_accepted() {
    let env = Env::new().await;
    let api = env.sources_as_json();
    let spec = |spec: Value| json!({"spec": spec});
    for patch in [
        json!({}),
        spec(json!({"endpoint": "https://host:8443"})),
        spec(json!({"region": "REMOVED", "endpoint": "http://127.0.0.1:8088"})),
        spec(json!({"endpoint": "https://[::1]:8443"})),
        spec(json!({"interval": "5000ms"})),
        spec(json!({"interval": "1h30m"})),
        spec(json!({"interval": "24h", "prune": {"gracePeriod": "0s", "maxPercent": 0}})),
        spec(json!({"prune": {}})),
        spec(json!({"prune": {"policy": "Retain", "maxPercent": 100}})),
        spec(json!({"workspaceIds": ["*"], "statuses": ["failed"]})),
        spec(json!({"credentials": {"type": "PodIdentity", "secretRef": "REMOVED"}})),
        json!({"metadata": {"name": "x".repeat(63)}}),
    ] {
        assert_eq!(refusal(&api, &patch).await, None, "{patch}");
    }
}

#[tokio::test]
async fn defaults_are_filled_in() {
    let env = Env::new().await;
    let api = env.sources_as_json();
    let object: DynamicObject = serde_json::from_value(source()).expect("an object");
    let created = api
        .create(&PostParams::default(), &object)
        .await
        .expect("accepted");
    let mut expected = json!({
        "region": "cn-north-4", "projectId": "0a1b2c3d", "credentials": {"type": "AccessKey", "secretRef": {"name": "keys"}},
        "workspaceIds": ["0"], "labelSelector": "", "statuses": ["created", "creating", "failed"], "interval": "30s",
        "suspend": false, "prune": {"policy": "Delete", "gracePeriod": "2m", "maxPercent": 50}
    });
    assert_eq!(created.data["spec"], expected);

    let change = |project: &str| Patch::Merge(json!({"spec": {"projectId": project}}));
    let error = api
        .patch("s", &PatchParams::default(), &change("other"))
        .await
        .expect_err("immutable");
    assert!(
        error.to_string().contains("projectId can't be changed"),
        "{error}"
    );
    let patch = Patch::Merge(json!({"spec": {"interval": "1m"}}));
    let changed = api
        .patch("s", &PatchParams::default(), &patch)
        .await
        .expect("accepted");
    expected["interval"] = json!("1m");
    assert_eq!(changed.data["spec"], expected);
    api.delete("s", &DeleteParams::default())
        .await
        .expect("deleted");
}
