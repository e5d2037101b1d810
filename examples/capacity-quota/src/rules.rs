//! The rules: which quota follows which pools.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The file that the operator is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Rule>,
}

/// One quota, or two that are alike, and the pools that they follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The source whose pools count.
    pub source: Name,
    /// Ids of the pools that count; left out: all Dedicate ones of the source.
    pub pools: Option<BTreeSet<String>>,
    /// The flavor of the nodes that count; left out: any.
    pub flavor: Option<String>,
    /// What one node is worth, e.g. its 8 GPUs.
    #[serde(default = "one")]
    pub units_per_node: u32,
    /// The quota that follows.
    pub resource_quota: Option<QuotaTarget>,
    /// The queue of Kueue that follows.
    pub cluster_queue: Option<QueueTarget>,
}

/// An object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    pub namespace: String,
    pub name: String,
}

/// `spec.hard` of a ResourceQuota, which is created where it is missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaTarget {
    pub namespace: String,
    pub name: String,
    /// The key in `spec.hard`, e.g. `requests.nvidia.com/gpu`.
    pub resource: String,
}

/// A `nominalQuota` of a ClusterQueue, which must be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueTarget {
    pub name: String,
    /// Name of the ResourceFlavor.
    pub flavor: String,
    /// Name of the resource, e.g. `nvidia.com/gpu`.
    pub resource: String,
}

const fn one() -> u32 {
    1
}

/// Reads the rules.
///
/// # Errors
/// Where the file is no such YAML, or two rules would write the same.
pub fn parse(yaml: &str) -> Result<Vec<Rule>, String> {
    let File { rules } = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
    let mut written = BTreeSet::new();
    for (at, rule) in rules.iter().enumerate() {
        let at = at + 1;
        if rule.resource_quota.is_none() && rule.cluster_queue.is_none() {
            return Err(format!(
                "rule {at} writes nothing: it needs resourceQuota, clusterQueue or both"
            ));
        }
        let quota = rule.resource_quota.as_ref();
        let queue = rule.cluster_queue.as_ref();
        let targets = [
            quota.map(|q| format!("ResourceQuota {}/{}", q.namespace, q.name)),
            queue.map(|q| format!("ClusterQueue {}", q.name)),
        ];
        for target in targets.into_iter().flatten() {
            if !written.insert(target.clone()) {
                return Err(format!(
                    "rule {at} writes {target}, as an earlier one does: each needs one of its own"
                ));
            }
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read() {
        let rules = parse(include_str!("../rules.yaml")).expect("rules");
        assert_eq!(rules[0].units_per_node, 8);
        assert_eq!(rules[0].source.name, "team-a");
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong() {
        let rule = |more: &str| format!("- source: {{namespace: a, name: b}}\n{more}");
        let quota = "  resourceQuota: {namespace: t, name: q, resource: r}\n";
        for (yaml, expected) in [
            (format!("rules:\n{}", rule("")), "rule 1 writes nothing"),
            (
                format!("rules:\n{}{}", rule(quota), rule(quota)),
                "rule 2 writes ResourceQuota t/q",
            ),
            (
                format!("rules:\n{}", rule("  unitPerNode: 8\n")),
                "unitPerNode",
            ),
        ] {
            let error = parse(&yaml).expect_err("refused");
            assert!(error.contains(expected), "{error}");
        }
    }
}
