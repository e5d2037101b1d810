//! `ModelArtsPool`: the mirror of one resource pool.

#![allow(
    clippy::duplicated_attributes,
    reason = "columns of one kind repeat their type and priority"
)]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pool_spec::{
    ContainerNetwork, PoolAz, PoolCluster, PoolDriver, PoolNetwork, PoolResource, UserLogin,
};
use super::pool_status::ModelArtsPoolStatus;

/// What the cloud says the pool should be. Source: ListPools `items[].spec`; fields that are not
/// described here are kept as they are sent.
// Atomic: an apply then replaces the whole spec, so that a field that a stranger added is removed
// too, and managedFields hold one entry instead of one for each field.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "modelarts.huaweicloud.com",
    version = "v1alpha1",
    kind = "ModelArtsPool",
    plural = "modelartspools",
    singular = "modelartspool",
    shortname = "mapool",
    category = "modelarts",
    namespaced,
    status = "ModelArtsPoolStatus",
    derive = "Default",
    derive = "PartialEq",
    selectable = ".status.phase",
    selectable = ".spec.type",
    doc = "A read-only mirror of one ModelArts resource pool. It is written by modelarts-pool-controller from what the cloud's ListPools answers; edits are undone, and deleting it never touches the pool. Its name is the pool's id.",
    printcolumn(
        name = "Pool-Name",
        type_ = "string",
        json_path = ".metadata.labels.os\\.modelarts/name",
        description = "The pool's display name; source: ListPools metadata.labels[os.modelarts/name]."
    ),
    printcolumn(
        name = "Type",
        type_ = "string",
        json_path = ".spec.type",
        description = "Dedicate (physical) or Logical (carved out of a physical pool)."
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "The pool's phase as the cloud says it."
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.counts.desired",
        description = "Nodes asked for; empty: unknown."
    ),
    printcolumn(
        name = "Available",
        type_ = "integer",
        json_path = ".status.counts.available",
        description = "Nodes that work; empty: unknown."
    ),
    printcolumn(
        name = "Abnormal",
        type_ = "integer",
        json_path = ".status.counts.abnormal",
        description = "Nodes that are ill; empty: unknown."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the pool works."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".status.creationTimestamp",
        description = "Age of the pool itself, not of the mirror."
    ),
    printcolumn(
        name = "Creating",
        type_ = "integer",
        json_path = ".status.counts.creating",
        priority = 1,
        description = "Nodes being created; empty: unknown."
    ),
    printcolumn(
        name = "Deleting",
        type_ = "integer",
        json_path = ".status.counts.deleting",
        priority = 1,
        description = "Nodes being deleted; empty: unknown."
    ),
    printcolumn(
        name = "Flavors",
        type_ = "string",
        json_path = ".status.flavors",
        priority = 1,
        description = "Flavors of the pool's nodes."
    ),
    printcolumn(
        name = "Scope",
        type_ = "string",
        json_path = ".spec.scope",
        priority = 1,
        description = "Kinds of job that the pool takes."
    ),
    printcolumn(
        name = "Workspace",
        type_ = "string",
        json_path = ".metadata.labels.os\\.modelarts/workspace\\.id",
        priority = 1,
        description = "The workspace the pool was listed in."
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        priority = 1,
        description = "Whether the data is fresh."
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        priority = 1,
        description = "The cloud's text on the phase."
    )
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct ModelArtsPoolSpec {
    /// Type of the pool: `Dedicate` (physical, with a network of its own) or `Logical` (carved out
    /// of a physical pool); other values are kept. Source: ListPools `spec.type`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Kinds of job that the pool takes: `Train`, `Infer`, `Notebook`; other values are kept, the
    /// order means nothing. Source: ListPools `spec.scope[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
    /// The nodes asked for, one entry for each flavor and node pool (a flavor may stand in several).
    /// Source: ListPools `spec.resources[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<PoolResource>>,
    /// The pool's network. Source: ListPools `spec.network`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<PoolNetwork>,
    /// The container network of a privileged pool. Source: ListPools `spec.containerNetwork`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_network: Option<ContainerNetwork>,
    /// The same as containerNetwork, in the spelling that other versions of the cloud's API use.
    /// Source: ListPools `spec.containernetwork`.
    #[serde(
        rename = "containernetwork",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub containernetwork: Option<ContainerNetwork>,
    /// Names of the job flavors that the pool takes. Source: ListPools `spec.jobFlavors[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_flavors: Option<Vec<String>>,
    /// Default driver versions of the pool. Source: ListPools `spec.driver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<PoolDriver>,
    /// What is restricted on the pool, a sum of bits: 1 change to prepaid, 2 change of
    /// specification, 4 service, 8 frozen, 16 frozen by public security. Source: ListPools
    /// `spec.controlMode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_mode: Option<i64>,
    /// The CCE clusters of a privileged pool. Source: ListPools `spec.clusters[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<PoolCluster>>,
    /// How people log in to the nodes of a privileged pool; the password is never mirrored. Source:
    /// ListPools `spec.userLogin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_login: Option<UserLogin>,
    /// CIDR of the Services of a privileged pool's cluster. Source: ListPools
    /// `spec.kubernetesSvcIpRange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_svc_ip_range: Option<String>,
    /// Availability zones of the control plane of a privileged pool's cluster. Source: ListPools
    /// `spec.masters[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masters: Option<Vec<PoolAz>>,
    /// Size class of a privileged pool's cluster. Source: ListPools `spec.clusterFlavor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_flavor: Option<String>,
    /// Whether IPv6 is on. Source: ListPools `spec.ipv6enable`.
    #[serde(
        rename = "ipv6enable",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ipv6_enable: Option<bool>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}
