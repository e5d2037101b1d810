//! Sums of nodes: integers for those who compare, absent where the cloud does not say.

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

/// The counts of a pool, from its conformed spec and `status.resources`.
///
/// An entry without a count makes the sum unknown, not smaller: unknown is never 0.
pub(super) fn counts(
    spec: &Map<String, Value>,
    resources: Option<&Map<String, Value>>,
) -> PoolCounts {
    let state = |name: &str| sum(resources?.get(name));
    PoolCounts {
        desired: sum(spec.get("resources")),
        creating: state("creating"),
        available: state("available"),
        abnormal: state("abnormal"),
        deleting: state("deleting"),
        creation_failed: state("creationFailed"),
    }
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

fn sum(entries: Option<&Value>) -> Option<i64> {
    entries?.as_array()?.iter().try_fold(0_i64, |sum, entry| {
        Some(sum.saturating_add(entry.get("count")?.as_i64()?))
    })
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
