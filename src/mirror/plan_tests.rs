use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::super::conform::PoolShape;
use super::super::desired::desired;
use super::*;
use crate::api::{API_VERSION, CONTROLLER_NAME, MANAGED_BY_LABEL, SOURCE_KIND};

const US: &str = "uid-of-our-source";
const OTHER_SOURCE: &str = "uid-of-another-source";
const DEAD_SOURCE: &str = "uid-of-a-source-that-is-gone";

fn owner() -> Owner {
    Owner {
        name: "src".into(),
        uid: US.into(),
    }
}

fn wanted(pool: &Value) -> Desired {
    let map = pool.as_object().expect("an object").clone();
    desired(
        "p",
        map,
        &pool.to_string(),
        "src",
        "0",
        &PoolShape::of_the_crd(),
    )
    .expect("a mirror")
}

fn pool() -> Value {
    json!({
        "apiVersion": "v2",
        "metadata": {"name": "p", "labels": {"os.modelarts/name": "n"}, "annotations": {"os.modelarts/description": "d"}},
        "spec": {"type": "Dedicate", "resources": [{"flavor": "f", "count": 2}]},
        "status": {"phase": "Running", "message": "m", "resources": {"available": [{"flavor": "f", "count": 2}]}}
    })
}

/// The mirror of [`pool`] as the API server holds it when nothing is left to do.
fn stored() -> Value {
    let wanted = wanted(&pool());
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (labels, annotations) = (parse(wanted.labels.get()), parse(wanted.annotations.get()));
    let fields = |map: &Value| {
        let keys = map.as_object().expect("an object").keys();
        Value::Object(keys.map(|key| (format!("f:{key}"), json!({}))).collect())
    };
    let conditions: Vec<Condition> = wanted
        .conditions()
        .iter()
        .map(|c| c.with_time("2025-11-01T03:49:41Z".parse().expect("a time"), Some(3)))
        .collect();
    let mut status = parse(wanted.status.get());
    status["observedGeneration"] = json!(3);
    status["conditions"] = json!(conditions);
    json!({
        "apiVersion": API_VERSION, "kind": "ModelArtsPool",
        "metadata": {
            "name": "p", "uid": "u", "resourceVersion": "7", "generation": 3,
            "labels": labels, "annotations": annotations,
            "ownerReferences": [reference(US)],
            "managedFields": [{"manager": CONTROLLER_NAME, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1":
                {"f:metadata": {"f:labels": fields(&labels), "f:annotations": fields(&annotations)}}},
                {"manager": CONTROLLER_NAME, "operation": "Apply", "subresource": "status", "fieldsType": "FieldsV1", "fieldsV1":
                {"f:status": {}}}]
        },
        "spec": parse(wanted.spec.get()), "status": status
    })
}

fn reference(uid: &str) -> Value {
    json!({"apiVersion": API_VERSION, "kind": SOURCE_KIND, "name": "src", "uid": uid, "controller": true})
}

fn observed(object: &Value) -> Observed {
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    Observed::of(object).expect("a stored object")
}

fn step_of(object: &Value, converged: Converged) -> Step {
    plan(
        &wanted(&pool()),
        Some(&observed(object)),
        &owner(),
        |uid| uid == US || uid == OTHER_SOURCE,
        converged,
    )
}

fn step(object: &Value) -> Step {
    step_of(object, Converged::default())
}

/// [`stored`] after a change.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = stored();
    change(&mut object);
    object
}

#[test]
fn an_absent_mirror_is_created_whatever_was_told_before() {
    let told = Converged {
        owner: true,
        object: true,
        status: true,
    };
    for converged in [Converged::default(), told] {
        let step = plan(&wanted(&pool()), None, &owner(), |_| true, converged);
        assert_eq!(step, Step::Create);
    }
}

#[test]
fn a_mirror_as_it_should_be_is_left_alone() {
    assert_eq!(step(&stored()), Step::Nothing);
}

#[test]
fn whose_a_mirror_is() {
    let controlled = |managed: bool, references: Value| {
        changed(|o| {
            o["metadata"]["ownerReferences"] = references;
            if !managed {
                let labels = o["metadata"]["labels"].as_object_mut().expect("labels");
                labels.remove(MANAGED_BY_LABEL);
            }
        })
    };
    let with = |uid: &str, field: &str, value: Value| {
        let mut reference = reference(uid);
        reference[field] = value;
        json!([reference])
    };
    let deployment = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": DEAD_SOURCE, "controller": true}]);
    for (case, managed, references, expected) in [
        // Our own, though somebody took the label off: it is put back.
        ("ours", true, json!([reference(US)]), Step::Nothing),
        (
            "ours without the label",
            false,
            json!([reference(US)]),
            Step::Apply,
        ),
        // Adopted, as after `kubectl delete --cascade=orphan` of the source.
        ("no controller", true, json!([]), Step::Apply),
        (
            "an owner that is no controller",
            true,
            with(OTHER_SOURCE, "controller", json!(false)),
            Step::Apply,
        ),
        (
            "a source that is gone",
            true,
            json!([reference(DEAD_SOURCE)]),
            Step::ReplaceOwner,
        ),
        // Never touched.
        ("a stranger's", false, json!([]), Step::Conflict),
        (
            "another source's",
            true,
            json!([reference(OTHER_SOURCE)]),
            Step::Conflict,
        ),
        (
            "a source that is gone, without the label",
            false,
            json!([reference(DEAD_SOURCE)]),
            Step::Conflict,
        ),
        ("another controller's", true, deployment, Step::Conflict),
        (
            "a kind of the same name in another group",
            true,
            with(DEAD_SOURCE, "apiVersion", json!("example.com/v1")),
            Step::Conflict,
        ),
        // The group counts, not the version: a later one owns as well.
        (
            "a source that is gone, by another version",
            true,
            with(
                DEAD_SOURCE,
                "apiVersion",
                json!("modelarts.huaweicloud.com/v1"),
            ),
            Step::ReplaceOwner,
        ),
    ] {
        let object = controlled(managed, references);
        assert_eq!(step(&object), expected, "{case}");
    }
}

#[test]
fn what_was_told_before_changes_no_ownership() {
    for (uid, owner, expected) in [
        (OTHER_SOURCE, false, Step::Conflict),
        (OTHER_SOURCE, true, Step::Conflict),
        (DEAD_SOURCE, false, Step::ReplaceOwner),
        // The API server keeps the reference to a source that is gone: not ours to take.
        (DEAD_SOURCE, true, Step::Conflict),
        (US, true, Step::Nothing),
    ] {
        let told = Converged {
            owner,
            object: true,
            status: true,
        };
        let object = changed(|o| o["metadata"]["ownerReferences"] = json!([reference(uid)]));
        assert_eq!(step_of(&object, told), expected, "{uid} {owner}");
    }
}

#[test]
fn every_difference_and_the_write_that_mends_it() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, Step); 18] = [
        (
            "spec changed",
            |o| o["spec"]["type"] = json!("Logical"),
            Step::Apply,
        ),
        (
            "spec gained a field",
            |o| o["spec"]["x"] = json!(1),
            Step::Apply,
        ),
        ("spec gone", |o| o["spec"] = Value::Null, Step::Apply),
        (
            "label changed",
            |o| o["metadata"]["labels"]["os.modelarts/name"] = json!("other"),
            Step::Apply,
        ),
        (
            "annotation changed",
            |o| o["metadata"]["annotations"]["os.modelarts/description"] = json!(""),
            Step::Apply,
        ),
        (
            "another writer owns a label with our value",
            |o| o["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"] = json!({}),
            Step::Apply,
        ),
        (
            "nothing was applied by us",
            |o| o["metadata"]["managedFields"][0]["operation"] = json!("Update"),
            Step::Apply,
        ),
        (
            "somebody else's label",
            |o| o["metadata"]["labels"]["team"] = json!("a"),
            Step::Nothing,
        ),
        (
            "somebody else's annotation",
            |o| o["metadata"]["annotations"]["argocd.argoproj.io/x"] = json!("a"),
            Step::Nothing,
        ),
        (
            "status changed",
            |o| o["status"]["phase"] = json!("Deleting"),
            Step::ApplyStatus,
        ),
        (
            "status gained a field",
            |o| o["status"]["x"] = json!(1),
            Step::ApplyStatus,
        ),
        (
            "status gone",
            |o| o["status"] = Value::Null,
            Step::ApplyStatus,
        ),
        (
            "another writer set the status, to what it is",
            |o| o["metadata"]["managedFields"][1]["operation"] = json!("Update"),
            Step::ApplyStatus,
        ),
        (
            "a condition says something else",
            |o| o["status"]["conditions"][0]["status"] = json!("False"),
            Step::ApplyStatus,
        ),
        (
            "a condition has another message",
            |o| o["status"]["conditions"][0]["message"] = json!("x"),
            Step::ApplyStatus,
        ),
        (
            "a condition is gone",
            |o| {
                let conditions = o["status"]["conditions"].as_array_mut().expect("an array");
                conditions.pop();
            },
            Step::ApplyStatus,
        ),
        (
            "the spec moved on since the status was written",
            |o| o["metadata"]["generation"] = json!(4),
            Step::ApplyStatus,
        ),
        (
            "spec and status: the spec first",
            |o| {
                o["spec"]["type"] = json!("x");
                o["status"]["phase"] = json!("x");
            },
            Step::Apply,
        ),
    ];
    for (case, change, expected) in cases {
        assert_eq!(step(&changed(change)), expected, "{case}");
    }
}

#[test]
fn only_observed_generation_is_behind() {
    let object = changed(|o| o["status"]["observedGeneration"] = json!(2));
    assert_eq!(step(&object), Step::ApplyStatus);
}

#[test]
fn what_the_api_server_made_of_a_write_is_final() {
    // It keeps something else than it was told, in both parts.
    let object = changed(|o| {
        o["spec"]["x"] = json!(1);
        o["status"]["x"] = json!(1);
    });
    for (object_told, status_told, expected) in [
        (false, false, Step::Apply),
        (false, true, Step::Apply),
        (true, false, Step::ApplyStatus),
        (true, true, Step::Nothing),
    ] {
        let converged = Converged {
            owner: false,
            object: object_told,
            status: status_told,
        };
        assert_eq!(step_of(&object, converged), expected, "{converged:?}");
    }
}

#[test]
fn a_message_longer_than_a_condition_takes_is_no_difference_for_ever() {
    let mut pool = pool();
    pool["status"]["message"] = json!("训".repeat(20_000));
    let wanted = wanted(&pool);
    let object = changed(|o| {
        o["status"]["message"] = pool["status"]["message"].clone();
        for (stored, wanted) in o["status"]["conditions"]
            .as_array_mut()
            .expect("an array")
            .iter_mut()
            .zip(wanted.conditions())
        {
            let since = "2025-11-01T03:49:41Z".parse().expect("a time");
            *stored = json!(wanted.with_time(since, Some(3)));
        }
    });
    let step = plan(
        &wanted,
        Some(&observed(&object)),
        &owner(),
        |_| true,
        Converged::default(),
    );
    assert_eq!(step, Step::Nothing);
}
