//! The traps of the cloud's answers, each a test: where its own documents, samples and programs
//! disagree, every reading is taken. And the one rule above them: a mirror fits its CRD whatever the
//! cloud sends.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::*;
use crate::api::ModelArtsPool;

/// Made once: it takes long.
static SHAPE: LazyLock<PoolShape> = LazyLock::new(PoolShape::of_the_crd);

fn mirror(pool: &Value) -> Desired {
    let id = pool["metadata"]["name"].as_str().expect("a name");
    let map = pool.as_object().expect("an object").clone();
    let text = pool.to_string();
    desired(id, map, &text, "src", "0", &SHAPE).expect("a mirror")
}

fn parsed(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("JSON")
}

fn spec_of(spec: &Value) -> Value {
    parsed(&mirror(&json!({"metadata": {"name": "p"}, "spec": spec})).spec)
}

fn status_of(status: &Value) -> Value {
    parsed(&mirror(&json!({"metadata": {"name": "p"}, "status": status})).status)
}

fn annotations_of(annotations: &Value) -> Value {
    let pool = json!({"metadata": {"name": "p", "annotations": annotations}});
    parsed(&mirror(&pool).annotations)
}

/// A pool with every field that the table of fields knows, each as its best source has it.
fn full() -> Value {
    let azs = json!([{"az": "cn-north-7c", "count": 2}]);
    let step = json!({"step": 2, "type": "hyperinstance"});
    let bucket = json!([{"flavor": "f", "count": 2, "maxCount": 3, "azs": azs, "nodePool": "f-default", "creatingStep": step}]);
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {
            "name": "auto-pool-os-86c13962597848eeb29c5861153a391f", "creationTimestamp": "2022-09-16T03:10:40Z",
            "labels": {"os.modelarts/name": "auto-pool-os", "os.modelarts/node.prefix": "", "os.modelarts.pool/biz": "private"},
            "annotations": {"os.modelarts/billing.mode": "1", "os.modelarts/period.type": "2", "os.modelarts.pool/subpools.count": "0"}
        },
        "spec": {
            "type": "Dedicate", "scope": ["Train", "Infer"], "jobFlavors": ["modelarts.vm.2u"], "controlMode": 9,
            "network": {"name": "n", "vpcId": "v", "subnetId": "s"},
            "containerNetwork": {"mode": "eni", "cidr": "10.0.0.0/16"}, "containernetwork": {"mode": "eni"},
            "driver": {"gpuVersion": "440.33", "npuVersion": "C78", "updateStrategy": "idle"},
            "clusters": [{"providerId": "i", "name": "c"}], "userLogin": {"keyPairName": "k"},
            "kubernetesSvcIpRange": "10.1.0.0/16", "masters": [{"az": "a"}], "clusterFlavor": "cce.s2", "ipv6enable": false,
            "resources": [{
                "flavor": "f", "count": 2, "maxCount": 3, "azs": azs, "nodePool": "f-default", "creatingStep": step,
                "extendParams": {"dockerBaseSize": "50", "runtime": "containerd"},
                "os": {"name": "EulerOS", "imageId": "i", "imageType": "private", "autoMatch": "x"},
                "rootVolume": {"volumeType": "SSD", "size": "100Gi", "extendParams": {"a": 1}},
                "dataVolumes": [{"volumeType": "SSD", "size": "500", "count": 1, "extendParams": {"volumeGroup": "vguser0"}}],
                "volumeGroupConfigs": [{"volumeGroup": "vgpaas", "dockerThinPool": 90, "lvmConfig": {"lvType": "linear", "path": "/d"}, "types": ["local"]}],
                "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}], "labels": {"a": "b"}, "tags": [{"key": "k", "value": "v"}],
                "network": {"vpc": "v", "subnet": "s", "securityGroups": ["g"]}, "driver": {"version": "1"}
            }]
        },
        "status": {
            "phase": "Running", "message": "m", "parent": "", "root": "r",
            "resources": {"creating": bucket, "available": bucket, "abnormal": bucket, "deleting": bucket, "creationFailed": bucket},
            "scope": [{"scopeType": "Train", "state": "Enabled", "message": "", "plugins": [{"name": "p", "phase": "Running"}]}],
            "driver": {"gpu": {"version": "1", "state": "Running"}, "npu": {"version": "2", "state": "Upgrading"}},
            "clusters": [{"name": "c", "providerId": "i", "clusterFlavor": "f", "type": "t", "version": "1.28", "plugins": [{"name": "p", "phase": "Running"}]}]
        }
    })
}

/// Every place in `value`, as a JSON pointer; the outermost is not among them.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut visit = |key: String, inner: &Value| {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(inner, &place, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(k, v)| visit(k.clone(), v)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| visit(i.to_string(), v)),
        _ => {}
    }
}

fn all_places(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    places(value, "", &mut found);
    found
}

/// What of `value` the API server would refuse: its own rules for types, written once more.
fn misfit(value: &Value, schema: &JSONSchemaProps, at: &str) -> Option<String> {
    let fits = match schema.type_.as_deref() {
        Some("string") => match (value.as_str(), schema.format.as_deref()) {
            (Some(text), Some("date-time")) => text.parse::<Timestamp>().is_ok(),
            (text, _) => text.is_some(),
        },
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        return Some(format!("{at}: {value}"));
    }
    let items = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => value.as_array().map(|v| (v, item)),
        _ => None,
    };
    let bad_item = items.and_then(|(values, item)| {
        values
            .iter()
            .find_map(|v| misfit(v, item, &format!("{at}[]")))
    });
    let field = |(key, inner): (&String, &Value)| {
        let known = schema.properties.as_ref().and_then(|p| p.get(key));
        let other = match &schema.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(&**schema),
            _ => None,
        };
        misfit(inner, known.or(other)?, &format!("{at}.{key}"))
    };
    bad_item.or_else(|| value.as_object()?.iter().find_map(field))
}

fn pool_schema() -> JSONSchemaProps {
    let version = ModelArtsPool::crd().spec.versions.remove(0);
    version
        .schema
        .and_then(|s| s.open_api_v3_schema)
        .expect("a schema")
}

#[test]
fn whatever_stands_in_a_field_the_mirror_fits_its_crd() {
    let schema = pool_schema();
    let full = full();
    let whole = mirror(&full);
    assert_eq!(
        parsed(&whole.spec),
        full["spec"],
        "all of it is known or kept"
    );
    let strange = [
        json!(null),
        json!(true),
        json!(""),
        json!("x"),
        json!("7"),
        json!(7),
        json!(-1.5),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([null, [[]], {"flavor": {}}]),
        json!({"count": {}, "flavor": [1], "azs": "x", "plugins": {"name": 5}, "name": {}}),
    ];
    let places = all_places(&full);
    assert!(places.len() > 150, "{}", places.len());
    for place in places
        .iter()
        .filter(|p| *p != "/metadata/name" && *p != "/metadata")
    {
        for value in &strange {
            let mut pool = full.clone();
            *pool.pointer_mut(place).expect(place) = value.clone();
            let mirror = mirror(&pool);
            let object = json!({"spec": parsed(&mirror.spec), "status": parsed(&mirror.status)});
            assert_eq!(misfit(&object, &schema, ""), None, "{place} is {value}");
            for metadata in [&mirror.labels, &mirror.annotations] {
                let strings = parsed(metadata);
                let mut values = strings.as_object().expect("an object").values();
                assert!(values.all(Value::is_string), "{place} is {value}");
            }
        }
    }
}

#[test]
fn a_field_that_nobody_knows_is_kept_at_every_level() {
    let unknown = json!({"a": [null, {"b": 1.5}, []], "c": ""});
    let full = full();
    for place in all_places(&full).iter().filter(|p| {
        // Where every key is free, every value is a string.
        (p.starts_with("/spec") || p.starts_with("/status")) && !p.ends_with("/labels")
    }) {
        let mut pool = full.clone();
        let Some(object) = pool.pointer_mut(place).and_then(Value::as_object_mut) else {
            continue;
        };
        object.insert("newInTheCloud".to_owned(), unknown.clone());
        let mirror = mirror(&pool);
        let whole = json!({"spec": parsed(&mirror.spec), "status": parsed(&mirror.status)});
        let kept = whole.pointer(&format!("{place}/newInTheCloud"));
        assert_eq!(kept, Some(&unknown), "{place}");
    }
}

#[test]
fn trap_1_an_object_where_others_have_an_array() {
    for bucket in NODE_STATES {
        let entry = json!({"flavor": "f", "count": 2});
        for (sent, nodes) in [
            (json!([entry]), Some(2)),
            (entry.clone(), Some(2)),
            (json!([entry, entry]), Some(4)),
            (json!([]), Some(0)),
            (json!(null), Some(0)),
            (json!({}), None),
        ] {
            let status = status_of(&json!({"resources": {bucket: sent}}));
            assert_eq!(status["counts"][bucket].as_i64(), nodes, "{bucket} {sent}");
            assert!(status["resources"][bucket].is_array(), "{bucket} {sent}");
        }
    }
    for field in ["dataVolumes", "volumeGroupConfigs", "taints", "azs"] {
        let one = json!({"newInTheCloud": 1});
        let expected = json!({"resources": [{field: [one]}]});
        for sent in [json!([one]), one.clone()] {
            let spec = json!({"resources": [{field: sent}]});
            assert_eq!(spec_of(&spec), expected, "{sent}");
        }
    }
    let cluster = |plugins: Value| json!({"name": "c", "plugins": plugins});
    let plugin = json!({"name": "p"});
    for sent in [
        json!([cluster(json!([plugin]))]),
        cluster(json!([plugin])),
        cluster(plugin.clone()),
        json!([cluster(plugin.clone())]),
    ] {
        let status = status_of(&json!({"clusters": sent}));
        assert_eq!(
            status["clusters"],
            json!([cluster(json!([plugin]))]),
            "{sent}"
        );
    }
    // The spec's nodes in one object count as well.
    let pool =
        json!({"metadata": {"name": "p"}, "spec": {"resources": {"flavor": "f", "count": 3}}});
    assert_eq!(mirror(&pool).counts.desired, Some(3));
}

#[test]
fn trap_2_numbers_as_strings_and_strings_as_numbers() {
    for (sent, kept) in [
        (json!("0"), json!("0")),
        (json!(0), json!("0")),
        (json!(1.5), json!("1.5")),
        (json!(true), json!("true")),
        (json!(""), json!("")),
    ] {
        let key = "os.modelarts/billing.mode";
        assert_eq!(annotations_of(&json!({key: sent}))[key], kept, "{sent}");
        let pool = json!({"metadata": {"name": "p", "labels": {key: sent}}});
        let mirror = mirror(&pool);
        assert_eq!(parsed(&mirror.labels)[key], kept, "{sent}");
    }
    // Neither a string nor something that is one in other words.
    for sent in [json!(null), json!({}), json!([])] {
        let key = "os.modelarts/billing.mode";
        assert_eq!(annotations_of(&json!({key: sent})).get(key), None, "{sent}");
    }
    for (sent, kept) in [
        (json!("2"), Some(2)),
        (json!(" 2 "), Some(2)),
        (json!(2.0), Some(2)),
        (json!("2.5"), None),
        (json!(2.5), None),
        (json!("two"), None),
        (json!("9223372036854775808"), None),
        (json!(u64::MAX), None),
        (json!(1e300), None),
        (json!(true), None),
    ] {
        let spec = spec_of(&json!({"resources": [{"count": sent, "maxCount": sent}]}));
        assert_eq!(spec["resources"][0]["count"].as_i64(), kept, "{sent}");
        assert_eq!(spec["resources"][0]["maxCount"].as_i64(), kept, "{sent}");
    }
    // What is free is kept as it is sent, what is known becomes what it should be.
    let spec = json!({"resources": [{"extendParams": {"dockerBaseSize": 50}, "dataVolumes": [{"size": 500, "count": "1"}]}]});
    let expected = json!({"resources": [{"extendParams": {"dockerBaseSize": 50}, "dataVolumes": [{"size": "500", "count": 1}]}]});
    assert_eq!(spec_of(&spec), expected);
}

#[test]
fn trap_3_null_and_missing_and_empty() {
    let annotations = annotations_of(&json!({"os.modelarts/description": ""}));
    assert_eq!(annotations["os.modelarts/description"], "");
    for (sent, kept) in [
        (json!({"parent": ""}), json!({"parent": "", "counts": {}})),
        (json!({"parent": null}), json!({"counts": {}})),
        (json!({}), json!({"counts": {}})),
        (json!(null), json!({"counts": {}})),
        // Of a field that nobody knows, it can't be told that null means nothing.
        (json!({"new": null}), json!({"new": null, "counts": {}})),
        (
            json!({"scope": [], "driver": {}}),
            json!({"scope": [], "driver": {}, "counts": {}}),
        ),
    ] {
        assert_eq!(status_of(&sent), kept, "{sent}");
    }
    // As the cloud answers a creation: nodes are none, and the phase is unknown.
    let created = mirror(&json!({"metadata": {"name": "p"}, "status": {"resources": {}}}));
    assert_eq!(created.counts.available, Some(0));
    assert_eq!(
        (created.readiness.status, &*created.readiness.reason),
        (ConditionStatus::Unknown, "NoPhase")
    );
    for metadata in [
        json!({"name": "p"}),
        json!({"name": "p", "labels": null, "annotations": null, "creationTimestamp": null}),
        json!({"name": "p", "labels": {}, "annotations": {}, "creationTimestamp": ""}),
    ] {
        let mirror = mirror(&json!({"metadata": metadata}));
        assert_eq!(parsed(&mirror.annotations), json!({}), "{metadata}");
        assert_eq!(parsed(&mirror.status), json!({"counts": {}}), "{metadata}");
    }
}

#[test]
fn trap_4_one_thing_with_two_names() {
    let both =
        json!({"containernetwork": {"mode": "eni"}, "containerNetwork": {"mode": "vpc-router"}});
    for spec in [
        both,
        json!({"containernetwork": {"mode": "eni", "cidr": "c"}}),
        json!({"containerNetwork": {"mode": "eni"}}),
        json!({"resources": [{"os": {"iamgeType": "private"}}]}),
        json!({"resources": [{"os": {"iamgeType": "private", "imageType": ""}}]}),
        json!({"resources": [{"flavor": "f", "Flavor": "g", "FLAVOR": 1}]}),
    ] {
        assert_eq!(spec_of(&spec), spec);
    }
    let annotations = json!({
        "os.modelarts.pool/scope.external.dependency.train": "{\"type\":\"Enabled\"}",
        "os.modelarts.pool/scope.external.dependency.Train": "{\"type\":\"Disabled\"}",
    });
    assert_eq!(annotations_of(&annotations), annotations);
}

#[test]
fn trap_5_keys_and_values_that_labels_can_not_have() {
    let json_text = r#"{"modelarts.vm.cpu.8ud":"maos.vm.cpu.8ud.1976103046"}"#;
    let long = "x".repeat(64);
    for value in [json_text, "训练 资源池", &long, "-x", "a b"] {
        let pool = json!({"metadata": {"name": "p", "labels": {"os.modelarts/x": value, "os.modelarts.pool/y.z": value}}});
        let mirror = mirror(&pool);
        let annotations = parsed(&mirror.annotations);
        assert_eq!(annotations["os.modelarts/x"], value);
        assert_eq!(annotations["os.modelarts.pool/y.z"], value);
        assert_eq!(parsed(&mirror.labels).get("os.modelarts/x"), None);
    }
}

#[test]
fn trap_6_ids_that_no_object_can_have() {
    let outcome = |id: &str| {
        let pool = json!({"metadata": {"name": id}});
        let map = pool.as_object().expect("an object").clone();
        desired(id, map, "{}", "src", "0", &SHAPE).map_err(|s| s.reason)
    };
    let longest = "x".repeat(128);
    for good in ["abcd", "pool-01", "1", &longest, "a.b"] {
        assert!(outcome(good).is_ok(), "{good}");
    }
    let long = "x".repeat(254);
    for bad in [
        "Pool", "a_b", "-a", "a-", "训", "a b", "a\nb", "a/b", ".", "..", &long,
    ] {
        assert_eq!(outcome(bad).err(), Some(SkipReason::InvalidName), "{bad}");
    }
}

#[test]
fn trap_7_words_that_no_document_has() {
    let spec = json!({
        "type": "Elastic", "scope": ["X-Infer", "训练"], "controlMode": 1_i64 << 40,
        "driver": {"updateStrategy": "someday"},
        "resources": [{"creatingStep": {"step": 8, "type": "rack"}, "taints": [{"effect": "New"}], "rootVolume": {"volumeType": "NVME"}}],
    });
    assert_eq!(spec_of(&spec), spec);
    let status = json!({
        "phase": "SeclingFailed", "scope": [{"scopeType": "X", "state": "EnableFailed", "plugins": [{"phase": "New"}]}],
        "driver": {"gpu": {"state": "New"}},
    });
    let kept = status_of(&status);
    for field in ["phase", "scope", "driver"] {
        assert_eq!(kept[field], status[field], "{field}");
    }
    let period = json!({"os.modelarts/period.type": "4"});
    assert_eq!(annotations_of(&period), period);
}

#[test]
fn what_grows_when_it_is_written_is_too_large_for_a_mirror() {
    let outcome = |value: &str| {
        let text = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"x":{value}}}}}"#);
        assert!(text.len() <= MAX_POOL_BYTES, "{}", text.len());
        let map = serde_json::from_str(&text).expect("JSON");
        desired("p", map, &text, "src", "0", &SHAPE).map_err(|s| s.reason)
    };
    let quoted = |character: &str, count: usize| format!("\"{}\"", character.repeat(count));
    // As much as a pool may have, and our own part beside it.
    assert!(outcome(&quoted("x", MAX_POOL_BYTES - 100)).is_ok());
    // The other 9 are the mirror's own.
    assert!(outcome(&format!("[{}1]", "1,".repeat(MAX_MIRROR_VALUES - 10))).is_ok());
    for large in [
        format!("[{}1]", "1,".repeat(MAX_MIRROR_VALUES - 9)),
        quoted("&", 500_000),
        quoted("\u{2028}", 300_000),
    ] {
        assert_eq!(
            outcome(&large).err(),
            Some(SkipReason::TooLarge),
            "{large:.20}"
        );
    }
}
