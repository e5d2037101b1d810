use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::json;

use super::*;
use crate::api::{API_VERSION, SOURCE_KIND};
use crate::modelarts::{AmbientOptions, HttpOptions};

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

fn source(spec: &Value) -> DynamicObject {
    let mut whole = json!({"region": "cn-north-4", "projectId": "p", "credentials": {"type": "AccessKey", "secretRef": {"name": "keys"}}});
    let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) else {
        panic!("no object");
    };
    whole.extend(spec.clone());
    object(
        json!({"apiVersion": API_VERSION, "kind": SOURCE_KIND, "metadata": {"namespace": "ns", "name": "s"}, "spec": whole,
            "status": {"observedGeneration": 1}}),
    )
}

fn known(spec: &Value, mirrors: &BTreeMap<Arc<str>, Value>) -> Known {
    let there = mirrors.values().cloned().map(object).collect();
    let objects = Objects {
        file: Some(source(spec)),
        key: Key::new("ns", "s"),
        there,
        from_cluster: false,
        now: Timestamp::UNIX_EPOCH,
    };
    Known::of(objects).expect("a state")
}

fn request(known: Known, listing: &str) -> PlanRequest {
    PlanRequest {
        known,
        credentials: CredentialsFrom::Nowhere,
        ambient: AmbientNamespaces::default(),
        pools: Pools::Saved(listing.as_bytes().to_vec()),
        now: Now {
            instant: Instant::now(),
            wall: Timestamp::UNIX_EPOCH,
        },
    }
}

fn listing(items: &[String]) -> String {
    format!(r#"{{"kind":"PoolList","items":[{}]}}"#, items.join(","))
}

fn pool(id: &str, phase: &str) -> String {
    json!({"metadata": {"name": id, "labels": {"os.modelarts/name": id}}, "spec": {"type": "Dedicate"}, "status": {"phase": phase}}).to_string()
}

/// The plan of a listing over these mirrors, and the mirrors after it.
pub(super) async fn planned(
    mirrors: &BTreeMap<Arc<str>, Value>,
    items: &[String],
) -> (Plan, BTreeMap<Arc<str>, Value>) {
    let mut run = Run::new(request(known(&json!({}), mirrors), &listing(items)));
    run.drive().await.expect("a pass");
    let after = run.api.mirrors().clone();
    (run.plan().expect("a plan"), after)
}

fn operations(plan: &Plan) -> Vec<(&str, &str)> {
    let changes = plan.changes.iter();
    changes
        .map(|c| (&*c.mirror.name, c.operation.as_str()))
        .collect()
}

#[tokio::test]
async fn only_what_differs_is_planned() {
    let first = ["b", "a", "Bad"].map(|id| pool(id, "Running"));
    let (plan, mirrors) = planned(&BTreeMap::new(), &first).await;
    assert_eq!(operations(&plan), [("a", "create"), ("b", "create")]);
    assert_eq!(plan.skipped.len(), 1);
    assert_eq!((plan.unchanged, plan.status.pools), (0, Some(2)));

    let second = [pool("a", "Running"), pool("b", "Abnormal")];
    let (plan, mirrors) = planned(&mirrors, &second).await;
    assert_eq!(operations(&plan), [("b", "update")]);
    let change = &plan.changes[0];
    let phase = |view: &Option<Value>| view.as_ref().map(|v| v["status"]["phase"].clone());
    assert_eq!(phase(&change.before), Some(json!("Running")));
    assert_eq!(phase(&change.after), Some(json!("Abnormal")));
    assert_eq!(plan.unchanged, 1);

    let (plan, _) = planned(&mirrors, &second).await;
    assert_eq!((operations(&plan), plan.unchanged), (vec![], 2));
}

#[tokio::test]
async fn edits_are_shown_as_what_is_undone() {
    let items = [pool("a", "Running")];
    let (_, mut mirrors) = planned(&BTreeMap::new(), &items).await;
    let mirror = mirrors.get_mut("a").expect("a mirror");
    // As the API server notes it, a stranger's label is the stranger's from then on.
    mirror["metadata"]["labels"]["os.modelarts/name"] = json!("mine");
    mirror["metadata"]["labels"]["theirs"] = json!("x");
    let fields = &mut mirror["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"];
    let fields = fields.as_object_mut().expect("fields");
    fields.remove("f:os.modelarts/name").expect("ours");
    mirror["spec"] = json!({"type": "x"});
    let (plan, after) = planned(&mirrors, &items).await;
    assert_eq!(operations(&plan), [("a", "update")]);
    let views = [&plan.changes[0].before, &plan.changes[0].after];
    let [before, after_view] = views.map(|v| v.as_ref().expect("a mirror"));
    assert_eq!(before["metadata"]["labels"]["os.modelarts/name"], "mine");
    assert_eq!(after_view["metadata"]["labels"]["os.modelarts/name"], "a");
    assert!(before["metadata"]["labels"]["theirs"].is_null());
    assert_eq!(after_view["spec"], json!({"type": "Dedicate"}));
    // A change of the spec is observed by the status.
    assert_eq!(after_view["status"]["observedGeneration"], 2);
    assert_eq!(after["a"]["metadata"]["labels"]["theirs"], "x");
    // What is of nobody any more goes.
    let renamed = [pool("a", "Running").replace("os.modelarts/name", "os.modelarts/other")];
    let (_, after) = planned(&after, &renamed).await;
    assert!(after["a"]["metadata"]["labels"]["os.modelarts/name"].is_null());
    assert_eq!(after["a"]["metadata"]["labels"]["os.modelarts/other"], "a");
}

#[tokio::test]
async fn mirrors_of_a_former_life_of_the_source_are_taken() {
    let items = [pool("a", "Running")];
    let (_, mirrors) = planned(&BTreeMap::new(), &items).await;
    let mut source = source(&json!({}));
    source.metadata.uid = Some("anew".to_owned());
    let there = mirrors.values().cloned().map(object).collect();
    let known = Known::of(Objects {
        file: Some(source),
        key: Key::new("ns", "s"),
        there,
        from_cluster: false,
        now: Timestamp::UNIX_EPOCH,
    });
    let known = known.expect("a state");
    let plan = plan(request(known, &listing(&items)))
        .await
        .expect("a plan");
    assert_eq!(operations(&plan), [("a", "update")]);
    let after = plan.changes[0].after.as_ref().expect("a mirror");
    let owners = &after["metadata"]["ownerReferences"];
    assert_eq!(owners.as_array().map(Vec::len), Some(1));
    assert_eq!(owners[0]["uid"], "anew");
    assert!(plan.skipped.is_empty());
}

#[tokio::test]
async fn a_stranger_is_in_the_way() {
    let mirrors = [(
        "a".into(),
        json!({
            "apiVersion": API_VERSION, "kind": "ModelArtsPool",
            "metadata": {"namespace": "ns", "name": "a", "uid": "u", "resourceVersion": "7"}, "spec": {},
        }),
    )];
    let (plan, after) = planned(&mirrors.clone().into(), &[pool("a", "Running")]).await;
    assert_eq!((operations(&plan), plan.unchanged), (vec![], 0));
    assert_eq!(plan.skipped[0].reason.as_str(), "NameConflict");
    assert_eq!(after["a"]["spec"], json!({}));
}

/// Status and reason of a condition after a change.
fn said<'a>(change: &'a Change, type_: &str) -> (&'a str, &'a str) {
    let after = change.after.as_ref().expect("a mirror");
    let conditions = after["status"]["conditions"].as_array();
    let mut conditions = conditions.expect("conditions").iter();
    let condition = conditions.find(|c| c["type"] == type_).expect(type_);
    let text = |field: &str| condition[field].as_str().expect("a text");
    (text("status"), text("reason"))
}

#[tokio::test]
async fn a_file_does_not_tell_whether_a_missing_pool_is_gone() {
    let items = ["a", "b", "c"].map(|id| pool(id, "Running"));
    let (_, mirrors) = planned(&BTreeMap::new(), &items).await;
    let (plan, mut mirrors) = planned(&mirrors, &items[1..]).await;
    assert_eq!(operations(&plan), [("a", "update")]);
    assert_eq!(said(&plan.changes[0], "Listed"), ("False", "Missing"));
    assert_eq!(said(&plan.changes[0], "Ready"), ("True", "Running"));
    let events = plan.events.iter().map(|e| (&*e.object.name, e.news.reason));
    assert_eq!(events.collect::<Vec<_>>(), [("a", "PoolMissing")]);
    assert!(plan.unasked.is_empty());

    // An hour later.
    let conditions = &mut mirrors.get_mut("a").expect("a mirror")["status"]["conditions"];
    for condition in conditions.as_array_mut().expect("conditions") {
        condition["lastTransitionTime"] = json!("1969-12-31T23:00:00Z");
    }
    let (plan, _) = planned(&mirrors, &items[1..]).await;
    assert_eq!(operations(&plan), [("a", "update")]);
    assert_eq!(said(&plan.changes[0], "Ready"), ("Unknown", "Missing"));
    assert_eq!(plan.unasked, ["a"]);
    assert_eq!(plan.unchanged, 2);
}

#[tokio::test]
async fn a_suspended_source_says_so_on_its_mirrors() {
    let (_, mirrors) = planned(&BTreeMap::new(), &[pool("a", "Running")]).await;
    let known = known(&json!({"suspend": true}), &mirrors);
    let plan = plan(request(known, r#"{"items":[]}"#))
        .await
        .expect("a plan");
    assert_eq!(plan.no_pass, Some("spec.suspend is true"));
    assert_eq!(operations(&plan), [("a", "update")]);
    assert_eq!(said(&plan.changes[0], "Synced"), ("False", "Suspended"));
    // What is not known of the content stays.
    let change = &plan.changes[0];
    let spec = |view: &Option<Value>| view.as_ref().map(|v| v["spec"].clone());
    assert_eq!(spec(&change.before), spec(&change.after));
    assert!(plan.status.conditions.is_some());
}

#[tokio::test]
async fn where_no_listing_is_there_is_no_plan() {
    let plan_of =
        |spec: Value, listing: &'static str| plan(request(known(&spec, &BTreeMap::new()), listing));
    let whole = r#"{"items":[]}"#;
    for (spec, listing, words) in [
        (json!({}), r#"{"items":[{}]}"#, "metadata.name"),
        (json!({}), r#"{"error_code":"X.1"}"#, "X.1"),
        (
            json!({"interval": "soon"}),
            whole,
            "InvalidSpec: spec.interval",
        ),
    ] {
        let problem = plan_of(spec, listing).await.expect_err(words);
        assert!(problem.contains(words), "{problem}");
    }
    // Credentials are not looked at, of whatever type they are.
    let spec = json!({"credentials": {"type": "PodIdentity"}});
    assert!(plan_of(spec, whole).await.is_ok());
    let suspended = plan_of(json!({"suspend": true}), whole).await;
    let suspended = suspended.expect("a plan");
    assert_eq!(suspended.no_pass, Some("spec.suspend is true"));
    assert!(suspended.changes.is_empty());
}

#[tokio::test]
async fn a_key_that_was_just_rejected_is_not_tried() {
    let status = json!({"credentialsRejectedTime": "1970-01-01T00:00:00Z", "conditions": [{
        "type": "Ready", "status": "False", "reason": "CredentialsRejected", "message": "", "observedGeneration": 1, "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]});
    let secret = json!({"stringData": {}, "data": {"accessKey": "QUs=", "secretKey": "U0s="}});
    let secret: Secret = serde_json::from_value(secret).expect("a Secret");
    // Any request would fail otherwise: nobody listens there, and the host is not allowed.
    let cloud = Cloud::new(HttpOptions::default(), AmbientOptions::default());
    let cloud = cloud.expect("connections");
    for (minutes, words) in [(4, "rejected the key a moment ago"), (6, "EndpointRefused")] {
        let spec = json!({"endpoint": "http://127.0.0.1:1"});
        let mut request = request(known(&spec, &BTreeMap::new()), "");
        request.known.source.status = serde_json::from_value(status.clone()).expect("a status");
        request.credentials = CredentialsFrom::File(Box::new(secret.clone()), "it".to_owned());
        request.pools = Pools::Cloud(cloud.clone());
        request.now.wall += Duration::from_mins(minutes);
        let problem = plan(request).await.expect_err(words);
        assert!(problem.contains(words), "{problem}");
    }
}
