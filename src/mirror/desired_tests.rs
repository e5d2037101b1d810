use serde_json::{Value, json};

use super::*;

fn mirror(pool: &Value) -> Desired {
    try_mirror(pool).expect("a mirror")
}

fn try_mirror(pool: &Value) -> Result<Desired, Skip> {
    let map = pool.as_object().expect("an object").clone();
    let id = pool["metadata"]["name"].as_str().expect("a name");
    desired(
        id,
        map,
        &pool.to_string(),
        "src",
        "0",
        &PoolShape::of_the_crd(),
    )
}

fn status(pool: &Value) -> Value {
    serde_json::from_str(mirror(pool).status.get()).expect("JSON")
}

fn spec(pool: &Value) -> Value {
    serde_json::from_str(mirror(pool).spec.get()).expect("JSON")
}

fn sample() -> Value {
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {
            "name": "auto-pool-os-86c13962597848eeb29c5861153a391f",
            "creationTimestamp": "2022-09-16T03:10:40Z",
            "labels": {"os.modelarts/name": "auto-pool-os", "os.modelarts/workspace.id": "0"},
            "annotations": {"os.modelarts/description": "", "os.modelarts/billing.mode": "0"}
        },
        "spec": {"type": "Dedicate", "scope": ["Train", "Infer"],
            "resources": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2}],
            "network": {"name": "network-maos-86c13962597848eeb29c5861153a391f"}},
        "status": {"phase": "Running", "root": "auto-pool-os-86c13962597848eeb29c5861153a391f",
            "resources": {"available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2, "azs": [{"az": "cn-north-7c", "count": 2}]}]}}
    })
}

#[test]
fn the_documented_sample() {
    let pool = sample();
    let mirror = mirror(&pool);
    assert_eq!(
        spec(&pool),
        pool["spec"],
        "the cloud's spec, in the cloud's order"
    );
    assert_eq!(
        status(&pool),
        json!({
            "phase": "Running", "root": "auto-pool-os-86c13962597848eeb29c5861153a391f",
            "resources": {"available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2, "azs": [{"az": "cn-north-7c", "count": 2}]}],
                "creating": [], "abnormal": [], "deleting": [], "creationFailed": []},
            "counts": {"desired": 2, "available": 2, "creating": 0, "abnormal": 0, "deleting": 0, "creationFailed": 0},
            "flavors": "modelarts.vm.cpu.4ud",
            "creationTimestamp": "2022-09-16T03:10:40Z"
        })
    );
    assert!(mirror.dedicate);
    assert_eq!(mirror.phase.as_deref(), Some("Running"));
    let ready = &mirror.readiness;
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::True, "Running")
    );
}

#[test]
fn unknown_is_never_zero() {
    let cases = [
        // (type, resources, what counts say beside desired)
        ("Dedicate", Some(json!({})), Some(0)),
        ("Logical", Some(json!({})), None),
        ("Dedicate", None, None),
        ("Dedicate", Some(Value::Null), None),
        ("Logical", None, None),
        ("Logical", Some(json!({"available": []})), Some(0)),
        ("Dedicate", Some(json!({"available": null})), Some(0)),
        ("Dedicate", Some(json!("odd")), None),
        (
            "Dedicate",
            Some(json!({"available": [{"flavor": "f"}]})),
            None,
        ),
    ];
    for (type_, resources, expected) in cases {
        let mut pool = sample();
        pool["spec"]["type"] = json!(type_);
        let mut cloud = json!({"phase": "Running"});
        if let Some(resources) = &resources {
            cloud["resources"] = resources.clone();
        }
        pool["status"] = cloud;
        let counts = mirror(&pool).counts;
        assert_eq!(counts.available, expected, "{type_} {resources:?}");
        assert_eq!(counts.desired, Some(2));
        let absent = status(&pool).get("resources").is_none();
        let said = resources
            .as_ref()
            .is_some_and(|r| r.is_object() && !(type_ == "Logical" && r == &json!({})));
        assert_eq!(absent, !said, "{type_} {resources:?}");
    }
}

#[test]
fn a_flavor_may_stand_in_several_node_pools() {
    let mut pool = sample();
    pool["spec"]["resources"] = json!([
        {"flavor": "b", "count": 1, "nodePool": "x"}, {"flavor": "a", "count": 2}, {"flavor": "b", "count": "4", "nodePool": "y"}
    ]);
    assert_eq!(mirror(&pool).counts.desired, Some(7));
    assert_eq!(status(&pool)["flavors"], "a,b");
}

#[test]
fn readiness_follows_the_phase() {
    for (phase, expected, reason) in [
        (json!("Running"), ConditionStatus::True, "Running"),
        (json!("Abnormal"), ConditionStatus::False, "Abnormal"),
        (
            json!("SomethingNew"),
            ConditionStatus::False,
            "SomethingNew",
        ),
        (json!("故障 了"), ConditionStatus::False, "OtherPhase"),
        (json!(""), ConditionStatus::Unknown, "NoPhase"),
        (Value::Null, ConditionStatus::Unknown, "NoPhase"),
        (json!({}), ConditionStatus::Unknown, "NoPhase"),
    ] {
        let mut pool = sample();
        pool["status"]["phase"] = phase.clone();
        let readiness = mirror(&pool).readiness;
        assert_eq!(
            (readiness.status, &*readiness.reason),
            (expected, reason),
            "{phase}"
        );
    }
}

#[test]
fn the_clouds_fields_with_our_names_go_aside() {
    let mut pool = sample();
    for (name, value) in [
        ("conditions", json!([1])),
        ("counts", json!("x")),
        ("observedGeneration", json!("y")),
        ("cloud", json!(0)),
    ] {
        pool["status"][name] = value;
    }
    let status = status(&pool);
    assert_eq!(
        status["cloud"],
        json!({"conditions": [1], "counts": "x", "observedGeneration": "y", "cloud": 0})
    );
    assert_eq!(status["counts"]["desired"], 2);
    assert!(status.get("conditions").is_none());
}

#[test]
fn times_that_are_none_are_left_out() {
    for (sent, kept) in [
        (
            json!("2022-09-16T11:10:40.5+08:00"),
            json!("2022-09-16T03:10:40Z"),
        ),
        (json!("2022-09-16 CST"), Value::Null),
        (json!(5), Value::Null),
    ] {
        let mut pool = sample();
        pool["metadata"]["creationTimestamp"] = sent.clone();
        assert_eq!(status(&pool)["creationTimestamp"], kept, "{sent}");
    }
}

#[test]
fn pools_that_can_not_be_mirrored() {
    let mut named = sample();
    named["metadata"]["name"] = json!("Not_A_Name");
    assert_eq!(
        try_mirror(&named).expect_err("a skip").reason,
        SkipReason::InvalidName
    );

    let mut large = sample();
    large["spec"]["x"] = json!("x".repeat(MAX_POOL_BYTES));
    assert_eq!(
        try_mirror(&large).expect_err("a skip").reason,
        SkipReason::TooLarge
    );
}

#[test]
fn the_emptiest_pool_has_a_mirror() {
    let pool = json!({"metadata": {"name": "p"}});
    assert_eq!(spec(&pool), json!({}));
    assert_eq!(status(&pool), json!({"counts": {}}));
    let odd = json!({"metadata": {"name": "p", "labels": 1}, "spec": null, "status": []});
    assert_eq!(status(&odd), json!({"counts": {}}));
}

#[test]
fn what_the_cloud_reorders_is_no_change() {
    let a = mirror(&sample());
    let mut pool = sample();
    pool["spec"]["scope"] = json!(["Infer", "Train"]);
    let b = mirror(&pool);
    assert_eq!(a.spec_fingerprint, b.spec_fingerprint);
    pool["spec"]["scope"] = json!(["Infer"]);
    assert_ne!(a.spec_fingerprint, mirror(&pool).spec_fingerprint);
}

#[test]
fn the_mirror_of_a_gone_pool_shows_no_nodes_and_all_else_as_it_was() {
    let pool = json!({"metadata": {"name": "p", "creationTimestamp": "2022-09-16T03:10:40Z"},
        "spec": {"type": "Dedicate", "resources": [{"flavor": "f", "count": 2}]},
        "status": {"phase": "Running", "resources": {"available": [{"flavor": "f", "count": 2}]}}});
    let before = desired(
        "p",
        pool.as_object().expect("an object").clone(),
        &pool.to_string(),
        "s",
        "0",
        &PoolShape::of_the_crd(),
    )
    .expect("a mirror");
    let gone = before.of_a_gone_pool();
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let mut expected = parse(before.status.get());
    expected["counts"] = json!(PoolCounts::zero());
    assert_eq!(parse(gone.status.get()), expected);
    assert_eq!(gone.spec.get(), before.spec.get());
    assert_ne!(gone.status_fingerprint, before.status_fingerprint);
    assert_ne!(gone.text_fingerprint, before.text_fingerprint);
    assert_eq!(gone.counts, PoolCounts::zero());
}
