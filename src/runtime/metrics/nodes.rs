//! How many nodes of which flavor a source has: pure.

use std::collections::BTreeMap;

use super::labels::{MAX_FLAVORS, OTHER, flavor_label};
use crate::api::PoolCounts;
use crate::mirror::Desired;

/// The nodes of the physical pools among `pools`, by the label of the flavor.
pub(super) fn nodes_by_flavor<'a>(
    pools: impl Iterator<Item = &'a Desired>,
) -> BTreeMap<&'a str, PoolCounts> {
    let mut flavors: BTreeMap<&str, PoolCounts> = BTreeMap::new();
    for nodes in pools.flat_map(|pool| &*pool.flavors) {
        let counts = flavors.entry(flavor_label(&nodes.flavor)).or_default();
        counts.add(&nodes.counts);
    }
    let beyond = flavors.keys().nth(MAX_FLAVORS).copied();
    if let Some(beyond) = beyond {
        let others = flavors.split_off(beyond);
        let other = flavors.entry(OTHER).or_default();
        for counts in others.values() {
            other.add(counts);
        }
    }
    flavors
}

/// The states of nodes and how many are in each, as far as that is known.
pub(super) fn states(counts: &PoolCounts) -> [(&'static str, Option<i64>); 6] {
    let PoolCounts {
        desired,
        available,
        creating,
        abnormal,
        deleting,
        creation_failed,
    } = *counts;
    [
        ("desired", desired),
        ("available", available),
        ("creating", creating),
        ("abnormal", abnormal),
        ("deleting", deleting),
        ("creationFailed", creation_failed),
    ]
}
