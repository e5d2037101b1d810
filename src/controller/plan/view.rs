//! What of a mirror is the controller's: what a plan shows.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::dry_run::owned_fields;

/// A mirror before and after.
pub(super) struct Views {
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// What is shown of a mirror. Labels and annotations that are the controller's on one side are shown on
/// both: what a stranger has made of them is what is undone.
pub(super) fn of(before: Option<&Value>, after: Option<&Value>) -> Views {
    let mut keys = BTreeSet::new();
    for mirror in [before, after].into_iter().flatten() {
        keys.extend(owned_fields(mirror));
    }
    Views {
        before: before.map(|mirror| view(mirror, &keys)),
        after: after.map(|mirror| view(mirror, &keys)),
    }
}

fn view(mirror: &Value, keys: &BTreeSet<(&'static str, String)>) -> Value {
    let metadata = &mirror["metadata"];
    let mut shown = json!({
        "apiVersion": mirror["apiVersion"], "kind": mirror["kind"],
        "metadata": {"namespace": metadata["namespace"], "name": metadata["name"]},
    });
    for part in ["labels", "annotations"] {
        let entries = metadata[part].as_object().into_iter().flatten();
        let ours: Map<String, Value> = entries
            .filter(|(key, _)| keys.contains(&(part, (*key).clone())))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !ours.is_empty() {
            shown["metadata"][part] = Value::Object(ours);
        }
    }
    let references = metadata["ownerReferences"].as_array().into_iter().flatten();
    let controllers: Vec<_> = references.filter(|r| r["controller"] == true).collect();
    if !controllers.is_empty() {
        shown["metadata"]["ownerReferences"] = json!(controllers);
    }
    for part in ["spec", "status"] {
        if !mirror[part].is_null() {
            shown[part] = mirror[part].clone();
        }
    }
    shown
}

/// The uid that the controller reference of a mirror names.
pub(super) fn controller(mirror: &Value) -> Option<&str> {
    let references = mirror["metadata"]["ownerReferences"].as_array()?;
    let controller = references.iter().find(|r| r["controller"] == true)?;
    controller["uid"].as_str()
}
