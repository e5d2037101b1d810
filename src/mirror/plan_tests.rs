use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::super::conform::PoolShape;
use super::super::desired::desired;
use super::super::situation::{Freshness, Presence, conditions};
use super::*;
use crate::api::{API_VERSION, CONTROLLER_NAME, MANAGED_BY_LABEL, SOURCE_KIND, SOURCE_LABEL};

const US: &str = "uid-of-our-source";
const OTHER_SOURCE: &str = "uid-of-another-source";
const DEAD_SOURCE: &str = "uid-of-a-source-that-is-gone";

fn owner() -> Owner {
    Owner {
        name: "src".into(),
        uid: US.into(),
    }
}

fn content(pool: &Value) -> Desired {
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

/// What the mirror of a listed pool should be.
fn listed(content: &Desired) -> Wanted<'_> {
    let readiness = &content.readiness;
    Wanted {
        existence: Existence::Required,
        content: Some(content),
        conditions: conditions(readiness, Presence::Listed, Freshness::Fresh, None),
        counts: Counts::Kept,
    }
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
    let content = content(&pool());
    let wanted = listed(&content);
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (labels, annotations) = (
        parse(content.labels.get()),
        parse(content.annotations.get()),
    );
    let fields = |map: &Value| {
        let keys = map.as_object().expect("an object").keys();
        Value::Object(keys.map(|key| (format!("f:{key}"), json!({}))).collect())
    };
    let conditions: Vec<Condition> = wanted
        .conditions
        .iter()
        .map(|c| c.with_time("2025-11-01T03:49:41Z".parse().expect("a time"), Some(3)))
        .collect();
    let mut status = parse(content.status.get());
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
        "spec": parse(content.spec.get()), "status": status
    })
}

fn reference(uid: &str) -> Value {
    json!({"apiVersion": API_VERSION, "kind": SOURCE_KIND, "name": "src", "uid": uid, "controller": true})
}

fn observed(object: &Value) -> Observed {
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    Observed::of(object).expect("a stored object")
}

/// The next step, where the API server was told what `told` names.
fn step_of(object: &Value, told: &[Step]) -> Step {
    step_for(&listed(&content(&pool())), object, told)
}

fn step_for(wanted: &Wanted<'_>, object: &Value, told: &[Step]) -> Step {
    plan(
        wanted,
        Some(&observed(object)),
        &owner(),
        |uid| uid == US || uid == OTHER_SOURCE,
        |step| told.contains(&step),
    )
}

fn step(object: &Value) -> Step {
    step_of(object, &[])
}

/// [`stored`] after a change.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = stored();
    change(&mut object);
    object
}

#[test]
fn an_absent_mirror_is_created_whatever_was_told_before() {
    for told in [false, true] {
        let content = content(&pool());
        let step = plan(&listed(&content), None, &owner(), |_| true, |_| told);
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
    for (uid, replaced, expected) in [
        (OTHER_SOURCE, false, Step::Conflict),
        (OTHER_SOURCE, true, Step::Conflict),
        (DEAD_SOURCE, false, Step::ReplaceOwner),
        // The API server keeps the reference to a source that is gone: not ours to take.
        (DEAD_SOURCE, true, Step::Conflict),
        (US, true, Step::Nothing),
    ] {
        let mut told = vec![Step::Apply, Step::ApplyStatus];
        told.extend(replaced.then_some(Step::ReplaceOwner));
        let object = changed(|o| o["metadata"]["ownerReferences"] = json!([reference(uid)]));
        assert_eq!(step_of(&object, &told), expected, "{uid} {replaced}");
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
            |o| o["metadata"]["managedFields"][1]["manager"] = json!("kubectl-edit"),
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
    for (told, expected) in [
        (&[][..], Step::Apply),
        (&[Step::ApplyStatus], Step::Apply),
        (&[Step::Apply], Step::ApplyStatus),
        (&[Step::Apply, Step::ApplyStatus], Step::Nothing),
    ] {
        assert_eq!(step_of(&object, told), expected, "{told:?}");
    }
}

#[test]
fn a_message_longer_than_a_condition_takes_is_no_difference_for_ever() {
    let mut pool = pool();
    pool["status"]["message"] = json!("训".repeat(20_000));
    let content = content(&pool);
    let wanted = listed(&content);
    let object = changed(|o| {
        o["status"]["message"] = pool["status"]["message"].clone();
        for (stored, wanted) in o["status"]["conditions"]
            .as_array_mut()
            .expect("an array")
            .iter_mut()
            .zip(&wanted.conditions)
        {
            let since = "2025-11-01T03:49:41Z".parse().expect("a time");
            *stored = json!(wanted.with_time(since, Some(3)));
        }
    });
    assert_eq!(step_for(&wanted, &object, &[]), Step::Nothing);
}

/// What a mirror should be whose content this process has not seen listed.
fn unknown(existence: Existence, presence: Presence, freshness: Freshness) -> Wanted<'static> {
    let shown = observed(&stored());
    let written = Some(&shown.conditions);
    Wanted {
        existence,
        content: None,
        conditions: conditions(&shown.readiness(), presence, freshness, written),
        counts: match presence {
            Presence::Gone { .. } => Counts::Zero,
            _ => Counts::Kept,
        },
    }
}

#[test]
fn a_mirror_that_was_not_listed_yet_stays_as_it_is() {
    let wanted = unknown(
        Existence::Kept { adopted: false },
        Presence::Unknown,
        Freshness::Fresh,
    );
    assert_eq!(step_for(&wanted, &stored(), &[]), Step::Nothing);
    let edited = changed(|o| o["status"]["phase"] = json!("x"));
    assert_eq!(step_for(&wanted, &edited, &[]), Step::Nothing);
}

#[test]
fn of_a_mirror_that_was_not_listed_only_the_conditions_are_patched() {
    let since = "2025-11-02T00:00:00Z".parse().expect("a time");
    let missing = Presence::Missing {
        since,
        overdue: false,
    };
    let stale = Freshness::Stale;
    for (presence, freshness) in [
        (Presence::Unknown, stale),
        (Presence::Unknown, Freshness::Suspended { stale: false }),
        (missing, Freshness::Fresh),
        (Presence::Gone { since }, Freshness::Fresh),
    ] {
        let wanted = unknown(Existence::Kept { adopted: false }, presence, freshness);
        assert_eq!(
            step_for(&wanted, &stored(), &[]),
            Step::PatchStatus,
            "{presence:?}"
        );
        // Told once, it is so.
        let told = changed(|o| {
            let time = "2025-11-01T03:49:41Z".parse().expect("a time");
            let conditions = wanted.conditions.iter().map(|c| c.with_time(time, Some(3)));
            o["status"]["conditions"] = json!(conditions.collect::<Vec<_>>());
            if wanted.counts == Counts::Zero {
                o["status"]["counts"] = json!(crate::api::PoolCounts::zero());
            }
        });
        assert_eq!(step_for(&wanted, &told, &[]), Step::Nothing, "{presence:?}");
        assert_eq!(
            step_for(&wanted, &stored(), &[Step::PatchStatus]),
            Step::Nothing
        );
    }
}

#[test]
fn only_what_is_owned_is_deleted() {
    let removed = unknown(Existence::Removed, Presence::Unknown, Freshness::Fresh);
    assert_eq!(step_for(&removed, &stored(), &[]), Step::Delete);
    for (references, expected) in [
        (json!([]), Step::ReplaceOwner),
        (json!([reference(DEAD_SOURCE)]), Step::ReplaceOwner),
        (json!([reference(OTHER_SOURCE)]), Step::Nothing),
    ] {
        let object = changed(|o| o["metadata"]["ownerReferences"] = references.clone());
        assert_eq!(step_for(&removed, &object, &[]), expected, "{references}");
        let told = [Step::ReplaceOwner];
        assert_eq!(step_for(&removed, &object, &told), Step::Nothing);
        let of_another = changed(|o| {
            o["metadata"]["ownerReferences"] = references.clone();
            o["metadata"]["labels"][SOURCE_LABEL] = json!("another");
        });
        assert_eq!(step_for(&removed, &of_another, &[]), Step::Nothing);
    }
    let absent = plan(&removed, None, &owner(), |_| true, |_| false);
    assert_eq!(absent, Step::Nothing);
}

#[test]
fn a_mirror_of_a_missing_pool_is_neither_restored_nor_fought_for() {
    let content = content(&pool());
    let kept = Wanted {
        existence: Existence::Kept { adopted: false },
        ..listed(&content)
    };
    assert_eq!(
        plan(&kept, None, &owner(), |_| true, |_| false),
        Step::Nothing
    );
    for (references, expected) in [
        (json!([reference(OTHER_SOURCE)]), Step::Nothing),
        (json!([reference(DEAD_SOURCE)]), Step::Nothing),
        // Taken off by somebody: put back, where it is known what the mirror is.
        (json!([]), Step::Apply),
    ] {
        let object = changed(|o| o["metadata"]["ownerReferences"] = references.clone());
        assert_eq!(step_for(&kept, &object, &[]), expected, "{references}");
    }
    let unknown = unknown(
        Existence::Kept { adopted: false },
        Presence::Unknown,
        Freshness::Stale,
    );
    let orphan = changed(|o| o["metadata"]["ownerReferences"] = json!([]));
    assert_eq!(step_for(&unknown, &orphan, &[]), Step::Nothing);
}

#[test]
fn a_time_that_is_known_is_part_of_what_a_condition_says() {
    let content = content(&pool());
    let since: jiff::Timestamp = "2025-11-02T00:00:00Z".parse().expect("a time");
    let presence = Presence::Missing {
        since,
        overdue: false,
    };
    let wanted = Wanted {
        existence: Existence::Kept { adopted: false },
        conditions: conditions(&content.readiness, presence, Freshness::Fresh, None),
        ..listed(&content)
    };
    for (written, expected) in [
        ("2025-11-02T00:00:00Z", Step::Nothing),
        ("2025-11-01T00:00:00Z", Step::ApplyStatus),
    ] {
        let object = changed(|o| {
            let time = "2025-11-01T03:49:41Z".parse().expect("a time");
            let written = |c: &ConditionState| {
                let mut condition = json!(c.with_time(time, Some(3)));
                if c.type_ == "Listed" {
                    condition["lastTransitionTime"] = json!(written);
                }
                condition
            };
            let conditions: Vec<Value> = wanted.conditions.iter().map(written).collect();
            o["status"]["conditions"] = json!(conditions);
        });
        assert_eq!(step_for(&wanted, &object, &[]), expected, "{written}");
    }
}
