//! The parts of a mirror's spec, each as the cloud's field table has it.
//!
//! Every field is optional and every object keeps what it does not know: a mirror must be
//! accepted whatever the cloud sends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OpenObject;

/// Nodes of one flavor in one node pool. Source: ListPools `spec.resources[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolResource {
    /// Flavor of the nodes, e.g. `modelarts.vm.cpu.4ud`. Source: ListPools `spec.resources[].flavor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// Nodes asked for (the guaranteed number). Source: ListPools `spec.resources[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Nodes at most, of an elastic pool; equal to count on a physical pool. Source: ListPools
    /// `spec.resources[].maxCount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_count: Option<i64>,
    /// Wanted nodes by availability zone. Source: ListPools `spec.resources[].azs[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azs: Option<Vec<PoolAzCount>>,
    /// Name of the node pool; by default the flavor and `-default`. Source: ListPools
    /// `spec.resources[].nodePool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<String>,
    /// Free parameters, e.g. `dockerBaseSize` (GiB, a string) or `runtime`; a post-install script is
    /// never mirrored. Source: ListPools `spec.resources[].extendParams`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend_params: Option<OpenObject>,
    /// Operating system image of the nodes. Source: ListPools `spec.resources[].os`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<PoolOs>,
    /// System disk of each node. Source: ListPools `spec.resources[].rootVolume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<PoolVolume>,
    /// Data disks of each node. Source: ListPools `spec.resources[].dataVolumes[]` (some versions of
    /// the API send one object).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_volumes: Option<Vec<PoolVolume>>,
    /// How the data disks are grouped. Source: ListPools `spec.resources[].volumeGroupConfigs[]` (some
    /// versions of the API send one object).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_group_configs: Option<Vec<VolumeGroupConfig>>,
    /// How many nodes are created together. Source: ListPools `spec.resources[].creatingStep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creating_step: Option<CreatingStep>,
    /// Taints of the nodes. Source: ListPools `spec.resources[].taints[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<PoolTaint>>,
    /// Labels of the nodes. Source: ListPools `spec.resources[].labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Resource tags of the nodes. Source: ListPools `spec.resources[].tags[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<PoolTag>>,
    /// Network of the nodes of a privileged pool. Source: ListPools `spec.resources[].network`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<ResourceNetwork>,
    /// Driver of these nodes. Source: ListPools `spec.resources[].driver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<ResourceDriver>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Nodes in one availability zone. Source: ListPools `azs[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolAzCount {
    /// Name of the availability zone, e.g. `cn-north-7c`. Source: ListPools `azs[].az`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub az: Option<String>,
    /// Nodes in this zone. Source: ListPools `azs[].count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// An operating system image. Source: ListPools `spec.resources[].os`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolOs {
    /// Name of the operating system. Source: ListPools `spec.resources[].os.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the image. Source: ListPools `spec.resources[].os.imageId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// `private`, or empty for a preset image. Source: ListPools `spec.resources[].os.imageType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_type: Option<String>,
    /// Whether the image is chosen by the cloud. Source: ListPools `spec.resources[].os.autoMatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_match: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A disk of a node. Source: ListPools `spec.resources[].rootVolume` and `dataVolumes[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolVolume {
    /// `SSD`, `GPSSD` or `SAS`; other values are kept. Source: `volumeType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
    /// Size as the cloud writes it, with or without a unit, e.g. `100Gi` or `100` (GiB). Source:
    /// `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Disks of this kind on each node. Source: `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Free parameters, e.g. `volumeGroup`. Source: `extendParams`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend_params: Option<OpenObject>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A group of data disks. Source: ListPools `spec.resources[].volumeGroupConfigs[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeGroupConfig {
    /// Name of the group, e.g. `vgpaas`. Source: `volumeGroup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_group: Option<String>,
    /// Share of the container engine, in percent. Source: `dockerThinPool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_thin_pool: Option<i64>,
    /// How the group is managed. Source: `lvmConfig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lvm_config: Option<LvmConfig>,
    /// `volume` and `local`; other values are kept. Source: `types[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Settings of the logical volume manager. Source: ListPools `volumeGroupConfigs[].lvmConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LvmConfig {
    /// `linear` or `striped`. Source: `lvType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lv_type: Option<String>,
    /// Mount path. Source: `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// How many nodes are created together. Source: ListPools `creatingStep`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatingStep {
    /// Nodes in one step. Source: `creatingStep.step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// `hyperinstance` (supernode) or `rack`; other values are kept. Source: `creatingStep.type`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A taint of the nodes. Source: ListPools `spec.resources[].taints[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolTaint {
    /// Key of the taint. Source: `taints[].key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Value of the taint. Source: `taints[].value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Source: `taints[].effect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A resource tag. Source: ListPools `spec.resources[].tags[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolTag {
    /// Key of the tag. Source: `tags[].key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Value of the tag. Source: `tags[].value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Network of the nodes of a privileged pool. Source: ListPools `spec.resources[].network`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceNetwork {
    /// Id of the VPC. Source: `network.vpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// Id of the subnet. Source: `network.subnet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Ids of the security groups. Source: `network.securityGroups[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Driver of the nodes of one entry. Source: ListPools `spec.resources[].driver`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDriver {
    /// Version of the driver. Source: `driver.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Network of a pool. Source: ListPools `spec.network`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolNetwork {
    /// Id of the ModelArts network; privileged pools have a VPC instead. Source: `network.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the VPC of a privileged pool. Source: `network.vpcId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Id of the subnet of a privileged pool. Source: `network.subnetId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Container network of a privileged pool. Source: ListPools `spec.containerNetwork`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerNetwork {
    /// `overlay_l2`, `vpc-router` or `eni`; other values are kept. Source: `mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Address range of the containers. Source: `cidr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Default driver versions of a pool. Source: ListPools `spec.driver`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolDriver {
    /// Version of the GPU driver. Source: `driver.gpuVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_version: Option<String>,
    /// Version of the NPU driver. Source: `driver.npuVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npu_version: Option<String>,
    /// `force` (at once) or `idle` (when no job runs). Source: `driver.updateStrategy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// A CCE cluster of a privileged pool. Source: ListPools `spec.clusters[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCluster {
    /// Id of the CCE cluster. Source: `clusters[].providerId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Name of the CCE cluster. Source: `clusters[].name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// How people log in to the nodes. Source: ListPools `spec.userLogin`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserLogin {
    /// Name of the key pair. Source: `userLogin.keyPairName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pair_name: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// An availability zone. Source: ListPools `spec.masters[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolAz {
    /// Name of the availability zone. Source: `masters[].az`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub az: Option<String>,
    /// Fields of the cloud that are not described here.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}
