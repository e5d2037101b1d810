//! The status of a mirror: the cloud's own, and what is added to it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OpenObject;
use super::pool_spec::{CreatingStep, PoolAzCount};

/// What the cloud says the pool is, and what the controller adds: `counts`, `flavors`,
/// `creationTimestamp`, `otherMetadata`, `observedGeneration` and `conditions`.
// Atomic for the same reasons as the spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct ModelArtsPoolStatus {
    /// The pool's phase: `Creating`, `Running`, `Abnormal`, `Deleting`, `Error`, `CreationFailed`,
    /// `ScalingFailed`, `Waiting`; other values are kept. Source: ListPools `status.phase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The cloud's text on the phase, for people. Source: ListPools `status.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The nodes by state; absent where the cloud does not say, e.g. for a Logical pool. Source:
    /// ListPools `status.resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<PoolStatusResources>,
    /// State of each kind of job on the pool. Source: ListPools `status.scope[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<PoolScopeStatus>>,
    /// State of the drivers. Source: ListPools `status.driver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<PoolDriverStatus>,
    /// Id of the pool that this one is carved out of; empty for a physical pool. Source: ListPools
    /// `status.parent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Id of the physical pool at the root; a physical pool's own id. Source: ListPools `status.root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The CCE clusters of a privileged pool. Source: ListPools `status.clusters` (an array or one
    /// object, by version of the API).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<PoolClusterStatus>>,
    /// Nodes in all, by state, as integers to sum and compare; a number that is not known is absent,
    /// never 0. Added by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<PoolCounts>,
    /// Flavors of the pool's nodes, joined by commas, for people. Added by the controller from
    /// `spec.resources[].flavor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavors: Option<String>,
    /// When the pool was created, RFC 3339 in UTC; another time under the same name is another pool.
    /// Source: ListPools `metadata.creationTimestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    /// Labels and annotations of the pool that can't be, or must not be, labels and annotations of the
    /// mirror, e.g. those not of `os.modelarts`: keys are `labels/KEY` and `annotations/KEY`. Source:
    /// ListPools `metadata.labels` and `metadata.annotations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_metadata: Option<BTreeMap<String, String>>,
    /// Fields of the cloud's status whose names the controller uses for its own. Source: ListPools
    /// `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<OpenObject>,
    /// The generation of the mirror's spec that this status belongs to. Added by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (the pool works), `Synced` (the data is fresh), `Listed` (the pool is in the cloud's
    /// list). Added by the controller.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Nodes by state. Source: ListPools `status.resources`; a state that the cloud leaves out has no
/// nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatusResources {
    /// Nodes being created. Source: ListPools `status.resources.creating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creating: Option<Vec<PoolResourceCount>>,
    /// Nodes that work. Source: ListPools `status.resources.available`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<Vec<PoolResourceCount>>,
    /// Nodes that are ill. Source: ListPools `status.resources.abnormal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abnormal: Option<Vec<PoolResourceCount>>,
    /// Nodes being deleted. Source: ListPools `status.resources.deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<Vec<PoolResourceCount>>,
    /// Nodes that could not be created. Source: ListPools `status.resources.creationFailed`
    /// (undocumented).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_failed: Option<Vec<PoolResourceCount>>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Nodes of one flavor in one state. Source: ListPools `status.resources.*[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolResourceCount {
    /// Flavor of the nodes. Source: `flavor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// Nodes in this state. Source: `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Nodes at most, of an elastic pool. Source: `maxCount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_count: Option<i64>,
    /// Nodes by availability zone. Source: `azs[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azs: Option<Vec<PoolAzCount>>,
    /// Id of the node pool. Source: `nodePool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<String>,
    /// How many nodes are created together. Source: `creatingStep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creating_step: Option<CreatingStep>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// State of one kind of job on the pool. Source: ListPools `status.scope[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolScopeStatus {
    /// `Train`, `Infer` or `Notebook`; other values are kept. Source: `scope[].scopeType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_type: Option<String>,
    /// `Enabling`, `Enabled`, `EnableFailed`, `Disabling` or `Disabled`; other values are kept. Source:
    /// `scope[].state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Plugins of this kind of job. Source: `scope[].plugins[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<PoolPlugin>>,
    /// The cloud's text on the state. Source: `scope[].message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A plugin on a pool. Source: ListPools `plugins[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolPlugin {
    /// Name of the plugin. Source: `plugins[].name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Pending`, `Running`, `Updating`, `Abnormal` or `Deleting`; other values are kept. Source:
    /// `plugins[].phase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// State of the drivers of a pool. Source: ListPools `status.driver`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolDriverStatus {
    /// The GPU driver. Source: `driver.gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<DriverState>,
    /// The NPU driver. Source: `driver.npu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npu: Option<DriverState>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// State of one driver. Source: ListPools `status.driver.gpu` and `.npu`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriverState {
    /// Version that runs. Source: `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Creating`, `Upgrading`, `Running` or `Abnormal`; other values are kept. Source: `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A CCE cluster of a privileged pool. Source: ListPools `status.clusters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolClusterStatus {
    /// Name of the cluster. Source: `clusters.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the CCE cluster. Source: `clusters.providerId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Size class of the cluster. Source: `clusters.clusterFlavor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_flavor: Option<String>,
    /// Type of the cluster. Source: `clusters.type`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Kubernetes version of the cluster. Source: `clusters.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Plugins of the cluster. Source: `clusters.plugins` (an array or one object).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<PoolPlugin>>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Nodes in all, by state. A number that is not known is absent: unknown is never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCounts {
    /// Nodes asked for: the sum of ListPools `spec.resources[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<i64>,
    /// Nodes that work: the sum of ListPools `status.resources.available[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// Nodes being created: the sum of ListPools `status.resources.creating[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creating: Option<i64>,
    /// Nodes that are ill: the sum of ListPools `status.resources.abnormal[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abnormal: Option<i64>,
    /// Nodes being deleted: the sum of ListPools `status.resources.deleting[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<i64>,
    /// Nodes that could not be created: the sum of ListPools `status.resources.creationFailed[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_failed: Option<i64>,
}

impl PoolCounts {
    /// Those of a pool that is gone.
    #[must_use]
    pub const fn zero() -> Self {
        Self {
            desired: Some(0),
            available: Some(0),
            creating: Some(0),
            abnormal: Some(0),
            deleting: Some(0),
            creation_failed: Some(0),
        }
    }
}
