//! What can happen to one pool, as a pure edit of the pool's JSON.
//!
//! Owns how phases, counts and buckets move, following the cloud's documented behaviour: nodes wanted are
//! counted in `spec.resources`, nodes there in the buckets of `status.resources`, and an empty bucket is left out.
//! Knows no time and no other pool.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{buckets, scenario::default_workspace};

/// The label that says a pool's workspace.
const WORKSPACE_POINTER: &str = "/metadata/labels/os.modelarts~1workspace.id";

/// A change of one pool. In a scenario: `settle`, `delete`, `hide`, `show`, or a map such as `scale: {count: 3}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Change {
    /// The pool appears, or is there anew; `metadata.creationTimestamp` is the present where the JSON has none.
    Create {
        /// The workspace that lists it.
        #[serde(default = "default_workspace")]
        workspace: String,
        /// The pool as the cloud would send it.
        pool: Value,
    },
    /// The pool is gone, from ShowPool as well.
    Delete,
    /// Listings no longer carry the pool; ShowPool does.
    Hide,
    /// Undoes `hide`.
    Show,
    /// Sets `status.phase` and `status.message`; what is not given is removed.
    SetPhase {
        /// For example `Running`.
        #[serde(default)]
        phase: Option<String>,
        /// A text for people.
        #[serde(default)]
        message: Option<String>,
    },
    /// Wants another number of nodes: new ones are `creating`, surplus ones `deleting`, until `settle`.
    Scale {
        /// The nodes wanted from now on.
        count: u64,
        /// Which entry of `spec.resources`, by flavor; the first where not given.
        #[serde(default)]
        flavor: Option<String>,
        /// Which entry, by node pool.
        #[serde(default)]
        node_pool: Option<String>,
    },
    /// What was creating is available, what was deleting is gone.
    Settle,
    /// So many nodes are abnormal from now on; the others of the flavor are available again. The phase is not touched.
    AbnormalNodes {
        /// The abnormal nodes; 0 heals all.
        count: u64,
        /// Of which flavor; any where not given.
        #[serde(default)]
        flavor: Option<String>,
    },
    /// A JSON merge patch (RFC 7386) of the whole pool, for everything else.
    Patch(Value),
    /// The pool moves to another workspace.
    Move {
        /// The workspace that lists it from now on.
        workspace: String,
    },
}

impl Change {
    /// Edits the JSON of the pool. Changes that are about the pool's place (create, delete, hide, show) leave it as it is.
    pub fn edit(&self, pool: &mut Value) -> Result<(), String> {
        match self {
            Self::Create { .. } | Self::Delete | Self::Hide | Self::Show => Ok(()),
            Self::Move { workspace } => {
                // Not every pool says where it is.
                if let Some(label) = pool.pointer_mut(WORKSPACE_POINTER) {
                    *label = json!(workspace);
                }
                Ok(())
            }
            Self::SetPhase { phase, message } => {
                let status = object(pool, "status")?;
                set(status, "phase", phase.as_deref());
                set(status, "message", message.as_deref());
                Ok(())
            }
            Self::Scale {
                count,
                flavor,
                node_pool,
            } => scale(pool, *count, flavor.as_deref(), node_pool.as_deref()),
            Self::Settle => {
                let found = buckets::of(pool)?;
                let created = buckets::take(found, "creating", None, None, u64::MAX);
                buckets::put(found, "available", created);
                found.remove("deleting");
                Ok(())
            }
            Self::AbnormalNodes { count, flavor } => {
                let found = buckets::of(pool)?;
                let healed = buckets::take(found, "abnormal", flavor.as_deref(), None, u64::MAX);
                buckets::put(found, "available", healed);
                let ill = buckets::take(found, "available", flavor.as_deref(), None, *count);
                buckets::put(found, "abnormal", ill);
                Ok(())
            }
            Self::Patch(patch) => {
                merge(pool, patch);
                Ok(())
            }
        }
    }
}

fn scale(
    pool: &mut Value,
    wanted: u64,
    flavor: Option<&str>,
    node_pool: Option<&str>,
) -> Result<(), String> {
    let entry = pool
        .pointer_mut("/spec/resources")
        .and_then(Value::as_array_mut)
        .and_then(|entries| {
            entries
                .iter_mut()
                .find(|entry| buckets::is_of(entry, flavor, node_pool))
        })
        .ok_or("scale: spec.resources has no such entry")?;
    let before = entry["count"].as_u64().unwrap_or(0);
    entry["count"] = wanted.into();
    if entry.get("maxCount").is_some() {
        entry["maxCount"] = wanted.into();
    }
    let template = entry.clone();
    let (flavor, node_pool) = (template["flavor"].as_str(), template["nodePool"].as_str());
    let found = buckets::of(pool)?;
    if wanted < before {
        let surplus = buckets::take(found, "available", flavor, node_pool, before - wanted);
        buckets::put(found, "deleting", surplus);
    } else if wanted > before {
        buckets::put(
            found,
            "creating",
            vec![buckets::new_nodes(found, &template, wanted - before)],
        );
    }
    Ok(())
}

fn set(object: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    match text {
        Some(text) => drop(object.insert(key.to_owned(), json!(text))),
        None => drop(object.remove(key)),
    }
}

/// The object under a key, made where it is missing.
pub(super) fn object<'a>(
    parent: &'a mut Value,
    key: &str,
) -> Result<&'a mut Map<String, Value>, String> {
    let parent = parent
        .as_object_mut()
        .ok_or_else(|| format!("the parent of {key} is no object"))?;
    let slot = parent.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
        .ok_or_else(|| format!("{key} is no object"))
}

/// RFC 7386: objects merge, null removes, everything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(target) = target.as_object_mut() {
        for (key, value) in patch {
            if value.is_null() {
                target.remove(key);
            } else {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        let list: Value = serde_json::from_str(include_str!("documented-sample.json")).unwrap();
        list["items"][0].clone()
    }

    fn after(pool: &mut Value, change: Value) -> Value {
        let change: Change = serde_json::from_value(change).unwrap();
        change.edit(pool).unwrap();
        pool["status"]["resources"].clone()
    }

    #[test]
    fn a_scale_up_creates_beside_what_is_available_and_settles() {
        let mut pool = sample();
        let found = after(&mut pool, json!({"scale": {"count": 3}}));
        assert_eq!(pool["spec"]["resources"][0]["count"], 3);
        assert_eq!(
            found["creating"],
            json!([{"flavor": "modelarts.vm.cpu.4ud", "count": 1, "azs": [{"az": "cn-north-7c", "count": 1}]}])
        );
        assert_eq!(found["available"][0]["count"], 2);
        let found = after(&mut pool, json!("settle"));
        assert_eq!(
            found,
            json!({"available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 3, "azs": [{"az": "cn-north-7c", "count": 3}]}]})
        );
    }

    #[test]
    fn up_and_down_again_is_the_sample_again() {
        let mut pool = sample();
        for change in [
            json!({"scale": {"count": 5}}),
            json!("settle"),
            json!({"scale": {"count": 2}}),
        ] {
            after(&mut pool, change);
        }
        assert_eq!(pool["status"]["resources"]["deleting"][0]["count"], 3);
        after(&mut pool, json!("settle"));
        assert_eq!(pool, sample());
    }

    #[test]
    fn nodes_fall_ill_and_recover() {
        let mut pool = sample();
        let found = after(&mut pool, json!({"abnormalNodes": {"count": 2}}));
        assert_eq!(found["abnormal"][0]["count"], 2);
        assert_eq!(found.get("available"), None, "an empty bucket is left out");
        let found = after(&mut pool, json!({"abnormalNodes": {"count": 1}}));
        assert_eq!(
            (
                &found["abnormal"][0]["count"],
                &found["available"][0]["count"]
            ),
            (&json!(1), &json!(1))
        );
        after(&mut pool, json!({"abnormalNodes": {"count": 0}}));
        assert_eq!(pool, sample());
    }

    #[test]
    fn phase_and_patch() {
        let mut pool = sample();
        after(
            &mut pool,
            json!({"setPhase": {"phase": "Error", "message": "no quota"}}),
        );
        assert_eq!(
            (&pool["status"]["phase"], &pool["status"]["message"]),
            (&json!("Error"), &json!("no quota"))
        );
        after(&mut pool, json!({"setPhase": {}}));
        assert_eq!(pool["status"].get("phase"), None);
        after(
            &mut pool,
            json!({"patch": {"spec": {"controlMode": 9, "network": null}}}),
        );
        assert_eq!(
            (&pool["spec"]["controlMode"], pool["spec"].get("network")),
            (&json!(9), None)
        );
    }

    #[test]
    fn refuses_a_misspelt_change() {
        assert!(serde_json::from_value::<Change>(json!({"scale": {"cuont": 3}})).is_err());
        assert!(
            Change::Scale {
                count: 1,
                flavor: Some("x".into()),
                node_pool: None
            }
            .edit(&mut sample())
            .is_err()
        );
    }
}
