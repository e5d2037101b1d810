//! Sums of nodes: integers for those who compare, absent where the cloud does not say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::PoolCounts;

/// The states of nodes, as the cloud names them in `status.resources`.
pub(super) const NODE_STATES: [&str; 5] = [
    "creating",
    "available",
    "abnormal",
    "deleting",
    "creationFailed",
];

/// The lists of a pool that count nodes: what its conformed spec asks for, and what `status.resources` has in each
/// of the [`NODE_STATES`].
fn lists<'a>(
    spec: &'a Map<String, Value>,
    resources: Option<&'a Map<String, Value>>,
) -> [Option<&'a Vec<Value>>; 6] {
    let [creating, available, abnormal, deleting, failed] =
        NODE_STATES.map(|state| resources?.get(state)?.as_array());
    let desired = spec.get("resources").and_then(Value::as_array);
    [desired, creating, available, abnormal, deleting, failed]
}

/// What each of the [`lists`] sums up to.
const fn pool_counts(sums: [Option<i64>; 6]) -> PoolCounts {
    let [
        desired,
        creating,
        available,
        abnormal,
        deleting,
        creation_failed,
    ] = sums;
    PoolCounts {
        desired,
        available,
        creating,
        abnormal,
        deleting,
        creation_failed,
    }
}

/// The counts of a pool, from its conformed spec and `status.resources`.
///
/// An entry without a count makes the sum unknown, not smaller: unknown is never 0.
pub(super) fn counts(
    spec: &Map<String, Value>,
    resources: Option<&Map<String, Value>>,
) -> PoolCounts {
    let sum = |entries: &Vec<Value>| entries.iter().try_fold(0, add_entry);
    pool_counts(lists(spec, resources).map(|list| list.and_then(sum)))
}

fn add_entry(sum: i64, entry: &Value) -> Option<i64> {
    Some(sum.saturating_add(entry.get("count")?.as_i64()?))
}

/// The flavors of the spec, each once, joined by commas.
pub(super) fn flavors(spec: &Map<String, Value>) -> Option<String> {
    let entries = spec.get("resources")?.as_array()?;
    let mut names: Vec<&str> = entries
        .iter()
        .filter_map(|e| e.get("flavor")?.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| names.join(","))
}

/// Nodes of one flavor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlavorCounts {
    /// The flavor; empty where the cloud does not say which.
    pub flavor: Box<str>,
    /// Nodes of this flavor, by state; source: ListPools `spec.resources` and `status.resources`.
    pub counts: PoolCounts,
}

/// The counts of a pool as [`counts`] has them, each flavor for itself, in the order of their names.
pub(super) fn counts_by_flavor(
    spec: &Map<String, Value>,
    resources: Option<&Map<String, Value>>,
) -> Box<[FlavorCounts]> {
    let lists = lists(spec, resources);
    // Where there is a list, a flavor that it lacks has no nodes in this state.
    let none = lists.map(|list| list.map(|_| 0));
    let mut flavors: BTreeMap<&str, [Option<i64>; 6]> = BTreeMap::new();
    for (state, list) in lists.into_iter().enumerate() {
        for entry in list.into_iter().flatten() {
            let sum = &mut flavors.entry(flavor(entry)).or_insert(none)[state];
            *sum = sum.and_then(|sum| add_entry(sum, entry));
        }
    }
    let counts = flavors.into_iter().map(|(flavor, sums)| FlavorCounts {
        flavor: flavor.into(),
        counts: pool_counts(sums),
    });
    counts.collect()
}

fn flavor(entry: &Value) -> &str {
    let flavor = entry.get("flavor").and_then(Value::as_str);
    flavor.unwrap_or_default()
}

impl PoolCounts {
    /// Adds the counts of another pool; a state that only one of them knows keeps what is known.
    pub fn add(&mut self, other: &Self) {
        let Self {
            desired,
            available,
            creating,
            abnormal,
            deleting,
            creation_failed,
        } = other;
        for (sum, part) in [
            (&mut self.desired, desired),
            (&mut self.available, available),
            (&mut self.creating, creating),
            (&mut self.abnormal, abnormal),
            (&mut self.deleting, deleting),
            (&mut self.creation_failed, creation_failed),
        ] {
            *sum = match (*sum, *part) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (a, b) => a.or(b),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn by_flavor(spec: &Value, resources: &Value) -> Vec<(String, [Option<i64>; 3])> {
        let (spec, resources) = (spec.as_object().expect("a spec"), resources.as_object());
        let counts = counts_by_flavor(spec, resources).into_vec();
        let known = |c: PoolCounts| [c.desired, c.available, c.abnormal];
        let counts = counts.into_iter();
        counts.map(|f| (f.flavor.into(), known(f.counts))).collect()
    }

    fn entry(flavor: &str, count: i64) -> Value {
        json!({"flavor": flavor, "count": count})
    }

    #[test]
    fn each_flavor_is_counted_for_itself() {
        let spec = json!({"resources": [entry("b", 2), entry("a", 3), entry("b", 1)]});
        let resources = json!({"available": [entry("b", 1)], "abnormal": [entry("c", 1)]});
        let expected = [
            ("a".to_owned(), [Some(3), Some(0), Some(0)]),
            ("b".to_owned(), [Some(3), Some(1), Some(0)]),
            ("c".to_owned(), [Some(0), Some(0), Some(1)]),
        ];
        assert_eq!(by_flavor(&spec, &resources), expected);
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let spec =
            json!({"resources": [entry("a", 3), {"flavor": "a"}, entry("b", 1), {"count": 7}]});
        let expected = [
            (String::new(), [Some(7), None, None]),
            ("a".to_owned(), [None; 3]),
            ("b".to_owned(), [Some(1), None, None]),
        ];
        assert_eq!(by_flavor(&spec, &Value::Null), expected);
        assert_eq!(by_flavor(&json!({}), &json!({})), []);
    }
}
