//! What a change of a definition would break for those who read or write objects of the kind.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// What of `new`, a definition as JSON, breaks somebody who relies on `old`; nothing where it may replace it.
pub fn incompatible(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in [
        "group",
        "scope",
        "names/kind",
        "names/plural",
        "names/singular",
        "names/listKind",
    ] {
        equal(&format!("/spec/{field}"), old, new, &mut found);
    }
    for field in ["names/shortNames", "names/categories"] {
        keeps_all(&format!("/spec/{field}"), old, new, &mut found);
    }
    for version in list(old, "/spec/versions") {
        let name = &version["name"];
        let same = list(new, "/spec/versions")
            .iter()
            .find(|v| v["name"] == *name);
        match same.filter(|v| v["served"] == Value::Bool(true)) {
            Some(same) => versions(version, same, &mut found),
            None if version["served"] == Value::Bool(true) => {
                found.push(format!("version {name} is no longer served"));
            }
            None => {}
        }
    }
    found
}

fn versions(old: &Value, new: &Value, found: &mut Vec<String>) {
    keeps_all("/selectableFields", old, new, found);
    for column in list(old, "/additionalPrinterColumns") {
        let same = list(new, "/additionalPrinterColumns")
            .iter()
            .find(|c| c["name"] == column["name"]);
        let kept = same
            .is_some_and(|c| c["jsonPath"] == column["jsonPath"] && c["type"] == column["type"]);
        if !kept {
            found.push(format!(
                "column {} is gone, or shows something else",
                column["name"]
            ));
        }
    }
    for subresource in map(old, "/subresources").keys() {
        if !map(new, "/subresources").contains_key(subresource) {
            found.push(format!("subresource {subresource} is gone"));
        }
    }
    schemas(
        "",
        &old["schema"]["openAPIV3Schema"],
        &new["schema"]["openAPIV3Schema"],
        found,
    );
}

/// Fields of a schema that say how it is understood, and must stay.
const MEANING: [&str; 9] = [
    "type",
    "default",
    "format",
    "pattern",
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-list-map-keys",
];
/// Bounds from above: they may grow, or go.
const MAXIMA: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];
/// Bounds from below.
const MINIMA: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];

fn schemas(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let mut say = |what: &str| {
        found.push(format!(
            "{}: {what}",
            if path.is_empty() { "." } else { path }
        ));
    };
    for field in MEANING {
        // A rule on the form of a text may go.
        let may_go = matches!(field, "format" | "pattern") && new[field].is_null();
        if old[field] != new[field] && !may_go {
            say(&format!("{field} was {} and is {}", old[field], new[field]));
        }
    }
    for (fields, less) in [(MAXIMA, true), (MINIMA, false)] {
        for field in fields {
            let stricter = match (old[field].as_f64(), new[field].as_f64()) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(old), Some(new)) => {
                    if less {
                        new < old
                    } else {
                        new > old
                    }
                }
            };
            if stricter {
                say(&format!("{field} is stricter: {}", new[field]));
            }
        }
    }
    if !is_subset(&old["enum"], &new["enum"]) && !new["enum"].is_null()
        || old["enum"].is_null() && !new["enum"].is_null()
    {
        say("enum allows less");
    }
    if !is_subset(&new["required"], &old["required"]) {
        say(&format!("requires more: {}", new["required"]));
    }
    let keeps = "x-kubernetes-preserve-unknown-fields";
    if old[keeps] == Value::Bool(true) && new[keeps] != Value::Bool(true) {
        say("drops fields that are not described");
    }
    let rules = |schema: &Value| -> BTreeSet<String> {
        let rules = list(schema, "/x-kubernetes-validations").iter();
        rules.map(|r| r["rule"].to_string()).collect()
    };
    for rule in rules(new).difference(&rules(old)) {
        say(&format!("has a new rule: {rule}"));
    }
    for (name, property) in map(old, "/properties") {
        let path = format!("{path}.{name}");
        match new["properties"].get(name) {
            Some(same) => schemas(&path, property, same, found),
            None => found.push(format!("{path}: is gone")),
        }
    }
    for (field, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        match (&old[field], &new[field]) {
            (Value::Object(_), Value::Object(_)) => {
                schemas(&format!("{path}{mark}"), &old[field], &new[field], found);
            }
            (old, new) if old != new => found.push(format!("{path}{mark}: was {old} and is {new}")),
            _ => {}
        }
    }
}

fn equal(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    if old.pointer(path) != new.pointer(path) {
        found.push(format!("{path} is another"));
    }
}

fn keeps_all(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    for entry in list(old, path) {
        if !list(new, path).contains(entry) {
            found.push(format!("{path}: {entry} is gone"));
        }
    }
}

fn is_subset(part: &Value, whole: &Value) -> bool {
    let entries = part.as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().all(|entry| list(whole, "").contains(entry))
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let found = value.pointer(path).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn map<'a>(value: &'a Value, path: &str) -> &'a Map<String, Value> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value
        .pointer(path)
        .and_then(Value::as_object)
        .unwrap_or(&NOTHING)
}
