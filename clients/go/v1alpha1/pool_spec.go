package v1alpha1

import (
	"encoding/json"
)

// PoolResource: Nodes of one flavor in one node pool. Source: ListPools `spec.resources[]`.
type PoolResource struct {
	// Flavor of the nodes, e.g. `modelarts.vm.cpu.4ud`. Source: ListPools `spec.resources[].flavor`.
	Flavor *string `json:"flavor,omitempty"`
	// Nodes asked for (the guaranteed number). Source: ListPools `spec.resources[].count`.
	Count *int64 `json:"count,omitempty"`
	// Nodes at most, of an elastic pool; equal to count on a physical pool. Source: ListPools
	// `spec.resources[].maxCount`.
	MaxCount *int64 `json:"maxCount,omitempty"`
	// Wanted nodes by availability zone. Source: ListPools `spec.resources[].azs[]`.
	AZs []PoolAZCount `json:"azs,omitzero"`
	// Name of the node pool; by default the flavor and `-default`. Source: ListPools
	// `spec.resources[].nodePool`.
	NodePool *string `json:"nodePool,omitempty"`
	// Free parameters, e.g. `dockerBaseSize` (GiB, a string) or `runtime`; a post-install script is
	// never mirrored. Source: ListPools `spec.resources[].extendParams`.
	ExtendParams OpenObject `json:"extendParams,omitzero"`
	// Operating system image of the nodes. Source: ListPools `spec.resources[].os`.
	OS *PoolOS `json:"os,omitempty"`
	// System disk of each node. Source: ListPools `spec.resources[].rootVolume`.
	RootVolume *PoolVolume `json:"rootVolume,omitempty"`
	// Data disks of each node. Source: ListPools `spec.resources[].dataVolumes[]` (some versions of
	// the API send one object).
	DataVolumes []PoolVolume `json:"dataVolumes,omitzero"`
	// How the data disks are grouped. Source: ListPools `spec.resources[].volumeGroupConfigs[]` (some
	// versions of the API send one object).
	VolumeGroupConfigs []VolumeGroupConfig `json:"volumeGroupConfigs,omitzero"`
	// How many nodes are created together. Source: ListPools `spec.resources[].creatingStep`.
	CreatingStep *CreatingStep `json:"creatingStep,omitempty"`
	// Taints of the nodes. Source: ListPools `spec.resources[].taints[]`.
	Taints []PoolTaint `json:"taints,omitzero"`
	// Labels of the nodes. Source: ListPools `spec.resources[].labels`.
	Labels map[string]string `json:"labels,omitzero"`
	// Resource tags of the nodes. Source: ListPools `spec.resources[].tags[]`.
	Tags []PoolTag `json:"tags,omitzero"`
	// Network of the nodes of a privileged pool. Source: ListPools `spec.resources[].network`.
	Network *ResourceNetwork `json:"network,omitempty"`
	// Driver of these nodes. Source: ListPools `spec.resources[].driver`.
	Driver *ResourceDriver `json:"driver,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolAZCount: Nodes in one availability zone. Source: ListPools `azs[]`.
type PoolAZCount struct {
	// Name of the availability zone, e.g. `cn-north-7c`. Source: ListPools `azs[].az`.
	AZ *string `json:"az,omitempty"`
	// Nodes in this zone. Source: ListPools `azs[].count`.
	Count *int64 `json:"count,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolOS: An operating system image. Source: ListPools `spec.resources[].os`.
type PoolOS struct {
	// Name of the operating system. Source: ListPools `spec.resources[].os.name`.
	Name *string `json:"name,omitempty"`
	// Id of the image. Source: ListPools `spec.resources[].os.imageId`.
	ImageID *string `json:"imageId,omitempty"`
	// `private`, or empty for a preset image. Source: ListPools `spec.resources[].os.imageType`.
	ImageType *string `json:"imageType,omitempty"`
	// Whether the image is chosen by the cloud. Source: ListPools `spec.resources[].os.autoMatch`.
	AutoMatch *string `json:"autoMatch,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolVolume: A disk of a node. Source: ListPools `spec.resources[].rootVolume` and
// `dataVolumes[]`.
type PoolVolume struct {
	// `SSD`, `GPSSD` or `SAS`; other values are kept. Source: `volumeType`.
	VolumeType *string `json:"volumeType,omitempty"`
	// Size as the cloud writes it, with or without a unit, e.g. `100Gi` or `100` (GiB). Source:
	// `size`.
	Size *string `json:"size,omitempty"`
	// Disks of this kind on each node. Source: `count`.
	Count *int64 `json:"count,omitempty"`
	// Free parameters, e.g. `volumeGroup`. Source: `extendParams`.
	ExtendParams OpenObject `json:"extendParams,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// VolumeGroupConfig: A group of data disks. Source: ListPools
// `spec.resources[].volumeGroupConfigs[]`.
type VolumeGroupConfig struct {
	// Name of the group, e.g. `vgpaas`. Source: `volumeGroup`.
	VolumeGroup *string `json:"volumeGroup,omitempty"`
	// Share of the container engine, in percent. Source: `dockerThinPool`.
	DockerThinPool *int64 `json:"dockerThinPool,omitempty"`
	// How the group is managed. Source: `lvmConfig`.
	LVMConfig *LVMConfig `json:"lvmConfig,omitempty"`
	// `volume` and `local`; other values are kept. Source: `types[]`.
	Types []string `json:"types,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// LVMConfig: Settings of the logical volume manager. Source: ListPools
// `volumeGroupConfigs[].lvmConfig`.
type LVMConfig struct {
	// `linear` or `striped`. Source: `lvType`.
	LVType *string `json:"lvType,omitempty"`
	// Mount path. Source: `path`.
	Path *string `json:"path,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// CreatingStep: How many nodes are created together. Source: ListPools `creatingStep`.
type CreatingStep struct {
	// Nodes in one step. Source: `creatingStep.step`.
	Step *int64 `json:"step,omitempty"`
	// `hyperinstance` (supernode) or `rack`; other values are kept. Source: `creatingStep.type`.
	Type *string `json:"type,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolTaint: A taint of the nodes. Source: ListPools `spec.resources[].taints[]`.
type PoolTaint struct {
	// Key of the taint. Source: `taints[].key`.
	Key *string `json:"key,omitempty"`
	// Value of the taint. Source: `taints[].value`.
	Value *string `json:"value,omitempty"`
	// `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Source: `taints[].effect`.
	Effect *string `json:"effect,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolTag: A resource tag. Source: ListPools `spec.resources[].tags[]`.
type PoolTag struct {
	// Key of the tag. Source: `tags[].key`.
	Key *string `json:"key,omitempty"`
	// Value of the tag. Source: `tags[].value`.
	Value *string `json:"value,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// ResourceNetwork: Network of the nodes of a privileged pool. Source: ListPools
// `spec.resources[].network`.
type ResourceNetwork struct {
	// Id of the VPC. Source: `network.vpc`.
	VPC *string `json:"vpc,omitempty"`
	// Id of the subnet. Source: `network.subnet`.
	Subnet *string `json:"subnet,omitempty"`
	// Ids of the security groups. Source: `network.securityGroups[]`.
	SecurityGroups []string `json:"securityGroups,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// ResourceDriver: Driver of the nodes of one entry. Source: ListPools `spec.resources[].driver`.
type ResourceDriver struct {
	// Version of the driver. Source: `driver.version`.
	Version *string `json:"version,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolNetwork: Network of a pool. Source: ListPools `spec.network`.
type PoolNetwork struct {
	// Id of the ModelArts network; privileged pools have a VPC instead. Source: `network.name`.
	Name *string `json:"name,omitempty"`
	// Id of the VPC of a privileged pool. Source: `network.vpcId`.
	VPCID *string `json:"vpcId,omitempty"`
	// Id of the subnet of a privileged pool. Source: `network.subnetId`.
	SubnetID *string `json:"subnetId,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// ContainerNetwork: Container network of a privileged pool. Source: ListPools
// `spec.containerNetwork`.
type ContainerNetwork struct {
	// `overlay_l2`, `vpc-router` or `eni`; other values are kept. Source: `mode`.
	Mode *string `json:"mode,omitempty"`
	// Address range of the containers. Source: `cidr`.
	CIDR *string `json:"cidr,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolDriver: Default driver versions of a pool. Source: ListPools `spec.driver`.
type PoolDriver struct {
	// Version of the GPU driver. Source: `driver.gpuVersion`.
	GPUVersion *string `json:"gpuVersion,omitempty"`
	// Version of the NPU driver. Source: `driver.npuVersion`.
	NPUVersion *string `json:"npuVersion,omitempty"`
	// `force` (at once) or `idle` (when no job runs). Source: `driver.updateStrategy`.
	UpdateStrategy *string `json:"updateStrategy,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolCluster: A CCE cluster of a privileged pool. Source: ListPools `spec.clusters[]`.
type PoolCluster struct {
	// Id of the CCE cluster. Source: `clusters[].providerId`.
	ProviderID *string `json:"providerId,omitempty"`
	// Name of the CCE cluster. Source: `clusters[].name`.
	Name *string `json:"name,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// UserLogin: How people log in to the nodes. Source: ListPools `spec.userLogin`.
type UserLogin struct {
	// Name of the key pair. Source: `userLogin.keyPairName`.
	KeyPairName *string `json:"keyPairName,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolAZ: An availability zone. Source: ListPools `spec.masters[]`.
type PoolAZ struct {
	// Name of the availability zone. Source: `masters[].az`.
	AZ *string `json:"az,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}
