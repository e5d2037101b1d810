//! Made-up pools in any number, for trials of size.
//!
//! Owns a pure function from (description, number) to a pool: the same description gives the same pools each time.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scenario::{DEFAULT_PROJECT_ID, default_workspace};

/// How many pools to make up, and what to call them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generate {
    /// The number of pools.
    pub count: usize,
    /// What their names begin with.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The workspace that lists them.
    #[serde(default = "default_workspace")]
    pub workspace: String,
}

/// Flavors seen in documents and in field reports, each with its kind of driver.
const FLAVORS: [(&str, Option<&str>); 10] = [
    ("modelarts.vm.cpu.4ud", None),
    ("modelarts.vm.cpu.8ud", None),
    ("modelarts.vm.cpu.16u64g.d", None),
    ("modelarts.vm.gpu.t4u8", Some("gpu")),
    ("modelarts.vm.gpu.p100", Some("gpu")),
    ("modelarts.bm.gpu.v100NV32", Some("gpu")),
    ("modelarts.kat1.8xlarge", Some("npu")),
    ("modelarts.bm.npu.arm.8snt9b2.d", Some("npu")),
    ("modelarts.bm.npu.arm.8snt9b3.i6l.d.c004", Some("npu")),
    ("modelarts.bm.npu.arm.4snt9b1", Some("npu")),
];

impl Generate {
    /// So many pools with the usual prefix in workspace `0`.
    #[must_use]
    pub fn pools(count: usize) -> Self {
        Self {
            count,
            prefix: default_prefix(),
            workspace: default_workspace(),
        }
    }

    /// The pools, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Value> {
        (0..self.count).map(|number| pool(&self.prefix, &self.workspace, number))
    }
}

/// The pool with this number. Most run; every 20th has abnormal nodes, every 50th is being created, every 25th has two entries of one flavor.
fn pool(prefix: &str, workspace: &str, number: usize) -> Value {
    let (flavor, driver) = FLAVORS[number % FLAVORS.len()];
    let nodes = 1 + number % 16;
    let display = format!("{prefix}-{number:05}");
    let id = format!("{display}-{DEFAULT_PROJECT_ID}");
    let node_pool = format!("{flavor}-default");
    let az = ["cn-north-4a", "cn-north-4b", "cn-north-4c"][number % 3];
    let entry = |node_pool: &str, count: usize| json!({"flavor": flavor, "count": count, "maxCount": count, "azs": [{"az": az, "count": count}], "nodePool": node_pool});
    let mut entries = vec![entry(&node_pool, nodes)];
    if number % 25 == 7 {
        entries.push(entry("second", 2));
    }
    let (phase, resources) = match number {
        _ if number % 50 == 11 => ("Creating", json!({"creating": entries})),
        _ if number % 20 == 5 => {
            let healthy = if nodes > 1 {
                vec![entry(&node_pool, nodes - 1)]
            } else {
                Vec::new()
            };
            (
                "Abnormal",
                json!({"available": healthy, "abnormal": [entry(&node_pool, 1)]}),
            )
        }
        _ => ("Running", json!({"available": entries})),
    };
    let (minute, hour) = (number % 60, number / 60 % 24);
    let mut pool = json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {
            "name": id,
            "creationTimestamp": format!("2025-03-01T{hour:02}:{minute:02}:00Z"),
            "labels": {
                "os.modelarts/name": display,
                "os.modelarts/workspace.id": workspace,
                "os.modelarts/resource.id": format!("maos-{display}"),
                "os.modelarts/tenant.project.id": DEFAULT_PROJECT_ID,
                "os.modelarts.pool/biz": "private",
                "os.modelarts/create-from": "admin-console"
            },
            "annotations": {
                "os.modelarts/description": "",
                "os.modelarts/billing.mode": (number % 2).to_string(),
                "os.modelarts/flavor.resource.ids": format!("{{\"{flavor}\":\"maos.{number}\"}}"),
                "os.modelarts.pool/subpools.count": "0"
            }
        },
        "spec": {
            "type": "Dedicate",
            "scope": ["Train", "Infer", "Notebook"],
            "resources": entries,
            "network": {"name": format!("network-{display}")}
        },
        "status": {
            "phase": phase,
            "message": "",
            "root": id,
            "parent": "",
            "scope": [
                {"scopeType": "Train", "state": "Enabled"},
                {"scopeType": "Infer", "state": "Enabled"},
                {"scopeType": "Notebook", "state": "Enabled"}
            ],
            "resources": resources
        }
    });
    if let Some(kind) = driver {
        let version = if kind == "gpu" { "440.33" } else { "C78" };
        pool["spec"]["driver"] =
            json!({format!("{kind}Version"): version, "updateStrategy": "idle"});
        pool["status"]["driver"] = json!({kind: {"version": version, "state": "Running"}});
    }
    pool
}

fn default_prefix() -> String {
    "pool".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ten_thousand_differ_and_keep_the_rule_for_ids() {
        let pools: Vec<_> = Generate::pools(10_000).iter().collect();
        let ids: BTreeSet<_> = pools
            .iter()
            .map(|pool| pool["metadata"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| (36..=63).contains(&id.len())));
        let phases: BTreeSet<_> = pools
            .iter()
            .map(|pool| pool["status"]["phase"].as_str().unwrap())
            .collect();
        assert_eq!(phases, BTreeSet::from(["Abnormal", "Creating", "Running"]));
        assert_eq!(pools[..50], Generate::pools(50).iter().collect::<Vec<_>>());
    }
}
