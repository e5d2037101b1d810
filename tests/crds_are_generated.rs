//! The files in crds/ are what the types say, and teach what they mean. `make generate` writes them.

use modelarts_pool_controller::api::crds;
use serde_json::Value;

use super::support::generated::check;

#[test]
fn files_are_what_the_types_say() {
    for (file, crd) in crds::all() {
        let generated = crds::to_yaml(&crd).expect("YAML");
        check(&format!("crds/{file}"), &generated);
    }
}

/// kubectl explain shows these.
#[test]
fn every_field_has_a_description() {
    let mut fields = 0;
    for (file, crd) in crds::all() {
        let crd = serde_json::to_value(crd).expect("JSON");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for_each_property(schema, &mut |path, field| {
            fields += 1;
            let description = field["description"].as_str().unwrap_or_default();
            assert!(description.len() > 10, "{file}: {path} has no description");
        });
    }
    assert!(fields > 150, "only {fields} fields were looked at");
}

#[test]
fn the_schema_has_no_traps() {
    for (file, crd) in crds::all() {
        let crd = serde_json::to_value(crd).expect("JSON");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for_each_property(schema, &mut |path, field| {
            // Such a map loses what is nested deeper than one level.
            assert_ne!(
                field["additionalProperties"],
                Value::Bool(true),
                "{file}: {path}"
            );
            let format = field["format"].as_str().unwrap_or("int64");
            assert!(
                ["int32", "int64", "date-time"].contains(&format),
                "{file}: {path}: unknown format {format}"
            );
            let mirror = !file.contains("sources");
            if mirror {
                for rule in [
                    "enum",
                    "pattern",
                    "x-kubernetes-validations",
                    "maxLength",
                    "minimum",
                ] {
                    assert!(
                        field.get(rule).is_none(),
                        "{path}: a mirror is accepted whatever the cloud sends"
                    );
                }
            }
        });
    }
}

fn for_each_property(schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    fn walk(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            visit(&path, field);
            walk(field, &path, visit);
        }
        if schema["items"].is_object() {
            walk(&schema["items"], path, visit);
        }
    }
    walk(schema, "", visit);
}
