//! The definitions never change in a way that breaks those who rely on the last release: docs/consuming.md.

use modelarts_pool_controller::api::crds;
use serde_json::{Value, json};

use super::support::compatibility::incompatible;
use super::support::markdown::read;

/// A definition of the last release, and what it is now.
fn both(index: usize) -> (Value, Value) {
    let (file, crd) = &crds::all()[index];
    let released = serde_saphyr::from_str(&read(&format!("tests/released/{file}"))).expect("YAML");
    let now = serde_json::to_value(crd).expect("JSON");
    (released, now)
}

#[test]
fn nothing_that_was_released_is_broken() {
    for index in 0..crds::all().len() {
        let (released, now) = both(index);
        assert_eq!(incompatible(&released, &now), [""; 0]);
    }
}

/// The schema of the one version.
const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
const STATUS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status";

/// What is set where, null to remove, and what is said of it.
#[test]
fn each_kind_of_break_is_found() {
    for (index, path, value, expected) in [
        (0, "/spec/group", json!("other.example.com"), "/spec/group"),
        (0, "/spec/scope", json!("Cluster"), "/spec/scope"),
        (0, "/spec/names/kind", json!("Pool"), "/spec/names/kind"),
        (0, "/spec/names/shortNames", json!([]), "mapool"),
        (0, "/spec/names/categories", json!([]), "modelarts"),
        (0, "/spec/versions/0/name", json!("v1"), "no longer served"),
        (
            0,
            "/spec/versions/0/served",
            json!(false),
            "no longer served",
        ),
        (
            0,
            "/spec/versions/0/subresources",
            json!({}),
            "subresource status",
        ),
        (
            0,
            "/spec/versions/0/selectableFields",
            json!([]),
            "selectableFields",
        ),
        (
            0,
            "/spec/versions/0/additionalPrinterColumns",
            json!([]),
            "column \"Phase\"",
        ),
        (
            0,
            "/spec/versions/0/additionalPrinterColumns/2/jsonPath",
            json!(".other"),
            "column \"Phase\"",
        ),
        (
            0,
            &*format!("{STATUS}/properties/counts/properties/available"),
            Value::Null,
            ".status.counts.available: is gone",
        ),
        (
            0,
            &format!("{STATUS}/properties/counts/properties/available/type"),
            json!("string"),
            ".status.counts.available: type",
        ),
        (
            0,
            &format!("{STATUS}/properties/resources/properties/available/items/properties/flavor"),
            Value::Null,
            ".status.resources.available[].flavor: is gone",
        ),
        (
            0,
            &format!("{STATUS}/x-kubernetes-preserve-unknown-fields"),
            Value::Null,
            ".status: drops fields",
        ),
        (
            0,
            &format!("{STATUS}/properties/phase/enum"),
            json!(["Running"]),
            ".status.phase: enum",
        ),
        (
            0,
            &format!("{STATUS}/properties/otherMetadata/additionalProperties"),
            json!(false),
            ".status.otherMetadata{}",
        ),
        (
            0,
            &format!("{STATUS}/properties/conditions/x-kubernetes-list-type"),
            json!("atomic"),
            ".status.conditions: x-kubernetes-list-type",
        ),
        (
            1,
            &format!("{SPEC}/properties/region/maxLength"),
            json!(30),
            ".spec.region: maxLength",
        ),
        (
            1,
            &format!("{SPEC}/properties/projectId/minLength"),
            json!(2),
            ".spec.projectId: minLength",
        ),
        (
            1,
            &format!("{SPEC}/properties/prune/properties/maxPercent/maximum"),
            json!(99),
            "maximum",
        ),
        (
            1,
            &format!("{SPEC}/properties/interval/default"),
            json!("60s"),
            ".spec.interval: default",
        ),
        (
            1,
            &format!("{SPEC}/properties/credentials/properties/type/enum"),
            json!(["Token"]),
            "enum allows less",
        ),
        (
            1,
            &format!("{SPEC}/required"),
            json!(["projectId", "credentials", "region"]),
            ".spec: requires more",
        ),
        (
            1,
            &format!("{SPEC}/x-kubernetes-validations"),
            json!([{"rule": "false"}]),
            ".spec: has a new rule",
        ),
        (
            1,
            &format!("{SPEC}/properties/region/pattern"),
            json!("^cn-"),
            ".spec.region: pattern",
        ),
        (
            1,
            &format!("{SCHEMA}/properties/spec"),
            Value::Null,
            ".spec: is gone",
        ),
    ] {
        let (released, mut changed) = both(index);
        set(&mut changed, path, value);
        let found = incompatible(&released, &changed);
        assert!(
            found.iter().any(|f| f.contains(expected)),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn what_only_adds_is_allowed() {
    for (index, path, value) in [
        (
            0,
            &*format!("{STATUS}/properties/newField"),
            json!({"type": "string"}),
        ),
        (
            0,
            "/spec/versions/0/additionalPrinterColumns/15",
            json!({"name": "New", "type": "string", "jsonPath": ".x"}),
        ),
        (1, &format!("{SPEC}/properties/region/maxLength"), json!(64)),
        (
            1,
            &format!("{SPEC}/properties/region/maxLength"),
            Value::Null,
        ),
        (
            1,
            &format!("{SPEC}/properties/region/x-kubernetes-validations"),
            json!([]),
        ),
        (
            1,
            &format!("{SPEC}/properties/credentials/properties/type/enum/5"),
            json!("Another"),
        ),
        (1, &format!("{SPEC}/required"), json!(["projectId"])),
        (1, "/spec/versions/1", json!({"name": "v1", "served": true})),
    ] {
        let (released, mut changed) = both(index);
        set(&mut changed, path, value);
        assert_eq!(incompatible(&released, &changed), [""; 0], "{path}");
    }
}

/// Sets what is at a path, also where nothing is yet; null removes.
fn set(object: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('/').expect("a path");
    let parent = object
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("nothing at {parent}"));
    match parent {
        Value::Array(list) if name.parse::<usize>().is_ok_and(|at| at >= list.len()) => {
            list.push(value)
        }
        Value::Array(list) => list[name.parse::<usize>().expect("an index")] = value,
        Value::Object(map) if value.is_null() => {
            map.remove(name)
                .unwrap_or_else(|| panic!("nothing at {path}"));
        }
        Value::Object(map) => {
            map.insert(name.to_owned(), value);
        }
        other => panic!("{other} at {path}"),
    }
}
