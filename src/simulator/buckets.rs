//! The buckets of `status.resources`: nodes that are creating, available, abnormal or deleting.
//!
//! Owns moving nodes between buckets so that counts and zones stay true. The documented samples leave an
//! empty bucket out, and so does this.

use serde_json::{Map, Value, json};

use super::change::object;

/// The buckets of a pool. A bucket that is an object (the cloud sends those too) becomes an array of one here.
pub(super) fn of(pool: &mut Value) -> Result<&mut Map<String, Value>, String> {
    object(pool, "status")?;
    let found = object(&mut pool["status"], "resources")?;
    for bucket in found.values_mut() {
        if bucket.is_object() {
            *bucket = Value::Array(vec![bucket.take()]);
        }
    }
    Ok(found)
}

/// Whether an entry is of this flavor and node pool; what is not given fits all.
pub(super) fn is_of(entry: &Value, flavor: Option<&str>, node_pool: Option<&str>) -> bool {
    let fits = |key: &str, wanted: Option<&str>| {
        wanted.is_none_or(|wanted| entry[key].as_str() == Some(wanted))
    };
    fits("flavor", flavor) && fits("nodePool", node_pool)
}

/// Takes at most `nodes` nodes out of a bucket and returns them as entries.
pub(super) fn take(
    buckets: &mut Map<String, Value>,
    bucket: &str,
    flavor: Option<&str>,
    node_pool: Option<&str>,
    mut nodes: u64,
) -> Vec<Value> {
    let Some(entries) = buckets.get_mut(bucket).and_then(Value::as_array_mut) else {
        return Vec::new();
    };
    let mut taken = Vec::new();
    for entry in entries
        .iter_mut()
        .filter(|entry| is_of(entry, flavor, node_pool))
    {
        let share = nodes.min(count(entry));
        if share > 0 {
            nodes -= share;
            taken.push(split(entry, share));
        }
    }
    entries.retain(|entry| count(entry) > 0);
    if entries.is_empty() {
        buckets.remove(bucket);
    }
    taken
}

/// Puts entries into a bucket, adding to the entry of the same flavor and node pool where there is one.
pub(super) fn put(buckets: &mut Map<String, Value>, bucket: &str, entries: Vec<Value>) {
    if entries.is_empty() {
        return;
    }
    let slot = buckets.entry(bucket).or_insert(Value::Null);
    if !slot.is_array() {
        *slot = json!([]);
    }
    let Some(there) = slot.as_array_mut() else {
        return;
    };
    for entry in entries {
        let same = |other: &&mut Value| {
            other["flavor"] == entry["flavor"] && other["nodePool"] == entry["nodePool"]
        };
        match there.iter_mut().find(same) {
            Some(other) => join(other, &entry),
            None => there.push(entry),
        }
    }
}

/// Nodes that the cloud begins to create: like the entry of the spec, in the zone where the pool is already.
pub(super) fn new_nodes(buckets: &Map<String, Value>, wanted: &Value, nodes: u64) -> Value {
    let mut entry = json!({"flavor": wanted["flavor"], "count": nodes});
    for key in ["nodePool", "creatingStep"] {
        if let Some(value) = wanted.get(key) {
            entry[key] = value.clone();
        }
    }
    if wanted.get("maxCount").is_some() {
        entry["maxCount"] = nodes.into();
    }
    let there = buckets
        .get("available")
        .and_then(|available| available.pointer("/0/azs/0/az"));
    if let Some(az) = there.or_else(|| wanted.pointer("/azs/0/az")) {
        entry["azs"] = json!([{"az": az, "count": nodes}]);
    }
    entry
}

/// Splits `nodes` nodes off an entry, zone by zone.
fn split(entry: &mut Value, nodes: u64) -> Value {
    let mut part = entry.clone();
    set_count(entry, count(entry).saturating_sub(nodes));
    set_count(&mut part, nodes);
    if let Some(zones) = entry.get_mut("azs").and_then(Value::as_array_mut) {
        let mut left = nodes;
        let mut moved = Vec::new();
        for zone in zones.iter_mut() {
            let share = left.min(count(zone));
            if share > 0 {
                left -= share;
                let mut other = zone.clone();
                set_count(&mut other, share);
                set_count(zone, count(zone) - share);
                moved.push(other);
            }
        }
        zones.retain(|zone| count(zone) > 0);
        part["azs"] = Value::Array(moved);
    }
    part
}

/// Adds the nodes of one entry to another, zone by zone.
fn join(into: &mut Value, entry: &Value) {
    set_count(into, count(into) + count(entry));
    let Some(zones) = entry.get("azs").and_then(Value::as_array) else {
        return;
    };
    if !into["azs"].is_array() {
        into["azs"] = json!([]);
    }
    let Some(there) = into["azs"].as_array_mut() else {
        return;
    };
    for zone in zones {
        match there.iter_mut().find(|other| other["az"] == zone["az"]) {
            Some(other) => set_count(other, count(other) + count(zone)),
            None => there.push(zone.clone()),
        }
    }
}

fn count(entry: &Value) -> u64 {
    entry["count"].as_u64().unwrap_or(0)
}

fn set_count(entry: &mut Value, nodes: u64) {
    entry["count"] = nodes.into();
    if entry.get("maxCount").is_some() {
        entry["maxCount"] = nodes.into();
    }
}
