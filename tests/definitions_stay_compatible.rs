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

/// Where the schema of the one version has the spec, and the status.
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
const STATUS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status";

/// Sets each value, null to remove, and looks for what is said of it.
fn found(index: usize, breaks: &[(&str, Value, &str)]) {
    for (path, value, expected) in breaks {
        let (released, mut changed) = both(index);
        let path = path.replace("SPEC", SPEC).replace("STATUS", STATUS);
        set(&mut changed, &path, value.clone());
        let found = incompatible(&released, &changed);
        let is_found = found.iter().any(|f| f.contains(expected));
        assert!(is_found, "{path}: {found:?}");
    }
}

#[test]
fn a_break_of_the_kind_is_found() {
    let column = "column \"Phase\"";
    found(
        0,
        &[
            ("/spec/group", json!("other.example.com"), "/spec/group"),
            ("/spec/scope", json!("Cluster"), "/spec/scope"),
            ("/spec/names/kind", json!("Pool"), "/spec/names/kind"),
            ("/spec/names/shortNames", json!([]), "mapool"),
            ("/spec/names/categories", json!([]), "modelarts"),
            ("/spec/versions/0/name", json!("v1"), "no longer served"),
            ("/spec/versions/0/served", json!(false), "no longer served"),
            (
                "/spec/versions/0/subresources",
                json!({}),
                "subresource status",
            ),
            (
                "/spec/versions/0/selectableFields",
                json!([]),
                "selectableFields",
            ),
            (
                "/spec/versions/0/additionalPrinterColumns",
                json!([]),
                column,
            ),
            (
                "/spec/versions/0/additionalPrinterColumns/2/jsonPath",
                json!(".x"),
                column,
            ),
        ],
    );
}

#[test]
fn a_break_for_those_who_read_is_found() {
    let available = ".status.counts.available";
    let entries = "STATUS/properties/resources/properties/available/items";
    found(
        0,
        &[
            (
                "STATUS/properties/counts/properties/available",
                Value::Null,
                &format!("{available}: is gone"),
            ),
            (
                "STATUS/properties/counts/properties/available/type",
                json!("string"),
                &format!("{available}: type"),
            ),
            (
                &format!("{entries}/properties/flavor"),
                Value::Null,
                ".status.resources.available[].flavor: is gone",
            ),
            (
                "STATUS/x-kubernetes-preserve-unknown-fields",
                Value::Null,
                ".status: drops fields",
            ),
            (
                "STATUS/properties/phase/enum",
                json!(["Running"]),
                ".status.phase: enum",
            ),
            (
                "STATUS/properties/otherMetadata/additionalProperties",
                json!(false),
                ".status.otherMetadata{}",
            ),
            (
                "STATUS/properties/conditions/x-kubernetes-list-type",
                json!("atomic"),
                ".status.conditions: x-kubernetes",
            ),
        ],
    );
}

#[test]
fn a_break_for_those_who_write_is_found() {
    let required = json!(["projectId", "credentials", "region"]);
    found(
        1,
        &[
            ("SPEC", Value::Null, ".spec: is gone"),
            ("SPEC/required", required, ".spec: requires more"),
            (
                "SPEC/x-kubernetes-validations",
                json!([{"rule": "false"}]),
                ".spec: has a new rule",
            ),
            (
                "SPEC/properties/region/maxLength",
                json!(30),
                ".spec.region: maxLength",
            ),
            (
                "SPEC/properties/region/pattern",
                json!("^cn-"),
                ".spec.region: pattern",
            ),
            (
                "SPEC/properties/projectId/minLength",
                json!(2),
                ".spec.projectId: minLength",
            ),
            (
                "SPEC/properties/prune/properties/maxPercent/maximum",
                json!(99),
                "maximum",
            ),
            (
                "SPEC/properties/interval/default",
                json!("60s"),
                ".spec.interval: default",
            ),
            (
                "SPEC/properties/credentials/properties/type/enum",
                json!(["Token"]),
                "enum allows less",
            ),
        ],
    );
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
            list.push(value);
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
